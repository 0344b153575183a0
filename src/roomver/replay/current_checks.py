"""Check an event against the current state at its arrival: checks 6 and 7.

Mostly the states after the ends agree on what the check reads. If they do not, they are merged.
"""

from collections.abc import Collection
from typing import Final

from ..auth import check_against_state
from ..errors import UnknownState
from ..event import Event
from ..power import CREATE
from ..selection import select_auth_types
from ..state import EventsOf
from ..types import EventId, StateKey, StateMap
from .arrival import differing_entries
from .fold import Fold
from .open_states import OpenStates, TooManyReads
from .outcome import SoftFailure
from .recommended import Recommended

# Bounds on what a hostile room can make expensive. An honest room does not come near them.
_COST_PER_EVENT: Final = 8
_COST: Final = 8_000

TOO_COSTLY: Final = "merging the states of its branches again and again costs too much"


class CurrentChecks:
    """Check events against the merge of the states after the ends.

    Args:
        fold: the fold.
        open_states: the states after the ends. None of them is unknown while an event is checked.
        recommended: tells which events the policy server recommends; None if none can be in use.
    """

    def __init__(self, fold: Fold, open_states: OpenStates, recommended: Recommended | None) -> None:
        self._fold = fold
        self._open = open_states
        self._recommended = recommended
        self._spent = -_COST  # on merges

    def allow(self) -> None:
        """Allow a little more to be spent, because an event was accepted."""
        self._spent -= _COST_PER_EVENT

    def failure(self, event: Event, before: StateMap[EventId] | None) -> SoftFailure | str | None:
        """Check an event against the current state, by checks 6 and 7.

        Args:
            event: the event.
            before: the state before it, if the event was checked against that; otherwise None.

        Returns:
            Why it fails; None if it does not; a string if a bound prevents the check.
        """
        keys = sorted({CREATE, *select_auth_types(event)})
        state: StateMap[EventId] | None = None
        if len(self._open) > 1:
            more: tuple[StateKey, ...] | None = ()
            if self._recommended is not None:
                more = None if before is None else self._recommended.keys_read(event, before)
            try:
                state = None if more is None else self._open.agreed([*keys, *more])
            except TooManyReads:
                return TOO_COSTLY
            if state is not None and self._recommended is not None:
                if before is not None and _agree(before, state, [*keys, *(more or ())]):
                    return self._recommended.check(event, before)
                state = None
        if state is None:
            merged = self._merged()
            if isinstance(merged, str):
                return merged
            state = merged
        if self._recommended is None and before is not None and _agree(before, state, keys):
            return None
        read = differing_entries(event, state, before)
        if read is not None:
            self._fold.result._read_at_arrival[event.event_id] = read
        verdict = check_against_state(event, EventsOf(state, self._fold.events))
        if not verdict.allowed:
            return verdict
        return None if self._recommended is None else self._recommended.check(event, state)

    def _merged(self) -> StateMap[EventId] | str:
        """Return the current state, resolved from the open states; a string if a bound prevents it."""
        fold = self._fold
        states = [state for state in self._open.states if state is not None]
        if len(states) == 1:
            return states[0][0]
        merged = fold.merged.get(tuple(sorted(group for _, group in states)))
        if merged is None:
            # The merges for checks may cost as much as those before events, and a little for each event.
            before_events = fold.merges_cost
            if self._spent > before_events:
                return TOO_COSTLY
            merged = fold.merged_for(None, states)
            self._spent += fold.merges_cost - before_events
            fold.merges_cost = before_events
        return merged.after[0]


def _agree(one: StateMap[EventId], other: StateMap[EventId], keys: Collection[StateKey]) -> bool:
    """Tell whether two states are known to have the same entries for some keys."""
    try:
        return all(one.get(key) == other.get(key) for key in keys)
    except UnknownState:
        return False
