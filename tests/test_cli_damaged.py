"""Databases in which an event is lost or unreadable: what the server decided is still said."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from homeservers import DATA, SQLITE, facts_of, packed, unpacked

ROOMS: dict[str, Any] = facts_of(SQLITE)["rooms"]

Damage = Callable[..., str]
"""Return the path of a copy of the database in which the given SQL was executed for one event."""


def room_named(name: str) -> str:
    (found,) = (room_id for room_id, room in ROOMS.items() if room["name"] == name)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(packed(SQLITE, DATA)[0], tmp_path_factory.mktemp("homeserver"))


@pytest.fixture
def damage(whole: Path, tmp_path: Path) -> Damage:
    def damaged(event_id: str, *statements: str) -> str:
        copy = tmp_path / "damaged.db"
        shutil.copyfile(whole, copy)
        with closing(sqlite3.connect(copy)) as db:
            for sql in statements:
                db.execute(sql, (event_id,))
            db.commit()
        return str(copy)

    return damaged


LOSE = ("DELETE FROM events WHERE event_id = ?", "DELETE FROM event_json WHERE event_id = ?")


def lost_event(which: str, room_id: str, database: Path) -> str:
    """Return an event without which the checks of the soft-failed events are unknown."""
    if which == "newest":
        newest = "SELECT event_id FROM events WHERE room_id = ? ORDER BY stream_ordering DESC LIMIT 1"
        return one_text(database, newest, room_id)
    # All of them have the same power levels event among their auth events.
    levels = "SELECT event_id FROM current_state_events WHERE room_id = ? AND type = 'm.room.power_levels'"
    return one_text(database, levels, room_id)


def one_text(database: Path, sql: str, value: str) -> str:
    with closing(sqlite3.connect(database)) as db:
        ((text,),) = db.execute(sql, (value,))
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("which", ["newest", "middle"])
def test_events_that_the_server_soft_failed_do_not_vanish_if_an_event_is_lost(
    which: str, damage: Damage, whole: Path
) -> None:
    room_id = room_named("local-v11")
    softly = ROOMS[room_id]["soft_failed"]
    database = damage(lost_event(which, room_id, whole), *LOSE)
    text = run("check", database, room_id, "--all").stdout
    number = "1 event" if len(softly) == 1 else f"{len(softly)} events"
    _, listed = text.split(f"\n  {number} the server soft-failed, whose check is unknown here:\n")
    lines = listed.splitlines()[: 2 * len(softly)]
    assert {line.split()[0] for line in lines[::2]} == set(softly)
    assert all(line.startswith("    the server soft-failed it; here: ") for line in lines[1::2])
    assert f"\n  {number} that the server soft-failed: the check is unknown here\n" in text
    (report,) = json.loads(run("check", database, room_id, "--json").stdout)["files"]
    told = [one for one in report["room"]["refused_there"] if one["action"] == "soft-fail"]
    assert {one["event_id"] for one in told} == set(softly)


def test_nothing_is_open_in_a_whole_room(whole: Path) -> None:
    room_id = room_named("local-v11")
    (report,) = json.loads(run("check", str(whole), room_id, "--json").stdout)["files"]
    assert report["room"]["refused_there"] == []
    assert "the server soft-failed" not in run("check", str(whole), room_id).stdout


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM event_json WHERE event_id = ?", "it has a row in events, but none in event_json"),
        ("UPDATE event_json SET json = substr(json, 1, 100) WHERE event_id = ?", "not JSON: "),
    ],
)
@pytest.mark.parametrize("did", ["accepted", "rejected"])
def test_a_damaged_row_is_not_called_refused(
    did: str, statement: str, reason: str, damage: Damage, whole: Path
) -> None:
    room_id = room_named("local-v11")
    newest = lost_event("newest", room_id, whole)
    event_id = next(iter(ROOMS[room_id]["rejected"])) if did == "rejected" else newest
    database = damage(event_id, statement)
    result = run("auth", database, event_id)
    assert (result.exit_code, "REFUSED" in result.stdout) == (3, False)
    assert "the event cannot be read: the row in the database is damaged\n" in result.stdout
    assert reason in result.stdout
    assert "  A server must get a valid copy of the event.\n" in result.stdout
    assert f"\nthe recording server {did} it\n" in result.stdout
    (told,) = json.loads(run("auth", database, event_id, "--json").stdout)
    assert (told["result"], told["allowed"], told["recorded"]) == ("undecided", None, did)
    checked = run("check", database, room_id)
    assert "drop the event" not in checked.stdout
    assert "1 event with findings: 1 damaged-row\n" in checked.stdout


def test_what_leaves_the_ends_uncertain_is_named_once(damage: Damage, whole: Path) -> None:
    said = "known in part: the forward extremities are not certain"
    partial = run("check", str(whole), room_named("partial-v11")).stdout
    cause = "the join with partial state is not finished: members omitted"
    assert f"{said} ({cause})\n    unknown: all other entries\n" in partial
    assert partial.count("the forward extremities are not certain") == 1
    room_id = room_named("local-v11")
    # An event that a rejected one follows.
    sql = "SELECT event_id FROM events WHERE room_id = ? AND type = 'm.room.topic' AND sender LIKE '@bob:%'"
    missing = one_text(whole, sql, room_id)
    text = run("check", damage(missing, "DELETE FROM event_json WHERE event_id = ?"), room_id).stdout
    assert f"{said} (dropped events: {missing} (dropped, event_json, {missing}: damaged-row))\n" in text
    assert "\n    unknown: all other entries\n" in text
    assert text.count("the forward extremities are not certain") == 1
