"""Databases like Synapse's: rows of a real one in tables with the same columns, and ways to change them.

``data/synapse.db.gz`` holds rooms that Synapse 1.163.2 recorded (vectors/recorder), with the rows of the
tables that are read, in tables made here. To make it anew from a server's database:
``python -m tests.synapse_db homeserver.db ROOM_ID...``.
"""

import gzip
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Change = Callable[[sqlite3.Connection], object]

FIXTURE = Path(__file__).parent / "data" / "synapse.db.gz"

# Table to columns, each with its type in SQLite and in PostgreSQL.
TEXT, NUMBER, FLAG, BYTES = ("TEXT", "text"), ("BIGINT", "bigint"), ("BOOL", "boolean"), ("BLOB", "bytea")
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "schema_version": {"version": NUMBER},
    "schema_compat_version": {"compat_version": NUMBER},
    "rooms": {"room_id": TEXT, "room_version": TEXT},
    "events": {
        "stream_ordering": NUMBER,
        "topological_ordering": NUMBER,
        "event_id": TEXT,
        "type": TEXT,
        "room_id": TEXT,
        "outlier": FLAG,
        "depth": NUMBER,
        "sender": TEXT,
        "state_key": TEXT,
        "rejection_reason": TEXT,
    },
    "event_json": {"event_id": TEXT, "room_id": TEXT, "internal_metadata": TEXT, "json": TEXT},
    "rejections": {"event_id": TEXT, "reason": TEXT},
    "current_state_events": {
        "event_id": TEXT,
        "room_id": TEXT,
        "type": TEXT,
        "state_key": TEXT,
        "membership": TEXT,
    },
    "event_forward_extremities": {"event_id": TEXT, "room_id": TEXT},
    "event_to_state_groups": {"event_id": TEXT, "state_group": NUMBER},
    "ex_outlier_stream": {"event_stream_ordering": NUMBER, "event_id": TEXT, "state_group": NUMBER},
    "state_groups": {"id": NUMBER, "room_id": TEXT, "event_id": TEXT},
    "state_group_edges": {"state_group": NUMBER, "prev_state_group": NUMBER},
    "state_groups_state": {
        "state_group": NUMBER,
        "room_id": TEXT,
        "type": TEXT,
        "state_key": TEXT,
        "event_id": TEXT,
    },
    "partial_state_rooms": {"room_id": TEXT, "join_event_id": TEXT},
    "partial_state_events": {"room_id": TEXT, "event_id": TEXT},
    "server_signature_keys": {
        "server_name": TEXT,
        "key_id": TEXT,
        "verify_key": BYTES,
        "ts_valid_until_ms": NUMBER,
    },
    "redactions": {"event_id": TEXT, "redacts": TEXT, "have_censored": FLAG},
    "local_current_membership": {"room_id": TEXT, "user_id": TEXT, "event_id": TEXT, "membership": TEXT},
    "server_keys_json": {"server_name": TEXT, "key_id": TEXT, "key_json": BYTES},
}
INDEXES = (
    ("events", "room_id, stream_ordering"),
    ("events", "event_id"),
    ("event_json", "event_id"),
    ("rejections", "event_id"),
    ("event_to_state_groups", "event_id"),
    ("state_groups", "id"),
    ("state_group_edges", "state_group"),
    ("state_groups_state", "state_group"),
    ("current_state_events", "room_id"),
)
# Tables whose rows belong to a room by way of their events or groups.
OF_EVENTS = ("rejections", "event_to_state_groups", "ex_outlier_stream")


def make_tables(kind: int = 0) -> Iterable[str]:
    """Yield the statements that make the tables: in SQLite (0) or PostgreSQL (1)."""
    for table, columns in TABLES.items():
        listed = ", ".join(f"{name} {types[kind]}" for name, types in columns.items())
        yield f"CREATE TABLE {table} ({listed})"
    for number, (table, columns_text) in enumerate(INDEXES):
        yield f"CREATE INDEX index_{number} ON {table} ({columns_text})"


