"""Opening what people hold of a room: files, or a server's database."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import Any, Final, NamedTuple, TypeVar, cast

import click

from ..contributions import Origin
from ..entry import Entry, Part
from ..readers import (
    InputError,
    NoSuchRoom,
    Room,
    RoomPart,
    RoomSource,
    SynapseSource,
    is_database,
    named_room,
    open_synapses,
    read_parts,
)
from ..readers.several import RoomSummary, list_rooms, other_room, room_id_of
from ..readers.source import FileSource, choose_room, is_whole_id
from ..room_check import RoomCheck
from ..state_document import OF_STATE
from ..types import EventId, RoomId
from ..versions import RoomVersion
from .common import all_opened, call_name, display_name, opened
from .escaped import printable
from .guidance import kind_of_id, not_a_room, wrong_room_id
from .heard import tell

F = TypeVar("F", bound=Callable[..., Any])


_BLOCK: Final = 1 << 20  # bytes


class Choice(NamedTuple):
    """What to read of a source that may be a database.

    Attributes:
        named: the room, by its ID; in a database also by a prefix of it, the room's name or an alias of its
            server. None if there is only one.
        immutable: see `open_database`.
        event_id: an event of the room, by ID or prefix. A database finds its room by it.
    """

    named: str | None = None
    immutable: bool = False
    event_id: EventId | None = None

    def room_id(self, room: Room) -> RoomId | None:
        """Return the ID of the room that was asked for, once that is opened; None if any room may be read."""
        return None if self.named is None else room.room_id


ANY_ROOM: Final = Choice()
_ROOM_HELP: Final = (
    "The room, by its ID, in single quotes: needed for a source with several rooms. It may also follow the"
    " source, without --room. A database also finds a room by a unique prefix of its ID, by its name, and by"
    " an alias of its own server."
)


def named_room_option(metavar: str = "!ID", text: str = _ROOM_HELP) -> Callable[[F], F]:
    """Add ``--room``, which may be repeated, as ``room_ids``."""
    return click.option("--room", "room_ids", metavar=metavar, multiple=True, help=text)


def room_option() -> Callable[[F], F]:
    """Add ``--room`` and ``--immutable``, for commands whose source may be a database: a `Choice`."""

    def decorate(command: F) -> F:
        @wraps(command)
        def chosen(*args: Any, room_ids: tuple[str, ...], immutable: bool, **values: Any) -> Any:
            return command(*args, choice=Choice(one_room(room_ids), immutable), **values)

        return cast(F, named_room_option()(immutable_option()(chosen)))

    return decorate


def source_argument(name: str, *, many: bool = False) -> Callable[[F], F]:
    """Add an argument for a source, or for many. The room may follow: the command has `room_option` too."""

    def decorate(command: F) -> F:
        @wraps(command)
        def chosen(*args: Any, room_ids: tuple[str, ...], **values: Any) -> Any:
            sources, rooms = _split_names(values.pop(name))
            if not sources:
                raise click.UsageError("name a file or a database too, before the room: SOURCE '!…'")
            if len(sources) == 2 and _may_be_meant_as_room(sources[1], many=many):
                raise click.UsageError(not_a_room(sources[1], sources[0]))
            if len(sources) > 1 and not many:
                raise click.UsageError(f"one SOURCE is read, not {len(sources)}: --also adds others")
            values[name] = tuple(sources) if many else sources[0]
            return command(*args, room_ids=(*room_ids, *rooms), **values)

        metavar = f"{'FILE...' if many else 'SOURCE'} ['!ROOM']"
        return cast(F, click.argument(name, metavar=metavar, nargs=-1, required=True)(chosen))

    return decorate


def _split_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the sources and the rooms among the arguments of a command.

    Raises:
        UsageError: if an event is among them.
    """
    sources: list[str] = []
    rooms: list[str] = []
    for name in names:
        kind = None if is_database(name) or _exists(name) else kind_of_id(name)
        if kind == "an event ID":
            source = next(map(call_name, sources), "SOURCE")
            shown = f"'{display_name(name)}'"
            raise click.UsageError(f"{shown} is an event ID. To judge it: roomver auth {source} {shown}")
        (rooms if kind in ("a room ID", "a room alias") else sources).append(name)
    if len(sources) == 2 and not rooms and is_database(sources[0]) and may_be_a_name(sources[1]):
        rooms = [sources.pop()]
    return sources, rooms


