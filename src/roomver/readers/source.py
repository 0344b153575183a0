"""Sources: what people hold of rooms, with one interface.

A source lists its rooms and opens one of them. A file, or several files of one room, is a source with one
room; a database has many.
"""

from collections import Counter
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple, Protocol

from ..canonical import shorten
from ..errors import RoomverError
from ..hashing import compute_event_id
from ..types import JsonValue, RoomId
from ..versions import RoomIdForm, RoomVersion
from .entries import InputError
from .rooms import Room, read_rooms

SHOWN_ROOMS = 10


class RoomSummary(NamedTuple):
    """One room of a source. A count that the source does not tell is None."""

    room_id: RoomId
    version: str | None
    """The identifier of its room version. It may be one that is not known here."""
    events: int | None
    joined: int | None
    """The joined members, as the server has them."""
    extremities: int | None
    """The forward extremities."""
    partial: bool | None
    """Whether the server has joined it with partial state and does not have the full state yet."""


class RoomSource(Protocol):
    """What people hold of one or several rooms.

    Attributes:
        name: what messages call it.
        is_database: whether a server's database is the source.
    """

    name: str
    is_database: bool

    def list_rooms(self) -> list[RoomSummary]:
        """Return its rooms, those with the most events first.

        Raises:
            InputError: if it cannot be read.
        """

    def open_room(self, room_id: RoomId | None, version: RoomVersion | None) -> Room:
        """Begin to read a room.

        Args:
            room_id: the room; None if there is only one.
            version: the room version, if the source does not give it.

        Raises:
            InputError: if it cannot be read, if there is no such room, or if a room must be chosen.
        """


class FileSource:
    """One or several files of one room."""

    is_database = False

    def __init__(self, inputs: Iterable[tuple[BinaryIO, str]]) -> None:
        """Take at least one stream, each with what messages call it."""
        self._inputs = list(inputs)
        self.name: str = self._inputs[0][1]

    def list_rooms(self) -> list[RoomSummary]:
        """Return the rooms of the events. All of them are read."""
        room = read_rooms(self._inputs)
        counts = Counter(room_id for entry in room.entries if (room_id := _room_id(entry.pdu, room.version)))
        header = room.header
        ends = None
        if header is not None and type(listed := header.fields.get("forward_extremities")) is list:
            ends = len(listed)
        return [
            RoomSummary(room_id, room.version.identifier, number, None, ends, None)
            for room_id, number in counts.most_common()
        ]

    def open_room(self, room_id: RoomId | None, version: RoomVersion | None) -> Room:
        """Begin to read the room. Whether it is the one that was asked for shows when it has been read."""
        room = read_rooms(self._inputs, version)
        said = None if room.header is None else room.header.room_id
        if room_id is not None and said is not None and said != room_id:
            raise InputError(self.name, other_room(said, room_id))
        return room


def other_room(found: RoomId, wanted: RoomId) -> str:
    """Say that a source has another room than the one that was asked for."""
    return f"its room is {shorten(found)}, not {shorten(wanted)}"


def choose_room(name: str, rooms: list[RoomSummary], wanted: RoomId | None) -> RoomSummary:
    """Return the room that was asked for, or the only one.

    Raises:
        InputError: if there is no such room, or a room must be chosen.
    """
    if wanted is not None:
        for room in rooms:
            if room.room_id == wanted:
                return room
        raise InputError(
            name, f"it has no room {shorten(wanted)}; `roomver rooms` lists its {len(rooms):,} rooms"
        )
    if not rooms:
        raise InputError(name, "it has no rooms")
    if len(rooms) > 1:
        some = ", ".join(shorten(room.room_id) for room in rooms[:SHOWN_ROOMS])
        more = f" and {len(rooms) - SHOWN_ROOMS:,} more (`roomver rooms`)" if len(rooms) > SHOWN_ROOMS else ""
        reason = f"it has {len(rooms):,} rooms: choose one with --room '!…': {some}{more}"
        raise InputError(name, reason)
    return rooms[0]


def _room_id(pdu: JsonValue, version: RoomVersion) -> RoomId | None:
    if type(pdu) is not dict:
        return None
    if type(room_id := pdu.get("room_id")) is str:
        return room_id
    if version.room_id_form is not RoomIdForm.CREATE_HASH:
        return None
    try:
        return "!" + compute_event_id(pdu, version).removeprefix("$")
    except RoomverError:
        return None
