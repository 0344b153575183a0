"""``--room-version-file`` on every command that takes a room version, and the tables of versions."""

import json
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from builder import ALICE, BOB, Room, key_of
from command_line import KEYS, Write, entries, header, run
from unpaddedbase64 import encode_base64

from roomver import RoomVersion, compute_event_id, redact, verify_signatures
from roomver.cli import main
from roomver.hashing import compute_content_hash
from roomver.readers import read_keys
from roomver.versions import UNSTABLE_ROOM_VERSIONS

X = "org.example.x"
TEXT = f"""
identifier = "{X}"
based_on = "12"
owned_state_keys = true
max_state_key_bytes = 511

[redaction_keeps_content]
"m.room.server_acl" = ["allow", "deny"]
"""


@pytest.fixture
def definition(write: Write) -> str:
    return write("x.toml", TEXT.encode())


@pytest.fixture
def version() -> RoomVersion:
    return RoomVersion.derive(
        X,
        "12",
        owned_state_keys=True,
        max_state_key_bytes=511,
        redaction_keeps_content={"m.room.server_acl": ["allow", "deny"]},
    )


def room(version: RoomVersion) -> Room:
    """Return a room in which Alice may set what Bob owns, and Bob may not set what Alice owns."""
    built = Room(version)
    built.join(ALICE)
    built.power({"users": {}, "state_default": 0})
    built.join_rule("public")
    built.join(BOB)
    built.add("org.example.own", ALICE, {"n": 1}, state_key=f"{BOB}_device")
    built.add("org.example.own", BOB, {"n": 2}, state_key=f"{ALICE}_device")
    return built


FORMS: dict[str, Callable[[Room], Any]] = {
    "recording": lambda built: [header(X), *entries(built)],
    "lines": lambda built: [event.pdu for event in built.events.values()],
    "document": lambda built: {"room_version": X, "pdus": [event.pdu for event in built.events.values()]},
}


def test_the_call_that_check_prints_names_the_definition(
    definition: str, version: RoomVersion, write: Write
) -> None:
    file = write("room.jsonl", FORMS["lines"](room(version)))
    text = run("check", file, "--room-version-file", definition).stdout
    (call,) = re.findall(r"to explain one event: roomver (.*)", text)
    words = shlex.split(call)
    assert words[2:4] == ["--room-version-file", definition]
    assert run(*words).exit_code == 1


# Commands on a room


@pytest.mark.parametrize("form", FORMS)
def test_check(form: str, definition: str, version: RoomVersion, write: Write) -> None:
    built = room(version)
    file = write("room.jsonl", FORMS[form](built))
    result = run("check", "--unsigned", "--json", "--room-version-file", definition, file)
    assert result.exit_code == 1
    (found,) = (
        json.loads(result.stdout)["rooms"]
        if "rooms" in json.loads(result.stdout)
        else [json.loads(result.stdout)]
    )
    last = list(built.events)[-1]
    assert last in json.dumps(found)
    assert "9.1.3" in result.stdout
    assert run("check", "--unsigned", file).exit_code == 2


def test_check_of_a_room_of_several(definition: str, version: RoomVersion, write: Write) -> None:
    built, other = room(version), Room(version, name="other", content={"room_version": X, "n": 1})
    pdus = [event.pdu for one in (built, other) for event in one.events.values()]
    file = write("rooms.jsonl", pdus)
    result = run(
        "check", "--unsigned", "--json", "--room-version-file", definition, "--room", built.room_id, file
    )
    assert result.exit_code == 1, result.stderr
    assert (
        built.create.event_id
        in run("state", "--room-version-file", definition, "--room", built.room_id, file).stdout
    )


def test_auth_state_and_resolve(definition: str, version: RoomVersion, write: Write) -> None:
    built = room(version)
    file = write("room.jsonl", [header(X), *entries(built)])
    accepted, refused = list(built.events)[-2:]
    options = ("--room-version-file", definition, "--room", file)
    assert run("auth", *options, accepted).exit_code == 0
    result = run("auth", *options, refused)
    assert result.exit_code == 1
    assert f"{X} rule 9.1.3 (state_key.owner)" in result.stdout.replace("\n", " ")
    state = run("state", "--room-version-file", definition, "--json", file)
    assert state.exit_code == 0
    assert accepted in state.stdout
    assert refused not in state.stdout
    ids = [write(f"{n}.txt", "\n".join([*built.events][:n]).encode()) for n in (5, 6)]
    resolved = run("resolve", "--room-version-file", definition, "--sets", ids[0], "--sets", ids[1], file)
    assert resolved.exit_code == 0, resolved.stderr


