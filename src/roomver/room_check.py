"""Check the events of a room together. All commands on whole rooms take this one path.

Each entry is checked by itself (`roomver.check`), the usable events are kept, the room is replayed
(`roomver.replay`), and the outcomes become findings. The result is data.
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
from .keys import KeyTable
from .replay import Outcome, Replay, Reset, Status, replay_room
from .rules import AUTH_EVENTS_REJECTED
from .types import EventId, JsonObject, RoomId, StateKey
from .versions import RoomVersion, version_record

__all__ = ["Beliefs", "Gathered", "RoomCheck", "check_room", "gather_events"]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What the server that recorded a room decided. A field is None if the recording does not say.

    Attributes:
        rejected, soft_failed: the IDs of events.
        state: the IDs of the events of the current state.
    """

    rejected: frozenset[EventId] | None = None
    soft_failed: frozenset[EventId] | None = None
    state: frozenset[EventId] | None = None

    @classmethod
    def of_header(cls, fields: JsonObject) -> "Beliefs":
        """Return the beliefs in the header of a recorded room. The reader has checked its fields."""

        def ids(name: str) -> frozenset[EventId] | None:
            return frozenset(cast(list[EventId], fields[name])) if name in fields else None

        return cls(ids("rejected"), ids("soft_failed"), ids("state"))


@dataclass(slots=True)
class Gathered:
    """The usable events of an input, and the states that the input gives.

    Attributes:
        version: the room version that the events were checked against.
        events: the usable events by ID, in the order of the input. Of events with the same ID, the first.
        places: event ID to place in the input.
        checks: event ID to the check of the event by itself. `event` is None there: `events` has it.
        summary: counts of the other entries: those that were dropped, and those that repeat an event.
        dropped: the number of events that a server must drop.
        first_dropped: the place of the first of them, and its first finding; None without one.
        repeated: the number of events that repeat an earlier event.
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
    repeated: int = 0
    given: dict[EventId, dict[StateKey, EventId]] = field(default_factory=dict)
    current: dict[StateKey, EventId] | None = None

    def as_state(self) -> dict[StateKey, Event]:
        """Return the state events as a room state, each under its key. Messages are skipped.

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
            if self.first_dropped is None:
                dropped = (f for f in check.findings if f.kind.action is Action.DROP)
                self.first_dropped = entry.place, next(dropped)
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
    keys: KeyTable | None = None,
    now: int | None = None,
    on_check: Callable[[Entry, EventCheck], None] | None = None,
) -> Gathered:
    """Check the entries of an input, each by itself, and keep the usable events.

    Args:
        entries: the entries of one room, in the order of the input.
        version, keys, now: as in `check_event`.
        on_check: called with each entry and its check.

    Raises:
        NotAState: if a state that the input gives is not one, or two documents give different current states.
        UnknownRoomVersion: if there is no such version.
    """
    gathered = Gathered(version_record(version))
    states: dict[int, dict[StateKey, EventId]] = {}
    joined: dict[int, EventId] = {}
    for entry, check in check_entries(entries, version, keys=keys, now=now):
        gathered._add(entry, check)
        if on_check is not None:
            on_check(entry, check)
        event = check.usable
        if event is not None and entry.part is Part.STATE:
            _add_to_state(states.setdefault(entry.document, {}), event)
        elif event is not None and entry.part is Part.JOINED:
            joined[entry.document] = event.event_id
    for document, state in states.items():
        if document in joined:
            gathered.given[joined[document]] = state
        elif gathered.current is None:
            gathered.current = state
        elif gathered.current != state:
            raise NotAState("two documents give different current states; read them one at a time")
    return gathered


def _add_to_state(state: dict[StateKey, EventId], event: Event) -> None:
    if event.state_key is None:
        raise NotAState(f"{event.event_id} is a message, not a state event")
    key = (event.type, event.state_key)
    if state.setdefault(key, event.event_id) != event.event_id:
        raise NotAState(f"two events for {key[0]} {shorten(key[1])}: {state[key]} and {event.event_id}")


