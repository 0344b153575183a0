"""State resets."""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, versions_from

from roomver import Event, replay_room
from roomver.replay import Replay
from roomver.versions import StateResolution

from .rooms import TOPIC, Branches, banned_beside_a_topic, base_room, ids


def _reset_room(version: str) -> tuple[Branches, Event, Event, Event]:
    """Ban Bob on one branch, and let him set a new topic on the other.

    Return the branches, the ban, the old topic and the new one.
    """
    room = Room(version, signed=False)
    room.join(ALICE)
    levels: dict[str, Any] = {"users": {} if version == "12" else {ALICE: 100}}
    room.power(levels)
    room.join_rule("public")
    room.join(BOB)
    room.power({"users": {**levels["users"], BOB: 50}})
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = Branches(room)
    fork.branch()
    ban = room.member(BOB, "ban", by=ALICE)
    fork.end()
    fork.branch()
    new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    fork.end()
    return fork, ban, old, new


@pytest.mark.parametrize("version", VERSIONS)
def test_a_change_by_a_user_who_is_banned_on_another_branch_is_undone(version: str) -> None:
    fork, ban, old, new = _reset_room(version)
    merge = fork.merge()
    replayed = replay_room(fork.room.events.values())
    state = replayed.state_before(merge.event_id)
    assert state is not None
    assert state["m.room.member", BOB] == ban.event_id
    assert state[TOPIC] == old.event_id
    resets = [reset for reset in replayed.resets() if reset.key == TOPIC]
    assert [(r.merge, r.lost, r.restored, r.kept_by_v2_1) for r in resets] == [
        (merge.event_id, new.event_id, old.event_id, False)
    ]


def _outdated_member(version: str) -> tuple[Replay, Event, Event, Event]:
    """Replay problem A of MSC4297: the iterative checks of version 2 start with the unconflicted state, so
    events are checked against a state that is newer than they are.

    Carol leaves on both branches. Checked against the unconflicted state, her earlier topic is refused.
    Return the replay, the merge, the old topic, by Bob, and the new one, by Carol.
    """
    room = base_room(version)
    old = room.add("m.room.topic", BOB, {"topic": "old"}, state_key="")
    fork = Branches(room)
    new = room.add("m.room.topic", CAROL, {"topic": "new"}, state_key="")
    left = room.member(CAROL, "leave")
    fork.end()
    fork.branch()
    # The other branch follows her leave as well, and is given a state with the old topic.
    other = room.make("m.room.message", ALICE, {}, prev=[left, "$gone"])
    room.take(other)
    fork.end()
    state_there = {**ids(fork.state), ("m.room.member", CAROL): left.event_id, TOPIC: old.event_id}
    room.state = dict(fork.state)
    merge = room.make("m.room.message", ALICE, {}, prev=fork.ends)
    room.take(merge)
    replayed = replay_room(room.events.values(), given={other.event_id: state_there})
    return replayed, merge, old, new


@pytest.mark.parametrize("version", versions_from(2))
def test_version_12_avoids_a_reset_that_earlier_versions_make(version: str) -> None:
    replayed, merge, old, new = _outdated_member(version)
    state = replayed.state_before(merge.event_id)
    assert state is not None
    if version == "12":
        assert state[TOPIC] == new.event_id
        assert replayed.resets() == []
        return
    # In the unconflicted state Carol has left, so her topic is refused.
    assert state[TOPIC] == old.event_id
    (reset,) = replayed.resets()
    assert reset.merge == merge.event_id
    assert reset.key == TOPIC
    assert (reset.lost, reset.restored, reset.kept_by_v2_1) == (new.event_id, old.event_id, True)
    explained = replayed.resolution_at(reset.merge)
    assert explained.state == state
    why = explained.why(reset.key)
    outcomes = {candidate.event_id: candidate.outcome for candidate in why.candidates}
    assert outcomes == {old.event_id: "won", new.event_id: "refused"}
    again = replayed.resolution_at(reset.merge, algorithm=StateResolution.V2_1)
    assert again.state[TOPIC] == new.event_id


