"""What a reader hands on: entries, each with its place in the input."""

import re

from ..canonical import load_json, shorten
from ..entry import Entry, Part, Place
from ..errors import NotCanonical, RoomverError
from ..types import EventId, JsonObject, JsonValue
from ..versions import RoomVersion, get_room_version


class InputError(RoomverError):
    """An input that cannot be read as what it should be, as a whole.

    Attributes:
        name: of the input, such as its path.
        reason: what is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(name, reason)

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def entry_of(
    value: JsonValue, place: Place, claimed_id: EventId | None = None, part: Part = Part.EVENT
) -> Entry:
    """Return the entry of a JSON value: a PDU, or ``{"event_id": …, "pdu": …}``."""
    if type(value) is dict and "pdu" in value and "type" not in value:
        if "event_id" in value:
            claimed = value["event_id"]
            if type(claimed) is not str:
                return Entry(
                    place, None, None, f"event_id: expected a string, found {shorten(claimed)}", part
                )
            claimed_id = claimed
        value = value["pdu"]
    return Entry(place, claimed_id, value, None, part)


def entry_of_line(raw: bytes, number: int) -> Entry:
    """Return the entry of one line of JSON Lines, which may be no JSON at all."""
    place = Place(number, "")
    try:
        return entry_of(load_json(raw), place)
    except NotCanonical as error:
        return Entry(place, None, None, line_error(error))


# Within a line "line 1" would mislead: the entry's place names the line.
_POSITION = re.compile(r"line 1, (?=column \d+$)")


def line_error(error: NotCanonical) -> str:
    """Return what is wrong with a line, by its column."""
    return _POSITION.sub("", str(error))


def created_version(value: JsonValue) -> RoomVersion | None:
    """Return the room version that a create event names; None for any other value.

    A create event without ``content.room_version`` is of version 1.

    Raises:
        UnknownRoomVersion: if it names one that is not known.
    """
    pdu: JsonValue = value
    if type(pdu) is dict and "pdu" in pdu and "type" not in pdu:
        pdu = pdu["pdu"]
    if type(pdu) is not dict or pdu.get("type") != "m.room.create" or pdu.get("state_key") != "":
        return None
    content = pdu.get("content")
    if type(content) is not dict:
        return None
    return get_room_version(content.get("room_version", "1"))  # type: ignore[arg-type]  # others are unknown


def is_pdu(value: JsonObject) -> bool:
    """Tell whether an object looks like an event rather than something that holds events."""
    return "type" in value or type(value.get("pdu")) is dict
