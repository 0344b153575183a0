"""Replays that follow the decisions of a server, or that resolve states with another algorithm."""

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, versions_from

from roomver import replay_room
from roomver.replay import Decisions, Status
from roomver.state import PartialState, entries_of
from roomver.versions import StateResolution

from .rooms import TOPIC, Branches, base_room, ids, recorded


@pytest.mark.parametrize("version", VERSIONS)
def test_the_decisions_of_the_recording_server_are_its_own_verdicts(version: str) -> None:
    header, events = recorded(version)
    decisions = Decisions(header["rejected"], header["soft_failed"])
    followed = replay_room(events, decisions=decisions)
    plain = replay_room(events)
    for event_id, outcome in followed.outcomes.items():
        assert outcome.own is outcome.ours is plain.outcomes[event_id].status
        assert outcome.deciding == plain.outcomes[event_id].deciding
    assert followed.rejected == set(header["rejected"])
    assert followed.current_state is not None
    assert sorted(followed.current_state.values()) == sorted(header["state"])
    assert list(followed.forward_extremities) == sorted(header["forward_extremities"])
    assert followed.soft_failed == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_one_disagreement_does_not_reject_the_events_that_depend_on_it(version: str) -> None:
    room = base_room(version)
    rejected = room.add("m.room.topic", "@nobody:n.example", {"topic": "x"}, state_key="")
    del room.state[TOPIC]
    levels = room.power({"users": {BOB: 100, CAROL: 100}}, by=BOB)
    allowed = room.add("m.room.name", CAROL, {"name": "n"}, state_key="")
    plain = replay_room(room.events.values())
    assert plain.rejected == {rejected.event_id, levels.event_id, allowed.event_id}
    followed = replay_room(room.events.values(), decisions=Decisions({rejected.event_id}))
    assert followed.rejected == {rejected.event_id}
    outcome = followed.outcomes[levels.event_id]
    assert (outcome.status, outcome.accepted) == (Status.ACCEPTED, True)
    assert outcome.own is Status.REJECTED_BY_AUTH_EVENTS
    assert outcome.deciding is not None
    assert not outcome.deciding.allowed
    assert followed.outcomes[rejected.event_id].status is Status.REJECTED_AS_RECORDED
    assert followed.outcomes[rejected.event_id].own is Status.REJECTED_BY_AUTH_EVENTS
    assert followed.current_state == ids(room.state)
    # The other way round, the server rejected what the rules allow.
    assert followed.outcomes[allowed.event_id].own is Status.ACCEPTED
    against = replay_room(room.events.values(), decisions=Decisions({rejected.event_id, allowed.event_id}))
    assert against.outcomes[allowed.event_id].status is Status.REJECTED_AS_RECORDED
    assert against.outcomes[allowed.event_id].own is Status.ACCEPTED
    assert against.current_state == {k: e for k, e in ids(room.state).items() if e != allowed.event_id}


def test_a_server_may_decide_what_is_undecided_here() -> None:
    room = base_room("11")
    gone = room.add("m.room.message", ALICE, {})
    after = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    uncited = room.make_member("@dave:d.example", "join")
    room.state["m.room.member", "@dave:d.example"] = uncited
    citing = room.add("m.room.message", "@dave:d.example", {})
    events = [event for event in room.events.values() if event is not gone]
    followed = replay_room(events, decisions=Decisions({citing.event_id}))
    for event_id in (after.event_id, citing.event_id):
        assert followed.outcomes[event_id].own is Status.UNDECIDED
        assert followed.outcomes[event_id].deciding is None
    assert followed.outcomes[after.event_id].status is Status.ACCEPTED
    assert followed.outcomes[citing.event_id].status is Status.REJECTED_AS_RECORDED
    # That does not tell the state there.
    assert followed.state_after(after.event_id) is None
    assert followed.current_state is None
    assert followed.lacking(None) == [gone.event_id]


