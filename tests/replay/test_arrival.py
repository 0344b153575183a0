"""What the check against the current state at an event's arrival read."""

import pytest
from hypothesis import HealthCheck, given, settings

from roomver import Event, StateMap, UnknownState, check_against_state, replay_room, select_auth_types
from roomver.policy import POLICY
from roomver.replay import Replay
from roomver.state import EventsOf, PartialState, Unknown

from .rooms import base_room, ids, merged_rooms, recorded
from .test_policy_server import with_policy

CREATE = ("m.room.create", "")


def read_of(event: Event, state: StateMap[str]) -> StateMap[str]:
    keys = {CREATE, POLICY, *select_auth_types(event)}
    return {key: state[key] for key in keys if key in state}


def holds(replayed: Replay, sample: list[str]) -> int:
    """Hold the entries to the current state at arrival; return how often the state before differs."""
    differ = 0
    for event_id in sample:
        entries = replayed.current_entries(event_id)
        check = replayed.current_check(event_id)
        assert (entries is None) == (check.allowed is None)
        if entries is None:
            continue
        event = replayed.events[event_id]
        verdict = check_against_state(event, EventsOf(entries, replayed.events))
        assert verdict.allowed is check.allowed
        if check.failure is not None:
            assert verdict == check.failure
        arrived = [replayed.events[one] for one in replayed.order[: replayed.order.index(event_id)]]
        current = replay_room(arrived).current_state
        before = replayed.state_before(event_id)
        if isinstance(current, dict):
            assert entries == read_of(event, current)
            differ += isinstance(before, dict) and entries != read_of(event, before)
    return differ


def test_it_read_the_current_state_of_a_recorded_room() -> None:
    replayed = replay_room(recorded("11")[1])
    assert holds(replayed, [*replayed.soft_failed, *replayed.order[::7]]) == len(replayed.soft_failed) > 0


@given(events=merged_rooms())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_it_read_the_current_state_at_its_arrival(events: list[Event]) -> None:
    replayed = replay_room(events)
    holds(replayed, replayed.order)


def test_the_policy_event_is_among_them() -> None:
    room, policy = with_policy("11")
    message = room.add("m.room.message", policy.sender, {"body": "x"})
    entries = replay_room(room.events.values()).current_entries(message.event_id)
    assert entries is not None
    assert entries[POLICY] == policy.event_id


def test_what_is_unknown_in_that_state_stays_unknown() -> None:
    room = base_room("11")
    gap = room.add("m.room.message", room.create.sender, {"body": "not received"})
    del room.events[gap.event_id]
    first = room.add("m.room.message", room.create.sender, {"body": "x"})
    second = room.add("m.room.message", room.create.sender, {"body": "y"})
    state = PartialState(ids(room.state), [Unknown("dropped", keys=frozenset([POLICY]))])
    replayed = replay_room(room.events.values(), given={first.event_id: state}, policy_server=False)
    entries = replayed.current_entries(second.event_id)
    assert isinstance(entries, PartialState)
    with pytest.raises(UnknownState):
        entries.get(POLICY)
