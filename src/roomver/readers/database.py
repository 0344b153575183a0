"""Connections to databases that only read: SQLite by Python's own module, PostgreSQL by psycopg 3.

Nothing is ever written. An SQLite database that another program writes at the same time is read as of one
moment, and so is PostgreSQL. What a row holds may have any type: `text_of` and `number_of` read it. Checked
with SQLite 3.40.1 and PostgreSQL 15.18.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import count, islice
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import quote

from ..canonical import load_json
from ..errors import RoomverError
from ..types import JsonObject
from .addresses import as_conninfo, is_address, quotes_secret, shown
from .entries import InputError
from .extras import install_extra
from .sqlite_files import MAGIC, check_files, tell_cut, tell_failure

Row: TypeAlias = tuple[Any, ...]

AT_ONCE: Final = 500
"""How many values one query asks for. SQLite takes at least 999 parameters."""
_BATCH: Final = 500  # rows that are fetched at once
_BUSY_SECONDS: Final = 10.0

# In a corrupt file, what a message quotes may not be text.
_SQLITE_ERRORS: Final = (sqlite3.Error, OverflowError, UnicodeError)


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


def is_database(name: str) -> bool:
    """Tell whether a name is the address of a database or the path of an SQLite file."""
    if is_address(name):
        return True
    try:
        # What is read from a pipe is gone.
        if not Path(name).is_file():
            return False
        with Path(name).open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
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
        check_files(path, immutable=immutable)
        # Without the second part, SQLite writes the index of a write-ahead log.
        mode = "mode=ro&immutable=1" if immutable else "mode=ro&readonly_shm=1"
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
            pages, size = (self._number(f"PRAGMA page_{name}") for name in ("count", "size"))
        except _SQLITE_ERRORS as error:
            with suppress(AttributeError):  # it may not have been opened
                self._connection.close()
            raise self._failure(error) from None
        # SQLite reads the end of a page that is cut off as zeros.
        if (reason := tell_cut(path, pages * size)) is not None:
            self._connection.close()
            raise InputError(path, f"the database cannot be read: {reason}")

    def _number(self, sql: str) -> int:
        ((number,),) = self._connection.execute(sql)
        return number_of(number) or 0

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
        return InputError(self.name, f"the database cannot be read: {tell_failure(self.name, str(error))}")


class _Postgres:
    """A PostgreSQL database, in one read-only transaction. Text comes as strings."""

    def __init__(self, address: str) -> None:
        self.name: str = shown(address)
        self.notes: list[str] = []
        self._psycopg = psycopg = _import_psycopg(self.name)
        self._names = count()
        conninfo = as_conninfo(address)
        self._parameters: dict[str, Any] = {}
        # Errors of a malformed address quote it, with the password in it.
        with suppress(psycopg.Error, UnicodeError):
            self._parameters = psycopg.conninfo.conninfo_to_dict(conninfo or "=")
        # A password with one of these characters begins the host or the port.
        ports = str(self._parameters.get("port") or "").replace(",", "")
        in_host = "@" in str(self._parameters.get("host") or "")
        if (
            (conninfo != "postgresql://" and not self._parameters)
            or in_host
            or (ports and not ports.isdecimal())
        ):
            reason = (
                "malformed address; expected postgresql://user@host/database. In a password, write @ as %40,"
                " / as %2F and % as %25"
            )
            raise InputError(self.name, reason)
        try:
            self._connection = psycopg.connect(conninfo, application_name="roomver")
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
        if quotes_secret(text, self._parameters):
            text = "the reason quotes a part of the address that may be secret; psql prints it"
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
        reason = f"reading PostgreSQL needs psycopg: {install_extra('postgres')}"
        raise InputError(name, reason) from None
    return psycopg
