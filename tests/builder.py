"""A small room builder: genuine events of any room version, hashed and signed.

    room = Room("11")                      # with its create event, by ALICE
    room.join(ALICE)
    room.power({"users": {ALICE: 100}})
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    room.verdict(topic)                    # against its own auth events

The builder checks no rules: it builds any event, allowed or not. `Room.add` makes an event, adds it to the
room after the last one, and puts it into the state if it is a state event. `Room.make` only makes it.
"""

import hashlib
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, Literal, TypeAlias

from unpaddedbase64 import encode_base64

from roomver import (
    Event,
    RoomVersion,
    Verdict,
    check_against_state,
    check_auth,
    parse_event,
    select_auth_types,
    sign_event,
    sign_json,
)
from roomver.hashing import content_digest
from roomver.keys import SigningKey
from roomver.rules import Rule
from roomver.versions import EventIdForm, RoomIdForm, version_record

ALICE = "@alice:a.example"
BOB = "@bob:b.example"
CAROL = "@carol:a.example"
DAVE = "@dave:d.example:8448"

VERSIONS = [str(n) for n in range(1, 13)]

Content: TypeAlias = dict[str, Any]
State: TypeAlias = dict[tuple[str, str], Event]


def versions_from(first: int, last: int = 12) -> list[str]:
    """Return the identifiers of a range of room versions, both ends included."""
    return [str(n) for n in range(first, last + 1)]


def server_name(user: str) -> str:
    """Return the server name in a user ID."""
    return user.partition(":")[2]


@cache
def key_of(name: str) -> SigningKey:
    """Return the signing key for a name, such as that of a server. It is always the same one."""
    return SigningKey.from_seed("ed25519:1", encode_base64(hashlib.sha256(name.encode()).digest()))


def public_key(name: str) -> str:
    """Return the public half of `key_of` in unpadded base64."""
    return encode_base64(key_of(name).verify_key.key)


def signed_block(mxid: Any, token: Any, *signers: str, **more: Any) -> Content:
    """Return the ``signed`` object of a third-party invite, signed by the named identity servers."""
    block: Content = {"mxid": mxid, "token": token, **more}
    for signer in signers:
        block = sign_json(block, signer, key_of(signer), strict=False)
    return block


