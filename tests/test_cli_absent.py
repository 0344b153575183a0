"""A header that names events that are missing from the file: what they are is unknown."""

from typing import Any

import pytest
from builder import ALICE, BOB, Room
from command_line import Write, entries, header, kinds, public_room, report, run


def room_with_topic() -> Room:
    built = public_room()
    built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    return built


def ids(built: Room) -> list[str]:
    return [event.event_id for event in built.state.values()]


def recording(write: Write, built: Room, **fields: Any) -> str:
    return write("room.jsonl", [header(**{"rejected": [], **fields}), *entries(built)])


TOPIC = {"type": "m.room.topic", "state_key": ""}


def test_a_key_that_a_missing_event_may_have_is_not_compared(write: Write) -> None:
    """The server's state may have the missing event as its topic. Then it has another topic."""
    built = room_with_topic()
    topic = built.state["m.room.topic", ""].event_id
    others = [event_id for event_id in ids(built) if event_id != topic]
    missing = built.make("m.room.topic", BOB, {"topic": "y"}, state_key="").event_id
    # If not all of the newest events may be here, the topic here is not known either.
    lost = report(recording(write, built, state=[*others, missing]), code=3)["room"]
    assert (lost["state_differs"], lost["state_keys_not_compared"]) == ([], [])
    assert [one["events"] for one in lost["lost"]] == [[missing]]
    file = recording(write, built, state=[*others, missing], forward_extremities=[[*built.events][-1]])
    room = report(file, code=3)["room"]
    assert room["state_differs"] == room["lost"] == []
    assert room["state_keys_not_compared"] == [TOPIC]
    assert room["recorded_missing"] == [{"event_id": missing, "in": ["state"], "dropped": False}]
    text = run("check", file).stdout
    assert "absent" not in text
    assert "differs" not in text
    assert f"missing events of the recording server's state: {missing}" in text
    assert 'not compared with the recording server\'s state: m.room.topic ""' in text
    # The whole state decides it: the same room without the missing event.
    whole = report(recording(write, built, state=others), code=1)["room"]
    assert whole["state_differs"] == [{**TOPIC, "ours": topic, "theirs": None}]
    assert whole["state_keys_not_compared"] == whole["recorded_missing"] == []


def test_a_difference_between_known_events_stays_a_finding(write: Write) -> None:
    built = room_with_topic()
    old = built.state["m.room.topic", ""].event_id
    new = built.add("m.room.topic", ALICE, {"topic": "y"}, state_key="").event_id
    theirs = [old if event_id == new else event_id for event_id in ids(built)]
    ends = {"forward_extremities": [new]}
    room = report(recording(write, built, state=[*theirs, "$gone"], **ends), code=1)["room"]
    assert room["state_differs"] == [{**TOPIC, "ours": new, "theirs": old}]
    # The missing event may be newer, and the reason for the older topic.
    room = report(recording(write, built, state=[*theirs, "$gone"]), code=3)["room"]
    assert (room["state_differs"], [one["events"] for one in room["lost"]]) == ([], [["$gone"]])


def test_a_missing_event_beside_an_equal_state_leaves_it_open(write: Write) -> None:
    built = room_with_topic()
    file = recording(write, built, state=[*ids(built), "$gone"])
    room = report(file, code=3)["room"]
    assert (room["state_differs"], room["state_keys_not_compared"]) == ([], [])
    assert room["recorded_missing"] == [{"event_id": "$gone", "in": ["state"], "dropped": False}]


@pytest.mark.parametrize("decision", ["rejected", "soft_failed"])
def test_a_decision_about_a_missing_event_is_not_compared(decision: str, write: Write) -> None:
    built = room_with_topic()
    file = recording(write, built, state=ids(built), **{decision: ["$gone"]})
    for options in ((), ("--as-recorded",)):
        found = report(file, *options, code=3)
        gone = {"event_id": "$gone", "in": [decision], "dropped": False}
        assert found["room"]["recorded_missing"] == [gone]
        assert kinds(found) == {}
    did = decision.replace("_", "-")
    assert f"missing events that the recording server {did}: $gone" in run("check", file).stdout
    report(recording(write, built, state=ids(built)), code=0)


def test_an_event_of_the_recorded_state_that_was_dropped_is_not_compared_either(write: Write) -> None:
    built = room_with_topic()
    lines = entries(built)
    topic = lines[-1]
    topic["pdu"] = {**topic["pdu"], "signatures": {}}
    file = write("room.jsonl", [header(rejected=[], state=ids(built)), *lines])
    room = report(file, code=1)["room"]  # the bad signature is a finding
    assert room["state_differs"] == []
    assert [one["event_id"] for one in room["recorded_missing"]] == [topic["event_id"]]
