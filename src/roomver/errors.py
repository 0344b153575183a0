"""The exceptions of the package: each for input that the caller must mend.

An error holds the values it speaks of, compares equal to one with the same values, and is a
:class:`RoomverError`. A verdict of the authorisation rules is never an exception.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

SHOWN: Final = 10
"""The most events that a line of text lists."""


def listed(event_ids: Sequence[str]) -> str:
    """Return event IDs as text, of many the first and how many more there are.

    >>> listed(["$a", "$b"])
    '$a, $b'
    """
    more = f" and {len(event_ids) - SHOWN:,} more" if len(event_ids) > SHOWN else ""
    return ", ".join(event_ids[:SHOWN]) + more


class RoomverError(Exception):
    """The base of every error that this package raises on purpose."""

    def __init__(self, *values: object) -> None:
        # The values are the arguments, so that pickling and copying an error keep them.
        super().__init__(*values)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), repr(self.args)))  # a value may be unhashable JSON


class UnknownRoomVersion(RoomverError):
    """A room version that this package has no rules for."""

    def __init__(self, version: object, known: Iterable[str]) -> None:
        self.version = version
        self.known = tuple(known)
        super().__init__(version, self.known)

    def __str__(self) -> str:
        if type(self.version) is not str:
            return f'a room version is a string, such as "11"; {repr(self.version)[:100]} is none'
        return f"unknown room version {self.version[:100]!r}; known are {', '.join(self.known)}"


class NotCanonical(RoomverError):
    """A text or value that has no canonical JSON form.

    Attributes:
        path: where it is, such as ``content.users["@a:x"]``; ``""`` is the whole document.
        reason: what is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(path, reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class Defect(NamedTuple):
    """One thing that is wrong with an event's format."""

    path: str
    """Where: ``sender``, ``prev_events[3]``; ``""`` is the event as a whole."""
    expected: str
    """What the event format of its room version asks for."""
    found: str
    """What is there, shortened."""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}expected {self.expected}, found {self.found}"


class MalformedEvent(RoomverError):
    """An event that does not have the format of its room version, with every defect found.

    Attributes:
        defects: all that is wrong, in the order of the checks; never empty.
        room_version: the identifier of the room version it was checked against.
    """

    def __init__(self, defects: Iterable[Defect], room_version: str) -> None:
        self.defects = tuple(defects)
        self.room_version = room_version
        super().__init__(self.defects, room_version)

    def __str__(self) -> str:
        listed = "; ".join(map(str, self.defects))
        return f"malformed event for room version {self.room_version}: {listed}"


class MissingEvents(RoomverError):
    """Events that are needed for an answer and are not known: nothing is decided without them.

    Attributes:
        event_ids: all that could already be told to be missing, sorted.
        where: what they are missing from, if it is not the events: such as "the graph".
    """

    def __init__(self, event_ids: Iterable[str], where: str = "") -> None:
        # A caller who has states of events in place of IDs is told so by what is listed.
        self.event_ids = tuple(sorted(map(str, set(event_ids))))
        self.where = where
        super().__init__(self.event_ids, where)

    def __str__(self) -> str:
        missing_from = f" from {self.where}" if self.where else ""
        return f"events missing{missing_from}: {listed(self.event_ids)}"


class CyclicGraph(RoomverError):
    """Events that cite each other in a circle, so that no order of them exists.

    Attributes:
        event_ids: events that lie on a cycle or behind one, sorted.
    """

    def __init__(self, event_ids: Iterable[str]) -> None:
        self.event_ids = tuple(sorted(set(event_ids)))
        super().__init__(self.event_ids)

    def __str__(self) -> str:
        return f"events cite each other in a cycle: {listed(self.event_ids)}"


class WrongRoom(RoomverError):
    """Events of more than one room, or of more than one room version, handed in together."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)

    def __str__(self) -> str:
        return self.detail


class NotAState(RoomverError):
    """Events that are handed in as a room state and are not one: two for a key, or a message."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)

    def __str__(self) -> str:
        return f"this is not a room state: {self.detail}"


class BadKey(RoomverError):
    """A signing key, or a table of them, that cannot be used.

    Attributes:
        where: which key, such as ``example.org ed25519:1``.
        reason: what is wrong with it.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(where, reason)

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"
