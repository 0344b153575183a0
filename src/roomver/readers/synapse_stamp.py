"""What tells whether a room in a database has changed since it was read.

An SQLite file is told by its size and times, with those of the files that SQLite keeps beside it: whatever
writes to it changes them. A program may set back the time of the last write, but not that of the last change.

PostgreSQL has nothing like that, so the versions of the rows are asked: the transaction that wrote a row, and
where it is. Every change of a row makes another version, also one that leaves its length as it is. The
numbers of two servers have nothing to do with each other, and neither have those before and after a server
was restored. So the start of the server and the number of the database belong to them.

The rows of state groups themselves (``state_groups_state``) are not asked. They may be many times as many as
the events, and Synapse never changes a group that it made. Which groups there are, and from which group each
derives, is asked.
"""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from ..types import RoomId
from .database import Database, Row, rows_among, text_of

_BESIDE: Final = ("", "-wal", "-journal")
_SERVER: Final = (
    "SELECT pg_postmaster_start_time()::text, oid::bigint FROM pg_database WHERE datname = current_database()"
)
# Tables that may be partitioned have rows in several others.
_VERSION: Final = "xmin::text, ctid::text, tableoid::bigint"

_EVENTS: Final = f"SELECT event_id, {_VERSION} FROM events WHERE room_id = ?"
_SENDERS: Final = "SELECT DISTINCT sender FROM events WHERE room_id = ?"
_GROUPS: Final = f"SELECT id, {_VERSION} FROM state_groups WHERE room_id = ?"

# Other tables that a room is read from, and the column that finds its rows. Not every release has each.
_OF_ROOM: Final = {
    "rooms": "room_id",
    "current_state_events": "room_id",
    "event_forward_extremities": "room_id",
    "partial_state_events": "room_id",
    "partial_state_rooms": "room_id",
    "local_current_membership": "room_id",
}
_OF_EVENTS: Final = {
    "event_json": "event_id",
    "event_to_state_groups": "event_id",
    "ex_outlier_stream": "event_id",
    "rejections": "event_id",
    "redactions": "redacts",
}
_OF_SERVERS: Final = {"server_signature_keys": "server_name", "server_keys_json": "server_name"}
_OF_GROUPS: Final = {"state_group_edges": "state_group"}


def stamp_database(database: Database, states: Database | None, room_id: RoomId) -> list[object]:
    """Return what tells whether a room in a database has changed.

    Args:
        database: the one that has the events.
        states: the one that has the state groups; None if that is unknown.
        room_id: the room.

    Cost: in PostgreSQL, a pass over the events and state groups of the room, by indexes, without their JSON.
    """
    stamps: list[object] = [_stamp(database, room_id, _stamp_events)]
    if states is not None:
        stamps.append(_stamp(states, room_id, _stamp_groups))
    return stamps


def _stamp(database: Database, room_id: RoomId, of_rows: Callable[[Database, RoomId], str]) -> object:
    return _stamp_files(database.name) if Path(database.name).is_file() else of_rows(database, room_id)


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


def _stamp_events(database: Database, room_id: RoomId) -> str:
    """Return a digest of the versions of a room's rows, and of the keys of its servers."""
    digest = hashlib.sha256()
    _add(digest, database.rows(_SERVER))
    events = list(database.rows(_EVENTS, room_id))
    _add(digest, events)
    ids = [event_id for raw, *_ in events if (event_id := text_of(raw)) is not None]
    senders = database.rows(_SENDERS, room_id)
    servers = sorted({(text_of(sender) or "").partition(":")[2] for (sender,) in senders})
    for tables, values in ((_OF_ROOM, [room_id]), (_OF_EVENTS, ids), (_OF_SERVERS, servers)):
        for table, column in tables.items():
            _add(digest, _versions(database, table, column, values))
    return digest.hexdigest()


def _stamp_groups(database: Database, room_id: RoomId) -> str:
    """Return a digest of the versions of the rows that say which state groups a room has."""
    digest = hashlib.sha256()
    _add(digest, database.rows(_SERVER))
    groups = list(database.rows(_GROUPS, room_id))
    _add(digest, groups)
    for table, column in _OF_GROUPS.items():
        _add(digest, _versions(database, table, column, [number for number, *_ in groups]))
    return digest.hexdigest()


def _versions(database: Database, table: str, column: str, values: Iterable[object]) -> Iterable[Row]:
    """Return the versions of the rows of a table that have one of some values; none without the table."""
    if column not in database.columns(table):
        return ()
    return rows_among(database, f"SELECT {column}, {_VERSION} FROM {table} WHERE {column}", values)


def _add(digest: "hashlib._Hash", rows: Iterable[Row]) -> None:
    """Add rows to a digest, in an order of their own."""
    for row in sorted(map(repr, rows)):
        digest.update(f"{len(row)}:{row}".encode(errors="surrogatepass"))
    digest.update(b"|")
