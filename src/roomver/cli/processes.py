"""``--jobs``: how many processes check the events of a room."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from .escaped import printable
from .heard import tell

F = TypeVar("F", bound=Callable[..., Any])

_JOBS: Final = "roomver.jobs"  # the number of processes, in the metadata of the context


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def jobs_option(
    text: str = "Check the events of a long input in N processes. Default: one per core.",
) -> Callable[[F], F]:
    """Add ``--jobs``, for `checkers` to know. It is not passed to the command."""
    return click.option(
        "--jobs", metavar="N", type=click.IntRange(1), expose_value=False, callback=_note_jobs, help=text
    )


def _note_jobs(context: click.Context, _: click.Parameter, jobs: int | None) -> None:
    context.meta[_JOBS] = jobs


def named_jobs() -> int | None:
    """Return what the running command was given for ``--jobs``; None without it."""
    context = click.get_current_context(silent=True)
    jobs: int | None = None if context is None else context.meta.get(_JOBS)
    return jobs


@contextmanager
def checkers() -> Iterator[Executor | None]:
    """Return what checks events in other processes; None if this one does it alone.

    It does so in a worker of ``--rooms``, which is one of many, and in a command without ``--jobs``.
    """
    context = click.get_current_context(silent=True)
    if context is None or _JOBS not in context.meta:
        yield None
        return
    jobs = context.meta[_JOBS] or usable_cores()
    if jobs == 1:
        yield None
        return
    # It imports multiprocessing, which a short room does not need.
    from .pool import Checkers, ended_in_order  # noqa: PLC0415

    executor = Checkers(jobs)
    with ended_in_order():
        try:
            yield executor
        finally:
            executor.shutdown(cancel_futures=True)
    if executor.failure:
        tell(printable(f"roomver: {executor.failure}: the other events were checked without it"))
