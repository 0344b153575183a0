"""The event of one key in every state of a replay, without building the states.

A replay keeps each state as changes from an earlier one. So one pass over these changes gives the value of a
key in all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from ..state import Unknown
from ..types import EventId, StateKey

_UNKNOWN: Final = (False, None)


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
        self._before = before
        self._after = after
        found: list[EventId | None] = []
        # A state derives from one with a lower number.
        for base, changes in groups:
            held = found[base] if base >= 0 else None
            for changed, event_id in changes:
                if changed == key:
                    held = event_id
            found.append(held)
        self._values = [(True, held) for held in found]
        for group, parts in unknown.items():
            if found[group] is None and any(one.covers(key) for one in parts):
                self._values[group] = _UNKNOWN

    def before(self, event_id: EventId) -> tuple[bool, EventId | None]:
        """Return whether the value before an event is known, and the value: None if the key has no event."""
        group = self._before.get(event_id)
        return _UNKNOWN if group is None else self._values[group]

    def after(self, event_id: EventId) -> tuple[bool, EventId | None]:
        """Return whether the value after an event is known, and the value: None if the key has no event."""
        group = self._after.get(event_id)
        return _UNKNOWN if group is None else self._values[group]
