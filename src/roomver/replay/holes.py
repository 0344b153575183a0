"""Missing previous events, and which events are known to come after them.

A missing event may follow an event that looks like a forward extremity. It cannot if that event is known to
come after the missing one.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ..event import Event
from ..state import entries_of
from ..types import EventId, StateMap

# Each event has a mask with one bit per hole. All holes beyond this number share one bit, and are never taken
# to come before an event.
_HOLES: Final = 4_096


class Holes:
    """The missing previous events of a room, as they turn up in the order.

    A missing event takes its place in the order just before the first event that follows it and counts.

    Cost: linear in the edges of the room if there is a hole, with one bit per event and hole; else nothing.
    """

    def __init__(
        self,
        order: Iterable[EventId],
        events: Mapping[EventId, Event],
        given: Mapping[EventId, StateMap[EventId]],
    ) -> None:
        self._events = events
        self._given = given
        numbers: dict[EventId, int] = {}
        for event_id in order:
            for parent in events[event_id].prev_event_ids:
                if parent not in events:
                    numbers.setdefault(parent, len(numbers))
        self._numbers = numbers
        self._names = list(numbers)
        # All holes that an event is known to come after.
        self._before: dict[EventId, int] = {}
        self._seen = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._numbers)

    def arrive(self, event_id: EventId, *, counts: bool) -> bool:
        """Take the next event of the order, and tell whether a new hole has turned up with it.

        Args:
            event_id: the event.
            counts: it is accepted or undecided. What another event follows may be made up.
        """
        event, numbers, masks = self._events[event_id], self._numbers, self._before
        mask = own = 0
        for parent in event.prev_event_ids:
            number = numbers.get(parent)
            if number is None:
                mask |= masks.get(parent, 0)
            else:
                own |= 1 << min(number, _HOLES)
                mask |= 1 << number if number < _HOLES else 0
        # An event comes after its previous events, its auth events and the events of the state given for it,
        # and after everything that these come after.
        parents: Iterable[EventId] = event.auth_parents
        if event_id in self._given:
            parents = (*parents, *entries_of(self._given[event_id]).values())
        for parent in parents:
            number = numbers.get(parent, _HOLES)
            mask |= 1 << number if number < _HOLES else masks.get(parent, 0)
        masks[event_id] = mask
        if not counts or not own & ~self._seen:
            return False
        self._seen |= own
        return True

    def may_follow(self, event_id: EventId) -> bool:
        """Tell whether a missing event, of those that have turned up, may follow an event."""
        return bool(self._seen & ~self._before.get(event_id, 0))

    def following(self, event_ids: Iterable[EventId]) -> set[EventId]:
        """Return the missing events, of those that have turned up, that may follow one of some events."""
        unseen = 0
        for event_id in event_ids:
            unseen |= self._seen & ~self._before.get(event_id, 0)
        found = set()
        while unseen:
            number = unseen.bit_length() - 1
            found.update(self._names[number:] if number == _HOLES else [self._names[number]])
            unseen ^= 1 << number
        return found
