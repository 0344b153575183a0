"""``roomver auth``: judge one event, and show what was compared."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich import box
from rich.table import Table

from ..auth import check_against_state, check_auth, state_of_auth_events
from ..auth.compared import list_compared
from ..errors import MissingEvents, NotAState, RoomverError
from ..event import Event, parse_event
from ..readers import InputError, fit_entry
from ..rules import Verdict
from ..types import EventId, JsonObject, StateKey
from ..versions import RoomVersion
from .common import (
    WIRE_KEYS,
    GivenEvent,
    also_option,
    console,
    display_name,
    example,
    read_event,
    room_version_option,
)
from .drafts import complete_draft
from .loaded import load_events, load_room
from .wording import printable


@click.command(
    epilog=example("roomver auth --room room.jsonl '$eventid'\nroomver auth --state state.json event.json")
)
@click.argument("event", metavar="EVENT")
@click.option("--room", "room_file", metavar="FILE", help="Judge it as an event of this room.")
@click.option("--state", "state_file", metavar="FILE", help="Judge it against the state events in a file.")
@also_option()
@room_version_option("The version of a room that does not say it itself.", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def auth(
    event: str,
    room_file: str | None,
    state_file: str | None,
    more_files: tuple[str, ...],
    version: RoomVersion | None,
    as_json: bool,
) -> None:
    """Judge one event by the authorisation rules, and print the rule that decided with what was compared.

    EVENT is a file with one event (- is standard input), or with --room the ID of an event in the room, which
    may be abbreviated to a unique prefix. With --room the event is judged against its own auth events and
    against the state before it, with --state against the state events in the file. Both files may have any
    form that `roomver check` reads; `roomver state --json` writes one.

    With --state the event may be a draft: its type, state key, sender and content are enough.

    Exit code: 0 allowed, 1 refused, 2 wrong call, unreadable file or missing events: where the state before
    the event is not known, it may yet be refused.
    """
    if (room_file is None) == (state_file is None):
        raise click.UsageError("give one of --room and --state")
    lacks: list[EventId] | None = None
    is_draft = False
    try:
        if room_file is not None:
            judged, lacks = _judge_in_room(event, room_file, more_files, version)
        else:
            judged, is_draft = _judge_against(event, state_file or "", more_files, version)
    except MissingEvents as error:
        raise InputError(display_name(room_file or state_file or ""), str(error)) from None
    if as_json:
        data = [_data(*row) for row in judged]
        if is_draft:
            data = [{**one, "event_id": None} for one in data]
        if lacks is not None:
            data.append(
                {"event_id": judged[0][2].event_id, "against": _BEFORE, "allowed": None, "missing": lacks}
            )
        click.echo(json.dumps(data, indent=2))
    else:
        _print(judged, "a draft" if is_draft else judged[0][2].event_id)
    if not all(verdict.allowed for _, verdict, _, _ in judged):
        raise click.exceptions.Exit(1)
    if lacks is not None:
        raise click.exceptions.Exit(2)  # the state before it is not known, which may yet refuse it


_Judged = list[tuple[str, Verdict, Event, dict[StateKey, Event]]]
_BEFORE = "the state before it"


def _judge_in_room(
    event_name: str, file: str, more_files: Sequence[str], version: RoomVersion | None
) -> tuple[_Judged, list[EventId] | None]:
    """Judge an event of a room.

    Returns:
        The verdicts, and the missing events that leave the state before it unknown; None if it is known.
    """
    if event_name.startswith("$"):
        room = load_room(file, version, more_files)
        event = room.event(event_name)
    else:
        given = _read_event(event_name, WIRE_KEYS)
        room = load_room(file, version, more_files, given.entry)
        event = _parse(_fit(given, room.version), room.version, event_name)
    replayed = room.replay
    outcome = replayed.outcomes.get(event.event_id)
    if outcome is None:
        raise InputError(room.file, f"{event.event_id} is of another room than the others: {event.room_id}")
    if outcome.missing:
        raise MissingEvents(replayed.lacking(event.event_id))
    own = {}
    if event.type != "m.room.create":
        own = state_of_auth_events(event, room.events)
    rejected = replayed.rejected - {event.event_id}
    verdict = check_auth(event, None, room.events, rejected=rejected)
    judged = [("its auth events", verdict, event, own)]
    before = replayed.state_before(event.event_id)
    if before is None:
        room.say_missing(_BEFORE, event.event_id)
        return judged, replayed.lacking(event.event_id)
    state = {key: room.events[event_id] for key, event_id in before.items()}
    judged.append((_BEFORE, check_against_state(event, state), event, state))
    return judged, None


def _judge_against(
    event_name: str, file: str, more_files: Sequence[str], version: RoomVersion | None
) -> tuple[_Judged, bool]:
    """Judge an event against a state, and tell whether it is a draft."""
    gathered = load_events(file, version, more_files)
    given = _read_event(event_name, ("sender", "content"), draft=True)
    try:
        state = gathered.as_state()
    except NotAState as error:
        hint = "`roomver state --json` prints one of a room"
        raise InputError(display_name(file), f"{error}; {hint}") from None
    pdu = fit_entry(given.entry, gathered.version).pdu
    assert type(pdu) is dict  # it was when it was read
    completed = complete_draft(pdu, gathered.version, state)
    is_draft = completed is not pdu
    if not is_draft:
        _fit(given, gathered.version)
    event = _parse(completed, gathered.version, event_name)
    return [("the state", check_against_state(event, state), event, state)], is_draft


def _read_event(name: str, needs: Sequence[str], *, draft: bool = False) -> GivenEvent:
    """Read EVENT as a file, with a better error where it was meant as an ID."""
    if name not in ("", "-") and not Path(name).exists():
        raise InputError(
            display_name(name), f"there is no such file; an event ID begins with $, as '${printable(name)}'"
        )
    return read_event(name, None, needs, draft=draft)


def _fit(given: GivenEvent, version: RoomVersion) -> JsonObject:
    """Return an event without what its room version has no key for, after a look at its ID."""
    entry = fit_entry(given.entry, version)
    pdu = entry.pdu
    assert type(pdu) is dict  # it was when it was read
    replace(given, entry=entry, pdu=pdu).compare_ids(version)
    return pdu


def _parse(pdu: JsonObject, version: RoomVersion, file: str) -> Event:
    try:
        return parse_event(pdu, version)
    except RoomverError as error:
        raise InputError(display_name(file), str(error)) from None


def _data(against: str, verdict: Verdict, event: Event, state: dict[StateKey, Event]) -> dict[str, object]:
    rows = [row._asdict() for row in list_compared(event, state)]
    return {"event_id": event.event_id, "against": against, **verdict.to_dict(), "compared": rows}


def _print(judged: _Judged, name: str) -> None:
    out = console()
    event = judged[0][2]
    key = "" if event.state_key is None else f" {event.state_key!r}"
    out.print(printable(f"{name}  {event.type}{key}  by {event.sender}"), soft_wrap=True)
    for against, verdict, _, state in judged:
        word = "allowed" if verdict.allowed else "REFUSED"
        out.print(f"\nagainst {against}: {word}", style="bold")
        out.print(printable(f"  {verdict}"), soft_wrap=True)
        out.print(f"  {verdict.url}", soft_wrap=True)
        rows = list_compared(event, state)
        if not rows:
            continue
        table = Table(box=box.SIMPLE_HEAD, show_edge=False)
        for column in ("compared", "value", "from"):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(row.what, printable(str(row.value)), printable(row.source))
        out.print(table)
