"""What becomes of each event: accepted, rejected, undecided or on a cycle."""

import pytest
from builder import ALICE, BOB, VERSIONS, Room, refuses

from roomver import Event, replay_room, rules
from roomver.replay import Outcome, Status

from .rooms import TOPIC, Branches, base_room, ids


@pytest.mark.parametrize("version", VERSIONS)
def test_the_status_says_whether_the_auth_events_or_the_state_reject_an_event(version: str) -> None:
    room = base_room(version)
    by_auth = room.add("m.room.topic", "@nobody:n.example", {}, state_key="")
    del room.state[TOPIC]
    joined = dict(room.state)
    banned = room.member(BOB, "ban", by=ALICE)
    after = dict(room.state)
    # Its own auth events allow it, but in the state before it Bob is banned.
    room.state = joined
    by_state = room.add("m.room.topic", BOB, {}, state_key="")
    room.state = after
    last = room.add("m.room.message", ALICE, {})
    replayed = replay_room(room.events.values())
    assert replayed.outcomes[by_auth.event_id].status is Status.REJECTED_BY_AUTH_EVENTS
    assert replayed.outcomes[by_state.event_id].status is Status.REJECTED_BY_STATE
    assert replayed.rejected == {by_auth.event_id, by_state.event_id}
    assert replayed.outcomes[banned.event_id].accepted
    assert replayed.forward_extremities == (last.event_id,)
    assert replayed.current_state == ids(after)
    # A rejected event does not change the state.
    assert replayed.state_after(by_state.event_id) == ids(after)


@pytest.mark.parametrize("version", ["1", "2"])
def test_events_on_a_cycle_are_rejected_and_the_others_are_not(version: str) -> None:
    room = base_room(version)
    base = room.last
    before = ids(room.state)

    def topic(name: str, prev: list[str], auth: list[str]) -> Event:
        return room.make(
            "m.room.topic",
            ALICE,
            {},
            state_key="",
            event_id=f"${name}:a.example",
            prev=prev,
            auth=[*auth, *(e.event_id for e in room.state.values() if e.type != "m.room.topic")][:3],
        )

    assert base is not None
    one = topic("one", ["$two:a.example"], [])
    two = topic("two", ["$one:a.example"], [])
    itself = topic("itself", ["$itself:a.example"], [])
    cites = room.make(
        "m.room.message", ALICE, {}, event_id="$cites:a.example", prev=[base], auth=["$one:a.example"]
    )
    follows = room.make("m.room.message", ALICE, {}, event_id="$follows:a.example", prev=["$two:a.example"])
    good = room.make("m.room.message", ALICE, {}, event_id="$good:a.example", prev=[base])
    replayed = replay_room([one, two, itself, cites, follows, good, *room.events.values()])
    for event in (one, two, itself):
        assert replayed.outcomes[event.event_id] == Outcome(event.event_id, Status.CYCLIC)
        assert event.event_id not in replayed.order
        assert replayed.outcomes[event.event_id].deciding is None
    assert replayed.outcomes[cites.event_id].status is Status.REJECTED_BY_AUTH_EVENTS
    # An event that follows a cycle is after a gap.
    assert replayed.gaps == {follows.event_id: ("$two:a.example",)}
    assert good.event_id in replayed.forward_extremities
    assert replayed.state_before(good.event_id) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_event_that_cites_a_message_is_rejected(version: str) -> None:
    room = base_room(version)
    message = room.add("m.room.message", ALICE, {})
    state = ids(room.state)
    topic = room.make("m.room.topic", ALICE, {}, state_key="", auth=[*room.state.values(), message][-3:])
    room.take(topic)
    # And an event that cites the rejected one.
    name = room.make("m.room.name", ALICE, {}, state_key="", auth=[topic])
    room.take(name)
    room.state = {key: room.events[event_id] for key, event_id in state.items()}
    fork = Branches(room)
    for kind in ("x.one", "x.other"):
        fork.branch()
        room.add(kind, ALICE, {}, state_key="")
        fork.end()
    merge = fork.merge()
    replayed = replay_room(room.events.values())
    assert replayed.outcomes[topic.event_id].status is Status.REJECTED_BY_AUTH_EVENTS
    assert replayed.outcomes[name.event_id].status is Status.REJECTED_BY_AUTH_EVENTS
    before = replayed.state_before(merge.event_id)
    assert before is not None
    assert before.keys() == {*state, ("x.one", ""), ("x.other", "")}


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_state_event_that_cites_a_cycle_is_rejected(version: str) -> None:
    room = base_room(version)
    base = room.last
    assert base is not None
    itself = room.make("x.one", ALICE, {}, state_key="", event_id="$i:a.example", prev=["$i:a.example"])
    cites = room.make("x.two", ALICE, {}, state_key="", event_id="$c:a.example", auth=[itself], prev=[base])
    replayed = replay_room([*room.events.values(), itself, cites])
    assert replayed.outcomes[itself.event_id].status is Status.CYCLIC
    assert replayed.outcomes[cites.event_id].status is Status.REJECTED_BY_AUTH_EVENTS


@pytest.mark.parametrize("version", ["1", "2", "11"])
def test_a_create_event_is_decided_without_its_auth_events(version: str) -> None:
    """Rule 1 reads no auth event, so neither a missing nor an undecided one matters."""
    room = Room(version, signed=False)
    room.join(ALICE)
    lost = room.make("m.room.message", ALICE, {})
    undecided = room.make("m.room.message", ALICE, {"n": 1}, prev=[lost], auth=[lost])
    create = room.make(
        "m.room.create", ALICE, room.create.content, state_key="", prev=[], auth=[lost, undecided]
    )
    follows = room.make("m.room.create", ALICE, room.create.content, state_key="", prev=[create], auth=[lost])
    replayed = replay_room([*room.events.values(), undecided, create, follows])
    assert replayed.outcomes[undecided.event_id].status is Status.UNDECIDED
    assert replayed.outcomes[create.event_id].accepted
    verdict = replayed.outcomes[follows.event_id].by_auth_events
    assert verdict is not None
    refuses(verdict, rules.CREATE_HAS_PREV_EVENTS)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_create_event_is_on_a_cycle_only_by_its_prev_events_or_itself(version: str) -> None:
    room = Room(version, signed=False)
    create = room.create.content

    def made(name: str, prev: list[str], auth: list[str]) -> Event:
        return room.make("m.room.create", ALICE, create, state_key="", event_id=name, prev=prev, auth=auth)

    join = room.make(
        "m.room.member", ALICE, {"membership": "join"}, state_key=ALICE, prev=["$x:a"], auth=["$x:a"]
    )
    cited = made("$x:a", [], [join.event_id])
    replayed = replay_room([join, cited])
    assert replayed.order == [cited.event_id, join.event_id]
    assert {outcome.status for outcome in replayed.outcomes.values()} == {Status.ACCEPTED}
    itself = made("$x:a", [], ["$x:a"])
    assert replay_room([itself]).outcomes["$x:a"].status is Status.CYCLIC
    one, two = made("$x:a", ["$y:a"], []), made("$y:a", ["$x:a"], [])
    assert {outcome.status for outcome in replay_room([one, two]).outcomes.values()} == {Status.CYCLIC}
