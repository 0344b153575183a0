"""Signing keys and verify keys: read them, look them up, and tell when a verify key is valid.

Source: https://spec.matrix.org/latest/server-server-api/#retrieving-server-keys
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from .canonical import join_path, plain_object, shorten
from .errors import SHOWN, BadKey
from .types import JsonObject, KeyId, ServerName
from .unpadded import decode_unpadded, encode_unpadded
from .versions import RoomVersion

if TYPE_CHECKING:
    from signedjson.types import SigningKey as _SignedJsonKey

__all__ = [
    "ALGORITHM",
    "NO_KEYS",
    "VALIDITY_CAP_MS",
    "KeyClash",
    "KeyRing",
    "SigningKey",
    "Validity",
    "VerifyKey",
    "read_key_table",
]

ALGORITHM: Final = "ed25519"
"""The only signing algorithm in the specification."""

_LONGEST_NAME: Final = 300  # characters; a server name has at most 255

VALIDITY_CAP_MS: Final = 7 * 24 * 60 * 60 * 1000
"""How far into the future a key's ``valid_until_ts`` counts: seven days, in milliseconds."""


class Validity(Enum):
    """Whether a key counts for an event, by the times of the key and the event."""

    VALID = auto()
    EXPIRED = auto()
    """The server had stopped using the key. The key never counts for this event."""
    AHEAD = auto()
    """The event is more than seven days ahead of now. No key counts for it yet."""
    LAPSED = auto()
    """The key's ``valid_until_ts`` is before the event. A later response from the server may extend it."""


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A server's public key.

    Attributes:
        key: the 32 bytes of the key.
        valid_until_ts: until when the key is valid, inclusive, in milliseconds since the epoch; None if
            there is no limit.
        expired_ts: when the server stopped using the key, in milliseconds since the epoch; None if it
            has not.
        sources: where the key was found, for messages, such as file names; at most ten. Two keys that
            differ only in their sources are equal.
    """

    key: bytes
    valid_until_ts: int | None = None
    expired_ts: int | None = None
    sources: tuple[str, ...] = field(default=(), compare=False)

    def validity_at(self, timestamp: int, version: RoomVersion, now: int | None = None) -> Validity:
        """Tell whether the key counts for an event with this ``origin_server_ts``.

        A key that has expired counts up to the time at which it expired, in every room version. Versions 1
        to 4 ignore ``valid_until_ts``. A key still counts at the exact time (``<=``), as in Synapse.

        Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
        and https://spec.matrix.org/latest/rooms/v5/#signing-key-validity-period
        """
        if self.expired_ts is not None:
            # "any keys that are known to have expired prior to the event's `origin_server_ts` are ignored"
            return Validity.VALID if timestamp <= self.expired_ts else Validity.EXPIRED
        if not version.key_validity_enforced:
            return Validity.VALID
        if now is not None and timestamp > now + VALIDITY_CAP_MS:
            return Validity.AHEAD
        if self.valid_until_ts is not None and timestamp > self.valid_until_ts:
            return Validity.LAPSED
        return Validity.VALID

    def _merged(self, other: "VerifyKey") -> "VerifyKey":
        """Combine two statements about the same key. Their order does not matter.

        A server first says that a key is in use and later that it has expired, and its later responses extend
        the validity. Of two times at which a key expired, the earlier one counts.
        """
        untils = (self.valid_until_ts, other.valid_until_ts)
        until = None if None in untils else max(untils)  # type: ignore[type-var]  # no None here
        expired = [key.expired_ts for key in (self, other) if key.expired_ts is not None]
        sources = tuple(sorted({*self.sources, *other.sources}))
        return VerifyKey(self.key, until, min(expired, default=None), sources[:SHOWN])


class KeyClash(NamedTuple):
    """Two or more different keys under the same ID."""

    server: ServerName
    key_id: KeyId
    keys: tuple[VerifyKey, ...]
    """Sorted by their bytes, each with its sources."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The known verify keys of servers, the current time, and how to treat unknown keys.

    Make one with `KeyRing.of` or `read_key_table`, and join several with `KeyRing.joined` or ``|``.

    Attributes:
        keys: the keys by server name and key ID, sorted by their bytes. There is more than one if different
            sources give different keys for one ID: a signature then counts if one of them verifies it.
        now: the current time in milliseconds since the epoch. With it, ``valid_until_ts`` counts for at most
            seven days from now, as the specification requires. Without it, the times are used as they are.
        complete: whether no other keys exist. A signature by any other key is then decided, because the
            key will never be found.
        required: whether a required signature that cannot be checked is a finding.
    """

    keys: Mapping[ServerName, Mapping[KeyId, tuple[VerifyKey, ...]]] = field(default_factory=dict)
    now: int | None = None
    complete: bool = False
    required: bool = False

    @classmethod
    def of(
        cls,
        keys: Mapping[ServerName, Mapping[KeyId, VerifyKey]],
        *,
        now: int | None = None,
        source: str | None = None,
    ) -> "KeyRing":
        """Make a key ring from keys by server name and key ID.

        Args:
            keys: server name to key ID to key; `read_server_keys` returns the inner mapping.
            now: the current time, in milliseconds since the epoch.
            source: where all these keys were found, for messages.

        >>> key = SigningKey.from_seed("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").verify_key
        >>> ring = KeyRing.of({"example.org": {"ed25519:1": key}})
        >>> ring.find("example.org", "ed25519:1") == (key,)
        True
        """
        return cls(
            {
                server: {
                    key_id: (key if source is None else replace(key, sources=(source,)),)
                    for key_id, key in by_id.items()
                }
                for server, by_id in keys.items()
            },
            now,
        )

    def find(self, server: ServerName, key_id: KeyId) -> tuple[VerifyKey, ...]:
        """Return the keys that a server has under an ID; empty if no such key is known."""
        return self.keys.get(server, {}).get(key_id, ())

    @classmethod
    def joined(cls, rings: Iterable["KeyRing"]) -> "KeyRing":
        """Join several key rings, with the latest of their times. Their order does not matter.

        The same key from two sources has the longer validity of the two, and has expired if one of them
        says so. The result is complete if all are, and requires signatures if one does.
        """
        merged: dict[ServerName, dict[KeyId, tuple[VerifyKey, ...]]] = {}
        now: int | None = None
        complete = []
        required = []
        for ring in rings:
            for server, by_id in ring.keys.items():
                mine = merged.setdefault(server, {})
                for key_id, keys in by_id.items():
                    mine[key_id] = _merge_keys(mine[key_id], keys) if key_id in mine else keys
            if ring.now is not None:
                now = ring.now if now is None else max(now, ring.now)
            complete.append(ring.complete)
            required.append(ring.required)
        return cls(merged, now, bool(complete) and all(complete), any(required))

    def __or__(self, other: "KeyRing") -> "KeyRing":
        """Join two key rings, as `joined` does."""
        return KeyRing.joined((self, other))

    @property
    def clashes(self) -> tuple[KeyClash, ...]:
        """The key IDs with different keys, sorted by server name and key ID."""
        return tuple(
            KeyClash(server, key_id, keys)
            for server, by_id in sorted(self.keys.items())
            for key_id, keys in sorted(by_id.items())
            if len(keys) > 1
        )


def _merge_keys(one: tuple[VerifyKey, ...], other: tuple[VerifyKey, ...]) -> tuple[VerifyKey, ...]:
    """Return the keys that two sources have under one ID, sorted by their bytes."""
    by_bytes = {key.key: key for key in one}
    for key in other:
        by_bytes[key.key] = by_bytes[key.key]._merged(key) if key.key in by_bytes else key
    return tuple(by_bytes[raw] for raw in sorted(by_bytes))


NO_KEYS: Final = KeyRing()
"""An empty key ring: no signature can be checked with it."""


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
        # Importing signedjson takes a third of the time of `import roomver`, and few programs sign.
        from signedjson.key import decode_signing_key_base64  # noqa: PLC0415

        return cls(key_id, decode_signing_key_base64(algorithm, identifier, encode_unpadded(raw)))

    @property
    def verify_key(self) -> VerifyKey:
        """The public key, without a limit on its validity."""
        return VerifyKey(bytes(self._secret.verify_key))

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature on a message."""
        return self._secret.sign(message).signature


