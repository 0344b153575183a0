"""Rooms: the version, the keys and the events in one file or several, whatever their form.

Forms: a recorded room (JSON Lines with a header); JSON Lines, one PDU per line; one or several JSON documents
(an array of PDUs, an object with ``pdus`` or ``events``, a response to a join or to a request for a state,
one PDU); the output of psql, COPY or CSV with a JSON column; text with JSON in Markdown code blocks. Each may
be compressed. In each, a PDU may have a wrapper: ``{"event_id": …, "pdu": …}``, ``{"event": …}``,
``{"json": "…"}``.

Lines are streamed. Without a room version from elsewhere the input is read twice: once for the create event.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import BinaryIO, Protocol, TypeAlias

from ..canonical import load_json, shorten
from ..entry import Entry, GivenIds, Place
from ..errors import NotCanonical
from ..keys import NO_KEYS, KeyRing
from ..types import JsonValue, RoomId
from ..versions import RoomVersion
from .documents import Document, open_documents
from .entries import UNCHANGED, InputError, Read, entries_in, entry_of, line_error
from .fenced import is_fence, read_fenced
from .forms import HTML, JSON5, TEMPLATE, IdsOnly, check_form
from .headers import Header, header_of
from .lines import Line, Lines, check_line
from .several import ListedRoom, entries_of_room, list_rooms, search_version
from .state_ids import read_given_ids
from .streams import Source
from .tables import NOT_A_TABLE, find_table, holds_ids_only, is_table, read_copied

_LOOKED_AT = 3  # lines, for the form of a file

_ReadLines: TypeAlias = Callable[[Iterable[Line]], Iterator[Read]]


@dataclass(slots=True)
class Room:
    """A room that is being read.

    Attributes:
        version: from the header, the caller, or the create event.
        keys: of all the files; empty if they give none.
        header: the first file's header, if any file has one.
        others: the names of the files that this header does not speak of.
        entries: to be iterated over once.
        state_ids: the states that files give as event IDs, whose events are in other files.
        notes: what is worth knowing about what was not read, each a sentence about a file.
    """

    version: RoomVersion
    keys: KeyRing
    header: Header | None
    others: frozenset[str]
    entries: Iterator[Entry]
    _sources: Sequence[Source] = field(repr=False)
    state_ids: Sequence[GivenIds] = ()
    notes: Sequence[str] = ()

    @property
    def bytes_read(self) -> int:
        """How much of the input has been read."""
        return sum(source.bytes_read for source in self._sources)


class _File(Protocol):
    """One file whose form is known."""

    name: str
    header: Header | None
    said: RoomVersion | None
    keys: KeyRing
    is_template: bool
    stripped: int

    def search(self, room_id: RoomId | None = None) -> RoomVersion | None: ...

    def entries(self, version: RoomVersion, numbers: Iterator[int]) -> Iterator[Entry]: ...


class _LineFile:
    """A file with one value per line, or with values in code blocks."""

    def __init__(
        self,
        source: Source,
        lines: Lines,
        read: _ReadLines,
        header: Header | None = None,
    ) -> None:
        self.name = source.name
        self.header = header
        self.said = None if header is None else header.version
        self.keys = NO_KEYS if header is None else header.keys
        self.is_template = False
        self.stripped = 0
        self._source = source
        self._lines = lines
        self._read = read

    def search(self, room_id: RoomId | None = None) -> RoomVersion | None:
        """Return the room version that a create event, of this room or of any, names; None without one."""
        self._lines.restart()
        by_line = self._read is not read_fenced
        likely = (line for line in self._lines if not by_line or b"m.room.create" in line.raw)
        reads = self._read(likely)
        entries = chain.from_iterable(entries_in(read, UNCHANGED) for read in reads)
        found = search_version(entries, room_id, self.name)
        self._lines.restart()
        return found

    def entries(self, version: RoomVersion, numbers: Iterator[int]) -> Iterator[Entry]:
        """Yield the entries of all lines to come."""
        self._source.settle()
        for read in self._read(self._lines):
            yield from entries_in(read, version, next(numbers))


def read_room(
    stream: BinaryIO, name: str, version: RoomVersion | None = None, room_id: RoomId | None = None
) -> Room:
    """Begin to read a room from one file. See `read_rooms`."""
    return read_rooms([(stream, name)], version, room_id)


def read_rooms(
    inputs: Sequence[tuple[BinaryIO, str]],
    version: RoomVersion | None = None,
    room_id: RoomId | None = None,
) -> Room:
    """Begin to read a room from one or several files, whose entries come one file after another.

    Args:
        inputs: at least one stream, to be read from its current position, with what messages call it.
        version: the room version. A file that names another one is refused. Without it, the first file that
            names one decides; otherwise the files are searched for the create event.
        room_id: the room to read, if the files have events of several. Events of other rooms are left out,
            except from a state that a file gives. With None, the entries are those of all rooms.

    Raises:
        InputError: if an input has none of these forms, or the room version cannot be found; also later, from
            the entries, if a document stops being JSON, or no event is of the room.
        OSError: if a stream cannot be read; also later.
    """
    sources = [Source(stream, name) for stream, name in inputs]
    files: list[_File] = []
    state_ids: list[GivenIds] = []
    for source in sources:
        try:
            files.append(_open(source))
        except IdsOnly:
            if len(sources) == 1:
                raise
            state_ids.append(read_given_ids(source))
    if not files:
        raise IdsOnly(sources[0].name)
    known = version
    for file in files:
        if file.is_template:
            raise InputError(file.name, TEMPLATE)
        if room_id is not None and file.header is not None and file.header.room_id not in (None, room_id):
            raise InputError(file.name, f"it is a recording of the room {file.header.room_id}, not {room_id}")
        if known is not None and file.said is not None and known is not file.said:
            raise InputError(file.name, f"it says that it has room version {file.said}, not {known}")
        known = known or file.said
    if known is None:
        known = _search(files, room_id)
    several = len(sources) > 1
    numbers = count()
    entries: Iterator[Entry] = chain.from_iterable(
        [_entries_of(file, known, numbers, several) for file in files]
    )
    if room_id is not None:
        entries = entries_of_room(entries, room_id, sources[0].name)
    recorded = next((file for file in files if file.header is not None), None)
    header, others = None, frozenset[str]()
    if recorded is not None:
        header, others = recorded.header, frozenset(file.name for file in files if file is not recorded)
    keys = KeyRing.joined(file.keys for file in files)
    notes = [f"{file.name}: {_note_stripped(file.stripped)}" for file in files if file.stripped]
    return Room(known, keys, header, others, entries, sources, state_ids, notes)


def _note_stripped(number: int) -> str:
    events = "1 event of its state is" if number == 1 else f"{number:,} events of its state are"
    return f"{events} stripped, without hashes and signatures: not read, so the state is known in part"


def rooms_in(inputs: Sequence[tuple[BinaryIO, str]]) -> list[ListedRoom]:
    """List the rooms of which files have events, in the order in which they first occur.

    Args:
        inputs: as in `read_rooms`.

    Raises:
        InputError: if an input has none of the forms of a room.
        OSError: if a stream cannot be read.
    """
    files = [_open(Source(stream, name)) for stream, name in inputs]
    return list_rooms(
        chain.from_iterable(check_form(file.entries(UNCHANGED, count()), file.name) for file in files)
    )


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
    file = _open(Source(stream, name))
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


def _entries_of(file: _File, version: RoomVersion, numbers: Iterator[int], several: bool) -> Iterator[Entry]:
    entries = check_form(file.entries(version, numbers), file.name)
    if not several:
        return entries
    return (replace(entry, place=entry.place._replace(file=file.name)) for entry in entries)


def _search(files: Sequence[_File], room_id: RoomId | None) -> RoomVersion:
    for file in files:
        if (found := file.search(room_id)) is not None:
            return found
    for file in files:
        # A better reason, if there is one.
        check_form(file.entries(UNCHANGED, count()), file.name)
    of = "" if room_id is None else f" of the room {room_id}"
    reason = f"neither a header nor a create event{of} gives the room version: give --room-version"
    raise InputError(files[0].name, reason)


def _open(source: Source) -> _File:
    """Determine the form of a file.

    Raises:
        InputError: if it has none of these forms.
    """
    lines = Lines(source)
    first = next(lines, None)
    if first is None:
        raise InputError(source.name, "the input is empty")
    value = _json_of(first)
    if isinstance(value, NotCanonical):
        return _open_unclear(source, lines, first, value)
    ahead = list(islice(lines, _LOOKED_AT - 1))
    if not ahead:
        return Document(value, source.name, first.number)
    if not any(map(_is_json, ahead)):
        # Two lines that are not JSON: probably a document over several lines, after one on a single line.
        try:
            documents = open_documents(source)
        except NotCanonical:
            pass  # the first line is JSON only once COPY's escapes are read
        else:
            if isinstance(documents, Document) or not documents.broken:
                return documents
        lines.restart()
        first, *ahead = islice(lines, _LOOKED_AT)
    lines.push_back(*ahead)
    header = header_of(value, source.name)
    if header is None:
        lines.push_back(first)
    return _LineFile(source, lines, _read_json_lines, header)


def _open_unclear(source: Source, lines: Lines, first: Line, error: NotCanonical) -> _File:
    """Determine the form of a file whose first line is not a JSON value."""
    ahead = [first, *islice(lines, _LOOKED_AT - 1)]
    if (table := find_table(ahead)) is not None:
        lines.push_back(*ahead)
        return _LineFile(source, lines, table.read)
    if any(map(is_fence, ahead)):
        lines.push_back(*ahead)
        return _LineFile(source, lines, read_fenced)
    if first.start in (b"{", b"["):
        # Inside a document, two objects on separate lines have a comma between them.
        if len(ahead) < _LOOKED_AT or not all(map(_is_object, ahead[1:])):
            try:
                documents = open_documents(source)
            except NotCanonical as whole:
                error = whole if len(ahead) > 1 or not first.raw else NotCanonical("", line_error(whole))
            else:
                if isinstance(documents, Document) or not documents.broken:
                    return documents
                lines.restart()
                if not any(map(_is_object, lines)):
                    return documents  # reading by lines would find no more
    elif holds_ids_only(ahead):
        raise IdsOnly(source.name)
    elif is_table(ahead):
        raise InputError(source.name, NOT_A_TABLE)
    elif len(ahead) == 1:
        error = NotCanonical("", line_error(error))
    lines.restart()
    if not any(map(_is_object, lines)):
        lines.restart()
        if any(map(is_fence, lines)):
            lines.restart()
            return _LineFile(source, lines, read_fenced)
        if first.start == b"<":
            raise InputError(source.name, HTML)
        if any(b"tardis_version" in line.raw for line in ahead):
            raise InputError(source.name, JSON5)
        raise InputError(source.name, f"neither JSON nor JSON Lines ({error})")
    lines.restart()
    return _LineFile(source, lines, _read_json_lines)


def _read_json_lines(lines: Iterable[Line]) -> Iterator[Read]:
    for line in lines:
        place = Place(line.number, "")
        value = _json_of(line)
        if isinstance(value, NotCanonical):
            yield Read(None, place, error=line_error(value))
        else:
            yield Read(value, place)


def _json_of(line: Line) -> "JsonValue | NotCanonical":
    """Return the JSON value of a line, or the reason why it has no JSON value."""
    value: JsonValue | NotCanonical
    try:
        check_line(line)
        value = load_json(line.raw)
    except NotCanonical as error:
        value = NotCanonical(error.path, error.reason)  # without the traceback, which holds on to the line
    return read_copied(line.raw, value)


def _is_json(line: Line) -> bool:
    return not isinstance(_json_of(line), NotCanonical)


def _is_object(line: Line) -> bool:
    return type(_json_of(line)) is dict
