"""Content hash, reference hash and event ID.

Source: https://spec.matrix.org/latest/server-server-api/#signing-events
"""

import re
from base64 import urlsafe_b64encode
from binascii import a2b_base64
from collections.abc import Collection
from enum import Enum
from hashlib import sha256
from hmac import compare_digest

from canonicaljson import encode_canonical_json
from unpaddedbase64 import encode_base64

from .errors import Defect, MalformedEvent
from .pdu import CarriesPdu, unpack
from .redaction import kept
from .types import EventId, JsonObject
from .versions import EventIdForm, RoomVersion

_NOT_HASHED = ("unsigned", "signatures", "hashes")

SYNAPSE_NOT_HASHED = frozenset({"age_ts", "outlier", "destinations"})
"""Top-level keys that Synapse leaves out of the content hash as well, and the specification does not."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")


class HashCheck(Enum):
    """What a server must do with an event, by its content hash."""

    INTACT = "intact"
    """The hash covers the content: use the event as it is."""
    REDACT = "redact"
    """The hash does not cover the content: use the redacted form."""
    DROP = "drop"
    """There is no readable hash: drop the event."""


def decode_unpadded(text: str) -> bytes | None:
    """Decode base64, with padding or without, in the standard alphabet or the URL-safe one.

    Returns None for anything else: a foreign character, a length that no bytes encode to. Bits left
    over at the end may be set: ``YR`` and ``YQ`` are the same byte.

    >>> decode_unpadded("YQ"), decode_unpadded("YR=="), decode_unpadded("Y$Q")
    (b'a', b'a', None)
    """
    # Python's own decoder skips characters outside the alphabet, hence the pattern. It is called directly,
    # with as much padding as may be needed: decode_base64 takes three times as long, for each signature.
    bare = text.rstrip("=")
    if not _BASE64.fullmatch(text) or len(bare) % 4 == 1:
        return None
    return a2b_base64(bare.replace("-", "+").replace("_", "/") + "==")


def content_digest(pdu: JsonObject, leave_out: Collection[str] = ()) -> bytes:
    """Return the 32 bytes of the content hash of a PDU that has canonical JSON."""
    rest = pdu.copy()
    for key in (*_NOT_HASHED, *leave_out):
        rest.pop(key, None)
    return sha256(encode_canonical_json(rest)).digest()


def essential_bytes(pdu: JsonObject, version: RoomVersion) -> bytes:
    """Return what an event's signatures are made over, and its reference hash: the canonical JSON
    of its redacted form without ``signatures`` (and ``unsigned``, which redaction has taken)."""
    rest = kept(pdu, version)
    rest.pop("signatures", None)
    return encode_canonical_json(rest)


def event_id_of_bytes(essential: bytes, version: RoomVersion) -> EventId:
    """Return the event ID that the reference hash makes; not for versions 1 and 2."""
    digest = sha256(essential).digest()
    if version.event_id_form is EventIdForm.HASH:
        return "$" + encode_base64(digest)
    return "$" + urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def compute_content_hash(
    event: JsonObject | CarriesPdu,
    version: RoomVersion | str | None = None,
    *,
    leave_out: Collection[str] = (),
) -> str:
    """Return the content hash that the event should carry as ``hashes.sha256``, in unpadded base64.

    Source: https://spec.matrix.org/latest/server-server-api/#calculating-the-content-hash-for-an-event

    Args:
        event: an `Event`, or a raw PDU with its room version.
        version: the room version of a raw PDU.
        leave_out: further top-level keys that are not hashed; `SYNAPSE_NOT_HASHED` gives what Synapse
            computes.

    Raises:
        MalformedEvent: for a raw PDU that is no JSON object.
        NotCanonical: for a raw PDU that has no canonical JSON.
    """
    pdu, _ = unpack(event, version)
    return encode_base64(content_digest(pdu, leave_out))


def compute_reference_hash(event: JsonObject | CarriesPdu, version: RoomVersion | str | None = None) -> str:
    """Return the reference hash of an event, in unpadded base64 of the standard alphabet.

    Source: https://spec.matrix.org/latest/server-server-api/#calculating-the-reference-hash-for-an-event

    It covers what redaction keeps, ``hashes`` among it, and neither signatures nor ``unsigned``.

    Raises:
        MalformedEvent: for a raw PDU that is no JSON object.
        NotCanonical: for a raw PDU that has no canonical JSON.
    """
    pdu, known = unpack(event, version)
    return encode_base64(sha256(essential_bytes(pdu, known)).digest())


def compute_event_id(event: JsonObject | CarriesPdu, version: RoomVersion | str | None = None) -> EventId:
    """Return the ID of an event: computed from version 3 on, and before that the one it carries.

    Source: https://spec.matrix.org/latest/rooms/v4/#event-ids

    Raises:
        MalformedEvent: for a raw PDU that is no JSON object, or carries no ID where it should.
        NotCanonical: for a raw PDU that has no canonical JSON.

    >>> create = {
    ...     "type": "m.room.create", "state_key": "", "sender": "@alice:example.org", "depth": 1,
    ...     "content": {"room_version": "12"}, "prev_events": [], "auth_events": [],
    ...     "origin_server_ts": 1700000000000,
    ... }
    >>> create["hashes"] = {"sha256": compute_content_hash(create, "12")}
    >>> compute_event_id(create, "12")
    '$37iwD-DyT01UTC3QaO2Ot9nDS1G-rmVcGz0DYMPzG6c'
    """
    pdu, known = unpack(event, version)
    if known.event_id_form is EventIdForm.CHOSEN:
        chosen = pdu.get("event_id")
        if type(chosen) is not str:
            found = "nothing" if chosen is None else f"a {type(chosen).__name__}"
            raise MalformedEvent([Defect("event_id", "an event ID", found)], known.identifier)
        return chosen
    return event_id_of_bytes(essential_bytes(pdu, known), known)


def check_hashes(
    event: JsonObject | CarriesPdu,
    version: RoomVersion | str | None = None,
    *,
    leave_out: Collection[str] = (),
) -> HashCheck:
    """Compare the content hash that an event carries with the one it should.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events

    The specification names only the mismatch (use the redacted form). A hash that is missing or is no
    base64 of 32 bytes can match nothing, by no redaction either; Synapse drops such an event, and so
    does this function. Digests are compared, never their spelling.

    Raises:
        MalformedEvent: for a raw PDU that is no JSON object.
        NotCanonical: for a raw PDU that has no canonical JSON.
    """
    pdu, _ = unpack(event, version)
    hashes = pdu.get("hashes")
    claimed = hashes.get("sha256") if type(hashes) is dict else None
    digest = decode_unpadded(claimed) if type(claimed) is str else None
    if digest is None or len(digest) != 32:
        return HashCheck.DROP
    if compare_digest(digest, content_digest(pdu, leave_out)):
        return HashCheck.INTACT
    return HashCheck.REDACT
