"""Which room of a Synapse database is meant by the ID of an event, or by an alias."""

from typing import Final

from ..types import EventId, RoomId
from .database import Database, can_be_stored, text_of
from .entries import InputError
from .several import NEVER_CAME, QUOTE_IDS, common_start, nearest_text, quoted

__all__ = ["how_named", "room_of_alias", "room_of_event"]

_MOST: Final = 10_000  # more events that start alike are not told apart
_HASHED_ID: Final = 44  # characters of an event ID without a server name

# The tables that name events: the columns that are read, the query, and as what a room names an event. No
# index serves the last one, so it is not looked through to its end.
_NAMING: Final = (
    (
        "event_forward_extremities",
        {"event_id", "room_id"},
        "SELECT DISTINCT room_id, NULL FROM event_forward_extremities WHERE event_id = ?",
        "as a forward extremity",
    ),
    (
        "current_state_events",
        {"event_id", "room_id"},
        "SELECT DISTINCT room_id, NULL FROM current_state_events WHERE event_id = ?",
        "in its current state",
    ),
    (
        "event_edges",
        {"event_id", "prev_event_id"},
        "SELECT e.room_id, min(e.event_id) FROM event_edges x JOIN events e ON e.event_id = x.event_id"
        " WHERE x.prev_event_id = ? GROUP BY e.room_id",
        "as a prev event of",
    ),
    (
        "event_auth",
        {"event_id", "auth_id", "room_id"},
        "SELECT room_id, min(event_id) FROM"
        " (SELECT event_id, auth_id, room_id FROM event_auth LIMIT 2000000) AS looked_at"
        " WHERE auth_id = ? GROUP BY room_id",
        "as an auth event of",
    ),
)


def room_of_alias(database: Database, alias: str) -> RoomId:
    """Return the room of an alias.

    Raises:
        InputError: if the database does not have it.
    """
    if {"room_alias", "room_id"} <= database.columns("room_aliases") and can_be_stored(alias):
        for (raw,) in database.rows("SELECT room_id FROM room_aliases WHERE room_alias = ?", alias):
            if (room_id := text_of(raw)) is not None:
                return room_id
    reason = f"it has no alias {quoted(alias)}: Synapse stores only its own server's; give the room ID"
    raise InputError(database.name, reason)


def room_of_event(database: Database, event_id: EventId, wanted: RoomId | None) -> RoomId | None:
    """Return the room of an event.

    Args:
        database: to search.
        event_id: its ID, or a prefix of it. An event that it lacks, and that it names,
            has a room. A text that does not start with $ is no event's ID.
        wanted: the room that was asked for, if any.

    Returns:
        The room that was asked for, or the one that has the event; None if the only room does not have it.

    Raises:
        InputError: if only other rooms than the one that was asked for have it, or if none was asked for and
            several have it, or none of several.
    """
    rooms = _find_rooms(database, event_id)
    if wanted is not None:
        if rooms and wanted not in rooms:
            named = f"{quoted(event_id)} is in the room {quoted(rooms[0])}, not {quoted(wanted)}"
            raise InputError(database.name, named)
        return wanted
    if len(rooms) > 1:
        reason = f"event IDs of several rooms start with {quoted(event_id)}: give more of it, or --room '!…'"
        raise InputError(database.name, reason)
    if rooms:
        return rooms[0]
    number = sum(1 for _ in database.rows("SELECT room_id FROM rooms"))
    if number > 1 and not event_id.startswith("$"):
        raise InputError(database.name, f"{quoted(event_id)} is not an event ID, and no file: {QUOTE_IDS}")
    if number > 1:
        near = _nearest(database, event_id)
        reason = f"none of its {number:,} rooms has the event {quoted(event_id)}: {NEVER_CAME}{near}"
        raise InputError(database.name, reason)
    return None


def _find_rooms(database: Database, event_id: EventId) -> list[RoomId]:
    """Return rooms that have an event, by its ID or a prefix of it, sorted. An index serves both.

    Without such a room, those that name it, although the database lacks it.
    """
    if not can_be_stored(event_id) or not event_id:
        return []
    exactly = "SELECT DISTINCT room_id FROM events WHERE event_id = ?"
    rooms = _texts(database, exactly, event_id)
    if not rooms:
        sql = "SELECT event_id, room_id FROM events WHERE event_id >= ? AND event_id < ? LIMIT ?"
        for raw_id, raw_room in database.rows(sql, event_id, event_id + "\U0010ffff", _MOST):
            found, room_id = text_of(raw_id), text_of(raw_room)
            if found is not None and room_id is not None and found.startswith(event_id):
                rooms.add(room_id)
    if not rooms and {"event_id", "room_id"} <= database.columns("event_backward_extremities"):
        lacked = "SELECT DISTINCT room_id FROM event_backward_extremities WHERE event_id = ?"
        rooms = _texts(database, lacked, event_id)
    return sorted(rooms or _named_by(database, event_id))


def how_named(database: Database, event_id: EventId, room_id: RoomId) -> list[str]:
    """Return, in words, as what a room names an event of which the database has no row.

    Empty if it has one, or if the room does not name it.
    """
    if can_be_stored(event_id) and _texts(
        database, "SELECT event_id FROM events WHERE event_id = ?", event_id
    ):
        return []
    return _named_by(database, event_id).get(room_id, [])


def _named_by(database: Database, event_id: EventId) -> dict[RoomId, list[str]]:
    """Return which rooms name an event by its whole ID, and as what."""
    found: dict[RoomId, list[str]] = {}
    if not can_be_stored(event_id) or (len(event_id) < _HASHED_ID and ":" not in event_id):
        return found
    for table, columns, sql, how in _NAMING:
        if columns <= database.columns(table):
            for raw_room, raw_id in database.rows(sql, event_id):
                if (room_id := text_of(raw_room)) is not None:
                    by = text_of(raw_id)
                    found.setdefault(room_id, []).append(how if by is None else f"{how} {quoted(by)}")
    return found


def _texts(database: Database, sql: str, value: str) -> set[str]:
    return {text for (raw,) in database.rows(sql, value) if (text := text_of(raw)) is not None}


def _nearest(database: Database, event_id: EventId) -> str:
    """Say which event ID starts most like one that no room has, with its room; empty if none is near.

    It is next to it in the order of an index.
    """
    if not can_be_stored(event_id):
        return ""
    sql = "SELECT event_id, room_id FROM events WHERE event_id {} ? ORDER BY event_id {} LIMIT 1"
    found: dict[EventId, RoomId] = {}
    for order in (("<", "DESC"), (">", "ASC")):
        for raw_id, raw_room in database.rows(sql.format(*order), event_id):
            known, room_id = text_of(raw_id), text_of(raw_room)
            if known is not None and room_id is not None:
                found[known] = room_id
    if not found:
        return ""
    nearest = max(sorted(found), key=lambda known: common_start(known, event_id))
    near = nearest_text(event_id, [nearest])
    return f"{near}, in the room {quoted(found[nearest])}" if near else ""
