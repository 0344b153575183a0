"""Missing prev events, and which events are known to come after them.

A missing event may follow an event that looks like a forward extremity. It cannot if that event is known to
come after the missing one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_

from ..event import Event
from ..types import EventId
from .order import HOLES as _HOLES
from .order import joined
from .outcome import Outcome, Status


def find_followed(events: Mapping[EventId, Event], outcomes: Mapping[EventId, Outcome]) -> set[EventId]:
    """Return the rejected events with missing previous events that count.

    These are events that an accepted or undecided event follows, directly or by way of rejected events.
    """

    def is_rejected(event_id: EventId) -> bool:
        outcome = outcomes.get(event_id)
        return outcome is not None and not outcome.accepted and outcome.status is not Status.UNDECIDED

    found: set[EventId] = set()
    todo = [event for event_id, event in events.items() if not is_rejected(event_id)]
    passed: set[EventId] = set()
    while todo:
        for parent in todo.pop().prev_event_ids:
            if parent in passed or not is_rejected(parent):
                continue
            passed.add(parent)
            todo.append(events[parent])
            if any(one not in events for one in events[parent].prev_event_ids):
                found.add(parent)
    return found


class Holes:
    """The missing prev events of a room, as they turn up in the order.

    A missing event takes its place in the order just before the first event that follows it and counts. An
    accepted or undecided event counts. A rejected event counts if one of these follows it, directly or
    through other rejected events. The prev events of other rejected events may be made up.

    Cost: linear in the edges of the room if there is a hole, with one bit per event and hole; else nothing.
    """

    def __init__(
        self,
        order: Sequence[EventId],
        events: Mapping[EventId, Event],
        given: Mapping[EventId, Collection[EventId]],
        answered: Mapping[EventId, Collection[EventId]],
    ) -> None:
        self._events = events
        self._order = order
        # The first ones, which have a bit of their own.
        numbers: dict[EventId, int] = {}
        self._any = False
        for event_id in order:
            for parent in events[event_id].prev_event_ids:
                if parent not in events:
                    self._any = True
                    if len(numbers) < _HOLES:
                        numbers.setdefault(parent, len(numbers))
        self._numbers = numbers
        self._names = list(numbers)
        # All holes that an event is known to come after, if there are any.
        self._before: dict[EventId, int] = {}
        self._seen = 0
        if not self._any:
            return

        def masks(before: Mapping[EventId, int]) -> dict[EventId, int]:
            """Return the holes that each event is known to come after."""
            found: dict[EventId, int] = {}
            for event_id in order:
                event = events[event_id]
                mask = before.get(event_id, 0)
                # An event comes after its prev events, its auth events and the events of the state given
                # for it, and after everything that these come after.
                parents = [*event.prev_event_ids, *event.auth_parents]
                parents += given.get(event_id, ())
                for parent in parents:
                    number = numbers.get(parent, _HOLES)
                    mask = joined(mask, 1 << number if number < _HOLES else found.get(parent, 0))
                if mask:
                    found[event_id] = mask
            return found

        self._before = masks({})
        # The events of an answer come before the event that it is for, wherever they are in the order.
        before: dict[EventId, int] = {}
        for answered_for, others in answered.items():
            before[answered_for] = reduce(or_, (self._before.get(other, 0) for other in others), 0)
        if any(before.values()):
            self._before = masks(before)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self._any

    def arrive(self, event_id: EventId) -> bool:
        """Take the next event that counts; tell whether a new hole has turned up with it."""
        own = 0
        for parent in self._events[event_id].prev_event_ids:
            if parent not in self._events:
                own |= 1 << self._numbers.get(parent, _HOLES)
        if not own & ~self._seen:
            return False
        self._seen |= own
        return True

    def may_follow(self, event_id: EventId) -> bool:
        """Tell whether a missing event, of those that have turned up, may follow an event."""
        return bool(self._seen & ~self._before.get(event_id, 0))

    def may_hide_ends(
        self, event: Event, beside: Collection[EventId], backfilled: Collection[EventId]
    ) -> bool:
        """Tell whether missing events before an event may be ends, or follow some, whose place nothing takes.

        No event takes an end's place through a backfilled one.

        Args:
            event: an event that is not rejected.
            beside: the events that take no end's place.
            backfilled: the backfilled events, also missing ones.
        """
        if not self._any:
            return False
        missing = [one for one in event.prev_event_ids if one not in self._events]
        return bool(missing) and (event.event_id in beside or any(one in backfilled for one in missing))

    def following(self, event_ids: Iterable[EventId]) -> set[EventId]:
        """Return the missing events, of those that have turned up, that may follow one of some events."""
        unseen = 0
        for event_id in event_ids:
            unseen |= self._seen & ~self._before.get(event_id, 0)
        found: set[EventId] = set()
        while unseen:
            number = unseen.bit_length() - 1
            found.update(self._others() if number == _HOLES else [self._names[number]])
            unseen ^= 1 << number
        return found

    def _others(self) -> Iterator[EventId]:
        """Yield the missing events that share one bit. They are not kept, because there may be millions."""
        for event_id in self._order:
            for parent in self._events[event_id].prev_event_ids:
                if parent not in self._events and parent not in self._numbers:
                    yield parent
