"""Receive the rooms that were recorded from a homeserver, with their signatures."""

import pytest
from builder import VERSIONS
from replay.rooms import recorded

from roomver import replay_room
from roomver.keys import read_key_table
from roomver.receive import MemoryStore, ReceiptStatus, receive_steps
from roomver.steps import run

from .test_properties import check_alike


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recorded_room_is_received_as_its_server_did(version: str) -> None:
    header, events = recorded(version)
    replayed = replay_room(events)
    assert replayed.missing == {}
    store = MemoryStore(read_key_table(header["keys"]))
    receipts = {}
    for event_id in replayed.order:
        event = replayed.events[event_id]
        receipts[event_id] = run(receive_steps(event.pdu, version, graph=store.graph), store)
        store.take(receipts[event_id])
    check_alike(replayed, receipts, store)
    rejected = {e for e, receipt in receipts.items() if receipt.status is ReceiptStatus.REJECTED}
    assert rejected == set(header["rejected"])
    assert store.extremities == set(header["forward_extremities"])
