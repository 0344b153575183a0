"""A command that takes more than a second shows its progress on a terminal, and leaves nothing there."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builder import ALICE, Room

EVENTS = 9_000


@pytest.fixture(scope="module")
def long_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of more than 4 MB."""
    room = Room("11")
    room.join(ALICE)
    (last,) = [event for event in room.events.values() if event.type == "m.room.member"]
    folder = tmp_path_factory.mktemp("long")
    path = folder / "room.jsonl"
    with path.open("w") as out:
        for event in room.events.values():
            out.write(json.dumps(event.pdu) + "\n")
        for number in range(EVENTS):
            pdu = {**last.pdu, "depth": number + 10, "prev_events": [last.event_id]}
            out.write(json.dumps(pdu | {"unsigned": {"filler": "x" * 300}}) + "\n")
    return path


def in_terminal(*arguments: str, until: bytes = b"") -> tuple[int, bytes]:
    """Run a command whose standard error is a terminal. Interrupt it when something has been written there.

    Returns:
        The exit code, and what was written to the terminal.
    """
    ours, theirs = pty.openpty()
    call = [sys.executable, "-m", "roomver", *arguments]
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        told = b""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                told += os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if until and until in told:
                process.send_signal(signal.SIGINT)
                until = b""
        code = process.wait(30)
    os.close(ours)
    return code, told


def test_reading_shows_its_progress(long_room: Path) -> None:
    code, told = in_terminal("state", str(long_room), "--unsigned", "--room-version", "11")
    assert code == 0
    assert b"events" in told
    assert b"room.jsonl" in told
    # The last thing that is written erases the line.
    assert told.rstrip().endswith(b"(--unsigned)") or b"\x1b[2K" in told


def test_an_interrupted_command_leaves_nothing(long_room: Path) -> None:
    cache = long_room.parent / "kept"
    arguments = ("state", str(long_room), "--unsigned", "--room-version", "11", "--cache", str(cache))
    code, told = in_terminal(*arguments, until=b" events")
    assert code == 130
    assert b"Traceback" not in told
    assert [path.name for path in long_room.parent.iterdir()] == ["room.jsonl"]
