"""``roomver auth``: judge one event, and show what was compared."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click
from rich import box
from rich.table import Table

from ..auth import check_against_state, check_auth, state_of_auth_events
from ..auth.compared import Compared, list_compared
from ..check import check_event
from ..errors import NotAState, RoomverError, UnknownState, listed
from ..event import Event, parse_event
from ..findings import EventCheck, Finding, FindingKind
from ..hashing import HashCheck, check_content_hash
from ..keys import KeyRing
from ..readers import InputError, fit_entry
from ..replay import CurrentCheck
from ..rules import Verdict
from ..state import EventsOf
from ..types import EventId, JsonObject, StateMap
from ..versions import RoomVersion
from .common import (
    WIRE_KEYS,
    GivenEvent,
    also_option,
    as_recorded_option,
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
@click.option("--room", "room_file", metavar="FILE", help="Judge the event as one of this room.")
@click.option("--state", "state_file", metavar="FILE", help="Judge the event against the state in a file.")
@as_recorded_option()
@also_option()
@room_version_option("The room version, if the file does not give it.", required=False)
@keys_option()
@now_option()
@unsigned_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def auth(  # noqa: PLR0913, PLR0917 - one for each option
    event: str,
    room_file: str | None,
    state_file: str | None,
    as_recorded: bool,
    more_files: tuple[str, ...],
    version: RoomVersion | None,
    key_files: tuple[str, ...],
    now: int | None,
    unsigned: bool,
    as_json: bool,
) -> None:
    """Judge one event by the authorisation rules, and print the rule that decided and what was compared.

    EVENT is a file with one event (- is standard input), or with --room the ID of an event in the room, which
    may be abbreviated to a unique prefix. Both files may be in any format that `roomver check` reads, such as
    the output of `roomver state --json`.

    With --room the event is judged as a server judges it on receipt: against its own auth events, against the
    state before it, and, if these allow it, against the current state at its arrival. The last check
    soft-fails an event. Events arrive in the order of the file. With --state the event is judged against the
    state events in the file.

    With --state the event may be a draft: its type, state key, sender and content are enough. The rest may
    also be filled in with made-up values, as long as the event has no signatures, event ID or matching hash.

    An event with a missing or invalid required signature is refused: a server drops it before it applies
    any rule.

    An event is undecided if its auth events are missing, if the state before it is unknown, or if the rules
    need an unknown entry of a state that is known in part.

    Exit code: 0 allowed, 1 refused or soft-failed, 2 usage error or unreadable file, 3 undecided.
    """
    if (room_file is None) == (state_file is None):
        raise click.UsageError("give one of --room and --state")
    if as_recorded and room_file is None:
        raise click.UsageError("--as-recorded needs --room")
    keys = None if unsigned else read_key_files(key_files, now)
    is_draft = False
    current: CurrentCheck | None = None
    try:
        if room_file is not None:
            judged, current = _judge_in_room(event, room_file, more_files, version, keys, as_recorded)
        else:
            judged, is_draft = _judge_against(event, state_file or "", more_files, version, keys)
    except _Dropped as dropped:
        _print_dropped(dropped.event_id, dropped.finding, as_json)
        raise click.exceptions.Exit(1) from None
    if as_json:
        data = [_data(row) for row in judged]
        if is_draft:
            data = [{**one, "event_id": None} for one in data]
        if current is not None:
            data.append(_current_data(judged[0].event.event_id, current))
        click.echo(json.dumps(data, indent=2))
    else:
        _print(judged, "a draft" if is_draft else judged[0].event.event_id)
        if current is not None:
            _print_current(current)
    answers = [None if row.verdict is None else row.verdict.allowed for row in judged]
    if current is not None and current.made:
        answers.append(current.allowed)
    if False in answers:
        raise click.exceptions.Exit(1)
    if None in answers:
        raise click.exceptions.Exit(3)


class _Judged(NamedTuple):
    """The result of one check of the event.

    Attributes:
        against: what the event was checked against.
        event: the event.
        verdict: the verdict; None if it is undecided.
        state: the state that the rules read.
        missing: the missing events that leave it undecided.
        unknown: why it is undecided, if entries of the state are unknown.
    """

    against: str
    event: Event
    verdict: Verdict | None
    state: StateMap[Event]
    missing: Sequence[EventId] = ()
    unknown: UnknownState | None = None


_AUTH_EVENTS = "its auth events"
_BEFORE = "the state before it"
_CURRENT = "the current state at its arrival"
_ON_RECEIPT = "the checks on receipt"


class _Dropped(Exception):
    """The event is dropped before any rule is applied."""

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
    as_recorded: bool,
) -> tuple[list[_Judged], CurrentCheck]:
    """Judge an event of a room against its own auth events, the state before it and the current state."""
    if event_name.startswith("$"):
        room = load_room(file, version, keys, more_files, as_recorded=as_recorded)
        found = room.find(event_name)
        if not isinstance(found, Event):
            raise _Dropped(*found)
        event = found
    else:
        given = _read_event(event_name, WIRE_KEYS)
        room = load_room(file, version, keys, more_files, given.entry, as_recorded=as_recorded)
        event = _parse(_fit(given, room.version), room.version, event_name)
        _refuse_unsigned(event, room.added)
    replayed = room.replay
    outcome = replayed.outcomes.get(event.event_id)
    if outcome is None:
        raise InputError(
            room.file, f"{event.event_id} is not from the same room as the others: {event.room_id}"
        )
    lacks = replayed.lacking(event.event_id)
    current = replayed.current_check(event.event_id)
    if outcome.missing:
        judged = [_Judged(_AUTH_EVENTS, event, None, {}, lacks)]
    else:
        own = {}
        if event.type != "m.room.create":
            own = state_of_auth_events(event, room.events)
        rejected = replayed.rejected - {event.event_id}
        judged = [_Judged(_AUTH_EVENTS, event, check_auth(event, None, room.events, rejected=rejected), own)]
    before = replayed.state_before(event.event_id)
    if before is None:
        return [*judged, _Judged(_BEFORE, event, None, {}, lacks)], current
    return [*judged, _against(_BEFORE, event, EventsOf(before, room.events), lacks)], current


def _against(against: str, event: Event, state: StateMap[Event], lacks: Sequence[EventId] = ()) -> _Judged:
    try:
        return _Judged(against, event, check_against_state(event, state), state)
    except UnknownState as error:
        return _Judged(against, event, None, state, lacks, error)


def _judge_against(
    event_name: str,
    file: str,
    more_files: Sequence[str],
    version: RoomVersion | None,
    keys: KeyRing | None,
) -> tuple[list[_Judged], bool]:
    """Judge an event against a state, and tell whether it is a draft."""
    gathered, keys = load_events(file, version, keys, more_files)
    given = _read_event(event_name, ("sender", "content"), draft=True)
    try:
        state = gathered.as_state()
    except NotAState as error:
        hint = "`roomver state --json` prints the state of a room"
        raise InputError(display_name(file), f"{error}; {hint}") from None
    pdu = fit_entry(given.entry, gathered.version).pdu
    assert type(pdu) is dict  # checked when it was read
    completed = complete_draft(pdu, gathered.version, state)
    is_draft = completed is not pdu or _is_made_up(given, pdu, gathered.version)
    if not is_draft:
        _fit(given, gathered.version)
    event = _parse(completed, gathered.version, event_name)
    if not is_draft:  # a draft is not signed yet
        _refuse_unsigned(event, check_event(event.pdu, gathered.version, keys=keys))
    return [_against("the state", event, state)], is_draft


def _is_made_up(given: GivenEvent, pdu: JsonObject, version: RoomVersion) -> bool:
    """Tell whether a complete PDU is made up: no server has signed or hashed it, and it has no ID."""
    if pdu.get("signatures") or given.entry.claimed_id is not None or "event_id" in pdu:
        return False
    try:
        return check_content_hash(pdu, version) is not HashCheck.INTACT
    except RoomverError:
        return False  # the parser says why


def _read_event(name: str, needs: Sequence[str], *, draft: bool = False) -> GivenEvent:
    """Read EVENT as a file, with a better error if an event ID was meant."""
    if name not in ("", "-") and not Path(name).exists():
        raise InputError(
            display_name(name), f"there is no such file; an event ID starts with $: '${printable(name)}'"
        )
    return read_event(name, None, needs, draft=draft)


def _fit(given: GivenEvent, version: RoomVersion) -> JsonObject:
    """Return an event without the keys that its room version does not have, and compare its ID."""
    entry = fit_entry(given.entry, version)
    pdu = entry.pdu
    assert type(pdu) is dict  # checked when it was read
    replace(given, entry=entry, pdu=pdu).compare_ids(version)
    return pdu


def _parse(pdu: JsonObject, version: RoomVersion, file: str) -> Event:
    try:
        return parse_event(pdu, version)
    except RoomverError as error:
        raise InputError(display_name(file), str(error)) from None


def _data(judged: _Judged) -> dict[str, object]:
    event, verdict = judged.event, judged.verdict
    head: dict[str, object] = {"event_id": event.event_id, "against": judged.against}
    if verdict is None:
        unknown = judged.unknown
        keys = () if unknown is None else unknown.keys
        return {
            **head,
            "allowed": None,
            "missing": list(judged.missing),
            "unknown": [{"type": kind, "state_key": key} for kind, key in keys],
            "why": "" if unknown is None else unknown.reason,
        }
    rows = [row._asdict() for row in _compared(judged)]
    return {**head, **verdict.to_dict(), "compared": rows}


def _current_data(event_id: EventId, current: CurrentCheck) -> dict[str, object]:
    data: dict[str, object] = {"event_id": event_id, "against": _CURRENT, "allowed": current.allowed}
    if isinstance(current.failure, Verdict):
        data |= current.failure.to_dict()
    if current.allowed is not True:
        why = current.why if current.failure is None else str(current.failure)
        data |= {"why": why, "made": current.made, "missing": list(current.missing)}
    return data


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


def _print(judged: list[_Judged], name: str) -> None:
    out = console()
    event = judged[0].event
    key = "" if event.state_key is None else f" {event.state_key!r}"
    out.print(printable(f"{name}  {event.type}{key}  by {event.sender}"), soft_wrap=True)
    for one in judged:
        verdict = one.verdict
        word = "undecided" if verdict is None else "allowed" if verdict.allowed else "REFUSED"
        out.print(f"\nagainst {one.against}: {word}", style="bold")
        if verdict is None:
            for line in _undecided_lines(one):
                out.print(printable(line), soft_wrap=True)
            continue
        out.print(printable(f"  {verdict}"), soft_wrap=True)
        out.print(f"  {verdict.url}", soft_wrap=True)
        rows = _compared(one)
        if not rows:
            continue
        table = Table(box=box.SIMPLE_HEAD, show_edge=False)
        for column in ("compared", "value", "from"):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(row.what, printable(str(row.value)), printable(row.source))
        out.print(table)


def _print_current(current: CurrentCheck) -> None:
    out = console()
    word = {
        True: "allowed",
        False: "REFUSED (soft-failed)",
        None: "unknown" if current.made else "not checked",
    }
    out.print(f"\nagainst {_CURRENT}: {word[current.allowed]}", style="bold")
    if current.failure is not None:
        out.print(printable(f"  {current.failure}"), soft_wrap=True)
        if isinstance(current.failure, Verdict):
            out.print(f"  {current.failure.url}", soft_wrap=True)
    if current.why:
        out.print(f"  {current.why}", soft_wrap=True)
    if current.missing:
        out.print(printable(f"  missing events: {listed(current.missing)}"), soft_wrap=True)


def _compared(judged: _Judged) -> list[Compared]:
    """Return what was compared; empty if one of the values is unknown, which did not affect the verdict."""
    try:
        return list_compared(judged.event, judged.state)
    except UnknownState:
        return []


def _undecided_lines(judged: _Judged) -> list[str]:
    lines = [f"  {judged.unknown}"] if judged.unknown is not None else []
    if judged.missing:
        lines.append(f"  missing events: {listed(judged.missing)}")
    return lines
