"""`RoomState`: a state map that shares structure with the states it was made from."""

from collections.abc import Collection, ItemsView, Iterable, Iterator, Mapping, ValuesView
from math import isqrt
from typing import Any, Final

from ..errors import counted
from ..types import EventId, StateKey

_ABSENT: Final = object()


class RoomState(Mapping[StateKey, EventId]):
    """An immutable room state that makes the next state cheap to create.

    It consists of a dict, which other states share, and a few changes on top. Two states that share their
    dict are compared by their changes only. So the cost of splitting and resolving the states of a room's
    forks is proportional to their differences, not to their size. ``dict(state)`` makes an independent copy.

    Cost: a new state copies the changes. There are at most 128 + 2·√entries changes; a state with more gets
    a dict of its own and shares nothing with the states before it.

    >>> before = RoomState({("m.room.name", ""): "$a"})
    >>> after = before.changed({("m.room.name", ""): "$b", ("m.room.topic", ""): "$c"})
    >>> before[("m.room.name", "")], after[("m.room.name", "")], len(after)
    ('$a', '$b', 2)
    >>> sorted(before.differing_keys(after))
    [('m.room.name', ''), ('m.room.topic', '')]
    """

    __slots__ = ("_base", "_changes", "_length")

    def __init__(self, entries: Mapping[StateKey, EventId] | None = None) -> None:
        self._base: dict[StateKey, EventId] = as_dict(entries or {})
        # None where the key is in the dict but not in this state.
        self._changes: dict[StateKey, EventId | None] = {}
        self._length = len(self._base)

    def changed(self, changes: Mapping[StateKey, EventId | None]) -> "RoomState":
        """Return a state with some entries set; those whose event is None are removed."""
        new = RoomState.__new__(RoomState)
        base = new._base = self._base
        on_top = new._changes = self._changes.copy()
        length = self._length
        for key, event_id in changes.items():
            length += (event_id is not None) - (key in self)
            if base.get(key) == event_id:
                on_top.pop(key, None)
            else:
                on_top[key] = event_id
        new._length = length
        if len(new._changes) > 128 + 2 * isqrt(len(self._base)):
            new._base = new.as_dict()
            new._changes = {}
        return new

    @classmethod
    def sharing(cls, states: Iterable[Mapping[StateKey, EventId]]) -> "list[RoomState]":
        """Return states of one room as `RoomState`s, in their order.

        States that differ little from the first share its dict. Create later states from these with
        `changed`.

        Cost: one pass over each state, except `RoomState`s that share the dict of the first already.

        >>> name, topic = ("m.room.name", ""), ("m.room.topic", "")
        >>> one, other = RoomState.sharing([{name: "$a", topic: "$t"}, {name: "$b"}])
        >>> dict(other), one.shares_with(other)
        ({('m.room.name', ''): '$b'}, True)
        """
        source = iter(states)
        first = next(source, None)
        if first is None:
            return []
        trunk = first if isinstance(first, RoomState) else cls(first)
        entries = trunk._flat()
        result = [trunk]
        for state in source:
            if isinstance(state, RoomState) and state.shares_with(trunk):
                result.append(state)
                continue
            changes: dict[StateKey, EventId | None] = dict.fromkeys(entries.keys() - state.keys())
            changes.update((key, event_id) for key, event_id in state.items() if entries.get(key) != event_id)
            result.append(trunk.changed(changes))
        return result

    def __getitem__(self, key: StateKey) -> EventId:
        event_id = self.get(key)
        if event_id is None:
            raise KeyError(key)
        return event_id

    def get(self, key: StateKey, default: EventId | None = None) -> EventId | None:  # type: ignore[override]
        """Return the event ID of a key, or the default."""
        found = self._changes.get(key, _ABSENT)
        if found is _ABSENT:
            return self._base.get(key, default)
        return default if found is None else found  # type: ignore[return-value]

    def __contains__(self, key: object) -> bool:
        found = self._changes.get(key, _ABSENT)  # type: ignore[call-overload]
        return key in self._base if found is _ABSENT else found is not None

    def __iter__(self) -> Iterator[StateKey]:
        return iter(self._flat())

    def __len__(self) -> int:
        return self._length

    def items(self) -> ItemsView[StateKey, EventId]:
        """Return the entries. They never change."""
        return self._flat().items()

    def values(self) -> ValuesView[EventId]:
        """Return the event IDs."""
        return self._flat().values()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RoomState) and self.shares_with(other):
            return not self.differing_keys(other)
        return self._flat() == as_dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._base, self._changes)

    def __repr__(self) -> str:
        return f"<RoomState of {counted(self._length, 'entry', 'entries')}>"

    def as_dict(self) -> dict[StateKey, EventId]:
        """Return a new dict with the same entries."""
        result = self._base.copy()
        for key, event_id in self._changes.items():
            if event_id is None:
                result.pop(key, None)
            else:
                result[key] = event_id
        return result

    def _flat(self) -> dict[StateKey, EventId]:
        """Return a dict with the same entries. It may be the shared one, so it must not be changed."""
        return self.as_dict() if self._changes else self._base

    def _layers(self) -> tuple[dict[StateKey, EventId], Mapping[StateKey, EventId | None]]:
        """Return the shared dict and the changes on top of it. Neither must be changed."""
        return self._base, self._changes

    def shares_with(self, other: "RoomState") -> bool:
        """Tell whether two states share their dict."""
        return self._base is other._base

    def differing_keys(self, other: "RoomState") -> set[StateKey]:
        """Return the keys for which two states that share their dict do not have the same event."""
        return differing_among(self._changes.keys() | other._changes.keys(), self, other)


def differing_among(
    keys: Collection[StateKey], one: Mapping[StateKey, EventId], other: Mapping[StateKey, EventId]
) -> set[StateKey]:
    """Return those keys for which two room states do not have the same event."""
    return {key for key in keys if one.get(key) != other.get(key)}


def as_dict(state: Mapping[StateKey, EventId]) -> dict[StateKey, EventId]:
    """Copy a room state into a dict."""
    return state.as_dict() if isinstance(state, RoomState) else dict(state)


def _restored(base: dict[StateKey, EventId], changes: dict[StateKey, EventId | None]) -> RoomState:
    # For unpickling and copying. States that are pickled together go on sharing their dict.
    state = RoomState.__new__(RoomState)
    state._base, state._changes = base, changes
    state._length = len(base) + sum(
        (event_id is not None) - (key in base) for key, event_id in changes.items()
    )
    return state
