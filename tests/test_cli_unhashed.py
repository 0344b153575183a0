"""``--unhashed``: states of made-up events, of which nothing is verified."""

import json
from pathlib import Path
from typing import Any

import pytest
from builder import VERSIONS
from command_line import Write, run

SCENARIO = Path(__file__).parent / "data" / "unhashed" / "tardis_scenario.json"
VERIFIED = "nothing was verified: event IDs are taken as given, and no hashes and no signatures are checked"


def scenario() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCENARIO.read_text())
    return found


def made_up(version: str, **more: Any) -> list[dict[str, Any]]:
    """The scenario as events of a room version, as tests of implementations have them."""
    events: list[dict[str, Any]] = scenario()["events"]
    events[0]["content"] = {"room_version": version, "creator": "@alice:a.example"}
    if version == "12":
        events[2]["content"] = {"users": {"@bob:b.example": 50}}
        for event in events:
            event["auth_events"] = [one for one in event["auth_events"] if one != "$CREATE"]
    if version in ("1", "2"):
        # There an ID names a server, and references carry hashes.
        text = json.dumps(events)
        for event in events:
            text = text.replace(f'"{event["event_id"]}"', f'"{event["event_id"]}:a.example"')
        events = json.loads(text)
    return [{**event, **more} for event in events]


def topic(stdout: str) -> str:
    (entry,) = (one for one in json.loads(stdout)["state"] if one["pdu"]["type"] == "m.room.topic")
    return str(entry["event_id"]).removesuffix(":a.example")


def test_a_scenario_of_tardis_is_resolved() -> None:
    result = run("resolve", "--unhashed", str(SCENARIO))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == VERIFIED
    assert result.stderr == ""
    assert 'm.room.topic ""  $TOPIC_A  {"topic": "alice"}' in result.stdout
    assert "resolved state: 6 entries from 2 states" in result.stdout
    data = json.loads(run("resolve", "--unhashed", "--json", "--trace", str(SCENARIO)).stdout)
    assert data["unhashed"] is True
    assert data["trace"]["full_conflicted_set"] == ["$TOPIC_A", "$TOPIC_B"]
    result = run("resolve", "--unhashed", str(SCENARIO), "--why", "m.room.topic", "")
    assert result.stdout.splitlines()[0] == VERIFIED


def test_a_state_of_a_scenario_is_printed() -> None:
    result = run("state", "--unhashed", str(SCENARIO))
    assert result.exit_code == 0
    first, *lines = result.stdout.splitlines()
    assert first == VERIFIED
    assert len(lines) == 6
    result = run("state", "--unhashed", "--json", "--at", "$TOPIC_B", str(SCENARIO))
    data = json.loads(result.stdout)
    assert (data["unhashed"], topic(result.stdout)) == (True, "$TOPIC_B")
    # No made-up hash is printed, and other commands do not take this for a verified state.
    assert all("hashes" not in entry["pdu"] for entry in data["state"])
    assert VERIFIED not in run("state", "vectors/rooms/v11.jsonl").stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_made_up_events_of_every_version_are_resolved(version: str, write: Write) -> None:
    shared = {} if version == "12" else {"room_id": "!made-up:a.example"}
    forms: list[Any] = [
        made_up(version, **shared),
        json.dumps(made_up(version, **shared), indent=1),
        json.dumps({"events": {one["event_id"]: one for one in made_up(version, **shared)}}),
        made_up(version),
        [{"event_id": one["event_id"], "pdu": one} for one in made_up(version, room_id="!x:a.example")],
        made_up(version, hashes={"sha256": "made up"}, signatures={}, depth=7, unsigned={}),
    ]
    ids = [one["event_id"] for one in made_up(version)]
    states = [
        write("a.json", json.dumps(ids[:6])),
        write("b.json", json.dumps([*ids[:5], ids[6]])),
    ]
    for form in forms:
        file = write("room.json", form)
        for sets in ((), ("--sets", states[0], "--sets", states[1])):
            result = run("resolve", "--unhashed", "--json", file, *sets)
            assert result.exit_code == 0, result.output
            # The algorithm of version 1 goes by depth and then by the IDs.
            assert topic(result.stdout) == ("$TOPIC_B" if version == "1" else "$TOPIC_A")
            assert len(json.loads(result.stdout)["state"]) == 6


