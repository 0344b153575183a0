"""Check the events of a room together: by the authorisation rules, and by the states they lead to.

What `roomver.check` finds of an event by itself comes before this: here events are well formed, and
those that a server would drop are left out. What comes out is data, as there.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

from .canonical import shorten
from .check import Finding, FindingKind, Reason
from .errors import SHOWN
from .event import Event
from .replay import Outcome, Replay, Reset, Status, replay_room
from .rules import AUTH_EVENTS_REJECTED
from .types import EventId, JsonObject, RoomId, StateKey, StateMap

__all__ = ["Beliefs", "RoomCheck", "check_room"]


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
class RoomCheck:
    """What came of checking the events of a room together.

    Attributes:
        replay: the room, replayed.
        findings: for each event of which something was found, what, in the order of the room's graph.
        rejected: events that are rejected, or soft-failed, just as the recording server says: no finding.
        resets: keys that went back to an older value at a merge.
        state_differs: keys of the current state that the recording server holds otherwise: to our event
            and to its.
        not_compared: the recording server says what the state was, and it is not known here.
        soft_failed_there: events that the recording server soft-failed, as it got them later than they
            come in `replay_room`, which accepts them: no finding.
    """

    replay: Replay
    findings: dict[EventId, tuple[Finding, ...]] = field(default_factory=dict)
    rejected: set[EventId] = field(default_factory=set)
    resets: list[Reset] = field(default_factory=list)
    state_differs: dict[StateKey, tuple[EventId | None, EventId | None]] = field(default_factory=dict)
    not_compared: bool = False
    soft_failed_there: set[EventId] = field(default_factory=set)

    @property
    def ok(self) -> bool:
        """Nothing was found, and the recording server agrees on the state, if it says what that is."""
        return not self.findings and self.state_agrees

    @property
    def state_agrees(self) -> bool:
        """The recording server agrees on the state, if it says what that is."""
        return not self.state_differs and not self.not_compared


def check_room(
    events: Collection[Event],
    *,
    beliefs: Beliefs | None = None,
    given: Mapping[EventId, StateMap[EventId]] | None = None,
    current: StateMap[EventId] | None = None,
    progress: Callable[[int], None] | None = None,
) -> RoomCheck:
    """Judge every event of a room by the authorisation rules.

    Each event is judged against its own auth events and against the state before it, in the order of
    the room's graph; those at its ends against the current state too.

    Args:
        events: well-formed events in any order. Those that are not of the room of the first create
            event, or without one of most of them, are findings and are left out.
        beliefs: what the server that recorded the room held of it. An event that it rejected as well
            is no finding; one on which it differs is.
        given, current: states that are known from elsewhere: see `replay_room`.
        progress: called now and then with the number of events done.

    Raises:
        MissingEvents: naming events of a given state that are not among the events.
        WrongRoom: if the events are not all of one room version, or the create event names another.
    """
    held = beliefs or Beliefs()
    room_id = _main_room(events)
    own = [event for event in events if event.room_id == room_id]
    result = RoomCheck(replay_room(own, given=given, current=current, progress=progress))
    for event in events:
        if event.room_id != room_id:
            reason = Reason("room_id", f"{shorten(event.room_id)}, not {shorten(room_id)}")
            result.findings[event.event_id] = (Finding(FindingKind.OTHER_ROOM, (reason,)),)
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
    return result


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
