"""The replay of whole rooms beside the reference, which receives each event as the specification says."""

from random import Random

import pytest
from builder import VERSIONS
from hypothesis import given
from hypothesis import strategies as st
from reference.replay import Replayed, replay
from strategies import often
from test_knowledge import played

from roomver import Event, replay_room
from roomver.replay import Status

from .rooms import banned_beside_a_topic, base_room, recorded


def same(events: list[Event]) -> Replayed:
    """Replay a room with both, and compare everything that both say."""
    replayed, expected = replay_room(events), replay(events)
    assert replayed.order == [event.event_id for event in events]
    statuses = {event.event_id: Status.ACCEPTED for event in events}
    statuses |= dict.fromkeys(expected.by_auth_events, Status.REJECTED_BY_AUTH_EVENTS)
    statuses |= dict.fromkeys(expected.by_state, Status.REJECTED_BY_STATE)
    assert {event_id: outcome.status for event_id, outcome in replayed.outcomes.items()} == statuses
    for event_id, after in expected.after.items():
        assert replayed.state_after(event_id) == after
    assert set(replayed.soft_failed) == expected.soft_failed
    assert not any(verdict.allowed for verdict in replayed.soft_failed.values())
    assert replayed.forward_extremities == tuple(sorted(expected.extremities))
    assert replayed.extremities_known
    assert replayed.current_state == expected.current_state()
    return expected


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_each_event_is_received_as_the_specification_says(version: str, seed: int) -> None:
    rng = Random(f"{version}/{seed}")
    same(played(rng, version, rng.randrange(3, 30)))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_random_rooms_have_events_of_every_outcome(version: str) -> None:
    found = [same(played(Random(f"{version}/{seed}"), version, 30)) for seed in range(12)]
    assert sum(len(replayed.by_auth_events) for replayed in found) > 0
    assert sum(len(replayed.by_state) for replayed in found) > 0
    assert sum(len(replayed.soft_failed) for replayed in found) > 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_branch_that_is_soft_failed_and_then_merged_is_received_likewise(version: str) -> None:
    room = base_room(version)
    _, topic, merge = banned_beside_a_topic(room)
    expected = same(list(room.events.values()))
    assert expected.soft_failed == {topic.event_id}
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
