"""A killed worker, a full disk, a corrupt room, Ctrl-C: nothing is lost, nothing is wrong, and it is said."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from command_line import run

from all_rooms import dying
from all_rooms.calls import VECTORS, by_room, checked, lines_of, setup, started, summary
from roomver import __version__
from roomver.cli import pool
from roomver.cli.all_rooms import executors, results, worker
from roomver.cli.all_rooms.stopping import stopping

ROOM = VECTORS / "v11.jsonl"
HEADER, *EVENTS = ROOM.read_text("utf-8").splitlines(keepends=True)
# Without what the server decided about the events that are left out.
TOLD = {name: json.loads(HEADER)[name] for name in ("format", "room_version", "keys")}
START = "".join([f"{json.dumps(TOLD)}\n", *EVENTS[:15]]).encode()
ROOMS = 12
PATIENCE = 120.0  # seconds, for machines that do much else


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with copies of the beginning of a recorded room. No test changes it."""
    made = tmp_path_factory.mktemp("rooms")
    for number in range(ROOMS):
        (made / f"room{number:02}.jsonl").write_bytes(START)
    return made


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a run in which nothing goes wrong."""
    out = tmp_path_factory.mktemp("whole") / "whole.jsonl"
    summary(str(folder), "--jobs", "1", "-o", str(out))
    return out.read_bytes()


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, dict[str, Any]]:
    """The results of the rooms, each checked by itself."""
    found = by_room(checked(str(folder)))
    assert {one["status"] for one in found.values()} == {"ok"}
    return found


def until(true: Callable[[], bool]) -> None:
    end = monotonic() + PATIENCE
    while not true():
        assert monotonic() < end, "it took too long"
        sleep(0.05)


# A worker that dies


def test_a_room_that_kills_its_worker_costs_that_room(
    folder: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "check_order", dying.check_order)
    monkeypatch.setenv(dying.DIES, "room03.jsonl room07.jsonl")
    out = tmp_path / "out.jsonl"
    result = run("check", "--rooms", str(folder), "--jobs", "2", "-o", str(out))
    assert result.exit_code == 2
    found = by_room(lines_of(out))
    crashed = [one for one in found.values() if one["status"] == "crashed"]
    assert sorted(Path(one["source"]).name for one in crashed) == ["room03.jsonl", "room07.jsonl"]
    assert {name: one for name, one in found.items() if one["status"] != "crashed"} == {
        name: one for name, one in whole.items() if "room03" not in name and "room07" not in name
    }
    assert "rooms without a result: 2\n  crashed: the process that checked it died" in result.stdout
    assert f"roomver check {folder}/room03.jsonl" in result.stdout
    # A later run tries them again, and only them.
    monkeypatch.delenv(dying.DIES)
    before = out.read_bytes().splitlines()
    summary(str(folder), "-o", str(out), "--resume")
    assert by_room(lines_of(out)) == whole
    kept = [line for line in before if b'"crashed"' not in line]
    assert out.read_bytes().splitlines()[: len(kept)] == kept


def test_a_worker_that_is_killed_from_outside_costs_nothing(
    folder: Path, whole: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "check_order", dying.check_order)
    monkeypatch.setenv(dying.DIES_ONCE, str(tmp_path / "died"))
    out = tmp_path / "out.jsonl"
    summary(str(folder), "--jobs", "2", "-o", str(out))
    assert (tmp_path / "died").exists()
    assert by_room(lines_of(out)) == whole


def test_workers_that_cannot_start_end_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "begin_worker", os.abort)
    result = run("check", "--rooms", str(folder))
    assert result.exit_code == 2
    assert "roomver: no worker process can be started" in result.stderr


def test_workers_with_another_version_end_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "__version__", "0.0.1")
    result = run("check", "--rooms", str(folder))
    assert result.exit_code == 2
    assert f"the workers have roomver {__version__}, not 0.0.1: install the same" in result.stderr


def test_a_second_signal_has_its_usual_effect() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopping() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert (stop(), stop.code) == (True, 130)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_system_without_semaphores_ends_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise NotImplementedError("no semaphores")

    monkeypatch.setattr(executors, "start_pool", refuse)
    result = run("check", "--rooms", str(folder))
    assert result.exit_code == 2
    assert "no worker process can be started: no semaphores" in result.stderr


def test_workers_end_when_the_main_process_is_killed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    process = started(str(folder), "--jobs", "2", "-o", str(out))
    until(lambda: out.exists() and out.read_bytes().count(b"\n") > 2)
    process.kill()
    process.communicate()

    def is_gone() -> bool:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    until(is_gone)
    summary(str(folder), "-o", str(out), "--resume")
    assert len(by_room(lines_of(out))) == ROOMS


# Ctrl-C


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_is_done_and_goes_on_with_the_rest(number: int, tmp_path: Path) -> None:
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    for copy in range(40):
        shutil.copyfile(ROOM, rooms / f"room{copy:02}.jsonl")
    out = tmp_path / "out.jsonl"
    process = started(str(rooms), "--jobs", "2", "-o", str(out))
    until(lambda: out.exists() and out.read_bytes().count(b"\n") > 3)
    os.killpg(process.pid, number)  # the terminal sends it to the workers too
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number, stderr
    before = out.read_bytes()
    done = len(lines_of(out))
    assert 3 <= done < 40
    assert stdout.startswith(f"interrupted: {done} rooms, ")
    assert stderr == (
        f"roomver: interrupted: {done} of 40 rooms are in {out}; the same call with --resume goes on\n"
    )
    for one in [*rooms.iterdir()][10:]:
        one.write_bytes(START)  # the rest is quick, and what is done is not read again
    found = summary(str(rooms), "-o", str(out), "--resume", code=1)
    assert found["rooms"] == 40
    assert out.read_bytes().startswith(before)
    assert len(by_room(lines_of(out))) == 40


def test_without_a_file_an_interrupted_run_says_how_to_keep_results(folder: Path) -> None:
    process = started(str(folder), "--jobs", "1")
    assert process.stdout is not None
    sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE)
    if process.returncode == 130 and stderr:  # it may have been faster, or not begun
        assert stderr.startswith("roomver: interrupted: ")
        assert stderr.endswith(" of 12 rooms are done; with --output FILE, --resume could go on\n")


# A file of results that is not whole


@pytest.mark.parametrize(
    "end",
    [b"", b'{"room_id": "!a", "sour', bytes(100) + b"\n{}\n\n[1]\n7"],
    ids=["nothing", "half", "others"],
)
def test_a_half_written_end_is_dropped(
    end: bytes, folder: Path, finished: bytes, whole: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    kept = b"".join(finished.splitlines(keepends=True)[:6])
    out.write_bytes(kept + end)
    assert summary(str(folder), "-o", str(out), "--resume")["rooms"] == ROOMS
    assert out.read_bytes().startswith(kept)
    assert by_room(lines_of(out)) == whole


@pytest.mark.parametrize(
    "name", ["status", "kinds", "disagreements", "signatures", "seconds", "resets", "command"]
)
def test_a_line_that_somebody_has_edited_is_not_taken(name: str) -> None:
    (answer,) = checked(str(ROOM))
    assert results.is_answer(answer)
    values: list[Any] = [None, "odd", [], {}, {"odd": "odd"}, 1.5]
    for value in values:
        # Counts by kind may be empty, and seconds are a number.
        fits = (name, value) in (("kinds", {}), ("seconds", 1.5), ("seconds", None), ("command", "odd"))
        assert results.is_answer(answer | {name: value}) == fits
    assert not results.is_answer({one: value for one, value in answer.items() if one != name})


def test_a_file_that_is_complete_stays_as_it_is(folder: Path, finished: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(finished)
    assert summary(str(folder), "-o", str(out), "--resume")["rooms"] == ROOMS
    assert out.read_bytes() == finished
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["out.jsonl"]


@pytest.mark.parametrize("text", ["", "\n", "{}\n", '{"format": "roomver-room/1"}\n', "hello\n", "\0\n"])
def test_a_file_of_something_else_is_left_as_it_is(text: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text(text)
    result = run("check", "--rooms", str(folder), "-o", str(out))
    assert result.exit_code == 2
    assert "it exists: --resume goes on with it" in result.stderr
    result = run("check", "--rooms", str(folder), "-o", str(out), "--resume")
    if text:
        assert result.exit_code == 2
        assert "this is not a results file of `roomver check --rooms`" in result.stderr
        assert out.read_text() == text
    else:
        assert result.exit_code == 0  # a run that ended before its first line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--unsigned"], "it was made with --unsigned false, not true"),
        (["--as-recorded"], "it was made with --as-recorded false, not true"),
        (["--algorithm", "v2.1"], 'it was made with --algorithm null, not "v2.1"'),
        (["--room-version", "11"], 'it was made with --room-version null, not "11"'),
    ],
)
def test_other_options_are_refused(
    options: list[str], said: str, folder: Path, finished: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(finished)
    result = run("check", "--rooms", str(folder), "-o", str(out), "--resume", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert out.read_bytes() == finished


def test_a_run_goes_on_from_another_folder(
    folder: Path, finished: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    summary(folder.name, "-o", str(out))
    written = out.read_bytes()
    assert by_room(lines_of(out)).keys() == by_room([*map(json.loads, finished.splitlines()[1:])]).keys()
    monkeypatch.chdir(tmp_path / "here" / "below")
    found = os.path.relpath(folder)
    summary(found, "-o", "../../out.jsonl", "--resume")
    assert out.read_bytes() == written
    # The same name for another folder is another source.
    shutil.copytree(folder, tmp_path / "here" / folder.name)
    monkeypatch.chdir(tmp_path / "here")
    assert run("check", "--rooms", folder.name, "-o", str(out), "--resume").exit_code == 2


def test_other_sources_another_version_and_other_keys_are_refused(
    folder: Path, finished: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(finished)
    result = run("check", "--rooms", str(ROOM), "-o", str(out), "--resume")
    assert result.exit_code == 2
    assert f"it was made from other sources: {folder}." in result.stderr
    header, *rest = out.read_text().splitlines(keepends=True)
    out.write_text("".join([json.dumps({**json.loads(header), "roomver": "0.0.1"}) + "\n", *rest]))
    result = run("check", "--rooms", str(folder), "-o", str(out), "--resume")
    assert result.exit_code == 2
    assert "it was made by roomver 0.0.1, this is " in result.stderr
    out.unlink()
    keys = tmp_path / "keys.json"
    table = json.loads(ROOM.read_text().splitlines()[0])["keys"]
    keys.write_text(json.dumps(table))
    summary(str(ROOM), "-o", str(out), "--keys", str(keys), code=1)
    summary(str(ROOM), "-o", str(out), "--resume", "--keys", str(keys), code=1)
    result = run("check", "--rooms", str(ROOM), "-o", str(out), "--resume")
    assert "it was made with --keys " in result.stderr


def test_two_runs_do_not_write_the_same_file(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    process = started(str(folder), "--jobs", "1", "-o", str(out))
    until(lambda: out.exists() and out.read_bytes().count(b"\n") > 1)
    other = run("check", "--rooms", str(folder), "-o", str(out), "--resume")
    if process.poll() is None or "another run" in other.stderr:
        assert other.exit_code == 2
        assert f"roomver: {out}: another run is writing it" in other.stderr
    assert process.communicate(timeout=PATIENCE)[1] == ""
    assert process.returncode == 0
    assert len(by_room(lines_of(out))) == ROOMS


# A full disk


def test_a_full_disk_ends_the_run_and_keeps_whole_lines(
    folder: Path, whole: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    limited = (
        "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000));"
        "from roomver.__main__ import main; main()"
    )
    call = [sys.executable, "-c", limited, "check", "--rooms", str(folder), "--jobs", "2", "-o", str(out)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 2, done
    reason = os.strerror(errno.EFBIG)
    number = len(lines_of(out))  # each line is whole
    assert 0 < number < ROOMS
    assert f"roomver: {out}: it cannot be written: {reason}" in done.stderr
    assert f"{number} rooms are in it; --resume goes on" in done.stderr
    summary(str(folder), "-o", str(out), "--resume")
    assert by_room(lines_of(out)) == whole


def test_a_full_disk_when_a_run_goes_on_changes_nothing(
    folder: Path, finished: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    before = finished + b'{"half'
    out.write_bytes(before)
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000));"
    limited += "from roomver.__main__ import main; main()"
    call = [sys.executable, "-c", limited, "check", "--rooms", str(folder), "-o", str(out), "--resume"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 2, done
    assert f"roomver: {out}: it cannot be written: {os.strerror(errno.EFBIG)}" in done.stderr
    assert out.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.skipif(os.name != "posix", reason="links and permissions are those of POSIX")
def test_a_link_to_the_results_and_their_permissions_stay(
    folder: Path, finished: bytes, tmp_path: Path
) -> None:
    out, link = tmp_path / "out.jsonl", tmp_path / "link.jsonl"
    out.write_bytes(finished + b'{"half')
    out.chmod(0o600)
    link.symlink_to(out)
    summary(str(folder), "-o", str(link), "--resume")
    assert link.is_symlink()
    assert out.read_bytes() == finished
    assert out.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_without_any_room_is_said_before_the_work_begins(folder: Path) -> None:
    result = run("check", "--rooms", str(folder), "-o", "/dev/full")
    assert result.exit_code == 2
    assert f"roomver: /dev/full: it cannot be written: {os.strerror(errno.ENOSPC)}" in result.stderr


def test_a_folder_and_an_input_are_not_overwritten(folder: Path, tmp_path: Path) -> None:
    for output, said in ((folder, "this is a folder"), (ROOM, "this is the input")):
        result = run("check", "--rooms", str(ROOM), "-o", str(output))
        assert result.exit_code == 2
        assert said in result.stderr
    result = run("check", "--rooms", str(ROOM), "-o", str(tmp_path / "no" / "folder"))
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


# A corrupt room, and a fault of roomver


def test_a_corrupt_room_costs_that_room(tmp_path: Path) -> None:
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    for number in range(4):
        (rooms / f"room{number}.jsonl").write_bytes(START)
    whole = by_room(checked(str(rooms)))
    (rooms / "room2.jsonl").write_bytes(b"\x00\xff" * 1000)
    out = tmp_path / "out.jsonl"
    result = run("check", "--rooms", str(rooms), "-o", str(out))
    assert result.exit_code == 2
    found = by_room(lines_of(out))
    (bad,) = (one for one in found.values() if one["status"] != "ok")
    assert (bad["status"], bad["code"], bad["events"]) == ("unreadable", 2, None)
    assert f"  unreadable: {bad['reason']}" in result.stdout
    assert {name: one for name, one in found.items() if one is not bad} == {
        name: one for name, one in whole.items() if "room2" not in name
    }


def test_a_fault_of_roomver_costs_that_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise RecursionError("too deep in postgresql://me:secret@host/db")

    monkeypatch.setattr(worker, "check_source", fail)
    order = worker.Order(setup(), ("postgresql://me:secret@host/db",), "!a:b", 7)
    answer = worker.check_order(order)
    assert isinstance(answer, dict)
    assert (answer["status"], answer["events"]) == ("crashed", 7)
    assert answer["reason"] == "RecursionError: too deep in postgresql://me@host/db"
    assert "secret" not in json.dumps(answer)
    assert "secret" not in repr(order)


def test_a_worker_of_another_version_refuses() -> None:
    answer = worker.check_order(worker.Order(setup("0.0.1"), (str(ROOM),), None, 7))
    assert isinstance(answer, dict)
    assert answer["status"] == "unreadable"
    assert answer["reason"] == f"this worker has roomver {__version__}, not 0.0.1"
