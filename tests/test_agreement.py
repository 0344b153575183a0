"""The commands and the library agree on every event.

`check`, `state`, `auth` and `resolve` run in this process. What they print and their exit codes are compared
with what `check_room`, `check_auth`, `check_against_state` and `resolve` return for the same input. The
inputs are the recorded rooms, whole and in part, with and without their header, and the cases of the suite
whose input is a room.

By default, a few forms of each recorded room, a few of their events, and a few cases are compared;
all of them with ``--every-event``.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from builder import VERSIONS, key_of
from command_line import Write, run

from roomver import (
    CyclicGraph,
    Event,
    MissingEvents,
    RoomverError,
    UnknownState,
    WrongRoom,
    check_against_state,
    check_auth,
    get_room_version,
    parse_event,
    resolve,
    sign_event,
)
from roomver.auth import state_of_auth_events
from roomver.cli import auth as auth_command
from roomver.cli import state as state_command
from roomver.cli.loading import load_room
from roomver.entry import Entry, Place
from roomver.explain.resets import Intent, explain_resets
from roomver.findings import Action, FindingKind
from roomver.keys import NO_KEYS, read_key_table
from roomver.readers.suite import load_cases
from roomver.replay import Status
from roomver.room_check import Beliefs, RoomCheck, check_room
from roomver.state import EventsOf, PartialState, entries_of, forget_strange
from roomver.state_document import main_room
from roomver.suite.document import Case
from roomver.types import EventId, StateMap

SUITE = Path(__file__).parents[1] / "vectors"
FORMS = [
    f"{lines} {keys}"
    for lines in ("recorded", "bare", "in part")
    for keys in ("no keys", "some keys", "all keys", "unsigned")
    if (lines, keys) != ("recorded", "no keys")  # the header has keys
]

# What a server does with an event. `check` lists no event that is accepted, so this is not an `Action`.
ACCEPTED, SOFT_FAILED, REJECTED, UNDECIDED, DROPPED = "accepted", "soft-fail", "reject", "fetch", "drop"
CHECKS = ("its auth events", "the state before it", "the current state at its arrival")
EXIT_CODES = {ACCEPTED: 0, SOFT_FAILED: 1, REJECTED: 1, UNDECIDED: 3, DROPPED: 1}


@pytest.fixture
def one_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands load a room once. Each command reads and replays it anew otherwise."""
    loaded: deque[tuple[Any, Any]] = deque(maxlen=4)  # the commands take turns

    def load(file: str, *arguments: Any, **options: Any) -> Any:
        # An event decides which room is read only where a source has several. These files have one.
        one_room = {"choice": options["choice"]._replace(event_id=None)} if "choice" in options else {}
        asked = (file, Path(file).read_bytes(), arguments, options | one_room)
        for others, room in loaded:
            if others == asked:
                return room
        loaded.append((asked, load_room(file, *arguments, **options)))
        return loaded[-1][1]

    monkeypatch.setattr(auth_command, "load_room", load)
    monkeypatch.setattr(state_command, "load_room", load)


@dataclass
class Asked:
    """A room as the commands get it, and what the library says about it.

    Attributes:
        file: the file.
        options: of every command.
        ids: the IDs of all events of the file, in its order.
        found: what the library says.
        compared: whether the file says what its server decided.
    """

    file: str
    options: list[str]
    ids: list[EventId]
    found: RoomCheck
    compared: bool = False

    def run(self, command: str, *arguments: str) -> tuple[int, Any]:
        """Return the exit code of a command, and what it prints."""
        where = ["--room", self.file] if command == "auth" else [self.file]
        result = run(command, *where, *arguments, *self.options, "--json")
        return result.exit_code, json.loads(result.stdout) if result.stdout else None


# What the library says


def words_of(found: RoomCheck) -> dict[EventId, str]:
    """Return what a server does with each event, as the library says."""
    words = dict.fromkeys(found.gathered.left_out, DROPPED)
    for event_id, outcome in found.replay.outcomes.items():
        if outcome.status is Status.UNDECIDED:
            words[event_id] = UNDECIDED
        elif not outcome.accepted:
            words[event_id] = REJECTED
        else:
            words[event_id] = SOFT_FAILED if event_id in found.replay.soft_failed else ACCEPTED
    words |= dict.fromkeys(found.replay.current_unknown, UNDECIDED)
    return words | {event_id: DROPPED for event_id in found.gathered.events if event_id not in words}


