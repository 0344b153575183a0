"""Entries: what a reader makes of a JSON value, each with its place in the input."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..canonical import join_path, load_json, shorten
from ..entry import Entry, Part, Place
from ..errors import NotCanonical, RoomverError, UnknownRoomVersion
from ..hashing import HashCheck, check_content_hash
from ..types import EventId, JsonObject, JsonValue
from ..versions import ROOM_VERSIONS, EventIdForm, RoomIdForm, RoomVersion, get_room_version

LISTS: Final = ("pdus", "events", "state", "auth_chain", "invite_room_state", "knock_room_state")
"""The keys under which a document may have arrays of events."""

UNCHANGED: Final = ROOM_VERSIONS["1"]
"""A room version in which a reader takes nothing out of an event."""

# With one of these, an answer to a join leaves members out of the state.
_MEMBERS_OMITTED: Final = ("members_omitted", "org.matrix.msc3706.partial_state")
STATE_FLAGS: Final = (*_MEMBERS_OMITTED, "unknown")
"""The keys of a document that say whether it gives its state in whole."""

# Under these a row of a database's table has the PDU, often as text.
_COLUMNS: Final = ("json", "event_json")


class InputError(RoomverError):
    """An input that, as a whole, cannot be read as what it should be.

    Attributes:
        name: what messages call the input, such as its path.
        reason: what is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(name, reason)

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Read:
    """One value of the input.

    Attributes:
        value: any JSON value; None if there is an error.
        place: where it is.
        claimed_id: the event ID that the input gives beside it, in another column.
        error: why it could not be read; None if it could.
    """

    value: JsonValue
    place: Place
    claimed_id: EventId | None = None
    error: str | None = None


def is_pdu(value: JsonObject) -> bool:
    """Tell whether an object looks like an event rather than something that holds events."""
    return "type" in value


def unwrap(value: JsonValue) -> tuple[JsonValue, EventId | None]:
    """Return the PDU in one of its wrappers, and the event ID that the wrapper has; or the value itself.

    Wrappers: ``{"event_id": …, "pdu": …}``, ``{"event": …}``, a row with a column ``json``.

    Raises:
        NotCanonical: if the ID is not a string, or the text in the column is not JSON.
    """
    claimed_id: EventId | None = None
    wrapper = find_wrapper(value) if type(value) is dict else None
    if type(value) is not dict or wrapper is None:
        return value, claimed_id
    inner = value[wrapper]
    if wrapper in _COLUMNS and type(inner) is str:
        inner = load_json(inner)
    if "event_id" in value:
        claimed = value["event_id"]
        if type(claimed) is not str:
            raise NotCanonical("event_id", f"expected a string, found {shorten(claimed)}")
        claimed_id = claimed
    return inner, claimed_id


def find_wrapper(value: JsonObject) -> str | None:
    """Return the key under which an object that is not an event has one; None if it has no such key."""
    if is_pdu(value):
        return None
    for key in ("pdu", *_COLUMNS):
        if key in value:
            return key
    return "event" if type(value.get("event")) is dict and not holds_events(value) else None


def holds_events(value: JsonObject) -> bool:
    """Tell whether an object that is not an event has events under one of the keys for them."""
    if is_pdu(value):
        return False
    return type(value.get("events")) is dict or any(type(value.get(key)) is list for key in LISTS)


def entry_of(read: Read, version: RoomVersion, part: Part = Part.EVENT, document: int = 0) -> Entry:
    """Return the entry of a value: of a PDU, or of a PDU in one of its wrappers.

    An event ID inside the PDU is taken out of it if the room version has no such key, and so is the room ID
    of a create event. Dumps and administration interfaces add them; on the wire they are defects.
    """
    if read.error is not None:
        return Entry(read.place, read.claimed_id, None, read.error, part, document)
    try:
        pdu, claimed_id = unwrap(read.value)
    except NotCanonical as error:
        return Entry(read.place, read.claimed_id, None, line_error(error), part, document)
    claimed_id = claimed_id or read.claimed_id
    entry = Entry(read.place, claimed_id, pdu, None, part, document)
    if type(pdu) is not dict:
        return entry
    if version.event_id_form is not EventIdForm.CHOSEN and type(carried := pdu.get("event_id")) is str:
        pdu = {key: item for key, item in pdu.items() if key != "event_id"}
        entry = replace(entry, pdu=pdu, claimed_id=claimed_id or carried, carried_id=carried)
    if (
        version.room_id_form is RoomIdForm.CREATE_HASH
        and _is_create(pdu)
        and type(room := pdu.get("room_id")) is str
    ):
        pdu = {key: item for key, item in pdu.items() if key != "room_id"}
        entry = replace(entry, pdu=pdu, claimed_room_id=room)
    return entry


