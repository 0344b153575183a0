"""What must make no difference to a resolution."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from random_forks import Fork, shuffled_mapping

from roomver import resolve
from roomver.resolution import RoomState

from .forks import forks, graph_of, resolve_fork


@given(forks, st.randoms(use_true_random=False))
def test_the_order_of_states_entries_and_events_makes_no_difference(fork: Fork, rng: Random) -> None:
    resolution = resolve_fork(fork, trace=True)
    sets = [shuffled_mapping(rng, state) for state in fork.state_sets]
    rng.shuffle(sets)
    again = Fork(fork.version, shuffled_mapping(rng, fork.events), sets, fork.rejected)
    for graph in (None, graph_of(again)):
        other = resolve_fork(again, graph=graph, trace=True)
        assert other.state == resolution.state
        assert resolution.steps is not None
        assert other.steps is not None
        assert other.steps.checks == resolution.steps.checks


@given(forks)
def test_a_trace_makes_no_difference(fork: Fork) -> None:
    plain = resolve_fork(fork)
    assert plain.steps is None
    assert plain.state == resolve_fork(fork, trace=True).state


@given(forks)
def test_a_repeated_state_makes_no_difference(fork: Fork) -> None:
    twice = [*fork.state_sets, dict(fork.state_sets[0]), fork.state_sets[-1]]
    assert resolve(twice, fork.events, rejected=fork.rejected).state == resolve_fork(fork).state


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
    expected = resolve_fork(fork).state
    resolved = resolve(states, fork.events, rejected=fork.rejected).state
    assert resolved == expected
    assert isinstance(resolved, RoomState)
    assert len(resolved) == len(expected)
    # These states are small, so their changes are never merged into a new dict.
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
    graph = graph_of(fork) if with_graph else None
    resolution = resolve(
        fork.state_sets, fork.events, rejected=rejected, graph=graph, trace=True, ignore_missing=True
    )
    assert fork.state_sets == sets
    assert list(map(list, fork.state_sets)) == list(map(list, sets))
    assert list(fork.events.items()) == list(events.items())
    assert {event_id: event.pdu for event_id, event in fork.events.items()} == pdus
    assert rejected == fork.rejected
    if graph is not None:
        assert len(graph) == len(events)
    # The resolved state is not an input in disguise.
    found = resolution.state.as_dict()
    for state in fork.state_sets:
        state.clear()
    assert resolution.state == found


_IN_A_PROCESS = """
import json, sys
from random import Random
from random_forks import hostile_fork, likely_fork
from roomver import MissingEvents, RoomGraph, RoomverError, resolve
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
    here = Path(__file__).parents[1]
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


def test_the_hash_seed_makes_no_difference() -> None:
    first = _run(0)
    assert len(first) > 500
    assert _run(1) == first
    assert _run(4242) == first
