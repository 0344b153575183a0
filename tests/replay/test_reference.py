"""The replay of whole rooms beside the reference, which receives each event as the specification says."""

from random import Random

import pytest
from builder import VERSIONS
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import agree, drawn_history, played, same_as_reference
from strategies import often

from roomver import replay_room
from roomver.replay import current_checks, open_states

from .rooms import banned_beside_a_topic, base_room, recorded


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_each_event_is_received_as_the_specification_says(version: str, seed: int) -> None:
    rng = Random(f"{version}/{seed}")
    same_as_reference(played(rng, version, rng.randrange(3, 30), odd=rng.random() < 0.3))


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_each_event_of_the_history_is_received_as_the_reference_receives_it(version: str, seed: int) -> None:
    rng = Random(f"{version}/{seed}")
    events = played(rng, version, rng.randrange(3, 30), odd=rng.random() < 0.3)
    same_as_reference(events, drawn_history(rng, events))


def test_a_random_history_changes_what_is_soft_failed_and_what_is_an_extremity() -> None:
    soft_failed, extremities = 0, 0
    for seed in range(60):
        rng = Random(f"history/{seed}")
        events = played(rng, VERSIONS[seed % len(VERSIONS)], 20)
        plain, found = same_as_reference(events), same_as_reference(events, drawn_history(rng, events))
        soft_failed += plain.soft_failed.keys() != found.soft_failed.keys()
        extremities += plain.extremities != found.extremities
    assert min(soft_failed, extremities) > 15


@pytest.mark.parametrize("version", VERSIONS)
def test_the_random_rooms_have_events_of_every_outcome(version: str) -> None:
    found = [same_as_reference(played(Random(f"{version}/{seed}"), version, 30)) for seed in range(12)]
    assert sum(len(replayed.by_auth_events) for replayed in found) > 0
    assert sum(len(replayed.by_state) for replayed in found) > 0
    assert sum(len(replayed.soft_failed) for replayed in found) > 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_branch_that_is_soft_failed_and_then_merged_is_received_likewise(version: str) -> None:
    room = base_room(version)
    _, topic, merge = banned_beside_a_topic(room)
    expected = same_as_reference(list(room.events.values()))
    assert expected.soft_failed.keys() == {topic.event_id}
    assert expected.extremities == {merge.event_id}


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_rooms_are_received_as_the_server_received_them(version: str) -> None:
    header, events = recorded(version)
    replayed = replay_room(events)
    assert sorted(replayed.rejected) == sorted(header["rejected"])
    assert sorted(replayed.soft_failed) == sorted(header["soft_failed"])
    assert sorted(replayed.forward_extremities) == sorted(header["forward_extremities"])
    assert replayed.current_state is not None
    assert set(replayed.current_state.values()) == {*header["state"]}


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_what_a_bound_leaves_out_is_unknown_and_all_else_is_as_without_it(version: str, seed: int) -> None:
    rng = Random(f"{version}/{seed}")
    events = played(rng, version, rng.randrange(3, 30), odd=rng.random() < 0.3)
    whole = replay_room(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(current_checks, "_COST", rng.choice([-100, 0, 5, 20]))
        patch.setattr(current_checks, "_COST_PER_EVENT", 0)
        patch.setattr(open_states, "_READS", rng.choice([0, 10, 100_000]))
        patch.setattr(open_states, "_READS_PER_EVENT", rng.choice([0, 2]))
        bounded = replay_room(events)
    agree(bounded, whole)
    assert bounded.current_unknown == [e for e in bounded.order if e in bounded.unchecked]
    assert bounded.extremities_known or bounded.unchecked
    assert whole.unchecked == {}
