"""Which rooms there are: in databases, in the files of folders, and in files."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from ...readers import InputError, is_database, open_synapses
from ...types import RoomId
from ..common import display_name
from ..escaped import printable
from ..heard import tell

_EVENT_BYTES: Final = 1_000  # of an event in a file, about
_BESIDE: Final = ("-wal", "-shm", "-journal")  # of an SQLite database, which is read with them


class Found(NamedTuple):
    """One room, or a file of which nobody has looked which rooms it has.

    Attributes:
        events: the number of its events, or an estimate.
        source: the name of its source.
        room_id: its ID; None for a file.
        reason: why the source cannot be read; empty if nobody has tried.
    """

    events: int
    source: str
    room_id: RoomId | None
    reason: str = ""


def find_rooms(sources: Sequence[str], more: Sequence[str], *, immutable: bool) -> list[Found]:
    """Return the rooms of sources, those with the most events first.

    Files are not opened here: only their sizes are asked. A database is asked for the rooms and their sizes.

    Args:
        sources: databases, folders and files. Of a folder, the files in it and below it are taken, in any
            depth, without hidden ones, pipes and devices.
        more: databases that go with each source.
        immutable: see `open_database`.
    """
    found: list[Found] = []
    for file in dict.fromkeys(_files(sources)):
        if is_database(file):
            found += _in_database(file, more, immutable=immutable)
        else:
            found.append(Found(_estimate(file), file, None))
    found.sort(key=lambda one: (-one.events, one.source, one.room_id or ""))
    return found


def _files(sources: Iterable[str]) -> Iterator[str]:
    """Yield the databases and files that sources name."""
    for source in sources:
        if is_database(source) or not Path(source).is_dir():
            yield source
            continue
        for folder, folders, names in os.walk(source, onerror=_refuse):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            there = set(names)
            for name in sorted(names):
                if not name.startswith(".") and not _is_beside(name, there):
                    file = str(Path(folder, name))
                    if _is_without_end(file):
                        line = f"roomver: {display_name(file)}: it is not a file, so it is left out"
                        tell(printable(line))
                    else:
                        yield file


def _refuse(error: OSError) -> None:
    """End the search: rooms in a folder that cannot be read would be left out unsaid."""
    raise InputError(display_name(str(error.filename)), error.strerror or str(error))


def _is_without_end(file: str) -> bool:
    """Tell whether reading may never end, as that of a pipe to which nobody writes."""
    try:
        return not stat.S_ISREG(Path(file).stat().st_mode)
    except (OSError, ValueError):
        return False  # whoever opens it says why


def _is_beside(name: str, there: set[str]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in there for end in _BESIDE)


def _in_database(name: str, more: Sequence[str], *, immutable: bool) -> Iterator[Found]:
    try:
        with ExitStack() as stack:
            opened = open_synapses([name, *more], immutable=immutable)
            for one in filter(None, opened):
                stack.callback(one.close)
            for source in filter(None, opened):
                for note in source.notes:
                    tell(printable(f"roomver: {source.name}: {note}"))
                for room_id, events in source.count_events().items():
                    yield Found(events, name, room_id)
    except InputError as error:
        yield Found(0, name, None, str(error))


def _estimate(file: str) -> int:
    try:
        return max(1, Path(file).stat().st_size // _EVENT_BYTES)
    except (OSError, ValueError):
        return 1  # whoever opens it says why
