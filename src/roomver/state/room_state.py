"""`RoomState`: a state map that shares structure with the states it was made from."""

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from math import isqrt
from typing import Any, Final, TypeVar, cast

from ..errors import counted
from ..types import EventId, StateKey, StateMap
from .base import State
from .differing import differing_among, differing_by_place

V = TypeVar("V")

_ABSENT: Final = object()


class RoomState(State[EventId]):
    """An immutable room state that makes the next state cheap to create.

    It consists of a dict, which other states share, and a few changes on top. Two states that share their
    dict are compared by their changes only. So the cost of splitting and resolving the states of a room's
    forks is proportional to their differences, not to their size. `as_dict` makes an independent copy.

    A store keeps states as changes: `changes_since` gives those that make one state from another, and
    `from_deltas` makes a state from changes. States that are pickled together go on sharing their dict.
    Copying a state returns the state itself.

    Cost: a new state copies the changes. There are at most 128 + 2·√entries changes; a state with more gets
    a dict of its own and shares nothing with the states before it.

    >>> before = RoomState({("m.room.name", ""): "$a"})
    >>> after = before.changed({("m.room.name", ""): "$b", ("m.room.topic", ""): "$c"})
    >>> before[("m.room.name", "")], after[("m.room.name", "")], len(after)
    ('$a', '$b', 2)
    >>> sorted(before.differing_keys(after))
    [('m.room.name', ''), ('m.room.topic', '')]
    >>> after.changes_since(before)
    {('m.room.name', ''): '$b', ('m.room.topic', ''): '$c'}
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
    def from_deltas(
        cls,
        deltas: Iterable[Mapping[StateKey, EventId | None]],
        start: Mapping[StateKey, EventId] | None = None,
    ) -> "RoomState":
        """Return the state that changes lead to, as a store keeps them.

        Args:
            deltas: changes as `changed` takes them, earliest first.
            start: the state that the first of them changes; None for the empty state. The result shares
                with it if it is a `RoomState`.

        Cost: linear in the changes. Without a start, or with one that is not a `RoomState`, one pass over the
        entries too.

        >>> name = ("m.room.name", "")
        >>> RoomState.from_deltas([{name: "$a"}, {name: None}, {name: "$b"}]).as_dict()
        {('m.room.name', ''): '$b'}
        """
        merged: dict[StateKey, EventId | None] = {}
        for delta in deltas:
            merged.update(delta)
        if start is None:
            return over_dict({key: event_id for key, event_id in merged.items() if event_id is not None})
        return (start if isinstance(start, RoomState) else cls(start)).changed(merged)

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

    @property
    def known(self) -> "RoomState":
        """The state itself: every entry is known."""
        return self

    @property
    def unknown(self) -> tuple[()]:
        """Empty: every entry is known."""
        return ()

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
        if not isinstance(other, Mapping) or (isinstance(other, State) and other.unknown):
            return NotImplemented
        return self._flat() == as_dict(other)

    __hash__ = None

    def __copy__(self) -> "RoomState":
        return self

    def __deepcopy__(self, memo: object) -> "RoomState":
        return self

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

    def differing_keys(self, other: StateMap[EventId]) -> set[StateKey]:
        """Return the keys for which two states do not have the same event.

        Raises:
            UnknownState: if the other state is known in part.

        Cost: for states that share their dict, proportional to their changes. For others, a few C-level
        passes over both.
        """
        return differing_keys(self, other)

    def changes_since(self, other: StateMap[EventId]) -> dict[StateKey, EventId | None]:
        """Return the changes that make this state from another one: see `State.changes_since`."""
        return changes_between(other, self)


def differing_keys(one: StateMap[V], other: StateMap[V]) -> set[StateKey]:
    """Return the keys for which two room states do not have the same event."""
    base, changes = _layers(one)
    other_base, other_changes = _layers(other)
    keys = set() if base is other_base else differing_by_place(base, other_base)
    if not changes and not other_changes:
        return keys
    return differing_among(keys | changes.keys() | other_changes.keys(), one, other)


def _layers(state: StateMap[V]) -> tuple[StateMap[V], StateMap[V | None]]:
    """Return a state in two layers: entries, and changes on top of them."""
    if isinstance(state, RoomState):
        # In quotes, because making these types takes longer than the rest of a small comparison.
        return cast("tuple[StateMap[V], StateMap[V | None]]", state._layers())
    return state, {}


def changes_between(before: StateMap[V], after: StateMap[V]) -> dict[StateKey, V | None]:
    """Return the changes that make one state from another, sorted by key."""
    return {key: after.get(key) for key in sorted(differing_keys(before, after))}


def as_dict(state: Mapping[StateKey, EventId]) -> dict[StateKey, EventId]:
    """Copy a room state into a dict."""
    return state.as_dict() if isinstance(state, RoomState) else dict(state)


def over_dict(entries: dict[StateKey, EventId]) -> RoomState:
    """Return a `RoomState` of a dict that nobody else changes, without a copy."""
    return _restored(entries, {})


def _restored(base: dict[StateKey, EventId], changes: dict[StateKey, EventId | None]) -> RoomState:
    # For unpickling and copying. States that are pickled together go on sharing their dict.
    state = RoomState.__new__(RoomState)
    state._base, state._changes = base, changes
    state._length = len(base) + sum(
        (event_id is not None) - (key in base) for key, event_id in changes.items()
    )
    return state