def rows_of(db: sqlite3.Connection, table: str, where: str = "", *values: Any) -> list[tuple[Any, ...]]:
    return db.execute(f"SELECT {', '.join(TABLES[table])} FROM {table} {where}", values).fetchall()


def insert(db: sqlite3.Connection, table: str, *rows: Iterable[Any]) -> None:
    marks = ", ".join("?" * len(TABLES[table]))
    db.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(row) for row in rows])


def unpacked(path: Path) -> Path:
    """Write the database at a path, and return the path. Tables that it does not have are empty."""
    with gzip.open(FIXTURE, "rb") as packed, path.open("wb") as out:
        shutil.copyfileobj(packed, out)
    db = sqlite3.connect(path)
    there = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    for statement in make_tables():
        if statement.split()[2] not in there:
            db.execute(statement)
    db.commit()
    db.close()
    return path


def changed_in(base: Path, folder: Path) -> Callable[[Change], str]:
    """Return a function that changes a copy of a database and returns its path."""

    def change(how: Change) -> str:
        path = folder / "changed.db"
        shutil.copyfile(base, path)
        db = sqlite3.connect(path)
        how(db)
        db.commit()
        db.close()
        return str(path)

    return change


def copy_rooms(source: Path, target: Path, room_ids: list[str]) -> None:
    """Copy the rows of some rooms out of a server's database."""
    target.unlink(missing_ok=True)
    old = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    new = sqlite3.connect(target)
    for statement in make_tables():
        new.execute(statement)
    marks = ", ".join("?" * len(room_ids))
    for table, columns in TABLES.items():
        where, values = "", list[Any]()
        if table in OF_EVENTS:
            where = f"WHERE event_id IN (SELECT event_id FROM events WHERE room_id IN ({marks}))"
        elif table == "state_group_edges":
            where = f"WHERE state_group IN (SELECT id FROM state_groups WHERE room_id IN ({marks}))"
        elif "room_id" in columns:
            where = f"WHERE room_id IN ({marks})"
        if where:
            values = [*room_ids]
        insert(new, table, *rows_of(old, table, where, *values))
    new.commit()
    new.execute("VACUUM")
    new.close()
    old.close()


def state_of(db: sqlite3.Connection, group: int | None) -> dict[tuple[str, str], str]:
    """Return the state of a group."""
    way = []
    while group is not None:
        way.append(group)
        sql = "SELECT prev_state_group FROM state_group_edges WHERE state_group = ?"
        group = next((prev for (prev,) in db.execute(sql, (group,))), None)
    state: dict[tuple[str, str], str] = {}
    for one in reversed(way):
        sql = "SELECT type, state_key, event_id FROM state_groups_state WHERE state_group = ?"
        state.update({(kind, key): event_id for kind, key, event_id in db.execute(sql, (one,))})
    return state


