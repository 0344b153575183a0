"""What several commands share: options, input, output."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar, cast

import click
from rich.console import Console

from .. import readers
from ..canonical import load_json
from ..entry import Entry, Place
from ..errors import SHOWN, NotCanonical
from ..hashing import compute_event_id
from ..keys import KeyClash, KeyRing
from ..readers import InputError, read_keys, read_signing_keys
from ..readers.addresses import shown
from ..readers.several import QUOTE_IDS
from ..readers.unreadable import tell_folder
from ..types import JsonObject, JsonValue
from ..unpadded import encode_unpadded
from ..versions import RoomVersion, StateResolution
from .escaped import call_word, json_text, printable
from .heard import after_answer, say, tell

F = TypeVar("F", bound=Callable[..., Any])

WIDE = 200  # the width where there is no terminal: tables take what they need, and no line is broken
_FIRST_MILLISECONDS: Final = 10**12  # in 2001; a time in seconds stays below this for 30,000 years

WIRE_KEYS: Final = ("sender", "content", "depth", "origin_server_ts", "prev_events", "auth_events", "hashes")
"""The keys that every PDU has, besides its type."""


def keys_option(*, required: bool = False) -> Callable[[F], F]:
    """Add ``--keys``, which may be given several times."""
    return click.option(
        "--keys",
        "key_files",
        metavar="FILE",
        multiple=True,
        required=required,
        help="Servers' keys: a table {server: {key ID: {key, valid_until_ts, expired_ts}}}, or responses "
        "from the key API, whose own signatures are checked; or SERVER=FILE with the server's file of signing"
        " keys. May be given several times.",
    )


def also_option() -> Callable[[F], F]:
    """Add ``--also``, which may be given several times."""
    return click.option(
        "--also",
        "more_files",
        metavar="SOURCE",
        multiple=True,
        help="More of the same room: another file or database, such as a server's response. Repeatable.",
    )


def algorithm_option(text: str) -> Callable[[F], F]:
    """Add ``--algorithm``."""
    choices = click.Choice([algorithm.value for algorithm in StateResolution])
    return click.option("--algorithm", type=choices, help=text)


def as_recorded_option() -> Callable[[F], F]:
    """Add ``--as-recorded``."""
    return click.option(
        "--as-recorded",
        is_flag=True,
        help="Accept and reject events as the room's server did, by the header or the database. What is"
        " missing stays missing. `roomver check` reports where the rules differ.",
    )


def now_option() -> Callable[[F], F]:
    """Add ``--now``."""
    return click.option(
        "--now",
        metavar="MS",
        type=int,
        callback=_in_milliseconds,
        help="Treat this, in milliseconds since the epoch, as the time of receipt: a key is trusted for at "
        "most seven days after it. Without --now, a key is trusted until its valid_until_ts.",
    )


def _in_milliseconds(_: click.Context, __: click.Parameter, now: int | None) -> int | None:
    if now is not None and now < _FIRST_MILLISECONDS:
        example = now * 1000 if now * 1000 >= _FIRST_MILLISECONDS else 1_760_000_000_000
        raise click.BadParameter(
            f"{now} would be in or before 2001: give milliseconds since 1970, such as {example}."
        )
    return now


def signature_options() -> Callable[[F], F]:
    """Add ``--keys``, ``--now`` and ``--unsigned``."""
    unsigned = click.option(
        "--unsigned",
        is_flag=True,
        help="Do not check signatures: for made-up events, which have none. A server would drop them.",
    )
    return lambda command: keys_option()(now_option()(unsigned(command)))


UNHASHED: Final = (
    "nothing was verified: event IDs are taken as given, and no hashes and no signatures are checked"
)
"""What the output says with ``--unhashed``."""


def unhashed_option(*, allowed: bool = True) -> Callable[[F], F]:
    """Add ``--unhashed``; where it is not allowed, with a message that says so."""
    if allowed:
        return click.option(
            "--unhashed",
            is_flag=True,
            help="Take events and their IDs as given, and verify nothing: for made-up events without hashes.",
        )
    return click.option(
        "--unhashed", is_flag=True, hidden=True, expose_value=False, callback=_refuse_unhashed
    )


def _refuse_unhashed(_: click.Context, __: click.Parameter, given: bool) -> None:
    if given:
        raise click.UsageError(
            "--unhashed is only for `roomver state` and `roomver resolve`: an event without hashes cannot be"
            " checked"
        )


def check_unhashed(unhashed: bool, key_files: Sequence[str], now: int | None, *, as_recorded: bool) -> None:
    """Check that no other option asks to verify something.

    Raises:
        UsageError: if one does.
    """
    if unhashed and (key_files or now is not None or as_recorded):
        raise click.UsageError("--unhashed verifies nothing, so it excludes --keys, --now and --as-recorded")


def file_argument() -> Callable[[F], F]:
    """Add an optional FILE, by default standard input."""
    return click.argument("file", metavar="[FILE]", default="-")


def example(text: str) -> str:
    """Return an epilog that shows an example call."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in text.splitlines())


