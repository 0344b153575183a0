"""``roomver record``: write a room to a file that can be handed over."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO

import click

from ..entry import Entry
from ..errors import RoomverError
from ..gathering import gather_events
from ..keys import KeyRing
from ..readers import InputError, Room
from ..recording import Recording, read_states_of, recording_lines
from ..room_check import Beliefs, main_room
from ..types import JsonObject
from ..versions import RoomVersion
from .common import (
    add_room_keys,
    also_option,
    example,
    keys_option,
    read_key_files,
    room_version_option,
)
from .escaped import printable
from .sources import Choice, opened_room, room_option, source_name
from .unknown_checks import counted

_SPOOL = 2**20  # bytes that are copied at a time
_BESIDE = ("-wal", "-shm", "-journal")
_EXISTS = "it exists: give --force to replace it"


@click.command(
    epilog=example(
        "roomver record homeserver.db --room '!roomid' -o room.jsonl\nroomver record answer.json -o -"
    )
)
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--output", metavar="FILE", required=True, help="Where to write; - is standard output.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@room_version_option("The room version, if the source does not give it.", required=False)
@also_option()
@room_option()
@keys_option()
@click.option(
    "--unsigned", is_flag=True, help="Do not check signatures: for made-up events, which have none."
)
def record(  # noqa: PLR0913, PLR0917 - one for each option
    source: str,
    output: str,
    force: bool,
    version: RoomVersion | None,
    more_files: tuple[str, ...],
    choice: Choice,
    key_files: tuple[str, ...],
    unsigned: bool,
) -> None:
    """Write a room to a file of the project's recording format, so that it can be handed over.

    SOURCE is anything that `roomver check` reads. The recording has the same events in the same order, the
    keys, what the server decided, and the states that the server had where events are missing. So `check`
    says the same about the recording as about the source.

    The file is written in one step: it is complete or not there. SOURCE is never changed.

    Exit code: 0 written, 2 usage error, unreadable source, or FILE cannot be written.
    """
    if unsigned and key_files:
        raise click.UsageError("--unsigned cannot be combined with --keys")
    given = None if unsigned else read_key_files(key_files)
    name = source_name(source)
    try:
        with _written(output, [source, *more_files, *key_files], force=force) as out:
            with opened_room([source, *more_files], version, choice) as room:
                keys = add_room_keys(given, room.keys)
                recording = read_recording(room, keys, choice, name)
            left_out: list[Entry] = []
            for line in recording_lines(recording, left_out):
                out.write(line)
    except InputError:
        raise
    except RoomverError as error:
        raise InputError(name, str(error)) from None
    _tell(
        name, [f"{counted(len(left_out), 'entry is', 'entries are')} left out: not JSON"] if left_out else []
    )


def read_recording(room: Room, keys: KeyRing | None, choice: Choice, name: str) -> Recording:
    """Read a room into a recording of it.

    Raises:
        InputError: if it is not the room that was asked for, or has no event.
        NotAState: if a state of the source is not one.
    """
    entries = list(room.entries)
    gathered = gather_events(entries, room.version, keys=keys, find_states=room.find_states)
    room_id = room.room_id
    if gathered.events:
        room_id = main_room(gathered.events.values())
    if choice.room_id is not None and room_id is not None and room_id != choice.room_id:
        raise InputError(name, f"its room is {room_id}, not {choice.room_id}")
    beliefs = room.beliefs or Beliefs()
    unspoken = {e for e, place in gathered.places.items() if not beliefs.speak_of(place, e)}
    return Recording(
        room.version,
        entries,
        room_id,
        room.keys if keys is None else keys,
        beliefs,
        frozenset(unspoken),
        read_states_of(gathered),
        _fields(room),
    )


def _fields(room: Room) -> JsonObject:
    """Return the other fields of the header: the software of the server, and the redactions it applied."""
    if room.header is None:
        return {"server": room.database} if room.database else {}
    fields = room.header.fields
    return {name: fields[name] for name in ("server", "redacted_by") if name in fields}


@contextmanager
def _written(output: str, sources: Sequence[str], *, force: bool) -> Iterator[IO[bytes]]:
    """Yield a file to write to, which takes its name when it is complete.

    Raises:
        InputError: if the file exists and may not be replaced, or cannot be written.
    """
    if output == "-":
        with TemporaryFile() as spool:
            yield spool
            spool.seek(0)
            while data := spool.read(_SPOOL):
                click.echo(data, nl=False)
        return
    path = Path(output)
    name = printable(output)
    try:
        if path.exists():
            # SQLite keeps changes in files beside the database.
            beside = [Path(source + end) for source in sources for end in ("", *_BESIDE) if source != "-"]
            if any(one.exists() and path.samefile(one) for one in beside):
                raise InputError(name, "this is the input: it is not overwritten, give another name")
            if not path.is_file():
                raise InputError(name, "it is not a file; - is standard output")
            if not force:
                raise InputError(name, _EXISTS)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:100]}.", delete=False) as out:
            try:
                yield out
                out.flush()
                os.fsync(out.fileno())
                _name(Path(out.name), path, name, force=force)
            finally:
                Path(out.name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(name, f"it cannot be written: {error.strerror or error}") from None


def _name(written: Path, path: Path, name: str, *, force: bool) -> None:
    # A new file of this kind is readable by its owner only.
    mask = os.umask(0)
    os.umask(mask)
    written.chmod(0o666 & ~mask)
    if force:
        written.replace(path)
        return
    try:
        path.hardlink_to(written)  # fails if another program has made the file meanwhile
    except FileExistsError:
        raise InputError(name, _EXISTS) from None
    except OSError:  # a file system without links
        written.replace(path)


def _tell(name: str, lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(printable(f"roomver: {name}: {line}"), err=True)
