"""The commands of one event, and calls that cannot be meant."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from command_line import KEYS, Write, run
from forms import pairs, small_room, stored

from roomver import redact

EVENTS = pairs(small_room())
MESSAGE_ID, MESSAGE = EVENTS[5]

ONE = {
    "a PDU": MESSAGE,
    "with its ID": {**MESSAGE, "event_id": MESSAGE_ID},
    "administration": {"event": {**MESSAGE, "event_id": MESSAGE_ID, "unsigned": {"age": 5}}},
    "federation": {"origin": "b.example", "origin_server_ts": 1, "pdus": [MESSAGE]},
    "a recording's line": {"event_id": MESSAGE_ID, "pdu": MESSAGE},
    "wrapped": {"pdu": MESSAGE},
    "a row": {"event_id": MESSAGE_ID, "json": stored(MESSAGE)},
    "an array": [MESSAGE],
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("form", ONE)
def test_one_event_is_read_in_every_form(form: str, indent: int | None, write: Write) -> None:
    file = write("event.json", json.dumps(ONE[form], indent=indent))
    version = ("--room-version", "11")
    result = run("event-id", *version, file)
    assert (result.exit_code, result.stdout) == (0, f"{MESSAGE_ID}\n")
    inside = form in ("with its ID", "administration")
    assert ("the event_id in it is right" in result.stderr) == inside
    assert json.loads(run("hash", "--json", *version, file).stdout)["check"] == "intact"
    assert json.loads(run("redact", *version, file).stdout) == redact(MESSAGE, "11")
    keys = write("keys.json", KEYS)
    result = run("verify", *version, "--keys", keys, file)
    assert (result.exit_code, result.stdout) == (0, "b.example: signed\n")
    room = write("room.jsonl", [pdu for _, pdu in EVENTS[:5]])
    assert run("auth", "--room", room, file).exit_code == 0
    packed = write("event.json.gz", gzip.compress(json.dumps(ONE[form]).encode()))
    assert run("event-id", *version, packed).stdout == f"{MESSAGE_ID}\n"


def test_a_wrong_id_in_the_file_is_told(write: Write) -> None:
    version = ("--room-version", "11")
    for value in (
        {**MESSAGE, "event_id": "$x"},
        {"event": {**MESSAGE, "event_id": "$x"}},
        {"event_id": "$x", "pdu": MESSAGE},
    ):
        file = write("event.json", json.dumps(value))
        result = run("event-id", *version, file)
        assert (result.exit_code, result.stdout) == (1, f"{MESSAGE_ID}\n")
        told = f"roomver: {file}: the event ID in it, $x, is wrong: the event's ID is {MESSAGE_ID}\n"
        assert result.stderr == told
        for command in ("hash", "redact"):
            result = run(command, *version, file)
            assert (result.exit_code, result.stderr) == (0, told)
        room = write("room.jsonl", [pdu for _, pdu in EVENTS[:5]])
        keys = write("keys.json", KEYS)
        assert run("auth", "--room", room, "--keys", keys, file).stderr == told


def test_the_signed_event_has_its_own_id(write: Write) -> None:
    seed = write("seed", "ed25519 1 " + "A" * 43)
    options = ("--room-version", "11", "--server", "b.example", "--seed-file", seed)
    result = run("sign", *options, write("event.json", json.dumps({**MESSAGE, "event_id": MESSAGE_ID})))
    assert result.exit_code == 0
    assert "event_id" not in json.loads(result.stdout)
    assert "the event_id in it is right" in result.stderr
    draft = {key: value for key, value in MESSAGE.items() if key not in ("hashes", "signatures")}
    result = run("sign", *options, write("event.json", json.dumps({**draft, "depth": 9, "event_id": "$x"})))
    assert result.exit_code == 0
    assert "the event ID in it, $x, is wrong: the event's ID is $" in result.stderr


@pytest.mark.parametrize("command", ["event-id", "hash", "redact", "verify", "sign"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"hello": "world"}, "a JSON object that is not an event and has none of pdus"),
        ({"type": "x"}, "this is not a PDU: it lacks sender, content, depth, origin_server_ts, prev_events"),
        ({**MESSAGE, "type": 5, "content": {}}, None),
        ([MESSAGE, MESSAGE], "expected one event, found several"),
        ([], "expected one event, found none"),
        (["$a"], "this file has only event IDs"),
        ({"pdu": 5}, "expected an event, a JSON object with a type; found 5"),
        ({"json": "{"}, "not JSON: "),
        ({"format": "roomver-room/1", "room_version": "10"}, "it says that it has room version 10, not 11"),
        (
            {"type": "m.room.message", "sender": BOB, "content": {}, "event_id": "$a", "room_id": "!a:x"},
            "this is client-server JSON: its events lack auth_events, prev_events, depth, hashes and",
        ),
    ],
)
def test_what_is_not_one_pdu_is_refused(command: str, value: Any, told: str | None, write: Write) -> None:
    options = {
        "sign": ["--server", "a", "--seed-file", write("seed", "ed25519 1 " + "A" * 43)],
        "verify": ["--keys", write("keys.json", KEYS)],
    }.get(command, [])
    file = write("event.json", json.dumps(value))
    result = run(command, "--room-version", "11", *options, file)
    if told is not None:
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"roomver: {file}: {told}")


# auth --state: drafts.


@pytest.mark.parametrize("version", VERSIONS)
def test_a_draft_is_judged_by_what_the_rules_read(version: str, write: Write) -> None:
    built = small_room(version)
    state = write("state.json", json.dumps([event.pdu for event in built.state.values()]))
    draft = {"type": "m.room.topic", "state_key": "", "sender": ALICE, "content": {"topic": "x"}}
    options = ("--state", state, "--room-version", version, "--keys", write("keys.json", KEYS))
    result = run("auth", *options, write("draft.json", draft))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("allowed\na draft  m.room.topic '' ")
    result = run("auth", "--json", *options, write("draft.json", {**draft, "sender": BOB}))
    assert result.exit_code == 1
    (judged,) = json.loads(result.stdout)
    assert (judged["allowed"], judged["event_id"]) == (False, None)
    # The same as for the whole event.
    whole = built.make("m.room.topic", BOB, {"topic": "x"}, state_key="").pdu
    (other,) = json.loads(run("auth", "--json", *options, write("whole.json", whole)).stdout)
    assert {**other, "event_id": None} == judged
    assert run("auth", *options, write("draft.json", {**draft, "sender": 5})).exit_code == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_draft_of_the_first_join_follows_the_create_event(version: str, write: Write) -> None:
    built = Room(version)
    state = write("state.json", json.dumps([built.create.pdu]))
    draft = {"type": "m.room.member", "state_key": ALICE, "sender": ALICE, "content": {"membership": "join"}}
    result = run("auth", "--state", state, write("draft.json", draft))
    assert "member.join.creator" in result.stdout, result.stdout
    draft = {**draft, "state_key": BOB, "sender": BOB}
    assert run("auth", "--state", state, write("draft.json", draft)).exit_code == 1


def test_a_room_is_not_a_state(write: Write) -> None:
    built = small_room()
    built.power({"users": {ALICE: 100, BOB: 50}})
    file = write("room.jsonl", [pdu for _, pdu in pairs(built)])
    result = run("auth", "--state", file, write("event.json", MESSAGE))
    assert result.exit_code == 2
    error = result.stderr.splitlines()[0]
    assert error.endswith("`roomver state --json` prints the state of a room")


# Usage errors.


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["auth", "--room", "ROOM", ""],
            "put an event ID in single quotes, '$…', since without them the shell replaces $",
        ),
        (
            ["event-id", "--room-version", "11", ""],
            "this is not the name of a file; put an event ID in single",
        ),
        (
            ["auth", "--room", "ROOM", "-A7l6XPIXi-ZTj3db_0"],
            "If -A7l6XPIXi-ZTj3db_0 is the end of an event ID",
        ),
        (["auth", "--room", "ROOM", MESSAGE_ID[1:]], f"an event ID starts with $: '{MESSAGE_ID}'"),
        (["state", "ROOM", "--at", MESSAGE_ID[1:]], f"an event ID starts with $: '{MESSAGE_ID}'"),
        (["state", "ROOM", "--at", ""], "the event ID is empty; put an event ID in single quotes"),
        (["resolve", "ROOM", "--at", ""], "the event ID is empty; put an event ID in single quotes"),
        (["check", "ROOM", "--now", "2026"], "give milliseconds since 1970, such as 1760000000000"),
        (["check", "ROOM", "--now", "1700000000"], "give milliseconds since 1970, such as 1700000000000"),
        (["resolve", "ROOM", "--why", "m.room.memebr", ALICE], "did you mean 'm.room.member'?"),
        (["resolve", "ROOM", "--why", "m.room.member", "@alic:a.example"], f"did you mean '{ALICE}'?"),
        (["resolve", "ROOM", "--why", "zzz", ""], "no state event has the type zzz\n"),
        (["check", "."], "this is a folder"),
    ],
)
def test_a_call_that_cannot_be_meant_is_told_with_the_cure(
    arguments: list[str], told: str, write: Write
) -> None:
    room = write("room.jsonl", [pdu for _, pdu in EVENTS])
    result = run(*(room if one == "ROOM" else one for one in arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_a_short_option_that_does_not_exist_is_not_called_an_id(write: Write) -> None:
    result = run("check", "-x", write("room.jsonl", []))
    assert (result.exit_code, "single quotes" in result.stderr) == (2, False)


@pytest.mark.skipif(os.name != "posix", reason="closes streams as a shell does")
@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("check - <&-", 2, "roomver: standard input: it is closed\n"),
        ("vectors serve <&-", 2, "roomver: standard input: it is closed\n"),
        ("check ROOM >&-", 2, "roomver: standard output is closed\n"),
        ("check - <&- >&-", 2, "roomver: standard output is closed\n"),
        ("check ROOM 2>&-", 0, ""),
        ("check ROOM <&- 2>&-", 0, ""),
    ],
)
def test_a_closed_stream_is_no_traceback(command: str, code: int, told: str, write: Write) -> None:
    file = Path(write("room.jsonl", [pdu for _, pdu in EVENTS]))
    program = f"{sys.executable} -m roomver {command.replace('ROOM', file.name)}"
    result = subprocess.run(
        program, shell=True, cwd=file.parent, capture_output=True, check=False, timeout=60
    )
    assert (result.returncode, result.stderr.decode()) == (code, told)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to a disk that is full")
@pytest.mark.parametrize("command", ["--help", "--version", "check --help", "versions", "vectors list"])
def test_a_full_disk_is_one_line_and_not_a_finding(command: str) -> None:
    program = f"{sys.executable} -m roomver {command} > /dev/full"
    result = subprocess.run(program, shell=True, capture_output=True, check=False, timeout=60)
    assert (result.returncode, result.stderr.decode()) == (2, "roomver: No space left on device\n")


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as a shell does")
@pytest.mark.parametrize("command", ["--help", "check --help", "vectors list", "vectors serve"])
def test_a_closed_pipe_is_silent_and_not_a_finding(command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    program = [sys.executable, "-m", "roomver", *command.split()]
    request = b'{"operation": "x", "room_version": "1", "input": {}}\n'
    result = subprocess.run(
        program, input=request, stdout=write, stderr=subprocess.PIPE, check=False, timeout=60
    )
    os.close(write)
    assert (result.returncode, result.stderr) == (141, b"")
