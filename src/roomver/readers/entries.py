"""Entries: what a reader makes of a JSON value, each with its place in the input."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from ..canonical import join_path, load_json, shorten
from ..entry import Entry, Part, Place
from ..errors import NotCanonical, RoomverError, UnknownRoomVersion
from ..hashing import HashCheck, check_content_hash
from ..types import EventId, JsonObject, JsonValue, RoomId
from ..versions import ROOM_VERSIONS, EventIdForm, RoomIdForm, RoomVersion, version_named

WIRE_ONLY: Final = frozenset({"auth_events", "prev_events", "hashes", "depth", "signatures"})
"""Keys that only a PDU has. No other form of an event has any of them."""

LISTS: Final = ("pdus", "events", "state", "auth_chain", "invite_room_state", "knock_room_state")
"""The keys under which a document may have arrays of events."""

UNCHANGED: Final = ROOM_VERSIONS["1"]
"""A room version in which a reader takes nothing out of an event."""

# With one of these, an answer to a join leaves members out of the state.
_MEMBERS_OMITTED: Final = ("members_omitted", "org.matrix.msc3706.partial_state")
STATE_FLAGS: Final = (*_MEMBERS_OMITTED, "unknown")
"""The keys of a document that say whether it gives its state in whole."""

_STRIPPED_LISTS: Final = ("invite_room_state", "knock_room_state")

# In a response to ``/sync``: the kinds of rooms that have PDUs, and where each room has them.
SYNC_KINDS: Final = ("join", "leave")
SYNC_PARTS: Final = ("state", "timeline", "state_after")

# Keys whose values many events of a room have in common.
_SHARED: Final = ("type", "room_id", "auth_events", "prev_events")
_LONGEST_SHARED: Final = 255

# The columns in which a row of a database has the PDU, often as text.
_COLUMNS: Final = ("json", "event_json")


class InputError(RoomverError):
    """An input that is unusable as a whole, because it is not in an expected format.

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


class NoVersion(InputError):
    """The source does not give the version of its room."""


class NoRoom(InputError):
    """An input that belongs beside a room and holds none, such as keys or a list of event IDs.

    Nothing is wrong with it.
    """


class Read(NamedTuple):
    """One value of the input."""

    value: JsonValue
    """Any JSON value; None if there is an error."""
    place: Place
    """Where it is."""
    claimed_id: EventId | None = None
    """The event ID that the input gives beside it, in another column."""
    error: str | None = None
    """Why it could not be read; None if it could."""
    room_id: RoomId | None = None
    """The room that the input puts it in, for an event that does not name its room."""


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
    if type(value.get("events")) is dict or any(type(value.get(key)) is list for key in LISTS):
        return True
    return is_sync(value) or is_by_id(value)


def is_sync(value: JsonObject) -> bool:
    """Tell whether an object that is not an event is a response to ``/sync``."""
    return type(value.get("rooms")) is dict and "next_batch" in value


def is_by_id(value: JsonObject) -> bool:
    """Tell whether an object has nothing but events, by their IDs."""
    return bool(value) and all(key.startswith("$") and type(held) is dict for key, held in value.items())


def is_stripped(value: JsonValue) -> bool:
    """Tell whether a value is an event of stripped state: it has nothing that only a PDU has."""
    return type(value) is dict and "sender" in value and is_pdu(value) and not WIRE_ONLY & value.keys()


def entry_of(read: Read, version: RoomVersion, part: Part = Part.EVENT, document: int = 0) -> Entry:
    """Return the entry for a value, which is a PDU or a PDU in one of its wrappers.

    An event ID inside the PDU is taken out of it if the room version has no such key, and so is the room ID
    of a create event. Dumps and admin APIs add them; on the wire they are defects.
    """
    if read.error is not None:
        return Entry(read.place, read.claimed_id, None, read.error, part, document)
    try:
        pdu, claimed_id = unwrap(read.value)
    except NotCanonical as error:
        return Entry(read.place, read.claimed_id, None, line_error(error), part, document)
    claimed_id = claimed_id or read.claimed_id
    if type(pdu) is dict:
        pdu = _shared(pdu)
        if read.room_id is not None and "room_id" not in pdu:
            pdu["room_id"] = read.room_id  # the content hash shows whether it is right
    entry = Entry(read.place, claimed_id, pdu, None, part, document)
    if type(pdu) is not dict:
        return entry
    if version.event_id_form is not EventIdForm.CHOSEN and type(carried := pdu.get("event_id")) is str:
        pdu = {key: item for key, item in pdu.items() if key != "event_id"}
        entry = entry._replace(pdu=pdu, claimed_id=claimed_id or carried, carried_id=carried)
    if (
        version.room_id_form is RoomIdForm.CREATE_HASH
        and is_create(pdu)
        and type(room := pdu.get("room_id")) is str
    ):
        pdu = {key: item for key, item in pdu.items() if key != "room_id"}
        entry = entry._replace(pdu=pdu, claimed_room_id=room)
    return entry


def _shared(pdu: JsonObject) -> JsonObject:
    """Return an equal object that shares the IDs that it cites with other events.

    Without this, each event would have its own copies: a large part of the memory that a room takes. Sharing
    what is inside its content and signatures too would save less and take three times as long. The keys are
    shared where events are kept (`roomver.compact`).
    """
    shared = pdu.copy()
    for key in _SHARED:
        value = shared.get(key)
        if type(value) is str:
            shared[key] = _known(value) if len(value) <= _LONGEST_SHARED else value
        elif type(value) is list:
            shared[key] = [
                _known(one) if type(one) is str and len(one) <= _LONGEST_SHARED else one for one in value
            ]
    return shared


