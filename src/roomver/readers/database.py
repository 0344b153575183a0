"""Connections to databases that only read: SQLite by Python's own module, PostgreSQL by psycopg 3.

Nothing is ever written. An SQLite database that another program writes at the same time is read as of one
moment, and so is PostgreSQL. What a row holds may have any type: `text_of` and `number_of` read it. Checked
with SQLite 3.40.1 and PostgreSQL 15.18.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import count, islice
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import quote, unquote

from ..canonical import load_json
from ..errors import RoomverError
from ..types import JsonObject
from .entries import InputError

Row: TypeAlias = tuple[Any, ...]

SQLITE_MAGIC: Final = b"SQLite format 3\0"
_SCHEMES: Final = ("postgresql://", "postgres://")
_SECRETS: Final = ("password", "sslpassword")
# A path has one slash where an address has two.
_ADDRESS: Final = re.compile(r"(\w[\w+.-]*://|postgres(?:ql)?:/)([^\s'\"]*)")
_USER: Final = re.compile(r"^([^:@]*):.*@")
# libpq's other form of an address. A value has quotes, or escapes, where it has spaces.
_ASSIGNED: Final = re.compile(
    r"(^|\s|')(?:ssl)?password\s*=\s*(?:'(?:[^'\\]|\\.)*(?:'|$)|(?:[^\s\\]|\\.)*)\s*", re.IGNORECASE
)
_WAL: Final = 2  # the byte of the header that gives the journal's mode
AT_ONCE: Final = 500
"""How many values one query asks for. SQLite takes at least 999 parameters."""
_BATCH: Final = 500  # rows that are fetched at once
_BUSY_SECONDS: Final = 10.0

# In a corrupt file, what a message quotes may not be text.
_SQLITE_ERRORS: Final = (sqlite3.Error, OverflowError, UnicodeError)
_IS_SAFE: Final = "Stop the server first: changes during the reading would go unnoticed"


class Database(Protocol):
    """A database that is open for reading."""

    name: str
    notes: list[str]

    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query, whose parameters are question marks.

        Raises:
            InputError: if the database cannot be read.
        """

    def columns(self, table: str) -> frozenset[str]:
        """Return the names of a table's columns; empty if there is no such table, or if it is a view."""

    def hidden(self, table: str) -> str:
        """Say where a table is that this connection does not see, and what to do; empty if nowhere."""

    def close(self) -> None:
        """Close the connection."""


def is_address(name: str) -> bool:
    """Tell whether a name is the address of a PostgreSQL database."""
    return name.startswith(_SCHEMES)


def is_database(name: str) -> bool:
    """Tell whether a name is the address of a database or the path of an SQLite file."""
    if is_address(name):
        return True
    try:
        # What is read from a pipe is gone.
        if not Path(name).is_file():
            return False
        with Path(name).open("rb") as stream:
            return stream.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except (OSError, ValueError):
        return False  # whoever opens it says why


def open_database(name: str, *, immutable: bool = False) -> Database:
    """Open an SQLite file, or the PostgreSQL database at an address.

    Args:
        name: the path or the address.
        immutable: of an SQLite file: nothing writes it meanwhile. So no lock is taken, and the files that
            SQLite keeps beside it are neither read nor made.

    Raises:
        InputError: if it cannot be opened.
    """
    return _Postgres(name) if is_address(name) else _Sqlite(name, immutable=immutable)


def without_password(text: str) -> str:
    """Return a text without the passwords of the database addresses in it; the rest is as given.

    Malformed addresses hide too much rather than too little. Parameters (``host=… password=…``) count as an
    address.
    """
    if found := _ADDRESS.match(text):  # all of it is one, whatever characters are in it
        return _without_password(found[1], text[found.end(1) :])
    return _ASSIGNED.sub(r"\1", _ADDRESS.sub(lambda found: _without_password(*found.groups()), text))


def _without_password(scheme: str, rest: str) -> str:
    before, mark, query = rest.partition("?")
    if "@" not in before and "@" in query and not before.startswith("/") and "/" not in before:
        before, mark, query = rest, "", ""  # a question mark in the password
    if not before.startswith("/"):
        before = _USER.sub(r"\1@", before)
    kept: list[str] = []
    hiding = False
    for one in query.split("&") if mark else ():
        name, equals, _ = one.partition("=")
        # Without a name, it is the rest of a value with an & in it.
        hiding = unquote(name).strip().lower() in _SECRETS if equals else hiding
        if not hiding:
            kept.append(one)
    return scheme + before + (mark + "&".join(kept) if kept else "")


