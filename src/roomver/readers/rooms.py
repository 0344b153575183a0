"""Rooms: the version, the keys and the events in one file or several, whatever their form.

Forms: a recorded room (JSON Lines with a header); JSON Lines, one PDU per line; one or several JSON documents
(an array of PDUs, an object with ``pdus`` or ``events``, a response to a join or to a request for a state,
one PDU); the output of psql, COPY or CSV with a JSON column. Each may be compressed with gzip. In each, a PDU
may have a wrapper: ``{"event_id": …, "pdu": …}``, ``{"event": …}``, ``{"json": "…"}``.

Lines are streamed. Without a room version from elsewhere the input is read twice: once for the create event.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import BinaryIO, Protocol, TypeAlias

from ..canonical import load_json, shorten
from ..entry import Entry, Place
from ..errors import NotCanonical
from ..gathering import FindStates
from ..keys import NO_KEYS, KeyRing
from ..room_check import Beliefs
from ..types import JsonValue, RoomId
from ..versions import RoomVersion
from .documents import Document, open_documents
from .entries import UNCHANGED, InputError, Read, entries_in, entry_of, find_version, line_error
from .forms import IDS_ONLY, check_form
from .headers import Header, header_of, join_states
from .lines import Line, Lines, check_line
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
        entries: to be iterated over once, in the order of arrival where that is known.
        beliefs: what the room's server decided; None if the source does not say.
        find_states: what the source knows beside the events, to be called when the entries have been read;
            None if that is nothing.
        room_id: the room's ID, if the source says it.
        database: what the source is, if it is a server's database; otherwise empty.
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

    @property
    def name(self) -> str:
        """What messages call the first file."""
        return self._sources[0].name

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

    def search(self) -> RoomVersion | None: ...

    def entries(self, version: RoomVersion, numbers: Iterator[int]) -> Iterator[Entry]: ...


class _LineFile:
    """A file with one value per line."""

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
        self._source = source
        self._lines = lines
        self._read = read

    def search(self) -> RoomVersion | None:
        """Return the room version that a create event names; None without one."""
        self._lines.restart()
        likely = (line for line in self._lines if b"m.room.create" in line.raw)
        reads = self._read(likely)
        entries = chain.from_iterable(entries_in(read, UNCHANGED) for read in reads)
        found = find_version((entry.pdu for entry in entries), self.name)
        self._lines.restart()
        return found

    def entries(self, version: RoomVersion, numbers: Iterator[int]) -> Iterator[Entry]:
        """Yield the entries of all lines to come."""
        self._source.settle()
        for read in self._read(self._lines):
            yield from entries_in(read, version, next(numbers))


def read_room(stream: BinaryIO, name: str, version: RoomVersion | None = None) -> Room:
    """Begin to read a room from one file. See `read_rooms`."""
    return read_rooms([(stream, name)], version)


def read_rooms(inputs: Sequence[tuple[BinaryIO, str]], version: RoomVersion | None = None) -> Room:
    """Begin to read a room from one or several files, whose entries come one file after another.

    Args:
        inputs: at least one stream, to be read from its current position, with what messages call it.
        version: the room version. A file that names another one is refused. Without it, the first file that
            names one decides; otherwise the files are searched for the create event.

    Raises:
        InputError: if an input has none of these forms, or the room version cannot be found; also later, from
            the entries, if a document stops being JSON.
        OSError: if a stream cannot be read; also later.
    """
    sources = [Source(stream, name) for stream, name in inputs]
    files = [_open(source) for source in sources]
    known, says = version, ""
    for file in files:
        if known is not None and file.said is not None and known is not file.said:
            reason = f"it says that it has room version {file.said}, not {known}{says}"
            raise InputError(file.name, reason)
        if known is None and file.said is not None:
            known, says = file.said, f" as {file.name} says"
    if known is None:
        known = _search(files)
    several = len(files) > 1
    numbers = count()
    entries = chain.from_iterable([_entries_of(file, known, numbers, several) for file in files])
    recorded = next((file for file in files if file.header is not None), None)
    keys = KeyRing.joined(file.keys for file in files)
    if recorded is None or recorded.header is None:
        return Room(known, keys, None, frozenset(), entries, sources)
    header, others = recorded.header, frozenset(file.name for file in files if file is not recorded)
    beliefs = Beliefs.of_header(header.fields, others)
    given = [file.header.states for file in files if file.header is not None and file.header.states]
    find_states = join_states(given)
    return Room(known, keys, header, others, entries, sources, beliefs, find_states, header.room_id)


def join_rooms(room: Room, more: Room) -> Room:
    """Return a room with more events of it from files, of which the room's server does not speak."""

    def named() -> Iterator[Entry]:
        for entry in more.entries:
            place = entry.place
            yield replace(entry, place=place._replace(file=place.file or more.name))

    sources = [*room._sources, *more._sources]
    names = frozenset(source.name for source in sources)
    entries = chain(room.entries, named())
    keys = KeyRing.joined((room.keys, more.keys))
    beliefs = None if room.beliefs is None else replace(room.beliefs, others=room.beliefs.others | names)
    return replace(room, keys=keys, entries=entries, beliefs=beliefs, _sources=sources)


def read_event(stream: BinaryIO, name: str, version: RoomVersion | None, *, draft: bool = False) -> Entry:
    """Read the only event of a file, in any of the forms of a room.

    Args:
        stream: to be read from its current position.
        name: what messages call it.
        version: the room version; with None, nothing is taken out of the event, so that `fit_entry` can do
            it.
        draft: also accept an event without the keys that only a server adds.

    Raises:
        InputError: if the file does not hold one event.
        OSError: if it cannot be read.
    """
    file = _open(Source(stream, name))
    if version is not None and file.said is not None and file.said is not version:
        raise InputError(name, f"it says that it has room version {file.said}, not {version}")
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
    if file.header is not None and file.header.states is not None:
        entries = file.header.states.watch(entries)
    if not several:
        return entries
    return (replace(entry, place=entry.place._replace(file=file.name)) for entry in entries)


def _search(files: Sequence[_File]) -> RoomVersion:
    for file in files:
        if (found := file.search()) is not None:
            return found
    for file in files:
        # A better reason, if there is one.
        check_form(file.entries(UNCHANGED, count()), file.name)
    reason = "neither a header nor a create event gives the room version: give --room-version"
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
        raise InputError(source.name, IDS_ONLY)
    elif is_table(ahead):
        raise InputError(source.name, NOT_A_TABLE)
    elif len(ahead) == 1:
        error = NotCanonical("", line_error(error))
    lines.restart()
    if not any(map(_is_object, lines)):
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
