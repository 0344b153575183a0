"""Files that cannot be read: what each of them is, and what to get instead.

Here are the files that are not JSON, folders, and the databases of other servers. `forms` has the JSON that
is not a room. Nothing of a file is quoted: it may hold a secret.

The tables of Dendrite are those of Dendrite 0.15.2, the files those of RocksDB as in continuwuity 26.8.0 and
tuwunel 1.9.0.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

EXPORT: Final = (
    'psql -At -c "SELECT json FROM event_json JOIN events USING (event_id, room_id)'
    " WHERE room_id = '!…' ORDER BY stream_ordering\" > room.jsonl"
)
"""The command that exports a room of Synapse in PostgreSQL as JSON Lines, in the order of arrival."""

_DENDRITE: Final = (
    "this is a database of Dendrite, which is not read; export the room, with psql -At -c or sqlite3 FILE:"
    ' "SELECT event_json FROM roomserver_event_json JOIN roomserver_events USING (event_nid)'
    " JOIN roomserver_rooms USING (room_nid) WHERE room_id = '!…' ORDER BY event_nid\" > room.jsonl"
)
_READ_DATABASE: Final = "read a room of it: roomver check DATABASE --room '!…'"

SQLITE: Final = (
    "this is an SQLite database; if it is Synapse's, read a room of it: roomver check FILE --room '!…'"
)
_ROCKSDB: Final = (
    "this is a RocksDB database, as Conduit, continuwuity and tuwunel have, which is not read; ask the server"
    " for the events: `debug get-pdu` in its admin room, or over federation, signed by a server"
    " in the room, GET /_matrix/federation/v1/state/<room ID>?event_id=<event ID>"
)
_DUMP: Final = (
    f"this is a pg_dump archive; restore it (pg_restore -d DATABASE FILE) and {_READ_DATABASE}, or export"
    f" the room: {EXPORT}"
)
_BESIDE: Final = (
    "this is a file that SQLite keeps beside a database; give the database, with this file left beside it"
)
_OTHER_BINARY: Final = "this is not text, and not compressed in a way that can be read; give JSON"


def _unpack(what: str, command: str) -> str:
    return f"this is {what}; unpack it first: {command} FILE | roomver … -"


# The first bytes of files that are not text, and what to do about them.
_NOT_TEXT: Final = (
    (b"SQLite format 3\0", SQLITE),
    (b"\x37\x7f\x06\x82", _BESIDE),
    (b"\x37\x7f\x06\x83", _BESIDE),
    (b"\x18\xe2\x2d\0", _BESIDE),
    (b"\0\x2d\xe2\x18", _BESIDE),
    (b"PGDMP", _DUMP),
    (b"PK\x03\x04", _unpack("a zip archive", "unzip -p")),
    (b"PK\x05\x06", "this is an empty zip archive"),
    (b"7z\xbc\xaf\x27\x1c", _unpack("a 7z archive", "7z x -so")),
    (b"Rar!\x1a\x07", _unpack("a rar archive", "unrar p -inul")),
    (b"\x04\x22\x4d\x18", _unpack("compressed with lz4", "lz4 -dc")),
    (b"\x1f\x9d", _unpack("compressed with compress", "gzip -dc")),
    (b"\x5d\0\0", _unpack("compressed with lzma", "xz --format=lzma -dc")),
    (b"LZIP", _unpack("compressed with lzip", "lzip -dc")),
    (b"Salted__", "this is encrypted, as openssl writes it; decrypt it first"),
)
_TAR: Final = _unpack("a tar archive", "tar -xOf")
_DUMP_TAR: Final = b"toc.dat\0"  # its first file
_TAR_MARK_AT: Final = 257

# Longer marks come first: UTF-32 in little-endian order begins like UTF-16. Without a byte order mark,
# the zero bytes around the first character, which is ASCII in JSON, show the encoding.
_ENCODINGS: Final = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    *((start + b"\0\0\0", "UTF-32") for start in (b"{", b"[")),
    *((b"\0\0\0" + start, "UTF-32") for start in (b"{", b"[")),
    *((start + b"\0", "UTF-16") for start in (b"{", b"[")),
    *((b"\0" + start, "UTF-16") for start in (b"{", b"[")),
)


def tell_bytes(head: bytes) -> str | None:
    """Say what a file with these first bytes is, if it is not UTF-8 text."""
    for start, reason in _NOT_TEXT:
        if head.startswith(start):
            return reason
    if head[_TAR_MARK_AT:].startswith(b"ustar"):
        return _DUMP if head.startswith(_DUMP_TAR) else _TAR
    for start, encoding in _ENCODINGS:
        if head.startswith(start):
            return f"this is {encoding}; convert it: iconv -f {encoding} -t UTF-8 FILE"
    return None


_HTTP: Final = (
    "these are HTTP headers, as `curl -i` and `curl -v` print them; save only the body: curl -o FILE"
)
_PYTHON: Final = (
    "this is how Python prints an object, not JSON; have the program write json.dumps(event). What a client"
    " or a bot has lacks hashes and signatures: ask a server for the PDU instead, in Synapse GET"
    " /_synapse/admin/v1/fetch_event/<event ID>"
)
_SQL: Final = (
    "this is an SQL dump; load it into a database (psql -f FILE DATABASE, or sqlite3 DATABASE < FILE) and"
    f" {_READ_DATABASE}"
)
_ENCRYPTED: Final = "this is encrypted; decrypt it first"
_TOML: Final = "this is a configuration file, which has no events; give JSON"
_MEGOLM: Final = "these are a client's exported message keys: they decrypt messages and are not events"
_SIGNING: Final = (
    "this is a server's file of signing keys, which are secret; give it beside a room, as --keys SERVER=FILE"
)
_CONFIG: Final = (
    "this is the configuration of a Synapse; give the database that it names: `database:` has its path or its"
    " address"
)
NOT_ROOMS: Final = frozenset({_SIGNING, _CONFIG})
"""Kinds of files that belong beside a room and hold none. Nothing is wrong with them."""

_YAML: Final = "this is YAML; convert it: yq -o json FILE"
LOG: Final = (
    "this is a log, which has no events; take an event ID from it, and ask why:"
    " roomver auth --room DATABASE --room '!…' '$…'"
)
_NO_JSON_COLUMN: Final = f"this is a table without a column of JSON; export the events with {EXPORT}"
_HTML_TABLE: Final = (
    f"this is a table in HTML, as psql -H and sqlite3 -html print it; export the events with {EXPORT}"
)
HTML: Final = "this is HTML, perhaps the error page of a proxy; ask the server again"
JSON5: Final = "this is JSON5, as a scenario of TARDIS may be; convert it: npx json5 FILE > scenario.json"

_HTTP_LINE: Final = re.compile(rb"(< )?HTTP/\d|> [A-Z]+ \S+ HTTP/|\*\s+(Trying|Host) ")
_SQL_LINE: Final = re.compile(
    rb"-- (PostgreSQL|MySQL|MariaDB|Dumped|Name:)|(PRAGMA|INSERT INTO|CREATE TABLE|BEGIN TRANSACTION)\b", re.I
)
_TIME: Final = re.compile(rb"\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_SYSLOG: Final = re.compile(rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ \S+?(\[\d+\])?: ")  # `journalctl`
_MANIFEST: Final = re.compile(rb"MANIFEST-\d+")
_PYTHON_LINE: Final = re.compile(rb"[\[( ]*\{'|[A-Z]\w*\(.*\{'|\w+\(\w+=")
_CONFIG_LINE: Final = re.compile(rb"# Configuration file for Synapse|server_name:")
_YAML_LINE: Final = re.compile(rb"""\s*(- )?["']?[A-Za-z_][\w.]*["']?:(\s|$)""")
_CONTROL: Final = re.compile(rb"[\0-\x08\x0e-\x1a]")  # in no text: neither white space nor ESC
_NAME: Final = rb"[a-z_][a-z0-9_]*"
_HEADING: Final = re.compile(rb"%b(([,|\t])%b)(\2%b)*" % (_NAME, _NAME, _NAME))


def _first(pattern: re.Pattern[bytes]) -> Callable[[Sequence[bytes]], bool]:
    """Return a test whether the first line matches a pattern."""
    return lambda lines: bool(pattern.match(lines[0]))


def _any(pattern: re.Pattern[bytes]) -> Callable[[Sequence[bytes]], bool]:
    """Return a test whether a line matches a pattern."""
    return lambda lines: any(map(pattern.match, lines))


def _is_yaml(lines: Sequence[bytes]) -> bool:
    plain = [line for line in lines if not line.startswith((b"#", b"---"))]
    return bool(plain) and all(map(_YAML_LINE.match, plain))


# In this order: the first that matches tells.
_TEXTS: Final = (
    (_first(_HTTP_LINE), _HTTP),
    (_first(re.compile(rb"ed25519 \S+ \S+$")), _SIGNING),
    (_first(re.compile(rb"-----BEGIN MEGOLM SESSION DATA-----")), _MEGOLM),
    (_first(re.compile(rb"-----BEGIN PGP MESSAGE-----|age-encryption\.org/")), _ENCRYPTED),
    (_first(re.compile(rb"\[[a-z_.]+\]$")), _TOML),
    (_first(_MANIFEST), _ROCKSDB),
    (_any(re.compile(rb".*\btardis_version")), JSON5),
    (_any(_SQL_LINE), _SQL),
    (_first(_TIME), LOG),
    (_first(_SYSLOG), LOG),
    (_any(_CONFIG_LINE), _CONFIG),
    (_is_yaml, _YAML),
    (_first(_PYTHON_LINE), _PYTHON),
    (_first(re.compile(rb"\s*<(table border=|TR><T[HD]>)")), _HTML_TABLE),
    (_first(re.compile(rb"\s*<")), HTML),
    (lambda lines: bool(_HEADING.fullmatch(lines[0])), _NO_JSON_COLUMN),
    (lambda lines: any(map(_CONTROL.search, lines)), _OTHER_BINARY),
)


def begins_http(line: bytes) -> bool:
    """Tell whether a line is what ``curl -i`` and ``curl -v`` print before the body of a response."""
    return bool(_HTTP_LINE.match(line))


def tell_text(lines: Iterable[bytes]) -> str | None:
    """Say what a file with these first lines, which are not JSON, is.

    Args:
        lines: at least one; none is blank.
    """
    # A pattern looks at the beginning of a line only.
    heads = [line[:500].rstrip() for line in lines]
    return next((reason for matches, reason in _TEXTS if matches(heads)), None)


def tell_folder(path: str) -> str | None:
    """Say what a folder is, and what to give instead; None for what is not a folder."""
    names: set[str] = set()
    try:
        names.update(one.name for one in Path(path).iterdir())
    except NotADirectoryError:
        return None
    except OSError:
        pass  # a folder whose names cannot be read
    if "CURRENT" in names and any(name.startswith("MANIFEST-") for name in names):
        return _ROCKSDB
    if "PG_VERSION" in names:
        return "this is the data folder of PostgreSQL; give the address of the database: postgresql://…"
    if "toc.dat" in names:
        return _DUMP
    for inside in ("homeserver.db", "events"):
        if inside in names:
            return f"this is a folder; give the file {inside} in it"
    if {"local_content", "remote_content"} & names:
        return "this is Synapse's media store, which has no events; give the server's database"
    if {"rooms", "user_data"} <= names:
        return "this is a folder of Synapse's export-data; give a file rooms/!…/events in it"
    return "this is a folder; give the files in it"


def tell_database(columns: Callable[[str], Collection[str] | None]) -> str:
    """Say what a database without Synapse's tables is.

    Args:
        columns: returns the names of a table's columns; empty or None if there is no such table.
    """
    if columns("roomserver_events"):
        return _DENDRITE
    if columns("pduid_pdu"):
        return (
            "this is a database of Conduit, which is not read; ask its server for the events, with `get-pdu`"
            " in its admin room"
        )
    if columns("state_groups"):
        return (
            "this database of Synapse has only the state groups; give the one that has the table event_json,"
            " and this one with --also"
        )
    return (
        "this is a database, but not one of Synapse: it lacks Synapse's tables; `database:` in"
        " homeserver.yaml names the right one"
    )
