"""What a reader hands on: entries, each with its place in the input."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from ..canonical import load_json, shorten
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


class Place(NamedTuple):
    """Where in the input an entry stands."""

    line: int | None
    """The line, counted from 1, of an entry that has one to itself."""
    path: str
    """The path in the JSON document otherwise, such as ``pdus[3]``."""

    def __str__(self) -> str:
        return f"line {self.line}" if self.line is not None else self.path or "the document"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: a PDU, or why there is none.

    Attributes:
        claimed_id: the event ID that the input gives beside the PDU, if it does.
        pdu: any JSON value; None where there is an error.
        error: why the entry could not be read, if so.
    """

    place: Place
    claimed_id: EventId | None
    pdu: JsonValue
    error: str | None = None


def entry_of(value: JsonValue, place: Place, claimed_id: EventId | None = None) -> Entry:
    """Return the entry of a JSON value: a PDU, or ``{"event_id": …, "pdu": …}``."""
    if type(value) is dict and "pdu" in value and "type" not in value:
        if "event_id" in value:
            claimed = value["event_id"]
            if type(claimed) is not str:
                return Entry(place, None, None, f"event_id: expected a string, found {shorten(claimed)}")
            claimed_id = claimed
        value = value["pdu"]
    return Entry(place, claimed_id, value)


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
