"""What tells whether a room in a database has changed since it was read.

An SQLite file is told by its size and times, with those of the files that SQLite keeps beside it: whatever
writes to it changes them. A program may set back the time of the last write, but not that of the last change.
PostgreSQL has nothing like that, so the rows are asked: those of the events in part, and all that the server
decided about them.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..types import RoomId
from .database import Database, Row, rows_among, text_of

_BESIDE: Final = ("", "-wal", "-journal")
_EVENTS: Final = "SELECT event_id, stream_ordering, outlier, rejection_reason FROM events WHERE room_id = ?"

# Rows of a room that say what the server decided.
_OF_ROOM: Final = (
    "SELECT room_version FROM rooms WHERE room_id = ?",
    "SELECT event_id FROM current_state_events WHERE room_id = ?",
    "SELECT event_id FROM event_forward_extremities WHERE room_id = ?",
    "SELECT event_id FROM partial_state_events WHERE room_id = ?",
    "SELECT join_event_id FROM partial_state_rooms WHERE room_id = ?",
    "SELECT DISTINCT sender FROM events WHERE room_id = ?",
)
# Rows of its events. An event that is censored or pruned has other JSON.
_OF_EVENTS: Final = (
    "SELECT event_id, length(json), length(internal_metadata) FROM event_json WHERE event_id",
    "SELECT event_id, state_group FROM event_to_state_groups WHERE event_id",
    "SELECT event_id, reason FROM rejections WHERE event_id",
    "SELECT redacts, event_id FROM redactions WHERE redacts",
)
_GROUPS: Final = "SELECT count(*), max(id) FROM state_groups WHERE room_id = ?"
_KEYS: Final = (
    "SELECT server_name, key_id, ts_valid_until_ms FROM server_signature_keys WHERE server_name",
    "SELECT server_name, key_id, ts_valid_until_ms FROM server_keys_json WHERE server_name",
)


def stamp_database(database: Database, states: Database | None, room_id: RoomId) -> list[object]:
    """Return what tells whether a room in a database has changed.

    Args:
        database: the one that has the events.
        states: the one that has the state groups; None if that is unknown.
        room_id: the room.
    """
    if Path(database.name).is_file():
        names = {database.name, *([] if states is None else [states.name])}
        return [_stamp_files(name) for name in sorted(names)]
    groups = () if states is None else states.rows(_GROUPS, room_id)
    return [_stamp_rows(database, room_id), *groups]


def _stamp_files(name: str) -> list[tuple[str, int, int, int, int, int]]:
    """Return the size, times, device and number of an SQLite file and of those beside it."""
    found = []
    for suffix in _BESIDE:
        path = Path(f"{name}{suffix}")
        if path.exists():
            state = path.stat()
            times = state.st_mtime_ns, state.st_ctime_ns
            found.append((suffix, state.st_size, *times, state.st_dev, state.st_ino))
    return found


def _stamp_rows(database: Database, room_id: RoomId) -> str:
    """Return a digest of a room's rows.

    Cost: one pass over the events of the room, by indexes, without their JSON.
    """
    digest = hashlib.sha256()
    events = list(database.rows(_EVENTS, room_id))
    _add(digest, events)
    ids = [event_id for raw, *_ in events if (event_id := text_of(raw)) is not None]
    for sql in _OF_ROOM:
        _add(digest, database.rows(sql, room_id))
    for sql in _OF_EVENTS:
        _add(digest, rows_among(database, sql, ids))
    senders = database.rows(_OF_ROOM[-1], room_id)
    servers = sorted({(text_of(sender) or "").partition(":")[2] for (sender,) in senders})
    for sql in _KEYS:
        _add(digest, rows_among(database, sql, servers))
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", rows: Iterable[Row]) -> None:
    """Add rows to a digest, in an order of their own."""
    for row in sorted(map(repr, rows)):
        digest.update(f"{len(row)}:{row}".encode(errors="surrogatepass"))
    digest.update(b"|")
