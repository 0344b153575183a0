"""JSON documents: one or several values, each over any number of lines.

A document of moderate length is parsed whole. If it is longer, or if there are several, the events are read
one at a time, so that memory is bounded by the longest event. Checked with the answers of Synapse 1.163.2
over federation, in its admin API and to ``/sync`` (``tests/data/answers.json``).
"""

from collections.abc import Iterator

from ..canonical import join_path, shorten
from ..entry import Entry, Part, Place
from ..errors import NotCanonical, RoomverError
from ..keys import NO_KEYS, KeyRing, read_key_table
from ..types import EventId, JsonObject, JsonValue, RoomId
from ..versions import RoomVersion, version_named
from .entries import (
    LISTS,
    SYNC_KINDS,
    SYNC_PARTS,
    UNCHANGED,
    InputError,
    Read,
    count_stripped,
    entries_in,
    entry_of,
    holds_events,
    is_pdu,
    is_stripped,
    list_parts,
    with_advice,
)
from .forms import (
    NOT_EVENTS,
    IdsOnly,
    check_document,
    check_string,
    is_template,
    names_event,
    output_of,
    until_junk,
)
from .headers import Header, header_of
from .several import search_version
from .streams import Source
from .surveys import Long, survey, survey_body
from .values import Piece, Values


class Document:
    """A JSON document that has been parsed whole.

    Attributes:
        name: what messages call the input.
        header: of a recorded room, if that is all there is.
        said: the room version that the document names.
        keys: the verify keys that it gives.
        is_template: whether it is the template of an event.
        stripped: how many events of stripped state it has, which are not read.
    """

    def __init__(
        self, value: JsonValue, name: str, line: int | None = None, given: RoomVersion | None = None
    ) -> None:
        """Take a document.

        Args:
            value: the document.
            name: what messages call the input.
            line: the line that it is on, if it is on one.
            given: the room version that was passed in with it.

        Raises:
            InputError: if it holds no events.
        """
        self.name = name
        self.header: Header | None = header_of(value, name, given)
        self.said: RoomVersion | None = None
        self.keys: KeyRing = NO_KEYS
        self.is_template: bool = False
        self.stripped: int = 0
        self._read = Read(value, Place(line, ""))
        if self.header is not None:
            self.said, self.keys = self.header.version, self.header.keys
            return
        value = _body(value)
        if type(value) is dict:
            check_document(value, name)
            self.is_template = is_template(value)
            if self.is_template or holds_events(value):
                self.said, self.keys = _take_fields(value, name, given)
            self.stripped = count_stripped(value)
        elif type(value) is list:
            if value and all(map(names_event, value)):
                raise IdsOnly(name)
            if (output := output_of(value)) is not None:
                raise InputError(name, output)
        else:
            if type(value) is str:
                check_string(value, name)
            raise InputError(name, f"expected events, found {shorten(value)}")

    def search(self, room_id: RoomId | None = None) -> RoomVersion | None:
        """Return the room version that a create event names; None without one.

        Args:
            room_id: the room of the create event; None for any room.

        Raises:
            InputError: if it names an unknown one.
        """
        return search_version(self.entries(UNCHANGED, iter((0,))), room_id, self.name)

    def entries(self, version: RoomVersion, numbers: Iterator[int]) -> Iterator[Entry]:
        """Yield the entries of the document; `numbers` gives it its number."""
        if self.header is None:
            # If there are several events, their places are their paths. The place of a single event is its
            # line.
            alone = type(self._read.value) is dict and not holds_events(self._read.value)
            place = self._read.place if alone else Place(None, "")
            yield from _entries_of(Read(self._read.value, place), version, next(numbers))