def refusal_of(found: RoomCheck, event_id: EventId) -> FindingKind | None:
    """Return why an event has no place in the replay; None if it has one."""
    if event_id in found.gathered.left_out:
        return found.gathered.left_out[event_id].kind
    outcome = found.replay.outcomes.get(event_id)
    if outcome is None or outcome.status is Status.CYCLIC:
        return found.findings[event_id][0].kind
    return None


def verdict_of(check: Callable[[], Any]) -> bool | None:
    """Return whether a check allows an event; None if it is undecided."""
    try:
        return bool(check().allowed)
    except (MissingEvents, UnknownState):
        return None


# What the commands say


def checked(asked: Asked) -> dict[EventId, str]:
    """Return what `check` says about each event, and compare its exit code with the library."""
    code, data = asked.run("check")
    found = asked.found
    (file,) = data["files"]
    words = dict.fromkeys(asked.ids, ACCEPTED)
    for event in (*file["events"], *file["room"]["agreed"]):
        actions = [finding["action"] for finding in event["findings"]]
        for word in (SOFT_FAILED, REJECTED, UNDECIDED, DROPPED):  # the last of them counts
            if word in actions:
                words[event["event_id"] or event["claimed_id"]] = word
    bad = any(
        Action.FETCH.value not in {finding["action"] for finding in event["findings"]}
        for event in file["events"]
        if event["findings"]
    )
    for one in file["room"]["current_unknown"]:
        words[one["event_id"]] = UNDECIDED
    undecided = UNDECIDED in words.values()
    resets = {one.intent for one in explain_resets(found)}
    bad = bad or bool(found.state_differs) or Intent.UNINTENDED in resets
    undecided = undecided or found.not_compared or Intent.UNKNOWN in resets or bool(found.replay.unsought)
    assert code == (1 if bad else 3 if undecided else 0)
    assert data["ok"] == (code == 0) == (found.ok and resets <= {Intent.DESIGNED})
    room = file["room"]
    assert room["forward_extremities"] == list(found.replay.forward_extremities)
    assert room["extremities_known"] == found.replay.extremities_known
    current = found.replay.current_state
    assert room["state_size"] == (None if current is None else len(entries_of(current)))
    return words


def same_state(answer: tuple[int, Any], state: StateMap[EventId] | None) -> None:
    """Compare a printed state, and the exit code, with a state."""
    code, data = answer
    if state is None:
        assert (code, data) == (3, None)
        return
    entries = entries_of(state)
    in_part = isinstance(state, PartialState)
    assert code == (3 if in_part else 0 if entries else 1)
    printed = data["state"] if type(data) is dict else data
    assert [entry["event_id"] for entry in printed] == [entries[key] for key in sorted(entries)]
    unknown = data.get("unknown", []) if type(data) is dict else []
    assert unknown == [one.to_dict() for one in (state.unknown if isinstance(state, PartialState) else ())]


def same_verdicts(asked: Asked, event_id: EventId, word: str) -> None:
    """Compare what `auth` says about an event with the library."""
    code, rows = asked.run("auth", event_id)
    found = asked.found
    assert code == EXIT_CODES[word]
    said = {row["against"]: row["allowed"] for row in rows}
    refusal = refusal_of(found, event_id)
    if refusal is not None:
        assert said == {"the checks on receipt": False}
        (kind,) = {finding["kind"] for finding in rows[0]["findings"]}
        assert kind == refusal.value
        return
    event, events, replayed = found.gathered.events[event_id], found.gathered.events, found.replay
    undecided = {one for one, other in replayed.outcomes.items() if other.status is Status.UNDECIDED}
    assert replayed.undecided == undecided
    rejected = replayed.rejected
    own = None
    if not undecided & {*event.auth_event_ids}:
        own = verdict_of(lambda: check_auth(event, None, events, rejected=rejected))
    before = replayed.state_before(event_id)
    by_state = None
    if before is not None and own is not None:
        state = EventsOf(before, events)
        by_state = verdict_of(lambda: check_against_state(event, state))
    current = replayed.current_check(event_id).allowed
    assert [said[one] for one in CHECKS] == [own, by_state, current]