# Bounded, unlike `sys.intern`, which in some versions of Python never forgets a string. Create event, power
# levels and join rules are cited all the time, so they stay.
@lru_cache(maxsize=8192)
def _known(text: str) -> str:
    """Return the string that was here lately and is equal, or else this one."""
    return text


def entries_in(read: Read, version: RoomVersion, document: int = 0) -> Iterator[Entry]:
    """Yield the entries for the events in a value, or one entry for the value itself if it is an event."""
    value = read.value
    if type(value) is not dict or not holds_events(value):
        yield entry_of(read, version, document=document)
        return
    if is_sync(value) or is_by_id(value):
        for one in _synced(read) if is_sync(value) else _by_id(read):
            yield entry_of(one, version, document=document)
        return
    parts = list_parts(value)
    room_id = shared_room_id(value)
    for key, held in value.items():
        path = join_path(read.place.path, key)
        if key in LISTS and type(held) is list and not _only_ids(held):
            for index, item in enumerate(held):
                if key not in _STRIPPED_LISTS or not is_stripped(item):
                    one = Read(item, read.place._replace(path=join_path(path, index)), room_id=room_id)
                    yield entry_of(one, version, parts[key], document)
        elif key == "events" and type(held) is dict:
            for one in _by_id(Read(held, read.place._replace(path=path))):
                yield entry_of(one, version, document=document)
        elif key == "event" and type(held) is dict:
            yield entry_of(Read(held, read.place._replace(path=path)), version, parts[key], document)


def shared_room_id(document: Mapping[str, object]) -> RoomId | None:
    """Return the room that a document gives for all its events, as a scenario of TARDIS does."""
    room_id = document.get("room_id")
    return room_id if "tardis_version" in document and type(room_id) is str else None


def count_stripped(document: JsonObject) -> int:
    """Return how many events of stripped state a document has. They are not read."""
    lists = [document[key] for key in _STRIPPED_LISTS if key in document]
    return sum(is_stripped(item) for one in lists if type(one) is list for item in one)


def _by_id(read: Read) -> Iterator[Read]:
    for event_id, item in read.value.items():  # type: ignore[union-attr]  # the caller has looked
        place = read.place._replace(path=join_path(read.place.path, event_id))
        yield Read(item, place, event_id)


def _synced(read: Read) -> Iterator[Read]:
    """Yield the events of a response to ``/sync``, in the order of the response."""
    path = join_path(read.place.path, "rooms")
    for kind, rooms in _members(read.value["rooms"], path):  # type: ignore[index,call-overload]  # as above
        if kind.key in SYNC_KINDS:
            for room, parts in _members(rooms, kind.path):
                for part, held in _members(parts, room.path):
                    events = held.get("events") if type(held) is dict else None
                    if part.key in SYNC_PARTS and type(events) is list:
                        for index, item in enumerate(events):
                            where = join_path(join_path(part.path, "events"), index)
                            yield Read(item, read.place._replace(path=where), room_id=room.key)


class _Member(NamedTuple):
    key: str
    path: str


def _members(value: JsonValue, path: str) -> Iterator[tuple[_Member, JsonValue]]:
    if type(value) is dict:
        for key, held in value.items():
            yield _Member(key, join_path(path, key)), held


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
    parts |= dict.fromkeys(_STRIPPED_LISTS, Part.PART_OF_STATE)
    # The event that a response to a join may include, signed by the server that accepted it; or the event of
    # a request, which nobody has accepted.
    is_request = any(key in document for key in _STRIPPED_LISTS)
    parts["event"] = Part.INVITED if is_request else Part.JOINED
    if "state" not in document and "auth_chain" in document:
        parts["pdus"] = state  # an answer to a request for a state
    return parts


def _only_ids(values: list[JsonValue]) -> bool:
    """Tell whether a list holds IDs: a document that has its events by ID may have such lists beside them."""
    return bool(values) and all(type(item) is str for item in values)


def is_create(pdu: JsonObject) -> bool:
    """Tell whether an object is a create event by its type and state key."""
    return pdu.get("type") == "m.room.create" and pdu.get("state_key") == ""


def created_version(value: JsonValue, given: RoomVersion | None = None) -> RoomVersion | None:
    """Return the room version that a create event names; None for any other value.

    A create event without ``content.room_version`` makes a room of version 1, if its content hash matches. Up
    to version 10 redaction removes the room version, and then nothing in the event gives it.

    Args:
        value: any value.
        given: a room version that it may name, even if it is not a known one.

    Raises:
        UnknownRoomVersion: if it names an unknown one.
    """
    try:
        pdu, _ = unwrap(value)
    except NotCanonical:
        return None
    if type(pdu) is not dict or not is_create(pdu):
        return None
    content = pdu.get("content")
    if type(content) is not dict:
        return None
    if "room_version" not in content and _is_changed(pdu):
        return None
    return version_named(content.get("room_version", "1"), given)


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
            raise InputError(name, f"its create event: {with_advice(error)}") from None
    return None


def with_advice(error: RoomverError) -> str:
    """Return the text of an error, and what to do about an unknown room version."""
    if isinstance(error, UnknownRoomVersion) and type(error.version) is str:
        return f"{error.summary}; define another one with --room-version-file"
    return str(error)


def line_error(error: NotCanonical) -> str:
    """Return what is wrong with a line, by its column: the entry's place names the line."""
    return str(error).replace(" at line 1, column ", " at column ")
