"""Run cases within limits of time and memory, and report failures with what reproduces them."""

import json
import resource
import shlex
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic, process_time
from typing import Any, Final
from zlib import crc32

from .promises import Invalid, Target
from .shrink import shrink
from .specs import expand, grows, scaled, size_of

_SECONDS: Final = 5.0  # of processor time for a small case
_SECONDS_PER_VALUE: Final = 100e-6  # more for each value, character and byte: linear work takes about a tenth
_LOOK_CLOSER: Final = 0.1  # seconds after which a case is run again with longer repetitions
_LONGER: Final = 4
_SLOPE: Final = 2.5  # the growth in time beyond linear that is allowed: 1 is linear, 4 quadratic
_LARGEST: Final = 4_000_000  # size of a case that is made longer
_INLINE: Final = 2000  # characters of a case that is printed; a longer one is written to a file


@dataclass(frozen=True)
class Failure:
    """How a case broke a promise.

    Attributes:
        where: the kind of failure. Cases that fail in the same way have the same kind.
        details: the traceback.
    """

    where: str
    details: str


class _TooSlow(Exception):
    """The case took too long."""


def limit_memory(gigabytes: float) -> None:
    """Limit the memory of this process. A case that needs more fails with a MemoryError."""
    size = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooSlow(f"more than {seconds:.1f} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def failure_of(target: Target, spec: Any) -> Failure | None:
    """Run a case, and return how it fails; None if it does not, or is not a case."""
    closer = _LOOK_CLOSER * target.slowness
    try:
        size_of(spec)
    except (TypeError, IndexError):
        return None  # shrinking has broken the spec
    took, failure = _run(target, spec)
    if failure is None and took > closer and grows(spec) and size_of(spec) * _LONGER <= _LARGEST:
        # A first run may have read files or filled caches.
        took = min(took, _run(target, spec)[0])
        longer, failure = _run(target, scaled(spec, _LONGER))
        if (
            failure is None
            and took > closer
            and longer > took * _LONGER * _SLOPE
            # The step before must be steep too: above some size a reader may take another path.
            and took > _run(target, scaled(spec, 1 / _LONGER))[0] * _LONGER * _SLOPE * 0.7
        ):
            text = f"{longer:.2f} s for {_LONGER} times the input that takes {took:.2f} s"
            failure = Failure("takes time that is not in proportion to the input", text)
    return failure


def _run(target: Target, spec: Any) -> tuple[float, Failure | None]:
    try:
        value = expand(spec)
    except Exception:
        return 0.0, None  # text that is too deep to be written, or a shrunk spec that is malformed
    began = process_time()
    try:
        with _time_limit((_SECONDS + _SECONDS_PER_VALUE * size_of(spec)) * target.slowness):
            target.run(value)
    except Invalid:
        return 0.0, None
    except (Exception, SystemExit) as error:
        return process_time() - began, Failure(_place(error), traceback.format_exc(limit=-12))
    return process_time() - began, None


def _place(error: BaseException) -> str:
    """Return the kind of an exception, and the function of the package that raised it."""
    kind = type(error).__name__
    if isinstance(error, AssertionError) and str(error):
        return f"{kind}: {str(error)[:80]}"
    if isinstance(error, _TooSlow):
        return kind
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "roomver" in Path(frame.filename).parts]
    frame = (own or frames)[-1]
    return f"{kind} in {Path(frame.filename).name}:{frame.name}"


@dataclass
class Run:
    """What a run has done.

    Attributes:
        cases: the number of cases for each target.
        failures: how often each kind of failure was met, by target and kind.
        seconds: the processor time for each target.
    """

    cases: Counter[str]
    failures: Counter[tuple[str, str]]
    seconds: Counter[str]


def run_cases(
    targets: Sequence[Target],
    seed: str,
    numbers: Iterator[int],
    *,
    until: float,
    say: Callable[[str], None] = print,
    shrink_seconds: float = 20.0,
) -> Run:
    """Run cases of each target in turn. The targets get about the same time.

    Args:
        targets: what to fuzz.
        seed: of the run. Case N of a target is drawn from the seed, the target's name and N alone.
        numbers: the numbers of the cases.
        until: when to stop, as `time.monotonic` tells it.
        say: takes what is reported.
        shrink_seconds: how long to shrink the first case of each kind of failure.
    """
    done = Run(Counter(), Counter(), Counter())
    for number in numbers:
        least = min((done.seconds[target.name] for target in targets), default=0.0)
        for target in targets:
            if monotonic() >= until:
                return done
            if done.seconds[target.name] > least + 1.0:
                continue
            began = process_time()
            spec = draw_case(target, seed, number)
            failure = failure_of(target, spec) if size_of(spec) <= _LARGEST // 8 else None
            done.seconds[target.name] += process_time() - began  # type: ignore[assignment]  # typeshed: int
            done.cases[target.name] += 1
            if failure is not None:
                done.failures[target.name, failure.where] += 1
                if done.failures[target.name, failure.where] == 1:
                    report(target, spec, failure, f"--seed {seed} --case {number}", say, shrink_seconds)
    return done


def draw_case(target: Target, seed: str, number: int) -> Any:
    """Return the spec of a case."""
    return target.draw(Random(f"{seed}/{target.name}/{number}"))


def report(
    target: Target,
    spec: Any,
    failure: Failure,
    origin: str | None,
    say: Callable[[str], None] = print,
    seconds: float = 20.0,
) -> None:
    """Say how a case failed, with what repeats it.

    Args:
        target: what was run.
        spec: the case.
        failure: how it failed.
        origin: the options that draw the case again; None if it was not drawn.
        say: takes what is reported.
        seconds: how long to shrink the case.
    """
    say(f"\nFAILED {target.name}: {failure.where}")
    if origin is not None:
        say(f"  again: python -m tests.fuzz --only {target.name} {origin}")

    def fails_alike(candidate: Any) -> bool:
        again = failure_of(target, candidate)
        return again is not None and again.where == failure.where

    small = shrink(spec, fails_alike, seconds) if seconds else spec
    text = json.dumps(small)
    if len(text) <= _INLINE:
        say(f"  small: python -m tests.fuzz --only {target.name} --replay {shlex.quote(text)}")
    else:
        file = Path(f"fuzz-{target.name}-{crc32(failure.where.encode()):08x}.json")
        file.write_text(text, encoding="utf-8")
        say(f"  small: python -m tests.fuzz --only {target.name} --replay {file}")
    last = failure_of(target, small) or failure
    say("".join(f"  {line}\n" for line in last.details.splitlines()))
    sys.stdout.flush()
