"""Inputs with events of several rooms: which rooms they are, and the events of one of them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, takewhile
from typing import Final, NamedTuple

from ..canonical import shorten
from ..entry import Entry, Part
from ..errors import SHOWN, RoomverError, listed
from ..hashing import compute_event_id
from ..types import EventId, JsonObject, RoomId
from ..versions import RoomIdForm, RoomVersion
from .entries import InputError, created_version, find_version, is_create

_LONGEST_ID: Final = 255

# An entry of a state is kept even if it is of another room: without it the state would look whole.
_KEPT = frozenset({Part.STATE, Part.STATE_WITHOUT_MEMBERS, Part.PART_OF_STATE})


class RoomSummary(NamedTuple):
    """One room of a source. What the source does not tell is None."""

    room_id: RoomId
    version: str | None
    """The identifier of its room version. It may be one that is not known here."""
    events: int | None
    joined: int | None = None
    """The joined members now; None also if the server is not in the room or has joined it in part."""
    extremities: int | None = None
    """The forward extremities; None also if the server has none: it has no events of the room's graph."""
    partial: bool | None = None
    """Whether the server has joined it with partial state and does not have the full state yet."""
    membership: str | None = None
    """Where the server stands in the room, as in `roomver.known_states.Standing`."""
    name: str | None = None
    """Its name, or its canonical alias, in the current state; None also if it has neither."""
    rejected: int | None = None
    """The events that the server rejected."""


def quoted(room_id: RoomId) -> str:
    """Return a room ID as a message shows it: so that it can be pasted into a shell, if it is a usual one."""
    usual = len(room_id) <= _LONGEST_ID and room_id.isprintable() and "'" not in room_id
    return f"'{room_id}'" if usual else shorten(room_id)


NEVER_CAME: Final = "the server never received it, or purged it, or the ID is mistyped"
"""What it can mean that a server does not have an event."""

QUOTE_IDS: Final = "put an event ID in single quotes, '$…', since without them the shell replaces $"
"""What to do where a shell has changed an event ID."""

_NEAR: Final = 6  # characters that two IDs share at their start or end, if one may stand for the other


def common_start(one: str, other: str) -> int:
    """Return how many characters two texts share at their start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def nearest_text(event_id: EventId, known: Iterable[EventId]) -> str:
    """Name the known event ID that shares the longest start or end with another; empty if none is near."""
    most, nearest = _NEAR - 1, ""
    for one in known:
        share = max(common_start(one, event_id), common_start(one[::-1], event_id[::-1]))
        if share > most:
            most, nearest = share, one
    return f"; the nearest ID is {quoted(nearest)}" if nearest else ""


def other_room(found: RoomId, wanted: RoomId) -> str:
    """Say that a source has another room than the one that was asked for."""
    return f"its room is {quoted(found)}, not {quoted(wanted)}"


def no_such_room(wanted: RoomId, found: Sequence[RoomId]) -> str:
    """Say that an input has only events of other rooms than the one that was asked for."""
    if len(found) == 1:
        return other_room(found[0], wanted)
    rooms = f"; it has events of {listed([*map(quoted, found)])}" if found else ""
    return f"it has no event of the room {quoted(wanted)}{rooms}"


def list_rooms(entries: Iterable[Entry]) -> list[RoomSummary]:
    """Return the rooms of entries, in the order in which they first occur.

    Entries that name no room are not counted.
    """
    counts: dict[RoomId, int] = {}
    versions: dict[RoomId, str] = {}
    for entry in entries:
        room_id = room_id_of(entry)
        if room_id is None:
            continue
        counts[room_id] = counts.get(room_id, 0) + 1
        if type(entry.pdu) is dict and is_create(entry.pdu) and (named := _named_version(entry.pdu)):
            versions.setdefault(room_id, named)
    return [RoomSummary(room_id, versions.get(room_id), number) for room_id, number in counts.items()]


def _named_version(create: JsonObject) -> str | None:
    content = create.get("content")
    named = content.get("room_version", "1") if type(content) is dict else None
    return named if type(named) is str else None


def room_id_of(entry: Entry, given: RoomVersion | None = None) -> RoomId | None:
    """Return the room that an entry belongs to; None if it does not tell.

    From version 12 on, a create event does not name its room: its hash does.

    Args:
        entry: of any room.
        given: a room version that a create event may name, even if it is not a known one.
    """
    if entry.claimed_room_id is not None:
        return entry.claimed_room_id
    pdu = entry.pdu
    if type(pdu) is not dict:
        return None
    if "room_id" in pdu:
        named = pdu["room_id"]
        return named if type(named) is str else None
    if not is_create(pdu):
        return None
    try:
        version = created_version(pdu, given)
        if version is None or version.room_id_form is not RoomIdForm.CREATE_HASH:
            return None
        bare = {key: held for key, held in pdu.items() if key != "event_id"}
        return "!" + compute_event_id(bare, version)[1:]
    except RoomverError:
        return None


def peek_room(entries: Iterator[Entry], version: RoomVersion) -> tuple[RoomId | None, Iterator[Entry]]:
    """Return the room of the first entry that tells its room, and all the entries."""
    ahead = []
    for entry in entries:
        ahead.append(entry)
        if (room_id := room_id_of(entry, version)) is not None:
            return room_id, chain(ahead, entries)
    return None, iter(ahead)


def search_version(entries: Iterable[Entry], room_id: RoomId | None, name: str) -> RoomVersion | None:
    """Return the room version that the first create event among entries names; None without one.

    Args:
        entries: read without a room version.
        room_id: the room of the create event; None for any room.
        name: what messages call the input.

    Raises:
        InputError: if it names an unknown one.
    """
    return find_version(
        (entry.pdu for entry in entries if room_id is None or room_id_of(entry) == room_id), name
    )


def entries_of_room(
    entries: Iterable[Entry],
    room_id: RoomId,
    name: str | None,
    version: RoomVersion,
    *,
    several: bool = False,
) -> Iterator[Entry]:
    """Yield the entries of one room, and those that do not tell their room.

    An unreadable entry may be of this room. An entry of a state is kept whatever its room is, so that the
    state is not taken to be whole without it.

    Args:
        entries: of any rooms.
        room_id: the room.
        name: what messages call the input; None if it may have no entry of the room.
        version: the room version of that room.
        several: keep all entries. `roomver.other_rooms` leaves out and tells those of other rooms.

    Raises:
        InputError: at the end, if no entry is of the room.
    """
    found = False
    others: dict[RoomId, None] = {}
    for entry in entries:
        of = room_id_of(entry, version)
        found = found or of == room_id
        if of in (None, room_id) or entry.part in _KEPT or several:
            yield entry
        if of not in (None, room_id) and len(others) <= SHOWN:
            others[of] = None
    if not found and name is not None:
        raise InputError(name, no_such_room(room_id, [*others]))
