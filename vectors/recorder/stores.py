"""Where a recorded Synapse keeps its data: SQLite or PostgreSQL, with the state groups in it or apart."""

import json
import lzma
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
Row = tuple[Any, ...]

# What event_json.internal_metadata says about the device that sent an event.
DEVICE_KEYS = ("device_id", "token_id", "txn_id", "delay_id")
# psql before August 2025 does not know these commands, which guard against dumps of strangers.
_RESTRICT = re.compile(rb"^\\(un)?restrict .*\n", re.MULTILINE)


class Store(Protocol):
    """One database of a Synapse.

    Attributes:
        suffix: how a file with its content ends.
        takes_zero: whether text in it may have the character U+0000.
    """

    suffix: str
    takes_zero: bool

    def settings(self) -> Json:
        """Return what Synapse's settings say of it."""

    def query(self, sql: str, *values: object) -> list[Row]:
        """Return the rows of a query, whose parameters are question marks. The server may be running."""

    def execute(self, sql: str, *values: object) -> None:
        """Change rows. The server may be running."""

    def tables(self) -> list[str]:
        """Return the names of the tables that a server can empty."""

    def empty(self, tables: Collection[str]) -> None:
        """Delete the rows of some tables, and forget the devices. The server is stopped."""

    def pack(self) -> bytes:
        """Return the content of the file that holds it. The server is stopped."""


class Sqlite:
    """An SQLite database."""

    suffix = ".db.xz"
    takes_zero = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def settings(self) -> Json:
        return {"name": "sqlite3", "args": {"database": str(self._path)}}

    def query(self, sql: str, *values: object) -> list[Row]:
        with sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=30) as db:
            rows = db.execute(sql, values).fetchall()
        db.close()
        return rows

    def execute(self, sql: str, *values: object) -> None:
        with sqlite3.connect(self._path, timeout=30) as db:
            db.execute(sql, values)
        db.close()

    def tables(self) -> list[str]:
        found = self.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        searches = ("event_search_", "user_directory_search_", "sqlite_")  # SQLite's own
        return [name for (name,) in found if not name.startswith(searches)]

    def empty(self, tables: Collection[str]) -> None:
        self.execute("PRAGMA journal_mode=DELETE")
        with sqlite3.connect(self._path) as db:
            for table in tables:
                db.execute(f"DELETE FROM {table}")
            _forget_devices(self.tables(), db.execute)
        db.close()

    def pack(self) -> bytes:
        with sqlite3.connect(self._path, isolation_level=None) as db:
            db.execute("VACUUM")
        db.close()
        return lzma.compress(self._path.read_bytes(), preset=9)


class Postgres:
    """A PostgreSQL database, which this makes.

    Args:
        server: the address of a database of the same server, with the host as a parameter.
        name: what it is called.
    """

    suffix = ".sql.xz"
    takes_zero = False

    def __init__(self, server: str, name: str) -> None:
        parts = urlsplit(server)
        self._args = {"user": parts.username, "dbname": name, "host": parse_qs(parts.query)["host"][0]}
        self._address = f"postgresql://{parts.username}@/{name}?{parts.query}"
        with _postgres_connection(server) as connection:
            # Synapse demands both.
            connection.execute(
                f"CREATE DATABASE {name} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            )

    def settings(self) -> Json:
        return {"name": "psycopg2", "args": {**self._args, "cp_min": 1, "cp_max": 5}}

    def query(self, sql: str, *values: object) -> list[Row]:
        with _postgres_connection(self._address) as connection:
            found: list[Row] = connection.execute(sql.replace("?", "%s"), values).fetchall()
            return found

    def execute(self, sql: str, *values: object) -> None:
        with _postgres_connection(self._address) as connection:
            connection.execute(sql.replace("?", "%s"), values)

    def tables(self) -> list[str]:
        return [name for (name,) in self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    def empty(self, tables: Collection[str]) -> None:
        self.execute(f"TRUNCATE {', '.join(tables)}")
        with _postgres_connection(self._address) as connection:

            def execute(sql: str, values: Row = ()) -> Any:
                return connection.execute(sql.replace("?", "%s"), values)

            _forget_devices(self.tables(), execute)

    def pack(self) -> bytes:
        program = postgres_server().find_program("pg_dump")
        command = [program, "--no-owner", "--no-privileges", "--format=plain", self._address]
        dump = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
        return lzma.compress(_RESTRICT.sub(b"", dump), preset=9)


def _forget_devices(tables: Collection[str], execute: Callable[..., Any]) -> None:
    if "event_json" not in tables:
        return
    for event_id, stored in execute("SELECT event_id, internal_metadata FROM event_json").fetchall():
        metadata = {key: value for key, value in json.loads(stored).items() if key not in DEVICE_KEYS}
        execute(
            "UPDATE event_json SET internal_metadata = ? WHERE event_id = ?",
            (json.dumps(metadata, separators=(",", ":")), event_id),
        )


def _postgres_connection(address: str) -> Any:
    import psycopg  # noqa: PLC0415 - only to record with PostgreSQL

    return psycopg.connect(address, autocommit=True)


def postgres_server() -> Any:
    """Return the module of the tests that starts a PostgreSQL server."""
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
    import postgres_server  # noqa: PLC0415

    return postgres_server


def database_settings(stores: list[Store]) -> Json:
    """Return the part of Synapse's settings about its databases: one with everything, or the states apart."""
    if len(stores) == 1:
        return {"database": stores[0].settings()}
    main, state = stores
    return {
        "databases": {
            "main": main.settings() | {"data_stores": ["main"]},
            "state": state.settings() | {"data_stores": ["state"]},
        }
    }


@contextmanager
def made(kind: str, folder: Path) -> Iterator[list[Store]]:
    """Make the databases of one kind: `sqlite`, `postgres`, and each with `-apart` for states apart.

    Args:
        kind: the kind.
        folder: where those in SQLite are.
    """
    names = ["homeserver", "state"] if kind.endswith("-apart") else ["homeserver"]
    if kind.startswith("sqlite"):
        yield [Sqlite(folder / f"{name}.db") for name in names]
        return
    with postgres_server().started() as address:
        yield [Postgres(address, name) for name in names]
