"""``roomver state`` and ``roomver resolve``: the state of a room, and how it was resolved."""

import json
from difflib import get_close_matches

import click

from ..errors import MissingEvents, RoomverError, UnknownState, listed
from ..readers import InputError, read_state_ids
from ..replay import Replay, Status
from ..resolution import Resolution, resolve
from ..selection import select_auth_types
from ..state import PartialState, Unknown, entries_of, unknown_of
from ..types import EventId, StateKey, StateMap
from ..versions import RoomVersion, StateResolution
from .common import (
    algorithm_option,
    also_option,
    as_recorded_option,
    console,
    display_name,
    example,
    opened,
    read_key_files,
    room_version_option,
    signature_options,
)
from .escaped import printable
from .loaded import LoadedRoom, load_room
from .sources import Choice, room_option
from .trace import trace_data, trace_lines
from .wording import missing_lines

_State = dict[StateKey, EventId]


@click.command(
    epilog=example("roomver state room.jsonl\nroomver state room.jsonl --at '$eventid' --type m.room.member")
)
@click.argument("room", metavar="SOURCE")
@click.option("--at", metavar="EVENT", help="The state after an event, by ID; otherwise the current one.")
@click.option("--before", is_flag=True, help="With --at: the state before the event.")
@click.option("--type", "kind", metavar="T", help="Only events of this type.")
@click.option("--key", metavar="K", help="Only this state key.")
@algorithm_option("Resolve states with this algorithm instead of the room version's.")
@as_recorded_option()
@also_option()
@room_option()
@room_version_option("The room version, if the file does not give it.", required=False)
@signature_options()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def state(  # noqa: PLR0913, PLR0917 - one for each option
    room: str,
    at: str | None,
    before: bool,
    kind: str | None,
    key: str | None,
    algorithm: str | None,
    as_recorded: bool,
    more_files: tuple[str, ...],
    choice: Choice,
    version: RoomVersion | None,
    key_files: tuple[str, ...],
    now: int | None,
    unsigned: bool,
    as_json: bool,
) -> None:
    """Print the state of a room, current or at an event.

    SOURCE is a file or a database, as for `roomver check`.

    A state that is known in part is printed as far as it is known, and standard error says what is unknown.
    With --json it is then an object with the keys state and unknown, which every command reads as such.

    Exit code: 0 printed, 1 no such entry, 2 usage error or unreadable file, 3 undecided: the state, or a part
    of it that was asked for, is unknown.
    """
    if before and at is None:
        raise click.UsageError("--before needs --at")
    keys = None if unsigned else read_key_files(key_files, now)
    loaded = load_room(
        room, version, keys, more_files, choice=choice, as_recorded=as_recorded, algorithm=algorithm
    )
    replayed = loaded.replay
    event_id: EventId | None = None
    found, what = replayed.current_state, "the current state"
    if at is not None:
        event_id = loaded.event(at).event_id
        found = replayed.state_before(event_id) if before else replayed.state_after(event_id)
        where = "before" if before else "after"
        what = f"the state {where} {event_id}"
    if found is None:
        loaded.say_missing(what, event_id)
        raise click.exceptions.Exit(3)
    chosen = {
        entry: event_id
        for entry, event_id in entries_of(found).items()
        if (kind is None or entry[0] == kind) and (key is None or entry[1] == key)
    }
    unknown = _unknown_among(found, kind, key)
    if unknown:
        loaded.say_in_part(what, event_id, unknown)
    if as_json:
        entries = [_entry(loaded, chosen[entry]) for entry in sorted(chosen)]
        whole = {"state": entries, "unknown": [one.to_dict() for one in unknown]}
        click.echo(json.dumps(whole if unknown else entries, indent=1))
    else:
        for entry in sorted(chosen):
            _print_entry(loaded, entry, chosen[entry])
    if unknown:
        raise click.exceptions.Exit(3)
    if not chosen:
        wanted = "" if kind is None and key is None else " such"
        click.echo(printable(f"roomver: {loaded.file}: {what} has no{wanted} entry"), err=True)
        raise click.exceptions.Exit(1)


def _unknown_among(found: StateMap[EventId], kind: str | None, key: str | None) -> list[Unknown]:
    """Return what is unknown among the entries of a state that were asked for."""
    if isinstance(found, PartialState) and kind is not None and key is not None:
        one = found.why_unknown((kind, key))
        return [] if one is None else [one]
    return [one for one in unknown_of(found) if one.may_hold(kind, key)]