class Documents:
    """JSON documents one after another, or one that is too long to be parsed whole.

    Attributes:
        name, header, said, keys, is_template, stripped: as in `Document`.
        broken: whether the text after the last document is not JSON.
    """

    def __init__(
        self, source: Source, first: JsonValue, count: int, long: dict[int, Long], *, broken: bool
    ) -> None:
        """Take documents that `open_documents` has looked through."""
        self.name: str = source.name
        self.broken = broken
        self._source = source
        self._count = count
        self._long = long
        self.header: Header | None = None if 0 in long else header_of(first, source.name, source.version)
        self.said: RoomVersion | None = None
        self.keys: KeyRing = NO_KEYS
        self.is_template = False
        self.stripped = 0
        if self.header is not None:
            self.said, self.keys = self.header.version, self.header.keys
        elif count == 1:
            fields = long[0].fields if 0 in long else first
            if type(fields) is dict:
                self.said, self.keys = _take_fields(fields, self.name, source.version)

    def search(self, room_id: RoomId | None = None) -> RoomVersion | None:
        """Return the room version that a create event names; None without one.

        Args:
            room_id: the room of the create event; None for any room.

        Raises:
            InputError: if it names an unknown one.
        """
        # Without an event at the beginning, the rest is not looked through.
        found = until_junk(self.entries(UNCHANGED, iter(range(self._count + 1))), self.name)
        next((one for one in found if type(one.pdu) is dict and is_pdu(one.pdu)), None)
        entries = self.entries(UNCHANGED, iter(range(self._count + 1)), b"m.room.create")
        return search_version(entries, room_id, self.name)

    def entries(self, version: RoomVersion, numbers: Iterator[int], likely: bytes = b"") -> Iterator[Entry]:
        """Yield the entries of all documents.

        Args:
            version: of the room.
            numbers: gives each document its number.
            likely: skip values whose text does not contain this.

        Raises:
            InputError: where the text is not JSON, after the entries before that.
        """
        self._source.restart()
        values = Values(self._source)
        try:
            for index in range(self._count + 1):
                if not values.peek():
                    return
                if index in self._long:
                    long = self._long[index]
                    yield from self._entries_of_long(values, long, version, next(numbers), likely)
                    continue
                piece = values.value()
                if (index or self.header is None) and piece.has(likely):
                    yield from _entries_of(self._read(piece), version, next(numbers))
        except NotCanonical as error:
            raise InputError(self.name, f"{error}; only the values before that were read") from None

    def _read(self, piece: Piece) -> Read:
        return _read_piece(piece, Place(piece.line if self._count > 1 else None, ""))

    def _entries_of_long(
        self, values: Values, long: Long, version: RoomVersion, document: int, likely: bytes
    ) -> Iterator[Entry]:
        place = Place(None, "")
        if long.has_status:
            values.take(b"[")
            values.value()
            values.take(b",")
        elif values.peek() == b"[":
            for here, piece in _elements(values, place, likely):
                yield entry_of(_read_piece(piece, here), version, document=document)
            return
        if long.is_event:
            yield entry_of(self._read(values.value()), version, document=document)
            return
        parts = list_parts({**dict.fromkeys(long.keys), **long.fields})
        for key in values.members():
            first = values.peek()
            here = place._replace(path=join_path("", key))
            if long.by_id:
                piece = values.value()
                if piece.has(likely):
                    yield entry_of(_read_piece(piece, here, key), version, document=document)
            elif key in LISTS and first == b"[":
                for inside, piece in _elements(values, here, likely):
                    read = _read_piece(piece, inside)
                    if parts[key] is not Part.PART_OF_STATE or not is_stripped(read.value):
                        yield entry_of(read, version, parts[key], document)
            elif key == "events" and first == b"{":
                for event_id in values.members():
                    piece = values.value()
                    if piece.has(likely):
                        inside = here._replace(path=join_path(here.path, event_id))
                        yield entry_of(_read_piece(piece, inside, event_id), version, document=document)
            elif key == "event" and first == b"{":
                yield entry_of(_read_piece(values.value(), here), version, parts[key], document)
            elif key == "rooms" and first == b"{" and "next_batch" in long.fields:
                for read in _synced(values, here, likely):
                    yield entry_of(read, version, document=document)
            else:
                values.value()
        if long.has_status:
            values.take(b"]")


