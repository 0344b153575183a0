"""How long does a whole resolution take beside other implementations, each in a process of its own?

Every program answers the operation `time` of the vectors' protocol: roomver with `roomver vectors serve`, the
others with their adapters. The programs take turns, and must resolve to the same state. `vectors/FORMAT.md`
defines the modes, such as *warm* and *cold*. A note below the table lists what each program had prepared.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from time import perf_counter
from types import TracebackType
from typing import Any, BinaryIO

from .measure import Goal, Row, ratios, status_bytes
from .programs import (
    COMPARED,
    DEPARTURES,
    OURS,
    PEERS,
    Program,
    programs,
)
from .resolution import KEPT, ROOMS, SHUFFLED, shuffled
from .run import Run
from .shapes import Shape

WARM, COLD = "warm", "cold"

# How many times as long each peer is to take, warm; None: no goal.
_AGAINST: Mapping[tuple[str, str], tuple[float | None, float | None, float | None, float | None]] = {
    ("toy v11", OURS): (4, 0.32, 1, None),  # of ruma, half the gap that there was
    ("busy v11", OURS): (8, 1, 1.5, 1),
    ("deep v11", OURS): (8, 1, 1.5, 1),
    ("storm v1", OURS): (6, 1, 1, 1),
    ("hq v11", OURS): (100, 5, 10, 1),
    ("hq v11", KEPT): (100, 5, 10, 1),
    ("merge v5", OURS): (20, 1, 1, 1),
    ("merge v5", KEPT): (20, 1, 1, 1),
    ("wide v11", OURS): (20, 1, 1, 1),
    ("wide v11", KEPT): (20, 1, 1, 1),
}
GOALS = [
    *(
        Goal(f"{room} warm", f"{name} / {ours}", "x", at_least=least)
        for (room, ours), goals in _AGAINST.items()
        for name, least in zip(PEERS if room == "storm v1" else COMPARED, goals, strict=True)
        if least is not None
    ),
    *(Goal("hq v11 cold", f"{name} / {OURS}", "x", at_least=1) for name in PEERS),
]

LARGE = ("hq", "merge", "wide")
"""Shapes whose states have much in common. Warm, roomver is also measured with states that share entries."""

_ROUND = 0.02  # seconds: a shorter run is repeated within a round
_LOOPS = 200


class NoAnswer(Exception):
    """A program ended, did not answer in the protocol, or answered with an error; the message says which."""


class Process:
    """A running program, which gets one request at a time."""

    def __init__(self, program: Program) -> None:
        self._errors = TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **program.environment},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def _read(self, out: Any) -> None:
        with out:
            for line in out:
                self._lines.put(line)
        self._lines.put(b"")

    def stop(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._in.close()
        self._errors.close()

    def ask(self, version: str, given: bytes, timeout: float) -> dict[str, Any]:
        """Ask for a measurement, and return the output.

        Args:
            version: the room version.
            given: the input of the `time` request, as JSON.
            timeout: seconds to wait for the answer.

        Raises:
            TimeoutError: if there is no answer in time.
            NoAnswer: if the answer has no output.
        """
        head = f'{{"id": 1, "operation": "time", "room_version": "{version}", "input": '.encode()
        deadline = perf_counter() + timeout
        # Write in a thread: a program that does not read would block the writer forever.
        Thread(target=self._write, args=(head, given), daemon=True).start()
        try:
            line = self._lines.get(timeout=max(0.0, deadline - perf_counter()))
        except Empty:
            raise TimeoutError(f"no answer within {timeout:g} s") from None
        if not line:
            raise NoAnswer(f"it ended: {self._last_words()}")
        try:
            answer = json.loads(line)
        except ValueError:
            raise NoAnswer("its answer is not JSON") from None
        output = answer.get("output")
        if type(output) is not dict:
            said = str(answer.get("message") or answer.get("error"))[:200]
            raise NoAnswer("unsupported" if answer.get("unsupported") else said)
        return output

    def _write(self, head: bytes, given: bytes) -> None:
        with suppress(OSError, ValueError):  # the program died: the reader reports it
            self._in.write(head + given + b"}\n")
            self._in.flush()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        return next((line[:200] for line in reversed(lines) if line.strip()), "no message")

    def peak(self) -> int | None:
        """Return the peak memory of the process since it started, in bytes, or None if it is unknown."""
        with suppress(OSError):
            return status_bytes("VmHWM", self._process.pid)
        return None


class Processes:
    """The running programs.

    Args:
        keep: reuse them for the next problem, for a run that does not measure memory.
    """

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._running: dict[str, Process] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.stop(*self._running)

    def start(self, program: Program) -> Process:
        """Return the process of a program, and start it if it is not running."""
        if program.name not in self._running:
            self._running[program.name] = Process(program)
        return self._running[program.name]

    def stop(self, *names: str) -> None:
        """End the programs with these names."""
        for name in names:
            self._running.pop(name).stop()

    def next_problem(self) -> None:
        """End all programs, unless they are kept for the next problem."""
        if not self._keep:
            self.stop(*self._running)


def ask(run: Run) -> Iterator[Row]:
    """Measure every shape with every program that has been built."""
    with Processes(keep=run.quick) as processes:
        for name, version in ROOMS:
            if not run.wants(name):
                continue
            shape = run.shape(name, version)
            bodies = {"": problem(shape)}
            if (name, version) == SHUFFLED:
                bodies[" shuffled"] = problem(shuffled(shape))
            note = f"{len(shape.events)} events, {len(shape.state_sets)} states"
            full = run.full or (name == "toy" and not run.quick)
            del shape
            run.forget()
            # Do not wait again for a program that timed out.
            late: dict[str, float] = {}
            for variant, body in bodies.items():
                for kind in (WARM, COLD) if version != "1" else (WARM,):
                    row = Row(f"{name} v{version} {kind}{variant}", full, note=note, late=dict(late))
                    yield measured(run, row, processes, Problem(name, version, kind, variant, body))
                    late |= row.late


@dataclass(frozen=True)
class Problem:
    """A shape to resolve, as `problem` returns it, and how to resolve it."""

    shape: str
    version: str
    kind: str
    variant: str
    body: bytes

    def is_for(self, program: Program) -> bool:
        """Return whether a program takes part."""
        if not program.mode:
            return True
        fits = self.shape in LARGE if program.mode == "kept" else self.version != "1"
        return self.kind == WARM and not self.variant and fits

    def request(self, program: Program) -> bytes:
        """Return the input of the first `time` request to a program."""
        return self.body + f', "mode": "{program.mode or self.kind}", "runs": 1}}'.encode()


def problem(shape: Shape) -> bytes:
    """Return a shape as the input of `time`, without the last brace.

    States keep the order of their entries. If there are many states, all but the first are written as their
    differences from the first.
    """
    first, *others = [list(state.values()) for state in shape.state_sets]
    sets, changes = [first], []
    if len(others) > 20:
        of_first = set(first)
        for one in others:
            of_one = set(one)
            changes.append(
                {
                    "remove": [event_id for event_id in first if event_id not in of_one],
                    "add": [event_id for event_id in one if event_id not in of_first],
                }
            )
    else:
        sets += others
    events = {event_id: event.pdu for event_id, event in shape.events.items()}
    given: dict[str, Any] = {"operation": "resolve", "input": {"events": events, "state_sets": sets}}
    if changes:
        given["changes"] = changes
    return json.dumps(given).encode()[:-1]


@dataclass
class _Taken:
    """The state of one program on one problem."""

    process: Process
    loops: int
    state: list[str]
    seconds: list[float] = field(default_factory=list)


def measured(run: Run, row: Row, processes: Processes, problem: Problem) -> Row:
    """Let the programs take turns on one problem, and fill in the row."""
    taken: dict[str, _Taken] = {}
    for program in programs():
        if not problem.is_for(program):
            continue
        if not program.there:
            row.skipped[program.name] = f"not built: {program.build}"
            continue
        if program.name in row.late:
            row.skipped[program.name] = f"skipped: no answer within {row.late[program.name]:g} s earlier"
            continue
        process = processes.start(program)
        try:
            output = process.ask(problem.version, problem.request(program), run.patience)
            seconds = _seconds(run, output)
        except (NoAnswer, TimeoutError) as error:
            _give_up(row, processes, program.name, error, run.patience)
            continue
        loops = max(1, min(_LOOPS, int(_ROUND / max(*seconds, 1e-7))))
        taken[program.name] = _Taken(process, loops, output["state"])
        row.given[program.name] = output["given"]
        row.implementations[program.name] = output["implementation"]
    if OURS in taken:
        _take_turns(run, row, processes, problem.version, taken)
    if OURS in taken:  # still
        row.reckon({name: one.seconds for name, one in taken.items()}, OURS)
        row.compared = len(taken) > 1
        if KEPT in row.times:
            kept = taken[KEPT].seconds
            for name in [name for name in taken if name not in {OURS, KEPT}]:
                row.figures[f"{name} / {KEPT}"] = ratios(taken[name].seconds, kept).median
        for name, one in taken.items():
            if one.state != taken[OURS].state:
                row.differ[name] = DEPARTURES.get((f"{problem.shape} v{problem.version}", name), "")
    else:
        # A failure of roomver is as bad as a wrong answer.
        row.compared, row.differ = True, {OURS: ""}
    for name, one in taken.items():
        peak = one.process.peak() if run.memory else None
        if peak is not None:
            row.remember(name, peak)
    processes.next_problem()
    return row


def _seconds(run: Run, output: Mapping[str, Any]) -> list[float]:
    """Return the seconds of each run by the clock that was asked for.

    Raises:
        NoAnswer: if it is CPU time, which a program need not measure.
    """
    seconds: list[float] | None = output.get("cpu_seconds" if run.clock == "cpu" else "seconds")
    if not seconds:
        raise NoAnswer("it does not measure CPU time: build it again")
    return seconds


def _give_up(row: Row, processes: Processes, name: str, error: Exception, patience: float) -> None:
    row.skipped[name] = str(error)
    if isinstance(error, TimeoutError):
        row.late[name] = patience
    if str(error) != "unsupported":
        processes.stop(name)


def _take_turns(run: Run, row: Row, processes: Processes, version: str, taken: dict[str, _Taken]) -> None:
    began = perf_counter()
    done = 0
    while done < run.rounds and (done < min(3, run.rounds) or perf_counter() - began < run.budget):
        for name, one in list(taken.items()):
            again = f'{{"again": true, "runs": {one.loops}}}'.encode()
            try:
                seconds = _seconds(run, one.process.ask(version, again, run.patience))
            except (NoAnswer, TimeoutError) as error:
                _give_up(row, processes, name, error, run.patience)
                del taken[name]
                if name == OURS:
                    return  # nothing is left to compare with
                continue
            one.seconds.append(sum(seconds) / len(seconds))
        done += 1
