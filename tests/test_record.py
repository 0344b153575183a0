"""``roomver record``: what `check` says about a recording is what it says about the source."""

import gzip
import io
import json
import re
import sqlite3
from pathlib import Path
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room
from command_line import Write, case, entries, header, public_room, run
from forms import FORMS, pairs, small_room
from played_rooms import played
from synapse_db import FIXTURE

from roomver import get_room_version, parse_event
from roomver.entry import Entry, Place
from roomver.keys import KeyRing, VerifyKey
from roomver.known_states import KnownStates
from roomver.readers import read_room
from roomver.recording import Recording, recording_lines
from roomver.state import PartialState, Unknown

ROOMS = Path(__file__).parents[1] / "vectors" / "rooms"


PLACE = re.compile(r"(?:/\S+, )?(?:line [0-9]+|(?:state|auth_chain|pdus)\[[0-9]+\])")


def placeless(value: Any) -> Any:
    """Return a JSON value without places in an input."""
    if isinstance(value, dict):
        places = ("file", "line", "path", "claimed_id")
        return {key: placeless(item) for key, item in value.items() if key not in places}
    if isinstance(value, list):
        return [placeless(item) for item in value]
    return PLACE.sub("somewhere", value) if isinstance(value, str) else value


def said(*arguments: str) -> dict[str, Any]:
    """Return what ``check --json`` says about one file, without the places in it."""
    (found,) = json.loads(run("check", "--json", *arguments).stdout)["files"]
    found["room"].pop("repeated", None)  # a recording has each event once
    return {
        key: placeless(value)
        for key, value in found.items()
        if key not in ("file", "source", "sources", "room_id")
    }


def recorded(tmp_path: Path, *arguments: str) -> str:
    """Record a source, and return the path of the recording."""
    path = str(tmp_path / "recording.jsonl")
    result = run("record", *arguments, "-o", path, "--force")
    assert result.exit_code == 0, result.output
    return path


def alike(tmp_path: Path, *arguments: str) -> str:
    """Record a source, compare what is said of both, and return the recording's path."""
    path = recorded(tmp_path, *arguments)
    expected = said(*arguments)
    assert "error" not in expected
    assert said(path) == expected
    # A recording is a source too.
    again = str(tmp_path / "again.jsonl")
    assert run("record", path, "-o", again, "--force").exit_code == 0
    assert Path(again).read_bytes() == Path(path).read_bytes()
    return path


def head(path: str) -> dict[str, Any]:
    with Path(path).open() as stream:
        return dict(json.loads(stream.readline()))


def test_each_event_is_recorded_once(write: Write, tmp_path: Path) -> None:
    plain = [json.loads(line) for line in (ROOMS / "v11.jsonl").read_text().split("\n")[:-1]]
    first, second = plain[: len(plain) // 2 + 9], [plain[0], *plain[len(plain) // 2 - 9 :]]
    files = [write(f"{n}.jsonl", one) for n, one in enumerate((first, second))]
    path = recorded(tmp_path, files[0], "--also", files[1])
    lines = [json.loads(line) for line in Path(path).read_text().split("\n")[1:-1]]
    assert lines == plain[1:]
    once, whole = (
        json.loads(run("check", "--json", one).stdout)["files"][0]["summary"]
        for one in (path, str(ROOMS / "v11.jsonl"))
    )
    assert once == whole


# Round trips


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recorded_room_is_recorded_again(version: str, tmp_path: Path) -> None:
    source = ROOMS / f"v{version}.jsonl"
    path = alike(tmp_path, str(source))
    old, new = source.read_text().split("\n"), Path(path).read_text().split("\n")
    assert new[1:] == old[1:]
    # Version 1 knows no events that its server had not judged.
    assert json.loads(new[0]) == {**json.loads(old[0]), "format": "roomver-room/2", "unsettled": []}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_recorded(form: str, write: Write, tmp_path: Path) -> None:
    events = pairs(small_room())
    path = alike(tmp_path, write("room.txt", FORMS[form](events)))
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()[1:]]
    for line in lines:
        assert line["pdu"].pop("event_id", line["event_id"]) == line["event_id"]
    assert {line["event_id"]: line["pdu"] for line in lines} == dict(events)


@pytest.mark.parametrize(
    "name", ["b_sendjoin_partial.json", "b_sendjoin_full.json", "f1_recording.jsonl", "f4_recording.jsonl"]
)
def test_reported_inputs_are_recorded(name: str, tmp_path: Path) -> None:
    alike(tmp_path, case(name))


