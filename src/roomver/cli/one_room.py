"""Reading and checking one room, told to a report. `roomver check` and each worker of `--rooms` use it."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from ..copies import is_altered
from ..entry import Entry
from ..explain.resets import ExplainedReset, explain_resets
from ..findings import EventCheck, Summary
from ..keys import KeyRing
from ..parallel import check_in_parallel
from ..room_result import code_of
from ..types import EventId
from ..versions import RoomVersion
from .common import add_room_keys, display_name
from .loading import checked_room, recorded_beliefs, tell_notes
from .processes import checkers
from .progress import room_progress, work_progress
from .report import Report, heading_of
from .sources import ANY_ROOM, Choice, opened_room


@dataclass(frozen=True, slots=True)
class Checks:
    """How rooms are checked: the options of ``roomver check``.

    Attributes:
        version: the room version, for files that do not give it.
        keys: in addition to those in the files; None to skip signatures.
        alone: check each event by itself.
        as_recorded: accept and reject events as the room's server did.
        algorithm: to resolve states with instead of the room version's.
        hidden: show no progress.
    """

    version: RoomVersion | None = None
    keys: KeyRing | None = None
    alone: bool = False
    as_recorded: bool = False
    algorithm: str | None = None
    hidden: bool = False


def check_source(files: Sequence[str], checks: Checks, report: Report, choice: Choice = ANY_ROOM) -> int:
    """Check one room, in one source or several, and return the exit code that it would have alone.

    Raises:
        InputError: if a source cannot be read as a room.
        MissingEvents, UnknownState: if the room cannot be checked, because events are missing.
    """
    file = files[0]
    name = display_name(file)

    # Another copy of an altered event may be whole. Then this one is a difference between the copies.
    altered: dict[EventId, tuple[Entry, EventCheck]] = {}

    def tell(entry: Entry, check: EventCheck) -> None:
        if not check.findings and not check.notes:
            return
        if not checks.alone and check.usable is not None and is_altered(check):
            altered.setdefault(check.usable.event_id, (entry._replace(pdu=heading_of(entry.pdu)), check))
        else:
            report.event(entry, check)

    with opened_room(files, checks.version, choice) as room:
        tell_notes(room)
        keys = add_room_keys(checks.keys, room.keys)
        report.start(file, room)
        with room_progress(files, room, hidden=checks.hidden) as shown:
            entries = shown.entries
            if checks.alone:
                summary = Summary()
                with checkers() as executor:
                    for entry, check in check_in_parallel(
                        entries, room.version, keys=keys, executor=executor
                    ):
                        summary.add(check)
                        tell(entry, check)
                code = code_of(summary)
                report.end(summary, keys, code)
                return code
            beliefs = recorded_beliefs(room, name, as_recorded=checks.as_recorded)
            found = checked_room(
                room,
                entries,
                files,
                keys=keys,
                beliefs=beliefs,
                as_recorded=checks.as_recorded,
                algorithm=checks.algorithm,
                choice=choice,
                on_check=tell,
                progress=shown.replay,
            )
    hidden = checks.hidden or not report.written_late
    resets: tuple[ExplainedReset, ...] = ()
    if found.resets:  # a room without any pays nothing
        with nullcontext() if hidden else work_progress("merges") as progress:
            resets = explain_resets(found, progress=progress)
    with nullcontext() if hidden else work_progress("the findings"):
        for event_id, (entry, check) in altered.items():
            if event_id in found.gathered.checks and is_altered(found.gathered.checks[event_id]):
                report.event(entry, check)
        for event_id, findings in found.findings.items():
            report.event_in_room(found.gathered.places[event_id], found.gathered.events[event_id], findings)
        report.room(found, beliefs, resets)
    code = code_of(found.summary, found, resets)
    report.end(found.summary, keys, code)
    return code
