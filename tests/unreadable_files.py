"""Files that are not rooms, each with the beginning of what roomver says to it, as docs/sources.md shows."""

import gzip
import io
import json
import lzma
import struct
import tarfile
import textwrap
from typing import Any

from forms import pairs, small_room
from server_answers import client, stripped
from test_readers import failure, json_lines

from roomver.readers.unreadable import tell_database

ROOM = pairs(small_room())
PDUS = [pdu for _, pdu in ROOM]
EVENT = client(*ROOM[5])
SEED = "WQjq8NfUTHvlJdYCrDmDnY9bGcO4XIzk3uE4eXl7t4M"


def tar(data: bytes, name: str = "room.jsonl") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


BINARY: dict[str, tuple[bytes, str]] = {
    "an archive of pg_dump": (b"PGDMP\1\16", "this is a pg_dump archive; restore it (pg_restore -d DATABASE"),
    "UTF-16": ("{}".encode("utf-16"), "this is UTF-16; convert it: iconv -f UTF-16 -t UTF-8 FILE"),
    "a write-ahead log of SQLite": (
        struct.pack(">II", 0x377F0682, 3007000) + b"\0" * 24,
        "this is a file that SQLite keeps beside a database; give the database",
    ),
    "the index of such a log": (
        struct.pack("<I", 3007000) + b"\0" * 132,
        "this is a file that SQLite keeps beside a database; give the database",
    ),
    "a tar archive": (tar(json_lines(PDUS)), "this is a tar archive; unpack it first: tar -xOf FILE"),
    "an archive of pg_dump -Ft": (
        tar(b"PGDMP\1\16", "toc.dat"),
        "this is a pg_dump archive; restore it (pg_restore -d DATABASE FILE)",
    ),
    "what openssl encrypts": (
        b"Salted__\x0f\xa0",
        "this is encrypted, as openssl writes it; decrypt it first",
    ),
    "a compressed SQLite database": (
        gzip.compress(b"SQLite format 3\0" + b"\0" * 84, mtime=0),
        "this is an SQLite database, compressed with gzip; unpack it first: gzip -dc FILE > homeserver.db",
    ),
    "a 7z archive": (
        b"7z\xbc\xaf'\x1c\0\4" + b"\0" * 24,
        "this is a 7z archive; unpack it first: 7z x -so FILE",
    ),
    "a rar archive": (b"Rar!\x1a\x07\x01\0", "this is a rar archive; unpack it first"),
    "what lz4 writes": (
        b"\x04\x22\x4d\x18\x64\x40\xa7",
        "this is compressed with lz4; unpack it first: lz4 -dc",
    ),
    "what xz --format=lzma writes": (
        lzma.compress(json_lines(PDUS), format=lzma.FORMAT_ALONE),
        "this is compressed with lzma; unpack it first: xz --format=lzma -dc",
    ),
    "what compress writes": (
        b"\x1f\x9d\x90\x7b\x12",
        "this is compressed with compress; unpack it first: gzip -dc",
    ),
    "an empty zip archive": (b"PK\5\6" + b"\0" * 18, "this is an empty zip archive"),
    "a PNG picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "this is not text, and not compressed in a way"),
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
    "an SQL dump of pg_dump": (
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.14\n\nSET x = 0;\n",
        SQL,
    ),
    "a dump of sqlite3": ("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE event_json(x);\n", SQL),
    "INSERT statements": ("INSERT INTO event_json VALUES('$a','{\"type\":\"x\"}');\n" * 3, SQL),
    "what curl -i prints": (
        f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\n\r\n{BODY}",
        HEADERS,
    ),
    "what curl -i prints for HTTP/2": (
        f"HTTP/2 200 \r\nserver: nginx\r\n\r\n{json.dumps(PDUS, indent=1)}",
        HEADERS,
    ),
    "what curl -v prints": (
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
    "what gpg encrypts": ("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n", "this is encrypted; decrypt it first"),
    "a configuration in TOML": (
        '[global]\nserver_name = "a.example"\n',
        "this is a configuration file, which has no events; give JSON",
    ),
    "homeserver.yaml": ("# Configuration file for Synapse.\n#\nserver_name: hs.example\n", CONFIG),
    "homeserver.yaml without comments": (
        "server_name: hs.example\npid_file: /x.pid\nlisteners:\n  - port: 8008\n",
        CONFIG,
    ),
    "the error page of a proxy": (
        "<html>\n<head><title>502</title></head>\n</html>",
        "this is HTML, perhaps the",
    ),
    "a scenario of TARDIS in JSON5": (
        "{\n tardis_version: 1,\n events: [],\n}\n",
        "this is JSON5, as a scenario",
    ),
    "what psql -x prints": (
        "-[ RECORD 1 ]---\nevent_id | $a\njson     | {}\n",
        "it looks like a table whose rows cannot be read back",
    ),
    "what sqlite3 -column prints": (
        "event_id  json\n--------  ----\n$a        {}\n",
        "it looks like a table whose rows cannot be read back",
    ),
    "what sqlite3 -quote prints": (
        "'event_id','json'\n'$a','{}'\n",
        "it looks like a table whose rows cannot be read back",
    ),
    "what sqlite3 -markdown prints": (
        "| event_id |\n|----------|\n| $a       |\n",
        "it looks like a table whose rows cannot be read back",
    ),
    "what sqlite3 -ascii prints": (
        "event_id\x1fjson\x1e$a\x1f{}\x1e",
        "it looks like a table whose rows cannot be read back",
    ),
    "what sqlite3 -html prints": (
        "<TR><TH>event_id</TH>\n</TR>\n<TR><TD>$a</TD>\n</TR>\n",
        "this is a table in HTML, as psql -H and sqlite3 -html print it; export the events with psql -At",
    ),
    "what psql -H prints": (
        '<table border="1">\n  <tr>\n    <th align="center">event_id</th>\n  </tr>\n</table>\n',
        "this is a table in HTML, as psql -H and sqlite3 -html print it; export the events with psql -At",
    ),
    "events in YAML": ("events:\n  - type: m.room.create\n    sender: '@a:b'\n", YAML),
    "the message keys that Element exports": (
        "-----BEGIN MEGOLM SESSION DATA-----\nAXNhbHQ=\n-----END MEGOLM SESSION DATA-----\n",
        "these are a client's exported message keys: they decrypt messages and are not events",
    ),
    "a server's signing keys": (
        f"ed25519 a_abcd {SEED}\n",
        "this is a server's file of signing keys, which are secret; give it beside a room, as",
    ),
    "a file of a RocksDB database": (
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

CLIENT = "this is client-server JSON: its events lack auth_events, prev_events, depth, hashes and signatures"

DOCUMENTS: dict[str, tuple[Any, str]] = {
    "an event from a client's view of its source": (EVENT, CLIENT),
    "a response to /messages": ({"chunk": [EVENT], "start": "s", "end": "t"}, CLIENT),
    "the state of a room from the client-server or the admin API": ([EVENT, EVENT], CLIENT),
    "event IDs alone": (["$a", "$b"], "this file has only event IDs. Give a file with the events"),
    "what sqlite3 -json prints of event IDs": (
        [{"event_id": "$a"}, {"event_id": "$b"}],
        "this file has only event IDs. Give a file with the events",
    ),
    "rows of a state without its events": (
        [{"type": "m.room.create", "state_key": "", "event_id": "$a"}],
        "this file has only event IDs. Give a file with the events",
    ),
    "what roomver check --json prints": (
        {"files": [], "ok": True},
        "this is what `roomver check --json` prints, which has no events; give the room itself",
    ),
    "what roomver auth --json prints": (
        [{"event_id": "$a", "against": "auth events", "result": "allowed", "allowed": True}],
        "this is what `roomver auth --json` prints, which has no events",
    ),
    "what roomver rooms --json prints": (
        [{"room_id": "!a:b", "version": "11", "membership": None, "rejected": 0}],
        "this is what `roomver rooms --json` prints, which has no events",
    ),
    "stripped state": (
        {"invite_room_state": [stripped(PDUS[0])]},
        "this is stripped state: its events have only a type, a state key, a sender and a content",
    ),
    "a server's error": (
        {"errcode": "M_FORBIDDEN", "error": "Host not in room."},
        "this is a server's error, not its answer: M_FORBIDDEN: Host not in room.",
    ),
    "an empty string, as the response to /event for an unknown event": (
        "",
        "this is an empty response: the server does not have what was asked for",
    ),
    "a list of rooms from the admin API": (
        {"rooms": [], "total_rooms": 0},
        "this is a response of Synapse's admin API about rooms: it has no events",
    ),
    "the response to a transaction": (
        {"pdus": {"$a": {}}},
        "this is a server's response to a transaction: it names the events that the server took",
    ),
    "an export of Element": (
        {"room_name": "x", "export_date": "y", "exported_by": "@a:b", "messages": [EVENT, EVENT]},
        "this is a chat that Element has exported. This is client-server JSON",
    ),
    "JSON in a string": (json.dumps(PDUS[0]), "the JSON is in a string; unpack it: jq -r . FILE"),
    "a response of a server about its keys": (
        {"server_name": "a", "verify_keys": {}, "valid_until_ts": 1, "signatures": {}},
        "these are keys of servers, not events: give them beside a room, as --keys FILE",
    ),
    "a response of a notary about keys": (
        {"server_keys": []},
        "these are keys of servers, not events: give them beside a room",
    ),
    "a line of a log": ({"log": "Rejected $a", "namespace": "synapse", "level": "INFO", "time": 1}, LOG),
    "a response with no events": ({"events": []}, "it has no events"),
    "an empty array": ([], "it has no events"),
}


def told() -> str:
    """What roomver says to each of them, for people: a block of text."""
    by_reason: dict[str, list[str]] = {}
    for name, (data, _) in BINARY.items():
        by_reason.setdefault(failure(data), []).append(name)
    for name, (text, _) in TEXT.items():
        by_reason.setdefault(failure(text), []).append(name)
    for name, (value, _) in DOCUMENTS.items():
        by_reason.setdefault(failure(json.dumps(value)), []).append(name)
    for name, table in (
        ("a database of Dendrite", "roomserver_events"),
        ("an SQLite database of Conduit", "pduid_pdu"),
        ("a database of Synapse with the state groups alone", "state_groups"),
        ("any other database", ""),
    ):
        reason = tell_database({table: ["column"]}.get)
        by_reason.setdefault(reason, []).append(name)
    lines = ["```text"]
    for reason, names in by_reason.items():
        lines += textwrap.wrap("; ".join(names), 110, break_on_hyphens=False)
        lines += textwrap.wrap(
            reason, 110, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
    return "\n".join([*lines, "```"])