def answer(version: str = "11", **more: Any) -> tuple[Room, dict[str, Any], list[Any]]:
    """Return a room, a server's answer to Carol's join, and the events after it."""
    built = public_room(version)
    built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    before = [event.pdu for event in built.state.values()]
    chain = [event.pdu for event in built.events.values()]
    joined = built.member(CAROL, "join")
    after = [built.add("m.room.message", user, {"body": "x"}).pdu for user in (CAROL, BOB)]
    document = {"state": before, "auth_chain": chain, "event": joined.pdu, "room_version": version, **more}
    return built, document, after


@pytest.mark.parametrize("version", ["1", "6", "12"])
@pytest.mark.parametrize("omitted", [False, True])
def test_the_state_at_a_join_is_recorded(version: str, omitted: bool, write: Write, tmp_path: Path) -> None:
    _, document, after = answer(version, members_omitted=omitted)
    if omitted:
        document["state"] = [pdu for pdu in document["state"] if pdu["type"] != "m.room.member"]
    source = write("answer.json", document)
    path = alike(tmp_path, source, "--also", write("after.jsonl", after))
    (state,) = head(path)["states"].values()
    assert len(state["state"]) == len(document["state"])
    assert [one["types"] for one in state.get("unknown", [])] == [["m.room.member"]] * omitted
    # It decides: without the state, the events after it are undecided.
    lines = Path(path).read_text().splitlines(keepends=True)
    first = json.loads(lines[0])
    del first["states"]
    kept = [line for line in lines[1:] if json.loads(line)["pdu"]["type"] != "m.room.create"]
    assert run("check", "--unsigned", path).exit_code == 0
    without = write("without.jsonl", json.dumps(first) + "\n" + "".join(kept))
    assert said(without)["summary"]["undecided"] > said(path)["summary"]["undecided"]


@pytest.mark.parametrize("unknown", [False, True])
def test_a_given_current_state_is_recorded(unknown: bool, write: Write, tmp_path: Path) -> None:
    _, document, _ = answer()
    del document["event"]
    if unknown:
        document["unknown"] = [{"reason": "x"}]
    path = alike(tmp_path, write("state.json", document))
    current = head(path)["current"]
    assert len(current["state"]) == len(document["state"])
    assert ("unknown" in current) is unknown


def test_what_a_state_has_lost_is_recorded(write: Write, tmp_path: Path) -> None:
    built, document, after = answer()
    index = next(i for i, pdu in enumerate(document["state"]) if pdu["type"] == "m.room.join_rules")
    lost = document["state"][index] = {**document["state"][index], "signatures": {}}
    document["auth_chain"] = [pdu for pdu in document["auth_chain"] if pdu["type"] != lost["type"]]
    path = alike(tmp_path, write("answer.json", document), "--also", write("after.jsonl", after))
    (state,) = head(path)["states"].values()
    (unknown,) = state["unknown"]
    assert unknown["reason"].startswith("1 dropped, ")
    assert (unknown["types"], unknown["keys"]) == ([], [["m.room.join_rules", ""]])
    assert built.create.event_id in state["state"]


def test_an_event_that_is_taken_out_of_a_recording_makes_its_state_known_in_part(
    write: Write, tmp_path: Path
) -> None:
    built, document, after = answer()
    path = recorded(tmp_path, write("answer.json", document), "--also", write("after.jsonl", after))
    topic = built.state["m.room.topic", ""].event_id
    lines = Path(path).read_text().splitlines()
    fewer = "".join(line + "\n" for line in lines if json.loads(line).get("event_id") != topic)
    with Path(write("fewer.jsonl", fewer)).open("rb") as stream:
        room = read_room(stream, "input")
        events = {e.claimed_id or "": parse_event(e.pdu, room.version) for e in room.entries}  # type: ignore[arg-type]
    assert room.find_states is not None
    (state,) = room.find_states(events).given.values()
    assert isinstance(state, PartialState)
    assert [one.types for one in state.unknown] == [None]
    # A line with its ID tells which key it had.
    spoiled = [line.replace('"topic":"x"', '"topic":5.5') for line in lines]
    found = said(write("spoiled.jsonl", "".join(line + "\n" for line in spoiled)))
    assert found["summary"]["kinds"] == {"malformed": 1}
    (unknown,) = found["room"]["state_unknown"]
    assert unknown["reason"].startswith("1 dropped, somewhere")
    assert (unknown["types"], unknown["keys"]) == ([], [["m.room.topic", ""]])


