"""Redaction: what is left of an event when all but the essential is taken away.

The keep-tables stand in the room version's record. Which redaction event may redact which target is
no matter of this module.

Source: https://spec.matrix.org/latest/client-server-api/#redactions and each room version's page.
"""

from typing import Protocol

from .canonical import scan
from .errors import Defect, MalformedEvent
from .types import JsonObject, JsonValue
from .versions import RoomIdForm, RoomVersion, version_record


class CarriesPdu(Protocol):
    """Anything that holds a checked PDU and its room version, as an `Event` does."""

    @property
    def pdu(self) -> JsonObject: ...
    @property
    def room_version(self) -> RoomVersion: ...


def unpack(
    event: JsonObject | CarriesPdu, version: RoomVersion | str | None
) -> tuple[JsonObject, RoomVersion]:
    """Return the PDU and the room version of an `Event`, or of a raw PDU with its version.

    Raises:
        MalformedEvent: for a raw PDU that is no JSON object or has no canonical JSON.
        UnknownRoomVersion: for a version that is not known.
        TypeError: for a raw PDU without a version, or an `Event` with one that is not its own.
    """
    known = None if version is None else version_record(version)
    if not isinstance(event, dict) and hasattr(event, "pdu"):
        if known is not None and known is not event.room_version:
            raise TypeError(f"the event is of room version {event.room_version}, not {known}")
        return event.pdu, event.room_version
    if known is None:
        raise TypeError("a raw PDU needs its room version")
    if type(event) is not dict:
        raise MalformedEvent([Defect("", "a JSON object", f"a {type(event).__name__}")], known.identifier)
    scan(event, strict=known.strict_canonical_json)
    return event, known


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


def copied(value: JsonValue) -> JsonValue:
    """Copy a JSON value through and through. The value has been scanned, so recursion is bounded."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if type(value) is list:
        return [copied(item) for item in value]
    return value


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
