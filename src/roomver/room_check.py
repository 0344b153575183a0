"""Check the events of a room: from what was handed in to findings, the one way that all commands take.

Entries are checked by themselves (`roomver.check`), those that a server would go on with are kept, the
room is replayed (`roomver.replay`), and the outcomes become findings. What comes out is data.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from .canonical import shorten
from .check import check_entries
from .entry import Entry, Part, Place
from .errors import SHOWN, NotAState
from .event import Event
from .findings import Action, EventCheck, Finding, FindingKind, Reason, Summary
from .keys import NO_KEYS, KeyRing
from .replay import Outcome, Replay, Reset, Status, replay_room
from .rules import AUTH_EVENTS_REJECTED
from .types import EventId, JsonObject, RoomId, StateKey
from .versions import RoomVersion, version_record

__all__ = ["Beliefs", "Gathered", "RoomCheck", "check_room", "gather_events"]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What the server that recorded a room held of it; each is None if it does not say.

    Attributes:
        rejected, soft_failed: the IDs of events.
        state: the IDs of the events of the current state.
    """

    rejected: frozenset[EventId] | None = None
    soft_failed: frozenset[EventId] | None = None
    state: frozenset[EventId] | None = None

    @classmethod
    def of_header(cls, fields: JsonObject) -> "Beliefs":
        """Take the beliefs from the header of a recorded room, whose fields the reader has checked."""

        def ids(name: str) -> frozenset[EventId] | None:
            return frozenset(cast(list[EventId], fields[name])) if name in fields else None

        return cls(ids("rejected"), ids("soft_failed"), ids("state"))


@dataclass(slots=True)
class Gathered:
    """The events of one input that a server would go on with, and the states that the input gives.

    Attributes:
        version: the room version that they were checked as of.
        events: the usable events by ID, in the order of the input; of those with the same ID the first.
        places: where each of them is in the input.
        checks: what was found of each by itself. The check holds no event: `events` does.
        summary: counts of the entries that are in none of these: those dropped, and those repeated.
        dropped: how many events a server would drop.
        first_dropped: where the first of them is, and what is wrong with it.
        left_out: why each of them is dropped, by the ID that it has or is said to have.
        repeated: how many events came before under the same ID.
        given: the state before an event, if the input gives it.
        current: the current state, if the input gives it.
    """

    version: RoomVersion
    events: dict[EventId, Event] = field(default_factory=dict)
    places: dict[EventId, Place] = field(default_factory=dict)
    checks: dict[EventId, EventCheck] = field(default_factory=dict)
    summary: Summary = field(default_factory=Summary)
    dropped: int = 0
    first_dropped: tuple[Place, Finding] | None = None
    left_out: dict[EventId, Finding] = field(default_factory=dict)
    repeated: int = 0
    given: dict[EventId, dict[StateKey, EventId]] = field(default_factory=dict)
    current: dict[StateKey, EventId] | None = None

    def as_state(self) -> dict[StateKey, Event]:
        """Return the state events as a room state, each under its key; messages are passed over.

        Raises:
            NotAState: if two have the same key.
        """
        state: dict[StateKey, EventId] = {}
        for event in self.events.values():
            if event.state_key is not None:
                _add_to_state(state, event)
        return {key: self.events[event_id] for key, event_id in state.items()}

    def _add(self, entry: Entry, check: EventCheck) -> None:
        event = check.usable
        if event is None:
            self.summary.add(check)
            self.dropped += 1
            finding = next(one for one in check.findings if one.kind.action is Action.DROP)
            if self.first_dropped is None:
                self.first_dropped = entry.place, finding
            if check.event_id is not None:
                shortened = finding._replace(reasons=finding.reasons[:SHOWN])
                self.left_out.setdefault(check.event_id, shortened)
            return
        event_id = event.event_id
        if event_id in self.events:
            self.summary.add(check)
            self.repeated += 1
            return
        self.events[event_id] = event
        self.places[event_id] = entry.place
        self.checks[event_id] = check._replace(event=None)


def gather_events(
    entries: Iterable[Entry],
    version: RoomVersion | str,
    *,
    keys: KeyRing | None = NO_KEYS,
    on_check: Callable[[Entry, EventCheck], None] | None = None,
) -> Gathered:
    """Check the entries of an input, each by itself, and keep the events that a server would go on with.

    Args:
        entries: of one room, in the order of the input.
        version, keys: as in `check_event`.
        on_check: called with each entry and what was found of it.

    Raises:
        NotAState: if the state that the input gives is not one.
        UnknownRoomVersion: if there is no such version.
    """
    gathered = Gathered(version_record(version))
    state: dict[StateKey, EventId] | None = None
    joined: EventId | None = None
    for entry, check in check_entries(entries, version, keys=keys):
        gathered._add(entry, check)
        if on_check is not None:
            on_check(entry, check)
        event = check.usable
        if event is not None and entry.part is Part.STATE:
            state = {} if state is None else state
            _add_to_state(state, event)
        elif event is not None and entry.part is Part.JOINED:
            joined = event.event_id
    if joined is None:
        gathered.current = state
    elif state is not None:
        gathered.given[joined] = state
    return gathered


