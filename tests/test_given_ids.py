"""States given as event IDs: each form in which people have them is known everywhere."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import homeservers
import pytest
from command_line import Write, run

from roomver.readers import lines, read_room, read_rooms
from roomver.readers.forms import MAX_JUNK, IdsOnly
from roomver.versions import ROOM_VERSIONS

ONLY_IDS = "this file has only event IDs. Give a file with the events"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("homeserver")
    return str(homeservers.unpacked(homeservers.packed(homeservers.SQLITE)[0], folder))


@pytest.fixture(scope="module")
def room_id() -> str:
    rooms = homeservers.facts_of(homeservers.SQLITE)["rooms"]
    return str(next(one for one, room in rooms.items() if room["name"] == "local-v11"))


@pytest.fixture(scope="module")
def entries(database: str, room_id: str) -> list[dict[str, Any]]:
    sql = (
        "SELECT event_id, type, state_key, room_id, membership, event_stream_ordering"
        " FROM current_state_events WHERE room_id = ? ORDER BY event_id"
    )
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, (room_id,))]


def only(entries: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    return [{key: entry[key] for key in keys} for entry in entries]


def rows(values: list[Any]) -> str:
    """Write values as `sqlite3 -json` does, one per line."""
    return "[" + ",\n".join(map(json.dumps, values)) + "]\n"


def json_lines(values: list[Any]) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


FORMS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "text": lambda entries: "".join(f"{entry['event_id']}\n" for entry in entries),
    "array": lambda entries: json.dumps([entry["event_id"] for entry in entries]),
    "lines of IDs": lambda entries: json_lines([entry["event_id"] for entry in entries]),
    "rows of IDs": lambda entries: rows(only(entries, "event_id")),
    "rows of a state": lambda entries: rows(only(entries, "type", "state_key", "event_id")),
    "rows of the whole table": rows,
    "lines of a state": lambda entries: json_lines(only(entries, "type", "state_key", "event_id")),
    "one line": lambda entries: json.dumps(only(entries, "type", "state_key", "event_id")),
    "over many lines": lambda entries: json.dumps(only(entries, "event_id"), indent=2),
    "a response": lambda entries: json.dumps({"pdu_ids": [entry["event_id"] for entry in entries]}),
}


@pytest.fixture(scope="module")
def usual(database: str, room_id: str, entries: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """A file with the IDs as text, and what it gives beside the database."""
    text = Path(database).with_name("given")
    text.write_text(FORMS["text"](entries), encoding="utf-8")
    found = [run(*call) for call in calls(database, room_id, str(text))]
    assert [one.exit_code for one in found] == [0, 0]
    return str(text), [one.stdout for one in found]


def calls(database: str, room_id: str, given: str) -> list[tuple[str, ...]]:
    return [
        ("check", database, room_id, "--also", given, "--json"),
        ("resolve", database, room_id, "--sets", given, "--sets", given),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_ids_are_known_in_each_form(
    form: str, database: str, room_id: str, entries: list[dict[str, Any]], usual: tuple[str, list[str]]
) -> None:
    text, expected = usual
    given = Path(database).with_name("other")
    given.write_text(FORMS[form](entries), encoding="utf-8")
    alone = run("check", str(given))
    assert (alone.exit_code, alone.stdout) == (2, "")
    assert alone.stderr.startswith(f"roomver: {given}: {ONLY_IDS}")
    found = [run(*call).stdout.replace(str(given), text) for call in calls(database, room_id, str(given))]
    assert found == expected


@pytest.mark.parametrize("form", ["array", "rows of a state", "one line", "a response"])
def test_ids_in_a_long_document_are_known(
    form: str,
    write: Write,
    entries: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = write("given", FORMS[form](entries))
    monkeypatch.setattr(lines, "MAX_VALUES", len(entries) - 1)  # such a document is not parsed whole
    with Path(given).open("rb") as stream, pytest.raises(IdsOnly):
        read_room(stream, given, ROOM_VERSIONS["11"])
    event = BytesIO(b'{"type": "m.room.message", "content": {}, "room_id": "!a:b", "hashes": {}}\n')
    with Path(given).open("rb") as stream:
        room = read_rooms([(event, "event"), (stream, given)], ROOM_VERSIONS["11"])
        ((ids,),) = [part.origin.state_ids for part in room.parts if part.origin.state_ids]
    assert sorted(ids.state) == [entry["event_id"] for entry in entries]


def test_rows_that_have_the_events_are_events(
    database: str, room_id: str, entries: list[dict[str, Any]], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database)) as connection:
        sql = "SELECT event_id, json FROM event_json WHERE room_id = ?"
        pairs = [
            dict(zip(("event_id", "json"), row, strict=True)) for row in connection.execute(sql, (room_id,))
        ]
    given = tmp_path / "room.json"
    for text in (rows(pairs), json_lines(pairs)):
        given.write_text(text, encoding="utf-8")
        (report,) = json.loads(run("check", str(given), "--json").stdout)["files"]
        assert report["summary"]["events"] == len(pairs)


def test_an_empty_event_beside_its_id_is_not_an_id(write: Write) -> None:
    for values in ([{"event_id": "$a", "pdu": {}}] * 3, [{"event_id": "$a", "json": "{}"}] * 3):
        result = run("check", write("given", values), "--room-version", "11")
        assert result.exit_code == 1
        assert "malformed" in result.stdout


@pytest.mark.parametrize(
    "text",
    [
        '{"pdu_ids": ["$a"]}\n{"pdu_ids": ["$b"]}\n',
        '["$a"]\n["$b"]\n',
        '["$a"]\n"$b"\n',
        '"$a"\n["$b"]\n',
        '{"event_id": "$a"}\n{"pdu_ids": ["$b"]}\n',
    ],
)
def test_two_lists_are_not_one_state(text: str, database: str, room_id: str, tmp_path: Path) -> None:
    given = tmp_path / "two"
    given.write_text(text, encoding="utf-8")
    result = run("resolve", database, room_id, "--sets", str(given), "--sets", str(given))
    assert (result.exit_code, "Extra data" in result.stderr) == (2, True)


def test_very_many_ids_without_a_room_version_are_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_VALUES", 100)
    for values in ("$a", {"event_id": "$a"}):
        result = run("check", write("given", json.dumps([values] * (MAX_JUNK + 1))))
        assert (result.exit_code, ONLY_IDS in result.stderr) == (2, True)


def test_many_lines_of_ids_are_read(database: str, room_id: str, write: Write) -> None:
    few, many = (write("given", '{"event_id": "$a"}\n' * number) for number in (2, 5_000))
    for given in (few, many):
        result = run("resolve", database, room_id, "--sets", given, "--sets", given)
        assert (result.exit_code, "$a" in result.stderr) == (2, True)
