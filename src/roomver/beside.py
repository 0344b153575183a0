"""What servers keep beside their graphs of one room: outliers, and events fetched from its history."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from .event import Event
from .known_states import KnownStates
from .merging import Tally
from .newest import Newest
from .state import entries_of
from .types import EventId, StateMap

__all__ = ["Beside", "merge_beside"]


class Beside(NamedTuple):
    """What the servers of a room keep beside its graph. The attributes are those of `KnownStates`."""

    outliers: frozenset[EventId] | None
    backfilled: frozenset[EventId]
    unplaced: frozenset[EventId]
    apart: frozenset[EventId]


def merge_beside(
    tally: Tally,
    knowns: Sequence[KnownStates],
    newest: Sequence[Newest],
    given: Sequence[StateMap[EventId]],
    told: Sequence[StateMap[EventId]],
    events: Mapping[EventId, Event],
) -> Beside:
    """Merge what the sources say.

    What one server keeps beside its graph, another one may have in its own. And a source that lies must not
    take another one's events out of the room. So an event is apart only if every source that has it says so.
    The outliers do not count at all if one of them may be in the graph of another source. A forward extremity
    that other events are based on is in the graph, whatever a source says of it.

    Args:
        tally: what each source has.
        knowns, newest: what each source says.
        given: the states that the room is replayed with.
        told: states that are not used, of servers that have their events in the graph.
        events: the usable events.
    """
    ends = frozenset[EventId]().union(*(one.extremities or () for one in newest))
    # How another server came by an event does not tell how the first one would have.
    backfilled, unplaced, seen = knowns[0].backfilled, knowns[0].unplaced, set(tally.has[0])
    for source in range(1, len(knowns)):
        unplaced |= (knowns[source].unplaced | knowns[source].backfilled) - seen
        seen |= tally.has[source]
    outliers, apart = knowns[0].outliers, knowns[0].apart
    if len(knowns) > 1:
        outliers, apart = _join_outliers(tally, knowns), _join_apart(tally, knowns)
    in_graph = _held(frozenset[EventId]().union(*(one.apart for one in knowns)), told, events)
    return Beside(
        None if outliers is None else outliers - ends - in_graph,
        backfilled - ends,
        unplaced,
        apart - in_graph - _held(apart, given, events),
    )


def _join_outliers(tally: Tally, knowns: Sequence[KnownStates]) -> frozenset[EventId] | None:
    """Return the outliers of all servers, if the first one tells that it has received nothing else.

    None if it does not tell that, or if an outlier may be in the graph of another server. What another source
    tells of its own events does not tell what the first server has received.
    """
    if knowns[0].outliers is None:
        return None
    found = frozenset[EventId]().union(*(known.outliers or () for known in knowns))
    contested = any(tally.in_graph(n, e, known) for n, known in enumerate(knowns) for e in found)
    return None if contested else found


def _join_apart(tally: Tally, knowns: Sequence[KnownStates]) -> frozenset[EventId]:
    """Return the outliers that no event of the graph is based on, as every source says that has them."""
    apart = frozenset[EventId]().union(*(known.apart for known in knowns))
    return apart.difference(*(tally.has[n] - known.apart for n, known in enumerate(knowns)))


def _held(
    apart: Collection[EventId], states: Iterable[StateMap[EventId]], events: Mapping[EventId, Event]
) -> set[EventId]:
    """Return those of some events that a state holds, or the auth chain of one of these."""
    todo = [event_id for state in states for event_id in entries_of(state).values() if event_id in apart]
    held: set[EventId] = set()
    while todo:
        event_id = todo.pop()
        if event_id not in held:
            held.add(event_id)
            todo += [one for one in events[event_id].auth_event_ids if one in apart]
    return held
