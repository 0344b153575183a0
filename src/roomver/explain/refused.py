"""The event with which a refusal began, down the auth events or up the joins of a user."""

from ..event import Event
from ..replay import Replay, Status
from ..rules import AUTH_EVENTS_REJECTED, ROOM_ID_OF_CREATE
from ..types import EventId

__all__ = ["find_first_refused", "find_refused_join"]


def find_first_refused(replay: Replay, event_id: EventId) -> tuple[EventId, ...]:
    """Return the rejected events that an event goes back to, because each cites the next.

    The last one is refused for a reason of its own: by a rule, by the state before it, because it is on a
    cycle, or only by the server that recorded the room.

    Returns:
        Event IDs, beginning with the one that the event cites. Empty if the event is not rejected for citing
        a rejected one.
    """
    chain: list[EventId] = []
    seen = {event_id}
    while True:
        outcome = replay.outcomes.get(event_id)
        if outcome is None or outcome.own is not Status.REJECTED_BY_AUTH_EVENTS:
            break
        verdict = outcome.by_auth_events
        cited = None
        if verdict is not None and verdict.rule is AUTH_EVENTS_REJECTED:
            cited = verdict.detail.get("auth_event")
        elif verdict is not None and verdict.rule is ROOM_ID_OF_CREATE:
            create = replay.events[event_id].auth_parents[-1]
            rejected = create in replay.outcomes and not replay.outcomes[create].accepted
            cited = create if rejected else None
        if type(cited) is not str or cited in seen or cited not in replay.outcomes:
            break
        seen.add(cited)
        chain.append(cited)
        event_id = cited
    return tuple(chain)


def find_refused_join(replay: Replay, subject: Event) -> EventId | None:
    """Return the last join of an event's sender before the event that was not accepted, or was soft-failed.

    None if no join was refused, or if another change of the membership was accepted after it: then that is
    why the sender is not in the room. Only an event that comes before in the order of the replay counts.
    """
    found: EventId | None = None
    for event_id in replay.order:
        if event_id == subject.event_id:
            break
        one = replay.events[event_id]
        if one.type != "m.room.member" or one.state_key != subject.sender:
            continue
        outcome = replay.outcomes[event_id]
        if outcome.status is Status.UNDECIDED:
            continue
        refused = not outcome.accepted or event_id in replay.soft_failed
        if not refused:
            found = None
        elif one.content.get("membership") == "join":
            found = event_id
    return found
