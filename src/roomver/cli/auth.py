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
from ..check import check_event
from ..errors import MissingEvents, NotAState, RoomverError
from ..event import Event, parse_event
from ..findings import EventCheck, Finding, FindingKind
from ..keys import KeyRing
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
    keys_option,
    now_option,
    read_event,
    read_key_files,
    room_version_option,
    unsigned_option,
)
from .drafts import complete_draft
from .escaped import printable
from .loaded import load_events, load_room
from .wording import ACTION_TEXT, FINDING_TEXT, findings_data


@click.command(
    epilog=example("roomver auth --room room.jsonl '$eventid'\nroomver auth --state state.json event.json")
)
@click.argument("event", metavar="EVENT")
@click.option("--room", "room_file", metavar="FILE", help="Judge it as an event of this room.")
@click.option("--state", "state_file", metavar="FILE", help="Judge it against the state events in a file.")
@also_option()
@room_version_option("The version of a room that does not say it itself.", required=False)
@keys_option()
@now_option()
@unsigned_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def auth(  # noqa: PLR0913, PLR0917 - one for each option
    event: str,
    room_file: str | None,
    state_file: str | None,
    more_files: tuple[str, ...],
    version: RoomVersion | None,
    key_files: tuple[str, ...],
    now: int | None,
    unsigned: bool,
    as_json: bool,
) -> None:
    """Judge one event by the authorisation rules, and print the rule that decided with what was compared.

    EVENT is a file with one event (- is standard input), or with --room the ID of an event in the room, which
    may be abbreviated to a unique prefix. With --room the event is judged against its own auth events and
    against the state before it, with --state against the state events in the file. Both files may have any
    form that `roomver check` reads; `roomver state --json` writes one.

    With --state the event may be a draft: its type, state key, sender and content are enough. Its signatures
    are not looked at.

    An event that a server drops before any rule, because a required signature is missing or not valid, is
    refused.

    Exit code: 0 allowed, 1 refused, 2 wrong call, unreadable file or missing events: where the state before
    the event is not known, it may yet be refused.
    """
    if (room_file is None) == (state_file is None):
        raise click.UsageError("give one of --room and --state")
    keys = None if unsigned else read_key_files(key_files, now)
    lacks: list[EventId] | None = None
    is_draft = False
    try:
        if room_file is not None:
            judged, lacks = _judge_in_room(event, room_file, more_files, version, keys)
        else:
            judged, is_draft = _judge_against(event, state_file or "", more_files, version, keys)
    except _Dropped as dropped:
        _print_dropped(dropped.event_id, dropped.finding, as_json)
        raise click.exceptions.Exit(1) from None
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
_ON_RECEIPT = "the checks on receipt"


class _Dropped(Exception):
    """The event is dropped before any rule is asked."""

    def __init__(self, event_id: EventId, finding: Finding) -> None:
        self.event_id = event_id
        self.finding = finding
        super().__init__(event_id, finding)


def _judge_in_room(
    event_name: str,
    file: str,
    more_files: Sequence[str],
    version: RoomVersion | None,
    keys: KeyRing | None,
) -> tuple[_Judged, list[EventId] | None]:
    """Judge an event of a room.

    Returns:
        The verdicts, and the missing events that leave the state before it unknown; None if it is known.
    """
    if event_name.startswith("$"):
        room = load_room(file, version, keys, more_files)
        found = room.find(event_name)
        if not isinstance(found, Event):
            raise _Dropped(*found)
        event = found
    else:
        given = _read_event(event_name, WIRE_KEYS)
        room = load_room(file, version, keys, more_files, given.entry)
        event = _parse(_fit(given, room.version), room.version, event_name)
        _refuse_unsigned(event, room.added)
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
    event_name: str,
    file: str,
    more_files: Sequence[str],
    version: RoomVersion | None,
    keys: KeyRing | None,
) -> tuple[_Judged, bool]:
    """Judge an event against a state, and tell whether it is a draft."""
    gathered, keys = load_events(file, version, keys, more_files)
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
    if not is_draft:  # a draft is not signed yet
        _refuse_unsigned(event, check_event(event.pdu, gathered.version, keys=keys))
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


def _refuse_unsigned(event: Event, check: EventCheck | None) -> None:
    """Refuse an event whose signatures are missing or invalid."""
    for finding in () if check is None else check.findings:
        if finding.kind in (FindingKind.SIGNATURE, FindingKind.SIGNATURE_MISSING):
            raise _Dropped(event.event_id, finding)


def _print_dropped(event_id: EventId, finding: Finding, as_json: bool) -> None:
    if as_json:
        found = findings_data(event_id, (finding,))
        click.echo(json.dumps([{**found, "against": _ON_RECEIPT, "allowed": False}], indent=2))
        return
    out = console()
    out.print(printable(event_id), soft_wrap=True)
    out.print(f"\nagainst {_ON_RECEIPT}: REFUSED", style="bold")
    out.print(f"  {finding.kind.value}: the event {FINDING_TEXT[finding.kind]}", soft_wrap=True)
    for reason in finding.reasons:
        out.print(printable(f"    {reason}"), soft_wrap=True)
    out.print(f"  A server must {ACTION_TEXT[finding.kind.action]}.", soft_wrap=True)


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
