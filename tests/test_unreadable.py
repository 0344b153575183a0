"""What people hold that is not a room: each is told in a sentence, with what to get instead."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from command_line import Write, run
from test_readers import failure, json_lines
from unreadable_files import BINARY, DOCUMENTS, LOG, PDUS, ROOM, SEED, TEXT


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


@pytest.mark.parametrize("what", [*TEXT, *BINARY, *DOCUMENTS])
def test_a_call_without_a_command_says_the_same_of_such_a_file(what: str, write: Write) -> None:
    content = BINARY[what][0] if what in BINARY else TEXT[what][0] if what in TEXT else None
    path = write("given", json.dumps(DOCUMENTS[what][0]) if content is None else content)
    result = run(path)
    assert (result.exit_code, result.stdout) == (2, "")
    if what == "a server's signing keys":
        assert f"{path} is a signing key" in result.stderr  # with the call that takes it
    else:
        assert result.stderr == run("check", path).stderr


@pytest.mark.parametrize("call", ["check", "auth", "rooms", "hash"])
def test_what_roomver_prints_as_json_is_told(call: str, write: Write) -> None:
    room = write("room.json", PDUS)
    arguments = {
        "check": (room, "--unsigned"),
        "auth": (room, "--unsigned", ROOM[-1][0]),
        "rooms": (room,),
        "hash": (write("one.json", PDUS[-1]), "--room-version", "11"),
    }[call]
    printed = run(call, *arguments, "--json").stdout
    assert run("check", write("out.json", printed)).stderr.endswith(
        f"this is what `roomver {call} --json` prints, which has no events; give the room itself\n"
    )


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
    "a dump": (("toc.dat", "4321.dat.gz"), "this is a pg_dump archive; restore it"),
    "Synapse": (("homeserver.db", "homeserver.yaml"), "this is a folder; give the file homeserver.db in it"),
    "export-data": (("rooms", "user_data"), "this is a folder of Synapse's export-data; give a file rooms/"),
    "media store": (
        ("local_content", "remote_content"),
        "this is Synapse's media store, which has no events;",
    ),
    "a room of it": (("events", "state"), "this is a folder; give the file events in it"),
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
        "this database of Synapse has only the state groups; give the one that has the table event_json, and"
        " this one with --also",
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
