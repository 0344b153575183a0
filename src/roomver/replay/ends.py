"""The ends of a replayed room: its forward extremities, the soft-failed ones, and its current state.

How it works:

* *Forward extremities.* `Ends._ends` goes through the order once, as a server does when events arrive. Each
  accepted event becomes an end, and takes the place of the ends that it follows, also by way of events that
  were not accepted.
* *Soft failure* (check 6). Only the ends of branches are checked against the current state, and only while
  other branches are open. The ends are known after the pass, so the pass is repeated with them as the events
  to check. If an end is soft-failed, the events that become ends are checked in turn, in at most 16 passes.
  An event is not checked if there are more than 64 different states to resolve.
* *Current state.* It is the merge of the states after the forward extremities. It is unknown if one of these
  states is unknown, if an undecided event may be an end, or if a missing event may follow an end and come
  before an accepted event. The events that leave it unknown are kept for `Replay.lacking`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ..auth import check_against_state
from ..errors import MissingEvents
from ..resolution import RoomState
from ..rules import Verdict
from ..types import EventId
from .fold import EventsOf, Fold
from .result import Grouped, Status

# Bounds on what a hostile room can make expensive. An honest room does not come near them.
_ROUNDS: Final = 16
_WALKS: Final = 64
_STATES: Final = 64


class Ends:
    """Find the ends of a room that has been folded."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._result = fold.result
        self._unclear: set[EventId] = set()

    def find(self, *, soft_failure: bool) -> None:
        """Find the forward extremities, the soft-failed ends and the current state."""
        checked: set[EventId] = set()
        ends = self._ends(checked)
        # If an end is soft-failed, the events that it follows become ends and are checked in turn. Each round
        # takes at most one event off a branch. A longer refused branch does not come from a server that knew
        # of the refusal; the rest of it is kept.
        for _ in range(_ROUNDS if soft_failure else 0):
            if ends <= checked:
                break
            checked |= ends
            ends = self._ends(checked)
        result = self._result
        result.forward_extremities = tuple(sorted(ends))
        if self._fold.current is not None:
            result.current_state = dict(self._fold.current)
            return
        unclear = self._unclear | {end for end in ends if end not in result._after}
        if not ends:
            # No event is accepted, so no event replaced the unknown states before the gaps.
            unclear.update(result.gaps)
        if not unclear:
            unclear = self._what_may_follow(ends)
        if not unclear:
            try:
                result.current_state = self._current(ends, note=True)[0].as_dict()
                return
            except MissingEvents as error:  # a given state holds an undecided event
                unclear.update(error.event_ids)
        result._unclear_ends = tuple(sorted(unclear))
        result.current_state = None

    def _what_may_follow(self, ends: set[EventId]) -> set[EventId]:
        """Return missing events that may follow an end.

        They are prev events of accepted events, and some end does not come after them. If
        such an event follows that end, the end is not a forward extremity.
        """
        events, outcomes = self._fold.events, self._result.outcomes
        holes = {
            event_id
            for event_id, citing in self._result.missing.items()
            if any(outcomes[one].accepted and event_id in events[one].prev_event_ids for one in citing)
        }
        if not holes:
            return holes
        for walks, end in enumerate(sorted(ends)):
            # Each end costs a walk. Honest rooms have few ends; a room with many is cut off.
            unseen = holes - self._before(end) if walks < _WALKS else holes
            if unseen:
                return unseen
        return set()

    def _before(self, event_id: EventId) -> set[EventId]:
        """Return all events that an event comes after, missing ones included.

        An event comes after its prev events, its auth events and the events of the state given for it,
        and after everything that these come after.
        """
        found: set[EventId] = set()
        todo = [event_id]
        while todo:
            one = todo.pop()
            event = self._fold.events.get(one)
            if event is None:
                continue
            for parent in (
                *event.prev_event_ids,
                *event.auth_parents,
                *self._fold.given.get(one, {}).values(),
            ):
                if parent not in found:
                    found.add(parent)
                    todo.append(parent)
        return found

    def _ends(self, to_check: set[EventId]) -> set[EventId]:
        """Go through the order, keep the forward extremities as a server does, and return them.

        Events of `to_check` are checked against the current state at their place in the order. Undecided
        events that would be ends are put into `self._unclear`.
        """
        result = self._result
        ends: set[EventId] = set()
        unclear: set[EventId] = set()
        # The ends by the group of the state after them; None if that state is unknown.
        by_group: dict[int | None, set[EventId]] = {}
        # Events that are not accepted and were walked through already.
        passed: set[EventId] = set()
        for event_id in result.order:
            status = result.outcomes[event_id].status
            if status is Status.UNDECIDED and event_id not in self._fold.outliers:
                unclear.difference_update(self._fold.events[event_id].prev_event_ids)
                unclear.add(event_id)
                continue
            if status is not Status.ACCEPTED or event_id in result.soft_failed:
                continue
            superseded, through = self._superseded(event_id, ends, passed)
            if event_id in to_check and len(superseded) < len(ends):
                verdict = self._against(event_id, by_group)
                if verdict is not None and not verdict.allowed:
                    result.soft_failed[event_id] = verdict
                    continue
            for end in superseded:
                group = result._after.get(end)
                by_group[group].discard(end)
                if not by_group[group]:
                    del by_group[group]
            ends -= superseded
            unclear -= through
            passed |= through
            if event_id not in self._fold.outliers:
                ends.add(event_id)
                by_group.setdefault(result._after.get(event_id), set()).add(event_id)
        self._unclear = unclear
        return ends

    def _superseded(
        self, event_id: EventId, ends: set[EventId], passed: set[EventId]
    ) -> tuple[set[EventId], set[EventId]]:
        """Return the ends that an event supersedes, and the events that were walked through to find them.

        An event supersedes the ends that it follows, directly or by way of events that are not accepted.
        Events in `passed` are not walked through again.
        """
        superseded: set[EventId] = set()
        through: set[EventId] = set()
        todo = list(self._fold.events[event_id].prev_event_ids)
        while todo:
            parent = todo.pop()
            if parent in ends:
                superseded.add(parent)
                continue
            outcome = self._result.outcomes.get(parent)
            if (
                outcome is not None
                and (not outcome.accepted or parent in self._result.soft_failed)
                and parent not in passed
                and parent not in through
            ):
                through.add(parent)
                todo.extend(self._fold.events[parent].prev_event_ids)
        return superseded, through

    def _against(self, event_id: EventId, ends: Mapping[int | None, set[EventId]]) -> Verdict | None:
        """Judge an event against the current state over some ends; return None if that is unknown."""
        if None in ends or len(ends) > _STATES:
            return None
        try:
            state = self._current([next(iter(same)) for same in ends.values()], note=False)[0]
        except MissingEvents:  # a given state holds an undecided event
            return None
        return check_against_state(self._fold.events[event_id], EventsOf(state, self._fold.events))

    def _current(self, ends: Iterable[EventId], *, note: bool) -> Grouped:
        """Merge the states after some ends."""
        states = {}
        for event_id in sorted(ends):
            state = self._fold.states.get(event_id)
            if state is None:
                group = self._result._after[event_id]
                state = RoomState(self._result._state(group) or {}), group
                self._fold.states[event_id] = state
            states[event_id] = state
        return self._fold.merge(None, states, note=note)