def display_name(file: str) -> str:
    """Return what messages call a file, or a database: of its address, what is not secret."""
    return "standard input" if file == "-" else printable(shown(file))


def call_name(file: str) -> str:
    """Return how a printed call names a file, or a database: quoted for a shell. Secrets are left out."""
    name = shown(file)
    return call_word(f"./{name}" if name.startswith("-") and name != "-" else name)


def joint_name(file: str, more_files: Sequence[str]) -> str:
    """Return what messages call several files, of which any may be meant."""
    return " and ".join(map(display_name, dict.fromkeys((file, *more_files))))


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """Open a file to read bytes from; ``-`` is standard input, and is left open.

    Raises:
        InputError: if it cannot be opened, or cannot be read while it is open.
    """
    if not file:
        raise InputError("''", f"this is not the name of a file; {QUOTE_IDS}")
    try:
        if file == "-":
            if sys.stdin is None:  # as Python leaves it if the caller has closed it
                raise InputError(display_name(file), "it is closed")
            yield sys.stdin.buffer
        else:
            with Path(file).open("rb") as stream:
                yield stream
    except BrokenPipeError:
        raise
    except IsADirectoryError as error:
        raise InputError(display_name(file), tell_folder(file) or str(error)) from None
    except OSError as error:
        raise InputError(display_name(file), error.strerror or str(error)) from None


@contextmanager
def all_opened(files: Sequence[str]) -> Iterator[list[tuple[BinaryIO, str]]]:
    """Open several files, each with what messages call it.

    Raises:
        InputError: as `opened`, and if standard input is among them twice.
    """
    if files.count("-") > 1:
        raise InputError(display_name("-"), "it can be read only once")
    with ExitStack() as stack:
        yield [(stack.enter_context(opened(file)), display_name(file)) for file in files]


def read_json(file: str, *, unique_keys: bool = False, integral_floats: bool = False) -> JsonValue:
    """Read a file as one JSON value, which is not yet scanned."""
    with opened(file) as stream:
        text = stream.read()
    if not text.strip():
        raise InputError(display_name(file), "the input is empty")
    try:
        return load_json(text, unique_keys=unique_keys, integral_floats=integral_floats)
    except NotCanonical as error:
        raise InputError(display_name(file), str(error)) from None


def event_title(place: Place, *fields: JsonValue) -> str:
    """Return an event as one line: where it is, and its ID, type and sender, as far as these are known.

    A place that is no more than the event ID in a table of a database is left out.
    """
    words = [str(one) for one in fields if one is not None]
    where = [] if words and words[0] in str(place) else [str(place)]
    return "  ".join(map(printable, (*where, *words)))


@dataclass(frozen=True, slots=True)
class GivenEvent:
    """One event that was read from a file.

    Attributes:
        file: what messages call the file.
        pdu: the event.
        entry: the event with the IDs that the file gives it.
    """

    file: str
    pdu: JsonObject
    entry: Entry

    def compare_ids(self, version: RoomVersion, pdu: JsonObject | None = None) -> bool:
        """Compare the event ID in the file with the computed one, and report the result on standard error.

        Returns:
            True if they agree, or the file gives no event ID.

        Args:
            version: of the event's room.
            pdu: the event after a command changed it, if that changes its ID.
        """
        carried = self.entry.carried_id
        said = {one for one in (self.entry.claimed_id, carried) if one is not None}
        if not said:
            return True
        computed = compute_event_id(self.pdu if pdu is None else pdu, version)
        for one in sorted(said):
            if one != computed:
                told = f"the event ID in it, {one}, is wrong: the event's ID is {computed}"
            elif one == carried:
                told = f"the event_id in it is right; it is not part of the event in room version {version}"
            else:
                continue
            say(printable(f"roomver: {self.file}: {told}"))
        return said == {computed}


