"""Content hash, reference hash and event ID.

Source: https://spec.matrix.org/latest/server-server-api/#signing-events
"""

from collections.abc import Collection, Mapping
from enum import Enum
from hashlib import sha256
from typing import Final, NoReturn

from .canonical import encode_scanned
from .errors import Defect, MalformedEvent, refuse_truth
from .pdu import CarriesPdu, unpack
from .redaction import kept
from .types import EventId, JsonObject
from .unpadded import decode_unpadded, encode_unpadded
from .versions import EventIdForm, RoomVersion

__all__ = [
    "SYNAPSE_NOT_HASHED",
    "HashCheck",
    "check_content_hash",
    "compute_content_hash",
    "compute_event_id",
    "compute_reference_hash",
]

_NOT_HASHED = ("unsigned", "signatures", "hashes")

SYNAPSE_NOT_HASHED: Final = frozenset({"age_ts", "outlier", "destinations"})
"""Top-level keys that Synapse leaves out of the content hash but the specification includes."""


class HashCheck(Enum):
    """How the content hash in an event compares with the computed one."""

    INTACT = "intact"
    """The hash matches: a server uses the event as it is."""
    MISMATCH = "mismatch"
    """The hash does not match: a server uses the redacted form."""
    UNREADABLE = "unreadable"
    """The hash is missing or not 32 bytes of base64: a server drops the event."""

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, "a comparison with HashCheck.INTACT")


def content_digest(pdu: JsonObject, leave_out: Collection[str] = (), *, strict: bool = False) -> bytes:
    """Return the 32 bytes of the content hash of a PDU that can be encoded as canonical JSON.

    Args:
        pdu: the PDU.
        leave_out: more top-level keys to leave out.
        strict: as in `encode_scanned`.
    """
    return sha256(encode_scanned(hashed_part(pdu, leave_out), strict=strict)).digest()


def hashed_part(pdu: JsonObject, leave_out: Collection[str] = ()) -> JsonObject:
    """Return the part of a PDU that its content hash covers. Arguments are those of `content_digest`."""
    rest = pdu.copy()
    for key in (*_NOT_HASHED, *leave_out):
        rest.pop(key, None)
    return rest


def essential_bytes(pdu: JsonObject, version: RoomVersion, *, strict: bool = False) -> bytes:
    """Return the bytes that an event's signatures and its reference hash cover.

    They are the canonical JSON of the redacted form without ``signatures``. Redaction has already
    removed ``unsigned``.

    Args:
        pdu: the PDU.
        version: its room version.
        strict: as in `encode_scanned`.
    """
    rest = kept(pdu, version)
    rest.pop("signatures", None)
    return encode_scanned(rest, strict=strict)


def signed_bytes(value: JsonObject) -> bytes:
    """Return the bytes that a signature on a scanned JSON object covers.

    Source: https://spec.matrix.org/latest/appendices/#signing-details
    """
    return encode_scanned({k: v for k, v in value.items() if k not in ("signatures", "unsigned")})


def event_id_of_bytes(essential: bytes, version: RoomVersion) -> EventId:
    """Return the event ID for the bytes of the reference hash, in room version 3 or later."""
    digest = sha256(essential).digest()
    return "$" + encode_unpadded(digest, urlsafe=version.event_id_form is not EventIdForm.HASH)


def compute_content_hash(
    event: Mapping[str, object] | CarriesPdu,
    version: RoomVersion | str | None = None,
    *,
    leave_out: Collection[str] = (),
) -> str:
    """Compute the content hash of an event, in unpadded base64.

    It belongs in the event as ``hashes.sha256``.

    Source: https://spec.matrix.org/latest/server-server-api/#calculating-the-content-hash-for-an-event

    Args:
        event: an `Event`, or a raw PDU with its room version.
        version: the room version of a raw PDU.
        leave_out: more top-level keys to leave out of the hash. With `SYNAPSE_NOT_HASHED` the result
            is what Synapse computes.

    Raises:
        MalformedEvent: if a raw PDU is not a JSON object.
        NotCanonical: if a raw PDU cannot be encoded as canonical JSON.
    """
    pdu, _ = unpack(event, version)
    return encode_unpadded(content_digest(pdu, leave_out))


