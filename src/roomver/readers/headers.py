"""The header of a recorded room: its first line, which is not an event."""

from dataclasses import dataclass
from typing import Final

from ..canonical import join_path, scan, shorten
from ..errors import NotCanonical, RoomverError
from ..keys import NO_KEYS, KeyRing, read_key_table
from ..types import JsonObject, JsonValue, RoomId
from ..versions import RoomVersion, get_room_version
from .entries import InputError, find_wrapper, is_pdu

ROOM_FORMAT: Final = "roomver-room/1"
"""``format`` in the header of a recorded room."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line of a recorded room says about it.

    Attributes:
        fields: all of it, with what the recording server held of the room: ``state``, ``rejected`` and
            others.
    """

    version: RoomVersion
    room_id: RoomId | None
    keys: KeyRing
    fields: JsonObject


def header_of(value: JsonValue, name: str) -> Header | None:
    """Return the header of a recorded room, if that is what the value is.

    Raises:
        InputError: if it is a header that cannot be used, or the beginning of another format of roomver.
    """
    if type(value) is not dict or type(form := value.get("format")) is not str:
        return None
    if is_pdu(value) or find_wrapper(value) is not None:
        return None
    if form.startswith("roomver-vectors/"):
        raise InputError(name, "this is a file of test vectors, not a room: see `roomver vectors run`")
    if form != ROOM_FORMAT:
        raise InputError(name, f"unknown format {shorten(form)}; known is {ROOM_FORMAT}")
    try:
        scan(value, strict=False)
        version = get_room_version(value.get("room_version"))  # type: ignore[arg-type]  # others are unknown
        keys = read_key_table(value["keys"], source=name) if "keys" in value else NO_KEYS
        _check_fields(value)
    except RoomverError as error:
        raise InputError(name, f"the header: {error}") from None
    room_id = value.get("room_id")
    return Header(version, room_id if type(room_id) is str else None, keys, value)


def _check_fields(header: JsonObject) -> None:
    """Check the form of what the header says of the room. What has another form could not be compared.

    Raises:
        NotCanonical: naming the field.
    """
    for key in ("room_id", "server"):
        if key in header and type(header[key]) is not str:
            raise NotCanonical(key, f"expected a string, found {shorten(header[key])}")
    for key in ("forward_extremities", "state", "rejected", "soft_failed"):
        if key in header:
            _check_ids(key, header[key])
    redacted_by = header.get("redacted_by", {})
    if type(redacted_by) is not dict:
        raise NotCanonical("redacted_by", f"expected an object, found {shorten(redacted_by)}")
    for event_id, redactions in redacted_by.items():
        _check_ids(join_path("redacted_by", event_id), redactions)


def _check_ids(path: str, value: JsonValue) -> None:
    if type(value) is not list:
        raise NotCanonical(path, f"expected an array of event IDs, found {shorten(value)}")
    for index, item in enumerate(value):
        if type(item) is not str:
            raise NotCanonical(join_path(path, index), f"expected an event ID, found {shorten(item)}")
