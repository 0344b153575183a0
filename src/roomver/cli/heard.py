"""Lines on standard error: at once, or as notes after the answer of a command.

A cache keeps the lines about a room, to say them again when the room is read from it.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TextIO

import click

from .fitted import note_lines

_NARROWEST: Final = 20
_USUAL: Final = 80  # columns, if a terminal does not tell
_listening: Final[list[list[str]]] = []
_NOTES: Final = "roomver.notes"  # lines to say after the answer, in the metadata of the context

# Each thread has its own: a worker of a cluster may check several rooms at once.
_hushed: Final[ContextVar[list[str] | None]] = ContextVar("hushed", default=None)
_waiting: Final[ContextVar[list[str] | None]] = ContextVar("waiting", default=None)


class OfAnswer(str):
    """A note about an answer. It is not said if the command fails and gives none."""

    __slots__ = ()


def say(line: str) -> None:
    """Write a line to standard error, broken between words to the width of the terminal.

    Where there is no terminal it stays one line, also if COLUMNS is set: programs read it.
    """
    click.echo(fitted(line), err=True)


def fitted(line: str) -> str:
    """Return a line as `say` writes it."""
    return "\n".join(_fitted(line, sys.stderr))


def print_fitted(line: str) -> None:
    """Write a line to standard output, broken between words as `say` does."""
    for one in _fitted(line, sys.stdout):
        click.echo(one)


def _fitted(line: str, stream: TextIO) -> list[str]:
    width = _width(stream)
    return [line] if width is None else note_lines(line, max(_NARROWEST, width))


def _width(stream: TextIO) -> int | None:
    if not stream.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if re.fullmatch("[0-9]{1,4}", columns) and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL
    except (OSError, ValueError):
        return _USUAL


def tell(line: str) -> None:
    """Write a line to standard error as `say` does, and add it to what is heard."""
    if (kept := _hushed.get()) is not None:
        kept.append(line)
        return
    waiting = _waiting.get()
    if waiting is None:
        say(line)
    else:
        waiting.append(line)
    for lines in _listening:
        lines.append(line)


@contextmanager
def after_answer() -> Iterator[None]:
    """Let `tell` keep its lines for `say_notes`: the answer of the command comes first.

    Without a command that runs, they are said at once.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        yield
        return
    token = _waiting.set(context.meta.setdefault(_NOTES, []))
    try:
        yield
    finally:
        _waiting.reset(token)


def drop_notes(context: click.Context) -> None:
    """Forget the kept lines that are only about an answer: there is none."""
    notes: list[str] = context.meta.get(_NOTES, [])
    notes[:] = [line for line in notes if not isinstance(line, OfAnswer)]


def say_notes(context: click.Context) -> None:
    """Write the lines that were kept until the answer was given."""
    notes: list[str] = context.meta.pop(_NOTES, [])
    if notes:
        sys.stdout.flush()
    for line in notes:
        say(line)


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
