"""Servers' public keys: their tables, and when a key counts as valid.

Source: https://spec.matrix.org/latest/server-server-api/#retrieving-server-keys
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from .canonical import join_path, shorten
from .errors import BadKey
from .hashing import decode_unpadded
from .types import JsonObject, JsonValue, KeyId, ServerName
from .versions import RoomVersion

ALGORITHM: Final = "ed25519"
"""The one signing algorithm that the specification has."""

VALIDITY_CAP_MS: Final = 7 * 24 * 60 * 60 * 1000
"""A key's ``valid_until_ts`` counts at most this far into the future: seven days, in milliseconds."""


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A server's public key.

    Attributes:
        key: the 32 bytes.
        valid_until_ts: milliseconds since the epoch up to which, inclusive, the key is known to be
            valid; None if nothing bounds it.
        expired_ts: milliseconds since the epoch at which the server stopped using the key, if it did.
    """

    key: bytes
    valid_until_ts: int | None = None
    expired_ts: int | None = None

    def valid_at(
        self, timestamp: int, version: RoomVersion, *, now: int | None, honour_expired: bool
    ) -> bool:
        """Tell whether the key counts for an event of that ``origin_server_ts``.

        Versions 1 to 4 ignore ``valid_until_ts``, and ``expired_ts`` as well unless told to honour it.
        The times themselves are still valid (``<=``), as in Synapse.
        """
        if self.expired_ts is not None:
            return timestamp <= self.expired_ts or not (version.key_validity_enforced or honour_expired)
        if not version.key_validity_enforced:
            return True
        if self.valid_until_ts is not None and timestamp > self.valid_until_ts:
            return False
        return now is None or timestamp <= now + VALIDITY_CAP_MS


KeyTable: TypeAlias = Mapping[ServerName, Mapping[KeyId, VerifyKey]]
"""Server name to key ID to key."""


def read_key_table(table: JsonValue) -> dict[ServerName, dict[KeyId, VerifyKey]]:
    """Read a plain table of keys.

    Args:
        table: ``{server: {key ID: {"key": unpadded base64, "valid_until_ts": int, "expired_ts":
            int}}}``; the times are optional, and the key alone may stand for its object.

    Raises:
        BadKey: naming the server and key that cannot be used.

    >>> table = read_key_table({"example.org": {"ed25519:1": {"key": "A" * 43, "valid_until_ts": 5}}})
    >>> table["example.org"]["ed25519:1"].valid_until_ts
    5
    """
    result: dict[ServerName, dict[KeyId, VerifyKey]] = {}
    for server, by_id in _object(table, "keys").items():
        result[server] = {
            key_id: _read_key(value, f"{server} {key_id}")
            for key_id, value in _object(by_id, server).items()
            # A key of an algorithm that nobody here understands verifies nothing, and harms nothing.
            if key_id.startswith(f"{ALGORITHM}:")
        }
    return result


def published_keys(response: JsonValue) -> tuple[ServerName, dict[KeyId, VerifyKey]]:
    """Read one server's answer of the key API, without checking its signatures.

    Raises:
        BadKey: if it has not the form of one.
    """
    response = _object(response, "server keys")
    server = response.get("server_name")
    if type(server) is not str:
        raise BadKey("server_name", f"must be a server name, is {shorten(server)}")
    until = _time(response, "valid_until_ts", server)
    if until is None:
        raise BadKey(server, "valid_until_ts is missing")
    keys: dict[KeyId, VerifyKey] = {}
    for field, old in (("old_verify_keys", True), ("verify_keys", False)):
        for key_id, value in _object(response.get(field, {}), f"{server} {field}").items():
            if not key_id.startswith(f"{ALGORITHM}:"):
                continue
            where = f"{server} {join_path(field, key_id)}"
            key = _read_key(value, where)
            if old and key.expired_ts is None:
                raise BadKey(where, "expired_ts is missing")
            keys[key_id] = VerifyKey(key.key, None, key.expired_ts) if old else VerifyKey(key.key, until)
    return server, keys


def _object(value: JsonValue, where: str) -> JsonObject:
    if type(value) is not dict:
        raise BadKey(where, f"must be an object, is {shorten(value)}")
    return value


def _read_key(value: JsonValue, where: str) -> VerifyKey:
    entry: JsonObject = {"key": value} if type(value) is str else _object(value, where)
    text = entry.get("key")
    raw = decode_unpadded(text) if type(text) is str else None
    if raw is None or len(raw) != 32:
        raise BadKey(where, f"key must be 32 bytes in unpadded base64, is {shorten(text)}")
    return VerifyKey(raw, _time(entry, "valid_until_ts", where), _time(entry, "expired_ts", where))


def _time(entry: JsonObject, name: str, where: str) -> int | None:
    value = entry.get(name)
    if value is not None and type(value) is not int:
        raise BadKey(where, f"{name} must be an integer of milliseconds, is {shorten(value)}")
    return value
