"""The rules on an event's own auth events, and in version 12 on its room ID. They read no room state."""

from collections.abc import Container, Mapping

from ..errors import MissingEvents, WrongRoom
from ..event import Event
from ..power import CREATE
from ..rules import (
    AUTH_EVENTS_DUPLICATE,
    AUTH_EVENTS_NO_CREATE,
    AUTH_EVENTS_NOT_SELECTED,
    AUTH_EVENTS_OTHER_ROOM,
    AUTH_EVENTS_REJECTED,
    ROOM_ID_OF_CREATE,
    Rule,
    Verdict,
)
from ..selection import select_auth_types
from ..types import EventId, StateKey
from ..versions import RoomIdForm


def cited_events(event: Event, events: Mapping[EventId, Event]) -> list[Event]:
    """Return the events of `Event.auth_parents`, in that order.

    Raises:
        MissingEvents: naming all of them that are not in `events`.
        WrongRoom: if one of them has another room version.
    """
    wanted = event.auth_parents
    try:
        found = [events[event_id] for event_id in wanted]
    except KeyError:
        raise MissingEvents([event_id for event_id in wanted if event_id not in events]) from None
    version = event.room_version
    for cited in found:
        # The first comparison is the faster one, and nearly always enough.
        if cited.room_version is not version and cited.room_version != version:
            raise WrongRoom(
                f"{event.event_id} has room version {version} but cites {cited.event_id}, which has"
                f" version {cited.room_version}"
            )
    return found


def check_room_id(
    event: Event, events: Mapping[EventId, Event], rejected: Container[EventId]
) -> Verdict | None:
    """Check rule 2 of version 12; return None if it does not decide.

    If the event's room_id is not an event ID for an accepted m.room.create event, with the sigil !
    instead of $, reject.
    """
    if event.room_version.room_id_form is not RoomIdForm.CREATE_HASH:
        return None
    create_id = event.auth_parents[-1]
    create = events[create_id]
    fault = None
    if create.type != "m.room.create" or create.state_key != "":
        fault = f"{create_id} has type {create.type}"
    elif create_id in rejected:
        fault = f"{create_id} was rejected"
    elif create.content.get("room_version") != event.room_version.identifier:
        # A create event that names another version makes a room of that version.
        fault = f"{create_id} makes a room of another version"
    if fault is None:
        return None
    return Verdict(False, ROOM_ID_OF_CREATE, event.room_version, {"room_id": event.room_id, "why": fault})


def check_auth_events(event: Event, cited: list[Event], rejected: Container[EventId]) -> Verdict | None:
    """Check the rule "Considering the event's auth_events"; return None if it does not decide.

    Args:
        event: the event to check.
        cited: its auth events, in its order.
        rejected: the IDs of rejected events.
    """
    version = event.room_version

    # Each rule is checked for all entries at once. Which entry breaks it is found only if one does: this runs
    # for every event, and almost no event breaks a rule.
    keys = [(other.type, other.state_key) for other in cited]
    entries = set(keys)

    # If there are duplicate entries for a given type and state_key pair, reject. The same ID twice is such
    # a duplicate too.
    if len(entries) != len(keys):
        twice = next(index for index, key in enumerate(keys) if key in keys[:index])
        return _refused(event, AUTH_EVENTS_DUPLICATE, cited[twice])

    # If there are entries that the auth events selection would not pick, reject. It never picks a message
    # nor, in version 12, the create event.
    selectable = select_auth_types(event)
    if not entries <= selectable:
        stray = next(index for index, key in enumerate(keys) if key not in selectable)
        return _refused(event, AUTH_EVENTS_NOT_SELECTED, cited[stray])

    # If there are entries which were themselves rejected, reject. An event that cites itself, which is
    # possible in versions 1 and 2, cites an event that has not been accepted.
    own_id = event.event_id
    for event_id in event.auth_event_ids:
        if event_id in rejected or event_id == own_id:
            return Verdict(False, AUTH_EVENTS_REJECTED, version, {"auth_event": event_id})

    # If there is no m.room.create event among the entries, reject.
    if version.create_in_auth_events and CREATE not in entries:
        return Verdict(False, AUTH_EVENTS_NO_CREATE, version, {})

    # If any event in auth_events has a room_id which does not match that of the event being authorised,
    # reject. Servers did so in every room version before the specification said so (1.16).
    room_id = event.room_id
    for other in cited:
        if other.room_id != room_id:
            detail = {"auth_event": other.event_id, "its_room_id": other.room_id, "room_id": room_id}
            return Verdict(False, AUTH_EVENTS_OTHER_ROOM, version, detail)
    return None


def _refused(event: Event, rule: Rule, entry: Event) -> Verdict:
    detail = {"auth_event": entry.event_id, "type": entry.type, "state_key": entry.state_key}
    return Verdict(False, rule, event.room_version, detail)


def state_of(cited: list[Event]) -> dict[StateKey, Event]:
    """Return the room state that auth events make up."""
    return {(e.type, e.state_key): e for e in cited if e.state_key is not None}
