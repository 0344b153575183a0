"""A Synapse database with files beside it: what both say is kept, and neither replaces the other."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import synapse_db
from builder import ALICE, BOB, Room
from command_line import Write, run
from synapse_db import Change, changed_in
from test_sources_synapse import checked, joins, partial_join, room_ids

from roomver import Event
from roomver.entry import Entry, Place
from roomver.gathering import gather_events
from roomver.known_states import KnownStates
from roomver.readers import open_synapse
from roomver.room_check import RoomCheck
from roomver.state import PartialState, entries_of


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synapse_db.unpacked(tmp_path_factory.mktemp("together") / "homeserver.db")


@pytest.fixture
def changed(base: Path, tmp_path: Path) -> Callable[[Change], str]:
    return changed_in(base, tmp_path)


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
    assert result.exit_code == run("check", str(base), "--room", of_room).exit_code != 3, result.stdout
    result = run("state", path, "--room", of_room, "--also", answer, "--at", join, "--before", "--json")
    assert result.exit_code == 0
    held = {entry["event_id"] for entry in json.loads(result.stdout)}
    assert held == set(state_before(whole, join))


def test_another_state_than_the_databases_is_a_contradiction_that_names_the_event(
    changed: Callable[[Change], str], base: Path, of_room: str, whole: RoomCheck, write: Write
) -> None:
    join, change = partial_join(base, of_room)
    path = changed(change)
    found = answer_to_join(whole, join)
    # It says that the room has no power levels.
    found["state"] = [one for one in found["state"] if one["type"] != "m.room.power_levels"]
    answer = write("answer.json", found)
    result = run("check", path, "--room", of_room, "--also", answer)
    assert result.exit_code == 1
    assert "1 contradiction between the sources:" in result.stdout
    assert f"state-before: {join}: " in result.stdout
    assert f'm.room.power_levels "": absent in {answer}, ' in result.stdout
    result = run("state", path, "--room", of_room, "--also", answer, "--at", join, "--before")
    assert (result.exit_code, "contradict each other" in result.stderr) == (3, True)
    assert f"to list them: roomver check {path} --room '{of_room}' --also {answer}" in result.stderr


# Outliers


def is_outlier(event_id: str) -> Change:
    """Return what makes an event one that the server keeps beside the room's graph."""

    def change(db: sqlite3.Connection) -> None:
        db.execute("UPDATE events SET outlier = 1 WHERE event_id = ?", (event_id,))
        for table in ("event_to_state_groups", "event_forward_extremities"):
            db.execute(f"DELETE FROM {table} WHERE event_id = ?", (event_id,))

    return change


@pytest.fixture(scope="module")
def uncited(whole: RoomCheck) -> str:
    """Return an accepted state event that no event cites."""
    events = whole.gathered.events
    cited = {one for event in events.values() for one in (*event.prev_event_ids, *event.auth_event_ids)}
    return next(
        event_id
        for event_id, event in events.items()
        if event_id not in cited and event.state_key is not None and whole.replay.outcomes[event_id].accepted
    )


def test_an_outlier_that_a_state_of_a_file_holds_is_replayed(
    changed: Callable[[Change], str], of_room: str, whole: RoomCheck, uncited: str, write: Write
) -> None:
    path = changed(is_outlier(uncited))
    assert checked(path, of_room).gathered.apart == {uncited}
    state = whole.replay.state_after(uncited)
    assert state is not None
    events = whole.gathered.events
    answer = write("state.json", {
        "pdus": [dict(events[one].pdu) for one in entries_of(state).values()], "auth_chain": [],
    })  # fmt: skip
    (report,) = json.loads(run("check", path, "--room", of_room, "--also", answer, "--json").stdout)["files"]
    assert report["room"]["apart"] == []
    # It is soft-failed, as in the whole room. The state in the file is older, and not the current one.
    assert uncited in whole.agreed
    assert uncited in {one["event_id"] for one in report["room"]["agreed"]}
    result = run("state", path, "--room", of_room, "--also", answer)
    assert result.exit_code == 0
    assert result.stdout == run("state", path, "--room", of_room).stdout
    assert uncited not in result.stdout


def test_the_auth_chain_of_what_a_state_holds_is_replayed_too() -> None:
    room = Room("11")
    room.join(ALICE)
    room.join_rule("public")
    state = {key: event.event_id for key, event in room.state.items()}
    room.join(BOB)
    joined = room.state["m.room.member", BOB]
    topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    beside = room.make("m.room.message", BOB, {"body": "x"})
    last = room.make("m.room.message", ALICE, {"body": "y"}, prev=["$gone"])
    state["m.room.topic", ""] = topic.event_id
    assert joined.event_id in topic.auth_event_ids
    apart = frozenset({joined.event_id, topic.event_id, beside.event_id})
    found = gather_events(
        [Entry(Place(None, "x"), None, event.pdu) for event in [*room.events.values(), beside, last]],
        "11",
        keys=None,
        find_states=lambda _: KnownStates(given={last.event_id: state}, apart=apart),
    )
    assert found.apart == {beside.event_id}


def test_an_event_that_the_server_does_not_have_cannot_vouch_for_an_outlier(
    changed: Callable[[Change], str], of_room: str, whole: RoomCheck, uncited: str
) -> None:
    source = open_synapse(changed(is_outlier(uncited)))
    room = source.open_room(of_room, None)
    found = gather_events(room.entries, room.version, keys=None).events
    assert room.find_states is not None
    last = whole.replay.order[-1]
    new = SimpleNamespace(event_id="$new", auth_event_ids=[uncited], prev_event_ids=[last])
    for accepted in (None, last):
        # The new event comes first.
        events = {"$new": cast(Event, new), **found}
        if accepted is not None:
            more = SimpleNamespace(event_id=accepted, auth_event_ids=[uncited], prev_event_ids=[])
            events[accepted] = cast(Event, more)
        known = room.find_states(events)
        assert uncited not in known.apart
        vouched = {one: answer for one, answer in known.accepted.items() if uncited in answer}
        assert vouched == ({} if accepted is None else {accepted: {uncited}})
    source.close()