def entries_in(read: Read, version: RoomVersion, document: int = 0) -> Iterator[Entry]:
    """Yield the entries of a value: of the events that it holds, or of the one that it is."""
    value = read.value
    if type(value) is not dict or not holds_events(value):
        yield entry_of(read, version, document=document)
        return
    parts = list_parts(value)
    for key, held in value.items():
        path = join_path(read.place.path, key)
        if key in LISTS and type(held) is list and not _only_ids(held):
            for index, item in enumerate(held):
                place = read.place._replace(path=join_path(path, index))
                yield entry_of(Read(item, place), version, parts[key], document)
        elif key == "events" and type(held) is dict:
            for event_id, item in held.items():
                place = read.place._replace(path=join_path(path, event_id))
                yield entry_of(Read(item, place, event_id), version, document=document)
        elif key == "event" and type(held) is dict:
            # The event that an answer to a join may hand back, signed by the server that let it in.
            yield entry_of(Read(held, read.place._replace(path=path)), version, Part.JOINED, document)


def list_parts(document: Mapping[str, object]) -> dict[str, Part]:
    """Return what the events under each key of a document are.

    Args:
        document: must have the document's keys that are in `LISTS`, and its values of `STATE_FLAGS`.
    """
    state = Part.STATE
    if document.get("unknown"):
        state = Part.PART_OF_STATE  # as `roomver state --json` writes it
    elif any(document.get(key) is True for key in _MEMBERS_OMITTED):
        state = Part.STATE_WITHOUT_MEMBERS
    parts = {**dict.fromkeys(LISTS, Part.EVENT), "state": state, "auth_chain": Part.AUTH_CHAIN}
    parts["invite_room_state"] = parts["knock_room_state"] = Part.PART_OF_STATE
    if "state" not in document and "auth_chain" in document:
        parts["pdus"] = state  # an answer to a request for a state
    return parts


def _only_ids(values: list[JsonValue]) -> bool:
    """Tell whether a list holds IDs: a document that has its events by ID may have such lists beside them."""
    return bool(values) and all(type(item) is str for item in values)


def _is_create(pdu: JsonObject) -> bool:
    return pdu.get("type") == "m.room.create" and pdu.get("state_key") == ""


def created_version(value: JsonValue) -> RoomVersion | None:
    """Return the room version that a create event names; None for any other value.

    A create event without ``content.room_version`` makes a room of version 1, if its content hash holds. Up
    to version 10 redaction removes the room version, and then nothing in the event says it.

    Raises:
        UnknownRoomVersion: if it names an unknown one.
    """
    try:
        pdu, _ = unwrap(value)
    except NotCanonical:
        return None
    if type(pdu) is not dict or not _is_create(pdu):
        return None
    content = pdu.get("content")
    if type(content) is not dict:
        return None
    if "room_version" not in content and _is_changed(pdu):
        return None
    return get_room_version(content.get("room_version", "1"))  # type: ignore[arg-type]  # others are unknown


def _is_changed(pdu: JsonObject) -> bool:
    try:
        return check_content_hash(pdu, "1") is HashCheck.MISMATCH
    except RoomverError:
        return False


def find_version(values: Iterable[JsonValue], name: str) -> RoomVersion | None:
    """Return the room version that the first create event among values names; None without one.

    Raises:
        InputError: if it names an unknown one.
    """
    for value in values:
        try:
            if (found := created_version(value)) is not None:
                return found
        except UnknownRoomVersion as error:
            raise InputError(name, f"its create event: {error}") from None
    return None


def line_error(error: NotCanonical) -> str:
    """Return what is wrong with a line, by its column: the entry's place names the line."""
    return str(error).replace(" at line 1, column ", " at column ")
