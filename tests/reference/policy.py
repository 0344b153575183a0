"""Check 7 on receipt: the signature of a room's policy server, sentence by sentence.

Source: https://spec.matrix.org/latest/server-server-api/#policy-servers. It works on PDUs and shares no code
with the library.
"""

from collections.abc import Collection
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from .auth import decode_base64, domain
from .hashing import signed_bytes

Pdu = dict[str, Any]


def policy_event(state: Collection[Pdu]) -> Pdu | None:
    """ "The *current state* for the room has a valid `m.room.policy` state event with empty state key." """
    for event in state:
        if event["type"] == "m.room.policy" and event.get("state_key") == "":
            content = event["content"]
            # "A string value for `via`."
            if not isinstance(content.get("via"), str):
                return None
            # "An object value for `public_keys` containing at least a string value for `ed25519`."
            keys = content.get("public_keys")
            if not isinstance(keys, dict) or not isinstance(keys.get("ed25519"), str):
                return None
            return event
    return None


def is_enabled(state: Collection[Pdu]) -> bool:
    """Tell whether "a room [is] considered as 'using' a Policy Server"."""
    event = policy_event(state)
    if event is None:
        return False
    # "The server name denoted by the `m.room.policy` state event's `via` has at least one joined user in the
    # room in *current state*."
    members = [one for one in state if one["type"] == "m.room.member"]
    joined = [one["state_key"] for one in members if one["content"].get("membership") == "join"]
    return event["content"]["via"] in map(domain, joined)


def passes(event: Pdu, state: Collection[Pdu], version: str) -> bool:
    """Tell whether an event is recommended for inclusion, or needs no recommendation."""
    if not is_enabled(state):
        return True
    # "Because the Policy Server is not asked to sign `m.room.policy` state events with empty string
    # `state_key`s, those events will not have a Policy Server signature."
    if event["type"] == "m.room.policy" and event.get("state_key") == "":
        return True
    policy = policy_event(state)
    assert policy is not None
    # "The Key ID for the `ed25519` key in `m.room.policy` is *always* `ed25519:policy_server`."
    found = event["signatures"].get(policy["content"]["via"], {}).get("ed25519:policy_server")
    signature, key = decode_base64(found), decode_base64(policy["content"]["public_keys"]["ed25519"])
    if signature is None or key is None or len(signature) != 64 or len(key) != 32:
        return False
    try:
        VerifyKey(key).verify(signed_bytes(event, version), signature)
    except CryptoError:
        return False
    return True
