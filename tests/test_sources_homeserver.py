"""The database of a homeserver that federated: rooms joined late, in part, and left (``homeserver.json``)."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from homeservers import unpacked_sqlite
from rich.cells import cell_len
from rich.console import Console

DATA = Path(__file__).parent / "data"
DESCRIBED = json.loads((DATA / "homeserver.json").read_text(encoding="utf-8"))
ROOMS: dict[str, Any] = DESCRIBED["rooms"]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(unpacked_sqlite(tmp_path_factory.mktemp("homeserver")))


def test_rooms_shows_names_and_rejections_in_80_columns(database: str) -> None:
    text = run("rooms", database).stdout
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    lines = [line.split() for line in text.splitlines()[2:]]
    for room_id, room in ROOMS.items():
        at = next(at for at, words in enumerate(lines) if words[0] == room_id)
        assert lines[at][1:4] == [room["room_version"], str(len(room["events"])), str(len(room["rejected"]))]
        if room["current_state"]:
            name = "odd\\u0000name" if room["name"].startswith("odd-") else room["name"]
            assert lines[at + 1] == [f'"{name}"']
        if room["partial_state"]:
            assert lines[at + 2] == ["unfinished", "partial", "join"]


@pytest.mark.parametrize("options", [(), ("--as-recorded",)])
def test_the_state_of_an_unfinished_partial_join_is_printed_as_far_as_it_is_known(
    database: str, options: tuple[str, ...]
) -> None:
    (room_id,) = (room_id for room_id, room in ROOMS.items() if room["partial_state"])
    result = run("state", database, "--room", room_id, *options)
    assert result.exit_code == 3
    assert 'm.room.name ""' in result.stdout
    assert 'm.room.power_levels ""' in result.stdout
    assert "m.room.member" not in result.stdout
    assert "the current state is known in part. Unknown: all other entries" in result.stderr
    checked = run("check", database, "--room", room_id, *options)
    assert "current state: " in checked.stdout
    assert "known in part" in checked.stdout


@pytest.mark.parametrize("room_id", ROOMS, ids=[room["name"] for room in ROOMS.values()])
def test_check_fits_80_columns_where_it_quotes_no_id(
    database: str, room_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def narrow(file: Any = None, **_: Any) -> Console:
        return Console(file=file, width=80, highlight=False, markup=False, emoji=False)

    for module in ("report", "tables"):
        monkeypatch.setattr(f"roomver.cli.{module}.console", narrow)
    lines = run("check", database, "--room", room_id).stdout.splitlines()
    whole = [line for line in lines if not any(one in line for one in ("$", "roomver ", " --"))]
    assert max(map(cell_len, whole)) <= 80
    # The place of an event in a database is its ID, which is not repeated.
    assert not any(line.count(word) > 1 for line in lines for word in line.split() if word.startswith("$"))


def test_following_the_decisions_does_not_make_up_for_missing_events(database: str) -> None:
    for room_id, room in ROOMS.items():
        if len(room["outliers"]) == len(room["events"]):
            told = "--as-recorded follows the server's decisions; it does not make up for missing events"
            assert told in run("state", database, "--room", room_id, "--as-recorded").stderr
            assert told not in run("state", database, "--room", room_id).stderr
            text = run("check", database, "--room", room_id, "--as-recorded").stdout
            assert "with --as-recorded they count as the server decided; the rules cannot tell" in text


def test_a_list_of_event_ids_goes_with_the_database(database: str, tmp_path: Path) -> None:
    room_id, room = next((room_id, room) for room_id, room in ROOMS.items() if room["current_state"])
    ids = tmp_path / "ids.json"
    alone = run("state", database, "--room", room_id)
    for state in (room["current_state"], room["current_state"][:-1]):
        ids.write_text(json.dumps({"pdu_ids": state}))
        arguments = (database, "--room", room_id, "--also", str(ids))
        result = run("check", *arguments, "--json")
        (report,) = json.loads(result.stdout)["files"]
        # The list is of some moment: it does not replace what the events tell, and is only compared.
        assert (result.exit_code, report["room"]["state_differs"]) == (0, [])
        differences = report["sources"]["differences"]
        assert [one["kind"] for one in differences] == ["moment"] * (len(state) < len(room["current_state"]))
        also = run("state", *arguments)
        assert (also.exit_code, also.stdout) == (alone.exit_code, alone.stdout)
    result = run("check", str(ids))
    assert (result.exit_code, "this file has only event IDs" in result.stderr) == (2, True)


def undecided(path: str, room_id: str) -> set[str]:
    (report,) = json.loads(run("check", path, "--room", room_id, "--json").stdout)["files"]
    return {
        event["event_id"]
        for event in report["events"]
        for finding in event["findings"]
        if finding["action"] == "fetch"
    }


def test_with_fewer_rows_no_more_is_decided_of_a_partial_join(database: str, tmp_path: Path) -> None:
    """What the server accepted against its own partial state vouches for nothing."""
    (room_id,) = (room_id for room_id, room in ROOMS.items() if room["partial_state"])
    whole = undecided(database, room_id)
    assert len(whole) > 5
    changed = tmp_path / "changed.db"
    for event_id in ROOMS[room_id]["partial_state_events"]:
        changed.write_bytes(Path(database).read_bytes())
        db = sqlite3.connect(changed)
        db.execute("DELETE FROM events WHERE event_id = ?", (event_id,))
        db.commit()
        db.close()
        assert whole - {event_id} <= undecided(str(changed), room_id)


def test_a_room_says_where_the_server_stands(database: str) -> None:
    listed = {room["room_id"]: room for room in json.loads(run("rooms", database, "--json").stdout)}
    db = sqlite3.connect(database)
    sql = "SELECT DISTINCT membership FROM local_current_membership WHERE room_id = ?"
    theirs = {room_id: {one for (one,) in db.execute(sql, (room_id,))} for room_id in listed}
    db.close()
    assert {room["membership"] for room in listed.values()} == {"join", "invite", "leave"}
    for room_id, room in listed.items():
        membership = room["membership"]
        assert membership == "join" if "join" in theirs[room_id] else theirs[room_id] == {membership}
        (report,) = json.loads(run("check", database, "--room", room_id, "--json").stdout)["files"]
        assert report["server"]["membership"] == membership
        text = run("check", database, "--room", room_id).stdout
        events = "1 event" if room["events"] == 1 else f"{room['events']} events"
        left = f", with {report['server']['event_id']}: what came later was not received" in text
        nowhere = f"the server is not in the room: it has {events} and no state" in text
        only = f"the server was only invited: it has {events} and no state" in text
        assert left is (membership == "leave" and room["extremities"] is not None)
        assert nowhere is (membership == "leave" and room["extremities"] is None)
        assert only is (membership == "invite")


def test_without_the_table_it_is_unknown_where_the_server_stands(database: str, tmp_path: Path) -> None:
    copy = shutil.copyfile(database, tmp_path / "copy.db")
    db = sqlite3.connect(copy)
    db.execute("DROP TABLE local_current_membership")
    db.commit()
    db.close()
    rooms = json.loads(run("rooms", str(copy), "--json").stdout)
    assert {room["membership"] for room in rooms} == {None}
    (report,) = json.loads(run("check", str(copy), "--room", rooms[0]["room_id"], "--json").stdout)["files"]
    assert "server" not in report


REDACTIONS = (
    "SELECT r.redacts, r.event_id, e.room_id FROM redactions r JOIN events e ON e.event_id = r.redacts"
    " JOIN events o ON o.event_id = r.event_id AND o.room_id = e.room_id WHERE e.rejection_reason IS NULL"
)


def test_auth_names_the_redactions_of_an_event(database: str, tmp_path: Path) -> None:
    copy = str(shutil.copyfile(database, tmp_path / "copy.db"))
    db = sqlite3.connect(copy)
    found = db.execute(REDACTIONS).fetchall()
    assert found
    for cut, done in ((False, "has not yet"), (True, "has already")):
        db.execute("UPDATE redactions SET have_censored = ?", (cut,))
        db.commit()
        for target, redaction, _ in found:
            # The event alone tells the room.
            result = run("auth", "--room", copy, target, "--json")
            (named,) = json.loads(result.stdout)[0]["redactions"]
            assert (named["event_id"], named["applies"], named["cut"]) == (redaction, True, cut)
            text = run("auth", "--room", copy, target).stdout
            assert f"\nredacted by {redaction}\n" in text
            assert f"the server {done} removed the content" in text
    # A file has no such table, but it has the redaction.
    target, redaction, room_id = found[0]
    db.execute("DROP TABLE redactions")
    db.commit()
    db.close()
    file = str(tmp_path / "room.jsonl")
    assert run("record", copy, "--room", room_id, "-o", file).exit_code == 0
    for source in (copy, file):
        (named,) = json.loads(run("auth", "--room", source, target, "--json").stdout)[0]["redactions"]
        assert (named["event_id"], named["applies"], named["cut"]) == (redaction, True, None)


def test_whether_a_missing_redaction_applies_is_unknown(database: str, tmp_path: Path) -> None:
    copy = str(shutil.copyfile(database, tmp_path / "copy.db"))
    db = sqlite3.connect(copy)
    target, redaction, _ = db.execute(REDACTIONS).fetchone()
    db.execute("DELETE FROM event_json WHERE event_id = ?", (redaction,))
    db.commit()
    db.close()
    (named,) = json.loads(run("auth", "--room", copy, target, "--json").stdout)[0]["redactions"]
    assert (named["event_id"], named["applies"], named["cut"]) == (redaction, None, False)
    assert named["reason"] == "it is not among the replayed events"
    assert f"\nperhaps redacted by {redaction}\n" in run("auth", "--room", copy, target).stdout


def test_an_event_finds_its_room(database: str) -> None:
    db = sqlite3.connect(database)
    rows = db.execute(
        "SELECT room_id, min(event_id) FROM events WHERE stream_ordering > 0 AND rejection_reason IS NULL"
        " AND NOT outlier GROUP BY room_id HAVING count(*) > 20"
    ).fetchall()
    db.close()
    (first, event_id), (other, _) = rows[:2]
    for command in (
        ("auth", "--room", database, event_id),
        ("state", database, "--at", event_id, "--before"),
        ("resolve", database, "--at", event_id),
    ):
        alone = run(*command)
        assert alone.exit_code == 0, alone.stderr
        short = run(*(one[:-4] if one == event_id else one for one in command))
        assert (short.exit_code, short.stdout) == (0, alone.stdout)
        named = run(*command, "--room", first)
        assert (named.exit_code, named.stdout) == (0, alone.stdout)
        wrong = run(*command, "--room", other)
        assert wrong.exit_code == 2
        assert f"'{event_id}' is in the room '{first}', not '{other}'" in wrong.stderr
        several = run(*("$" if one == event_id else one for one in command))
        assert (several.exit_code, "of several rooms start with '$':" in several.stderr) == (2, True)
        nowhere = run(*("$nowhere" if one == event_id else one for one in command))
        assert nowhere.exit_code == 2
        assert "none of its 15 rooms has the event '$nowhere'" in nowhere.stderr
