"""Lines on standard error that belong to a room that is read. A cache keeps them, to say them again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

_listening: Final[list[list[str]]] = []


def tell(line: str) -> None:
    """Write a line to standard error, and add it to what is heard."""
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
