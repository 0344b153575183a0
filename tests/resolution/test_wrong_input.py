"""Cycles, and events of other rooms."""

from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from hypothesis import assume, given
from hypothesis import strategies as st
from random_forks import Fork, citing, hostile_event

from roomver import Event, MissingEvents, RoomGraph, WrongRoom, get_room_version, resolve
from roomver.errors import CyclicGraph

from .forks import cited_by, forks, hostile_forks, resolve_fork

# Cycles


@st.composite
def forks_with_cycles(draw: st.DrawFn) -> Fork:
    """Draw a room of version 2, in which senders choose event IDs and so can cite later events."""
    fork = draw(hostile_forks(st.just("2")))
    ids = sorted(fork.events)
    for _ in range(draw(st.integers(1, 3))):
        event = fork.events[draw(st.sampled_from(ids))]
        cited = [*event.auth_event_ids, draw(st.sampled_from(ids))]
        fork.events[event.event_id] = citing(event, cited[-10:])
    return fork


@given(forks_with_cycles(), st.booleans(), st.booleans())
def test_a_cycle_is_named_if_the_resolution_reads_it(fork: Fork, sets_given: bool, trace: bool) -> None:
    options: dict[str, Any] = {}
    if sets_given:
        options = {"auth_difference": sorted(fork.events), "conflicted_subgraph": ()}
    try:
        resolve_fork(fork, trace=trace, **options)
    except CyclicGraph as error:
        named = set(error.event_ids)
        assert named
        assert named <= {a for e in named for a in cited_by(fork, e)}, "on a cycle or between two"


def test_a_cycle_among_conflicted_events_is_named() -> None:
    fork = _cycle_of_levels()
    one = {("m.room.power_levels", ""): "$p:x"}
    other = {("m.room.power_levels", ""): "$q:x"}
    with pytest.raises(CyclicGraph) as caught:
        resolve([one, other], fork.events)
    assert caught.value.event_ids == ("$p:x", "$q:x")
    with pytest.raises(CyclicGraph) as caught:
        resolve([one, other], fork.events, auth_difference=())
    assert caught.value.event_ids == ("$p:x", "$q:x")
    with pytest.raises(CyclicGraph) as caught:
        RoomGraph(fork.events.values())
    assert caught.value.event_ids == ("$p:x", "$q:x")


def test_a_cycle_on_the_mainline_is_named() -> None:
    fork = _cycle_of_levels()
    agreed = {("m.room.create", ""): "$c:x", ("m.room.power_levels", ""): "$p:x"}
    one, other = {**agreed, ("m.room.topic", ""): "$t:x"}, agreed
    # The cycle is not in the graph: it is outside the auth chains of the conflicted events, from which
    # `resolve` builds a graph, and outside the graph that is given here.
    graph = RoomGraph()
    graph.extend({"$c:x": [], "$t:x": ["$c:x"]})
    options: list[dict[str, Any]] = [{}, {"auth_difference": ()}, {"graph": graph}]
    for more in options:
        with pytest.raises(CyclicGraph) as caught:
            resolve([one, other], fork.events, **more)
        assert caught.value.event_ids == ("$p:x", "$q:x")


def test_a_cycle_of_power_levels_off_the_mainline_is_named() -> None:
    fork = _cycle_of_levels()
    agreed = {("m.room.create", ""): "$c:x"}
    one, other = {**agreed, ("m.room.topic", ""): "$u:x"}, agreed
    with pytest.raises(CyclicGraph) as caught:
        resolve([one, other], fork.events, auth_difference=())
    assert caught.value.event_ids == ("$p:x", "$q:x")


def _cycle_of_levels() -> Fork:
    version = get_room_version("2")

    def event(name: str, kind: str, auth: list[str]) -> Event:
        content = {"room_version": "2", "creator": "@a:x"}
        return hostile_event(version, f"${name}:x", "!r:x", kind, "@a:x", "", content, auth)

    events = [
        event("c", "m.room.create", []),
        event("p", "m.room.power_levels", ["$c:x", "$q:x"]),
        event("q", "m.room.power_levels", ["$c:x", "$p:x"]),
        event("t", "m.room.topic", ["$c:x"]),
        event("u", "m.room.topic", ["$c:x", "$p:x"]),
    ]
    return Fork("2", {e.event_id: e for e in events}, [])


# Other rooms


@pytest.mark.parametrize("with_graph", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_of_another_room_is_an_error_wherever_it_is_read(version: str, with_graph: bool) -> None:
    rooms = []
    for name in ("one", "other"):
        content = {"room_version": version, "creator": ALICE, "x": name}
        rooms.append(Room(version, name=name, content=content, signed=False))
    for room in rooms:
        room.join(ALICE)
        room.power({"users": {BOB: 50} if version == "12" else {ALICE: 100, BOB: 50}})
        room.join_rule("public")
        room.join(BOB)
    one, other = rooms
    assert one.room_id != other.room_id
    before = dict(one.state)
    states = []
    for sender in (ALICE, BOB):
        one.state = dict(before)
        one.add("m.room.topic", sender, {"topic": sender}, state_key="")
        states.append({key: event.event_id for key, event in one.state.items()})
    graph = RoomGraph(one.events.values()) if with_graph else None
    events = {**one.events, **other.events}
    assert resolve(states, events, graph=graph).state.keys() == states[0].keys()
    topic = ("m.room.topic", "")
    keys = [topic, ("m.room.power_levels", ""), ("m.room.member", BOB)]
    # Version 12 does not check events against the unconflicted state.
    for key in keys[:1] if version == "12" else keys:
        foreign = other.state.get(key) or other.add(key[0], ALICE, {}, state_key="")
        wrong = [{**state, key: foreign.event_id} for state in states]
        if key == topic:
            wrong[0] = states[0]
        with pytest.raises(WrongRoom, match="others are in room"):
            resolve(wrong, {**events, **other.events}, graph=graph)


def test_the_smallest_event_id_of_another_room_is_named() -> None:
    rooms = [Room("11", name=name, signed=False) for name in ("one", "other")]
    events: dict[str, Event] = {}
    states = []
    for room in rooms:
        room.join("@alice:a.example", "@carol:a.example")
        events |= room.events
        states.append({key: event.event_id for key, event in room.state.items()})
    present = sorted({e for state in states for e in state.values()})
    first = events[present[0]].room_id
    foreign = min(e for e in present if events[e].room_id != first)
    with pytest.raises(WrongRoom, match=foreign.replace("$", r"\$")):
        resolve(states, events)


@given(forks)
def test_a_graph_holds_one_room_and_a_failed_addition_does_not_set_it(fork: Fork) -> None:
    other = Room("11", name="elsewhere", signed=False)
    graph = RoomGraph()
    lonely = next((e for e in fork.events.values() if e.auth_event_ids), None)
    assume(lonely is not None and lonely.room_id != other.room_id)
    assert lonely is not None
    with pytest.raises(MissingEvents):
        graph.add(lonely)
    with pytest.raises(MissingEvents):
        graph.add_all([lonely])
    with pytest.raises(WrongRoom):
        graph.add_all([other.create, lonely])
    assert len(graph) == 0
    graph.add(other.create)
    graph.add(other.create)
    assert len(graph) == 1
    assert other.create.event_id in graph
    with pytest.raises(WrongRoom):
        graph.add(lonely)
    assert len(graph) == 1
