"""Signing, and checking signatures: who must sign, with which keys, valid when.

Keys are handed in and so is the time; nothing is fetched here.

Source: https://spec.matrix.org/latest/appendices/#signing-json and
https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple, cast

from canonicaljson import encode_canonical_json
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey
from signedjson.key import decode_signing_key_base64
from unpaddedbase64 import encode_base64

from .canonical import join_path, scan, shorten
from .errors import BadKey, Defect, MalformedEvent, NotCanonical
from .hashing import content_digest, decode_unpadded, essential_bytes
from .identifiers import is_user_id, server_of
from .keys import ALGORITHM, KeyTable, VerifyKey, published_keys
from .pdu import CarriesPdu, copied, unpack
from .types import JsonObject, JsonValue, KeyId, ServerName
from .versions import RoomVersion

_PREFIX = f"{ALGORITHM}:"
_AUTHORISER = "join_authorised_via_users_server"


class SignatureStatus(Enum):
    """What became of one signature."""

    VERIFIED = "verified"
    FAILED = "does not verify"
    UNREADABLE = "is no base64 of 64 bytes"
    UNKNOWN_ALGORITHM = "ignored: unknown algorithm"
    UNKNOWN_KEY = "ignored: unknown key"
    KEY_NOT_VALID = "ignored: the key was not valid at the time of the event"

    @property
    def ignored(self) -> bool:
        """The signature counts neither for nor against the event."""
        return self in (self.UNKNOWN_ALGORITHM, self.UNKNOWN_KEY, self.KEY_NOT_VALID)


class SignatureResult(NamedTuple):
    """One signature and what became of it."""

    key_id: KeyId
    status: SignatureStatus


class ServerResult(NamedTuple):
    """The signatures of one server that must sign.

    Attributes:
        signatures: every signature under the server's name, sorted by key ID.
    """

    server: ServerName
    signatures: tuple[SignatureResult, ...]

    @property
    def valid(self) -> bool:
        """At least one signature is not ignored, and all of those verify."""
        verified = False
        for result in self.signatures:
            if result.status is SignatureStatus.VERIFIED:
                verified = True
            elif not result.status.ignored:
                return False
        return verified

    @property
    def keys_missing(self) -> bool:
        """Nothing failed, but no signature could be tried for want of its key."""
        return bool(self.signatures) and all(r.status is SignatureStatus.UNKNOWN_KEY for r in self.signatures)

    def __str__(self) -> str:
        if self.valid:
            return f"{self.server}: signed"
        if not self.signatures:
            return f"{self.server}: no signature"
        why = "; ".join(
            f"{r.key_id} {r.status.value}"
            for r in self.signatures
            if r.status is not SignatureStatus.VERIFIED
        )
        return f"{self.server}: {why}"


class SignatureReport(NamedTuple):
    """Whether an event has the signatures that it needs, and why.

    Attributes:
        servers: a result for each server that must sign, sorted by name. Empty for an event that
            needs no server's signature: a third-party invite.
        defect: what kept the servers from being named, if anything: the event is then not valid.
    """

    servers: tuple[ServerResult, ...]
    defect: Defect | None = None

    @property
    def valid(self) -> bool:
        """Every server that must sign has signed."""
        if self.defect is not None:
            return False
        for result in self.servers:  # noqa: SIM110 - all() would make a generator for each event
            if not result.valid:
                return False
        return True

    def __bool__(self) -> bool:
        return self.valid

    def __str__(self) -> str:
        if self.defect is not None:
            return str(self.defect)
        return ", ".join(map(str, self.servers)) or "no signature is needed"


def verify_bytes(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether an Ed25519 signature of 64 bytes holds for a message under a key of 32 bytes."""
    try:
        crypto_sign_open(signature + message, key)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


def signing_key(key_id: KeyId, seed: str) -> SigningKey:
    """Return a signing key from its seed.

    Args:
        key_id: such as ``ed25519:a_1``.
        seed: 32 bytes in unpadded base64.

    Raises:
        BadKey: for another algorithm, or a seed of another form.
    """
    algorithm, _, identifier = key_id.partition(":")
    if algorithm != ALGORITHM or not identifier:
        raise BadKey(key_id, f"a key ID must be {ALGORITHM}: and an identifier")
    raw = decode_unpadded(seed) if type(seed) is str else None
    if raw is None or len(raw) != 32:
        raise BadKey(key_id, "a seed must be 32 bytes in unpadded base64")
    return cast(SigningKey, decode_signing_key_base64(algorithm, identifier, encode_base64(raw)))


def _key_id(key: SigningKey) -> KeyId:
    algorithm, identifier = getattr(key, "alg", None), getattr(key, "version", None)
    if algorithm is None or identifier is None:
        raise BadKey("signing key", "it has no key ID: make it with roomver.signing_key")
    return f"{algorithm}:{identifier}"


