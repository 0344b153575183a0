"""What a Synapse database says about a room as a whole: where the server stands in it, and its redactions."""

from collections.abc import Iterable
from typing import Final

from ..known_states import Redaction, Standing
from ..types import EventId, RoomId
from .database import Database, number_of, rows_among, text_of

# The server is in the room if one of its users is.
_FIRST: Final = ("join", "invite", "knock", "leave")
_NAMES: Final = {"ban": "leave"}


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
