"""What people hold that is not a room: each is told in a sentence, with what to get instead."""

import io
import json
import lzma
import sqlite3
import struct
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import Write, run
from forms import pairs, small_room
from server_answers import client
from test_readers import failure, json_lines

ROOM = pairs(small_room())
PDUS = [pdu for _, pdu in ROOM]
EVENT = client(*ROOM[5])
SEED = "WQjq8NfUTHvlJdYCrDmDnY9bGcO4XIzk3uE4eXl7t4M"


def tar(data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("room.jsonl")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


BINARY: dict[str, tuple[bytes, str]] = {
    "a write-ahead log of SQLite": (
        struct.pack(">II", 0x377F0682, 3007000) + b"\0" * 24,
        "this is a file that SQLite keeps beside a database; give the database",
    ),
    "its index": (
        struct.pack("<I", 3007000) + b"\0" * 132,
        "this is a file that SQLite keeps beside a database; give the database",
    ),
    "tar": (tar(json_lines(PDUS)), "this is a tar archive; unpack it first: tar -xOf FILE"),
    "7z": (b"7z\xbc\xaf'\x1c\0\4" + b"\0" * 24, "this is a 7z archive; unpack it first: 7z x -so FILE"),
    "rar": (b"Rar!\x1a\x07\x01\0", "this is a rar archive; unpack it first"),
    "lz4": (b"\x04\x22\x4d\x18\x64\x40\xa7", "this is compressed with lz4; unpack it first: lz4 -dc"),
    "lzma": (
        lzma.compress(json_lines(PDUS), format=lzma.FORMAT_ALONE),
        "this is compressed with lzma; unpack it first: xz --format=lzma -dc",
    ),
    "compress": (b"\x1f\x9d\x90\x7b\x12", "this is compressed with compress; unpack it first: gzip -dc"),
    "an empty zip archive": (b"PK\5\6" + b"\0" * 18, "this is an empty zip archive"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "this is not text, and not compressed in a way"),
    "a program": (b"\x7fELF\2\1\1\0" + b"\0" * 60, "this is not text, and not compressed in a way"),
    "a log of RocksDB": (
        b"\xc1\x1f\x02\0\1leveldb.Bytewise",
        "this is not text, and not compressed in a way",
    ),
}

PYTHON = "this is how Python prints an object, not JSON; have the program write json.dumps(event)"
SQL = "this is an SQL dump; load it into a database (psql -f FILE DATABASE, or sqlite3 DATABASE < FILE)"
HEADERS = "these are HTTP headers, as `curl -i` and `curl -v` print them; save only the body: curl -o FILE"
LOG = "this is a log, which has no events; take an event ID from it, and ask why: roomver auth --room"
YAML = "this is YAML; convert it: yq -o json FILE"
CONFIG = "this is the configuration of a Synapse; give the database that it names"
BODY = json.dumps({"pdus": PDUS})

TEXT: dict[str, tuple[str, str]] = {
    "a dict of Python": (repr(EVENT), PYTHON),
    "a PDU as Python prints it": (f"{PDUS[3]!r}\n{PDUS[4]!r}\n", PYTHON),
    "a list of Python": (repr(PDUS), PYTHON),
    "an event of a bot's library": (f"RoomMessageText(source={EVENT!r}, event_id='$a')\n", PYTHON),
    "pg_dump": (
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.14\n\nSET x = 0;\n",
        SQL,
    ),
    "sqlite3 .dump": ("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE event_json(x);\n", SQL),
    "INSERT": ("INSERT INTO event_json VALUES('$a','{\"type\":\"x\"}');\n" * 3, SQL),
    "curl -i": (f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\n\r\n{BODY}", HEADERS),
    "curl -i, HTTP/2": (f"HTTP/2 200 \r\nserver: nginx\r\n\r\n{json.dumps(PDUS, indent=1)}", HEADERS),
    "curl -v": (
        f"*   Trying 127.0.0.1:8008...\n* Connected\n> GET / HTTP/1.1\n>\n< HTTP/1.1 200\n{BODY}",
        HEADERS,
    ),
    "a log of Synapse": (
        "2026-11-29 02:00:00,123 - synapse.handlers.federation_event - 1234 - WARNING - PUT-1 - rejected $a\n"
        * 4,
        LOG,
    ),
    "a log of Synapse in JSON": (
        '{"log":"Rejected $a","namespace":"synapse.event_auth","level":"INFO","time":1.5}\n' * 20,
        LOG,
    ),
    "homeserver.yaml": ("# Configuration file for Synapse.\n#\nserver_name: hs.example\n", CONFIG),
    "its settings": ("server_name: hs.example\npid_file: /x.pid\nlisteners:\n  - port: 8008\n", CONFIG),
    "events in YAML": ("events:\n  - type: m.room.create\n    sender: '@a:b'\n", YAML),
    "keys of messages": (
        "-----BEGIN MEGOLM SESSION DATA-----\nAXNhbHQ=\n-----END MEGOLM SESSION DATA-----\n",
        "these are a client's exported message keys: they decrypt messages and are not events",
    ),
    "a server's signing keys": (
        f"ed25519 a_abcd {SEED}\n",
        "this is a server's file of signing keys, which are secret; give it beside a room, as",
    ),
    "the pointer of RocksDB": (
        "MANIFEST-000004\n",
        "this is a RocksDB database, as Conduit, continuwuity and",
    ),
    "CSV without JSON": (
        "type,sender\nm.room.create,@a:b\nm.room.member,@a:b\n",
        "this is a table without a column of JSON; export the events with psql -At",
    ),
    "lines of JSON in strings": (
        "".join(json.dumps(json.dumps(pdu)) + "\n" for pdu in PDUS),
        "the JSON is in a string; unpack it: jq -r . FILE",
    ),
}

DOCUMENTS: dict[str, tuple[Any, str]] = {
    "an export of Element": (
        {"room_name": "x", "export_date": "y", "exported_by": "@a:b", "messages": [EVENT, EVENT]},
        "this is a chat that Element has exported. This is client-server JSON",
    ),
    "JSON in a string": (json.dumps(PDUS[0]), "the JSON is in a string; unpack it: jq -r . FILE"),
    "an answer of a server about its keys": (
        {"server_name": "a", "verify_keys": {}, "valid_until_ts": 1, "signatures": {}},
        "these are a server's keys; give them beside a room, as --keys FILE",
    ),
    "an answer of a notary": ({"server_keys": []}, "these are a server's keys; give them beside a room"),
    "a line of a log": ({"log": "Rejected $a", "namespace": "synapse", "level": "INFO", "time": 1}, LOG),
    "no events": ({"events": []}, "it has no events"),
    "an empty array": ([], "it has no events"),
}


@pytest.mark.parametrize("what", BINARY)
def test_what_is_not_text_is_told(what: str) -> None:
    data, reason = BINARY[what]
    assert failure(data).startswith(reason)


@pytest.mark.parametrize("what", TEXT)
def test_text_that_is_not_json_is_told(what: str) -> None:
    text, reason = TEXT[what]
    assert failure(text).startswith(reason)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("what", DOCUMENTS)
def test_json_that_is_not_a_room_is_told(what: str, indent: int | None) -> None:
    value, reason = DOCUMENTS[what]
    assert failure(json.dumps(value, indent=indent)).startswith(reason)


def test_nothing_of_a_secret_is_quoted(write: Write) -> None:
    for command in (("check",), ("rooms",), ("event-id",), ("state",)):
        result = run(*command, write("signing.key", TEXT["a server's signing keys"][0]))
        assert (result.exit_code, result.stdout) == (2, "")
        assert SEED not in result.output


@pytest.mark.parametrize("indent", [None, 2])
def test_json_that_is_cut_off_says_that_the_input_ends(indent: int | None) -> None:
    text = json.dumps({"pdus": PDUS}, indent=indent)
    for end in (text.index("m.room.join_rules") + 4, text.rindex("}") - 5, len(text) - 1):
        said = failure(text[:end])
        assert said.startswith("neither JSON nor JSON Lines (not JSON: ")
        assert said.endswith("; the input ends inside this value)")
    # What is broken before that is named as it is.
    broken = failure(text.replace('"pdus": [', '"pdus": [tru,', 1))
    assert "Expecting value" in broken
    assert "the input ends" not in broken


def test_lines_that_follow_what_looks_like_a_log_are_read() -> None:
    """A file is told only if no line of it is an event."""
    assert failure("2026-11-29 02:00:00 x\n" * 5).startswith(LOG)
    talk = b"2026-11-29 02:00:00 x\n" + json_lines(PDUS)
    assert failure(talk[:22]).startswith(LOG)
    # The version is found in the create event, so the lines were read.
    assert run("check", "-", stdin=talk).exit_code == 1


FOLDERS = {
    "RocksDB": (("CURRENT", "MANIFEST-000004", "000010.sst"), "this is a RocksDB database, as Conduit,"),
    "PostgreSQL": (("PG_VERSION", "base"), "this is the data folder of PostgreSQL; give the address"),
    "export": (("rooms", "user_data"), "this is a folder; give the files in it"),
    "empty": ((), "this is a folder; give the files in it"),
}


@pytest.mark.parametrize("what", FOLDERS)
def test_a_folder_is_told(what: str, tmp_path: Path) -> None:
    names, reason = FOLDERS[what]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    for command in (["check"], ["rooms"], ["check", "--room", "!a:b"], ["event-id", "--room-version", "11"]):
        result = run(*command, str(tmp_path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"roomver: {tmp_path}: {reason}")


DATABASES = {
    "Dendrite": (
        "CREATE TABLE roomserver_events (event_nid INTEGER, event_id TEXT)",
        "this is a database of Dendrite, which is not read; export the room, with psql -At -c or sqlite3",
    ),
    "Conduit": (
        "CREATE TABLE pduid_pdu (key BLOB, value BLOB)",
        "this is a database of Conduit, which is not read; ask its server for the events",
    ),
    "state groups": (
        "CREATE TABLE state_groups (id INTEGER)",
        "this database of Synapse has only the state groups; give the one that has the table event_json",
    ),
    "media": (
        "CREATE TABLE local_media_repository (media_id TEXT)",
        "this is a database, but not one of Synapse",
    ),
}


@pytest.mark.parametrize("what", DATABASES)
def test_a_database_of_something_else_is_told(what: str, tmp_path: Path) -> None:
    sql, reason = DATABASES[what]
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute(sql)
        database.commit()
    for command in (["rooms"], ["check", "--room", "!a:b"]):
        result = run(*command, str(path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"roomver: {path}: {reason}")


def test_what_a_dendrite_exports_is_read(tmp_path: Path) -> None:
    """The query that the message names, on tables as those of Dendrite 0.15.2, gives JSON Lines."""
    with closing(sqlite3.connect(tmp_path / "roomserver.db")) as database:
        database.executescript(
            "CREATE TABLE roomserver_rooms (room_nid INTEGER PRIMARY KEY, room_id TEXT, room_version TEXT);"
            "CREATE TABLE roomserver_events (event_nid INTEGER PRIMARY KEY, room_nid INTEGER, event_id TEXT);"
            "CREATE TABLE roomserver_event_json (event_nid INTEGER PRIMARY KEY, event_json TEXT);"
            "INSERT INTO roomserver_rooms VALUES (1, '!room:a.example', '11')"
        )
        for number, (event_id, pdu) in enumerate(ROOM, 1):
            database.execute("INSERT INTO roomserver_events VALUES (?, 1, ?)", (number, event_id))
            database.execute("INSERT INTO roomserver_event_json VALUES (?, ?)", (number, json.dumps(pdu)))
        database.commit()
        said = run("rooms", str(tmp_path / "roomserver.db")).stderr
        query = said[said.index('"SELECT') + 1 : said.rindex('"')].replace("!…", "!room:a.example")
        lines = "".join(f"{row}\n" for (row,) in database.execute(query))
    assert run("check", "--unsigned", "-", stdin=lines.encode()).exit_code == 0
