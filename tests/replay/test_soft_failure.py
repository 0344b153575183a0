"""Soft failure."""

import pytest
from builder import ALICE, BOB, VERSIONS

from roomver import replay_room

from .rooms import Branches, base_room


@pytest.mark.parametrize("version", VERSIONS)
def test_an_end_that_the_current_state_refuses_is_soft_failed(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    fork.branch()
    ban = room.member(BOB, "ban", by=ALICE)
    fork.branch()
    # Bob's server builds on what was before his ban, more than once.
    first = room.add("m.room.message", BOB, {})
    second = room.add("m.room.message", BOB, {})
    replayed = replay_room(room.events.values())
    assert set(replayed.soft_failed) == {first.event_id, second.event_id}
    assert not any(verdict.allowed for verdict in replayed.soft_failed.values())
    assert replayed.rejected == set()
    assert replayed.forward_extremities == (ban.event_id,)
    assert replayed.current_state is not None
    assert replayed.current_state[("m.room.member", BOB)] == ban.event_id
    # Came they before the ban, they stand.
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


def test_a_branch_that_is_refused_for_long_is_left() -> None:
    room = base_room("11")
    fork = Branches(room)
    fork.branch()
    ban = room.member(BOB, "ban", by=ALICE)
    fork.branch()
    for _ in range(40):
        room.add("m.room.message", BOB, {})
    replayed = replay_room(room.events.values())
    assert ban.event_id in replayed.forward_extremities
    assert replayed.current_state is not None
    assert replayed.current_state[("m.room.member", BOB)] == ban.event_id
    assert 0 < len(replayed.soft_failed) < 40