def _with_signature(owner: JsonObject, message: bytes, server: ServerName, key: SigningKey) -> JsonObject:
    """Return a copy of an object with a signature added; others stay as they are."""
    signatures = owner.get("signatures", {})
    mine = signatures.get(server, {}) if type(signatures) is dict else None
    if type(signatures) is not dict or type(mine) is not dict:
        raise MalformedEvent([Defect("signatures", "an object of objects", shorten(signatures))], "any")
    signature = encode_base64(key.sign(message).signature)
    added = {**signatures, server: {**mine, _key_id(key): signature}}
    return cast(JsonObject, copied({**owner, "signatures": cast(JsonValue, added)}))


def sign_json(value: JsonObject, server: ServerName, key: SigningKey, *, strict: bool = True) -> JsonObject:
    """Return a copy of a JSON object with a server's signature added.

    Source: https://spec.matrix.org/latest/appendices/#signing-details

    Args:
        value: the object; ``signatures`` and ``unsigned`` at its top are not covered.
        server: in whose name.
        key: from `signing_key`.
        strict: as in `encode_canonical`.

    Raises:
        NotCanonical: if it is no object, or has no canonical JSON.
        BadKey: for a key without an ID.

    >>> key = signing_key("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
    >>> sign_json({}, "domain", key)["signatures"]["domain"]["ed25519:1"][:16]
    'K8280/U9SSy9IVtj'
    """
    return _with_signature(value, _covered_bytes(value, strict), server, key)


def _covered_bytes(value: JsonValue, strict: bool) -> bytes:
    """Return what a signature on a JSON object is made over: all but two keys, at its top only."""
    if type(value) is not dict:
        raise NotCanonical("", f"what is signed must be a JSON object, not {shorten(value)}")
    scan(value, strict=strict)
    return encode_canonical_json({k: v for k, v in value.items() if k not in ("signatures", "unsigned")})


def verify_json(
    value: JsonObject, server: ServerName, keys: Mapping[KeyId, VerifyKey], *, strict: bool = True
) -> "ServerResult":
    """Check a server's signatures on a JSON object, by keys that are taken as valid.

    Source: https://spec.matrix.org/latest/appendices/#checking-for-a-signature

    Raises:
        NotCanonical: if it is no object, or has no canonical JSON.
    """
    message = _covered_bytes(value, strict)
    return _check_server(server, value.get("signatures"), message, keys, lambda _: True)


def read_server_keys(response: JsonObject) -> tuple[ServerName, dict[KeyId, VerifyKey]]:
    """Read one server's answer of the key API, and check that the server signed it.

    Source: https://spec.matrix.org/latest/server-server-api/#publishing-keys

    Args:
        response: the object that ``/_matrix/key/v2/server`` answers with, or one of the
            ``server_keys`` of ``/_matrix/key/v2/query``.

    Returns:
        The server's name and its keys: those in use with their ``valid_until_ts``, the old ones with
        their ``expired_ts``.

    Raises:
        BadKey: if it has not the form of one, or one of its own keys in use has not signed it.
        NotCanonical: if it has no canonical JSON.
    """
    server, keys = published_keys(response)
    in_use = {key_id: key for key_id, key in keys.items() if key.expired_ts is None}
    result = verify_json(response, server, in_use)
    if not result.valid:
        raise BadKey(server, f"the answer is not signed by the server's own keys ({result})")
    return server, keys


def sign_event(
    pdu: JsonObject, version: RoomVersion | str, server: ServerName, key: SigningKey
) -> JsonObject:
    """Return a copy of a PDU with its content hash and a server's signature.

    The content hash is set, the event is redacted, the redacted form is signed, and the signature
    is put on the whole event. Signatures that are already there stay.

    Source: https://spec.matrix.org/latest/server-server-api/#adding-hashes-and-signatures-to-outgoing-events

    Raises:
        NotCanonical: if the PDU has no canonical JSON.
        MalformedEvent: if it is no object, or its ``signatures`` are no object of objects.
        BadKey: for a key without an ID.
    """
    raw, known = unpack(pdu, version)
    hashes: JsonObject = {"sha256": encode_base64(content_digest(raw))}
    hashed: JsonObject = {**raw, "hashes": hashes}
    return _with_signature(hashed, essential_bytes(hashed, known), server, key)


def list_required_signers(
    event: JsonObject | CarriesPdu, version: RoomVersion | str | None = None
) -> tuple[ServerName, ...]:
    """Return the servers whose signatures an event needs, sorted.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events

    They are the sender's server, unless the event is a third-party invite (what is signed inside it
    guards it); in versions 1 and 2 the server in the event ID; and from version 8 on, for a join with
    ``join_authorised_via_users_server``, that user's server. The rule on that key is written for any
    membership, but every server applies it to joins: Synapse and gomatrixserverlib say so in code.

    An invite counts as a third-party invite if its content has the key at all, as Synapse has it.

    Raises:
        MalformedEvent: if an identifier that names a signer is none.
    """
    return _signers(*unpack(event, version))


