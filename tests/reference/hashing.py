"""Content hash, reference hash and event ID, by the numbered steps of the specification.

Source: https://spec.matrix.org/latest/server-server-api/#signing-events and
https://spec.matrix.org/latest/appendices/#unpadded-base64
"""

import hashlib
from typing import Any

from .canonical import canonical_json
from .redaction import redact

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def unpadded_base64(data: bytes) -> str:
    """ "standard Base64 encoding as defined in RFC 4648, without "=" padding" """
    bits = "".join(f"{byte:08b}" for byte in data)
    while len(bits) % 6:
        bits += "0"
    return "".join(ALPHABET[int(bits[i : i + 6], 2)] for i in range(0, len(bits), 6))


def url_safe_unpadded_base64(data: bytes) -> str:
    """ "it uses `-` as the 62nd character in the alphabet, and `_` as the 63rd" """
    return unpadded_base64(data).replace("+", "-").replace("/", "_")


def content_hash(event: dict[str, Any]) -> str:
    """ "First, any existing `unsigned`, `signatures`, and `hashes` properties are removed." """
    event = dict(event)
    event.pop("unsigned", None)
    event.pop("signatures", None)
    event.pop("hashes", None)
    # "The resulting object is then encoded as Canonical JSON, and the JSON is hashed using SHA-256."
    return unpadded_base64(hashlib.sha256(canonical_json(event)).digest())


def signed_bytes(event: dict[str, Any], version: str) -> bytes:
    """Return the bytes that are signed, and over which the reference hash is computed."""
    # 1. "The event is put through the redaction algorithm."
    event = redact(event, version)
    # 2. "The `signatures` and `unsigned` properties are removed from the event, if present."
    event.pop("signatures", None)
    event.pop("unsigned", None)
    # 3. "The event is converted into Canonical JSON."
    return canonical_json(event)


def reference_hash(event: dict[str, Any], version: str) -> bytes:
    # 4. "A sha256 hash is calculated on the resulting JSON object."
    return hashlib.sha256(signed_bytes(event, version)).digest()


def event_id(event: dict[str, Any], version: str) -> str:
    """Source: https://spec.matrix.org/latest/rooms/v3/#event-ids and https://spec.matrix.org/latest/rooms/v4/#event-ids"""
    if version in ("1", "2"):
        return str(event["event_id"])
    digest = reference_hash(event, version)
    if version == "3":
        return "$" + unpadded_base64(digest)
    return "$" + url_safe_unpadded_base64(digest)
