"""Redaction: what is left of an event when all but the essential is taken away.

The keep-tables stand in the room version's record. Which redaction event may redact which target is
no matter of this module.

Source: https://spec.matrix.org/latest/client-server-api/#redactions and each room version's page.
"""

from .pdu import CarriesPdu, copied, unpack
from .types import JsonObject
from .versions import RoomIdForm, RoomVersion


def kept(pdu: JsonObject, version: RoomVersion) -> JsonObject:
    """Redact a PDU without copying: what is kept is shared with the input."""
    keeps = version.redaction_keeps
    result = {key: value for key, value in pdu.items() if key in keeps}
    kind = result.get("type")
    content = result.get("content")
    if type(kind) is not str:
        kind = ""
    if kind == "m.room.create" and version.room_id_form is RoomIdForm.CREATE_HASH:
        # The room ID is this event's own hash, so that it can be neither hashed nor signed. A create
        # event must not carry one, but clients are shown one, and such a copy may come back here.
        result.pop("room_id", None)
    if kind not in version.redaction_keeps_all_content and type(content) is dict:
        keys = version.redaction_keeps_content.get(kind)
        if keys is None:
            result["content"] = {}
        else:
            # Only top-level keys are filtered: their values survive whole, whatever their type.
            left: JsonObject = {key: value for key, value in content.items() if key in keys}
            if kind == "m.room.member" and version.redaction_keeps_signed_invite:
                # An object without `signed` leaves {}; of anything else nothing is kept. Synapse does
                # so; ruma keeps what is no object, and gomatrixserverlib drops the key in any case.
                invite = content.get("third_party_invite")
                if type(invite) is dict:
                    left["third_party_invite"] = {k: v for k, v in invite.items() if k == "signed"}
            result["content"] = left
    return result


def redact(event: JsonObject | CarriesPdu, version: RoomVersion | str | None = None) -> JsonObject:
    """Return the redacted form of an event.

    Source: https://spec.matrix.org/latest/rooms/v12/#redactions, and the same section of the page of
    each other room version.

    Args:
        event: an `Event`, or a raw PDU with its room version.
        version: the room version of a raw PDU.

    Returns:
        A PDU that shares nothing with the input. Signatures and hashes are kept.

    Raises:
        MalformedEvent: for a raw PDU that is no JSON object.
        NotCanonical: for a raw PDU that has no canonical JSON.

    >>> pdu = {"type": "m.room.member", "content": {"membership": "join", "displayname": "A"}, "age": 1}
    >>> redact(pdu, "11")
    {'type': 'm.room.member', 'content': {'membership': 'join'}}
    """
    pdu, known = unpack(event, version)
    result = copied(kept(pdu, known))
    assert type(result) is dict
    return result
