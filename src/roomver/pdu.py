"""The PDU as it is carried: how it reaches a function, and how it is copied.

What a PDU means is a matter for the modules above: nothing here looks inside one.
"""

from typing import Protocol

from .canonical import scan
from .errors import Defect, MalformedEvent
from .types import JsonObject, JsonValue
from .versions import RoomVersion, version_record


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


def copied(value: JsonValue) -> JsonValue:
    """Copy a JSON value through and through. The value has been scanned, so recursion is bounded."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if type(value) is list:
        return [copied(item) for item in value]
    return value
