"""Check the events of a room together. All commands for whole rooms use this module.

Each entry is checked by itself (`roomver.check`), the usable events are kept, the room is replayed
(`roomver.replay`), and the outcomes become findings. The result is data.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from .canonical import shorten
from .contributions import Origin
from .entry import Entry
from .event import Event
from .findings import Action, EventCheck, Finding, FindingKind, Reason, Summary
from .gathering import Gathered, gather_events
from .keys import NO_KEYS, KeyRing
from .known_states import Beliefs, FindStates
from .replay import Decisions, Lost, Outcome, Replay, Reset, Status, replay_room
from .rules import AUTH_EVENTS_REJECTED, Verdict
from .state import PartialState, entries_of, forget_strange
from .types import EventId, RoomId, StateKey, StateMap
from .undecided import Dropped, Undecided, is_part_of_room
from .versions import RoomVersion, StateResolution

__all__ = ["Beliefs", "Gathered", "RoomCheck", "check_room", "gather_events"]


@dataclass(slots=True)
class RoomCheck:
    """The result of checking the events of a room together.

    Attributes:
        gathered: the usable events, and what was dropped.
        replay: the replay of the room.
        summary: counts of all events.
        findings: event ID to the findings of the event in its room, parents before children.
        agreed: events that both the recording server and the rules reject or soft-fail, each with the finding
            that would apply if the server disagreed. If the replay follows that server, these include all
            accepted events that it soft-failed.
        dropped: events of the input that are missing from the room because they were dropped.
        resets: the state resets.
        state_differs: keys whose event in the current state differs from the recording server's. Each
            maps to our event ID and the server's, None for no event.
        recorded_missing: events that the recording names and that are not among the usable events, sorted.
            Each has the names of the fields of `Beliefs` that name it. What the server decided about them
            cannot be compared.
        keys_not_compared: keys of the current state that were not compared, sorted: a missing event of the
            recording server's state may have them there, or that server does not have its whole state yet.
        not_compared: whether the recording gives a state but the current state is unknown here.
        compared_in_part: whether the recording gives a state, and the current state is known in part here or
            on the recording server.
        extremities_differ: forward extremities that only we have, and those that only the recording server
            has. None if they agree, or if the recording or the replay does not tell them.
        follow: events that are rejected only because they cite a rejected event that the recording server
            accepted. The difference is found at that event.
        soft_failed_there: events that the recording server soft-failed and that are accepted in the order
            of the input. The server may have received them later, so these are not findings. Events whose
            check against the current state is unknown here are not among them.
        refused_there: events that the recording server rejected or soft-failed, and that are undecided here,
            or accepted while their check against the current state is unknown. Each has what the server did.
        lost: the newest events that sources name and that are not among the usable events. What they may
            change is unknown.
    """

    gathered: Gathered
    replay: Replay
    summary: Summary = field(default_factory=Summary)
    findings: dict[EventId, tuple[Finding, ...]] = field(default_factory=dict)
    agreed: dict[EventId, Finding] = field(default_factory=dict)
    dropped: dict[EventId, Dropped] = field(default_factory=dict)
    resets: list[Reset] = field(default_factory=list)
    state_differs: dict[StateKey, tuple[EventId | None, EventId | None]] = field(default_factory=dict)
    recorded_missing: dict[EventId, tuple[str, ...]] = field(default_factory=dict)
    keys_not_compared: list[StateKey] = field(default_factory=list)
    not_compared: bool = False
    compared_in_part: bool = False
    extremities_differ: tuple[tuple[EventId, ...], tuple[EventId, ...]] | None = None
    follow: set[EventId] = field(default_factory=set)
    soft_failed_there: set[EventId] = field(default_factory=set)
    refused_there: dict[EventId, Action] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)

    def finding(self, event_id: EventId) -> Finding:
        """Return the first finding of an event in its room, or the one that the recording server agrees with.

        Raises:
            KeyError: if it has neither.
        """
        return self.findings[event_id][0] if event_id in self.findings else self.agreed[event_id]

    @property
    def ok(self) -> bool:
        """Whether nothing is found, contradicted, lost, undecided or in part, and the current state agrees.

        Forward extremities that differ are told but do not count: a server may keep one that it received
        late.
        """
        decided = not self.summary.undecided and not self.replay.current_unknown
        agree = self.state_agrees and not self.contradicted
        complete = not self.recorded_missing and not self.lost and not is_part_of_room(self.replay)
        return not self.summary.bad and decided and agree and complete

    @property
    def contradicted(self) -> bool:
        """Whether sources contradict each other, or a given state contradicts the events before it."""
        return bool(self.gathered.contradictions or self.replay.contradicted)

    @property
    def state_agrees(self) -> bool:
        """Whether the current state agrees with the recording, if it gives one."""
        return not self.state_differs and not self.not_compared and not self.keys_not_compared


def check_room(  # noqa: PLR0913 - all but two are keyword-only options
    entries: Iterable[Entry],
    version: RoomVersion | str,
    *,
    keys: KeyRing | None = NO_KEYS,
    beliefs: Beliefs | None = None,
    as_recorded: bool = False,
    algorithm: StateResolution | str | None = None,
    soft_failure: bool = True,
    find_states: FindStates | None = None,
    origins: Sequence[Origin] = (),
    room_id: RoomId | None = None,
    unhashed: bool = False,
    on_check: Callable[[Entry, EventCheck], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> RoomCheck:
    """Check every event of a room: each by itself, then all of them by the authorisation rules.

    Each event is checked against its own auth events, against the state before it, and against the
    current state of the room.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu,
    checks 1 to 7.

    Args:
        entries: the entries, in any order. The room is that of the first create event of the first source.
            Without a create event it is the room that most of its events belong to. Its events of other rooms
            are findings and are not replayed; an event that cites one as an auth event is rejected.
        version, keys: as in `check_event`.
        beliefs: what the server that recorded the room decided. An event that it rejected too is not a
            finding; a different decision is one.
        as_recorded: accept and reject events as the recording server did, and report where the rules
            differ. So one disagreement does not reject every event that depends on it.
        algorithm, soft_failure: as in `replay_room`.
        find_states: called with the usable events, for what their server knows beside them, such as the
            states before events whose prev events are missing.
        origins, room_id, unhashed, executor: as in `gather_events`.
        on_check: called with each entry and its check.
        progress: called periodically with the number of events replayed, and the number of all events.

    Raises:
        NotAState: if the input's state events do not form a room state.
        MissingEvents: naming events of a given state that are not among the events.
        WrongRoom: if the create event makes a room of another version.
        UnknownRoomVersion: if there is no such version.
        ValueError: if `as_recorded` is set and the beliefs do not say which events were rejected, or if there
            is no such algorithm.
    """
    origins = origins or (Origin("the input", "a file", beliefs=beliefs, find_states=find_states),)
    gathered = gather_events(
        entries,
        version,
        keys=keys,
        origins=origins,
        room_id=room_id,
        unhashed=unhashed,
        on_check=on_check,
        executor=executor,
    )
    beliefs = None if beliefs is None else gathered.narrowed(beliefs)
    events = gathered.events
    room_id = gathered.room_id
    apart = gathered.apart
    own = [event for event in events.values() if event.room_id == room_id and event.event_id not in apart]
    # A state may contain an event of another room, which becomes a finding below. A state before an event of
    # another room says nothing about this one.
    here = {None, *({*gathered.given, *gathered.accepted} & {event.event_id for event in own})}
    given = {e: _of_room(state, events, room_id) for e, state in gathered.given.items() if e in here}
    decisions = None
    if as_recorded:
        held = beliefs or Beliefs()
        if held.rejected is None:
            raise ValueError("the beliefs do not say which events were rejected")
        recorded = [e for e, place in gathered.places.items() if held.speak_of(place, e)]
        decisions = Decisions(held.rejected, held.soft_failed or frozenset(), recorded)
    lost = gathered.find_lost({event.event_id: event for event in own})
    run = partial(
        replay_room,
        own,
        given=given,
        accepted={e: answer for e, answer in gathered.accepted.items() if e in here},
        decisions=decisions,
        other_rooms={
            **gathered.other_rooms.events,
            **{event_id: event for event_id, event in events.items() if event.room_id != room_id},
        },
        algorithm=algorithm,
        soft_failure=soft_failure,
        backfilled=gathered.backfilled,
        lost=lost,
        unplaced=gathered.unplaced,
        policy_server=keys is not None and not unhashed,  # without signatures there is nothing to check
        progress=None if progress is None else lambda done: progress(done, len(own)),
    )
    if gathered.current is not None and gathered.server_has is not None:
        # One source gives it, and the events of the others may tell it too.
        resolved = run(outliers=gathered.outliers, resets=False, progress=None)
        if resolved.extremities_known and resolved.forward_extremities and resolved.current_state is not None:
            gathered.compare_current(resolved.current_state)
    current = None if gathered.current is None else _of_room(gathered.current, events, room_id)
    run = partial(run, current=current)
    replayed = run(outliers=gathered.outliers)
    ends = gathered.extremities
    if gathered.outliers is not None and ends is not None and _has_gaps(own, events):
        # Events from files may replace extremities, and be some.
        ours = {*filter(gathered.is_servers, replayed.forward_extremities)}
        if not ours <= ends:
            # The server has received events that it no longer has.
            replayed = run()
    replayed.events = gathered.events.part(replayed.events)  # two tables of one room take more memory
    result = RoomCheck(gathered, replayed, lost=lost)
    for event_id, finding in gathered.left_out.items():
        if event_id not in events:
            result.dropped[event_id] = Dropped(gathered.left_out_at[event_id], finding)
    for event_id, event in events.items():
        if event.room_id != room_id:
            reason = Reason("room_id", f"{shorten(event.room_id)}, not {shorten(room_id)}")
            finding = Finding(FindingKind.OTHER_ROOM, (reason,))
            result.findings[event_id] = (finding,)
            result.dropped[event_id] = Dropped(gathered.places[event_id], finding)
    _judge(result, beliefs or Beliefs())
    result.summary.merge(gathered.summary)
    for event_id, check in gathered.checks.items():
        found = result.findings.get(event_id, ())
        result.summary.add(check, found, agreed=result.agreed.get(event_id))
    return result


def _has_gaps(own: Iterable[Event], events: Collection[EventId]) -> bool:
    return any(prev not in events for event in own for prev in event.prev_event_ids)


def _of_room(state: StateMap[EventId], events: Mapping[EventId, Event], room_id: RoomId) -> StateMap[EventId]:
    """Return a state without events of other rooms. What the room has in their place is unknown."""
    entries = entries_of(state)
    return forget_strange(state, {key: e for key, e in entries.items() if events[e].room_id != room_id})


def _judge(result: RoomCheck, held: Beliefs) -> None:
    """Turn the outcomes of a replay into findings, compared with the recording server's decisions."""
    replayed = result.replay
    in_order = set(replayed.order)
    places = result.gathered.places
    undecided = Undecided(result.gathered, replayed, result.dropped)
    unknown = frozenset(replayed.current_unknown)
    for event_id in (*replayed.order, *(e for e in replayed.outcomes if e not in in_order)):
        outcome = replayed.outcomes[event_id]
        found = _found(outcome, replayed, undecided)
        own = outcome.own
        believed = held.rejected is not None and event_id in held.rejected
        softly = held.soft_failed is not None and event_id in held.soft_failed
        if found is None and softly and outcome.ours is not None:
            why = replayed.current_check(event_id).why
            found = Finding(FindingKind.SOFT_FAILED, (Reason("", why),))
        open_here = own is Status.UNDECIDED or (found is None and event_id in unknown)
        if open_here and (believed or softly):
            result.refused_there[event_id] = Action.REJECT if believed else Action.SOFT_FAIL
        if found is None:
            if softly and outcome.ours is None and event_id not in unknown:
                result.soft_failed_there.add(event_id)
            if believed and outcome.by_state is not None:
                text = "the recording server rejected it, but the rules allow it"
                result.findings[event_id] = (Finding(FindingKind.SERVER_DIFFERS, (Reason("", text),)),)
        elif (believed and own not in (Status.ACCEPTED, Status.UNDECIDED)) or (
            softly and own is Status.ACCEPTED
        ):
            result.agreed[event_id] = found
        else:
            result.findings[event_id] = (found,)
            if (
                held.rejected is None
                or outcome.deciding is None
                or not held.speak_of(places[event_id], event_id)
            ):
                continue
            cited = cast(EventId, outcome.deciding.detail.get("auth_event", ""))
            if (
                found.kind is FindingKind.AUTH_EVENT_REJECTED
                and cited not in held.rejected
                and held.speak_of(places[cited], cited)
            ):
                # The server differs on the auth event. That it accepted this event too follows from that.
                result.follow.add(event_id)
            else:
                did = "rejected" if believed else "soft-failed" if softly else "accepted"
                text = f"the recording server {did} it"
                differs = Finding(FindingKind.SERVER_DIFFERS, (Reason("", text),))
                result.findings[event_id] = (found, differs)
    result.resets = replayed.resets()
    _find_missing(result, held)
    if held.state is not None:
        _compare_states(result, held.state, partial=held.partial)
    # Events from elsewhere may replace extremities, and be some.
    speaks_of_all = all(held.speak_of(place, event_id) for event_id, place in places.items())
    if held.extremities is not None and replayed.extremities_known and speaks_of_all:
        ours = frozenset(replayed.forward_extremities)
        if ours != held.extremities:
            only_here, only_there = ours - held.extremities, held.extremities - ours
            result.extremities_differ = (tuple(sorted(only_here)), tuple(sorted(only_there)))


