"""Replay: fold the events of a room, in the order of its graph, into verdicts and states.

For each event, a replay computes the state before it, resolved over its prev events; its verdicts
against its own auth events and against that state; and the state after it. At the end it finds the forward
extremities and the current state. A server does the same as events arrive. A replay does it for a whole
room, or for a part of one: where prev events are missing, the state is unknown unless it is given.

Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ..errors import MissingEvents, WrongRoom
from ..event import Event
from ..hashing import HashCheck, check_content_hash
from ..state import entries_of
from ..types import EventId, JsonValue, StateMap
from ..versions import RoomVersion, StateResolution, is_known
from .current import ENDS_UNCERTAIN
from .ends import Ends
from .fold import Fold
from .holes import find_followed
from .lost import Lost, forget_doubtful
from .outcome import CurrentCheck, Decisions, Outcome, SoftFailure, Status
from .result import Merge, Replay, Reset

__all__ = [
    "ENDS_UNCERTAIN",
    "CurrentCheck",
    "Decisions",
    "Lost",
    "Merge",
    "Outcome",
    "Replay",
    "Reset",
    "SoftFailure",
    "Status",
    "replay_room",
]


def replay_room(  # noqa: PLR0913 - all but one are options by keyword
    events: Iterable[Event],
    *,
    given: Mapping[EventId, StateMap[EventId]] | None = None,
    current: StateMap[EventId] | None = None,
    accepted: Mapping[EventId | None, Collection[EventId]] | None = None,
    decisions: Decisions | None = None,
    other_rooms: Mapping[EventId, Event] | None = None,
    algorithm: StateResolution | str | None = None,
    skip_rejected: bool = False,
    soft_failure: bool = True,
    policy_server: bool = True,
    resets: bool = True,
    outliers: Collection[EventId] | None = None,
    backfilled: Collection[EventId] = frozenset(),
    lost: Sequence[Lost] = (),
    unplaced: Collection[EventId] = frozenset(),
    progress: Callable[[int], None] | None = None,
) -> Replay:
    """Replay the events of one room.

    Source: https://spec.matrix.org/latest/server-server-api/#checks-performed-on-receipt-of-a-pdu,
    checks 4 to 7. Format, signatures and hashes (checks 1 to 3) must have been checked before.

    Args:
        events: in any order. Of several events with the same ID, the first counts.
        given: states before events whose prev events are missing, by event ID. It may be a `PartialState`. If
            the state over the prev events is known too, each of the two tells what is unknown in the other
            one, and the entries on which they contradict each other are unknown: `Replay.contradicted` lists
            them. The server that gave a state has accepted its events and those of its auth chain; this
            replay relies on that where it cannot tell.
        current: the current state of the room, if the caller has it from elsewhere. It may be a
            `PartialState`. The events of all these states must be in `events`.
        accepted: more events that such a server has accepted, by the event that the state is given for (None
            for the current state): the rest of its answer. If its prev events do not tell that state, they
            come before it, like the events of the auth chain, unless they follow it. The event itself may be
            among them: the join that a server let in.
        decisions: what a server decided. The events that it decided about, even undecided ones, are then
            accepted or rejected as it says. `Outcome.ours` has the status without it, so that one
            disagreement does not reject every event that follows.
        other_rooms: events of other rooms, by event ID. The rules refuse an event that has one of them among
            its auth events. Without them, such an event is undecided.
        algorithm: the algorithm to use instead of the room version's, or its value, as in `resolve`.
        skip_rejected: see `resolve`.
        soft_failure: check each accepted event against the current state at its arrival (check 6). That state
            depends on the order of arrival. With `soft_failure=False`, results do not depend on it.
        policy_server: also check that each of these events has the signature of the policy server that the
            room uses at its arrival (check 7), if it uses one. Leave it out for made-up events.
        resets: look for state resets.
        outliers: the events that the server keeps beside the room's graph, if the events are all that it has
            received. Neither they nor missing events are then forward extremities, and an event replaces only
            those that it follows by prev events. None if this is not known.
        backfilled: events that the server fetched from the history of the room, after later ones. Such an
            event is not checked against the current state at its arrival, and is never a forward extremity.
        lost: newer events that are not in `events`. The current state is then known as far as it agrees with
            the states that the sources of these events list. The forward extremities are uncertain, and so
            are the checks against the current state that the lost events may change.
        unplaced: events whose arrival is unknown: the server may have received them at any time, or fetched
            them from the history. They leave the forward extremities uncertain.
        progress: called periodically with the number of events done.

    Raises:
        MissingEvents: naming the events of a given state that are not in `events`.
        WrongRoom: if the events are not all from one room and room version, or if every create event that can
            make the room names another room version.
        ValueError: if there is no such algorithm.

    Cost: two checks and small changes to a shared state per event; a third check where open branches do not
    agree. The cost of a merge depends on what differs. The merges for the third checks and the search for
    resets are bounded by the size of the room: `Replay.unchecked` and `Replay.unsought` list what is left
    out. A room is folded twice if accepted events follow rejected events that follow missing ones.
    """
    by_id: dict[EventId, Event] = {}
    for event in events:
        by_id.setdefault(event.event_id, event)
    _check_one_room(by_id)
    states = [*(given or {}).values(), *([] if current is None else [current])]
    missing = {e for state in states for e in entries_of(state).values() if e not in by_id}
    if missing:
        raise MissingEvents(missing)

    def run(followed: Collection[EventId]) -> Replay:
        fold = Fold(
            Replay(by_id, skip_rejected=skip_rejected),
            given or {},
            current,
            accepted=accepted or {},
            algorithm=None if algorithm is None else StateResolution(algorithm),
            decisions=decisions,
            resets=resets,
            followed=followed,
            other_rooms=other_rooms,
        )
        order = fold.begin()
        fold.result.backfilled, fold.result.unplaced = frozenset(backfilled), frozenset(unplaced)
        ends = Ends(fold, soft_failure=soft_failure, policy_server=policy_server, outliers=outliers)
        for number, event_id in enumerate(order):
            event = by_id[event_id]
            ends.arrive(event_id, event, *fold.step(event_id, event))
            if progress is not None and not number % 256:
                progress(number)
        ends.finish()
        return fold.result

    replayed = run(())
    # When a rejected event arrives, nothing tells yet whether an accepted event follows it. That changes no
    # outcome and no state, so a second fold is the last.
    sought = replayed.missing and outliers is None
    followed = find_followed(by_id, replayed.outcomes) if sought else None
    if followed:
        replayed = run(followed)
    if lost:
        forget_doubtful(replayed, lost)
    return replayed


def _check_one_room(events: Mapping[EventId, Event]) -> None:
    rooms: dict[tuple[str, str], EventId] = {}
    others: dict[EventId, JsonValue] = {}
    made = False
    last: tuple[str | None, RoomVersion | None] = None, None
    for event_id, event in events.items():
        if last != (event.room_id, event.room_version):
            last = event.room_id, event.room_version
            rooms.setdefault((event.room_id, event.room_version.identifier), event_id)
        # One with prev events makes no room: rule 1.1 refuses it, and anybody can send it.
        if event.type == "m.room.create" and event.state_key == "" and not event.prev_event_ids:
            named = event.content.get("room_version", "1")
            # Up to version 10 redaction removes the room version. Then only the caller knows it.
            redacted = "room_version" not in event.content and (
                check_content_hash(event) is not HashCheck.INTACT
            )
            if redacted or named == event.room_version.identifier or not is_known(named):
                made = True
            else:
                others[event_id] = named
    for event_id, named in others.items():
        if not made:
            version = events[event_id].room_version
            raise WrongRoom(
                f"{event_id} makes a room of version {named}, but it is read as version {version}"
            )
    if len(rooms) > 1:
        listed = ", ".join(f"{event_id} from {room} (version {v})" for (room, v), event_id in rooms.items())
        raise WrongRoom(f"events of more than one room: {listed}")
