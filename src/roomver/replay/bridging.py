"""Which given states are needed: those before events whose prev events do not tell the state."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import Lack
from ..event import Event
from ..state import entries_of, unknown_of
from ..types import EventId, StateMap
from .order import HOLES, joined


@dataclass(slots=True)
class Bridging:
    """The given states and answers that tell what comes before an event, because its prev events do not.

    Where the prev events tell the state, a given state may add to it or contradict it (`Fold._agreed`). It
    tells neither the order of the events nor which of them are outliers: one that lies would reverse what the
    prev events decide.
    """

    states: dict[EventId, frozenset[EventId]] = field(default_factory=dict)
    """Event ID to the events of the state that is given for it, without those that follow it."""
    answers: dict[EventId, frozenset[EventId]] = field(default_factory=dict)
    """Event ID to the other events of that answer, likewise."""
    told: frozenset[EventId] = frozenset()
    """The events before which the state is known: their prev events tell it, or it is given."""


def find_bridging(
    order: Sequence[EventId],
    events: Mapping[EventId, Event],
    given: Mapping[EventId, StateMap[EventId]],
    answered: Mapping[EventId | None, Collection[EventId]],
) -> Bridging:
    """Find the given states and answers that tell what comes before an event.

    Args:
        order: the events that are not on a cycle, parents before children.
        events: of the room.
        given: states, by the event that they are given for.
        answered: the other events of the answers with these states.

    Cost: linear in the edges and in the entries of the given states.
    """
    found = Bridging()
    if not given and answered.keys() <= {None}:
        return found
    told = _find_told(order, events, given)
    needed = [one for one in order if one not in told and (one in given or one in answered)]
    bits = {event_id: 1 << min(number, HOLES) for number, event_id in enumerate(needed)}
    follows = _find_followers(order, events, bits)
    for event_id, bit in bits.items():
        if event_id in given:
            found.states[event_id] = frozenset(
                one
                for one in entries_of(given[event_id]).values()
                if one != event_id and not follows.get(one, 0) & bit
            )
        if event_id in answered:
            found.answers[event_id] = frozenset(
                one for one in answered[event_id] if not follows.get(one, 0) & bit
            )
    found.told = frozenset(told.union(one for one in needed if one in given))
    return found


def _find_told(
    order: Sequence[EventId], events: Mapping[EventId, Event], given: Mapping[EventId, StateMap[EventId]]
) -> set[EventId]:
    """Return the events whose prev events tell the whole state before them.

    The prev events are all here. The state before each of them is told too, or is given. What is unknown in a
    given state because sources contradict each other, no other given state tells.
    """
    told: set[EventId] = set()
    whole: set[EventId] = set()
    for event_id in order:
        if all(parent in whole for parent in events[event_id].prev_event_ids):
            told.add(event_id)
            whole.add(event_id)
        elif event_id in given and all(one.lack is Lack.AGREEMENT for one in unknown_of(given[event_id])):
            whole.add(event_id)
    return told


def _find_followers(
    order: Sequence[EventId], events: Mapping[EventId, Event], bits: Mapping[EventId, int]
) -> dict[EventId, int]:
    """Return the bits of the events that each event follows, by prev events and auth events."""
    follows: dict[EventId, int] = {}
    for event_id in order if bits else ():
        mask = 0
        event = events[event_id]
        for parent in (*event.prev_event_ids, *event.auth_parents):
            mask = joined(mask, follows.get(parent, 0))
            if parent in bits:
                mask = joined(mask, bits[parent])
        if mask:
            follows[event_id] = mask
    return follows