def _found(outcome: Outcome, replayed: Replay, undecided: Undecided) -> Finding | None:
    """Return the finding of an outcome; None for an accepted event."""
    match outcome.own:
        case Status.UNDECIDED:
            return undecided.finding(outcome)
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
        case Status.ACCEPTED | Status.REJECTED_AS_RECORDED:  # the latter is never our own
            soft_failed = replayed.soft_failed.get(outcome.event_id)
            if soft_failed is not None:
                by_rules = isinstance(soft_failed, Verdict)
                kind = FindingKind.SOFT_FAILED if by_rules else FindingKind.POLICY_SERVER
                return Finding(kind, (Reason("", str(soft_failed)),))
            return None


def _cycle(event: Event, replayed: Replay) -> tuple[Reason, ...]:
    return tuple(
        Reason(name, "the event itself" if cited == event.event_id else f"{cited} is on the cycle too")
        for name, ids in (("prev_events", event.prev_event_ids), ("auth_events", event.auth_event_ids))
        for cited in dict.fromkeys(ids)
        if cited in replayed.events and replayed.outcomes[cited].status is Status.CYCLIC
    )


def _find_missing(result: RoomCheck, held: Beliefs) -> None:
    """Note the events that a recording names and that are not among the usable events."""
    events = result.gathered.events
    named: dict[EventId, list[str]] = {}
    for name in ("state", "rejected", "soft_failed"):
        for event_id in getattr(held, name) or ():
            if event_id not in events:
                named.setdefault(event_id, []).append(name)
    result.recorded_missing = {event_id: tuple(named[event_id]) for event_id in sorted(named)}


