"""Many merges resolved once more: the same as each alone."""

from random import Random

import pytest
from builder import VERSIONS
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import Part, forget, played

from roomver import MissingEvents, UnknownState, replay_room
from roomver.replay import Replay
from roomver.state import entries_of, unknown_of
from roomver.versions import StateResolution

from .rooms import base_room


def assert_same_as_alone(replayed: Replay) -> None:
    merges = [merge.event_id for merge in replayed.merges]
    found = {one.event_id: one for one in replayed.resolve_again(merges)}
    assert found.keys() == {*merges}
    for event_id, one in found.items():
        try:
            alone = replayed.resolution_at(event_id)
        except (MissingEvents, UnknownState):
            assert one.resolution is None
            continue
        assert one.resolution is not None
        assert one.resolution.steps == alone.steps
        assert one.resolution.state == alone.state
        met = replayed.states_met(event_id)
        assert one.states.keys() == met.keys()
        for parent, state in met.items():
            assert dict(entries_of(one.states[parent])) == dict(entries_of(state))
            assert unknown_of(one.states[parent]) == unknown_of(state)


@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_merges_are_resolved_as_each_alone(version: str, seed: int) -> None:
    assert_same_as_alone(replay_room(played(Random(seed), version, 40, odd=True)))


@given(st.sampled_from(["1", "10", "12"]), st.integers(0, 2**32))
def test_merges_of_a_partial_room_are_resolved_as_each_alone(version: str, seed: int) -> None:
    rng = Random(seed)
    events = played(rng, version, 30, odd=True)
    whole = replay_room(events)
    gone = {one.event_id for one in rng.sample(events[8:], 3)}
    states = {}
    for one in events:
        state = whole.state_before(one.event_id)
        if state is not None and not gone.isdisjoint(one.prev_event_ids) and rng.randrange(3):
            states[one.event_id] = forget(rng, state, gone)
    part = Part([one for one in events if one.event_id not in gone], states, {})
    assert_same_as_alone(part.replay())


@pytest.mark.parametrize("algorithm", [None, StateResolution.V1, StateResolution.V2_1])
def test_the_algorithm_is_that_of_the_replay(algorithm: StateResolution | None) -> None:
    assert_same_as_alone(replay_room(played(Random(1), "11", 60), algorithm=algorithm))


def test_what_is_not_a_merge_is_left_open_or_resolved_alone() -> None:
    room = base_room("11")
    replayed = replay_room(room.events.values())
    last = room.last
    assert last is not None
    (unknown,) = replayed.resolve_again(["$nothing"])
    assert unknown.resolution is None
    (alone,) = replayed.resolve_again([last.event_id])
    assert alone.resolution is not None
    assert alone.resolution.state == replayed.state_before(last.event_id)
    assert list(replayed.resolve_again([])) == []
