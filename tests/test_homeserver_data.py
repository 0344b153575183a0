"""The database of a made-up homeserver in tests/data, which vectors/recorder/database.py wrote."""

import json
import lzma
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import homeservers
import pytest
from homeservers import unpacked_sqlite

DATA = Path(__file__).parent / "data"
PRIVATE_TABLES = (
    "access_tokens",
    "account_data",
    "destinations",
    "device_inbox",
    "device_lists_stream",
    "devices",
    "e2e_device_keys_json",
    "event_search",
    "event_txn_id_device_id",
    "profiles",
    "pushers",
    "receipts_linearized",
    "user_ips",
    "users",
)
PRIVATE_BYTES = (b"syt_", b"127.0.0.1", b'"device_id"', b'"token_id"', b"password-of", b"$2b$04$")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked_sqlite(tmp_path_factory.mktemp("homeserver"))


@pytest.fixture
def connection(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        yield opened


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DATA / "homeserver.json").read_text(encoding="utf-8"))
    return document


def test_the_database_is_whole(connection: sqlite3.Connection) -> None:
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT version FROM schema_version").fetchall() == [(94,)]


def test_the_facts_are_about_the_rooms_and_events_of_the_database(
    connection: sqlite3.Connection, facts: dict[str, Any]
) -> None:
    rooms = {room_id for (room_id,) in connection.execute("SELECT room_id FROM rooms")}
    assert set(facts["rooms"]) == rooms
    for room_id, room in facts["rooms"].items():
        found = connection.execute(
            "SELECT event_id FROM events WHERE room_id = ? ORDER BY stream_ordering", (room_id,)
        )
        assert room["events"] == [event_id for (event_id,) in found]


def test_accounts_and_devices_were_deleted(connection: sqlite3.Connection, database: Path) -> None:
    full = [t for t in PRIVATE_TABLES if connection.execute(f"SELECT 1 FROM {t} LIMIT 1").fetchone()]
    assert full == []
    content = database.read_bytes()
    assert [text for text in PRIVATE_BYTES if text in content] == []


def test_accounts_and_devices_are_not_in_any_other_file_either() -> None:
    for kind in homeservers.KINDS:
        for file in homeservers.packed(kind):
            content = lzma.decompress(file.read_bytes())
            assert [text for text in PRIVATE_BYTES if text in content] == [], file.name
            for table in PRIVATE_TABLES:
                _, copied, rows = content.partition(f"COPY public.{table} (".encode())
                assert not copied or rows.split(b"\n", 2)[1] == b"\\.", (file.name, table)
