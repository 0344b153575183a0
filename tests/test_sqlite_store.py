"""The store over SQLite that docs/servers.md shows."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from docs.sqlite_store import SqliteStore
from roomver.keys import read_key_table
from roomver.receive import MemoryStore, Receipt, ReceiptStatus, receive_steps
from roomver.state import PartialState, Unknown
from roomver.steps import Store, run
from roomver.versions import ROOM_VERSIONS

ROOT = Path(__file__).parents[1]


def recorded(version: str) -> tuple[dict[str, Any], list[Any]]:
    lines = (ROOT / "vectors" / "rooms" / f"v{version}.jsonl").read_bytes().splitlines()
    header, *events = map(json.loads, lines)
    return header, [line["pdu"] for line in events]


def opened(path: Path, version: str) -> SqliteStore:
    return SqliteStore(str(path), version, read_key_table(recorded(version)[0]["keys"]))


def received(store: SqliteStore | MemoryStore, pdu: object, version: str) -> Receipt:
    as_store: Store = store
    receipt = run(receive_steps(pdu, version, graph=store.graph), as_store)
    store.take(receipt)
    return receipt


def test_the_page_shows_the_whole_file() -> None:
    source = (ROOT / "docs" / "sqlite_store.py").read_text(encoding="utf-8")
    assert f"\n```python\n{source}```\n" in (ROOT / "docs" / "servers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("version", [*ROOM_VERSIONS])
def test_it_decides_as_the_store_in_memory_and_goes_on_after_a_restart(version: str, tmp_path: Path) -> None:
    header, pdus = recorded(version)
    store, memory = opened(tmp_path / "room.db", version), MemoryStore(read_key_table(header["keys"]))
    for number, pdu in enumerate(pdus):
        if number % 40 == 20:
            store = opened(tmp_path / "room.db", version)
        receipt, expected = received(store, pdu, version), received(memory, pdu, version)
        assert receipt.status is expected.status
        assert receipt.state_after == expected.state_after
    assert set(store.current().extremities) == memory.extremities == set(header["forward_extremities"])
    assert store.states == memory.states
    assert store.events(frozenset(memory.stored)) == memory.stored


def test_what_is_not_decided_is_not_stored(tmp_path: Path) -> None:
    store = opened(tmp_path / "room.db", "11")
    pdus = recorded("11")[1]
    assert received(store, {"type": "m.room.message"}, "11").status is ReceiptStatus.DROPPED
    assert received(store, pdus[-1], "11").status is ReceiptStatus.UNDECIDED
    assert store.events([str(one) for one in pdus[-1]["auth_events"]]) == {}
    assert store.current().extremities == []


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path / "room.db", "11")
    pdus = recorded("11")[1]
    for pdu in pdus[:5]:
        last = received(store, pdu, "11")
    known, extremities = dict(store.states), set(store.current().extremities)
    store.take(last)  # received again: nothing changes
    assert (store.states, set(store.current().extremities)) == (known, extremities)
    store.database.execute("DROP TABLE states")
    receipt = run(receive_steps(pdus[5], "11"), store)
    with pytest.raises(sqlite3.OperationalError):
        store.take(receipt)
    assert store.events([str(receipt.event_id)]) == {}
    assert store.states == known
    assert set(store.current().extremities) == extremities


def test_a_state_that_is_known_in_part_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path / "room.db", "11")
    pdus = recorded("11")[1]
    for pdu in pdus[:5]:
        received(store, pdu, "11")
    whole = run(receive_steps(pdus[5], "11"), store).state_before
    assert whole is not None
    partial = PartialState(whole.known, [Unknown("left out", keys=frozenset([("m.room.name", "")]))])
    receipt = run(receive_steps(pdus[5], "11", state_before=partial), store)
    with pytest.raises(NotImplementedError, match="known in part"):
        store.take(receipt)
