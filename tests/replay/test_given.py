"""States that the caller gives a replay."""

from random import Random

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS
from hypothesis import given
from hypothesis import strategies as st

from roomver import Event, MissingEvents, replay_room
from roomver.replay import Replay, Status
from roomver.resolution import RoomState
from roomver.state import PartialState, Unknown, entries_of

from .rooms import LEVELS, TOPIC, Branches, banned_beside_a_topic, base_room, ids, merged_rooms, recorded


@pytest.mark.parametrize("version", VERSIONS)
def test_a_gap_is_reported_and_a_given_state_bridges_it(version: str) -> None:
    room = base_room(version)
    gone = room.add("m.room.message", BOB, {})
    state = ids(room.state)
    after = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    last = room.add("m.room.message", CAROL, {})
    events = [event for event in room.events.values() if event is not gone]
    replayed = replay_room(events)
    # The state is unknown after the gap too: each event names the one it follows.
    assert replayed.gaps == {after.event_id: (gone.event_id,), last.event_id: (after.event_id,)}
    assert replayed.state_before(after.event_id) is None
    assert replayed.state_after(after.event_id) is None
    outcome = replayed.outcomes[after.event_id]
    # Its auth events allow it. The state before it may still refuse it, so nothing has decided.
    assert outcome.status is Status.UNDECIDED
    assert outcome.by_auth_events is not None
    assert outcome.by_auth_events.allowed
    assert outcome.by_state is None
    assert outcome.deciding is None
    with pytest.raises(MissingEvents) as caught:
        replayed.resolution_at(after.event_id)
    assert caught.value.event_ids == (gone.event_id,)
    bridged = replay_room(events, given={after.event_id: state})
    assert bridged.gaps == {}
    assert bridged.state_before(after.event_id) == state
    assert bridged.current_state == ids(room.state)
    assert bridged.forward_extremities == (last.event_id,)
    # If the prev events are known, what the given state contradicts is unknown.
    del state["m.room.join_rules", ""]
    whole = replay_room(room.events.values(), given={after.event_id: state})
    before = whole.state_before(after.event_id)
    assert isinstance(before, PartialState)
    assert before.known == state
    assert before.why_unknown(("m.room.join_rules", "")) is not None
    assert before.why_unknown(("m.room.member", "@nobody:n.example")) is None
    assert whole.contradicted == {after.event_id: (("m.room.join_rules", ""),)}


def test_a_given_state_of_missing_events_is_an_error() -> None:
    room = base_room("11")
    assert room.last is not None
    with pytest.raises(MissingEvents) as caught:
        replay_room(room.events.values(), given={room.last.event_id: {TOPIC: "$b", LEVELS: "$a"}})
    assert caught.value.event_ids == ("$a", "$b")


def test_a_given_current_state_changes_no_end_and_no_soft_failure() -> None:
    room = base_room("11")
    fork, base = dict(room.state), room.last
    ban = room.member(BOB, "ban", by=ALICE)
    current = ids(room.state)
    room.state = dict(fork)
    late = room.add("m.room.message", BOB, {}, prev=[base])
    whole = replay_room(room.events.values())
    assert set(whole.soft_failed) == {late.event_id}
    given = replay_room(room.events.values(), current=current)
    assert given.soft_failed == whole.soft_failed
    assert given.extremities_known
    assert given.forward_extremities == whole.forward_extremities == (ban.event_id,)
    # After a gap, nothing tells which events of the given state are ends.
    gone = room.events.pop(base.event_id) if base else None
    del current["m.room.member", CAROL]  # her join is the missing event
    part = replay_room(room.events.values(), current=current)
    assert gone is not None
    assert not part.extremities_known
    assert part.soft_failed == {}
    assert ban.event_id not in part.forward_extremities


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_before_an_event_does_not_have_the_event_itself(version: str) -> None:
    room = base_room(version)
    joined = dict(room.state)
    ban = room.member(BOB, "ban", by=ALICE)
    room.state = dict(joined)
    again = room.member(BOB, "join", prev=[ban])  # it cites the join before the ban
    held = ids(room.state)
    assert replay_room(room.events.values()).outcomes[again.event_id].status is Status.REJECTED_BY_STATE
    events = [event for event in room.events.values() if event is not ban]
    part = replay_room(events, given={again.event_id: held})
    assert part.outcomes[again.event_id].status is Status.UNDECIDED
    assert part.outcomes[again.event_id].unknown == (("m.room.member", BOB),)
    # With the ban, the prev events tell.
    whole = replay_room(room.events.values(), given={again.event_id: held})
    assert whole.outcomes[again.event_id].status is Status.REJECTED_BY_STATE


