"""``roomver auth``: judge one event, and show what was compared."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from ..auth import check_against_state, state_of_auth_events
from ..check import check_entries
from ..errors import Lack, NotAState, RoomverError, UnknownState
from ..event import Event, parse_event
from ..findings import Action, EventCheck, Finding, FindingKind
from ..gathering import Gathered
from ..keys import KeyRing
from ..policy import PolicyRefusal, check_policy, find_signing_policy_server
from ..readers import InputError, fit_entry, is_database
from ..readers.several import room_id_of
from ..readers.source import is_whole_id
from ..redacted import find_redactions
from ..replay import CurrentCheck, Status
from ..signature_results import SigningStatus
from ..state import EventsOf
from ..types import EventId, JsonObject, StateMap
from ..undecided import lack_behind
from ..versions import RoomVersion
from .answers import (
    APART,
    AUTH_EVENTS,
    BEFORE,
    CURRENT,
    POLICY_SERVER,
    VOUCHED,
    Answer,
    Refused,
    Row,
    Third,
    answer_data,
    print_answer,
    print_refused,
    refused_data,
)
from .auth_names import event_of, room_of
from .cache import cache_option
from .common import (
    WIRE_KEYS,
    GivenEvent,
    also_option,
    as_recorded_option,
    call_name,
    display_name,
    example,
    read_event,
    read_key_files,
    signature_options,
    unhashed_option,
)
from .drafts import complete_draft, is_made_up
from .escaped import ascii_json
from .guidance import id_hint
from .heard import say
from .loaded import LoadedRoom
from .loading import load_events, load_room
from .sources import Choice, immutable_option, named_room_option
from .sums import print_sum, tell_unchecked
from .version_options import room_version_option


@click.command(
    short_help="Judge one event, and print what was compared.",
    epilog=example(
        "roomver auth homeserver.db '$eventid'\n"
        "roomver auth --room room.jsonl '$eventid'\n"
        "roomver auth --state state.json event.json"
    ),
)
@click.argument("names", metavar="[SOURCE ['!ROOM']] EVENT", nargs=-1, required=True)
@named_room_option(
    "SOURCE",
    "Judge the event as one of this room, in a file or a database. A database finds the room by the event ID;"
    " otherwise give it once more with the room ID, '!…', for a source with several rooms.",
)
@immutable_option()
@click.option("--state", "state_file", metavar="FILE", help="Judge the event against the state in a file.")
@as_recorded_option()
@also_option()
@room_version_option("The room version, if the file does not give it.", required=False)
@signature_options()
@unhashed_option(allowed=False)
@cache_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def auth(  # noqa: PLR0913, PLR0917 - one for each option
    names: tuple[str, ...],
    room_ids: tuple[str, ...],
    immutable: bool,
    state_file: str | None,
    as_recorded: bool,
    more_files: tuple[str, ...],
    version: RoomVersion | None,
    key_files: tuple[str, ...],
    now: int | None,
    unsigned: bool,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Judge one event by the authorisation rules, and print the rule that decided and what was compared.

    EVENT is a file with one event (- is standard input), or with --room the ID of an event in the room, which
    may be abbreviated to a unique prefix. SOURCE stands for --room. Both files may be in any format that
    `roomver check` reads, such as the output of `roomver state --json`.

    With --room the event is judged as a server judges it on receipt: against its own auth events, against the
    state before it, and, if these allow it, against the current state at its arrival. The last check
    soft-fails an event. Events arrive in the order of the file. With --state the event is judged against the
    state events in the file. An event that lacks the room's policy server's signature is soft-failed, too.

    With --state the event may be a draft: its type, state key, sender and content are enough. The rest may
    also be filled in with made-up values, as long as the event has no signatures, event ID or matching hash.

    An event that a server drops on receipt, because it is malformed or forged, is refused before any rule is
    applied: exit code 1. If the content hash does not match, the redacted form of the event is judged. An
    event whose row in a database is damaged is undecided.

    If the sources of a room (--also) contradict each other about the event, the output says so.

    An event is undecided if its auth events are missing, if the state before it or the current state is
    unknown, or if the rules need an unknown entry of a state that is known in part. An event of a given state
    was accepted by the server that gave the state.

    Exit code: 0 allowed, 1 refused, dropped or soft-failed, 2 usage error or unreadable file, 3 undecided.
    """
    before, event = event_of(names)
    room_file, room_id = room_of([*room_ids, *before])
    if event is None:
        room = "" if room_id is None else f" '{display_name(room_id)}'"
        raise click.UsageError(f"which event? roomver auth {call_name(room_file or 'SOURCE')}{room} '$…'")
    if (room_file is None) == (state_file is None):
        reason = "give one of --room and --state"
        if state_file is None:
            reason += f"; if {display_name(event)} is a room: roomver auth {call_name(event)} '$…'"
        raise click.UsageError(reason)
    for name, is_given in (("--as-recorded", as_recorded), ("--cache", cache is not None)):
        if is_given and room_file is None:
            raise click.UsageError(f"{name} needs --room")
    keys = None if unsigned else read_key_files(key_files, now)
    try:
        if room_file is not None:
            load = partial(load_room, room_file, version, keys, more_files, brief=not unsigned)
            load = partial(load, as_recorded=as_recorded, cache=cache)
            answer = _judge_in_room(event, load, Choice(room_id, immutable), is_database(room_file))
        else:
            answer = _judge_against(event, state_file or "", more_files, version, keys)
    except Refused as refused:
        if as_json:
            click.echo(ascii_json(refused_data(refused), indent=2))
        else:
            print_refused(refused, event)
        raise click.exceptions.Exit(1 if refused.decided else 3) from None
    if as_json:
        click.echo(ascii_json(answer_data(answer), indent=2))
    else:
        print_sum(answer)
        print_answer(answer)
    tell_unchecked(answer)
    answers = [row.allowed for row in answer.rows if not row.instead]
    if answer.third is not None and answer.third.check.made:
        answers.append(answer.third.check.allowed)
    if False in answers:
        raise click.exceptions.Exit(1)
    if None in answers:
        raise click.exceptions.Exit(3)


