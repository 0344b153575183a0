"""Sources: what people hold of rooms, with one interface.

A source lists its rooms and opens one of them. A database has many rooms. One or several files have one room,
or events of several.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from shlex import quote
from typing import BinaryIO, Final, Protocol

from ..errors import listed
from ..types import EventId, RoomId
from ..versions import RoomVersion
from .entries import InputError
from .listing import rooms_in
from .rooms import Room, read_rooms
from .several import RoomSummary, quoted

_SHOWN_ROOMS: Final = 4
_HASHED_ID: Final = 44  # characters of a room ID without a server name
_LONGEST_ID: Final = 255
_ALIKE: Final = 0.75  # of the characters of two IDs, if one may stand for the other
_SHOWN_NAMES: Final = 3


class NoSuchRoom(InputError):
    """A source that does not have the room that was asked for."""


class SeveralRooms(InputError):
    """A source with several rooms, of which one must be chosen.

    Attributes:
        rooms: those of them that it has events of.
    """

    def __init__(self, name: str, reason: str, rooms: Sequence[RoomSummary]) -> None:
        super().__init__(name, reason)
        self.rooms: Sequence[RoomSummary] = rooms


class RoomSource(Protocol):
    """What people hold of one or several rooms.

    Attributes:
        name: what messages call it.
    """

    name: str

    def list_rooms(self) -> list[RoomSummary]:
        """Return its rooms, those with the most events first.

        Raises:
            InputError: if it cannot be read.
        """

    def open_room(
        self,
        room_id: RoomId | None,
        version: RoomVersion | None,
        said_by: str = "",
        event_id: EventId | None = None,
    ) -> Room:
        """Begin to read a room.

        Args:
            room_id: the room; None if there is only one, or if it is to be found by the event. A database
                also takes a unique prefix of the ID, and the room's name.
            version: the room version, if it is known. A source that names another one is refused.
            said_by: what messages call the source that gave the version; empty if the caller did.
            event_id: an event of the room, by its ID or a prefix of it. Only a database finds a room by it.

        Raises:
            NoSuchRoom: if it does not have the room.
            InputError: if it cannot be read, or if a room must be chosen.
        """


class FileSource:
    """One or several files, of one room or of several."""

    def __init__(self, inputs: Iterable[tuple[BinaryIO, str]]) -> None:
        """Take at least one stream, each with what messages call it."""
        self._inputs = list(inputs)
        self.name: str = self._inputs[0][1]

    def list_rooms(self) -> list[RoomSummary]:
        """Return the rooms of the events, those with the most events first. All events are read."""
        return sorted(rooms_in(self._inputs), key=lambda room: -(room.events or 0))

    def open_room(
        self,
        room_id: RoomId | None,
        version: RoomVersion | None,
        said_by: str = "",
        event_id: EventId | None = None,
    ) -> Room:
        """Begin to read a room. With None, the entries are those of all rooms, whatever the event is."""
        return read_rooms(self._inputs, version, room_id, said_by)


def choose_room(name: str, rooms: list[RoomSummary], wanted: RoomId | None) -> RoomSummary:
    """Return the room that was asked for, or the only one.

    Raises:
        NoSuchRoom: if there is no such room.
        SeveralRooms: if a room must be chosen.
        InputError: if there is no room, or if several are meant.
    """
    call = "`roomver rooms`" if name == "standard input" else f"`roomver rooms {quote(name)}`"
    if wanted is not None:
        found = find_named(rooms, wanted)
        if len(found) == 1:
            return found[0]
        if found:
            named = "have IDs that start with" if wanted.startswith("!") else "are called"
            raise InputError(name, f"{len(found):,} rooms {named} {quoted(wanted)}: {_some(found)}")
        near = _nearest(rooms, wanted)
        what = f"no room {quoted(wanted)}"
        if not wanted.startswith("!"):
            near = _nearest_names(rooms, wanted) or near
            what = f"no room called {quoted(wanted)}, and there is no such file"
        raise NoSuchRoom(name, f"it has {what}{near}; {call} lists its {len(rooms):,} rooms")
    if not rooms:
        raise InputError(name, "it has no rooms")
    if len(rooms) > 1:
        some = f": {_some(rooms)}" if len(rooms) <= _SHOWN_ROOMS else f"; {call} lists them"
        raise SeveralRooms(name, f"it has {len(rooms):,} rooms: choose one with --room '!…'{some}", rooms)
    return rooms[0]


def find_named(rooms: Iterable[RoomSummary], wanted: str) -> list[RoomSummary]:
    """Return the rooms that a text can mean: that with this ID; otherwise those whose IDs start with it, or
    those that are called so.

    A whole ID is not taken for the beginning of another one.
    """
    rooms = list(rooms)
    exactly = [room for room in rooms if room.room_id == wanted]
    if exactly or not wanted.startswith("!"):
        return exactly or [room for room in rooms if room.name == wanted]
    if wanted == "!" or is_whole_id(wanted):
        return []
    return [room for room in rooms if room.room_id.startswith(wanted)]


def is_whole_id(text: str) -> bool:
    """Tell whether a text can be a room ID, and not only the beginning of one."""
    return text.startswith("!") and (":" in text or len(text) >= _HASHED_ID)


def _some(rooms: Sequence[RoomSummary]) -> str:
    return listed([quoted(room.room_id) for room in rooms])


def _nearest(rooms: Iterable[RoomSummary], wanted: RoomId) -> str:
    """Name the room whose ID is most like another one, the server's name and the case aside."""
    if len(wanted) > _LONGEST_ID:
        return ""
    ids = [room.room_id for room in rooms if len(room.room_id) <= _LONGEST_ID]
    by_start = {_start(room_id): room_id for room_id in reversed(ids)}
    near = get_close_matches(_start(wanted), by_start, 1, _ALIKE)
    return f"; the nearest ID is {quoted(by_start[near[0]])}" if near else ""


def _nearest_names(rooms: Iterable[RoomSummary], wanted: str) -> str:
    """Name the rooms whose names have a text in them, the case aside; otherwise the one most like it."""
    if not wanted or len(wanted) > _LONGEST_ID:
        return ""
    names = dict.fromkeys(room.name for room in rooms if room.name and len(room.name) <= _LONGEST_ID)
    with_it = [one for one in names if wanted.casefold() in one.casefold()]
    near = with_it[:_SHOWN_NAMES] or get_close_matches(wanted, names, 1, _ALIKE)
    are = "the nearest name is" if len(near) == 1 else "the nearest names are"
    return f"; {are} {listed([quoted(one) for one in near])}" if near else ""


def _start(room_id: RoomId) -> str:
    return room_id.removeprefix("!").partition(":")[0].lower()
