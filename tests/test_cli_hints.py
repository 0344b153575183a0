"""Hints: IDs that a shell or a person has quoted, one ID in place of another, calls without a command."""

import shlex
import sqlite3
from pathlib import Path

import pytest
from builder import ALICE, BOB
from click.testing import CliRunner
from command_line import KEYS, Write, entries, header, public_room, run
from homeservers import room_named, unpacked_sqlite
from rich.cells import cell_len

from roomver.cli import main

HINT = "an event ID starts with $: "


@pytest.mark.parametrize("given", ["$gone", "'$gone'", '"$gone"', r"\$gone", "$$gone", "gone", "'gone'"])
def test_a_hint_names_the_id_once_with_one_dollar(given: str, write: Write) -> None:
    room = write("room.jsonl", [header(), *entries(public_room())])
    state = write("state.json", [event.pdu for event in public_room().state.values()])
    commands = [
        ("auth", "--room", room, given),
        ("auth", "--state", state, given),
        ("state", room, "--at", given),
        ("resolve", room, "--at", given),
    ]
    for command in commands:
        result = run(*command)
        assert result.exit_code == 2
        for line in result.stderr.splitlines():
            hint = line.partition(HINT)[2]
            assert hint in ("", "'$gone'"), line
        if command[1] != "--state" and given == "$gone":
            assert HINT not in result.stderr


def test_an_event_id_with_a_state_names_the_option_that_takes_it(write: Write) -> None:
    state = write("state.json", [event.pdu for event in public_room().state.values()])
    for given in ("$gone", "'$gone'"):
        result = run("auth", "--state", state, given)
        assert "with --state, EVENT is a file; --room takes an event ID" in result.stderr


def test_a_quoted_id_is_found_by_the_hint(write: Write) -> None:
    built = public_room()
    message = built.add("m.room.message", ALICE, {"body": "x"})
    room = write("room.jsonl", [header(), *entries(built)])
    quoted = f"'{message.event_id}'"
    for command in (("auth", "--room", room, quoted), ("state", room, "--at", quoted)):
        assert f"{HINT}{quoted}\n" in run(*command).stderr


GUIDED = {
    "postgresql://u:secret@h/d": (
        "postgresql://u@h/d is a database, not a command. List its rooms, then check one:",
        "roomver rooms postgresql://u@h/d",
        "roomver check postgresql://u@h/d --room '!…'",
    ),
    "!a:b": (
        "'!a:b' is a room ID. Name a database or a file that has the room too:",
        "roomver check homeserver.db --room '!a:b'",
    ),
    "$abc": (
        "'$abc' is an event ID. Name a database or a file that has its room too:",
        "roomver explain homeserver.db '$abc'",
    ),
    "@u:h": (
        "@u:h is a user ID. Members are in the state of a room:",
        "roomver state homeserver.db --room '!…' --type m.room.member --key @u:h",
    ),
    "#x:y": (
        "'#x:y' is a room alias. Its room ID is in Synapse's table room_aliases, or in the response to GET"
        " /_matrix/client/v3/directory/room/%23x%3Ay",
    ),
    "-": ("- is standard input, not a command. To check what it holds:", "roomver check -"),
    "https://h/x": (
        "https://h/x: roomver does not use the network. Save the answer as a file, then:",
        "roomver check FILE",
    ),
    "chek": ("there is no command chek; did you mean `roomver check`?",),
    "qqqq.json": ("there is no command and no file qqqq.json: see `roomver --help`",),
    "a\n\x1b[31m": ("there is no command and no file 'a\\u000a\\u001b[31m': see `roomver --help`",),
    "a\0b": ("there is no command and no file 'a\\u0000b': see `roomver --help`",),
    "a" * 260: (f"{'a' * 260} is neither a command nor a file that can be read: see `roomver --help`",),
    "": (
        "'' is not a command; put an event ID in single quotes, '$…', since without them the shell"
        " replaces $",
    ),
}


@pytest.mark.parametrize("given", GUIDED, ids=range(len(GUIDED)))
def test_a_call_without_a_command_says_what_to_type(given: str) -> None:
    result = run(given)
    first, *calls = GUIDED[given]
    assert result.stderr.splitlines() == [f"roomver: {first}", *(f"  {call}" for call in calls)]
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_call_with_a_file_and_no_command_says_what_to_type(write: Write, tmp_path: Path) -> None:
    database = tmp_path / "homeserver.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE rooms (room_id TEXT)")
    connection.close()
    room = write("room.jsonl", [header(), *entries(public_room())])
    key = write("a.signing.key", "ed25519 a_1 AAAA\n")
    expected = {
        str(database): [f"{database} is a database, not a command", f"roomver rooms {database}"],
        room: [
            f"{room} is a file, not a command",
            f"roomver check {room}",
            f"roomver explain {room} '$…'",
        ],
        key: [f"{key} is a signing key", f"--keys SERVER={key}"],
        str(tmp_path): [f"{tmp_path} is a directory"],
        "/dev/null": ["/dev/null is not a command", "roomver check /dev/null"],
    }
    for given, words in expected.items():
        result = run(given, "--room", "!x")
        assert result.exit_code == 2
        for word in words:
            assert word in result.stderr, given


