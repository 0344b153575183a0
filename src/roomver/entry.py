"""One input entry: a PDU, the IDs that the input gives it, and its place.

Readers make entries, and the checks take them. Only the checks decide whether an entry holds an event.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from .types import EventId, JsonValue, RoomId

__all__ = ["NO_SOURCE", "Entry", "GivenIds", "Part", "Place"]

NO_SOURCE: Final = -1
"""The number of the source of an entry that a caller adds to a room."""


class Place(NamedTuple):
    """Where in the input an entry is."""

    line: int | None
    """The line, counted from 1; None in a document that is read as a whole."""
    path: str
    """The path in the JSON document or in the line, such as ``pdus[3]``; ``""`` is the whole of it."""
    file: str | None = None
    """What messages call the file; None if there is only one."""

    def __str__(self) -> str:
        words = [] if self.file is None else [self.file]
        if self.line is not None:
            words.append(f"line {self.line}")
        if self.path or not words:
            words.append(self.path or "the document")
        return ", ".join(words)


class Part(Enum):
    """What an entry is in the input."""

    EVENT = "event"
    """An event of the room."""
    STATE = "state"
    """An event of a state that the input gives, as a server's response to a join does."""
    STATE_WITHOUT_MEMBERS = "state without members"
    """The same, where the input says that the state has members that it does not give."""
    PART_OF_STATE = "part of state"
    """The same, where the input gives only a part of the state, such as the stripped state of an invite."""
    AUTH_CHAIN = "auth chain"
    """An event of that state's auth chain."""
    JOINED = "joined"
    """The join event that the server returns, signed. The input's state is the state before it."""
    INVITED = "invited"
    """The event that a request to invite or knock is about. The input's state is the state before it, but no
    server has accepted the event for the recipient."""


class Entry(NamedTuple):
    """One entry: a PDU, or why it could not be read."""

    place: Place
    """Where it is."""
    claimed_id: EventId | None
    """The event ID that the input gives beside the PDU, or else `carried_id`; None if there is neither."""
    pdu: JsonValue
    """Any JSON value, without the keys that `carried_id` and `claimed_room_id` come from; None if there is an
    error."""
    error: str | None = None
    """Why the entry could not be read; None if it could."""
    part: Part = Part.EVENT
    """What it is in the input."""
    document: int = 0
    """The number of its document in the input. A state is given by one document."""
    carried_id: EventId | None = None
    """The event ID inside the PDU although its room version has no such key."""
    claimed_room_id: RoomId | None = None
    """The ``room_id`` inside a create event whose room version has no such key."""
    source: int = 0
    """The number of its source, counted from 0; `NO_SOURCE` if it is from none."""
    is_row: bool = False
    """Whether it is a row of a server's database."""


class GivenIds(NamedTuple):
    """A state that the input gives as event IDs, as a response to ``/state_ids`` does."""

    state: Sequence[EventId]
    """The events of the state."""
    auth_chain: Sequence[EventId] = ()
    """The events of its auth chain."""
