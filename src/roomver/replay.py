"""Replay: fold the events of a room, in the order of its graph, into verdicts and states.

For each event: the state before it, resolved over its previous events; its verdict against its own auth
events and against that state; the state after it. At the end the forward extremities and the current
state. What a server does as events arrive is done here for a room that is all there, or as much of it
as there is: where previous events are missing, the replay says so, and takes a state that is given.

Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from .auth import check_against_state, check_auth
from .errors import CyclicGraph, MissingEvents, WrongRoom
from .event import Event
from .graph import in_order
from .resolution import (
    Known,
    Problem,
    Resolution,
    RoomGraph,
    RoomState,
    Split,
    resolve,
    resolve_split,
    split_states,
)
from .resolution.room_graph import auth_parents
from .rules import Verdict
from .types import EventId, StateKey, StateMap
from .versions import ROOM_VERSIONS, StateResolution


class Status(Enum):
    """What became of an event."""

    ACCEPTED = "accepted"
    REJECTED_BY_AUTH_EVENTS = "rejected by its auth events"
    REJECTED_BY_STATE = "rejected by the state before it"
    UNDECIDED = "undecided: auth events are missing"
    CYCLIC = "rejected: it cites itself, by way of others or not"


@dataclass(slots=True)
class Outcome:
    """What became of one event, and why.

    Attributes:
        event_id: the event.
        status: what became of it.
        by_auth_events: the verdict against its own auth events; None if it could not be asked.
        by_state: the verdict against the state before it; None if that state is not known, or the
            event did not come so far.
        missing: the auth events without which it is undecided: they are not here, or undecided in turn.
    """

    event_id: EventId
    status: Status
    by_auth_events: Verdict | None = None
    by_state: Verdict | None = None
    missing: tuple[EventId, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.status is Status.ACCEPTED

    @property
    def deciding(self) -> Verdict | None:
        """The verdict that decided: the last one that was asked for."""
        return self.by_auth_events if self.by_state is None else self.by_state


@dataclass(slots=True)
class Merge:
    """A place where states met that did not agree.

    Attributes:
        event_id: the event before which they were resolved; None for the forward extremities.
        parents: the events after which the states were.
        conflicted: each key in conflict, with its events and the states they are in.
        resolved: what each key in conflict resolved to, and each that is new; None for nothing.
    """

    event_id: EventId | None
    parents: tuple[EventId, ...]
    conflicted: Mapping[StateKey, Mapping[EventId, int]]
    resolved: Mapping[StateKey, EventId | None]


class Reset(NamedTuple):
    """A key that went back at a merge to an older value, which one side had already replaced.

    Attributes:
        merge: the event before which the states were merged; None for the forward extremities.
        key: the key.
        lost: the newer event, which is not in the merged state.
        restored: the older event that is; None if the key has none at all.
        kept_by_v2_1: whether the algorithm of room version 12 would have kept the newer event; None if
            it would need what is missing.
    """

    merge: EventId | None
    key: StateKey
    lost: EventId
    restored: EventId | None
    kept_by_v2_1: bool | None


class _EventsOf(Mapping[StateKey, Event]):
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


_Grouped = tuple[RoomState, int]
"""A state, with the number under which it is kept."""

_Delta = tuple[tuple[StateKey, EventId | None], ...]


class Replay:
    """A room, replayed. Made by `replay`.

    Attributes:
        events: all events by ID.
        order: their IDs, parents before children; what is on a cycle is left out. If the events
            came in such an order, it is theirs.
        outcomes: ID to what became of the event.
        merges: where states met that did not agree, in order.
        missing: events that others cite and that are not here, each with those that cite it.
        gaps: events before which the state is not known, each with its previous events that are not here,
            or after which the state is not known either. `lacking` says what it comes down to.
        outliers: events of given states, and of their auth chains. They lie before the event that a
            state was given for, though nothing here may say so.
        forward_extremities: accepted events that no accepted event follows, sorted, without outliers and
            those that are soft-failed.
        soft_failed: events at the end of a branch that are refused by the current state they come upon
            in the order, each with the verdict; of a branch that is refused for long the last 16. None
            where the branches that are open have more than 64 different states.
        current_state: the state resolved over the forward extremities, or the one that was given; None if
            it is not known at one of them, or if it is not known whether an event is one: what is
            missing may follow it.
    """

    def __init__(self, events: Mapping[EventId, Event], *, skip_rejected: bool = False) -> None:
        self.events = events
        self._skip_rejected = skip_rejected
        self.order: list[EventId] = []
        self.outcomes: dict[EventId, Outcome] = {}
        self.merges: list[Merge] = []
        self.missing: dict[EventId, tuple[EventId, ...]] = {}
        self.gaps: dict[EventId, tuple[EventId, ...]] = {}
        self.outliers: frozenset[EventId] = frozenset()
        self.forward_extremities: tuple[EventId, ...] = ()
        self.soft_failed: dict[EventId, Verdict] = {}
        self.current_state: dict[StateKey, EventId] | None = {}
        self.graph = RoomGraph()
        # States are kept as what changed from another: group to (the other group, its changes).
        self._groups: list[tuple[int, _Delta]] = []
        self._before: dict[EventId, int] = {}
        self._after: dict[EventId, int] = {}
        self._resets: list[Reset] = []
        self._given: Mapping[EventId, StateMap[EventId]] = {}
        self._given_current: StateMap[EventId] | None = None
        # The events for lack of which, of whose state or of a verdict on which, it is not known.
        self._unclear_ends: tuple[EventId, ...] = ()

    def __repr__(self) -> str:
        return f"<Replay of {len(self.events)} events, {len(self.rejected)} of them not accepted>"

    @property
    def rejected(self) -> set[EventId]:
        """The IDs of all events that are not accepted."""
        return {event_id for event_id, outcome in self.outcomes.items() if not outcome.accepted}

    @property
    def current_is_given(self) -> bool:
        """The current state was given, and is not resolved over the forward extremities."""
        return self._given_current is not None

    def state_before(self, event_id: EventId) -> dict[StateKey, EventId] | None:
        """Return the room state before an event; None if it is not known.

        Raises:
            MissingEvents: if there is no such event in the room.
        """
        return self._state(self._before.get(self._here(event_id)))

    def state_after(self, event_id: EventId) -> dict[StateKey, EventId] | None:
        """Return the room state after an event; None if it is not known.

        Raises:
            MissingEvents: if there is no such event in the room.
        """
        return self._state(self._after.get(self._here(event_id)))

    def _here(self, event_id: EventId) -> EventId:
        if event_id not in self.events:
            raise MissingEvents([event_id])
        return event_id

    def lacking(self, *event_ids: EventId | None) -> list[EventId]:
        """Return what it comes down to that events are undecided, or the state before them not known.

        Args:
            event_ids: of events in the room; None stands for its current state.

        Returns:
            The IDs, sorted, of events that are not here, which `missing` has with those that cite them,
            and of events that are here and lie on a cycle. None if everything is known.

        Raises:
            MissingEvents: if there is no such event in the room.

        Cost: linear in the events that are not known for the same lack.
        """
        found: set[EventId] = set()
        todo: list[EventId] = []
        for event_id in event_ids:
            todo += self._unclear_ends if event_id is None else [self._here(event_id)]
        seen = set(todo)
        while todo:
            event_id = todo.pop()
            outcome = self.outcomes.get(event_id)
            if outcome is None or outcome.status is Status.CYCLIC:
                found.add(event_id)
                continue
            for lack in (*outcome.missing, *self.gaps.get(event_id, ())):
                if lack not in seen:
                    seen.add(lack)
                    todo.append(lack)
        return sorted(found)

    def _state(self, group: int | None) -> dict[StateKey, EventId] | None:
        if group is None:
            return None
        deltas = []
        while group >= 0:
            group, delta = self._groups[group]
            deltas.append(delta)
        state: dict[StateKey, EventId] = {}
        for delta in reversed(deltas):
            for key, event_id in delta:
                if event_id is None:
                    state.pop(key, None)
                else:
                    state[key] = event_id
        return state

    def resolution_at(
        self, event_id: EventId | None, *, algorithm: StateResolution | None = None
    ) -> Resolution:
        """Resolve again, with its steps, the states before an event, or for None over the forward
        extremities; a state that was given is resolved alone.

        Raises:
            MissingEvents: naming what is missing for a state after one of the previous events, or that
                there is no such event in the room.
        """
        if event_id is None:
            if self.current_state is None:
                raise MissingEvents(self.lacking(None))
            if self._given_current is not None:
                return self._resolve([self._given_current], algorithm, trace=True)
            parents = self.forward_extremities
        elif event_id in self._given:
            return self._resolve([self._given[event_id]], algorithm, trace=True)
        else:
            parents = self.events[self._here(event_id)].prev_event_ids
        return self._resolve_after(parents, algorithm, trace=True)

    def _resolve_after(
        self, parents: Iterable[EventId], algorithm: StateResolution | None, *, trace: bool
    ) -> Resolution:
        states = []
        unknown: set[EventId] = set()
        for parent in dict.fromkeys(parents):
            state = self._state(self._after.get(parent))
            if state is not None:
                states.append(state)
            elif parent in self.events:
                unknown.update(self.lacking(parent))
            else:
                unknown.add(parent)
        if unknown:
            raise MissingEvents(unknown)
        return self._resolve(states, algorithm, trace=trace)

    def _resolve(
        self, states: Sequence[StateMap[EventId]], algorithm: StateResolution | None, *, trace: bool
    ) -> Resolution:
        return resolve(
            states,
            self.events,
            graph=self.graph,
            rejected=self.rejected,
            skip_rejected=self._skip_rejected,
            algorithm=algorithm,
            trace=trace,
        )

    def resets(self) -> list[Reset]:
        """Return every place where a key went back to an older value that one side had already replaced:
        by an event, or by a merge.

        Not each is a fault: a change is undone, too, where its sender was banned on another branch. The
        algorithm of version 12 is run on the same states, and says whether it would have kept it.
        """
        return list(self._resets)


def replay(
    events: Iterable[Event],
    *,
    given: Mapping[EventId, StateMap[EventId]] | None = None,
    current: StateMap[EventId] | None = None,
    skip_rejected: bool = False,
    soft_failure: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Replay:
    """Replay the events of one room.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu,
    checks 4 to 6. Format, signatures and hashes (checks 1 to 3) are taken as done.

    Args:
        events: in any order. Of those with the same ID the first counts.
        given: states before events, for such as follow events that are not here. It has the last word.
        current: the current state of the room, where it is known from elsewhere.
        skip_rejected: see `resolve`.
        soft_failure: check ends of branches against the current state that they come upon (check 6).
            What that is depends on the order in which events came: without it, nothing does.
        progress: called now and then with the number of events done.

    Raises:
        MissingEvents: naming events of a given state that are not among the events.
        WrongRoom: if the events are not all of one room and room version, or the create event makes a
            room of another version.

    Cost: per event two checks and small changes to a shared state; per merge what differs.
    """
    by_id: dict[EventId, Event] = {}
    for event in events:
        by_id.setdefault(event.event_id, event)
    _check_one_room(by_id)
    states = [*(given or {}).values(), *([] if current is None else [current])]
    missing = {e for state in states for e in state.values() if e not in by_id}
    if missing:
        raise MissingEvents(missing)
    fold = _Fold(Replay(by_id, skip_rejected=skip_rejected), given or {}, current, skip_rejected)
    fold.run(progress)
    fold.finish(soft_failure=soft_failure)
    return fold.result


def _check_one_room(events: Mapping[EventId, Event]) -> None:
    rooms: dict[tuple[str, str], EventId] = {}
    for event_id, event in events.items():
        rooms.setdefault((event.room_id, event.room_version.identifier), event_id)
        if event.type == "m.room.create" and event.state_key == "":
            named = event.content.get("room_version", "1")
            if named != event.room_version.identifier and type(named) is str and named in ROOM_VERSIONS:
                raise WrongRoom(
                    f"{event_id} makes a room of version {named}, and is read as of {event.room_version}"
                )
    if len(rooms) > 1:
        listed = ", ".join(f"{event_id} of {room} (version {v})" for (room, v), event_id in rooms.items())
        raise WrongRoom(f"events of more than one room: {listed}")


# What a hostile room could make endless; an honest one comes nowhere near.
_ROUNDS = 16
_WALKS = 64
_STATES = 64
_MERGES_KEPT = 16


@dataclass(slots=True)
class _Merged:
    """A merge of states, for other events that follow the same."""

    split: Split
    count: int
    resolved: dict[StateKey, EventId | None]
    after: _Grouped
    parents: frozenset[EventId] = frozenset()
    resets: list[Reset] = field(default_factory=list)


class _Fold:
    """The fold itself: what is needed on the way, and not afterwards."""

    def __init__(
        self,
        result: Replay,
        given: Mapping[EventId, StateMap[EventId]],
        current: StateMap[EventId] | None,
        skip_rejected: bool,
    ) -> None:
        self.result = result
        self.events = result.events
        self.given = result._given = given
        self.current = result._given_current = current
        self.skip_rejected = skip_rejected
        self.rejected: set[EventId] = set()
        self.undecided: set[EventId] = set()
        # For each accepted state event, what it replaced.
        self.replaced: dict[EventId, EventId | None] = {}
        self.places: dict[EventId, int] = {}
        # The last merges, by the groups of the states that met.
        self.merged: OrderedDict[tuple[int, ...], _Merged] = OrderedDict()
        # The state after each event that has followers still to come, with its group.
        self.states: dict[EventId, _Grouped] = {}
        self.followers: dict[EventId, int] = {}
        self.outliers = result.outliers = self._outliers(given, current)
        self.unclear: set[EventId] = set()
        result._groups.append((-1, ()))
        self.nothing = (RoomState(), 0)

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
            after = self._changed(before, {key: event_id})
        self.result._after[event_id] = after[1]
        self.states[event_id] = after

    def _changed(self, state: _Grouped, changes: Mapping[StateKey, EventId | None]) -> _Grouped:
        groups = self.result._groups
        groups.append((state[1], tuple(changes.items())))
        return state[0].changed(changes), len(groups) - 1

    def _state_before(self, event: Event) -> _Grouped | None:
        """The state before an event, resolved over its previous events; None if it is not known."""
        event_id = event.event_id
        states: dict[EventId, _Grouped] = {}
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
            return self._merged(event_id, states)
        except MissingEvents as error:  # a given state holds what is undecided
            self.result.gaps[event_id] = error.event_ids
            return None

    def _merged(
        self,
        event_id: EventId | None,
        states: Mapping[EventId, _Grouped],
        *,
        note: bool = True,
    ) -> _Grouped:
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
                after = self._changed(first, {k: v for k, v in resolved.items() if first[0].get(k) != v})
            known = self.merged[groups] = _Merged(split, len(distinct), resolved, after)
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

    def _resets_at(self, merged: _Merged, states: Mapping[EventId, _Grouped]) -> list[Reset]:
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
        states: Mapping[EventId, _Grouped],
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

    def _judge(self, event: Event, before: _Grouped | None) -> Outcome:
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
        by_state = check_against_state(event, _EventsOf(before[0], self.events))
        status = Status.ACCEPTED if by_state.allowed else Status.REJECTED_BY_STATE
        return Outcome(event_id, status, by_auth_events, by_state)

    def finish(self, *, soft_failure: bool) -> None:
        """Find the forward extremities and the current state, and the ends that are soft-failed."""
        checked: set[EventId] = set()
        ends = self._ends(checked)
        # An end that is soft-failed leaves what it follows as an end, which is then looked at as well.
        # Each round takes one event off every branch; a branch that is refused for longer than this
        # does not come from a server that was told so, and what is left of it stays.
        for _ in range(_ROUNDS if soft_failure else 0):
            if ends <= checked:
                break
            checked |= ends
            ends = self._ends(checked)
        result = self.result
        result.forward_extremities = tuple(sorted(ends))
        if self.current is not None:
            result.current_state = dict(self.current)
            return
        unclear = self.unclear | {end for end in ends if end not in result._after}
        if not ends:
            # Nothing that is accepted: whatever the state was before has not been replaced.
            unclear.update(result.gaps)
        if not unclear:
            unclear = self._what_may_follow(ends)
        if not unclear:
            try:
                result.current_state = self._current(ends, note=True)[0].as_dict()
                return
            except MissingEvents as error:  # a given state holds what is undecided
                unclear.update(error.event_ids)
        result._unclear_ends = tuple(sorted(unclear))
        result.current_state = None

    def _what_may_follow(self, ends: set[EventId]) -> set[EventId]:
        """Return events that are not here, that accepted ones follow, and that may follow an end: it does
        not itself come after them."""
        events, outcomes = self.events, self.result.outcomes
        holes = {
            event_id
            for event_id, citing in self.result.missing.items()
            if any(outcomes[one].accepted and event_id in events[one].prev_event_ids for one in citing)
        }
        if not holes:
            return holes
        for walks, end in enumerate(sorted(ends)):
            # An honest room has few ends. Each costs a walk, and hostile ones are not worth thousands.
            unseen = holes - self._before(end) if walks < _WALKS else holes
            if unseen:
                return unseen
        return set()

    def _before(self, event_id: EventId) -> set[EventId]:
        """Return all that an event comes after, be it here or not: what it follows, cites, and has in the
        state that was given for it, and what these come after."""
        found: set[EventId] = set()
        todo = [event_id]
        while todo:
            one = todo.pop()
            event = self.events.get(one)
            if event is None:
                continue
            for parent in (*event.prev_event_ids, *auth_parents(event), *self.given.get(one, {}).values()):
                if parent not in found:
                    found.add(parent)
                    todo.append(parent)
        return found

    def _ends(self, to_check: set[EventId]) -> set[EventId]:
        """Go through the order once more, keeping the forward extremities as a server does, and return
        them. Events of `to_check` are checked against the current state that they come upon. Undecided
        events that would be among the ends go to `self.unclear`."""
        result = self.result
        ends: set[EventId] = set()
        unclear: set[EventId] = set()
        # The same, by the number of the state after them; None where that is not known.
        by_group: dict[int | None, set[EventId]] = {}
        # What was superseded by way of events that are not accepted: they need not be walked again.
        passed: set[EventId] = set()
        for event_id in result.order:
            status = result.outcomes[event_id].status
            if status is Status.UNDECIDED and event_id not in self.outliers:
                unclear.difference_update(self.events[event_id].prev_event_ids)
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
            if event_id not in self.outliers:
                ends.add(event_id)
                by_group.setdefault(result._after.get(event_id), set()).add(event_id)
        self.unclear = unclear
        return ends

    def _superseded(
        self, event_id: EventId, ends: set[EventId], passed: set[EventId]
    ) -> tuple[set[EventId], set[EventId]]:
        """Return the ends that an event supersedes: those it follows, and those behind events that it
        follows and that are not accepted; and these events, without those that were passed before."""
        superseded: set[EventId] = set()
        through: set[EventId] = set()
        todo = list(self.events[event_id].prev_event_ids)
        while todo:
            parent = todo.pop()
            if parent in ends:
                superseded.add(parent)
                continue
            outcome = self.result.outcomes.get(parent)
            if (
                outcome is not None
                and (not outcome.accepted or parent in self.result.soft_failed)
                and parent not in passed
                and parent not in through
            ):
                through.add(parent)
                todo.extend(self.events[parent].prev_event_ids)
        return superseded, through

    def _against(self, event_id: EventId, ends: Mapping[int | None, set[EventId]]) -> Verdict | None:
        """Judge an event against the current state over some ends; None where that is not known."""
        if None in ends or len(ends) > _STATES:
            return None
        try:
            state = self._current([next(iter(same)) for same in ends.values()], note=False)[0]
        except MissingEvents:  # a given state holds what is undecided
            return None
        return check_against_state(self.events[event_id], _EventsOf(state, self.events))

    def _current(self, ends: Iterable[EventId], *, note: bool) -> _Grouped:
        states = {}
        for event_id in sorted(ends):
            state = self.states.get(event_id)
            if state is None:
                group = self.result._after[event_id]
                state = RoomState(self.result._state(group) or {}), group
                self.states[event_id] = state
            states[event_id] = state
        return self._merged(None, states, note=note)
