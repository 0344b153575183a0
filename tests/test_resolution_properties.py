"""State resolution held to the literal transcription of its definitions, on random forks.

Every room version; two kinds of rooms: those in which the rules were kept and those in which nobody
keeps any.
"""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from hypothesis import assume, given
from hypothesis import strategies as st
from random_forks import Fork, citing, hostile_event, hostile_fork, likely_fork, shuffled_mapping
from reference import resolution as reference

from roomver import (
    CyclicGraph,
    Event,
    MissingEvents,
    RoomGraph,
    RoomverError,
    WrongRoom,
    get_room_version,
    resolve,
    resolve_steps,
)
from roomver.resolution import Resolution, RoomState
from roomver.versions import StateResolution

versions = st.sampled_from(VERSIONS)


@st.composite
def likely_forks(draw: st.DrawFn, versions: st.SearchStrategy[str] = versions) -> Fork:
    version, seed, length = draw(versions), draw(st.integers(0, 2**32)), draw(st.integers(0, 40))
    return likely_fork(Random(f"{version}/{seed}"), version, length)


@st.composite
def hostile_forks(draw: st.DrawFn, versions: st.SearchStrategy[str] = versions) -> Fork:
    version, length = draw(versions), draw(st.integers(1, 12))
    return hostile_fork(draw(st.randoms(use_true_random=False)), version, length)


forks = likely_forks() | hostile_forks()
later = st.sampled_from(VERSIONS[1:])
later_forks = likely_forks(later) | hostile_forks(later)


class _Expected:
    """What the definitions say: of version 1 the state alone."""

    def __init__(self, fork: Fork, *, skip_rejected: bool = False, **options: Any) -> None:
        self.steps: reference.Resolution | None = None
        self.events = fork.events
        if fork.version == "1":
            skipped = fork.rejected if skip_rejected else ()
            self.state = reference.resolve_v1(fork.state_sets, fork.events, skipped)
            return
        self.steps = reference.Resolution(
            fork.state_sets,
            fork.events,
            v2_1=fork.version == "12",
            rejected=fork.rejected,
            skip_rejected=skip_rejected,
            **options,
        )
        self.state = self.steps.state


def _resolve(fork: Fork, **options: Any) -> Resolution:
    return resolve(fork.state_sets, fork.events, **{"rejected": fork.rejected, **options})


def _graph(fork: Fork, order: Iterable[Event] | None = None) -> RoomGraph:
    """The graph of a whole room, grown event by event, in an order that is tried until it has parents
    first."""
    graph = RoomGraph()
    left = list(fork.events.values() if order is None else order)
    while left:
        for event in left:
            try:
                graph.add(event)
            except MissingEvents:
                continue
        left = [event for event in left if event.event_id not in graph]
    return graph


def _same(resolution: Resolution, expected: _Expected) -> None:
    """Assert that every intermediate result is the expected one."""
    assert resolution.state == expected.state
    wanted, steps = expected.steps, resolution.steps
    if steps is None or wanted is None or not wanted.conflicted:
        return
    assert steps.unconflicted == wanted.unconflicted
    conflicted = {e for by_id in steps.conflicted.values() for e in by_id}
    # The trace tells of conflicted events that nobody has as well; they are not tried.
    assert conflicted & expected.events.keys() == wanted.conflicted
    assert steps.auth_difference == wanted.auth_difference
    assert steps.conflicted_subgraph == wanted.subgraph
    assert steps.full_conflicted_set == wanted.full_conflicted_set
    assert list(steps.power_order) == wanted.power_order
    assert steps.partial_state == wanted.partial_state
    assert list(steps.mainline) == wanted.mainline
    assert list(steps.mainline_order) == wanted.mainline_order
    assert [(check.event_id, check.accepted) for check in steps.checks] == wanted.checks


# The definitions


@given(forks, st.booleans())
def test_each_definition_is_met_without_a_graph(fork: Fork, skip_rejected: bool) -> None:
    _same(
        _resolve(fork, trace=True, skip_rejected=skip_rejected), _Expected(fork, skip_rejected=skip_rejected)
    )


@given(forks, st.booleans(), st.randoms(use_true_random=False))
def test_each_definition_is_met_with_a_graph_that_grew_event_by_event(
    fork: Fork, skip_rejected: bool, rng: Random
) -> None:
    order = list(fork.events.values())
    rng.shuffle(order)
    graph = _graph(fork, order)
    assert len(graph) == len(fork.events)
    resolution = _resolve(fork, graph=graph, trace=True, skip_rejected=skip_rejected)
    _same(resolution, _Expected(fork, skip_rejected=skip_rejected))