def test_auth_of_a_draft_against_a_state(definition: str, version: RoomVersion, write: Write) -> None:
    built = room(version)
    state = write("state.json", [event.pdu for event in built.state.values()])
    draft = {"type": "org.example.own", "sender": BOB, "state_key": f"{BOB}_x", "content": {}}
    options = ("--room-version-file", definition, "--state", state)
    assert run("auth", *options, write("draft.json", draft)).exit_code == 0
    other = {**draft, "state_key": f"{ALICE}_x"}
    assert run("auth", *options, write("other.json", other)).exit_code == 1


def test_record(definition: str, version: RoomVersion, write: Write) -> None:
    built = room(version)
    file = write("room.jsonl", [event.pdu for event in built.events.values()])
    for more in ((), ("--anonymise",)):
        result = run("record", "-o", "-", "--room-version-file", definition, *more, file)
        assert result.exit_code == 0, result.stderr
        first = json.loads(result.stdout.splitlines()[0])
        assert first["room_version"] == X
        again = run(
            "check",
            "--unsigned",
            "--json",
            "--room-version-file",
            definition,
            write("again.jsonl", result.stdout),
        )
        assert again.exit_code == 1
        assert again.stdout.count("9.1.3") == 1


def test_an_anonymised_room_keeps_its_owners_and_its_sizes(
    definition: str, version: RoomVersion, write: Write
) -> None:
    built = room(version)
    built.add("org.example.own", ALICE, {}, state_key=f"{ALICE}_" + "x" * 256)
    built.add("org.example.own", ALICE, {}, state_key="x" * 256)
    built.add("org.example.own", ALICE, {}, state_key="@nobody")
    file = write("room.jsonl", [event.pdu for event in built.events.values()])
    made = run("record", "-o", "-", "--room-version-file", definition, "--anonymise", file)
    assert made.exit_code == 0, made.stderr
    assert "alice" not in made.stdout
    checked = run(
        "check", "--unsigned", "--json", "--room-version-file", definition, write("m.jsonl", made.stdout)
    )
    for number in ("9.1.1", "9.1.2", "9.1.3", "9.2"):
        assert checked.stdout.count(f"rule {number} ") == 1, number


# Commands on an event


def test_the_commands_on_one_event(definition: str, version: RoomVersion, write: Write) -> None:
    built = room(version)
    acl = built.add("m.room.server_acl", ALICE, {"allow": ["*"], "x": 1}, state_key="")
    file = write("event.json", acl.pdu)
    option = ("--room-version-file", definition)
    assert run("event-id", *option, file).stdout == compute_event_id(acl.pdu, version) + "\n"
    assert run("event-id", "--room-version", "12", file).stdout != acl.event_id + "\n"
    hashes = json.loads(run("hash", "--json", *option, file).stdout)
    assert hashes["content_hash"] == compute_content_hash(acl.pdu, version)
    assert json.loads(run("redact", *option, file).stdout) == redact(acl)
    assert json.loads(run("redact", *option, file).stdout)["content"] == {"allow": ["*"]}
    keys = write("keys.json", KEYS)
    assert run("verify", *option, "--keys", keys, file).exit_code == 0
    assert run("verify", "--room-version", "12", "--keys", keys, file).exit_code == 1
    seed = write("seed", f"ed25519 1 {encode_base64(bytes(range(32)))}\n".encode())
    unsigned = write("unsigned.json", {key: value for key, value in acl.pdu.items() if key != "signatures"})
    signed = run("sign", *option, "--server", "a.example", "--seed-file", seed, unsigned)
    assert signed.exit_code == 0, signed.stderr
    assert json.loads(signed.stdout)["signatures"].keys() == {"a.example"}
    assert run("canonical", *option, stdin=b"1.5").exit_code == 2
    lenient = write("lenient.toml", b'identifier = "org.x"\nbased_on = "5"')
    assert run("canonical", "--room-version-file", lenient, stdin=b"1.5").stdout == "1.5\n"
    assert verify_signatures(acl.pdu, read_keys(json.dumps(KEYS).encode(), "keys").keys, version).valid
    assert key_of("a.example") is not None