def join_late(db: sqlite3.Connection, room_id: str, first: str, *, own_groups: bool = True) -> list[str]:
    """Make a server have joined a room at an event, as Synapse stores that.

    What came before the event is gone, but for the states before the events after gaps, and for auth chains:
    these become outliers.

    Args:
        db: a database whose state groups are as Synapse made them.
        room_id: the room.
        first: the event.
        own_groups: whether the states before these events are groups that were made for them.

    Returns:
        The events after gaps.
    """
    sql = (
        "SELECT e.event_id, e.stream_ordering, j.json, e.state_key, e.rejection_reason, g.state_group"
        " FROM events e JOIN event_json j USING (event_id) JOIN event_to_state_groups g USING (event_id)"
        " WHERE e.room_id = ? ORDER BY e.stream_ordering"
    )
    found = {row[0]: row[1:] for row in db.execute(sql, (room_id,))}
    here = [event_id for event_id, row in found.items() if row[0] >= found[first][0]]

    def cited(event_id: str, name: str) -> list[str]:
        ids = (one[0] if isinstance(one, list) else one for one in json.loads(found[event_id][1])[name])
        return [one for one in ids if one in found]

    gaps = [e for e in here if any(prev not in here for prev in cited(e, "prev_events"))]
    kept: set[str] = set()
    todo: list[str] = [one for event_id in here for one in cited(event_id, "auth_events")]
    ((free,),) = db.execute("SELECT max(id) FROM state_groups")
    for event_id in gaps:
        _, text, state_key, rejected, group = found[event_id]
        is_after = state_key is not None and rejected is None
        before = group
        if is_after:
            sql = "SELECT prev_state_group FROM state_group_edges WHERE state_group = ?"
            before = next((prev for (prev,) in db.execute(sql, (group,))), None)
        state = state_of(db, before)
        todo += state.values()
        if not own_groups:
            continue
        free += 2
        insert(db, "state_groups", (free, room_id, event_id))
        rows = [(free, room_id, *key, one) for key, one in state.items()]
        insert(db, "state_groups_state", *rows)
        if is_after:
            insert(db, "state_groups", (free + 1, room_id, event_id))
            insert(db, "state_group_edges", (free + 1, free))
            key = (json.loads(text)["type"], state_key)
            insert(db, "state_groups_state", (free + 1, room_id, *key, event_id))
        values = (free + is_after, event_id)
        db.execute("UPDATE event_to_state_groups SET state_group = ? WHERE event_id = ?", values)
    while todo:
        one = todo.pop()
        if one not in here and one not in kept:
            kept.add(one)
            todo += cited(one, "auth_events")
    for event_id in found.keys() - here:
        db.execute("DELETE FROM event_to_state_groups WHERE event_id = ?", (event_id,))
        if event_id in kept:
            db.execute("UPDATE events SET outlier = 1 WHERE event_id = ?", (event_id,))
            continue
        for table in ("events", "event_json", "rejections"):
            db.execute(f"DELETE FROM {table} WHERE event_id = ?", (event_id,))
    return gaps


def fetch_history(db: sqlite3.Connection, room_id: str, base: Path, event_ids: Iterable[str]) -> None:
    """Make a server have fetched some events of a room's history after it joined.

    Args:
        db: a database that no longer has the events, unless as outliers.
        room_id: the room.
        base: the database as it was before.
        event_ids: the events.
    """
    ids = [*event_ids]
    marks = ", ".join("?" * len(ids))
    old = sqlite3.connect(f"file:{base}?mode=ro", uri=True)
    for table in ("events", "event_json", "rejections", "event_to_state_groups"):
        where = f"WHERE event_id IN ({marks})"
        db.execute(f"DELETE FROM {table} {where}", ids)
        insert(db, table, *rows_of(old, table, where, *ids))
    old.close()
    # The last one is fetched first.
    db.execute(
        f"UPDATE events SET stream_ordering = stream_ordering - 1000000 WHERE event_id IN ({marks})", ids
    )


def become_outliers_first(db: sqlite3.Connection, event_ids: Iterable[str]) -> None:
    """Make a server have kept some events as outliers before they became events of the room's graph.

    An outlier is fetched, so its place is below zero. Synapse does not change it later.
    """
    for number, event_id in enumerate(event_ids, 1):
        sql = (
            "SELECT stream_ordering, state_group FROM events LEFT JOIN event_to_state_groups USING (event_id)"
        )
        ((place, group),) = db.execute(f"{sql} WHERE event_id = ?", (event_id,))
        insert(db, "ex_outlier_stream", (place, event_id, group))
        db.execute("UPDATE events SET stream_ordering = ? WHERE event_id = ?", (-5000000 - number, event_id))


def main(arguments: list[str]) -> None:
    source, *room_ids = arguments
    plain = FIXTURE.with_suffix("")
    copy_rooms(Path(source), plain, room_ids)
    FIXTURE.write_bytes(gzip.compress(plain.read_bytes(), 9, mtime=0))
    plain.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
