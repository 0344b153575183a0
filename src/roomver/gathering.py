"""Gather the usable events of an input, and the states that the input gives.

Each entry is checked by itself (`roomver.check`). A state that the input gives is known in part if the input
says so, or if one of its entries cannot be used.

This module has more than 400 lines: each entry, in one pass, may change all that is gathered.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from .beside import merge_beside
from .claims import SAME_ID, Claim, find_contested, forget_disputed, forget_events, forget_keys, merge_states
from .compact import Compactor, Events
from .contributions import Contribution, Difference, DifferenceKind, Origin, Saying
from .copies import PolicySignatures, check_again, compare_copies, copy_text, is_whole, with_signatures_of
from .entry import NO_SOURCE, Entry, GivenIds, Part, Place
from .errors import SHOWN, Lack, NotAState
from .event import Event
from .findings import EventCheck, Finding, FindingKind, Reason, Summary
from .kept import KeptChecks, KeptPlaces
from .keys import NO_KEYS, KeyRing
from .known_states import Beliefs, FindStates, KnownStates
from .merging import Tally, differing_states, find_differences
from .newest import Newest, find_lost, newest_of, split_claims
from .other_rooms import OtherRooms
from .parallel import check_in_parallel
from .replay.lost import Lost, keep_agreed
from .state import Unknown, entries_of, forget_strange, known_in_part, unknown_of
from .state_document import (
    OF_STATE,
    Documents,
    StateDocument,
    add_to_state,
    is_message,
    main_room,
    state_of_ids,
    why_dropped,
)
from .types import EventId, RoomId, StateMap
from .unhashed import take_as_given
from .versions import RoomVersion, version_record

__all__ = ["Gathered", "gather_events"]

_SAME_ID = Finding(FindingKind.SAME_ID, (Reason("", "two events in the input have this event ID"),))


@dataclass(slots=True)
class Gathered:
    """The usable events of an input, and the states that the input gives.

    Attributes:
        version: the room version that the events were checked against.
        events: the usable events by ID, in input order. Of several copies of an event, the first whole one
            counts, and without a whole one the first. Two different events with one ID are both left out.
            Beyond the first few thousand they are compact: `pdu` and `content` are new dicts each time.
        places: event ID to place in the input.
        checks: event ID to the check of the event by itself. `event` is None there: `events` has it.
        summary: counts of the entries that were dropped.
        dropped: the number of events that a server must drop.
        first_dropped: the place and the first finding of the first of these events; None if none was dropped.
        left_out: the dropped events' IDs, computed or as the input gives them, each with the finding.
        left_out_at: the same IDs, each with its place in the input.
        repeated: the number of events that repeat an earlier event.
        given: the state before an event, if the input gives it; a `PartialState` if it is known in part.
        current: the current state, if the input gives it; a `PartialState` if it is known in part.
        accepted: the events of these states and of the auth chains that the input gives, and the join that a
            response hands back, by the event that the state is given for; None for the others. A server has
            accepted them.
        outliers, extremities, apart, backfilled, unplaced: as in `KnownStates`.
        unsettled: as in `KnownStates`, of the first source.
        in_order: whether the first source, which decides this, tells the order in which the events arrived.
        unknown_states: for events whose state the server should know and does not, the reason.
        contributions: what each source adds; empty if there is only one.
        differences: where the sources differ, and copies or given states in one source.
        server_has: the events that the server whose decisions are compared has; None if there is only one
            source.
        newest: what each source says of the newest events.
        other_rooms: the entries of other rooms that were left out, if there are several sources.
        room_id: the room; empty without usable events.
    """

    version: RoomVersion
    events: Events = field(default_factory=Events)
    places: KeptPlaces = field(default_factory=KeptPlaces)
    checks: KeptChecks = field(default_factory=KeptChecks)
    summary: Summary = field(default_factory=Summary)
    dropped: int = 0
    first_dropped: tuple[Place, Finding] | None = None
    left_out: dict[EventId, Finding] = field(default_factory=dict)
    left_out_at: dict[EventId, Place] = field(default_factory=dict)
    repeated: int = 0
    given: dict[EventId, StateMap[EventId]] = field(default_factory=dict)
    current: StateMap[EventId] | None = None
    accepted: dict[EventId | None, set[EventId]] = field(default_factory=dict)
    outliers: frozenset[EventId] | None = None
    extremities: frozenset[EventId] | None = None
    apart: frozenset[EventId] = frozenset()
    backfilled: frozenset[EventId] = frozenset()
    unplaced: frozenset[EventId] = frozenset()
    unsettled: frozenset[EventId] | None = frozenset()
    in_order: bool = False
    unknown_states: Mapping[EventId, str] = field(default_factory=dict)
    contributions: list[Contribution] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    server_has: frozenset[EventId] | None = None
    newest: list[Newest] = field(default_factory=list)
    other_rooms: OtherRooms = field(default_factory=OtherRooms)
    room_id: RoomId = ""
    _compactor: Compactor = field(default_factory=Compactor)
    # What was dropped: in all, and outside the states and auth chains that the input gives.
    _all: StateDocument = field(default_factory=StateDocument)
    _beside: StateDocument = field(default_factory=StateDocument)
    # States before an event that was dropped.
    _loose: list[StateMap[EventId]] = field(default_factory=list)
    # Whether the current state was given as event IDs.
    _by_ids: bool = False
    # The states that the sources give, by event; None for the current state.
    _claims: dict[EventId | None, list[Claim]] = field(default_factory=dict)
    # Current states that may be older than the newest events.
    _told: list[Claim] = field(default_factory=list)
    # The IDs that different events have.
    _same_id: set[EventId] = field(default_factory=set)
    # The copies of events that differ.
    _copies: dict[tuple[EventId, DifferenceKind], Difference] = field(default_factory=dict)
    # What messages call the first source.
    _name: str = ""
    _unhashed: bool = False
    _keys: KeyRing | None = NO_KEYS
    _policy_signatures: PolicySignatures = field(default_factory=PolicySignatures)

    def as_state(self) -> StateMap[Event]:
        """Return the input as one room state: the state that it gives, with its other state events.

        The join that a response hands back takes its place in the state before it. Without a given state, it
        is all state events, each under its key. Messages are skipped. The state is known in part if the
        input gives it in part, or if an event was dropped. A key that a dropped event may have is unknown,
        even if another event has it too. So is the key of an event of another room than the create event's,
        or than that of most events. A state given as event IDs is taken alone.

        Raises:
            NotAState: if two events have the same key, or the input gives several states.
        """
        current = [] if self.current is None else [self.current]
        if self._told and not current:
            current = [merge_states(self._told, find_contested(self._told))]
        states = [*self.given.values(), *self._loose, *current]
        if len(states) > 1:
            raise NotAState("the input gives several states")
        state = states[0] if self._by_ids else self._joined(states)
        if not states:
            for lost in self.find_lost(self.events):
                state = keep_agreed(state, lost)
        known = {key: self.events[event_id] for key, event_id in entries_of(state).items()}
        room_id = main_room(known.values())
        strange = {key: one.event_id for key, one in known.items() if one.room_id != room_id}
        return forget_strange(known_in_part(known, unknown_of(state)), strange)

    def _joined(self, states: Sequence[StateMap[EventId]]) -> StateMap[EventId]:
        """Return the state that the input gives, if any, with its other state events."""
        entries = dict(entries_of(states[0])) if states else {}
        aside = set().union(*self.accepted.values()) if states else set(self.given)
        for event in self.events.values():
            if event.state_key is not None and event.event_id not in aside:
                add_to_state(entries, event)
        for event_id in self.given:
            joined = self.events[event_id]
            if joined.state_key is not None:
                entries[joined.type, joined.state_key] = event_id
        if not states:
            return replace(self._all, entries=entries).as_map()
        added = replace(self._beside, entries=entries)
        return known_in_part(entries_of(added.as_map()), [*unknown_of(states[0]), *added.lost()])

    def current_given(
        self, *, without_first: bool = False
    ) -> tuple[StateMap[EventId] | None, tuple[str, ...]]:
        """Return the current state that sources give together, and their names.

        Args:
            without_first: leave out what the first source gives.
        """
        claims = [one for one in self._claims.get(None, ()) if one.source or not without_first]
        if not claims:
            return None, ()
        return merge_states(claims, find_contested(claims)), tuple(sorted({one.name for one in claims}))

    def find_lost(self, usable: Mapping[EventId, Event], first: int = 0) -> list[Lost]:
        """Return what sources, from the first one on, name as newest and is not among the usable events."""
        unusable = {*self.left_out, *self.other_rooms.events, *(self.events.keys() - usable.keys())}
        return [*find_lost(self.newest[first:], usable, unusable)]

    def compare_current(self, resolved: StateMap[EventId]) -> None:
        """Compare the given current state with the events'. The entries on which they differ become unknown.

        A list of event IDs is nothing but a state, so it is taken as it is.

        Args:
            resolved: the state resolved over the forward extremities, which are certain.
        """
        if self.current is None or self._by_ids:
            return
        claims = [*self._claims[None], Claim(NO_SOURCE, "the events", resolved)]
        contested = find_contested([claims[-1]._replace(state=self.current), claims[-1]])
        if not contested:
            return
        told = {key: says for key, says in find_contested(claims).items() if key in contested}
        self.differences += differing_states(DifferenceKind.MOMENT, None, claims, told)
        why = Unknown("the given current state differs from the events'", lack=Lack.AGREEMENT)
        self.current = forget_keys(self.current, frozenset(contested), why)

    @property
    def contradictions(self) -> list[Difference]:
        """The differences on which both sources cannot be right."""
        return [one for one in self.differences if one.kind.contradicts]

    def narrowed(self, beliefs: Beliefs) -> Beliefs:
        """Return what the server decided, without speaking of the events that only other sources have."""
        if self.server_has is None:
            return beliefs
        if 0 in self.other_rooms.strange:
            beliefs = beliefs.of_another_room()
        return replace(beliefs, unspoken=beliefs.unspoken | (self.events.keys() - self.server_has))

    def is_servers(self, event_id: EventId) -> bool:
        """Tell whether the server whose decisions are compared has an event."""
        if self.server_has is not None:
            return event_id in self.server_has
        return self.places[event_id].file is None

    def _add_ids(self, ids: GivenIds, source: int, name: str) -> set[EventId]:
        """Take a current state that is given as event IDs. Its server has accepted its events."""
        self._claims.setdefault(None, []).append(Claim(source, name, state_of_ids(ids.state, self.events)))
        self._by_ids = True
        held = {event_id for event_id in (*ids.state, *ids.auth_chain) if event_id in self.events}
        self.accepted.setdefault(None, set()).update(held)
        return held

    def _add_known(self, known: KnownStates, source: int, name: str) -> set[EventId]:
        """Take what a server knows beside the events, and return the events that it vouches for."""
        for event_id, state in known.given.items():
            self._claims.setdefault(event_id, []).append(Claim(source, name, state))
        if known.current is not None:
            self._claims.setdefault(None, []).append(Claim(source, name, known.current))
        for answered_for, others in known.accepted.items():
            self.accepted.setdefault(answered_for, set()).update(others)
        if known.accepted_now:
            self.accepted.setdefault(None, set()).update(known.accepted_now)
        return {*known.accepted_now}.union(*known.accepted.values())

    def _merge(self, tally: Tally) -> None:
        """Merge what the sources know beside the events, and find where they differ."""
        knowns = []
        origins = tally.origins = self.other_rooms.without_strange(tally.origins, tally.has)
        self.in_order = origins[0].in_order
        for source, origin in enumerate(origins):
            for ids in origin.state_ids:
                tally.vouched[source] |= self._add_ids(ids, source, origin.name)
            known = KnownStates() if origin.find_states is None else origin.find_states(self.events)
            tally.vouched[source] |= self._add_known(known, source, origin.name)
            knowns.append(known)
            self.newest.append(newest_of(origin, known))
        self.differences += self._copies.values()
        disputed: Collection[EventId] = ()
        if len(origins) > 1:
            disputed = tally.disputed(knowns)
            self.contributions = tally.contributions(self._claims, knowns, self.other_rooms.numbers)
            self.server_has = frozenset(tally.has[0])
            tally.ask_others(self._claims, self.events)
        if current := self._claims.pop(None, []):
            kept, self._told = split_claims(current, self.newest)
            self._claims |= {None: kept} if kept else {}
        several = {e: find_contested(claims) for e, claims in self._claims.items() if len(claims) > 1}
        if several or len(origins) > 1:
            self.differences += find_differences(
                tally, self._claims, several, self._told, knowns, self.newest, self.events
            )
        for event_id, claims in self._claims.items():
            state = forget_events(merge_states(claims, several.get(event_id, {})), self._same_id, SAME_ID)
            state = forget_disputed(state, disputed)
            if event_id is None:
                self.current = state
            else:
                self.given[event_id] = state
        for held in self.accepted.values():
            held.difference_update(disputed)
        # A later source tells only what no earlier one does. Each of these is a reason, not a decision.
        unknown = {e: reason for known in reversed(knowns) for e, reason in known.unknown.items()}
        self.unknown_states = {e: reason for e, reason in unknown.items() if e not in self.given}
        self.extremities, self.unsettled = knowns[0].extremities, knowns[0].unsettled
        given = [*self.given.values(), *([] if self.current is None else [self.current])]
        told = [claim.state for claim in self._told]
        beside = merge_beside(tally, knowns, self.newest, given, told, self.events)
        self.outliers, self.backfilled, self.unplaced, self.apart = beside

    def _add(self, entry: Entry, check: EventCheck) -> None:
        event = check.usable
        if event is None:
            self.summary.add(check)
            self._leave_out(entry.place, check.event_id, why_dropped(check))
        elif event.event_id in self.events:
            self._repeat(entry, check, event)
        elif event.event_id in self._same_id:
            self._leave_out_same(entry, check)
        else:
            self.events[event.event_id] = self._compactor.take(event)
            self.places[event.event_id] = entry.place
            self.checks[event.event_id] = check

    def _leave_out(self, place: Place, event_id: EventId | None, finding: Finding) -> None:
        self.dropped += 1
        if self.first_dropped is None:
            self.first_dropped = place, finding
        if event_id is not None:
            self.left_out.setdefault(event_id, finding._replace(reasons=finding.reasons[:SHOWN]))
            self.left_out_at.setdefault(event_id, place)

    def _leave_out_same(self, entry: Entry, check: EventCheck) -> None:
        """Leave out one of different events with the same ID. What it would be in a state is unknown."""
        self.summary.add(check, (_SAME_ID,))
        self._leave_out(entry.place, check.event_id, _SAME_ID)
        if not is_message(entry.pdu):
            dropped = check._replace(findings=(_SAME_ID,))
            self._all.drop(entry, dropped)
            self._beside.drop(entry, dropped)

    def _repeat(self, entry: Entry, check: EventCheck, copy: Event) -> None:
        """Take another copy of an event."""
        event_id = copy.event_id
        event, known, place = self.events[event_id], self.checks[event_id], self.places[event_id]
        # What a caller adds is not a source, and made-up events have no hashes.
        compared = entry.source != NO_SOURCE and not self._unhashed
        kind = compare_copies(known, event, check, copy) if compared else None
        if kind is not None and (event_id, kind) not in self._copies:
            says = (
                Saying(at.file or self._name, str(at), copy_text(one))
                for at, one in ((place, known), (entry.place, check))
            )
            self._copies[event_id, kind] = Difference(kind, tuple(says), event_id)
        if kind is DifferenceKind.CONTENT:
            del self.events[event_id], self.places[event_id], self.checks[event_id]
            self._same_id.add(event_id)
            self._leave_out_same(Entry(place, event_id, event.pdu), known)
            self._leave_out_same(entry, check)
            return
        self.repeated += 1
        if compared and is_whole(check) and not is_whole(known):
            event, copy, self.places[event_id] = copy, event, entry.place
            self.checks[event_id] = check
        if compared and event.signatures != copy.signatures:
            self._policy_signatures.note(event, copy)
            joined = self.events[event_id] = with_signatures_of(event, copy)
            self.checks[event_id] = check_again(self.checks[event_id], joined, self._keys)
        elif compared:
            self.events[event_id] = event

    def _add_documents(self, documents: Documents, tally: Tally) -> None:
        """Take the states that documents give, and the events that their servers have accepted."""
        named = documents.names(tally.origins)
        for document, state in documents.states.items():
            source, _ = document
            event_id = documents.answers_for(document, self.events)
            if event_id is None and document in documents.joined:
                # The state before an event that was dropped is not the current state.
                known = forget_events(state.as_map(), self._same_id, SAME_ID)
                self._loose.append(known)
            else:
                self._claims.setdefault(event_id, []).append(Claim(source, named[document], state.as_map()))
        for document, event_ids in documents.accepted.items():
            event_id = documents.answers_for(document, self.events)
            response = {one for one in event_ids if one in self.events}
            if event_id is not None and document not in documents.invited:
                response.add(event_id)
            self.accepted.setdefault(event_id, set()).update(response)
            tally.vouched[document[0]] |= response


def gather_events(  # noqa: PLR0913 - all but two are keyword-only options
    entries: Iterable[Entry],
    version: RoomVersion | str,
    *,
    keys: KeyRing | None = NO_KEYS,
    find_states: FindStates | None = None,
    origins: Sequence[Origin] = (),
    room_id: RoomId | None = None,
    unhashed: bool = False,
    on_check: Callable[[Entry, EventCheck], None] | None = None,
    executor: Executor | None = None,
) -> Gathered:
    """Check the entries of an input, each by itself, and keep the usable events.

    Args:
        entries: the entries of one room, in the order of the input.
        version, keys: as in `check_event`.
        find_states: called with the usable events at the end, for what their server knows beside them.
        origins: the sources of the entries, each with what it knows beside them. The first one is that of the
            server whose decisions are compared. Without them, all entries are of one source, and
            `find_states` tells what that knows.
        room_id: the room; by default that of the first source. Of several sources, others are left out.
        unhashed: take events and their IDs as given, and verify nothing. `keys` is then not used.
        on_check: called with each entry and its check.
        executor: checks the events in its workers, if there are many (`roomver.parallel`).

    Raises:
        NotAState: if a state in the input has two events for a key or a message.
        UnknownRoomVersion: if there is no such version.
    """
    origins = origins or (Origin("the input", "a file", find_states=find_states),)
    gathered = Gathered(version_record(version), _unhashed=unhashed, _name=origins[0].name, _keys=keys)
    documents, tally = Documents(), Tally(origins)
    count = tally.count if len(origins) > 1 else None
    others = gathered.other_rooms = OtherRooms(room_id)
    if unhashed:
        checked = take_as_given(entries, version)
    else:
        checked = check_in_parallel(entries, version, keys=keys, executor=executor)
    for entry, check in checked:
        if count is not None and others.leave_out(entry, check, gathered.events):
            documents.leave_out(entry, check)
            continue
        gathered._add(entry, check)
        if on_check is not None:
            on_check(entry, check)
        event, part = check.usable, entry.part
        if count is not None:
            count(entry, event)
        if part is not Part.EVENT:
            kept = None if event is None else gathered.events.get(event.event_id)
            same = kept and event and (kept.type, kept.state_key) == (event.type, event.state_key)
            documents.add(entry, check._replace(event=kept) if same else check)
        if event is None and not is_message(entry.pdu):
            gathered._all.drop(entry, check)
            if part not in OF_STATE and part is not Part.AUTH_CHAIN:
                gathered._beside.drop(entry, check)
    documents.finish()
    gathered._policy_signatures.choose(gathered.events)
    gathered._add_documents(documents, tally)
    gathered.room_id = main_room(gathered.events.values(), room_id)
    gathered._merge(tally)
    return gathered
