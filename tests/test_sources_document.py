"""The commands of docs/sources.md: each request is one that a server answered, each query gives what is read.

`test_readme` checks the document's generated parts and links. `test_sources_postgres` runs those of psql.
"""

import io
import json
import re
import shlex
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import synapse_db
from test_recorded_answers import READ, RECORDED

from roomver.readers import read_room, unreadable

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.replace("\\\n", "").splitlines()
]
REQUESTS = sorted(set(re.findall(r"/(?:_matrix/(?:federation|client)|_synapse)/v?[\w/.]*[^\s'`<>\"]*", TEXT)))


def shape(path: str) -> list[str]:
    """The steps of a path without IDs and without the query."""
    steps = unquote(path.partition("?")[0]).rstrip("…").split("/")
    return ["*" if step[:1] in "!$@" or not step else step for step in steps[1:]]


RECORDED_SHAPES = [shape(one["request"].partition(" ")[2]) for one in RECORDED["answers"].values()]


def test_the_document_has_requests_and_commands() -> None:
    assert len(REQUESTS) > 12
    assert sum(command.startswith("psql ") for command in COMMANDS) > 5
    assert sum(command.startswith("sqlite3 ") for command in COMMANDS) > 2
    assert RECORDED["server"].removeprefix("matrix-synapse ") == "1.163.2"
    assert TEXT.count("Synapse 1.163.2") > 4


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_is_one_that_a_server_answered(request_: str) -> None:
    assert shape(request_) in RECORDED_SHAPES


def test_every_request_that_gives_events_is_named() -> None:
    named = [shape(request) for request in REQUESTS]
    for name in READ:
        request = RECORDED["answers"][name]["request"].partition(" ")[2]
        assert shape(request) in named or "export-data" in request, name
    assert "export-data" in TEXT


def test_the_messages_name_the_commands_of_the_document() -> None:
    assert unreadable.EXPORT in COMMANDS
    dendrite = unreadable.tell_database({"roomserver_events": ["event_id"]}.get)
    (command,) = [one for one in COMMANDS if "roomserver_event_json" in one]
    assert shlex.split(command)[3] in dendrite.replace('" > room.jsonl', "")


@pytest.mark.parametrize(
    "module",
    [
        "database",
        "documents",
        "fenced",
        "forms",
        "keys",
        "packed",
        "state_ids",
        "synapse",
        "synapse_schema",
        "synapse_state",
        "tables",
        "unreadable",
    ],
)
def test_a_reader_names_the_version_that_it_was_checked_with(module: str) -> None:
    text = (ROOT / "src" / "roomver" / "readers" / f"{module}.py").read_text(encoding="utf-8")
    names = "Synapse|SQLite|PostgreSQL|psql|gzip|continuwuity|Dendrite"
    assert re.search(rf"(?:{names}) \d+\.\d+", text)


def test_the_readers_and_tests_of_each_form_exist() -> None:
    section = TEXT.partition("\n## How each form is checked\n")[2]
    rows = [row.strip("| ").split(" | ") for row in section.splitlines() if row.startswith("| ")][2:]
    assert len(rows) > 15
    for _, readers, _, _, tests in rows:
        for reader in re.findall(r"`(\w+)`", readers):
            assert (ROOT / "src" / "roomver" / "readers" / f"{reader}.py").exists()
        names = re.findall(r"`(\w+)`", tests)
        assert names
        for name in names:
            assert (ROOT / "tests" / f"{name}.py").exists()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[Any]]:
    """A Synapse database, its room with the most events, and these."""
    path = synapse_db.unpacked(tmp_path_factory.mktemp("document") / "homeserver.db")
    connection = sqlite3.connect(path)
    ((room_id,),) = connection.execute(
        "SELECT room_id FROM event_json GROUP BY room_id ORDER BY count(*) DESC LIMIT 1"
    )
    found = connection.execute(
        "SELECT json FROM event_json JOIN events USING (event_id) WHERE event_json.room_id = ?"
        " ORDER BY stream_ordering",
        (room_id,),
    ).fetchall()
    connection.close()
    return path, room_id, [json.loads(text) for (text,) in found]


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not installed")
@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if one.startswith("sqlite3 ") and "SELECT" in one]
)
def test_what_sqlite3_is_told_to_export_is_read(command: str, rows: Any) -> None:
    path, room_id, expected = rows
    words = shlex.split(
        command.partition(" > ")[0].replace("!…", room_id).replace("homeserver.db", str(path))
    )
    data = subprocess.run(words, capture_output=True, check=True, timeout=60).stdout
    found = [entry.pdu for entry in read_room(io.BytesIO(data), "export").entries]
    if "ORDER BY" in command:
        assert found == expected
    else:
        assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, expected))


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not installed")
def test_a_copy_of_a_database_is_read(rows: Any, tmp_path: Path) -> None:
    (command,) = re.findall(r"`(sqlite3 homeserver\.db [^`]+)`", TEXT)
    shutil.copy(rows[0], tmp_path / "homeserver.db")
    subprocess.run(shlex.split(command), cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "copy.db").stat().st_size > 10_000
