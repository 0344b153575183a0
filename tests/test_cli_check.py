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

from roomver import MissingEvents, redact, sign_json

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
    # The sender's server need not sign a third-party invite. In versions 1 and 2 the server in its ID must.
    exempt = 0 if path.stem in {"v1", "v2"} else path.read_bytes().count(b'"signed":{')
    counts = [f"{events - exempt:,} valid", *([f"{exempt} not required"] if exempt else [])]
    assert (exempt > 0) is (path.stem not in {"v1", "v2"})
    assert " ".join(table(result)[1]).endswith(f" 0 {', '.join(counts)}")
    (found,) = json.loads(run("check", "--alone", "--json", str(path)).stdout)["files"]
    signatures = found["summary"]["signatures"]
    assert (signatures["valid"], signatures["not_required"]) == (events - exempt, exempt)


def test_without_keys_signatures_are_not_checked_and_counted(write: Write) -> None:
    file = write("room.jsonl", room())
    result = run("check", "--alone", file)
    assert result.exit_code == 0
    assert table(result)[1][1:] == words("11 4 4 0 0 4 key unknown")
    line = "  the signatures of 4 events could not be checked: no keys are given (--keys)\n"
    assert line in result.stdout
    required = run("check", "--alone", "--require-signatures", file)
    assert required.exit_code == 1
    assert table(required)[1][1:] == words("11 4 0 0 4 4 key unknown")
    assert "A server must fetch the missing keys." in required.stdout


def test_a_missing_signature_is_found_without_keys(write: Write) -> None:
    unsigned = room()
    unsigned[3]["pdu"]["signatures"] = {"c.example": unsigned[3]["pdu"]["signatures"]["a.example"]}
    file = write("room.jsonl", unsigned)
    for arguments, intact, bad in ((["--alone"], 3, 1), ([], 2, 2)):  # Bob may not join
        result = run("check", *arguments, file)
        assert result.exit_code == 1
        assert table(result)[1][1:] == words(f"11 4 {intact} 0 {bad} 1 missing, 3 key unknown")
        assert "  signature-missing: the event lacks a required signature\n" in result.stdout
        assert (
            '    signatures["a.example"]: a.example must sign, but its signature is missing\n'
            in result.stdout
        )
    result = run("check", "--alone", "--unsigned", file)
    assert result.exit_code == 0
    assert table(result)[1][1:] == words("11 4 4 0 0 4 not checked")
    assert "  signatures were not checked (--unsigned)\n" in result.stdout
    for arguments in (["--keys", file], ["--require-signatures"]):
        result = run("check", "--unsigned", *arguments, file)
        assert result.exit_code == 2
        assert "--unsigned cannot be combined with --keys or --require-signatures" in result.stderr


def test_the_keys_to_fetch_are_listed_the_most_needed_first(write: Write) -> None:
    some = room()
    content = some[3]["pdu"]
    for index in range(15):
        content = {**content, "sender": f"@u:s{index:02}.example"}
        signatures = {f"s{index:02}.example": {"ed25519:k": "A" * 86}}
        some.append({"event_id": "$x", "pdu": {**content, "signatures": signatures}})
    file = write("room.jsonl", [header(), *some, some[-1]])
    result = run("check", "--alone", file)
    start = "\n".join(
        [
            "  the signatures of 16 events could not be checked; these keys are unknown, or not known to be"
            " valid at the time of the event:",
            "    s14.example ed25519:k, needed for 2 events",
            "    s00.example ed25519:k, needed for 1 event",
            "    s01.example ed25519:k, needed for 1 event",
            "",
        ]
    )
    assert start in result.stdout
    assert "    and 10 more: `roomver check --all` lists them\n" in result.stdout
    assert run("check", "--alone", "--all", file).stdout.count("needed for") == 15
    (first, *_) = json.loads(run("check", "--alone", "--json", file).stdout)["files"]
    assert len(first["summary"]["keys_to_fetch"]) == 15
    assert first["summary"]["keys_to_fetch"][0] == {
        "server": "s14.example",
        "key_id": "ed25519:k",
        "events": 2,
    }


