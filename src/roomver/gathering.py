"""Gather the usable events of an input, and the states that the input gives.

Each entry is checked by itself (`roomver.check`). A state that the input gives is known in part if the input
says so, or if one of its entries cannot be used.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from .canonical import shorten
from .check import check_entries
from .entry import Entry, GivenIds, Part, Place
from .errors import SHOWN, NotAState, listed
from .event import Event
from .findings import Action, EventCheck, Finding, Lack, Summary
from .keys import NO_KEYS, KeyRing
from .known_states import FindStates, KnownStates
from .power import CREATE
from .state import Unknown, completed_from, contradict, entries_of, forget_strange, known_in_part, unknown_of
from .types import EventId, JsonValue, RoomId, StateKey, StateMap
from .unhashed import take_as_given
from .versions import RoomVersion, version_record

__all__ = ["Gathered", "gather_events", "main_room"]

# The parts of an input that are entries of a state.
_OF_STATE = frozenset({Part.STATE, Part.STATE_WITHOUT_MEMBERS, Part.PART_OF_STATE})


@dataclass(slots=True)
class _State:
    """A state that one document gives, while its entries arrive.

    Attributes:
        entries: the usable entries.
        parts: what the input says that the entries are.
        dropped: the entries that cannot be used, as event ID and key, each with how often it occurs. What
            cannot be read is None.
    """

    entries: dict[StateKey, EventId] = field(default_factory=dict)
    parts: set[Part] = field(default_factory=set)
    dropped: Counter[tuple[EventId | None, StateKey | None]] = field(default_factory=Counter)
    # The place of the first of each, with the kind of the finding.
    _where: dict[tuple[EventId | None, StateKey | None], str] = field(default_factory=dict)

    def drop(self, entry: Entry, check: EventCheck) -> None:
        """Note an entry that cannot be used."""
        one = (check.event_id, _key_of(entry.pdu))
        self.dropped[one] += 1
        self._where.setdefault(one, f"{entry.place}: {_why_dropped(check).kind.value}")

    def lost_keys(self) -> dict[StateKey, str]:
        """Return the keys of the entries that cannot be used, each with a place and the kind of the finding.

        A bad copy of a usable entry does not count.
        """
        found: dict[StateKey, str] = {}
        for event_id, key in self.dropped:
            if key is not None and (event_id is None or self.entries.get(key) != event_id):
                found.setdefault(key, self._where[event_id, key])
        return found

    def as_map(self) -> StateMap[EventId]:
        """Return the state, as far as it is known."""
        lost = self.lost_keys()
        return known_in_part({key: e for key, e in self.entries.items() if key not in lost}, self.unknown())

    def _has_members(self) -> bool:
        return any(kind == "m.room.member" for kind, _ in (*self.entries, *self.lost_keys()))

    def unknown(self) -> Iterable[Unknown]:
        """Say what is unknown in the state."""
        if Part.PART_OF_STATE in self.parts:
            yield Unknown.everything("the input gives a part of the state")
        if Part.STATE_WITHOUT_MEMBERS in self.parts:
            yield Unknown.members()
        elif self.parts and self.entries.keys() > {CREATE} and not self._has_members():
            # The creator joined before anything else happened.
            yield Unknown.members("no member is in the state")
        yield from self.lost()

    def lost(self) -> Iterable[Unknown]:
        """Say what is unknown because entries cannot be used."""
        unreadable = [one for one in self.dropped if one[1] is None]
        if unreadable:
            number = sum(self.dropped[one] for one in unreadable)
            yield Unknown.everything(_dropped(number, self._where[unreadable[0]]))
        keys = self.lost_keys()
        if keys:
            yield Unknown(_dropped(len(keys), next(iter(keys.values()))), keys=frozenset(keys))


@dataclass(slots=True)
class Gathered:
    """The usable events of an input, and the states that the input gives.

    Attributes:
        version: the room version that the events were checked against.
        events: the usable events by ID, in input order. Of several events with the same ID, the first counts.
        places: event ID to place in the input.
        checks: event ID to the check of the event by itself. `event` is None there: `events` has it.
        summary: counts of the other entries: those that were dropped, and those that repeat an event.
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
        outliers, extremities, apart, backfilled: as in `KnownStates`.
        unknown_states: for events whose state the server should know and does not, the reason.
    """

    version: RoomVersion
    events: dict[EventId, Event] = field(default_factory=dict)
    places: dict[EventId, Place] = field(default_factory=dict)
    checks: dict[EventId, EventCheck] = field(default_factory=dict)
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
    unknown_states: Mapping[EventId, str] = field(default_factory=dict)
    # What was dropped: in all, and outside the states and auth chains that the input gives.
    _all: _State = field(default_factory=_State)
    _beside: _State = field(default_factory=_State)
    # States before an event that was dropped.
    _loose: list[StateMap[EventId]] = field(default_factory=list)
    # Whether the current state was given as event IDs.
    _by_ids: bool = False

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
        states = [*self.given.values(), *self._loose, *([] if self.current is None else [self.current])]
        if len(states) > 1:
            raise NotAState("the input gives several states")
        state = states[0] if self._by_ids else self._joined(states)
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
                _add_to_state(entries, event)
        for event_id in self.given:
            joined = self.events[event_id]
            if joined.state_key is not None:
                entries[joined.type, joined.state_key] = event_id
        if not states:
            return replace(self._all, entries=entries).as_map()
        added = replace(self._beside, entries=entries)
        return known_in_part(entries_of(added.as_map()), [*unknown_of(states[0]), *added.lost()])

    def _state_of(self, ids: GivenIds) -> StateMap[EventId]:
        """Return a state that is given as event IDs, as far as its events are among the usable ones."""
        state = _State(parts={Part.STATE})
        missing = {event_id for event_id in ids.state if event_id not in self.events}
        for event_id in ids.state:
            if event_id not in missing:
                _add_to_state(state.entries, self.events[event_id])
        unknown = [*state.unknown()]
        if missing:
            named = listed(sorted(missing))
            unknown.append(Unknown.everything(f"events of the state are missing: {named}"))
        return known_in_part(state.entries, unknown)

    def lack_behind(self, reason: str) -> Lack:
        """Return what would tell the unknown entries of a given state, from the reason of an `Unknown`."""
        return Lack.DROPPED if _DROPPED in reason else Lack.STATE

    def _add_ids(self, ids: GivenIds) -> None:
        """Take a current state that is given as event IDs. Its server has accepted its events."""
        self.current = _same_state(self.current, self._state_of(ids), "current states")
        self._by_ids = True
        held = self.accepted.setdefault(None, set())
        held.update(event_id for event_id in (*ids.state, *ids.auth_chain) if event_id in self.events)

    def _add_known(self, known: KnownStates) -> None:
        """Take what a server knows beside the events."""
        both = "the database and the files"
        for event_id, state in known.given.items():
            before = f"states before {event_id}"
            self.given[event_id] = _same_state(self.given.get(event_id), state, before, both)
        for answered_for, others in known.accepted.items():
            self.accepted.setdefault(answered_for, set()).update(others)
        if known.accepted_now:
            self.accepted.setdefault(None, set()).update(known.accepted_now)
        if known.current is not None:
            self.current = _same_state(self.current, known.current, "current states", both)
        self.unknown_states = {e: reason for e, reason in known.unknown.items() if e not in self.given}
        self.outliers, self.extremities = known.outliers, known.extremities
        self.backfilled = known.backfilled
        self.apart = known.apart - self._held(known.apart)

    def _held(self, apart: Collection[EventId]) -> set[EventId]:
        """Return those of some events that a state holds, or the auth chain of one of these."""
        states = [*self.given.values(), *([] if self.current is None else [self.current])]
        todo = [event_id for state in states for event_id in entries_of(state).values() if event_id in apart]
        held: set[EventId] = set()
        while todo:
            event_id = todo.pop()
            if event_id not in held:
                held.add(event_id)
                todo += [one for one in self.events[event_id].auth_event_ids if one in apart]
        return held

    def _add(self, entry: Entry, check: EventCheck) -> None:
        event = check.usable
        if event is None:
            self.summary.add(check)
            self.dropped += 1
            finding = _why_dropped(check)
            if self.first_dropped is None:
                self.first_dropped = entry.place, finding
            if check.event_id is not None:
                shortened = finding._replace(reasons=finding.reasons[:SHOWN])
                self.left_out.setdefault(check.event_id, shortened)
                self.left_out_at.setdefault(check.event_id, entry.place)
            return
        event_id = event.event_id
        if event_id in self.events:
            self.summary.add(check)
            self.repeated += 1
            return
        self.events[event_id] = event
        self.places[event_id] = entry.place
        self.checks[event_id] = check._replace(event=None)


def gather_events(  # noqa: PLR0913 - all but two are keyword-only options
    entries: Iterable[Entry],
    version: RoomVersion | str,
    *,
    keys: KeyRing | None = NO_KEYS,
    find_states: FindStates | None = None,
    state_ids: Iterable[GivenIds] = (),
    unhashed: bool = False,
    on_check: Callable[[Entry, EventCheck], None] | None = None,
) -> Gathered:
    """Check the entries of an input, each by itself, and keep the usable events.

    Args:
        entries: the entries of one room, in the order of the input.
        version, keys: as in `check_event`.
        find_states: called with the usable events at the end, for what their server knows beside them.
        state_ids: current states that the input gives as event IDs.
        unhashed: take events and their IDs as given, and verify nothing. `keys` is then not used.
        on_check: called with each entry and its check.

    Raises:
        NotAState: if a state in the input has two events for a key or a message, or two documents give
            different current states, or different states before one event, or the server has another one.
        UnknownRoomVersion: if there is no such version.
    """
    gathered = Gathered(version_record(version))
    states: dict[int, _State] = {}
    joined: dict[int, EventId | None] = {}
    invited: set[int] = set()
    accepted: dict[int, set[EventId]] = {}
    checked = take_as_given(entries, version) if unhashed else check_entries(entries, version, keys=keys)
    for entry, check in checked:
        gathered._add(entry, check)
        if on_check is not None:
            on_check(entry, check)
        event, part = check.usable, entry.part
        if part in (Part.JOINED, Part.INVITED):
            joined[entry.document] = check.event_id
            if part is Part.INVITED:
                invited.add(entry.document)
        if part in _OF_STATE:
            state = states.setdefault(entry.document, _State())
            state.parts.add(part)
            if event is None:
                state.drop(entry, check)
            else:
                _add_to_state(state.entries, event)
        if event is None:
            if not _is_message(entry.pdu):
                gathered._all.drop(entry, check)
                if part not in _OF_STATE and part is not Part.AUTH_CHAIN:
                    gathered._beside.drop(entry, check)
        elif part in _OF_STATE or part is Part.AUTH_CHAIN:
            accepted.setdefault(entry.document, set()).add(event.event_id)
    for document, found in joined.items():
        if found not in gathered.events:
            joined[document] = None
    for document, state in states.items():
        known = state.as_map()
        event_id = joined.get(document)
        if event_id is not None:
            before = f"states before {event_id}"
            gathered.given[event_id] = _same_state(gathered.given.get(event_id), known, before)
        elif document in joined:
            # The state before an event that was dropped is not the current state.
            gathered._loose.append(known)
        else:
            gathered.current = _same_state(gathered.current, known, "current states")
    for document, event_ids in accepted.items():
        event_id = joined.get(document)
        response = gathered.accepted.setdefault(event_id, set())
        response |= event_ids if event_id is None or document in invited else event_ids | {event_id}
    for ids in state_ids:
        gathered._add_ids(ids)
    if find_states is not None:
        gathered._add_known(find_states(gathered.events))
    return gathered


_DROPPED: Final = " dropped, "


def _dropped(number: int, first: str) -> str:
    """Say how many entries were dropped, and where and why the first one was."""
    return f"{number:,}{_DROPPED}{'' if number == 1 else 'the first at '}{first}"


def _why_dropped(check: EventCheck) -> Finding:
    return next(one for one in check.findings if one.kind.action is Action.DROP)


def _same_state(
    one: StateMap[EventId] | None, other: StateMap[EventId], what: str, sources: str = "two documents"
) -> StateMap[EventId]:
    """Return what two sources say of one state together."""
    if one is None:
        return other
    if contradict(one, other):
        raise NotAState(f"{sources} give different {what}; read them one at a time")
    return completed_from(one, other)


def main_room(events: Collection[Event]) -> RoomId:
    """Return the room of the first create event, or without one the room that most events belong to."""
    for event in events:
        if event.type == "m.room.create" and event.state_key == "":
            return event.room_id
    rooms = Counter(event.room_id for event in events)
    return rooms.most_common(1)[0][0] if rooms else ""


def _key_of(pdu: JsonValue) -> StateKey | None:
    """Return the state key that an entry claims; None if it cannot be read."""
    if (
        type(pdu) is dict
        and type(kind := pdu.get("type")) is str
        and type(key := pdu.get("state_key")) is str
    ):
        return kind, key
    return None


def _is_message(pdu: JsonValue) -> bool:
    return type(pdu) is dict and type(pdu.get("type")) is str and "state_key" not in pdu


def _add_to_state(state: dict[StateKey, EventId], event: Event) -> None:
    if event.state_key is None:
        raise NotAState(f"{event.event_id} is a message, not a state event")
    key = (event.type, event.state_key)
    if state.setdefault(key, event.event_id) != event.event_id:
        raise NotAState(f"two events for {key[0]} {shorten(key[1])}: {state[key]} and {event.event_id}")