def read_key_table(table: object, *, source: str | None = None) -> KeyRing:
    """Read a table of verify keys from JSON.

    Args:
        table: ``{server: {key ID: {"key": unpadded base64, "valid_until_ts": int, "expired_ts":
            int}}}``. The times are optional. A bare key may replace its object.
        source: where the table was found, for messages.

    Raises:
        BadKey: naming the server and the key that cannot be used.

    >>> ring = read_key_table({"example.org": {"ed25519:1": {"key": "A" * 43, "valid_until_ts": 5}}})
    >>> ring.find("example.org", "ed25519:1")[0].valid_until_ts
    5
    """
    result: dict[ServerName, dict[KeyId, VerifyKey]] = {}
    for server, by_id in _object(table, "keys").items():
        result[server] = {
            key_id: _read_key(value, f"{_named(server)} {_named(key_id)}")
            for key_id, value in _object(by_id, _named(server)).items()
            # A key of another algorithm cannot verify anything, and is skipped.
            if key_id.startswith(f"{ALGORITHM}:")
        }
    return KeyRing.of(result, source=source)


def published_keys(response: object) -> tuple[ServerName, dict[KeyId, VerifyKey], tuple[KeyId, ...]]:
    """Read a server's response from the key API without checking its signatures.

    Returns:
        The server's name, its keys by key ID, and the IDs of those that it lists as in use.

    Raises:
        BadKey: if it is malformed, or has two different keys under one ID.
    """
    response = _object(response, "server keys")
    server = response.get("server_name")
    if type(server) is not str:
        raise BadKey("server_name", f"must be a server name, not {shorten(server)}")
    until = _time(response, "valid_until_ts", server)
    if until is None:
        raise BadKey(server, "valid_until_ts is missing")
    keys: dict[KeyId, VerifyKey] = {}
    in_use: tuple[KeyId, ...] = ()
    for name, old in (("verify_keys", False), ("old_verify_keys", True)):
        for key_id, value in _object(response.get(name, {}), f"{_named(server)} {name}").items():
            if not key_id.startswith(f"{ALGORITHM}:"):
                continue
            where = f"{_named(server)} {join_path(name, _named(key_id))}"
            key = _read_key(value, where)
            if old and key.expired_ts is None:
                raise BadKey(where, "expired_ts is missing")
            stated = VerifyKey(key.key, None, key.expired_ts) if old else VerifyKey(key.key, until)
            current = keys.get(key_id)
            if current is not None and current.key != key.key:
                raise BadKey(where, "not the key that verify_keys has under this ID; use neither")
            # `old_verify_keys` has the "keys that the server used to use and when it stopped using them". So
            # a key that is in both tables has expired.
            keys[key_id] = stated if current is None else current._merged(stated)
        if not old:
            in_use = tuple(keys)
    return server, keys, in_use


def _named(name: str) -> str:
    """Return a name of a server or key for a message: a file may have a long one for each of its keys."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


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


_YEAR_10000_MS = 253_402_300_800_000


def format_time(timestamp: int) -> str:
    """Return a time in milliseconds since the epoch as text, with the number.

    >>> format_time(1767323045000)
    '2026-01-02 03:04:05Z (1767323045000)'
    >>> format_time(-5)
    '-5'
    """
    if not 0 <= timestamp < _YEAR_10000_MS:
        return shorten(timestamp)
    minutes, second = divmod(timestamp // 1000, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    # The date in the Gregorian calendar, with years that begin in March: a leap day is then the last day.
    # 719,468 days lie between 0000-03-01 and 1970-01-01, and 146,097 days are 400 years.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * era + (month >= 10)
    date = f"{year:04}-{(month + 2) % 12 + 1:02}-{day + 1:02}"
    return f"{date} {hour:02}:{minute:02}:{second:02}Z ({timestamp})"
