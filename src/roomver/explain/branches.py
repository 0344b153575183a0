"""Which events of a room come after which, by prev events and auth events: asked for many events at once.

Most questions are about few events on one side, such as the power levels that a merge took, and about many on
the other. So what comes before and after an event is kept, as far as it was needed, and goes on from there.
"""

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Final

from ..event import Event
from ..replay import Replay
from ..types import EventId

__all__ = ["Branches"]

_STEPS: Final = 2_000_000  # the most events that all questions together look at
_KEPT: Final = 16  # events for which it is kept what comes before or after them

_NEVER: Final = -1


class Branches:
    """Tells which events come after which.

    Args:
        replay: the room.
    """

    def __init__(self, replay: Replay) -> None:
        self.events: Mapping[EventId, Event] = replay.events
        self.order: list[EventId] = replay.order
        self.places: dict[EventId, int] = {event_id: place for place, event_id in enumerate(replay.order)}
        self.left = _STEPS
        # By place: that of the first event, from there on, which comes after all events before it and before
        # all events after it. So nothing needs to be walked through between two events with one of them
        # between them, and a room is one line of events nearly everywhere.
        self._crossings: list[int] | None = None
        self._pasts: dict[EventId, _Past] = {}
        self._futures: dict[EventId, _Future] = {}

    @property
    def exhausted(self) -> bool:
        """Whether the bound of all questions is reached, so that no answer is known any more."""
        return self.left < 0

    def parents(self, event_id: EventId) -> tuple[EventId, ...]:
        """Return the events that an event cites."""
        one = self.events[event_id]
        return (*one.prev_event_ids, *one.auth_parents)

    def _surely_follows(self, later: EventId, earlier: EventId) -> bool:
        """Tell whether one event comes after another one as every event does that is so far from it."""
        if self._crossings is None:
            self._crossings = _find_crossings(self.events, self.order, self.places)
        first, last = self.places.get(earlier), self.places.get(later)
        return first is not None and last is not None and first < last and self._crossings[first] <= last

    def apart(self, one: EventId, other: EventId) -> bool | None:
        """Tell whether two events are of different branches: neither comes after the other.

        None if that is unknown. Cost: what lies between them, once for each `other`.
        """
        if self._surely_follows(one, other) or self._surely_follows(other, one):
            return False
        if other not in self._futures:
            _make_room(self._futures)
            self._futures[other] = _Future(self, other)
        future = self._futures[other]
        found = [future.has(one), self.follows(other, one)]
        return False if True in found else None if None in found else True

    def follows(self, later: EventId, earlier: EventId) -> bool | None:
        """Tell whether an event comes after another one, by prev events and auth events.

        None if missing events leave it open, or if the bound of all questions is reached. Cost: what lies
        between them, once for each `later`.
        """
        if self._surely_follows(later, earlier):
            return True
        if later not in self._pasts:
            _make_room(self._pasts)
            self._pasts[later] = _Past(self, later)
        return self._pasts[later].has(earlier)


def _find_crossings(
    events: Mapping[EventId, Event], order: Sequence[EventId], places: Mapping[EventId, int]
) -> list[int]:
    """Return, for each place, that of the first event from there on through which all branches go.

    Prev events alone are followed, which is enough to be certain.
    """
    followed = bytearray(len(order))
    latest_parent: list[int] = []
    alone: list[bool] = []  # whether no other event up to here is without one that follows it
    ends = 0
    for at, event_id in enumerate(order):
        latest = _NEVER
        ends += 1
        for parent in events[event_id].prev_event_ids:
            place = places.get(parent, at)
            if place >= at:
                continue
            if place > latest:  # noqa: PLR1730 - `max` takes 10 % of the time of this function
                latest = place
            if not followed[place]:
                followed[place] = True
                ends -= 1
        latest_parent.append(latest)
        alone.append(ends == 1)
    crossings = [0] * len(order)
    earliest = crossing = place = len(order)
    for latest in reversed(latest_parent):
        place -= 1
        if earliest >= place and alone[place]:
            crossing = place
        crossings[place] = crossing
        if latest < earliest:  # noqa: PLR1730 - see above
            earliest = latest
    return crossings


def _make_room(kept: dict[EventId, Any]) -> None:
    if len(kept) >= _KEPT:
        del kept[next(iter(kept))]


class _Past:
    """What comes before an event, found from there back."""

    def __init__(self, branches: Branches, later: EventId) -> None:
        self._branches = branches
        self._seen: set[EventId] = set()
        # The latest event, among the event and what comes before it, that cites a missing one.
        self._open = _NEVER
        self._todo: list[tuple[int, EventId]] = []
        self._expand(later, len(branches.order))

    def _expand(self, event_id: EventId, place: int) -> None:
        self._branches.left -= 1
        for parent in self._branches.parents(event_id):
            if parent in self._seen:
                continue
            self._seen.add(parent)
            if parent not in self._branches.events:
                self._open = max(self._open, place)
            elif parent in self._branches.places:
                heappush(self._todo, (-self._branches.places[parent], parent))

    def has(self, earlier: EventId) -> bool | None:
        place = self._branches.places.get(earlier)
        if place is None or self._branches.exhausted:
            return None
        while earlier not in self._seen and self._todo and -self._todo[0][0] > place:
            at, event_id = heappop(self._todo)
            self._expand(event_id, -at)
            if self._branches.left < 0:
                return None
        return True if earlier in self._seen else None if self._open > place else False


class _Future:
    """What comes after an event, found in the order of the replay."""

    def __init__(self, branches: Branches, earlier: EventId) -> None:
        self._branches = branches
        self._after = {earlier}
        # Events after which it is open, because they or what comes before them cite missing ones.
        self._open: set[EventId] = set()
        self._first = branches.places.get(earlier)
        self._next = 0 if self._first is None else self._first + 1

    def has(self, later: EventId) -> bool | None:
        branches = self._branches
        place = branches.places.get(later)
        if self._first is None or place is None or branches.exhausted:
            return None
        if place <= self._first:
            cites_missing = any(one not in branches.events for one in branches.parents(later))
            return None if cites_missing else False
        while self._next <= place:
            event_id = branches.order[self._next]
            self._next += 1
            branches.left -= 1
            if branches.left < 0:
                return None
            parents = branches.parents(event_id)
            if any(one in self._after for one in parents):
                self._after.add(event_id)
            elif any(one in self._open or one not in branches.events for one in parents):
                self._open.add(event_id)
        return True if later in self._after else None if later in self._open else False
