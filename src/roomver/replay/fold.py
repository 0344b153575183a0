"""The fold: go through the events in order and compute the verdicts and the states of each.

How it works:

* *Order.* Parents come before children: previous events, auth events, and the events of a given state.
  Events on a cycle are rejected first and left out. Input order is kept if it is already topological.
* *State before an event.* It is the merge of the states after the previous events. States are `RoomState`s,
  which share structure, so that equal entries of two branches are not compared. A state leaves memory when
  the last event that follows it has been folded; `Replay` can rebuild it, because every state also has a
  number, its *group*, under which its changes from another group are kept.
* *Merge.* States that do not agree are split and resolved by `resolve_split`, against the room's `RoomGraph`,
  which grows with the fold. Events that follow the same branches have the same merge: the last few are kept.
* *Verdicts.* An event is checked against its auth events first, and against the state before it if those
  allow it. What is unknown leaves it undecided: a missing or undecided auth event, an unknown state, or an
  unknown key of the state. Outliers are the exception (`Fold._judge`). An undecided event is never accepted.
* *Unknown states.* If a previous event is missing, the state before an event is unknown (a *gap*), and so are
  the states after it, up to the next given state.
* *States known in part* (`PartialState`). A given state may be one. After an undecided state event, its key
  is unknown. A merge is decided only if more knowledge could not change it (`resolve`). If it is not decided,
  the entries on which all states agree are known after it, because the merged state has these in any case.
* *More knowledge* decides more, and reverses nothing: every rule above makes an answer unknown if an unknown
  value could change it.
* *Resets.* At each merge, a key was reset if the merged state has a value that one side had already
  replaced. `replaced` has what each accepted state event replaced.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, cast

from ..auth import check_against_state, check_auth
from ..errors import MissingEvents, UnknownState
from ..event import Event
from ..power import CREATE
from ..resolution import KnownEvents, Problem, RoomState, Split, resolve_split, split_states
from ..selection import select_auth_types
from ..state import (
    EventsOf,
    PartialState,
    Unknown,
    changed_entries,
    entries_of,
    known_in_part,
    unknown_of,
)
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .order import find_missing, find_order, find_outliers
from .result import Decisions, Grouped, Merge, Outcome, Replay, Reset, Status

# How many merges are kept for other events that follow the same branches.
_MERGES_KEPT: Final = 16
# How many reasons a state known in part has. With one more, everything that it does not have is unknown.
_REASONS_KEPT: Final = 16


@dataclass(slots=True)
class Merged:
    """A merge of states, kept for other events that follow the same branches."""

    split: Split | None
    """None if the merge is undecided."""
    count: int
    resolved: dict[StateKey, EventId | None]
    after: Grouped
    parents: frozenset[EventId] = frozenset()
    resets: list[Reset] = field(default_factory=list)


class Fold:
    """The fold: what is needed while it runs, but not afterwards."""

    def __init__(
        self,
        result: Replay,
        given: Mapping[EventId, StateMap[EventId]],
        current: StateMap[EventId] | None,
        *,
        accepted: Iterable[EventId] = (),
        algorithm: StateResolution | None = None,
        decisions: Decisions | None = None,
    ) -> None:
        self.result = result
        self.events: Mapping[EventId, Event] = result.events
        self.given = result._given = given
        self.current = result._given_current = current
        self.skip_rejected = result._skip_rejected
        self.algorithm = result._algorithm = algorithm
        self.decisions = decisions
        self.rejected: set[EventId] = set()
        self.undecided: set[EventId] = set()
        # Each accepted state event to the event that it replaced.
        self.replaced: dict[EventId, EventId | None] = {}
        self.places: dict[EventId, int] = {}
        # The last merges, by the groups of the states that were merged.
        self.merged: OrderedDict[tuple[int, ...], Merged] = OrderedDict()
        # Event ID to the state after it and its group, while a later event still needs it.
        self.states: dict[EventId, Grouped] = {}
        self.followers: dict[EventId, int] = {}
        vouched = frozenset(event_id for event_id in accepted if event_id in self.events)
        self.more_outliers = vouched - given.keys()
        self.outliers = result.outliers = find_outliers(self.events, given, current, self.more_outliers)
        # The events that count as accepted where nothing decides.
        self.vouched = self.outliers | vouched
        result._groups.append((-1, ()))
        self.nothing: Grouped = (RoomState(), 0)

    def run(self, progress: Callable[[int], None] | None) -> None:
        """Fold every event, parents first."""
        self.result.missing = find_missing(self.events)
        order, cyclic = find_order(self.events, self.given)
        for event_id in cyclic:
            self.rejected.add(event_id)
            self.result.outcomes[event_id] = Outcome(event_id, Status.CYCLIC)
        self.result.order = order
        self.places = {event_id: place for place, event_id in enumerate(order)}
        for event_id in order:
            for parent in set(self.events[event_id].prev_event_ids):
                self.followers[parent] = self.followers.get(parent, 0) + 1
        for number, event_id in enumerate(order):
            self._fold(self.events[event_id])
            if progress is not None and not number % 256:
                progress(number)

    def _fold(self, event: Event) -> None:
        event_id = event.event_id
        before = self._state_before(event)
        outcome = self._judge(event, before)
        self.result.outcomes[event_id] = outcome
        if outcome.status is Status.UNDECIDED:
            self.undecided.add(event_id)
        elif not outcome.accepted:
            self.rejected.add(event_id)
        if event.state_key is not None and outcome.status is not Status.UNDECIDED:
            graph = self.result.graph
            parents = event.auth_parents
            if all(parent in graph for parent in parents):
                graph.add(event)
            else:
                # It cites messages or events on a cycle, which no state event can be based on.
                graph.extend({event_id: [parent for parent in parents if parent in graph]})
        if before is None:
            return
        self.result._before[event_id] = before[1]
        after = before
        if event.state_key is not None:
            key = (event.type, event.state_key)
            if outcome.accepted:
                state = before[0]
                # What it replaced may be unknown. Then no reset is seen here.
                if type(state) is RoomState or not unknown_of(state) or key in entries_of(state):
                    self.replaced[event_id] = entries_of(state).get(key)
                after = self._changed(before, {key: event_id})
            elif outcome.status is Status.UNDECIDED:
                after = self._forgetting(before, key, event_id)
        self.result._after[event_id] = after[1]
        self.states[event_id] = after

    def _changed(self, state: Grouped, changes: Mapping[StateKey, EventId | None]) -> Grouped:
        """Return a state with some entries changed, and keep it as a group."""
        return self._kept(state[0].changed(changes), state[1], changes)

    def _kept(
        self, state: StateMap[EventId], base: int, changes: Mapping[StateKey, EventId | None]
    ) -> Grouped:
        """Keep a state as a group: by its changes from another group, and by what is unknown in it."""
        groups = self.result._groups
        groups.append((base, tuple(changes.items())))
        group = len(groups) - 1
        unknown = unknown_of(state)
        if unknown:
            self.result._unknown[group] = unknown
        return cast(Grouped, (state, group))

    def _forgetting(self, before: Grouped, key: StateKey, event_id: EventId) -> Grouped:
        """Return the state after an undecided state event: its key is unknown, everything else as before."""
        state, group = before
        unknown = (
            *unknown_of(state),
            Unknown("an event is undecided", keys=frozenset([key]), event_id=event_id),
        )
        if len(unknown) > _REASONS_KEPT:
            unknown = (Unknown.everything("several events are undecided", event_id),)
        changes: dict[StateKey, EventId | None] = {key: None}
        return self._kept(known_in_part(changed_entries(entries_of(state), changes), unknown), group, changes)

    def _state_before(self, event: Event) -> Grouped | None:
        """Return the state before an event, resolved over its previous events; None if it is unknown."""
        event_id = event.event_id
        states: dict[EventId, Grouped] = {}
        missing = []
        for parent in dict.fromkeys(event.prev_event_ids):
            state = self.states.get(parent)
            if state is None:
                missing.append(parent)
            else:
                states[parent] = state
            self.followers[parent] -= 1
            if not self.followers[parent]:
                self.states.pop(parent, None)  # no event needs it any more
        given = self.given.get(event_id)
        if given is not None:
            entries = entries_of(given)
            # The same object may be given before two events: their unknown entries may still differ.
            unknown = [replace(one, event_id=event_id) for one in unknown_of(given)]
            return self._kept(known_in_part(RoomState(entries), unknown), -1, {**entries})
        if missing:
            self.result.gaps[event_id] = tuple(missing)
            return None
        try:
            return self.merge(event_id, states)
        except MissingEvents as error:  # a given state holds an undecided event
            self.result.gaps[event_id] = error.event_ids
            return None

    def merge(
        self,
        event_id: EventId | None,
        states: Mapping[EventId, Grouped],
        *,
        note: bool = True,
    ) -> Grouped:
        """Merge the states after some events.

        Args:
            event_id: the event before which they are merged; None for the forward extremities.
            states: the events, each with the state after it.
            note: record the merge and its resets in the result if the states do not agree.
        """
        distinct = list({state[1]: state for state in states.values()}.values())
        if not distinct:
            return self.nothing
        first = distinct[0]
        if len(distinct) == 1:
            return first
        # Many events may follow the same branches: their states are merged once.
        groups = tuple(sorted(group for _, group in distinct))
        merged = self.merged.get(groups)
        if merged is None:
            merged = self.merged[groups] = self._merged(event_id, distinct)
            if len(self.merged) > _MERGES_KEPT:
                self.merged.popitem(last=False)
        if note and merged.split is not None and merged.split.conflicted:
            self.result.merges.append(
                Merge(event_id, tuple(states), merged.split.conflicted, merged.resolved)
            )
            if merged.parents != states.keys():
                merged.parents = frozenset(states)
                merged.resets = self._resets_at(merged, states)
            self.result._resets += [reset._replace(merge=event_id) for reset in merged.resets]
        return merged.after

    def _merged(self, event_id: EventId | None, distinct: list[Grouped]) -> Merged:
        states = [state for state, _ in distinct]
        first = distinct[0]
        try:
            split = split_states(states)
            resolved = self._resolved(split, len(distinct), self.algorithm)
        except UnknownState:
            split = split_states([entries_of(state) for state in states])
            lost: dict[StateKey, EventId | None] = dict.fromkeys(split.conflicted)
            agreed = changed_entries(entries_of(first[0]), lost)
            unknown = Unknown.everything("branches that are known in part met", event_id)
            return Merged(
                None, len(distinct), {}, self._kept(PartialState(agreed, [unknown]), first[1], lost)
            )
        after = first
        if split.conflicted:
            after = self._changed(first, {k: v for k, v in resolved.items() if first[0].get(k) != v})
        return Merged(split, len(distinct), resolved, after)

    def _resolved(
        self, split: Split, count: int, algorithm: StateResolution | None
    ) -> dict[StateKey, EventId | None]:
        """Resolve states; return the resolved event, or None, of each key that is conflicted or new."""
        problem = Problem(
            split=split,
            states=count,
            known=KnownEvents(self.events, ignore_missing=False),
            algorithm=algorithm,
            graph=self.result.graph,
            rejected=self.rejected,
            skip_rejected=self.skip_rejected,
        )
        steps = resolve_split(problem)
        try:
            wanted = next(steps)
            raise MissingEvents(wanted)
        except StopIteration as done:
            return {**dict.fromkeys(split.conflicted), **done.value}

    def _resets_at(self, merged: Merged, states: Mapping[EventId, Grouped]) -> list[Reset]:
        """Return the keys that went back to an older value at a merge."""
        assert merged.split is not None
        conflicted, resolved = merged.split.conflicted, merged.resolved
        lost = [
            (key, event_id)
            for key, masks in conflicted.items()
            for event_id in masks
            if self._went_back(key, event_id, resolved[key], states)
        ]
        again: Mapping[StateKey, EventId | None] | None = None
        if lost:
            # A given state may hold an undecided event that version 1's algorithm did not ask for.
            with suppress(MissingEvents, UnknownState):
                again = self._resolved(merged.split, merged.count, StateResolution.V2_1)
        return [
            Reset(None, key, event_id, resolved[key], None if again is None else again[key] == event_id)
            for key, event_id in lost
        ]

    def _went_back(
        self,
        key: StateKey,
        event_id: EventId,
        value: EventId | None,
        states: Mapping[EventId, Grouped],
    ) -> bool:
        """Tell whether a branch had this value for a key before it had this event."""
        if value == event_id or event_id not in self.replaced:
            return False
        if value is None:
            return True  # at first, no key had an event
        # The event that an event replaced was there before it, on every branch that has the event.
        seen = {event_id}
        current = self.replaced[event_id]
        while current is not None and current != value and current not in seen:
            seen.add(current)
            current = self.replaced.get(current)
        if current == value:
            return True
        # A merge may have replaced the value. The value was in the state right after its own event, which was
        # accepted. So go back from the parents that have the event, and look for the value.
        place = self.places.get(value, 0)
        todo = [parent for parent, (state, _) in states.items() if state.get(key) == event_id]
        reached = set(todo)
        while todo:
            one = todo.pop()
            given = self.given.get(one)
            if given is not None:
                if entries_of(given).get(key) == value:
                    return True
                continue  # a given state stands for everything before it
            for parent in self.events[one].prev_event_ids:
                if parent == value:
                    return True
                if parent not in reached and self.places.get(parent, -1) > place:
                    reached.add(parent)
                    todo.append(parent)
        return False

    def _judge(self, event: Event, before: Grouped | None) -> Outcome:
        outcome = self._checked(event, before)
        if self.decisions is None:
            return outcome
        outcome.ours = outcome.status
        rejected = event.event_id in self.decisions.rejected
        outcome.status = Status.REJECTED_AS_RECORDED if rejected else Status.ACCEPTED
        return outcome

    def _checked(self, event: Event, before: Grouped | None) -> Outcome:
        """Check an event against its auth events and the state before it.

        A server that gives a state has accepted the events of that state and of its auth chain. So such an
        event counts as accepted where the state before it cannot tell, if its auth events allow it.
        """
        event_id = event.event_id
        # An undecided auth event has not been accepted, and may still be rejected.
        undecided = [parent for parent in event.auth_event_ids if parent in self.undecided]
        try:
            if undecided:
                raise MissingEvents(undecided)
            by_auth_events = check_auth(event, None, self.events, rejected=self.rejected)
        except MissingEvents as error:
            return Outcome(event_id, Status.UNDECIDED, missing=error.event_ids)
        if not by_auth_events.allowed:
            return Outcome(event_id, Status.REJECTED_BY_AUTH_EVENTS, by_auth_events)
        status = Status.ACCEPTED if event_id in self.vouched else Status.UNDECIDED
        if before is None:
            return Outcome(event_id, status, by_auth_events)
        try:
            by_state = check_against_state(event, EventsOf(before[0], self.events))
        except UnknownState as error:
            keys = self._unknown_keys(event, before[0])
            return Outcome(event_id, status, by_auth_events, unknown=keys, why_unknown=error.reason)
        status = Status.ACCEPTED if by_state.allowed else Status.REJECTED_BY_STATE
        return Outcome(event_id, status, by_auth_events, by_state)

    @staticmethod
    def _unknown_keys(event: Event, state: StateMap[EventId]) -> tuple[StateKey, ...]:
        """Return the unknown keys among those that the check of an event may read, sorted."""
        keys = sorted({CREATE, *select_auth_types(event)})
        return tuple(key for key in keys if isinstance(state, PartialState) and state.why_unknown(key))
