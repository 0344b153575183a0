"""States known in part in resolutions and replays, rule by rule. `test_knowledge` has the properties."""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Room, State, versions_from
from played_rooms import STRANGE, agree, agree_on_state

from roomver import Event, MissingEvents, UnknownState, replay_room, resolve
from roomver.replay import Replay, Status
from roomver.state import PartialState, Unknown, entries_of, unknown_of
from roomver.types import EventId, StateKey


def levels(version: str) -> dict[str, Any]:
    users = {} if version == "12" else {ALICE: 100}
    return {"users": {**users, BOB: 50}}


def base_room(version: str = "11") -> Room:
    room = Room(version, signed=False)
    room.join(ALICE)
    room.power(levels(version))
    room.join_rule("public")
    room.join(BOB, CAROL)
    return room


def ids(state: State) -> dict[StateKey, EventId]:
    return {key: event.event_id for key, event in state.items()}


TOPIC, NAME, LEVELS = ("m.room.topic", ""), ("m.room.name", ""), ("m.room.power_levels", "")


def two_topics(room: Room) -> list[dict[StateKey, EventId]]:
    state = dict(room.state)
    states = []
    for sender in (ALICE, BOB):
        room.state = dict(state)
        room.add("m.room.topic", sender, {"topic": sender}, state_key="")
        states.append(ids(room.state))
    return states


@pytest.mark.parametrize("version", VERSIONS)
def test_states_that_are_not_unknown_in_the_same_way_are_not_resolved(version: str) -> None:
    room = base_room(version)
    whole = two_topics(room)
    one, other = Unknown.members(), Unknown.members()
    without = [{key: e for key, e in state.items() if key != ("m.room.member", CAROL)} for state in whole]
    expected = resolve(whole, room.events).state
    # Carol's membership is the same in both, whatever it is, and it does not matter.
    same = resolve([PartialState(state, [one]) for state in without], room.events).state
    assert isinstance(same, PartialState)
    assert same.unknown == (one,)
    assert same.known == {key: e for key, e in expected.items() if key != ("m.room.member", CAROL)}
    for states in (
        [PartialState(without[0], [one]), PartialState(without[1], [other])],
        [PartialState(without[0], [one]), whole[1]],
        [whole[0], PartialState(without[1], [one])],
        [PartialState(without[0], [one]), PartialState(without[1], [one, other])],
    ):
        with pytest.raises(UnknownState, match="the states may differ in what is unknown"):
            resolve(states, room.events)
    # What one state knows and another does not may differ.
    with pytest.raises(UnknownState) as caught:
        resolve([PartialState(whole[0], [one]), PartialState(without[1], [one])], room.events)
    assert caught.value.keys == (("m.room.member", CAROL),)
    assert "in some of the states; members omitted" in str(caught.value)


@pytest.mark.parametrize("version", versions_from(1)[:11])
def test_a_resolution_that_reads_an_unknown_key_is_undecided(version: str) -> None:
    room = base_room(version)
    states = two_topics(room)
    hidden = Unknown("hidden", keys=frozenset([LEVELS]))
    parts = [PartialState({k: e for k, e in state.items() if k != LEVELS}, [hidden]) for state in states]
    with pytest.raises(UnknownState) as caught:
        resolve(parts, room.events)
    assert caught.value.keys == (LEVELS,)


def test_version_12_resolves_without_the_agreed_levels() -> None:
    """Its checks begin with no state, and read the levels from the auth events."""
    room = base_room("12")
    states = two_topics(room)
    hidden = Unknown("hidden", keys=frozenset([LEVELS]))
    parts = [PartialState({k: e for k, e in state.items() if k != LEVELS}, [hidden]) for state in states]
    # The levels are in the auth chain of both topics, and in no other.
    found = resolve(parts, room.events).state
    assert entries_of(found)[TOPIC] == resolve(states, room.events).state[TOPIC]


