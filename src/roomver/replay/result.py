"""What a replay gives: what became of each event, the states, and the places where branches met."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from ..errors import MissingEvents
from ..event import Event
from ..resolution import Resolution, RoomGraph, RoomState, resolve
from ..rules import Verdict
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution


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


Grouped = tuple[RoomState, int]
"""A state, with the number under which it is kept."""

Delta = tuple[tuple[StateKey, EventId | None], ...]


class Replay:
    """A room, replayed. Made by `replay_room`.

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
            in the order, each with the verdict; of a branch that is refused for long the last 16. Where
            more than 64 different states are open, nothing is judged so.
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
        self.graph: RoomGraph = RoomGraph()
        # States are kept as what changed from another: group to (the other group, its changes).
        self._groups: list[tuple[int, Delta]] = []
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
            and of events that are here and lie on a cycle. Empty if everything is known.

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
        return resolve(
            list(self.states_met(event_id).values()),
            self.events,
            graph=self.graph,
            rejected=self.rejected,
            skip_rejected=self._skip_rejected,
            algorithm=algorithm,
            trace=True,
        )

    def states_met(self, event_id: EventId | None) -> dict[EventId | None, dict[StateKey, EventId]]:
        """Return the states that meet before an event, or for None at the forward extremities, each by the
        event that it is the state after. A state that was given stands there alone, under None.

        Raises:
            MissingEvents: naming what is missing for one of them, or that there is no such event in the
                room.
        """
        if event_id is None:
            if self.current_state is None:
                raise MissingEvents(self.lacking(None))
            given, parents = self._given_current, self.forward_extremities
        else:
            given, parents = self._given.get(event_id), self.events[self._here(event_id)].prev_event_ids
        if given is not None:
            return {None: dict(given)}
        states: dict[EventId | None, dict[StateKey, EventId]] = {}
        unknown = []
        for parent in dict.fromkeys(parents):
            state = self._state(self._after.get(parent))
            if state is None:
                unknown.append(parent)
            else:
                states[parent] = state
        if unknown:
            here = [parent for parent in unknown if parent in self.events]
            raise MissingEvents({*self.lacking(*here), *(p for p in unknown if p not in self.events)})
        return states

    def resets(self) -> list[Reset]:
        """Return every place where a key went back to an older value that one side had already replaced:
        by an event, or by a merge.

        Not each is a fault: a change is undone, too, where its sender was banned on another branch. The
        algorithm of version 12 is run on the same states, and says whether it would have kept it.
        """
        return list(self._resets)
