"""What servers keep beside their graphs of one room: outliers, and events fetched from its history."""

from collections.abc import Sequence
from typing import NamedTuple

from .known_states import KnownStates
from .merging import Tally
from .newest import Newest
from .types import EventId

__all__ = ["Beside", "merge_beside"]


class Beside(NamedTuple):
    """What the servers of a room keep beside its graph. The attributes are those of `KnownStates`."""

    outliers: frozenset[EventId] | None
    backfilled: frozenset[EventId]
    apart: frozenset[EventId]


def merge_beside(tally: Tally, knowns: Sequence[KnownStates], newest: Sequence[Newest]) -> Beside:
    """Merge what the sources say. What one server keeps beside its graph, another may have in its own.

    A forward extremity that other events are based on is in the graph, whatever else a source says of it.
    """
    ends = frozenset[EventId]().union(*(one.extremities or () for one in newest))
    others = range(1, len(knowns))
    outliers = knowns[0].outliers
    if any(tally.in_graph(n, e, knowns[n]) for e in outliers or () for n in others):
        outliers = None
    # The first source that has an event tells how it came.
    backfilled, seen = frozenset[EventId](), set[EventId]()
    for source, known in enumerate(knowns):
        backfilled |= known.backfilled - seen
        seen |= tally.has[source]
    apart = frozenset[EventId]().union(*(known.apart for known in knowns))
    if others:
        apart -= {
            e
            for e in apart
            for n, known in enumerate(knowns)
            if e not in known.apart and tally.in_graph(n, e, known)
        }
    return Beside(None if outliers is None else outliers - ends, backfilled - ends, apart)