def compute_reference_hash(
    event: Mapping[str, object] | CarriesPdu, version: RoomVersion | str | None = None
) -> str:
    """Compute the reference hash of an event, in unpadded base64 of the standard alphabet.

    Source: https://spec.matrix.org/latest/server-server-api/#calculating-the-reference-hash-for-an-event

    It covers what redaction keeps, including ``hashes``, but not ``signatures`` or ``unsigned``.

    Raises:
        MalformedEvent: if a raw PDU is not a JSON object.
        NotCanonical: if a raw PDU cannot be encoded as canonical JSON.
    """
    pdu, record = unpack(event, version)
    return encode_unpadded(sha256(essential_bytes(pdu, record)).digest())


def compute_event_id(
    event: Mapping[str, object] | CarriesPdu, version: RoomVersion | str | None = None
) -> EventId:
    """Compute the ID of an event.

    From room version 3 on it is the reference hash. In versions 1 and 2 the event carries its ID.

    Source: https://spec.matrix.org/latest/rooms/v4/#event-ids

    Raises:
        MalformedEvent: if a raw PDU is not a JSON object, or in versions 1 and 2 has no event ID.
        NotCanonical: if a raw PDU cannot be encoded as canonical JSON.

    >>> create = {
    ...     "type": "m.room.create", "state_key": "", "sender": "@alice:example.org", "depth": 1,
    ...     "content": {"room_version": "12"}, "prev_events": [], "auth_events": [],
    ...     "origin_server_ts": 1700000000000,
    ... }
    >>> create["hashes"] = {"sha256": compute_content_hash(create, "12")}
    >>> compute_event_id(create, "12")
    '$37iwD-DyT01UTC3QaO2Ot9nDS1G-rmVcGz0DYMPzG6c'
    """
    pdu, record = unpack(event, version)
    if record.event_id_form is EventIdForm.CHOSEN:
        chosen = pdu.get("event_id")
        if type(chosen) is not str:
            found = "nothing" if chosen is None else f"a {type(chosen).__name__}"
            raise MalformedEvent([Defect("event_id", "an event ID", found)], record.identifier)
        return chosen
    return event_id_of_bytes(essential_bytes(pdu, record), record)


def check_content_hash(
    event: Mapping[str, object] | CarriesPdu,
    version: RoomVersion | str | None = None,
    *,
    leave_out: Collection[str] = (),
) -> HashCheck:
    """Compare the content hash in an event with the computed one.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events

    The specification covers only a mismatch: use the redacted form. A hash that is missing, or that is
    not 32 bytes of base64, can never match, not even after redaction. Synapse drops such an event, so
    the answer is `HashCheck.UNREADABLE`.

    Args:
        event: an `Event`, or a raw PDU with its room version.
        version: the room version of a raw PDU.
        leave_out: as in `compute_content_hash`.

    Raises:
        MalformedEvent: if a raw PDU is not a JSON object.
        NotCanonical: if a raw PDU cannot be encoded as canonical JSON.
    """
    pdu, _ = unpack(event, version)
    return compare_content_hash(pdu, content_digest(pdu, leave_out))


def compare_content_hash(pdu: JsonObject, computed: bytes) -> HashCheck:
    """Compare the content hash in a PDU with a computed digest of 32 bytes."""
    hashes = pdu.get("hashes")
    carried = hashes.get("sha256") if type(hashes) is dict else None
    if type(carried) is not str:
        return HashCheck.UNREADABLE
    # Compare the decoded bytes, not the base64 text. If the text is the same, there is nothing to decode.
    if carried == encode_unpadded(computed):
        return HashCheck.INTACT
    digest = decode_unpadded(carried)
    if digest is None or len(digest) != len(computed):
        return HashCheck.UNREADABLE
    return HashCheck.INTACT if digest == computed else HashCheck.MISMATCH
