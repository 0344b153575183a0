"""Soft failure."""

import pytest
from builder import ALICE, BOB, VERSIONS, refuses

from roomver import Verdict, replay_room, rules

from .rooms import TOPIC, Branches, base_room


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
        assert isinstance(verdict, Verdict)
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


def test_every_event_of_a_refused_branch_is_soft_failed() -> None:
    room = base_room("11")
    fork = Branches(room)
    fork.branch()
    ban = room.member(BOB, "ban", by=ALICE)
    fork.branch()
    messages = [room.add("m.room.message", BOB, {}).event_id for _ in range(40)]
    replayed = replay_room(room.events.values())
    assert replayed.forward_extremities == (ban.event_id,)
    assert replayed.current_state is not None
    assert replayed.current_state[("m.room.member", BOB)] == ban.event_id
    assert set(replayed.soft_failed) == set(messages)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_soft_failed_event_stays_so_after_its_branch_is_merged(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    fork.branch()
    room.member(BOB, "ban", by=ALICE)
    fork.end()
    fork.branch()
    topic = room.add("m.room.topic", BOB, {}, state_key="")
    fork.end()
    merge = fork.merge()
    replayed = replay_room(room.events.values())
    # It took no part in the current state when it arrived. An event that follows it is based on it.
    assert set(replayed.soft_failed) == {topic.event_id}
    assert replayed.forward_extremities == (merge.event_id,)
    after = replayed.state_after(topic.event_id)
    assert after is not None
    assert after[TOPIC] == topic.event_id


def test_an_event_between_two_changes_of_the_current_state_is_checked_at_its_arrival() -> None:
    room = base_room("11")
    fork = Branches(room)
    fork.branch()
    room.member(BOB, "ban", by=ALICE)
    ban, state = room.last, dict(room.state)
    fork.branch()
    late = room.add("m.room.message", BOB, {})
    # The ban is lifted after the late message has arrived. At the end of the room nothing refuses it.
    room.last, room.state = ban, state
    room.member(BOB, "leave", by=ALICE)
    back = room.member(BOB, "join", by=BOB)
    replayed = replay_room(room.events.values())
    assert set(replayed.soft_failed) == {late.event_id}
    assert replayed.forward_extremities == (back.event_id,)
