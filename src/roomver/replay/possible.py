"""The states that may be merged into the current state while the forward extremities are not certain."""

from collections.abc import Collection, Iterable
from typing import Final

from ..event import Event
from ..power import CREATE
from ..resolution import RoomState
from ..selection import select_auth_types
from ..state import PartialState, changed_entries, entries_of
from ..types import EventId, StateKey, StateMap
from .open_states import OpenStates, TooManyReads
from .states import Grouped

# Above this many states known in part, nothing is known about the current state until the extremities are
# certain again.
_PARTIAL: Final = 64
# How many states are kept for later ones that share structure with them.
_SAMPLES: Final = 64
# What it costs to keep a state, in reads of one.
_READS: Final = 32


class PossibleStates:
    """States after events that may be forward extremities although they do not look like it.

    An unclear event may be soft-failed, and the ends that it superseded are ends then. An undecided event may
    be accepted. There may be many of these states. So those that are known in whole are not kept: only one of
    them is, and the keys on which others differ from it.
    """

    def __init__(self) -> None:
        self._any = True
        self.clear()

    def clear(self) -> None:
        """Forget all states: the extremities are certain."""
        if not self._any:
            return
        self._any = False
        self._first: Grouped | None = None
        self._differing: set[StateKey] = set()
        # Some of the states, to compare others with.
        self._samples: list[RoomState] = []
        self._partial: dict[int, Grouped] = {}
        self._group: int | None = None  # of one of the states
        self._several = False  # whether there are states of other groups
        self._unknown = False
        self._seen = 0  # the number of the last open state that was kept

    def keep_open(self, open_states: OpenStates) -> None:
        """Add the states after all ends."""
        self._any = True
        try:
            for here in open_states.newer(self._seen):
                if self._unknown:
                    break
                open_states.spend(_READS)
                self.keep([here.state])
        except TooManyReads:
            self._unknown = True
        self._seen = open_states.number

    def keep(self, states: Iterable[Grouped | None]) -> None:
        """Add states; None is an unknown one."""
        self._any = True
        for state in states:
            if self._unknown:
                return
            if state is None:
                self._unknown = True
                return
            self._several = self._several or self._group not in (None, state[1])
            self._group = state[1]
            if isinstance(state[0], PartialState):
                self._partial[state[1]] = state
                self._unknown = len(self._partial) > _PARTIAL
            elif self._first is None:
                self._first = state
                self._samples = [state[0]]
            elif state[1] != self._first[1]:
                self._compare(state[0])

    def _compare(self, state: RoomState) -> None:
        """Note on which keys a state differs from another one that was kept."""
        for place, sample in enumerate(self._samples):
            if sample.shares_with(state):
                self._samples[place] = state
                break
        else:
            sample = self._samples[0]
            self._samples = [state, *self._samples[: _SAMPLES - 1]]
        self._differing |= sample.differing_keys(state)

    def shared(self, open_states: OpenStates) -> list[StateMap[EventId]] | None:
        """Return states that agree on what all of these states and those after the ends agree on.

        Whichever of the states are merged, the merged state has the entries that all of them have.

        Returns:
            The known entries of each; None if one of the states is unknown.
        """
        self.keep_open(open_states)
        if self._unknown:
            return None
        found: list[StateMap[EventId]] = []
        if self._first is not None:
            found.append(changed_entries(self._first[0], dict.fromkeys(self._differing)))
        return found + [entries_of(self._partial[group][0]) for group in sorted(self._partial)]

    def agree(
        self,
        event: Event,
        before: StateMap[EventId],
        open_states: OpenStates,
        more: Collection[StateKey] = (),
    ) -> bool:
        """Tell whether all of these states and others agree with the one before an event on what is read.

        Whichever of them are merged, the merged state has these entries too: no algorithm changes an entry
        that all states agree on.

        Args:
            event: the event. The rules read the keys of its auth events selection.
            before: the state before the event.
            open_states: more states that may be merged, those after the ends.
            more: more keys that are read. If the state before the event has nothing for one of them, no event
                of the room is for it.
        """
        if self._unknown or None in open_states.by_group:
            return False
        for key in sorted({CREATE, *select_auth_types(event), *more}):
            value = _entry(before, key)
            # If no state has an event for a key, a resolution may still put one there.
            if value is None or (not value and key not in more and self._are_several(open_states)):
                return False
            if not self._have(key, value, open_states):
                return False
        return True

    def _have(self, key: StateKey, value: str, open_states: OpenStates) -> bool:
        """Tell whether all states have an event for a key, or none if the event ID is empty."""
        if key in self._differing or (self._first is not None and _entry(self._first[0], key) != value):
            return False
        if any(_entry(state, key) != value for state, _ in self._partial.values()):
            return False
        try:
            return open_states.all_have(key, value or None)
        except TooManyReads:
            return False

    def _are_several(self, open_states: OpenStates) -> bool:
        if self._several or len(open_states) > 1:
            return True
        return self._group is not None and len(open_states) == 1 and self._group not in open_states.by_group


def _entry(state: StateMap[EventId], key: StateKey) -> EventId | None:
    """Return the event of a state for a key: "" if there is none, None if it is unknown."""
    found = entries_of(state).get(key)
    if found is None and isinstance(state, PartialState) and state.why_unknown(key) is not None:
        return None
    return found or ""
