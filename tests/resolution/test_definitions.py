"""State resolution compared with a literal transcription of its definitions, on random forks."""

from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, Room
from hypothesis import given
from hypothesis import strategies as st
from random_forks import Fork
from reference import resolution as reference

from roomver import RoomGraph, resolve
from roomver.versions import StateResolution

from .forks import Expected, assert_same, forks, graph_of, hostile_forks, resolve_fork


@given(forks, st.booleans())
def test_each_definition_is_met_without_a_graph(fork: Fork, skip_rejected: bool) -> None:
    assert_same(
        resolve_fork(fork, trace=True, skip_rejected=skip_rejected),
        Expected(fork, skip_rejected=skip_rejected),
    )


@given(forks, st.booleans(), st.randoms(use_true_random=False))
def test_each_definition_is_met_with_a_graph_that_grew_event_by_event(
    fork: Fork, skip_rejected: bool, rng: Random
) -> None:
    order = list(fork.events.values())
    rng.shuffle(order)
    graph = graph_of(fork, order)
    assert len(graph) == len(fork.events)
    resolution = resolve_fork(fork, graph=graph, trace=True, skip_rejected=skip_rejected)
    assert_same(resolution, Expected(fork, skip_rejected=skip_rejected))


@given(hostile_forks(st.just("12")))
def test_the_conflicted_state_subgraph_is_the_union_of_all_paths_between_conflicted_events(
    fork: Fork,
) -> None:
    expected = Expected(fork, enumerate_paths=True)
    assert_same(resolve_fork(fork, trace=True), expected)
    assert_same(resolve_fork(fork, graph=graph_of(fork), trace=True), expected)


@given(forks)
def test_an_event_in_every_state_is_not_in_the_auth_difference(fork: Fork) -> None:
    steps = resolve_fork(fork, trace=True).steps
    assert steps is not None
    assert steps.auth_difference.isdisjoint(steps.unconflicted.values())


@given(forks, st.sampled_from(StateResolution))
def test_the_algorithm_of_another_version_can_be_chosen(fork: Fork, algorithm: StateResolution) -> None:
    if algorithm is StateResolution.V1:
        expected = reference.resolve_v1(fork.state_sets, fork.events)
    else:
        v2_1 = algorithm is StateResolution.V2_1
        expected = reference.Resolution(fork.state_sets, fork.events, v2_1=v2_1, rejected=fork.rejected).state
    assert resolve_fork(fork, algorithm=algorithm).state == expected
    assert resolve_fork(fork, algorithm=algorithm, graph=graph_of(fork)).state == expected


@given(forks, st.booleans())
def test_the_algorithm_of_version_1_in_every_version_with_and_without_rejected_events(
    fork: Fork, skip: bool
) -> None:
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


@pytest.mark.parametrize("keeps_graph", [True, False])
@pytest.mark.parametrize("version", ["2", "12"])
def test_the_auth_difference_is_not_given_events_that_all_states_share(
    version: str, keeps_graph: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The power levels of one branch are in the auth chain of a member event that both states have.
    room = Room(version, signed=False)
    room.join(ALICE)
    room.power({"users_default": 1})
    room.join_rule("public")
    first = dict(room.state)
    cited = room.power({"users_default": 2})
    room.join(BOB)
    second = {**room.state, ("m.room.power_levels", ""): first["m.room.power_levels", ""]}
    states = [{key: event.event_id for key, event in state.items()} for state in (room.state, second)]
    given: list[set[str]] = []
    auth_difference = RoomGraph.auth_difference

    def checked(graph: RoomGraph, masks: Any, full: int, is_shared: Any, shared: Any = None) -> set[str]:
        assert not any(map(is_shared, masks))
        given.append(set(masks))
        found = auth_difference(graph, masks, full, is_shared, shared)
        assert found == set()
        return found

    monkeypatch.setattr(RoomGraph, "auth_difference", checked)
    graph = RoomGraph(room.events.values()) if keeps_graph else None
    resolve(states, room.events, graph=graph)
    # Only a graph of the caller leaves the conflicted event to the walk, which finds it in every auth chain.
    assert [cited.event_id in masks for masks in given] == [keeps_graph]
