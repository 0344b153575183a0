"""``--jobs``: events are checked in other processes, and everything is as without it."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from command_line import Write, header, run
from played_rooms import played

from roomver import parallel
from roomver.cli import pool


@pytest.fixture
def room(write: Write, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(parallel, "_ALONE", 5)
    monkeypatch.setattr(parallel, "_CHUNK", 7)
    lines: list[Any] = [header()]
    for event in played(Random(3), "11", 60, odd=True, signed=True):
        pdu: dict[str, Any] = dict(event.pdu)
        if len(lines) % 9 == 0:
            pdu["content"] = {**event.content, "spoiled": 1}
        lines.append({"event_id": event.event_id, "pdu": pdu})
    return write("room.jsonl", lines)


def started(monkeypatch: pytest.MonkeyPatch) -> list[ProcessPoolExecutor]:
    """Return the pools that commands start from now on."""
    pools: list[ProcessPoolExecutor] = []
    real = pool.start_pool

    def start(jobs: int) -> ProcessPoolExecutor:
        pools.append(real(jobs))
        return pools[-1]

    monkeypatch.setattr(pool, "start_pool", start)
    return pools


@pytest.mark.parametrize(
    "call", [["check"], ["check", "--alone"], ["check", "--json"], ["state"], ["resets"], ["keys", "--json"]]
)
def test_the_answer_is_the_same(room: str, call: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name, *more = call
    pools = started(monkeypatch)
    alone = run(name, room, *more, "--jobs", "1")
    assert not pools
    beside = run(name, room, *more, "--jobs", "2")
    assert len(pools) == 1
    assert (beside.exit_code, beside.stdout, beside.stderr) == (alone.exit_code, alone.stdout, alone.stderr)


def test_a_short_room_starts_no_process(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_ALONE", 2_000)
    pools = started(monkeypatch)
    assert run("check", room, "--jobs", "2").exit_code == 1
    assert not pools


def test_a_killed_process_loses_nothing_and_is_told(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = pool.start_pool

    def start(jobs: int) -> ProcessPoolExecutor:
        made = real(jobs)
        made.submit(os.kill, os.getpid(), 0).result()
        for process in list(made._processes.values()):
            process.kill()
        return made

    alone = run("check", room, "--jobs", "1")
    monkeypatch.setattr(pool, "start_pool", start)
    beside = run("check", room, "--jobs", "2")
    assert (beside.exit_code, beside.stdout) == (alone.exit_code, alone.stdout)
    assert "a process that checked events was killed" in beside.stderr


@pytest.mark.parametrize(
    "error",
    [BlockingIOError(11, "no process"), NotImplementedError("no semaphores"), RuntimeError("no thread")],
)
@pytest.mark.parametrize("late", [False, True])
def test_where_no_process_can_start_this_one_does_the_work(
    error: Exception, late: bool, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some containers have no shared memory, or a limit of processes. That was enough before."""

    class Broken(Executor):
        def submit(self, *_: Any, **__: Any) -> Any:
            raise error

    def start(jobs: int) -> Executor:
        if late:
            return Broken()
        raise error

    alone = run("check", room, "--jobs", "1")
    monkeypatch.setattr(pool, "start_pool", start)
    beside = run("check", room, "--jobs", "2")
    assert (beside.exit_code, beside.stdout) == (alone.exit_code, alone.stdout)
    assert f"no process can be started to check events ({error})" in beside.stderr


@pytest.mark.parametrize("bad", ["0", "-1", "x"])
def test_a_wrong_number_is_refused(room: str, bad: str) -> None:
    assert run("check", room, "--jobs", bad).exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_is_held_back_from_a_process_that_starts() -> None:
    """It would end with a traceback while it imports what it needs.

    In a process of its own, in which multiprocessing has not been used yet.
    """
    script = (
        "from signal import SIG_BLOCK, SIGINT, pthread_sigmask\n"
        "from roomver.cli.pool import Checkers\n"
        "with Checkers(1) as pool:\n"
        "    there = pool.submit(pthread_sigmask, SIG_BLOCK, ()).result()\n"
        "print(SIGINT in there, SIGINT in pthread_sigmask(SIG_BLOCK, ()))\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert process.stdout == "True False\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_is_held_back_where_another_thread_may_take_it() -> None:
    """As where progress is shown. A mask holds for one thread; the process would get half of its input."""
    end, passed = Event(), []
    other = Thread(target=end.wait)

    def hold() -> None:
        with pool.uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(20):
                time.sleep(0.01)
            passed.append(True)

    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            hold()
    finally:
        end.set()
        other.join()
    assert passed
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_that_starts_while_the_pool_breaks_does_not_hold_it_up() -> None:
    """`ProcessPoolExecutor` ends the processes that it has at that moment, and then waits for all."""
    checkers = pool.Checkers(1)
    (worker,) = [checkers.submit(os.getpid).result()]
    late: Any = get_context("spawn").Process(target=time.sleep, args=(600,))
    late.start()
    late.terminate = lambda: None  # the pool did not see it yet
    inner: Any = checkers._pool
    inner._processes[late.pid] = late
    waiting = checkers.submit(time.sleep, 600)
    os.kill(worker, signal.SIGTERM)
    with pytest.raises(BrokenExecutor):
        waiting.result(60)
    ended = Thread(target=checkers.shutdown, daemon=True)
    ended.start()
    ended.join(60)
    held_up = ended.is_alive()
    late.kill()
    assert not held_up


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes_quietly(number: int, tmp_path: Path) -> None:
    path = tmp_path / "room.jsonl"
    events = played(Random(3), "11", 40)
    with path.open("w") as stream:
        stream.write(json.dumps(header()) + "\n")
        for depth in range(120_000):
            event = events[depth % len(events)]
            stream.write(json.dumps({**event.pdu, "depth": depth}) + "\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "roomver", "check", str(path), "--jobs", "2", "--unsigned"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    children: list[int] = []
    deadline = time.monotonic() + 60
    task = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not task.exists():
        process.kill()
        pytest.skip("the system does not list the children of a process")
    while len(children) < 2 and time.monotonic() < deadline:
        children = [int(one) for one in task.read_text().split()]
        time.sleep(0.05)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, b"", b"")
    assert len(children) >= 2
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
