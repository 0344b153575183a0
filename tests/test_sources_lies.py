"""A second source that lies: it adds knowledge or makes something unknown, and reverses nothing."""

import json
from typing import Any

from builder import ALICE, BOB, Room
from command_line import Write, run
from test_sources_merged import public_room


def lines_of(room: Room, **header: Any) -> list[dict[str, Any]]:
    """Return the lines of a recording."""
    first = {"format": "roomver-room/2", "room_version": room.version.identifier, **header}
    return [first, *({"event_id": event.event_id, "pdu": dict(event.pdu)} for event in room.events.values())]


def checked(*files: str) -> dict[str, Any]:
    result = run("check", "--unsigned", files[0], *(a for f in files[1:] for a in ("--also", f)), "--json")
    (found,) = json.loads(result.stdout)["files"]
    return {**found, "exit_code": result.exit_code}


def state_ids(room: Room) -> list[str]:
    return sorted(event.event_id for event in room.state.values())


# States


def banned_room() -> tuple[Room, list[str], str]:
    """Return a room, the state before Bob was banned, and what he sent after that."""
    room = public_room()
    state = state_ids(room)
    member = room.state["m.room.member", BOB]
    room.member(BOB, "ban", by=ALICE)
    room.state["m.room.member", BOB] = member
    return room, state, room.add("m.room.message", BOB, {"body": "after the ban"}).event_id


def test_a_state_that_a_second_source_gives_lets_no_banned_user_in(write: Write) -> None:
    room, state, sent = banned_room()
    first = write("first.jsonl", lines_of(room))
    other = write("other.jsonl", lines_of(room, states={sent: {"state": state}}))
    (event,) = checked(first)["events"]
    assert [one["kind"] for one in event["findings"]] == ["rejected-by-state"]
    for files in ((first, other), (other, first)):
        found = checked(*files)
        (event,) = found["events"]
        assert event["event_id"] == sent
        assert [one["kind"] for one in event["findings"]] == ["state-unknown"]
        assert found["room"]["contradicted"] == {sent: [["m.room.member", BOB]]}
        assert found["exit_code"] == 1
    result = run("check", "--unsigned", first, "--also", other)
    assert f'before {sent}: m.room.member "{BOB}"' in result.stdout
    assert "1 given state contradicted by the events" in result.stdout
    assert "find out which of the contradicting sources is right" in " ".join(result.stdout.split())