class Room:
    """A room to which events are added.

    Attributes:
        version: its room version.
        create: its create event.
        room_id: its ID.
        events: the events it knows, by ID.
        state: the state after the last event that was added, allowed or not.
        last: the last event that was added.
    """

    def __init__(
        self,
        version: RoomVersion | str,
        *,
        creator: str = ALICE,
        content: Content | None = None,
        name: str = "room",
        signed: bool = True,
    ) -> None:
        self.version: RoomVersion = version_record(version)
        self.signed = signed
        self.events: dict[str, Event] = {}
        self.state: State = {}
        self._name = name
        self._made = 0
        self._domain_room_id = f"!{name}:{server_name(creator)}"
        self.last: Event | None = None
        if content is None:
            content = {"room_version": self.version.identifier}
            if self.version.creator_in_content:
                content["creator"] = creator
        self.create = self.add("m.room.create", creator, content, state_key="", auth=[])
        self.room_id = self.create.room_id

    def _reference(self, event: Event | str) -> Any:
        event_id = event if isinstance(event, str) else event.event_id
        return [event_id, {"sha256": ""}] if self.version.references_carry_hashes else event_id

    def pdu(  # noqa: PLR0913 - each is a part of a PDU
        self,
        kind: str,
        sender: str,
        content: Content | None = None,
        *,
        state_key: str | None = None,
        prev: Iterable[Event | str] | None = None,
        auth: Literal["select"] | Iterable[Event | str] = "select",
        redacts: Any = None,
        **fields: Any,
    ) -> Content:
        """Return a PDU, hashed and signed by its sender's server.

        Args:
            kind: the event type.
            sender: a user ID.
            content: ``{}`` if None.
            state_key: None for a message.
            prev: the previous events; the last one added if None.
            auth: the auth events; "select" picks them from the room's state.
            redacts: the target of a redaction, put where the room version keeps it.
            fields: top-level keys to add or to replace.
        """
        self._made += 1
        pdu: Content = {
            "type": kind,
            "sender": sender,
            "content": dict(content or {}),
            "depth": self._made,
            "origin_server_ts": 1_700_000_000_000 + self._made,
        }
        if state_key is not None:
            pdu["state_key"] = state_key
        if redacts is not None:
            (pdu["content"] if self.version.redacts_in_content else pdu)["redacts"] = redacts
        if self.version.room_id_form is RoomIdForm.DOMAIN:
            pdu["room_id"] = self._domain_room_id
        elif kind != "m.room.create" or state_key != "":
            pdu["room_id"] = self.room_id
        if self.version.event_id_form is EventIdForm.CHOSEN:
            pdu["event_id"] = f"${self._name}{self._made}:{server_name(sender)}"
        before = ([] if self.last is None else [self.last]) if prev is None else prev
        pdu["prev_events"] = [self._reference(event) for event in before]
        pdu["auth_events"] = []
        pdu.update(fields)
        if auth == "select":
            draft = parse_event({"hashes": {"sha256": ""}, **pdu}, self.version)
            # Sorted, because the order of a set of strings varies between runs.
            auth = [self.state[key] for key in sorted(select_auth_types(draft)) if key in self.state]
        if "auth_events" not in fields:
            pdu["auth_events"] = [self._reference(event) for event in auth]
        if "hashes" in fields:
            return pdu
        if not self.signed:
            return {**pdu, "hashes": {"sha256": encode_base64(content_digest(pdu))}}
        server = server_name(sender)
        return sign_event(pdu, self.version, server, key_of(server))

    def make(self, kind: str, sender: str, content: Content | None = None, **options: Any) -> Event:
        """Return an event of the room without adding it. Arguments are those of `pdu`."""
        return parse_event(self.pdu(kind, sender, content, **options), self.version)

    def add(self, kind: str, sender: str, content: Content | None = None, **options: Any) -> Event:
        """Make an event and add it to the room. Arguments are those of `pdu`."""
        return self.take(self.make(kind, sender, content, **options))

    def take(self, event: Event) -> Event:
        """Add an event that was made before."""
        self.events[event.event_id] = event
        if event.state_key is not None:
            self.state[event.type, event.state_key] = event
        self.last = event
        return event

    def make_member(
        self,
        user: str,
        membership: Any,
        *,
        by: str | None = None,
        more: Content | None = None,
        **options: Any,
    ) -> Event:
        """Make a member event; ``by`` is its sender, the user if None; ``more`` is further content."""
        content = {"membership": membership, **(more or {})}
        return self.make("m.room.member", by or user, content, state_key=user, **options)

    def member(self, user: str, membership: Any, **options: Any) -> Event:
        """Add a member event. Arguments are those of `make_member`."""
        return self.take(self.make_member(user, membership, **options))

    def join(self, *users: str) -> None:
        """Add a join for each user."""
        for user in users:
            self.member(user, "join")

    def make_power(self, content: Content, by: str | None = None, **options: Any) -> Event:
        """Make a power-levels event, by the creator if ``by`` is None."""
        return self.make(
            "m.room.power_levels", by or self.create.sender, content, **{"state_key": "", **options}
        )

    def power(self, content: Content, by: str | None = None, **options: Any) -> Event:
        """Add a power-levels event. Arguments are those of `make_power`."""
        return self.take(self.make_power(content, by, **options))

    def join_rule(self, rule: Any, by: str | None = None, **options: Any) -> Event:
        """Add a join-rules event, by the creator if ``by`` is None."""
        content = {"join_rule": rule}
        return self.add("m.room.join_rules", by or self.create.sender, content, state_key="", **options)

    def verdict(
        self, event: Event, state: State | None = None, *, rejected: Collection[str] = frozenset()
    ) -> Verdict:
        """Check an event by all rules, against the state given or its own auth events."""
        return check_auth(event, state, self.events, rejected=rejected)

    def against_state(self, event: Event) -> Verdict:
        """Check an event against the room's state."""
        return check_against_state(event, self.state)


def allows(verdict: Verdict, rule: Rule) -> None:
    """Assert that a verdict allows, by this rule, and that the rule is in the version's list."""
    assert (verdict.allowed, verdict.rule) == (True, rule), str(verdict)
    assert verdict.number is not None


def refuses(verdict: Verdict, rule: Rule) -> None:
    """Assert that a verdict refuses, by this rule, and that the rule is in the version's list."""
    assert (verdict.allowed, verdict.rule) == (False, rule), str(verdict)
    assert verdict.number is not None
