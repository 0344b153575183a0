"""Rooms for the generators: valid events of any room version, with hashes, signatures and IDs.

A `Room` holds its events and its current state. `Room.put` sends an event, which becomes part of the
timeline and of the state. `Room.make` builds an event beside the timeline, such as the event that a case is
about. The auth events are those of the auth events selection unless the caller names others. The selection
is written out here and does not use the library's, so that each checks the other.

All names are made up, below example.org.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeAlias

from .constants import (
    AUTHORISER,
    CREATE,
    CREATE_KEY,
    JOIN_RULES,
    JOIN_RULES_KEY,
    MEMBER,
    POWER_LEVELS,
    POWER_LEVELS_KEY,
    START,
    THIRD_PARTY_INVITE,
    Key,
)
from .independent import base64, content_hash, event_id, redacted, reference_digest, seed_of, signature
from .versions import ALL, Versions, since

Json: TypeAlias = Any
Pdu: TypeAlias = dict[str, Any]


ALICE = "@alice:a.example.org"
"""The creator of every room, unless a case says otherwise."""
BOB = "@bob:b.example.org"
CAROL = "@carol:c.example.org"
DAN = "@dan:a.example.org"
"""A user of the creator's server."""
MALLORY = "@mallory:m.example.org"

ROOM_KEY_ID = "ed25519:1"

MEMBERSHIPS: dict[str, Versions] = {
    "none": ALL,
    "leave": ALL,
    "invite": ALL,
    "join": ALL,
    "ban": ALL,
    "knock": since("7"),
}
"""The previous memberships of a user, with the room versions that have each; see `Room.was`."""

HELLO = {"body": "Hello", "msgtype": "m.text"}
"""The content of a message."""


def server_of(identifier: str) -> str:
    """Return the server name in an identifier."""
    return identifier.split(":", 1)[1]


def signed_by(value: Json, server: str, key: str = "", key_id: str = ROOM_KEY_ID) -> Json:
    """Sign a JSON object under a server's name, with the key named ``key`` or else with the server's own."""
    old = value.get("signatures", {})
    mine = {**old.get(server, {}), key_id: signature(value, seed_of(key or server, ROOM_KEY_ID))}
    return {**value, "signatures": {**old, server: mine}}


def essence(pdu: Pdu, version: str) -> Pdu:
    """Return the part of an event that is signed and from which its ID is computed.

    Redaction drops a ``third_party_invite`` that is not an object. The specification does not say so; Synapse
    does it.
    """
    content = pdu["content"]
    if "third_party_invite" in content and not isinstance(content["third_party_invite"], dict):
        content = {key: value for key, value in content.items() if key != "third_party_invite"}
    core = redacted({**pdu, "content": content}, version)
    if version == "12" and pdu["type"] == CREATE:
        core.pop("room_id", None)  # an event of this type must not have it; Synapse removes it here, too
    return core