def _takes_a_version(command: click.Command) -> bool:
    return any("--room-version" in one.opts for one in command.params)


def test_every_command_with_a_room_version_takes_a_file() -> None:
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    taking = {name for name, command in commands.items() if command is not None and _takes_a_version(command)}
    with_file = {
        name
        for name, command in commands.items()
        if command is not None and any("--room-version-file" in one.opts for one in command.params)
    }
    assert taking == with_file
    assert taking == {
        *("check", "auth", "state", "resolve", "record", "versions", "rules"),
        *("event-id", "hash", "redact", "sign", "verify", "canonical"),
        *("explain", "history", "resets", "graph", "report"),
        *("may", "keys", "compare", "repair", "shrink"),
    }


# Tables


def test_rules_of_a_defined_version(definition: str) -> None:
    listed = json.loads(run("rules", "--json", "--room-version-file", definition).stdout)
    numbers = {rule["name"]: rule["number"] for rule in listed}
    assert numbers["state_key.owner"] == "9.1.3"
    assert "state_key.of_other_user" not in numbers
    text = run("rules", "--room-version-file", definition).stdout
    assert "state_key.suffix" in text


def test_a_rule_without_a_number_is_listed(write: Write) -> None:
    file = write("x.toml", f'identifier = "{X}"\nbased_on = "11"\ninfinite_creator_level = true'.encode())
    listed = json.loads(run("rules", "--json", "--room-version-file", file).stdout)
    assert {rule["name"]: rule["number"] for rule in listed}["power_levels.creator_listed"] is None
    (line,) = [
        line
        for line in run("rules", "--room-version-file", file).stdout.splitlines()
        if "creator_listed" in line
    ]
    assert line.split()[0] == "-"


def test_versions_shows_the_version_beside_its_base(definition: str) -> None:
    result = run("versions", "--room-version-file", definition)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["Feature", "12", X]
    assert any(
        line.startswith("Maximum length of a state key") and line.split()[-2:] == ["255", "511"]
        for line in lines
    )
    data = json.loads(run("versions", "--json", "--room-version-file", definition).stdout)
    assert data["versions"] == ["12", X]
    assert data["unstable"][X]["based_on"] == "12"
    markdown = run("versions", "--markdown", "--room-version-file", definition).stdout
    assert markdown.startswith(f"| Feature | 12 | {X} |\n|---|:-:|:-:|\n")


def _sections(text: str) -> dict[str, Any]:
    """Return the definitions in an output of `roomver versions`."""
    found = {}
    for section in text.split('identifier = "')[1:]:
        fields = tomllib.loads('identifier = "' + section)
        found[fields["identifier"]] = fields
    return found


def test_what_versions_prints_is_a_definition(definition: str, version: RoomVersion, write: Write) -> None:
    printed = run("versions", "--room-version-file", definition).stdout
    text = printed[printed.index("identifier = ") :]
    again = write("again.toml", text.encode())
    assert run("versions", "--room-version-file", again).stdout == printed
    assert _sections(printed)[X]["max_state_key_bytes"] == version.max_state_key_bytes


def test_versions_lists_the_unstable_ones_apart() -> None:
    text = run("versions").stdout
    assert "# Unstable room versions" in text
    for name, fields in _sections(text).items():
        record = UNSTABLE_ROOM_VERSIONS[name]
        identifier, based_on = fields.pop("identifier"), fields.pop("based_on")
        assert (identifier, based_on) == (name, record.based_on)
        derived = RoomVersion.derive(X, based_on, **fields)
        same = {"identifier"}
        assert all(
            getattr(derived, field) == getattr(record, field)
            for field in RoomVersion.__slots__
            if field not in same and not field.startswith("__")
        )
    assert list(_sections(text)) == list(UNSTABLE_ROOM_VERSIONS)
    assert max(map(len, text[text.index("# Unstable") :].splitlines())) <= 80
    data = json.loads(run("versions", "--json").stdout)
    assert list(data["unstable"]) == list(UNSTABLE_ROOM_VERSIONS)
    stable = run("versions", "--room-version", "11").stdout.splitlines()
    assert stable[0].split() == ["Feature", "11"]
    assert "identifier" not in stable[-1]


