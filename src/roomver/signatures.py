"""Check signatures: which servers must sign an event, and whether they have.

The caller passes in the keys and the time. Nothing is fetched here. `roomver.signing` makes signatures.

Source: https://spec.matrix.org/latest/appendices/#checking-for-a-signature and
https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from .canonical import join_path, scanned_object, shorten
from .errors import BadKey, Defect, MalformedEvent
from .hashing import essential_bytes, signed_bytes
from .identifiers import is_user_id, server_of
from .keys import ALGORITHM, KeyRing, Validity, VerifyKey, format_time, published_keys
from .pdu import CarriesPdu, unpack
from .signature_results import ServerResult, SignatureReport, SignatureResult, SignatureStatus, SigningStatus
from .types import JsonObject, JsonValue, KeyId, ServerName
from .unpadded import decode_unpadded
from .versions import RoomVersion

__all__ = [
    "count_verified",
    "list_required_signers",
    "read_server_keys",
    "verify_json",
    "verify_signatures",
]

_PREFIX = f"{ALGORITHM}:"
_AUTHORISER = "join_authorised_via_users_server"


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
        NotCanonical: if the value is not an object, or cannot be encoded as canonical JSON.
    """
    plain = scanned_object(value, strict=strict)
    ring = KeyRing.of({server: keys})
    return _check_server(server, plain.get("signatures"), signed_bytes(plain), ring, _always)


def read_server_keys(response: Mapping[str, object]) -> tuple[ServerName, dict[KeyId, VerifyKey]]:
    """Read a server's response from the key API, and check that the server signed it.

    Source: https://spec.matrix.org/latest/server-server-api/#publishing-keys

    Args:
        response: the response of ``/_matrix/key/v2/server``, or one of the ``server_keys`` of
            ``/_matrix/key/v2/query``.

    Returns:
        The server's name, and its keys by key ID. Keys in use have ``valid_until_ts``, old keys have
        ``expired_ts``. A key that is listed as both has expired.

    Raises:
        BadKey: if the response is malformed, has two different keys under one ID, or is not validly signed by
            the keys that it lists as in use.
        NotCanonical: if the response cannot be encoded as canonical JSON.
    """
    server, keys, in_use = published_keys(response)
    # "Digital signatures for this object signed using the `verify_keys`."
    result = verify_json(response, server, {key_id: keys[key_id] for key_id in in_use})
    if not result.valid:
        raise BadKey(server, f"the response is not signed by the server's own keys ({result})")
    return server, keys


