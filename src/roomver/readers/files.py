"""Files: what has the events of rooms, and how its form is determined.

A file is lines with one value each, one or several documents, or text with values in code blocks.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Protocol, TypeAlias

from ..canonical import load_json
from ..entry import Entry, Place
from ..errors import NotCanonical
from ..keys import NO_KEYS, KeyRing
from ..types import JsonValue, RoomId
from ..versions import RoomVersion
from .documents import Document, open_documents
from .entries import UNCHANGED, InputError, NoRoom, Read, entries_in, line_error
from .fenced import is_fence, read_fenced
from .forms import IdsOnly, names_event
from .headers import Header, header_of
from .lines import Line, Lines, check_line
from .several import search_version
from .streams import Source
from .tables import NOT_A_TABLE, find_table, holds_ids_only, is_table, read_copied
from .unreadable import NOT_ROOMS, begins_http, tell_text

_LOOKED_AT = 3  # lines, for the form of a file

_ReadLines: TypeAlias = Callable[[Iterable[Line]], Iterator[Read]]


class File(Protocol):
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


def open_file(source: Source) -> File:
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
        return Document(value, source.name, first.number, source.version)
    if all(names_event(_json_of(line)) for line in (first, *ahead)):
        raise IdsOnly(source.name)
    header = header_of(value, source.name, source.version)
    if header is None and not any(map(_is_json, ahead)):
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
    if header is None:
        lines.push_back(first)
    return _LineFile(source, lines, _read_json_lines, header)


def _open_unclear(source: Source, lines: Lines, first: Line, error: NotCanonical) -> File:
    """Determine the form of a file whose first line is not a JSON value."""
    ahead = [first, *islice(lines, _LOOKED_AT - 1)]
    if begins_http(first.raw):
        raise InputError(source.name, str(tell_text(line.raw for line in ahead)))
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
        reason = tell_text(line.raw for line in ahead)
        if reason in NOT_ROOMS:
            raise NoRoom(source.name, reason)
        raise InputError(source.name, reason or f"neither JSON nor JSON Lines ({error})")
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
    return line.start == b"{" and type(_json_of(line)) is dict
