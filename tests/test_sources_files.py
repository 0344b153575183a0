"""Files as sources, and what a recording says of its server."""

import json
from pathlib import Path

import pytest
from command_line import Write, entries, header, public_room, run

from roomver.readers import RoomSource
from roomver.readers.source import FileSource, RoomSummary, choose_room

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
    }
    text = run("rooms", str(ROOMS / "v12.jsonl")).stdout
    assert recorded["room_id"] in text
    with (ROOMS / "v12.jsonl").open("rb") as stream:
        source: RoomSource = FileSource([(stream, "v12.jsonl")])
        assert source.open_room(None, None).room_id == recorded["room_id"]


def test_a_recording_of_another_room_is_refused_before_it_is_read() -> None:
    path = str(ROOMS / "v11.jsonl")
    recorded = json.loads((ROOMS / "v11.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert run("check", path, "--room", recorded["room_id"]).exit_code == 0
    result = run("check", path, "--room", "!other:x")
    assert (result.exit_code, f'its room is "{recorded["room_id"]}"' in result.stderr) == (2, True)


def test_events_of_several_rooms_and_values_without_one_are_counted(write: Write) -> None:
    built = public_room()
    other = {"type": "x", "room_id": "!other:x"}
    path = write("two.jsonl", [header(), *entries(built), other, 5, {"type": "x"}])
    listed = json.loads(run("rooms", path, "--json").stdout)
    assert [(room["room_id"], room["events"]) for room in listed] == [
        (built.room_id, len(built.events)),
        ("!other:x", 1),
    ]


def test_a_long_list_of_rooms_is_cut_off() -> None:
    rooms = [RoomSummary(f"!{n}:x", "11", 1, 1, 1, False) for n in range(60)]
    with pytest.raises(Exception, match="and 50 more"):
        choose_room("a.db", rooms, None)
    assert choose_room("a.db", rooms, "!59:x") is rooms[59]


def test_extremities_that_differ_are_named(write: Write) -> None:
    built = public_room()
    last = list(built.events)[-1]
    path = write("room.jsonl", [header(forward_extremities=["$gone"]), *entries(built)])
    result = run("check", path, "--room", built.room_id)
    assert result.exit_code == 0
    assert f"forward extremities only here: {last}" in result.stdout
    assert "forward extremities only on the recording server: $gone" in result.stdout
    (report,) = json.loads(run("check", path, "--json").stdout)["files"]
    assert report["room"]["extremities_differ"] == {"ours": [last], "theirs": ["$gone"]}
