"""The ends of a room while it is folded: its forward extremities, soft failure, and its current state.

This module has more than 400 lines: what one event changes of the ends is told in one place.

How it works:

* *Forward extremities.* Each accepted event becomes an end as it arrives, and takes the place of the ends
  that it follows, directly or through events that were not accepted. An event whose prev events do
  not tell the state takes the place of the outliers of its given state too. A soft-failed event does not
  become an end.
* *Soft failure* (check 6). Each accepted event is checked against the current state at its arrival, which is
  the merge of the states after the ends. If that merge is the state before the event too, there is nothing
  more to check. Otherwise see `current_checks`.
* *What is unclear.* The ends are not certain if an undecided event may be an end, or if a missing event may
  be one or follow one (`Holes`). Then no event is checked against the current state. An event that could not
  be checked for this reason is unclear too: it may be soft-failed. An event is still clear if all states that
  may be merged agree with the one before it on what its check reads (`PossibleStates`). An event with a
  given state that takes the place of all ends, and whose prev events are missing, is where the server
  entered the room, if all events before it are outliers, or undecided and followed by it. There was no
  current state before it.
* *Backfilled events* are not checked, and are never ends: the server fetched them from the history of the
  room after it had received later events. So they take no end's place either, and no event takes an end's
  place through one of them. The same holds for outliers that the server names. Where a missing event may be
  a backfilled one, a given state takes no outlier's place, and an end before it may be hidden for good.
  An event whose arrival is unknown may be one, or an end at any time after its place.
* *Bounds.* An event is not checked once the merges for such checks have cost more than the merges before
  events and the size of the room allow. `Replay.unchecked` names it. It is unclear too, and `unchecked` also
  names the later events that cannot be checked because of it.
* *Current state.* It is the merge of the states after the forward extremities. It is unknown if one of these
  states is unknown. If the ends are not certain, it is known in part: the entries on which all states agree
  that may be merged. The events that leave it unknown are kept for `Replay.lacking` (`causes`).
"""

from collections.abc import Collection
from itertools import islice
from typing import Final

from ..errors import UnknownState
from ..event import Event
from ..state import PartialState
from ..types import EventId, StateMap
from .current import agreed_among, resolve_open
from .current_checks import CurrentChecks
from .fold import Fold
from .holes import Holes
from .open_states import OpenStates
from .order import find_absorbed
from .outcome import Outcome, SoftFailure, Status
from .possible import PossibleStates
from .recommended import Recommended
from .states import Grouped, KnownState, plain
from .unclear import causes_of, note_unchecked

# States known in part that are merged at the end at most.
_STATES: Final = 64
# How many events that leave an event unchecked are kept for `Replay.lacking`.
_CAUSES: Final = 16

AFTER_UNCHECKED: Final = "events that were not checked may be in the current state"