def _signers(pdu: JsonObject, version: RoomVersion) -> tuple[ServerName, ...]:
    content = pdu.get("content")
    fields: JsonObject = content if type(content) is dict else {}
    membership = fields.get("membership") if pdu.get("type") == "m.room.member" else None
    signers = set()
    if not (membership == "invite" and "third_party_invite" in fields):
        signers.add(_server_in(pdu, "sender", version))
    if version.event_id_server_signs:
        signers.add(_server_in(pdu, "event_id", version))
    if version.authorising_server_signs and membership == "join" and _AUTHORISER in fields:
        authoriser = fields[_AUTHORISER]
        if type(authoriser) is not str or not is_user_id(authoriser):
            path = join_path("content", _AUTHORISER)
            raise MalformedEvent([Defect(path, "a user ID", shorten(authoriser))], version.identifier)
        signers.add(server_of(authoriser))
    return tuple(sorted(signers))


def _server_in(pdu: JsonObject, key: str, version: RoomVersion) -> ServerName:
    identifier = pdu.get(key)
    if type(identifier) is not str or ":" not in identifier:
        found = shorten(identifier) if key in pdu else "nothing"
        raise MalformedEvent([Defect(key, "an identifier with a server name", found)], version.identifier)
    return server_of(identifier)


def verify_signatures(
    event: JsonObject | CarriesPdu,
    keys: KeyTable,
    version: RoomVersion | str | None = None,
    *,
    now: int | None = None,
    honour_expired: bool = False,
) -> SignatureReport:
    """Check that an event has the signatures it needs.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
    and https://spec.matrix.org/latest/rooms/v5/#signing-key-validity-period

    For each server that must sign, signatures of an unknown algorithm, by an unknown key or by a key
    that was not valid when the event was made are ignored; one at least must remain, and all that
    remain must verify. Signatures of other servers are not looked at.

    Args:
        event: an `Event`, or a raw PDU with its room version.
        keys: what is known of the servers' keys.
        version: the room version of a raw PDU.
        now: milliseconds since the epoch. With it a key's ``valid_until_ts`` counts for at most seven
            days from now, as the specification has it; without it the table is taken at its word.
        honour_expired: in versions 1 to 4, too, ignore signatures by a key that had expired before
            the event; Synapse does not.

    Returns:
        A report that is true exactly if the event is validly signed.

    Raises:
        MalformedEvent: for a raw PDU that is no JSON object.
        NotCanonical: for a raw PDU that has no canonical JSON.
    """
    pdu, known = unpack(event, version)
    return check_signatures(pdu, known, essential_bytes(pdu, known), keys, now, honour_expired)


def check_signatures(
    pdu: JsonObject,
    version: RoomVersion,
    essential: bytes,
    keys: KeyTable,
    now: int | None = None,
    honour_expired: bool = False,
) -> SignatureReport:
    """`verify_signatures` for a caller that has the signed bytes already (`hashing.essential_bytes`)."""
    try:
        servers = _signers(pdu, version)
    except MalformedEvent as error:
        return SignatureReport((), error.defects[0])
    timestamp = pdu.get("origin_server_ts")
    made_at = timestamp if type(timestamp) is int else 0

    def counts(key: VerifyKey) -> bool:
        return key.valid_at(made_at, version, now=now, honour_expired=honour_expired)

    signatures = pdu.get("signatures")
    results = [_check_server(name, signatures, essential, keys.get(name, {}), counts) for name in servers]
    return SignatureReport(tuple(results))


def _check_server(
    server: ServerName,
    signatures: JsonValue,
    message: bytes,
    keys: Mapping[KeyId, VerifyKey],
    counts: Callable[[VerifyKey], bool],
) -> ServerResult:
    mine = signatures.get(server) if type(signatures) is dict else None
    if type(mine) is not dict:
        return ServerResult(server, ())
    results = []
    for key_id in sorted(mine):
        status = _check_one(key_id, mine[key_id], message, keys.get(key_id), counts)
        results.append(SignatureResult(key_id, status))
    return ServerResult(server, tuple(results))


def _check_one(
    key_id: KeyId,
    signature: JsonValue,
    message: bytes,
    key: VerifyKey | None,
    counts: Callable[[VerifyKey], bool],
) -> SignatureStatus:
    if not key_id.startswith(_PREFIX):
        return SignatureStatus.UNKNOWN_ALGORITHM
    if key is None:
        return SignatureStatus.UNKNOWN_KEY
    if not counts(key):
        return SignatureStatus.KEY_NOT_VALID
    raw = decode_unpadded(signature) if type(signature) is str else None
    if raw is None or len(raw) != 64:
        return SignatureStatus.UNREADABLE
    return SignatureStatus.VERIFIED if verify_bytes(key.key, message, raw) else SignatureStatus.FAILED