def _add_to_state(state: dict[StateKey, EventId], event: Event) -> None:
    if event.state_key is None:
        raise NotAState(f"{event.event_id} is a message, not a state event")
    key = (event.type, event.state_key)
    if state.setdefault(key, event.event_id) != event.event_id:
        raise NotAState(f"two events for {key[0]} {shorten(key[1])}: {state[key]} and {event.event_id}")


@dataclass(slots=True)
class RoomCheck:
    """What came of checking the events of a room together.

    Attributes:
        gathered: the usable events of the room, and those that were left out.
        replay: the room, replayed.
        summary: counts over all events.
        findings: for each event of which something was found, what, in the order of the room's graph.
        rejected: events that are rejected, or soft-failed, just as the recording server says: no finding.
        resets: keys that went back to an older value at a merge.
        state_differs: keys of the current state that the recording server holds otherwise: to our event
            and to its.
        not_compared: the recording server says what the state was, and it is not known here.
        soft_failed_there: events that the recording server soft-failed, as it got them later than they
            come in `replay`, which accepts them: no finding.
    """

    gathered: Gathered
    replay: Replay
    summary: Summary = field(default_factory=Summary)
    findings: dict[EventId, tuple[Finding, ...]] = field(default_factory=dict)
    rejected: set[EventId] = field(default_factory=set)
    resets: list[Reset] = field(default_factory=list)
    state_differs: dict[StateKey, tuple[EventId | None, EventId | None]] = field(default_factory=dict)
    not_compared: bool = False
    soft_failed_there: set[EventId] = field(default_factory=set)

    @property
    def ok(self) -> bool:
        """Nothing was found, and the recording server agrees on the state, if it says what that is."""
        return not self.summary.bad and self.state_agrees

    @property
    def state_agrees(self) -> bool:
        """The recording server agrees on the state, if it says what that is."""
        return not self.state_differs and not self.not_compared


