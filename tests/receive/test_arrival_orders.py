"""Any order of arrival: a `Room`, a replay and the reference say the same about every event of it.

The rooms have branches, rejected and soft-failed events in the middle, events that follow these, redactions,
and policy servers that come, change and go.
"""

from collections import Counter
from random import Random

from builder import ALICE, BOB, CAROL, VERSIONS
from hypothesis import assume, given
from hypothesis import strategies as st
from played_rooms import Sent, drawn_history, played, same_as_reference
from reference.replay import Replayed
from replay.rooms import hostile_rooms, merged_rooms
from replay.test_policy_server import CONTENT, KEY, SERVER
from strategies import often

from roomver import Event, parse_event, replay_room, sign_event
from roomver.receive import MemoryStore, ReceiptStatus, receive_checked_steps
from roomver.room import Room
from roomver.steps import run

from .test_properties import check_alike, checked

POLICIES = [CONTENT, CONTENT, {**CONTENT, "via": "nobody.example"}, {"via": SERVER}, {}]


def other_events(rng: Random) -> Sent | None:
    """Draw a redaction, or an event that names a policy server; mostly none."""
    match rng.randrange(10):
        case 0:
            return Sent("m.room.redaction", {}, sender=rng.choice([ALICE, BOB, CAROL]), redacts=True)
        case 1:
            return Sent("m.room.policy", rng.choice(POLICIES), "", sender=rng.choice([ALICE, BOB]))
        case _:
            return None


def drawn_room(rng: Random, version: str, length: int) -> list[Event]:
    """Draw a room. If it ever names a policy server, that server has signed most events."""
    events = played(rng, version, length, odd=rng.random() < 0.4, more=other_events)
    signed = [rng.random() < 0.8 for _ in events]
    if not any(event.type == "m.room.policy" for event in events):
        return events
    copies = [
        sign_event(event.pdu, version, SERVER, KEY) if s else event.pdu
        for event, s in zip(events, signed, strict=True)
    ]
    return [parse_event(copy, version) for copy in copies]


def any_order(rng: Random, events: list[Event]) -> list[Event]:
    """Return the events in any order that has the events that they follow and cite first."""
    here = {event.event_id for event in events}
    left = {e.event_id: {*e.prev_event_ids, *e.auth_event_ids} & here for e in events}
    by_id = {event.event_id: event for event in events}
    order: list[Event] = []
    while left:
        # Favour late events, so that old ones arrive long after their time.
        ready = [event_id for event_id, cited in left.items() if not cited]
        chosen = ready[-1] if rng.random() < 0.3 else rng.choice(ready)
        del left[chosen]
        for cited in left.values():
            cited.discard(chosen)
        order.append(by_id[chosen])
    return order


def received_in_order(events: list[Event], expected: Replayed) -> Room:
    """Receive events in the order of their arrival, and compare what is said of each with the reference."""
    here = Room(events[0].room_version, signatures=False)
    for event in events:
        receipt = here.receive(event.pdu)
        event_id = event.event_id
        assert receipt is here.receipts[event_id]
        rejected = receipt.status is ReceiptStatus.REJECTED
        assert rejected is (event_id in expected.rejected)
        assert (receipt.by_state is None) is (event_id in expected.by_auth_events)
        soft_failed = expected.soft_failed.get(event_id)
        assert (receipt.status is ReceiptStatus.SOFT_FAILED) is (soft_failed is not None)
        if soft_failed is not None:
            assert (receipt.refusal or receipt.by_current) == soft_failed
        assert here.state_before(event_id) == expected.before[event_id]
        assert here.state_after(event_id) == expected.after[event_id]
    assert here.waiting == {}
    assert list(here.receipts) == [event.event_id for event in events]
    assert here.extremities == expected.extremities
    assert here.current_state == expected.current_state()
    return here


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_a_room_a_replay_and_the_reference_agree_in_any_order_of_arrival(version: str, seed: int) -> None:
    rng = Random(f"{version}/{seed}")
    events = any_order(rng, drawn_room(rng, version, rng.randrange(3, 30)))
    expected = same_as_reference(events)
    received_in_order(events, expected)


