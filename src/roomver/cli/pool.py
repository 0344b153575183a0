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
from multiprocessing import active_children, get_context, parent_process
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
    """Hold Ctrl-C and SIGTERM back: a process that starts meanwhile waits for what this one sends to it.

    Ctrl-C is also held back from the processes that start meanwhile: it is for this process alone.
    """
    held: list[int] = []
    handlers: dict[int, Any] = {}
    before = None
    try:
        # A mask holds for one thread, and another one may take the signal. Python then calls the handler in
        # the main thread all the same.
        if current_thread() is main_thread():
            for number in (int(signal.SIGINT), int(signal.SIGTERM)):
                if callable(handler := signal.getsignal(number)):
                    handlers[number] = handler
                    signal.signal(number, lambda number, _: held.append(number))
        if hasattr(signal, "pthread_sigmask"):
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        # Ctrl-C last: once its handler is back, it may end this at any place.
        for number in (signal.SIGTERM, signal.SIGINT):
            if number in handlers:
                signal.signal(number, handlers[number])
        if held:
            signal.raise_signal(held[0])


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
        self._others = active_children()
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
        except (BrokenExecutor, ValueError) as error:
            # ValueError: a process was to start while the pool broke down and closed its pipes.
            self.failure = _KILLED
            raise BrokenExecutor(self.failure) from error
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
            if self.failure:
                # A pool that breaks ends its processes, but not one that starts at that moment. That one may
                # wait for a lock of the process that died, and the pool for that one.
                for process in active_children():
                    if process not in self._others:
                        process.kill()
            self._pool.shutdown(wait, cancel_futures=cancel_futures)