def test_equal_given_states_meet_without_a_merge() -> None:
    room = base_room("11")
    fork = Branches(room)
    given = {}
    for _ in range(2):
        fork.branch()
        given[room.add("m.room.message", ALICE, {}).event_id] = ids(fork.state)
        fork.end()
    merge = fork.merge()
    replayed = replay_room(room.events.values(), given=given)
    assert replayed.merges == []
    assert replayed.state_before(merge.event_id) == ids(fork.state)


def _answer_to_a_join(replayed: Replay, event_id: str) -> list[Event]:
    """Return what a server answers to a join: the state before it and its auth chain, and the join itself."""
    state = replayed.state_before(event_id)
    assert state is not None
    found: set[str] = set()
    todo = [event_id, *state.values()]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += replayed.events[one].auth_event_ids
    return [replayed.events[one] for one in replayed.order if one in found]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_room_joined_at_any_event_has_the_state_that_was_given(version: str) -> None:
    _, events = recorded(version)
    whole = replay_room(events)
    places = [e for e in whole.order if whole.outcomes[e].accepted and whole.state_before(e)]
    with_gaps = 0
    for event_id in places[::9]:
        given = whole.state_before(event_id)
        assert given is not None
        part = replay_room(_answer_to_a_join(whole, event_id), given={event_id: given})
        # The given state and its auth chain lie before the join, though no prev event says so.
        assert part.forward_extremities == (event_id,)
        assert part.current_state == part.state_after(event_id) == whole.state_after(event_id)
        assert part.soft_failed == {}
        # Without the join, the given state is the current state.
        answer = [event for event in part.events.values() if event.event_id != event_id]
        before = replay_room(answer, current=given)
        assert before.current_state == given
        assert before.resolution_at(None).state == given
        # Without a given state either, the state is unknown if events are missing.
        unknown = replay_room(answer)
        assert before.extremities_known is unknown.extremities_known
        assert before.forward_extremities == (unknown.forward_extremities if not unknown.gaps else ())
        if unknown.gaps:
            assert not before.extremities_known
            with_gaps += 1
            assert unknown.current_state is None
    assert with_gaps > 0


def test_a_given_state_may_hold_later_events() -> None:
    # Each topic is given a state that holds the other. No such state holds the oldest topic, so returning
    # to it is not a reset.
    room = base_room("11")
    oldest = room.add("m.room.topic", ALICE, {"topic": "0"}, state_key="")
    fork = Branches(room)
    fork.branch()
    room.member(BOB, "ban", by=ALICE)
    fork.end()
    fork.branch()
    one = room.add("m.room.topic", BOB, {"topic": "1"}, state_key="", prev=["$gone"])
    two = room.add("m.room.topic", BOB, {"topic": "2"}, state_key="", prev=[one, "$gone"])
    fork.end()
    merge = fork.merge()
    state = ids(fork.state)
    given = {one.event_id: {**state, TOPIC: two.event_id}, two.event_id: {**state, TOPIC: one.event_id}}
    replayed = replay_room(room.events.values(), given=given)
    assert replayed.resets() == []
    before = replayed.state_before(merge.event_id)
    assert before is not None
    assert before[TOPIC] == oldest.event_id


def test_a_given_state_may_hold_an_event_on_a_cycle() -> None:
    room = base_room("2")
    oldest = room.add("m.room.topic", ALICE, {"topic": "0"}, state_key="")
    own = "$own:a.example"
    cyclic = room.make("m.room.topic", ALICE, {}, state_key="", event_id=own, prev=[own])
    fork, topic, merge = banned_beside_a_topic(room)
    replayed = replay_room(
        [*room.events.values(), cyclic],
        given={topic.event_id: {**ids(fork.state), TOPIC: cyclic.event_id}},
    )
    assert replayed.resets() == []
    before = replayed.state_before(merge.event_id)
    assert before is not None
    assert before[TOPIC] == oldest.event_id