def _judge_in_room(
    event_name: str, load: Callable[..., LoadedRoom], choice: Choice, of_database: bool
) -> Answer:
    """Judge an event of a room against its own auth events, the state before it and the current state.

    Args:
        event_name: the ID of the event, or a file.
        load: reads the room of a choice, with the event that is `added`.
        choice: which room. The ID of an event finds it in a database, and so does the event in a file.
        of_database: whether the room is in a database.
    """
    by_id = choice._replace(event_id=event_name)
    if event_name.startswith("$"):
        room = load(choice=by_id)
        found = room.find(event_name)
        if not isinstance(found, Event):
            raise Refused(*found, room.recorded(found[0]))
        return _judge(room, found.event_id)
    # A shell may have taken the beginning of an ID for a variable.
    if not _is_file(event_name) and (cut := load(choice=by_id).cut_id(event_name)):
        raise InputError(display_name(event_name), f"there is no such file; {cut}")
    given = _read_event(event_name, WIRE_KEYS)
    if of_database and choice.named is None:
        named = room_id_of(given.entry)
        choice = choice._replace(named=named if named is not None and is_whole_id(named) else None)
    room = load(choice=choice, added=given.entry)
    event, _ = _receive(given, room.version, None, room.added)
    answer = _judge(room, event.event_id)
    if event.content != answer.rows[0].event.content:
        say(f"roomver: {given.file}: the room has another copy of this event: it is judged")
    return answer