def _may_be_meant_as_room(text: str, *, many: bool) -> bool:
    """Tell whether a second source may be meant as the room. With `many`, a text with a dot is a file."""
    return may_be_a_name(text) and (not many or ":" in text or "." not in text)


def may_be_a_name(text: str) -> bool:
    """Tell whether a text can only be the name of a room: it is not a file, and no other kind of ID."""
    bare = text.strip(" '\"`\\")
    return (
        bool(bare)
        and text != "-"
        and kind_of_id(bare) is None
        and not is_database(text)
        and not _exists(text)
    )


def must_be_room(text: str, source: str, *, immutable: bool) -> bool:
    """Tell whether a text that may be an argument of its own can only be the room, which no other names.

    It is if the source is a database of several rooms, of which one is called so.

    Raises:
        InputError: if the database cannot be opened.
    """
    if not is_database(source) or not may_be_a_name(text):
        return False
    with _opened_databases([source], immutable=immutable) as (database,):
        return database is not None and database.must_mean_room(text)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False  # it is not the name of a file


def immutable_option() -> Callable[[F], F]:
    """Add ``--immutable``."""
    return click.option(
        "--immutable",
        is_flag=True,
        help="Read an SQLite database whose server is stopped, without a lock and without files beside it.",
    )


def is_alias(named: str | None) -> bool:
    """Tell whether a room is named by an alias, not by its ID."""
    return named is not None and kind_of_id(named) == "a room alias"


def one_room(named: Sequence[str]) -> str | None:
    """Return the room among those that a call names; None if it names none.

    Raises:
        UsageError: if it names several, or one that can be none.
    """
    if len(named) > 1:
        raise click.UsageError("only one room is read: give it once")
    for one in named:
        if not one.startswith("!") and not is_alias(one) and not may_be_a_name(one):
            raise click.UsageError(wrong_room_id(one))
    return named[0] if named else None


@contextmanager
def opened_source(name: str, *, immutable: bool = False) -> Iterator[RoomSource]:
    """Open a file or a database.

    Raises:
        InputError: if it cannot be opened.
    """
    if not is_database(name):
        with all_opened([name]) as inputs:
            yield FileSource(inputs)
        return
    with _opened_databases([name], immutable=immutable) as databases:
        _tell_notes(databases)
        yield from filter(None, databases)


@contextmanager
def _opened_databases(names: Sequence[str], *, immutable: bool) -> Iterator[list[SynapseSource | None]]:
    """Open databases, with None for one that has only the states of another.

    Raises:
        InputError: if one cannot be opened.
    """
    opened = open_synapses(names, immutable=immutable)
    try:
        yield opened
    finally:
        for database in filter(None, opened):
            database.close()


def _tell_notes(databases: Sequence[SynapseSource | None]) -> None:
    for database in filter(None, databases):
        for note in database.notes:
            tell(printable(f"roomver: {database.name}: {note}"))


