"""``roomver check``: every event of a room, one by one and then together."""

from dataclasses import replace

import click

from ..check import check_entries
from ..copies import is_altered
from ..entry import Entry
from ..errors import MissingEvents, UnknownState
from ..findings import EventCheck, Summary
from ..keys import KeyRing
from ..readers import InputError
from ..types import EventId
from ..versions import RoomVersion
from .common import (
    add_room_keys,
    algorithm_option,
    also_option,
    as_recorded_option,
    call_name,
    display_name,
    example,
    read_key_files,
    signature_options,
    split_key_file,
    unhashed_option,
)
from .loading import checked_room, recorded_beliefs, tell_notes
from .progress import room_progress
from .report import JsonReport, Report, TextReport, heading_of
from .sources import Choice, opened_room, room_option, source_argument
from .version_options import room_version_option


@click.command(
    short_help="Check every event of a room, and say what is wrong.",
    epilog=example(
        "roomver check room.jsonl\nroomver check --room-version 11 --keys keys.json - < events.jsonl\n"
        "roomver check homeserver.db --room '!roomid'\n"
        "roomver check postgresql:///synapse?user=synapse --room '!roomid'"
    ),
)
@source_argument("files", many=True)
@room_version_option("The room version, for files that do not give it.", required=False)
@also_option()
@room_option()
@signature_options()
@unhashed_option(allowed=False)
@click.option(
    "--require-signatures",
    is_flag=True,
    help="Report signatures that cannot be checked, because a key is unknown, as findings.",
)
@click.option(
    "--alone",
    is_flag=True,
    help="Check each event by itself: without authorisation rules and states. No event is kept in memory.",
)
@as_recorded_option()
@algorithm_option("Resolve states with this algorithm instead of the room version's.")
@click.option("--all", "all_findings", is_flag=True, help="List all findings, not only the first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all findings.")
def check(  # noqa: PLR0913, PLR0917 - one for each option
    files: tuple[str, ...],
    version: RoomVersion | None,
    more_files: tuple[str, ...],
    choice: Choice,
    key_files: tuple[str, ...],
    now: int | None,
    unsigned: bool,
    require_signatures: bool,
    alone: bool,
    as_recorded: bool,
    algorithm: str | None,
    all_findings: bool,
    as_json: bool,
) -> None:
    """Check every event of a room: its format, event ID, signatures, content hash and authorisation.

    FILE is a recorded room; JSON Lines with one PDU per line; one or several JSON documents (an array of
    PDUs, an object with pdus or events, a server's response to /send_join, /state or /event_auth, or one
    event, also from an admin API); or the output of psql (aligned, -At), COPY or CSV with a JSON column. It
    may be compressed with gzip, xz, bzip2 or zstd; - is standard input. It may also be the database of a
    Synapse server: an SQLite file, or an address postgresql://…. Then the room follows, by its ID. What the
    server decided is compared, and where events are missing, the states are used that the server has.

    The room version comes from the file's header, from --room-version, or from the room's create event.

    An event ID inside an event, which room versions from 3 on do not have, is compared with the computed one.
    --also adds sources to one room: files and databases. A state in a file is used as given. The first
    source that says what its server decided is the one whose decisions are compared. A table says what each
    source added, and what it cannot tell. Where sources contradict each other - on the content of an event,
    on whether it was rejected, on a state, on a key - that is listed, and what they differ on in a state is
    unknown. A contradiction is a finding; what the order of arrival or a later moment may explain is not.

    Signatures are checked with the keys in the file's header and in --keys. A signature by an unknown key is
    only counted; with --require-signatures it is a finding. An event that lacks a required signature
    is a finding even without any keys. An event in its redacted form, whose content hash therefore cannot
    match, is counted as redacted; that is not a finding. A line that cannot be read is a finding; the other
    lines are still checked.

    The auth rules are then applied to each usable event: against its own auth events, and against the state
    before it, which is resolved wherever branches meet. If the file says which events its server rejected or
    soft-failed, and what the state was, these are compared with the results here. An event that both
    refuse is listed but is not a finding; a different decision is one. An event that only the server
    soft-failed is listed too: the order of arrival may explain it. What the file says about events that it
    does not have is not compared.

    Missing events are named once, with their consequences, and those that were dropped with their places. An
    event is undecided if auth events or the state before it are missing, or if that state is known in part
    and the rules need an unknown entry. More events of the room may decide it. An accepted event whose check
    against the current state is unknown is listed too.

    The last lines are a verdict about each room, with the call of `roomver explain` for an event.

    Exit code: 0 no findings, 1 findings or contradictions, 2 usage error or unreadable file, 3 undecided: no
    findings but undecided events, unknown checks, or decisions of the recording server that cannot be
    compared. Of several files, an unreadable one counts first, then one with findings.
    """
    if alone and (as_recorded or algorithm):
        raise click.UsageError(
            "--alone checks no event in its room, so it excludes --as-recorded and --algorithm"
        )
    if more_files and len(files) > 1:
        raise click.UsageError("--also adds to one room: give only one FILE with it")
    if unsigned and (key_files or require_signatures):
        raise click.UsageError("--unsigned cannot be combined with --keys or --require-signatures")
    given = None if unsigned else read_key_files(key_files, now, required=require_signatures)
    options = {"--also": more_files, "--keys": key_files}
    given_too = "".join(f" {name} {call_name(value)}" for name, values in options.items() for value in values)
    if version is not None:
        given_too += f" --room-version {version}"
    given_too += " --immutable" * choice.immutable
    split = [(None, file) if (found := split_key_file(file)) is None else found for file in key_files]
    report: Report = JsonReport()
    if not as_json:
        named = [display_name(file) for _, file in split]
        servers = [server for server, _ in split if server is not None]
        report = TextReport(
            all_findings=all_findings, options=given_too, key_files=named, key_servers=servers
        )
    codes = {0}
    for file in files:
        try:
            code = _check_file(
                [file, *more_files],
                version,
                given,
                alone,
                report,
                as_recorded=as_recorded,
                algorithm=algorithm,
                choice=choice,
            )
        except InputError as error:
            code = 2
            report.error(file, error.name, error.reason)
        except (MissingEvents, UnknownState) as error:
            code = 3
            report.error(file, display_name(file), str(error))
        codes.add(code)
    report.close()
    raise click.exceptions.Exit(next(code for code in (2, 1, 3, 0) if code in codes))