def _judge(room: LoadedRoom, event_id: EventId) -> Answer:
    """Return what the replay of a room says about one of its events."""
    replayed, event = room.replay, room.events[event_id]
    if event_id in room.found.gathered.apart:
        raise InputError(room.file, f"{event_id} {APART}")
    outcome = replayed.outcomes.get(event_id)
    if outcome is None or outcome.status is Status.CYCLIC:
        finding = room.found.finding(event_id)  # of another room, or on a cycle
        raise Refused(event_id, finding, room.recorded(event_id))
    findings = room.found.gathered.checks[event_id].findings
    stored = () if room.beliefs is None else room.beliefs.redactions.get(event_id, ())
    answer = partial(
        Answer,
        third=_third(room, event),
        findings=findings,
        dropped=room.found.dropped,
        recorded=room.recorded(event_id),
        redacted=find_redactions(replayed, event_id, stored),
        unchecked=room.found.summary.signatures[SigningStatus.KEY_UNKNOWN],
        differences=[one for one in room.found.gathered.differences if one.event_id == event_id],
    )
    lacks = replayed.lacking(event_id)
    verdict = outcome.by_auth_events
    if verdict is None:
        row = Row(AUTH_EVENTS, event, None, {}, lacks, because=room.contradictions_behind(event_id))
        not_made = Row(BEFORE, event, None, {}, instead="not checked")
        return answer([row, not_made])
    own = {}
    if event.type != "m.room.create":
        # Nothing is compared with an event of another room.
        cited = state_of_auth_events(event, room.events)
        own = {key: one for key, one in cited.items() if one.room_id == event.room_id}
    row = Row(AUTH_EVENTS, event, verdict, own)
    before = replayed.state_before(event_id)
    state: StateMap[Event] = {} if before is None else EventsOf(before, replayed.events)
    if outcome.by_state is not None:
        by_state = Row(BEFORE, event, outcome.by_state, state)
    elif not verdict.allowed and before is not None:
        # The replay does not make this check: the event is rejected whatever it says.
        by_state = _against(BEFORE, event, state, room.found.gathered, lacks)
    elif outcome.own is Status.ACCEPTED:
        by_state = Row(BEFORE, event, None, {}, instead=VOUCHED)
    else:
        unknown = UnknownState(outcome.unknown, outcome.why_unknown) if outcome.unknown else None
        lack = None if lacks else room.lack_behind(outcome.lack, event_id)
        because = room.contradictions_behind(event_id)
        by_state = Row(BEFORE, event, None, state, lacks, unknown, lack, because=because)
    return answer([row, by_state])


def _third(room: LoadedRoom, event: Event) -> Third:
    """Return the result of checking an event of a room against the current state."""
    check = room.replay.current_check(event.event_id)
    read = room.replay.current_entries(event.event_id)
    if read is None:
        event_id, lack, because = event.event_id, None, list[str]()
        if event_id in room.replay.current_unknown and event_id not in room.replay.unchecked:
            because = room.contradictions_behind(event_id, at_arrival=True)
            lack = room.lack_behind(check.lack, event_id, at_arrival=True)
            if check.missing and lack is not Lack.AGREEMENT:
                lack = None
        return Third(CURRENT, event, check, lack=lack, because=because)
    current = EventsOf(read, room.replay.events)
    server = check.failure.server if isinstance(check.failure, PolicyRefusal) else None
    if check.allowed:
        server = find_signing_policy_server(event, current)
    return Third(CURRENT, event, check, current, server)


def _against(
    against: str,
    event: Event,
    state: StateMap[Event],
    gathered: Gathered,
    lacks: Sequence[EventId] = (),
) -> Row:
    try:
        return Row(against, event, check_against_state(event, state), state)
    except UnknownState as error:
        lack = None if lacks else lack_behind(gathered, error.lack)
        return Row(against, event, None, state, lacks, error, lack)