@given(merged_rooms(), st.randoms(use_true_random=False))
def test_with_a_given_state_the_order_of_arrival_changes_no_outcome(events: list[Event], rng: Random) -> None:
    event = rng.choice(events)
    known = {other.event_id for other in events}
    after = {event.event_id}
    for _ in events:
        after |= {e.event_id for e in events if after & {*e.prev_event_ids, *e.auth_event_ids}}
    older = [other for other in events if other.state_key is not None and other.event_id not in after]
    state = {(other.type, other.state_key or ""): other.event_id for other in older}
    shuffled = rng.sample(events, len(events))
    replays = [replay_room(some, given={event.event_id: state}) for some in (events, shuffled)]
    for replayed in replays:
        for gap in replayed.gaps:
            # An event that is known and decided is not reported as missing.
            for lack in replayed.lacking(gap):
                assert lack not in known or replayed.outcomes[lack].status is Status.CYCLIC
    assert replays[0].outcomes == replays[1].outcomes


@pytest.mark.parametrize("version", VERSIONS)
def test_a_rejected_event_of_a_given_state_is_checked_again_or_skipped(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    fork.branch()
    # It cites no power levels, so its sender has the level in the state but not in its auth events.
    cited = [("m.room.create", ""), ("m.room.member", BOB)][version == "12" :]
    auth = [room.state[key] for key in cited]
    refused = room.add("m.room.topic", BOB, {"topic": "r"}, state_key="", auth=auth, depth=99)
    room.state = dict(fork.state)
    room.last = fork.last
    first = room.add("m.room.message", ALICE, {}, prev=["$gone"])
    fork.end()
    fork.branch()
    topic = room.add("m.room.topic", BOB, {"topic": "2"}, state_key="")
    fork.end()
    merge = fork.merge()
    given = {first.event_id: {**ids(fork.state), TOPIC: refused.event_id}}
    # Version 1 tries the events by depth, and takes the first that is allowed. Versions 2 to 11 check the
    # rejected event first, because it is on no mainline. Version 12 checks it against its auth events again.
    outcome = {"1": "won", "12": "refused"}.get(version, "overwritten")
    for skip in (False, True):
        replayed = replay_room(room.events.values(), given=given, skip_rejected=skip)
        assert replayed.outcomes[refused.event_id].status is Status.REJECTED_BY_AUTH_EVENTS
        state = replayed.state_before(merge.event_id)
        assert state is not None
        resolution = replayed.resolution_at(merge.event_id)
        assert resolution.state == state
        candidates = {c.event_id: c.outcome for c in resolution.why(TOPIC).candidates}
        if skip:
            assert candidates == {refused.event_id: "not tried", topic.event_id: "won"}
        else:
            assert candidates[refused.event_id] == outcome
        winner = refused if version == "1" and not skip else topic
        assert state[TOPIC] == winner.event_id


@pytest.mark.parametrize("version", VERSIONS)
def test_a_given_state_may_hold_undecided_and_rejected_events(version: str) -> None:
    room = base_room(version)
    bobs = next(e for e in room.events.values() if (e.type, e.state_key) == ("m.room.member", BOB))
    undecided = room.add("m.room.topic", BOB, {}, state_key="")
    del room.state[TOPIC]
    rejected = room.add("m.room.topic", "@nobody:n.example", {}, state_key="")
    del room.state[TOPIC]
    del room.state["m.room.member", BOB]
    fork = Branches(room)
    given = {}
    for held in (undecided, rejected):
        fork.branch()
        held_by = room.add("m.room.message", ALICE, {})
        given[held_by.event_id] = {**ids(fork.state), TOPIC: held.event_id}
        fork.end()
    merge = fork.merge()
    events = [event for event in room.events.values() if event is not bobs]
    replayed = replay_room(events, given=given)
    # Version 1 reads only the topics and the state. Later versions need the auth events of the undecided
    # topic. Without them, the entries that the branches agree on are known, and no other key is.
    known = version == "1"
    agreed = ids(fork.state)
    agreed.pop(TOPIC, None)
    for state in (replayed.state_before(merge.event_id), replayed.current_state):
        assert state is not None
        assert isinstance(state, PartialState) != known
        if isinstance(state, PartialState):
            assert state.known == agreed
            assert state.why_unknown(TOPIC) is not None
    assert replayed.lacking(merge.event_id) == ([] if known else [bobs.event_id])
    assert replayed.lacking(None) == replayed.lacking(merge.event_id)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("held", [TOPIC, LEVELS])
def test_an_undecided_event_of_a_given_state_is_neither_skipped_nor_used(
    version: str, held: tuple[str, str]
) -> None:
    room = base_room(version)
    bobs = next(e for e in room.events.values() if (e.type, e.state_key) == ("m.room.member", BOB))
    content = {"users": {**({} if version == "12" else {ALICE: 100}), BOB: 50}} if held == LEVELS else {}
    cited = [("m.room.create", ""), LEVELS, ("m.room.member", ALICE)][version == "12" :]
    auth = [room.state[key] for key in cited]  # not the undecided event
    undecided = room.add(held[0], BOB, content, state_key="", depth=2)
    fork = Branches(room)
    given = {}
    for number in range(2):
        fork.branch()
        if held == LEVELS or not number:
            room.state[held] = undecided
        first = room.add("m.room.message", ALICE, {}, auth=auth)
        given[first.event_id] = ids(room.state)
        if held == LEVELS or number:
            room.add("m.room.topic", ALICE, {"n": number}, state_key="", auth=auth)
        fork.end()
    merge = fork.merge()
    without = [event for event in room.events.values() if event is not bobs]
    for state in given.values():
        state.pop(("m.room.member", BOB))
    part = replay_room(without, given=given, skip_rejected=True)
    assert part.outcomes[undecided.event_id].status is Status.UNDECIDED
    if version == "12" and held == LEVELS:
        # The checks begin with no state, and do not read it.
        assert isinstance(part.state_before(merge.event_id), dict)
        return
    before = part.state_before(merge.event_id)
    assert isinstance(before, PartialState)
    assert before.why_unknown(TOPIC) is not None
    with pytest.raises(MissingEvents) as caught:
        part.resolution_at(merge.event_id)
    # Bob's join would decide it.
    assert {undecided.event_id, bobs.event_id}.issuperset(caught.value.event_ids)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_auth_event_of_another_branch_stays_a_forward_extremity(version: str) -> None:
    room = base_room(version)
    fork = Branches(room)
    fork.branch()
    beside = room.power({"users": {**({} if version == "12" else {ALICE: 100}), BOB: 50, CAROL: 40}})
    fork.branch()
    create = [] if version == "12" else [room.create]
    auth = [*create, beside, room.state["m.room.member", ALICE]]
    room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="", auth=auth)
    gone = room.add("m.room.message", BOB, {})
    state = ids(room.state)
    last = room.add("m.room.message", BOB, {})
    whole = replay_room(room.events.values())
    assert set(whole.forward_extremities) == {beside.event_id, last.event_id}
    given = {last.event_id: state}
    assert replay_room(room.events.values(), given=given).forward_extremities == whole.forward_extremities
    # The missing event may follow the other branch.
    part = replay_room([event for event in room.events.values() if event is not gone], given=given)
    assert set(part.forward_extremities) == {beside.event_id, last.event_id}
    assert not part.extremities_known


