"""Lines on standard error that belong to a room that is read. A cache keeps them, to say them again."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import click

_listening: Final[list[list[str]]] = []

# Each thread has its own: a worker of a cluster may check several rooms at once.
_hushed: Final[ContextVar[list[str] | None]] = ContextVar("hushed", default=None)


def tell(line: str) -> None:
    """Write a line to standard error, and add it to what is heard."""
    if (kept := _hushed.get()) is not None:
        kept.append(line)
        return
    click.echo(line, err=True)
    for lines in _listening:
        lines.append(line)


@contextmanager
def hearing() -> Iterator[list[str]]:
    """Yield a list to which `tell` adds each line."""
    lines: list[str] = []
    _listening.append(lines)
    try:
        yield lines
    finally:
        _listening.pop()


@contextmanager
def hushed() -> Iterator[list[str]]:
    """Yield a list to which `tell` adds each line, which is then not written."""
    lines: list[str] = []
    token = _hushed.set(lines)
    try:
        yield lines
    finally:
        _hushed.reset(token)
