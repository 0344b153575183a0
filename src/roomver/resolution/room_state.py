"""`RoomState`: a state map that shares structure with those it was made from."""

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from math import isqrt
from typing import Final

from ..types import EventId, StateKey

_ABSENT: Final = object()


class RoomState(Mapping[StateKey, EventId]):
    """A room state that never changes, and cheaply gives the next one.

    It is a dict that others share, and a few changes on top. Two states with the same dict below are
    compared by their changes alone, so that splitting and resolving the states of a room's forks costs
    what differs, not what is there. `dict` gives an independent copy: ``dict(state)``.

    Cost: a new state copies the changes, of which there are at most about twice the square root of the
    entries; when there are more, it gets a dict of its own, and shares nothing with those before it.

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
        # None where the key is not in this state, though it is in the dict below.
        self._changes: dict[StateKey, EventId | None] = {}
        self._length = len(self._base)

    def changed(self, changes: Mapping[StateKey, EventId | None]) -> "RoomState":
        """Return this state with some entries set, and removed where the event is None."""
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
        """Return some states of one room, in their order, such that those that differ from the first in
        few entries share the others with it.

        A caller who keeps states goes on from these with `changed`.

        Cost: a pass over each state that is no `RoomState` sharing with the first already.

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
        """Return the event of a key."""
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
        """Return the entries; the state never changes under them."""
        return self._flat().items()

    def values(self) -> ValuesView[EventId]:
        """Return the event IDs."""
        return self._flat().values()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RoomState) and self.shares_with(other):
            return not self.differing_keys(other)
        return self._flat() == as_dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<RoomState of {self._length} entries>"

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
        """Return a dict with the same entries, which must not be changed: where nothing lies on top of the
        dict below, it is that one."""
        return self.as_dict() if self._changes else self._base

    def _layers(self) -> tuple[dict[StateKey, EventId], Mapping[StateKey, EventId | None]]:
        """Return the dict below and the changes on top of it, which must not be changed."""
        return self._base, self._changes

    def shares_with(self, other: "RoomState") -> bool:
        """Tell whether the two have the same dict below."""
        return self._base is other._base

    def differing_keys(self, other: "RoomState") -> set[StateKey]:
        """Return the keys that the two do not both have with the same event, where they share the
        dict below."""
        keys = self._changes.keys() | other._changes.keys()
        return {key for key in keys if self.get(key) != other.get(key)}


def as_dict(state: Mapping[StateKey, EventId]) -> dict[StateKey, EventId]:
    """Copy a room state into a dict."""
    return state.as_dict() if isinstance(state, RoomState) else dict(state)