@pytest.mark.parametrize("command", ["check", "auth", "state", "resolve", "record", "rooms"])
def test_the_help_shows_a_call_with_a_database_in_80_columns(command: str) -> None:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(main, [command, "--help"], terminal_width=80)
    assert "homeserver.db" in result.output.partition("Example:")[2]
    assert max(map(cell_len, result.output.splitlines())) <= 80


def test_the_help_of_all_commands_cuts_no_sentence() -> None:
    result = CliRunner().invoke(main, ["--help"], terminal_width=80)
    assert "..." not in result.output.partition("Commands:")[2]
    assert max(map(cell_len, result.output.splitlines())) <= 80


@pytest.mark.parametrize(
    ("document", "is_keys"),
    [
        (KEYS, True),
        ({"server_name": "a", "verify_keys": {}, "old_verify_keys": {}}, True),
        ({"server_keys": []}, True),
        ({}, False),
        ({"a": {}}, False),
        ({"a": {"ed25519:1": {"key": "x"}}, "b": 5}, False),
        ({"a": {"ed25519:1": {}}}, False),
    ],
)
def test_a_file_of_keys_is_recognised(document: object, is_keys: bool, write: Write) -> None:
    result = run("check", write("keys.json", document))
    told = "these are keys of servers, not events: give them beside a room, as --keys FILE"
    assert (result.exit_code, told in result.stderr) == (2, is_keys)


WRONG_ROOMS = {
    "$abc": "it is an event ID. A room ID starts with !; `roomver rooms SOURCE` lists them",
    "#x:y": "it is a room alias. Its room ID is in Synapse's table room_aliases, or in the response",
    "'!a:b'": "give it without the quotes or backslash that are part of it: '!a:b'",
    "\\!a:b": "give it without the quotes or backslash that are part of it: '!a:b'",
    "a:b": "it starts with !; put it in single quotes, '!…'",
}


@pytest.mark.parametrize("given", WRONG_ROOMS)
def test_another_id_in_place_of_the_room_id(given: str, write: Write) -> None:
    room = write("room.jsonl", [header(), *entries(public_room())])
    for command in ("check", "state", "resolve"):
        result = run(command, room, "--room", given)
        assert (result.exit_code, WRONG_ROOMS[given] in result.stderr) == (2, True), result.stderr
    result = run("auth", "--room", room, "--room", given, "$abc")
    assert (result.exit_code, WRONG_ROOMS[given] in result.stderr) == (2, True), result.stderr


def test_a_room_id_in_place_of_an_event_id(write: Write) -> None:
    room = write("room.jsonl", [header(), *entries(public_room())])
    for command in (("auth", "--room", room, "!a:b"), ("state", room, "--at", "!a:b")):
        result = run(*command)
        assert result.exit_code == 2
        assert "'!a:b' is a room ID, where an event ID is needed" in result.stderr


def test_the_rest_of_an_id_that_a_shell_cut_is_recognised(write: Write) -> None:
    built = public_room()
    message = built.add("m.room.message", ALICE, {"body": "x"})
    room = write("room.jsonl", [header(), *entries(built)])
    for cut in (2, 3, 20):
        rest = message.event_id[cut:].lstrip("-")
        for command in (("auth", "--room", room, rest), ("state", room, "--at", rest)):
            result = run(*command)
            assert result.exit_code == 2
            assert (
                f"this is the end of '{message.event_id}': put an event ID in single quotes" in result.stderr
            )


def test_a_client_event_in_place_of_a_command_is_told(write: Write) -> None:
    event = {
        "type": "m.room.message",
        "room_id": "!a:b",
        "sender": "@a:b",
        "event_id": "$x",
        "origin_server_ts": 1,
        "content": {"body": "x"},
    }
    path = write("client.json", event)
    result = run(path)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith(f"roomver: {path}: this is client-server JSON: ")


