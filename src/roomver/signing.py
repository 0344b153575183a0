"""Sign JSON objects and events.

The caller passes in the key. Nothing is fetched here. `roomver.signatures` checks signatures.

Source: https://spec.matrix.org/latest/appendices/#signing-json and
https://spec.matrix.org/latest/server-server-api/#adding-hashes-and-signatures-to-outgoing-events
"""

from collections.abc import Mapping
from typing import cast

from .canonical import join_path, scanned_object, shorten
from .errors import Defect, MalformedEvent
from .hashing import content_digest, essential_bytes, signed_bytes
from .keys import SigningKey
from .pdu import copied, unpack
from .types import JsonObject, JsonValue, ServerName
from .unpadded import encode_unpadded
from .versions import RoomVersion

__all__ = ["countersign", "sign_event", "sign_json"]


def sign_json(
    value: Mapping[str, object], server: ServerName, key: SigningKey, *, strict: bool = True
) -> JsonObject:
    """Return a copy of a JSON object with a server's signature added.

    Source: https://spec.matrix.org/latest/appendices/#signing-details

    Args:
        value: the object. The signature does not cover its top-level ``signatures`` and ``unsigned``.
        server: the server that signs.
        key: the server's key.
        strict: as in `encode_canonical`.

    Raises:
        NotCanonical: if the value is not an object, or cannot be encoded as canonical JSON.
        MalformedEvent: if its ``signatures`` are not an object of objects.

    >>> from roomver import SigningKey
    >>> key = SigningKey.from_seed("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
    >>> sign_json({}, "domain", key)["signatures"]["domain"]["ed25519:1"][:16]
    'K8280/U9SSy9IVtj'
    """
    plain = scanned_object(value, strict=strict)
    return _with_signature(plain, signed_bytes(plain), server, key)


def sign_event(
    pdu: Mapping[str, object], version: RoomVersion | str, server: ServerName, key: SigningKey
) -> JsonObject:
    """Return a copy of a PDU with its content hash and a server's signature.

    The signature covers the redacted form with the new content hash. It is added to the whole event,
    beside the signatures that are already there.

    Source: https://spec.matrix.org/latest/server-server-api/#adding-hashes-and-signatures-to-outgoing-events

    Raises:
        NotCanonical: if the PDU cannot be encoded as canonical JSON.
        MalformedEvent: if it is not an object, or its ``signatures`` are not an object of objects.
    """
    raw, record = unpack(pdu, version)
    hashes: JsonObject = {"sha256": encode_unpadded(content_digest(raw))}
    hashed: JsonObject = {**raw, "hashes": hashes}
    return _with_signature(hashed, essential_bytes(hashed, record), server, key)


def countersign(
    pdu: Mapping[str, object], version: RoomVersion | str, server: ServerName, key: SigningKey
) -> JsonObject:
    """Return a copy of a PDU with one more server's signature. Nothing else in it changes.

    An invited server signs an invite so, and the server of the authorising user a restricted join. Check the
    event before: it is someone else's, and `sign_event` would replace its content hash.

    Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2inviteroomideventid

    Raises:
        NotCanonical: if the PDU cannot be encoded as canonical JSON.
        MalformedEvent: if it is not an object, or its ``signatures`` are not an object of objects.
    """
    raw, record = unpack(pdu, version)
    return _with_signature(raw, essential_bytes(raw, record), server, key)


def _with_signature(owner: JsonObject, message: bytes, server: ServerName, key: SigningKey) -> JsonObject:
    """Return a copy of an object with a signature added to those that it has."""
    signatures = owner.get("signatures", {})
    if type(signatures) is not dict:
        raise MalformedEvent([Defect("signatures", "an object", shorten(signatures))], "any")
    mine = signatures.get(server, {})
    if type(mine) is not dict:
        raise MalformedEvent([Defect(join_path("signatures", server), "an object", shorten(mine))], "any")
    signature = encode_unpadded(key.sign(message))
    added = {**signatures, server: {**mine, key.key_id: signature}}
    return cast(JsonObject, copied({**owner, "signatures": cast(JsonValue, added)}))
