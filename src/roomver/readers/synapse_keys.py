"""The verify keys that a Synapse database has of the servers of a room."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from ..errors import RoomverError
from ..keys import KeyRing, VerifyKey
from ..signatures import read_server_keys
from ..types import RoomId
from .database import Database, number_of, object_of, rows_among, text_of


def read_keys(database: Database, room_id: RoomId) -> KeyRing:
    """Return the keys of the servers whose users have sent events, without the server's own keys."""
    senders = database.rows("SELECT DISTINCT sender FROM events WHERE room_id = ?", room_id)
    servers = sorted({(text_of(sender) or "").partition(":")[2] for (sender,) in senders} - {""})
    return KeyRing.joined(
        KeyRing.of({server: found}, source=database.name) for server, found in _keys_of(database, servers)
    )


def _keys_of(database: Database, servers: Sequence[str]) -> Iterator[tuple[str, Mapping[str, VerifyKey]]]:
    stored: dict[str, dict[str, VerifyKey]] = {server: {} for server in servers}
    said = (
        "SELECT server_name, key_id, verify_key, ts_valid_until_ms FROM server_signature_keys"
        " WHERE server_name"
    )
    for raw_server, raw_id, raw, until in rows_among(database, said, servers):
        server, key_id = text_of(raw_server), text_of(raw_id)
        key = bytes(raw) if isinstance(raw, bytes | memoryview) else b""
        if server in stored and key_id is not None and key_id.startswith("ed25519:") and len(key) == 32:
            # Synapse takes a missing time as 0: the key was never valid.
            stored[server][key_id] = VerifyKey(key, number_of(until) or 0)
    yield from stored.items()
    answers = "SELECT DISTINCT server_name, key_json FROM server_keys_json WHERE server_name"
    for raw_server, raw in rows_among(database, answers, servers):
        # They only add when a key expired. One that is not signed is left out.
        with suppress(RoomverError):
            of, keys = read_server_keys(object_of(raw))
            if of == text_of(raw_server):
                yield of, keys
