"""``roomver state`` and ``roomver resolve``: the state of a room, and how it was resolved."""

from difflib import get_close_matches
from pathlib import Path

import click

from ..errors import Lack, MissingEvents, RoomverError, UnknownState, counted, listed
from ..readers import InputError, read_state_ids
from ..replay import Replay
from ..resolution import Resolution, resolve
from ..selection import select_auth_types
from ..state import entries_of, lack_of, unknown_of
from ..types import EventId, StateKey, StateMap
from ..versions import RoomVersion, StateResolution
from .cache import cache_option
from .common import (
    UNHASHED,
    algorithm_option,
    also_option,
    as_recorded_option,
    check_unhashed,
    display_name,
    example,
    joint_name,
    opened,
    read_key_files,
    signature_options,
    unhashed_option,
)
from .escaped import ascii_json, printable
from .heard import say
from .loaded import LoadedRoom
from .loading import load_room
from .merged import check_call
from .processes import jobs_option
from .progress import work_progress
from .recorded import server_lines
from .resolved import (
    entry_data,
    no_entry,
    print_entries,
    print_resolution,
    print_trace,
    print_why,
    resolution_data,
    unknown_among,
)
from .sources import Choice, room_option, source_argument
from .version_options import room_version_option

_State = dict[StateKey, EventId]