@pytest.mark.parametrize("seed", range(12))
def test_random_rooms_with_given_states_are_recorded(seed: int, write: Write, tmp_path: Path) -> None:
    rng = Random(seed)
    version = rng.choice(VERSIONS)
    events = played(rng, version, 20, odd=True)
    gone = {event.event_id for event in rng.sample(events[6:], 4)}
    lines = [header(version)]
    lines += [{"event_id": e.event_id, "pdu": e.pdu} for e in events if e.event_id not in gone]
    plain = write("room.jsonl", lines)
    path = recorded(tmp_path, plain)
    assert said("--unsigned", path) == said("--unsigned", plain)


def test_a_database_is_recorded(tmp_path: Path) -> None:
    database = tmp_path / "homeserver.db"
    database.write_bytes(gzip.decompress(FIXTURE.read_bytes()))
    rooms = json.loads(run("rooms", "--json", str(database)).stdout)
    assert len(rooms) > 2
    with sqlite3.connect(database) as connection:
        # A third of the messages are gone, so the server's states are needed behind them.
        gone = "SELECT event_id FROM events WHERE type = 'm.room.message' AND stream_ordering % 3 = 0"
        connection.execute(f"DELETE FROM event_json WHERE event_id IN ({gone})")
        connection.execute("DELETE FROM events WHERE event_id NOT IN (SELECT event_id FROM event_json)")
    connection.close()
    before = database.read_bytes()
    given = []
    for room in rooms:
        path = alike(tmp_path, str(database), "--room", room["room_id"])
        given.append(len(head(path).get("states", {})))
        assert head(path)["server"] == "Synapse's database (schema 94)"
    assert sum(given) > 10
    assert database.read_bytes() == before


def test_events_that_the_server_did_not_have_are_told_apart(write: Write, tmp_path: Path) -> None:
    built = public_room()
    recorded_events = entries(built)
    late = built.add("m.room.message", "@eve:b.example", {"body": "x"})
    first = write("room.jsonl", [header(rejected=[], soft_failed=[]), *recorded_events])
    path = alike(tmp_path, first, "--also", write("late.jsonl", [late.pdu]))
    assert head(path)["not_judged"] == [late.event_id]
    (event,) = said(path)["events"]
    assert [finding["kind"] for finding in event["findings"]] == ["rejected"]


def test_ids_inside_of_events_are_recorded_where_they_were(write: Write, tmp_path: Path) -> None:
    built = small_room("12")
    lines = [{**pdu, "event_id": event_id} for event_id, pdu in pairs(built)]
    lines[0]["room_id"] = built.room_id
    lines[3]["event_id"] = "$wrong"
    path = alike(tmp_path, write("room.jsonl", lines))
    found = [json.loads(line)["pdu"] for line in Path(path).read_text().splitlines()[1:]]
    assert found == lines


def test_malformed_events_are_recorded_as_they_are(write: Write, tmp_path: Path) -> None:
    built = small_room()
    odd: list[Any] = [{"type": 5}, {"pdu": 5}, {"pdu": [None, 1.5]}, {"type": "x", "content": "\ud800"}]
    alike(tmp_path, write("room.jsonl", [*(pdu for _, pdu in pairs(built)), *odd]))


def test_what_is_not_json_is_kept_as_null_and_counted(write: Write, tmp_path: Path) -> None:
    """It was left out, so that the recording had no problems."""
    text = "".join(json.dumps(pdu) + "\n" for _, pdu in pairs(small_room()))
    source = write("room.jsonl", text + '{"type": NaN}\n{"type": 1e999}\n{broken\n')
    path = str(tmp_path / "out.jsonl")
    result = run("record", source, "-o", path)
    assert result.exit_code == 0
    assert f"{source}: 3 entries cannot be read or written as JSON; the recording has null" in result.stderr
    lines = Path(path).read_text().splitlines()
    assert lines[1 + len(text.splitlines()) :] == ['{"pdu":null}'] * 3
    assert said(path)["summary"]["bad"] == said(source)["summary"]["bad"] == 3


