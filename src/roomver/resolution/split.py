"""Split room states into the unconflicted state map and the conflicted state set.

Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Unconflicted state map and conflicted
state set", and https://spec.matrix.org/latest/rooms/v1/#state-resolution for version 1.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import compress, islice
from operator import is_not, ne

from ..errors import UnknownState
from ..state import (
    PartialState,
    Unknown,
    entries_of,
    known_in_part,
    refuse_unknown,
    unknown_of,
)
from ..types import EventId, StateKey, StateMap
from .room_state import RoomState, as_dict, differing_among

_CHUNK = 128


class Split:
    """The unconflicted state map and the conflicted state set of some room states.

    Attributes:
        base: the first state. The unconflicted state map is this state without the conflicted keys.
        conflicted: each conflicted key to its events, and each event to a mask of the states that have it:
            bit i stands for the i-th state. Sorted by key, events sorted by ID.
        unknown: what is unknown in all the states, in the same way; empty if they are known in whole.
    """

    __slots__ = ("base", "conflicted", "unknown")

    def __init__(
        self,
        base: StateMap[EventId],
        conflicted: Mapping[StateKey, Mapping[EventId, int]],
        unknown: tuple[Unknown, ...] = (),
    ) -> None:
        self.base: StateMap[EventId] = base
        self.conflicted: Mapping[StateKey, Mapping[EventId, int]] = conflicted
        self.unknown: tuple[Unknown, ...] = unknown

    def get(self, key: StateKey) -> EventId | None:
        """Return the event of a key in the unconflicted state map, or None.

        Raises:
            UnknownState: if the key is unknown.
        """
        if key in self.conflicted:
            return None
        event_id = self.base.get(key)
        if event_id is None and self.unknown:
            refuse_unknown(self.unknown, key)
        return event_id

    def known(self, key: StateKey) -> EventId | None:
        """Return the event of a key in the unconflicted state map, or None if it is absent or unknown."""
        return None if key in self.conflicted else self.base.get(key)

    @property
    def unconflicted(self) -> dict[StateKey, EventId]:
        """The unconflicted state map, as a new dict."""
        state = as_dict(self.base)
        for key in self.conflicted:
            state.pop(key, None)
        return state

    def shared_ids(self) -> Collection[EventId]:
        """Return a view of the event IDs in the unconflicted state map, which are listed when it is read."""
        return _SharedIds(self)

    def resolved(self, changes: StateMap[EventId], *, as_room_state: bool) -> StateMap[EventId]:
        """Return the resolved state: the unconflicted state map with the resolved events.

        Args:
            changes: the event of each key that is conflicted or new. A conflicted key that is missing here
                has no event in the resolved state.
            as_room_state: return a `RoomState` derived from the first state, if that is one, instead of a
                new dict.
        """
        state: StateMap[EventId]
        if as_room_state and isinstance(self.base, RoomState):
            state = self.base.changed({**dict.fromkeys(self.conflicted), **changes})
        else:
            # In place: a second copy of a large state took a third of a small resolution.
            entries = self.unconflicted
            entries.update(changes)
            state = entries
        if not self.unknown:
            return state
        gone = [key for key in self.conflicted if key not in changes]
        # A key that lost its event counts as unknown again, but not in the same way as in the other states.
        renew = any(one.covers(key) for one in self.unknown for key in gone)
        return known_in_part(state, [one.renewed() for one in self.unknown] if renew else self.unknown)

    @property
    def conflicted_ids(self) -> set[EventId]:
        """The conflicted state set."""
        return {event_id for masks in self.conflicted.values() for event_id in masks}


class _SharedIds(Collection[EventId]):
    __slots__ = ("_split",)

    def __init__(self, split: Split) -> None:
        self._split = split

    def __contains__(self, event_id: object) -> bool:
        return any(event_id == other for other in self)

    def __iter__(self) -> Iterator[EventId]:
        conflicted = self._split.conflicted
        return (event_id for key, event_id in self._split.base.items() if key not in conflicted)

    def __len__(self) -> int:
        conflicted, base = self._split.conflicted, self._split.base
        return len(base) - sum(key in base for key in conflicted)


# "The key-value pairs (K, V) across all state maps S_i can be divided into two collections. If a given key K
# is present in every S_i with the same value V in each state map, then the pair (K, V) belongs to the
# unconflicted state map. Otherwise, V belongs to the conflicted state set."
def split_states(state_sets: Sequence[StateMap[EventId]]) -> Split:
    """Split room states into the unconflicted state map and the conflicted state set.

    A key that only some of the states have is conflicted. (In version 1 it is not: see `v1`.)

    Args:
        state_sets: at least one room state.

    Raises:
        UnknownState: if some are known in part, and the unknown entries may differ between the states.

    Cost: for states that are dicts, a few C-level passes over each. Python code runs only for the keys in
    which a state differs from the first. For a `RoomState` that shares its dict with the first state, only
    the changes of the two are compared.
    """
    unknown: tuple[Unknown, ...] = ()
    if any(isinstance(state, PartialState) for state in state_sets):
        unknown = _shared_unknown(state_sets)
        state_sets = [entries_of(state) for state in state_sets]
    base, *others = state_sets
    # Only the differences from the first state are looked up. `unlike`: key -> bit mask of the states
    # that differ from the first. `instead`: key -> the events in those states. (Looking up every conflicted
    # key in every state took 40 % of the time of a merge of hundreds of states.)
    unlike: dict[StateKey, int] = {}
    instead: dict[StateKey, dict[EventId, int]] = {}
    bit = 1
    for other in others:
        bit <<= 1
        if other is base:
            continue
        for key in _differing_keys(base, other):
            unlike[key] = unlike.get(key, 0) | bit
            event_id = other.get(key)
            if event_id is not None:
                masks = instead.setdefault(key, {})
                masks[event_id] = masks.get(event_id, 0) | bit
    full = (1 << len(state_sets)) - 1
    conflicted: dict[StateKey, Mapping[EventId, int]] = {}
    for key in sorted(unlike):
        masks = instead.get(key, {})
        event_id = base.get(key)
        if event_id is not None:
            masks[event_id] = full ^ unlike[key]
        conflicted[key] = {event_id: masks[event_id] for event_id in sorted(masks)}
    if unknown:
        # Each state has at most one event for a key. A state without one may have one that is unknown.
        some = [key for key, masks in conflicted.items() if sum(masks.values()) != full]
        unclear = [key for key in some if any(one.covers(key) for one in unknown)]
        if unclear:
            reasons = "; ".join(dict.fromkeys(one.reason for one in unknown))
            raise UnknownState(unclear, f"in some of the states; {reasons}")
    return Split(base, conflicted, unknown)


def _shared_unknown(state_sets: Sequence[StateMap[EventId]]) -> tuple[Unknown, ...]:
    """Return what is unknown in all states in the same way.

    Raises:
        UnknownState: if the states are not unknown in the same way. An entry that is unknown in one state may
            then differ from that of another state.
    """
    first, *others = map(unknown_of, state_sets)
    for other in others:
        # Identity, not equality: two answers without members may leave out different members.
        if len(other) != len(first) or any(map(is_not, first, other)):
            parts = dict.fromkeys(str(one) for one in (*first, *other))
            raise UnknownState((), f"the states may differ in what is unknown: {'; '.join(parts)}")
    return first


def _differing_keys(one: StateMap[EventId], other: StateMap[EventId]) -> set[StateKey]:
    """Return the keys for which two room states do not have the same event."""
    base, changes = _layers(one)
    other_base, other_changes = _layers(other)
    keys = set() if base is other_base else _differing_by_place(base, other_base)
    if not changes and not other_changes:
        return keys
    return differing_among(keys | changes.keys() | other_changes.keys(), one, other)


def _layers(state: StateMap[EventId]) -> tuple[StateMap[EventId], StateMap[EventId | None]]:
    return state._layers() if isinstance(state, RoomState) else (state, {})


def _differing_by_place(one: StateMap[EventId], other: StateMap[EventId]) -> set[StateKey]:
    """Return the keys that differ between two mappings."""
    # Two states of one room mostly have the same entries in the same order. Lookups miss the CPU cache,
    # so compare event IDs position by position first, and look up a key only where they differ. An event has
    # one key: equal event IDs have equal keys.
    places = min(len(one), len(other))
    unlike = list(compress(one, map(ne, one.values(), other.values())))
    if len(unlike) > places // 64 + 16:
        return _differing_in_chunks(one, other)
    # Keys at matching positions are in both states. Only the remaining keys need a lookup.
    alike = places - len(unlike)
    unlike += islice(one, places, None)
    others = {key for key in unlike if key in other}
    others.update(islice(other, places, None))
    if len(others) < len(other) - alike:  # a key at an unlike place of `other` that `one` lacks
        others.update(compress(other, map(ne, one.values(), other.values())))
    others.update(unlike)
    return differing_among(others, one, other)


def _differing_in_chunks(one: StateMap[EventId], other: StateMap[EventId]) -> set[StateKey]:
    """Return the keys that differ, if many places do: for example after an entry that only one state has.

    Chunks of event IDs are compared first, as lists of pointers. Keys are visited only where chunks differ.
    (For 323,368 entries and 100 changes this takes a third of the time of looking up every key. Chunks of
    64 to 128 are fastest; chunks of 2,048 take three times as long.)
    """
    differing: set[StateKey] = set()
    keys, events, other_events = iter(one), iter(one.values()), iter(other.values())
    done = 0  # invariant: up to here both states have the same keys in the same order,
    walked = 0  # and this many of `keys` have been taken.
    while True:
        chunk, other_chunk = list(islice(events, _CHUNK)), list(islice(other_events, _CHUNK))
        if chunk != other_chunk:
            chunk_keys = list(islice(keys, done - walked, done - walked + len(chunk)))
            walked = done + len(chunk_keys)
            if len(chunk) != len(other_chunk) or list(map(other.get, chunk_keys)) != other_chunk:
                break
            differing.update(compress(chunk_keys, map(ne, chunk, other_chunk)))
        elif not chunk:
            return differing
        done += len(chunk)
    # The order differs from here on. `get` gives None for a missing key, and None is never an event ID.
    for state, against in ((one, other), (other, one)):
        rest = list(islice(state, done, None))
        rest_events = islice(state.values(), done, None)
        differing.update(compress(rest, map(ne, map(against.get, rest), rest_events)))
    return differing
