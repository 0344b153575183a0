"""A command that takes more than a second shows its progress on a terminal, and leaves nothing there."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from builder import ALICE, Room
from explain.rooms import checked
from played_rooms import played

from roomver.cli import progress
from roomver.explain.resets import explain_resets
from roomver.hashing import compute_event_id

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


# A command that reads one room, and writes to FOLDER if it writes.
CALLS = (
    "check FILE",
    "state FILE",
    "auth FILE EVENT",
    "resolve FILE",
    "explain FILE EVENT",
    "history FILE m.room.member",
    "resets FILE",
    "graph FILE",
    "report FILE -o FOLDER/room.html",
    "report FILE --png -o FOLDER/room.png",
    "record FILE -o FOLDER/record.jsonl",
    "shrink FILE --keep reset -o FOLDER/small.jsonl",
    "vectors capture FILE EVENT -o FOLDER/case.json",
    "may FILE @alice:a.example join",
    "keys FILE",
    "compare FILE FILE",
    "repair FILE",
    "state FILE --cache FOLDER/kept",
    "resets FILE --cache FOLDER/kept",
)


def arguments(call: str, file: Path) -> list[str]:
    """Return the arguments of a call of `CALLS`."""
    pdu = json.loads(file.read_text().partition("\n")[0])
    event_id = pdu.get("event_id") or compute_event_id(pdu, "11")
    values = {"FILE": str(file), "EVENT": event_id}
    words = [values.get(word, word).replace("FOLDER", str(file.parent)) for word in call.split()]
    # These two have nothing to leave unchecked.
    unsigned = [] if words[0] in ("record", "keys") else ["--unsigned"]
    return [*words, *unsigned, "--room-version", "11"]


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupted_command_leaves_nothing(call: str, long_room: Path) -> None:
    code, told = in_terminal(*arguments(call, long_room), until=b" events")
    assert code == 130
    assert b"Traceback" not in told
    assert [path.name for path in long_room.parent.iterdir()] == ["room.jsonl"]


@pytest.mark.parametrize("call", [call for call in CALLS if "FOLDER" in call])
def test_a_command_that_is_interrupted_later_leaves_no_part_of_a_file(call: str, long_room: Path) -> None:
    code, told = in_terminal(*arguments(call, long_room), until=b"rules and states")
    assert code in (0, 1, 2, 130)
    assert b"Traceback" not in told
    left = [path for path in long_room.parent.iterdir() if path != long_room]
    assert not [path.name for path in left if path.name.startswith(".")]
    for path in left:
        path.unlink()


@pytest.fixture(scope="module")
def short_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = Room("11")
    room.join(ALICE)
    path = tmp_path_factory.mktemp("short") / "room.jsonl"
    path.write_text("".join(json.dumps(event.pdu) + "\n" for event in room.events.values()))
    return path


@pytest.mark.parametrize(
    "call",
    [
        *CALLS,
        "check FILE --json",
        "state FILE --json",
        "explain FILE EVENT --json",
        "history FILE m.room.member --json",
        "resets FILE --json",
        "graph FILE --json",
        "graph FILE --svg",
        "graph FILE --dot",
        "record FILE -o -",
        "vectors capture FILE EVENT -o -",
        "may FILE @alice:a.example join --json",
        "keys FILE --json",
        "compare FILE FILE --json",
        "repair FILE --json",
    ],
)
def test_a_reader_that_has_gone_ends_a_command_quietly(call: str, short_room: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", "roomver", *arguments(call, short_room)]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=False, timeout=120)
    os.close(theirs)
    for path in short_room.parent.iterdir():
        if path != short_room:
            path.unlink()
    told = done.stderr.decode()
    assert not re.search("Traceback|Broken|Exception|Errno", told)
    silent = "FOLDER" in call and not call.startswith(("report", "state", "resets"))
    assert done.returncode in ((0, 2, 141) if silent else (141,)), told


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("after", [0.0, 60.0])
def test_work_of_few_steps_is_shown_once_it_has_taken_a_moment(
    after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_MOMENT", after)
    with progress.work_progress("merges") as tell:
        assert tell is not None
        tell(1, 3)
        time.sleep(0.3)
    assert ("merges" in shown.getvalue()) == (after == 0)


def test_each_merge_that_is_resolved_once_more_is_told() -> None:
    told: list[tuple[int, int]] = []
    found = next(
        found
        for seed in range(100)
        if (found := checked(played(Random(seed), "11", 40, odd=True), "11")).replay.resets()
    )
    explain_resets(found, None, lambda done, total: told.append((done, total)))
    merges = len({one.merge for one in found.replay.resets()})
    assert told == [(number, merges) for number in range(merges)]
