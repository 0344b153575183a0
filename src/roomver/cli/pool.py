"""Pools of processes that check events or rooms beside this process.

Each process starts with nothing of this one ("spawn"): that is the same on all systems, and safe with
threads. It leaves Ctrl-C to this one, and ends when this one ends.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.resource_tracker import ensure_running
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import Any, Final

CANNOT_START: Final = (OSError, ImportError, RuntimeError)
"""What is raised where the system has no semaphores for processes, or allows no more processes or threads."""

_KILLED: Final = "a process that checked events was killed"
_MOST_ON_WINDOWS: Final = 61  # processes that a pool may have there


def begin_worker() -> None:
    """Prepare a worker process: Ctrl-C is for the main process, without which the worker ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        Thread(target=follow, daemon=True).start()
    gc.collect()
    gc.freeze()  # the collector then never looks at what was imported


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back, also from the processes that start meanwhile: it is for this process alone."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Make SIGTERM raise SystemExit in this process, so that the pool releases its semaphores.

    Without this, multiprocessing finds them at the end and warns about them.
    """
    usual = current_thread() is main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not usual:
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def start_pool(jobs: int) -> ProcessPoolExecutor:
    """Return a pool of so many processes at most. They start when the first work is submitted.

    Call it outside of `uninterrupted`: the process that multiprocessing starts for itself lets Ctrl-C
    through again.
    """
    if sys.platform == "win32":
        jobs = min(jobs, _MOST_ON_WINDOWS)
    else:
        ensure_running()
    return ProcessPoolExecutor(jobs, get_context("spawn"), begin_worker)


class Checkers(Executor):
    """A pool that is not made before it is used, and that remembers why it could not do its work.

    Attributes:
        failure: what happened to its processes; empty if nothing did.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self.failure: str = ""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Give work to a process.

        Raises:
            BrokenExecutor: if a process has died, or if none can be started.
        """
        try:
            if self._pool is None:
                self._pool = start_pool(self._jobs)
            with uninterrupted():
                future = self._pool.submit(function, *args, **kwargs)
        except BrokenExecutor:
            self.failure = _KILLED
            raise
        except CANNOT_START as error:
            self.failure = f"no process can be started to check events ({error})"
            raise BrokenExecutor(self.failure) from None
        future.add_done_callback(self._note)
        return future

    def _note(self, future: "Future[Any]") -> None:
        if not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            self.failure = _KILLED

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait, cancel_futures=cancel_futures)
