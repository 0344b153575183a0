"""`auth` says about an event what `check` says: the checks on receipt, its outcome, and what was judged."""

import json
from typing import Any

import pytest
from builder import ALICE, BOB, Room
from command_line import Write, entries, header, public_room, run

from roomver import redact


def judged(*arguments: str, code: int) -> dict[str, dict[str, Any]]:
    """Return what `auth` prints, by what the event was checked against. Its text has the same exit code."""
    result = run("auth", "--json", *arguments)
    assert (result.exit_code, run("auth", *arguments).exit_code) == (code, code), result.output
    return {row["against"]: row for row in json.loads(result.stdout)}


def checked(file: str) -> dict[str, list[str]]:
    (found,) = json.loads(run("check", "--json", file).stdout)["files"]
    return {event["event_id"]: [one["kind"] for one in event["findings"]] for event in found["events"]}


# The outcome


def test_an_event_that_a_given_state_vouches_for_is_accepted(write: Write) -> None:
    built = public_room()
    carol = built.make_member("@carol:c.example", "join")
    topic = built.make("m.room.topic", ALICE, {"topic": "x"}, state_key="", prev=["$gone"])
    state = [*(event.pdu for event in built.state.values()), topic.pdu]
    answer = {"state": state, "auth_chain": [], "event": carol.pdu}
    file = write("answer.json", answer)
    options = ("--room", file, "--room-version", "11", topic.event_id)
    rows = judged(*options, code=0)
    assert [row["allowed"] for row in rows.values()] == [True, None, None]
    assert rows["the state before it"]["made"] is False
    text = run("auth", *options).stdout
    assert "against the state before it: accepted by the server that gave the state\n" in text
    assert topic.event_id not in checked(file)


def test_an_event_on_a_cycle_is_refused(write: Write) -> None:
    built = public_room("1")
    first = built.make("m.room.message", ALICE, {}, prev=["$second:a.example"], event_id="$first:a.example")
    second = built.make("m.room.message", ALICE, {}, prev=[first], event_id="$second:a.example")
    for event in (first, second):
        built.events[event.event_id] = event
    file = write("cycle.jsonl", [header("1"), *entries(built)])
    for event in (first, second):
        (row,) = judged("--room", file, event.event_id, code=1).values()
        assert [one["kind"] for one in row["findings"]] == checked(file)[event.event_id] == ["cycle"]
        text = run("auth", "--room", file, event.event_id).stdout
        assert "cycle: the event cites itself, directly or through others" in text
        assert "missing" not in text


def test_an_event_of_another_room_is_refused(write: Write) -> None:
    built, other = public_room(), Room("11", name="other")
    foreign = other.member(ALICE, "join")
    lines = [header(), *entries(built)]
    file = write("both.jsonl", [*lines, {"event_id": foreign.event_id, "pdu": foreign.pdu}])
    assert checked(file)[foreign.event_id] == ["other-room"]
    alone, event = write("room.jsonl", lines), write("event.json", foreign.pdu)
    for options in (("--room", file, foreign.event_id), ("--room", alone, event)):
        (row,) = judged(*options, code=1).values()
        assert [one["kind"] for one in row["findings"]] == ["other-room"]
        assert "the event is not from the same room as the others" in run("auth", *options).stdout


def test_an_event_that_cites_one_of_another_room_is_refused(write: Write) -> None:
    """As for `check`."""
    built, other = public_room(), Room("11", name="other")
    foreign = other.member(ALICE, "join")
    lost = built.add("m.room.message", BOB, {}, auth=[built.create, foreign])
    foreign_line = {"event_id": foreign.event_id, "pdu": foreign.pdu}
    file = write("both.jsonl", [header(), *entries(built), foreign_line])
    assert checked(file)[lost.event_id] == ["rejected"]
    rows = judged("--room", file, lost.event_id, code=1)
    assert rows["its auth events"]["rule"] == "2.2"
    assert f"(auth event {foreign.event_id}, " in run("auth", "--room", file, lost.event_id).stdout
    assert judged("--room", file, foreign.event_id, code=1).keys() == {"the checks on receipt"}
    for command in ("state", "resolve"):
        result = run(command, file, "--at", foreign.event_id)
        assert result.exit_code == 2
        assert f"{foreign.event_id} is left out: room_id: " in result.stderr


# The checks on receipt


