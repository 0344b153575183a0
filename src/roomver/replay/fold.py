"""The fold itself: every event in order, its verdicts and the states before and after it."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from ..auth import check_against_state, check_auth
from ..errors import CyclicGraph, MissingEvents
from ..event import Event
from ..graph import in_order
from ..resolution import Known, Problem, RoomState, Split, resolve_split, split_states
from ..resolution.room_graph import auth_parents
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .result import Grouped, Merge, Outcome, Replay, Reset, Status

_MERGES_KEPT: Final = 16  # for other events that follow the same branches


class EventsOf(Mapping[StateKey, Event]):
    """A state of event IDs, seen as one of events."""

    __slots__ = ("_events", "_ids")

    def __init__(self, ids: StateMap[EventId], events: Mapping[EventId, Event]) -> None:
        self._ids = ids
        self._events = events

    def __getitem__(self, key: StateKey) -> Event:
        return self._events[self._ids[key]]

    def get(self, key: StateKey, default: Event | None = None) -> Event | None:  # type: ignore[override]
        event_id = self._ids.get(key)
        return default if event_id is None else self._events[event_id]

    def __iter__(self) -> Iterator[StateKey]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


@dataclass(slots=True)
class Merged:
    """A merge of states, for other events that follow the same."""

    split: Split
    count: int
    resolved: dict[StateKey, EventId | None]
    after: Grouped
    parents: frozenset[EventId] = frozenset()
    resets: list[Reset] = field(default_factory=list)


class Fold:
    """The fold itself: what is needed on the way, and not afterwards."""

    def __init__(
        self,
        result: Replay,
        given: Mapping[EventId, StateMap[EventId]],
        current: StateMap[EventId] | None,
        skip_rejected: bool,
    ) -> None:
        self.result = result
        self.events: Mapping[EventId, Event] = result.events
        self.given = result._given = given
        self.current = result._given_current = current
        self.skip_rejected = skip_rejected
        self.rejected: set[EventId] = set()
        self.undecided: set[EventId] = set()
        # For each accepted state event, what it replaced.
        self.replaced: dict[EventId, EventId | None] = {}
        self.places: dict[EventId, int] = {}
        # The last merges, by the groups of the states that met.
        self.merged: OrderedDict[tuple[int, ...], Merged] = OrderedDict()
        # The state after each event that has followers still to come, with its group.
        self.states: dict[EventId, Grouped] = {}
        self.followers: dict[EventId, int] = {}
        self.outliers: frozenset[EventId] = self._outliers(given, current)
        result.outliers = self.outliers
        result._groups.append((-1, ()))
        self.nothing: Grouped = (RoomState(), 0)

    def run(self, progress: Callable[[int], None] | None) -> None:
        """Fold every event, parents first."""
        self._note_missing()
        order = self._order()
        self.result.order = order
        self.places = {event_id: place for place, event_id in enumerate(order)}
        for event_id in order:
            for parent in set(self.events[event_id].prev_event_ids):
                self.followers[parent] = self.followers.get(parent, 0) + 1
        for number, event_id in enumerate(order):
            self._fold(self.events[event_id])
            if progress is not None and not number % 256:
                progress(number)

    def _outliers(
        self, given: Mapping[EventId, StateMap[EventId]], current: StateMap[EventId] | None
    ) -> frozenset[EventId]:
        found = set() if current is None else set(current.values())
        for event_id, state in given.items():
            found.update(other for other in state.values() if other != event_id)
        todo = list(found)
        while todo:
            for cited in self.events[todo.pop()].auth_event_ids:
                if cited not in found and cited in self.events:
                    found.add(cited)
                    todo.append(cited)
        return frozenset(found)

    def _note_missing(self) -> None:
        events = self.events
        missing: dict[EventId, dict[EventId, None]] = {}
        for event_id, event in events.items():
            for cited in (*auth_parents(event), *event.prev_event_ids):
                if cited not in events:
                    missing.setdefault(cited, {})[event_id] = None
        self.result.missing = {event_id: tuple(citing) for event_id, citing in missing.items()}

    def _order(self) -> list[EventId]:
        events = self.events
        needed = {
            event_id: [
                parent
                for parent in dict.fromkeys((*event.auth_event_ids, *event.prev_event_ids))
                if parent in events
            ]
            for event_id, event in events.items()
        }
        # The events of a given state come before the event that it was given for, unless they cite it.
        if self.given:
            before = {**needed}
            for event_id, state in self.given.items():
                if event_id in needed:
                    before[event_id] = list(dict.fromkeys((*needed[event_id], *state.values())))
            try:
                return self._in_order(before)
            except CyclicGraph:
                pass
        try:
            return self._in_order(needed)
        except CyclicGraph as error:
            # Only where a sender chooses event IDs can there be a cycle: versions 1 and 2.
            for event_id in error.event_ids:
                del needed[event_id]
                self.rejected.add(event_id)
                self.result.outcomes[event_id] = Outcome(event_id, Status.CYCLIC)
            return in_order(
                {e: [parent for parent in parents if parent in needed] for e, parents in needed.items()}
            )

    @staticmethod
    def _in_order(needed: Mapping[EventId, Collection[EventId]]) -> list[EventId]:
        """Return events with what they need before them: as they are, if they are so."""
        seen: set[EventId] = set()
        for event_id, parents in needed.items():
            if not seen.issuperset(parents):
                return in_order(needed)
            seen.add(event_id)
        return list(needed)

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
            parents = auth_parents(event)
            if all(parent in graph for parent in parents):
                graph.add(event)
            else:
                # It cites what no state can rest on: messages, or events on a cycle.
                graph.extend({event_id: [parent for parent in parents if parent in graph]})
        if before is None:
            return
        self.result._before[event_id] = before[1]
        after = before
        if outcome.status is Status.UNDECIDED and event.state_key is not None:
            return  # and so is the state after it
        if outcome.accepted and event.state_key is not None:
            key = (event.type, event.state_key)
            self.replaced[event_id] = before[0].get(key)
            after = self.changed(before, {key: event_id})
        self.result._after[event_id] = after[1]
        self.states[event_id] = after

    def changed(self, state: Grouped, changes: Mapping[StateKey, EventId | None]) -> Grouped:
        groups = self.result._groups
        groups.append((state[1], tuple(changes.items())))
        return state[0].changed(changes), len(groups) - 1

    def _state_before(self, event: Event) -> Grouped | None:
        """The state before an event, resolved over its previous events; None if it is not known."""
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
                self.states.pop(parent, None)  # the last that asked: let the state go
        given = self.given.get(event_id)
        if given is not None:
            groups = self.result._groups
            groups.append((-1, tuple(given.items())))
            return RoomState(given), len(groups) - 1
        if missing:
            self.result.gaps[event_id] = tuple(missing)
            return None
        try:
            return self.merge(event_id, states)
        except MissingEvents as error:  # a given state holds what is undecided
            self.result.gaps[event_id] = error.event_ids
            return None

    def merge(
        self,
        event_id: EventId | None,
        states: Mapping[EventId, Grouped],
        *,
        note: bool = True,
    ) -> Grouped:
        """Resolve the states after some events, and note where they did not agree."""
        distinct = list({state[1]: state for state in states.values()}.values())
        if not distinct:
            return self.nothing
        first = distinct[0]
        if len(distinct) == 1:
            return first
        # Many events may follow the same ones: their states are merged once.
        groups = tuple(sorted(group for _, group in distinct))
        known = self.merged.get(groups)
        if known is None:
            split = split_states([state for state, _ in distinct])
            resolved = self._resolved(split, len(distinct), None)
            after = first
            if split.conflicted:
                after = self.changed(first, {k: v for k, v in resolved.items() if first[0].get(k) != v})
            known = self.merged[groups] = Merged(split, len(distinct), resolved, after)
            if len(self.merged) > _MERGES_KEPT:
                self.merged.popitem(last=False)
        if note and known.split.conflicted:
            self.result.merges.append(Merge(event_id, tuple(states), known.split.conflicted, known.resolved))
            if known.parents != states.keys():
                known.parents = frozenset(states)
                known.resets = self._resets_at(known, states)
            self.result._resets += [reset._replace(merge=event_id) for reset in known.resets]
        return known.after

    def _resolved(
        self, split: Split, count: int, algorithm: StateResolution | None
    ) -> dict[StateKey, EventId | None]:
        """Resolve states, and return what each key in conflict resolved to, and each that is new."""
        problem = Problem(
            split,
            count,
            algorithm,
            self.result.graph,
            None,
            None,
            self.rejected,
            self.skip_rejected,
            Known(self.events, ignore_missing=False),
            None,
        )
        steps = resolve_split(problem)
        try:
            wanted = next(steps)
            raise MissingEvents(wanted)
        except StopIteration as done:
            return {**dict.fromkeys(split.conflicted), **done.value}

    def _resets_at(self, merged: Merged, states: Mapping[EventId, Grouped]) -> list[Reset]:
        """Return the keys that went back at a merge."""
        conflicted, resolved = merged.split.conflicted, merged.resolved
        lost = [
            (key, event_id)
            for key, masks in conflicted.items()
            for event_id in masks
            if self._went_back(key, event_id, resolved[key], states)
        ]
        again: Mapping[StateKey, EventId | None] | None = None
        if lost:
            # A given state may hold what is undecided, and version 1 not have asked for it.
            with suppress(MissingEvents):
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
        """Tell whether a side that has an event for a key had a value before it."""
        if value == event_id or event_id not in self.replaced:
            return False
        if value is None:
            return True  # every key had no event once
        # What an event replaced was there before it, on every side that has the event.
        seen = {event_id}
        current = self.replaced[event_id]
        while current is not None and current != value and current not in seen:
            seen.add(current)
            current = self.replaced.get(current)
        if current == value:
            return True
        # A merge may have replaced it. It was there right after its own event, which is accepted.
        place = self.places.get(value, 0)
        todo = [parent for parent, (state, _) in states.items() if state.get(key) == event_id]
        reached = set(todo)
        while todo:
            one = todo.pop()
            given = self.given.get(one)
            if given is not None:
                if given.get(key) == value:
                    return True
                continue  # of what was before it, this is all that counts
            for parent in self.events[one].prev_event_ids:
                if parent == value:
                    return True
                if parent not in reached and self.places.get(parent, -1) > place:
                    reached.add(parent)
                    todo.append(parent)
        return False

    def _judge(self, event: Event, before: Grouped | None) -> Outcome:
        event_id = event.event_id
        # An auth event on a cycle, or undecided, has not been accepted, whatever it may be.
        undecided = [parent for parent in event.auth_event_ids if parent in self.undecided]
        try:
            if undecided:
                raise MissingEvents(undecided)
            by_auth_events = check_auth(event, None, self.events, rejected=self.rejected)
        except MissingEvents as error:
            return Outcome(event_id, Status.UNDECIDED, missing=error.event_ids)
        if not by_auth_events.allowed:
            return Outcome(event_id, Status.REJECTED_BY_AUTH_EVENTS, by_auth_events)
        if before is None:
            return Outcome(event_id, Status.ACCEPTED, by_auth_events)
        by_state = check_against_state(event, EventsOf(before[0], self.events))
        status = Status.ACCEPTED if by_state.allowed else Status.REJECTED_BY_STATE
        return Outcome(event_id, status, by_auth_events, by_state)
