"""Split room states into the unconflicted state map and the conflicted state set.

Source: https://spec.matrix.org/latest/rooms/v12/#definitions, "Unconflicted state map and conflicted
state set", and https://spec.matrix.org/latest/rooms/v1/#state-resolution for version 1.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..errors import UnknownState
from ..state import (
    PartialState,
    RoomState,
    State,
    Unknown,
    entries_of,
    known_in_part,
    lack_of,
    refuse_unknown,
)
from ..state.partial import changed_entries, shared_unknown
from ..state.room_state import as_dict, differing_keys, over_dict
from ..types import EventId, StateKey, StateMap


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

    def agreed(self) -> StateMap[EventId]:
        """Return the unconflicted state map, which no algorithm changes. It shares with the first state."""
        return changed_entries(self.base, dict.fromkeys(self.conflicted))

    def shared_ids(self) -> Collection[EventId]:
        """Return a view of the event IDs in the unconflicted state map, which are listed when it is read."""
        return _SharedIds(self)

    def resolved(self, changes: StateMap[EventId]) -> State[EventId]:
        """Return the resolved state: the unconflicted state map with the resolved events.

        If the first state is a `RoomState`, the resolved state is derived from it.

        Args:
            changes: the event of each key that is conflicted or new. A conflicted key that is missing here
                has no event in the resolved state.
        """
        if isinstance(self.base, RoomState):
            state = self.base.changed({**dict.fromkeys(self.conflicted), **changes})
        else:
            # In place: a second copy of a large state took a third of a small resolution.
            entries = self.unconflicted
            entries.update(changes)
            state = over_dict(entries)
        if not self.unknown:
            return state
        gone = [key for key in self.conflicted if key not in changes]
        # A key that lost its event counts as unknown again, but not in the same way as in the other states.
        renew = any(one.covers(key) for one in self.unknown for key in gone)
        unknown = [one.renewed() for one in self.unknown] if renew else self.unknown
        made = known_in_part(state, unknown)
        return made if isinstance(made, PartialState) else state

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
        unknown = shared_unknown(state_sets)
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
        for key in differing_keys(base, other):
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
            raise UnknownState(unclear, f"in some of the states; {reasons}", lack_of(unknown))
    return Split(base, conflicted, unknown)