def test_the_time_of_an_event_without_one_follows_the_input(write: Write) -> None:
    """The later topic wins. The times of both are missing, or only one."""
    events = made_up("10")
    for swapped in (False, True):
        order = [*events[:5], *(reversed(events[5:]) if swapped else events[5:])]
        result = run("resolve", "--unhashed", "--json", write("room.json", order))
        assert topic(result.stdout) == ("$TOPIC_B" if swapped else "$TOPIC_A")
    events[5]["origin_server_ts"] = 1000
    assert topic(run("resolve", "--unhashed", "--json", write("r.json", events)).stdout) == "$TOPIC_A"
    events[6]["origin_server_ts"] = 10
    assert topic(run("resolve", "--unhashed", "--json", write("r.json", events)).stdout) == "$TOPIC_B"


def test_the_depth_of_an_event_without_one_follows_its_prev_events(write: Write) -> None:
    """In version 1 the event that is deepest wins, of those that the rules allow."""
    events = made_up("1", room_id="!x:a.example")
    for later in (5, 6):
        chain = [json.loads(json.dumps(one)) for one in events]
        message = {**chain[4], "event_id": "$M:a.example", "type": "m.room.message"}
        message.pop("state_key")
        chain[later]["prev_events"] = ["$M:a.example"]
        file = write("room.json", [*chain[:5], {**message, "prev_events": ["$BOB:a.example"]}, *chain[5:]])
        result = run("resolve", "--unhashed", "--json", file)
        assert topic(result.stdout) == ("$TOPIC_B" if later == 5 else "$TOPIC_A")


def test_the_rules_still_apply(write: Write) -> None:
    events = made_up("10")
    events[5]["origin_server_ts"], events[6]["origin_server_ts"] = 10**12, 10
    assert topic(run("resolve", "--unhashed", "--json", write("room.json", events)).stdout) == "$TOPIC_B"
    del events[2]["content"]["users"]["@bob:b.example"]
    assert topic(run("resolve", "--unhashed", "--json", write("room.json", events)).stdout) == "$TOPIC_A"


def test_an_event_that_cannot_be_taken_is_left_out(write: Write) -> None:
    events: list[Any] = made_up("10")
    events += [{**events[6], "event_id": "$X", "prev_events": 5}, {**events[6], "event_id": 5}, 7]
    events += [{key: held for key, held in events[5].items() if key != "event_id"}]
    events += [{**events[6], "event_id": "$R", "room_id": 5}]
    result = run("state", "--unhashed", write("room.json", events))
    assert result.exit_code == 0
    assert "5 events are left out" in result.stderr
    assert "$X: prev_events: expected an array, found 5" in result.stderr
    assert "$R: room_id: expected a string" in result.stderr
    result = run("state", "--unhashed", write("room.json", [5, 6]), "--room-version", "10")
    assert (result.exit_code, "it has no usable event" in result.stderr) == (2, True)


def test_without_the_option_made_up_events_are_left_out() -> None:
    for command in ("state", "resolve"):
        result = run(command, str(SCENARIO))
        assert (result.exit_code, result.stdout) == (2, "")
        assert "it has no usable event" in result.stderr


@pytest.mark.parametrize("command", [("check",), ("auth", "--room", "room.jsonl")])
def test_check_and_auth_refuse_the_option(command: tuple[str, ...]) -> None:
    result = run(*command, "--unhashed", str(SCENARIO))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--unhashed is only for `roomver state` and `roomver resolve`" in result.stderr
    assert "--unhashed" not in run(command[0], "--help").stdout


@pytest.mark.parametrize("options", [("--keys", "k.json"), ("--now", "1760000000000"), ("--as-recorded",)])
@pytest.mark.parametrize("command", ["state", "resolve"])
def test_the_option_excludes_what_verifies(command: str, options: tuple[str, ...]) -> None:
    result = run(command, "--unhashed", *options, str(SCENARIO))
    assert (result.exit_code, "it excludes --keys, --now and --as-recorded" in result.stderr) == (2, True)