@pytest.mark.parametrize("version", versions_from(2))
def test_an_auth_difference_that_unknown_entries_could_shrink_is_undecided(version: str) -> None:
    room = base_room(version)
    fork = dict(room.state)
    old = room.power({**levels(version), "ban": 60})
    room.power({**levels(version), "ban": 70})
    name = room.add("m.room.name", BOB, {"name": "n"}, state_key="")
    ahead = ids(room.state)
    room.state = fork
    behind = {**ids(fork), NAME: name.event_id}
    # The states differ in the levels. The levels between are in the auth chain of the newer ones only, unless
    # an entry that both states have is based on them too.
    states = [ahead, behind]
    hidden = Unknown("hidden", keys=frozenset([NAME]))
    parts = [PartialState({k: e for k, e in state.items() if k != NAME}, [hidden]) for state in states]
    steps = resolve([dict(part.known) for part in parts], room.events, trace=True).steps
    assert steps is not None
    assert old.event_id in steps.auth_difference
    whole = resolve(states, room.events, trace=True).steps
    assert whole is not None
    assert old.event_id not in whole.auth_difference
    if version == "12":
        # It lies on a path between the conflicted events, so it is in the full conflicted set in any case.
        assert old.event_id in whole.conflicted_subgraph
        agree_on_state(resolve(parts, room.events).state, resolve(states, room.events).state)
        return
    with pytest.raises(UnknownState, match=r"the auth difference depends on m\.room\.name '' \(hidden\)"):
        resolve(parts, room.events)
    with pytest.raises(UnknownState, match="the auth difference depends on"):
        resolve(parts, room.events, auth_difference={old.event_id})


def test_one_state_known_in_part_resolves_to_itself() -> None:
    state = PartialState({TOPIC: "$t"}, [Unknown.members()])
    for states in ([state], [state, state]):
        found = resolve(states, {}).state
        assert found == state
        assert unknown_of(found)[0] is state.unknown[0]


# Replays


def followed(room: Room, state: State, *prev: Event) -> Event:
    room.state = dict(state)
    return room.add("m.room.message", ALICE, {}, prev=prev)


def test_an_event_allowed_because_something_was_unknown_is_undecided() -> None:
    """The ban of a user is missing. The user joins again after it, citing the join before the ban."""
    room = base_room()
    joined = dict(room.state)
    ban = room.member(BOB, "ban", by=ALICE)
    room.state = dict(joined)
    again = room.member(BOB, "join", prev=[ban])
    room.state[("m.room.member", BOB)] = again
    citing = room.add("m.room.topic", BOB, {"topic": "mine"}, state_key="", prev=[again])
    whole = replay_room(room.events.values())
    assert whole.outcomes[again.event_id].status is Status.REJECTED_BY_STATE
    assert whole.outcomes[citing.event_id].status is Status.REJECTED_BY_AUTH_EVENTS
    events = [event for event in room.events.values() if event is not ban]
    part = replay_room(events)
    outcome = part.outcomes[again.event_id]
    assert outcome.status is Status.UNDECIDED
    assert outcome.by_auth_events is not None
    assert outcome.by_auth_events.allowed
    assert outcome.by_state is None
    agree(part, whole)
    # A known state before the topic does not help: nobody says that the join was accepted.
    given = {citing.event_id: ids(joined)}
    for part in (replay_room(events), replay_room(events, given=given)):
        assert part.outcomes[citing.event_id].status is Status.UNDECIDED
        assert part.outcomes[citing.event_id].missing == (again.event_id,)
        assert part.lacking(citing.event_id) == [ban.event_id]
        assert part.current_state is None
        assert not part.extremities_known