def test_after_other_events_a_given_state_is_not_where_the_server_enters_the_room() -> None:
    room = base_room("11")
    joined = ids(room.state)
    base = room.last
    received = room.add("m.room.message", ALICE, {})
    ban = room.member(CAROL, "ban", by=ALICE)
    gone = room.make("m.room.message", BOB, {}, prev=[base])
    room.state["m.room.member", CAROL] = room.events[joined["m.room.member", CAROL]]
    last = room.add("m.room.message", CAROL, {}, prev=[gone, ban])
    events = [event for event in room.events.values() if event is not gone]
    given = {last.event_id: joined}
    # A resolution may undo the ban in the state before the event, and not in the current state.
    part = replay_room(events, given=given)
    assert part.outcomes[last.event_id].accepted
    assert part.current_check(last.event_id).allowed is None
    assert part.current_check(last.event_id).made
    assert part.current_unknown == [last.event_id]
    assert not part.extremities_known
    entered = replay_room([event for event in events if event not in (received, ban)], given=given)
    assert not entered.current_check(last.event_id).made
    assert entered.forward_extremities == (last.event_id,)
    assert entered.extremities_known


def test_a_server_tells_which_events_are_beside_the_rooms_graph() -> None:
    room = base_room("11")
    fork = Branches(room)
    fork.branch()
    beside = room.power({"users": {ALICE: 100, BOB: 50, CAROL: 40}})
    fork.branch()
    first = room.add("m.room.message", BOB, {})
    gone = room.add("m.room.message", BOB, {})
    state = {**ids(room.state), LEVELS: beside.event_id}
    last = room.add("m.room.message", BOB, {})
    events = [event for event in room.events.values() if event is not gone]
    given = {last.event_id: state}
    unsure = replay_room(events, given=given)
    assert not unsure.extremities_known
    assert isinstance(unsure.current_state, PartialState)
    assert entries_of(unsure.current_state) == {key: e for key, e in state.items() if key != LEVELS}
    # The missing event was never received. So it follows neither branch, and the given state replaces none.
    sure = replay_room(events, given=given, outliers=())
    assert sure.extremities_known
    assert set(sure.forward_extremities) == {beside.event_id, first.event_id, last.event_id}
    assert sure.current_state is not None
    # An outlier is never an extremity, though no event follows it.
    without = replay_room(events, given=given, outliers=[beside.event_id])
    assert set(without.forward_extremities) == {first.event_id, last.event_id}
    assert without.extremities_known
    # Without gaps and outliers, nothing differs.
    whole = replay_room(room.events.values())
    assert replay_room(room.events.values(), outliers=()).forward_extremities == whole.forward_extremities