@pytest.mark.parametrize("options", [(), ("--anonymise",)])
def test_an_event_without_its_json_is_named_in_the_recording(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Synapse's table of events has it, and its table of their JSON does not."""
    database, path = tmp_path / "homeserver.db", str(tmp_path / "out.jsonl")
    database.write_bytes(gzip.decompress(FIXTURE.read_bytes()))
    with sqlite3.connect(database) as connection:
        sql = "SELECT room_id, event_id FROM events ORDER BY stream_ordering DESC LIMIT 1"
        ((room_id, gone),) = connection.execute(sql).fetchall()
        connection.execute("DELETE FROM event_json WHERE event_id = ?", (gone,))
    connection.close()
    source = ("--room", room_id, str(database))
    result = run("record", *source, *options, "-o", path)
    if not options:
        assert "1 entry cannot be read or written as JSON; the recording has null there" in result.stderr
    last = json.loads(Path(path).read_text().splitlines()[-1])
    assert last["pdu"] is None
    assert (last["event_id"] == gone) is not options
    for files in (source, (path,)):
        found = run("check", *files, "--json")
        (report,) = json.loads(found.stdout)["files"]
        assert (found.exit_code, report["summary"]["bad"]) == (1, 1)


def test_given_keys_become_part_of_the_recording(write: Write, tmp_path: Path) -> None:
    built = small_room()
    keys = write("keys.json", header()["keys"])
    path = recorded(tmp_path, write("room.jsonl", [pdu for _, pdu in pairs(built)]), "--keys", keys)
    assert head(path)["keys"] == header()["keys"]
    assert said(path)["summary"]["signatures"]["valid"] == len(built.events)


def test_different_keys_under_one_id_are_all_recorded() -> None:
    one, other = VerifyKey(b"1" * 32, 5, None), VerifyKey(b"2" * 32, None, 7)
    ring = KeyRing.joined([KeyRing.of({"x.org": {"ed25519:a": key}}) for key in (one, other)])
    built = Recording(get_room_version("11"), [], keys=ring)
    text = b"".join(recording_lines(built)) + b'{"type": "x", "hashes": {}}\n'
    assert read_room(io.BytesIO(text), "x").keys.keys == ring.keys


def test_states_are_recorded_as_changes_where_that_is_shorter() -> None:
    built = public_room()
    state = {key: event.event_id for key, event in built.state.items()}
    other = {**state, ("m.room.topic", ""): "$topic"}
    del other["m.room.member", BOB]
    given = {"$1": state, "$2": other, "$3": PartialState(state, [Unknown.members()]), "$4": {}}
    recording = Recording(built.version, [], states=KnownStates(given, {"$2": {"$9"}}, unknown={"$5": "why"}))
    (line,) = recording_lines(recording)
    written = json.loads(line)["states"]
    assert written["$2"] == {
        "base": "$1",
        "state": ["$topic"],
        "without": [state["m.room.member", BOB]],
        "accepted": ["$9"],
    }
    assert written["$3"]["base"] == "$2"
    assert written["$4"] == {"state": []}
    assert written["$5"] == {"why_unknown": "why"}
    room = read_room(io.BytesIO(line + b'{"type": "x", "hashes": {}}\n'), "x")
    assert room.find_states is not None
    events: dict[str, Any] = dict(built.events)
    topic = built.make("m.room.topic", ALICE, {}, state_key="")
    events |= {"$topic": topic, "$9": topic, **dict.fromkeys(given, topic), "$5": topic}
    found = room.find_states(events)
    assert found.given == given
    assert found.accepted == {"$2": {"$9"}}
    assert found.unknown == {"$5": "why"}


# Headers


BAD: list[tuple[dict[str, Any], str]] = [
    ({"states": []}, "states: expected an object, found []"),
    ({"states": {"$a": 5}}, 'states["$a"]: expected an object, found 5'),
    ({"states": {"$a": {"state": {}}}}, 'states["$a"].state: expected an array of event IDs, found {}'),
    ({"states": {"$a": {"state": [5]}}}, 'states["$a"].state[0]: expected an event ID, found 5'),
    ({"states": {"$a": {"accepted": 5}}}, 'states["$a"].accepted: expected an array of event IDs, found 5'),
    ({"states": {"$a": {"why_unknown": 5}}}, 'states["$a"].why_unknown: expected a string, found 5'),
    ({"states": {"$a": {"state": [], "unknown": {}}}}, 'states["$a"].unknown: expected an array of objects'),
    (
        {"states": {"$a": {"state": [], "unknown": [5]}}},
        'states["$a"].unknown[0]: expected an object, found 5',
    ),
    ({"states": {"$a": {"unknown": [{}]}}}, 'states["$a"].unknown[0].reason: expected a string, found null'),
    (
        {"current": {"unknown": [{"reason": "", "types": 5}]}},
        "current.unknown[0].types: expected an array of",
    ),
    (
        {"current": {"unknown": [{"reason": "", "types": [5]}]}},
        "current.unknown[0].types[0]: expected an event type, found 5",
    ),
    ({"current": {"unknown": [{"reason": "", "keys": 5}]}}, "current.unknown[0].keys: expected an array of"),
    (
        {"current": {"unknown": [{"reason": "", "keys": [["a"]]}]}},
        "current.unknown[0].keys[0]: expected a pair of an event type and a state key, found",
    ),
    (
        {"states": {"$a": {"state": [], "base": "$b"}}},
        'states["$a"].base: expected an event before it that has',
    ),
    ({"states": {"$a": {"state": [], "base": 5}}}, 'states["$a"].base: expected an event before it that has'),
    ({"current": {"state": [], "base": "$b"}}, "current.base: expected an event before it that has a state"),
    ({"states": {"$a": {"state": []}, "$b": {"base": "$a"}}}, 'states["$b"].base: expected an event before'),
    ({"outliers": 5}, "outliers: expected an array of event IDs, found 5"),
    ({"apart": [5]}, "apart[0]: expected an event ID, found 5"),
    ({"not_judged": 5}, "not_judged: expected an array of event IDs, found 5"),
    ({"more_keys": 5}, "more_keys: expected an array of tables of keys, found 5"),
    ({"more_keys": [5]}, "keys: must be an object, not 5"),
]


@pytest.mark.parametrize(("fields", "reason"), BAD)
def test_a_broken_header_is_an_error(fields: dict[str, Any], reason: str, write: Write) -> None:
    lines = [header(**fields) | {"format": "roomver-room/2"}, *entries(public_room())]
    result = run("check", write("room.jsonl", lines))
    assert result.exit_code == 2
    assert f"the header: {reason}" in result.stderr


def test_version_1_of_the_format_has_no_states(write: Write) -> None:
    lines = [header(states=5, current=5, more_keys=5), *entries(public_room())]
    assert run("check", write("room.jsonl", lines)).exit_code == 0


def test_states_that_grow_from_each_other_have_a_bound(write: Write) -> None:
    many = [f"${number}" for number in range(6_000)]
    states: dict[str, Any] = {"$a": {"state": many}}
    states |= {f"$a{number}": {"base": "$a", "state": []} for number in range(1_000)}
    lines = [header(states=states) | {"format": "roomver-room/2"}, *entries(public_room())]
    result = run("check", write("room.jsonl", lines))
    assert result.exit_code == 2
    assert "states: they have more than 5,000,000 entries together" in result.stderr


@pytest.mark.parametrize("kind", ["message", "twice"])
def test_a_recorded_state_that_is_not_one_is_an_error(kind: str, write: Write) -> None:
    built = public_room()
    topics = [built.add("m.room.topic", ALICE, {"topic": t}, state_key="").event_id for t in "ab"]
    message = built.add("m.room.message", ALICE, {})
    ids = [message.event_id] if kind == "message" else topics
    lines = [
        header() | {"format": "roomver-room/2", "states": {message.event_id: {"state": ids}}},
        *entries(built),
    ]
    result = run("check", write("room.jsonl", lines))
    assert result.exit_code == 2
    expected = "is a message, not a state event" if kind == "message" else 'two events for m.room.topic ""'
    assert expected in result.stderr


def test_a_server_s_outliers_count_only_for_the_events_that_it_had(write: Write) -> None:
    built = public_room()
    aside = built.make("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    lines = [
        header() | {"format": "roomver-room/2", "outliers": [aside.event_id], "apart": [aside.event_id]},
        *entries(built),
        {"event_id": aside.event_id, "pdu": aside.pdu},
    ]
    path = write("room.jsonl", lines)
    assert said(path)["room"]["apart"] == [aside.event_id]
    after = built.make("m.room.message", BOB, {}, prev=[aside])
    assert said(path, "--also", write("more.jsonl", [after.pdu]))["room"]["apart"] == []


def test_two_recordings_of_a_room_both_give_their_states(write: Write) -> None:
    built = public_room()
    state = [event.event_id for event in built.state.values()]
    messages = [built.add("m.room.message", BOB, {"body": b}) for b in "ab"]
    files = [
        write(
            f"{number}.jsonl",
            [
                header() | {"format": "roomver-room/2", "states": {message.event_id: {"state": state}}},
                *[line for line in entries(built) if line["event_id"] in (*state, message.event_id)],
            ],
        )
        for number, message in enumerate(messages)
    ]
    found = said(files[0], "--also", files[1])
    assert found["summary"]["undecided"] == 0
    assert said(files[1])["room"]["gaps"] == {}


# The output


def test_a_file_is_not_replaced_without_force(write: Write, tmp_path: Path) -> None:
    source, target = write("room.jsonl", [pdu for _, pdu in pairs(small_room())]), tmp_path / "out.jsonl"
    target.write_text("old")
    result = run("record", source, "-o", str(target))
    assert result.exit_code == 2
    assert "out.jsonl: it exists: give --force to replace it" in result.stderr
    assert target.read_text() == "old"
    assert run("record", source, "-o", str(target), "--force").exit_code == 0
    assert target.read_bytes() == run("record", source, "-o", "-").stdout_bytes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "room.jsonl"]