@given(hostile_forks(st.just("12")))
def test_the_conflicted_state_subgraph_is_the_union_of_all_paths_between_conflicted_events(
    fork: Fork,
) -> None:
    expected = _Expected(fork, enumerate_paths=True)
    _same(_resolve(fork, trace=True), expected)
    _same(_resolve(fork, graph=_graph(fork), trace=True), expected)


@given(forks)
def test_an_event_in_every_state_is_not_in_the_auth_difference(fork: Fork) -> None:
    steps = _resolve(fork, trace=True).steps
    assert steps is not None
    assert steps.auth_difference.isdisjoint(steps.unconflicted.values())


@given(forks, st.sampled_from(StateResolution))
def test_another_algorithm_than_the_versions_own_can_be_asked_for(
    fork: Fork, algorithm: StateResolution
) -> None:
    if algorithm is StateResolution.V1:
        expected = reference.resolve_v1(fork.state_sets, fork.events)
    else:
        v2_1 = algorithm is StateResolution.V2_1
        expected = reference.Resolution(fork.state_sets, fork.events, v2_1=v2_1, rejected=fork.rejected).state
    assert _resolve(fork, algorithm=algorithm).state == expected
    assert _resolve(fork, algorithm=algorithm, graph=_graph(fork)).state == expected


# What must make no difference


@given(forks, st.randoms(use_true_random=False))
def test_the_order_of_states_entries_and_events_makes_no_difference(fork: Fork, rng: Random) -> None:
    resolution = _resolve(fork, trace=True)
    sets = [shuffled_mapping(rng, state) for state in fork.state_sets]
    rng.shuffle(sets)
    again = Fork(fork.version, shuffled_mapping(rng, fork.events), sets, fork.rejected)
    for graph in (None, _graph(again)):
        other = _resolve(again, graph=graph, trace=True)
        assert other.state == resolution.state
        assert resolution.steps is not None
        assert other.steps is not None
        assert other.steps.checks == resolution.steps.checks


@given(forks)
def test_a_trace_makes_no_difference(fork: Fork) -> None:
    plain = _resolve(fork)
    assert plain.steps is None
    assert plain.state == _resolve(fork, trace=True).state


@given(forks)
def test_a_state_twice_makes_no_difference(fork: Fork) -> None:
    twice = [*fork.state_sets, dict(fork.state_sets[0]), fork.state_sets[-1]]
    assert resolve(twice, fork.events, rejected=fork.rejected).state == _resolve(fork).state


@given(forks)
def test_a_state_resolved_with_itself_is_that_state(fork: Fork) -> None:
    for state in fork.state_sets:
        for states in ([state], [state, state], [state, dict(state)], [RoomState(state), dict(state)]):
            resolution = resolve(states, {}, trace=True)
            assert resolution.state == state
            assert resolution.state is not state
            assert resolution.steps is not None
            assert not resolution.steps.checks


@given(forks, st.randoms(use_true_random=False))
def test_states_that_share_structure_make_no_difference(fork: Fork, rng: Random) -> None:
    base = RoomState(fork.state_sets[0])
    states = []
    for state in fork.state_sets:
        changes: dict[tuple[str, str], str | None] = dict.fromkeys(fork.state_sets[0].keys() - state.keys())
        changes.update({key: e for key, e in state.items() if base.get(key) != e or rng.randrange(2)})
        states.append(base.changed(changes))
    expected = _resolve(fork).state
    resolved = resolve(states, fork.events, rejected=fork.rejected).state
    assert resolved == expected
    assert isinstance(resolved, RoomState)
    assert len(resolved) == len(expected)
    # These states are small, so that the changes are never laid into a dict of their own.
    assert all(resolved.shares_with(state) for state in states)
    assert RoomState.sharing(fork.state_sets) == fork.state_sets
    mixed = [s if rng.randrange(2) else d for s, d in zip(states, fork.state_sets, strict=True)]
    assert resolve(mixed, fork.events, rejected=fork.rejected).state == expected


