"""What is handed in where an event is expected: a PDU, the ID it was found under, and its place.

Readers make entries, and the checks take them. Whether an entry holds an event is for the checks to say.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .types import EventId, JsonValue

__all__ = ["Entry", "Part", "Place"]


class Place(NamedTuple):
    """Where in the input an entry is."""

    line: int | None
    """The line, counted from 1, if the entry has one to itself."""
    path: str
    """Otherwise the path in the JSON document, such as ``pdus[3]``."""

    def __str__(self) -> str:
        return f"line {self.line}" if self.line is not None else self.path or "the document"


class Part(Enum):
    """What an entry is in the input."""

    EVENT = "event"
    """An event of the room."""
    STATE = "state"
    """An event of a state that the input gives, as a server's answer to a join does."""
    AUTH_CHAIN = "auth chain"
    """An event of that state's auth chain."""
    JOINED = "joined"
    """The event that the state is the state before: the join that a server hands back, signed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: a PDU, or why it could not be read.

    Attributes:
        place: where it is.
        claimed_id: the event ID that the input gives beside the PDU; None if it gives none.
        pdu: any JSON value; None if there is an error.
        error: why the entry could not be read; None if it could.
        part: what it is in the input.
    """

    place: Place
    claimed_id: EventId | None
    pdu: JsonValue
    error: str | None = None
    part: Part = Part.EVENT
