"""Rooms: the version, the keys and the events in one file or several, whatever their form.

Forms: a recorded room (JSON Lines with a header); JSON Lines, one PDU per line; one or several JSON documents
(an array of PDUs, an object with ``pdus`` or ``events``, a response to a join or to a request for a state,
one PDU); the output of psql, COPY or CSV with a JSON column; text with JSON in Markdown code blocks. Each may
be compressed. In each, a PDU may have a wrapper: ``{"event_id": …, "pdu": …}``, ``{"event": …}``,
``{"json": "…"}``.

Lines are streamed. Without a room version from elsewhere the input is read twice: once for the create event.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, islice
from typing import BinaryIO

from ..canonical import shorten
from ..contributions import Origin
from ..entry import Entry, GivenIds
from ..keys import KeyRing
from ..known_states import Beliefs, FindStates
from ..types import EventId, RoomId
from ..versions import RoomVersion
from .documents import Documents
from .entries import UNCHANGED, InputError, NoVersion, Read, entry_of
from .files import File, open_file
from .forms import TEMPLATE, IdsOnly, check_form
from .headers import Header
from .listing import entries_without_version
from .several import entries_of_room, list_rooms, no_such_room, other_room, peek_room, quoted
from .state_ids import read_given_ids
from .streams import Source


@dataclass(slots=True)
class RoomPart:
    """One source of a room that is being read.

    Attributes:
        origin: what it is, and what it knows beside its entries.
        entries: to be iterated over once.
        stream: what it is read from, unless that is a database.
        header: its header, if it has one.
        database: what it is, if it is a server's database; otherwise empty.
        notes: what is worth knowing about what was not read, each a sentence about a file.
        lacked: the ID of the event that was asked for, if the source names it and lacks it.
    """

    origin: Origin
    entries: Iterator[Entry]
    stream: Source | None = None
    header: Header | None = None
    database: str = ""
    notes: Sequence[str] = ()
    lacked: EventId | None = None

    def may_speak_of(self, room_id: RoomId | None) -> bool:
        """Tell whether it says what its server decided, and not of another room."""
        if self.origin.beliefs is None:
            return False
        return room_id is None or self.header is None or self.header.room_id in (None, room_id)


@dataclass(slots=True)
class Room:
    """A room that is being read.

    Attributes:
        version: from the header, the caller, or the create event.
        parts: the sources. The first one that says what its server decided comes first, and the others
            follow in the order in which they were given.
        entries: of all sources, to be iterated over once: in the order of arrival where that is known.
        room_id: the room's ID, if the source says it.
        wanted: the room to read; None if it is that of the first of `parts`.
    """

    version: RoomVersion
    parts: Sequence[RoomPart]
    entries: Iterator[Entry]
    room_id: RoomId | None = None
    wanted: RoomId | None = None

    @classmethod
    def of(cls, parts: Sequence[RoomPart], version: RoomVersion, room_id: RoomId | None = None) -> "Room":
        """Make a room from at least one source, in the order in which they are given.

        Without a room ID, the room is that of the source that is given first.
        """
        given, *others = parts
        wanted = room_id
        if given.origin.beliefs is None and any(part.origin.beliefs is not None for part in others):
            # Another one comes first, which may be of another room.
            if wanted is None:
                wanted, entries = peek_room(given.entries, version)
                given = replace(given, entries=entries)
        elif wanted is None and given.header is not None:
            room_id = given.header.room_id
        known = wanted or room_id
        whole = [given, *others]
        first = next((part for part in whole if part.may_speak_of(known)), given)
        ordered = [first, *(part for part in whole if part is not first)]
        entries = ordered[0].entries
        if len(ordered) > 1:
            entries = chain.from_iterable(_numbered(part, source) for source, part in enumerate(ordered))
        return cls(version, ordered, entries, room_id, wanted)

    @property
    def name(self) -> str:
        """What messages call the first source."""
        return self.parts[0].origin.name

    @property
    def origins(self) -> list[Origin]:
        """What each source knows beside its entries."""
        return [part.origin for part in self.parts]

    @property
    def keys(self) -> KeyRing:
        """The keys of all sources; empty if they give none."""
        return KeyRing.joined(part.origin.keys for part in self.parts)

    @property
    def beliefs(self) -> Beliefs | None:
        """What the server of the first source decided; None if it does not say."""
        return self.parts[0].origin.beliefs

    @property
    def find_states(self) -> FindStates | None:
        """What the first source knows beside its entries, to be called when these have been read."""
        return self.parts[0].origin.find_states

    @property
    def header(self) -> Header | None:
        """The header of the first source, if it has one."""
        return self.parts[0].header

    @property
    def database(self) -> str:
        """What the first source is, if it is a server's database; otherwise empty."""
        return self.parts[0].database

    @property
    def notes(self) -> list[str]:
        """What is worth knowing about what was not read, each a sentence about a source."""
        return [note for part in self.parts for note in part.notes]

    @property
    def lacked(self) -> list[EventId]:
        """The events that were asked for, and that a source names and lacks."""
        return [part.lacked for part in self.parts if part.lacked is not None]

    @property
    def bytes_read(self) -> int:
        """How much of the files has been read."""
        return sum(part.stream.bytes_read for part in self.parts if part.stream is not None)