@click.command(
    "resolve",
    epilog=example(
        "roomver resolve room.jsonl --at '$eventid' --why m.room.topic ''\n"
        "roomver resolve room.jsonl --sets a.json --sets b.json --algorithm v2.1"
    ),
)
@click.argument("room", metavar="SOURCE")
@click.option("--at", metavar="EVENT", help="Resolve the states after the event's prev events.")
@click.option(
    "--sets",
    "set_files",
    metavar="FILE",
    multiple=True,
    help="A state, as event IDs: a JSON array, a response to /state_ids, or text with one ID per line, alone "
    "or beside other columns that psql prints. Give it twice or more.",
)
@algorithm_option("Use this algorithm instead of the room version's, for this resolution only.")
@as_recorded_option()
@click.option("--why", nargs=2, metavar="TYPE KEY", help="Explain the value of this entry.")
@click.option("--trace", is_flag=True, help="Print every step.")
@also_option()
@room_option()
@room_version_option("The room version, if the file does not give it.", required=False)
@signature_options()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def resolve_command(  # noqa: PLR0913, PLR0917 - one for each option
    room: str,
    at: str | None,
    set_files: tuple[str, ...],
    algorithm: str | None,
    as_recorded: bool,
    why: tuple[str, str] | None,
    trace: bool,
    more_files: tuple[str, ...],
    choice: Choice,
    version: RoomVersion | None,
    key_files: tuple[str, ...],
    now: int | None,
    unsigned: bool,
    as_json: bool,
) -> None:
    """Resolve states of a room, and print the result and how it differs from each.

    SOURCE is a file or a database, as for `roomver check`.

    With --at, the states after the prev events of that event are resolved; with --sets, the states in
    those files; otherwise, the states after the room's forward extremities. If the file itself gives the
    state at that point, as a server's response does, that state is used alone.

    States that are known in part are resolved if more knowledge could not change the result. So are states
    whose auth chains have undecided events.

    Exit code: 0 resolved, 2 usage error or unreadable file, 3 undecided: a state or an event is missing, the
    result depends on an undecided event, or it is unknown in part.
    """
    if at is not None and set_files:
        raise click.UsageError("give one of --at and --sets")
    keys = None if unsigned else read_key_files(key_files, now)
    loaded = load_room(room, version, keys, more_files, choice=choice, as_recorded=as_recorded)
    if why is not None:
        _check_why(loaded, *why)
    try:
        replayed = loaded.replay
        names, sets = _state_sets(loaded, replayed, at, set_files)
        undecided = {e for e, one in replayed.outcomes.items() if one.status is Status.UNDECIDED}
        resolution = resolve(
            sets,
            loaded.events,
            # A file may give states of events that the replay could not decide.
            graph=None if set_files else replayed.graph,
            rejected=replayed.rejected - undecided,
            algorithm=None if algorithm is None else StateResolution(algorithm),
            trace=True,
        )
    except (MissingEvents, UnknownState) as error:
        click.echo(printable(f"roomver: {loaded.file}: {error}"), err=True)
        raise click.exceptions.Exit(3) from None
    except InputError:
        raise
    except RoomverError as error:
        raise InputError(loaded.file, str(error)) from None
    if depends_on := _undecided_read(loaded, resolution, undecided):
        _say_undecided(loaded, depends_on)
        raise click.exceptions.Exit(3)
    if as_json:
        click.echo(json.dumps(_data(loaded, names, sets, resolution, why, trace), indent=1))
    else:
        _print_resolution(loaded, names, sets, resolution, why, trace)
    unknown = unknown_of(resolution.state) if why is None else _unknown_among(resolution.state, *why)
    if unknown:
        parts = "; ".join(map(str, unknown))
        click.echo(
            printable(f"roomver: {loaded.file}: the result is known in part. Unknown: {parts}"), err=True
        )
        raise click.exceptions.Exit(3)


def _undecided_read(loaded: LoadedRoom, resolution: Resolution, undecided: set[EventId]) -> list[EventId]:
    """Return the undecided auth events that the checks of a resolution fell back on, sorted.

    A check falls back on an auth event where the state has no entry, unless that event is rejected. So more
    events, which decide the auth event, may change the result. It does not matter whether a checked event
    is itself undecided: a resolution checks rejected events too.
    """
    steps = resolution.steps
    # The algorithm of version 1 does not fall back on auth events.
    if steps is None or steps.algorithm is StateResolution.V1:
        return []
    state = set() if steps.algorithm is StateResolution.V2_1 else set(steps.unconflicted)
    found = set()
    for check in steps.checks:
        event = loaded.events[check.event_id]
        for parent in undecided.intersection(event.auth_parents):
            other = loaded.events[parent]
            key = (other.type, other.state_key)
            if key not in state and key in select_auth_types(event):
                found.add(parent)
        if check.accepted:
            state.add(check.key)
    return sorted(found)


def _say_undecided(loaded: LoadedRoom, undecided: list[EventId]) -> None:
    """Say that a result depends on undecided events, and name the missing events that would decide them."""
    lacks = loaded.replay.lacking(*undecided)
    missing = "; these events are missing:" if lacks else ""
    text = f"the result depends on undecided events: {listed(undecided)}{missing}"
    for line in [f"roomver: {loaded.file}: {text}", *missing_lines(loaded.replay, lacks)]:
        click.echo(printable(line), err=True)


