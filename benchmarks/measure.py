"""Measure contenders: interleaved rounds, medians and their spread, ratios, peak memory.

Contenders take turns, A B A B, so that a machine that is slow for a while slows all of them. A ratio is the
median of the ratios of single rounds. The cyclic garbage collector runs between rounds, not within them, as
in `timeit`. On a machine that has other work, CPU time says more than wall time: everything measured here is
one thread that waits for nothing.
"""

import gc
import importlib
import platform
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Seconds: a shorter call is repeated within a round.
_ROUND = 0.02
CLOCKS: dict[str, Callable[[], float]] = {"wall": perf_counter, "cpu": process_time}
"""The clocks that calls can be timed with."""

# Seconds: a longer first call counts as a round, because warming up makes no difference to it.
_LONG = 1.0


@dataclass(frozen=True)
class Contender(Generic[T]):
    """One way to do the measured work.

    Attributes:
        name: ``roomver`` or a peer, and what was prepared for it.
        run: does the work; its results are compared.
        prepare: makes the arguments of one call of `run`, off the clock. Without it, short calls are
            repeated within a round.
    """

    name: str
    run: Callable[..., T]
    prepare: Callable[[], tuple[Any, ...]] | None = None


@dataclass(frozen=True)
class Stats:
    """The measurements of one quantity."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and third quartile: half of the values lie between them."""
        if len(self.values) < 2:
            return self.values[0], self.values[0]
        low, _, high = quantiles(self.values, n=4, method="inclusive")
        return low, high

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, relative to the median."""
        low, high = self.quartiles
        return (high - low) / 2 / self.median if self.median else 0.0


def ratios(others: Sequence[float], ours: Sequence[float]) -> Stats:
    """Return how many times as long the others take, for each round."""
    return Stats(tuple(other / one for other, one in zip(others, ours, strict=True)))


@dataclass(frozen=True)
class Goal:
    """A bound for a figure of a row at full size.

    Attributes:
        subject: the subject of the row.
        figure: the name of the figure in the row.
        unit: ``s``, ``B``, ``x`` or ``B/event``, for printing.
        at_most, at_least: the bound.
    """

    subject: str
    figure: str
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    def reached(self, measured: float) -> bool:
        return (self.at_most is None or measured <= self.at_most) and (
            self.at_least is None or measured >= self.at_least
        )


@dataclass
class Row:
    """The answer to a question on one subject.

    Attributes:
        subject: the shape or the input.
        full: whether it has the size that the goals are set for.
        times: seconds per call, or per unit of work, by contender; ratios refer to the first contender.
        ratios: how many times as long as the first contender the others take.
        memory: peak memory in bytes, by contender: beyond the inputs, or of a whole process that reads its
            input itself.
        figures: every number that a goal may refer to: ``NAME seconds``, ``NAME / FIRST``,
            ``NAME bytes``, and the figures that the question adds.
        skipped: contenders that did not run, with the reason or with what they need.
        late: contenders that timed out, with the time limit in seconds; it includes reading the input.
        compared: whether the results were compared.
        differ: contenders with another result than the first, with the reason, or empty if it is not
            listed.
        note: a description of the subject.
        implementations: the names that contenders that are programs give for themselves, with versions.
        given: what these programs had prepared before the clock started.
    """

    subject: str
    full: bool
    times: dict[str, Stats] = field(default_factory=dict)
    ratios: dict[str, Stats] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    late: dict[str, float] = field(default_factory=dict)
    compared: bool = False
    differ: dict[str, str] = field(default_factory=dict)
    note: str = ""
    implementations: dict[str, str] = field(default_factory=dict)
    given: dict[str, list[str]] = field(default_factory=dict)

    @property
    def agree(self) -> bool | None:
        """Whether all results were the same or differ for a listed reason; None if none were compared."""
        return all(self.differ.values()) if self.compared else None

    def reckon(self, values: Mapping[str, Sequence[float]], first: str) -> None:
        """Add the seconds of whole rounds, and their ratios to those of the first contender."""
        for name, seconds in values.items():
            self.times[name] = Stats(tuple(seconds))
            self.figures[f"{name} seconds"] = self.times[name].median
        for name in [name for name in values if name != first]:
            self.ratios[name] = ratios(values[name], values[first])
            self.figures[f"{name} / {first}"] = self.ratios[name].median

    def remember(self, name: str, peak: int) -> None:
        """Add the peak memory of a contender, in bytes."""
        self.memory[name] = peak
        self.figures[f"{name} bytes"] = peak


def compare(  # noqa: PLR0913 - options by keyword
    subject: str,
    contenders: Sequence[Contender[Any]],
    *,
    rounds: int,
    budget: float,
    full: bool,
    units: int = 1,
    same: Callable[[Any], Any] | None = lambda result: result,
    note: str = "",
    clock: str = "wall",
) -> Row:
    """Measure contenders in interleaved rounds.

    Args:
        subject: the name of the row.
        contenders: ratios refer to the first.
        rounds: the maximum number of rounds; long rounds run at least three times.
        budget: seconds after which no further round starts.
        full: whether the input has full size.
        units: units of work per call; seconds are per unit.
        same: returns the part of a result that is compared; None if results are not compared.
        note: a description of the subject.
        clock: the name of the clock in `CLOCKS`.
    """
    row = Row(subject, full, note=note)
    now = CLOCKS[clock]
    values: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    loops: dict[str, int] = {}
    results = []
    began = perf_counter()
    for contender in contenders:
        seconds, result = _time(contender, 1, now)
        if same is not None:
            results.append(same(result))
        del result
        if seconds < _ROUND:
            # The very first call is slow. Rounds planned by its time would be too short to warm anything up.
            seconds, _ = _time(contender, max(1, int(_ROUND / 10 / max(seconds, 1e-7))), now)
        loops[contender.name] = 1 if seconds >= _ROUND else max(1, int(_ROUND / max(seconds, 1e-7)))
        if seconds >= _LONG:
            values[contender.name].append(seconds / units)
    if len(results) > 1:
        row.compared = True
        pairs = zip(contenders, results, strict=True)
        row.differ = {contender.name: "" for contender, result in pairs if result != results[0]}
    results.clear()
    done = int(all(values.values()))
    if not done:
        # A ratio needs whole rounds.
        values = {name: [] for name in values}
    while done < rounds and (done < min(3, rounds) or perf_counter() - began < budget):
        for contender in contenders:
            values[contender.name].append(_time(contender, loops[contender.name], now)[0] / units)
        done += 1
    row.reckon(values, contenders[0].name)
    return row


def _time(contender: Contender[T], loops: int, now: Callable[[], float]) -> tuple[float, T]:
    """Return the seconds of one call, and its result."""
    run, prepare = contender.run, contender.prepare
    gc.collect()
    gc.disable()
    try:
        if prepare is None:
            calls = range(loops - 1)
            began = now()
            for _ in calls:
                run()
            result = run()
            return (now() - began) / loops, result
        seconds = []
        # Each call gets newly prepared arguments. Short calls give the median of several.
        for _ in range(min(loops, 25)):
            arguments = prepare()
            began = now()
            result = run(*arguments)
            seconds.append(now() - began)
        return median(seconds), result
    finally:
        gc.enable()


def reset_peak() -> int:
    """Reset the peak memory of this process to its current memory, and return it in bytes.

    If the system cannot do this, return the peak since the process started.
    """
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak()
    return status_bytes("VmRSS")


def peak() -> int:
    """Return the peak memory of this process, in bytes."""
    if Path("/proc/self/status").exists():
        return status_bytes("VmHWM")
    import resource  # noqa: PLC0415 - missing on some systems

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def status_bytes(name: str, process: int | str = "self") -> int:
    """Return one of the sizes in Linux's status of a process, in bytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{process}/status has no {name}")


def optional(module: str) -> Any:
    """Import and return an optional module; return None if it is not installed."""
    try:
        with warnings.catch_warnings():
            # The imported package may warn about its own outdated parts.
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError:
        return None


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of each package, or ``-`` if it is not installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "-"
    return found


def machine() -> dict[str, str]:
    """Describe the machine that the figures were measured on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "load": _load(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or "unknown"


def _load() -> str:
    try:
        import os  # noqa: PLC0415 - used only here

        return f"{os.getloadavg()[0]:.1f}"
    except (AttributeError, OSError):
        return "unknown"


def as_data(rows: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """Return rows as JSON values."""
    return {
        question: [
            {
                "subject": row.subject,
                "full_size": row.full,
                "seconds": {name: list(stats.values) for name, stats in row.times.items()},
                "ratios": {name: list(stats.values) for name, stats in row.ratios.items()},
                "memory": row.memory,
                "figures": row.figures,
                "skipped": row.skipped,
                "late": row.late,
                "agree": row.agree,
                "differ": row.differ,
                "given": row.given,
                "note": row.note,
            }
            for row in answers
        ]
        for question, answers in rows.items()
    }