def _numbered(part: RoomPart, source: int) -> Iterator[Entry]:
    """Yield the entries of one of several sources, with its name and number."""
    name = part.origin.name
    for entry in part.entries:
        yield entry._replace(place=entry.place._replace(file=name), source=source)


def read_room(
    stream: BinaryIO, name: str, version: RoomVersion | None = None, room_id: RoomId | None = None
) -> Room:
    """Begin to read a room from one file. See `read_rooms`."""
    return read_rooms([(stream, name)], version, room_id)


def read_rooms(
    inputs: Sequence[tuple[BinaryIO, str]],
    version: RoomVersion | None = None,
    room_id: RoomId | None = None,
    said_by: str = "",
) -> Room:
    """Begin to read a room from one or several files, whose entries come one file after another.

    Args:
        inputs: at least one stream, to be read from its current position, with what messages call it.
        version: the room version. A file that names another one is refused. Without it, the first file that
            names one decides; otherwise the files are searched for the create event.
        room_id: the room to read, if the files have events of several. Events of other rooms are left out,
            except from a state that a file gives. With None, the entries are those of all rooms.
        said_by: what messages call the source that gave the version; empty if the caller did.

    Raises:
        InputError: if an input has none of these forms, or the room version cannot be found; also later, from
            the entries, if a document stops being JSON, or no event is of the room.
        OSError: if a stream cannot be read; also later.
    """
    known, parts = read_parts(inputs, version, said_by, alone=True, room_id=room_id)
    room = Room.of(parts, known, room_id)
    if room.header is not None:
        room.room_id = room.header.room_id or room_id
    if room_id is not None:
        room.entries = entries_of_room(room.entries, room_id, inputs[0][1], known, several=len(parts) > 1)
    return room


def read_parts(
    inputs: Sequence[tuple[BinaryIO, str]],
    version: RoomVersion | None,
    said_by: str = "",
    *,
    alone: bool,
    room_id: RoomId | None = None,
) -> tuple[RoomVersion, list[RoomPart]]:
    """Begin to read a room from files, in their order.

    Args:
        inputs, version, said_by, room_id: as in `read_rooms`. There may be no input if there is a version.
        alone: whether the files must have events. Files that go with another source may have only event IDs,
            and no event of the room.

    Returns:
        The room version, and the files.
    """
    sources = [Source(stream, name, version) for stream, name in inputs]
    files: list[File | GivenIds] = []
    for source in sources:
        try:
            files.append(open_file(source))
        except IdsOnly:
            if alone and len(sources) == 1:
                raise
            files.append(read_given_ids(source))
    with_events = [file for file in files if not isinstance(file, GivenIds)]
    known = _version_of(with_events, version, said_by, room_id)
    if known is None or (alone and not with_events):
        raise IdsOnly(sources[0].name)
    numbers = count()
    parts = []
    for source, file in zip(sources, files, strict=True):
        found = file if isinstance(file, GivenIds) else _entries_or_ids(file, source, known, numbers)
        if isinstance(found, GivenIds):
            origin = Origin(source.name, "a list of event IDs", state_ids=[found])
            parts.append(RoomPart(origin, iter(()), source))
            continue
        assert not isinstance(file, GivenIds)  # it has entries
        header = file.header
        states = None if header is None else header.states
        origin = Origin(
            file.name,
            "a file" if header is None else "a recording",
            file.keys,
            None if header is None else Beliefs.of_header(header.fields),
            None if states is None else states.find,
            in_order=header is not None and header.fields.get("in_order", True) is True,
        )
        entries = found
        if states is not None:
            entries = states.watch(entries)
        notes = [f"{file.name}: {_note_stripped(file.stripped)}"] if file.stripped else []
        if header is not None and (number := _contradictions_in(header)):
            points = "1 point" if number == 1 else f"{number:,} points"
            notes.append(
                f"{file.name}: its sources contradict each other on {points}, which its header names"
            )
        parts.append(RoomPart(origin, entries, source, header, notes=notes))
    if alone and all(part.origin.state_ids for part in parts):
        raise IdsOnly(sources[0].name)
    return known, parts


