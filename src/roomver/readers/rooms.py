"""Reading a room: its version, its keys and its events, from whatever form they come in.

Formats: a recorded room (JSON Lines with a header); JSON Lines with a PDU a line; a JSON array of PDUs; a
JSON object with ``pdus`` or ``events``, or with the ``state`` and ``auth_chain`` of an answer to a join; one
PDU. In each, ``{"event_id": …, "pdu": …}`` may stand for a PDU.

JSON Lines are streamed, one line in memory at a time. Other documents are read whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO, Final

from ..canonical import join_path, load_json, scan, shorten
from ..entry import Entry, Part, Place
from ..errors import NotCanonical, RoomverError, UnknownRoomVersion
from ..keys import NO_KEYS, KeyRing, read_key_table
from ..types import JsonObject, JsonValue, RoomId
from ..versions import RoomVersion, get_room_version
from .entries import InputError, created_version, entry_of, entry_of_line, is_pdu, line_error
from .lines import MAX_LINE_BYTES, Line, Lines

ROOM_FORMAT: Final = "roomver-room/1"
"""``format`` in the header of a recorded room."""

_LISTS: Final = ("pdus", "events", "state", "auth_chain")


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line of a recorded room says about it.

    Attributes:
        fields: the whole of it, with what its server believed: ``state``, ``rejected`` and others.
    """

    version: RoomVersion
    room_id: RoomId | None
    keys: KeyRing
    fields: JsonObject


@dataclass(slots=True)
class Room:
    """A room that is being read.

    Attributes:
        version: from the header, the caller, or the create event.
        keys: from the header; empty if it gives none.
        entries: to be iterated over once.
    """

    version: RoomVersion
    keys: KeyRing
    header: Header | None
    entries: Iterator[Entry]
    _lines: Lines = field(repr=False)

    @property
    def bytes_read(self) -> int:
        """How much of the input has been read."""
        return self._lines.bytes_read


def read_room(stream: BinaryIO, name: str, version: RoomVersion | None = None) -> Room:
    """Begin to read a room.

    Args:
        stream: to be read from where it stands.
        name: of the input, for errors.
        version: for an input without a header; otherwise it must be the header's. Without it, a room
            without a header is searched for its create event: if the stream cannot be read twice, the
            lines before that event are held in memory.

    Raises:
        InputError: if the input is none of the formats, or nothing says the room version.
        OSError: if the stream cannot be read; also later, from the entries.
    """
    lines = Lines(stream)
    first = lines.whole()
    if first is None:
        raise InputError(name, "the input is empty")
    try:
        value = load_json(first.raw)
    except NotCanonical as error:
        return _read_unclear(lines, name, version, first, error)
    following = next(lines, None)
    if following is None:
        return _read_document(lines, name, version, value, first.number)
    lines.push_back([following])
    header = _header(value, name)
    if header is None:
        lines.push_back([first])
    return _read_lines(lines, name, version, header)


def _read_unclear(
    lines: Lines, name: str, version: RoomVersion | None, first: Line, error: NotCanonical
) -> Room:
    """Read on where the first line is no JSON: a document over many lines, or a broken line."""
    ahead = [line for line in (lines.whole(), lines.whole()) if line is not None]
    if len(ahead) == 2 and all(map(_is_object, ahead)):
        # Inside a document two objects in a row have a comma between them.
        lines.push_back([first, *ahead])
        return _read_lines(lines, name, version, None)
    # No harm in the white space that is lost: JSON has no strings over many lines. For the position of an
    # error the line ends are made up again.
    text = _joined([first, *ahead]) + b"\n" + lines.rest()
    try:
        value = load_json(text)
    except NotCanonical as whole:
        rest = text.split(b"\n")
        numbered = [Line(n, raw.strip()) for n, raw in enumerate(rest, 1) if raw.strip()]
        if not any(map(_is_object, numbered)):
            reason = str(whole) if ahead else line_error(error)
            raise InputError(name, f"neither JSON nor JSON Lines ({reason})") from None
        lines.push_back(numbered)
        return _read_lines(lines, name, version, None)
    return _read_document(lines, name, version, value, None)


def _joined(lines: list[Line]) -> bytes:
    text = b""
    number = 1
    for line in lines:
        text += b"\n" * (line.number - number) + line.raw
        number = line.number
    return text


def _is_object(line: Line) -> bool:
    try:
        return line.raw.startswith(b"{") and type(load_json(line.raw)) is dict
    except NotCanonical:
        return False


def _header(value: JsonValue, name: str) -> Header | None:
    """Return the header of a recorded room, if that is what the value is."""
    if type(value) is not dict or type(form := value.get("format")) is not str or is_pdu(value):
        return None
    if form.startswith("roomver-vectors/"):
        raise InputError(name, "this is a file of test vectors, not a room: see `roomver vectors run`")
    if form != ROOM_FORMAT:
        raise InputError(name, f"unknown format {shorten(form)}; known is {ROOM_FORMAT}")
    try:
        scan(value, strict=False)
        version = get_room_version(value.get("room_version"))  # type: ignore[arg-type]  # others are unknown
        keys = read_key_table(value["keys"], source=name) if "keys" in value else NO_KEYS
        _check_beliefs(value)
    except RoomverError as error:
        raise InputError(name, f"the header: {error}") from None
    room_id = value.get("room_id")
    return Header(version, room_id if type(room_id) is str else None, keys, value)


