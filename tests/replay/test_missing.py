"""Rooms in which events are missing."""

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS
from played_rooms import agree_on_state

from roomver import MissingEvents, replay_room
from roomver.replay import Replay, Status
from roomver.state import PartialState, entries_of

from .rooms import LEVELS, Branches, base_room, ids, recorded


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_without_its_auth_events_is_undecided_and_so_are_events_that_cite_it(version: str) -> None:
    room = base_room(version)
    join = next(e for e in room.events.values() if (e.type, e.state_key) == ("m.room.member", BOB))
    topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    carols = next(e for e in room.events.values() if (e.type, e.state_key) == ("m.room.member", CAROL))
    third = room.add("m.room.name", ALICE, {}, state_key="", auth=[room.create, topic])
    replayed = replay_room([event for event in room.events.values() if event is not join])
    outcome = replayed.outcomes[topic.event_id]
    assert outcome.status is Status.UNDECIDED
    assert not outcome.accepted
    assert outcome.missing == (join.event_id,)
    assert outcome.deciding is None
    assert replayed.outcomes[third.event_id].status is Status.UNDECIDED
    assert replayed.outcomes[third.event_id].missing == (topic.event_id,)
    # Carol's join follows the missing one, so the state before it is unknown.
    assert replayed.undecided == {carols.event_id, topic.event_id, third.event_id}
    assert replayed.rejected == set()
    assert repr(replayed).endswith(", 3 of them not accepted>")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_event_is_named_and_an_old_state_is_not_taken_for_the_current_one(version: str) -> None:
    _, events = recorded(version)
    whole = replay_room(events)
    assert whole.missing == {}
    for gone in events[::7]:
        part = replay_room([event for event in events if event is not gone])
        citing = {e.event_id for e in events if gone.event_id in (*e.auth_event_ids, *e.prev_event_ids)}
        if version == "12" and gone.type == "m.room.create":
            citing = {e.event_id for e in events if e is not gone}  # which their room ID names
        missing = {event_id: set(cited_by) for event_id, cited_by in part.missing.items()}
        assert missing == ({gone.event_id: citing} if citing else {})
        unknown = [*part.gaps, *(e for e, o in part.outcomes.items() if o.status is Status.UNDECIDED)]
        for event_id in unknown:
            assert part.lacking(event_id) == [gone.event_id]
        if part.current_state is None:
            assert part.lacking(None) == [gone.event_id]
        elif citing and whole.outcomes[gone.event_id].accepted:
            # The state is known all the same, because no forward extremity depends on it.
            assert not set(part.forward_extremities) & set(unknown)


@pytest.mark.parametrize("version", VERSIONS)
def test_after_a_gap_the_current_state_is_right_or_unknown(version: str) -> None:
    _, events = recorded(version)
    whole = replay_room(events)
    known = 0
    for gone in events[::3]:
        rest = [event for event in events if event is not gone]
        if not any(gone.event_id in e.prev_event_ids and whole.outcomes[e.event_id].accepted for e in rest):
            continue  # no accepted event says that it exists
        given = {}
        for event_id, lacks in replay_room(rest).gaps.items():
            if gone.event_id in lacks:
                given[event_id] = whole.state_before(event_id) or {}
        if any(gone.event_id in state.values() for state in given.values()):
            continue
        part = replay_room(rest, given=given)
        if isinstance(part.current_state, dict):
            known += 1
            assert part.current_state == whole.current_state
        else:
            # The missing event may follow one of the ends, or an end may be soft-failed.
            assert part.lacking(None) == [gone.event_id]
            agree_on_state(part.current_state, whole.current_state)
    assert known > 0