def of_room(events: list[Event]) -> Room:
    """Receive events in their order."""
    here = Room(events[0].room_version, signatures=False)
    here.receive_all(event.pdu for event in events)
    assert here.waiting == {}
    return here


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_a_room_ends_in_the_same_accepted_events_and_states_in_any_order(version: str, seed: int) -> None:
    """Only soft failure depends on the order, and with it the forward extremities and the current state."""
    rng = Random(f"{version}/{seed}")
    events = drawn_room(rng, version, rng.randrange(3, 30))
    one, *others = (of_room(any_order(rng, events)) for _ in range(3))
    for other in others:
        assert other.receipts.keys() == one.receipts.keys() == {event.event_id for event in events}
        for event_id, receipt in one.receipts.items():
            again = other.receipts[event_id]
            accepted = receipt.status is not ReceiptStatus.REJECTED
            assert (again.status is not ReceiptStatus.REJECTED) is accepted
            assert (again.by_auth_events, again.by_state) == (receipt.by_auth_events, receipt.by_state)
            assert other.state_before(event_id) == one.state_before(event_id)
            assert other.state_after(event_id) == one.state_after(event_id)
            assert again.delta == receipt.delta
        statuses = {receipt.status for room in (one, other) for receipt in room.receipts.values()}
        if ReceiptStatus.SOFT_FAILED not in statuses:
            assert other.extremities == one.extremities
        if other.extremities == one.extremities:
            assert other.current_state == one.current_state


def whole(events: list[Event]) -> bool:
    """Tell whether no event is missing or on a cycle."""
    here: set[str] = set()
    left = list(events)
    while left:
        ready = [e for e in left if here.issuperset((*e.prev_event_ids, *e.auth_event_ids))]
        if not ready:
            return False
        here.update(event.event_id for event in ready)
        left = [event for event in left if event.event_id not in here]
    return True


@often
@given(hostile_rooms() | merged_rooms(), st.randoms(use_true_random=False))
def test_any_whole_room_is_received_alike_in_any_order_of_arrival(events: list[Event], rng: Random) -> None:
    assume(events and whole(events))
    events = any_order(rng, events)
    same_as_reference(events)
    replayed, store, receipts = replay_room(events), MemoryStore(), {}
    for event in events:
        receipts[event.event_id] = run(receive_checked_steps(checked(event), graph=store.graph), store)
        store.take(receipts[event.event_id])
    check_alike(replayed, receipts, store)


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_events_of_the_history_are_received_as_the_reference_receives_them(version: str, seed: int) -> None:
    rng = Random(f"{version}/{seed}")
    events = any_order(rng, drawn_room(rng, version, rng.randrange(3, 30)))
    history = drawn_history(rng, events)
    expected, store = same_as_reference(events, history), MemoryStore()
    for event in events:
        event_id = event.event_id
        steps = receive_checked_steps(checked(event), graph=store.graph, from_history=event_id in history)
        receipt = run(steps, store)
        store.take(receipt)
        assert (receipt.status is ReceiptStatus.REJECTED) is (event_id in expected.rejected)
        assert (receipt.status is ReceiptStatus.SOFT_FAILED) is (event_id in expected.soft_failed)
        assert receipt.state_after == expected.after[event_id]
    assert store.extremities == expected.extremities


def test_the_random_rooms_have_what_makes_arrival_matter() -> None:
    """Not every draw has soft-failed events, events that follow them, redactions and policy servers."""
    found: Counter[str] = Counter()
    for seed in range(10 * len(VERSIONS)):
        rng = Random(f"arrival/{seed}")
        events = any_order(rng, drawn_room(rng, VERSIONS[seed % len(VERSIONS)], 30))
        expected = same_as_reference(events)
        for event in events:
            soft_failed = expected.soft_failed.get(event.event_id)
            refused = event.event_id in expected.rejected
            found[type(soft_failed).__name__] += 1
            found["rejected"] += refused
            follows = any(parent in expected.soft_failed for parent in event.prev_event_ids)
            found["accepted after a soft-failed one"] += follows and not refused and soft_failed is None
            found["accepted redaction"] += event.type == "m.room.redaction" and not refused
    assert found["Verdict"] > 20
    assert found["PolicyRefusal"] > 20
    assert found["rejected"] > 100
    assert found["accepted after a soft-failed one"] > 20
    assert found["accepted redaction"] > 100
