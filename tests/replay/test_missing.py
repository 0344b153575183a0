"""Rooms in which events are missing."""

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS

from roomver import MissingEvents, Replay, Status, replay_room

from .rooms import LEVELS, Branches, base_room, ids, recorded


@pytest.mark.parametrize("version", VERSIONS)
def test_without_auth_events_an_event_is_undecided_and_so_is_what_cites_it(version: str) -> None:
    room = base_room(version)
    join = next(e for e in room.events.values() if (e.type, e.state_key) == ("m.room.member", BOB))
    topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    third = room.add("m.room.name", ALICE, {}, state_key="", auth=[room.create, topic])
    replayed = replay_room([event for event in room.events.values() if event is not join])
    outcome = replayed.outcomes[topic.event_id]
    assert outcome.status is Status.UNDECIDED
    assert not outcome.accepted
    assert outcome.missing == (join.event_id,)
    assert outcome.deciding is None
    assert replayed.outcomes[third.event_id].status is Status.UNDECIDED
    assert replayed.outcomes[third.event_id].missing == (topic.event_id,)
    assert {topic.event_id, third.event_id} <= replayed.rejected


@pytest.mark.parametrize("version", VERSIONS)
def test_whichever_event_is_missing_is_named_and_no_old_state_is_taken_for_the_current_one(
    version: str,
) -> None:
    _, events = recorded(version)
    whole = replay_room(events)
    assert whole.missing == {}
    for gone in events[::7]:
        part = replay_room([event for event in events if event is not gone])
        cited = {e for e in events if gone.event_id in (*e.auth_event_ids, *e.prev_event_ids)}
        assert part.missing.keys() <= {gone.event_id}
        assert part.missing or not cited
        unknown = [*part.gaps, *(e for e, o in part.outcomes.items() if o.status is Status.UNDECIDED)]
        for event_id in unknown:
            assert part.lacking(event_id) == [gone.event_id]
        if part.current_state is None:
            assert part.lacking(None) == [gone.event_id]
        elif cited and whole.outcomes[gone.event_id].accepted:
            # Known all the same: nothing at the end rests on it.
            assert not set(part.forward_extremities) & set(unknown)


@pytest.mark.parametrize("version", VERSIONS)
def test_beyond_a_hole_the_current_state_is_the_true_one_or_not_known(version: str) -> None:
    _, events = recorded(version)
    whole = replay_room(events)
    known = 0
    for gone in events[::3]:
        rest = [event for event in events if event is not gone]
        if not any(gone.event_id in e.prev_event_ids and whole.outcomes[e.event_id].accepted for e in rest):
            continue  # nothing says that it was there
        given = {}
        for event_id, lacks in replay_room(rest).gaps.items():
            if gone.event_id in lacks:
                given[event_id] = whole.state_before(event_id) or {}
        if any(gone.event_id in state.values() for state in given.values()):
            continue
        part = replay_room(rest, given=given)
        if part.current_state is None:
            # It may have followed one of the ends.
            assert part.lacking(None) == [gone.event_id]
        else:
            known += 1
            assert part.current_state == whole.current_state
    assert known


def test_many_ends_that_what_is_missing_may_follow_are_not_walked_from_one_by_one() -> None:
    room = base_room("11")
    gone = room.add("m.room.message", ALICE, {})
    bridged = room.add("m.room.message", ALICE, {})
    given = {bridged.event_id: ids(room.state)}
    events = [event for event in room.events.values() if event is not gone]

    def replayed_with(ends: int) -> Replay:
        made = [room.make("m.room.message", ALICE, {"n": n}, prev=[bridged]) for n in range(ends)]
        return replay_room([*events, *made], given=given)

    few, many = replayed_with(40), replayed_with(90)
    assert (len(few.forward_extremities), len(many.forward_extremities)) == (40, 90)
    assert few.current_state == ids(room.state)
    assert many.current_state is None
    assert many.lacking(None) == [gone.event_id]


def test_after_an_undecided_event_of_the_state_the_state_is_not_known() -> None:
    room = base_room("11")
    join = next(e for e in room.events.values() if (e.type, e.state_key) == ("m.room.member", BOB))
    levels = room.state[LEVELS]
    topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    last = room.add("m.room.message", ALICE, {})
    events = [event for event in room.events.values() if event is not join]
    assert levels in events
    replayed = replay_room(events)
    assert replayed.outcomes[topic.event_id].status is Status.UNDECIDED
    assert replayed.gaps[last.event_id] == (topic.event_id,)
    assert replayed.lacking(last.event_id) == [join.event_id]
    # An undecided event at the end may be an extremity, or not.
    ended = replay_room([event for event in events if event is not last])
    assert ended.current_state is None
    assert topic.event_id not in ended.forward_extremities
    assert ended.lacking(None) == [join.event_id]


def test_without_its_create_event_nothing_is_known_of_a_room() -> None:
    room = base_room("11")
    replayed = replay_room([event for event in room.events.values() if event is not room.create])
    assert replayed.current_state is None
    assert replayed.forward_extremities == ()
    assert replayed.lacking(None) == [room.create.event_id]
    assert replayed.lacking(*replayed.events) == [room.create.event_id]


def test_an_end_beyond_a_gap_is_kept_without_a_state() -> None:
    room = base_room("11")
    fork = Branches(room)
    good = room.add("m.room.message", ALICE, {})
    fork.branch()
    gone = room.add("m.room.message", CAROL, {})
    beyond = room.add("m.room.message", CAROL, {})
    replayed = replay_room([event for event in room.events.values() if event is not gone])
    assert set(replayed.forward_extremities) == {good.event_id, beyond.event_id}
    # What is missing may have changed the state, or not.
    assert replayed.current_state is None
    assert replayed.lacking(None) == [gone.event_id]
    assert replayed.missing == {gone.event_id: (beyond.event_id,)}
    with pytest.raises(MissingEvents) as caught:
        replayed.resolution_at(None)
    assert caught.value.event_ids == (gone.event_id,)