def _compare_states(result: RoomCheck, believed: frozenset[EventId], *, partial: bool) -> None:
    """Compare the current state with the recording server's.

    Args:
        result: with the replay; to be completed.
        believed: the events of the server's state.
        partial: whether the server does not have all of it yet. What differs then is not compared.
    """
    events = result.gathered.events
    theirs: dict[StateKey, EventId] = {}
    incomplete = False
    for event_id in sorted(believed):
        event = events.get(event_id)
        if event is None:
            incomplete = True  # it may have any key
            continue
        # A message has no key. It is listed under a key of its own.
        key = ("", event_id) if event.state_key is None else (event.type, event.state_key)
        theirs[key] = event_id
    state = result.replay.current_state
    if state is None or not events:  # without events, nothing is known
        result.not_compared = True
        return
    ours = entries_of(state)
    result.compared_in_part = partial or isinstance(state, PartialState)
    for key in sorted(ours.keys() | theirs.keys()):
        if isinstance(state, PartialState) and state.why_unknown(key) is not None:
            continue
        if ours.get(key) == theirs.get(key):
            continue
        if partial and key not in theirs and key[0] == "m.room.member":
            continue
        if partial or (incomplete and key not in theirs):
            result.keys_not_compared.append(key)
        else:
            result.state_differs[key] = (ours.get(key), theirs.get(key))
