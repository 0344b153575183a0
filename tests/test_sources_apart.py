"""A server of Synapse that keeps its states in a database of their own, as a real Synapse wrote both."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import homeservers
import pytest
from command_line import run
from homeservers import Recorded


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with homeservers.opened("sqlite-apart", tmp_path_factory.mktemp("apart")) as found:
        yield found


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database of another run of the same server, whose state groups have the same numbers."""
    return str(homeservers.unpacked(homeservers.packed("sqlite")[0], tmp_path_factory.mktemp("other")))


def test_the_states_may_come_first(apart: Recorded) -> None:
    main, states = apart.databases
    room_id = apart.room_id("late-v10")
    answers = [
        run("check", *one, "--room", room_id, "--json")
        for one in ((main, "--also", states), (states, "--also", main))
    ]
    assert [answer.exit_code for answer in answers] == [0, 0]
    rooms = [json.loads(answer.stdout)["files"][0]["room"] for answer in answers]
    assert rooms[0] == rooms[1]
    assert f"{main}: its states are read from {states}\n" in answers[0].stderr


def test_without_the_states_less_is_decided_and_nothing_else(apart: Recorded) -> None:
    for room_id, room in apart.rooms.items():
        result = run("check", apart.main, "--room", room_id, "--json")
        (report,) = json.loads(result.stdout)["files"]
        assert set(report["summary"]["kinds"]) <= {"auth-event-missing", "state-unknown"}
        assert (report["room"]["state_differs"], report["room"]["extremities_differ"]) == ([], None)
        assert result.exit_code == (3 if room["missing_prev_events"] or not room["state_after"] else 0)
        assert "it has no table state_groups: states at gaps of rooms are unknown" in result.stderr
        assert "(`databases:` in homeserver.yaml), give that one with --also\n" in result.stderr


def test_an_unknown_state_is_not_said_to_lack_no_events(apart: Recorded) -> None:
    text = run("check", apart.main, "--room", apart.room_id("late-v10")).stdout
    assert "the state after " in text
    assert "is unknown:  are missing" not in text


def test_the_states_go_with_files_too(apart: Recorded, tmp_path: Path) -> None:
    room_id, file = apart.room_id("local-v11"), str(tmp_path / "room.jsonl")
    assert run("record", apart.main, *apart.also, "--room", room_id, "-o", file).exit_code == 0
    also = ("--also", apart.databases[1], "--also", apart.main)
    result = run("check", file, *also, "--room", room_id, "--json")
    (report,) = json.loads(result.stdout)["files"]
    assert (result.exit_code, [part["name"] for part in report["sources"]["parts"]]) == (
        0,
        [file, apart.main],
    )


def test_the_states_of_another_server_are_refused(apart: Recorded, other: str, tmp_path: Path) -> None:
    foreign = str(shutil.copyfile(other, tmp_path / "foreign.db"))
    db = sqlite3.connect(foreign)
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if table == "event_json":
            db.execute(f"DROP TABLE {table}")
    db.commit()
    db.close()
    result = run("check", apart.main, "--also", foreign, "--room", apart.room_id("late-v10"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"roomver: {foreign}: these are not the state groups of {apart.main}: group " in result.stderr


def test_states_that_were_left_behind_do_not_count(apart: Recorded, other: str, tmp_path: Path) -> None:
    """Whoever moves the states may leave the old tables in the main database."""
    main = str(shutil.copyfile(apart.main, tmp_path / "main.db"))
    db = sqlite3.connect(main)
    db.execute(f"ATTACH '{apart.databases[1]}' AS states")
    for table in ("state_groups", "state_group_edges", "state_groups_state"):
        db.execute(f"CREATE TABLE {table} AS SELECT * FROM states.{table} WHERE false")
    db.commit()
    db.close()
    room_id = apart.room_id("late-v10")
    assert run("check", main, "--room", room_id).exit_code == 3
    assert run("check", main, *apart.also, "--room", room_id).exit_code == 0


def test_it_must_be_clear_whose_states_they_are(apart: Recorded, other: str) -> None:
    main, states = apart.databases
    room_id = apart.room_id("local-v11")
    sentence = f"roomver: {states}: it has only the state groups of a server; give it with the one database"
    for also in ((main, states), (states, states)):
        more = [argument for one in also for argument in ("--also", one)]
        result = run("check", main, *more, "--room", room_id)
        assert (result.exit_code, sentence in result.stderr) == (2, True)
    # That one has states of its own.
    result = run("check", main, "--also", states, "--also", other, "--room", room_id)
    assert result.exit_code == 0
    alone = "this database of Synapse has only the state groups; give the one that has the table event_json"
    for command in (("rooms", states), ("check", states), ("check", states, "--also", states)):
        result = run(*command)
        assert (result.exit_code, alone in result.stderr) == (2, True)
