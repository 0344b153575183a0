"""The keys in a Synapse database: those of other servers, as it has fetched them.

Checked with Synapse 1.163.2. The server's own keys are not in the database.
"""

from collections.abc import Iterator
from contextlib import suppress

from ..canonical import load_json
from ..errors import RoomverError
from ..keys import KeyRing, VerifyKey
from ..signatures import read_server_keys
from ..types import JsonObject, RoomId
from .database import Database, number_of, text_of


def read_keys_of(database: Database, room_id: RoomId) -> KeyRing:
    """Return the keys of the servers whose users have sent events of a room."""
    senders = database.rows("SELECT DISTINCT sender FROM events WHERE room_id = ?", room_id)
    servers = sorted({(text_of(sender) or "").partition(":")[2] for (sender,) in senders} - {""})
    rings = []
    for server in servers:
        rings += [KeyRing.of({server: found}, source=database.name) for found in _keys_of(database, server)]
    return KeyRing.joined(rings)


def _keys_of(database: Database, server: str) -> Iterator[dict[str, VerifyKey]]:
    said = "SELECT key_id, verify_key, ts_valid_until_ms FROM server_signature_keys WHERE server_name = ?"
    stored = {}
    for raw_id, raw, until in database.rows(said, server):
        key_id, key = text_of(raw_id), bytes(raw) if isinstance(raw, bytes | memoryview) else b""
        if key_id is not None and key_id.startswith("ed25519:") and len(key) == 32:
            # Synapse takes a missing time as 0: the key was never valid.
            stored[key_id] = VerifyKey(key, number_of(until) or 0)
    yield stored
    answers = "SELECT DISTINCT key_json FROM server_keys_json WHERE server_name = ?"
    for (raw,) in database.rows(answers, server):
        text = text_of(raw)
        # They only add when a key expired. One that is not signed is left out.
        with suppress(RoomverError):
            of, keys = read_server_keys(object_of(text))
            if of == server:
                yield keys


def object_of(text: str | None) -> JsonObject:
    """Return the JSON object in a text; an empty one for another value.

    Raises:
        RoomverError: if it is not JSON.
    """
    value = load_json("" if text is None else text)
    return value if type(value) is dict else {}
