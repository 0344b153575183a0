"""Receive random rooms event by event: what becomes of each is what a replay of the whole room says."""

from collections.abc import Iterable
from random import Random
from typing import Any

from builder import VERSIONS
from generator import hostile_value, mutate, pdu
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import forget, played
from replay.rooms import hostile_rooms, merged_rooms
from strategies import hostile, hostile_json, often, python_values

from roomver import Event, WrongRoom, replay_room
from roomver.findings import EventCheck
from roomver.receive import (
    Lacking,
    MemoryStore,
    Receipt,
    ReceiptStatus,
    receive_checked_steps,
    receive_steps,
    state_before_steps,
)
from roomver.replay import Replay, Status
from roomver.state import RoomState, State, entries_of
from roomver.steps import run
from roomver.types import EventId

STATUSES = {
    Status.ACCEPTED: ReceiptStatus.ACCEPTED,
    Status.REJECTED_BY_AUTH_EVENTS: ReceiptStatus.REJECTED,
    Status.REJECTED_BY_STATE: ReceiptStatus.REJECTED,
}


def receive_all(store: MemoryStore, events: Iterable[Event], **options: Any) -> dict[EventId, Receipt]:
    receipts = {}
    for event in events:
        version = event.room_version
        steps = receive_steps(event.pdu, version, graph=store.graph, signatures=False, **options)
        receipt = receipts[event.event_id] = run(steps, store)
        store.take(receipt)
    return receipts


def check_alike(replayed: Replay, receipts: dict[EventId, Receipt], store: MemoryStore) -> None:
    for event_id in replayed.order:
        outcome, receipt = replayed.outcomes[event_id], receipts[event_id]
        if event_id in replayed.soft_failed:
            assert receipt.status is ReceiptStatus.SOFT_FAILED
            assert (receipt.refusal or receipt.by_current) == replayed.soft_failed[event_id]
        else:
            assert receipt.status is STATUSES[outcome.status], event_id
        assert receipt.by_auth_events == outcome.by_auth_events
        assert receipt.by_state == outcome.by_state
        assert receipt.state_before == replayed.state_before(event_id)
        assert receipt.state_after == replayed.state_after(event_id)
    assert store.extremities == set(replayed.forward_extremities)
    current = run(state_before_steps(store.extremities, graph=store.graph), store)
    assert current.state == replayed.current_state


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32), st.booleans())
def test_a_room_is_received_as_it_is_replayed(version: str, seed: int, odd: bool) -> None:
    rng = Random(f"{version}/{seed}")
    events = played(rng, version, rng.randrange(3, 26), odd=odd)
    store = MemoryStore()
    receipts = receive_all(store, events)
    check_alike(replay_room(events), receipts, store)


def checked(event: Event) -> EventCheck:
    """Return the check of a made-up event, which has a made-up ID."""
    return EventCheck(event.event_id, event, ())


@often
@given(hostile_rooms() | merged_rooms())
def test_any_events_are_received_as_they_are_replayed(events: list[Event]) -> None:
    replayed = replay_room(events)
    store = MemoryStore()
    receipts = {}
    cyclic = [e for e, outcome in replayed.outcomes.items() if outcome.status is Status.CYCLIC]
    for event_id in [*replayed.order, *cyclic]:
        steps = receive_checked_steps(checked(replayed.events[event_id]), graph=store.graph)
        receipts[event_id] = run(steps, store)
        store.take(receipts[event_id])
    if not replayed.missing and not cyclic:
        check_alike(replayed, receipts, store)
        return
    # What is undecided is not stored here, and so decides nothing. The replay goes on with it.
    for event_id, receipt in receipts.items():
        outcome = replayed.outcomes[event_id]
        if outcome.status is Status.CYCLIC:
            # A replay sees the whole cycle. Here each of its events waits for another, or is refused.
            assert receipt.status in (ReceiptStatus.REJECTED, ReceiptStatus.UNDECIDED)
        elif receipt.decided:
            rejected = receipt.status is ReceiptStatus.REJECTED
            assert rejected is (STATUSES[outcome.status] is ReceiptStatus.REJECTED)
            if receipt.state_before is not None:
                assert receipt.state_before == replayed.state_before(event_id)
        else:
            assert any(receipt.lacking[:-2])


# Any input


@hostile
@given(hostile_json | python_values, st.sampled_from(VERSIONS))
def test_any_value_has_a_receipt(value: Any, version: str) -> None:
    receipt = run(receive_steps(value, version), MemoryStore())
    assert receipt.status in (ReceiptStatus.DROPPED, ReceiptStatus.UNDECIDED)
    assert str(receipt).startswith(receipt.status.value)


@often
@given(st.integers(0, 2**32), st.sampled_from(VERSIONS))
def test_any_event_has_a_receipt(seed: int, version: str) -> None:
    rng = Random(f"{version}/{seed}")
    store, event = MemoryStore(), pdu(rng, version)
    for number, cited in enumerate(played(rng, version, 3)):
        receive_all(store, [cited])
        if number < 3 and rng.randrange(2):
            here: Any = cited.pdu
            event["prev_events"] = here["prev_events"] if rng.randrange(2) else []
            event["auth_events"] = [*event["auth_events"][:3], *here["auth_events"]]
    if rng.randrange(2):
        event = mutate(rng, event)
    if rng.randrange(2):
        event["content"] = hostile_value(rng)
    for signatures in (False, True):
        steps = receive_steps(event, version, graph=store.graph, signatures=signatures)
        try:
            receipt = run(steps, store)
        except WrongRoom:
            # The caller finds the room, so it sends a create event of another room elsewhere.
            assert event.get("type") == "m.room.create"
            assert event.get("room_id") not in {one.event.room_id for one in store.stored.values()}
            continue
        assert str(receipt).startswith(receipt.status.value)
        store.take(receipt)


# Less knowledge


class Less(MemoryStore):
    """A part of a store: some of its events and states, and states known in part."""

    def __init__(self, whole: MemoryStore, rng: Random) -> None:
        super().__init__(whole.ring)
        self.extremities = whole.extremities
        self.stored = {e: stored for e, stored in whole.stored.items() if rng.randrange(8)}
        for event_id, state in whole.states.items():
            if rng.randrange(8):
                less = forget(rng, state) if rng.randrange(2) else state
                known = less if isinstance(less, State) else RoomState(less)
                self.states[event_id] = known


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32), st.booleans())
def test_more_knowledge_reverses_no_decision(version: str, seed: int, odd: bool) -> None:
    rng = Random(f"{version}/{seed}")
    store = MemoryStore()
    for event in played(rng, version, rng.randrange(3, 20), odd=odd):
        less = run(receive_checked_steps(checked(event)), Less(store, rng))
        more = run(receive_checked_steps(checked(event), graph=store.graph), store)
        assert more.decided
        if less.decided:
            assert less.status is more.status
            assert less.delta == more.delta
            if less.forward_extremities is not None:
                # Events that are missing may be rejected, and lead to further extremities.
                assert more.forward_extremities is not None
                assert less.forward_extremities >= more.forward_extremities
        else:
            assert less.lacking != Lacking()
        if less.state_before is not None:
            assert more.state_before is not None
            known = entries_of(less.state_before)
            assert known == {key: more.state_before[key] for key in known}
        store.take(more)
