"""The ends of a replayed room: its forward extremities, the soft-failed ones, and its current state.

How it works:

* *Forward extremities.* `Ends._ends` goes through the order once, as a server does when events arrive. Each
  accepted event becomes an end, and takes the place of the ends that it follows, also by way of events that
  were not accepted. An event for which a state is given takes the place of the outliers in it too.
* *Soft failure* (check 6). Only the ends of branches are checked against the current state, and only while
  other branches are open. The ends are known after the pass, so the pass is repeated with them as the events
  to check. If one is soft-failed, the new branch ends are checked, up to 16 times; skipped above 64 open
  states.
* *What is unclear.* The ends are not certain if an undecided event may be an end, or if a missing event may
  follow an end (`Holes`). Then no end is checked against the current state. An end that could not be checked
  for this reason is unclear too.
* *Current state.* It is the merge of the states after the forward extremities. It is unknown if one of these
  states is unknown, or if the ends are not certain. The events that leave it unknown are kept for
  `Replay.lacking`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ..auth import check_against_state
from ..errors import MissingEvents, UnknownState
from ..resolution import RoomState
from ..rules import Verdict
from ..state import EventsOf, PartialState, entries_of
from ..types import EventId
from .fold import Fold
from .holes import Holes
from .result import Grouped, Status, plain

# Bounds on what a hostile room can make expensive. An honest room does not come near them.
_ROUNDS: Final = 16
_STATES: Final = 64


class Ends:
    """Find the ends of a room that has been folded."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._result = fold.result
        self._unclear: set[EventId] = set()
        # The soft-failed events: what was found, or what a server decided.
        result = self._result
        self._soft_failed: Collection[EventId] = result.soft_failed
        self._holes = Holes(result.order, fold.events, result.outcomes, fold.given, fold.more_outliers)
        # Outliers by the event that takes their place, and those that never are ends.
        self._absorbed: dict[EventId, list[EventId]] = {}
        self._never: set[EventId] = set(fold.outliers)
        self._absorb()

    def find(self, *, soft_failure: bool) -> None:
        """Find the forward extremities, the soft-failed ends and the current state."""
        result, decisions = self._result, self._fold.decisions
        if decisions is not None:
            soft_failure = False
            self._soft_failed = frozenset(decisions.soft_failed)
        checked: set[EventId] = set()
        ends = self._ends(checked)
        # If an end is soft-failed, the events that it follows become ends and are checked in turn. Each round
        # takes at most one event off a branch. A longer refused branch does not come from a server that knew
        # of the refusal; the rest of it is kept.
        for _ in range(_ROUNDS if soft_failure else 0):
            if self._unclear or ends <= checked:
                break
            checked |= ends
            ends = self._ends(checked)
        result.forward_extremities = tuple(sorted(ends))
        unclear = set(self._unclear)
        if not ends:
            # No event is accepted, so no event replaced the unknown states before the gaps.
            unclear.update(result.gaps)
        result._unclear_extremities = tuple(sorted(unclear))
        if self._fold.current is not None:
            result.current_state = plain(self._fold.current)
            return
        unclear.update(end for end in ends if end not in result._after)
        if not unclear:
            try:
                result.current_state = plain(self._current(ends, note=True)[0])
                return
            except MissingEvents as error:  # a given state holds an undecided event
                unclear.update(error.event_ids)
        result._unclear_ends = tuple(sorted(unclear))
        result.current_state = None

    def _absorb(self) -> None:
        """Find the event that takes the place of each outlier, as if it were one of its previous events.

        That is the first event in the order for which a state is given that has the outlier, or has it in its
        auth chain. Before that event, the outlier may be an end like any other event.
        """
        fold, places = self._fold, self._fold.places
        reached: set[EventId] = set()
        others: Collection[EventId] = fold.more_outliers
        for event_id in sorted(fold.given.keys() & places.keys(), key=places.__getitem__):
            todo = [*entries_of(fold.given[event_id]).values(), *others]
            others = ()
            while todo:
                one = todo.pop()
                if one in reached or one not in fold.outliers:
                    continue
                reached.add(one)
                todo += fold.events[one].auth_event_ids
                if places.get(one, len(places)) < places[event_id]:
                    self._absorbed.setdefault(event_id, []).append(one)
                    self._never.discard(one)

    def _ends(self, to_check: set[EventId]) -> set[EventId]:
        """Go through the order, keep the forward extremities as a server does, and return them.

        Events of `to_check` are checked against the current state at their place in the order. Into
        `self._unclear` are put undecided events that would be ends, ends that could not be checked because
        something is unknown, and missing events that may follow an end.
        """
        holes = self._holes
        holes.restart()
        result = self._result
        ends: set[EventId] = set()
        unclear: set[EventId] = set()
        # The ends by the group of the state after them; None if that state is unknown.
        by_group: dict[int | None, set[EventId]] = {}
        # Events that are not accepted and were walked through already.
        passed: set[EventId] = set()
        for event_id in result.order:
            holes.turn_up(event_id)
            status = result.outcomes[event_id].status
            if status is Status.UNDECIDED and event_id not in self._never:
                unclear.difference_update(self._parents(event_id))
                unclear.add(event_id)
                continue
            if status is not Status.ACCEPTED or event_id in self._soft_failed:
                continue
            superseded, through = self._superseded(event_id, ends, passed)
            checkable = True
            if event_id in to_check and len(superseded) < len(ends):
                checkable = not unclear and holes.is_clear(ends)
                try:
                    verdict = self._against(event_id, by_group) if checkable else None
                except (MissingEvents, UnknownState):
                    checkable, verdict = False, None
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
            unclear -= superseded
            passed |= through
            if not checkable:
                unclear.add(event_id)
            if event_id not in self._never:
                ends.add(event_id)
                by_group.setdefault(result._after.get(event_id), set()).add(event_id)
        self._unclear = unclear | holes.may_follow(ends)
        return ends

    def _parents(self, event_id: EventId) -> Collection[EventId]:
        """Return the previous events of an event, and the outliers that it takes the place of."""
        parents = self._fold.events[event_id].prev_event_ids
        absorbed = self._absorbed.get(event_id)
        return parents if absorbed is None else (*parents, *absorbed)

    def _superseded(
        self, event_id: EventId, ends: set[EventId], passed: set[EventId]
    ) -> tuple[set[EventId], set[EventId]]:
        """Return the ends that an event supersedes, and the events that were walked through to find them.

        An event supersedes the ends that it follows, directly or by way of events that are not accepted.
        Events in `passed` are not walked through again.
        """
        superseded: set[EventId] = set()
        through: set[EventId] = set()
        todo = list(self._parents(event_id))
        while todo:
            parent = todo.pop()
            if parent in ends:
                superseded.add(parent)
                continue
            outcome = self._result.outcomes.get(parent)
            if (
                outcome is not None
                and (not outcome.accepted or parent in self._soft_failed)
                and parent not in passed
                and parent not in through
            ):
                through.add(parent)
                todo.extend(self._parents(parent))
        return superseded, through

    def _against(self, event_id: EventId, ends: Mapping[int | None, set[EventId]]) -> Verdict | None:
        """Judge an event against the current state over some ends; return None if that is skipped.

        Raises:
            UnknownState: if that state, or a key of it that the rules read, is unknown.
            MissingEvents: if a given state holds an undecided event.
        """
        if len(ends) > _STATES:
            return None
        if None in ends:
            raise UnknownState((), "the state after an end is unknown")
        state = self._current([next(iter(same)) for same in ends.values()], note=False)[0]
        return check_against_state(self._fold.events[event_id], EventsOf(state, self._fold.events))

    def _current(self, ends: Iterable[EventId], *, note: bool) -> Grouped:
        """Merge the states after some ends."""
        states = {}
        for event_id in sorted(ends):
            state = self._fold.states.get(event_id)
            if state is None:
                group = self._result._after[event_id]
                rebuilt = self._result._state(group)
                assert rebuilt is not None  # it has a group
                if isinstance(rebuilt, PartialState):
                    state = PartialState(RoomState(rebuilt.known), rebuilt.unknown), group
                else:
                    state = RoomState(rebuilt), group
                self._fold.states[event_id] = state
            states[event_id] = state
        return self._fold.merge(None, states, note=note)
