"""Rooms: the version, the keys and the events in one file or several, whatever their form.

Forms: a recorded room (JSON Lines with a header); JSON Lines, one PDU per line; one or several JSON documents
(an array of PDUs, an object with ``pdus`` or ``events``, a response to a join or to a request for a state,
one PDU); the output of psql, COPY or CSV with a JSON column; text with JSON in Markdown code blocks. Each may
be compressed. In each, a PDU may have a wrapper: ``{"event_id": …, "pdu": …}``, ``{"event": …}``,
``{"json": "…"}``.

Lines are streamed. Without a room version from elsewhere the input is read twice: once for the create event.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import BinaryIO

from ..canonical import shorten
from ..entry import Entry, GivenIds
from ..keys import KeyRing
from ..known_states import FindStates
from ..room_check import Beliefs
from ..types import RoomId
from ..versions import RoomVersion
from .entries import UNCHANGED, InputError, Read, entry_of
from .files import File, open_file
from .forms import TEMPLATE, IdsOnly, check_form
from .headers import Header, join_states
from .several import RoomSummary, entries_of_room, list_rooms, no_such_room, other_room
from .state_ids import read_given_ids
from .streams import Source


@dataclass(slots=True)
class Room:
    """A room that is being read.

    Attributes:
        version: from the header, the caller, or the create event.
        keys: of all the files; empty if they give none.
        header: the first file's header, if any file has one.
        others: the names of the files that this header does not speak of.
        entries: to be iterated over once, in the order of arrival where that is known.
        beliefs: what the room's server decided; None if the source does not say.
        find_states: what the source knows beside the events, to be called when the entries have been read;
            None if that is nothing.
        room_id: the room's ID, if the source says it.
        database: what the source is, if it is a server's database; otherwise empty.
        state_ids: the states that files give as event IDs, whose events are elsewhere.
        notes: what is worth knowing about what was not read, each a sentence about a file.
    """

    version: RoomVersion
    keys: KeyRing
    header: Header | None
    others: frozenset[str]
    entries: Iterator[Entry]
    _sources: Sequence[Source] = field(repr=False)
    beliefs: Beliefs | None = None
    find_states: FindStates | None = None
    room_id: RoomId | None = None
    database: str = ""
    state_ids: Sequence[GivenIds] = ()
    notes: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What messages call the first file."""
        return self._sources[0].name

    @property
    def bytes_read(self) -> int:
        """How much of the input has been read."""
        return sum(source.bytes_read for source in self._sources)


def read_room(
    stream: BinaryIO, name: str, version: RoomVersion | None = None, room_id: RoomId | None = None
) -> Room:
    """Begin to read a room from one file. See `read_rooms`."""
    return read_rooms([(stream, name)], version, room_id)


def read_rooms(
    inputs: Sequence[tuple[BinaryIO, str]],
    version: RoomVersion | None = None,
    room_id: RoomId | None = None,
    *,
    alone: bool = True,
) -> Room:
    """Begin to read a room from one or several files, whose entries come one file after another.

    Args:
        inputs: at least one stream, to be read from its current position, with what messages call it.
        version: the room version. A file that names another one is refused. Without it, the first file that
            names one decides; otherwise the files are searched for the create event.
        room_id: the room to read, if the files have events of several. Events of other rooms are left out,
            except from a state that a file gives. With None, the entries are those of all rooms.
        alone: whether the files must have events. Files that go with another source may have only event IDs,
            and no event of the room.

    Raises:
        InputError: if an input has none of these forms, or the room version cannot be found; also later, from
            the entries, if a document stops being JSON, or no event is of the room.
        OSError: if a stream cannot be read; also later.
    """
    sources = [Source(stream, name) for stream, name in inputs]
    files: list[File] = []
    state_ids: list[GivenIds] = []
    for source in sources:
        try:
            files.append(open_file(source))
        except IdsOnly:
            if alone and len(sources) == 1:
                raise
            state_ids.append(read_given_ids(source))
    if alone and not files:
        raise IdsOnly(sources[0].name)
    known, says = version, ""
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
    if known is None:
        known = _search(files, room_id)
    several = len(sources) > 1
    numbers = count()
    entries: Iterator[Entry] = chain.from_iterable(
        [_entries_of(file, known, numbers, several) for file in files]
    )
    if room_id is not None:
        entries = entries_of_room(entries, room_id, sources[0].name if alone else None)
    recorded = next((file for file in files if file.header is not None), None)
    keys = KeyRing.joined(file.keys for file in files)
    room = Room(known, keys, None, frozenset(), entries, sources, room_id=room_id)
    room.state_ids = state_ids
    room.notes = [f"{file.name}: {_note_stripped(file.stripped)}" for file in files if file.stripped]
    if recorded is not None and recorded.header is not None:
        room.header = recorded.header
        room.others = frozenset(file.name for file in files if file is not recorded)
        room.beliefs = Beliefs.of_header(room.header.fields, room.others)
        room.room_id = room.header.room_id or room_id
        given = [file.header.states for file in files if file.header is not None and file.header.states]
        room.find_states = join_states(given)
    return room


