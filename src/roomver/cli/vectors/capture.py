"""``roomver vectors capture``: make a test vector of what happened in a room."""

import hashlib
import re
from typing import cast

import click

from ...errors import MissingEvents, RoomverError, UnknownState, counted
from ...explain.judged import Judged, judge
from ...readers import InputError
from ...replay import Replay
from ...suite.capture import Captured, anonymised, capture_auth, capture_resolution
from ...suite.document import FORMAT
from ...types import EventId, JsonObject
from ..asked import Asked, room_command
from ..common import example
from ..escaped import ascii_json, printable
from ..heard import say
from ..progress import work_progress
from ..written import written


@click.command(
    "capture",
    short_help="Make a test vector of what happened in a room.",
    epilog=example(
        "roomver vectors capture room.jsonl '$eventid' -o case.json\n"
        "roomver vectors capture room.jsonl '$eventid' --merge -o case.json\n"
        "roomver vectors run case.json"
    ),
)
@room_command("[EVENT]", 0, 1, with_json=False)
@click.option(
    "--merge",
    is_flag=True,
    help="Capture the resolution of the states before EVENT, or at the forward extremities, not the verdict"
    " on EVENT.",
)
@click.option("-o", "--output", metavar="FILE", default="-", help="Where to write the vector file.")
@click.option("--force", is_flag=True, help="Replace the output if it exists.")
@click.option(
    "--name",
    metavar="NAME",
    help="The name of the case. By default it has the operation, the room version and a hash of the input.",
)
@click.option("--notes", metavar="TEXT", help="What the case is about.")
@click.option("--as-is", is_flag=True, help="Keep names, words and IDs: do not anonymise.")
def capture_command(  # noqa: PLR0913, PLR0917 - one for each option
    asked: Asked, merge: bool, output: str, force: bool, name: str | None, notes: str | None, as_is: bool
) -> None:
    """Make a test vector of how an event was judged, or of how states were resolved.

    The case has only the events that decide it. Users, servers, words and IDs in it are made up, unless you
    give --as-is. It is run before it is written. To make the room smaller first: `roomver shrink`.

    Exit code: 0 written, 2 usage error, unreadable file, or the outcome cannot be captured, 3 undecided:
    events or parts of a state are missing.
    """
    named = asked.rest[0] if asked.rest else None
    if named is None and not merge:
        raise click.UsageError("which event? Give its ID; or --merge for the forward extremities")
    loaded = asked.load(named)
    event_id = None if named is None else loaded.event(named).event_id
    try:
        with work_progress("the case"):
            found = (
                capture_resolution(loaded.replay, event_id)
                if merge
                else capture_auth(loaded.replay, event_id or "")
            )
            if not as_is:
                found = anonymised(found)
    except (InputError, MissingEvents, UnknownState):
        raise
    except RoomverError as error:
        raise InputError(loaded.file, str(error)) from None
    what = "the states that were resolved" if merge else "an event that was judged"
    given = found.to_input()
    case = {
        "name": name or _name(found, given),
        "operation": found.operation,
        "room_version": found.version.identifier,
        "input": given,
        "expected": found.expected,
        "notes": notes or f"Captured from a room: {what}.",
    }
    document = {"format": FORMAT, "title": notes or f"Captured from a room: {what}", "cases": [case]}
    with written(output, [asked.source, *asked.more_files], force=force) as out:
        out.write(ascii_json(document).encode() + b"\n")
    say(f"roomver: captured as {printable(case['name'])}: {_told(found, loaded.replay, event_id)}")


def _name(found: Captured, given: JsonObject) -> str:
    """Return a name that another case does not have, so that both can be in one run."""
    version = re.sub("[^A-Za-z0-9._-]", "_", found.version.identifier)
    digest = hashlib.sha256(ascii_json(given).encode()).hexdigest()
    return f"captured.{found.operation}.v{version}.{digest[:8]}"


def _told(found: Captured, replay: Replay, event_id: EventId | None) -> str:
    """Say what the case asks, and what it expects."""
    if found.operation == "resolve":
        states = counted(len(cast(list[object], found.names["state_sets"])), "state", "states")
        entries = counted(len(cast(list[object], found.expected["state"])), "entry", "entries")
        return f"operation resolve, {states}; expected: a state of {entries}"
    allowed = "allowed" if found.expected["allowed"] else "not allowed"
    told = f"operation auth; expected: {allowed} by the authorisation rules, at its place in the room"
    if event_id is None or judge(replay, event_id) is not Judged.SOFT_FAILED:
        return told
    return f"{told}. That it was soft-failed is not in a case, which has no order of arrival"
