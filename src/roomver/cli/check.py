"""``roomver check``: every event of a room, one by one and then together."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ..check import EventCheck, Summary, check_events, unreadable, usable
from ..errors import WrongRoom
from ..event import Event
from ..keys import KeyTable
from ..readers import Entry, InputError, Place, Room, merge_keys, read_room
from ..room_check import Beliefs, check_room
from ..types import EventId, JsonValue
from ..versions import RoomVersion
from .common import (
    console,
    display_name,
    example,
    keys_option,
    now_option,
    opened,
    read_key_files,
    room_version_option,
)
from .loaded import Answer, progress_of
from .report import JsonReport, Report, TextReport

_LONG_BYTES = 4 * 2**20  # an input of this size takes some seconds
_TICK = 500  # events between two looks at the progress


@click.command(
    epilog=example(
        "roomver check room.jsonl\nroomver check --room-version 11 --keys keys.json - < events.jsonl"
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@room_version_option("The version of rooms that do not say it themselves.", required=False)
@keys_option()
@now_option()
@click.option(
    "--alone",
    is_flag=True,
    help="Check each event by itself: no authorisation rules, no states, and no event is held in memory.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    files: tuple[str, ...],
    version: RoomVersion | None,
    key_files: tuple[str, ...],
    now: int | None,
    alone: bool,
    as_json: bool,
) -> None:
    """Check every event of a room: format, event ID, signatures, content hash, authorisation.

    FILE is a recorded room, JSON Lines with a PDU a line, a JSON array of PDUs, a JSON object with pdus or
    events, or a server's answer to /send_join or /state; - is standard input. The room version comes from the
    file's header, from --room-version, or from the room's create event.

    Signatures are checked with the keys in the file's header and those of --keys; without any keys they
    are not, and the report says so. An event in its redacted form whose content hash no longer holds is
    counted as redacted, and is no finding. A line that cannot be read is a finding, and the rest is still
    checked.

    Each event that a server would go on with is then judged by the authorisation rules, in the order of the
    room's graph: against its own auth events, and against the state before it, resolved where branches meet.
    If the file says which events its server rejected or soft-failed, and what the room's state was, those
    that the rules refuse as well are counted as rejected and are no findings; a difference is one.

    What is missing is named once, with what is undecided or not known for lack of it. That the state is not
    known is no finding, unless the file says what it was.

    Exit code: 0 all good, 1 findings, 2 wrong call or unreadable file.
    """
    given = read_key_files(key_files)
    report: Report = JsonReport() if as_json else TextReport()
    bad = unread = False
    for file in files:
        try:
            bad |= _check_file(file, version, given, now, alone, report)
        except InputError as error:
            unread = True
            report.error(file, error.reason)
    report.close()
    if bad or unread:
        raise click.exceptions.Exit(2 if unread else 1)


def _check_file(
    file: str,
    version: RoomVersion | None,
    given: KeyTable | None,
    now: int | None,
    alone: bool,
    report: Report,
) -> bool:
    """Check one file, and tell whether there is anything wrong with it."""
    summary = Summary()
    together = None if alone else _Together(display_name(file))
    with opened(file) as stream:
        room = read_room(stream, display_name(file), version)
        keys = merge_keys(room.keys, given)
        report.start(file, room)
        with _progress(file, room) as entries:
            for entry, result in _checked(entries, room.version, keys, now):
                summary.add(result)
                if result.findings or result.notes:
                    report.event(entry, result)
                if together is not None:
                    together.add(entry, result)
    good = together is None or together.check(room, summary, report)
    report.end(summary)
    return summary.bad > 0 or not good


class _Together:
    """The events that a server would go on with, and how each was found."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._events: dict[EventId, Event] = {}
        self._checks: dict[EventId, tuple[Place, EventCheck]] = {}
        self._answer = Answer(name)
        self._repeated = 0

    def add(self, entry: Entry, check: EventCheck) -> None:
        """Take an event, if it is usable; of those with the same ID the first."""
        event = usable(check)
        if event is None:
            return
        self._answer.add(entry.place, event)
        if event.event_id in self._events:
            self._repeated += 1
            return
        self._events[event.event_id] = event
        # What was found of it has been told; the PDU it came from is not held as well.
        self._checks[event.event_id] = (entry.place, check._replace(event=None))

    def check(self, room: Room, summary: Summary, report: Report) -> bool:
        """Judge the events together, and tell whether nothing speaks against the recording server's state."""
        beliefs = None if room.header is None else Beliefs.of_header(room.header.fields)
        given, current = self._answer.states()
        try:
            with progress_of("rules and states", len(self._events)) as tell:
                found = check_room(
                    self._events.values(), beliefs=beliefs, given=given, current=current, progress=tell
                )
        except WrongRoom as error:
            raise InputError(self._name, str(error)) from None
        for event_id in found.rejected:
            summary.add_rejected(self._checks[event_id][1])
        for event_id, findings in found.findings.items():
            place, before = self._checks[event_id]
            summary.add_in_room(before, findings)
            event = self._events[event_id]
            report.event(Entry(place, None, event.pdu), EventCheck(event_id, event, findings))
        report.room(found, self._repeated)
        return found.state_agrees


def _checked(
    entries: Iterator[Entry], version: RoomVersion, keys: KeyTable | None, now: int | None
) -> Iterator[tuple[Entry, EventCheck]]:
    """Check each entry by itself; an entry without a PDU keeps its place among the others."""
    waiting: deque[Entry] = deque()

    def pdus() -> Iterator[tuple[JsonValue, EventId | None]]:
        for entry in entries:
            waiting.append(entry)
            if entry.error is None:
                yield entry.pdu, entry.claimed_id

    failure = None
    try:
        for check in check_events(pdus(), version, keys=keys, now=now):
            while (entry := waiting.popleft()).error is not None:
                yield entry, unreadable(entry.error, entry.claimed_id)
            yield entry, check
    except InputError as error:
        failure = error
    for entry in waiting:
        yield entry, unreadable(entry.error or "", entry.claimed_id)
    if failure is not None:
        raise failure


@contextmanager
def _progress(file: str, room: Room) -> Iterator[Iterator[Entry]]:
    """Show how far the reading is, on a terminal and for long input; hand on the entries."""
    size = None if file == "-" else Path(file).stat().st_size
    if not sys.stderr.isatty() or (size is not None and size < _LONG_BYTES):
        yield room.entries
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(display_name(file), total=size)

        def ticking() -> Iterator[Entry]:
            for count, entry in enumerate(room.entries):
                if count % _TICK == 0:
                    progress.update(task, completed=room.bytes_read)
                yield entry

        yield ticking()
