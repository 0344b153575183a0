"""Files as sources, and what a recording says of its server."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from builder import ALICE, Room
from command_line import Write, entries, header, only_resets, public_room, run
from forms import small_room
from rich.console import Console

from roomver.canonical import shorten
from roomver.readers import InputError, RoomSource, RoomSummary
from roomver.readers.several import quoted
from roomver.readers.source import FileSource, choose_room

ROOMS = Path(__file__).parents[1] / "vectors" / "rooms"


def test_a_recording_lists_its_room() -> None:
    (room,) = json.loads(run("rooms", str(ROOMS / "v12.jsonl"), "--json").stdout)
    recorded = json.loads((ROOMS / "v12.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert room == {
        "room_id": recorded["room_id"],
        "version": "12",
        "events": 207,
        "joined": None,
        "extremities": 2,
        "partial": None,
        "name": None,
        "rejected": len(recorded["rejected"]),
        "membership": None,
    }
    text = run("rooms", str(ROOMS / "v12.jsonl")).stdout
    assert recorded["room_id"] in text
    with (ROOMS / "v12.jsonl").open("rb") as stream:
        source: RoomSource = FileSource([(stream, "v12.jsonl")])
        assert source.open_room(None, None).room_id == recorded["room_id"]


def test_a_recording_of_another_room_is_refused_before_it_is_read() -> None:
    path = str(ROOMS / "v11.jsonl")
    recorded = json.loads((ROOMS / "v11.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert only_resets(path, "--room", recorded["room_id"])
    result = run("check", path, "--room", "!other:x")
    assert (result.exit_code, f"its room is '{recorded['room_id']}'" in result.stderr) == (2, True)


def test_events_of_several_rooms_and_values_without_one_are_counted(write: Write) -> None:
    built = public_room()
    other = {"type": "x", "room_id": "!other:x"}
    path = write("two.jsonl", [header(), *entries(built), other, 5, {"type": "x"}])
    listed = json.loads(run("rooms", path, "--json").stdout)
    assert [(room["room_id"], room["events"]) for room in listed] == [
        (built.room_id, len(built.events)),
        ("!other:x", 1),
    ]


def test_a_room_id_is_not_folded_on_a_narrow_terminal(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    room_id = f"!{'a' * 120}:x"
    path = write("long.jsonl", [{"type": "x", "room_id": room_id}])
    monkeypatch.setattr("roomver.cli.rooms.console", lambda: Console(width=80, force_terminal=True))
    assert room_id in run("rooms", path).stdout


def test_a_room_id_in_a_message_can_be_pasted() -> None:
    long = f"!{'a' * 252}:x"
    assert quoted("!a b$c:x") == "'!a b$c:x'"
    assert quoted(long) == f"'{long}'"
    for strange in ("!a'b", "!a\x1b", f"{long}y"):
        assert quoted(strange) == shorten(strange)


@pytest.mark.parametrize("command", ["check", "state", "resolve"])
def test_only_one_room_can_be_chosen(command: str) -> None:
    path = str(ROOMS / "v11.jsonl")
    recorded = json.loads((ROOMS / "v11.jsonl").read_text(encoding="utf-8").splitlines()[0])
    result = run(command, path, "--room", "!other:x", "--room", recorded["room_id"])
    assert (result.exit_code, "give it once" in result.stderr) == (2, True)


def test_a_long_list_of_rooms_is_not_in_the_message() -> None:
    rooms = [RoomSummary(f"!{n}:x", "11", 1, 1, 1, False) for n in range(60)]
    with pytest.raises(InputError, match=r"with --room '!…'; `roomver rooms a\.db` lists them$"):
        choose_room("a.db", rooms, None)
    assert choose_room("a.db", rooms, "!59:x") is rooms[59]


def test_extremities_that_differ_are_named(write: Write) -> None:
    built = public_room()
    old, last = list(built.events)[-2:]
    path = write("room.jsonl", [header(forward_extremities=[old]), *entries(built)])
    result = run("check", path, "--room", built.room_id)
    assert result.exit_code == 0
    assert f"forward extremities only here: {last}" in result.stdout
    assert f"forward extremities only on the recording server: {old}" in result.stdout
    (report,) = json.loads(run("check", path, "--json").stdout)["files"]
    assert report["room"]["extremities_differ"] == {"ours": [last], "theirs": [old]}
    # One that is not here may be newer: nothing tells which events are the newest.
    path = write("room.jsonl", [header(forward_extremities=["$gone"]), *entries(built)])
    result = run("check", path, "--json")
    (report,) = json.loads(result.stdout)["files"]
    assert (result.exit_code, report["room"]["extremities_differ"]) == (3, None)
    assert [one["events"] for one in report["room"]["lost"]] == [["$gone"]]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """Nothing may look into it for the mark of a database first."""
    lines = (ROOMS / "v11.jsonl").read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        written = pool.submit(pipe.write_bytes, lines)
        result = run("check", str(pipe), "--json")
        assert written.result(timeout=30) == len(lines)
    whole = json.loads(run("check", str(ROOMS / "v11.jsonl"), "--json").stdout)
    assert json.loads(result.stdout)["files"][0]["summary"] == whole["files"][0]["summary"]


@pytest.fixture
def transaction(write: Write) -> tuple[str, list[Room]]:
    """A transaction with the events of two rooms, of versions 12 and 6."""
    rooms = [small_room("12"), small_room("6")]
    pdus = [
        event.pdu for pair in zip(*(room.events.values() for room in rooms), strict=True) for event in pair
    ]
    return write("send.json", {"origin": "a.example", "pdus": pdus, "edus": []}), rooms


def test_one_room_of_a_transaction_is_read(transaction: tuple[str, list[Room]]) -> None:
    path, rooms = transaction
    listed = json.loads(run("rooms", path, "--json").stdout)
    assert [(room["room_id"], room["version"], room["events"]) for room in listed] == [
        (room.room_id, room.version.identifier, len(room.events)) for room in rooms
    ]
    for room in rooms:
        choice = (path, "--room", room.room_id)
        result = run("check", *choice, "--json")
        (report,) = json.loads(result.stdout)["files"]
        assert (result.exit_code, report["summary"]["events"]) == (0, len(room.events))
        assert (report["room_id"], report["room_version"]) == (room.room_id, room.version.identifier)
        current = {event.event_id for event in room.state.values()}
        assert {entry["event_id"] for entry in json.loads(run("state", *choice, "--json").stdout)} == current
        resolved = json.loads(run("resolve", *choice, "--json").stdout)["state"]
        assert {entry["event_id"] for entry in resolved} == current
        last = list(room.events)[-1]
        assert run("auth", last, "--room", path, "--room", room.room_id).exit_code == 0
        assert "rooms" not in result.stderr
    for command in ("check", "state", "resolve"):
        result = run(command, path, "--room", "!none:x")
        assert (result.exit_code, "it has no event of the room '!none:x'; it has " in result.stderr) == (
            2,
            True,
        )


@pytest.mark.parametrize("command", ["check", "state", "resolve"])
def test_without_a_choice_among_several_rooms_nothing_is_judged(command: str, write: Write) -> None:
    one, other = small_room("11"), Room("11", name="other")
    other.join(ALICE)
    path = write("two.json", [event.pdu for room in (one, other) for event in room.events.values()])
    said = f"it has 2 rooms: choose one with --room '!…': '{one.room_id}', '{other.room_id}'"
    result = run(command, path)
    assert (result.exit_code, said in result.stderr, result.stdout) == (2, True, "")
    assert "2 rooms" not in run(command, path, "--room", one.room_id).stderr


@pytest.mark.parametrize("form", ["array", "lines", "transaction", "documents", "rows", "by ID"])
@pytest.mark.parametrize("versions", [("11", "11"), ("12", "6")])
def test_several_rooms_in_any_form_are_listed(form: str, versions: tuple[str, str], write: Write) -> None:
    one, other = small_room(versions[0]), Room(versions[1], name="other")
    other.join(ALICE)
    events = [event for room in (one, other) for event in room.events.values()]
    pdus = [event.pdu for event in events]
    text = {
        "array": json.dumps(pdus),
        "lines": "".join(json.dumps(pdu) + "\n" for pdu in pdus),
        "transaction": json.dumps({"origin": "a.example", "pdus": pdus}),
        "documents": "".join(json.dumps(pdu, indent=1) + "\n" for pdu in pdus),
        "rows": "".join(
            json.dumps({"event_id": e.event_id, "json": json.dumps(e.pdu)}) + "\n" for e in events
        ),
        "by ID": json.dumps({event.event_id: event.pdu for event in events}),
    }[form]
    path = write("two.json", text)
    said = f"it has 2 rooms: choose one with --room '!…': '{one.room_id}', '{other.room_id}'"
    last = list(other.events)[-1]
    for call in (
        ["check", path],
        ["check", path, "--json"],
        ["check", path, "--alone"],
        ["state", path],
        ["resolve", path],
        ["record", path, "-o", "-"],
        ["auth", "--room", path, last],
    ):
        result = run(*call)
        text = (result.output + result.stderr).replace("\\u2026", "…")
        assert (result.exit_code, said in text) == (2, True), call
    assert run("check", path, "--room", other.room_id, "--unsigned").exit_code == 0


def test_what_to_call_next_names_the_chosen_room(write: Write) -> None:
    head, *lines = map(json.loads, (ROOMS / "v2.jsonl").read_bytes().splitlines())
    other = [event.pdu for event in small_room("2").events.values()]
    path = write("two.jsonl", [*other, *lines])
    text = run("check", path, "--room", head["room_id"]).stdout
    assert f"to explain them: roomver resets {path} --room '{head['room_id']}'\n" in text
