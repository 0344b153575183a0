"""A room in memory: events come in any order, and wait for what they lack."""

from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, key_of
from hypothesis import given
from hypothesis import strategies as st
from make.test_make import RING
from played_rooms import played
from receive.test_properties import STATUSES
from replay.rooms import TOPIC, base_room, ids
from strategies import often

from roomver import KeyRing, MissingEvents, WrongRoom, replay_room, room, sign_event
from roomver.findings import FindingKind
from roomver.receive import ReceiptStatus
from roomver.replay import Status


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32), st.booleans())
def test_the_order_of_arrival_changes_no_verdict_and_no_state(version: str, seed: int, odd: bool) -> None:
    rng = Random(f"{version}/{seed}")
    events = played(rng, version, rng.randrange(3, 20), odd=odd)
    replayed = replay_room(events)
    rng.shuffle(events)
    here = room.Room(version, signatures=False)
    here.receive_all(event.pdu for event in events)
    assert here.waiting == {}
    assert here.receipts.keys() == replayed.outcomes.keys()
    for event_id, receipt in here.receipts.items():
        expected = STATUSES[replayed.outcomes[event_id].status]
        # Only soft failure depends on the order of arrival.
        rejected = receipt.status is ReceiptStatus.REJECTED
        assert rejected is (expected is ReceiptStatus.REJECTED)
        assert here.state_before(event_id) == replayed.state_before(event_id)
        assert here.state_after(event_id) == replayed.state_after(event_id)
    again = replay_room([replayed.events[event_id] for event_id in here.receipts])
    soft = {e for e, receipt in here.receipts.items() if receipt.status is ReceiptStatus.SOFT_FAILED}
    assert soft == again.soft_failed.keys()
    assert here.extremities == set(again.forward_extremities)
    assert here.current_state == again.current_state
    assert Status.UNDECIDED not in {outcome.status for outcome in again.outcomes.values()}


def of(made: Room, **options: Any) -> room.Room:
    """Receive a room that was made by hand."""
    here = room.Room(made.version, signatures=False, **options)
    here.receive_all(event.pdu for event in made.events.values())
    assert here.waiting == {}
    return here


def test_events_that_wait_are_received_one_after_the_other() -> None:
    made = base_room("11")
    here = of(made)
    first = made.make("m.room.message", ALICE, {"n": 0})
    both = [made.make("m.room.message", ALICE, {"n": number}, prev=[first]) for number in (1, 2)]
    for event in both:
        receipt = here.receive(event.pdu)
        assert receipt.status is ReceiptStatus.UNDECIDED
    assert here.waiting.keys() == {event.event_id for event in both}
    assert here.receive(first.pdu).status is ReceiptStatus.ACCEPTED
    assert here.waiting == {}
    assert here.extremities == {event.event_id for event in both}


def test_a_rejected_event_waits_for_the_state_before_it() -> None:
    made = base_room("11")
    here = of(made)
    first = made.make("m.room.message", ALICE, {"n": 0})
    rejected = made.make("m.room.message", BOB, {}, auth=[made.create], prev=[first])
    after = made.make("m.room.message", BOB, {}, prev=[rejected])
    assert here.receive(rejected.pdu).status is ReceiptStatus.REJECTED
    assert here.receive(after.pdu).status is ReceiptStatus.UNDECIDED
    assert here.waiting.keys() == {rejected.event_id, after.event_id}
    here.receive(first.pdu)
    assert here.waiting == {}
    assert here.extremities == {after.event_id}
    assert here.receipts[rejected.event_id].status is ReceiptStatus.REJECTED


def test_an_event_waits_for_everything_that_it_lacks() -> None:
    made = base_room("11")
    here = of(made)
    lost = [made.make("m.room.message", ALICE, {"n": number}) for number in (1, 2)]
    event = made.make("m.room.message", ALICE, {}, prev=lost)
    here.receive(event.pdu)
    for one in lost:
        assert event.event_id in here.waiting
        here.receive(one.pdu)
    assert here.receipts[event.event_id].status is ReceiptStatus.ACCEPTED


def test_an_event_that_cites_itself_is_stored_and_its_state_is_unknown() -> None:
    made = base_room("1")
    here = of(made)
    own = "$itself:a.example"
    event = made.make("m.room.message", ALICE, {}, prev=[own], event_id=own)
    assert here.receive(event.pdu).cites_itself
    assert here.state_before(own) is None
    assert here.state_after(own) is None


def test_more_keys_decide_what_waits_for_them() -> None:
    made = Room("11")
    made.join(ALICE)
    here = room.Room("11", KeyRing())
    here.receive_all(event.pdu for event in made.events.values())
    assert here.waiting.keys() == made.events.keys()
    assert here.ring == KeyRing()
    here.ring = RING
    assert here.waiting == {}
    assert here.current_state == ids(made.state)


