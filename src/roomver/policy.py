"""Policy servers: whether a room uses one, and whether it has signed an event (check 7 on receipt).

A policy server recommends events for inclusion in a room by signing them. Its key is in the room state, so
nothing has to be fetched. An event without its signature is soft-failed; the authorisation rules do not
depend on it.

Source: https://spec.matrix.org/latest/server-server-api/#policy-servers
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from .canonical import shorten
from .errors import UnknownState
from .event import Event
from .hashing import essential_bytes
from .identifiers import server_of
from .signature_results import POLICY_SERVER_KEY
from .signatures import verify_bytes
from .state import Unknown, entries_of, unknown_of
from .types import EventId, ServerName, StateKey, StateMap
from .unpadded import decode_unpadded

__all__ = [
    "POLICY",
    "PolicyRefusal",
    "PolicyServer",
    "check_policy",
    "check_policy_signature",
    "find_policy_server",
]

POLICY: Final[StateKey] = ("m.room.policy", "")
"""The key of the state event that names a room's policy server."""


class PolicyServer(NamedTuple):
    """The policy server that an ``m.room.policy`` event names."""

    name: ServerName
    key: bytes | None
    """The 32 bytes of its public key; None if the event gives something else. Then no signature is valid."""
    event_id: EventId
    """The ``m.room.policy`` event."""


class PolicyRefusal(NamedTuple):
    """Why an event is not recommended for inclusion: its policy server has not validly signed it."""

    server: PolicyServer
    reason: str

    @property
    def allowed(self) -> bool:
        """False, as for a verdict that refuses."""
        return False

    def __str__(self) -> str:
        return f"{self.reason} (policy server {shorten(self.server.name)}, from {self.server.event_id})"


def named_policy_server(policy: Event | None) -> PolicyServer | None:
    """Return the policy server that an ``m.room.policy`` event names; None if the event is not valid.

    The room uses that server only if one of the server's users is joined: see `find_policy_server`.
    """
    # "The *current state* for the room has a valid `m.room.policy` state event with empty state key. Valid
    # means `content` contains at least: a string value for `via`; an object value for `public_keys`
    # containing at least a string value for `ed25519`."
    if policy is None:
        return None
    via, keys = policy.content.get("via"), policy.content.get("public_keys")
    text = keys.get("ed25519") if type(keys) is dict else None
    if type(via) is not str or type(text) is not str:
        return None
    key = decode_unpadded(text)
    return PolicyServer(via, key if key is not None and len(key) == 32 else None, policy.event_id)


def is_joined_from(member: Event, server: ServerName) -> bool:
    """Tell whether an event says that a user of a server is joined."""
    return (
        member.type == "m.room.member"
        and member.state_key is not None
        and member.content.get("membership") == "join"
        and ":" in member.state_key
        and server_of(member.state_key) == server
    )


def find_joined_user(server: ServerName, events: Iterable[Event], unknown: Iterable[Unknown]) -> Event | None:
    """Return the member event of a joined user of a server, from the known part of a state; None without one.

    Args:
        server: the server's name.
        events: the events of the state, or those that may be such a member event.
        unknown: what is unknown in the state.

    Raises:
        UnknownState: if none of the events is one, and an unknown entry may be.
    """
    for event in events:
        if is_joined_from(event, server):
            return event
    for one in unknown:
        if one.may_hold("m.room.member", None):
            raise UnknownState((), f"it may have a joined user of {shorten(server)} ({one.reason})", one.lack)
    return None


def find_policy_server(state: StateMap[Event]) -> PolicyServer | None:
    """Return the policy server that a room uses; None if it uses none.

    Source: https://spec.matrix.org/latest/server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room

    Args:
        state: the current state of the room.

    Raises:
        UnknownState: if the state is known in part, and this depends on what is unknown.

    Cost: one visit to each entry of the state, if there is a valid ``m.room.policy`` event.
    """
    server = named_policy_server(state.get(POLICY))
    if server is None:
        return None
    # "The server name denoted by the `m.room.policy` state event's `via` has at least one joined user in the
    # room in *current state*. The user does not need any special permissions or power levels in the room."
    joined = find_joined_user(server.name, entries_of(state).values(), unknown_of(state))
    return None if joined is None else server


def check_policy_signature(event: Event, server: PolicyServer) -> PolicyRefusal | None:
    """Check that the policy server of a room has signed an event; return why it is refused, or None.

    Source: https://spec.matrix.org/latest/server-server-api/#validating-policy-server-signatures

    Args:
        event: the event.
        server: the policy server that the room uses in its current state.

    Cost: an encoding of the redacted form, and at most one signature to verify.
    """
    # "Because the Policy Server is not asked to sign `m.room.policy` state events with empty string
    # `state_key`s, those events will not have a Policy Server signature."
    if (event.type, event.state_key) == POLICY:
        return None
    signatures = event.pdu.get("signatures")
    mine = signatures.get(server.name) if type(signatures) is dict else None
    signature = mine.get(POLICY_SERVER_KEY) if type(mine) is dict else None
    if signature is None:
        return PolicyRefusal(server, "the policy server has not signed the event")
    raw = decode_unpadded(signature) if type(signature) is str else None
    if raw is None or len(raw) != 64:
        return PolicyRefusal(server, "the policy server's signature is not 64 bytes of base64")
    if server.key is None:
        return PolicyRefusal(server, "the policy server's key is not 32 bytes of base64")
    if not verify_bytes(server.key, essential_bytes(event.pdu, event.room_version), raw):
        return PolicyRefusal(server, "the policy server's signature does not verify")
    return None


def check_policy(event: Event, state: StateMap[Event]) -> PolicyRefusal | None:
    """Check that the policy server of a room has signed an event, if the room uses one (check 7).

    Source: https://spec.matrix.org/latest/server-server-api/#validating-policy-server-signatures

    Args:
        event: the event, which the authorisation rules allow.
        state: the current state of the room.

    Returns:
        Why the event is to be soft-failed; None if it is not.

    Raises:
        UnknownState: if the state is known in part, and the result depends on what is unknown.

    Cost: that of `find_policy_server` and `check_policy_signature`.
    """
    if (event.type, event.state_key) == POLICY:
        return None
    server = named_policy_server(state.get(POLICY))
    refusal = None if server is None else check_policy_signature(event, server)
    if server is None or refusal is None:
        return None
    # An event with the signature needs none of this.
    joined = find_joined_user(server.name, entries_of(state).values(), unknown_of(state))
    return None if joined is None else refusal


def find_signing_policy_server(event: Event, state: StateMap[Event]) -> PolicyServer | None:
    """Return the policy server that a state names if it has signed an event that needs this; otherwise None.

    Whether one of the server's users is joined makes no difference then.
    """
    try:
        server = None if (event.type, event.state_key) == POLICY else named_policy_server(state.get(POLICY))
    except UnknownState:
        return None
    return None if server is None or check_policy_signature(event, server) is not None else server