def can_be_stored(value: object) -> bool:
    """Tell whether a value can be in a database. Text with half a surrogate pair, or with a zero, cannot."""
    return not isinstance(value, str) or (
        "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    )


def text_of(value: object) -> str | None:
    """Return the text in a column, whatever type it is stored as; None if it is not text."""
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return None
    return value if type(value) is str else None


def number_of(value: object) -> int | None:
    """Return the integer in a column; None if it is not one."""
    return value if type(value) is int else None


def object_of(value: object) -> JsonObject:
    """Return the JSON object in a column; empty if it is not one."""
    with suppress(RoomverError):
        found = load_json(text_of(value) or "")
        return found if type(found) is dict else {}
    return {}


def rows_among(database: Database, sql: str, values: Iterable[object], most: int = AT_ONCE) -> Iterator[Row]:
    """Yield the rows of a query for many values, some hundreds at a time.

    With an index, each value is looked up, however large the table is. Without one, each query goes through
    the table once.

    Args:
        database: to read from.
        sql: the query, which ends with the name of the column that has one of the values.
        values: they are distinct. Those that cannot be in a database are left out.
        most: how many of them one query has.
    """
    todo = filter(can_be_stored, values)
    while some := list(islice(todo, most)):
        yield from database.rows(f"{sql} IN ({', '.join('?' * len(some))})", *some)


class _Sqlite:
    """An SQLite file. Text comes as bytes, so that a row that is not UTF-8 does not end a query."""

    def __init__(self, path: str, *, immutable: bool) -> None:
        self.name: str = path
        self.notes: list[str] = []
        self._check_journal(path, immutable=immutable)
        mode = "mode=ro&immutable=1" if immutable else "mode=ro"
        address = f"file:{quote(str(Path(path).absolute()))}?{mode}"
        try:
            self._connection = sqlite3.connect(
                address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.text_factory = bytes
            # One transaction, so that all queries see the same moment.
            self._connection.execute("PRAGMA trusted_schema = OFF")
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except _SQLITE_ERRORS as error:
            raise self._failure(error) from None

    def _check_journal(self, path: str, *, immutable: bool) -> None:
        """Check that opening a database in WAL mode neither makes files beside it nor overlooks one.

        Raises:
            InputError: if it would.
        """
        beside = [Path(path + end) for end in ("-wal", "-shm")]
        try:
            with Path(path).open("rb") as stream:
                head = stream.read(20)
            unread = beside[0].exists() and beside[0].stat().st_size > 0
        except OSError as error:
            raise InputError(path, error.strerror or str(error)) from None
        if len(head) < 20 or _WAL not in head[18:20]:
            return
        if immutable:
            if unread:
                self.notes.append(f"--immutable: the changes in {beside[0].name} are not read")
        elif unread and not beside[1].exists():
            raise InputError(
                path,
                f"{beside[0].name} holds changes that its server has not finished writing; let SQLite finish"
                ' a copy (sqlite3 COPY "PRAGMA wal_checkpoint"), or leave them out with --immutable',
            )
        elif not all(one.exists() for one in beside):
            raise InputError(
                path,
                "no server has this database open, and SQLite would make files beside it (WAL mode): give"
                " --immutable to read it without them",
            )

    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query."""
        if not all(map(can_be_stored, values)):
            return
        try:
            with closing(self._connection.execute(sql, values)) as cursor:
                while batch := cursor.fetchmany(_BATCH):
                    yield from batch
        except _SQLITE_ERRORS as error:
            raise self._failure(error) from None

    def columns(self, table: str) -> frozenset[str]:
        """Return the names of a table's columns; empty if there is no such table."""
        # A view could run anything.
        sql = (
            "SELECT c.name FROM sqlite_master m, pragma_table_info(m.name) c"
            " WHERE m.name = ? AND m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%'"
        )
        found = self.rows(sql, table)
        return frozenset(name for (raw,) in found if (name := text_of(raw)) is not None)

    def hidden(self, table: str) -> str:
        """Return the empty string: all tables are seen."""
        return ""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _failure(self, error: Exception) -> InputError:
        text = str(error)
        if "locked" in text or "busy" in text:
            text += f": another program has it open for writing; try again, or give --immutable. {_IS_SAFE}"
        elif "readonly" in text or "unable to open" in text:
            text += f": SQLite needs to write files beside it to read it; give --immutable. {_IS_SAFE}"
        return InputError(self.name, f"the database cannot be read: {text}")


class _Postgres:
    """A PostgreSQL database, in one read-only transaction. Text comes as strings."""

    def __init__(self, address: str) -> None:
        self.name: str = without_password(address)
        self.notes: list[str] = []
        self._psycopg = psycopg = _import_psycopg(self.name)
        self._names = count()
        try:
            parts = psycopg.conninfo.conninfo_to_dict(address)
        except (psycopg.Error, UnicodeError):
            # The error quotes the address, with the password in it.
            parts = {"host": "@"}
        # A password with one of these characters begins the host or the port, which errors quote.
        ports = str(parts.get("port") or "").replace(",", "")
        if "@" in str(parts.get("host") or "") or (ports and not ports.isdecimal()):
            reason = (
                "malformed address; expected postgresql://user@host/database. In a password, write @ as %40,"
                " / as %2F and % as %25"
            )
            raise InputError(self.name, reason)
        try:
            self._connection = psycopg.connect(address, application_name="roomver")
            self._connection.read_only = True
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # All rows are read. Otherwise cursors are planned for the first tenth of them.
            self._connection.execute("SET cursor_tuple_fraction = 1")
        except (psycopg.Error, UnicodeError, ValueError, OSError) as error:
            raise self._failure(error) from None

    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query. The server hands them out in batches."""
        if not all(map(can_be_stored, values)):
            return
        psycopg = self._psycopg
        query = sql.replace("%", "%%").replace("?", "%s")
        try:
            with self._connection.cursor(name=f"roomver_{next(self._names)}") as cursor:
                cursor.itersize = _BATCH
                cursor.execute(query, values)
                yield from cursor
        except (psycopg.Error, UnicodeError) as error:
            raise self._failure(error) from None

    def columns(self, table: str) -> frozenset[str]:
        """Return the names of a table's columns; empty if there is no such table."""
        # A view could call functions.
        sql = (
            "SELECT a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.oid = to_regclass(?) AND c.relkind IN ('r', 'p')"
            " AND a.attnum > 0 AND NOT a.attisdropped"
        )
        return frozenset(name for (name,) in self.rows(sql, table))

    def hidden(self, table: str) -> str:
        """Say where a table is that is not in the search_path, or that the role may not use."""
        sql = (
            "SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE') FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relname = ? AND c.relkind IN ('r', 'p') AND NOT pg_table_is_visible(c.oid)"
            " ORDER BY n.nspname"
        )
        for schema, may_use in self.rows(sql, table):
            where = f"its tables are in the schema '{schema}', which"
            if not may_use:
                return f"{where} the role may not use: GRANT USAGE ON SCHEMA, and SELECT on the tables"
            path = quote('"' + schema.replace('"', '""') + '"')
            return f"{where} is not in the search_path: add options=-csearch_path%3D{path} to the address"
        return ""

    def close(self) -> None:
        """Close the connection. Nothing was changed, so there is nothing to commit."""
        self._connection.close()

    def _failure(self, error: Exception) -> InputError:
        # The message may have several lines, and begins with what cannot be done.
        text = " ".join(str(error).split())
        return InputError(self.name, f"the database cannot be read: {text}{_advice_for(text)}")


def _advice_for(text: str) -> str:
    """Return what to do about an error of PostgreSQL, to be added to it; empty if it says all."""
    if "statement timeout" in text:
        return ": add options=-cstatement_timeout%3D0 to the address"
    if "idle-in-transaction timeout" in text:
        return ": add options=-cidle_in_transaction_session_timeout%3D0 to the address"
    if "permission denied for table" in text:
        return ": the role needs SELECT on Synapse's tables"
    return ""


def _import_psycopg(name: str) -> ModuleType:
    try:
        import psycopg  # noqa: PLC0415 - only for those who read PostgreSQL
    except ImportError:
        reason = "reading PostgreSQL needs psycopg: pip install 'roomver[postgres]'"
        raise InputError(name, reason) from None
    return psycopg