def same_states(asked: Asked, event_id: EventId, word: str) -> None:
    """Compare what `state` and `resolve` say at an event with the library."""
    if word == DROPPED:
        assert asked.run("state", "--at", event_id) == (2, None)
        assert asked.run("resolve", "--at", event_id) == (2, None)
        return
    replayed = asked.found.replay
    before = replayed.state_before(event_id)
    same_state(asked.run("state", "--at", event_id), replayed.state_after(event_id))
    same_state(asked.run("state", "--at", event_id, "--before"), before)
    code, data = asked.run("resolve", "--at", event_id)
    try:
        state = replayed.resolution_at(event_id).state
    except (MissingEvents, UnknownState):
        assert (code, data) == (3, None)
        return
    assert code == (3 if isinstance(state, PartialState) else 0)
    printed = [entry["event_id"] for entry in data["state"]]
    assert printed == [entries_of(state)[key] for key in sorted(entries_of(state))]
    if refusal_of(asked.found, event_id) is None:  # an event on a cycle has no place in the order
        assert before is not None
        assert entries_of(state) == entries_of(before)


def all_agree(asked: Asked, chosen: list[EventId]) -> None:
    """Compare all commands with the library: `check` on every event, the others on the chosen ones."""
    words = words_of(asked.found)
    assert checked(asked) == words
    same_state(asked.run("state"), asked.found.replay.current_state)
    for event_id in chosen:
        same_verdicts(asked, event_id, words[event_id])
        same_states(asked, event_id, words[event_id])


# Recorded rooms


def one_of_each_kind(found: RoomCheck) -> set[EventId]:
    """Return an event with each kind of finding."""
    findings = {event_id: some[0] for event_id, some in found.findings.items()}
    findings |= {**found.agreed, **found.gathered.left_out}
    return {*{finding.kind: event_id for event_id, finding in findings.items()}.values()}


