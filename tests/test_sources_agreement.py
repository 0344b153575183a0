"""What a homeserver believed of its rooms, and what roomver finds in its database: SQLite and PostgreSQL.

A real Synapse wrote each database (vectors/recorder/database.py). With the Synapse wheel installed, some are
recorded anew.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import homeservers
import postgres_server
import pytest
from command_line import run
from homeservers import KINDS, POSTGRES, Recorded

NAMES = [room["name"] for room in homeservers.facts_of(homeservers.SQLITE)["rooms"].values()]
ANEW = (POSTGRES, "postgres-apart")

# Outliers on which no event of the room is based, by room.
UNUSED_OUTLIERS = {"purged-v9": 3}
# Of a join with partial state that is not finished: how many events the rules allow, refuse, and leave open.
PARTIAL = {0: 16, 1: 1, 3: 8}


@pytest.fixture(
    scope="module",
    params=[
        *((kind, False) for kind in KINDS),
        *(pytest.param((kind, True), marks=pytest.mark.peer) for kind in ANEW),
    ],
    ids=lambda param: f"{param[0]} made anew" if param[1] else param[0],
)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    kind, anew = request.param
    if kind.startswith(POSTGRES):
        pytest.importorskip("psycopg", reason="psycopg, the extra `postgres`, is not installed")
        if not postgres_server.is_installed():
            pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    files = homeservers.DATA
    if anew:
        for module in ("synapse", "psycopg2"):
            pytest.importorskip(module, reason=f"{module}, of the group `peer`, is not installed")
        files = tmp_path_factory.mktemp("recorded")
        homeservers.record(kind, files, sys.executable)
    with homeservers.opened(kind, tmp_path_factory.mktemp("homeserver"), files) as found:
        yield found


@pytest.fixture(params=NAMES)
def room_id(request: pytest.FixtureRequest, recorded: Recorded) -> str:
    return recorded.room_id(request.param)


def has_timeline(room: dict[str, Any]) -> bool:
    """Whether the server is or was in the room; of others it has only outliers."""
    return len(room["outliers"]) < len(room["events"])


def state_after(room: dict[str, Any], event_id: str) -> set[str]:
    """Return the state that the server had after an event; for a rejected one, the state before it."""
    return {room["events"][int(place)] for place in room["states"][room["state_after"][event_id]].split()}


def test_rooms_lists_what_the_server_has(recorded: Recorded) -> None:
    listed = {r.pop("room_id"): r for r in json.loads(run("rooms", recorded.main, "--json").stdout)}
    for room in listed.values():
        del room["membership"]  # test_sources_homeserver has it
    assert listed == {
        room_id: {
            "version": room["room_version"],
            "events": len(room["events"]),
            # A server that is not in a room, or joined it in part, does not know who is joined now.
            "joined": len(room["joined_members"])
            if room["current_state"] and not room["partial_state"]
            else None,
            "extremities": len(room["forward_extremities"]) or None,
            "partial": room["partial_state"],
            # Of a room that the server is not in, it has no current state.
            "name": name_of(room["name"]) if room["current_state"] else None,
            "rejected": len(room["rejected"]),
        }
        for room_id, room in recorded.rooms.items()
    }


def name_of(name: str) -> str:
    return "odd\0name" if name.startswith("odd-") else name


def test_check_agrees_with_the_server(recorded: Recorded, room_id: str, tmp_path: Path) -> None:
    room = recorded.rooms[room_id]
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(recorded.facts["key_answer"]))
    options = ("--room", room_id, *recorded.also, "--keys", str(keys), "--json")
    result = run("check", recorded.main, *options)
    (report,) = json.loads(result.stdout)["files"]
    found = report["room"]
    # What the rules decide, they decide as the server did; the rest is undecided.
    assert set(report["summary"]["kinds"]) <= {"auth-event-missing", "state-unknown"}
    assert (found["state_differs"], found["extremities_differ"], found["unknown_states"]) == ([], None, {})
    refused = {event["event_id"] for event in found["agreed"]}
    assert refused <= {*room["rejected"], *room["soft_failed"]}
    if room["partial_state"] or not has_timeline(room):
        assert result.exit_code == 3
        return
    assert result.exit_code == 0
    assert refused == {*room["rejected"], *room["soft_failed"]}
    assert found["forward_extremities"] == sorted(room["forward_extremities"])
    assert set(found["gaps"]) <= set(room["outliers"])


def test_auth_agrees_with_the_server_on_every_event(recorded: Recorded, room_id: str) -> None:
    room = recorded.rooms[room_id]
    codes = Counter[int]()
    for event_id in room["events"]:
        arguments = ("--room", recorded.main, "--room", room_id, *recorded.also, event_id)
        answer = run("auth", *arguments, "--json")
        codes[answer.exit_code] += 1
        if answer.exit_code == 2:
            assert event_id in room["outliers"]
            assert "is an outlier that no event of the room is based on" in answer.stderr
            continue
        decided = "rejected" if event_id in room["rejected"] else "accepted"
        if event_id in room["soft_failed"]:
            decided = "soft-failed"
        assert {check.get("recorded") for check in json.loads(answer.stdout)} == {decided}
        # What is refused here was refused there.
        assert (answer.exit_code == 1) <= (decided != "accepted")
    refused = len(room["rejected"]) + len(room["soft_failed"])
    if room["partial_state"]:
        assert codes == PARTIAL
    elif not has_timeline(room):
        assert codes == {3: len(room["events"])}
    else:
        unused = UNUSED_OUTLIERS.get(room["name"], 0)
        assert codes == +Counter({0: len(room["events"]) - refused - unused, 1: refused, 2: unused})


def test_state_agrees_with_the_server_at_every_event(recorded: Recorded, room_id: str) -> None:
    room = recorded.rooms[room_id]
    of_room = ("--room", room_id, *recorded.also, "--json")
    assert set(room["state_after"]) == set(room["events"]) - set(room["outliers"])
    for event_id in room["state_after"]:
        answer = run("state", recorded.main, *of_room, "--at", event_id)
        document = json.loads(answer.stdout)
        if not room["partial_state"]:
            assert answer.exit_code == 0, answer.stderr
            assert {entry["event_id"] for entry in document} == state_after(room, event_id)
            continue
        assert answer.exit_code == 3
        known = {entry["event_id"]: entry["pdu"]["type"] for entry in document["state"]}
        assert known.keys() <= state_after(room, event_id)
        assert "m.room.power_levels" in known.values()
        assert document["unknown"]
    if not has_timeline(room):
        return
    answer = run("state", recorded.main, *of_room)
    assert answer.exit_code == (3 if room["partial_state"] else 0)
    if room["current_state"] and not room["partial_state"]:
        found = {entry["event_id"] for entry in json.loads(answer.stdout)}
        assert found == set(room["current_state"])


def test_resolve_agrees_with_the_server(recorded: Recorded, room_id: str) -> None:
    room = recorded.rooms[room_id]
    arguments = (recorded.main, "--room", room_id, *recorded.also, "--json")
    answer = run("resolve", *arguments)
    if room["partial_state"] or not has_timeline(room):
        assert answer.exit_code == 3
        return
    assert answer.exit_code == 0
    # Of a room that it has left, the server keeps no current state, but its ends and their states.
    ends = room["forward_extremities"]
    expected = set(room["current_state"]) or state_after(room, ends[0])
    assert {entry["event_id"] for entry in json.loads(answer.stdout)["state"]} == expected
    # The states after the prev events of an event resolve to the state before it.
    for event_id in room["state_after"]:
        answer = run("resolve", *arguments, "--at", event_id)
        assert answer.exit_code == 0, answer.stderr
        before = {entry["event_id"] for entry in json.loads(answer.stdout)["state"]}
        after = state_after(room, event_id)
        if event_id in after:
            assert after - before == {event_id}
            assert len(before - after) == len(before) - len(after) + 1  # what it replaced, if anything
        else:
            assert before == after


def test_each_kind_of_room_was_recorded(recorded: Recorded) -> None:
    rooms = {room["name"]: room for room in recorded.rooms.values()}
    assert sorted(rooms) == sorted(NAMES)
    for version in (1, 6, 10, 11, 12):
        local = rooms[f"local-v{version}"]
        counts = [len(local[key]) for key in ("rejected", "soft_failed", "forward_extremities")]
        assert counts == [4, 2, 2]
        assert local["redacted_by"]
    for name in ("late-v1", "late-v10"):
        assert len(rooms[name]["missing_prev_events"]) == 3
        assert rooms[name]["rejected"]
        assert rooms[name]["soft_failed"]
    assert [name for name, room in rooms.items() if room["partial_state"]] == ["partial-v11"]
    assert rooms["partial-v11"]["partial_state_events"]
    assert rooms["finished-v12"]["missing_prev_events"]
    assert rooms["finished-v12"]["partial_state_events"] == []
    assert rooms["left-v10"]["current_state"] == []
    assert {len(rooms[name]["state_after"]) for name in ("invited-v11", "turned-down-v12")} == {0}
