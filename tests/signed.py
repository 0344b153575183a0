"""Keys to sign with, and signed PDUs."""

from typing import Any

import pytest
from strategies import VERSIONS, JsonObject

import roomver
from roomver import KeyRing, VerifyKey
from roomver.keys import SigningKey
from roomver.signature_results import ServerResult, SignatureReport, SignatureStatus

every_version = pytest.mark.parametrize("version", VERSIONS)
TIME = 1700000000000


# The functions of the library, with return types that tests can index.
def sign_json(value: JsonObject, server: str, key: SigningKey, *, strict: bool = True) -> JsonObject:
    return roomver.sign_json(value, server, key, strict=strict)


def sign_event(pdu: JsonObject, version: str, server: str, key: SigningKey) -> JsonObject:
    return roomver.sign_event(pdu, version, server, key)


def verify_json(value: JsonObject, server: str, keys: Any, *, strict: bool = True) -> ServerResult:
    return roomver.signatures.verify_json(value, server, keys, strict=strict)


# https://spec.matrix.org/latest/appendices/#cryptographic-test-vectors
SEED = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1"
KEY = SigningKey.from_seed("ed25519:1", SEED)
PUBLIC = KEY.verify_key.key
OTHER = SigningKey.from_seed("ed25519:2", "B" * 43)
TABLE = {
    server: {"ed25519:1": VerifyKey(PUBLIC), "ed25519:2": VerifyKey(OTHER.verify_key.key)}
    for server in "abcd"
}
KEYS = KeyRing.of(TABLE)


def member(version: str, content: JsonObject, **changes: Any) -> JsonObject:
    pdu: JsonObject = {
        "type": "m.room.member",
        "state_key": "@u:a",
        "sender": "@u:a",
        "room_id": "!r" if version == "12" else "!r:a",
        "content": content,
        "depth": 1,
        "origin_server_ts": TIME,
        "prev_events": [],
        "auth_events": [],
    }
    if version in ("1", "2"):
        pdu["event_id"] = "$e:a"
    return pdu | changes


def signed_by(pdu: JsonObject, version: str, *servers: str) -> JsonObject:
    for server in servers:
        pdu = sign_event(pdu, version, server, KEY)
    return pdu


def statuses(report: SignatureReport) -> dict[str, SignatureStatus]:
    (server,) = report.servers
    return {result.key_id: result.status for result in server.signatures}
