"""The states of many events, split without building each of them.

A replay keeps each state as a group: by its changes from another group. So the groups form a tree, and two
states differ by the changes on the path between them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from ..resolution import RoomState, Split
from ..state import Unknown, apply_changes, entries_of
from ..types import EventId, StateKey, StateMap
from .result import Replay
from .states import Delta

# The most bits in all masks of a split together: 128 MB. There is a bit for each change and state:
# ten thousand states with a hundred thousand changes between them reach the bound.
_BITS: Final = 2**30

# How many given states are kept for later ones that share structure with them.
_SHARED_KEPT: Final = 16


class KeptStates(NamedTuple):
    """All states of a replay, as it keeps them.

    Attributes:
        groups: each state as the number of another group, -1 for the empty state, and the changes from it.
            That number is smaller than the group's own.
        before, after: event ID to the group of the state before and after the event. An event whose state is
            unknown is left out.
        unknown: what is unknown in the states that are known in part, by group.
        at_arrival: what the check against the current state read, for the events for which the state before
            them has something else.
    """

    groups: Sequence[tuple[int, Delta]]
    before: Mapping[EventId, int]
    after: Mapping[EventId, int]
    unknown: Mapping[int, tuple[Unknown, ...]]
    at_arrival: Mapping[EventId, StateMap[EventId]]


def kept_states(replay: Replay) -> KeptStates:
    """Return all states of a replay. Nothing is copied."""
    return KeptStates(replay._groups, replay._before, replay._after, replay._unknown, replay._read_at_arrival)


def split_groups(replay: Replay, groups: Collection[int]) -> tuple[list[int], Split] | None:
    """Split the states of some groups, which are known in whole.

    Returns:
        The groups in the order of the states, and the split, whose base is the first state. None if the masks
        of the split would be too large.

    Cost: linear in the number of groups, plus one operation on a mask for each change below the last group
    that all states come from.
    """
    tree = _Tree(replay._groups, groups)
    if tree.changes * len(groups) > _BITS:
        return None
    trunk = replay._state(tree.trunk)
    return tree.split({} if trunk is None else dict(entries_of(trunk)))


class SharedStates:
    """Given states with their groups, for later states that share structure with them."""

    def __init__(self) -> None:
        self._kept: list[tuple[RoomState, int]] = []

    def place(self, state: RoomState, group: int) -> tuple[int, dict[StateKey, EventId | None]]:
        """Take a state that gets a group of its own.

        Returns:
            A group that the state can be kept as changes from, -1 for the empty state, and the changes.
        """
        for earlier, base in self._kept:
            if state.shares_with(earlier):
                return base, {key: state.get(key) for key in state.differing_keys(earlier)}
        self._kept = [(state, group), *self._kept[: _SHARED_KEPT - 1]]
        return -1, {**state}


class _Tree:
    """Some groups and those they derive from, back to the last one that all of them derive from.

    Attributes:
        trunk: that last one; -1 if it is the empty state.
        changes: the number of changes in the groups below it.
    """

    def __init__(self, groups: Sequence[tuple[int, Delta]], wanted: Collection[int]) -> None:
        self._groups = groups
        self._wanted = frozenset(wanted)
        below: dict[int, list[int]] = {}
        marked: set[int] = set()
        for group in sorted(self._wanted):
            while group >= 0 and group not in marked:
                marked.add(group)
                parent = groups[group][0]
                below.setdefault(parent, []).append(group)
                group = parent  # noqa: PLW2901 - climbs to the root
        self._below = below
        trunk = -1
        while trunk not in self._wanted and len(below.get(trunk, ())) == 1:
            trunk = below[trunk][0]
            marked.discard(trunk)
        self.trunk = trunk
        self.changes = sum(len(groups[group][1]) for group in marked)

    def split(self, base: dict[StateKey, EventId]) -> tuple[list[int], Split]:
        """Split the states, given the state of the trunk."""
        walk = self._walk()
        order = [group for group, entered in walk if entered and group in self._wanted]
        # `now` has the values of each key as a stack, from the trunk down to the current group. `since` has
        # the first state with each value that is not in `masks` yet. `masks` has the states that the walk has
        # passed, by key and by the event that they have for it.
        now: dict[StateKey, list[EventId | None]] = {}
        masks: dict[StateKey, dict[EventId | None, int]] = {}
        since: dict[StateKey, list[int]] = {}
        passed = 0
        for group, entered in walk:
            if entered:
                for key, event_id in self._delta(group):
                    values, starts = now.setdefault(key, [base.get(key)]), since.setdefault(key, [0])
                    _close(masks, key, values[-1], starts[-1], passed)
                    starts[-1] = passed
                    values.append(event_id)
                    starts.append(passed)
                passed += group in self._wanted
            else:
                for key, _ in reversed(self._delta(group)):
                    values, starts = now[key], since[key]
                    _close(masks, key, values.pop(), starts.pop(), passed)
                    starts[-1] = passed
        for key, values in now.items():
            _close(masks, key, values[0], since[key][0], passed)
        return order, Split(self._first(base, order[0]), _conflicted(masks))

    def _delta(self, group: int) -> Delta:
        return () if group == self.trunk else self._groups[group][1]

    def _walk(self) -> list[tuple[int, bool]]:
        """Return the groups from the trunk down, each as it is entered and as it is left."""
        walk: list[tuple[int, bool]] = []
        todo = [(self.trunk, True)]
        while todo:
            group, entering = todo.pop()
            walk.append((group, entering))
            if entering:
                todo.append((group, False))
                todo += [(child, True) for child in reversed(self._below.get(group, []))]
        return walk

    def _first(self, base: dict[StateKey, EventId], group: int) -> dict[StateKey, EventId]:
        deltas = []
        while group != self.trunk:
            group, delta = self._groups[group]
            deltas.append(delta)
        state = dict(base)
        for delta in reversed(deltas):
            apply_changes(state, delta)
        return state


def _close(
    masks: dict[StateKey, dict[EventId | None, int]],
    key: StateKey,
    event_id: EventId | None,
    start: int,
    end: int,
) -> None:
    """Note that the states from number `start` up to, but not including, `end` have an event for a key."""
    if end > start:
        by_id = masks.setdefault(key, {})
        by_id[event_id] = by_id.get(event_id, 0) | (1 << end) - (1 << start)


def _conflicted(
    masks: dict[StateKey, dict[EventId | None, int]],
) -> dict[StateKey, dict[EventId, int]]:
    found = {}
    for key in sorted(masks):
        by_id = masks[key]
        if len(by_id) > 1:
            some = {event_id: mask for event_id, mask in by_id.items() if event_id is not None}
            found[key] = {event_id: some[event_id] for event_id in sorted(some)}
    return found