class Room:
    """A room that grows event by event.

    Args:
        version: its room version.
        content: further content of the create event.
        creator: the sender of the create event.
        name: the localpart of the room ID and of the event IDs, in versions that have them.
        without: keys to leave out of the create event's content.
    """

    def __init__(
        self,
        version: str,
        content: Mapping[str, Json] | None = None,
        *,
        creator: str = ALICE,
        name: str = "r",
        without: Sequence[str] = (),
    ) -> None:
        self.version = version
        self.number = int(version)
        self.creator = creator
        self.name = name
        self.events: dict[str, Pdu] = {}
        self.state: dict[Key, str] = {}
        self.heads: list[str] = []
        self.room_id = f"!{name}:{server_of(creator)}"
        everything = {"room_version": version, **({"creator": creator} if self.number <= 10 else {})}
        everything.update(content or {})
        for gone in without:
            del everything[gone]
        self.create = self.put(creator, CREATE, everything, "")
        if self.number >= 12:
            self.room_id = "!" + self.create[1:]

    def make(
        self,
        sender: str,
        kind: str,
        content: Json,
        state_key: str | None = None,
        *,
        auth: Iterable[str] | None = None,
        prev: Iterable[str] | None = None,
        id_server: str | None = None,
        top: Mapping[str, Json] | None = None,
    ) -> str:
        """Build an event beside the timeline, and return its ID.

        Args:
            auth: its auth events; by default those that the selection picks.
            prev: its prev events; by default the last event of the room.
            id_server: the server in its ID, in versions 1 and 2; by default the sender's.
            top: further top-level keys of the event. A value of None removes the key.
        """
        cited = self.select(sender, kind, content, state_key) if auth is None else list(auth)
        before = self.heads if prev is None else list(prev)
        pdu: Pdu = {
            "auth_events": self._references(cited),
            "content": deepcopy(content),
            "depth": 1 + max((self.events[one]["depth"] for one in before if one in self.events), default=0),
            "origin_server_ts": START + 1000 * len(self.events),
            "prev_events": self._references(before),
            "sender": sender,
            "type": kind,
        }
        if self.number < 12 or kind != CREATE:
            pdu["room_id"] = self.room_id
        if state_key is not None:
            pdu["state_key"] = state_key
        if self.number <= 2:
            pdu["event_id"] = f"${self.name}{len(self.events):02}:{id_server or server_of(sender)}"
        for name, value in (top or {}).items():
            if value is None:
                del pdu[name]
            else:
                pdu[name] = value
        pdu["hashes"] = {"sha256": content_hash(pdu)}
        core = essence(pdu, self.version)
        pdu["signatures"] = {
            server: {ROOM_KEY_ID: signature(core, seed_of(server, ROOM_KEY_ID))}
            for server in self._signers(pdu)
        }
        identifier = event_id(core, self.version)
        self.events[identifier] = dict(sorted(pdu.items()))
        return identifier

    def put(self, sender: str, kind: str, content: Json, state_key: str | None = None, **more: Any) -> str:
        """Send an event: build it and make it the last event of the room. With a state key it is state."""
        identifier = self.make(sender, kind, content, state_key, **more)
        if state_key is not None:
            self.state[kind, state_key] = identifier
        self.heads = [identifier]
        return identifier

    def select(self, sender: str, kind: str, content: Json, state_key: str | None) -> list[str]:
        """Return what the auth events selection picks from the current state."""
        if kind == CREATE:
            return []
        keys: list[Key] = [CREATE_KEY] if self.number < 12 else []
        keys += [POWER_LEVELS_KEY, (MEMBER, sender)]
        if kind == MEMBER:
            if state_key is not None:
                keys.append((MEMBER, state_key))
            membership = content.get("membership")
            if membership in ("join", "invite", "knock"):
                keys.append(JOIN_RULES_KEY)
            if membership == "invite" and "third_party_invite" in content:
                invite = content["third_party_invite"]
                signed = invite.get("signed") if isinstance(invite, dict) else None
                token = signed.get("token") if isinstance(signed, dict) else None
                if isinstance(token, str):
                    keys.append((THIRD_PARTY_INVITE, token))
            authoriser = content.get(AUTHORISER)
            if membership == "join" and self.number >= 8 and isinstance(authoriser, str):
                keys.append((MEMBER, authoriser))
        return [self.state[key] for key in dict.fromkeys(keys) if key in self.state]

    def chain(self, roots: Iterable[str]) -> dict[str, Pdu]:
        """Return events with their auth chains, earliest first. Version 12 includes the create event."""
        wanted: set[str] = set()
        pending = list(roots)
        while pending:
            one = pending.pop()
            if one in wanted or one not in self.events:
                continue
            wanted.add(one)
            pdu = self.events[one]
            cited = [item if self.number > 2 else item[0] for item in pdu["auth_events"]]
            pending += cited
            if self.number >= 12 and "room_id" in pdu:
                pending.append("$" + pdu["room_id"][1:])
        return {one: pdu for one, pdu in self.events.items() if one in wanted}

    def _references(self, identifiers: Iterable[str]) -> list[Json]:
        if self.number > 2:
            return list(identifiers)
        return [
            [one, {"sha256": base64(reference_digest(self.events[one], self.version))}] for one in identifiers
        ]

    def _signers(self, pdu: Pdu) -> list[str]:
        servers = [server_of(pdu["sender"])]
        if self.number <= 2:
            servers.append(server_of(pdu["event_id"]))
        authoriser = pdu["content"].get(AUTHORISER)
        joins = pdu["type"] == MEMBER and pdu["content"].get("membership") == "join"
        if self.number >= 8 and joins and isinstance(authoriser, str) and ":" in authoriser:
            servers.append(server_of(authoriser))
        return sorted(set(servers))

    # Common events.

    def levels(self, users: Mapping[str, Json] | None = None, **named: Json) -> Json:
        """Return the content of power levels. Up to version 11 the creator is listed, with level 100."""
        mine = {} if self.number >= 12 else {self.creator: 100}
        return {"users": {**mine, **(users or {})}, **named}

    def power(
        self, users: Mapping[str, Json] | None = None, *, sender: str | None = None, **named: Json
    ) -> str:
        """Set the power levels."""
        return self.put(sender or self.creator, POWER_LEVELS, self.levels(users, **named), "")

    def join_rule(self, rule: Json, **more: Json) -> str:
        """Set the join rule."""
        return self.put(self.creator, JOIN_RULES, {"join_rule": rule, **more}, "")

    def member(self, user: str, membership: str, sender: str | None = None, **content: Json) -> str:
        """Change a user's membership."""
        return self.put(sender or user, MEMBER, {"membership": membership, **content}, user)

    def try_member(self, user: str, membership: Json, sender: str | None = None, **more: Any) -> str:
        """Build a member event beside the timeline. Keywords are those of `make`, and ``content``."""
        content = {"membership": membership, **more.pop("content", {})}
        return self.make(sender or user, MEMBER, content, user, **more)

    def was(self, user: str, membership: str) -> None:
        """Give a user a membership through ordinary events.

        A membership of ``knock`` sets the join rule to ``knock``; others leave the join rule as it is.
        """
        if membership == "none":
            return
        if membership == "knock":
            self.join_rule("knock")
            self.member(user, "knock")
            return
        if membership in ("join", "leave"):
            self.member(user, "join")
        if membership == "leave":
            self.member(user, "leave")
        if membership in ("invite", "ban"):
            self.member(user, membership, self.creator)


def plain_room(
    version: str, users: Mapping[str, Json] | None = None, *, joined: Sequence[str] = (), **named: Json
) -> Room:
    """Return a public room with its creator, power levels and joined users."""
    room = Room(version)
    room.member(ALICE, "join")
    room.power(users, **named)
    room.join_rule("public")
    for user in joined:
        room.member(user, "join")
    return room