def list_required_signers(
    event: Mapping[str, object] | CarriesPdu, version: RoomVersion | str | None = None
) -> tuple[ServerName, ...]:
    """Return the servers whose signatures an event needs, sorted.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events

    These servers must sign:

    - the sender's server, unless the event is a third-party invite, which carries its own signature;
    - in versions 1 and 2, the server in the event ID;
    - from version 8 on, for a join with ``join_authorised_via_users_server``, that user's server. The
      specification requires this for any membership, but Synapse and gomatrixserverlib require it for
      joins only, and so does this function.

    An invite is a third-party invite if its content has the key ``third_party_invite``, as in Synapse.

    Raises:
        MalformedEvent: if an identifier that names a signer is malformed, or a raw PDU is not a JSON
            object.
        NotCanonical: if a raw PDU cannot be encoded as canonical JSON.
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
    keys: KeyRing,
    version: RoomVersion | str | None = None,
) -> SignatureReport:
    """Check that an event has the signatures it needs.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events
    and https://spec.matrix.org/latest/rooms/v5/#signing-key-validity-period

    For each server that must sign, a signature is ignored if its algorithm or its key is unknown, or if
    the key was not valid at the time of the event. At least one signature must remain, and all that
    remain must verify. Signatures of other servers are not checked.

    Args:
        event: an `Event`, or a raw PDU with its room version.
        keys: the servers' known keys, and the current time.
        version: the room version of a raw PDU.

    Returns:
        A report. The event is validly signed if its `valid` is True. If it is not, its `status` says
        whether that is decided, or whether a key is unknown.

    Raises:
        MalformedEvent: if a raw PDU is not a JSON object.
        NotCanonical: if a raw PDU cannot be encoded as canonical JSON.
    """
    pdu, record = unpack(event, version)
    return check_signatures(pdu, record, essential_bytes(pdu, record), keys)


def count_verified(
    events: Iterable[CarriesPdu], server: ServerName, key_id: KeyId, key: bytes
) -> tuple[int, int]:
    """Count the signatures under a key ID that one key verifies, whatever its times are.

    Args:
        events: to look for the signatures of the server in.
        server, key_id: whose signatures, under which ID.
        key: the key, 32 bytes.

    Returns:
        The number of signatures that verify, and of all that are 64 bytes of base64.
    """
    good = tried = 0
    for event in events:
        pdu, record = unpack(event, None)
        signatures = pdu.get("signatures")
        mine = signatures.get(server) if type(signatures) is dict else None
        signature = mine.get(key_id) if type(mine) is dict else None
        raw = decode_unpadded(signature) if type(signature) is str else None
        if raw is not None and len(raw) == 64:
            tried += 1
            good += verify_bytes(key, essential_bytes(pdu, record), raw)
    return good, tried


_Validity = Callable[[VerifyKey], tuple[Validity, str]]
"""Returns whether a key counts, and if not, the times that decide this."""


def _always(_: VerifyKey) -> tuple[Validity, str]:
    return Validity.VALID, ""


def check_signatures(
    pdu: JsonObject, version: RoomVersion, essential: bytes, keys: KeyRing
) -> SignatureReport:
    """Check signatures as `verify_signatures` does, with the bytes of `hashing.essential_bytes`."""
    try:
        servers = _signers(pdu, version)
    except MalformedEvent as error:
        return SignatureReport((), error.defects[0])
    timestamp = pdu.get("origin_server_ts")
    made_at = timestamp if type(timestamp) is int else 0

    def validity(key: VerifyKey) -> tuple[Validity, str]:
        found = key.validity_at(made_at, version, keys.now)
        return found, _times(found, key, made_at, keys.now) if found is not Validity.VALID else ""

    signatures = pdu.get("signatures")
    results = [_check_server(name, signatures, essential, keys, validity) for name in servers]
    return SignatureReport(tuple(results))


def _times(validity: Validity, key: VerifyKey, made_at: int, now: int | None) -> str:
    made = f"the event was made at {format_time(made_at)}"
    if validity is Validity.EXPIRED and key.expired_ts is not None:
        return f"the key expired at {format_time(key.expired_ts)}, {made}"
    if validity is Validity.LAPSED and key.valid_until_ts is not None:
        return f"the key is known to be valid until {format_time(key.valid_until_ts)}, {made}"
    return made if now is None else f"{made}, now is {format_time(now)}"


def _check_server(
    server: ServerName, signatures: JsonValue, message: bytes, keys: KeyRing, validity: _Validity
) -> ServerResult:
    mine = signatures.get(server) if type(signatures) is dict else None
    if type(mine) is not dict:
        return ServerResult(server, (), SigningStatus.MISSING)
    results = tuple(
        _check_one(key_id, mine[key_id], message, keys.find(server, key_id), validity)
        for key_id in sorted(mine)
    )
    return ServerResult(server, results, _conclude(results, keys))


def _conclude(results: Sequence[SignatureResult], keys: KeyRing) -> SigningStatus:
    """Return the status that the signatures of one server add up to."""
    statuses = [result.status for result in results]  # nearly always one
    if SignatureStatus.FAILED in statuses or SignatureStatus.UNREADABLE in statuses:
        return SigningStatus.INVALID
    if SignatureStatus.VERIFIED in statuses:
        return SigningStatus.VALID
    if all(status is SignatureStatus.UNKNOWN_ALGORITHM for status in statuses):
        # "If there are no signing key identifiers left then the check fails."
        return SigningStatus.MISSING
    if not keys.complete and any(status.open for status in statuses):
        return SigningStatus.KEY_UNKNOWN
    return SigningStatus.INVALID


def _check_one(
    key_id: KeyId, signature: JsonValue, message: bytes, keys: Sequence[VerifyKey], validity: _Validity
) -> SignatureResult:
    if not key_id.startswith(_PREFIX):
        return SignatureResult(key_id, SignatureStatus.UNKNOWN_ALGORITHM)
    if not keys:
        return SignatureResult(key_id, SignatureStatus.UNKNOWN_KEY)
    valid = []
    ignored = None
    for key in keys:
        found, times = validity(key)
        if found is Validity.VALID:
            valid.append(key)
        elif (
            ignored is None or found is Validity.LAPSED
        ):  # an undecided result takes precedence over a decided one
            ignored = SignatureResult(key_id, _IGNORED[found], times)
    if not valid and ignored is not None:
        return ignored
    raw = decode_unpadded(signature) if type(signature) is str else None
    if raw is None or len(raw) != 64:
        return SignatureResult(key_id, SignatureStatus.UNREADABLE)
    for key in valid:
        if verify_bytes(key.key, message, raw):
            return SignatureResult(key_id, SignatureStatus.VERIFIED)
    return SignatureResult(key_id, SignatureStatus.FAILED)


_IGNORED: Mapping[Validity, SignatureStatus] = {
    Validity.EXPIRED: SignatureStatus.KEY_EXPIRED,
    Validity.AHEAD: SignatureStatus.TIME_AHEAD,
    Validity.LAPSED: SignatureStatus.KEY_LAPSED,
}