# Bad files


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", 'expected identifier = "…", a string; it has none'),
        (b'identifier = "org.x"', 'expected based_on = "…", a string; it has none'),
        (b'identifier = "org.x"\nbased_on = 12', 'expected based_on = "…", a string; found 12'),
        (b'identifier = ["org.x"]\nbased_on = "12"', 'expected identifier = "…", a string; found an array'),
        (b'identifier = "org.x"\nbased_on = "13"', "unknown room version '13'; known versions: 1 to 12,"),
        (b'identifier = "12"\nbased_on = "12"', "room version 12: identifier: roomver has a room version 12"),
        (b'identifier = "Org X"\nbased_on = "12"', "room version Org X: identifier: expected 1 to 32 of"),
        (b'identifier = "org.x"\nbased_on = "12"\nknok = true', '"knok" is not a field; did you mean knock?'),
        (b'identifier = "org.x"\nbased_on = "12"\nknock = 1', "knock: expected true or false, found 1"),
        (b'identifier = "org.x"\nbased_on = "12"\nknock = 1979-05-27', "found a Python date"),
        (
            b'identifier = "org.x"\nbased_on = "12"\n[knock]\na = 1',
            "knock: expected true or false, found an object",
        ),
        (b'identifier = "org.x"\nbased_on = "12"\nknock = false', "knock_restricted needs knock"),
        (b'identifier = "org.x"\nbased_on = "12"\nself = 1', '"self" is not a field'),
        (b'identifier = "org.x"\nbased_on = "12"\nbase = "11"', '"base" is not a field'),
        (b'identifier = "\x1b[2J"\nbased_on = "12"', "this is not TOML"),
        (b'identifier = "\\u001b[2J"\nbased_on = "12"', "identifier: expected 1 to 32 of"),
        (b"{}", "this is not TOML: "),
        (b"a = 1\na = 2", "this is not TOML: "),
        (b"a = " + b"[" * 100_000, "it is nested too deeply"),
        (b"a = " + b"9" * 10_000, "this is not TOML: "),
        (b"\xff", "not UTF-8: invalid start byte at byte 0"),
        (b"#" * (2**20 + 1), "has more than 1,048,576 bytes"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(text: bytes, reason: str, write: Write) -> None:
    file = write("bad.toml", text)
    result = run("versions", "--room-version-file", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"roomver: {file}: ")
    assert reason in result.stderr
    assert "\x1b" not in result.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = run("rules", "--room-version-file", str(tmp_path / "none.toml"))
    assert (result.exit_code, result.stderr) == (
        2,
        f"roomver: {tmp_path / 'none.toml'}: No such file or directory\n",
    )


def test_one_room_version_is_enough_and_one_is_needed(definition: str, write: Write) -> None:
    event = write("event.json", {"type": "x"})
    both = run("event-id", "--room-version", "11", "--room-version-file", definition, event)
    assert both.exit_code == 2
    assert "Give --room-version or --room-version-file, but not both." in both.stderr
    neither = run("event-id", event)
    assert neither.exit_code == 2
    assert "Missing option '--room-version' (or '--room-version-file')." in neither.stderr
    stdin = run("event-id", "--room-version-file", "-", event, stdin=TEXT.encode())
    assert stdin.exit_code == 2
    assert "must be in a file of its own" in stdin.stderr


@pytest.mark.parametrize("form", FORMS)
def test_an_unknown_version_in_a_file_names_the_option(form: str, version: RoomVersion, write: Write) -> None:
    file = write("room.jsonl", FORMS[form](room(version)))
    result = run("check", "--unsigned", file)
    assert result.exit_code == 2
    assert f"unknown room version '{X}'" in result.stderr
    assert "--room-version-file" in result.stderr


@pytest.mark.parametrize("form", ["recording", "document"])
def test_a_file_of_another_version_is_refused(form: str, version: RoomVersion, write: Write) -> None:
    file = write("room.jsonl", FORMS[form](room(version)))
    other = write("y.toml", b'identifier = "org.example.y"\nbased_on = "12"')
    result = run("check", "--unsigned", "--room-version-file", other, file)
    assert result.exit_code == 2
    assert f"unknown room version '{X}'" in result.stderr