def _check_file(  # noqa: PLR0913 - one for each option
    files: list[str],
    version: RoomVersion | None,
    given: KeyRing | None,
    alone: bool,
    report: Report,
    *,
    as_recorded: bool,
    algorithm: str | None,
    choice: Choice,
) -> int:
    """Check one room, in one file or several, and return the exit code."""
    file = files[0]
    name = display_name(file)

    # Another copy of an altered event may be whole. Then this one is a difference between the copies.
    altered: dict[EventId, tuple[Entry, EventCheck]] = {}

    def tell(entry: Entry, check: EventCheck) -> None:
        if not check.findings and not check.notes:
            return
        if not alone and check.usable is not None and is_altered(check):
            altered.setdefault(check.usable.event_id, (replace(entry, pdu=heading_of(entry.pdu)), check))
        else:
            report.event(entry, check)

    with opened_room(files, version, choice) as room:
        tell_notes(room)
        keys = add_room_keys(given, room.keys)
        report.start(file, room)
        with room_progress(files, room) as shown:
            entries = shown.entries
            if alone:
                summary = Summary()
                for entry, check in check_entries(entries, room.version, keys=keys):
                    summary.add(check)
                    tell(entry, check)
                code = 1 if summary.bad else 3 if summary.undecided else 0
                report.end(summary, keys, code)
                return code
            beliefs = recorded_beliefs(room, name, as_recorded=as_recorded)
            found = checked_room(
                room,
                entries,
                files,
                keys=keys,
                beliefs=beliefs,
                as_recorded=as_recorded,
                algorithm=algorithm,
                choice=choice,
                on_check=tell,
                progress=shown.replay,
            )
    for event_id, (entry, check) in altered.items():
        if event_id in found.gathered.checks and is_altered(found.gathered.checks[event_id]):
            report.event(entry, check)
    for event_id, findings in found.findings.items():
        report.event_in_room(found.gathered.places[event_id], found.gathered.events[event_id], findings)
    report.room(found, beliefs)
    bad = found.summary.bad or found.state_differs or found.contradicted
    code = 1 if bad else 0 if found.ok else 3
    report.end(found.summary, keys, code)
    return code
