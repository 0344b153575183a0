"""Rooms and events as people name them: a prefix, a slip, another place; and events that have no row."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import homeservers
import pytest
from command_line import run
from postgres_server import is_installed

ROOM = "local-v11"


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return homeservers.facts_of(homeservers.SQLITE)


@pytest.fixture(scope="module")
def room_id(facts: dict[str, Any]) -> str:
    return str(next(one for one, room in facts["rooms"].items() if room["name"] == ROOM))


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(homeservers.unpacked(homeservers.packed(homeservers.SQLITE)[0], tmp_path))


def rows(database: str, sql: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql, values).fetchall()


def change(database: str, sql: str, *values: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(sql, values)
        connection.commit()


def message_of(database: str, room_id: str) -> str:
    sql = "SELECT event_id FROM events WHERE room_id = ? AND type = 'm.room.message' ORDER BY event_id"
    return str(rows(database, sql, room_id)[0][0])


# Events whose row is gone


def forget(database: str, event_id: str) -> None:
    for table in ("events", "event_json"):
        change(database, f"DELETE FROM {table} WHERE event_id = ?", event_id)


NAMING = {
    "as a forward extremity": "INSERT INTO event_forward_extremities (event_id, room_id)"
    " VALUES (:gone, :room)",
    "in its current state": "INSERT INTO current_state_events (event_id, room_id, type, state_key)"
    " VALUES (:gone, :room, 'x.gone', '')",
    "as a prev event of '{by}'": "INSERT INTO event_edges (event_id, prev_event_id) VALUES (:by, :gone)",
    "as an auth event of '{by}'": "INSERT INTO event_auth VALUES (:by, :gone, :room)",
}


@pytest.mark.parametrize("how", NAMING)
def test_an_event_that_a_room_names_and_that_has_no_row_is_told(
    how: str, database: str, room_id: str
) -> None:
    gone = f"${'G' * 43}"
    by = message_of(database, room_id)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(NAMING[how], {"gone": gone, "room": room_id, "by": by})
        connection.commit()
    named = f"'{room_id}' names the event '{gone}' {how.format(by=by)}, but the database has no row for it"
    for call in (
        ("auth", database, gone),
        ("auth", database, room_id, gone),
        ("state", database, "--at", gone),
    ):
        result = run(*call)
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"roomver: {database}: {named}\n" in result.stderr
        assert f"events missing from {database}: {gone}\n" in result.stderr
        assert "mistyped" not in result.stderr


def test_a_postgresql_database_names_events_too(tmp_path: Path) -> None:
    psycopg = pytest.importorskip("psycopg", reason="psycopg, the extra `postgres`, is not installed")
    if not is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    gone = f"${'G' * 43}"
    with homeservers.opened(homeservers.POSTGRES, tmp_path) as server:
        of = server.room_id(ROOM)
        with psycopg.connect(server.main) as connection:
            sql = "SELECT min(event_id) FROM events WHERE room_id = %s AND type = 'm.room.message'"
            ((by,),) = connection.execute(sql, (of,))
            # What a PostgreSQL database does not let happen to a table, but to a damaged index.
            table = "event_forward_extremities"
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_event_id")
            for sql in NAMING.values():
                values = {"gone": gone, "room": of, "by": by}
                connection.execute(re.sub(r":(\w+)", r"%(\1)s", sql), values)
        result = run("auth", server.main, gone)
    assert result.exit_code == 3
    words = " and ".join(NAMING).format(by=by)
    assert f"'{of}' names the event '{gone}' {words}, but the database has no row for it" in result.stderr


def test_all_that_names_an_event_whose_row_is_deleted_is_told(database: str, room_id: str) -> None:
    sql = (
        "SELECT x.event_id FROM event_forward_extremities x JOIN current_state_events c"
        " ON c.event_id = x.event_id ORDER BY x.event_id"
    )
    gone = rows(database, sql)[0][0]
    forget(database, gone)
    result = run("auth", database, gone)
    assert result.exit_code == 3
    assert f"names the event '{gone}' as a forward extremity and in its current state, but" in result.stderr


def test_another_source_may_have_the_event_whose_row_is_gone(
    database: str, room_id: str, tmp_path: Path
) -> None:
    sql = "SELECT event_id FROM event_forward_extremities WHERE room_id = ? ORDER BY event_id"
    gone = rows(database, sql, room_id)[0][0]
    (pdu,) = rows(database, "SELECT json FROM event_json WHERE event_id = ?", gone)[0]
    other = tmp_path / "event.json"
    other.write_text(pdu, encoding="utf-8")
    forget(database, gone)
    result = run("auth", database, gone, "--also", str(other))
    assert (result.exit_code, result.stdout.splitlines()[1].split()[0]) == (0, gone)


def test_an_event_that_nothing_names_is_still_unknown(database: str) -> None:
    strange = f"${'Z' * 43}"
    result = run("auth", database, strange)
    assert result.exit_code == 2
    assert f"has the event '{strange}': the server never received it" in result.stderr


# Rooms


def test_a_unique_prefix_or_the_name_of_a_room_stands_for_it(database: str, room_id: str) -> None:
    event_id = message_of(database, room_id)
    for call in (["check", database], ["state", database], ["auth", database, event_id]):
        whole = run(*call, "--room", room_id)
        assert whole.stdout
        for named in (room_id[:6], ROOM):
            found = run(*call, "--room", named)
            assert (found.exit_code, found.stdout) == (whole.exit_code, whole.stdout), named
            last = call[2:]
            after = run(*call[:2], named, *last)
            assert (after.exit_code, after.stdout) == (whole.exit_code, whole.stdout), named


def test_a_room_id_with_a_slip_is_answered_with_the_nearest_one(database: str, room_id: str) -> None:
    slips = {
        f"{room_id[:5]}Q{room_id[6:]}": "no room",
        room_id.replace("hs.example", "far.example"): "no room",
        room_id.swapcase(): "no room",
        room_id[1:]: "no room called",
    }
    for slip, what in slips.items():
        result = run("check", database, slip)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"it has {what} '{slip}'" in result.stderr
        assert (
            f"; the nearest ID is '{room_id}'; `roomver rooms {database}` lists its 15 rooms" in result.stderr
        )
    assert "nearest" not in run("check", database, "!nothing-like-it:hs.example").stderr


def test_a_whole_room_id_is_not_taken_for_the_beginning_of_another_one(database: str, room_id: str) -> None:
    result = run("check", database, room_id[:-1])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"it has no room '{room_id[:-1]}'; the nearest ID is '{room_id}'" in result.stderr


def test_a_name_or_a_prefix_of_two_rooms_is_refused(
    database: str, room_id: str, facts: dict[str, Any]
) -> None:
    change(database, "UPDATE room_stats_state SET name = ? WHERE name = 'local-v10'", ROOM)
    others = sorted(one for one in facts["rooms"] if facts["rooms"][one]["name"] in (ROOM, "local-v10"))
    pdus = rows(
        database,
        "SELECT c.room_id, j.event_id, j.json FROM current_state_events c JOIN event_json j"
        " ON j.event_id = c.event_id WHERE c.type = 'm.room.name'",
    )
    for other, event_id, text in pdus:
        if other in others:
            pdu = json.loads(text)
            pdu["content"]["name"] = ROOM
            change(database, "UPDATE event_json SET json = ? WHERE event_id = ?", json.dumps(pdu), event_id)
    result = run("check", database, ROOM)
    assert (result.exit_code, f"2 rooms are called '{ROOM}': " in result.stderr) == (2, True)
    change(database, "INSERT INTO rooms (room_id, room_version) VALUES (?, '11')", f"{room_id[:6]}2:x")
    result = run("check", database, room_id[:6])
    assert result.exit_code == 2
    assert f"2 rooms have IDs that start with '{room_id[:6]}': " in result.stderr


def test_a_name_that_is_neither_a_file_nor_a_room_says_both(database: str) -> None:
    result = run("check", database, "nothing")
    assert result.exit_code == 2
    assert "it has no room called 'nothing', and there is no such file; `roomver rooms" in result.stderr


def test_of_many_rooms_the_call_that_lists_them_is_named(database: str) -> None:
    assert run("check", database).stderr == (
        f"roomver: {database}: it has 15 rooms: choose one with --room '!…'; `roomver rooms {database}` lists"
        " them\n"
    )


def test_the_room_of_a_file_without_a_header_is_read_in_a_database_beside_it(
    database: str, room_id: str, facts: dict[str, Any], tmp_path: Path
) -> None:
    sql = "SELECT json FROM event_json WHERE room_id = ? ORDER BY rowid"
    lines = [text for (text,) in rows(database, sql, room_id)]
    of_one, of_two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    of_one.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    other = next(one for one, room in facts["rooms"].items() if room["name"] == "local-v10")
    lines += [text for (text,) in rows(database, sql, other)]
    of_two.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for sources in ((str(of_one), "--also", database), (database, "--also", str(of_one))):
        found, chosen = run("check", *sources), run("check", *sources, "--room", room_id)
        assert chosen.stdout
        assert (found.exit_code, found.stdout) == (chosen.exit_code, chosen.stdout)
    unclear = run("check", str(of_two), "--also", database)
    assert (unclear.exit_code, "15 rooms: choose one with --room" in unclear.stderr) == (2, True)


# Events in another place


def test_a_text_that_is_not_an_event_id_is_told_with_the_quotes_it_needs(database: str, room_id: str) -> None:
    rest = message_of(database, room_id)[1:]
    for call in (("auth", database, rest), ("state", database, "--at", rest)):
        result = run(*call)
        assert result.exit_code == 2
        assert f"'{rest}' is not an event ID, and no file: put an event ID in single quotes" in result.stderr


def test_the_event_in_a_file_names_its_room(database: str, room_id: str, tmp_path: Path) -> None:
    event_id = message_of(database, room_id)
    (text,) = rows(database, "SELECT json FROM event_json WHERE event_id = ?", event_id)[0]
    by_id = run("auth", database, event_id)
    one = tmp_path / "one.json"
    for form in (text, json.dumps({"event": {**json.loads(text), "event_id": event_id}})):
        one.write_text(form, encoding="utf-8")
        found = run("auth", database, str(one))
        assert found.stdout
        assert (found.exit_code, found.stdout) == (by_id.exit_code, by_id.stdout)
        alone = run("check", str(one))
        assert (alone.exit_code, alone.stdout) == (2, "")
        assert (
            f"this is one event of '{room_id}': to judge it there, roomver auth DATABASE FILE; to"
            in alone.stderr
        )


def test_the_event_in_a_file_does_not_find_a_room_by_a_prefix(
    database: str, room_id: str, tmp_path: Path
) -> None:
    event_id = message_of(database, room_id)
    (text,) = rows(database, "SELECT json FROM event_json WHERE event_id = ?", event_id)[0]
    one = tmp_path / "one.json"
    for named in (room_id[:6], ROOM):
        one.write_text(json.dumps({**json.loads(text), "room_id": named}), encoding="utf-8")
        for call in (("auth", database, str(one)), ("check", str(one), "--also", database)):
            result = run(*call)
            assert (result.exit_code, "15 rooms: choose one with --room" in result.stderr) == (2, True)


def test_without_an_event_the_call_that_takes_one_is_shown(database: str, room_id: str) -> None:
    assert f"which event? roomver auth {database} '$…'" in run("auth", database).stderr
    for call in ((database, room_id), ("--room", room_id, database)):
        result = run("auth", *call)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"which event? roomver auth {database} '{room_id}' '$…'" in result.stderr


def test_a_file_alone_may_be_an_event_or_a_room() -> None:
    result = run("auth", "room.jsonl")
    assert result.exit_code == 2
    said = "give one of --room and --state; if room.jsonl is a room: roomver auth room.jsonl '$…'"
    assert said in result.stderr


def test_a_room_id_may_follow_the_event(database: str, room_id: str) -> None:
    event_id = message_of(database, room_id)
    usual = run("auth", database, room_id, event_id)
    assert usual.stdout
    swapped = run("auth", database, event_id, room_id)
    assert (swapped.exit_code, swapped.stdout) == (usual.exit_code, usual.stdout)


# The room by its name, without --room


@pytest.mark.parametrize(
    ("command", "rest"),
    [
        ("may", ("@alice:hs.example", "send", "m.room.topic")),
        ("may", ("@alice:hs.example", "join")),
        ("may", ("@alice:hs.example", "send", "m.room.topic", "key")),
        ("history", ("m.room.topic",)),
        ("history", ("m.room.member", "@alice:hs.example")),
        ("state", ()),
        ("keys", ()),
        ("repair", ()),
        ("resets", ()),
    ],
)
def test_the_name_of_the_room_follows_the_database_in_every_command(
    command: str, rest: tuple[str, ...], database: str
) -> None:
    named = run(command, database, "--room", ROOM, *rest)
    assert named.exit_code in (0, 1, 3), named.output
    after = run(command, database, ROOM, *rest)
    assert (after.exit_code, after.stdout) == (named.exit_code, named.stdout), after.output


def test_two_sources_are_compared_by_the_name_of_the_room(database: str, tmp_path: Path) -> None:
    other = str(tmp_path / "other.jsonl")
    assert run("record", database, "--room", ROOM, "-o", other).exit_code == 0
    expected = run("compare", database, other, "--room", ROOM)
    assert expected.exit_code in (0, 1, 3), expected.output
    for call in ((database, ROOM, other), (database, other, ROOM)):
        found = run("compare", *call)
        assert (found.exit_code, found.stdout) == (expected.exit_code, expected.stdout), found.output


def test_a_type_and_a_key_are_not_taken_for_the_room(database: str, room_id: str) -> None:
    """Only one room is left, or no room is called so: then both are what the help calls them."""
    several = run("history", database, "m.room.topic", "key")
    assert (several.exit_code, "choose one with --room" in several.stderr) == (2, True)
    change(database, "DELETE FROM rooms WHERE room_id != ?", room_id)
    found = run("history", database, ROOM, "m.room.topic")
    assert found.stdout.startswith(f'{ROOM} for "m.room.topic": no event here sets it.')
