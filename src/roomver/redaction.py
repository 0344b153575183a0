"""Redaction: remove everything from an event except the keys that its room version keeps.

The record of the room version lists those keys. Whether a redaction event may redact a target is
decided in `roomver.auth`.

Source: https://spec.matrix.org/latest/client-server-api/#redactions and each room version's page.
"""

from collections.abc import Mapping

from .pdu import CarriesPdu, copied, unpack
from .types import JsonObject
from .versions import RoomIdForm, RoomVersion

__all__ = ["redact"]


def kept(pdu: JsonObject, version: RoomVersion) -> JsonObject:
    """Redact a PDU without copying: the result shares its values with the input."""
    keeps = version.redaction_keeps
    # "Upon receipt of a redaction event, the server must strip off any keys not in the following list: [...]"
    result = {key: value for key, value in pdu.items() if key in keeps}
    kind = result.get("type")
    content = result.get("content")
    if type(kind) is not str:
        kind = ""
    if kind == "m.room.create" and version.room_id_form is RoomIdForm.CREATE_HASH:
        # The room ID is this event's own hash, so the hash and the signatures cannot cover it. A create
        # event must not carry one. Servers add it to what clients see, and such a copy may come here.
        result.pop("room_id", None)
    # "The content object must also be stripped of all keys, unless it is one of the following event types:
    # [...]" From version 11 on: "m.room.create allows all keys."
    if kind not in version.redaction_keeps_all_content and type(content) is dict:
        keys = version.redaction_keeps_content.get(kind)
        left: JsonObject = {}
        if keys is not None:
            # Only the keys of content are filtered. Their values are kept whole, whatever their type.
            left = {key: value for key, value in content.items() if key in keys}
            if kind == "m.room.member" and version.redaction_keeps_signed_invite:
                # "Additionally, it allows the `signed` key of the `third_party_invite` key." (version 11)
                # An object without `signed` becomes {}, and a value that is not an object is removed.
                # Synapse does the same. ruma keeps such a value; gomatrixserverlib always drops the key.
                invite = content.get("third_party_invite")
                if type(invite) is dict:
                    left["third_party_invite"] = {k: v for k, v in invite.items() if k == "signed"}
        if version.redaction_keeps_relation:
            _keep_relation(content, left)
        result["content"] = left
    return result


def _keep_relation(content: JsonObject, left: JsonObject) -> None:
    """Put into a redacted content what redaction keeps of its relation.

    Source: https://github.com/matrix-org/matrix-spec-proposals/pull/3389
    """
    # "The m.relates_to.rel_type and m.relates_to.event_id fields should be preserved over redactions [...]
    # If m.relates_to is not an object, or m.relates_to would be an empty object after redacting any other
    # keys, then m.relates_to should also be removed from content."
    relation = content.get("m.relates_to")
    if type(relation) is dict:
        kept_of_it: JsonObject = {k: v for k, v in relation.items() if k in ("rel_type", "event_id")}
        if kept_of_it:
            left["m.relates_to"] = kept_of_it


def redact(event: Mapping[str, object] | CarriesPdu, version: RoomVersion | str | None = None) -> JsonObject:
    """Return the redacted form of an event.

    Source: https://spec.matrix.org/latest/rooms/v12/#redactions, and the same section of the other
    room versions' pages.

    Args:
        event: an `Event`, or a raw PDU with its room version.
        version: the room version of a raw PDU.

    Returns:
        A new PDU that shares nothing with the input. It keeps the signatures and hashes.

    Raises:
        MalformedEvent: if a raw PDU is not a JSON object.
        NotCanonical: if a raw PDU cannot be encoded as canonical JSON.

    >>> pdu = {"type": "m.room.member", "content": {"membership": "join", "displayname": "A"}, "age": 1}
    >>> redact(pdu, "11")
    {'type': 'm.room.member', 'content': {'membership': 'join'}}
    """
    pdu, record = unpack(event, version)
    result = copied(kept(pdu, record))
    assert type(result) is dict
    return result