def _entries_or_ids(
    file: File, source: Source, version: RoomVersion, numbers: Iterator[int]
) -> Iterator[Entry] | GivenIds:
    """Return the entries of a file, or the event IDs, if a long document turns out to have nothing else."""
    try:
        return check_form(file.entries(version, numbers), file.name)
    except IdsOnly:
        if not isinstance(file, Documents):
            raise
    return read_given_ids(source)


def _version_of(
    files: Sequence[File], version: RoomVersion | None, said_by: str, room_id: RoomId | None
) -> RoomVersion | None:
    """Return the room version of files; None if there is neither a version nor a file."""
    known, says = version, f" as {said_by} says" if said_by else ""
    for file in files:
        if file.is_template:
            raise InputError(file.name, TEMPLATE)
        if room_id is not None and file.header is not None and file.header.room_id not in (None, room_id):
            raise InputError(file.name, other_room(file.header.room_id, room_id))
        if known is not None and file.said is not None and known is not file.said:
            reason = f"it says that it has room version {file.said}, not {known}{says}"
            raise InputError(file.name, reason)
        if known is None and file.said is not None:
            known, says = file.said, f" as {file.name} says"
    return _search(files, room_id) if known is None and files else known


def _contradictions_in(header: Header) -> int:
    named = header.fields.get("contradictions")
    return len(named) if type(named) is list else 0


def _note_stripped(number: int) -> str:
    events = "1 event of its state is" if number == 1 else f"{number:,} events of its state are"
    return f"{events} stripped, without hashes and signatures: not read, so the state is known in part"


def read_event(
    stream: BinaryIO,
    name: str,
    version: RoomVersion | None,
    *,
    draft: bool = False,
    room_version: RoomVersion | None = None,
) -> Entry:
    """Read the only event of a file, in any of the forms of a room.

    Args:
        stream: to be read from its current position.
        name: what messages call it.
        version: the room version; with None, nothing is taken out of the event, so that `fit_entry` can do
            it.
        draft: also accept an event without the keys that only a server adds, such as a template.
        room_version: the version of the event's room, if `version` is None and this is known. A file that
            names another one is refused.

    Raises:
        InputError: if the file does not hold one event.
        OSError: if it cannot be read.
    """
    known = version or room_version
    file = open_file(Source(stream, name, known))
    if known is not None and file.said is not None and file.said is not known:
        raise InputError(name, f"it says that it has room version {file.said}, not {known}")
    if file.is_template and not draft:
        raise InputError(name, TEMPLATE)
    entries = file.entries(version or UNCHANGED, count())
    found = list(islice(entries if draft else check_form(entries, name), 2))
    if len(found) != 1:
        raise InputError(name, f"expected one event, found {'several' if found else 'none'}")
    (entry,) = found
    if entry.error is not None:
        raise InputError(name, entry.error)
    if type(entry.pdu) is not dict or "type" not in entry.pdu:
        raise InputError(name, f"expected an event, a JSON object with a type; found {shorten(entry.pdu)}")
    return entry


def fit_entry(entry: Entry, version: RoomVersion) -> Entry:
    """Return an entry that was read without a room version, as if it had been read with one."""
    return entry_of(Read(entry.pdu, entry.place, entry.claimed_id), version, entry.part, entry.document)


def _search(files: Sequence[File], room_id: RoomId | None) -> RoomVersion:
    for file in files:
        if (found := file.search(room_id)) is not None:
            return found
    entries = entries_without_version(files)
    if (first := next(entries, None)) is None:
        raise InputError(files[0].name, "it has no events")
    # With a better reason, if there is one.
    listed = list_rooms(chain([first], entries))
    rooms = [room.room_id for room in listed]
    if room_id is not None and room_id not in rooms:
        raise InputError(files[0].name, no_such_room(room_id, rooms))
    of = "" if room_id is None else f" of the room {room_id}"
    reason = f"neither a header nor a create event{of} gives the room version: give --room-version"
    if len(listed) == 1 and listed[0].events == 1:
        there = "to judge it there, roomver auth DATABASE FILE"
        reason = f"this is one event of {quoted(rooms[0])}: {there}; to check it alone, give --room-version"
    raise NoVersion(files[0].name, reason)
