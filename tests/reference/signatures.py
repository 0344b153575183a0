"""Which servers must sign an event, and whether they have.

Source: https://spec.matrix.org/latest/server-server-api/#validating-hashes-and-signatures-on-received-events,
https://spec.matrix.org/latest/appendices/#checking-for-a-signature and
https://spec.matrix.org/latest/rooms/v5/#signing-key-validity-period

Where the pages are silent, this module follows the library:

- An invite is a third-party invite if its content has the key ``third_party_invite``.
- The authorising user's server must sign joins only.
- Of several signatures of a server by known keys, all must be valid.
"""

from collections.abc import Mapping
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from .auth import decode_base64, domain
from .hashing import signed_bytes

Keys = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""For each server its keys by key ID: ``{"key", "valid_until_ts", "expired_ts"}``."""


def required_signers(event: dict[str, Any], version: str) -> list[str]:
    """Return the servers that must sign an event, sorted."""
    content = event["content"]
    membership = content.get("membership") if event["type"] == "m.room.member" else None
    servers: set[str] = set()
    # "Events must be signed by the server denoted by the `sender` property.", "unless the event is a 3rd
    # party invite"
    if not (membership == "invite" and "third_party_invite" in content):
        servers.add(domain(event["sender"]))
    # "Room versions 1 and 2 also require that a signature is present from the domain in the `event_id`"
    if version in ("1", "2"):
        servers.add(domain(event["event_id"]))
    # "If `content` has a `join_authorised_via_users_server` property: If the event is not validly signed by
    # the homeserver of the user ID denoted by the key, reject."
    has_authoriser = membership == "join" and "join_authorised_via_users_server" in content
    if int(version) >= 8 and has_authoriser:
        servers.add(domain(content["join_authorised_via_users_server"]))
    return sorted(servers)


def is_signed(event: dict[str, Any], version: str, keys: Keys) -> bool:
    """Tell whether every server that must sign an event has signed it."""
    message = signed_bytes(event, version)
    made_at = event["origin_server_ts"]
    return all(
        has_signed(event["signatures"].get(server), keys.get(server, {}), message, version, made_at)
        for server in required_signers(event, version)
    )


def has_signed(
    entry: Any, keys: Mapping[str, Mapping[str, Any]], message: bytes, version: str, made_at: int
) -> bool:
    """Tell whether a server has signed a message, by its entry in ``signatures``."""
    # 1. "If the entry is missing then the check fails."
    if not isinstance(entry, dict):
        return False
    checked = []
    for key_id, text in entry.items():
        # 2. "Removes any signing key identifiers from the entry with algorithms it doesn't understand."
        if not key_id.startswith("ed25519:"):
            continue
        # "Any unknown keys are ignored."
        if key_id not in keys:
            continue
        key = keys[key_id]
        # "any keys that are known to have expired prior to the event's `origin_server_ts` are ignored."
        if "expired_ts" in key and key["expired_ts"] < made_at:
            continue
        # "servers MUST enforce the `valid_until_ts` property from a key request is at least as large as the
        # `origin_server_ts` for the event being validated"
        until = key.get("valid_until_ts")
        if int(version) >= 5 and "expired_ts" not in key and until is not None and until < made_at:
            continue
        checked.append(verifies(key["key"], message, text))
    return checked != [] and all(checked)


def verifies(key: str, message: bytes, text: Any) -> bool:
    raw, signature = decode_base64(key), decode_base64(text)
    # 4. "If base64 decoding fails then the check fails."
    if raw is None or signature is None or len(signature) != 64:
        return False
    try:
        VerifyKey(raw).verify(message, signature)
    except CryptoError:
        return False
    return True