def test_findings(write: Write) -> None:
    entries = room()
    content = changed(entries[3], content={"body": "other"})
    depth = changed(entries[3], depth=9)
    file = write("room.jsonl", [header(), entries[0], content, depth, {"event_id": "$x", "pdu": {}}])
    result = run("check", "--alone", file)
    assert result.exit_code == 1
    assert table(result)[1][1:] == words("11 4 1 0 3 2 valid, 1 invalid, 1 not checked")
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
        f"roomver: {tmp_path}: this is a folder; give the files in it",
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
    assert result.exit_code == 0
    assert "  b.example ed25519:1, needed for 1 event\n" in result.stdout
    assert table(result)[1][1:] == words("11 4 4 0 0 3 valid, 1 key unknown")
    result = run("check", "--alone", "--require-signatures", "--keys", plain, file)
    assert result.exit_code == 1
    text = 'the signature from b.example cannot be checked ("ed25519:1" ignored: unknown key)'
    assert text in result.stdout
    forged = write("forged.json", sign_json(published, "b.example", key_of("c.example")))
    result = run("check", "--alone", "--keys", forged, file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "the response is not signed by the server's own keys" in result.stderr
    # One bad answer does not lose the others, and is named.
    answers = [sign_json(published, "b.example", key_of(server)) for server in ("c.example", "b.example")]
    both = write("both.json", {"server_keys": answers})
    result = run("check", "--alone", "--keys", plain, "--keys", both, file)
    assert (result.exit_code, table(result)[1][1:]) == (0, words("11 4 4 0 0 4 valid"))
    assert result.stderr.startswith(
        f"roomver: {both}: not used: response 1 of 2: b.example: the response is not signed by"
    )


def test_two_keys_with_one_id_are_both_tried_and_named(write: Write) -> None:
    entries = room()
    file = write("room.jsonl", [header(keys={"a.example": KEYS["a.example"]}), *entries])
    right = write("right.json", {"b.example": KEYS["b.example"]})
    wrong = write("wrong.json", {"b.example": {"ed25519:1": KEYS["a.example"]["ed25519:1"]}})
    results = [
        run("check", "--alone", "--keys", one, "--keys", other, file)
        for one, other in ((right, wrong), (wrong, right))
    ]
    assert results[0].stdout == results[1].stdout
    assert results[0].stderr == results[1].stderr
    assert (results[0].exit_code, table(results[0])[1][1:]) == (0, words("11 4 4 0 0 4 valid"))
    named = results[0].stderr
    assert named.startswith("roomver: b.example has different keys under the ID ed25519:1; each is tried: ")
    for source, key in ((right, "b.example"), (wrong, "a.example")):
        assert f"{KEYS[key]['ed25519:1']['key']} in {source}" in named
    # The header may contradict a file as well. It is named once for each room.
    result = run("check", "--alone", "--keys", wrong, write("other.jsonl", [header(), *entries]))
    assert (result.exit_code, result.stderr.count("each is tried")) == (0, 1)
    assert "other.jsonl" in result.stderr


def test_now_caps_how_long_keys_are_valid(write: Write) -> None:
    file = write("room.jsonl", [header(), *room()])
    assert run("check", "--alone", "--now", "1700000000000", file).exit_code == 0
    result = run("check", "--alone", "--now", "1600000000000", file)
    assert result.exit_code == 1
    assert "ignored: the event is more than 7 days ahead of now" in result.stdout


def test_the_room_version_option(write: Write) -> None:
    file = write("part.jsonl", room()[1:])
    result = run("check", "--alone", file)
    assert result.exit_code == 2
    assert result.stderr == (
        f"roomver: {file}: neither a header nor a create event gives the room version: give --room-version\n"
    )
    assert run("check", "--alone", "--room-version", "11", file).exit_code == 0
    result = run("check", "--alone", "--room-version", "13", file)
    assert result.exit_code == 2
    assert "unknown room version '13'; known versions: 1 to 12" in result.stderr


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
        "file": None,
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
    none = str(tmp_path / "none")
    assert second == {"file": none, "error": "No such file or directory", "error_in": none}
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
        assert process.wait(60) == 141


def test_a_terminal_that_knows_only_ascii(write: Write) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = start(
        "check", "--alone", write("é.jsonl", [header(), {"event_id": "$é", "pdu": {}}]), env=environment
    )
    assert (result.returncode, result.stderr) == (1, b"")
    assert b"$\\xe9" in result.stdout


def test_json_is_whole_when_a_room_cannot_be_checked(write: Write) -> None:
    empty = write("empty.json", "")
    half = write("half.jsonl", rb'{"":"\\"","":3}' + b"\n{")
    for files in ((empty, half), (half, empty), (half,)):
        result = run("check", "--json", *files)
        assert result.exit_code == 2
        document = json.loads(result.stdout)
        assert [one["error"] != "" for one in document["files"]] == [True] * len(files)
        assert document["ok"] is False


def test_json_is_whole_when_the_replay_raises(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: Any, **__: Any) -> None:
        raise MissingEvents(["$a"])

    monkeypatch.setattr("roomver.cli.loading.check_room", raising)
    result = run("check", "--json", write("room.jsonl", [header()]))
    assert result.exit_code == 3
    (file,) = json.loads(result.stdout)["files"]
    assert file["error"] == "events missing: $a"
