"""The states before and after events, merges, and the current state."""

import tracemalloc

import pytest
from builder import BOB, CAROL, VERSIONS

from roomver import MissingEvents, check_against_state, replay_room, resolve
from roomver.replay import Replay

from .rooms import TOPIC, Branches, base_room, ids, in_whole, recorded


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recorded_room_ends_in_what_its_server_believed(version: str) -> None:
    header, events = recorded(version)
    replayed = replay_room(events)
    assert replayed.current_state is not None
    assert sorted(replayed.current_state.values()) == sorted(header["state"])
    assert list(replayed.forward_extremities) == sorted(header["forward_extremities"])
    assert sorted(replayed.rejected) == sorted(header["rejected"])
    assert not replayed.gaps
    assert replayed.order == [event.event_id for event in events]
    assert replayed.rejected == {e for e, outcome in replayed.outcomes.items() if not outcome.accepted}


def state_after(replayed: Replay, event_id: str) -> dict[tuple[str, str], str]:
    """Return the state after an event, which must be known."""
    return in_whole(replayed.state_after(event_id))


@pytest.mark.parametrize("version", VERSIONS)
def test_each_state_before_an_event_is_resolved_from_the_states_after_its_prev_events(version: str) -> None:
    _, events = recorded(version)
    replayed = replay_room(events)
    for event in events:
        before = replayed.state_before(event.event_id)
        after = state_after(replayed, event.event_id)
        assert before is not None
        outcome = replayed.outcomes[event.event_id]
        states = [state_after(replayed, parent) for parent in dict.fromkeys(event.prev_event_ids)]
        assert before == resolve(states, replayed.events, rejected=replayed.rejected).state
        assert replayed.resolution_at(event.event_id).state == before
        if outcome.accepted and event.state_key is not None:
            assert after == {**before, (event.type, event.state_key): event.event_id}
        else:
            assert after == before
        if outcome.by_state is not None:
            events_before = {key: replayed.events[e] for key, e in before.items()}
            assert outcome.by_state == check_against_state(event, events_before)
            assert outcome.deciding == outcome.by_state
        else:
            assert outcome.deciding == outcome.by_auth_events
    at_the_end = replayed.resolution_at(None, algorithm=None)
    assert at_the_end.state == replayed.current_state
    assert at_the_end.steps is not None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_linear_room_has_no_merges(version: str) -> None:
    room = base_room(version)
    room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    replayed = replay_room(room.events.values())
    assert replayed.current_state == ids(room.state)
    assert replayed.merges == []
    assert replayed.resets() == []
    assert not replayed.rejected
    assert room.last is not None
    assert replayed.forward_extremities == (room.last.event_id,)
    assert replayed.state_before(room.create.event_id) == {}
    assert replayed.state_after(room.create.event_id) == ids({("m.room.create", ""): room.create})
    # An event that is not in the room is an error, not an event with an unknown state.
    for asked in (
        replayed.state_before,
        replayed.state_after,
        replayed.lacking,
        replayed.resolution_at,
    ):
        with pytest.raises(MissingEvents) as caught:
            asked("$nowhere")
        assert caught.value.event_ids == ("$nowhere",)


def test_a_replay_of_no_events_is_empty() -> None:
    replayed = replay_room([])
    assert replayed.current_state == {}
    assert replayed.forward_extremities == ()
    assert replayed.order == []
    assert replayed.resets() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_branches_that_change_different_keys_merge_to_both_changes(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    fork.branch()
    topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    fork.end()
    fork.branch()
    name = room.add("m.room.name", CAROL, {"name": "x"}, state_key="")
    fork.end()
    fork.branch()
    room.add("m.room.message", CAROL, {})
    fork.end()
    merge = fork.merge()
    replayed = replay_room(room.events.values())
    expected = {**ids(fork.state), TOPIC: topic.event_id, ("m.room.name", ""): name.event_id}
    assert replayed.state_before(merge.event_id) == expected
    (noted,) = replayed.merges
    assert noted.event_id == merge.event_id
    assert set(noted.parents) == {event.event_id for event in fork.ends}
    assert noted.keys == (("m.room.name", ""), TOPIC)
    assert noted.conflicted == 2
    resolution = replayed.resolution_at(merge.event_id)
    assert [resolution.why(key).event_id for key in noted.keys] == [name.event_id, topic.event_id]
    assert replayed.resets() == []


def test_events_after_the_same_branches_share_their_state() -> None:
    room = base_room("11")
    fork = Branches(room)
    for topic in ("1", "2"):
        fork.branch()
        room.add("m.room.topic", BOB, {"topic": topic}, state_key="")
        fork.end()
    merges = [fork.merge() for _ in range(50)]
    replayed = replay_room(room.events.values())
    assert len({replayed._before[merge.event_id] for merge in merges}) == 1
    assert len(replayed.merges) == 50


def test_states_share_memory() -> None:
    room = base_room("11")
    for number in range(400):
        room.join(f"@user{number}:many.example")
    events = list(room.events.values())
    events += [room.add("m.room.topic", BOB, {"topic": str(n)}, state_key="") for n in range(800)]
    tracemalloc.start()
    replayed = replay_room(events)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert replayed.current_state == ids(room.state)
    # A separate dict for each of 1,200 states would take some 40 MB.
    assert used < 10_000_000
