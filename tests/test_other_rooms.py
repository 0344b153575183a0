"""Sources beside the first one may have events of other rooms: they are told, and never enter the state."""

import json
from pathlib import Path
from typing import Any

import pytest
import synapse_db
from builder import ALICE, BOB, CAROL, Room
from command_line import Write, entries, header, public_room, report, run
from test_sources_synapse import room_ids

from roomver import get_room_version
from roomver.contributions import Origin
from roomver.entry import Entry, Part, Place
from roomver.gathering import gather_events

FORMS = ("state", "pdus", "lines", "recording")


def other_room(version: str = "11") -> Room:
    """Return another room of the same people, with another topic."""
    creator = {"creator": ALICE} if get_room_version(version).creator_in_content else {}
    room = Room(version, name="other", content={"room_version": version, "of": "another room", **creator})
    room.join(ALICE)
    room.power({"users": {} if version == "12" else {ALICE: 100}})
    room.join_rule("public")
    room.join(CAROL)
    room.add("m.room.topic", ALICE, {"topic": "of the other room"}, state_key="")
    return room


def this_room(version: str = "11") -> Room:
    room = public_room(version)
    room.add("m.room.topic", ALICE, {"topic": "of this room"}, state_key="")
    return room


def written(room: Room, form: str, write: Write, name: str) -> str:
    """Write a room in one of the forms."""
    pdus = [dict(event.pdu) for event in room.events.values()]
    assert room.last is not None
    state = sorted(event.event_id for event in room.state.values())
    said = {"state": state, "forward_extremities": [room.last.event_id], "rejected": [], "soft_failed": []}
    contents: dict[str, Any] = {
        "state": {"pdus": [dict(event.pdu) for event in room.state.values()], "auth_chain": pdus[:3]},
        "pdus": {"pdus": pdus},
        "lines": pdus,
        "recording": [header(room.version.identifier, **said), *entries(room)],
    }
    return write(f"{name}.json", contents[form])


@pytest.mark.parametrize("version", ["1", "11", "12"])
@pytest.mark.parametrize("mine", FORMS)
@pytest.mark.parametrize("theirs", FORMS)
def test_another_room_changes_nothing(version: str, mine: str, theirs: str, write: Write) -> None:
    room, other = this_room(version), other_room(version)
    file, more = written(room, mine, write, "mine"), written(other, theirs, write, "theirs")
    number = len(other.state) + 3 if theirs == "state" else len(other.events)
    said = f"{number} events of other rooms in {more} were left out"
    options = ("--unsigned", "--room-version", version)
    for arguments in ((file, "--also", more), (file, "--also", more, "--room", room.room_id)):
        alone, both = run("state", file, *options), run("state", *arguments, *options)
        assert (both.exit_code, both.stdout) == (alone.exit_code, alone.stdout) == (0, both.stdout)
        assert "of this room" in both.stdout
        assert said in both.stderr
        found = report(*arguments, *options)
        parts = {part["name"]: (part["other_rooms"], part["has_room"]) for part in found["sources"]["parts"]}
        assert parts == {file: (0, True), more: (number, False)}
        assert (found["room"]["lost"], found["sources"]["contradictions"]) == ([], [])
        assert said in run("check", *arguments, *options).stdout


def test_a_state_that_is_partly_of_another_room_is_known_in_part(write: Write) -> None:
    room, other = this_room(), other_room()
    file = written(room, "lines", write, "mine")
    topic = other.state["m.room.topic", ""]
    state = [dict(event.pdu) for key, event in room.state.items() if key != ("m.room.topic", "")]
    more = write("state.json", {"pdus": [*state, dict(topic.pdu)], "auth_chain": []})
    result = run("state", file, "--also", more, "--unsigned")
    assert f"1 event of another room in {more} was left out" in result.stderr
    assert (result.exit_code, len(result.stdout.splitlines())) == (3, len(state))
    assert "m.room.topic" not in result.stdout


def test_an_unusable_entry_of_another_room_is_no_finding(write: Write) -> None:
    room, other = this_room(), other_room()
    file = written(room, "lines", write, "mine")
    broken = [{**dict(event.pdu), "prev_events": 1} for event in other.events.values()]
    more = write("broken.jsonl", broken[1:])
    found = report(file, "--also", more, "--unsigned")
    assert (found["events"], found["summary"]["bad"]) == ([], 0)


def test_an_event_that_cites_another_room_is_still_rejected(write: Write) -> None:
    room, other = this_room(), other_room()
    topic = other.state["m.room.topic", ""]
    citing = room.make("m.room.message", BOB, {}, auth=[*[*room.state.values()][:1], topic])
    room.events[citing.event_id] = citing
    more = written(other, "lines", write, "theirs")
    found = report(written(room, "lines", write, "mine"), "--also", more, "--unsigned", code=1)
    (event,) = found["events"]
    assert (event["event_id"], event["findings"][0]["kind"]) == (citing.event_id, "rejected")


def test_a_recording_has_no_events_of_other_rooms(write: Write, tmp_path: Path) -> None:
    room, other = this_room(), other_room()
    file = written(room, "recording", write, "mine")
    made = tmp_path / "made.jsonl"
    for form in FORMS:
        more = written(other, form, write, "theirs")
        result = run("record", file, "--also", more, "-o", str(made), "--force", "--unsigned")
        assert (result.exit_code, "of other rooms" in result.stderr) == (0, True)
        lines = [json.loads(line) for line in made.read_bytes().splitlines()]
        assert {line["event_id"] for line in lines[1:]} == {*room.events}
        assert run("state", str(made)).stdout == run("state", file).stdout


@pytest.mark.parametrize("form", FORMS)
def test_another_room_beside_a_database(form: str, write: Write, tmp_path: Path) -> None:
    base = synapse_db.unpacked(tmp_path / "homeserver.db")
    room_id = room_ids(base)[1]
    more = written(other_room(), form, write, "theirs")
    alone, both = (run("state", str(base), "--room", room_id, *also) for also in ((), ("--also", more)))
    assert (both.exit_code, both.stdout) == (0, alone.stdout)
    assert f"events of other rooms in {more} were left out" in both.stderr
    one, two = (run("check", str(base), "--room", room_id, *also) for also in ((), ("--also", more)))
    assert two.exit_code == one.exit_code != 2


def test_the_room_is_that_of_the_first_source_with_a_usable_event() -> None:
    room, other = this_room(), other_room()

    def of(source: int, *rooms: Room) -> list[Entry]:
        pdus = [event.pdu for one in rooms for event in one.events.values()]
        return [
            Entry(Place(n, "", str(source)), None, dict(pdu), source=source) for n, pdu in enumerate(pdus)
        ]

    origins = [Origin(str(n), "a file") for n in range(3)]
    unreadable = Entry(Place(1, "", "0"), None, None, "not JSON", Part.EVENT)
    found = gather_events([unreadable, *of(1, room), *of(2, other)], "11", keys=None, origins=origins)
    assert (found.room_id, {*found.events}) == (room.room_id, {*room.events})
    assert {*found.other_rooms.events} == {*other.events}
    asked = gather_events(
        [*of(0, room), *of(1, other)], "11", keys=None, origins=origins[:2], room_id=other.room_id
    )
    assert (asked.room_id, {*asked.events}) == (other.room_id, {*other.events})
    # Those of the first source are findings, and are kept.
    mixed = gather_events([*of(0, room, other), *of(1, other)], "11", keys=None, origins=origins[:2])
    assert (mixed.room_id, {*mixed.events}) == (room.room_id, {*room.events, *other.events})
    assert mixed.other_rooms.numbers == {1: len(other.events)}