def test_a_given_state_vouches_for_its_events() -> None:
    room = base_room()
    gone = room.add("m.room.message", ALICE, {})
    topic = room.add("m.room.topic", BOB, {"topic": "t"}, state_key="")
    state = ids(room.state)
    last = room.add("m.room.message", BOB, {})
    events = [event for event in room.events.values() if event is not gone]
    assert replay_room(events).outcomes[topic.event_id].status is Status.UNDECIDED
    part = replay_room(events, given={last.event_id: state})
    assert part.outcomes[topic.event_id].accepted
    assert part.outcomes[topic.event_id].by_state is None
    assert part.current_state == state
    # So does an answer for the rest of its auth chain, and for the join that it hands back.
    hidden = PartialState({k: e for k, e in state.items() if k != TOPIC}, [Unknown.everything("stripped")])
    unknown = replay_room(events, given={last.event_id: hidden})
    assert unknown.outcomes[topic.event_id].status is Status.UNDECIDED
    assert unknown.current_state == hidden
    vouched = replay_room(
        events, given={last.event_id: hidden}, accepted={last.event_id: [topic.event_id, "$nowhere"]}
    )
    assert vouched.outcomes[topic.event_id].accepted
    assert topic.event_id in vouched.outliers
    assert vouched.forward_extremities == (last.event_id,)
    assert vouched.current_state == hidden
    member = PartialState(
        {k: e for k, e in state.items() if k != ("m.room.member", BOB)}, [Unknown.members()]
    )
    needed = replay_room(events, given={last.event_id: member})
    outcome = needed.outcomes[last.event_id]
    assert outcome.status is Status.UNDECIDED
    assert outcome.unknown == (("m.room.member", BOB),)
    assert outcome.why_unknown == "members omitted"
    assert needed.lacking(last.event_id) == []
    handed = replay_room(events, given={last.event_id: member}, accepted={last.event_id: [last.event_id]})
    assert handed.outcomes[last.event_id].accepted
    assert handed.forward_extremities == (last.event_id,)
    assert last.event_id not in handed.outliers


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_over_the_prev_events_completes_a_state_given_in_part(version: str) -> None:
    room = base_room(version)
    state = ids(room.state)
    last = room.add("m.room.message", CAROL, {})
    events = list(room.events.values())
    known = {key: e for key, e in state.items() if key[0] != "m.room.member"}
    given = {last.event_id: PartialState(known, [Unknown.members()])}
    part = replay_room(events, given=given)
    assert part.state_before(last.event_id) == state
    assert part.outcomes[last.event_id].accepted
    assert part.outcomes[last.event_id].by_state is not None
    assert part.resolution_at(last.event_id).state == state
    # Without the event before it, nothing tells.
    gap = replay_room([e for e in events if e.event_id not in last.prev_event_ids], given=given)
    assert gap.state_before(last.event_id) == given[last.event_id]
    assert gap.outcomes[last.event_id].status is Status.UNDECIDED
    # If the two contradict each other, only that is unknown: the prev events tell the members.
    other = {last.event_id: PartialState({**known, TOPIC: room.create.event_id}, [Unknown.members()])}
    _differs_in(replay_room(events, given=other), last, TOPIC, state)
    rules = ("m.room.join_rules", "")
    del known[rules]
    other = {last.event_id: PartialState(known, [Unknown.members()])}
    _differs_in(replay_room(events, given=other), last, rules, state)


def _differs_in(found: Replay, event: Event, key: StateKey, state: dict[StateKey, EventId]) -> None:
    before = found.state_before(event.event_id)
    assert isinstance(before, PartialState)
    assert before.known == {k: e for k, e in state.items() if k != key}
    assert [one.keys for one in before.unknown] == [frozenset([key])]
    assert before.why_unknown(STRANGE) is None
    assert found.contradicted == {event.event_id: (key,)}
    assert found.state_after(event.event_id) == before
    assert found.lacking(event.event_id) == []


