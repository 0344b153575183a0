"""Long chains."""

from typing import Any

import pytest
from random_forks import hash_id, hostile_event

from roomver import RoomGraph, get_room_version, resolve

from .labelled import ALICE, Room


@pytest.mark.parametrize("version", ["11", "12"])
def test_a_long_chain_of_power_levels_is_resolved_without_recursion(version: str) -> None:
    length = 5_000
    room = Room(version)
    room.levels("P0", 3)
    for number in range(1, length):
        room.levels(f"P{number}", 3 + number, f"P{number - 1}")
    room.topic("T1", 5, "P0")
    room.topic("T2", 6, f"P{length - 1}")
    first, last = room.state("C MA P0 T1"), room.state(f"C MA P{length - 1} T2")
    resolution = resolve([first, last], room.events, trace=True)
    assert resolution.state == {**first, **last}
    assert resolution.steps is not None
    assert len(resolution.steps.mainline) == length
    # Here the chain is only the mainline of T2.
    again = resolve([{**last, **room.state("T1")}, last], room.events)
    assert again.state[("m.room.topic", "")] == room.id("T2")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["11", "12"])
def test_a_chain_of_100_000_power_levels_is_resolved(version: str) -> None:
    length = 100_000
    record = get_room_version(version)
    room_id = "!r:x" if version == "11" else "!" + hash_id("C")[1:]
    implied = [hash_id("C")] if version == "11" else []
    users = {ALICE: 100} if version == "11" else {}

    def event(label: str, kind: str, content: dict[str, Any], *cited: str, state_key: str = "") -> Any:
        auth = [] if kind == "m.room.create" else [*implied, *map(hash_id, cited)]
        prev = (hash_id("C"),) if kind == "m.room.member" else ()
        return hostile_event(
            record, hash_id(label), room_id, kind, ALICE, state_key, content, auth, prev=prev
        )

    events = [
        event("C", "m.room.create", {"room_version": version}),
        event("MA", "m.room.member", {"membership": "join"}, state_key=ALICE),
        event("0", "m.room.power_levels", {"users": users}, "MA"),
    ]
    events += [
        event(f"{n}", "m.room.power_levels", {"users": users}, "MA", f"{n - 1}") for n in range(1, length)
    ]
    events += [
        event("first", "m.room.topic", {}, "MA", "0"),
        event("last", "m.room.topic", {}, "MA", f"{length - 1}"),
    ]
    known = {e.event_id: e for e in events}
    agreed = {("m.room.create", ""): hash_id("C"), ("m.room.member", ALICE): hash_id("MA")}
    graph = RoomGraph(reversed(events))
    for levels in (("0", f"{length - 1}"), (f"{length - 1}",) * 2):
        states = [
            {**agreed, ("m.room.power_levels", ""): hash_id(level), ("m.room.topic", ""): hash_id(topic)}
            for level, topic in zip(levels, ("first", "last"), strict=True)
        ]
        for given in (None, graph):
            state = resolve(states, known, graph=given).state
            assert state["m.room.power_levels", ""] == hash_id(f"{length - 1}")