def test_a_rejected_event_after_a_missing_one_leaves_a_servers_extremities_certain() -> None:
    room = base_room("11")
    gone = room.add("m.room.message", BOB, {})
    room.last = next(e for e in room.events.values() if e.event_id == gone.prev_event_ids[0])
    rejected = room.add("m.room.topic", "@nobody:n.example", {}, state_key="", prev=[gone])
    del room.state[TOPIC]
    room.last = rejected
    last = room.add("m.room.message", BOB, {})
    events = [event for event in room.events.values() if event is not gone]
    state = ids(room.state)
    given = {rejected.event_id: state, last.event_id: state}
    sure = replay_room(events, given=given, outliers=())
    assert sure.extremities_known
    assert last.event_id in sure.forward_extremities


@pytest.mark.parametrize("version", VERSIONS)
def test_given_states_that_share_structure_are_as_others(version: str) -> None:
    _, events = recorded(version)
    whole = replay_room(events)
    places = [e for e in whole.order if whole.state_before(e)][20::9]
    states = {event_id: whole.state_before(event_id) or {} for event_id in places}
    shared = dict(zip(states, RoomState.sharing(dict(s) for s in states.values()), strict=True))
    unknown = [Unknown("not told", keys=frozenset([("x", "y")]))]
    plain = replay_room(events, given={e: dict(state) for e, state in states.items()})
    alike = replay_room(events, given=shared)
    assert plain.outcomes == alike.outcomes
    assert plain.current_state == alike.current_state
    assert plain.resets() == alike.resets()
    in_part = [
        replay_room(events, given={e: PartialState(state, unknown) for e, state in some.items()})
        for some in ({e: dict(state) for e, state in states.items()}, shared)
    ]
    assert in_part[0].outcomes == in_part[1].outcomes
    assert in_part[0].current_state == in_part[1].current_state
    for event_id in plain.order:
        assert alike.state_before(event_id) == plain.state_before(event_id)
        assert alike.state_after(event_id) == plain.state_after(event_id)
    for event_id in places:
        assert alike.state_before(event_id) == states[event_id]
        assert in_part[0].state_before(event_id) == in_part[1].state_before(event_id)
