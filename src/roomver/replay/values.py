"""The event of one key in every state of a replay, without building the states.

A replay keeps each state as changes from an earlier one. So one pass over these changes gives the value of a
key in all of them.
"""

from collections.abc import Mapping, Sequence

from ..state import Unknown
from ..types import EventId, StateKey


class KeyValues:
    """The event of one key before and after each event of a replay. Made by `Replay.values_of`.

    Args:
        groups: each state as the number of an earlier one, or -1, and the changes from it.
        unknown: what is unknown in the states that are known in part, by their numbers.
        before, after: the numbers of the states before and after events.
        key: the key.
    """

    def __init__(
        self,
        groups: Sequence[tuple[int, Sequence[tuple[StateKey, EventId | None]]]],
        unknown: Mapping[int, tuple[Unknown, ...]],
        before: Mapping[EventId, int],
        after: Mapping[EventId, int],
        key: StateKey,
    ) -> None:
        self._unknown = unknown
        self._before = before
        self._after = after
        self._key = key
        found: list[EventId | None] = []
        # A state derives from one with a lower number.
        for base, changes in groups:
            held = found[base] if base >= 0 else None
            for changed, event_id in changes:
                if changed == key:
                    held = event_id
            found.append(held)
        self._found = found

    def before(self, event_id: EventId) -> tuple[bool, EventId | None]:
        """Return whether the value before an event is known, and the value: None if the key has no event."""
        return self._at(self._before.get(event_id))

    def after(self, event_id: EventId) -> tuple[bool, EventId | None]:
        """Return whether the value after an event is known, and the value: None if the key has no event."""
        return self._at(self._after.get(event_id))

    def _at(self, group: int | None) -> tuple[bool, EventId | None]:
        if group is None:
            return False, None
        held = self._found[group]
        if held is None and any(one.covers(self._key) for one in self._unknown.get(group, ())):
            return False, None
        return True, held