@click.command(
    epilog=example(
        "roomver state room.jsonl\n"
        "roomver state room.jsonl --at '$eventid' --type m.room.member\n"
        "roomver state homeserver.db --room '!roomid'"
    )
)
@source_argument("room")
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
@jobs_option()
@unhashed_option()
@cache_option()
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
    unhashed: bool,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Print the state of a room, current or at an event.

    SOURCE is a file or a database, as for `roomver check`. Long contents are cut, and end with …; --json has
    them whole.

    A state that is known in part is printed as far as it is known, and standard error says what is unknown.
    With --json it is then an object with the keys state and unknown, which every command reads as such. With
    --unhashed the output says that nothing was verified; in JSON, the object has the key unhashed.

    Exit code: 0 printed, 1 no such entry, 2 usage error or unreadable file, 3 undecided: the state, or a part
    of it that was asked for, is unknown.
    """
    if before and at is None:
        raise click.UsageError("--before needs --at")
    check_unhashed(unhashed, key_files, now, as_recorded=as_recorded)
    keys = None if unsigned or unhashed else read_key_files(key_files, now)
    loaded = load_room(
        room,
        version,
        keys,
        more_files,
        choice=choice._replace(event_id=at),
        as_recorded=as_recorded,
        algorithm=algorithm,
        unhashed=unhashed,
        cache=cache,
    )
    replayed = loaded.replay
    event_id, found, what = None, replayed.current_state, "the current state"
    if at is not None:
        event_id = loaded.event(at).event_id
        found = replayed.state_before(event_id) if before else replayed.state_after(event_id)
        what = f"the state {'before' if before else 'after'} {event_id}"
    call = None if at is not None else check_call([room, *more_files], choice)
    about_server = server_lines(loaded.beliefs, loaded.found, call)
    if found is None:
        loaded.say_lines(about_server)
        loaded.say_missing(what, event_id)
        raise click.exceptions.Exit(3)
    chosen = {
        entry: event_id
        for entry, event_id in entries_of(found).items()
        if (kind is None or entry[0] == kind) and (key is None or entry[1] == key)
    }
    unknown = unknown_among(found, kind, key)
    if as_json:
        entries = [entry_data(loaded, chosen[entry]) for entry in sorted(chosen)]
        whole: dict[str, object] = {"state": entries}
        if unknown:
            whole["unknown"] = [one.to_dict() for one in unknown]
        if unhashed:
            whole["unhashed"] = True
        click.echo(ascii_json(whole if len(whole) > 1 else entries, indent=1))
    else:
        if unhashed:
            click.echo(UNHASHED)
        print_entries(loaded, chosen)
    loaded.say_lines(about_server)
    if unknown:
        loaded.say_in_part(what, event_id, unknown)
        raise click.exceptions.Exit(3)
    if at is None:
        agrees = "what is printed agrees with the server's state"
        _say(loaded, *(f"{one.reason}; {agrees}" for one in loaded.found.lost))
    if not chosen:
        say(printable(f"roomver: {loaded.file}: {no_entry(what, found, kind, key)}"))
        raise click.exceptions.Exit(1)


@click.command(
    "resolve",
    short_help="Resolve states of a room, and explain the result.",
    epilog=example(
        "roomver resolve room.jsonl --at '$eventid' --why m.room.topic ''\n"
        "roomver resolve room.jsonl --sets a.json --sets b.json --algorithm v2.1\n"
        "roomver resolve homeserver.db --room '!roomid' --at '$eventid'"
    ),
)
@source_argument("room")
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
@jobs_option()
@unhashed_option()
@cache_option()
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
    unhashed: bool,
    cache: Path | None,
    as_json: bool,
) -> None:
    """Resolve states of a room, and print the result and how it differs from each.

    SOURCE is a file or a database, as for `roomver check`.

    With --at, the states after the prev events of that event are resolved; with --sets, the states in
    those files; otherwise, the states after the room's forward extremities. If the file itself gives the
    state at that point, as a server's response does, that state is used alone.

    States that are known in part are resolved if more knowledge could not change the result. So are states
    whose auth chains have undecided events.

    With --unhashed the output says that nothing was verified; JSON has the key unhashed.

    Exit code: 0 resolved, 2 usage error or unreadable file, 3 undecided: a state or an event is missing, the
    result depends on an undecided event, or it is unknown in part.
    """
    if at is not None and set_files:
        raise click.UsageError("give one of --at and --sets")
    check_unhashed(unhashed, key_files, now, as_recorded=as_recorded)
    keys = None if unsigned or unhashed else read_key_files(key_files, now)
    loaded = load_room(
        room,
        version,
        keys,
        more_files,
        choice=choice._replace(event_id=at),
        as_recorded=as_recorded,
        unhashed=unhashed,
        cache=cache,
    )
    at_event = None if at is None else loaded.event(at).event_id
    given = _read_sets(loaded, set_files)
    slip = None if why is None else _find_slip(loaded, *why)
    try:
        replayed = loaded.replay
        names, sets = given or _states_met(replayed, at_event)
        with work_progress("the resolution"):
            resolution = resolve(
                sets,
                loaded.events,
                # A file may give states of events that the replay could not decide.
                graph=None if set_files else replayed.graph,
                rejected=replayed.rejected,
                algorithm=None if algorithm is None else StateResolution(algorithm),
                trace=True,
            )
    except UnknownState as error:
        too_many = at is None and loaded.replay.too_many_states
        loaded.say(str(error), (), None if too_many else loaded.lack_behind(error.lack, at_event))
        _say(loaded, slip)
        raise click.exceptions.Exit(3) from None
    except MissingEvents as error:
        loaded.say("the resolution is undecided", error.event_ids, Lack.STATE)
        _say(loaded, slip)
        raise click.exceptions.Exit(3) from None
    except RoomverError as error:
        raise InputError(joint_name(room, more_files), str(error)) from None
    if depends_on := _undecided_read(loaded, resolution, replayed.undecided):
        _say_undecided(loaded, depends_on)
        _say(loaded, slip)
        raise click.exceptions.Exit(3)
    unknown = unknown_of(resolution.state) if why is None else unknown_among(resolution.state, *why)
    if slip is not None and not unknown:
        raise InputError(loaded.file, slip)
    explained = None if unknown else why
    if as_json:
        data = resolution_data(loaded, names, sets, resolution, explained, trace)
        click.echo(ascii_json({**data, "unhashed": True} if unhashed else data, indent=1))
    else:
        if unhashed:
            click.echo(UNHASHED)
        if trace:
            print_trace(resolution)
        if why is None:
            print_resolution(loaded, names, sets, resolution)
        elif explained is not None:
            print_why(resolution, explained)
    if unknown:
        parts = "; ".join(map(str, unknown))
        missing = [] if set_files else replayed.lacking(at_event)
        lack = loaded.lack_behind(lack_of(unknown), at_event)
        loaded.say(f"the result is known in part. Unknown: {parts}", missing, lack)
        raise click.exceptions.Exit(3)


def _say(loaded: LoadedRoom, *texts: str | None) -> None:
    """Say each of these texts on standard error; None is skipped."""
    for text in texts:
        if text is not None:
            say(printable(f"roomver: {loaded.file}: {text}"))


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
    text = f"the result depends on undecided events: {listed(undecided)}"
    loaded.say(text, loaded.replay.lacking(*undecided), Lack.STATE)


def _find_slip(loaded: LoadedRoom, kind: str, key: str) -> str | None:
    """Say that no event of the room could be the requested entry, for example because the type is mistyped.

    None if there is one.
    """
    keys: dict[str, set[str]] = {}
    for event in loaded.events.values():
        if event.state_key is not None:
            keys.setdefault(event.type, set()).add(event.state_key)
    if kind in keys and key in keys[kind]:
        return None
    known, name = (
        (keys[kind], f"type {kind} and the state key {key!r}") if kind in keys else (keys, f"type {kind}")
    )
    close = get_close_matches(key if kind in keys else kind, known, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"no state event has the {name}{hint}"


def _states_met(replayed: Replay, event_id: EventId | None) -> tuple[list[str], list[StateMap[EventId]]]:
    states = replayed.states_met(event_id)
    return [parent or "the given state" for parent in states], list(states.values())


def _read_sets(
    loaded: LoadedRoom, files: tuple[str, ...]
) -> tuple[list[str], list[StateMap[EventId]]] | None:
    """Return the names and the states of files; None without files.

    The command ends with exit code 3 if some of their events are missing.
    """
    sets: list[StateMap[EventId]] = []
    all_missing = []
    for file in files:
        state, missing = _read_set(loaded, file)
        sets.append(state)
        if missing:
            are = "is" if len(missing) == 1 else "are"
            events = counted(len(missing), "event", "events")
            all_missing.append(f"{events} of {display_name(file)} {are} missing: {listed(missing)}")
    if all_missing:
        _say(loaded, *all_missing)
        raise click.exceptions.Exit(3)
    return ([display_name(file) for file in files], sets) if files else None


def _read_set(loaded: LoadedRoom, file: str) -> tuple[_State, list[str]]:
    """Return the state in a file, and its missing events."""
    with opened(file) as stream:
        ids = read_state_ids(stream, display_name(file))
    found: _State = {}
    missing = []
    left_out = loaded.found.gathered.left_out
    for item in ids:
        if loaded.may_lack(item):
            missing.append(f"{item} (left out)" if item in left_out else item)
            continue
        event = loaded.event(item)
        if event.state_key is None:
            raise InputError(display_name(file), f"{item} is not a state event")
        key = (event.type, event.state_key)
        if found.setdefault(key, event.event_id) != event.event_id:
            raise InputError(display_name(file), f"two events for {key[0]} {key[1]!r}")
    return found, missing
