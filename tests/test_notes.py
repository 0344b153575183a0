"""Notes on standard error: they fit the terminal, and what is to be copied from them stays whole."""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import CASES
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from test_progress import in_terminal

from roomver.cli.fitted import note_lines

ROOM = str(CASES / "m_16629_reset.jsonl")
NOTE = f"roomver: {ROOM}: the signatures of 20 events could not be checked: no keys are given (--keys)"


def lines_in_terminal(*arguments: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a command writes to standard error on a terminal that is so wide."""
    monkeypatch.setenv("COLUMNS", str(columns))
    _, told = in_terminal(*arguments)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told.decode()).replace("\r", "").split("\n")


@pytest.mark.skipif(os.name != "posix", reason="opens a terminal of its own")
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_notes_fit_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copy(ROOM, tmp_path / "room.jsonl")
    monkeypatch.chdir(tmp_path)
    lines = lines_in_terminal("graph", "room.jsonl", columns=columns, monkeypatch=monkeypatch)
    said = [line for line in lines if line.strip()]
    assert all(cell_len(line) <= columns for line in said)
    assert " ".join(line.strip() for line in said).endswith(
        "room.jsonl: the signatures of 20 events could not be checked: no keys are given (--keys)"
    )
    assert (len(said) > 1) == (columns < 90)


@pytest.mark.skipif(os.name != "posix", reason="opens a terminal of its own")
def test_errors_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copy(ROOM, tmp_path / "room.jsonl")
    monkeypatch.chdir(tmp_path)
    unknown = "$" + "x" * 43
    lines = lines_in_terminal("explain", "room.jsonl", unknown, columns=60, monkeypatch=monkeypatch)
    assert f"no event ID is or starts with {unknown}" in " ".join(line.strip() for line in lines)
    assert all(cell_len(line) <= 60 for line in lines)


def test_a_note_in_a_pipe_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "roomver", "graph", ROOM],
        capture_output=True,
        check=True,
        env={**os.environ, "COLUMNS": "60"},
        text=True,
    )
    assert done.stderr == f"{NOTE}\n"


def test_what_is_copied_stays_whole() -> None:
    call = "roomver check 'a file.jsonl' --also 'another file.jsonl'"
    event_id = "$" + "x" * 90
    assert note_lines(f"roomver: a: see `{call}` and then {event_id}; or try {call}", 40) == [
        "roomver: a: see",
        f"  `{call}`",
        "  and then",
        f"  {event_id};",
        "  or try",
        f"  {call}",
    ]
    assert note_lines("  behind it: one two three", 16) == ["  behind it: one", "    two three"]


@given(st.text("ab `宽", max_size=100), st.integers(5, 60))
def test_only_spaces_are_lost(note: str, width: int) -> None:
    lines = note_lines(note, width)
    assert "".join(lines).replace(" ", "") == note.replace(" ", "")
    assert all(cell_len(line) <= width or " " not in line.strip() or "`" in line for line in lines)


@pytest.mark.skipif(os.name != "posix", reason="opens a terminal of its own")
def test_why_an_entry_was_resolved_fits_the_terminal() -> None:
    call = ["resolve", ROOM, "--unsigned", "--at", "$fYNbD3w5", "--why", "m.room.member", "@m00:x0.example"]
    command = [sys.executable, "-m", "roomver", *call]
    ours, theirs = pty.openpty()
    try:
        env = {**os.environ, "COLUMNS": "80"}
        subprocess.run(command, stdout=theirs, stderr=subprocess.DEVNULL, check=True, env=env, timeout=60)
        shown = os.read(ours, 65_536).decode().replace("\r", "").splitlines()
    finally:
        os.close(ours)
        os.close(theirs)
    piped = subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=60
    ).stdout.splitlines()
    assert all(cell_len(line) <= 80 for line in shown)
    assert any(len(line) > 80 for line in piped)
    assert " ".join(" ".join(shown).split()) == " ".join(" ".join(piped).split())