def open_documents(source: Source) -> Document | Documents:
    """Look through documents once, for what must be known before the first event.

    Raises:
        NotCanonical: if the first document is not JSON.
        InputError: if the only document holds no events.
    """
    source.restart()
    values = Values(source)
    first: JsonValue = None
    count = 0
    long: dict[int, Long] = {}
    ends = False
    while not ends:
        try:
            if not values.peek():
                break
            piece = values.value()
            if piece.is_long:
                long[count] = Long()
            elif not count:
                first = piece.load()
            elif piece.is_atom:
                piece.load()  # a word is not JSON
        except NotCanonical:
            if not count:
                raise
            ends = True  # the entries before this are read, and then the same error comes again
        else:
            count += 1
    if count == 1 and not long and not ends:
        return Document(first, source.name, given=source.version)
    if long:
        source.restart()
        values = Values(source)
        for index in range(count):
            if index in long and values.peek() == b"{":
                survey(values, long[index])
                if count == 1 and not long[index].holds:
                    if long[index].has_ids:
                        raise IdsOnly(source.name)
                    raise InputError(source.name, NOT_EVENTS)
            elif index in long and count == 1:
                survey_body(values, long[index])
            else:
                values.value()
    return Documents(source, first, count, long, broken=ends)


def _body(value: JsonValue) -> JsonValue:
    """Return what follows the HTTP status in version 1 of the response to a join; otherwise the value."""
    if type(value) is list and len(value) == 2 and type(value[0]) is int and type(value[1]) is dict:
        return value[1]
    return value


def _take_fields(
    fields: JsonObject, name: str, given: RoomVersion | None
) -> tuple[RoomVersion | None, KeyRing]:
    """Return the room version and the keys that a document gives.

    Args:
        fields: of the document.
        name: what messages call it.
        given: the room version that was passed in with it, which it may name.

    Raises:
        InputError: if the version is unknown, or the keys cannot be used.
    """
    try:
        named = fields.get("room_version")
        said = version_named(named, given) if type(named) is str else None
        held = fields.get("keys")
        keys = read_key_table(held, source=name) if type(held) is dict else NO_KEYS
    except RoomverError as error:
        raise InputError(name, with_advice(error)) from None
    return said, keys


def _entries_of(read: Read, version: RoomVersion, document: int) -> Iterator[Entry]:
    """Yield the entries of a document that has been parsed whole."""
    value = _body(read.value)
    if type(value) is list:
        for index, item in enumerate(value):
            place = read.place._replace(path=join_path(read.place.path, index))
            yield entry_of(Read(item, place), version, document=document)
    else:
        yield from entries_in(Read(value, read.place, read.claimed_id, read.error), version, document)


def _elements(values: Values, place: Place, likely: bytes) -> Iterator[tuple[Place, Piece]]:
    ids_only = False
    for index, piece in enumerate(values.elements()):
        is_string = piece.raw is not None and piece.raw.startswith(b'"')
        # An object with events by ID may also have lists of IDs.
        ids_only = is_string and place.path != "" and (ids_only or not index)
        if not ids_only and piece.has(likely):
            yield place._replace(path=join_path(place.path, index)), piece


def _synced(values: Values, place: Place, likely: bytes) -> Iterator[Read]:
    """Yield the events of a response to ``/sync``, whose object ``rooms`` is next."""
    for kind in _objects(values):
        if kind not in SYNC_KINDS:
            values.value()
            continue
        for room_id in _objects(values):
            for part in _objects(values):
                for key in values.members():
                    if part not in SYNC_PARTS or key != "events" or values.peek() != b"[":
                        values.value()
                        continue
                    path = place.path
                    for step in (kind, room_id, part, key):
                        path = join_path(path, step)
                    for here, piece in _elements(values, place._replace(path=path), likely):
                        yield _read_piece(piece, here)._replace(room_id=room_id)


def _objects(values: Values) -> Iterator[str]:
    """Take an object, key by key, and skip the values that are not objects."""
    for key in values.members():
        if values.peek() == b"{":
            yield key
        else:
            values.value()


def _read_piece(piece: Piece, place: Place, claimed_id: EventId | None = None) -> Read:
    try:
        return Read(piece.load(), place, claimed_id)
    except NotCanonical as error:
        return Read(None, place, claimed_id, str(error))
