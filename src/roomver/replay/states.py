"""The states of a replay: as it keeps them, and as it returns them."""

from typing import TypeAlias

from ..state import PartialState, RoomState
from ..types import EventId, StateKey, StateMap

Delta = tuple[tuple[StateKey, EventId | None], ...]
"""The changes that make a state of another one: each key with its new event, or None for none."""

Grouped = tuple[RoomState | PartialState[EventId], int]
"""A state, and its group: the number under which it is kept."""

KnownState: TypeAlias = dict[StateKey, EventId] | PartialState[EventId]
"""A state that is known in whole, as a dict, or in part."""


def plain(state: StateMap[EventId]) -> KnownState:
    """Return a copy of a state whose entries are in a dict."""
    return PartialState(dict(state.known), state.unknown) if isinstance(state, PartialState) else dict(state)
