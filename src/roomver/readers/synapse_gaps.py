"""The gaps of a room in a Synapse database: what its state groups tell about the states there."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from ..event import Event
from ..state import Unknown
from ..types import EventId, StateKey, StateMap
from .synapse_state import StateGroups

OMITTED: Final = "the join with partial state is not finished: members omitted"


class Stored(NamedTuple):
    """What the database says of one event beside its JSON.

    Attributes:
        group: its state group; None if it has none.
        outlier: whether the server keeps it beside the room's graph, without a state.
        rejected: whether the server rejected it.
        replaces: the event that it replaced in the state, as the server noted on receipt.
        fetched: whether the server fetched it, instead of receiving it as it was sent. None if the database
            contradicts itself on it.
    """

    group: int | None
    outlier: bool
    rejected: bool
    replaces: EventId | None = None
    fetched: bool | None = False


def find_gaps(events: Mapping[EventId, Event], stored: Mapping[EventId, Stored]) -> list[EventId]:
    """Return the events with a state that follow one without: it is missing, or beside the room's graph."""

    def has_state(event_id: EventId) -> bool:
        row = stored.get(event_id)
        return event_id in events and row is not None and not row.outlier and row.group is not None

    return [
        event_id
        for event_id, event in events.items()
        if has_state(event_id) and not all(map(has_state, event.prev_event_ids))
    ]


def states_before(
    gaps: Sequence[EventId],
    stored: Mapping[EventId, Stored],
    groups: StateGroups,
    partial: Collection[EventId],
) -> tuple[dict[EventId, StateMap[EventId]], dict[EventId, str]]:
    """Return the states before some events, and for the others why the state is unknown.

    The state before an accepted state event is the group that the server made for it first. Where that cannot
    be told, it is the state after the event, with the event that the server noted as replaced by it. Without
    such a note, what its key was before is unknown.

    Args:
        gaps: the events.
        stored: what the database says of the events.
        groups: the state groups of the room.
        partial: the events whose state lacks members.
    """
    events = groups.events
    numbers = {event_id: number for event_id in gaps if (number := stored[event_id].group) is not None}
    groups.look_up(numbers.values())
    own: dict[EventId, StateKey] = {}
    derived: dict[int, tuple[StateKey, EventId]] = {}
    for event_id, number in numbers.items():
        event = events[event_id]
        if event.state_key is None or stored[event_id].rejected:
            continue
        own[event_id] = (event.type, event.state_key)
        parent = groups.parent(number)
        if parent is not None and groups.made_for(parent) == event_id:
            derived[number] = own[event_id], event_id
    for number in groups.make_only_own(derived):
        event_id, parent = derived[number][1], groups.parent(number)
        assert parent is not None  # it was found above
        numbers[event_id] = parent
        del own[event_id]
    states = groups.states(numbers.values())
    given: dict[EventId, StateMap[EventId]] = {}
    unknown: dict[EventId, str] = {}
    for event_id, number in numbers.items():
        state = states[number]
        if isinstance(state, str):
            unknown[event_id] = state
            continue
        more = [Unknown.members(OMITTED)] if event_id in partial else []
        if event_id in own:
            key = own[event_id]
            replaced = _replaced(events[event_id], stored[event_id].replaces, events)
            if replaced is None:
                more.append(Unknown("the database has the state after the event", keys=frozenset([key])))
            entries, lost = state.entries.changed({key: replaced}), state.lost.changed({key: None})
            state = state._replace(entries=entries, lost=lost)
        given[event_id] = state.as_map(*more)
    return given, unknown


def _replaced(event: Event, noted: EventId | None, events: Mapping[EventId, Event]) -> EventId | None:
    """Return the usable event that a state event replaced, as the server noted it on receipt."""
    replaced = None if noted is None else events.get(noted)
    if replaced is None or (replaced.type, replaced.state_key) != (event.type, event.state_key):
        return None
    return None if replaced is event else replaced.event_id
