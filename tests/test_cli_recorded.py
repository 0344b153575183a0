"""What the recording server decided, compared with the rules and followed."""

import json
from typing import Any

import pytest
from builder import ALICE, BOB
from command_line import CASES, Write, ban_beside_a_message, entries, header, public_room, report, run

BESIDE = ["$4hXAeMmBsqsmbalTzV8RAE9tRpJMW_BfElrI53LH8ws", "$4x2veUKd0GL-RolFBxhTxG8bhymANFPOEImNZkt1lB4"]


def reasons(found: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    return {
        event["event_id"]: [(one["kind"], one["reasons"][0]["text"]) for one in event["findings"]]
        for event in found["events"]
    }


def soft_failed(write: Write, **decisions: Any) -> str:
    """Write a recording of a room with two events that the rules soft-fail."""
    first, *lines = (CASES / "f4_recording.jsonl").read_bytes().splitlines()
    kept = {key: value for key, value in json.loads(first).items() if key not in ("rejected", "soft_failed")}
    return write("recorded.jsonl", [{**kept, **decisions}, *map(json.loads, lines)])


# What the server decided


@pytest.mark.parametrize("did", ["rejected", "accepted"])
def test_the_server_is_said_to_have_done_what_it_did(did: str, write: Write) -> None:
    rejected = BESIDE if did == "rejected" else []
    found = reasons(report(soft_failed(write, rejected=rejected, soft_failed=[]), code=1))
    for event_id in BESIDE:
        (kind, _), differs = found[event_id]
        assert (kind, differs) == ("soft-failed", ("server-differs", f"the recording server {did} it"))


@pytest.mark.parametrize("did", ["soft-failed", "accepted"])
def test_the_server_let_an_event_in_that_the_rules_reject(did: str, write: Write) -> None:
    built = public_room()
    topic = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    softly = [topic.event_id] if did == "soft-failed" else []
    file = write("room.jsonl", [header(rejected=[], soft_failed=softly), *entries(built)])
    for options in ((), ("--as-recorded",)):
        (kind, _), differs = reasons(report(file, *options, code=1))[topic.event_id]
        assert (kind, differs) == ("rejected", ("server-differs", f"the recording server {did} it"))


def test_the_recording_does_not_speak_of_other_files(write: Write) -> None:
    built = public_room()
    room = write("room.jsonl", [header(rejected=[], soft_failed=[]), *entries(built)])
    refused = built.power({"users": {BOB: 100}}, by=BOB)
    after = built.add("m.room.message", ALICE, {"body": "x"})
    more = write("more.jsonl", [refused.pdu, after.pdu])
    found = report(room, "--also", more, code=1)
    assert [[kind for kind, _ in kinds] for kinds in reasons(found).values()] == [
        ["rejected"],
        ["auth-event-rejected"],
    ]
    assert found["room"]["follow"] == []
    assert [(event["file"], event["line"]) for event in found["events"]] == [(more, 1), (more, 2)]
    # The header may be in either file.
    assert report(more, "--also", room, code=1)["room"]["follow"] == []
    # In the recorded file, the same events are a difference.
    file = write("all.jsonl", [header(rejected=[]), *entries(built)])
    kinds = [kind for kind, _ in reasons(report(file, code=1))[refused.event_id]]
    assert kinds == ["rejected", "server-differs"]


# Following the server


def test_soft_failures_are_listed_as_well_if_the_server_is_followed(write: Write) -> None:
    file = soft_failed(write, rejected=[], soft_failed=BESIDE)
    for options in ((), ("--as-recorded",)):
        found = report(file, *options, code=0)
        assert sorted(event["event_id"] for event in found["room"]["agreed"]) == BESIDE
        assert {one["kind"] for event in found["room"]["agreed"] for one in event["findings"]} == {
            "soft-failed"
        }
        assert (found["summary"]["rejected"], found["summary"]["soft_failed"]) == (0, 2)
        text = run("check", file, *options).stdout
        assert "2 events soft-failed here and by the recording server:" in text
        assert all(event_id in text for event_id in BESIDE)


def test_a_state_that_is_compared_in_part_is_said_to_be_in_json(write: Write) -> None:
    built = public_room()
    stranger = "@dave:b.example"
    built.state["m.room.member", stranger] = built.make_member(stranger, "join")
    built.add("m.room.name", stranger, {"name": "n"}, state_key="")
    del built.state["m.room.name", ""], built.state["m.room.member", stranger]
    theirs = [event.event_id for event in built.state.values()]
    built.add("m.room.message", ALICE, {"body": "x"})
    file = write("room.jsonl", [header(rejected=[], state=theirs), *entries(built)])
    assert report(file, code=3)["room"]["state_compared_in_part"] is True
    known = [header(rejected=[], state=theirs), *(entries(built)[:-2])]
    whole = write("whole.jsonl", known)
    assert report(whole, code=0)["room"]["state_compared_in_part"] is False


def test_the_server_is_not_followed_in_other_files(write: Write) -> None:
    """It did not decide about the events in them, nor about the event that is judged."""
    built = public_room()
    room = write("room.jsonl", [header(rejected=[], soft_failed=[]), *entries(built)])
    refused = built.power({"users": {BOB: 100}}, by=BOB)
    more = write("more.jsonl", [refused.pdu])
    assert refused.event_id not in run("state", room, "--as-recorded", "--also", more, "--json").stdout
    assert run("auth", "--room", room, "--as-recorded", more).exit_code == 1
    inside = write("all.jsonl", [header(rejected=[], soft_failed=[]), *entries(built)])
    assert refused.event_id in run("state", inside, "--as-recorded", "--json").stdout


def test_the_third_check_is_the_servers_if_it_is_followed(write: Write) -> None:
    file = soft_failed(write, rejected=[], soft_failed=BESIDE)
    result = run("auth", "--room", file, "--as-recorded", BESIDE[0])
    assert result.exit_code == 1
    last = result.stdout.partition("against the current state at its arrival: REFUSED (soft-failed)")[2]
    assert "soft-failed, as recorded" in last


# Soft failures that only the recording server saw


def test_an_event_that_only_the_server_soft_failed_is_listed_but_is_not_a_finding(write: Write) -> None:
    """The server may have received it after an event that refuses it."""
    built = public_room()
    message = built.add("m.room.message", BOB, {"body": "x"})
    state = [event.event_id for event in built.state.values()]
    decided = header(rejected=[], soft_failed=[message.event_id], state=state)
    file = write("room.jsonl", [decided, *entries(built)])
    found = report(file, code=0)
    assert (found["room"]["soft_failed_there"], found["events"]) == ([message.event_id], [])
    said = "1 event soft-failed there, accepted here; the order of arrival may explain it: "
    assert f"{said}{message.event_id}\n" in run("check", file).stdout


def test_an_event_whose_third_check_is_unknown_is_not_called_accepted(write: Write) -> None:
    """Nothing tells whether it would be soft-failed here."""
    built, ban, _, beside = ban_beside_a_message()
    lines = [line for line in entries(built) if line["event_id"] != ban.event_id]
    decided = header(rejected=[], soft_failed=[beside.event_id])
    room = report(write("room.jsonl", [decided, *lines]), code=3)["room"]
    assert [one["event_id"] for one in room["current_unknown"]] == [beside.event_id]
    assert room["soft_failed_there"] == []


# The check against the current state


def test_an_unknown_check_against_the_current_state_is_told(write: Write) -> None:
    """A ban is missing. It may have arrived before a message beside it."""
    built, ban, after, beside = ban_beside_a_message()
    lines = [line for line in entries(built) if line["event_id"] != ban.event_id]
    file = write("room.jsonl", [header(), *lines])
    found = report(file, code=3)
    assert after.event_id in reasons(found)
    (unknown,) = found["room"]["current_unknown"]
    assert (unknown["event_id"], unknown["missing"]) == (beside.event_id, [ban.event_id])
    assert unknown["why"].startswith("the current state is unknown")
    text = run("check", file).stdout
    assert "check against the current state unknown for 1 accepted event:" in text
    assert f"missing events: {ban.event_id}" in text
    assert run("auth", "--room", file, beside.event_id).exit_code == 3


@pytest.mark.parametrize("did", ["accepted", "rejected", "soft-failed"])
def test_auth_says_what_the_recording_server_did(did: str, write: Write) -> None:
    built = public_room()
    topic = built.add("m.room.topic", ALICE, {"topic": "t"}, state_key="")
    ids = {name: [topic.event_id] if did == name else [] for name in ("rejected", "soft-failed")}
    head = header(rejected=ids["rejected"], soft_failed=ids["soft-failed"])
    room = write("room.jsonl", [head, *entries(built)])
    arguments = ("auth", "--room", room, topic.event_id)
    assert f"\nthe recording server {did} it\n" in run(*arguments).stdout
    assert {row["recorded"] for row in json.loads(run(*arguments, "--json").stdout)} == {did}
    # It says nothing about the events of other files, or if the header does not tell.
    more = built.make("m.room.message", BOB, {})
    for file, event in ((room, more.pdu), (write("bare.jsonl", [header(), *entries(built)]), topic.pdu)):
        result = run("auth", "--room", file, write("event.json", event))
        assert result.exit_code == 0
        assert "recording server" not in result.stdout
