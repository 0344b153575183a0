"""A Dask cluster instead of processes: the same results, also if a worker is killed in the middle."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import pytest
from command_line import run

from all_rooms import dying
from all_rooms.calls import VECTORS, by_room, checked, lines_of, started, summary
from roomver.cli.all_rooms import executors

distributed = pytest.importorskip("distributed", reason="Dask, the extra `cluster`, is not installed")
dask_config = import_module("dask.config")

SCHEDULER = """
import distributed, time
if __name__ == "__main__":
    # Its workers are threads of this process, so that they end with it.
    cluster = distributed.LocalCluster(1, threads_per_worker=1, processes=False, protocol="tcp://",
                                       dashboard_address="127.0.0.1:0")
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process with one thread, as `--scheduler local` starts them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(dying.DIES, "v7.jsonl")  # for the workers that `dying` checks rooms in
        # Dask gives a room up after the second death; by default, after the fourth.
        with (
            dask_config.set({"distributed.scheduler.allowed-failures": 1}),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
            ) as found,
        ):
            yield found


def test_a_cluster_in_which_a_worker_is_killed_has_the_same_results(cluster: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    killed: list[int] = []

    def kill() -> None:
        """Kill a worker while it checks a room."""
        while not out.exists() or out.read_bytes().count(b"\n") < 3:
            sleep(0.02)
        busy = [one for one in cluster.scheduler.workers.values() if one.processing]
        pid = cluster.workers[busy[0].name].pid
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    killer = Thread(target=kill, daemon=True)
    killer.start()
    found = summary(str(VECTORS), "--scheduler", cluster.scheduler_address, "-o", str(out), code=1)
    killer.join(60)
    assert killed
    assert found["status"]["findings"] == 12  # state resets that nobody meant
    assert by_room(lines_of(out)) == by_room(checked(str(VECTORS)))
    # What is done is not done again.
    before = out.read_bytes()
    summary(str(VECTORS), "--scheduler", cluster.scheduler_address, "-o", str(out), "--resume", code=1)
    assert out.read_bytes() == before


def test_a_room_that_kills_its_workers_costs_that_room(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "check_order", dying.check_order)
    out = tmp_path / "out.jsonl"
    result = run("check", "--rooms", str(VECTORS), "--scheduler", cluster.scheduler_address, "-o", str(out))
    assert result.exit_code == 2
    (bad,) = (one for one in lines_of(out) if one["status"] != "findings")
    assert bad["source"] == str(VECTORS / "v7.jsonl")
    assert bad["reason"] == "the workers that checked it died, one after another, and Dask gave it up"
    assert len(lines_of(out)) == 12


def test_a_scheduler_that_dies_ends_the_run_and_keeps_what_is_done(tmp_path: Path) -> None:
    scheduler = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert scheduler.stdout is not None
    address = scheduler.stdout.readline().strip()
    out = tmp_path / "out.jsonl"
    process = started(str(VECTORS), "--scheduler", address, "-o", str(out))
    try:
        while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < 3):
            sleep(0.05)
    finally:
        scheduler.kill()
        scheduler.communicate()
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 2, stderr
    number = len(lines_of(out))
    assert 2 <= number < 12
    told = f"{number} of 12 rooms are in {out}; the same call with --resume goes on"
    assert stderr.endswith(f"roomver: the connection to the scheduler is lost; {told}\n")


def test_a_scheduler_that_does_not_answer_is_said() -> None:
    with dask_config.set({"distributed.comm.timeouts.connect": "300ms"}):
        result = run("check", "--rooms", str(VECTORS), "--scheduler", "tcp://127.0.0.1:9")
    assert result.exit_code == 2
    assert "roomver: tcp://127.0.0.1:9: no scheduler answers there: " in result.stderr
