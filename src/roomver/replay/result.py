"""The result of a replay: the outcome of each event, the states, and the merges of branches."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from ..errors import SHOWN, Lack, MissingEvents, UnknownState, counted
from ..event import Event
from ..resolution import Resolution, RoomGraph, Split, resolve
from ..state import PartialState, Unknown, apply_changes
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .again import Resolved, resolve_again
from .arrival import check_at_arrival, entries_at_arrival, unknown_at_arrival
from .causes import find_causes
from .order import find_missing
from .outcome import CurrentCheck, Decisions, KnownRejected, Outcome, SoftFailure, Status
from .states import Delta, KnownState, plain
from .tables import tables_of
from .values import KeyValues


@dataclass(slots=True)
class Merge:
    """A merge of states that did not agree.

    Attributes:
        event_id: the event before which they were merged; None for the forward extremities.
        parents: the events that the merged states follow.
        keys: the conflicted keys, sorted; at most the first `SHOWN`.
        conflicted: the number of all conflicted keys. `Replay.resolution_at` has what became of each.
    """

    event_id: EventId | None
    parents: tuple[EventId, ...]
    keys: tuple[StateKey, ...]
    conflicted: int

    @classmethod
    def of(cls, event_id: EventId | None, parents: tuple[EventId, ...], split: Split) -> "Merge":
        """Return the merge of split states."""
        conflicted = split.conflicted
        return cls(event_id, parents, tuple(islice(conflicted, SHOWN)), len(conflicted))

    def __reduce__(self) -> tuple[Any, ...]:
        return Merge, tuple(getattr(self, name) for name in self.__slots__)


class Reset(NamedTuple):
    """A state reset: a key went back at a merge to an older event that one branch had already replaced.

    Attributes:
        merge: the event before which the states were merged; None for the forward extremities.
        key: the key.
        lost: the newer event, which is not in the merged state.
        restored: the older event, which is in the merged state; None if the key has no event there.
        kept_by_v2_1: whether room version 12's algorithm would have kept the newer event; None if that
            algorithm needs missing events.
    """

    merge: EventId | None
    key: StateKey
    lost: EventId
    restored: EventId | None
    kept_by_v2_1: bool | None


_UNDECIDED: Final = "undecided events need entries of it that are unknown"
_UNCHECKED: Final = "events may be soft-failed: a bound prevented their checks against the current state"


def _lacking_error(missing: Collection[EventId], why: str = _UNDECIDED) -> MissingEvents | UnknownState:
    """Return the error of a state that is unknown as a whole."""
    return MissingEvents(missing) if missing else UnknownState((), why)


class Replay:
    """A replayed room. Made by `replay_room`.

    Attributes:
        events: event ID to event, for all events.
        order: the event IDs, parents before children, without events on a cycle. Input order is kept if it
            is already topological.
        outcomes: event ID to outcome.
        merges: the merges of states that did not agree, in order.
        gaps: events before which the state is unknown as a whole, each with its prev events that are
            missing or after which the state is unknown. `lacking` traces a gap back to the missing events.
        contradicted: events whose given state differs from the state over their prev events, each with the
            keys that differ, sorted; at most the first `SHOWN`. These are unknown in the state before it.
        outliers: the events of given states, and of their auth chains. If the prev events do not tell that
            state, they come before the event that it is given for. The server that gave the state
            has accepted them, so they count as accepted where the state before them cannot tell.
        backfilled, unplaced: as given to `replay_room`.
        forward_extremities: accepted events that no accepted event follows, sorted. Soft-failed events and
            outliers are left out; outliers of a given current state only if the extremities are uncertain.
            See `extremities_known`.
        soft_failed: accepted events that the current state at their arrival refuses, or that the policy
            server it names has not signed, each with the reason.
            The events that a server decided about are not among them.
        unchecked: accepted events that a bound kept from being checked against the current state, each with
            the reason; also later ones that cannot be checked because of them. Whether these are soft-failed
            is unknown, and so are the forward extremities, until other events follow them.
        unsought: the events before the merges whose resets a bound left out; None for the forward
            extremities.
        current_state: the state resolved over the forward extremities, or the given current state. A
            `PartialState` if it is known in part, also because the extremities are uncertain. None if a state
            after an event that may be one is unknown, or if `too_many_states`.
        too_many_states: there are too many states after the forward extremities to resolve them.
    """

    def __init__(self, events: Mapping[EventId, Event], *, skip_rejected: bool = False) -> None:
        self.events = events
        self._skip_rejected = skip_rejected
        self.order: list[EventId] = []
        self.outcomes: dict[EventId, Outcome] = {}
        self.merges: list[Merge] = []
        self.gaps: dict[EventId, tuple[EventId, ...]] = {}
        self.contradicted: dict[EventId, tuple[StateKey, ...]] = {}
        self.outliers: frozenset[EventId] = frozenset()
        self.backfilled: frozenset[EventId] = frozenset()
        self.unplaced: frozenset[EventId] = frozenset()
        self.forward_extremities: tuple[EventId, ...] = ()
        self.soft_failed: dict[EventId, SoftFailure] = {}
        self.unchecked: dict[EventId, str] = {}
        self.unsought: list[EventId | None] = []
        self.too_many_states = False
        self.current_state: KnownState | None = {}
        self.graph: RoomGraph = RoomGraph()
        # Each state is kept as changes from another state: group to (the other group, changes).
        self._groups: list[tuple[int, Delta]] = []
        # What is unknown in the states that are known in part, by their groups.
        self._unknown: dict[int, tuple[Unknown, ...]] = {}
        self._before: dict[EventId, int] = {}
        self._after: dict[EventId, int] = {}
        self._resets: list[Reset] = []
        self._given: Mapping[EventId, StateMap[EventId]] = {}
        self._bridges: Collection[EventId] = ()  # the events whose given state is used alone
        self._given_current: StateMap[EventId] | None = None
        self._algorithm: StateResolution | None = None
        # Events whose absence or missing verdict leaves the forward extremities unclear.
        self._unclear_extremities: tuple[EventId, ...] = ()
        # What leaves accepted events unchecked against the current state: some of the events.
        self._unchecked_for: dict[EventId, tuple[EventId, ...]] = {}
        # Where the current state is known in part: why the rest is unknown, and what would tell it.
        self._why_unchecked: dict[EventId, tuple[str, Lack]] = {}
        self._soft_failure = True  # Whether events are checked against the current state.
        # What this check read, where the state before the event has something else.
        self._read_at_arrival: dict[EventId, StateMap[EventId]] = {}
        self._not_received: set[EventId] = set()  # outliers, though the current state is known
        self._decisions: Decisions | None = None
        # Events whose absence, unknown state or missing verdict leaves the current state unknown.
        self._unclear_ends: tuple[EventId, ...] = ()

    def __repr__(self) -> str:
        events = counted(len(self.events), "event", "events")
        refused = sum(not outcome.accepted for outcome in self.outcomes.values())
        return f"<Replay of {events}, {refused:,} of them not accepted>"

    def __copy__(self) -> "Replay":
        # Without this, `copy` puts the tables of `__getstate__` into the copy.
        again = object.__new__(type(self))
        vars(again).update(vars(self))
        return again

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), **tables_of(self.outcomes, self._before, self._after, self.order)}

    @cached_property
    def missing(self) -> dict[EventId, tuple[EventId, ...]]:
        """The IDs of missing events, each with the events that cite it. Large rooms may have millions."""
        return find_missing(self.events)

    @property
    def rejected(self) -> set[EventId]:
        """The IDs of the rejected events. Undecided events are not among them."""
        others = Status.ACCEPTED, Status.UNDECIDED
        return {event_id for event_id, outcome in self.outcomes.items() if outcome.status not in others}

    @property
    def undecided(self) -> set[EventId]:
        """The IDs of the undecided events: more knowledge may accept or reject them."""
        undecided = Status.UNDECIDED
        return {event_id for event_id, outcome in self.outcomes.items() if outcome.status is undecided}

    @property
    def current_is_given(self) -> bool:
        """Whether the current state was given, instead of resolved over the forward extremities."""
        return self._given_current is not None

    @property
    def extremities_known(self) -> bool:
        """Whether the forward extremities are certain.

        If not, an undecided or missing event may be one, or may follow one.
        """
        return not self._unclear_extremities

    def state_before(self, event_id: EventId) -> KnownState | None:
        """Return the room state before an event: a `PartialState` if it is known in part, None if unknown.

        Raises:
            MissingEvents: if there is no such event in the room.
        """
        return self._state(self._before.get(self._here(event_id)))

    def state_after(self, event_id: EventId) -> KnownState | None:
        """Return the room state after an event: a `PartialState` if it is known in part, None if unknown.

        Raises:
            MissingEvents: if there is no such event in the room.
        """
        return self._state(self._after.get(self._here(event_id)))

    def _here(self, event_id: EventId) -> EventId:
        if event_id not in self.events:
            raise MissingEvents([event_id])
        return event_id

    def values_of(self, key: StateKey) -> KeyValues:
        """Return the event of one key in the state before and after each event.

        Cost: linear in the events and in the entries of given states. Reading a value from it is one lookup.
        """
        return KeyValues(self._groups, self._unknown, self._before, self._after, key)

    def lacking(self, *event_ids: EventId | None) -> list[EventId]:
        """Return the missing events that leave events undecided, or the states before them unknown.

        Args:
            event_ids: the IDs of events in the room; None stands for its current state.

        Returns:
            Event IDs, sorted. Each event is missing (`missing` has the events that cite it) or lies on a
            cycle. Empty if everything is decided and known, or if only a given state that is known in part
            leaves something unknown, or one of `unplaced`.

        Raises:
            MissingEvents: if there is no such event in the room.

        Cost: linear in the events that are undecided or have an unknown state for the same reason.
        """
        return find_causes(self, *(e if e is None else self._here(e) for e in event_ids)).missing

    def unknown_behind(self, event_id: EventId | None, *, at_arrival: bool = False) -> list[Unknown]:
        """Return what is unknown in the states that leave an event undecided, or the state before it unknown.

        Args:
            event_id: the ID of an event in the room; None stands for its current state.
            at_arrival: also what leaves the current state at the event's arrival unknown.

        Returns:
            The parts of states, each with its reason: the nearest first. Empty if everything is known.

        Raises:
            MissingEvents: if there is no such event in the room.

        Cost: as for `lacking`.
        """
        start = event_id if event_id is None else self._here(event_id)
        return find_causes(self, start, at_arrival=at_arrival).unknown

    @property
    def current_unknown(self) -> list[EventId]:
        """The accepted events whose check against the current state has an unknown result, in order.

        `current_check` says why. Events for which the check is not made are not among them.
        """
        return unknown_at_arrival(self)

    def current_check(self, event_id: EventId) -> CurrentCheck:
        """Return the result of checking an event against the current state at its arrival.

        That state depends on the order of the events, which is taken as the order of their arrival.

        Raises:
            MissingEvents: if there is no such event in the room.
        """
        return check_at_arrival(self, self._here(event_id))

    def current_entries(self, event_id: EventId) -> StateMap[EventId] | None:
        """Return what the check against the current state at an event's arrival read: entries of that state.

        These are the entries that `select_auth_types` names, with the create event and the ``m.room.policy``
        event. They are known in part if that state is.

        Returns:
            The entries; None if the check is not made, if its result is unknown, or if a server decided.

        Raises:
            MissingEvents: if there is no such event in the room.
        """
        return entries_at_arrival(self, self._here(event_id))

    def _state(self, group: int | None) -> KnownState | None:
        if group is None:
            return None
        unknown = self._unknown.get(group)
        deltas = []
        while group >= 0:
            group, delta = self._groups[group]
            deltas.append(delta)
        state: dict[StateKey, EventId] = {}
        apply_changes(state, chain.from_iterable(reversed(deltas)))
        return state if unknown is None else PartialState(state, unknown)

    def resolution_at(
        self, event_id: EventId | None, *, algorithm: StateResolution | None = None
    ) -> Resolution:
        """Resolve the states before an event once more, with a trace.

        Args:
            event_id: the event; None resolves over the forward extremities. A given state is resolved
                alone.
            algorithm: the algorithm to use instead of the replay's.

        Raises:
            MissingEvents: naming the events that leave a state unknown, undecided events that a state holds
                and the resolution needs, or the event itself if it is not in the room.
            UnknownState: if the states are known in part, and more knowledge could change the result.
        """
        return resolve(
            list(self.states_met(event_id).values()),
            self.events,
            graph=self.graph,
            rejected=KnownRejected(self.rejected, self.undecided),
            skip_rejected=self._skip_rejected,
            algorithm=self._algorithm if algorithm is None else algorithm,
            trace=True,
        )

    def resolve_again(self, event_ids: Collection[EventId | None]) -> Iterator[Resolved]:
        """Resolve many merges once more, each with a trace. It is much faster than `resolution_at` for each.

        Args:
            event_ids: the events before which states are merged; None stands for the forward extremities.

        Yields:
            Each merge with its states and its resolution, in the order in which the states were made.

        Cost: one pass over the changes of all states, and a resolution for each merge.
        """
        return resolve_again(self, event_ids)

    def states_met(self, event_id: EventId | None) -> dict[EventId | None, KnownState]:
        """Return the states that are merged before an event, keyed by the event that each state follows.

        Args:
            event_id: the event; None stands for the forward extremities.

        Returns:
            The states, some of which may be known in part. A given state is the only one, under None.

        Raises:
            MissingEvents: naming the events that leave a state unknown, or the event itself if it is not
                in the room.
            UnknownState: if no event is missing: a given state that is known in part leaves it unknown, or
                there are too many states.
        """
        if event_id is None:
            if self.too_many_states:
                raise UnknownState((), "there are too many states after the forward extremities")
            if self.current_state is None or not (self.current_is_given or self.extremities_known):
                raise _lacking_error(self.lacking(None), _UNCHECKED if self.unchecked else _UNDECIDED)
            given, parents = self._given_current, self.forward_extremities
        else:
            given, parents = self._given.get(event_id), self.events[self._here(event_id)].prev_event_ids
        if given is not None:
            # The state before the event has what a state that is given in part leaves unknown.
            before = None if event_id is None else self._state(self._before.get(event_id))
            return {None: plain(given) if before is None else before}
        states: dict[EventId | None, KnownState] = {}
        unknown = []
        for parent in dict.fromkeys(parents):
            state = self._state(self._after.get(parent))
            if state is None:
                unknown.append(parent)
            else:
                states[parent] = state
        if unknown:
            here = [parent for parent in unknown if parent in self.events]
            raise _lacking_error({*self.lacking(*here), *(p for p in unknown if p not in self.events)})
        return states

    def resets(self) -> list[Reset]:
        """Return every state reset: a key that went back at a merge to an older event.

        A branch had already replaced that event, by another event or by a merge. Not every reset is a bug:
        a change is also undone if its sender was banned on another branch. `Reset.kept_by_v2_1` says what
        the algorithm of room version 12 does with the same states.
        """
        return list(self._resets)
