"""Missing previous events, and which events are known to come after them.

A missing event may follow an event that looks like a forward extremity. It cannot if that event is known to
come after the missing one.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ..event import Event
from ..state import entries_of
from ..types import EventId, StateMap
from .result import Outcome, Status

# Each event has a mask with one bit per hole. All holes beyond this number share one bit, and are never taken
# to come before an event.
_HOLES: Final = 4_096


class Holes:
    """The missing previous events of accepted and undecided events, as they turn up in the order.

    A missing event takes its place in the order just before the first event that follows it.

    Cost: linear in the edges of the room if there is a hole, with one bit per event and hole; else nothing.
    """

    def __init__(
        self,
        order: Iterable[EventId],
        events: Mapping[EventId, Event],
        outcomes: Mapping[EventId, Outcome],
        given: Mapping[EventId, StateMap[EventId]],
        outliers: Collection[EventId],
    ) -> None:
        self._names: list[EventId] = []
        # The holes that turn up with an event, and all holes that an event is known to come after.
        self._own: dict[EventId, int] = {}
        self._before: dict[EventId, int] = {}
        self._seen = 0
        order = list(order)
        numbers: dict[EventId, int] = {}
        for event_id in order:
            status = outcomes[event_id].status
            # What an outlier follows comes before the event that the state is given for, as the outlier does.
            if (status is Status.ACCEPTED or status is Status.UNDECIDED) and event_id not in outliers:
                for parent in events[event_id].prev_event_ids:
                    if parent not in events:
                        number = min(numbers.setdefault(parent, len(numbers)), _HOLES)
                        self._own[event_id] = self._own.get(event_id, 0) | 1 << number
        if not numbers:
            return
        self._names = list(numbers)
        masks = self._before
        for event_id in order:
            event = events[event_id]
            mask = 0
            # An event comes after its previous events, its auth events and the events of the state given for
            # it, and after everything that these come after.
            parents = [*event.prev_event_ids, *event.auth_parents]
            if event_id in given:
                parents += entries_of(given[event_id]).values()
            for parent in parents:
                number = numbers.get(parent, _HOLES)
                mask |= 1 << number if number < _HOLES else masks.get(parent, 0)
            masks[event_id] = mask

    def restart(self) -> None:
        """Begin at the start of the order again."""
        self._seen = 0

    def turn_up(self, event_id: EventId) -> None:
        """Take the holes that turn up with an event."""
        self._seen |= self._own.get(event_id, 0)

    def is_clear(self, ends: Iterable[EventId]) -> bool:
        """Tell whether no missing event, of those that have turned up, may follow one of some events."""
        return not self._unseen(ends)

    def may_follow(self, ends: Iterable[EventId]) -> set[EventId]:
        """Return the missing events, of those that have turned up, that may follow one of some events."""
        unseen = self._unseen(ends)
        found = set()
        while unseen:
            number = unseen.bit_length() - 1
            found.update(self._names[number:] if number == _HOLES else [self._names[number]])
            unseen ^= 1 << number
        return found

    def _unseen(self, ends: Iterable[EventId]) -> int:
        unseen = 0
        if self._seen:
            for end in ends:
                unseen |= self._seen & ~self._before[end]
        return unseen