def test_without_a_list_of_extremities_nothing_tells_what_the_server_no_longer_has(
    changed: Callable[[Change], str], base: Path, of_room: str
) -> None:
    first = joins(base, of_room)[2]

    def join(db: sqlite3.Connection) -> None:
        synapse_db.join_late(db, of_room, first)

    def change(db: sqlite3.Connection) -> None:
        join(db)
        db.execute("DELETE FROM event_forward_extremities")

    gathered = checked(changed(join), of_room).gathered
    assert gathered.outliers
    assert gathered.extremities
    found = checked(changed(change), of_room)
    assert (found.gathered.outliers, found.gathered.extremities) == (None, None)
    assert found.extremities_differ is None
    assert found.findings == {}


def test_a_room_in_which_nothing_is_replayed_is_still_the_room_that_was_asked_for(
    changed: Callable[[Change], str], base: Path, of_room: str
) -> None:
    other = room_ids(base)[2]

    def change(db: sqlite3.Connection) -> None:
        db.execute("UPDATE events SET outlier = 1")
        # The only event with a state is of another room, as its JSON says.
        db.execute(
            "UPDATE events SET room_id = ?, outlier = 0 WHERE event_id ="
            " (SELECT event_id FROM events WHERE room_id = ? AND type = 'm.room.member' LIMIT 1)",
            (of_room, other),
        )

    path = changed(change)
    assert len(checked(path, of_room).replay.events) == 0
    result = run("check", path, "--room", of_room)
    assert result.exit_code == 1
    assert other in result.stdout


# Another database


def test_a_server_that_joined_late_agrees_with_one_that_has_the_history(
    changed: Callable[[Change], str], base: Path, of_room: str
) -> None:
    first = joins(base, of_room)[2]
    late = changed(lambda db: synapse_db.join_late(db, of_room, first))
    (alone,) = json.loads(run("check", str(base), "--room", of_room, "--json").stdout)["files"]
    for one, other in ((str(base), late), (late, str(base))):
        result = run("check", one, "--room", of_room, "--also", other, "--json")
        (found,) = json.loads(result.stdout)["files"]
        assert found["sources"]["contradictions"] == found["sources"]["differences"] == []
        assert (found["summary"]["undecided"], found["room"]["gaps"]) == (0, {})
        for same in ("state_size", "forward_extremities", "resets", "apart"):
            assert found["room"][same] == alone["room"][same]
        by_name = {part["name"]: part for part in found["sources"]["parts"]}
        assert by_name[late]["states"] > 0
        assert by_name[str(base)]["events"] == alone["summary"]["events"]
        if one == str(base):
            assert result.exit_code == run("check", str(base), "--room", of_room).exit_code
            assert found["room"]["agreed"] == alone["room"]["agreed"]


def test_the_state_of_a_server_that_joined_late_is_compared_with_that_of_one_that_has_the_history(
    changed: Callable[[Change], str], base: Path, of_room: str
) -> None:
    first = joins(base, of_room)[2]

    def change(db: sqlite3.Connection) -> None:
        gaps = synapse_db.join_late(db, of_room, first)
        marks = ", ".join("?" * len(gaps))
        sql = f"SELECT id FROM state_groups WHERE event_id IN ({marks})"
        groups = [number for (number,) in db.execute(sql, gaps)]
        for number in groups:
            sql = "DELETE FROM state_groups_state WHERE state_group = ? AND type = 'm.room.power_levels'"
            db.execute(sql, (number,))

    late = changed(change)
    for one, other in ((str(base), late), (late, str(base))):
        result = run("check", one, "--room", of_room, "--also", other, "--json")
        (found,) = json.loads(result.stdout)["files"]
        contradictions = found["sources"]["contradictions"]
        assert (result.exit_code, {one["kind"] for one in contradictions}) == (1, {"state-before"})
        for contradiction in contradictions:
            (entry,) = contradiction["entries"]
            assert entry["type"] == "m.room.power_levels"
            says = {said["source"]: said["event_id"] for said in entry["says"]}
            assert says[late] is None
            assert str(says[str(base)]).startswith("$")


def test_what_a_state_event_replaced_is_taken_from_the_server_that_noted_it(
    changed: Callable[[Change], str], base: Path
) -> None:
    """A copy of the event in another source may say anything: nobody has signed ``unsigned``."""
    noted = 0
    for room_id in room_ids(base):
        for first in joins(base, room_id):
            late = changed(lambda db, r=room_id, f=first: synapse_db.join_late(db, r, f, own_groups=False))  # type: ignore[misc]
            source = open_synapse(late)
            room = source.open_room(room_id, None)
            read = [*room.entries]
            events = gather_events(read, room.version, keys=None).events
            forged = [one._replace(pdu={**cast(Any, one.pdu), "unsigned": {}}) for one in read]
            others = gather_events(forged, room.version, keys=None).events
            assert room.find_states is not None
            given = room.find_states(events).given
            assert room.find_states(others).given == given
            for event_id, state in given.items():
                kind, key = events[event_id].type, events[event_id].state_key
                if key is not None and not isinstance(state, PartialState):
                    noted += (kind, key) in state
            source.close()
    assert noted > 0
