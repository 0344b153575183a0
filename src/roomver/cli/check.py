"""``roomver check``: every event of a room, one by one and then together."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ..check import check_entries
from ..entry import Entry
from ..errors import NotAState, WrongRoom
from ..findings import EventCheck, Summary
from ..keys import KeyTable
from ..readers import InputError, Room, merge_keys, read_rooms
from ..room_check import check_room
from ..versions import RoomVersion
from .common import (
    algorithm_option,
    all_opened,
    also_option,
    as_recorded_option,
    console,
    display_name,
    example,
    keys_option,
    now_option,
    read_key_files,
    room_version_option,
)
from .loaded import recorded_beliefs, replay_progress
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
@also_option()
@keys_option()
@now_option()
@click.option(
    "--alone",
    is_flag=True,
    help="Check each event by itself: no authorisation rules, no states, and no event is held in memory.",
)
@as_recorded_option()
@algorithm_option("Resolve states with another algorithm than the room version's.")
@click.option("--all", "all_findings", is_flag=True, help="List all findings, not only the first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all findings.")
def check(  # noqa: PLR0913, PLR0917 - one for each option
    files: tuple[str, ...],
    version: RoomVersion | None,
    more_files: tuple[str, ...],
    key_files: tuple[str, ...],
    now: int | None,
    alone: bool,
    as_recorded: bool,
    algorithm: str | None,
    all_findings: bool,
    as_json: bool,
) -> None:
    """Check every event of a room: its format, event ID, signatures, content hash and authorisation.

    FILE is a recorded room; JSON Lines with one PDU per line; one or several JSON documents (an array of
    PDUs, an object with pdus or events, a server's answer to /send_join, /state or /event_auth, or one event,
    also from an administration interface); or the output of psql (aligned, -At), COPY or CSV with a column
    of JSON. It may be packed with gzip; - is standard input.

    The room version comes from the file's header, from --room-version, or from the room's create event.

    An event ID inside of an event, which room versions from 3 on do not have, is compared with the computed
    one. --also adds files to one room; a state that one of them gives is taken as given.

    Signatures are checked with the keys in the file's header and in --keys. Without any keys they are not
    checked, and the report says so. An event in its redacted form, whose content hash therefore cannot
    match, is counted as redacted; that is not a finding. A line that cannot be read is a finding; the other
    lines are still checked.

    The auth rules are then applied to each usable event: against its own auth events, and against the state
    before it, which is resolved where branches meet. If the file says which events its server rejected or
    soft-failed, and what the state was, the report compares. An event that both refuse is listed but is not
    a finding; a different decision is one.

    Missing events are named once, with their consequences. An event is undecided if auth events or the state
    before it are missing, or if that state is known in part and the rules need an unknown entry. Undecided
    events are findings, which more events of the room may decide.

    Exit code: 0 no findings, 1 findings, undecided events included, 2 wrong call or unreadable file.
    """
    if alone and (as_recorded or algorithm):
        raise click.UsageError(
            "--alone checks no event in its room: give no --as-recorded or --algorithm with it"
        )
    if more_files and len(files) > 1:
        raise click.UsageError("--also adds to one room: give one FILE with it")
    given = read_key_files(key_files)
    report: Report = JsonReport() if as_json else TextReport(all_findings=all_findings)
    bad = unread = False
    for file in files:
        try:
            bad |= _check_file(
                [file, *more_files],
                version,
                given,
                now,
                alone,
                report,
                as_recorded=as_recorded,
                algorithm=algorithm,
            )
        except InputError as error:
            unread = True
            report.error(file, error.reason)
    report.close()
    if bad or unread:
        raise click.exceptions.Exit(2 if unread else 1)


def _check_file(  # noqa: PLR0913 - one for each option
    files: list[str],
    version: RoomVersion | None,
    given: KeyTable | None,
    now: int | None,
    alone: bool,
    report: Report,
    *,
    as_recorded: bool,
    algorithm: str | None,
) -> bool:
    """Check one room, in one file or several, and tell whether there is anything wrong with it."""
    file = files[0]
    name = display_name(file)

    def tell(entry: Entry, check: EventCheck) -> None:
        if check.findings or check.notes:
            report.event(entry, check)

    with all_opened(files) as inputs:
        room = read_rooms(inputs, version)
        keys = merge_keys(room.keys, given)
        report.start(file, room)
        with _progress(files, room) as entries:
            if alone:
                summary = Summary()
                for entry, check in check_entries(entries, room.version, keys=keys, now=now):
                    summary.add(check)
                    tell(entry, check)
                report.end(summary)
                return summary.bad + summary.undecided > 0
            beliefs = recorded_beliefs(room, name, as_recorded=as_recorded)
            with replay_progress("rules and states") as progress:
                try:
                    found = check_room(
                        entries,
                        room.version,
                        keys=keys,
                        now=now,
                        beliefs=beliefs,
                        as_recorded=as_recorded,
                        algorithm=algorithm,
                        on_check=tell,
                        progress=progress,
                    )
                except (WrongRoom, NotAState) as error:
                    raise InputError(name, str(error)) from None
    for event_id, findings in found.findings.items():
        report.event_in_room(found.gathered.places[event_id], found.gathered.events[event_id], findings)
    report.room(found)
    report.end(found.summary)
    return not found.ok


@contextmanager
def _progress(files: list[str], room: Room) -> Iterator[Iterator[Entry]]:
    """Show how far the reading is, on a terminal and for long input; hand on the entries."""
    size = None if "-" in files else sum(Path(file).stat().st_size for file in files)
    if not sys.stderr.isatty() or (size is not None and size < _LONG_BYTES):
        yield room.entries
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(display_name(files[0]), total=size)

        def ticking() -> Iterator[Entry]:
            for count, entry in enumerate(room.entries):
                if count % _TICK == 0:
                    progress.update(task, completed=room.bytes_read)
                yield entry

        yield ticking()
