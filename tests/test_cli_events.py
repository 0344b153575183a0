"""The commands that take one event, and the command group."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room, key_of, public_key
from click.testing import CliRunner, Result
from command_line import KEYS
from unpaddedbase64 import encode_base64

from roomver import Event, __version__, encode_canonical, redact, sign_event
from roomver.cli import main
from roomver.cli.features import feature_markdown
from roomver.hashing import compute_content_hash, compute_reference_hash
from roomver.keys import SigningKey
from roomver.versions import ROOM_VERSIONS, UNSTABLE_ROOM_VERSIONS

COMMANDS = sorted(main.commands)
OF_EVENTS = ["event-id", "hash", "redact", "sign", "verify", "canonical"]
SEED = encode_base64(bytes(range(32)))


def run(*arguments: str, stdin: Any = None) -> Result:
    if stdin is not None and not isinstance(stdin, bytes):
        stdin = json.dumps(stdin).encode()
    result = CliRunner().invoke(main, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def message(version: str) -> Event:
    room = Room(version)
    room.join(ALICE)
    return room.add("m.room.message", ALICE, {"body": "é"})


@pytest.mark.parametrize("version", VERSIONS)
def test_each_command_on_each_version(version: str, tmp_path: Path) -> None:
    event = message(version)
    option = ("--room-version", version)
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event.pdu))
    # The input may be a PDU or a line of a recorded room, on standard input or in a file.
    for arguments, stdin in [
        ((), event.pdu),
        (("-",), {"event_id": "$x", "pdu": event.pdu}),
        ((str(file),), None),
    ]:
        assert run("event-id", *option, *arguments, stdin=stdin).stdout == f"{event.event_id}\n"
        result = run("hash", "--json", *option, *arguments, stdin=stdin)
        assert json.loads(result.stdout) == {
            "content_hash": compute_content_hash(event),
            "reference_hash": compute_reference_hash(event),
            "check": "intact",
        }
        result = run("redact", *option, *arguments, stdin=stdin)
        assert result.stdout_bytes == encode_canonical(redact(event)) + b"\n"


def test_hash_as_text() -> None:
    event = message("11")
    result = run("hash", "--room-version", "11", stdin={**event.pdu, "hashes": {}})
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["content_hash", compute_content_hash(event)],
        ["reference_hash", compute_reference_hash({**event.pdu, "hashes": {}}, "11")],
        ["check", "unreadable"],
    ]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (SEED, ["--key-id", "ed25519:a_1"]),
        (f"ed25519 a_1 {SEED}\n", []),
        (f" {SEED}=\n", ["--key-id", "ed25519:a_1"]),
    ],
)
def test_sign_and_verify(text: str, options: list[str], tmp_path: Path) -> None:
    seed = tmp_path / "signing.key"
    seed.write_text(text)
    pdu = {key: value for key, value in message("11").pdu.items() if key not in ("hashes", "signatures")}
    options = ["--room-version", "11", "--server", "a.example", "--seed-file", str(seed), *options]
    signed = run("sign", *options, stdin=pdu)
    assert signed.exit_code == 0
    key = SigningKey.from_seed("ed25519:a_1", SEED)
    assert json.loads(signed.stdout) == sign_event(pdu, "11", "a.example", key)

    public = encode_base64(key.verify_key.key)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"a.example": {"ed25519:a_1": public}}))
    options = ["--room-version", "11", "--keys", str(keys)]
    result = run("verify", *options, stdin=signed.stdout_bytes)
    assert (result.exit_code, result.stdout) == (0, "a.example: signed\n")
    result = run("verify", *options, stdin={**json.loads(signed.stdout), "depth": 9})
    assert (result.exit_code, result.stdout) == (1, "a.example: ed25519:a_1 does not verify\n")


def test_verify_reports_every_server(tmp_path: Path) -> None:
    room = Room("11")
    room.join(ALICE)
    join = room.make_member(BOB, "join", more={"join_authorised_via_users_server": ALICE})
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"b.example": {"ed25519:1": public_key("b.example")}}))
    options = ["--room-version", "11", "--keys", str(keys)]
    result = run("verify", *options, stdin=join.pdu)
    assert (result.exit_code, result.stdout) == (1, "a.example: no signature\nb.example: signed\n")
    signed = sign_event(join.pdu, "11", "a.example", key_of("a.example"))
    result = run("verify", *options, stdin=signed)
    assert result.stdout.startswith("a.example: ed25519:1 ignored: unknown key\n")
    invite = room.make_member(BOB, "invite", by=ALICE, more={"third_party_invite": {}})
    result = run("verify", *options, stdin=invite.pdu)
    assert (result.exit_code, result.stdout) == (0, "no signature is needed\n")
    result = run("verify", *options, stdin={**invite.pdu, "content": {}, "sender": 5})
    assert result.exit_code == 1
    assert result.stdout == "sender: expected an identifier with a server name, found 5\n"


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("", [], "expected a seed"),
        ("a b", [], "expected a seed"),
        ("rsa a_1 AAAA", [], "expected a seed"),
        ("AAAA", ["--key-id", "ed25519:1"], "a seed must be 32 bytes"),
        (SEED, ["--key-id", "rsa:1"], "a key ID must be ed25519:"),
        (SEED, [], "give --key-id"),
    ],
)
def test_an_invalid_seed_is_an_error(text: str, options: list[str], expected: str, tmp_path: Path) -> None:
    seed = tmp_path / "signing.key"
    seed.write_text(text)
    options = ["--room-version", "11", "--server", "a.example", "--seed-file", str(seed), *options]
    result = run("sign", *options, stdin=message("11").pdu)
    assert (result.exit_code, result.stdout) == (2, "")
    assert expected in result.stderr
    assert SEED not in result.stderr


def test_sign_needs_a_server_name_and_two_different_inputs() -> None:
    options = ["--room-version", "11", "--seed-file", "-"]
    assert "is not a server name" in run("sign", *options, "--server", "a b", stdin={}).stderr
    assert "cannot both come" in run("sign", *options, "--server", "a", stdin={}).stderr


@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        ([], '{"b": 1, "a": [true, "é\\u000A"]}', '{"a":[true,"é\\n"],"b":1}'),
        (["--lenient"], "[1.5, 9007199254740993]", "[1.5,9007199254740993]"),
        (["--room-version", "5"], "1e10", "10000000000.0"),
        (["--integral-floats"], "[1e10, -0]", "[10000000000,0]"),
        ([], '{"a": 1, "a": 2}', '{"a":2}'),
        (["--strict"], '"x"', '"x"'),
    ],
)
def test_canonical(arguments: list[str], text: str, expected: str) -> None:
    result = run("canonical", *arguments, stdin=text.encode())
    assert (result.exit_code, result.stdout) == (0, expected + "\n")


@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        ([], '{"a": 1.5}', "roomver: a: the number 1.5 is a float\n"),
        (["--room-version", "6"], "1e10", "roomver: the number 10000000000.0 is a float\n"),
        (["--unique-keys"], '{"a": 1, "a": 2}', "roomver: a: the key occurs twice\n"),
        ([], '{"a": NaN}', "roomver: a: NaN is not a JSON number\n"),
        ([], "[1, 2", "roomver: standard input: not JSON: Expecting ',' delimiter at line 1, column 6\n"),
        ([], '"\\ud800"', "roomver: the string holds a lone surrogate\n"),
    ],
)
def test_a_value_without_canonical_json_is_an_error(arguments: list[str], text: str, expected: str) -> None:
    result = run("canonical", *arguments, stdin=text.encode())
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", expected)


def test_canonical_takes_its_strictness_from_one_option() -> None:
    assert run("canonical", "--strict", "--room-version", "1", stdin=b"1").exit_code == 2


UNREADABLE: list[tuple[bytes | None, str]] = [
    (b"", "the input is empty"),
    (b"{\xff", "not UTF-8"),
    (b"{", "not JSON"),
    (b"[" * 100_000, "nested deeper"),
    (None, "No such file or directory"),
]
NOT_AN_EVENT = (b"5", "expected events, found 5")


@pytest.mark.parametrize(
    ("command", "text", "message"),
    [(command, *case) for command in OF_EVENTS for case in UNREADABLE]
    + [(command, *NOT_AN_EVENT) for command in OF_EVENTS if command != "canonical"],
    ids=lambda value: value[:10] if isinstance(value, bytes) else None,
)
def test_an_input_that_is_not_an_event(
    command: str, text: bytes | None, message: str, tmp_path: Path
) -> None:
    options = [] if command == "canonical" else ["--room-version", "11"]
    for name, content in (("seed", f"ed25519 1 {SEED}"), ("keys", json.dumps(KEYS))):
        (tmp_path / name).write_text(content)
    options += {
        "sign": ["--server", "a", "--seed-file", str(tmp_path / "seed")],
        "verify": ["--keys", str(tmp_path / "keys")],
    }.get(command, [])
    file = tmp_path / "event.json"
    if text is not None:
        file.write_bytes(text)
    result = run(command, *options, str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    form = "" if command == "canonical" else r"(neither JSON nor JSON Lines \()?"
    assert re.fullmatch(rf"roomver: {re.escape(str(file))}: {form}{re.escape(message)}.*\n", result.stderr)


@pytest.mark.parametrize("command", ["event-id", "hash", "redact", "verify"])
def test_an_event_without_canonical_json(command: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(json.dumps(KEYS))
    options = ["--keys", str(tmp_path / "keys")] if command == "verify" else []
    pdu = {**message("6").pdu, "content": {"a": [1.5]}}
    result = run(command, "--room-version", "6", *options, stdin=pdu)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "roomver: content.a[0]: the number 1.5 is a float\n"


def test_an_event_of_version_1_without_its_id() -> None:
    pdu = {key: value for key, value in message("1").pdu.items() if key != "event_id"}
    result = run("event-id", "--room-version", "1", stdin=pdu)
    assert result.exit_code == 2
    assert "event_id: expected an event ID, found nothing" in result.stderr


# The command group


def test_versions() -> None:
    result = run("versions")
    assert result.exit_code == 0
    table, _, unstable = result.stdout.partition("\n\n# Unstable room versions")
    lines = table.splitlines()
    assert lines[0].split() == ["Feature", *ROOM_VERSIONS]
    assert len(lines) == 45
    assert unstable.count("identifier = ") == len(UNSTABLE_ROOM_VERSIONS)
    assert lines[2].split()[-12:] == ["v1", *["v2"] * 10, "v2.1"]


def test_versions_as_json_and_markdown() -> None:
    data = json.loads(run("versions", "--json").stdout)
    assert data["versions"] == list(ROOM_VERSIONS)
    assert len(data["features"]) == 43
    assert data["features"][0]["versions"]["12"] == "v2.1"
    assert run("versions", "--markdown").stdout == feature_markdown() + "\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {command}")
    if command != "vectors":
        assert f"Example:\n    {'' if command != 'canonical' else 'echo'}" in result.stdout
        assert f"roomver {command}" in result.stdout.partition("Example:")[2]


def test_the_group() -> None:
    assert set(COMMANDS) >= {"check", "versions", "vectors", *OF_EVENTS}
    assert run("--version").stdout == f"roomver, version {__version__}\n"
    assert run("nonsense").exit_code == 2


def test_without_click_the_command_line_says_what_to_install() -> None:
    program = (
        "import sys, importlib.abc\n"
        "class No(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click': raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, No())\n"
        "import roomver.cli\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)
    assert result.returncode == 2
    assert result.stderr.decode().splitlines() == [
        "roomver: the command line needs click: run pip install '.[cli]' in the checkout of roomver"
    ]


def test_each_command_has_its_name() -> None:
    assert {name: command.name for name, command in main.commands.items()} == dict(
        zip(COMMANDS, COMMANDS, strict=True)
    )
    assert main.commands.get("nothing") is None


def test_a_command_does_not_import_the_others() -> None:
    code = (
        "import sys; from roomver.cli import main; main(['hash', '--help'], standalone_mode=False);"
        "print('|', *(name for name in sys.modules if name.startswith('roomver.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    imported = set(done.stdout.rpartition("|")[2].split())
    assert "roomver.cli.events" in imported
    assert not imported & {f"roomver.cli.{name}" for name in ("graph", "check", "vectors", "page", "shrink")}
