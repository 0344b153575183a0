"""How long does a whole resolution take beside other implementations, each a process of its own?

Every program is driven by the operation `time` of the vectors' protocol, roomver by `roomver vectors serve`
and the others by their adapters; they take turns, and must come to the same state. *Warm* and *cold* are as
`vectors/FORMAT.md` has them. What each was given before the clock started stands in the notes: auth chains
are ruma's, the auth difference is Synapse's, auth events are gomatrixserverlib's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import perf_counter
from types import TracebackType
from typing import Any, BinaryIO

import roomver

from .measure import Goal, Row, Stats, optional
from .resolution import COLD, ROOMS, WARM
from .run import ROOT, Run
from .shapes import Shape

OURS, SYNAPSE, RUMA, GOMATRIXSERVERLIB = "roomver", "Synapse", "ruma", "gomatrixserverlib"
PEERS = (SYNAPSE, RUMA, GOMATRIXSERVERLIB)
ADAPTERS = ROOT / "vectors" / "adapters"

GOALS = [
    Goal("hq v11 warm", f"{SYNAPSE} / {OURS}", "x", at_least=100),
    Goal("hq v11 warm", f"{RUMA} / {OURS}", "x", at_least=5),
    Goal("hq v11 warm", f"{GOMATRIXSERVERLIB} / {OURS}", "x", at_least=10),
    *(Goal("hq v11 cold", f"{name} / {OURS}", "x", at_least=1) for name in PEERS),
    *(
        Goal(f"{shape} warm", f"{name} / {OURS}", "x", at_least=20 if name == SYNAPSE else 1)
        for shape in ("merge v5", "storm v1", "busy v11", "wide v11")
        for name in PEERS
    ),
    Goal("toy v11 warm", f"{SYNAPSE} / {OURS}", "x", at_least=5),
]

_NO_STATES = "its function for the states of version 12 panics, and the one it has for events knows no states"
DEPARTURES: Mapping[tuple[str, str], str] = {
    ("toy v12", GOMATRIXSERVERLIB): _NO_STATES,
    ("hq v12", GOMATRIXSERVERLIB): _NO_STATES,
    ("busy v12", GOMATRIXSERVERLIB): _NO_STATES,
    ("busy v11", GOMATRIXSERVERLIB): "one of the departures in vectors/results; which was not found out",
}
"""Shapes in which an implementation is known to come to another state, and why."""

_ROUND = 0.02  # a run shorter than this is repeated within a round, seconds
_LOOPS = 200


@dataclass
class Program:
    """An implementation that answers `time`.

    Attributes:
        name: as the table has it.
        command: what starts it.
        build: the command that builds it, for those who have not.
        there: whether it has been built.
    """

    name: str
    command: list[str]
    build: str
    there: bool


def programs() -> list[Program]:
    """Return the implementations, roomver first."""
    ruma = ADAPTERS / "ruma" / "target" / "release" / "roomver-adapter-ruma"
    go = ADAPTERS / "gomatrixserverlib" / "adapter"
    venv = ADAPTERS / "synapse" / "venv" / "bin" / "python"
    python = str(venv) if venv.exists() else sys.executable
    return [
        Program(OURS, [sys.executable, "-m", "roomver", "vectors", "serve"], "", True),
        Program(
            SYNAPSE,
            [python, str(ADAPTERS / "synapse" / "adapter.py")],
            "python3 -m venv vectors/adapters/synapse/venv &&"
            " vectors/adapters/synapse/venv/bin/pip install -q -r vectors/adapters/synapse/requirements.txt",
            venv.exists() or optional("synapse") is not None,
        ),
        Program(
            RUMA,
            [str(ruma)],
            "cargo build --release --manifest-path vectors/adapters/ruma/Cargo.toml",
            ruma.exists(),
        ),
        Program(
            GOMATRIXSERVERLIB,
            [str(go)],
            "go build -C vectors/adapters/gomatrixserverlib -o adapter .",
            go.exists(),
        ),
    ]


class NoAnswer(Exception):
    """A program did not answer as it should; the message says how."""


class Process:
    """A program that runs: asked one thing at a time."""

    def __init__(self, program: Program) -> None:
        self.name = program.name
        path = os.pathsep.join([str(Path(roomver.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        self._base = 0

    def _read(self, out: Any) -> None:
        for line in out:
            self._lines.put(line)
        self._lines.put(b"")

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._in.close()

    def ask(self, version: str, given: bytes, timeout: float) -> dict[str, Any]:
        """Ask for a measurement.

        Raises:
            NoAnswer: if there is none in time.
        """
        head = f'{{"id": 1, "operation": "time", "room_version": "{version}", "input": '.encode()
        deadline = perf_counter() + timeout
        writer = Thread(target=self._write, args=(head, given), daemon=True)
        writer.start()
        try:
            line = self._lines.get(timeout=max(0.0, deadline - perf_counter()))
        except Empty:
            raise NoAnswer(f"no answer within {timeout:.0f} s") from None
        try:
            answer = json.loads(line)
        except ValueError:
            raise NoAnswer("it ended" if not line else "it answered with no JSON") from None
        output = answer.get("output")
        if type(output) is not dict:
            raise NoAnswer("unsupported" if answer.get("unsupported") else str(answer.get("error"))[:200])
        return output

    def _write(self, head: bytes, given: bytes) -> None:
        with suppress(OSError, ValueError):  # it died: the reader says so
            self._in.write(head + given + b"}\n")
            self._in.flush()

    def reset_peak(self) -> None:
        """Let the peak memory begin at what the process uses now, where the system can."""
        with suppress(OSError):
            Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
            self._base = self._memory("VmRSS")

    def peak(self) -> int | None:
        """Return the peak memory since then, in bytes beyond it; None where the system does not say."""
        if not self._base:
            return None
        return max(0, self._memory("VmHWM") - self._base)

    def _memory(self, name: str) -> int:
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        return 0


def ask(run: Run) -> Iterator[Row]:
    """Measure every shape with every program that is there."""
    for name, version in ROOMS:
        if run.shapes and name not in run.shapes:
            continue
        shape = run.shape(name, version)
        body = problem(shape)
        subject, note = f"{name} v{version}", f"{len(shape.events)} events, {len(shape.state_sets)} states"
        full = run.full or (name == "toy" and not run.quick)
        del shape
        run.forget()
        for kind in (WARM, COLD) if version != "1" else (WARM,):
            yield measured(run, Row(f"{subject} {kind}", full, note=note), subject, version, body, kind)


def problem(shape: Shape) -> bytes:
    """Return a shape as the input of `time`, but for its end. Where there are many states, all but the
    first are given by how they differ from it."""
    first, *others = [set(state.values()) for state in shape.state_sets]
    sets = [sorted(first)]
    changes = []
    if len(others) > 20:
        changes = [{"remove": sorted(first - one), "add": sorted(one - first)} for one in others]
    else:
        sets += [sorted(one) for one in others]
    events = {event_id: event.pdu for event_id, event in shape.events.items()}
    given: dict[str, Any] = {"operation": "resolve", "input": {"events": events, "state_sets": sets}}
    if changes:
        given["changes"] = changes
    return json.dumps(given).encode()[:-1]


@dataclass
class _Taken:
    """What is known of one program on one shape."""

    process: Process
    loops: int
    seconds: list[float] = field(default_factory=list)
    state: list[str] = field(default_factory=list)


def measured(run: Run, row: Row, subject: str, version: str, body: bytes, kind: str) -> Row:
    """Let the programs take turns on one problem, and fill in the row."""
    with ExitStack() as stack:
        taken: dict[str, _Taken] = {}
        first = body + f', "mode": "{kind}", "runs": 1}}'.encode()
        for program in programs():
            if not program.there:
                row.skipped[program.name] = program.build
                continue
            process = stack.enter_context(Process(program))
            try:
                output = process.ask(version, first, run.patience)
                process.reset_peak()
            except NoAnswer as error:
                process.__exit__(None, None, None)
                row.skipped[program.name] = str(error)
                _note_least(row, program.name, str(error), run.patience)
                continue
            seconds = min(output["seconds"])
            taken[program.name] = _Taken(process, max(1, min(_LOOPS, int(_ROUND / max(seconds, 1e-7)))))
            taken[program.name].state = output["state"]
            row.note += f"; {program.name} was given {', '.join(output['given']) or 'nothing'}"
        if OURS in taken:
            _take_turns(run, row, version, taken)
    if OURS not in taken:
        return row  # what there is to compare with is missing: it stands among the skipped
    ours = taken[OURS]
    others = {name: one.state == ours.state for name, one in taken.items() if name != OURS}
    for name, same in others.items():
        if not same:
            why = DEPARTURES.get((subject, name), "NOT KNOWN")
            row.note += f"; {name} comes to another state: {why}"
    unknown = [name for name, same in others.items() if not same and (subject, name) not in DEPARTURES]
    row.agree = not unknown if others else None
    return row


def _note_least(row: Row, name: str, said: str, patience: float) -> None:
    """A program that took too long took so many times as long at least."""
    if said.startswith("no answer"):
        row.figures[f"{name} / {OURS}"] = patience  # seconds, until ours are known


def _take_turns(run: Run, row: Row, version: str, taken: dict[str, _Taken]) -> None:
    began = perf_counter()
    done = 0
    while done < run.rounds and (done < min(3, run.rounds) or perf_counter() - began < run.budget):
        for name, one in list(taken.items()):
            try:
                output = one.process.ask(
                    version, f'{{"again": true, "runs": {one.loops}}}'.encode(), run.patience
                )
            except NoAnswer as error:
                row.skipped[name] = str(error)
                del taken[name]
                if name == OURS:
                    return
                continue
            one.seconds.append(sum(output["seconds"]) / len(output["seconds"]))
        done += 1
    for name, one in taken.items():
        row.times[name] = Stats(tuple(one.seconds))
        row.figures[f"{name} seconds"] = row.times[name].median
        peak = one.process.peak() if run.memory else None
        if peak is not None:
            row.remember(name, peak)
    ours = taken[OURS].seconds
    for name, one in taken.items():
        if name != OURS:
            row.ratios[name] = Stats(tuple(t / o for t, o in zip(one.seconds, ours, strict=True)))
            row.figures[f"{name} / {OURS}"] = row.ratios[name].median
    for name in row.skipped:
        if (least := row.figures.get(f"{name} / {OURS}")) is not None and name not in row.times:
            row.figures[f"{name} / {OURS}"] = least / row.times[OURS].median
