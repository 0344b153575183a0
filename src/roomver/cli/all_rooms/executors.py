"""Where the workers are: processes of this machine, or Dask.

Both are executors of `concurrent.futures`. A process pool is started anew if a process dies. Dask does its
own scheduling, transport and retries; nothing of it is done here.
"""

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing import active_children
from time import monotonic
from typing import Any, Final

import click

from ... import __version__
from ...readers import InputError
from ...readers.addresses import shown
from ...readers.extras import install_extra
from ..escaped import printable
from ..pool import CANNOT_START, start_pool, uninterrupted
from .options import LOCAL
from .run import Reply, Workers, WorkersGone
from .worker import Order, check_order, greet

_QUEUED: Final = 2  # rooms under way per process: one is checked, the next one waits
_TICK: Final = 0.2  # seconds
_PATIENCE: Final = 10.0  # seconds after which a wait for workers is told
_COUNTED: Final = 5.0  # seconds for which the number of a cluster's threads holds
# What Dask observes in a worker would take more time than the rest of Dask: each function that runs, every
# 10 ms, and the machine, every 500 ms.
_QUIET: Final = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "10s",
}
_NEEDS: Final = f"a cluster needs Dask: {install_extra('cluster')}"


class Pool:
    """Processes of this machine.

    Processes are not replaced after some rooms (``max_tasks_per_child``): until Python 3.13 that can
    hang (https://github.com/python/cpython/issues/115634), and a worker keeps nothing of a room.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._others = {child.pid for child in active_children()}
        self._pool: Executor = self._started()

    def _started(self) -> Executor:
        try:
            return start_pool(self._jobs)
        except CANNOT_START as error:
            raise WorkersGone(printable(f"no worker process can be started: {error}")) from None

    def call(self, function: Callable[[], str]) -> "Future[str]":
        """Call a function in a worker."""
        with uninterrupted():
            return self._pool.submit(function)

    def submit(self, order: Order) -> "Future[Reply]":
        """Begin to check a room."""
        with uninterrupted():
            return self._pool.submit(check_order, order)

    def places(self) -> int:
        """Return how many rooms may be under way at once."""
        return self._jobs * _QUEUED

    def renew(self) -> None:
        """Start anew, after a process has died."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._started()

    def given_up(self, error: BaseException) -> str:
        """Return the empty string: a pool says that a process died, but not of which room."""
        return ""

    def close(self, *, now: bool) -> None:
        """End the processes; with `now`, also those that check rooms."""
        if now:
            for child in active_children():
                if child.pid not in self._others:
                    child.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


class Cluster:
    """Workers of Dask: of a scheduler at an address, or of a cluster that is started on this machine."""

    def __init__(self, scheduler: str, jobs: int) -> None:
        try:
            distributed: Any = import_module("distributed")  # an extra, and it takes a second
        except ImportError:
            raise InputError(shown(scheduler), _NEEDS) from None
        self._killed: type[BaseException] = distributed.scheduler.KilledWorker
        self._cluster: Any = None
        self._counted, self._threads = -_COUNTED, 1
        try:
            if scheduler == LOCAL:
                with import_module("dask.config").set(_QUIET):
                    self._cluster = distributed.LocalCluster(
                        n_workers=jobs, threads_per_worker=1, dashboard_address="127.0.0.1:0"
                    )
            self._client: Any = distributed.Client(self._cluster or scheduler, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            self._close_cluster()
            raise InputError(shown(scheduler), f"no scheduler answers there: {error}") from None
        # Each call is a task of its own, even if Dask knows the answer of another one like it.
        self._executor: Executor = self._client.get_executor(pure=False)

    def call(self, function: Callable[[], str]) -> "Future[str]":
        """Call a function in a worker."""
        return self._executor.submit(function)

    def submit(self, order: Order) -> "Future[Reply]":
        """Begin to check a room."""
        return self._executor.submit(check_order, order)

    def places(self) -> int:
        """Return how many rooms may be under way at once: one for each thread of the workers now.

        Not more, although a thread then waits for its next room: where a worker dies, Dask blames all rooms
        that it had, so that a room which kills its workers would cost those that wait behind it.
        """
        if monotonic() - self._counted > _COUNTED:
            self._threads = sum(self._client.nthreads().values())
            self._counted = monotonic()
        return max(1, self._threads)

    def renew(self) -> None:
        """Do nothing: Dask replaces its workers."""

    def given_up(self, error: BaseException) -> str:
        """Say why Dask gave a room up; empty if it did not."""
        if isinstance(error, self._killed):
            return "the workers that checked it died, one after another, and Dask gave it up"
        return ""

    def close(self, *, now: bool) -> None:
        """Leave the cluster, and end it if it was started here."""
        with suppress(Exception):
            self._executor.shutdown(wait=False)
        with suppress(Exception):
            self._client.close()
        self._close_cluster()

    def _close_cluster(self) -> None:
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close()


def started(scheduler: str | None, jobs: int, stopped: Callable[[], bool]) -> Workers | None:
    """Start workers, and wait until one answers; None if that was stopped.

    Args:
        scheduler: the address of a Dask scheduler; `LOCAL` starts one; None for processes without Dask.
        jobs: the number of processes.
        stopped: tells whether to stop.

    Raises:
        WorkersGone: if none answers, or if it has another version of roomver.
        InputError: if Dask is needed and missing, or no scheduler answers.
    """
    workers = Pool(jobs) if scheduler is None else Cluster(scheduler, jobs)
    close = partial(workers.close, now=True)
    try:
        future = workers.call(greet)
        began, told = monotonic(), False
        while not future.done():
            wait([future], _TICK)
            if stopped():
                close()
                return None
            if not told and monotonic() - began > _PATIENCE:
                told = True
                click.echo("roomver: no worker has answered yet: waiting. Ctrl-C ends it", err=True)
        there = future.result()
    except BrokenExecutor:
        close()
        raise WorkersGone(
            "no worker process can be started: too little memory, or too few processes?"
        ) from None
    except Exception as error:
        close()
        raise WorkersGone(
            printable(f"the workers cannot run roomver: {type(error).__name__}: {error}")
        ) from None
    if there != __version__:
        close()
        raise WorkersGone(f"the workers have roomver {there}, not {__version__}: install the same")
    return workers
