"""Soft failure."""

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Room, refuses
from played_rooms import agree_on_state

from roomver import Event, Verdict, replay_room, rules
from roomver.replay import Replay, Status
from roomver.state import PartialState, Unknown

from .rooms import LEVELS, TOPIC, Branches, base_room, ids, in_whole


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


def branch_that_may_be_soft_failed(version: str, last_by: str) -> tuple[Room, Event, Event, Event]:
    """Bob raises Carol's level (or sets a topic) beside his leave. Dave follows the leave.

    Bob's event is soft-failed. State resolution puts new levels first, so a merged state has them.
    Return the event at the fork, Dave's, and one that follows both branches and needs a level of 50.
    A message comes before the fork. Without it, the state at the fork is unknown unless it is given.
    """
    room = base_room(version, **{BOB: 100, CAROL: 0})
    room.join(DAVE)
    room.add("m.room.message", ALICE, {})
    fork = room.add("m.room.message", ALICE, {})
    state = dict(room.state)
    room.member(BOB, "leave", by=BOB)
    daves = room.add("m.room.message", DAVE, {})
    left, room.state = room.state, state
    if last_by == CAROL:
        users = {BOB: 100, CAROL: 100} | ({} if version == "12" else {ALICE: 100})
        branch = room.add("m.room.power_levels", BOB, {"users": users}, state_key="", prev=[fork])
        room.state = {**left, LEVELS: branch}
    else:
        branch = room.add("m.room.topic", BOB, {}, state_key="", prev=[fork])
        room.state = left
    acl = {"allow": ["*"]}
    last = room.add("m.room.server_acl", last_by, acl, state_key="", prev=[branch, daves])
    return room, fork, daves, last


def daves_join(whole: Replay, fork: Event) -> dict[str | None, list[str]]:
    """The join comes before the fork, whether it is in the given state or not."""
    return {fork.event_id: [in_whole(whole.state_before(fork.event_id))["m.room.member", DAVE]]}


def without_prev_of(event: Event, room: Room) -> list[Event]:
    return [other for other in room.events.values() if other.event_id not in event.prev_event_ids]


def without_daves_membership(whole: Replay, fork: Event) -> PartialState[str]:
    known = in_whole(whole.state_before(fork.event_id))
    dave = ("m.room.member", DAVE)
    del known[dave]
    return PartialState(known, [Unknown("dropped", keys=frozenset([dave]))])


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_an_event_that_follows_all_ends_may_still_be_soft_failed(version: str) -> None:
    room, fork, daves, last = branch_that_may_be_soft_failed(version, CAROL)
    whole = replay_room(room.events.values())
    assert whole.outcomes[last.event_id].accepted
    assert last.event_id in whole.soft_failed
    assert whole.forward_extremities == (daves.event_id,)
    # If Dave's event is undecided, so is whether Bob's is soft-failed, and hence Carol's.
    given = {fork.event_id: without_daves_membership(whole, fork)}
    part = replay_room(without_prev_of(fork, room), given=given, accepted=daves_join(whole, fork))
    assert part.outcomes[last.event_id].accepted
    assert part.soft_failed == {}
    assert not part.extremities_known
    assert isinstance(part.current_state, PartialState)
    assert part.current_state.known
    agree_on_state(part.current_state, whole.current_state)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_an_event_that_all_possible_states_allow_is_not_soft_failed(version: str) -> None:
    room, fork, daves, last = branch_that_may_be_soft_failed(version, ALICE)
    whole = replay_room(room.events.values())
    assert len(whole.soft_failed) == 1
    given = {fork.event_id: without_daves_membership(whole, fork)}
    part = replay_room(without_prev_of(fork, room), given=given, accepted=daves_join(whole, fork))
    assert part.outcomes[daves.event_id].status is Status.UNDECIDED
    assert part.soft_failed == {}
    assert part.extremities_known
    assert part.forward_extremities == whole.forward_extremities == (last.event_id,)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_a_missing_prev_event_does_not_spare_an_event_the_check(version: str) -> None:
    room = base_room(version)
    before = ids(room.state)
    auth = [room.state[key] for key in (("m.room.create", ""), LEVELS, ("m.room.member", BOB))]
    if version == "12":
        auth = auth[1:]
    ban = room.member(BOB, "ban", by=ALICE)
    missing = room.make("m.room.message", BOB, {}, prev=[ban], auth=auth)
    # Bob's server answers with the state before the ban, and cites an event that it does not send.
    topic = room.make("m.room.topic", BOB, {}, state_key="", prev=[ban, missing], auth=auth)
    events = [*room.events.values()]
    part = replay_room([*events, topic], given={topic.event_id: before})
    assert part.outcomes[topic.event_id].accepted
    # With the missing event, the events contradict the answer.
    whole = replay_room([*events, missing, topic], given={topic.event_id: before})
    assert whole.outcomes[topic.event_id].unknown == (("m.room.member", BOB),)
    assert whole.contradicted == {topic.event_id: (("m.room.member", BOB),)}
    check = part.current_check(topic.event_id)
    assert (check.allowed, check.made) == (None, True)
    assert not part.extremities_known
    assert part.current_state is None


def test_an_undecided_event_before_any_end_leaves_the_check_unknown() -> None:
    """A ban may have arrived before a message of the banned user, though no event is known to be an end."""
    room = base_room("11")
    state, base = ids(room.state), [*room.events.values()]
    last, before = room.last, dict(room.state)
    assert last is not None
    room.add("m.room.message", ALICE, {"n": 1})  # missing
    ban = room.member(BOB, "ban", by=ALICE)
    room.state = before
    missing = room.make("m.room.message", ALICE, {"n": 2}, prev=[last])
    beside = room.make("m.room.message", BOB, {"n": 3}, prev=[missing])
    events, outliers = [*base, ban, beside], [event.event_id for event in base]
    given = {beside.event_id: state}
    less = replay_room(events, given=given, outliers=outliers)
    assert less.outcomes[ban.event_id].status is Status.UNDECIDED
    assert less.current_unknown == [beside.event_id]
    assert less.current_check(beside.event_id).allowed is None
    more = replay_room(events, given={**given, ban.event_id: state}, outliers=outliers)
    assert more.current_check(beside.event_id).allowed is False
    # The first event that was received is checked against no current state.
    alone = replay_room([*base, beside], given=given, outliers=outliers)
    assert not alone.current_check(beside.event_id).made
