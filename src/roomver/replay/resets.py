"""State resets: keys that went back at a merge to an event that a branch had already replaced.

An event came before another on a branch if one of these holds:

* the later event replaced it, or an event that replaced it, and so on. `Forest` tells this;
* it is an ancestor of an event of the branch. A merge may have put another event in its place. It was in the
  state right after itself, because it was accepted. So the prev events are searched for it. What a search
  did not find is kept for the next search for the same event.

The steps of all searches together are bounded by the size of the room. Where the bound is reached, the resets
of a merge are not sought, and `Replay.unsought` names the merge.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from ..event import Event
from ..forest import Forest
from ..resolution import Split
from ..state import entries_of
from ..types import EventId, StateKey, StateMap
from .result import Reset

# How many steps are allowed: a number for each event, plus a fixed number. How many resets are kept: one for
# each event, plus a fixed number.
_STEPS_PER_EVENT: Final = 16
_STEPS: Final = 20_000
RESETS_KEPT: Final = 10_000


class _Exhausted(Exception):
    """The bound is reached."""


class Resets:
    """Find the resets of merges, while the room is folded."""

    def __init__(
        self,
        events: Mapping[EventId, Event],
        places: Mapping[EventId, int],
        given: Mapping[EventId, StateMap[EventId]],
    ) -> None:
        self._events = events
        self._places = places
        self._given = given
        # Accepted state events, each below the event that it replaced.
        self._replaced: Forest[EventId] = Forest()
        self._accepted: set[EventId] = set()
        # For an entry: the events known to come after its event, and the events known not to.
        self._after: dict[tuple[StateKey, EventId], set[EventId]] = {}
        self._not_after: dict[tuple[StateKey, EventId], set[EventId]] = {}
        self._steps = 0
        self._allowed = 0

    def note(self, event_id: EventId, replaced: EventId | None) -> None:
        """Note what an accepted state event replaced; None if the key had no event."""
        if replaced is not None:
            self._replaced.add(replaced, None)
        self._replaced.add(event_id, replaced)
        self._accepted.add(event_id)

    def find(
        self,
        split: Split,
        resolved: Mapping[StateKey, EventId | None],
        parents: Sequence[Iterable[EventId]],
        again: Callable[[], Mapping[StateKey, EventId | None] | None],
        folded: int,
    ) -> list[Reset] | None:
        """Return the keys that went back to an older value at a merge.

        Args:
            split: the states, split.
            resolved: each conflicted key to its resolved event, or None.
            parents: the events whose after-states are merged, for each state.
            again: resolves by room version 12's algorithm; is called if there is a reset. Returns None
                if that algorithm needs missing events.
            folded: how many events have been folded: the bound grows with the room.

        Returns:
            The resets; None if the bound was reached.
        """
        self._allowed = _STEPS + _STEPS_PER_EVENT * folded
        try:
            lost = [
                (key, event_id)
                for key, masks in split.conflicted.items()
                for event_id, mask in masks.items()
                if self._went_back(key, event_id, resolved[key], mask, parents)
            ]
        except _Exhausted:
            return None
        newest = again() if lost else None
        return [
            Reset(None, key, event_id, resolved[key], None if newest is None else newest[key] == event_id)
            for key, event_id in lost
        ]

    def _step(self) -> None:
        self._steps += 1
        if self._steps > self._allowed:
            raise _Exhausted

    def _went_back(
        self,
        key: StateKey,
        event_id: EventId,
        value: EventId | None,
        mask: int,
        parents: Sequence[Iterable[EventId]],
    ) -> bool:
        """Tell whether a branch had this value for a key before it had this event."""
        self._step()
        if value == event_id or event_id not in self._accepted:
            return False
        if value is None:
            return True  # at first, no key had an event
        # The event that an event replaced was there before it, on every branch that has the event.
        if value in self._replaced and self._replaced.is_above(value, event_id):
            return True
        while mask:
            bit = mask & -mask
            mask ^= bit
            for parent in parents[bit.bit_length() - 1]:
                self._step()
                if self._comes_after(parent, key, value):
                    return True
        return False

    def _comes_after(self, start: EventId, key: StateKey, value: EventId) -> bool:
        """Tell whether an event has the event of an entry among its ancestors."""
        after = self._after.setdefault((key, value), set())
        not_after = self._not_after.setdefault((key, value), set())
        if start in after or start in not_after:
            return start in after
        place = self._places.get(value, 0)
        todo = [start]
        reached = {start}
        while todo:
            one = todo.pop()
            self._step()
            given = self._given.get(one)
            if given is not None:
                if entries_of(given).get(key) == value:
                    after.add(start)
                    return True
                continue  # a given state stands for everything before it
            for parent in self._events[one].prev_event_ids:
                if parent == value or parent in after:
                    after.add(start)
                    return True
                if parent in reached or parent in not_after:
                    continue
                if self._places.get(parent, -1) > place:
                    reached.add(parent)
                    todo.append(parent)
        not_after |= reached
        return False