@given(forks, st.booleans())
def test_the_inputs_are_not_changed(fork: Fork, with_graph: bool) -> None:
    sets = copy.deepcopy(fork.state_sets)
    events = dict(fork.events)
    pdus = {event_id: copy.deepcopy(event.pdu) for event_id, event in events.items()}
    rejected = set(fork.rejected)
    graph = _graph(fork) if with_graph else None
    resolution = resolve(
        fork.state_sets, fork.events, rejected=rejected, graph=graph, trace=True, ignore_missing=True
    )
    assert isinstance(resolution.state, dict)
    resolution.state.clear()
    assert fork.state_sets == sets
    assert list(map(list, fork.state_sets)) == list(map(list, sets))
    assert list(fork.events.items()) == list(events.items())
    assert {event_id: event.pdu for event_id, event in fork.events.items()} == pdus
    assert rejected == fork.rejected
    assert graph is None or len(graph) == len(events)


_IN_A_PROCESS = """
import json, sys
from random import Random
from random_forks import hostile_fork, likely_fork
from roomver import CyclicGraph, MissingEvents, RoomGraph, RoomverError, resolve
answers = []
for version in map(str, range(1, 13)):
    for make in (likely_fork, hostile_fork):
        for seed in range(4):
            fork = make(Random(f"{version}/{seed}"), version)
            for graph in (None, RoomGraph(fork.events.values())):
                resolution = resolve(fork.state_sets, fork.events, rejected=fork.rejected, graph=graph,
                                     trace=True)
                answers.append(list(map(list, resolution.state.items())))
                answers.append([str(resolution.why(key)) for key in resolution.steps.conflicted])
                answers.append([[*c[:3], str(c.verdict), *c[4:]] for c in resolution.steps.checks])
            few = dict(list(fork.events.items())[::2])
            try:
                resolve(fork.state_sets, few)
            except RoomverError as error:
                answers.append(str(error))
print(json.dumps(answers))
"""


def _run(seed: int) -> list[Any]:
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "PYTHONHASHSEED": str(seed),
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parent / "src")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS], env=environment, capture_output=True, check=True
    )
    answers: list[Any] = json.loads(done.stdout)
    return answers


def test_the_seed_of_hashes_makes_no_difference() -> None:
    first = _run(0)
    assert len(first) > 500
    assert _run(1) == first
    assert _run(4242) == first


# Events as they are needed


def _drive(
    steps: Any, store: dict[str, Event], seen: list[frozenset[str]], give: Callable[[str], bool]
) -> Resolution:
    try:
        wanted = next(steps)
        while True:
            assert isinstance(wanted, frozenset)
            assert wanted
            seen.append(wanted)
            wanted = steps.send({e: store[e] for e in wanted if e in store and give(e)})
    except StopIteration as done:
        resolution: Resolution = done.value
        return resolution


@given(forks, st.randoms(use_true_random=False), st.sampled_from(["nothing", "some", "everything"]))
def test_events_are_asked_for_as_they_are_needed(fork: Fork, rng: Random, at_hand: str) -> None:
    expected = _resolve(fork, trace=True)
    for graph in (None, _graph(fork)):
        events = None
        if at_hand != "nothing":
            events = {e: v for e, v in fork.events.items() if at_hand == "everything" or rng.randrange(2)}
        before = None if events is None else dict(events)
        seen: list[frozenset[str]] = []
        steps = resolve_steps(fork.state_sets, events, graph=graph, rejected=fork.rejected, trace=True)
        resolution = _drive(steps, fork.events, seen, lambda _: True)
        assert resolution == expected
        assert events == before
        asked = [event_id for wanted in seen for event_id in wanted]
        assert len(asked) == len(set(asked)), "nothing is asked for twice"
        assert before is None or before.keys().isdisjoint(asked)
        if at_hand == "everything":
            assert not asked


@given(later_forks, st.booleans())
def test_the_auth_difference_and_the_subgraph_can_be_handed_in(fork: Fork, subgraph_too: bool) -> None:
    resolution = _resolve(fork, trace=True)
    assert resolution.steps is not None
    seen: list[frozenset[str]] = []
    steps = resolve_steps(
        fork.state_sets,
        auth_difference=sorted(resolution.steps.auth_difference),
        conflicted_subgraph=sorted(resolution.steps.conflicted_subgraph) if subgraph_too else None,
        rejected=fork.rejected,
        trace=True,
    )
    assert _drive(steps, fork.events, seen, lambda _: True) == resolution
    if subgraph_too or fork.version != "12":
        # Of what is not in the full conflicted set, the auth events are enough, the mainlines, and the
        # entries that the rules look at.
        looked_at = {
            *resolution.steps.full_conflicted_set,
            *(a for e in resolution.steps.full_conflicted_set for a in _cited(fork, e)),
            *(e for e in resolution.steps.unconflicted.values()),
        }
        chains = {
            e
            for start in looked_at
            for e in reference.auth_chain(start, fork.events)
            if fork.events[e].type == "m.room.power_levels"
        }
        beside = {a for e in looked_at | chains for a in _cited(fork, e)}
        assert set().union(*seen) <= looked_at | chains | beside


