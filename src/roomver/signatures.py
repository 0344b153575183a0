"""Check signatures: which servers must sign an event, and whether they have.

The caller passes in the keys and the time. Nothing is fetched here. `roomver.signing` makes signatures.

Source: https://spec.matrix.org/latest/appendices/#checking-for-a-signature and
https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple, NoReturn

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from .canonical import join_path, scanned_object, shorten
from .errors import BadKey, Defect, MalformedEvent, refuse_truth
from .hashing import essential_bytes, signed_bytes
from .identifiers import is_user_id, server_of
from .keys import ALGORITHM, KeyTable, VerifyKey, published_keys
from .pdu import CarriesPdu, unpack
from .types import JsonObject, JsonValue, KeyId, ServerName
from .unpadded import decode_unpadded
from .versions import RoomVersion

__all__ = [
    "ServerResult",
    "SignatureReport",
    "SignatureResult",
    "SignatureStatus",
    "list_required_signers",
    "read_server_keys",
    "verify_json",
    "verify_signatures",
]

_PREFIX = f"{ALGORITHM}:"
_AUTHORISER = "join_authorised_via_users_server"


class SignatureStatus(Enum):
    """The result of checking one signature."""

    VERIFIED = "verified"
    FAILED = "does not verify"
    UNREADABLE = "is not 64 bytes of base64"
    UNKNOWN_ALGORITHM = "ignored: unknown algorithm"
    UNKNOWN_KEY = "ignored: unknown key"
    KEY_NOT_VALID = "ignored: the key was not valid at the time of the event"

    @property
    def ignored(self) -> bool:
        """Whether the signature counts neither for nor against the event."""
        return self in (self.UNKNOWN_ALGORITHM, self.UNKNOWN_KEY, self.KEY_NOT_VALID)


class SignatureResult(NamedTuple):
    """One signature and the result of checking it."""

    key_id: KeyId
    status: SignatureStatus


class ServerResult(NamedTuple):
    """The signatures of one server, and whether they are enough.

    It has no truth value: use `valid`.

    Attributes:
        server: the server that must sign.
        signatures: every signature under the server's name, sorted by key ID.
    """

    server: ServerName
    signatures: tuple[SignatureResult, ...]

    @property
    def valid(self) -> bool:
        """Whether at least one signature is not ignored, and every one that is not ignored verifies."""
        verified = False
        for result in self.signatures:
            if result.status is SignatureStatus.VERIFIED:
                verified = True
            elif not result.status.ignored:
                return False
        return verified

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".valid")

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

    It has no truth value: use `valid`.

    Attributes:
        servers: a result for each server that must sign, sorted by name. Empty for a third-party
            invite, which needs no server's signature.
        defect: why the servers that must sign cannot be told, or None. With a defect the event is not
            valid.
    """

    servers: tuple[ServerResult, ...]
    defect: Defect | None = None

    @property
    def valid(self) -> bool:
        """Whether every server that must sign has signed."""
        if self.defect is not None:
            return False
        for result in self.servers:  # noqa: SIM110 - all() would make a generator for each event
            if not result.valid:
                return False
        return True

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".valid")

    def __str__(self) -> str:
        if self.defect is not None:
            return str(self.defect)
        return ", ".join(map(str, self.servers)) or "no signature is needed"


def verify_bytes(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether an Ed25519 signature (64 bytes) on a message verifies with a key (32 bytes)."""
    try:
        crypto_sign_open(signature + message, key)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


def verify_json(
    value: Mapping[str, object], server: ServerName, keys: Mapping[KeyId, VerifyKey], *, strict: bool = True
) -> ServerResult:
    """Check a server's signatures on a JSON object.

    Source: https://spec.matrix.org/latest/appendices/#checking-for-a-signature

    Args:
        value: the object.
        server: the server that should have signed it.
        keys: the server's keys by key ID. The times in them are not checked.
        strict: as in `encode_canonical`.

    Raises:
        NotCanonical: if the value is not an object, or has no canonical JSON.
    """
    plain = scanned_object(value, strict=strict)
    return _check_server(server, plain.get("signatures"), signed_bytes(plain), keys, lambda _: True)


def read_server_keys(response: Mapping[str, object]) -> tuple[ServerName, dict[KeyId, VerifyKey]]:
    """Read a server's response of the key API, and check that the server signed it.

    Source: https://spec.matrix.org/latest/server-server-api/#publishing-keys

    Args:
        response: the response of ``/_matrix/key/v2/server``, or one of the ``server_keys`` of
            ``/_matrix/key/v2/query``.

    Returns:
        The server's name, and its keys by key ID. Keys in use have ``valid_until_ts``, old keys have
        ``expired_ts``.

    Raises:
        BadKey: if the response is malformed, or not validly signed by the server's own keys in use.
        NotCanonical: if the response has no canonical JSON.
    """
    server, keys = published_keys(response)
    in_use = {key_id: key for key_id, key in keys.items() if key.expired_ts is None}
    result = verify_json(response, server, in_use)
    if not result.valid:
        raise BadKey(server, f"the response is not signed by the server's own keys ({result})")
    return server, keys


def list_required_signers(
    event: Mapping[str, object] | CarriesPdu, version: RoomVersion | str | None = None
) -> tuple[ServerName, ...]:
    """Return the servers whose signatures an event needs, sorted.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events

    These servers must sign:

    - the sender's server, unless the event is a third-party invite, which holds a signature of its own;
    - in versions 1 and 2, the server in the event ID;
    - from version 8 on, for a join with ``join_authorised_via_users_server``, that user's server. The
      specification requires this for any membership, but Synapse and gomatrixserverlib require it for
      joins only, and so does this function.

    An invite is a third-party invite if its content has the key ``third_party_invite``, as in Synapse.

    Raises:
        MalformedEvent: if an identifier that names a signer is malformed, or a raw PDU is not a JSON
            object.
        NotCanonical: if a raw PDU has no canonical JSON.
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
    event: Mapping[str, object] | CarriesPdu,
    keys: KeyTable,
    version: RoomVersion | str | None = None,
    *,
    now: int | None = None,
    honour_expired: bool = False,
) -> SignatureReport:
    """Check that an event has the signatures it needs.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
    and https://spec.matrix.org/latest/rooms/v5/#signing-key-validity-period

    For each server that must sign, a signature is ignored if its algorithm or its key is unknown, or if
    the key was not valid at the time of the event. At least one signature must remain, and all that
    remain must verify. Signatures of other servers are not checked.

    Args:
        event: an `Event`, or a raw PDU with its room version.
        keys: the servers' keys.
        version: the room version of a raw PDU.
        now: the current time in milliseconds since the epoch. With it, a key's ``valid_until_ts`` counts
            for at most seven days from now, as the specification requires. Without it, the times in
            `keys` are used as they are.
        honour_expired: in versions 1 to 4, ignore signatures of keys that had expired before the event.
            Synapse does not ignore them.

    Returns:
        A report. The event is validly signed if its `valid` is True.

    Raises:
        MalformedEvent: if a raw PDU is not a JSON object.
        NotCanonical: if a raw PDU has no canonical JSON.
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
    """Check signatures as `verify_signatures` does, with the bytes of `hashing.essential_bytes`."""
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