def test_a_missing_event_that_comes_before_every_end_leaves_the_current_state_known() -> None:
    room = base_room("11")
    gone = room.add("m.room.message", ALICE, {})
    bridged = room.add("m.room.message", ALICE, {})
    given = {bridged.event_id: ids(room.state)}
    events = [event for event in room.events.values() if event is not gone]

    def replayed_with(ends: int) -> Replay:
        made = [room.make("m.room.message", ALICE, {"n": n}, prev=[bridged]) for n in range(ends)]
        return replay_room([*events, *made], given=given)

    for ends in (1, 90):
        replayed = replayed_with(ends)
        assert len(replayed.forward_extremities) == ends
        assert replayed.extremities_known
        assert replayed.current_state == ids(room.state)
    # An end beside them may be followed by the missing event.
    fork = room.make("m.room.message", ALICE, {"n": "fork"}, prev=[room.events[gone.prev_event_ids[0]]])
    replayed = replay_room([*events, fork], given=given)
    assert set(replayed.forward_extremities) == {bridged.event_id, fork.event_id}
    assert not replayed.extremities_known
    # Whichever of the two are ends, the state has the entries that it has after both.
    assert isinstance(replayed.current_state, PartialState)
    assert entries_of(replayed.current_state) == ids(room.state)
    assert replayed.lacking(None) == [gone.event_id]


@pytest.mark.parametrize(("bound", "known"), [(0, False), (1, True)])
def test_a_missing_event_beyond_the_bound_may_follow_every_end(
    bound: int, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roomver.replay.holes._HOLES", bound)
    room = base_room("11")
    gone = room.add("m.room.message", ALICE, {})
    bridged = room.add("m.room.message", ALICE, {})
    events = [event for event in room.events.values() if event is not gone]
    replayed = replay_room(events, given={bridged.event_id: ids(room.state)})
    assert replayed.extremities_known == known
    assert isinstance(replayed.current_state, dict if known else PartialState)
    assert entries_of(replayed.current_state) == ids(room.state)
    assert replayed.lacking(None) == ([] if known else [gone.event_id])


def test_after_an_undecided_state_event_the_state_is_unknown() -> None:
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
    # An undecided event at the end may or may not be a forward extremity.
    ended = replay_room([event for event in events if event is not last])
    assert ended.current_state is None
    assert topic.event_id not in ended.forward_extremities
    assert ended.lacking(None) == [join.event_id]


def test_without_the_create_event_the_current_state_is_unknown() -> None:
    room = base_room("11")
    replayed = replay_room([event for event in room.events.values() if event is not room.create])
    assert replayed.current_state is None
    assert replayed.forward_extremities == ()
    assert replayed.lacking(None) == [room.create.event_id]
    assert replayed.lacking(*replayed.events) == [room.create.event_id]


def test_an_event_after_a_gap_may_be_a_forward_extremity() -> None:
    room = base_room("11")
    fork = Branches(room)
    good = room.add("m.room.message", ALICE, {})
    fork.branch()
    gone = room.add("m.room.message", CAROL, {})
    beyond = room.add("m.room.message", CAROL, {})
    replayed = replay_room([event for event in room.events.values() if event is not gone])
    # The event after the gap may be refused by the state before it.
    assert replayed.forward_extremities == (good.event_id,)
    assert not replayed.extremities_known
    assert replayed.current_state is None
    assert replayed.lacking(None) == [gone.event_id]
    assert replayed.missing == {gone.event_id: (beyond.event_id,)}
    with pytest.raises(MissingEvents) as caught:
        replayed.resolution_at(None)
    assert caught.value.event_ids == (gone.event_id,)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_event_counts_if_only_a_rejected_event_cites_it_that_others_follow(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    ban = room.member(BOB, "ban", by=ALICE)
    refused = [room.add("m.room.message", "@nobody:n.example", {"n": n}) for n in range(2)]
    banned = dict(room.state)
    fork.branch()
    beside = room.add("m.room.message", BOB, {})
    room.state = banned
    after = room.add("m.room.message", ALICE, {}, prev=refused[1:])
    whole = replay_room(room.events.values())
    assert whole.rejected == {event.event_id for event in refused}
    assert set(whole.soft_failed) == {beside.event_id}
    events = [event for event in room.events.values() if event is not ban]
    for given in ({}, {after.event_id: {k: e for k, e in ids(banned).items() if e != ban.event_id}}):
        part = replay_room(events, given=given)
        check = part.current_check(beside.event_id)
        assert check.allowed is None
        assert check.missing == (ban.event_id,)
        assert not part.extremities_known
        assert part.lacking(None) == [ban.event_id]
    # What only rejected events follow may be made up.
    alone = replay_room(event for event in events if event is not after)
    assert alone.current_check(beside.event_id).allowed is True
    assert alone.forward_extremities == (beside.event_id,)
    assert alone.extremities_known
