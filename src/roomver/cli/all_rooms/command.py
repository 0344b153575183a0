"""A call of ``roomver check --rooms``, from the sources to the summary."""

import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final, Protocol, cast

import click

from ... import __version__
from ...errors import counted
from ...readers import InputError, is_database
from ...readers.addresses import is_address, shown
from ...types import JsonObject, RoomId
from ..common import display_name
from ..escaped import ascii_json, printable
from ..heard import say
from ..written import check_not_input
from .executors import started
from .find import Found, find_rooms
from .options import LOCAL, Asked, ManyRooms
from .parquet import check_parquet, is_parquet, lines_again, lines_of, write_parquet
from .results import FORMAT, ResultsFull, begun, resumed
from .run import Run, WorkersGone
from .stopping import Stop, stopping
from .totals import Totals
from .words import Step, print_totals, rooms_progress
from .worker import Answer, Order, Setup, Several, blank, failure

_MOST_LISTED: Final = 10
_EVENT_MEMORY: Final = 3_000  # bytes that an event of a room under way takes, about
_NOT_AGAIN: Final = "a worker reads its room by itself, and standard input can be read only once: give a file"


class _Output(Protocol):
    def write(self, value: JsonObject) -> None: ...

    def close(self) -> None: ...


class _Standard:
    """Results on standard output."""

    def write(self, value: JsonObject) -> None:
        click.echo(ascii_json(value))

    def close(self) -> None:
        """Do nothing: others write there too."""


class _Nowhere:
    """Results that nobody asked for."""

    def write(self, value: JsonObject) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def check_all_rooms(asked: Asked, many: ManyRooms) -> int:
    """Check all rooms, print what they come to, and return the exit code.

    Raises:
        UsageError: if the options exclude each other.
        InputError: if there are no rooms, or if the results cannot be written.
        WorkersGone: if no workers can be had.
    """
    asked = _checked(asked, many)
    with stopping() as stop:
        return _Session(asked, many, stop).go()


def _checked(asked: Asked, many: ManyRooms) -> Asked:
    """Check the sources and the options; return what is asked, with sources that all workers can find."""
    if "-" in asked.sources:
        raise InputError(display_name("-"), _NOT_AGAIN)
    if asked.more and (len(asked.sources) > 1 or not all(map(is_database, (*asked.sources, *asked.more)))):
        raise click.UsageError(
            "with --rooms, --also is for the database that has the states of the only FILE"
        )
    for source in asked.sources:
        if not is_address(source) and not _exists(source):
            raise InputError(display_name(source), "No such file or directory")
    if many.output is not None and many.output != "-":
        check_not_input(many.output, [*asked.sources, *asked.more])
        if is_parquet(many.output):
            check_parquet(many.output)
    if many.output in (None, "-") and many.scheduler in (None, LOCAL):
        return asked
    # A worker on another machine finds them there, and so does --resume in another folder.
    sources, more = ([_absolute(one) for one in names] for names in (asked.sources, asked.more))
    return replace(asked, sources=sources, more=more)


def _absolute(source: str) -> str:
    if is_address(source):
        return source
    whole, short = Path(source).absolute(), Path(os.path.abspath(source))
    same = short.exists() and short.samefile(whole)  # not if ".." leaves a folder that is a link
    return str(short if same else whole)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


