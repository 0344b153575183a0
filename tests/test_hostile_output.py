"""No command executes, hides or breaks anything of a hostile room, in any form of output."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from command_line import run, write_into
from hostile_rooms import TEXTS, harms, hostile_lines
from rich.cells import cell_len

from roomver.cli.app import main
from roomver.cli.vectors import vectors_group

VERSIONS = ("1", "2", "6", "11", "12")


class Source(NamedTuple):
    """A hostile room in a file.

    Attributes:
        file: its name.
        state_event: the ID of an event with hostile type, key and content.
        refused: that of an event of a hostile user that the rules refuse.
        merge: that of its last event, which merges branches.
        user: the ID of a hostile user.
        other: the name of a file with a part of the room.
        event: that of a file with the state event alone.
        version: the room version.
    """

    file: str
    state_event: str
    refused: str
    merge: str
    user: str
    other: str
    event: str
    version: str


def hostile_source(version: str, folder: Path) -> Source:
    """Write a hostile room of a version into a folder."""
    lines = hostile_lines(version)
    file = write_into(folder)("room.jsonl", lines)
    pdus = [(line["event_id"], line["pdu"]) for line in lines if "event_id" in line]
    (hostile, *_) = (one for one, pdu in pdus if pdu["type"] == TEXTS[8])
    topics = [(one, pdu["sender"]) for one, pdu in pdus if pdu["type"] == "m.room.topic"]
    ((refused, user), *_) = (one for one in topics if one[1].startswith("@\x1b"))
    other = write_into(folder)("other.jsonl", lines[:-8])
    event = write_into(folder)("event.json", [dict(pdus)[hostile]])
    return Source(file, hostile, refused, pdus[-1][0], user, other, event, version)


@pytest.fixture(scope="module", params=VERSIONS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return hostile_source(request.param, tmp_path_factory.mktemp("hostile"))


CALLS = (
    "check FILE",
    "check FILE --all",
    "check FILE --alone",
    "rooms FILE",
    "state FILE",
    "state FILE --at MERGE",
    "auth FILE STATE",
    "auth FILE REFUSED",
    "resolve FILE --at MERGE",
    "resolve FILE --at MERGE --why TYPE KEY",
    "explain FILE STATE",
    "explain FILE REFUSED",
    "history FILE TYPE",
    "history FILE TYPE KEY",
    "history FILE m.room.topic",
    "history FILE m.room.member",
    "resets FILE",
    "resets FILE --all",
    "graph FILE",
    "graph FILE --all",
    "graph FILE --around MERGE",
    "may FILE USER send TYPE KEY",
    "may FILE @bob:b.example send TYPE KEY",
    "may FILE USER join",
    "may FILE @alice:a.example unban USER",
    "keys FILE",
    "compare FILE OTHER",
    "repair FILE",
    "repair FILE --also OTHER",
    "repair OTHER --also FILE --against IDS",
)
ONE_EVENT = (
    "event-id EVENT --room-version VERSION",
    "hash EVENT --room-version VERSION",
    "verify EVENT --room-version VERSION --keys KEYS",
    # These print the event as JSON.
    "redact EVENT --room-version VERSION",
    "sign EVENT --room-version VERSION --server a.example --key-id ed25519:a --seed-file SEED",
    "canonical EVENT",
)
FORMS = (
    "graph FILE --dot --all",
    "graph FILE --mermaid --all",
    "graph FILE --svg --all",
    "vectors capture FILE REFUSED",
    "shrink FILE --keep reset",
    "record FILE -o - --anonymise",
)
JSON = (
    "check FILE --json",
    "rooms FILE --json",
    "state FILE --json",
    "auth FILE STATE --json",
    "resolve FILE --at MERGE --json",
    "explain FILE STATE --json",
    "explain FILE REFUSED --json",
    "history FILE TYPE KEY --json",
    "history FILE m.room.member --json",
    "resets FILE --json",
    "may FILE USER join --json",
    "keys FILE --json",
    "compare FILE OTHER --json",
    "repair FILE --json",
    "hash EVENT --room-version VERSION --json",
    "report FILE -o OUT --json",
    "graph FILE --json --all",
    "graph FILE --tardis --all",
    "vectors capture FILE STATE --as-is",
)
TERMINAL = (*JSON, *ONE_EVENT, "record FILE -o -", "graph FILE --all", "check FILE --all", "repair FILE")


def words(call: str, source: Source) -> list[str]:
    """Return the arguments of a call of `CALLS`."""
    folder = Path(source.file).parent
    values = {
        "FILE": source.file,
        "STATE": source.state_event,
        "REFUSED": source.refused,
        "MERGE": source.merge,
        "TYPE": TEXTS[8],
        "KEY": TEXTS[8],
        "USER": source.user,
        "OTHER": source.other,
        "EVENT": source.event,
        "VERSION": source.version,
        "IDS": str(folder / "ids.txt"),
        "KEYS": str(folder / "keys.json"),
        "SEED": str(folder / "seed"),
        "OUT": str(folder / "room.html"),
    }
    (folder / "ids.txt").write_text(f"{source.state_event}\n", encoding="utf-8")
    key = {"key": "A" * 43, "valid_until_ts": 2_000_000_000_000}
    (folder / "keys.json").write_text(json.dumps({"a.example": {"ed25519:a": key}}), encoding="utf-8")
    (folder / "seed").write_text("A" * 43, encoding="utf-8")
    return [values.get(word, word) for word in call.split()]


def assert_harmless(text: str) -> None:
    assert (harm := harms(text)) is None, harm


def harmless_text(call: str, source: Source) -> str:
    result = run(*words(call, source))
    assert result.exit_code in (0, 1, 3), result.stderr
    assert result.stdout
    assert_harmless(result.stdout)
    assert_harmless(result.stderr)
    return result.stdout


@pytest.mark.parametrize("call", CALLS)
def test_text_is_harmless(call: str, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = harmless_text(call, source)
    if call.startswith("graph"):
        rows = [line for line in text.splitlines() if re.search(r" \$.* \d\d:\d\d:\d\d ", line)]
        assert len(rows) > 10
        assert all(cell_len(line) <= 80 for line in rows)


# Where no line is broken, the same words are printed. Versions differ in their IDs, and these differ most.
@pytest.mark.parametrize("source", ["1", "12"], indirect=True)
@pytest.mark.parametrize("call", CALLS)
def test_text_that_is_not_broken_is_harmless(
    call: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    harmless_text(call, source)


# What reads no room and no event: tables of roomver itself, and test vectors.
QUIET = {"versions", "rules", *(f"vectors {name}" for name in vectors_group.commands if name != "capture")}
WITH_A_TEST_BELOW = {"report", "record"}


def test_no_command_is_forgotten() -> None:
    """A new command is added to a list above, or to those with a reason why it is not there."""
    all_names = {*main.commands} - {"vectors"} | {f"vectors {name}" for name in vectors_group.commands}
    called = {
        " ".join(call.split()[: 1 + call.startswith("vectors ")]) for call in (*CALLS, *ONE_EVENT, *FORMS)
    }
    assert called | QUIET | WITH_A_TEST_BELOW == all_names
    assert not QUIET & called
    with_json = {name for name, command in main.commands.items() if _has_json(command)}
    assert with_json - {"versions", "rules"} == {call.split()[0] for call in JSON} - {"vectors"}


def _has_json(command: click.Command) -> bool:
    return any("--json" in one.opts for one in command.params)


@pytest.mark.parametrize("call", ONE_EVENT)
def test_commands_of_one_event_are_harmless(call: str, source: Source) -> None:
    result = run(*words(call, source))
    assert result.exit_code in (0, 1, 2, 3), result.stderr
    assert_harmless(result.stderr)
    if call.startswith(("redact", "sign", "canonical")):
        # What it prints where there is no terminal is the event as it is.
        assert result.exit_code == 0
        json.loads(result.stdout)
    else:
        assert_harmless(result.stdout)


@pytest.mark.parametrize("call", FORMS)
def test_other_forms_are_harmless(call: str, source: Source) -> None:
    result = run(*words(call, source))
    assert result.exit_code in (0, 1, 3), result.stderr
    assert result.stdout
    assert_harmless(result.stderr)
    assert_harmless(result.stdout)


@pytest.mark.parametrize("call", JSON)
def test_json_is_json(call: str, source: Source) -> None:
    result = run(*words(call, source))
    assert result.exit_code in (0, 1, 3), result.stderr
    json.loads(result.stdout)
    assert_harmless(result.stderr)


@pytest.mark.parametrize("form", ["html", "png"])
def test_the_report_is_harmless(form: str, source: Source, tmp_path: Path) -> None:
    target = tmp_path / f"room.{form}"
    result = run("report", source.file, "-o", str(target), *(["--png"] if form == "png" else []))
    assert result.exit_code in (0, 1, 3), result.stderr
    assert_harmless(result.stdout)
    assert_harmless(result.stderr)
    if form == "html":
        page = target.read_text(encoding="utf-8")
        assert_harmless(page)
        assert not [text for text in TEXTS if "<" in text and text in page]


def test_written_files_have_the_room_as_it_is(source: Source, tmp_path: Path) -> None:
    target = tmp_path / "room.jsonl"
    assert run("record", source.file, "-o", str(target)).exit_code == 0
    for line in target.read_text(encoding="utf-8").split("\n")[:-1]:
        json.loads(line)
    again = tmp_path / "again.jsonl"
    assert run("record", str(target), "-o", str(again)).exit_code == 0
    assert again.read_bytes() == target.read_bytes()


def in_terminal(*arguments: str) -> str:
    """Return what a command writes to a terminal."""
    controller, terminal = os.openpty()
    environment = {
        **os.environ,
        "COLUMNS": "80",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    command = [sys.executable, "-m", "roomver", *arguments]
    with subprocess.Popen(command, stdout=terminal, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(terminal)
        parts = []
        while True:
            try:
                part = os.read(controller, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
        process.wait(60)
    os.close(controller)
    return b"".join(parts).decode()


@pytest.mark.skipif(os.name != "posix", reason="opens a terminal of its own")
@pytest.mark.parametrize("call", TERMINAL)
def test_what_a_terminal_shows_is_harmless(call: str, tmp_path: Path) -> None:
    shown = in_terminal(*words(call, hostile_source("1", tmp_path)))
    assert shown or call in ONE_EVENT
    assert_harmless(shown.replace("\r\n", "\n"))
    if "json" in call:
        json.loads(shown)