def test_two_parts_of_one_state_complete_each_other() -> None:
    room = base_room()
    daves = room.state["m.room.member", DAVE] = room.make_member(DAVE, "join")  # it is missing
    undecided = room.add("m.room.topic", DAVE, {"topic": "t"}, state_key="")
    del room.state["m.room.member", DAVE], room.state[TOPIC]
    last = room.add("m.room.message", ALICE, {})
    state = ids(room.state)
    known = {key: e for key, e in state.items() if key[0] != "m.room.member"}
    given = {last.event_id: PartialState(known, [Unknown.members()])}
    part = replay_room(room.events.values(), given=given)
    # The given state has no topic, and the prev events tell the members.
    assert part.state_before(last.event_id) == state
    hidden = {last.event_id: PartialState(known, [Unknown.members(), Unknown("x", keys=frozenset([TOPIC]))])}
    part = replay_room(room.events.values(), given=hidden)
    before = part.state_before(last.event_id)
    assert isinstance(before, PartialState)
    assert before.known == state
    # Fetching the member event decides it, as it does without the given state.
    assert [one.keys for one in before.unknown] == [frozenset([TOPIC])]
    assert part.lacking(last.event_id) == [daves.event_id]
    assert before.why_unknown(STRANGE) is before.why_unknown(("m.room.member", DAVE)) is None
    assert part.outcomes[undecided.event_id].status is Status.UNDECIDED


def test_after_an_undecided_state_event_only_its_key_is_unknown() -> None:
    room = base_room()
    join = room.state["m.room.member", BOB]
    room.state["m.room.member", DAVE] = room.make_member(DAVE, "join")
    undecided = room.add("m.room.topic", DAVE, {"topic": "t"}, state_key="")
    del room.state[TOPIC]
    after = room.add("m.room.message", ALICE, {})
    name = room.add("m.room.name", BOB, {"name": "n"}, state_key="")
    part = replay_room(room.events.values())
    missing = room.state["m.room.member", DAVE].event_id
    assert part.outcomes[undecided.event_id].missing == (missing,)
    state = part.state_after(undecided.event_id)
    assert isinstance(state, PartialState)
    assert [unknown.event_id for unknown in state.unknown] == [undecided.event_id]
    assert state.why_unknown(TOPIC) is not None
    assert state[join.type, BOB] == join.event_id
    assert part.outcomes[after.event_id].accepted
    assert part.outcomes[name.event_id].accepted
    assert part.lacking(name.event_id) == [missing]
    assert part.forward_extremities == (name.event_id,)
    assert part.lacking(None) == [missing]
    assert isinstance(part.current_state, PartialState)
    assert part.current_state[NAME] == name.event_id
    # A later topic decides the key.
    topic = room.add("m.room.topic", ALICE, {"topic": "t"}, state_key="")
    whole = replay_room(room.events.values())
    assert isinstance(whole.current_state, dict)
    assert whole.current_state[TOPIC] == topic.event_id
    assert whole.lacking(None) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_no_undecided_end_could_change_of_the_current_state_is_known(version: str) -> None:
    room = base_room(version)
    room.state["m.room.member", DAVE] = room.make_member(DAVE, "join")
    before = ids(room.state)
    undecided = room.add("m.room.topic", DAVE, {"topic": "t"}, state_key="")
    part = replay_room(room.events.values())
    assert part.outcomes[undecided.event_id].status is Status.UNDECIDED
    assert not part.extremities_known
    state = part.current_state
    assert isinstance(state, PartialState)
    assert state.known == {key: e for key, e in before.items() if key != ("m.room.member", DAVE)}
    for key in (TOPIC, NAME, ("m.room.member", DAVE)):
        assert state.why_unknown(key) is not None
    # The ends are not certain, so there is nothing to resolve.
    with pytest.raises(MissingEvents) as raised:
        part.states_met(None)
    assert raised.value.event_ids == (before["m.room.member", DAVE],)
    # It is the same beside an accepted branch, which keeps only what both branches have.
    room.state = {key: event for key, event in room.state.items() if key[1] != DAVE and key != TOPIC}
    (last,) = room.events[undecided.event_id].prev_event_ids
    name = room.add("m.room.name", ALICE, {"name": "n"}, state_key="", prev=[room.events[last]])
    forked = replay_room(room.events.values())
    assert forked.forward_extremities == (name.event_id,)
    assert isinstance(forked.current_state, PartialState)
    assert forked.current_state.known == state.known


