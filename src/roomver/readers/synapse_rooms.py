"""What Synapse's database says of many rooms at once: their names, and how many events were rejected."""

from typing import Final

from ..types import EventId, JsonObject, RoomId
from .database import Database, object_of, rows_among, text_of

_LONGEST_EVENT: Final = 2**17  # bytes; an event has at most half as many

# Not a join: with wrong statistics it would go through all events.
_REJECTED: Final = (
    "SELECT room_id, count(*) FROM events WHERE event_id IN (SELECT event_id FROM rejections)"
    " GROUP BY room_id"
)
_NAMING: Final = (
    "SELECT room_id, event_id FROM current_state_events"
    " WHERE type IN ('m.room.name', 'm.room.canonical_alias') AND state_key = ''"
)
# Each event type that names a room, with the field that does. A name comes before an alias.
_FIELDS: Final = {"m.room.canonical_alias": "alias", "m.room.name": "name"}


def count_by_room(database: Database, sql: str) -> dict[RoomId, int]:
    """Return the counts that a query gives for rooms."""
    counted = ((text_of(room_id), number) for room_id, number in database.rows(sql))
    return {room_id: number for room_id, number in counted if room_id is not None}


def count_rejected(database: Database) -> dict[RoomId, int]:
    """Return how many events of each room the server rejected; rooms without one are left out.

    Cost: proportional to the rejected events of all rooms.
    """
    return count_by_room(database, _REJECTED)


def find_names(database: Database) -> dict[RoomId, str]:
    """Return the name of each room, or its canonical alias, from its current state. Rooms may have none.

    Cost: one pass over the current states, and one event or two for each room.
    """
    naming: dict[EventId, RoomId] = {}
    for raw_id, raw in database.rows(_NAMING):
        room_id, event_id = text_of(raw_id), text_of(raw)
        if room_id is not None and event_id is not None:
            naming[event_id] = room_id
    found: dict[str, dict[RoomId, str]] = {kind: {} for kind in _FIELDS}
    for raw_id, raw in rows_among(database, "SELECT event_id, json FROM event_json WHERE event_id", naming):
        pdu = _event(raw)
        kind, content = pdu.get("type"), pdu.get("content")
        if type(kind) is str and kind in _FIELDS and type(content) is dict:
            name = content.get(_FIELDS[kind])
            if type(name) is str and name.strip():
                found[kind][naming[text_of(raw_id) or ""]] = name
    return {room_id: name for names in found.values() for room_id, name in names.items()}


def _event(raw: object) -> JsonObject:
    text = text_of(raw)
    return {} if text is None or len(text) > _LONGEST_EVENT else object_of(text)
