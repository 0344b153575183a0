"""Opening what people hold of a room: files, or a server's database."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, Final, NamedTuple, TypeVar, cast

import click

from ..contributions import Origin
from ..entry import Entry
from ..readers import (
    InputError,
    NoSuchRoom,
    Room,
    RoomPart,
    RoomSource,
    is_database,
    open_synapses,
    read_parts,
)
from ..readers.several import other_room
from ..readers.source import FileSource
from ..room_check import RoomCheck
from ..state_document import main_room
from ..types import EventId, RoomId
from ..versions import RoomVersion
from .common import all_opened, call_name, display_name
from .escaped import printable
from .guidance import wrong_room_id

F = TypeVar("F", bound=Callable[..., Any])


class Choice(NamedTuple):
    """What to read of a source that may be a database.

    Attributes:
        room_id: the room; None if the source has only one.
        immutable: see `open_database`.
        event_id: an event of the room, by ID or prefix. A database finds its room by it.
    """

    room_id: RoomId | None = None
    immutable: bool = False
    event_id: EventId | None = None


ANY_ROOM: Final = Choice()


def room_option() -> Callable[[F], F]:
    """Add ``--room`` and ``--immutable``, for commands whose source may be a database: a `Choice`."""
    room = click.option(
        "--room",
        "room_id",
        metavar="!ID",
        multiple=True,
        callback=_check_room_id,
        help="The room, by its ID, in single quotes: needed for a source with several rooms.",
    )

    def decorate(command: F) -> F:
        @wraps(command)
        def chosen(*args: Any, room_id: RoomId | None, immutable: bool, **values: Any) -> Any:
            return command(*args, choice=Choice(room_id, immutable), **values)

        return cast(F, room(immutable_option()(chosen)))

    return decorate


def immutable_option() -> Callable[[F], F]:
    """Add ``--immutable``."""
    return click.option(
        "--immutable",
        is_flag=True,
        help="Read an SQLite database whose server is stopped, without a lock and without files beside it.",
    )


def _check_room_id(_: click.Context, __: click.Parameter, room_ids: tuple[str, ...]) -> RoomId | None:
    if len(room_ids) > 1:
        raise click.BadParameter("only one room is read: give it once")
    for room_id in room_ids:
        if not room_id.startswith("!"):
            raise click.BadParameter(wrong_room_id(room_id))
    return room_ids[0] if room_ids else None


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
        yield from filter(None, databases)


@contextmanager
def _opened_databases(names: Sequence[str], *, immutable: bool) -> Iterator[list[RoomSource | None]]:
    """Open databases, with None for one that has only the states of another.

    Raises:
        InputError: if one cannot be opened.
    """
    opened = open_synapses(names, immutable=immutable)
    try:
        for database in filter(None, opened):
            for note in database.notes:
                click.echo(printable(f"roomver: {database.name}: {note}"), err=True)
        yield [*opened]
    finally:
        for database in filter(None, opened):
            database.close()


@contextmanager
def opened_room(
    names: Sequence[str], version: RoomVersion | None, choice: Choice = ANY_ROOM
) -> Iterator[Room]:
    """Begin to read a room from one or several sources: files and databases, in any order.

    A database after the first source that does not have the room is told on standard error.

    Raises:
        InputError: if one cannot be read, or if a room must be chosen.
    """
    files = [name for name in names if not is_database(name)]
    if len(files) == len(names):
        with all_opened(files) as inputs:
            room = FileSource(inputs).open_room(choice.room_id, version)
            rooms: set[RoomId] = set()
            if choice.room_id is None:
                room.entries = _noting_rooms(room.entries, rooms)
            yield room
        if len(rooms) > 1:
            hint = f"choose one with --room '!…'; `roomver rooms {call_name(files[0])}` lists them"
            text = f"roomver: {display_name(files[0])}: it has events of {len(rooms):,} rooms: {hint}"
            click.echo(printable(text), err=True)
        return
    with ExitStack() as stack:
        known, room_id, said_by = version, choice.room_id, ""
        of_databases: list[RoomPart] = []
        given = [name for name in names if name not in files]
        opened = stack.enter_context(_opened_databases(given, immutable=choice.immutable))
        only_states = {name for name, source in zip(given, opened, strict=True) if source is None}
        names = [name for name in names if name not in only_states]
        sources = filter(None, opened)
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
        inputs = stack.enter_context(all_opened(files))
        has_room = any(part.origin.has_room for part in of_databases)
        known, of_files = read_parts(inputs, known, said_by, alone=not has_room, room_id=room_id)
        databases, rest = iter(of_databases), iter(of_files)
        parts = [next(rest if name in files else databases) for name in names]
        yield Room.of(parts, known, room_id)


def _noting_rooms(entries: Iterator[Entry], rooms: set[RoomId]) -> Iterator[Entry]:
    """Yield the same entries, and note the rooms that they name."""
    for entry in entries:
        pdu = entry.pdu
        if type(pdu) is dict and type(room_id := pdu.get("room_id")) is str:
            rooms.add(room_id)
        yield entry


def check_is_room(name: str, found: RoomCheck, room_id: RoomId | None) -> None:
    """Check that the room that was read is the one that was asked for.

    Raises:
        InputError: if it is another one.
    """
    if room_id is None or not found.gathered.events:
        return
    # All events may be apart from the room's graph, so that none is replayed.
    of = main_room(found.gathered.events.values())
    if of != room_id:
        raise InputError(name, other_room(of, room_id))