def join_rooms(room: Room, more: Room) -> Room:
    """Return a room with more events of it from files, of which the room's server does not speak."""

    def named() -> Iterator[Entry]:
        for entry in more.entries:
            place = entry.place
            yield replace(entry, place=place._replace(file=place.file or more.name))

    sources = [*room._sources, *more._sources]
    names = frozenset(source.name for source in sources)
    return replace(
        room,
        keys=KeyRing.joined((room.keys, more.keys)),
        entries=chain(room.entries, named()),
        beliefs=None if room.beliefs is None else replace(room.beliefs, others=room.beliefs.others | names),
        state_ids=[*room.state_ids, *more.state_ids],
        notes=[*room.notes, *more.notes],
        _sources=sources,
    )


def _note_stripped(number: int) -> str:
    events = "1 event of its state is" if number == 1 else f"{number:,} events of its state are"
    return f"{events} stripped, without hashes and signatures: not read, so the state is known in part"


def rooms_in(inputs: Sequence[tuple[BinaryIO, str]]) -> list[RoomSummary]:
    """List the rooms of which files have events, in the order in which they first occur.

    Args:
        inputs: as in `read_rooms`.

    Raises:
        InputError: if an input has none of the forms of a room.
        OSError: if a stream cannot be read.
    """
    files = [open_file(Source(stream, name)) for stream, name in inputs]
    found = list_rooms(_entries_without_version(files))
    header = next((file.header for file in files if file.header is not None), None)
    if header is None:
        return found
    ends = header.fields.get("forward_extremities")
    return [
        room._replace(
            version=room.version or header.version.identifier,
            extremities=len(ends) if type(ends) is list else None,
        )
        if room.room_id == header.room_id or (header.room_id is None and len(found) == 1)
        else room
        for room in found
    ]


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
    file = open_file(Source(stream, name))
    known = version or room_version
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


def _entries_of(file: File, version: RoomVersion, numbers: Iterator[int], several: bool) -> Iterator[Entry]:
    entries = check_form(file.entries(version, numbers), file.name)
    if file.header is not None and file.header.states is not None:
        entries = file.header.states.watch(entries)
    if not several:
        return entries
    return (replace(entry, place=entry.place._replace(file=file.name)) for entry in entries)


def _entries_without_version(files: Sequence[File]) -> Iterator[Entry]:
    return chain.from_iterable(check_form(file.entries(UNCHANGED, count()), file.name) for file in files)


def _search(files: Sequence[File], room_id: RoomId | None) -> RoomVersion:
    for file in files:
        if (found := file.search(room_id)) is not None:
            return found
    entries = _entries_without_version(files)
    if (first := next(entries, None)) is None:
        raise InputError(files[0].name, "it has no events")
    # With a better reason, if there is one.
    rooms = [room.room_id for room in list_rooms(chain([first], entries))]
    if room_id is not None and room_id not in rooms:
        raise InputError(files[0].name, no_such_room(room_id, rooms))
    of = "" if room_id is None else f" of the room {room_id}"
    reason = f"neither a header nor a create event{of} gives the room version: give --room-version"
    raise InputError(files[0].name, reason)
