"""What to type instead: hints for a call without a command, and for one kind of ID in place of another."""

import re
from collections.abc import Iterable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import Final
from urllib.parse import quote as quote_in_url

from ..readers import InputError, is_database, read_room
from ..readers.addresses import shown
from ..readers.several import QUOTE_IDS
from ..readers.source import FileSource
from ..types import EventId, RoomId
from .common import all_opened, call_name, display_name
from .escaped import call_word

# Less than this may be a prefix, or a name.
_END_OF_ID: Final = re.compile("[A-Za-z0-9+/_-]{8,}")
_ROOMS: Final = 3  # that a message names
_LONG: Final = 1 << 23  # bytes: a longer file is not read only to name its rooms
_SIGNING_KEY: Final = b"ed25519 "
_KINDS: Final = {
    "!": "a room ID",
    "$": "an event ID",
    "#": "a room alias",
    "@": "a user ID",
}


def kind_of_id(text: str) -> str | None:
    """Return what an ID is called, by its first character; None if the text does not look like one."""
    return _KINDS.get(text[:1])


def alias_advice(alias: str) -> str:
    """Say how to find the room ID behind an alias."""
    where = f"/_matrix/client/v3/directory/room/{quote_in_url(alias)}"
    return f"Its room ID is in Synapse's table room_aliases, or in the response to GET {where}"


def wrong_room_id(text: str) -> str:
    """Say what is wrong with a text that was given as a room ID."""
    bare = text.strip(" \t\n'\"`\\")
    told = f"{shown(text)!r} is not a room ID"
    if bare.startswith("!"):
        return f"{told}: give it without the quotes or backslash that are part of it: {_in_quotes(bare)}"
    match kind_of_id(text):
        case "an event ID":
            return f"{told}: it is an event ID. A room ID starts with !; `roomver rooms SOURCE` lists them"
        case "a room alias":
            return f"{told}: it is a room alias. {alias_advice(text)}"
        case _:
            return f"{told}: it starts with !; put it in single quotes, '!…'"


def not_a_room(text: str, source: str) -> str:
    """Say how to name a room, for a text that is neither a file nor a room ID and may be meant as a room.

    Args:
        text: what was given.
        source: a file or a database, whose rooms are named if that takes only a moment.
    """
    told = f"{shown(text)!r} is neither a file nor a room ID, which starts with !"
    listing = f"`roomver rooms {call_name(source)}` lists the rooms"
    if is_database(source):
        return f"{told}. If it is the name of a room: --room {call_word(text)}; {listing}"
    rooms = _rooms_of(source)
    if not rooms:
        return f"{told}; {listing}"
    named = ", ".join(_in_quotes(one) for one in rooms[:_ROOMS])
    more = f" and {len(rooms) - _ROOMS:,} more, which `roomver rooms` lists" if len(rooms) > _ROOMS else ""
    return f"{told}. Rooms of {display_name(source)}: {named}{more}"


def _rooms_of(file: str) -> list[RoomId]:
    """Return the rooms of a file; empty if it cannot be read, or is long."""
    try:
        if Path(file).stat().st_size > _LONG:
            return []
        with all_opened([file]) as inputs:
            return [one.room_id for one in FileSource(inputs).list_rooms()]
    except (InputError, OSError, ValueError):
        return []


def id_hint(text: str) -> str:
    """Return a hint for something that is not an event ID, such as one with quotes in it."""
    bare = text.strip(" \t\n'\"`\\")
    kind = kind_of_id(bare)
    if kind is not None and not bare.startswith("$"):
        return f"{_in_quotes(bare)} is {kind}, where an event ID is needed"
    return f"an event ID starts with $: '${display_name(bare.lstrip('$' + chr(92)))}'"


def cut_id(text: str, event_ids: Iterable[EventId]) -> str | None:
    """Say that a text is the end of an event ID, whose beginning a shell took for a variable.

    None if it is not the end of exactly one of these IDs.
    """
    if not _END_OF_ID.fullmatch(text):
        return None
    found = {event_id for event_id in event_ids if event_id.endswith(text) and event_id != f"${text}"}
    return f"this is the end of {_in_quotes(found.pop())}: {QUOTE_IDS}" if len(found) == 1 else None


def _in_quotes(text: str) -> str:
    named = display_name(text)
    return named if "'" in text else f"'{named}'"


def guide(given: str, commands: list[str]) -> list[str]:
    """Return what to do with something that was given in place of a command.

    Args:
        given: it.
        commands: the names of the commands.

    Returns:
        A sentence, and the calls that it announces.
    """
    if not given:
        return [f"'' is not a command; {QUOTE_IDS}"]
    name = quote(display_name(given))
    if is_database(given):
        listed, checked = f"  roomver rooms {name}", _check(f"{name} --room '!…'")
        return [f"{name} is a database, not a command. List its rooms, then check one:", listed, checked]
    if given.startswith(("http://", "https://")):
        return [f"{name}: roomver does not use the network. Save the answer as a file, then:", _check("FILE")]
    kind = kind_of_id(given)
    if kind == "a room ID":
        return [
            f"{name} is a room ID. Name a database or a file that has the room too:",
            f"  roomver check homeserver.db --room {name}",
        ]
    if kind == "an event ID":
        return [
            f"{name} is an event ID. Name a database or a file that has its room too:",
            f"  roomver explain homeserver.db {name}",
        ]
    if kind == "a room alias":
        return [f"{name} is a room alias. {alias_advice(given)}"]
    if kind == "a user ID":
        return [f"{name} is a user ID. Members are in the state of a room:", _members(name)]
    if given == "-":
        return ["- is standard input, not a command. To check what it holds:", _check("-")]
    try:
        return _guide_to_file(given, name, commands)
    except (OSError, ValueError):
        return [f"{name} is neither a command nor a file that can be read: see `roomver --help`"]


def _guide_to_file(given: str, name: str, commands: list[str]) -> list[str]:
    path = Path(given)
    if path.is_dir():
        return [f"{name} is a directory. Name a file in it:", _check("FILE")]
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(len(_SIGNING_KEY))
        if start.startswith(_SIGNING_KEY):
            return [f"{name} is a signing key, not a room. To check a room with it:", _key_call(name)]
        with path.open("rb") as stream:
            try:
                read_room(stream, given)
            except InputError as error:
                return [f"{name}: {error.reason}"]
        return [
            f"{name} is a file, not a command. To check its events, and to explain one:",
            _check(name),
            f"  roomver explain {name} '$…'",
        ]
    # In Python 3.14, `exists` is False also of what cannot be looked at, such as a name that is too long.
    with suppress(FileNotFoundError, NotADirectoryError, ValueError):
        path.stat()
        return [f"{name} is not a command. To check the events in it:", _check(name)]
    close = get_close_matches(given, commands, 1)
    if close:
        return [f"there is no command {name}; did you mean `roomver {close[0]}`?"]
    return [f"there is no command and no file {name}: see `roomver --help`"]


def _check(what: str) -> str:
    return f"  roomver check {what}"


def _key_call(name: str) -> str:
    return _check(f"homeserver.db --room '!…' --keys SERVER={name}")


def _members(name: str) -> str:
    return f"  roomver state homeserver.db --room '!…' --type m.room.member --key {name}"
