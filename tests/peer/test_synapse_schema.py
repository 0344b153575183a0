"""The schema versions of Synapse's database, each made by Synapse's own code, with a room in it."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import synapse_db
from command_line import run

from roomver.readers.synapse_schema import NEWEST_SCHEMA, OLDEST_SCHEMA

prepare = pytest.importorskip("synapse.storage.prepare_database")


def make_database(path: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """Make an empty SQLite database as a server whose schema has this version does."""
    from synapse.storage.database import LoggingDatabaseConnection  # noqa: PLC0415 - only if it is installed
    from synapse.storage.engines import create_engine  # noqa: PLC0415

    # The wheel has a whole schema of version 72, and what changed in each version after it.
    monkeypatch.setattr(prepare, "SCHEMA_VERSION", version)
    monkeypatch.setattr(prepare, "SCHEMA_COMPAT_VERSION", min(version, prepare.SCHEMA_COMPAT_VERSION))
    engine = create_engine({"name": "sqlite3", "args": {"database": str(path)}})
    db = sqlite3.connect(path)
    wrapped = LoggingDatabaseConnection(
        conn=db, engine=engine, default_txn_name="prepare", server_name="hs.example"
    )
    prepare.prepare_database(wrapped, engine, None)
    db.commit()
    return db


def fill(db: sqlite3.Connection, rows: sqlite3.Connection) -> None:
    """Copy the rows of the fixture. A column that it lacks is empty."""
    for table, columns in synapse_db.TABLES.items():
        if table.startswith("schema_"):
            continue
        empty: dict[str, Any] = {}
        for _, name, kind, needed, default, _ in db.execute(f"PRAGMA table_info({table})"):
            if needed and default is None and name not in columns:
                empty[name] = 0 if "INT" in kind.upper() or "BOOL" in kind.upper() else ""
        names, marks = [*columns, *empty], ", ".join("?" * (len(columns) + len(empty)))
        db.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",
            [(*row, *empty.values()) for row in synapse_db.rows_of(rows, table)],
        )
    db.commit()


@pytest.mark.parametrize("version", range(OLDEST_SCHEMA, NEWEST_SCHEMA + 1))
def test_each_schema_version_is_read(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = synapse_db.unpacked(tmp_path / "rows.db")
    path = tmp_path / "homeserver.db"
    db = make_database(path, version, monkeypatch)
    assert db.execute("SELECT version FROM schema_version").fetchall() == [(version,)]
    result = run("rooms", str(path))
    assert (result.exit_code, result.stderr) == (1, f"roomver: {path}: it has no rooms\n")
    rows = sqlite3.connect(base)
    fill(db, rows)
    db.close()
    rows.close()
    expected = json.loads(run("rooms", str(base), "--json").stdout)
    assert json.loads(run("rooms", str(path), "--json").stdout) == expected
    room_id = expected[-1]["room_id"]
    found, wanted = (
        json.loads(run("check", str(one), "--room", room_id, "--json").stdout)["files"][0]
        for one in (path, base)
    )
    assert found["source"] == f"Synapse's database (schema {version})"
    assert found["room"] == wanted["room"]
    assert found["summary"] == wanted["summary"]
    assert found["summary"]["kinds"] == {}
