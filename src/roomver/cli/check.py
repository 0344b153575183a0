"""``roomver check``: every event of a room, one by one and then together."""

import click

from ..errors import MissingEvents, UnknownState
from ..readers import InputError
from ..versions import RoomVersion
from .all_rooms.options import Asked, ManyRooms, rooms_options
from .common import (
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
from .heard import say_notes
from .one_room import Checks, check_source
from .report import JsonReport, Report, TextReport
from .sources import Choice, room_option, source_argument
from .version_options import room_version_option, version_file_name


@click.command(
    short_help="Check every event of a room, and say what is wrong.",
    epilog=example(
        "roomver check room.jsonl\nroomver check --room-version 11 --keys keys.json - < events.jsonl\n"
        "roomver check homeserver.db --room '!roomid'\n"
        "roomver check --rooms homeserver.db -o results.jsonl --resume\n"
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
@rooms_options()
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
    many: ManyRooms | None,
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

    With --rooms, all rooms of each FILE are checked, in parallel: of a database, of a file, of the files in
    a folder. Each is checked in the same way, and a summary follows. A room that breaks its process costs
    that room. --output writes a result for each room as it comes, and --resume goes on after an interruption.

    The last lines are a verdict about each room, with the call of `roomver explain` for an event.

    State resets are classified as `roomver resets` does it. One that nobody meant breaks no rule, but it
    counts as a finding; one as designed does not.

    Exit code: 0 no findings, 1 findings, contradictions or an unintended state reset, 2 usage error or
    unreadable file, 3 undecided: no findings but undecided events, unknown checks, resets that are not
    classified, only a part of the room, or decisions of the recording server that cannot be compared. Of
    several files, an unreadable one counts first, then one with findings. With --rooms, rooms that the
    server is not in, or not yet, are left out of the exit code.
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
    say_notes(click.get_current_context())  # at once: the report ends with the verdict
    options = {"--also": more_files, "--keys": key_files}
    given_too = "".join(f" {name} {call_name(value)}" for name, values in options.items() for value in values)
    if (file := version_file_name()) is not None:
        given_too += f" --room-version-file {call_name(file)}"
    elif version is not None:
        given_too += f" --room-version {version}"
    given_too += " --immutable" * choice.immutable
    split = [(None, file) if (found := split_key_file(file)) is None else found for file in key_files]
    checks = Checks(version, given, alone, as_recorded, algorithm, hidden=many is not None)
    if many is not None:
        if choice.named is not None:
            raise click.UsageError("--rooms checks all rooms, so it excludes --room")
        asked = Asked(files, more_files, checks, choice.immutable, given_too, all_findings, as_json)
        from .all_rooms.command import check_all_rooms  # noqa: PLC0415 - it imports much that one room needs not

        raise click.exceptions.Exit(check_all_rooms(asked, many))
    report: Report = JsonReport()
    if not as_json:
        named = [display_name(file) for _, file in split]
        servers = [server for server, _ in split if server is not None]
        given_too += " --unsigned" * unsigned + (f" --now {now}" if now is not None else "")
        given_too += " --as-recorded" * as_recorded
        report = TextReport(
            all_findings=all_findings, options=given_too, key_files=named, key_servers=servers
        )
    codes = {0}
    for file in files:
        try:
            code = check_source([file, *more_files], checks, report, choice)
        except InputError as error:
            code = 2
            report.error(file, error.name, error.reason)
        except (MissingEvents, UnknownState) as error:
            code = 3
            report.error(file, display_name(file), str(error))
        codes.add(code)
    report.close()
    raise click.exceptions.Exit(next(code for code in (2, 1, 3, 0) if code in codes))