@pytest.mark.parametrize("link", [False, True])
def test_the_input_is_never_overwritten(link: bool, write: Write, tmp_path: Path) -> None:
    source = Path(write("room.jsonl", [pdu for _, pdu in pairs(small_room())]))
    target = source
    if link:
        target = tmp_path / "link.jsonl"
        target.symlink_to(source)
    before = source.read_bytes()
    result = run("record", str(source), "-o", str(target), "--force")
    assert result.exit_code == 2
    assert "this is the input: it is not overwritten" in result.stderr
    assert source.read_bytes() == before


@pytest.mark.parametrize("form", ["{}", "a.example={}"])
def test_a_file_of_keys_is_never_overwritten(form: str, write: Write) -> None:
    source = write("room.jsonl", [pdu for _, pdu in pairs(small_room())])
    keys = write("keys.json", header()["keys"]) if form == "{}" else write("keys", "ed25519 1 " + "A" * 43)
    before = Path(keys).read_bytes()
    result = run("record", source, "--keys", form.format(keys), "-o", keys, "--force")
    assert result.exit_code == 2
    assert "this is the input: it is not overwritten" in result.stderr
    assert Path(keys).read_bytes() == before


def test_nothing_is_left_where_a_source_cannot_be_read(write: Write, tmp_path: Path) -> None:
    source = write("room.txt", "hello")
    result = run("record", source, "-o", str(tmp_path / "out.jsonl"))
    assert result.exit_code == 2
    assert "neither JSON nor JSON Lines" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["room.txt"]
    assert run("record", source, "-o", "-").stdout == ""


