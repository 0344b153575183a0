"""Room states that are known in part.

A state map that is known in part knows what it does not know. An entry that it does not have is either absent
or unknown, and reading an unknown one raises `UnknownState`. So no rule takes an unknown entry for an absent
one. Nothing is decided here: this module only keeps apart what is known and what is not.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import is_not
from typing import Any, Generic, NoReturn, TypeVar, cast

from ..errors import Lack, UnknownState, counted, gravest, listed
from ..types import EventId, StateKey, StateMap
from .base import State
from .room_state import RoomState, changes_between
from .unknown import Unknown

V = TypeVar("V")


class PartialState(State[V], Generic[V]):
    """A room state that is known in part.

    ``state[key]``, ``state.get(key)`` and ``key in state`` raise `UnknownState` if the key is unknown, and
    answer like a dict if it is known. Reading the state as a whole raises too, because the known entries
    would be taken for all entries: use `known`.

    Two such states are equal if they know the same and say the same about the rest. That does not make them
    unknown in the same way: `resolve` relies on the identity of each `Unknown`. A state that was pickled or
    deep-copied is equal to the original, but has other `Unknown`s, so resolving the two together raises
    `UnknownState`. States that are pickled together, or copied with `copy.copy`, can be resolved together.

    Args:
        known: the known entries: event IDs, or events. They are not copied and must not change.
        unknown: which other entries are unknown; at least one `Unknown`.

    >>> state = PartialState({("m.room.name", ""): "$a"}, [Unknown.members()])
    >>> state.get(("m.room.name", "")), state.get(("m.room.topic", ""))
    ('$a', None)
    >>> state.get(("m.room.member", "@a:b"))
    Traceback (most recent call last):
    ...
    roomver.errors.UnknownState: the state is known in part: m.room.member "@a:b" is unknown (members omitted)
    """

    __slots__ = ("known", "unknown")

    known: StateMap[V]
    unknown: tuple[Unknown, ...]

    def __init__(self, known: StateMap[V], unknown: Iterable[Unknown]) -> None:
        self.known = known
        self.unknown = tuple(unknown)
        if not self.unknown:
            raise ValueError("a state without an unknown entry is not known in part")

    def why_unknown(self, key: StateKey) -> Unknown | None:
        """Return what makes a key unknown; None if the key is known: it has an entry, or it is absent."""
        return None if key in self.known else _covering(self.unknown, key)

    def get(self, key: StateKey, default: Any = None) -> Any:
        """Return the event ID or event of a key, or the default if the key is absent.

        Raises:
            UnknownState: if the key is unknown.
        """
        found = self.known.get(key)
        if found is not None:
            return found
        refuse_unknown(self.unknown, key)
        return default

    def __getitem__(self, key: StateKey) -> V:
        found = self.known.get(key)
        if found is None:
            refuse_unknown(self.unknown, key)
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        if key in self.known:
            return True
        refuse_unknown(self.unknown, cast(StateKey, key))
        return False

    def __iter__(self) -> Iterator[StateKey]:
        self._refuse_whole()

    def __len__(self) -> int:  # noqa: PLE0303 - it never returns
        self._refuse_whole()

    def __reduce__(self) -> tuple[Any, ...]:
        return PartialState, (self.known, self.unknown)

    def _refuse_whole(self) -> NoReturn:
        raise UnknownState((), f"unknown: {'; '.join(map(str, self.unknown))}", lack_of(self.unknown))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PartialState):
            return NotImplemented
        return self.known == other.known and self.unknown == other.unknown

    __hash__ = None

    def __repr__(self) -> str:
        known = counted(len(self.known), "known entry", "known entries")
        return f"<PartialState of {known}; unknown: {'; '.join(map(str, self.unknown))}>"

    def changed(self, changes: Mapping[StateKey, V | None]) -> State[V]:
        """Return a state with some entries set; those whose value is None are removed.

        An entry that is set is known from then on. If no key is unknown any more, the result is a `RoomState`
        of the known entries. A removed entry whose key is covered by `unknown` becomes unknown.
        """
        unknown = self.unknown
        if any(value is None and _covering(unknown, key) for key, value in changes.items()):
            # The key is unknown in a different way from the states that share `unknown`.
            unknown = tuple(one.renewed() for one in unknown)
        made = known_in_part(changed_entries(self.known, changes), unknown)
        # A `RoomState` does not look at its values: they may be events.
        return (
            made if isinstance(made, State) else cast("State[V]", RoomState(cast("StateMap[EventId]", made)))
        )

    def changes_since(self, other: StateMap[V]) -> dict[StateKey, V | None]:
        """Return the changes that make this state from another one: see `State.changes_since`."""
        if not same_unknown(self.unknown, unknown_of(other)):
            raise _unlike(self.unknown, unknown_of(other))
        return changes_between(entries_of(other), self.known)

    def as_dict(self) -> dict[StateKey, V]:
        """Raise `UnknownState`: use `known`."""
        self._refuse_whole()


def changed_entries(entries: StateMap[V], changes: Mapping[StateKey, V | None]) -> StateMap[V]:
    """Return entries with some set; those whose value is None are removed."""
    if isinstance(entries, RoomState):
        return cast("StateMap[V]", entries.changed(cast("Mapping[StateKey, EventId | None]", changes)))
    result = dict(entries)
    apply_changes(result, changes.items())
    return result


def apply_changes(entries: dict[StateKey, V], changes: Iterable[tuple[StateKey, V | None]]) -> None:
    """Set some entries of a state in place; those whose value is None are removed."""
    for key, value in changes:
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value


def known_in_part(known: StateMap[V], unknown: Iterable[Unknown]) -> StateMap[V]:
    """Return a `PartialState`, or the known entries alone if none of the keys is unknown."""
    left = [one for one in unknown if one.types is None or one.types or not _all_in(one.keys, known)]
    return PartialState(known, left) if left else known


def _all_in(keys: Collection[StateKey], known: StateMap[V]) -> bool:
    return all(key in known for key in keys)


def entries_of(state: StateMap[V]) -> StateMap[V]:
    """Return the known entries of a state, which may be known in part or in whole."""
    return state.known if isinstance(state, PartialState) else state


def unknown_of(state: StateMap[V]) -> tuple[Unknown, ...]:
    """Return what is unknown in a state; empty if it is known in whole."""
    return state.unknown if isinstance(state, PartialState) else ()


def same_unknown(one: tuple[Unknown, ...], other: tuple[Unknown, ...]) -> bool:
    """Tell whether two states are unknown in the same way."""
    # Identity, not equality: two answers without members may leave out different members.
    return len(one) == len(other) and not any(map(is_not, one, other))


def _unlike(one: tuple[Unknown, ...], other: tuple[Unknown, ...]) -> UnknownState:
    parts = dict.fromkeys(map(str, (*one, *other)))
    reason = f"the states may differ in what is unknown: {'; '.join(parts)}"
    return UnknownState((), reason, lack_of((*one, *other)))


def lack_of(unknown: Iterable[Unknown]) -> Lack:
    """Return what would tell unknown entries: what must be mended first."""
    return gravest(one.lack for one in unknown)


def shared_unknown(states: Sequence[StateMap[V]]) -> tuple[Unknown, ...]:
    """Return what is unknown in all states in the same way.

    Raises:
        UnknownState: if the states are not unknown in the same way. An entry that is unknown in one state may
            then differ from that of another state.
    """
    first, *others = map(unknown_of, states)
    for other in others:
        if not same_unknown(first, other):
            raise _unlike(first, other)
    return first


def _covering(unknown: Iterable[Unknown], key: StateKey) -> Unknown | None:
    for one in unknown:
        if one.covers(key):
            return one
    return None


def refuse_unknown(unknown: tuple[Unknown, ...], key: StateKey) -> None:
    """Raise `UnknownState` if a key without an entry is unknown."""
    covering = _covering(unknown, key)
    if covering is not None:
        raise UnknownState([key], covering.reason, covering.lack)


def completed_from(state: StateMap[V], other: StateMap[V]) -> StateMap[V]:
    """Complete a state that is known in part from what is known of the same state elsewhere.

    Returns:
        A state with the entries of both, in which a key is unknown if it is unknown in both. It is `other` if
        that is known in whole, and `state` if the two contradict each other.
    """
    if contradict(state, other):
        return state
    if not unknown_of(other):
        return other
    known = entries_of(state)
    added = {key: value for key, value in entries_of(other).items() if key not in known}
    left = [one.narrowed(unknown_of(other)) for one in unknown_of(state)]
    return known_in_part(changed_entries(known, added), left)


def contradict(one: StateMap[V], other: StateMap[V]) -> bool:
    """Tell whether two states cannot be parts of one state."""
    return _contradicts(one, other) or _contradicts(other, one)


def _contradicts(state: StateMap[V], other: StateMap[V]) -> bool:
    """Tell whether a state has something else for one of the known entries of another state."""
    known, unknown = entries_of(state), unknown_of(state)
    return any(
        known.get(key) != value and (key in known or _covering(unknown, key) is None)
        for key, value in entries_of(other).items()
    )


def forget_strange(state: StateMap[V], strange: Mapping[StateKey, EventId]) -> StateMap[V]:
    """Return a state without its events of other rooms. What the room has in their place is unknown."""
    if not strange:
        return state
    unknown = Unknown(f"{listed(sorted(strange.values()))} of another room", keys=frozenset(strange))
    entries = changed_entries(entries_of(state), dict.fromkeys(strange))
    return known_in_part(entries, (*unknown_of(state), unknown))
