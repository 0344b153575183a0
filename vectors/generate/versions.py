"""Room versions, and ways to name those in which a case is written."""

from collections.abc import Iterable
from typing import TypeAlias

Versions: TypeAlias = tuple[str, ...]

ALL: Versions = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")

SAMPLE: Versions = ("1", "9", "12")
"""The versions for a further case of a rule that has one in every version, if the answer never changes.

Signed events take space: a case of the authorisation rules has about five kilobytes.
"""

ONE_PER_LIST: Versions = ("1", "3", "6", "7", "9", "10", "11", "12")
"""One version for each of the eight lists of authorisation rules. It includes `SAMPLE`."""

FORMATS: tuple[Versions, ...] = (("1", "2"), ("3",), ("4", "5"), ("6", "7", "8", "9", "10"), ("11",), ("12",))
"""The room versions with each event format: the pages of each show a schema of their own."""


def since(first: str, last: str = "12") -> Versions:
    """Return the room versions from ``first`` to ``last``, both included."""
    return ALL[ALL.index(first) : ALL.index(last) + 1]


def spread(index: int, among: Iterable[str] = ALL, count: int = 3) -> Versions:
    """Return ``count`` of the room versions, different ones for each index.

    This is for tables of cases whose answers are the same in all versions. Every version gets some of the
    rows, and the suite stays small. The index is the row's place in its table. Add a new row at the end of
    the table: in the middle it would move the rows after it to other versions.
    """
    versions = tuple(among)
    count = min(count, len(versions))
    step = len(versions) / count
    chosen = {int(index + part * step) % len(versions) for part in range(count)}
    return tuple(versions[position] for position in sorted(chosen))
