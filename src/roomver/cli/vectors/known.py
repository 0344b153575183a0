"""The list of known failures of an implementation: cases that a run expects to fail.

One name per line; ``#`` begins a comment, and blank lines are ignored. A run fails if a case fails that is
not in the list, or if a case of the list passes. Cases that did not run are not judged, and a case without a
valid answer is never a known failure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from ...readers import InputError
from ...suite.document import CaseResult, Outcome
from ..common import display_name
from ..escaped import printable

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class KnownFailures:
    """A list of known failures, as it was read.

    Attributes:
        file: what messages call its file; empty if there is no list.
        lines: its lines, without line ends.
        numbers: the number of the line of each name, from 1.
    """

    file: str = ""
    lines: Sequence[str] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.numbers

    def absent(self, names: Iterable[str]) -> list[str]:
        """Return the names in the list that are not among those of all cases, in the order of the list."""
        every = frozenset(names)
        return [name for name in self.numbers if name not in every]


class Written(NamedTuple):
    """The text of a new list, and how many names it has, how many are new and how many were removed."""

    text: str
    names: int
    new: int
    removed: int


def read_known_failures(path: Path, *, optional: bool = False) -> KnownFailures:
    """Read a list of known failures.

    Args:
        path: the file.
        optional: return an empty list if there is no such file.

    Raises:
        InputError: naming the line, if it is not a list of names, or if it cannot be read.
    """
    name = display_name(str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(name, f"not UTF-8: {error.reason} at byte {error.start}") from None
    except FileNotFoundError as error:
        if optional:
            return KnownFailures(name)
        raise InputError(name, f"{error.strerror}; --write-known-failures makes it") from None
    except OSError as error:
        raise InputError(name, error.strerror or str(error)) from None
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    numbers: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        entry = _entry(line)
        if not entry:
            continue
        if not _NAME.fullmatch(entry):
            raise InputError(name, f"line {number}: not the name of a case: {printable(entry)}")
        if entry in numbers:
            raise InputError(name, f"line {number}: {entry} is listed twice")
        numbers[entry] = number
    return KnownFailures(name, lines, numbers)


def rewrite(known: KnownFailures, results: Iterable[CaseResult], absent: Iterable[str] = ()) -> Written:
    """Return the list with the failures of a run. The lines of cases that failed or did not run stay.

    New names follow in the order of their names. A failure without a valid answer is not among them.

    Args:
        known: the list before the run.
        results: of the run.
        absent: names whose cases do not exist. Their lines do not stay.
    """
    by_name = {result.case.name: result for result in results}
    gone = {name for name, result in by_name.items() if result.outcome is not Outcome.FAILED}
    gone.update(absent)
    lines = [line for line in known.lines if _entry(line) not in gone]
    kept = sum(bool(_entry(line)) for line in lines)
    new = sorted(
        name
        for name, result in by_name.items()
        if result.outcome is Outcome.FAILED and result.got is not None and name not in known
    )
    text = "".join(f"{line}\n" for line in (*lines, *new))
    return Written(text, kept + len(new), len(new), len(known.numbers) - kept)


def _entry(line: str) -> str:
    return line.partition("#")[0].strip()