def test_an_output_that_cannot_be_written_is_an_error(write: Write, tmp_path: Path) -> None:
    source = write("room.jsonl", [pdu for _, pdu in pairs(small_room())])
    result = run("record", source, "-o", str(tmp_path / "no" / "out.jsonl"))
    assert result.exit_code == 2
    assert "it cannot be written: No such file or directory" in result.stderr
    result = run("record", source, "-o", str(tmp_path), "--force")
    assert result.exit_code == 2
    assert "it is not a file" in result.stderr


def test_another_room_than_the_one_asked_for_is_an_error(write: Write, tmp_path: Path) -> None:
    source = write("room.jsonl", [pdu for _, pdu in pairs(small_room())])
    result = run("record", source, "--room", "!other:x", "-o", str(tmp_path / "out.jsonl"))
    assert result.exit_code == 2
    assert "its room is '!room:a.example', not '!other:x'" in result.stderr


def test_keys_and_unsigned_exclude_each_other(write: Write) -> None:
    keys = write("keys.json", header()["keys"])
    result = run("record", "room.jsonl", "-o", "-", "--unsigned", "--keys", keys)
    assert result.exit_code == 2


def test_an_entry_without_an_id_is_recorded_without_one() -> None:
    place = Place(1, "")
    recording = Recording(
        get_room_version("1"), [Entry(place, None, {"type": "x"}), Entry(place, None, None, "bad")]
    )
    left_out: list[Entry] = []
    lines = list(recording_lines(recording, left_out))
    assert lines[1:] == [b'{"pdu":{"type":"x"}}\n', b'{"pdu":null}\n']
    assert [entry.error for entry in left_out] == ["bad"]
    assert [*recording_lines(recording)] == lines
