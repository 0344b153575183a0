"""The rule on third-party invites, which require a signature inside the event.

The sender need not be in the room and needs no power level.
"""

from collections.abc import Iterator
from itertools import islice, product
from typing import Final

from ..canonical import encode_scanned, shorten
from ..event import Event
from ..keys import ALGORITHM
from ..rules import (
    INVITE_THIRD_PARTY_BANNED,
    INVITE_THIRD_PARTY_INCOMPLETE,
    INVITE_THIRD_PARTY_NO_EVENT,
    INVITE_THIRD_PARTY_NOT_SIGNED,
    INVITE_THIRD_PARTY_OTHER_SENDER,
    INVITE_THIRD_PARTY_OTHER_USER,
    INVITE_THIRD_PARTY_OTHERWISE,
    INVITE_THIRD_PARTY_SIGNED,
    Verdict,
)
from ..selection import third_party_token
from ..signatures import verify_bytes
from ..types import JsonObject, JsonValue, UserId
from ..unpadded import decode_unpadded
from .context import Context

MAX_PAIRS: Final = 1024
"""The maximum number of pairs of a signature and a key that are tried. An identity server makes one or two.
Two events of full size could have half a million, which would take half a minute for one verdict."""


def check_third_party_invite(context: Context, target: UserId) -> Verdict:
    """Check an invite whose content has ``third_party_invite``."""
    event = context.event
    invite = event.content["third_party_invite"]

    # If target user is banned, reject.
    if context.membership(target) == "ban":
        return context.reject(INVITE_THIRD_PARTY_BANNED, target=target)

    # If content.third_party_invite does not have a signed property, reject.
    if type(invite) is not dict or "signed" not in invite:
        return context.reject(INVITE_THIRD_PARTY_NOT_SIGNED)

    # If signed does not have mxid and token properties, reject.
    signed = invite["signed"]
    if type(signed) is not dict or "mxid" not in signed or "token" not in signed:
        return context.reject(INVITE_THIRD_PARTY_INCOMPLETE)

    # If mxid does not match state_key, reject.
    if signed["mxid"] != target:
        return context.reject(INVITE_THIRD_PARTY_OTHER_USER, mxid=shorten(signed["mxid"]), target=target)

    # If there is no m.room.third_party_invite event in the current room state with state_key
    # matching token, reject.
    token = third_party_token(invite)
    offer = None if token is None else context.state.get(("m.room.third_party_invite", token))
    if offer is None:
        return context.reject(INVITE_THIRD_PARTY_NO_EVENT, token=shorten(signed["token"]))

    # If sender does not match sender of the m.room.third_party_invite, reject.
    if event.sender != offer.sender:
        return context.reject(
            INVITE_THIRD_PARTY_OTHER_SENDER, sender=event.sender, third_party_invite_sender=offer.sender
        )

    # If any signature in signed matches any public key in the m.room.third_party_invite event, allow.
    # Each signature is tried with each key: server names and key IDs do not matter. (Synapse stops with a key
    # at the first signature that fails.)
    covered = {name: value for name, value in signed.items() if name not in ("signatures", "unsigned")}
    message = encode_scanned(covered)
    pairs = product(_public_keys(offer), _signatures(signed))
    for key, signature in islice(pairs, MAX_PAIRS):
        if verify_bytes(key, message, signature):
            return context.allow(INVITE_THIRD_PARTY_SIGNED, third_party_invite=offer.event_id)

    # Otherwise, reject.
    return context.reject(INVITE_THIRD_PARTY_OTHERWISE, third_party_invite=offer.event_id)


def _public_keys(offer: Event) -> Iterator[bytes]:
    """Yield the usable public keys: the one in ``public_key``, and those in ``public_keys``."""
    content = offer.content
    listed = content.get("public_keys")
    entries: list[JsonValue] = listed if type(listed) is list else []
    candidates = [content.get("public_key")]
    candidates += [entry.get("public_key") for entry in entries if type(entry) is dict]
    for text in dict.fromkeys(text for text in candidates if type(text) is str):
        key = decode_unpadded(text)
        if key is not None and len(key) == 32:
            yield key


def _signatures(signed: JsonObject) -> Iterator[bytes]:
    """Yield the usable signatures, of every server and every key ID of the algorithm."""
    by_server = signed.get("signatures")
    texts: dict[str, None] = {}
    for by_key in by_server.values() if type(by_server) is dict else ():
        for key_id, text in by_key.items() if type(by_key) is dict else ():
            if key_id.startswith(f"{ALGORITHM}:") and type(text) is str:
                texts[text] = None
    for text in texts:
        signature = decode_unpadded(text)
        if signature is not None and len(signature) == 64:
            yield signature