def _cited(fork: Fork, event_id: str) -> list[str]:
    return reference.auth_events(fork.events[event_id], fork.events)


@given(later_forks)
def test_what_a_graph_is_not_asked_it_need_not_know(fork: Fork) -> None:
    """Handed in in full, the difference and the subgraph make the graph needless."""
    resolution = _resolve(fork, trace=True)
    assert resolution.steps is not None
    again = _resolve(
        fork,
        graph=RoomGraph(),
        auth_difference=resolution.steps.auth_difference,
        conflicted_subgraph=resolution.steps.conflicted_subgraph,
        trace=True,
    )
    assert again == resolution


# Missing events


@given(forks, st.data())
def test_missing_events_are_all_named(fork: Fork, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(fork.events)), min_size=1))
    events = {e: v for e, v in fork.events.items() if e not in gone}
    _, conflicted = reference.split(fork.state_sets)
    named: set[str] = set()
    try:
        resolution = resolve(fork.state_sets, events, rejected=fork.rejected)
    except MissingEvents as error:
        named.update(error.event_ids)
    else:
        assert resolution.state == _resolve(fork).state
    assert named <= gone
    # Of the conflicted events it could be told at once.
    assert not conflicted & gone or named == conflicted & gone


@given(forks, st.data())
def test_asking_again_for_what_was_missing_comes_to_an_end(fork: Fork, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(fork.events))))
    events = {e: v for e, v in fork.events.items() if e not in gone}
    for _ in range(len(gone) + 1):
        try:
            state = resolve(fork.state_sets, events, rejected=fork.rejected).state
            break
        except MissingEvents as error:
            events |= {event_id: fork.events[event_id] for event_id in error.event_ids}
    assert state == _resolve(fork).state


@given(forks, st.data())
def test_missing_events_are_passed_over_if_one_asks_for_it(fork: Fork, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(fork.events))))
    events = {e: v for e, v in fork.events.items() if e not in gone}
    known = Fork(fork.version, events, fork.state_sets, fork.rejected)
    # The version is told by the events: without any that is in conflict nothing can be resolved.
    _, conflicted = reference.split(fork.state_sets)
    assume(not conflicted or conflicted & events.keys())
    _same(_resolve(known, ignore_missing=True, trace=True), _Expected(known))


@given(hostile_forks(st.just("1")), st.booleans())
def test_version_1_keeps_an_event_that_no_state_contradicts_known_or_not(fork: Fork, all_gone: bool) -> None:
    events = {} if all_gone else {e: v for e, v in fork.events.items() if v.type != "m.room.member"}
    resolution = resolve(fork.state_sets, events, ignore_missing=True, algorithm=StateResolution.V1)
    assert resolution.state == reference.resolve_v1(fork.state_sets, events)


@given(forks)
def test_a_graph_that_lacks_conflicted_events_names_them(fork: Fork) -> None:
    _, conflicted = reference.split(fork.state_sets)
    assume(fork.version != "1" and conflicted)
    with pytest.raises(MissingEvents) as caught:
        resolve(fork.state_sets, fork.events, graph=RoomGraph())
    assert set(caught.value.event_ids) == conflicted


# Cycles, other rooms, and anything else


@st.composite
def forks_with_cycles(draw: st.DrawFn) -> Fork:
    """A room of version 2, in which senders choose event IDs, and so can cite what is not there yet."""
    fork = draw(hostile_forks(st.just("2")))
    ids = sorted(fork.events)
    for _ in range(draw(st.integers(1, 3))):
        event = fork.events[draw(st.sampled_from(ids))]
        cited = [*event.auth_event_ids, draw(st.sampled_from(ids))]
        fork.events[event.event_id] = citing(event, cited[-10:])
    return fork