def check_room(  # noqa: PLR0913 - all but two are options by keyword
    entries: Iterable[Entry],
    version: RoomVersion | str,
    *,
    keys: KeyRing | None = NO_KEYS,
    beliefs: Beliefs | None = None,
    soft_failure: bool = True,
    on_check: Callable[[Entry, EventCheck], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RoomCheck:
    """Check every event of a room: each by itself, and then all together by the authorisation rules.

    Each event is judged against its own auth events and against the state before it, in the order of
    the room's graph; those at its ends against the current state too.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu,
    checks 1 to 6.

    Args:
        entries: in any order. Events that are not of the room of the first create event, or without one
            of most of them, are findings and are left out.
        version, keys: as in `check_event`.
        beliefs: what the server that recorded the room held of it. An event that it rejected as well
            is no finding; one on which it differs is.
        soft_failure: as in `replay_room`.
        on_check: called with each entry and what was found of it by itself.
        progress: called now and then with the number of events replayed, and the number of all.

    Raises:
        NotAState: if the state that the input gives is not one.
        MissingEvents: naming events of a given state that are not among the events.
        WrongRoom: if the create event makes a room of another version.
        UnknownRoomVersion: if there is no such version.
    """
    gathered = gather_events(entries, version, keys=keys, on_check=on_check)
    events = gathered.events
    room_id = _main_room(events.values())
    own = [event for event in events.values() if event.room_id == room_id]
    # A state may hold an event of another room, which is found below.
    given = {event_id: _of_room(state, events, room_id) for event_id, state in gathered.given.items()}
    replayed = replay_room(
        own,
        given=given,
        current=None if gathered.current is None else _of_room(gathered.current, events, room_id),
        soft_failure=soft_failure,
        progress=None if progress is None else lambda done: progress(done, len(own)),
    )
    result = RoomCheck(gathered, replayed)
    for event_id, event in events.items():
        if event.room_id != room_id:
            reason = Reason("room_id", f"{shorten(event.room_id)}, not {shorten(room_id)}")
            result.findings[event_id] = (Finding(FindingKind.OTHER_ROOM, (reason,)),)
    _judge(result, beliefs or Beliefs())
    result.summary.merge(gathered.summary)
    for event_id, check in gathered.checks.items():
        result.summary.add(check, result.findings.get(event_id, ()), rejected=event_id in result.rejected)
    return result


def _of_room(
    state: Mapping[StateKey, EventId], events: Mapping[EventId, Event], room_id: RoomId
) -> dict[StateKey, EventId]:
    return {key: event_id for key, event_id in state.items() if events[event_id].room_id == room_id}


def _judge(result: RoomCheck, held: Beliefs) -> None:
    """Turn the outcomes of a replay into findings, beside what the recording server believed."""
    replayed = result.replay
    in_order = set(replayed.order)
    lacks: dict[EventId, tuple[EventId, ...]] = {}
    for event_id in (*replayed.order, *(e for e in replayed.outcomes if e not in in_order)):
        outcome = replayed.outcomes[event_id]
        found = _found(outcome, replayed, lacks)
        believed = held.rejected is not None and event_id in held.rejected
        softly = held.soft_failed is not None and event_id in held.soft_failed
        if found is None:
            if softly:
                result.soft_failed_there.add(event_id)
            # Where the state before it is not known, half of the rules were not asked.
            if believed and outcome.by_state is not None:
                text = "the recording server rejected it, and the rules allow it"
                result.findings[event_id] = (Finding(FindingKind.SERVER_DIFFERS, (Reason("", text),)),)
        elif (believed and not outcome.accepted and outcome.status is not Status.UNDECIDED) or (
            softly and outcome.accepted
        ):
            result.rejected.add(event_id)
        else:
            result.findings[event_id] = (found,)
            if (
                held.rejected is not None
                and outcome.status is not Status.UNDECIDED
                and outcome.deciding is not None
            ):
                text = "the recording server has accepted it"
                differs = Finding(FindingKind.SERVER_DIFFERS, (Reason("", text),))
                result.findings[event_id] = (found, differs)
    result.resets = replayed.resets()
    if held.state is not None:
        _compare_states(result, held.state)


def _main_room(events: Collection[Event]) -> RoomId:
    for event in events:
        if event.type == "m.room.create" and event.state_key == "":
            return event.room_id
    rooms = Counter(event.room_id for event in events)
    return rooms.most_common(1)[0][0] if rooms else ""


def _found(outcome: Outcome, replayed: Replay, lacks: dict[EventId, tuple[EventId, ...]]) -> Finding | None:
    """Return the finding that an outcome makes, if it makes one."""
    match outcome.status:
        case Status.UNDECIDED:
            return Finding(FindingKind.AUTH_EVENT_MISSING, _lacking(outcome, lacks))
        case Status.CYCLIC:
            return Finding(FindingKind.CYCLE, _cycle(replayed.events[outcome.event_id], replayed))
        case Status.REJECTED_BY_AUTH_EVENTS:
            verdict = outcome.by_auth_events
            assert verdict is not None
            kind = FindingKind.REJECTED
            if verdict.rule is AUTH_EVENTS_REJECTED:
                kind = FindingKind.AUTH_EVENT_REJECTED
            return Finding(kind, (Reason("", str(verdict)),))
        case Status.REJECTED_BY_STATE:
            return Finding(FindingKind.REJECTED_BY_STATE, (Reason("", str(outcome.by_state)),))
        case Status.ACCEPTED:
            soft_failed = replayed.soft_failed.get(outcome.event_id)
            if soft_failed is not None:
                return Finding(FindingKind.SOFT_FAILED, (Reason("", str(soft_failed)),))
            return None


def _lacking(outcome: Outcome, lacks: dict[EventId, tuple[EventId, ...]]) -> tuple[Reason, ...]:
    """Say what an undecided event lacks, and note it in `lacks`, which has that of those before it.

    Not more than is shown is carried on: each event of a long chain may lack as many as came before.
    """
    lacked: dict[EventId, None] = {}
    reasons = []
    for event_id in outcome.missing:
        beyond = lacks.get(event_id)
        lacked.update(dict.fromkeys(beyond or [event_id]))
        if beyond is None:
            reasons.append(Reason("auth_events", f"{event_id} is missing"))
        else:
            listed = ", ".join(beyond[:SHOWN]) + (" and others" if len(beyond) > SHOWN else "")
            reasons.append(Reason("auth_events", f"{event_id} is undecided for lack of {listed}"))
    lacks[outcome.event_id] = tuple(lacked)[: SHOWN + 1]
    return tuple(reasons)


def _cycle(event: Event, replayed: Replay) -> tuple[Reason, ...]:
    return tuple(
        Reason(name, "the event itself" if cited == event.event_id else f"{cited} is on the cycle too")
        for name, ids in (("prev_events", event.prev_event_ids), ("auth_events", event.auth_event_ids))
        for cited in dict.fromkeys(ids)
        if cited in replayed.events and replayed.outcomes[cited].status is Status.CYCLIC
    )


def _compare_states(result: RoomCheck, believed: frozenset[EventId]) -> None:
    events = result.replay.events
    theirs: dict[StateKey, EventId] = {}
    for event_id in sorted(believed):
        event = events.get(event_id)
        # An event that is not here, or is none of a state, is still shown: under a key of its own.
        key = ("", event_id)
        if event is not None and event.state_key is not None:
            key = (event.type, event.state_key)
        theirs[key] = event_id
    ours = result.replay.current_state
    if ours is None:
        result.not_compared = True
        return
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            result.state_differs[key] = (ours.get(key), theirs.get(key))
