"""A Synapse database with files beside it: what both say is kept, and neither replaces the other."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import synapse_db
from command_line import Write, run
from test_sources_synapse import Change, checked, partial_join, room_ids

from roomver import Event
from roomver.room_check import RoomCheck
from roomver.state import PartialState, entries_of


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synapse_db.unpacked(tmp_path_factory.mktemp("together") / "homeserver.db")


@pytest.fixture
def changed(base: Path, tmp_path: Path) -> Callable[[Change], str]:
    """Return a function that changes a copy of the database and returns its path."""

    def change(how: Change) -> str:
        path = tmp_path / "changed.db"
        shutil.copyfile(base, path)
        db = sqlite3.connect(path)
        how(db)
        db.commit()
        db.close()
        return str(path)

    return change


@pytest.fixture(scope="module")
def of_room(base: Path) -> str:
    return room_ids(base)[1]


@pytest.fixture(scope="module")
def whole(base: Path, of_room: str) -> RoomCheck:
    return checked(base, of_room)


def auth_chain(events: Mapping[str, Event], todo: list[str]) -> list[str]:
    chain: dict[str, None] = {}
    while todo:
        new = [one for one in events[todo.pop()].auth_event_ids if one not in chain]
        chain.update(dict.fromkeys(new))
        todo += new
    return list(chain)


def answer_to_join(whole: RoomCheck, join: str) -> dict[str, Any]:
    """Return the join with the whole state before it, as a server answers."""
    events = whole.gathered.events
    state = state_before(whole, join)
    chain = auth_chain(events, [*state])
    return {
        "event": dict(events[join].pdu),
        "state": [dict(events[one].pdu) for one in state],
        "auth_chain": [dict(events[one].pdu) for one in chain],
    }


def state_before(whole: RoomCheck, event_id: str) -> list[str]:
    state = whole.replay.state_before(event_id)
    assert state is not None
    return list(entries_of(state).values())


# States


def test_the_databases_partial_state_does_not_replace_a_whole_one(
    changed: Callable[[Change], str], base: Path, of_room: str, whole: RoomCheck, write: Write
) -> None:
    join, change = partial_join(base, of_room)
    path = changed(change)
    assert isinstance(checked(path, of_room).gathered.given[join], PartialState)
    assert run("check", path, "--room", of_room).exit_code == 3
    answer = write("answer.json", answer_to_join(whole, join))
    result = run("check", path, "--room", of_room, "--also", answer, "--json")
    assert result.exit_code == 0, result.stdout
    result = run("state", path, "--room", of_room, "--also", answer, "--at", join, "--before", "--json")
    assert result.exit_code == 0
    held = {entry["event_id"] for entry in json.loads(result.stdout)}
    assert held == set(state_before(whole, join))


def test_another_state_than_the_databases_is_an_error_that_names_the_event(
    changed: Callable[[Change], str], base: Path, of_room: str, whole: RoomCheck, write: Write
) -> None:
    join, change = partial_join(base, of_room)
    path = changed(change)
    found = answer_to_join(whole, join)
    # It says that the room has no power levels.
    found["state"] = [one for one in found["state"] if one["type"] != "m.room.power_levels"]
    answer = write("answer.json", found)
    result = run("check", path, "--room", of_room, "--also", answer)
    assert result.exit_code == 2
    assert f"the database and the files give different states before {join}" in result.stderr