@contextmanager
def opened_room(
    names: Sequence[str], version: RoomVersion | None, choice: Choice = ANY_ROOM, *, may_mix: bool = False
) -> Iterator[Room]:
    """Begin to read a room from one or several sources: files and databases, in any order.

    The room of a database is the one that was asked for, the one that has the event, or the one that a file
    beside it is of: by its header, or because all its events are of that room. A database after the first
    source that does not have the room is told on standard error.

    Args:
        names: of the sources.
        version: the room version, if it is known.
        choice: what to read of them.
        may_mix: whether files may have events of several rooms although none is chosen.

    Raises:
        InputError: if one cannot be read, or if a room must be chosen.
    """
    files = [name for name in names if not is_database(name)]
    if len(files) == len(names):
        with all_opened(files) as inputs:
            if choice.named is not None and not choice.named.startswith("!"):
                raise InputError(display_name(files[0]), wrong_room_id(choice.named))
            room = FileSource(inputs).open_room(choice.named, version)
            # A recording and a state given as IDs are of one room: an event of another one is a fault in it.
            is_of_one = room.header is not None or any(part.origin.state_ids for part in room.parts)
            if choice.named is None and not is_of_one and not may_mix:
                room.entries = _of_one_room(room.entries, inputs[0][1], room.version)
            yield room
        return
    with ExitStack() as stack:
        inputs = stack.enter_context(all_opened(files))
        room_id = choice.named
        for number, (stream, name) in enumerate(inputs):
            if room_id is None:
                # Without a header, it costs the reading of the file.
                by_events = choice.event_id is None or (not number and names[0] == files[0])
                found = named_room(stream, name, by_events=by_events)
                room_id = found if found is not None and is_whole_id(found) else None
        known, said_by = version, ""
        of_databases: list[RoomPart] = []
        given = [name for name in names if name not in files]
        databases = stack.enter_context(_opened_databases(given, immutable=choice.immutable))
        _tell_notes(databases)
        only_states = {name for name, source in zip(given, databases, strict=True) if source is None}
        names = [name for name in names if name not in only_states]
        sources = filter(None, databases)
        for number, name in enumerate(names):
            if name in files:
                continue
            source = next(sources)
            try:
                room = source.open_room(room_id, known, said_by, choice.event_id)
            except NoSuchRoom as error:
                if not number:
                    raise
                note = f"{error}: nothing of it is read"
                of_databases.append(
                    RoomPart(Origin(source.name, "a database", has_room=False), iter(()), notes=[note])
                )
                continue
            if known is None:
                said_by = source.name
            known, room_id = room.version, room.room_id
            of_databases += room.parts
        has_room = any(part.origin.has_room for part in of_databases)
        known, of_files = read_parts(inputs, known, said_by, alone=not has_room, room_id=room_id)
        from_databases, rest = iter(of_databases), iter(of_files)
        parts = [next(rest if name in files else from_databases) for name in names]
        yield Room.of(parts, known, room_id)


def stamp_sources(names: Sequence[str], choice: Choice) -> list[object]:
    """Return what each source is now: it differs if a source has changed.

    Raises:
        InputError: if one cannot be read, or is standard input.
    """
    given = [name for name in names if is_database(name)]
    found: dict[str, object] = {name: stamp_file(name) for name in names if name not in given}
    if given:
        with _opened_databases(given, immutable=choice.immutable) as databases:
            for name, source in zip(given, databases, strict=True):
                try:
                    found[name] = source and source.stamp(choice.named, choice.event_id)
                except NoSuchRoom as error:
                    found[name] = str(error)
    return [found[name] for name in names]


def stamp_file(file: str) -> str:
    """Return the SHA-256 of a file.

    Raises:
        InputError: if it is standard input, or cannot be read.
    """
    if file == "-":
        raise InputError(display_name(file), "--cache needs a file or a database: this is read only once")
    digest = hashlib.sha256()
    with opened(file) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _of_one_room(entries: Iterator[Entry], name: str, version: RoomVersion) -> Iterator[Entry]:
    """Yield the same entries.

    Raises:
        InputError: naming the rooms, if the entries are of several. In a given state, an event of another
            room is a fault of that state.
    """
    only: RoomId | None = None
    for entry in entries:
        # Of another source, such an event is left out (`roomver.other_rooms`).
        aside = entry.source != 0 or (entry.part is not Part.EVENT and entry.part in OF_STATE)
        room_id = None if aside else room_id_of(entry, version)
        if only is not None and room_id not in (None, only):
            rooms = list_rooms(chain((entry,), entries))
            first = next((room for room in rooms if room.room_id == only), RoomSummary(only, None, 1))
            others = sorted(
                (room for room in rooms if room is not first), key=lambda room: -(room.events or 0)
            )
            choose_room(name, [first, *others], None)
        only = only or room_id
        yield entry


def room_call(file: str, room: Room, options: str) -> str:
    """Return the arguments that name a room in a printed call, quoted for a shell.

    Args:
        file: the room's first source.
        room: the room, as it was opened.
        options: of the call, quoted: another call about the same room needs them too.
    """
    call = call_name(file)
    if room.header is None and room.room_id is not None:
        call += f" --room {quote(room.room_id)}"
    return call + options


def check_is_room(name: str, found: RoomCheck, room_id: RoomId | None) -> None:
    """Check that the room that was read is the one that was asked for.

    Raises:
        InputError: if it is another one.
    """
    if room_id is None or not found.gathered.events:
        return
    of = found.gathered.room_id
    if of != room_id:
        raise InputError(name, other_room(of, room_id))
