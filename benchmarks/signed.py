"""Make signed events as text, and define the unavoidable parts of checking one, each alone."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from random import Random
from typing import Any, Final, NamedTuple

from canonicaljson import encode_canonical_json
from nacl.bindings import crypto_sign_open
from unpaddedbase64 import encode_base64

import roomver
from roomver import engine
from roomver.redaction import kept
from roomver.unpadded import decode_unpadded

from .shapes import pdus

VERSION: Final = "11"
KEY_ID: Final = "ed25519:a_key"

Keys = dict[str, dict[str, roomver.VerifyKey]]


class Signed(NamedTuple):
    """A signed event as text, and the inputs of the parts of the work."""

    text: str
    event_id: str
    to_hash: dict[str, Any]
    to_sign: dict[str, Any]
    hashed: bytes
    signed: bytes
    signature: bytes
    key: bytes


VERIFY, HASH, JSON, CANONICAL = "Ed25519 verification", "SHA-256", "JSON parsing", "canonical bytes"
PARTS: Final[Mapping[str, Callable[[Signed], object]]] = {
    VERIFY: lambda event: crypto_sign_open(event.signature + event.signed, event.key),
    HASH: lambda event: (sha256(event.hashed).digest(), sha256(event.signed).digest()),
    JSON: lambda event: json.loads(event.text),
    CANONICAL: lambda event: (encode_canonical_json(event.to_hash), encode_canonical_json(event.to_sign)),
}
"""The work that every implementation must do for each event."""


def fast_parts() -> Mapping[str, Callable[[Signed], object]] | None:
    """Return the same work with orjson for parsing and canonical bytes; None without orjson."""
    fast = engine.orjson()
    if fast is None:
        return None
    dumps, option = fast.dumps, fast.OPT_SORT_KEYS
    return {
        **PARTS,
        JSON: lambda event: fast.loads(event.text),
        CANONICAL: lambda event: (dumps(event.to_hash, option=option), dumps(event.to_sign, option=option)),
    }


@contextmanager
def without_orjson() -> Iterator[None]:
    """Parse and encode without orjson."""
    found = engine.orjson
    engine.orjson = lambda: None  # type: ignore[assignment]
    try:
        yield
    finally:
        engine.orjson = found


def each(events: Sequence[Signed], part: Callable[[Signed], object]) -> int:
    """Do a part of the work for each event."""
    for event in events:
        part(event)
    return len(events)


def signed_events(count: int) -> tuple[list[Signed], Keys]:
    """Return events with genuine hashes and signatures, and the keys of the servers that signed."""
    version = roomver.get_room_version(VERSION)
    rng = Random(11)
    signers: dict[str, Any] = {}
    keys: Keys = {}
    result = []
    for pdu in pdus(VERSION, count):
        server = pdu["sender"].partition(":")[2]
        if server not in signers:
            signers[server] = roomver.SigningKey.from_seed(KEY_ID, encode_base64(rng.randbytes(32)))
            public = signers[server].verify_key.key
            keys[server] = {KEY_ID: roomver.VerifyKey(public)}
        del pdu["signatures"], pdu["hashes"], pdu["unsigned"]
        signed = roomver.sign_event(pdu, version, server, signers[server])
        event = roomver.parse_event(signed, version)
        to_sign = kept(signed, version)
        signatures: Any = to_sign.pop("signatures")
        to_hash: dict[str, Any] = {k: v for k, v in signed.items() if k not in ("signatures", "hashes")}
        signature = decode_unpadded(signatures[server][KEY_ID])
        assert signature is not None
        result.append(
            Signed(
                json.dumps(signed, ensure_ascii=False, separators=(",", ":")),
                event.event_id,
                to_hash,
                to_sign,
                encode_canonical_json(to_hash),
                encode_canonical_json(to_sign),
                signature,
                keys[server][KEY_ID].key,
            )
        )
    return result, keys
