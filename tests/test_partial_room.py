"""Rooms that are joined without their members, and completed later.

What is said before the room is complete holds afterwards. Then the room is as if it had been joined with the
whole state, and had received the same events.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, key_of
from hypothesis import given
from hypothesis import strategies as st
from make.test_handshake import complete, template
from make.test_joined import answer, joined
from make.test_make import RING, public
from played_rooms import played
from replay.rooms import TOPIC, recorded
from strategies import often

from roomver import Event, KeyRing, UnknownState, parse_event, replay_room, select_auth_types, sign_event
from roomver.keys import read_key_table
from roomver.make import check_send_join_steps
from roomver.receive import MemoryStore, ReceiptStatus
from roomver.receive.unclear import state_after_undecided
from roomver.replay import Replay, Status
from roomver.room import Room
from roomver.state import PartialState, RoomState, State, Unknown, entries_of
from roomver.steps import run

VERSIONS = ["1", "6", "10", "11", "12"]


def chain_of(events: Mapping[str, Event], event_ids: Iterable[str]) -> dict[str, Event]:
    todo, chain = [*event_ids], dict[str, Event]()
    for event_id in todo:
        if event_id not in chain:
            chain[event_id] = events[event_id]
            todo += chain[event_id].auth_parents
    return chain


def response(rng: Random, replay: Replay, join: Event, *, whole: bool) -> dict[str, Any]:
    """Return the response to a join in a room that was replayed, with or without its members.

    Some members are never omitted, and some events that are not of members cannot be used.
    """
    state = replay.state_before(join.event_id)
    assert state is not None
    there = [replay.events[one] for one in entries_of(state).values()]
    chain = chain_of(replay.events, [*(one.event_id for one in there), *join.auth_parents])
    pdus = []
    broken, share = rng.random() < 0.2, rng.choice([0, 0.5, 0.8, 1])
    for event in there:
        kept = rng.random() < share
        if not whole and event.type == "m.room.member" and not kept:
            continue
        spoilt = not whole and broken and event.type != "m.room.create" and rng.random() < 0.3
        pdus.append({"type": event.type, "state_key": event.state_key} if spoilt else event.pdu)
    body: dict[str, Any] = {"state": pdus, "auth_chain": [one.pdu for one in chain.values()]}
    return body if whole else {**body, "members_omitted": True, "servers_in_room": []}


def cites_the_state(replay: Replay, join: Event) -> bool:
    """Tell whether the auth events of a join are those of the state before it."""
    state = replay.state_before(join.event_id)
    assert state is not None
    there = {state.get(key) for key in select_auth_types(join)} - {None}
    return there == {*join.auth_event_ids}


def begun(body: object, join: Event, *, same_server: bool = False) -> Room:
    steps = check_send_join_steps(body, join, same_server=same_server, signatures=False)
    checked = run(steps, MemoryStore())
    assert checked.defects == ()
    assert checked.refused is False
    return Room.joined(checked, signatures=False)


def holds_in(part: State[str] | None, whole: State[str] | None) -> bool:
    """Tell whether everything that is known of a state is so in another one."""
    if part is None:
        return True
    if whole is None:
        return False
    entries = entries_of(whole)
    if any(entries.get(key) != value for key, value in entries_of(part).items()):
        return False
    new = [key for key in entries if key not in part.known]
    return all(any(one.covers(key) for one in part.unknown) for key in new)


def assert_holds(part: Room, whole: Room) -> None:
    """Assert that what a room says that is known in part is also so in the whole room."""
    for event_id, receipt in part.receipts.items():
        there = whole.receipts[event_id]
        assert receipt.status is there.status, (event_id, str(receipt), str(there))
        assert receipt.by_auth_events == there.by_auth_events
        assert holds_in(receipt.state_before, there.state_before)
        assert holds_in(receipt.state_after, there.state_after)
        for mine, other in ((receipt.by_state, there.by_state), (receipt.by_current, there.by_current)):
            assert mine is None or other is None or mine.allowed == other.allowed
    for receipt in part.waiting.values():
        event_id = str(receipt.event_id)
        there = whole.receipts[event_id] if event_id in whole.receipts else whole.waiting[event_id]
        assert holds_in(receipt.state_before, there.state_before)
    assert holds_in(part.current_state, whole.current_state)


def assert_same(one: Room, other: Room) -> None:
    assert [*one.receipts] == [*other.receipts]
    assert one.waiting.keys() == other.waiting.keys()
    for event_id, receipt in one.receipts.items():
        there = other.receipts[event_id]
        assert (receipt.status, receipt.state_before) == (there.status, there.state_before)
        assert receipt.state_after == there.state_after
        assert receipt.by_current == there.by_current
        assert receipt.forward_extremities == there.forward_extremities
    assert one.extremities == other.extremities
    assert one.current_state == other.current_state
    assert one.partial is other.partial


def play(version: str, seed: int, *, odd: bool, shuffled: bool) -> Counter[str]:
    """Join a room in part and in whole, and receive the same events in both. Count what was decided."""
    rng = Random(f"{version}/{seed}")
    events = played(rng, version, rng.randrange(5, 40), odd=odd)
    replay = replay_room(events)
    joins = [
        event
        for event in events[1:]
        if event.content.get("membership") == "join"
        and replay.outcomes[event.event_id].status is Status.ACCEPTED
    ]
    join = rng.choice(joins[: rng.choice([3, 4, len(joins)])])
    before, todo = set[str](), [join.event_id]
    for event_id in todo:
        if event_id not in before:
            before.add(event_id)
            todo += replay.events[event_id].prev_event_ids
    later = [event for event in events if event.event_id not in before]
    if shuffled:
        rng.shuffle(later)
    whole = begun(response(rng, replay, join, whole=True), join)
    part = begun(
        response(rng, replay, join, whole=False),
        join,
        same_server=rng.random() < 0.7 and cites_the_state(replay, join),
    )
    assert not whole.partial
    assert_holds(part, whole)
    for event in later:
        whole.receive(event.pdu)
        part.receive(event.pdu)
        assert_holds(part, whole)
    counts = Counter(one.status.value for one in part.receipts.values() if one.by_state is not None)
    counts.update(one.status.value for one in part.waiting.values())
    counts["current"] = len(part.current_state.known) > 0
    body = response(rng, replay, join, whole=True)
    state = {"pdus": body["state"], "auth_chain": body["auth_chain"]}
    if part.partial:
        assert part.complete(state).refused is False
    assert_same(part, whole)
    return counts


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32), st.booleans(), st.booleans())
def test_a_room_is_completed_as_if_it_had_been_joined_with_the_whole_state(
    version: str, seed: int, odd: bool, shuffled: bool
) -> None:
    play(version, seed, odd=odd, shuffled=shuffled)


def test_most_of_these_rooms_decide_something_before_they_are_complete() -> None:
    counts = Counter[str]()
    for number in range(60):
        version = ("6", "11", "12")[number % 3]
        counts += play(version, number, odd=number % 2 == 1, shuffled=number % 5 == 0)
    assert counts["accepted"] > 100
    assert counts["rejected"] > 0
    assert counts["undecided"] > 100


DAVE = "@dave:b.example"


class Joined:
    """A server in a room, and a room that was joined through it. Bob's and Carol's membership is unknown."""

    def __init__(self, version: str = "11", **changes: Any) -> None:
        self.server, self.join, body = joined(version)
        self.whole = {"pdus": body["state"], "auth_chain": body["auth_chain"]}
        kept = [pdu for pdu in body["state"] if pdu.get("state_key") != BOB]
        self.body = {**body, "state": kept, "members_omitted": True, "servers_in_room": [], **changes}
        checked = run(check_send_join_steps(self.body, self.join), MemoryStore(RING))
        assert checked.refused is False, checked.defects
        self.room = Room.joined(checked, RING)

    def send(self, sender: str, kind: str = "m.room.message", **options: Any) -> tuple[Event, ReceiptStatus]:
        event = self.server.send(kind, sender, {"topic": "y"}, **options)
        return event, self.room.receive(event.pdu).status


@pytest.mark.parametrize("version", VERSIONS)
def test_events_are_decided_as_far_as_their_state_is_known(version: str) -> None:
    here = Joined(version)
    room, join = here.room, here.join
    partial = room.partial
    assert room.extremities == {join.event_id}
    # Whether Carol was banned is not known.
    lacking = room.waiting[join.event_id].lacking
    assert (lacking.entries, lacking.why) == ((("m.room.member", join.sender),), "members omitted")
    hello, status = here.send(ALICE)
    assert status is ReceiptStatus.ACCEPTED
    assert room.extremities == {hello.event_id}
    said, status = here.send(join.sender)
    assert status is ReceiptStatus.UNDECIDED
    # A message changes no state, whatever is decided about it.
    again, status = here.send(ALICE)
    assert again.prev_event_ids == (said.event_id,)
    assert status is ReceiptStatus.ACCEPTED
    assert TOPIC in room.current_state
    here.server.send("m.room.power_levels", ALICE, levels(version, join.sender), state_key="")
    power = here.server.store.extremities
    (power_id,) = power
    assert room.receive(here.server.store.stored[power_id].event.pdu).status is ReceiptStatus.ACCEPTED
    topic, status = here.send(join.sender, "m.room.topic", state_key="")
    assert status is ReceiptStatus.UNDECIDED
    last, status = here.send(ALICE)
    assert status is ReceiptStatus.ACCEPTED
    assert is_unknown(room, "an undecided event may change it")
    assert room.current_state["m.room.power_levels", ""] == power_id
    given_state = room.complete(here.whole)
    assert given_state.refused is False
    assert (partial, room.partial) == (True, False)
    assert room.waiting == {}
    assert room.current_state == here.server.store.states[last.event_id]
    assert room.current_state[TOPIC] == topic.event_id
    assert room.extremities == {last.event_id}
    assert {one.status for one in room.receipts.values()} == {ReceiptStatus.ACCEPTED}
    with pytest.raises(ValueError, match="no state before a join"):
        room.complete(here.whole)


def is_unknown(room: Room, reason: str) -> bool:
    """Tell whether the topic of a room is unknown for a reason."""
    with pytest.raises(UnknownState, match=reason):
        room.current_state.get(TOPIC)
    return True


def levels(version: str, user: str) -> dict[str, Any]:
    users = {user: 50}
    return {"users": users if version == "12" else {ALICE: 100, **users}}


def test_where_branches_meet_undecided_events_nothing_of_the_current_state_is_known() -> None:
    here = Joined()
    room, server, carol = here.room, here.server, here.join.sender
    tip = server.store.extremities
    power = server.send("m.room.power_levels", ALICE, levels("11", carol), state_key="")
    room.receive(power.pdu)
    (end,) = server.store.extremities
    topic = server.make("m.room.topic", carol, {"topic": "z"}, state_key="", prev_events=[end]).event
    other = server.make("m.room.name", ALICE, {"name": "z"}, state_key="", prev_events=[end]).event
    message = server.make("m.room.message", ALICE, {}, prev_events=[end]).event
    assert topic is not None
    assert other is not None
    assert message is not None
    assert tip != server.store.extremities
    for event in (topic, other, message):
        server.receive(event)
    assert room.receive(topic.pdu).status is ReceiptStatus.UNDECIDED
    # It is allowed by the state before it. But the topic may already be part of the current state.
    receipt = room.receive(other.pdu)
    assert receipt.status is ReceiptStatus.ACCEPTED
    assert room.extremities == {topic.event_id, other.event_id}
    assert is_unknown(room, "undecided events may change it")
    receipt = room.receive(message.pdu)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.by_state is not None
    assert receipt.by_state.allowed
    assert room.complete(here.whole).refused is False
    assert room.waiting == {}
    assert room.extremities == {topic.event_id, other.event_id, message.event_id}
    assert room.current_state[TOPIC] == topic.event_id


def test_messages_on_branches_leave_the_current_state_known() -> None:
    here = Joined()
    room, server, carol = here.room, here.server, here.join.sender
    (end,) = server.store.extremities
    made = [server.make("m.room.message", one, {}, prev_events=[end]).event for one in (carol, ALICE, carol)]
    statuses = []
    for event in made:
        assert event is not None
        server.receive(event)
        statuses.append(room.receive(event.pdu).status)
    undecided, accepted = ReceiptStatus.UNDECIDED, ReceiptStatus.ACCEPTED
    assert statuses == [undecided, accepted, undecided]
    assert len(room.extremities) == 3
    assert TOPIC in room.current_state
    # A change of the state on one of the branches only is another matter.
    tip = max(room.extremities)
    name = server.make("m.room.name", ALICE, {"name": "z"}, state_key="", prev_events=[tip]).event
    assert name is not None
    assert room.receive(name.pdu).status is accepted
    assert is_unknown(room, "undecided events may change it")


def test_an_event_that_follows_a_missing_auth_event_leaves_the_state_unknown() -> None:
    here = Joined()
    room, server = here.room, here.server
    power = server.send("m.room.power_levels", ALICE, levels("11", here.join.sender), state_key="")
    # It cites power levels that have not come, and follows an event that has.
    topic = server.make(
        "m.room.topic", ALICE, {"topic": "z"}, state_key="", prev_events=[power.event_id]
    ).event
    assert topic is not None
    pdu = {**topic.pdu, "prev_events": [here.join.event_id], "signatures": {}}
    odd = parse_event(sign_event(pdu, "11", "a.example", key_of("a.example")), "11")
    receipt = room.receive(odd.pdu)
    assert receipt.status is ReceiptStatus.UNDECIDED
    assert receipt.lacking.auth_events == (power.event_id,)
    assert receipt.state_before is not None
    after = server.make("m.room.message", ALICE, {}, prev_events=[power.event_id]).event
    assert after is not None
    last = {
        **after.pdu,
        "prev_events": [odd.event_id],
        "auth_events": topic.pdu["auth_events"],
        "signatures": {},
    }
    receipt = room.receive(sign_event(last, "11", "a.example", key_of("a.example")))
    assert receipt.lacking.prev_events == (odd.event_id,)
    assert TOPIC in room.current_state


def test_only_the_key_of_an_undecided_event_is_unknown_in_another_way() -> None:
    _, join, _ = joined("11")
    members, name = Unknown.members(), Unknown("x", keys=frozenset([("m.room.name", "")]))
    before = PartialState({TOPIC: "$topic", ("m.room.member", join.sender): "$old"}, [members, name])
    after = state_after_undecided(join, before)
    assert dict(after.known) == {TOPIC: "$topic"}
    assert after.unknown == before.unknown
    # Whoever shares an unknown entry has the same event for it. That is not so for the key of the join.
    assert [one is other for one, other in zip(after.unknown, before.unknown, strict=True)] == [False, True]
    whole = RoomState({TOPIC: "$topic"})
    after = state_after_undecided(join, whole)
    assert [(one.keys, one.types, one.event_id) for one in after.unknown] == [
        (frozenset([("m.room.member", join.sender)]), frozenset(), join.event_id)
    ]
    message = Joined().send(ALICE)[0]
    assert state_after_undecided(message, before) is before


@pytest.mark.parametrize("body", [None, {}, {"pdus": [], "auth_chain": []}])
def test_a_response_that_is_refused_changes_nothing(body: object) -> None:
    here = Joined()
    here.send(ALICE)
    before, waiting = dict(here.room.receipts), dict(here.room.waiting)
    assert here.room.complete(body).refused is True
    assert here.room.partial
    assert here.room.receipts == before
    assert here.room.waiting == waiting


def test_a_state_that_contradicts_what_is_known_is_refused() -> None:
    here = Joined()
    without = [pdu for pdu in here.whole["pdus"] if pdu["type"] != "m.room.topic"]
    given_state = here.room.complete({**here.whole, "pdus": without})
    assert given_state.refused is True
    assert [str(one) for one in given_state.defects] == [
        "pdus: expected the state before the join, found a state that contradicts what is known of it"
    ]
    assert here.room.partial


def test_a_state_with_unusable_events_leaves_the_room_partial() -> None:
    here = Joined()
    pdus = [*here.whole["pdus"], {"type": "m.room.member", "state_key": here.join.sender}]
    assert here.room.complete({**here.whole, "pdus": pdus}).refused is False
    assert here.room.partial
    assert here.join.event_id in here.room.waiting
    # The others are known now.
    assert ("m.room.member", DAVE) not in here.room.current_state
    assert here.room.complete(here.whole).refused is False
    assert not here.room.partial


def test_a_join_that_the_whole_state_refuses_is_rejected() -> None:
    server, carol = public("11"), "@carol:c.example"
    ban = server.send("m.room.member", ALICE, {"membership": "ban"}, state_key=carol)
    unban = server.send("m.room.member", ALICE, {"membership": "leave"}, state_key=carol)
    join = complete(server, template(server, "join").response, "join")
    body = answer(server, join, omit=True)
    checked = run(check_send_join_steps(body, join), MemoryStore(RING))
    room = Room.joined(checked, RING)
    # A server that lies, or that has another state.
    state = [server.store.stored[one].event for one in server.store.states[unban.event_id].values()]
    pdus = [ban.pdu if event == unban else event.pdu for event in state]
    chain = [one.event.pdu for one in server.store.stored.values()]
    assert room.complete({"pdus": pdus, "auth_chain": chain}).refused is False
    assert room.receipts[join.event_id].status is ReceiptStatus.REJECTED
    assert room.extremities == {join.event_id}
    assert room.current_state["m.room.member", carol] == ban.event_id


def test_events_that_wait_for_keys_keep_their_place_when_they_are_decided() -> None:
    here = Joined()
    ring, here.room.ring = here.room.ring, KeyRing()
    first, status = here.send(ALICE)
    assert status is ReceiptStatus.UNDECIDED
    assert here.room.waiting[first.event_id].lacking.keys
    here.room.ring = ring
    assert first.event_id in here.room.receipts
    assert here.room.complete(here.whole).refused is False
    assert here.room.extremities == {first.event_id}
    assert here.room.waiting == {}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("left", [False, True])
def test_with_the_template_of_the_same_server_the_join_is_decided(version: str, left: bool) -> None:
    server, carol = public(version), "@carol:c.example"
    if left:
        server.join(carol)
        server.send("m.room.member", carol, {"membership": "leave"}, state_key=carol)
    join = complete(server, template(server, "join").response, "join")
    body = answer(server, join, omit=True)
    checked = run(check_send_join_steps(body, join, same_server=True), MemoryStore(RING))
    room = Room.joined(checked, RING)
    assert room.partial
    receipt = room.receipts[join.event_id]
    assert receipt.status is ReceiptStatus.ACCEPTED
    before = receipt.state_before
    assert before is not None
    assert (before.get(("m.room.member", carol)) is not None) is left
    with pytest.raises(UnknownState):
        before.get(("m.room.member", BOB))
    options = {"origin_server_ts": 1, "key": key_of("c.example"), "room_id": room.room_id}
    if version == "1":
        options["event_id"] = "$hello:c.example"
    hello = room.make("m.room.message", carol, {}, **options).event
    assert hello is not None
    assert room.receive(hello.pdu).status is ReceiptStatus.ACCEPTED
    # A state that says otherwise contradicts it.
    stored = server.store.stored
    there = [stored[one].event.pdu for one in server.store.states[join.event_id].values()]
    chain = [one.event.pdu for one in stored.values()]
    # This one has the join itself, and not what was there before.
    assert room.complete({"pdus": there, "auth_chain": chain}).refused is True
    there = [pdu for pdu in there if pdu["content"] != join.content]
    if left:
        assert room.complete({"pdus": there, "auth_chain": chain}).refused is True
        there += [stored[before["m.room.member", carol]].event.pdu]
    assert room.complete({"pdus": there, "auth_chain": chain}).refused is False
    assert room.receipts[hello.event_id].status is ReceiptStatus.ACCEPTED
    assert not room.partial


def test_a_cited_member_that_cannot_be_used_stays_unknown() -> None:
    server, carol = public("11"), "@carol:c.example"
    server.join(carol)
    left = server.send("m.room.member", carol, {"membership": "leave"}, state_key=carol)
    join = complete(server, template(server, "join").response, "join")
    body = answer(server, join, omit=True)
    chain = [pdu for pdu in body["auth_chain"] if pdu != left.pdu]
    steps = check_send_join_steps({**body, "auth_chain": chain}, join, same_server=True)
    checked = run(steps, MemoryStore(RING))
    assert checked.refused is None
    assert checked.state is not None
    with pytest.raises(UnknownState):
        checked.state.get(("m.room.member", carol))


def test_a_room_does_not_begin_with_a_response_that_is_refused() -> None:
    _, join, body = joined("11")
    refused = run(check_send_join_steps({**body, "state": []}, join), MemoryStore(RING))
    undecided = run(check_send_join_steps(body, join), MemoryStore())
    for checked in (refused, undecided):
        with pytest.raises(ValueError, match="not refused"):
            Room.joined(checked, RING)


def test_a_room_that_was_joined_with_the_whole_state_is_not_partial() -> None:
    server, join, body = joined("11")
    room = Room.joined(run(check_send_join_steps(body, join), MemoryStore(RING)), RING)
    assert not room.partial
    assert room.waiting == {}
    assert room.current_state == server.store.states[join.event_id]
    assert room.receipts[join.event_id].status is ReceiptStatus.ACCEPTED
    made = room.make(
        "m.room.message", join.sender, {}, origin_server_ts=1, key=key_of("c.example"), room_id=room.room_id
    )
    assert made.event is not None
    assert made.event.prev_event_ids == (join.event_id,)
    # An event that came with the response is not received again.
    assert room.receive(server.create.pdu) is room.receipts[server.create.event_id]
    assert room.state_before(server.create.event_id) is None
    with pytest.raises(ValueError, match="no state before a join"):
        room.complete({})


@pytest.mark.parametrize("version", ["1", "6", "10", "11", "12"])
def test_a_recorded_room_that_is_joined_in_part_is_completed(version: str) -> None:
    header, events = recorded(version)
    replay, ring = replay_room(events), read_key_table(header["keys"])
    accepted = [one for one, outcome in replay.outcomes.items() if outcome.status is Status.ACCEPTED]
    joins = [
        replay.events[one]
        for one in accepted
        if replay.events[one].content.get("membership") == "join" and replay.events[one].depth > 5
    ]
    for join in (joins[0], joins[-1]):
        state = replay.state_before(join.event_id)
        assert state is not None
        there = [replay.events[one] for one in entries_of(state).values()]
        chain = chain_of(replay.events, [*(one.event_id for one in there), *join.auth_parents])
        pdus, more = [one.pdu for one in there], [one.pdu for one in chain.values()]
        left = [pdu for pdu in pdus if pdu["type"] != "m.room.member"]
        omitting = {"state": left, "auth_chain": more, "members_omitted": True, "servers_in_room": []}
        rooms = []
        for body in ({"state": pdus, "auth_chain": more}, omitting):
            checked = run(check_send_join_steps(body, join, same_server=True), MemoryStore(ring))
            assert checked.refused is False
            rooms.append(Room.joined(checked, ring))
        whole, part = rooms
        for number, event_id in enumerate(replay.order[replay.order.index(join.event_id) + 1 :]):
            for room in rooms:
                room.receive(replay.events[event_id].pdu)
            if number % 10 == 0:
                assert_holds(part, whole)
        assert part.complete({"pdus": pdus, "auth_chain": more}).refused is False
        assert_same(part, whole)
        for event_id, receipt in whole.receipts.items():
            if receipt.state_before is not None:
                assert receipt.state_before == replay.state_before(event_id)
