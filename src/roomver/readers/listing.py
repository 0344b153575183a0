"""Which rooms files have events of, before a room version is known."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import BinaryIO

from ..entry import Entry
from ..types import RoomId
from .entries import UNCHANGED, InputError
from .files import File, open_file
from .forms import check_form
from .several import RoomSummary, list_rooms, room_id_of
from .streams import Source


def entries_without_version(files: Iterable[File]) -> Iterator[Entry]:
    """Yield the entries of files, from which nothing is taken out."""
    return chain.from_iterable(check_form(file.entries(UNCHANGED, count()), file.name) for file in files)


def named_room(stream: BinaryIO, name: str, *, by_events: bool) -> RoomId | None:
    """Return the room that a file is of, and go back to where the stream was.

    None for a stream that cannot seek, and without a header and events of a single room.

    Args:
        stream: to be read from its current position.
        name: what messages call it.
        by_events: whether to look at the events too, if there is no header.
    """
    if not stream.seekable():
        return None
    start = stream.tell()
    try:
        file = open_file(Source(stream, name))
        if file.header is not None or not by_events:
            return None if file.header is None else file.header.room_id
        entries = entries_without_version([file])
        only = next((one for entry in entries if (one := room_id_of(entry)) is not None), None)
        return only if all(room_id_of(entry) in (None, only) for entry in entries) else None
    except InputError:
        return None  # whoever reads the file says why
    finally:
        stream.seek(start)


def rooms_in(inputs: Sequence[tuple[BinaryIO, str]]) -> list[RoomSummary]:
    """List the rooms of which files have events, in the order in which they first occur.

    Args:
        inputs: as in `read_rooms`.

    Raises:
        InputError: if an input has none of the forms of a room.
        OSError: if a stream cannot be read.
    """
    files = [open_file(Source(stream, name)) for stream, name in inputs]
    found = list_rooms(entries_without_version(files))
    header = next((file.header for file in files if file.header is not None), None)
    if header is None:
        return found
    ends, rejected = header.fields.get("forward_extremities"), header.fields.get("rejected")
    return [
        room._replace(
            version=room.version or header.version.identifier,
            extremities=len(ends) if type(ends) is list else None,
            rejected=len(set(map(str, rejected))) if type(rejected) is list else None,
        )
        if room.room_id == header.room_id or (header.room_id is None and len(found) == 1)
        else room
        for room in found
    ]