@pytest.mark.parametrize("version", versions_from(2))
def test_the_events_that_a_server_soft_failed_are_no_forward_extremities(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    ends = []
    for sender in (ALICE, BOB):
        fork.branch()
        ends.append(room.add("m.room.message", sender, {}))
    events = room.events.values()
    every = tuple(sorted(event.event_id for event in ends))
    assert replay_room(events, decisions=Decisions()).forward_extremities == every
    for soft_failed, left in (ends, reversed(ends)):
        followed = replay_room(events, decisions=Decisions(soft_failed={soft_failed.event_id}))
        assert followed.forward_extremities == (left.event_id,)
        assert followed.outcomes[soft_failed.event_id].accepted


@pytest.mark.parametrize("version", VERSIONS)
def test_a_replay_resolves_with_another_algorithm(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    topics = []
    for depth, ts in ((9, 1), (8, 2)):
        fork.branch()
        topics.append(
            room.add("m.room.topic", ALICE, {}, state_key="", depth=depth, origin_server_ts=ts).event_id
        )
        fork.end()
    merge = fork.merge()
    # Version 1's algorithm takes the deepest topic, the others the latest.
    for algorithm, topic in (("v1", topics[0]), ("v2", topics[1]), (StateResolution.V2_1, topics[1])):
        replayed = replay_room(room.events.values(), algorithm=algorithm)
        before = replayed.state_before(merge.event_id)
        assert before is not None
        assert before[TOPIC] == topic
        assert replayed.resolution_at(merge.event_id).state == before
        again = replayed.resolution_at(merge.event_id, algorithm=StateResolution.V1)
        assert again.state[TOPIC] == topics[0]
    with pytest.raises(ValueError, match="v3"):
        replay_room(room.events.values(), algorithm="v3")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_rules_decide_about_events_that_the_server_did_not_decide_about(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    known = {*room.events}
    ban = room.member(BOB, "ban", by=ALICE)
    refused = room.add("m.room.message", BOB, {"n": 1})
    fork.branch()
    beside = room.add("m.room.message", BOB, {"n": 2})
    events = room.events.values()
    followed = replay_room(events, decisions=Decisions(events={*known, ban.event_id}))
    outcome = followed.outcomes[refused.event_id]
    assert (outcome.status, outcome.ours) == (Status.REJECTED_BY_AUTH_EVENTS, None)
    assert set(followed.soft_failed) == {beside.event_id}
    assert followed.current_check(beside.event_id).allowed is False
    assert followed.forward_extremities == (ban.event_id,)
    check = followed.current_check(ban.event_id)
    assert (check.allowed, check.made, check.why) == (None, False, "the recording server decides")
    # What it rejected or soft-failed, it decided about.
    for decisions in (
        Decisions(rejected={beside.event_id}, events=known),
        Decisions(rejected={beside.event_id, refused.event_id}),
    ):
        status = replay_room(events, decisions=decisions).outcomes[beside.event_id].status
        assert status is Status.REJECTED_AS_RECORDED
    every = replay_room(events, decisions=Decisions())
    assert every.outcomes[refused.event_id].accepted
    assert every.soft_failed == {}


def test_the_check_against_the_current_state_is_as_recorded() -> None:
    room = base_room("11")
    one = room.add("m.room.message", BOB, {})
    other = room.add("m.room.message", ALICE, {})
    followed = replay_room(room.events.values(), decisions=Decisions(soft_failed=[one.event_id]))
    check = followed.current_check(one.event_id)
    assert (check.allowed, check.made, check.why) == (False, True, "soft-failed, as recorded")
    assert check.failure is None
    check = followed.current_check(other.event_id)
    assert (check.allowed, check.made, check.why) == (None, False, "the recording server decides")
    assert followed.current_unknown == []
    rejected = replay_room(
        room.events.values(), decisions=Decisions(rejected=[one.event_id], soft_failed=[one.event_id])
    )
    assert not rejected.current_check(one.event_id).made


def test_a_missing_event_before_a_soft_failed_one_may_be_a_forward_extremity() -> None:
    """A soft-failed event takes no event's place, so what it follows may still be an end."""
    room = base_room("11")
    last = room.last
    gone = room.make("m.room.message", ALICE, {"n": 1}, prev=[last])
    soft = room.make("m.room.message", ALICE, {"n": 2}, prev=[gone])
    beside = room.make("m.room.message", ALICE, {"n": 3}, prev=[last])
    events = [*room.events.values(), gone, soft, beside]
    decisions = Decisions([], [soft.event_id])
    given = {soft.event_id: ids(room.state)}
    whole = replay_room(events, decisions=decisions, given=given)
    assert set(whole.forward_extremities) == {gone.event_id, beside.event_id}
    part = replay_room([event for event in events if event is not gone], decisions=decisions, given=given)
    assert not part.extremities_known
    assert isinstance(part.current_state, PartialState)
    assert entries_of(part.current_state) == ids(room.state)
    assert part.lacking(None) == [gone.event_id]