def test_an_event_is_stored_once() -> None:
    made = base_room("11")
    here = of(made)
    event = made.make("m.room.message", ALICE, {})
    first = here.receive(event.pdu)
    stored = dict(here.receipts)
    assert here.receive({**event.pdu, "unsigned": {"age": 5}}) is first
    assert here.receipts == stored


@pytest.mark.parametrize("version", ["1", "2"])
def test_another_event_under_the_same_id_is_dropped(version: str) -> None:
    made = base_room(version)
    here = of(made)
    one, other = (made.make("m.room.topic", ALICE, {"topic": x}, state_key="", event_id="$x:a") for x in "ab")
    assert here.receive(one.pdu).status is ReceiptStatus.ACCEPTED
    receipt = here.receive(other.pdu)
    assert receipt.status is ReceiptStatus.DROPPED
    assert [finding.kind for finding in receipt.check.findings] == [FindingKind.SAME_ID]
    assert str(receipt) == 'dropped: same-id: event_id: another event has the ID "$x:a"'
    assert here.current_state[TOPIC] == "$x:a"
    assert here.receipts["$x:a"].event == one


@pytest.mark.parametrize("version", ["1", "2"])
def test_another_event_under_the_id_of_one_that_waits_is_dropped(version: str) -> None:
    made = base_room(version)
    here = of(made)
    lost = made.make("m.room.message", ALICE, {})
    one, other = (made.make("m.room.message", ALICE, {"n": n}, prev=[lost], event_id="$x:a") for n in (1, 2))
    for _ in range(2):
        assert here.receive(one.pdu).status is ReceiptStatus.UNDECIDED
    receipt = here.receive({**other.pdu, "depth": 99})
    assert receipt.status is ReceiptStatus.DROPPED
    assert str(receipt) == 'dropped: same-id: event_id: another event has the ID "$x:a"'
    here.receive(lost.pdu)
    assert here.waiting == {}
    assert here.receipts["$x:a"].event == one


def test_the_history_of_a_key_has_every_stored_event() -> None:
    made = base_room("11")
    here = of(made)
    good = made.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    bad = made.make("m.room.topic", "@x:z.example", {"topic": "y"}, state_key="")
    for event in (good, bad):
        here.receive(event.pdu)
    history = here.history(*TOPIC)
    assert [(receipt.event_id, receipt.status) for receipt in history] == [
        (good.event_id, ReceiptStatus.ACCEPTED),
        (bad.event_id, ReceiptStatus.REJECTED),
    ]
    assert here.history("m.room.topic", "x") == []


def test_events_of_another_room_are_an_error() -> None:
    made, other = base_room("11"), Room("11", name="other", signed=False)
    other.join(ALICE)
    here = of(made)
    assert here.room_id == made.room_id
    for event in other.events.values():
        with pytest.raises(WrongRoom):
            here.receive(event.pdu)
    # Before the first event nothing tells which room it is, unless the caller does.
    empty = room.Room("11", signatures=False, room_id=made.room_id)
    with pytest.raises(WrongRoom):
        empty.receive(other.create.pdu)
    assert empty.receive(made.create.pdu).status is ReceiptStatus.ACCEPTED
    assert room.Room("11").room_id is None


def test_an_event_that_is_not_there_has_no_state() -> None:
    with pytest.raises(MissingEvents, match="missing from the room"):
        room.Room("11").state_before("$no")
    assert room.Room("11").current_state == {}


def test_a_malformed_event_is_dropped() -> None:
    here = room.Room("11")
    assert here.receive(5).status is ReceiptStatus.DROPPED
    made = base_room("11")
    claimed = of(made).receive(made.make("m.room.message", ALICE, {}).pdu, claimed_id="$other")
    assert claimed.status is ReceiptStatus.DROPPED


def test_an_event_is_made_and_received() -> None:
    here = of(base_room("11"))
    options: Any = {"room_id": "!room:a.example", "origin_server_ts": 5, "key": key_of("a.example")}
    made = here.make("m.room.topic", ALICE, {"topic": "x"}, state_key="", **options)
    assert made.event is not None
    assert here.receive(made.event.pdu).status is ReceiptStatus.ACCEPTED
    assert here.current_state[TOPIC] == made.event.event_id
    assert here.make("m.room.topic", CAROL, {}, **options).event is not None
    other = sign_event(made.event.pdu, "11", "b.example", key_of("b.example"))
    assert here.receive(other).event_id == made.event.event_id
