"""Opening what people hold of a room: files, or a server's database."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from itertools import chain
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
    open_synapse,
    read_parts,
)
from ..readers.several import RoomSummary, list_rooms, other_room, room_id_of
from ..readers.source import FileSource, choose_room
from ..room_check import RoomCheck
from ..state_document import OF_STATE, main_room
from ..types import EventId, RoomId
from ..versions import RoomVersion
from .common import all_opened
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
    database = open_synapse(name, immutable=immutable)
    try:
        for note in database.notes:
            click.echo(printable(f"roomver: {database.name}: {note}"), err=True)
        yield database
    finally:
        database.close()


@contextmanager
def opened_room(
    names: Sequence[str], version: RoomVersion | None, choice: Choice = ANY_ROOM, *, may_mix: bool = False
) -> Iterator[Room]:
    """Begin to read a room from one or several sources: files and databases, in any order.

    A database after the first source that does not have the room is told on standard error.

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
            room = FileSource(inputs).open_room(choice.room_id, version)
            # A recording and a state given as IDs are of one room: an event of another one is a fault in it.
            is_of_one = room.header is not None or any(part.origin.state_ids for part in room.parts)
            if choice.room_id is None and not is_of_one and not may_mix:
                room.entries = _of_one_room(room.entries, inputs[0][1], room.version)
            yield room
        return
    with ExitStack() as stack:
        known, room_id, said_by = version, choice.room_id, ""
        of_databases: list[RoomPart] = []
        for number, name in enumerate(names):
            if name in files:
                continue
            source = stack.enter_context(opened_source(name, immutable=choice.immutable))
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


def _of_one_room(entries: Iterator[Entry], name: str, version: RoomVersion) -> Iterator[Entry]:
    """Yield the same entries.

    Raises:
        InputError: naming the rooms, if the entries are of several. In a given state, an event of another
            room is a fault of that state.
    """
    only: RoomId | None = None
    for entry in entries:
        room_id = None if entry.part in OF_STATE else room_id_of(entry, version)
        if only is not None and room_id not in (None, only):
            rooms = list_rooms(chain((entry,), entries))
            first = next((room for room in rooms if room.room_id == only), RoomSummary(only, None, 1))
            others = sorted(
                (room for room in rooms if room is not first), key=lambda room: -(room.events or 0)
            )
            choose_room(name, [first, *others], None)
        only = only or room_id
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
