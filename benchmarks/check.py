"""How many events a second are checked for format, ID, content hash and one signature, from text, and how
much of that is libsodium's verification, SHA-256, parsing JSON and canonical bytes, measured alone?

*Whole / parts* says what the library adds to the work that nobody can spare.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple

from canonicaljson import encode_canonical_json
from nacl.bindings import crypto_sign_open
from unpaddedbase64 import encode_base64

import roomver
from roomver.check import check_events
from roomver.hashing import decode_unpadded
from roomver.redaction import kept

from . import synapse
from .measure import Contender, Goal, Row
from .run import Run
from .shapes import pdus

VERSION = "11"
KEY_ID = "ed25519:a_key"
WHOLE = "roomver"
THEIRS = "Synapse"
VERIFY, HASH, JSON, CANONICAL = "Ed25519 verification", "SHA-256", "JSON parsing", "canonical bytes"

GOALS = [
    Goal("checked events", "whole / parts", "x", at_most=1.5),
    Goal("checked events", "whole / parts without canonical bytes", "x", at_most=1.3),
]


class Signed(NamedTuple):
    """A signed event as text, and what the parts of the work are done on."""

    text: str
    event_id: str
    to_hash: dict[str, Any]
    to_sign: dict[str, Any]
    hashed: bytes
    signed: bytes
    signature: bytes
    key: bytes


def ask(run: Run) -> Iterator[Row]:
    """Check events whole, and do the parts alone, in turns."""
    count = run.count(20_000)
    version = roomver.room_version(VERSION)
    events, keys = signed_events(count)

    def whole() -> int:
        pdus = ((json.loads(event.text), event.event_id) for event in events)
        return sum(check.ok for check in check_events(pdus, version, keys=keys))

    parts: dict[str, Callable[[Signed], object]] = {
        VERIFY: lambda event: crypto_sign_open(event.signature + event.signed, event.key),
        HASH: lambda event: (sha256(event.hashed).digest(), sha256(event.signed).digest()),
        JSON: lambda event: json.loads(event.text),
        CANONICAL: lambda event: (encode_canonical_json(event.to_hash), encode_canonical_json(event.to_sign)),
    }
    contenders: list[Contender[int]] = [Contender(WHOLE, whole)]
    contenders += [Contender(name, partial(_each, events, part)) for name, part in parts.items()]
    if synapse.installed():
        contenders.append(Contender(THEIRS, partial(_by_synapse, events, keys)))
    row = run.compare(
        "checked events",
        contenders,
        units=count,
        note=f"{count} events, one signature each; events/s and the parts in seconds an event",
    )
    if not synapse.installed():
        row.skipped[THEIRS] = synapse.HOW_TO_INSTALL
    alone = {name: row.times[name].median for name in parts}
    whole_seconds = row.times[WHOLE].median
    row.figures["events a second"] = 1 / whole_seconds
    row.figures["whole / parts"] = whole_seconds / sum(alone.values())
    row.figures["whole / parts without canonical bytes"] = whole_seconds / (
        sum(alone.values()) - alone[CANONICAL]
    )
    yield row


def _each(events: list[Signed], part: Callable[[Signed], object]) -> int:
    for event in events:
        part(event)
    return len(events)


def signed_events(count: int) -> tuple[list[Signed], dict[str, dict[str, roomver.VerifyKey]]]:
    """Return events with genuine hashes and signatures, and the keys of the servers that signed."""
    version = roomver.room_version(VERSION)
    rng = Random(11)
    signers: dict[str, Any] = {}
    keys: dict[str, dict[str, roomver.VerifyKey]] = {}
    result = []
    for pdu in pdus(VERSION, count):
        server = pdu["sender"].partition(":")[2]
        if server not in signers:
            signers[server] = roomver.signing_key(KEY_ID, encode_base64(rng.randbytes(32)))
            public = bytes(signers[server].verify_key)
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


def _by_synapse(events: list[Signed], keys: dict[str, dict[str, roomver.VerifyKey]]) -> int:
    """The same checks by Synapse's own functions, as its federation code calls them."""
    from signedjson.key import decode_verify_key_bytes  # noqa: PLC0415 - for the peer alone
    from signedjson.sign import verify_signed_json  # noqa: PLC0415

    make = synapse.parser(VERSION)
    check_hash = synapse.module("crypto.event_signing").check_event_content_hash
    prune = synapse.module("events.utils").prune_event
    ready = {server: decode_verify_key_bytes(KEY_ID, by_id[KEY_ID].key) for server, by_id in keys.items()}
    good = 0
    for event in events:
        parsed = make(json.loads(event.text))
        server = parsed.sender.partition(":")[2]
        verify_signed_json(prune(parsed).get_pdu_json(), server, ready[server])
        good += parsed.event_id == event.event_id and check_hash(parsed)
    return good