class Ends:
    """Follow the ends of a room while it is folded."""

    def __init__(
        self,
        fold: Fold,
        *,
        soft_failure: bool,
        policy_server: bool,
        outliers: Collection[EventId] | None = None,
    ) -> None:
        self._fold = fold
        result = self._result = fold.result
        self._soft_failure = result._soft_failure = soft_failure
        # The events that a server soft-failed. `Replay.soft_failed` has what the rules say about others.
        self._soft_failed = frozenset(() if fold.decisions is None else fold.decisions.soft_failed)
        recommended = Recommended(fold.events, fold.given) if soft_failure and policy_server else None
        self._recommended = recommended or None  # None if no policy server can be in use
        self._ends: set[EventId] = set()
        events = fold.events
        told = [events[one] for one in fold.vouched]
        self._open = OpenStates((one.type, one.state_key) for one in told if one.state_key is not None)
        self._checks = CurrentChecks(fold, self._open, self._recommended)
        # Undecided events that would be ends, rejected events after missing events that would be ends, and
        # ends that could not be checked: something is unknown.
        # Like the next collection, in the order of their arrival: a few of them are kept as causes.
        self._unclear: dict[EventId, None] = {}
        self._possible = PossibleStates()
        # An event that the server has never received is not an end of it.
        received = outliers is not None
        bridging = fold.bridging
        self._holes = Holes(() if received else result.order, fold.events, bridging.states, bridging.answers)
        # Whether more than the states after the ends may decide about any event that arrives.
        self._special = bool(fold.decisions is not None or self._recommended is not None or self._holes)
        # Ends that a missing event may follow.
        self._doubtful: dict[EventId, None] = {}
        # The last of a line of undecided events: the first follows the only end, each other one follows the
        # one before it. Whatever becomes of them, the state after the last is the current state.
        self._line: EventId | None = None
        # Events that are not accepted and were walked through already.
        self._passed: set[EventId] = set()
        # Whether a decided event has arrived that is not an outlier: then the server is in the room. After
        # one of these undecided events it may be in the room.
        self._entered = False
        self._undecided: set[EventId] = set()
        # A current state, and an auth chain without a state, come before no event in particular. So their
        # events may be ends, like all others.
        self._outliers = fold.placed_outliers
        # Outliers that are never ends, and the others by the event that takes their place.
        self._absorbed, self._chained, placed, self._told = find_absorbed(
            fold.events, bridging.states, bridging.answers, self._outliers, fold.places
        )
        # A new set, because one from which much was removed keeps its size.
        self._never: set[EventId] = {*self._outliers.difference(placed, *self._absorbed.values())}
        self._backfilled, self._history = result.backfilled, result.backfilled | result.unplaced
        if outliers is not None:
            self._never, self._absorbed = set(outliers), {}
        elif self._history:
            # A missing event between two events may be a backfilled one, through which no place is taken.
            self._absorbed = {}
        self._never |= self._history
        # Events that take no end's place.
        self._beside = self._history.union(() if outliers is None else outliers)
        # Events that leave the ends unclear whatever follows them. See `Holes.may_hide_ends`.
        self._lasting: dict[EventId, None] = {}
        self._fetched = False  # whether a backfilled event has arrived

    # Arrival

    def arrive(
        self,
        event_id: EventId,
        event: Event,
        outcome: Outcome,
        before: Grouped | None,
        after: Grouped | None,
    ) -> None:
        """Take the next event of the order, with its outcome and the states before and after it."""
        if self._goes_on(event_id, event, outcome, before, after):
            return
        self._arrive(event, outcome, before, after)
        self._open.arrive(event)
        if event_id in self._history:
            self._fetched = True
        elif event_id not in self._outliers:
            if outcome.status is Status.UNDECIDED:
                self._undecided.add(event_id)
            else:
                self._entered = True

    def _goes_on(
        self,
        event_id: EventId,
        event: Event,
        outcome: Outcome,
        before: Grouped | None,
        after: Grouped | None,
    ) -> bool:
        """Take an event that follows the only end, where nothing is open: most events of most rooms.

        Returns:
            Whether it is such an event. If not, nothing has changed, and `_arrive` takes it.
        """
        parents, ends = event.prev_event_ids, self._ends
        if (
            self._special
            or len(ends) != 1
            or len(parents) != 1
            or parents[0] not in ends
            or outcome.status is not Status.ACCEPTED
            or outcome.by_state is None
            or before is None
            or after is None
            or before[1] not in self._open.by_group
            or self._unclear
            or self._doubtful
            or self._lasting
            or event_id in self._fold.followed
            or event_id in self._absorbed
            or event_id in self._never
            or event_id in self._beside
        ):
            return False
        self._checks.allow()
        self._possible.clear()
        ends.clear()
        ends.add(event_id)
        self._open.follow(event, event_id, before[1], after)
        if not self._entered and event_id not in self._outliers:
            self._entered = True
        return True

    def _arrive(  # noqa: PLR0912 - one branch for each kind of arrival
        self, event: Event, outcome: Outcome, before: Grouped | None, after: Grouped | None
    ) -> None:
        result, event_id, status = self._result, event.event_id, outcome.status
        # A missing event that a rejected event follows may be an end, like an undecided event. So may one
        # that a soft-failed event follows, which takes no event's place.
        undecided = (
            status is Status.UNDECIDED
            or event_id in self._fold.followed
            or (event_id in self._soft_failed and self._holes and self._after_a_gap(event))
        )
        counts = undecided or status is Status.ACCEPTED
        if self._holes and counts and self._holes.arrive(event_id):
            # An end in doubt stays in doubt, so it is skipped: the cost is not holes times ends.
            certain = self._ends - self._doubtful.keys()
            self._doubtful |= dict.fromkeys(sorted(filter(self._holes.may_follow, certain)))
        hides = counts and self._holes.may_hide_ends(event, self._beside, self._history)
        if hides or event_id in result.unplaced:
            self._keep_possible(event, before, None if hides else after)
            self._lasting[event_id] = None
        if undecided and event_id not in self._never:
            self._line = event_id if before is not None and self._is_in_line(event) else None
            self._keep_possible(event, before, after)
            for parent in self._parents(event_id):
                self._unclear.pop(parent, None)
            self._unclear[event_id] = None
        if status is not Status.ACCEPTED:
            return
        self._checks.allow()
        if event_id in self._beside:
            result._not_received.add(event_id)
        if event_id in self._soft_failed or event_id in self._beside:
            return
        superseded, through = self._superseded(event_id)
        clear = True
        if event_id in self._never:
            result._not_received.add(event_id)
        elif before is None:
            pass  # it comes with a given state too, which `check_at_arrival` sees by itself
        elif self._soft_failure and not self._is_decided(event_id):
            if not self._ends:
                clear = not self._lasting and self._unclear.keys() <= through
                if not clear:
                    self._note_causes(event_id)
                elif self._after_a_gap(event) or not self._backfilled.isdisjoint(event.prev_event_ids):
                    result._not_received.add(event_id)  # no state was current before
                elif self._unclear:
                    clear = self._check(event, outcome, before)
            elif self._undecided <= through and self._enters_the_room(event, superseded):
                result._not_received.add(event_id)  # likewise
            else:
                clear = self._check(event, outcome, before)
            if event_id in result.soft_failed:
                return
        if not clear:
            self._keep_possible(event, before, after)
        for end in superseded:
            self._remove(end)
        if self._unclear:
            for one in (*through, *superseded):
                self._unclear.pop(one, None)
        self._passed |= through
        if not clear:
            self._unclear[event_id] = None
        if not self._unclear and not self._lasting:
            self._possible.clear()
        if event_id not in self._never:
            self._add(event_id, after)

    def _keep_possible(self, event: Event, before: Grouped | None, after: Grouped | None) -> None:
        """Keep the states after the ends that an unclear event may supersede, and the state after it."""
        self._possible.keep_open(self._open)
        self._possible.keep([after])
        if self._after_a_gap(event):
            # The missing events may be ends. If there is one, the state after it is the one before the event.
            self._possible.keep([before if len(set(event.prev_event_ids)) == 1 else None])

    def _add(self, event_id: EventId, after: Grouped | None) -> None:
        self._ends.add(event_id)
        self._open.add(event_id, after)
        if self._holes and self._holes.may_follow(event_id):
            self._doubtful[event_id] = None

    def _remove(self, end: EventId) -> None:
        self._ends.discard(end)
        self._doubtful.pop(end, None)
        self._open.remove(end, self._result._after.get(end))

    def _parents(self, event_id: EventId) -> Collection[EventId]:
        """Return the prev events of an event, and the outliers that it takes the place of."""
        parents = self._fold.events[event_id].prev_event_ids
        absorbed = self._absorbed.get(event_id)
        if absorbed is None:
            return parents
        # A server that is in the room knows an event that is not after a gap from the room itself. It may be
        # of another branch than the event that cites it.
        chained = self._chained if self._entered else ()
        return (*parents, *(one for one in absorbed if (event_id, one) not in chained))

    def _superseded(self, event_id: EventId) -> tuple[set[EventId], set[EventId]]:
        """Return the ends that an event supersedes, and the events that were walked through to find them.

        An event supersedes the ends that it follows, directly or by way of events that are not accepted or
        soft-failed. Events that were walked through for another event are not walked through again.
        """
        superseded: set[EventId] = set()
        through: set[EventId] = set()
        todo = list(self._parents(event_id))
        soft_failed = self._result.soft_failed
        while todo:
            parent = todo.pop()
            if parent in self._ends:
                superseded.add(parent)
                continue
            outcome = self._result.outcomes.get(parent)
            if (
                outcome is not None
                and (not outcome.accepted or parent in self._soft_failed or parent in soft_failed)
                and parent not in self._passed
                and parent not in through
                and parent not in self._beside
            ):
                through.add(parent)
                todo.extend(self._parents(parent))
        return superseded, through

    # Soft failure

    def _is_decided(self, event_id: EventId) -> bool:
        """Tell whether a server decided about an event."""
        decisions = self._fold.decisions
        return decisions is not None and decisions.made_for(event_id)

    def _check(self, event: Event, outcome: Outcome, before: Grouped) -> bool:
        """Check an accepted event against the current state; return False if that is not known."""
        event_id, groups = event.event_id, self._open.by_group.keys()
        # Merging the same states gives the same state, and the event was checked against it.
        same = outcome.by_state is not None and (
            (len(groups) == 1 and before[1] in groups)
            or (event_id not in self._fold.given and groups == self._merged_before(event))
        )
        unclear = self._unclear or self._doubtful or self._lasting
        if same and not unclear:
            return self._check_policy(event, before[0])
        if outcome.by_state is not None and self._line in event.prev_event_ids and self._is_in_line(event):
            return self._check_policy(event, before[0])
        if unclear or None in groups:
            more = () if self._recommended is None else self._recommended.keys_read(event, before[0])
            if (
                outcome.by_state is not None
                and more is not None
                and self._possible.agree(event, before[0], self._open, more)
            ):
                return self._check_policy(event, before[0])
            self._note_causes(event_id)
            return False
        try:
            checked_before = None if outcome.by_state is None else before[0]
            return self._note(event_id, self._checks.failure(event, checked_before))
        except UnknownState as error:
            self._note_causes(event_id, error)
            return False

    def _enters_the_room(self, event: Event, superseded: set[EventId]) -> bool:
        """Tell whether everything received before an event came with the state given for it."""
        return (
            not self._entered
            and not self._fetched
            and event.event_id in self._fold.bridging.states
            and superseded == self._ends
            and (superseded - self._told).issubset(self._absorbed.get(event.event_id, ()))
            and self._after_a_gap(event)
        )

    def _check_policy(self, event: Event, state: StateMap[EventId]) -> bool:
        """Apply check 7 to an event that the current state allows; return False if the result is unknown."""
        if self._recommended is not None:
            try:
                return self._note(event.event_id, self._recommended.check(event, state))
            except UnknownState as error:
                self._note_causes(event.event_id, error)
                return False
        return True

    def _note(self, event_id: EventId, found: SoftFailure | str | None) -> bool:
        """Keep the result of a check; return False if a bound prevented it."""
        if isinstance(found, str):
            self._result.unchecked[event_id] = found
            return False
        if found is not None:
            self._result.soft_failed[event_id] = found
        return True

    def _is_in_line(self, event: Event) -> bool:
        """Tell whether the current state is the state before an event, whatever is undecided."""
        parents = set(event.prev_event_ids)
        if self._doubtful or self._lasting or len(parents) > 1 or event.event_id in self._fold.given:
            return False
        if self._unclear:
            follows_all = self._superseded(event.event_id)[0] == self._ends
            return follows_all and parents == self._unclear.keys() == {self._line}
        return parents == self._ends

    def _after_a_gap(self, event: Event) -> bool:
        """Tell whether the state before an event would be unknown if it were not given."""
        return any(parent not in self._result._after for parent in event.prev_event_ids)

    def _merged_before(self, event: Event) -> set[int | None]:
        """Return the groups of the states that are merged before an event."""
        after = self._result._after
        return {after.get(parent) for parent in event.prev_event_ids}

    def _note_causes(self, event_id: EventId, error: UnknownState | None = None) -> None:
        """Keep some of the events that leave an event unchecked, and why a state is known in part."""
        unclear = [*islice(self._unclear, _CAUSES), *islice(self._lasting, _CAUSES)]
        if error is None and unclear and all(one in self._result.unchecked for one in unclear):
            self._result.unchecked[event_id] = AFTER_UNCHECKED
            return
        causes = causes_of(self._result, unclear)
        if None in self._open.by_group:
            causes += islice(self._open.by_group[None].ends, _CAUSES)
        causes += sorted(self._holes.following(islice(self._doubtful, 1)))
        # If there are none, a state is known in part.
        note_unchecked(self._result, event_id, causes or islice(self._ends, _STATES), error)

    # The end

    def finish(self) -> None:
        """Store the forward extremities and the current state."""
        result = self._result
        result.forward_extremities = tuple(sorted(self._ends))
        unclear = self._holes.following(self._doubtful)
        unclear.update(causes_of(result, [*self._unclear, *self._lasting]))
        if not self._ends or self._fold.current is not None:
            # No event is accepted, so no event replaced the unknown states before the gaps. And where a
            # current state is given, messages are left out that may follow its events.
            unclear.update(result.gaps)
        if not self._ends:
            # The server is in the room, or it could not have fetched the history: it had ends.
            unclear.update(one for one in self._backfilled if one in result.outcomes)
        result._unclear_extremities = tuple(sorted(unclear))
        if self._fold.current is not None:
            if unclear:
                # Nothing tells which of its events are ends.
                result.forward_extremities = tuple(sorted(self._ends - self._fold.outliers))
            result.current_state = plain(self._fold.current)
            return
        if None in self._open.by_group:
            unclear.update(self._open.by_group[None].ends)
        if not unclear:
            state = result.current_state = resolve_open(self._fold, self._open.by_group, most=_STATES)
            if isinstance(state, PartialState):
                result._unclear_ends = tuple(sorted({one.event_id for one in state.unknown if one.event_id}))
            return
        result._unclear_ends = tuple(sorted(unclear))
        result.current_state = self._agreed_at_the_end()

    def _agreed_at_the_end(self) -> KnownState | None:
        """Return the entries of the current state that do not depend on which events are ends."""
        if not self._ends:
            return None
        return agreed_among(self._possible.shared(self._open))
