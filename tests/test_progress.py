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
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from builder import ALICE, Room
from command_line import CASES
from explain.rooms import checked
from played_rooms import played

from roomver.cli import progress
from roomver.cli.app import main
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


def in_terminal(
    *arguments: str, until: bytes = b"", program: Sequence[str] = ("-m", "roomver")
) -> tuple[int, bytes]:
    """Run a command whose standard error is a terminal. Interrupt it when something has been written there.

    Returns:
        The exit code, and what was written to the terminal.
    """
    ours, theirs = pty.openpty()
    call = [sys.executable, *program, *arguments]
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


# A command of one room, and the function that does the most work in it after the replay.
OWN_PARTS = {
    "check FILE": "report.room_lines",
    "graph FILE": "graph.draw",
    "compare FILE FILE": "compare.compare",
    "repair FILE": "repair.repair",
    "keys FILE": "keys.find_key_needs",
    "explain FILE EVENT": "explain.explain_event",
    "history FILE m.room.member": "history.list_keys",
    "history FILE m.room.create": "history.tell_history",
    "resets FILE": "resets.explain_resets",
    "may FILE @alice:a.example join": "may.may",
    "resolve FILE": "state.resolve",
    "shrink FILE --keep reset -o FOLDER/small.jsonl": "shrink.shrink",
    "vectors capture FILE EVENT -o FOLDER/case.json": "vectors.capture.capture_auth",
    "resets FILE --cache FOLDER/kept": "loading.write_kept",
    "history FILE m.room.member --cache FOLDER/kept": "loading.read_kept",
    "record FILE -o FOLDER/record.jsonl": "record.recording_lines",
    "record FILE -o FOLDER/record.jsonl --anonymise": "record.anonymise",
}
# These print what they find while they read, show the progress of their own work, or look at no room.
OTHERS = {"rooms", "auth", "state", "report", "versions", "rules"}
OF_ONE_EVENT = {"event-id", "hash", "redact", "sign", "verify", "canonical"}


def test_every_command_is_known_here() -> None:
    assert {call.split()[0] for call in OWN_PARTS} | OTHERS | OF_ONE_EVENT == set(main.commands)


def slowed(function: str, seconds: float) -> list[str]:
    """Return the arguments of Python for a roomver in which a function takes longer."""
    module, _, name = function.rpartition(".")
    lines = (
        "import importlib, sys, time",
        "from roomver.cli import progress",
        "from roomver.cli.app import main",
        f"module = importlib.import_module('roomver.cli.{module}')",
        f"real = module.{name}",
        "progress._MOMENT = 0.05",
        f"module.{name} = lambda *a, **k: (time.sleep({seconds}), real(*a, **k))[1]",
        "sys.exit(main())",
    )
    return ["-c", "\n".join(lines)]


@pytest.mark.parametrize("call", OWN_PARTS)
def test_the_own_part_of_a_command_shows_that_it_goes_on(call: str, short_room: Path) -> None:
    # The time that has passed, or what shrink counts.
    words = arguments(call, short_room)
    code, told = in_terminal(*words, until=b"0:00:00", program=slowed(OWN_PARTS[call], 30))
    assert code == 130, told
    assert b"Traceback" not in told
    assert b"0:00:00" in told
    # What was shown is erased, and no half of a line is left.
    assert told.rindex(b"\x1b[2K") > told.rindex(b"0:00:00")
    assert [path.name for path in short_room.parent.iterdir()] == ["room.jsonl"]


@pytest.mark.parametrize("call", OWN_PARTS)
def test_nothing_is_shown_where_there_is_no_terminal(call: str, short_room: Path) -> None:
    command = [sys.executable, *slowed(OWN_PARTS[call], 0.3), *arguments(call, short_room)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, timeout=60)
    for path in short_room.parent.iterdir():
        if path != short_room:
            path.unlink()
    assert done.returncode in (0, 2, 3), done.stderr
    assert b"0:00:00" not in done.stderr
    assert b"\x1b" not in done.stderr


@pytest.mark.parametrize("regular", [True, False])
def test_output_is_shown_as_progress_only_if_it_goes_to_a_file(
    regular: bool, short_room: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    call = [sys.executable, *slowed("graph.lay_out", 0.5), "graph", str(short_room), "--unsigned"]
    with (tmp_path / "out").open("w") as file:
        out = file if regular else subprocess.PIPE
        with subprocess.Popen(call, stdout=out, stderr=theirs) as process:
            os.close(theirs)
            told = b""
            while True:
                try:
                    told += os.read(ours, 65_536)
                except OSError:  # the other end is closed
                    break
            process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert (b"the graph" in told) == regular


@pytest.mark.parametrize("command", ["check", "resets"])
def test_an_error_is_broken_between_words_to_the_width_of_the_terminal(command: str) -> None:
    code, told = in_terminal(command, str(CASES / "a_client_event.json"))
    lines = told.decode().splitlines()
    assert code == 2
    assert lines[0].startswith("roomver: ")
    assert len(lines) > 4
    assert max(map(len, lines)) <= 80
