"""The states that may be merged into the current state while the forward extremities are not certain."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from ..event import Event
from ..power import CREATE
from ..selection import select_auth_types
from ..state import PartialState, entries_of
from ..types import EventId, StateKey, StateMap
from .result import Grouped

# Above this many, nothing is known about the current state until the extremities are certain again.
_STATES: Final = 64


class PossibleStates:
    """States, by group, after events that may be forward extremities although they do not look like it.

    An unclear event may be soft-failed, and the ends that it superseded are ends then. An undecided event may
    be accepted.
    """

    def __init__(self) -> None:
        self._states: dict[int, Grouped] = {}
        self._unknown = False

    def keep(self, states: Iterable[Grouped | None]) -> None:
        """Add states; None is an unknown one."""
        for state in states:
            if state is None or len(self._states) >= _STATES:
                self._unknown = True
            if self._unknown or state is None:
                self._states.clear()
                return
            self._states[state[1]] = state

    def clear(self) -> None:
        """Forget all states: the extremities are certain."""
        self._states.clear()
        self._unknown = False

    def shared(self, others: Iterable[Grouped | None]) -> list[StateMap[EventId]] | None:
        """Return the known entries of all of these states and others; None if one of the states is unknown.

        Whichever of the states are merged, the merged state has the entries that all of them have.
        """
        states = dict(self._states)
        for state in others:
            if state is None:
                return None
            states[state[1]] = state
        return None if self._unknown else [entries_of(states[group][0]) for group in sorted(states)]

    def agree(
        self,
        event: Event,
        before: StateMap[EventId],
        others: Iterable[Grouped | None],
        more: Collection[StateKey] = (),
    ) -> bool:
        """Tell whether all of these states and others agree with the one before an event on what is read.

        Whichever of them are merged, the merged state has these entries too: no algorithm changes an entry
        that all states agree on.

        Args:
            event: the event. The rules read the keys of its auth events selection.
            before: the state before the event.
            others: more states that may be merged; None is an unknown one.
            more: more keys that are read. If the state before the event has nothing for one of them, no event
                of the room is for it.
        """
        states = dict(self._states)
        for state in others:
            if state is None:
                return False
            states[state[1]] = state
        if self._unknown:
            return False
        for key in {CREATE, *select_auth_types(event), *more}:
            value = _entry(before, key)
            # If no state has an event for a key, a resolution may still put one there.
            if value is None or (value == "" and len(states) > 1 and key not in more):
                return False
            if any(_entry(state, key) != value for state, _ in states.values()):
                return False
        return True


def agreed_entries(event: Event, states: Sequence[Grouped]) -> StateMap[EventId] | None:
    """Return the entries that the rules read for an event; None if the states differ on one."""
    first, *others = [state for state, _ in states]
    agreed: dict[StateKey, EventId] = {}
    for key in {CREATE, *select_auth_types(event)}:
        value = first.get(key)
        # If no state has an event for a key, a resolution may still put one there.
        if any(state.get(key) != value for state in others) or (value is None and others):
            return None
        if value is not None:
            agreed[key] = value
    return agreed


def _entry(state: StateMap[EventId], key: StateKey) -> EventId | None:
    """Return the event of a state for a key: "" if there is none, None if it is unknown."""
    found = entries_of(state).get(key)
    if found is None and isinstance(state, PartialState) and state.why_unknown(key) is not None:
        return None
    return found or ""