def read_event(
    file: str,
    version: RoomVersion | None,
    needs: Sequence[str] = WIRE_KEYS,
    *,
    draft: bool = False,
    room_version: RoomVersion | None = None,
) -> GivenEvent:
    """Read a file as one event, in any of the forms of a room.

    Args:
        file: its name.
        version: of the event's room; None if it is determined later.
        needs: the keys that the event must have.
        draft: also accept an event of the client-server API, and a template.
        room_version: of the event's room, if `version` is None and this is known.

    Raises:
        InputError: if it does not hold one event with these keys.
    """
    name = display_name(file)
    with opened(file) as stream:
        entry = readers.read_event(stream, name, version, draft=draft, room_version=room_version)
    pdu = cast(JsonObject, entry.pdu)
    missing = [key for key in needs if key not in pdu]
    if missing:
        raise InputError(name, f"this is not a PDU: it lacks {', '.join(missing)}")
    return GivenEvent(name, pdu, entry)


def split_key_file(file: str) -> tuple[str, str] | None:
    """Return the server and the file of ``--keys SERVER=FILE``; None if the value names a file alone."""
    server, equals, signing = file.partition("=")
    if equals and server and "/" not in server and shown(file) == file and not Path(file).exists():
        return server, signing
    return None


@after_answer()
def read_key_files(files: tuple[str, ...], now: int | None = None, *, required: bool = False) -> KeyRing:
    """Read files of verify keys into one key ring, and report what is unused or contradictory in them.

    Raises:
        InputError: if a file cannot be read, or has no key that can be used.
    """
    rings = [KeyRing(now=now, required=required)]
    for file in files:
        if (named := split_key_file(file)) is not None:
            server, signing = named
            with opened(signing) as stream:
                rings.append(read_signing_keys(stream.read(), display_name(signing), server))
            continue
        with opened(file) as stream:
            found = read_keys(stream.read(), display_name(file))
        _say(f"{display_name(file)}: not used: {reason}" for reason in found.refused)
        rings.append(found.keys)
    keys = KeyRing.joined(rings)
    _say(map(_clash_line, keys.clashes))
    return keys


def add_room_keys(keys: KeyRing | None, room_keys: KeyRing) -> KeyRing | None:
    """Join the given keys with those in a room's header.

    None, which means that signatures are not checked, stays None.
    """
    if keys is None or not room_keys.keys:
        return keys
    joined = keys | room_keys
    _say(_clash_line(clash) for clash in joined.clashes if clash not in keys.clashes)
    return joined


def _clash_line(clash: KeyClash) -> str:
    keys = ", ".join(f"{encode_unpadded(key.key)} in {' and '.join(key.sources)}" for key in clash.keys)
    return f"{clash.server} has different keys under the ID {clash.key_id}; each is tried: {keys}"


def _say(lines: Iterable[str]) -> None:
    """Write lines to standard error. A long sequence is cut off, and the rest is counted."""
    rest = iter(lines)
    for line in islice(rest, SHOWN):
        tell(f"roomver: {printable(line)}")
    if more := sum(1 for _ in rest):
        tell(f"roomver: and {more:,} more like this")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let `_Group` end the command: rich would end it with 1, which means problems found."""
        raise BrokenPipeError


def _piped_width() -> int:
    """Return the width where there is no terminal: what COLUMNS says, if that is set."""
    columns = os.environ.get("COLUMNS", "")
    return max(1, int(columns)) if re.fullmatch("[0-9]{1,4}", columns) else WIDE


def console(file: Any = None, *, stderr: bool = False) -> Console:
    """Return a console that writes plain text, unbroken where there is neither a terminal nor COLUMNS."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return _Console(
        file=file,
        stderr=stderr,
        width=None if terminal else _piped_width(),
        force_terminal=terminal,
        highlight=False,
        markup=False,
        emoji=False,
    )


def write_line(data: bytes) -> None:
    """Write bytes and a line end to standard output."""
    click.echo(data + b"\n", nl=False)


def write_json(data: bytes) -> None:
    """Write canonical JSON and a line end to standard output.

    Canonical JSON escapes only some of the characters that control a terminal. On a terminal, the others are
    escaped too: what is shown is the same JSON value. Elsewhere the bytes are left as they are.
    """
    write_line(json_text(data.decode()).encode() if sys.stdout.isatty() else data)
