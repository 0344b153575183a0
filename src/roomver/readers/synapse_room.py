"""What a Synapse database says about a room as a whole: where the server stands in it, and its redactions."""

from collections.abc import Iterable
from typing import Final

from ..known_states import Redaction, Standing
from ..types import EventId, RoomId
from .database import Database, can_be_stored, number_of, rows_among, text_of
from .entries import InputError
from .several import quoted

# The server is in the room if one of its users is.
_FIRST: Final = ("join", "invite", "knock", "leave")
_NAMES: Final = {"ban": "leave"}
_MOST: Final = 10_000  # more events that start alike are not told apart


def read_standings(database: Database) -> dict[RoomId, str]:
    """Return the membership of the server in each room; without rooms in which it never had a user."""
    found: dict[RoomId, str] = {}
    if not _tells(database):
        return found
    for raw_room, raw in database.rows("SELECT DISTINCT room_id, membership FROM local_current_membership"):
        room_id, membership = text_of(raw_room), _known(raw)
        if room_id is not None and membership is not None:
            found[room_id] = min(found.get(room_id, membership), membership, key=_FIRST.index)
    return found


def read_standing(database: Database, room_id: RoomId) -> Standing | None:
    """Return where the server stands in a room; None if the database does not tell."""
    if not _tells(database):
        return None
    sql = "SELECT event_id, membership FROM local_current_membership WHERE room_id = ?"
    by_membership: dict[str, list[EventId]] = {}
    for raw_id, raw in database.rows(sql, room_id):
        event_id, membership = text_of(raw_id), _known(raw)
        if event_id is not None and membership is not None:
            by_membership.setdefault(membership, []).append(event_id)
    for membership in _FIRST:
        if membership in by_membership:
            event_id, at = _last(database, by_membership[membership])
            return Standing(membership, event_id, at)
    return None


def _tells(database: Database) -> bool:
    return {"room_id", "event_id", "membership"} <= database.columns("local_current_membership")


def _known(raw: object) -> str | None:
    membership = text_of(raw)
    if membership is None:
        return None
    membership = _NAMES.get(membership, membership)
    return membership if membership in _FIRST else None


def _last(database: Database, event_ids: Iterable[EventId]) -> tuple[EventId | None, int | None]:
    """Return the last of some events as they came, and when it came."""
    time = "received_ts" if "received_ts" in database.columns("events") else "NULL"
    found: list[tuple[int, EventId, int | None]] = []
    sql = f"SELECT stream_ordering, event_id, {time} FROM events WHERE event_id"
    for raw_order, raw_id, raw_time in rows_among(database, sql, event_ids):
        order, event_id = number_of(raw_order), text_of(raw_id)
        if order is not None and event_id is not None:
            found.append((order, event_id, number_of(raw_time)))
    if not found:
        return None, None
    _, event_id, at = max(found, key=lambda one: one[:2])
    return event_id, at


def read_redactions(database: Database, event_ids: Iterable[EventId]) -> dict[EventId, tuple[Redaction, ...]]:
    """Return the redactions among some events that the server has stored, by the event that each names."""
    if not {"event_id", "redacts", "have_censored"} <= database.columns("redactions"):
        return {}
    found: dict[EventId, dict[EventId, Redaction]] = {}
    sql = "SELECT event_id, redacts, have_censored FROM redactions WHERE event_id"
    rows = rows_among(database, sql, event_ids)
    for raw_id, raw_target, cut in rows:
        event_id, target = text_of(raw_id), text_of(raw_target)
        if event_id is not None and target is not None:
            found.setdefault(target, {}).setdefault(event_id, Redaction(event_id, bool(cut)))
    return {target: tuple(by_id[one] for one in sorted(by_id)) for target, by_id in found.items()}


def room_of_event(database: Database, event_id: EventId, wanted: RoomId | None) -> RoomId | None:
    """Return the room of an event.

    Args:
        database: to search.
        event_id: its ID, or a prefix of it.
        wanted: the room that was asked for, if any.

    Returns:
        The room that was asked for, or the one that has the event; None if no room has it.

    Raises:
        InputError: if only other rooms than the one that was asked for have it, or if none was asked for and
            several have it.
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
    return rooms[0] if rooms else None


def _find_rooms(database: Database, event_id: EventId) -> list[RoomId]:
    """Return rooms that have an event, by its ID or a prefix of it, sorted. An index serves both."""
    if not can_be_stored(event_id) or not event_id:
        return []
    exactly = database.rows("SELECT DISTINCT room_id FROM events WHERE event_id = ?", event_id)
    rooms = {room_id for (raw,) in exactly if (room_id := text_of(raw)) is not None}
    if not rooms:
        sql = "SELECT event_id, room_id FROM events WHERE event_id >= ? AND event_id < ? LIMIT ?"
        for raw_id, raw_room in database.rows(sql, event_id, event_id + "\U0010ffff", _MOST):
            found, room_id = text_of(raw_id), text_of(raw_room)
            if found is not None and room_id is not None and found.startswith(event_id):
                rooms.add(room_id)
    return sorted(rooms)
