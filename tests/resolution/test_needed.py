"""The events that a resolution requests, on random forks."""

from collections import ChainMap
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_forks import Fork, likely_fork
from reference import resolution as reference

from roomver import Event, MissingEvents, RoomGraph, resolve, resolve_steps
from roomver.resolution import KnownEvents, Resolution, run_steps
from roomver.versions import StateResolution

from .forks import Expected, assert_same, cited_by, forks, graph_of, hostile_forks, later_forks, resolve_fork

# Requests


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
def test_events_are_requested_as_they_are_needed(fork: Fork, rng: Random, at_hand: str) -> None:
    expected = resolve_fork(fork, trace=True)
    for graph in (None, graph_of(fork)):
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
        assert len(asked) == len(set(asked)), "no event is requested twice"
        if before is not None:
            assert before.keys().isdisjoint(asked)
        if at_hand == "everything":
            assert not asked


@given(later_forks, st.booleans())
def test_the_caller_can_give_the_auth_difference_and_the_subgraph(fork: Fork, subgraph_too: bool) -> None:
    resolution = resolve_fork(fork, trace=True)
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
        # Outside the full conflicted set, only auth events, mainlines and the entries that the rules read are
        # needed.
        looked_at = {
            *resolution.steps.full_conflicted_set,
            *(a for e in resolution.steps.full_conflicted_set for a in cited_by(fork, e)),
            *(e for e in resolution.steps.unconflicted.values()),
        }
        chains = {
            e
            for start in looked_at
            for e in reference.auth_chain(start, fork.events)
            if fork.events[e].type == "m.room.power_levels"
        }
        beside = {a for e in looked_at | chains for a in cited_by(fork, e)}
        assert set().union(*seen) <= looked_at | chains | beside


@given(later_forks)
def test_with_the_auth_difference_and_the_subgraph_the_graph_is_not_read(fork: Fork) -> None:
    resolution = resolve_fork(fork, trace=True)
    assert resolution.steps is not None
    again = resolve_fork(
        fork,
        graph=RoomGraph(),
        auth_difference=resolution.steps.auth_difference,
        conflicted_subgraph=resolution.steps.conflicted_subgraph,
        trace=True,
    )
    assert again == resolution


# Missing events


@given(forks, st.data())
def test_missing_events_are_named(fork: Fork, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(fork.events)), min_size=1))
    events = {e: v for e, v in fork.events.items() if e not in gone}
    _, conflicted = reference.split(fork.state_sets)
    try:
        resolution = resolve(fork.state_sets, events, rejected=fork.rejected)
    except MissingEvents as error:
        named = set(error.event_ids)
        assert named
        assert named <= gone
        # Missing conflicted events are known at once, so all of them are named.
        if conflicted & gone:
            assert named == conflicted & gone
    else:
        assert not conflicted & gone
        assert resolution.state == resolve_fork(fork).state


@given(forks, st.data())
def test_adding_the_missing_events_again_and_again_comes_to_an_end(fork: Fork, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(fork.events))))
    events = {e: v for e, v in fork.events.items() if e not in gone}
    for _ in range(len(gone) + 1):
        try:
            state = resolve(fork.state_sets, events, rejected=fork.rejected).state
            break
        except MissingEvents as error:
            events |= {event_id: fork.events[event_id] for event_id in error.event_ids}
    assert state == resolve_fork(fork).state


@given(forks, st.data())
def test_missing_events_are_ignored_on_request(fork: Fork, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(fork.events))))
    events = {e: v for e, v in fork.events.items() if e not in gone}
    known = Fork(fork.version, events, fork.state_sets, fork.rejected)
    # The room version comes from the events, so at least one conflicted event must be known.
    _, conflicted = reference.split(fork.state_sets)
    assume(not conflicted or conflicted & events.keys())
    assert_same(resolve_fork(known, ignore_missing=True, trace=True), Expected(known))


@given(hostile_forks(st.just("1")), st.booleans())
def test_version_1_keeps_an_event_that_no_state_contradicts_known_or_not(fork: Fork, all_gone: bool) -> None:
    events = {} if all_gone else {e: v for e, v in fork.events.items() if v.type != "m.room.member"}
    resolution = resolve(fork.state_sets, events, ignore_missing=True, algorithm=StateResolution.V1)
    assert resolution.state == reference.resolve_v1(fork.state_sets, events)


@given(forks)
def test_conflicted_events_that_are_missing_from_the_graph_are_named(fork: Fork) -> None:
    _, conflicted = reference.split(fork.state_sets)
    assume(fork.version != "1" and conflicted)
    with pytest.raises(MissingEvents) as caught:
        resolve(fork.state_sets, fork.events, graph=RoomGraph())
    assert set(caught.value.event_ids) == conflicted


@given(st.integers(0, 5), st.integers(0, 9), st.randoms(use_true_random=False))
def test_fetched_events_are_read_from_one_dict_unless_most_were_passed_in(
    passed_in: int, fetched: int, rng: Random
) -> None:
    """A ChainMap is several times slower to read, and a resolution reads events all the time."""
    fork = likely_fork(Random(1), "11")
    ids = sorted(fork.events)[: passed_in + fetched]
    at_hand = {event_id: fork.events[event_id] for event_id in ids[:passed_in]}
    before = dict(at_hand)
    known = KnownEvents(at_hand, ignore_missing=False)
    wanted = ids[passed_in:]
    while wanted:
        batch = wanted[: rng.randrange(1, 4)]
        wanted = wanted[len(batch) :]
        held = known.events
        run_steps(known.need(batch), lambda ids: {e: fork.events[e] for e in ids})
        if isinstance(held, ChainMap):
            assert all(event_id in held for event_id in batch), "it may be in use"
    assert dict(known.events) == {event_id: fork.events[event_id] for event_id in ids}
    assert at_hand == before
    assert (type(known.events) is dict) == (fetched == 0 or passed_in <= fetched)


def test_a_caller_that_keeps_the_events_itself_needs_no_second_mapping() -> None:
    fork = likely_fork(Random(1), "11")
    kept: dict[str, Event] = {}
    known = KnownEvents(kept, ignore_missing=False)

    def fetch(ids: frozenset[str]) -> dict[str, Event]:
        kept.update((event_id, fork.events[event_id]) for event_id in ids)
        return kept

    run_steps(known.need(sorted(fork.events)[:5]), fetch)
    assert known.events is kept