def test_many_undecided_events_make_one_reason() -> None:
    room = base_room()
    room.state["m.room.member", DAVE] = room.make_member(DAVE, "join")
    made = [room.add(f"x.{number}", DAVE, {}, state_key="") for number in range(20)]
    part = replay_room(room.events.values())
    states = [part.state_after(event.event_id) for event in made]
    assert [len(unknown_of(state)) for state in states if state is not None] == [*range(1, 17), 1, 2, 3, 4]
    last = states[-1]
    assert isinstance(last, PartialState)
    assert last.why_unknown(STRANGE) is not None
    assert last["m.room.member", BOB] == room.state["m.room.member", BOB].event_id
    assert part.lacking(made[-1].event_id) == [room.state["m.room.member", DAVE].event_id]


@pytest.mark.parametrize("version", VERSIONS)
def test_after_an_undecided_merge_the_entries_that_all_states_share_are_known(version: str) -> None:
    room = base_room(version)
    fork, base = dict(room.state), room.last
    assert base is not None
    room.state = {**fork, ("m.room.member", DAVE): room.make_member(DAVE, "join")}
    undecided = room.add("m.room.topic", DAVE, {"topic": "t"}, state_key="", prev=[base])
    room.state = dict(fork)
    name = room.add("m.room.name", ALICE, {"name": "n"}, state_key="", prev=[base])
    met = followed(room, fork, undecided, name)
    again = followed(room, fork, undecided, name)
    part = replay_room(room.events.values())
    before = part.state_before(met.event_id)
    assert isinstance(before, PartialState)
    assert before.known == ids(fork)
    assert before.why_unknown(NAME) is not None
    assert part.state_before(again.event_id) == before, "the same branches are merged once"
    assert part.outcomes[met.event_id].accepted
    assert part.merges == []
    assert part.lacking(met.event_id) == part.lacking(undecided.event_id) != []
    with pytest.raises(UnknownState):
        part.resolution_at(met.event_id)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_merge_of_branches_after_the_same_unknown_entries_is_decided(version: str) -> None:
    room = base_room(version)
    fork, base = dict(room.state), room.last
    assert base is not None
    ends = []
    for sender in (ALICE, BOB):
        room.state = dict(fork)
        ends.append(room.add("m.room.topic", sender, {"topic": sender}, state_key="", prev=[base]))
    met = followed(room, fork, *ends)
    whole = replay_room(room.events.values())
    known = {key: e for key, e in ids(fork).items() if key != ("m.room.member", CAROL)}
    room.events.pop(base.event_id)  # it is Carol's join
    given = {end.event_id: PartialState(known, [Unknown.members()]) for end in ends}
    # The same object before two events: their unknown entries may differ all the same.
    apart = replay_room(room.events.values(), given=given)
    before = apart.state_before(met.event_id)
    assert isinstance(before, PartialState)
    assert before.why_unknown(TOPIC) is not None
    agree_on_state(before, whole.state_before(met.event_id))
    # One state, before an event that both branches follow.
    first = followed(room, fork, base)
    branches = []
    for sender in (ALICE, BOB):
        room.state = dict(fork)
        branches.append(room.add("m.room.topic", sender, {"topic": sender}, state_key="", prev=[first]))
    met = followed(room, fork, *branches)
    events = [event for event in room.events.values() if event not in ends]
    part = replay_room(events, given={first.event_id: PartialState(known, [Unknown.members()])})
    before = part.state_before(met.event_id)
    assert isinstance(before, PartialState)
    assert before.known.keys() == {*known, TOPIC}
    assert before.why_unknown(TOPIC) is None
    assert [merge.event_id for merge in part.merges] == [met.event_id]
    assert part.resolution_at(met.event_id).state == before


def test_a_given_current_state_may_be_known_in_part() -> None:
    room = base_room()
    state = ids(room.state)
    current = PartialState(
        {key: e for key, e in state.items() if key[0] != "m.room.member"}, [Unknown.members()]
    )
    part = replay_room(room.events.values(), current=current)
    assert part.current_is_given
    assert part.current_state == current
    assert part.lacking(None) == []
    assert part.resolution_at(None).state == current
    assert part.states_met(None) == {None: current}


# Soft failure


