"""The progress of reading and replaying a room, on a terminal and for long input."""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple, TypeAlias

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
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


class _WorkProgress(Progress):
    """Shows nothing at first, and everything once the work has taken a moment."""

    def __init__(self, *columns: ProgressColumn, console: Console) -> None:
        self._began = monotonic()
        super().__init__(*columns, console=console, transient=True, redirect_stdout=False)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return what is shown. It is asked for several times a second, in a thread of its own."""
        if monotonic() - self._began > _MOMENT:
            yield from super().get_renderables()


@contextmanager
def work_progress(what: str) -> Iterator[ReplayProgress | None]:
    """Show on standard error that other work goes on, once it has taken a moment, and leave nothing there.

    Nothing may be written to a terminal meanwhile: the display is at the end of it.

    Args:
        what: what is worked on.

    Yields:
        What takes the number of steps done and the total, if these are known; None if nothing is shown.
    """
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with _WorkProgress(*columns, console=console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def output_progress(what: str) -> Iterator[ReplayProgress | None]:
    """Show how far the output is, if it goes to a file. A terminal and a pager show it themselves."""
    try:
        regular = stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):  # it has no descriptor
        regular = False
    if not regular:
        yield None
        return
    with work_progress(what) as tell:
        yield tell


def _long_after_a_moment() -> Callable[[int], bool]:
    """Return what tells whether work on so many events is shown: it is long, or has taken a moment."""
    began = monotonic()
    return lambda total: total >= _LONG or monotonic() - began > _MOMENT