class _Session:
    """One call of ``roomver check --rooms``."""

    def __init__(self, asked: Asked, many: ManyRooms, stop: Stop) -> None:
        self._asked = asked
        self._many = many
        self._stop = stop
        self._call = asked.call_of_one()
        setup = Setup(__version__, asked.checks, asked.immutable, self._call)
        self._setup = pickle.dumps(setup)
        self._totals = Totals(None if asked.all_findings else _MOST_LISTED)
        self._rooms_done: set[tuple[str, RoomId]] = set()
        self._files_done: set[str] = set()
        self._out: _Output = _Nowhere()
        self._began = monotonic()

    def go(self) -> int:
        """Check all rooms, and return the exit code."""
        found = find_rooms(self._asked.sources, self._asked.more, immutable=self._asked.immutable)
        found = [one for one in found if not self._is_output(one.source)]
        if not found:
            name = " and ".join(map(display_name, self._asked.sources))
            raise InputError(name, "there are no rooms: neither files nor a room in a database")
        self._out = self._opened()
        try:
            self._check([one for one in found if not self._is_done(one)])
        except ResultsFull as error:
            rooms = counted(self._totals.rooms, "room is", "rooms are")
            reason = f"{error.reason}. {rooms} in it; --resume goes on when it can be written again"
            raise InputError(error.name, reason) from None
        except WorkersGone as error:
            told = self._kept_text(self._done(), len(found))
            raise WorkersGone(f"{error}; {told}") from None
        finally:
            self._out.close()
        return self._end(len(found))

    def _is_output(self, source: str) -> bool:
        """Tell whether a source is a file of results, which may be in a folder of rooms."""
        output = self._many.output
        if output is None or Path(source).name not in {Path(one).name for one in (output, lines_of(output))}:
            return False
        return any(os.path.realpath(source) == os.path.realpath(one) for one in (output, lines_of(output)))

    def _opened(self) -> _Output:
        output = self._many.output
        header: JsonObject = {
            "format": FORMAT,
            "roomver": __version__,
            "sources": [shown(one) for one in self._asked.sources],
            "options": self._asked.options(),
        }
        if output is None:
            return _Nowhere()
        if output == "-":
            standard = _Standard()
            standard.write(header)
            return standard
        path = output
        if is_parquet(output):
            path = lines_of(output)
            if Path(output).exists() and not Path(path).exists():
                if not self._many.resume:
                    reason = "it exists: --resume goes on with it, another name begins anew"
                    raise InputError(display_name(output), reason)
                lines_again(output)
        return resumed(path, header, self._again) if self._many.resume else begun(path, header)

    def _again(self, answer: Answer) -> None:
        """Take an answer of an earlier run."""
        source, room_id = cast(str, answer["source"]), answer["room_id"]
        if answer["chosen"] and type(room_id) is str:
            self._rooms_done.add((source, room_id))
        else:
            self._files_done.add(source)
        self._totals.add(answer)

    def _is_done(self, one: Found) -> bool:
        source = shown(one.source)
        if one.room_id is None:
            return source in self._files_done
        return (source, one.room_id) in self._rooms_done

    def _check(self, todo: list[Found]) -> None:
        """Check rooms, and take their answers."""
        bad = [one for one in todo if one.reason]
        for one in bad:
            self._take(self._order(one), failure("unreadable", one.reason))
        todo = [one for one in todo if not one.reason]
        if not todo or self._stop():
            return
        workers = started(self._many.scheduler, self._many.jobs, self._stop)
        if workers is None:
            return
        most = None if self._many.memory is None else self._many.memory // _EVENT_MEMORY
        try:
            with rooms_progress(len(todo), sum(one.events for one in todo)) as step:
                self._step: Step = step
                run = Run(workers, self._answered, self._expanded, self._stop, most)
                run.go(map(self._order, todo))
        except BaseException:
            workers.close(now=True)
            raise
        workers.close(now=self._stop())

    def _order(self, one: Found) -> Order:
        return Order(self._setup, (one.source, *self._asked.more), one.room_id, one.events)

    def _answered(self, order: Order, answer: Answer) -> None:
        self._take(order, answer)
        self._step(order.events, 0)

    def _take(self, order: Order, answer: Answer) -> None:
        """Write an answer. That of a worker that died has only a reason."""
        if "source" not in answer:
            answer = blank(order, self._call) | answer
        self._out.write(answer)
        self._totals.add(answer)

    def _expanded(self, order: Order, several: Several) -> Iterator[Order]:
        """Return the rooms of a file that has several, the largest first."""
        file = order.files[0]
        found = [
            Found(events, file, room_id)
            for room_id, events in several.rooms
            if (shown(file), room_id) not in self._rooms_done
        ]
        self._step(0, len(several.rooms) - 1)
        found.sort(key=lambda one: -one.events)
        return map(self._order, found)

    def _end(self, rooms: int) -> int:
        """Say what all rooms come to, and return the exit code."""
        totals, output = self._totals, self._many.output
        stopped = self._stop()
        if output is not None and output != "-" and is_parquet(output) and not stopped:
            write_parquet(output)
        seconds = round(monotonic() - self._began, 1)
        code = self._stop.code if stopped else totals.code
        if self._asked.as_json:
            data = {"interrupted": stopped, "seconds": seconds, **totals.data()}
            click.echo(ascii_json(data, indent=1), err=output == "-")
        elif output == "-":
            with suppress(OSError):
                click.echo(f"roomver: {counted(totals.rooms, 'room', 'rooms')}, exit code {code}", err=True)
        else:
            print_totals(totals, title="interrupted: " if stopped else "")
        if stopped:
            self._tell_of_stop(rooms)
        return code

    def _tell_of_stop(self, rooms: int) -> None:
        told = self._kept_text(self._done(), rooms)
        say(printable(f"roomver: interrupted: {told}"))

    def _done(self) -> int:
        """Return how many are done of what was found: rooms, and files that turned out to hold none."""
        return self._totals.rooms + self._totals.status["no-room"]

    def _kept_text(self, number: int, of: int) -> str:
        """Say where the results of the rooms are that are done, and how to go on."""
        output = self._many.output
        files = " and files without a room" if self._totals.status["no-room"] else ""
        done = f"{number:,} of {of:,} rooms{files}"
        if output is None or output == "-":
            return f"{done} are done; with --output FILE, --resume could go on"
        file = display_name(lines_of(output) if is_parquet(output) else output)
        return f"{done} are in {file}; the same call with --resume goes on"
