"""Which room of a Synapse database is meant by the ID of an event, or by an alias."""

from typing import Final

from ..types import EventId, RoomId
from .database import Database, can_be_stored, text_of
from .entries import InputError
from .several import NEVER_CAME, common_start, nearest_text, quoted

__all__ = ["room_of_alias", "room_of_event"]

_MOST: Final = 10_000  # more events that start alike are not told apart


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
        event_id: its ID, or a prefix of it. An event that it lacks, and that others
            follow, has a room.
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
    if number > 1:
        near = _nearest(database, event_id)
        reason = f"none of its {number:,} rooms has the event {quoted(event_id)}: {NEVER_CAME}{near}"
        raise InputError(database.name, reason)
    return None


def _find_rooms(database: Database, event_id: EventId) -> list[RoomId]:
    """Return rooms that have an event, by its ID or a prefix of it, sorted. An index serves both.

    Without such a room, those whose events follow it, although the server lacks it.
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
    return sorted(rooms)


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