def _check_beliefs(header: JsonObject) -> None:
    """Check what the header says of the room: what is ignored in silence would not be compared.

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


def _read_lines(lines: Lines, name: str, version: RoomVersion | None, header: Header | None) -> Room:
    known = _agreed(name, version, header.version if header else None) or _search(lines, name)
    entries = map(_entry_of_line, lines)
    return Room(known, header.keys if header else NO_KEYS, header, entries, lines)


def _entry_of_line(line: Line) -> Entry:
    if not line.raw:
        return Entry(Place(line.number, ""), None, None, f"the line has more than {MAX_LINE_BYTES} bytes")
    return entry_of_line(line.raw, line.number)


def _agreed(name: str, asked: RoomVersion | None, said: RoomVersion | None) -> RoomVersion | None:
    if asked is not None and said is not None and asked is not said:
        raise InputError(name, f"it says that it is of room version {said}, not {asked}")
    return asked or said


def _search(lines: Lines, name: str) -> RoomVersion:
    """Find the create event in lines to come, and let them all come again."""
    if lines.rewindable():
        again = lines.again()
        try:
            for line in again:
                if found := _version_in_line(line, name):
                    return found
        finally:
            again.close()  # type: ignore[attr-defined]  # a generator
        raise _unknown(name)
    seen: list[Line] = []
    for line in lines:
        seen.append(line)
        if found := _version_in_line(line, name):
            lines.push_back(seen)
            return found
    raise _unknown(name)


def _version_in_line(line: Line, name: str) -> RoomVersion | None:
    if b"m.room.create" not in line.raw:
        return None
    try:
        value = load_json(line.raw)
    except NotCanonical:
        return None
    return _created(value, name)


def _created(value: JsonValue, name: str) -> RoomVersion | None:
    try:
        return created_version(value)
    except UnknownRoomVersion as error:
        raise InputError(name, f"its create event: {error}") from None


def _unknown(name: str) -> InputError:
    return InputError(name, "no header and no create event says the room version: give --room-version")


def _read_document(
    lines: Lines, name: str, version: RoomVersion | None, value: JsonValue, line: int | None
) -> Room:
    """Read a document that is one JSON value."""
    # Version 1 of the answer to a join stands behind its HTTP status.
    if type(value) is list and len(value) == 2 and type(value[0]) is int and type(value[1]) is dict:
        value = value[1]
    if (header := _header(value, name)) is not None:
        return _read_lines(lines, name, version, header)
    said: RoomVersion | None = None
    keys = NO_KEYS
    if type(value) is list:
        groups = [_listed("", value)]
    elif type(value) is not dict:
        raise InputError(name, f"expected events, found {shorten(value)}")
    elif is_pdu(value):
        groups = [iter([entry_of(value, Place(line, ""))])]
    else:
        groups = _groups(value)
        if not groups:
            raise InputError(name, f"a JSON object that is no event and has none of {', '.join(_LISTS)}")
        try:
            if type(named := value.get("room_version")) is str:
                said = get_room_version(named)
            if type(value.get("keys")) is dict:
                keys = read_key_table(value["keys"], source=name)
        except RoomverError as error:
            raise InputError(name, str(error)) from None
    entries = list(chain.from_iterable(groups))
    known = _agreed(name, version, said)
    if known is None:
        known = next((found for entry in entries if (found := _created(entry.pdu, name))), None)
        if known is None:
            raise _unknown(name)
    return Room(known, keys, None, iter(entries), lines)


def _groups(document: JsonObject) -> list[Iterator[Entry]]:
    groups = []
    parts = {"state": Part.STATE, "auth_chain": Part.AUTH_CHAIN}
    if "state" not in document and "auth_chain" in document:
        parts["pdus"] = Part.STATE  # an answer to a request for a state
    for key in _LISTS:
        held = document.get(key)
        # A document that has its events by ID may have lists of IDs beside them.
        if type(held) is list and not (held and all(type(item) is str for item in held)):
            groups.append(_listed(key, held, parts.get(key, Part.EVENT)))
    events = document.get("events")
    if type(events) is dict:
        groups.append(
            entry_of(pdu, Place(None, join_path("events", event_id)), event_id)
            for event_id, pdu in events.items()
        )
    # The event that an answer to a join may hand back, signed by the server that let it in.
    if groups and type(joined := document.get("event")) is dict:
        groups.append(iter([entry_of(joined, Place(None, "event"), part=Part.JOINED)]))
    return groups


def _listed(key: str, values: list[JsonValue], part: Part = Part.EVENT) -> Iterator[Entry]:
    return (
        entry_of(value, Place(None, join_path(key, index)), part=part) for index, value in enumerate(values)
    )
