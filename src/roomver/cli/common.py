"""What several commands share: options, input, output."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click
from rich.console import Console

from ..canonical import load_json, shorten
from ..errors import NotCanonical, UnknownRoomVersion
from ..keys import KeyTable
from ..readers import InputError, merge_keys, read_keys
from ..types import JsonObject, JsonValue
from ..versions import RoomVersion, get_room_version
from .wording import printable

F = TypeVar("F", bound=Callable[..., Any])

_WIDE = 200  # for output that goes to no terminal: tables take what they need, and no line is broken


def room_version_option(text: str, *, required: bool = True) -> Callable[[F], F]:
    """Add ``--room-version``, which passes the record of the room version."""
    return click.option(
        "--room-version", "version", metavar="V", required=required, callback=_known_version, help=text
    )


def _known_version(_: click.Context, __: click.Parameter, identifier: str | None) -> RoomVersion | None:
    try:
        return None if identifier is None else get_room_version(identifier)
    except UnknownRoomVersion as error:
        raise click.BadParameter(str(error)) from None


def keys_option(*, required: bool = False) -> Callable[[F], F]:
    """Add ``--keys``, which may be given several times."""
    return click.option(
        "--keys",
        "key_files",
        metavar="FILE",
        multiple=True,
        required=required,
        help="Signing keys: a table {server: {key ID: {key, valid_until_ts}}}, or responses from the "
        "key API, whose own signatures are checked. May be given several times.",
    )


def now_option() -> Callable[[F], F]:
    """Add ``--now``."""
    return click.option(
        "--now",
        metavar="MS",
        type=int,
        help="Treat this, in milliseconds since the epoch, as the time of receipt: a key is trusted for at "
        "most seven days after it. Without --now, until its valid_until_ts.",
    )


def file_argument() -> Callable[[F], F]:
    """Add an optional FILE, by default standard input."""
    return click.argument("file", metavar="[FILE]", default="-")


def example(text: str) -> str:
    """Return an epilog that shows how a command is called."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in text.splitlines())


def display_name(file: str) -> str:
    """Return how a file is called in messages."""
    return "standard input" if file == "-" else printable(file)


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """Open a file to read bytes from; ``-`` is standard input, and is left open.

    Raises:
        InputError: if it cannot be opened, or cannot be read while it is open.
    """
    try:
        if file == "-":
            yield sys.stdin.buffer
        else:
            with Path(file).open("rb") as stream:
                yield stream
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(display_name(file), error.strerror or str(error)) from None


def read_json(file: str, *, unique_keys: bool = False, integral_floats: bool = False) -> JsonValue:
    """Read a file as one JSON value, which is still to be scanned."""
    with opened(file) as stream:
        text = stream.read()
    if not text.strip():
        raise InputError(display_name(file), "the input is empty")
    try:
        return load_json(text, unique_keys=unique_keys, integral_floats=integral_floats)
    except NotCanonical as error:
        raise InputError(display_name(file), str(error)) from None


def read_event(file: str) -> JsonObject:
    """Read a file as one event: a PDU, or the ``pdu`` of a line of a recorded room."""
    value = read_json(file)
    if type(value) is dict and type(pdu := value.get("pdu")) is dict and "type" not in value:
        value = pdu
    if type(value) is not dict:
        raise InputError(display_name(file), f"expected an event, a JSON object; found {shorten(value)}")
    return value


def read_key_files(files: tuple[str, ...]) -> KeyTable | None:
    """Read files of signing keys into one table; None without a file."""
    tables = []
    for file in files:
        with opened(file) as stream:
            text = stream.read()
        tables.append(read_keys(text, display_name(file)))
    return merge_keys(*tables)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let `_Group` end the command: rich would end it with 1, which means problems found."""
        raise BrokenPipeError


def console(file: Any = None, *, stderr: bool = False) -> Console:
    """Return a console that writes plain, unbroken text where there is no terminal."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return _Console(
        file=file,
        stderr=stderr,
        width=None if terminal else _WIDE,
        force_terminal=terminal,
        highlight=False,
        markup=False,
        emoji=False,
    )


def write_line(data: bytes) -> None:
    """Write bytes and a line end to standard output."""
    click.echo(data + b"\n", nl=False)
