"""The PDU as it is passed around: how functions accept one, and how it is copied.

Modules on higher floors know what a PDU means. Nothing here reads its keys.
"""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from .canonical import plain_object, scan
from .errors import Defect, MalformedEvent, NotCanonical
from .types import JsonObject, JsonValue
from .versions import RoomVersion, version_record


class CarriesPdu(Protocol):
    """An object that holds a checked PDU and its room version, as an `Event` does."""

    @property
    def pdu(self) -> JsonObject: ...
    @property
    def room_version(self) -> RoomVersion: ...


def unpack(
    event: Mapping[str, object] | CarriesPdu, version: RoomVersion | str | None
) -> tuple[JsonObject, RoomVersion]:
    """Return the PDU and the room version of an `Event`, or of a raw PDU with its version.

    Raises:
        MalformedEvent: if a raw PDU is not a JSON object.
        NotCanonical: if a raw PDU cannot be encoded as canonical JSON.
        UnknownRoomVersion: if the version is not known.
        TypeError: if a raw PDU comes without a version, or an `Event` with a version that is not its own.
    """
    known = None if version is None else version_record(version)
    if not isinstance(event, dict) and hasattr(event, "pdu"):
        carrier = cast(CarriesPdu, event)
        if known is not None and known != carrier.room_version:
            raise TypeError(f"the event has room version {carrier.room_version}, not {known}")
        return carrier.pdu, carrier.room_version
    if known is None:
        raise TypeError("a raw PDU needs its room version")
    pdu = plain_object(event)
    if pdu is None:
        raise MalformedEvent([Defect("", "a JSON object", f"a {type(event).__name__}")], known.identifier)
    scan(pdu, strict=known.strict_canonical_json)
    return pdu, known


def scanned_copy(value: JsonObject, *, strict: bool, path: str = "") -> JsonObject:
    """Return a deep copy of a dict that is not yet scanned.

    Args:
        value: the dict.
        strict: as in `scan`.
        path: its place, which an error names.

    Raises:
        NotCanonical: if it cannot be encoded as canonical JSON. A value that holds itself has no copy.
    """
    try:
        scan(value, strict=strict)
    except NotCanonical as error:
        between = "." if path and error.path and not error.path.startswith("[") else ""
        raise NotCanonical(f"{path}{between}{error.path}", error.reason) from None
    return cast(JsonObject, copied(value))


def copied(value: JsonValue) -> JsonValue:
    """Return a deep copy of a JSON value."""
    # Without recursion: an event may be 128 levels deep, and the caller's own stack may be deep too.
    if type(value) is not dict and type(value) is not list:
        return value
    result = value.copy()
    todo: list[Any] = [result]
    while todo:
        node = todo.pop()
        for key, item in node.items() if type(node) is dict else enumerate(node):
            if type(item) is dict or type(item) is list:
                node[key] = inner = item.copy()
                todo.append(inner)
    return result
