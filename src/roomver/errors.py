"""The exceptions of the package. Each reports input that the caller must correct.

Every error is a :class:`RoomverError`. It holds the values that its message names, and equals another
error with the same values. A verdict of the authorisation rules is never an exception.
"""

import json
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final, NamedTuple, NoReturn

__all__ = [
    "BadKey",
    "BadRoomVersion",
    "CyclicGraph",
    "Defect",
    "Lack",
    "MalformedEvent",
    "MissingEvents",
    "NotAGraph",
    "NotAState",
    "NotCanonical",
    "RequestRefused",
    "RoomverError",
    "UnknownRoomVersion",
    "UnknownState",
    "WrongRoom",
]

SHOWN: Final = 10
"""How many event IDs a line of text lists at most."""


def listed(event_ids: Sequence[str]) -> str:
    """Return event IDs as text. A long sequence is cut, and the rest is counted.

    >>> listed(["$a", "$b"])
    '$a, $b'
    """
    more = f" and {len(event_ids) - SHOWN:,} more" if len(event_ids) > SHOWN else ""
    return ", ".join(event_ids[:SHOWN]) + more


def counted(number: int, one: str, more: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "entry", "entries"), counted(1000, "entry", "entries")
    ('1 entry', '1,000 entries')
    """
    return f"{number:,} {one if number == 1 else more}"


def refuse_truth(result: object, instead: str) -> NoReturn:
    """Raise the `TypeError` of a result that must not be used as a condition.

    ``if check_auth(...)`` looks right, but an ordinary object is always true, so a refusal would pass. If
    refusals were false, ``a or b`` would drop them.
    """
    raise TypeError(f"a {type(result).__name__} has no truth value: use {instead}")


class RoomverError(Exception):
    """The base class of every error that this package raises on purpose."""

    def __init__(self, *values: object) -> None:
        # The values are the arguments, so that pickling and copying an error keep them.
        super().__init__(*values)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), repr(self.args)))  # a value may be unhashable JSON


class UnknownRoomVersion(RoomverError):
    """A room version that this package does not know.

    Attributes:
        version: what was passed as the room version.
        known: the identifiers of the known room versions: the stable ones, oldest first, and the unstable
            ones.
    """

    version: object
    known: tuple[str, ...]

    def __init__(self, version: object, known: Iterable[str]) -> None:
        self.version = version
        self.known = tuple(known)
        super().__init__(version, self.known)

    def __str__(self) -> str:
        more = "; a version of your own is passed as its record" if type(self.version) is str else ""
        return self.summary + more

    @property
    def summary(self) -> str:
        """What is wrong, without what to do about it in a program."""
        if type(self.version) is not str:
            return f'a room version must be a string such as "11", not {repr(self.version)[:100]}'
        stable = sum(one == str(number) for number, one in enumerate(self.known, 1))
        listed = self.known if stable < 3 else (f"1 to {stable}", *self.known[stable:])
        return f"unknown room version {self.version[:100]!r}; known versions: {', '.join(listed)}"


class BadRoomVersion(RoomverError, ValueError):
    """A room version that was defined wrongly: no room can have it.

    Attributes:
        version: what was to be its identifier.
        reasons: what is wrong, each beginning with a field if it is about one; never empty.
    """

    version: object
    reasons: tuple[str, ...]

    def __init__(self, version: object, reasons: Iterable[str]) -> None:
        self.version = version
        self.reasons = tuple(reasons)
        super().__init__(version, self.reasons)

    def __str__(self) -> str:
        name = self.version if type(self.version) is str else repr(self.version)
        return f"room version {name[:100]}: {'; '.join(self.reasons)}"


class NotCanonical(RoomverError):
    """A text or value that cannot be encoded as canonical JSON.

    Attributes:
        path: the place, such as ``content.users["@a:x"]``; ``""`` is the whole document.
        reason: what is wrong there.
    """

    path: str
    reason: str

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(path, reason)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class Defect(NamedTuple):
    """One violation of the event format."""

    path: str
    """The place, such as ``sender`` or ``prev_events[3]``; ``""`` is the whole event."""
    expected: str
    """What the event format of the room version requires there."""
    found: str
    """What is there instead, shortened."""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}expected {self.expected}, found {self.found}"


class MalformedEvent(RoomverError):
    """An event that does not match the event format of its room version.

    Attributes:
        defects: the violations found, in the order of the checks; never empty. If one list has many bad
            entries, the first few are here, followed by a defect that counts the others.
        room_version: the identifier of the room version whose format was checked.
    """

    defects: tuple[Defect, ...]
    room_version: str

    def __init__(self, defects: Iterable[Defect], room_version: str) -> None:
        self.defects = tuple(defects)
        self.room_version = room_version
        super().__init__(self.defects, room_version)

    def __str__(self) -> str:
        listed = "; ".join(map(str, self.defects))
        return f"malformed event for room version {self.room_version}: {listed}"


class MissingEvents(RoomverError):
    """Events that an answer needs and that were not passed in. Nothing is decided without them.

    Attributes:
        event_ids: every event known to be missing so far, sorted.
        where: what they are missing from, such as "the graph"; ``""`` means from the events.
    """

    event_ids: tuple[str, ...]
    where: str

    def __init__(self, event_ids: Iterable[str], where: str = "") -> None:
        # str: a caller who passed states of events instead of IDs sees the events listed.
        self.event_ids = tuple(sorted(map(str, set(event_ids))))
        self.where = where
        super().__init__(self.event_ids, where)

    def __str__(self) -> str:
        missing_from = f" from {self.where}" if self.where else ""
        return f"events missing{missing_from}: {listed(self.event_ids)}"


class Lack(Enum):
    """What would decide something that is undecided, or tell an unknown entry of a state."""

    MISSING = "missing events"
    """Events that are not in the input."""
    DROPPED = "dropped events"
    """Valid copies of events that are in the input and were dropped."""
    STATE = "whole state"
    """The whole of a state that the input gives in part."""
    AGREEMENT = "agreement"
    """Which is right: sources contradict each other on a state, or a given state contradicts the events."""
    ORDER = "order of arrival"
    """When a server received an event."""


def gravest(lacks: Iterable[Lack]) -> Lack:
    """Return the one of several lacks that must be mended first; `Lack.STATE` if there are none."""
    found = {*lacks}
    return next(
        (one for one in (Lack.AGREEMENT, Lack.DROPPED, Lack.MISSING, Lack.ORDER) if one in found), Lack.STATE
    )


class UnknownState(RoomverError):
    """An answer needs an entry of a room state that is unknown. Nothing is decided without it.

    Attributes:
        keys: the unknown keys that were read, sorted; empty if the answer needs the state as a whole.
        reason: why they are unknown.
        lack: what would tell them.
    """

    keys: tuple[tuple[str, str], ...]
    reason: str
    lack: Lack

    def __init__(self, keys: Iterable[tuple[str, str]], reason: str, lack: Lack = Lack.STATE) -> None:
        self.keys = tuple(sorted(set(keys)))
        self.reason = reason
        self.lack = lack
        super().__init__(self.keys, reason, lack)

    def __str__(self) -> str:
        if not self.keys:
            return f"the state is known in part: {self.reason}"
        named = listed(
            [f"{kind} {json.dumps(state_key, ensure_ascii=False)}" for kind, state_key in self.keys]
        )
        is_or_are = "is" if len(self.keys) == 1 else "are"
        return f"the state is known in part: {named} {is_or_are} unknown ({self.reason})"


class CyclicGraph(RoomverError):
    """Events that cite each other in a cycle, so they cannot be ordered.

    Attributes:
        event_ids: events on a cycle, and events that depend on one, sorted.
    """

    event_ids: tuple[str, ...]

    def __init__(self, event_ids: Iterable[str]) -> None:
        self.event_ids = tuple(sorted(set(event_ids)))
        super().__init__(self.event_ids)

    def __str__(self) -> str:
        return f"events cite each other in a cycle: {listed(self.event_ids)}"


class WrongRoom(RoomverError):
    """Events of different rooms, or of different room versions, passed in together.

    Attributes:
        detail: which events, and which rooms or room versions.
    """

    detail: str

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)

    def __str__(self) -> str:
        return self.detail


class NotAState(RoomverError):
    """Events passed as a room state that do not form one: two events for a key, or a message.

    Attributes:
        detail: which events, and why they do not form a state.
    """

    detail: str

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)

    def __str__(self) -> str:
        return f"this is not a room state: {self.detail}"


class NotAGraph(RoomverError):
    """Bytes passed as a kept graph that are not one: they are damaged, or of another version of the form.

    Attributes:
        reason: what is wrong with them.
    """

    reason: str

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"these bytes are not a kept graph: {self.reason}; build the graph again from the events"


class RequestRefused(RoomverError):
    """A request that another server refused, or did not answer.

    Attributes:
        server: the other server.
        request: the endpoint, such as ``make_join``.
        reason: the response of the server, cut; empty if it did not answer.
    """

    server: str
    request: str
    reason: str

    def __init__(self, server: str, request: str, reason: str = "") -> None:
        self.server = server
        self.request = request
        self.reason = reason
        super().__init__(server, request, reason)

    def __str__(self) -> str:
        if self.reason:
            return f"{self.server} refused /{self.request}: {self.reason}"
        return f"{self.server} did not answer /{self.request}; try again later, or another server"


class BadKey(RoomverError):
    """A key, or a table of keys, that cannot be used.

    Attributes:
        where: the key, such as ``example.org ed25519:1``.
        reason: what is wrong with it.
    """

    where: str
    reason: str

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(where, reason)

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"