@pytest.mark.parametrize(
    "line",
    [
        "Nov 29 17:40:15 hs.example synapse[123]: Rejecting $x because auth failed",
        "Nov  2 17:40:15 hs synapse: Rejecting $x",
        "2026-11-29T17:40:15+0000 hs synapse[123]: Rejecting $x",
        "2026-11-29 17:40:15,123 - synapse.handlers - 100 - INFO - Rejecting $x",
        '{"__REALTIME_TIMESTAMP":"1","MESSAGE":"Rejecting $x","PRIORITY":"6"}',
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_lines_of_a_log_tell_which_command_to_run(line: str, count: int, write: Write) -> None:
    path = write("log.txt", f"{line}\n" * count)
    result = run("check", path)
    assert (result.exit_code, result.stderr) == (
        2,
        f"roomver: {path}: this is a log, which has no events; take an event ID from it, and ask why:"
        " roomver auth --room DATABASE --room '!…' '$…'\n",
    )


# Calls with a text where a room may be meant. None of them is a file.
NOT_ROOMS = {
    "check ROOM room:a.example": "'room:a.example' is neither a file nor a room ID",
    "check ROOM lounge": "'lounge' is neither a file nor a room ID",
    "state ROOM lounge": "'lounge' is neither a file nor a room ID",
    "graph ROOM lounge": "'lounge' is neither a file nor a room ID",
    "explain ROOM lounge $x": "'lounge' is neither a file nor a room ID",
    "may ROOM lounge @bob:b.example join": "'lounge' is neither a file nor a room ID",
    "history ROOM room:a.example m.room.topic": "If room:a.example is the room",
}


@pytest.mark.parametrize("call", NOT_ROOMS)
def test_a_room_without_its_mark_is_recognised_and_the_rooms_are_named(call: str, write: Write) -> None:
    room = write("room.jsonl", [header(), *entries(public_room())])
    result = run(*(room if word == "ROOM" else word for word in call.split()))
    assert result.exit_code == (0 if call.startswith("history") else 2)
    said = " ".join((result.stdout if call.startswith("history") else result.stderr).split())
    assert NOT_ROOMS[call] in said
    assert "'!room:a.example'" in said


def test_a_file_that_is_not_there_is_still_said_to_be_one(write: Write) -> None:
    room = write("room.jsonl", [header(), *entries(public_room())])
    assert "room ID" not in run("check", room, "other.jsonl").stderr
    assert "one SOURCE is read, not 2" in run("state", room, room).stderr


def test_a_database_finds_a_room_by_its_name_after_the_source(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    by_name, by_id = (run("graph", database, one) for one in ("late-v1", room_named("late-v1")))
    assert by_name.exit_code == 0
    assert by_name.stdout.splitlines()[0] == by_id.stdout.splitlines()[0]
    asked = ("@alice:hs.example", "join")
    told = run("may", database, "late-v1", *asked)
    by_option = run("may", database, "--room", "late-v1", *asked)
    assert told.stdout
    assert (told.exit_code, told.stdout) == (by_option.exit_code, by_option.stdout)


def test_an_option_of_other_commands_names_them() -> None:
    told = " ".join(run("check", "--cache", "x", "room.jsonl").stderr.split())
    assert "check has no --cache: it lists what it finds while it reads" in told
    having = told.partition("Commands with --cache: ")[2].split(", ")
    assert {"state", "explain", "resets"} <= {*having}
    assert not {"check", "rooms", "record"} & {*having}
    for name in having:
        assert "--cache" in run(name, "--help").stdout
    assert "No such option '--nonsense'" in run("check", "--nonsense").stderr


def test_the_calls_that_check_prints_have_the_options_that_change_their_answer(write: Write) -> None:
    built = public_room()
    topic = built.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    lines = [{**one, "pdu": {**one["pdu"], "signatures": {}}} for one in entries(built)]
    room = write("room.jsonl", [header(rejected=[topic.event_id], soft_failed=[]), *lines])
    plain = write("plain.jsonl", [one["pdu"] for one in lines])
    signed = write("signed.jsonl", [one["pdu"] for one in entries(built)])
    calls = (
        (room, "--unsigned", "--as-recorded"),
        (plain, "--unsigned"),
        (signed, "--room-version", "11", "--now", "1700000000000"),
    )
    for file, *options in calls:
        (call,) = (
            line.partition("to explain one event: roomver ")[2]
            for line in run("check", file, *options).stdout.splitlines()
            if "to explain one event: " in line
        )
        words = shlex.split(call)
        assert [*options] == [word for word in words[2:-1] if word in options]
        assert run(*words).exit_code in (1, 3)


def test_a_type_without_its_beginning_is_answered_with_the_whole_type(write: Write) -> None:
    built = public_room()
    built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    room = write("room.jsonl", [header(), *entries(built)])
    for given in ("topic", "m.room.topik"):
        result = run("state", room, "--type", given)
        assert result.exit_code == 1
        assert "has no such entry; did you mean --type m.room.topic?" in result.stderr
        assert "did you mean m.room.topic?" in run("graph", room, "--type", given).stdout
    for words in (["--type", "x.y"], ["--type", "m.room.topic", "--key", "x"], ["--key", "topic"]):
        assert "did you mean" not in run("state", room, *words).stderr


def test_a_part_of_the_name_of_a_room_is_answered_with_the_name(tmp_path: Path) -> None:
    database = str(unpacked_sqlite(tmp_path))
    for given, named in {
        "purged": "the nearest name is 'purged-v9'",
        "LATE": "the nearest names are 'late-v1', 'late-v10'",
        "finishd-v12": "the nearest name is 'finished-v12'",
    }.items():
        result = run("check", database, given)
        assert (result.exit_code, named in result.stderr) == (2, True), result.stderr
    assert "nearest" not in run("check", database, "--room", "zzz").stderr