@given(forks_with_cycles(), st.booleans(), st.booleans())
def test_cycles_are_named_or_do_no_harm(fork: Fork, handed_in: bool, trace: bool) -> None:
    """Where a cycle lies out of what is looked at, nothing is said; else it is named. It always ends."""
    options: dict[str, Any] = {}
    if handed_in:
        options = {"auth_difference": sorted(fork.events), "conflicted_subgraph": ()}
    named: set[str] = set()
    try:
        _resolve(fork, trace=trace, **options)
    except CyclicGraph as error:
        named.update(error.event_ids)
    assert named <= {a for e in named for a in _cited(fork, e)}, "on a cycle or between"


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
    # Handed in or in a graph that knows no events, and also where the graph is made here: it is made of
    # the chains of the conflicted events alone.
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


@pytest.mark.parametrize("with_graph", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_of_another_room_is_noticed_wherever_it_is_looked_at(version: str, with_graph: bool) -> None:
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
    assert resolve(states, events, graph=graph).state
    topic = ("m.room.topic", "")
    keys = [topic, ("m.room.power_levels", ""), ("m.room.member", BOB)]
    # Version 12 judges nothing by what the states agree on.
    for key in keys[:1] if version == "12" else keys:
        foreign = other.state.get(key) or other.add(key[0], ALICE, {}, state_key="")
        wrong = [{**state, key: foreign.event_id} for state in states]
        if key == topic:
            wrong[0] = states[0]
        with pytest.raises(RoomverError) as caught:
            resolve(wrong, {**events, **other.events}, graph=graph)
        # A graph that is of one room lacks the events of the other.
        assert isinstance(caught.value, WrongRoom | MissingEvents)
        assert with_graph or isinstance(caught.value, WrongRoom)


def test_the_smallest_of_the_events_of_another_room_is_named() -> None:
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
def test_a_graph_is_of_one_room_and_a_failure_binds_it_to_none(fork: Fork) -> None:
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


# Why


@given(forks, st.booleans())
def test_why_names_every_candidate_in_the_order_in_which_it_was_tried(fork: Fork, skip: bool) -> None:
    resolution = _resolve(fork, trace=True, skip_rejected=skip)
    steps = resolution.steps
    assert steps is not None
    keys = {*steps.conflicted, *steps.unconflicted, *(c.key for c in steps.checks), ("x", "y")}
    for key in keys:
        why = resolution.why(key)
        assert why.key == key
        assert why.event_id == resolution.state.get(key)
        tried = [check.event_id for check in steps.checks if check.key == key]
        assert [c.event_id for c in why.candidates if c.check is not None] == tried
        conflicted = set(steps.conflicted.get(key, {}))
        assert conflicted <= {c.event_id for c in why.candidates}
        for candidate in why.candidates:
            for index in range(len(fork.state_sets)):
                in_state = fork.state_sets[index].get(key) == candidate.event_id
                assert (index in candidate.states) == in_state
            assert candidate.outcome in ("won", "refused", "overwritten", "restored", "not tried")
            if candidate.check is None:
                assert candidate.outcome == "not tried" or candidate.event_id == why.event_id
            else:
                assert candidate.outcome != "not tried"
            if candidate.outcome == "won":
                assert candidate.event_id == why.event_id
            if candidate.outcome == "restored":
                assert candidate.by == why.event_id
            if candidate.check is not None and candidate.outcome == "refused":
                assert candidate.check.verdict is not None
                assert not candidate.check.verdict.allowed
        mine = [c.outcome for c in why.candidates if c.event_id == why.event_id]
        if mine and key in {*steps.conflicted, *steps.unconflicted}:
            # In version 1 the last is taken after all, where none is allowed.
            assert mine[-1] == "won"
        if key in steps.conflicted and why.event_id is not None:
            assert [c.outcome for c in why.candidates].count("won") == 1
        assert str(why).count("\n") == 1 + len(why.candidates)
        assert json.loads(json.dumps(why.to_dict()))["event_id"] == why.event_id


# Version 1 with what is not its own


@given(forks, st.booleans())
def test_the_algorithm_of_version_1_in_any_room_and_with_events_left_out(fork: Fork, skip: bool) -> None:
    resolved = resolve(
        fork.state_sets,
        fork.events,
        rejected=fork.rejected,
        skip_rejected=skip,
        algorithm=StateResolution.V1,
        trace=True,
    )
    skipped = fork.rejected if skip else ()
    assert resolved.state == reference.resolve_v1(fork.state_sets, fork.events, skipped)
