"""Made-up events in the format of their room version, with valid hashes and signatures."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

from .constants import CREATE, IDENTITY, MESSAGE, START
from .independent import Object, base64, public_key, seed_of, signed_event

USER, OTHER_USER = "@alice:example.org", "@bob:example.com"
SERVER, OTHER_SERVER = "example.org", "example.com"
KEY_ID = "ed25519:a_1"


def made_up_id(version: str, name: str) -> str:
    """Return an event ID in the form of the version. No case contains the event."""
    if version in ("1", "2"):
        return f"${name}:{SERVER}"
    digest = sha256(name.encode()).digest()
    return "$" + (base64(digest) if version == "3" else urlsafe_b64encode(digest).decode().rstrip("="))


def reference(version: str, name: str) -> Any:
    """Return an entry of ``prev_events`` or ``auth_events``."""
    identifier = made_up_id(version, name)
    if version in ("1", "2"):
        return [identifier, {"sha256": base64(sha256(name.encode()).digest())}]
    return identifier


def room_id(version: str) -> str:
    """Return the ID of the room. In version 12 it belongs to a made-up create event."""
    return "!" + made_up_id(version, "create")[1:] if version == "12" else f"!room:{SERVER}"


def bare(version: str, kind: str = MESSAGE, content: Object | None = None, **more: Any) -> Object:
    """Return an event without hashes and signatures. ``more`` sets keys, or removes them if None."""
    body = {"msgtype": "m.text", "body": "Good morning"}
    event: Object = {
        "type": kind,
        "sender": USER,
        "room_id": room_id(version),
        "origin_server_ts": START,
        "depth": 12,
        "prev_events": [reference(version, "previous")],
        "auth_events": [reference(version, name) for name in ("create", "power", "alice")],
        "content": body if content is None else content,
    }
    if version in ("1", "2"):
        event["event_id"] = f"$event:{SERVER}"
    if version == "12":
        event["auth_events"] = event["auth_events"][1:]
        if kind == CREATE:
            del event["room_id"]
    if kind == CREATE:
        event |= {"prev_events": [], "auth_events": [], "depth": 1}
    event |= more
    return {key: value for key, value in event.items() if value is not None}


def signed(version: str, event: Object, server: str = SERVER, key_id: str = KEY_ID) -> Object:
    """Hash an event and add a server's signature."""
    return signed_event(event, version, server, key_id, seed_of(server, key_id))


def whole(version: str, kind: str = MESSAGE, content: Object | None = None, **more: Any) -> Object:
    """Return an event with its content hash and the signature of the sender's server."""
    return signed(version, bare(version, kind, content, **more))


def key_entry(
    server: str = SERVER,
    key_id: str = KEY_ID,
    valid_until: int | None = START + 86_400_000,
    expired: int | None = None,
) -> Object:
    """Return one entry of a table of verify keys. A key that has expired has no other end."""
    entry: Object = {"key": public_key(seed_of(server, key_id))}
    if expired is not None:
        return {**entry, "expired_ts": expired}
    return entry if valid_until is None else {**entry, "valid_until_ts": valid_until}


def keys(*servers: str) -> Object:
    """Return a table with the verify keys of some servers."""
    return {server: {KEY_ID: key_entry(server)} for server in servers}


INVITE_TOKEN = "abc123"


def third_party_signed(mxid: str = OTHER_USER) -> Object:
    """Return the ``signed`` block of a third-party invite, with a made-up signature."""
    return {
        "mxid": mxid,
        "token": INVITE_TOKEN,
        "signatures": {IDENTITY: {"ed25519:0": base64(sha256(b"signature").digest() * 2)}},
    }
