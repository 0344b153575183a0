"""Soft failure."""

import pytest
from builder import ALICE, BOB, VERSIONS, refuses

from roomver import replay_room, rules

from .rooms import Branches, base_room


@pytest.mark.parametrize("version", VERSIONS)
def test_events_that_the_current_state_refuses_are_soft_failed(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    fork.branch()
    ban = room.member(BOB, "ban", by=ALICE)
    fork.branch()
    # Bob's server sends two events after the state before his ban.
    first = room.add("m.room.message", BOB, {})
    second = room.add("m.room.message", BOB, {})
    replayed = replay_room(room.events.values())
    assert set(replayed.soft_failed) == {first.event_id, second.event_id}
    for verdict in replayed.soft_failed.values():
        refuses(verdict, rules.SENDER_NOT_JOINED)
    assert replayed.rejected == set()
    assert replayed.forward_extremities == (ban.event_id,)
    assert replayed.current_state is not None
    assert replayed.current_state[("m.room.member", BOB)] == ban.event_id
    # If they arrive before the ban, they stand.
    events = [event for event in room.events.values() if event is not ban]
    earlier = replay_room([*events, ban])
    assert earlier.soft_failed == {}
    assert set(earlier.forward_extremities) == {ban.event_id, second.event_id}
    # Without soft failure the order of arrival does not matter.
    for arrived in (room.events.values(), [*events, ban]):
        plain = replay_room(arrived, soft_failure=False)
        assert plain.soft_failed == {}
        assert set(plain.forward_extremities) == {ban.event_id, second.event_id}
        assert plain.current_state == earlier.current_state


def test_at_most_the_last_16_events_of_a_refused_branch_are_soft_failed() -> None:
    room = base_room("11")
    fork = Branches(room)
    fork.branch()
    ban = room.member(BOB, "ban", by=ALICE)
    fork.branch()
    messages = [room.add("m.room.message", BOB, {}).event_id for _ in range(40)]
    replayed = replay_room(room.events.values())
    # What is left of the branch stays.
    assert set(replayed.forward_extremities) == {ban.event_id, messages[23]}
    assert replayed.current_state is not None
    assert replayed.current_state[("m.room.member", BOB)] == ban.event_id
    assert set(replayed.soft_failed) == set(messages[-16:])