def test_the_redacted_form_is_judged_if_the_content_hash_does_not_match(write: Write) -> None:
    """The content that somebody put in would be refused. The rules do not see it."""
    built = public_room()
    levels: dict[str, Any] = built.pdu("m.room.power_levels", ALICE, {"users": {ALICE: 100}}, state_key="")
    content = {**levels["content"], "notifications": {"room": "high"}}
    tampered = {**levels, "content": content}
    room = write("room.jsonl", [header(), *entries(built)])
    state = write("state.json", [event.pdu for event in built.state.values()])
    event = write("event.json", tampered)
    for options in (("--room", room), ("--state", state, "--room-version", "11")):
        rows = judged(*options, event, code=0)
        ((kind, action),) = [
            (one["kind"], one["action"]) for one in rows["the checks on receipt"]["findings"]
        ]
        assert (kind, action) == ("content-hash", "redact")
        text = run("auth", *options, event).stdout
        assert (
            "against the checks on receipt: allowed in its redacted form\n  content-hash: the event" in text
        )
        assert "A server must use the redacted form of the event." in text
        # What is judged is the same as without the content.
        redacted = write("redacted.json", redact(tampered, "11"))
        others = judged(*options, redacted, code=0)
        assert others == {against: row for against, row in rows.items() if "receipt" not in against}
    # An event that its server sent with this content is refused.
    whole = write("whole.json", built.pdu("m.room.power_levels", ALICE, content, state_key=""))
    judged("--room", room, whole, code=1)
    # By its ID in a room, the same.
    with_it = write("all.jsonl", [header(), *entries(built), tampered])
    found = {event_id: kinds for event_id, kinds in checked(with_it).items() if kinds}
    ((event_id, kinds),) = found.items()
    assert kinds == ["content-hash"]
    assert judged("--room", with_it, event_id, code=0)["the checks on receipt"]["allowed"] is True


def test_the_copy_of_the_room_is_judged(write: Write) -> None:
    built = public_room()
    message = built.add("m.room.message", BOB, {"body": "x"})
    room = write("room.jsonl", [header(), *entries(built)])
    result = run("auth", "--room", room, write("event.json", {**message.pdu, "content": {"body": "y"}}))
    assert (result.exit_code, "receipt" in result.stdout) == (0, False)
    assert "the room has another copy of this event: it is judged" in result.stderr
    same = run("auth", "--room", room, write("event.json", message.pdu))
    assert (same.exit_code, same.stdout, same.stderr) == (0, result.stdout, "")


@pytest.mark.parametrize("kind", ["no-content-hash", "event-id", "malformed", "signature-missing"])
def test_an_event_that_a_server_drops_is_refused(kind: str, write: Write) -> None:
    built = public_room()
    pdu = built.pdu("m.room.message", BOB, {"body": "x"})
    line: Any = {
        "no-content-hash": {**pdu, "hashes": {"sha256": "AAAA"}},
        "event-id": {"event_id": "$" + "A" * 43, "pdu": pdu},
        "malformed": {**pdu, "depth": "x"},
        "signature-missing": {**pdu, "signatures": {"z.example": {"ed25519:1": "A" * 86}}},
    }[kind]
    keys = ("--unsigned",) if kind == "no-content-hash" else ()
    without_keys = {**header(), "keys": {}}
    room, event = write("room.jsonl", [without_keys, *entries(built)]), write("event.json", line)
    state = write("state.json", [one.pdu for one in built.state.values()])
    for options in (("--room", room), ("--state", state, "--room-version", "11")):
        (row,) = judged(*options, *keys, event, code=1).values()
        assert (row["against"], row["allowed"]) == ("the checks on receipt", False)
        ((found, action),) = [(one["kind"], one["action"]) for one in row["findings"]]
        assert (found, action) == (kind, "drop")
        assert "A server must drop the event." in run("auth", *options, *keys, event).stdout
    # As `check` says.
    whole = run("check", "--json", *keys, write("all.jsonl", [without_keys, *entries(built), line]))
    (file,) = json.loads(whole.stdout)["files"]
    assert kind in [one["kind"] for event in file["events"] for one in event["findings"]]


def test_a_state_with_an_event_of_another_room_does_not_know_its_key(write: Write) -> None:
    """Somebody's membership in another room lets nobody in."""
    built, other = public_room(), Room("11", name="other")
    state = {**built.state, ("m.room.member", BOB): other.member(BOB, "join")}
    topic = built.make("m.room.message", BOB, {})
    file = write("state.jsonl", [event.pdu for event in state.values()])
    event = write("event.json", topic.pdu)
    arguments = ("--state", file, "--room-version", "11", event)
    (row,) = judged(*arguments, code=3).values()
    assert row["allowed"] is None
    assert "of another room" in run("auth", *arguments).stdout
