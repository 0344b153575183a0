"""`RoomState`: a state map that shares structure with those it was made from."""

from collections.abc import Iterable, Iterator, Mapping
from math import isqrt
from typing import Final

from ..types import EventId, StateKey

_ABSENT: Final = object()


class RoomState(Mapping[StateKey, EventId]):
    """A room state that never changes, and cheaply gives the next one.

    It is a dict that others share, and a few changes on top. Two states with the same dict below are
    compared by their changes alone, so that splitting and resolving the states of a room's forks costs
    what differs, not what is there.

    Cost: a new state copies the changes, of which there are at most about the square root of the
    entries; when there are more, the dict is copied once.

    >>> before = RoomState({("m.room.name", ""): "$a"})
    >>> after = before.changed({("m.room.name", ""): "$b", ("m.room.topic", ""): "$c"})
    >>> before[("m.room.name", "")], after[("m.room.name", "")], len(after)
    ('$a', '$b', 2)
    >>> sorted(before.differing_keys(after))
    [('m.room.name', ''), ('m.room.topic', '')]
    """

    __slots__ = ("_base", "_changes", "_length")

    def __init__(self, entries: Mapping[StateKey, EventId] | None = None) -> None:
        self._base: dict[StateKey, EventId] = dict(entries or {})
        # None where the key is not in this state, though it is in the dict below.
        self._changes: dict[StateKey, EventId | None] = {}
        self._length = len(self._base)

    def changed(self, changes: Mapping[StateKey, EventId | None]) -> "RoomState":
        """Return this state with some entries set, and removed where the event is None."""
        new = RoomState.__new__(RoomState)
        new._base = self._base
        new._changes = {**self._changes, **changes}
        length = self._length
        for key, event_id in changes.items():
            length += (event_id is not None) - (key in self)
        new._length = length
        if len(new._changes) > 128 + 2 * isqrt(len(self._base)):
            new._base = new.as_dict()
            new._changes = {}
        return new

    @classmethod
    def sharing(cls, states: Iterable[Mapping[StateKey, EventId]]) -> "list[RoomState]":
        """Return some states of one room such that they share what is alike; in their order.

        A caller who keeps states goes on from these with `changed`.

        >>> name, topic = ("m.room.name", ""), ("m.room.topic", "")
        >>> one, other = RoomState.sharing([{name: "$a", topic: "$t"}, {name: "$b"}])
        >>> dict(other), one.shares_with(other)
        ({('m.room.name', ''): '$b'}, True)
        """
        result: list[RoomState] = []
        first: dict[StateKey, EventId] = {}
        for state in states:
            if not result:
                first = dict(state)
                result.append(cls(first))
                continue
            changes: dict[StateKey, EventId | None] = dict.fromkeys(first.keys() - state.keys())
            changes.update((key, event_id) for key, event_id in state.items() if first.get(key) != event_id)
            result.append(result[0].changed(changes))
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
        return iter(self.flat())

    def __len__(self) -> int:
        return self._length

    def as_dict(self) -> dict[StateKey, EventId]:
        """Return a new dict with the same entries."""
        result = self._base.copy()
        for key, event_id in self._changes.items():
            if event_id is None:
                result.pop(key, None)
            else:
                result[key] = event_id
        return result

    def flat(self) -> Mapping[StateKey, EventId]:
        """Return a mapping with the same entries, to be read alone: where nothing lies on top of the dict
        below, that dict itself."""
        return self.as_dict() if self._changes else self._base

    def shares_with(self, other: "RoomState") -> bool:
        """Tell whether the two have the same dict below."""
        return self._base is other._base

    def differing_keys(self, other: "RoomState") -> set[StateKey]:
        """Return the keys that the two do not both have with the same event, where they share the
        dict below."""
        keys = self._changes.keys() | other._changes.keys()
        return {key for key in keys if self.get(key) != other.get(key)}
