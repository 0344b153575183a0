"""Exit codes: 2 is a wrong call or an unreadable file, 3 is undecided, and whatever makes a 1 is shown."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from builder import ALICE, Room
from command_line import Write, case, entries, header, public_room, report, run

from roomver import replay_room
from roomver.errors import MissingEvents
from roomver.state import Unknown

MISSING = "$" + "A" * 43
PARTIAL = case("b_sendjoin_partial.json")


def without(built: Room, event_id: str) -> list[dict[str, Any]]:
    return [header(), *(one for one in entries(built) if one["event_id"] != event_id)]


# 3 and not 2: an event is missing


def test_a_state_of_missing_events_is_undecided(write: Write) -> None:
    built = public_room()
    ids = [event.event_id for event in built.state.values()]
    lost = ids[-1]
    file, whole = write("room.jsonl", without(built, lost)), write("a.json", json.dumps(ids))
    both = write("b.json", json.dumps([*ids, MISSING]))
    fewer = write("c.json", json.dumps(ids[:-1]))
    result = run("resolve", file, "--sets", fewer, "--sets", whole, "--sets", both)
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"roomver: {file}: 1 event of {whole} is missing: {lost}\n" in result.stderr
    assert f"roomver: {file}: 2 events of {both} are missing: {lost}, {MISSING}\n" in result.stderr
    assert run("resolve", write("whole.jsonl", [header(), *entries(built)]), "--sets", whole).exit_code == 0


def test_a_state_with_a_dropped_event_is_undecided(write: Write) -> None:
    built = public_room()
    lines = entries(built)
    lines[-1]["pdu"] = {**lines[-1]["pdu"], "signatures": {}}
    ids = [event.event_id for event in built.state.values()]
    file, whole = write("room.jsonl", [header(), *lines]), write("a.json", json.dumps(ids))
    result = run("resolve", file, "--sets", whole, "--sets", whole)
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"1 event of {whole} is missing: {ids[-1]} (left out)\n" in result.stderr


def test_an_id_of_version_1_in_a_state_may_be_missing_too(write: Write) -> None:
    built = public_room("1")
    file = write("room.jsonl", [header("1"), *entries(built)])
    result = run("resolve", file, "--sets", write("a.json", json.dumps(["$gone:a.example"])))
    assert (result.exit_code, "is missing: $gone:a.example\n" in result.stderr) == (3, True)
    assert run("resolve", file, "--sets", write("a.json", '["$gone"]')).exit_code == 2


@pytest.mark.parametrize("command", [["state"], ["state", "--before"], ["resolve"]])
def test_the_state_at_an_event_that_others_cite_is_undecided(command: list[str], write: Write) -> None:
    built = public_room()
    lost = list(built.events)[3]
    file = write("room.jsonl", without(built, lost))
    name, *options = command
    for at in (lost, lost[:20]):
        result = run(name, file, "--at", at, *options)
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"roomver: events missing from {file}: {lost}\n" in result.stderr
    # Nothing says that there is such an event.
    assert run(name, file, "--at", MISSING, *options).exit_code == 2


def test_auth_of_an_event_that_others_cite_is_undecided(write: Write) -> None:
    built = public_room()
    lost = list(built.events)[3]
    file = write("room.jsonl", without(built, lost))
    result = run("auth", "--room", file, lost)
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"events missing from {file}: {lost}\n" in result.stderr
    assert run("auth", "--room", file, MISSING).exit_code == 2


def test_an_entry_that_is_unknown_is_not_explained() -> None:
    for key in ("@bob:two.example", "@nobody:two.example"):
        result = run("resolve", PARTIAL, "--why", "m.room.member", key)
        assert (result.exit_code, result.stdout) == (3, "")
        assert (
            "the result is known in part. Unknown: m.room.member entries (members omitted)" in result.stderr
        )
        data = run("resolve", PARTIAL, "--json", "--why", "m.room.member", key)
        assert (data.exit_code, "why" in json.loads(data.stdout)) == (3, False)
    # The types that are known in whole are compared with what was asked for.
    result = run("resolve", PARTIAL, "--why", "m.room.topik", "")
    assert (result.exit_code, "did you mean 'm.room.topic'?" in result.stderr) == (2, True)


def test_a_mistyped_entry_is_named_even_if_the_result_is_undecided(write: Write) -> None:
    built = public_room()
    built.add("m.room.message", ALICE, {})
    *_, lost, _ = built.events
    file = write("room.jsonl", without(built, lost))
    result = run("resolve", file, "--why", "m.room.memebr", ALICE)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "did you mean 'm.room.member'?" in result.stderr


def test_check_of_a_room_whose_replay_lacks_events_is_undecided(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: Any, **__: Any) -> None:
        raise MissingEvents(["$a"])

    for module in ("one_room", "loading"):
        monkeypatch.setattr(f"roomver.cli.{module}.check_room", raising)
    file = write("room.jsonl", [header(), *entries(public_room())])
    result = run("check", "--json", file)
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert (document["files"][0]["error"], document["ok"]) == ("events missing: $a", False)
    for command in ("check", "state", "resolve"):
        result = run(command, file)
        assert (result.exit_code, "events missing: $a" in result.stderr) == (3, True)


# 1: what makes it is shown


def test_a_state_that_differs_from_the_recording_is_a_finding_that_is_shown(write: Write) -> None:
    built = public_room()
    ids = [event.event_id for event in built.state.values()]
    agrees = write("good.jsonl", [header(state=ids), *entries(built)])
    assert "state-differs" not in run("check", agrees).stdout
    for state, count in ((ids[:-1], 1), (ids[:-2], 2)):
        file = write("room.jsonl", [header(state=state), *entries(built)])
        text = run("check", file).stdout
        entry = "1 entry" if count == 1 else f"{count} entries"
        assert f"  state-differs: the current state differs from the recording server's in {entry}\n" in text
        assert text.splitlines()[0].split()[-2:] == ["signatures", "state"]
        assert text.splitlines()[2].split()[-1] == "differs"
        found = report(file, code=1)
        assert found["room"]["findings"] == [{"kind": "state-differs", "action": "look", "entries": count}]
        assert found["summary"]["bad"] == 0
    several = run("check", agrees, file).stdout
    assert [line.split()[-1] for line in several.splitlines()[2:4]] == ["-", "differs"]


def test_what_is_unknown_of_a_state_is_no_difference() -> None:
    data = json.loads(run("resolve", PARTIAL, "--json").stdout)
    assert list(data["differences"].values()) == [[]]
    assert "against $" in run("resolve", PARTIAL).stdout


def test_one_is_not_plural(write: Write) -> None:
    built = public_room()
    built.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    file = write("room.jsonl", [header(), *entries(built)])
    ids = [event.event_id for event in built.state.values()]
    one = run("resolve", file, "--sets", write("a.json", json.dumps(ids[:1])), "--unsigned").stdout
    assert one.startswith("resolved state: 1 entry from 1 state\n")
    two = [write(f"{n}.json", json.dumps(ids[:n])) for n in (len(ids), len(ids) - 1)]
    text = run("resolve", file, "--sets", two[0], "--sets", two[1]).stdout
    assert f"resolved state: {len(ids)} entries from 2 states\n" in text
    assert f"against {two[0]}: 0 entries differ\n" in text
    assert f"against {two[1]}: 1 entry differs\n" in text
    unknown = Unknown("dropped", keys=frozenset(("m.x", str(number)) for number in range(11)))
    assert str(unknown).endswith(", 1 more entry (dropped)")
    assert repr(replay_room([Room("11").create])) == "<Replay of 1 event, 0 of them not accepted>"


# A reader that closes the pipe


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as a shell does")
@pytest.mark.parametrize(
    "command",
    [
        *("check ROOM", "check --json ROOM", "state ROOM", "state --json ROOM", "resolve ROOM", "rules"),
        *("rules --json", "versions", "vectors list", "vectors serve", "vectors run --operation redact"),
        *("vectors coverage", "--help", "check --help", "--version"),
        *("check missing.jsonl 2>&1", "check --nonsense 2>&1"),
    ],
)
def test_a_closed_pipe_ends_a_command_as_the_signal_would(command: str, write: Write) -> None:
    file = write("room.jsonl", [header(), *entries(public_room())])
    request = b'{"operation": "x", "room_version": "1", "input": {}}\n'
    # The shell waits until the reader has gone.
    program = f"sleep 0.05; {sys.executable} -m roomver {command.replace('ROOM', file)}"
    shell = f"set -o pipefail; {{ {program}; }} | true"
    result = subprocess.run(
        ["bash", "-c", shell], input=request, capture_output=True, check=False, timeout=60
    )
    assert (result.returncode, result.stdout, result.stderr) == (141, b"", b"")