@pytest.mark.parametrize("version", versions_from(2))
def test_a_key_that_is_lost_is_a_reset_to_no_event(version: str) -> None:
    room = base_room(version)
    _, topic, merge = banned_beside_a_topic(room)
    replayed = replay_room(room.events.values())
    state = replayed.state_before(merge.event_id)
    assert state is not None
    assert TOPIC not in state
    found = [(r.merge, r.key, r.lost, r.restored) for r in replayed.resets()]
    assert found == [(merge.event_id, TOPIC, topic.event_id, None)]


def test_a_value_that_was_replaced_twice_is_older_but_a_rival_is_not() -> None:
    room = base_room("11")
    oldest = room.add("m.room.topic", ALICE, {"topic": "0"}, state_key="")
    fork = Branches(room)
    fork.branch()
    room.add("m.room.topic", BOB, {"topic": "1"}, state_key="")
    newest = room.add("m.room.topic", BOB, {"topic": "2"}, state_key="")
    fork.end()
    fork.branch()
    room.member(BOB, "ban", by=ALICE)
    fork.end()
    fork.branch()
    rival = room.add("m.room.name", CAROL, {"name": "1"}, state_key="")
    fork.end()
    fork.branch()
    second = room.add("m.room.name", CAROL, {"name": "2"}, state_key="", origin_server_ts=1)
    fork.end()
    merge = fork.merge()
    replayed = replay_room(room.events.values())
    # The names are rivals: one of them must lose, which is not a reset.
    steps = replayed.resolution_at(merge.event_id).steps
    assert steps is not None
    assert {rival.event_id, second.event_id} == set(steps.conflicted["m.room.name", ""])
    assert [(r.merge, r.key, r.lost, r.restored) for r in replayed.resets()] == [
        (merge.event_id, TOPIC, newest.event_id, oldest.event_id)
    ]


def test_a_value_that_a_merge_replaced_is_older_too() -> None:
    room = base_room("11")
    room.add("m.room.topic", ALICE, {"topic": "0"}, state_key="")
    fork = Branches(room)
    fork.branch()
    kept = room.add("m.room.topic", ALICE, {"topic": "kept"}, state_key="", origin_server_ts=10**12)
    fork.end()
    fork.branch()
    lost = room.add("m.room.topic", BOB, {"topic": "lost"}, state_key="", origin_server_ts=2 * 10**12)
    fork.end()
    first = fork.merge()
    # On a third branch Bob is banned after the topic that he replaced.
    fork.branch()
    room.last = kept
    ban = room.member(BOB, "ban", by=ALICE)
    fork.branch()
    second = room.add("m.room.message", ALICE, {}, prev=[first, ban])
    replayed = replay_room(room.events.values())
    before = [replayed.state_before(event.event_id) for event in (first, second)]
    assert [state and state[TOPIC] for state in before] == [lost.event_id, kept.event_id]
    assert [(r.merge, r.lost, r.restored) for r in replayed.resets() if r.key == TOPIC] == [
        (second.event_id, lost.event_id, kept.event_id)
    ]


def test_a_reset_at_the_forward_extremities_names_no_merge_event() -> None:
    fork, _, _, new = _reset_room("11")
    # Both ends are allowed by the current state, so neither is soft-failed.
    room = fork.room
    fork.ends = []
    room.last = room.events[new.event_id]
    room.state = {**fork.state, TOPIC: new}
    room.add("m.room.message", ALICE, {})
    replayed = replay_room(room.events.values())
    assert len(replayed.forward_extremities) == 2
    assert [(r.merge, r.key, r.lost) for r in replayed.resets()] == [(None, TOPIC, new.event_id)]
    assert replayed.merges[-1].event_id is None
    assert replayed.resolution_at(None).state == replayed.current_state
