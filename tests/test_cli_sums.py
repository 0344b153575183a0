"""The first line of ``auth``: what the checks of an event come to; and nothing is printed twice."""

import json
from typing import Any

import pytest
from builder import ALICE, BOB, Room, public_key
from command_line import Write, entries, header, public_room, run

from roomver import Event


def room_with_topic() -> tuple[Room, Event]:
    """Return a room, and a topic by Bob, whose level does not suffice."""
    built = public_room()
    topic = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    return built, topic


NEEDS = "@bob:b.example has level 0, m.room.topic needs 50"


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        ({}, f"rejected: {NEEDS}"),
        ({"rejected": True}, f"rejected here and by the server: {NEEDS}"),
        ({"rejected": False}, f"rejected here, but accepted by the server: {NEEDS}"),
    ],
)
def test_the_first_line_says_what_was_decided_and_why(
    recorded: dict[str, bool], said: str, write: Write
) -> None:
    built, topic = room_with_topic()
    more: dict[str, Any] = {}
    if recorded:
        more = {"rejected": [topic.event_id] if recorded["rejected"] else [], "soft_failed": []}
    file = write("room.jsonl", [header(**more), *entries(built)])
    result = run("auth", "--room", file, topic.event_id)
    first, second, *_ = result.stdout.splitlines()
    assert (result.exit_code, first) == (1, said)
    assert second == f"{topic.event_id}  m.room.topic ''  by {BOB}"


def test_other_outcomes_in_words(write: Write) -> None:
    built = public_room()
    name = built.add("m.room.name", ALICE, {"name": "x"}, state_key="")
    file = write("room.jsonl", [header(rejected=[], soft_failed=[]), *entries(built)])
    said = run("auth", "--room", file, name.event_id).stdout
    assert said.splitlines()[0] == "accepted here and by the server"
    assert said.count("  the same rule and the same values\n") == 1, "the state before it"
    assert said.count("  the same values\n") == 1, "the current state"
    assert said.count("sender's level") == 1
    bare = write("bare.jsonl", [header(), *entries(built)])
    assert run("auth", "--room", bare, name.event_id).stdout.splitlines()[0] == "allowed"
    lines = [one for one in entries(built) if one["pdu"]["type"] != "m.room.power_levels"]
    part = write("part.jsonl", [header(), *lines])
    result = run("auth", "--room", part, name.event_id)
    levels = built.state["m.room.power_levels", ""].event_id
    assert (result.exit_code, result.stdout.splitlines()[0]) == (3, f"undecided: {levels} is missing")
    state = write("state.json", [event.pdu for event in built.state.values()])
    draft = write("draft.json", {"type": "m.room.topic", "sender": BOB, "content": {}, "state_key": ""})
    result = run("auth", "--state", state, "--room-version", "11", draft)
    assert result.stdout.splitlines()[0] == f"refused: {NEEDS}"


def test_keys_that_are_missing_are_one_line_after_the_answer(write: Write) -> None:
    built, topic = room_with_topic()
    bare = {key: value for key, value in header().items() if key != "keys"}
    keys = write("keys.json", {"b.example": {"ed25519:1": {"key": public_key("b.example")}}})
    file = write("room.jsonl", [bare, *entries(built)])
    number = sum(event.sender == ALICE for event in built.events.values())
    result = run("auth", "--room", file, topic.event_id, "--keys", keys)
    events = f"the signatures of {number} events"
    told = f"{events} could not be checked: keys are missing; `roomver check` names them"
    assert result.stderr == f"roomver: {told}\n"
    assert result.output.endswith(result.stderr)
    data = json.loads(run("auth", "--room", file, topic.event_id, "--keys", keys, "--json").stdout)
    assert data[0]["allowed"] is False
