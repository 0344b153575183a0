"""What several commands share: options, input, output."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click
from rich.console import Console

from ..canonical import load_json, shorten
from ..errors import SHOWN, NotCanonical, UnknownRoomVersion
from ..keys import KeyClash, KeyRing
from ..readers import InputError, read_keys
from ..types import JsonObject, JsonValue
from ..unpadded import encode_unpadded
from ..versions import RoomVersion, get_room_version
from .wording import printable

F = TypeVar("F", bound=Callable[..., Any])

_WIDE = 200  # for output that goes to no terminal: tables take what they need, and no line is broken


def room_version_option(text: str, *, required: bool = True) -> Callable[[F], F]:
    """Add ``--room-version``, which hands on the record of the room version."""
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
        help="Servers' keys: a table {server: {key ID: {key, valid_until_ts, expired_ts}}}, or servers' "
        "answers of the key API, whose own signatures are checked. May be given several times.",
    )


def now_option() -> Callable[[F], F]:
    """Add ``--now``."""
    return click.option(
        "--now",
        metavar="MS",
        type=int,
        help="The time, in milliseconds since the epoch. With it a key counts as valid for at most seven "
        "days from then, as for a server that receives the event; without it, up to its valid_until_ts.",
    )


def unsigned_option() -> Callable[[F], F]:
    """Add ``--unsigned``."""
    return click.option(
        "--unsigned",
        is_flag=True,
        help="Do not look at signatures: for made-up events, which have none. A server drops these.",
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


def read_key_files(files: tuple[str, ...], now: int | None = None, *, required: bool = False) -> KeyRing:
    """Read files of verify keys into one key ring, and say what in them is not used, or is contradictory.

    Raises:
        InputError: if a file cannot be read, or has no key that can be used.
    """
    rings = [KeyRing(now=now, required=required)]
    for file in files:
        with opened(file) as stream:
            text = stream.read()
        found = read_keys(text, display_name(file))
        _say(f"{display_name(file)}: not used: {reason}" for reason in found.refused)
        rings.append(found.keys)
    keys = KeyRing.joined(rings)
    _say(map(_clash_line, keys.clashes))
    return keys


def add_room_keys(keys: KeyRing | None, room_keys: KeyRing) -> KeyRing | None:
    """Return the keys that were given together with those of a room's header.

    None, which means that signatures are not to be looked at, stays None.
    """
    if keys is None or not room_keys.keys:
        return keys
    joined = keys | room_keys
    _say(_clash_line(clash) for clash in joined.clashes if clash not in keys.clashes)
    return joined


def _clash_line(clash: KeyClash) -> str:
    keys = ", ".join(f"{encode_unpadded(key.key)} in {' and '.join(key.sources)}" for key in clash.keys)
    return f"{clash.server} has different keys {clash.key_id}, and each is tried: {keys}"


def _say(lines: Iterable[str]) -> None:
    """Write lines to standard error. A long sequence is cut, and the rest is counted."""
    for number, line in enumerate(lines):
        if number == SHOWN:
            click.echo("roomver: and more like this", err=True)
            return
        click.echo(f"roomver: {printable(line)}", err=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the group to end the command: rich would end it with 1, which means findings."""
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
