"""Events that are missing, of another room, or on a cycle."""

import pytest
from builder import versions_from
from random_forks import hostile_event

from roomver import MissingEvents, WrongRoom, resolve
from roomver.errors import CyclicGraph

from .labelled import ALICE, LATER, Room


@pytest.mark.parametrize("version", versions_from(1))
def test_missing_conflicted_events_are_all_named(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3)
    for label in ("T1", "T2", "T3"):
        room.topic(label, 5, "P1")
    states = [room.state(f"C MA P1 {label}") for label in ("T1", "T2", "T3")]
    few = {e: event for e, event in room.events.items() if e not in (room.id("T1"), room.id("T3"))}
    with pytest.raises(MissingEvents) as caught:
        resolve(states, few)
    assert caught.value.event_ids == tuple(sorted([room.id("T1"), room.id("T3")]))
    assert room.of(resolve(states, few, ignore_missing=True)) == {"C", "MA", "P1", "T2"}


@pytest.mark.parametrize("version", LATER)
def test_without_any_events_the_unconflicted_state_is_left(version: str) -> None:
    room = Room(version)
    room.topic("T1", 5)
    room.topic("T2", 6)
    states = [room.state("C MA T1"), room.state("C MA T2")]
    assert room.of(resolve(states, {}, ignore_missing=True)) == {"C", "MA"}


@pytest.mark.parametrize("version", LATER)
def test_missing_power_levels_end_the_mainline_if_ignored(version: str) -> None:
    room = Room(version)
    room.levels("P0", 3)
    room.levels("P1", 4, "P0")
    room.topic("T1", 5, "P1")
    room.topic("T2", 6, "P0")
    states = [room.state("C MA P1 T1"), room.state("C MA P1 T2")]
    for gone in ({"P0"}, {"P0", "P1"}, {"P1"}):
        few = {e: event for e, event in room.events.items() if room.labels[e] not in gone}
        with pytest.raises(MissingEvents) as caught:
            resolve(states, few)
        assert set(room.named(caught.value.event_ids)) == gone
        resolution = resolve(states, few, ignore_missing=True, auth_difference=(), trace=True)
        assert resolution.steps is not None
        expected = [] if version == "12" or "P1" in gone else ["P1"]
        assert room.named(resolution.steps.mainline) == expected


def test_events_of_another_room_or_version_are_refused() -> None:
    one, other = Room("11"), Room("11")
    other.room_id = "!other:x"
    one.topic("T1", 5)
    other.topic("T2", 5)
    states = [one.state("C MA T1"), {**one.state("C MA"), **other.state("T2")}]
    with pytest.raises(WrongRoom, match=r"is in room !.*, version 11; others are in room !"):
        resolve(states, {**other.events, **one.events})
    third = Room("10")
    third.topic("T3", 5)
    states[1] = {**one.state("C MA"), **third.state("T3")}
    with pytest.raises(WrongRoom, match="version 10"):
        resolve(states, {**third.events, **one.events})


def test_a_create_event_of_another_room_in_an_auth_chain_is_refused() -> None:
    room = Room("11")
    room.levels("P1", 3)
    event = hostile_event(room.version, room.id("JX"), "!other:x", "m.room.join_rules", ALICE, "", {}, [])
    room.events[event.event_id] = event
    room.topic("T1", 5, "P1", "JX")
    with pytest.raises(WrongRoom, match="!other:x"):
        resolve([room.state("C MA P1 T1"), room.state("C MA P1")], room.events)


def test_events_that_cite_each_other_are_named() -> None:
    room = Room("2")
    room.topic("T1", 5, "T2")
    room.topic("T2", 5, "T1")
    with pytest.raises(CyclicGraph) as caught:
        resolve([room.state("C MA T1"), room.state("C MA T2")], room.events)
    assert caught.value.event_ids == ("$T1:x", "$T2:x")