def _check_why(loaded: LoadedRoom, kind: str, key: str) -> None:
    """Check that the room has an event that could be the requested entry.

    Raises:
        InputError: if it has no such event, for example because the type is mistyped.
    """
    keys: dict[str, set[str]] = {}
    for event in loaded.events.values():
        if event.state_key is not None:
            keys.setdefault(event.type, set()).add(event.state_key)
    if kind in keys and key in keys[kind]:
        return
    known, name = (
        (keys[kind], f"type {kind} and the state key {key!r}") if kind in keys else (keys, f"type {kind}")
    )
    close = get_close_matches(key if kind in keys else kind, known, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise InputError(loaded.file, f"no state event has the {name}{hint}")


def _state_sets(
    loaded: LoadedRoom, replayed: Replay, at: str | None, set_files: tuple[str, ...]
) -> tuple[list[str], list[StateMap[EventId]]]:
    if set_files:
        return [display_name(file) for file in set_files], [_read_set(loaded, file) for file in set_files]
    states = replayed.states_met(None if at is None else loaded.event(at).event_id)
    return [parent or "the given state" for parent in states], list(states.values())


def _read_set(loaded: LoadedRoom, file: str) -> _State:
    with opened(file) as stream:
        ids = read_state_ids(stream, display_name(file))
    found: _State = {}
    for item in ids:
        event = loaded.event(item)
        if event.state_key is None:
            raise InputError(display_name(file), f"{item} is not a state event")
        key = (event.type, event.state_key)
        if found.setdefault(key, event.event_id) != event.event_id:
            raise InputError(display_name(file), f"two events for {key[0]} {key[1]!r}")
    return found


def _entry(loaded: LoadedRoom, event_id: EventId) -> dict[str, object]:
    """Return an event in a form that every command reads."""
    return {"event_id": event_id, "pdu": loaded.events[event_id].pdu}


def _print_entry(loaded: LoadedRoom, key: StateKey, event_id: EventId, indent: str = "") -> None:
    content = json.dumps(loaded.events[event_id].content, ensure_ascii=False)
    if len(content) > 100:
        content = content[:99] + "…"
    name = f"{key[0]} {json.dumps(key[1], ensure_ascii=False)}"
    click.echo(printable(f"{indent}{name}  {event_id}  {content}"))


def _differences(
    state: StateMap[EventId], other: StateMap[EventId]
) -> list[tuple[StateKey, EventId | None, EventId | None]]:
    resolved, given = entries_of(state), entries_of(other)
    keys = sorted(key for key in resolved.keys() | given.keys() if resolved.get(key) != given.get(key))
    return [(key, given.get(key), resolved.get(key)) for key in keys]


def _data(
    loaded: LoadedRoom,
    names: list[str],
    sets: list[StateMap[EventId]],
    resolution: Resolution,
    why: tuple[str, str] | None,
    trace: bool,
) -> dict[str, object]:
    state, unknown = entries_of(resolution.state), unknown_of(resolution.state)
    data: dict[str, object] = {
        "state": [_entry(loaded, state[key]) for key in sorted(state)],
        "differences": {
            name: [
                {"type": key[0], "state_key": key[1], "given": given, "resolved": resolved}
                for key, given, resolved in _differences(state, known)
            ]
            for name, known in zip(names, sets, strict=True)
        },
    }
    if unknown:
        data["unknown"] = [one.to_dict() for one in unknown]
    if why is not None:
        data["why"] = resolution.why(why).to_dict()
    if trace and resolution.steps is not None:
        data["trace"] = trace_data(resolution.steps)
    return data


def _print_resolution(
    loaded: LoadedRoom,
    names: list[str],
    sets: list[StateMap[EventId]],
    resolution: Resolution,
    why: tuple[str, str] | None,
    trace: bool,
) -> None:
    if trace and resolution.steps is not None:
        for line in trace_lines(resolution.steps):
            click.echo(printable(line))
        click.echo()
    if why is not None:
        for line in str(resolution.why(why)).splitlines():
            click.echo(printable(line))
        return
    state = entries_of(resolution.state)
    out = console()
    out.print(f"resolved state: {len(state)} entries from {len(sets)} states", style="bold")
    for key in sorted(state):
        _print_entry(loaded, key, state[key], "  ")
    for name, known in zip(names, sets, strict=True):
        different = _differences(state, known)
        out.print()
        out.print(printable(f"against {name}: {len(different)} entries differ"), style="bold")
        for key, given, resolved in different:
            click.echo(
                printable(f"  {key[0]} {json.dumps(key[1])}: {given or 'absent'} -> {resolved or 'absent'}")
            )
