"""``roomver check``: its output and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room, key_of
from click.testing import Result
from command_line import KEYS, Write, entries, header, run

from roomver import redact, sign_json

ROOMS = Path(__file__).parents[1] / "vectors" / "rooms"


def room(version: str = "11") -> list[dict[str, Any]]:
    built = Room(version)
    built.join(ALICE, BOB)
    built.add("m.room.message", ALICE, {"body": "hello"})
    return entries(built)


def changed(entry: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**entry, "pdu": {**entry["pdu"], **fields}}


def words(text: str) -> list[str]:
    return text.split()


def table(result: Result) -> list[list[str]]:
    """Return the rows of the table of files, split into words."""
    rows = [line.split() for line in result.stdout.split("\n\n")[0].splitlines()]
    return [row for row in rows if row and not row[0].startswith("─")]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_room(version: str, write: Write) -> None:
    file = write("room.jsonl", [header(version), *room(version)])
    result = run("check", "--alone", file)
    assert result.exit_code == 0
    assert table(result) == [
        ["room", "version", "events", "intact", "redacted", "bad", "signatures"],
        [file, version, "4", "4", "0", "0", "4", "valid"],
    ]
    assert result.stderr == ""


@pytest.mark.parametrize("path", sorted(ROOMS.glob("v*.jsonl")), ids=lambda path: path.stem)
def test_a_recorded_room(path: Path) -> None:
    result = run("check", "--alone", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    events = len(path.read_bytes().splitlines()) - 1
    assert table(result)[1][-2:] == [f"{events:,}", "valid"]


def test_without_keys_signatures_are_not_checked_and_counted(write: Write) -> None:
    result = run("check", "--alone", write("room.jsonl", room()))
    assert result.exit_code == 0
    assert table(result)[1][1:] == ["11", "4", "4", "0", "0", "4", "not", "checked"]


def test_findings(write: Write) -> None:
    entries = room()
    content = changed(entries[3], content={"body": "other"})
    depth = changed(entries[3], depth=9)
    file = write("room.jsonl", [header(), entries[0], content, depth, {"event_id": "$x", "pdu": {}}])
    result = run("check", "--alone", file)
    assert result.exit_code == 1
    assert table(result)[1][1:] == words("11 4 1 0 3 2 valid, 1 not valid, 1 not checked")
    details = result.stdout[result.stdout.index(f"\n{file}\n") :]
    first, second, third = details.split("\nline ")[1:]
    assert first.splitlines()[0] == f"3  {entries[3]['event_id']}  m.room.message  {ALICE}"
    assert "  content-hash: the event does not match its content hash" in first
    assert first.rstrip().endswith("A server must use the redacted form of the event.")
    assert second.startswith("4  $")
    for kind in ("event-id", "signature", "content-hash"):
        assert f"\n  {kind}: " in second
    assert entries[3]["event_id"] in second
    assert second.rstrip().endswith("A server must drop the event.")
    assert third.startswith("5  $x\n  malformed: ")
    assert third.count(": expected ") == 9


def test_each_kind_is_counted(write: Write) -> None:
    entries = room()
    bad = [changed(entry, content={"body": "other"}) for entry in entries[1:3]]
    result = run("check", "--alone", write("room.jsonl", [header(), entries[0], *bad, "text"]))
    rows = [line.split()[:2] for line in result.stdout.split("\n\n")[1].splitlines()[2:]]
    assert rows == [["malformed", "1"], ["event-id", "2"], ["signature", "2"], ["content-hash", "2"]]
    assert result.stdout.count("expected a JSON object") == 1


def test_a_redacted_copy_is_counted_and_good(write: Write) -> None:
    entries = room()
    entries[3]["pdu"] = redact(entries[3]["pdu"], "11")
    result = run("check", "--alone", write("room.jsonl", [header(), *entries]))
    assert result.exit_code == 0
    assert table(result)[1][1:] == words("11 4 3 1 0 4 valid")


def test_a_note_is_not_a_finding(write: Write) -> None:
    built = Room("5")
    built.add("m.room.message", ALICE, {}, depth=2**60)
    entries = [{"event_id": event.event_id, "pdu": event.pdu} for event in built.events.values()]
    result = run("check", "--alone", write("room.jsonl", [header("5"), *entries]))
    assert result.exit_code == 0
    assert "  note: depth: 1152921504606846976 is legal here, but Synapse drops" in result.stdout
    assert "A server must" not in result.stdout


def test_broken_lines(write: Write) -> None:
    good = [json.dumps(value).encode() for value in [header(), *room()]]
    file = write("room.jsonl", b"\n".join([good[0], b"{", *good[1:3], b'"\xff"', *good[3:]]))
    result = run("check", "--alone", file)
    assert result.exit_code == 1
    assert table(result)[1][1:] == words("11 6 4 0 2 4 valid, 2 not checked")
    assert "\nline 2\n  unreadable: the event cannot be read\n    not JSON: " in result.stdout
    assert "\nline 5\n  unreadable: the event cannot be read\n    not UTF-8: " in result.stdout


def test_several_files(write: Write) -> None:
    one = write("one.jsonl", [header("11"), *room("11")])
    two = write("two.jsonl", [header("1"), *room("1")[:3], {"event_id": "$x", "pdu": room("1")[3]["pdu"]}])
    result = run("check", "--alone", one, two)
    assert result.exit_code == 1
    assert [row[1:] for row in table(result)[1:3]] == [
        words("11 4 4 0 0 4 valid"),
        words("1 4 3 0 1 4 valid"),
    ]
    assert "total" in result.stdout
    assert f"\n{two}\n" in result.stdout
    assert f"\n{one}\n" not in result.stdout


def test_an_unreadable_file_does_not_stop_the_others(write: Write, tmp_path: Path) -> None:
    good = write("room.jsonl", [header(), *room()])
    result = run("check", "--alone", str(tmp_path / "none"), good, str(tmp_path))
    assert result.exit_code == 2
    assert table(result)[1][0] == good
    assert result.stderr.splitlines() == [
        f"roomver: {tmp_path / 'none'}: No such file or directory",
        f"roomver: {tmp_path}: Is a directory",
    ]


def test_standard_input(write: Write) -> None:
    lines = "".join(json.dumps(value) + "\n" for value in room())
    result = run("check", "--alone", "-", stdin=lines.encode())
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2].startswith("standard input ")
    result = run("check", "--alone", "-", stdin=b"")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "roomver: standard input: the input is empty\n"


def test_keys_from_files(write: Write) -> None:
    entries = room()
    file = write("room.jsonl", entries)
    plain = write("plain.json", {"a.example": KEYS["a.example"]})
    published: dict[str, Any] = {
        "server_name": "b.example",
        "valid_until_ts": 2_000_000_000_000,
        "verify_keys": KEYS["b.example"],
    }
    answer = write("answer.json", {"server_keys": [sign_json(published, "b.example", key_of("b.example"))]})
    assert run("check", "--alone", "--keys", plain, "--keys", answer, file).exit_code == 0
    result = run("check", "--alone", "--keys", plain, file)
    assert result.exit_code == 1
    assert 'no valid signature of b.example ("ed25519:1": ignored: unknown key)' in result.stdout
    forged = write("forged.json", sign_json(published, "b.example", key_of("c.example")))
    result = run("check", "--alone", "--keys", forged, file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the response is not signed by the server's own keys" in result.stderr


def test_now_caps_how_long_keys_are_valid(write: Write) -> None:
    file = write("room.jsonl", [header(), *room()])
    assert run("check", "--alone", "--now", "1700000000000", file).exit_code == 0
    result = run("check", "--alone", "--now", "1600000000000", file)
    assert result.exit_code == 1
    assert "the key was not valid at the time of the event" in result.stdout


def test_the_room_version_option(write: Write) -> None:
    file = write("part.jsonl", room()[1:])
    result = run("check", "--alone", file)
    assert result.exit_code == 2
    assert result.stderr == (
        f"roomver: {file}: no header and no create event says the room version: give --room-version\n"
    )
    assert run("check", "--alone", "--room-version", "11", file).exit_code == 0
    result = run("check", "--alone", "--room-version", "13", file)
    assert result.exit_code == 2
    assert "unknown room version '13'; known versions: 1, 2, 3" in result.stderr


def test_json(write: Write, tmp_path: Path) -> None:
    entries = room()
    content = changed(entries[3], content={"body": "other"})
    file = write("room.jsonl", [header(), *entries[:3], content, 5])
    good = write("good.jsonl", [header("1"), *room("1")])
    result = run("check", "--alone", "--json", file, str(tmp_path / "none"), good)
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert report["ok"] is False
    first, second, third = report["files"]
    assert [event["line"] for event in first["events"]] == [5, 6]
    found = first["events"][0]
    (finding,) = found.pop("findings")
    assert found == {
        "line": 5,
        "path": "",
        "claimed_id": entries[3]["event_id"],
        "event_id": entries[3]["event_id"],
        "type": "m.room.message",
        "state_key": None,
        "sender": ALICE,
        "notes": [],
    }
    assert (finding["kind"], finding["action"]) == ("content-hash", "redact")
    assert first["summary"]["kinds"] == {"malformed": 1, "content-hash": 1}
    assert second == {"file": str(tmp_path / "none"), "error": "No such file or directory"}
    assert (third["room_version"], third["events"], third["summary"]["intact"]) == ("1", [], 4)
    assert json.loads(run("check", "--alone", "--json", good).stdout)["ok"] is True


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_file_that_opens_and_cannot_be_read() -> None:
    result = run("check", "--alone", "/proc/self/mem")
    assert result.exit_code == 2
    assert result.stderr == "roomver: /proc/self/mem: Input/output error\n"


def test_control_characters_of_an_event_do_not_reach_the_terminal(write: Write) -> None:
    evil = "\x1b]0;title\x07\n[bold]\u202e"
    pdu = {**room()[3]["pdu"], "type": evil, "sender": f"@{evil}:a.example"}
    pdu["signatures"] = {"a.example": {evil: "x"}}
    entry = {"event_id": f"${evil}", "pdu": pdu}
    result = run("check", "--alone", write("room.jsonl", [header(), entry, {**entry, "pdu": {evil: 1}}]))
    assert result.exit_code == 1
    assert all(character.isprintable() for character in result.stdout.replace("\n", ""))
    assert "[bold]" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--now", "x", "f"], ["--nonsense", "f"]])
def test_a_wrong_call(arguments: list[str]) -> None:
    assert run("check", "--alone", *arguments).exit_code == 2


# In a process of its own.


def start(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "roomver", *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=60, **options)


def test_as_a_module(write: Write) -> None:
    file = write("room.jsonl", [header(), *room()])
    result = start("check", "--alone", file)
    assert (result.returncode, result.stderr) == (0, b"")
    with Path(file).open("rb") as stream:
        assert start("check", "--alone", "-", stdin=stream).returncode == 0
    result = start("check", "--alone", file + "x")
    assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)


def test_a_reader_that_closes_the_pipe(write: Write) -> None:
    bad = [{"event_id": "$x", "pdu": {}}] * 3000
    file = write("room.jsonl", [header(), *bad])
    command = [sys.executable, "-m", "roomver", "check", "--alone", "--all", file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 2


def test_a_terminal_that_knows_only_ascii(write: Write) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = start(
        "check", "--alone", write("é.jsonl", [header(), {"event_id": "$é", "pdu": {}}]), env=environment
    )
    assert (result.returncode, result.stderr) == (1, b"")
    assert b"$\\xe9" in result.stdout