def test_an_end_beside_one_whose_state_is_unknown_may_be_soft_failed() -> None:
    room = base_room()
    fork, base = dict(room.state), room.last
    assert base is not None
    gone = room.add("m.room.message", ALICE, {})
    ban = room.member(BOB, "ban", by=ALICE)
    state = ids(room.state)
    room.state = dict(fork)
    beside = room.add("m.room.message", BOB, {}, prev=[base])
    room.state = dict(fork)
    last = room.add("m.room.message", ALICE, {}, prev=[ban])
    whole = replay_room(room.events.values())
    assert set(whole.soft_failed) == {beside.event_id}
    # The ban is an event of a given state, with a missing event before it.
    events = [event for event in room.events.values() if event is not gone]
    part = replay_room(events, given={last.event_id: state})
    assert part.outcomes[ban.event_id].accepted
    assert part.soft_failed == {}
    assert set(part.forward_extremities) == {beside.event_id, last.event_id}
    assert not part.extremities_known
    assert part.current_state is None
    agree(part, whole)
    # The same if the state there is known: the missing event may follow the end.
    for soft_failure in (False, True):
        vouched = replay_room(
            events,
            given={last.event_id: PartialState({}, [Unknown.everything("stripped")])},
            accepted={last.event_id: [*state.values(), last.event_id]},
            soft_failure=soft_failure,
        )
        assert vouched.outcomes[ban.event_id].accepted
        assert set(vouched.forward_extremities) == {beside.event_id, last.event_id}
        assert not vouched.extremities_known
        agree(vouched, whole)


def test_an_end_is_checked_against_a_current_state_that_is_known_in_part() -> None:
    room = base_room()
    fork = dict(room.state)
    base = room.add("m.room.message", ALICE, {})  # it is missing below
    topic = room.add("m.room.topic", ALICE, {"topic": "t"}, state_key="")
    refused = room.add("m.room.message", "@nobody:n.example", {})
    room.state = dict(fork)
    carols = room.add("m.room.message", CAROL, {}, prev=[base])
    known = {key: e for key, e in ids(fork).items() if key != ("m.room.member", CAROL)}
    # Carol's server gives the state without members: nothing tells whether she has left since.
    given = {carols.event_id: ids(fork), topic.event_id: PartialState(known, [Unknown.members()])}
    events = [event for event in room.events.values() if event is not base]
    accepted: dict[str | None, list[str]] = {topic.event_id: [fork["m.room.member", CAROL].event_id]}
    part = replay_room(events, given=given, accepted=accepted)
    assert part.outcomes[refused.event_id].status is Status.REJECTED_BY_AUTH_EVENTS
    assert set(part.forward_extremities) == {topic.event_id, carols.event_id}
    assert not part.extremities_known, "hers may be soft-failed"
    check = part.current_check(carols.event_id)
    assert (check.allowed, check.why) == (None, "the current state is unknown: members omitted")
    assert part.current_unknown == [carols.event_id]
    assert isinstance(part.current_state, PartialState)
    assert part.current_state.known == known
    plain = replay_room(events, given=given, accepted=accepted, soft_failure=False)
    assert plain.extremities_known
    assert plain.current_unknown == []
    assert isinstance(plain.current_state, PartialState)
    assert plain.current_state.known == known
    assert plain.current_state.why_unknown(TOPIC) is not None


def test_an_auth_chain_alone_leaves_no_room_without_ends() -> None:
    room = base_room()
    events = list(room.events.values())
    chain: dict[str | None, list[str]] = {None: [event.event_id for event in events]}
    whole = replay_room(events, accepted=chain)
    assert whole.outliers == {event.event_id for event in events}
    assert whole.forward_extremities == (events[-1].event_id,)
    assert whole.current_state == ids(room.state)
    # An event may be missing that follows another event of the chain.
    gone = events[-2].event_id
    part = replay_room([event for event in events if event.event_id != gone], accepted=chain)
    assert not part.extremities_known
    assert part.current_state is None
    assert part.lacking(None) == [gone]
