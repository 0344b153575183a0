"""Which events are beside the graph of a room, if several sources say so.

What one server keeps beside its graph, another one may have in its own. And a source that lies must not take
another one's events out of the room. So an event is beside the graph only if every source that has it says
so.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from .event import Event
from .known_states import KnownStates
from .merging import Tally
from .state import entries_of
from .types import EventId, StateMap

__all__ = ["held_by", "join_apart", "join_outliers"]


def join_outliers(tally: Tally, knowns: Sequence[KnownStates]) -> frozenset[EventId] | None:
    """Return the outliers of several servers, as in `roomver.replay_room`.

    Args:
        tally: what each source has.
        knowns: what each source tells beside that.

    Returns:
        The outliers of all servers that tell them; None if no server does, or if a source has an outlier of
        another one in its graph.
    """
    told = [known.outliers for known in knowns if known.outliers is not None]
    found = frozenset[EventId]().union(*told)
    contested = any(tally.in_graph(n, e, known) for n, known in enumerate(knowns) for e in found)
    return found if told and not contested else None


def join_apart(tally: Tally, knowns: Sequence[KnownStates]) -> frozenset[EventId]:
    """Return the outliers that no event of the graph is based on, as every source says that has them."""
    apart = frozenset[EventId]().union(*(known.apart for known in knowns))
    return apart.difference(*(tally.has[n] - known.apart for n, known in enumerate(knowns)))


def held_by(
    states: Iterable[StateMap[EventId]], some: Collection[EventId], events: Mapping[EventId, Event]
) -> set[EventId]:
    """Return those of some events that a state holds, or the auth chain of one of these."""
    todo = [event_id for state in states for event_id in entries_of(state).values() if event_id in some]
    held: set[EventId] = set()
    while todo:
        event_id = todo.pop()
        if event_id not in held:
            held.add(event_id)
            todo += [one for one in events[event_id].auth_event_ids if one in some]
    return held
