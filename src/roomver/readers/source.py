"""Sources: what people hold of rooms, with one interface.

A source lists its rooms and opens one of them. A database has many rooms. One or several files have one room,
or events of several.
"""

from collections.abc import Iterable
from typing import BinaryIO, Protocol

from ..types import EventId, RoomId
from ..versions import RoomVersion
from .entries import InputError
from .rooms import Room, read_rooms, rooms_in
from .several import RoomSummary, quoted

SHOWN_ROOMS = 10


class NoSuchRoom(InputError):
    """A source that does not have the room that was asked for."""


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
            room_id: the room; None if there is only one, or if it is to be found by the event.
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
        InputError: if a room must be chosen.
    """
    if wanted is not None:
        for room in rooms:
            if room.room_id == wanted:
                return room
        raise NoSuchRoom(
            name, f"it has no room {quoted(wanted)}; `roomver rooms` lists its {len(rooms):,} rooms"
        )
    if not rooms:
        raise InputError(name, "it has no rooms")
    if len(rooms) > 1:
        some = ", ".join(quoted(room.room_id) for room in rooms[:SHOWN_ROOMS])
        more = f" and {len(rooms) - SHOWN_ROOMS:,} more (`roomver rooms`)" if len(rooms) > SHOWN_ROOMS else ""
        reason = f"it has {len(rooms):,} rooms: choose one with --room '!…': {some}{more}"
        raise InputError(name, reason)
    return rooms[0]