def _judge_against(
    event_name: str,
    file: str,
    more_files: Sequence[str],
    version: RoomVersion | None,
    keys: KeyRing | None,
) -> Answer:
    """Judge an event, which may be a draft, against a state."""
    gathered, keys = load_events(file, version, keys, more_files)
    given = _read_event(event_name, ("sender", "content"), draft=True, room_version=gathered.version)
    try:
        state = gathered.as_state()
    except NotAState as error:
        hint = "`roomver state --json` prints the state of a room"
        raise InputError(display_name(file), f"{error}; {hint}") from None
    pdu = fit_entry(given.entry, gathered.version).pdu
    assert type(pdu) is dict  # checked when it was read
    completed = complete_draft(pdu, gathered.version, state)
    if completed is not pdu or is_made_up(given, pdu, gathered.version):
        # A draft has no hash, ID or signatures to check.
        draft = _parse(completed, gathered.version, event_name)
        row = _against("the state", draft, state, gathered)
        third = _by_policy_server(row, gathered, "a draft has no signatures")
        return Answer([row], third, is_draft=True)
    event, findings = _receive(given, gathered.version, keys)
    row = _against("the state", event, state, gathered)
    third = _by_policy_server(
        row, gathered, "signatures were not checked (--unsigned)" if keys is None else ""
    )
    return Answer([row], third, findings)


def _by_policy_server(row: Row, gathered: Gathered, unsigned: str) -> Third | None:
    """Check an event against the policy server that a given state names; return None if it uses none.

    Args:
        row: the result of checking the event against the state.
        gathered: the events of the state.
        unsigned: why the signatures of the event are not checked; empty if they are.
    """
    event, state = row.event, row.state
    if row.allowed is not True:
        return None
    try:
        refusal = check_policy(event, state)
    except UnknownState as error:
        check = CurrentCheck(None, why=f"whether the room uses one is unknown: {error}")
        lack = lack_behind(gathered, error.lack)
        return None if unsigned else Third(POLICY_SERVER, event, check, lack=lack)
    if refusal is not None:
        check = CurrentCheck(None, why=unsigned, made=False) if unsigned else CurrentCheck(False, refusal)
        return Third(POLICY_SERVER, event, check, state, refusal.server)
    server = find_signing_policy_server(event, state)
    return None if server is None else Third(POLICY_SERVER, event, CurrentCheck(True), state, server)


def _is_file(name: str) -> bool:
    """Tell whether EVENT names a file, standard input, or nothing."""
    return name in ("", "-") or Path(name).exists()


def _read_event(
    name: str, needs: Sequence[str], *, draft: bool = False, room_version: RoomVersion | None = None
) -> GivenEvent:
    """Read EVENT as a file, with a better error if an event ID was meant."""
    if not _is_file(name):
        hint = f"; {id_hint(name)}"
        if draft:
            # With --state an event ID is taken for a file too.
            hint = "; with --state, EVENT is a file; --room takes an event ID" if "$" in name else ""
        raise InputError(display_name(name), f"there is no such file{hint}")
    return read_event(name, None, needs, draft=draft, room_version=room_version)


def _receive(
    given: GivenEvent, version: RoomVersion, keys: KeyRing | None, added: EventCheck | None = None
) -> tuple[Event, tuple[Finding, ...]]:
    """Check an event by itself, and return the form that a server uses, with the findings.

    Args:
        given: the event.
        version: of its room.
        keys: to check its signatures with; None to skip them.
        added: the check of the event with the keys of its room, if that was made, without the ID in the file.

    Raises:
        Refused: if a server drops it.
    """
    entry = fit_entry(given.entry, version)
    ((_, check),) = check_entries([entry], version, keys=keys)
    if check.event is not None:
        assert type(entry.pdu) is dict  # it was parsed
        replace(given, entry=entry, pdu=entry.pdu).compare_ids(version)
    if added is not None:
        wrong_id = [finding for finding in check.findings if finding.kind is FindingKind.EVENT_ID]
        check = added._replace(findings=(*wrong_id, *added.findings))
    for finding in check.findings:
        if finding.kind.action is Action.DROP:
            raise Refused(check.event_id, finding)
    assert check.event is not None  # otherwise it is dropped
    return check.event, check.findings


def _parse(pdu: JsonObject, version: RoomVersion, file: str) -> Event:
    try:
        return parse_event(pdu, version)
    except RoomverError as error:
        raise InputError(display_name(file), str(error)) from None
