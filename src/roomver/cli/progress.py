"""The progress of reading and replaying a room, on a terminal and for long input."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple, TypeAlias

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ..entry import Entry
from ..readers import Room
from .common import console, display_name

_SMALL: Final = 4 * 2**20  # bytes: less than this is read in a moment
_TICK: Final = 256  # events between two updates
_LONG: Final = 5_000  # this many events take about a second
_MOMENT: Final = 1.0  # seconds after which anything is shown

ReplayProgress: TypeAlias = Callable[[int, int], None]
"""Takes the number of events replayed, and the total."""


class RoomProgress(NamedTuple):
    """What shows the progress of one room.

    Attributes:
        entries: the entries of the room. Taking one shows how far the reading is.
        replay: shows how far the replay is; None if nothing is shown.
    """

    entries: Iterator[Entry]
    replay: ReplayProgress | None


@contextmanager
def room_progress(
    files: Sequence[str], room: Room, name: str = "", *, hidden: bool = False
) -> Iterator[RoomProgress]:
    """Show the progress of a room on standard error, and leave nothing there.

    Args:
        files: the names of its sources.
        room: the room, of which nothing has been read.
        name: what to call it; by default the name of the first source.
        hidden: show nothing: this room is one of many.
    """
    if hidden or not sys.stderr.isatty():
        yield RoomProgress(room.entries, None)
        return
    # A database is not opened again: closing a file would give up the lock that its reading has.
    known = "-" not in files and all(part.stream is not None for part in room.parts)
    size = sum(Path(file).stat().st_size for file in files) if known else None
    small = size is not None and size < _SMALL
    long = _long_after_a_moment()
    # One display for both: two at once are an error in older releases of rich.
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[events]:,} events"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        reading = progress.add_task(name or display_name(files[0]), total=size, visible=False, events=0)
        replaying = progress.add_task("rules and states", total=None, visible=False, events=0)

        def entries() -> Iterator[Entry]:
            for count, entry in enumerate(room.entries):
                if not count % _TICK:
                    done = None if size is None else room.bytes_read
                    progress.update(reading, completed=done, events=count, visible=count > 0 and not small)
                yield entry
            progress.update(reading, visible=False)

        def replay(done: int, total: int) -> None:
            visible = done < total and long(total)  # few events may have many forks
            progress.update(replaying, completed=done, events=done, total=total, visible=visible)

        yield RoomProgress(entries(), replay)


@contextmanager
def work_progress(what: str) -> Iterator[ReplayProgress | None]:
    """Show the progress of other work that takes long; yield what takes the number done and the total."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, visible=False)
        long = _long_after_a_moment()
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=long(total))


def _long_after_a_moment() -> Callable[[int], bool]:
    """Return what tells whether work on so many events is shown: it is long, or has taken a moment."""
    began = monotonic()
    return lambda total: total >= _LONG or monotonic() - began > _MOMENT
