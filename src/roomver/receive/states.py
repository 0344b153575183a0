"""The state before an event, resolved over its prev events.

The current state of a room is the state before an event that follows all of its forward extremities.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ..errors import Lack, MissingEvents, UnknownState
from ..resolution import KnownEvents, Problem, RoomGraph, resolve_split, split_states
from ..state import PartialState, RoomState, State, Unknown, entries_of
from ..steps import NeedStates, Steps
from ..types import EventId, StateMap
from .known import Known

# The most missing events that the reasons of a state known in part name.
_REASONS_KEPT = 16


class StateBefore(NamedTuple):
    """The state before an event."""

    state: State[EventId] | None
    """The state: a `roomver.PartialState` if it is known in part, None if it is unknown as a whole."""
    missing: tuple[EventId, ...] = ()
    """The prev events after which the state is unknown, or the events without which the states after them
    cannot be resolved; sorted."""


def state_before_steps(
    prev_events: Collection[EventId], *, graph: RoomGraph | None = None
) -> Steps[StateBefore]:
    """Return the state before an event: the states after its prev events, resolved.

    Source: https://spec.matrix.org/latest/server-server-api/#room-state-resolution

    Args:
        prev_events: the IDs of its prev events. The forward extremities give the current state.
        graph: the room's graph, if the caller keeps one; `roomver.RoomGraph` says which events to add.
            Without it, the auth chains of the events that the states do not agree on are fetched.

    Returns:
        The state. What all of the states agree on is known, even if they cannot be resolved. Without prev
        events it is the empty state.

    Raises:
        CyclicGraph, WrongRoom: as in `roomver.resolve`.

    >>> from roomver.steps import run
    >>> class Store:
    ...     def states_after(self, event_ids):
    ...         return {"$message": {("m.room.name", ""): "$name"}}
    >>> run(state_before_steps(["$message"]), Store()).state.as_dict()
    {('m.room.name', ''): '$name'}
    >>> run(state_before_steps(["$message", "$other"]), Store())
    StateBefore(state=None, missing=('$other',))
    """
    return (yield from merged_before(prev_events, Known(), graph))


def merged_before(
    prev_events: Iterable[EventId], known: Known, graph: RoomGraph | None
) -> Steps[StateBefore]:
    """Return the state before an event, as `state_before_steps` does, with the events that are known."""
    wanted = frozenset(prev_events)
    # "Each room starts with an empty state, and each state event which is accepted into the room updates the
    # state of that room."
    if not wanted:
        return StateBefore(RoomState())
    answer = yield NeedStates(wanted)
    states = {event_id: answer.get(event_id) for event_id in sorted(wanted)}
    missing = tuple(event_id for event_id, state in states.items() if state is None)
    if missing:
        return StateBefore(None, missing)
    return (yield from _merged([state for state in states.values() if state is not None], known, graph))


# "However, when two branches in the event graph merge, the state of those branches might differ, so a *state
# resolution* algorithm must be used to determine the resultant state."
def _merged(states: Sequence[StateMap[EventId]], known: Known, graph: RoomGraph | None) -> Steps[StateBefore]:
    """Resolve states."""
    # The same object once: most branches end in the same state.
    distinct = [*{id(state): state for state in states}.values()]
    if len(distinct) == 1:
        (only,) = distinct
        return StateBefore(only if isinstance(only, State) else RoomState(only))
    try:
        split = split_states(distinct)
        problem = Problem(
            split=split,
            states=len(distinct),
            known=KnownEvents(known.events, ignore_missing=False),
            graph=graph,
            rejected=known.rejected,
        )
        changes = yield from known.served(resolve_split(problem))
        return StateBefore(split.resolved(changes))
    except MissingEvents as error:
        why = "the states before it cannot be resolved without a missing event"
        unknown = [Unknown.everything(why, one, Lack.MISSING) for one in error.event_ids[:_REASONS_KEPT]]
        return StateBefore(_agreed(distinct, unknown), error.event_ids)
    except UnknownState as error:
        return StateBefore(_agreed(distinct, [Unknown.everything(error.reason, lack=error.lack)]))


def _agreed(states: Sequence[StateMap[EventId]], unknown: Iterable[Unknown]) -> PartialState[EventId]:
    """Return the entries on which all states agree, which no algorithm changes; the rest is unknown."""
    return PartialState(split_states([entries_of(state) for state in states]).agreed(), unknown)
