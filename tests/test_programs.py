"""What other programs write, where they are installed: sqlite3, jq, and programs that pack files.

The forms that tests/forms.py makes up are checked against these. For psql see test_sources_postgres.py.
"""

import io
import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from command_line import run
from forms import pairs, small_room, stored
from test_readers import failure, json_lines

from roomver.readers import read_room

ROOM = pairs(small_room())
PDUS = [pdu for _, pdu in ROOM]


def output_of(*command: str, stdin: bytes = b"") -> bytes:
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"{command[0]} is not installed: apt-get install {command[0]}")
    return subprocess.run(
        [program, *command[1:]], input=stdin, capture_output=True, check=True, timeout=60
    ).stdout


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table like Synapse's, with a room in it."""
    path = tmp_path_factory.mktemp("programs") / "homeserver.db"
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("CREATE TABLE event_json (event_id, room_id, internal_metadata, json, format_version)")
        for event_id, pdu in ROOM:
            row = (event_id, "!room:a.example", '{"stream_ordering":5}', stored(pdu), 3)
            opened.execute("INSERT INTO event_json VALUES (?, ?, ?, ?, ?)", row)
        opened.commit()
    return str(path)


_PDU = "SELECT json FROM event_json"
_BOTH = "SELECT event_id, json FROM event_json"
_ALL = "SELECT * FROM event_json"
_TARDIS = """SELECT '{"event_id":"' || event_id || '",' || substr(json, 2) FROM event_json"""

# By name: the options of sqlite3, what it runs, and whether the rows give event IDs.
SQLITE: dict[str, tuple[list[str], str, bool]] = {
    "one column": ([], _PDU, False),
    "a list": ([], _BOTH, True),
    "a list, all columns": ([], _ALL, True),
    "a list with a heading": (["-header"], _BOTH, True),
    "-json": (["-json"], _PDU, False),
    "-json, two columns": (["-json"], _BOTH, True),
    "-json, all columns": (["-json"], _ALL, True),
    "-csv": (["-csv"], _BOTH, True),
    "-csv with a heading": (["-csv", "-header"], _ALL, True),
    "-tabs": (["-tabs"], _BOTH, True),
    "as TARDIS says": ([], _TARDIS, True),
}


@pytest.mark.parametrize("how", SQLITE)
def test_what_sqlite3_prints_is_read(how: str, database: str) -> None:
    options, query, with_ids = SQLITE[how]
    data = output_of("sqlite3", "-readonly", *options, database, query)
    entries = list(read_room(io.BytesIO(data), "printed").entries)
    assert [entry.error for entry in entries] == [None] * len(ROOM)
    assert [entry.pdu for entry in entries] == PDUS
    assert [entry.claimed_id for entry in entries] == [e if with_ids else None for e, _ in ROOM]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["-box"], "it looks like a table whose rows cannot be read back"),
        (["-table"], "it looks like a table whose rows cannot be read back"),
        (["-markdown"], "it looks like a table whose rows cannot be read back"),
        (["-html"], "this is a table in HTML"),
        (["-line"], "it looks like a table whose rows cannot be read back"),
    ],
)
def test_what_sqlite3_prints_and_cannot_be_read_back_is_told(
    options: list[str], reason: str, database: str
) -> None:
    assert failure(output_of("sqlite3", "-readonly", *options, database, _BOTH)).startswith(reason)


def test_a_dump_of_sqlite3_is_told(database: str) -> None:
    assert failure(output_of("sqlite3", "-readonly", database, ".dump")).startswith("this is an SQL dump")


@pytest.mark.parametrize(
    "command",
    [
        ["gzip", "-c"],
        ["zstd", "-c"],
        ["zstd", "-c", "--ultra", "-22"],
        ["zstd", "-c", "--long=27"],
        ["xz", "-c"],
        ["xz", "-c", "-9e"],
        ["xz", "-c", "-T2", "--block-size=1024"],
        ["bzip2", "-c"],
    ],
)
def test_what_is_packed_is_read(command: list[str]) -> None:
    lines = json_lines(PDUS) * 20
    packed = output_of(*command, stdin=lines)
    assert len(packed) < len(lines)
    assert [entry.pdu for entry in read_room(io.BytesIO(packed), "packed").entries] == PDUS * 20


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [
        (["lz4", "-c"], ["lz4", "-dc"]),
        (["xz", "--format=lzma", "-c"], ["xz", "--format=lzma", "-dc"]),
        (["tar", "-cf", "-", "-C", "FOLDER", "room.jsonl"], ["tar", "-xOf"]),
        (["zip", "-qj", "-", "FOLDER/room.jsonl"], ["unzip", "-p"]),
    ],
)
def test_the_command_that_a_message_names_unpacks(pack: list[str], unpack: list[str], tmp_path: Path) -> None:
    (tmp_path / "room.jsonl").write_bytes(json_lines(PDUS))
    command = [word.replace("FOLDER", str(tmp_path)) for word in pack]
    packed = tmp_path / "packed"
    packed.write_bytes(output_of(*command, stdin=json_lines(PDUS)))
    assert f"unpack it first: {' '.join(unpack)} FILE | roomver … -" in failure(packed.read_bytes())
    lines = output_of(*unpack, str(packed))
    assert run("check", "--unsigned", "-", stdin=lines).exit_code == 0


@pytest.mark.parametrize(
    "options", [[], ["-c"], ["-s"], ["-s", "{pdus: .}"], ["--tab"], ["-s", "sort_by(.depth)"]]
)
def test_what_jq_prints_is_read(options: list[str]) -> None:
    data = output_of(
        "jq",
        *options,
        *([] if options and not options[-1].startswith("-") else ["."]),
        stdin=json_lines(PDUS),
    )
    assert [entry.pdu for entry in read_room(io.BytesIO(data), "printed").entries] == PDUS


def test_strings_of_json_are_unpacked_by_jq() -> None:
    text = "".join(json.dumps(json.dumps(pdu)) + "\n" for pdu in PDUS)
    assert "jq -r . FILE" in failure(text)
    assert (
        run("check", "--unsigned", "-", stdin=output_of("jq", "-r", ".", stdin=text.encode())).exit_code == 0
    )
