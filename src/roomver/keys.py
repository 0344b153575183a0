"""Signing keys and verify keys: how they are read, and when a verify key is valid.

Source: https://spec.matrix.org/latest/server-server-api/#retrieving-server-keys
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from signedjson.key import decode_signing_key_base64

from .canonical import join_path, plain_object, shorten
from .errors import BadKey
from .types import JsonObject, KeyId, ServerName
from .unpadded import decode_unpadded, encode_unpadded
from .versions import RoomVersion

if TYPE_CHECKING:
    from signedjson.types import SigningKey as _SignedJsonKey

__all__ = ["ALGORITHM", "VALIDITY_CAP_MS", "KeyTable", "SigningKey", "VerifyKey", "read_key_table"]

ALGORITHM: Final = "ed25519"
"""The only signing algorithm in the specification."""

VALIDITY_CAP_MS: Final = 7 * 24 * 60 * 60 * 1000
"""How far into the future a key's ``valid_until_ts`` counts: seven days, in milliseconds."""


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A server's public key.

    Attributes:
        key: the 32 bytes of the key.
        valid_until_ts: until when the key is valid, inclusive, in milliseconds since the epoch; None if
            there is no limit.
        expired_ts: when the server stopped using the key, in milliseconds since the epoch; None if it
            has not.
    """

    key: bytes
    valid_until_ts: int | None = None
    expired_ts: int | None = None

    def valid_at(
        self, timestamp: int, version: RoomVersion, *, now: int | None, honour_expired: bool
    ) -> bool:
        """Tell whether the key is valid for an event with this ``origin_server_ts``.

        Versions 1 to 4 ignore ``valid_until_ts``. They ignore ``expired_ts`` too, unless
        `honour_expired` is set. A key is still valid at the exact time (``<=``), as in Synapse.
        """
        if self.expired_ts is not None:
            return timestamp <= self.expired_ts or not (version.key_validity_enforced or honour_expired)
        if not version.key_validity_enforced:
            return True
        if self.valid_until_ts is not None and timestamp > self.valid_until_ts:
            return False
        return now is None or timestamp <= now + VALIDITY_CAP_MS


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A server's secret key. Make one with `SigningKey.from_seed`.

    Attributes:
        key_id: the key ID, such as ``ed25519:a_1``.
    """

    key_id: KeyId
    _secret: "_SignedJsonKey" = field(repr=False)

    @classmethod
    def from_seed(cls, key_id: KeyId, seed: str) -> "SigningKey":
        """Make a signing key from its seed.

        Args:
            key_id: the key ID, such as ``ed25519:a_1``.
            seed: 32 bytes in unpadded base64.

        Raises:
            BadKey: if the algorithm is not ``ed25519``, or the seed is malformed.

        >>> key = SigningKey.from_seed("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
        >>> key
        SigningKey(key_id='ed25519:1')
        >>> len(key.verify_key.key)
        32
        """
        algorithm, _, identifier = key_id.partition(":")
        if algorithm != ALGORITHM or not identifier:
            raise BadKey(key_id, f"a key ID must be {ALGORITHM}: and an identifier")
        raw = decode_unpadded(seed) if type(seed) is str else None
        if raw is None or len(raw) != 32:
            raise BadKey(key_id, "a seed must be 32 bytes in unpadded base64")
        return cls(key_id, decode_signing_key_base64(algorithm, identifier, encode_unpadded(raw)))

    @property
    def verify_key(self) -> VerifyKey:
        """The public key, without a limit on its validity."""
        return VerifyKey(bytes(self._secret.verify_key))

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature on a message."""
        return self._secret.sign(message).signature


KeyTable: TypeAlias = Mapping[ServerName, Mapping[KeyId, VerifyKey]]
"""Verify keys by server name and key ID."""


def read_key_table(table: object) -> dict[ServerName, dict[KeyId, VerifyKey]]:
    """Read a table of verify keys from JSON.

    Args:
        table: ``{server: {key ID: {"key": unpadded base64, "valid_until_ts": int, "expired_ts":
            int}}}``. The times are optional. The key alone may stand in place of its object.

    Raises:
        BadKey: naming the server and the key that cannot be used.

    >>> table = read_key_table({"example.org": {"ed25519:1": {"key": "A" * 43, "valid_until_ts": 5}}})
    >>> table["example.org"]["ed25519:1"].valid_until_ts
    5
    """
    result: dict[ServerName, dict[KeyId, VerifyKey]] = {}
    for server, by_id in _object(table, "keys").items():
        result[server] = {
            key_id: _read_key(value, f"{server} {key_id}")
            for key_id, value in _object(by_id, server).items()
            # A key of another algorithm verifies nothing and does no harm.
            if key_id.startswith(f"{ALGORITHM}:")
        }
    return result


def published_keys(response: object) -> tuple[ServerName, dict[KeyId, VerifyKey]]:
    """Read a server's response of the key API without checking its signatures.

    Raises:
        BadKey: if it is malformed.
    """
    response = _object(response, "server keys")
    server = response.get("server_name")
    if type(server) is not str:
        raise BadKey("server_name", f"must be a server name, not {shorten(server)}")
    until = _time(response, "valid_until_ts", server)
    if until is None:
        raise BadKey(server, "valid_until_ts is missing")
    keys: dict[KeyId, VerifyKey] = {}
    for name, old in (("old_verify_keys", True), ("verify_keys", False)):
        for key_id, value in _object(response.get(name, {}), f"{server} {name}").items():
            if not key_id.startswith(f"{ALGORITHM}:"):
                continue
            where = f"{server} {join_path(name, key_id)}"
            key = _read_key(value, where)
            if old and key.expired_ts is None:
                raise BadKey(where, "expired_ts is missing")
            keys[key_id] = VerifyKey(key.key, None, key.expired_ts) if old else VerifyKey(key.key, until)
    return server, keys


def _object(value: object, where: str) -> JsonObject:
    plain = plain_object(value)
    if plain is None:
        raise BadKey(where, f"must be an object, not {shorten(value)}")
    return plain


def _read_key(value: object, where: str) -> VerifyKey:
    entry: JsonObject = {"key": value} if type(value) is str else _object(value, where)
    text = entry.get("key")
    raw = decode_unpadded(text) if type(text) is str else None
    if raw is None or len(raw) != 32:
        raise BadKey(where, f"key must be 32 bytes in unpadded base64, not {shorten(text)}")
    return VerifyKey(raw, _time(entry, "valid_until_ts", where), _time(entry, "expired_ts", where))


def _time(entry: JsonObject, name: str, where: str) -> int | None:
    value = entry.get(name)
    if value is not None and type(value) is not int:
        raise BadKey(where, f"{name} must be an integer of milliseconds, not {shorten(value)}")
    return value
