"""Rule 1: create events. This rule reads no room state."""

from ..canonical import shorten
from ..event import Event
from ..identifiers import is_user_id, server_of
from ..rules import (
    CREATE_ADDITIONAL_CREATORS,
    CREATE_ALLOWED,
    CREATE_HAS_PREV_EVENTS,
    CREATE_HAS_ROOM_ID,
    CREATE_NO_CREATOR,
    CREATE_ROOM_ID_DOMAIN,
    CREATE_ROOM_VERSION,
    Verdict,
)
from ..versions import RoomIdForm, is_known


def check_create(event: Event) -> Verdict:
    """Check a create event.

    No state key is required. A create event with a non-empty state key is never the room's create event.
    (gomatrixserverlib rejects it.)
    """
    version = event.room_version
    content = event.content

    # If it has any prev_events, reject.
    if event.prev_event_ids:
        return Verdict(False, CREATE_HAS_PREV_EVENTS, version, {"prev_event": event.prev_event_ids[0]})

    if version.room_id_form is RoomIdForm.DOMAIN:
        # If the domain of the room_id does not match the domain of the sender, reject.
        room_server, sender_server = server_of(event.room_id), server_of(event.sender)
        if room_server != sender_server:
            detail = {"room_id": event.room_id, "sender": event.sender}
            return Verdict(False, CREATE_ROOM_ID_DOMAIN, version, detail)
    elif "room_id" in event.pdu:
        # If the event has a room_id, reject. With the state key "", the event format rejects it already.
        return Verdict(False, CREATE_HAS_ROOM_ID, version, {"room_id": event.room_id})

    # If content.room_version is present and is not a recognised version, reject. If it is absent, the version
    # is 1; null counts as present. The caller must parse the event as this version. Of the versions that this
    # package does not have, only the one that was passed in is recognised.
    if "room_version" in content:
        named = content["room_version"]
        if named != version.identifier and not is_known(named):
            return Verdict(False, CREATE_ROOM_VERSION, version, {"room_version": shorten(named)})

    # If content has no creator property, reject. A null counts as a property (in ruma and gomatrixserverlib
    # it does not).
    if version.creator_in_content and "creator" not in content:
        return Verdict(False, CREATE_NO_CREATOR, version, {})

    # If additional_creators is present and is not an array of user IDs valid like a sender, reject.
    if version.additional_creators and "additional_creators" in content:
        creators = content["additional_creators"]
        if type(creators) is not list:
            found = {"additional_creators": shorten(creators)}
            return Verdict(False, CREATE_ADDITIONAL_CREATORS, version, found)
        for creator in creators:
            if type(creator) is not str or not is_user_id(creator):
                found = {"additional_creator": shorten(creator)}
                return Verdict(False, CREATE_ADDITIONAL_CREATORS, version, found)

    # Otherwise, allow.
    return Verdict(True, CREATE_ALLOWED, version, {})