@dataclass(slots=True)
class RoomCheck:
    """The result of checking the events of a room together.

    Attributes:
        gathered: the usable events, and what was dropped.
        replay: the replay of the room.
        summary: counts of all events.
        findings: event ID to the findings of the event in its room, parents before children.
        agreed: events that are rejected or soft-failed, as the recording server says, each with what would
            be the finding if the server did not agree.
        resets: the state resets.
        state_differs: keys whose event in the current state differs from the recording server's. Each
            maps to our event ID and the server's, None for no event.
        not_compared: whether the recording gives a state but the current state is unknown here.
        soft_failed_there: events that the recording server soft-failed and that are accepted in the order
            of the input. The server may have received them later, so these are not findings.
    """

    gathered: Gathered
    replay: Replay
    summary: Summary = field(default_factory=Summary)
    findings: dict[EventId, tuple[Finding, ...]] = field(default_factory=dict)
    agreed: dict[EventId, Finding] = field(default_factory=dict)
    resets: list[Reset] = field(default_factory=list)
    state_differs: dict[StateKey, tuple[EventId | None, EventId | None]] = field(default_factory=dict)
    not_compared: bool = False
    soft_failed_there: set[EventId] = field(default_factory=set)

    @property
    def ok(self) -> bool:
        """Whether there are no findings and the state agrees with the recording, if it gives one."""
        return not self.summary.bad and self.state_agrees

    @property
    def state_agrees(self) -> bool:
        """Whether the current state agrees with the recording, if it gives one."""
        return not self.state_differs and not self.not_compared


def check_room(  # noqa: PLR0913 - all but two are options by keyword
    entries: Iterable[Entry],
    version: RoomVersion | str,
    *,
    keys: KeyTable | None = None,
    now: int | None = None,
    beliefs: Beliefs | None = None,
    soft_failure: bool = True,
    on_check: Callable[[Entry, EventCheck], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RoomCheck:
    """Check every event of a room: each by itself, then all of them by the authorisation rules.

    Each event is checked against its own auth events, against the state before it, and against the
    current state of the room.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu,
    checks 1 to 6.

    Args:
        entries: the entries, in any order. The room is that of the first create event, or without one
            that of most events. Events of other rooms are findings and are not replayed.
        version, keys, now: as in `check_event`.
        beliefs: what the server that recorded the room decided. If it rejected an event too, that is not
            a finding; a different decision is one.
        soft_failure: as in `replay_room`.
        on_check: called with each entry and its check.
        progress: called periodically with the number of events replayed, and the number of all events.

    Raises:
        NotAState: if the input's state events do not form a room state.
        MissingEvents: naming events of a given state that are not among the events.
        WrongRoom: if the create event makes a room of another version.
        UnknownRoomVersion: if there is no such version.
    """
    gathered = gather_events(entries, version, keys=keys, now=now, on_check=on_check)
    events = gathered.events
    room_id = _main_room(events.values())
    own = [event for event in events.values() if event.room_id == room_id]
    # A state may contain an event of another room, which becomes a finding below.
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
        result.summary.add(check, result.findings.get(event_id, ()), rejected=event_id in result.agreed)
    return result


def _of_room(
    state: Mapping[StateKey, EventId], events: Mapping[EventId, Event], room_id: RoomId
) -> dict[StateKey, EventId]:
    return {key: event_id for key, event_id in state.items() if events[event_id].room_id == room_id}


def _judge(result: RoomCheck, held: Beliefs) -> None:
    """Turn the outcomes of a replay into findings, compared with the recording server's decisions."""
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
            # If the state before the event is unknown, only half of the rules were applied.
            if believed and outcome.by_state is not None:
                text = "the recording server rejected it, and the rules allow it"
                result.findings[event_id] = (Finding(FindingKind.SERVER_DIFFERS, (Reason("", text),)),)
        elif (believed and not outcome.accepted and outcome.status is not Status.UNDECIDED) or (
            softly and outcome.accepted
        ):
            result.agreed[event_id] = found
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
    """Return the finding of an outcome; None for an accepted event."""
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
    """Return the reasons why an event is undecided: the missing events that it depends on.

    They are also stored in `lacks`, where the reasons of later events find them. Only as many as a reason
    lists are stored: in a long chain each event may depend on as many missing events as those before.
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
            verb = "is" if len(beyond) == 1 else "are"
            reasons.append(Reason("auth_events", f"{event_id} is undecided: {listed} {verb} missing"))
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
        # A missing event, or a message, has no key. It is listed under a key of its own.
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