@cache
def recording(version: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    header, *lines = (SUITE / "rooms" / f"v{version}.jsonl").read_bytes().splitlines()
    return json.loads(header), [json.loads(line) for line in lines]


def in_part(lines: list[dict[str, Any]], version: str) -> list[dict[str, Any]]:
    """Return the lines without some events, with one that is forged and one that nobody signed."""
    left = [line for number, line in enumerate(lines, 1) if number % 60]
    forged, unsigned = left[50], left[100]
    pdu = {key: value for key, value in forged["pdu"].items() if key != "signatures"}
    server = forged["pdu"]["sender"].partition(":")[2]
    (key_id,) = forged["pdu"]["signatures"][server]
    wrong: dict[str, Any] = sign_event(pdu, version, server, key_of("somebody else"))
    (signature,) = wrong["signatures"][server].values()
    left[50] = {**forged, "pdu": {**pdu, "signatures": {server: {key_id: signature}}}}
    left[100] = {**unsigned, "pdu": {**unsigned["pdu"], "signatures": {}}}
    return left


def asked_about(version: str, form: str, write: Write) -> Asked:
    """Write a form of a recorded room, and ask the library about it."""
    header, lines = recording(version)
    names = sorted(header["keys"])
    servers = names if "all keys" in form else names[:1] if "some keys" in form else []
    options, keys = (["--unsigned"], None) if "unsigned" in form else ([], NO_KEYS)
    table = {server: header["keys"][server] for server in servers}
    if servers:
        options, keys = ["--keys", write("keys.json", table)], read_key_table(table)
    beliefs = None
    if form.startswith("recorded"):
        lines = [{**header, "keys": table}, *lines]
        options, beliefs = options[:1] if "unsigned" in form else [], Beliefs.of_header(header)
    else:
        options += ["--room-version", version]
    if form.startswith("in part"):
        lines = in_part(lines, version)
    file = write("room.jsonl", lines)
    entries = [
        Entry(Place(number, ""), line["event_id"], line["pdu"])
        for number, line in enumerate(lines, 1)
        if "pdu" in line
    ]
    found = check_room(entries, version, keys=keys, beliefs=beliefs)
    return Asked(file, options, [str(entry.claimed_id) for entry in entries], found, beliefs is not None)


@pytest.mark.usefixtures("one_load")
@pytest.mark.parametrize("version", VERSIONS)
def test_commands_and_library_agree_on_recorded_rooms(version: str, write: Write, every_event: bool) -> None:
    first = VERSIONS.index(version)
    for number, form in enumerate(FORMS if every_event else FORMS[first % 6 :: 6]):
        asked = asked_about(version, form, write)
        some = {*asked.ids[(first + 7 * number) % 60 :: 60], *one_of_each_kind(asked.found)}
        all_agree(asked, asked.ids if every_event else sorted(some))


def test_the_forms_of_the_recorded_rooms_have_events_of_every_kind(write: Write) -> None:
    """Events of each kind are compared: the test above would not notice if there were none."""
    words = [words_of(asked_about("12", form, write).found) for form in FORMS]
    assert {word for one in words for word in one.values()} == EXIT_CODES.keys()


@pytest.mark.parametrize("version", ["1", "6", "12"])
def test_each_command_loads_the_room_alike(version: str, write: Write) -> None:
    """Without the fixture that loads a room once."""
    asked = asked_about(version, "in part some keys", write)
    all_agree(asked, asked.ids[100:102])


# Files of other kinds

CASES = sorted((Path(__file__).parent / "data" / "cases").glob("*.json*"))


def said_of_all(file: str) -> dict[EventId, str] | None:
    """Return what `check` says about each event of a file; None if it does not read the file as a room."""
    result = run("check", "--json", file)
    if result.exit_code == 2:
        return None
    (data,) = json.loads(result.stdout)["files"]
    words = dict.fromkeys(load_room(file, None, NO_KEYS).events, ACCEPTED)
    for event in (*data["events"], *data["room"]["agreed"]):
        findings = [finding for finding in event["findings"] if finding["kind"] != "server-differs"]
        actions = {finding["action"] for finding in findings}
        for word in (SOFT_FAILED, REJECTED, UNDECIDED, DROPPED):
            if word in actions:
                words[event["event_id"]] = word
    words |= {one["event_id"]: UNDECIDED for one in data["room"]["current_unknown"]}
    return words


@pytest.mark.usefixtures("one_load")
def test_check_and_auth_agree_on_every_event_of_a_file() -> None:
    compared = 0
    for file in map(str, CASES):
        for event_id, word in (said_of_all(file) or {}).items():
            result = run("auth", "--room", file, event_id)
            assert result.exit_code == EXIT_CODES[word], (file, event_id, word, result.output)
            compared += 1
    assert compared > 150


# The suite


@cache
def every_case() -> tuple[Case, ...]:
    return tuple(load_cases([SUITE / "auth", SUITE / "resolution", SUITE / "disputed"]))


def cases(*operations: str) -> Iterator[Case]:
    return (case for case in every_case() if case.operation in operations)


def input_of(case: Case) -> dict[str, Any]:
    return dict(case.input)


def own_ids(case: Case) -> bool:
    """Tell whether the events of a case are under the IDs that a command computes."""
    version = get_room_version(case.room_version)
    try:
        return all(parse_event(pdu, version).event_id == key for key, pdu in input_of(case)["events"].items())
    except (RoomverError, AttributeError):
        return False


def asked_of_case(case: Case, write: Write) -> Asked | None:
    """Write the room of a case, and ask the library about it.

    None if both say that the room has another version.
    """
    pdus = input_of(case)["events"]
    entries = [Entry(Place(number, ""), key, pdu) for number, (key, pdu) in enumerate(pdus.items(), 1)]
    file = write("case.jsonl", [{"event_id": key, "pdu": pdu} for key, pdu in pdus.items()])
    options = ["--room-version", case.room_version, "--unsigned"]
    try:
        found = check_room(entries, case.room_version, keys=None)
    except WrongRoom as error:
        wrong = str(error)
    else:
        return Asked(file, options, [*pdus], found)
    result = run("check", file, *options)
    assert result.exit_code == 2
    assert wrong in result.stderr
    return None


@pytest.mark.usefixtures("one_load")
def test_commands_and_library_agree_on_the_cases_that_are_rooms(write: Write, every_event: bool) -> None:
    some = [case for case in cases("check", "resolve") if own_ids(case) and input_of(case)["events"]]
    assert len(some) > 50
    for case in some if every_event else some[::10]:
        asked = asked_of_case(case, write)
        if asked is None:
            continue
        all_agree(asked, asked.ids if every_event else asked.ids[-1:])
        if case.operation == "resolve":
            same_resolution(asked, input_of(case)["state_sets"], write)


def same_resolution(asked: Asked, sets: list[list[EventId]], write: Write) -> None:
    """Compare `resolve --sets` with the library: the states of a case."""
    events, outcomes = asked.found.gathered.events, asked.found.replay.outcomes
    undecided = {key for key, outcome in outcomes.items() if outcome.status is Status.UNDECIDED}
    rejected = asked.found.replay.rejected | undecided
    if not all(sets) or not sets or not {one for ids in sets for one in ids} <= events.keys():
        return
    arguments = [one for n, ids in enumerate(sets) for one in ("--sets", write(f"{n}.txt", "\n".join(ids)))]
    code, data = asked.run("resolve", *arguments)
    states = [{(events[one].type, str(events[one].state_key)): one for one in ids} for ids in sets]
    try:
        # The undecided events count as rejected here, and as accepted there.
        state = resolve(states, events, rejected=rejected).state
        other = resolve(states, events, rejected=rejected - undecided).state
    except MissingEvents:
        assert (code, data) == (3, None)
        return
    except CyclicGraph:
        assert (code, data) == (2, None)
        return
    if code == 3:
        assert data is None
        assert undecided
        return
    assert code == 0
    assert state == other
    assert [entry["event_id"] for entry in data["state"]] == [state[key] for key in sorted(state)]


@pytest.mark.usefixtures("one_load")
def test_commands_and_library_agree_on_the_cases_of_the_auth_rules(write: Write, every_event: bool) -> None:
    some = [case for case in cases("auth") if own_ids(case)]
    assert len(some) > 1000
    for case in some if every_event else some[::60]:
        asked = asked_of_case(case, write)
        if asked is None:
            continue
        all_agree(asked, [input_of(case)["event"]])
        same_against_state(asked, case, write)


def same_against_state(asked: Asked, case: Case, write: Write) -> None:
    """Compare `auth --state` with the library: the state of the case, or that of the event's auth events."""
    given, version = input_of(case), get_room_version(case.room_version)
    events = {key: parse_event(pdu, version) for key, pdu in given["events"].items()}
    event = events[given["event"]]
    if "state" in given:
        state = {(one.type, str(one.state_key)): one for one in map(events.__getitem__, given["state"])}
    else:
        try:
            state = dict(state_of_auth_events(event, events))
        except (RoomverError, KeyError):
            return
    if not state:
        return
    lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in state.values()]
    line = {"event_id": event.event_id, "pdu": event.pdu}
    arguments = [write("event.json", line), "--state", write("state.jsonl", lines), *asked.options]
    result = run("auth", *arguments, "--json")
    room_id = main_room(state.values())
    if room_id != event.room_id:
        # Two rooms are a wrong call, or a reason to refuse.
        assert result.exit_code in {1, 2}, case.name
        return
    # What the room has in the place of an event of another room is unknown.
    strange = {key: one.event_id for key, one in state.items() if one.room_id != room_id}
    known: StateMap[Event] = forget_strange(state, strange)
    (row,) = json.loads(result.stdout)
    assert row["allowed"] is verdict_of(lambda: check_against_state(event, known)), case.name
    assert result.exit_code == {True: 0, False: 1, None: 3}[row["allowed"]]
