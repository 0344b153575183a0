"""Auth events selection: which events of a room state may be the auth events of an event.

Source: https://spec.matrix.org/latest/server-server-api/#auth-events-selection
"""

from typing import Final

from .event import Event
from .types import JsonValue, StateKey

__all__ = ["select_auth_types"]


SHARED_KEYS: Final = (("m.room.create", ""), ("m.room.power_levels", ""), ("m.room.join_rules", ""))
"""The keys that the selection picks for events of any sender."""

SELECTING_MORE: Final = frozenset({"third_party_invite", "join_authorised_via_users_server"})
"""Content keys with which a member event may select more than `SHARED_KEYS` and the member events of its
sender and its target."""


def selects_only_sender(event: Event) -> bool:
    """Tell whether `select_auth_types` picks no other keys than `SHARED_KEYS` and the sender's member event.

    The answer may be no although it does not. It takes a fraction of the time of the selection.
    """
    return event.type != "m.room.member" or (
        event.state_key == event.sender and SELECTING_MORE.isdisjoint(event.content)
    )


def third_party_token(invite: JsonValue) -> str | None:
    """Return the token in a member event's ``third_party_invite``; None if it has none."""
    signed = invite.get("signed") if type(invite) is dict else None
    token = signed.get("token") if type(signed) is dict else None
    return token if type(token) is str else None


def select_auth_types(event: Event) -> frozenset[StateKey]:
    """Return the ``(type, state_key)`` pairs that the auth events selection picks from.

    The state need not have an event for every key. The rules that depend on the state read only these
    keys and the create event, which version 12 does not select.

    Source: https://spec.matrix.org/latest/server-server-api/#auth-events-selection

    >>> from roomver import parse_event
    >>> pdu = {
    ...     "type": "m.room.topic", "state_key": "", "sender": "@a:example.org", "depth": 5, "content": {},
    ...     "room_id": "!r:example.org", "origin_server_ts": 1, "hashes": {"sha256": ""},
    ...     "prev_events": [], "auth_events": [],
    ... }
    >>> sorted(select_auth_types(parse_event(pdu, "11")))
    [('m.room.create', ''), ('m.room.member', '@a:example.org'), ('m.room.power_levels', '')]
    """
    return frozenset(list_auth_types(event))


def list_auth_types(event: Event) -> list[StateKey]:
    """Return what `select_auth_types` returns, as a list in which a pair may be repeated.

    A caller that looks up each pair does not need a set, and making one takes longer than the selection.
    """
    kind = event.type
    if kind == "m.room.create":
        return []
    version = event.room_version
    keys = [("m.room.power_levels", ""), ("m.room.member", event.sender)]
    if version.create_in_auth_events:
        keys.append(("m.room.create", ""))
    if kind != "m.room.member":
        return keys
    if event.state_key is not None:
        keys.append(("m.room.member", event.state_key))
    content = event.content
    membership = content.get("membership")
    if membership in ("join", "invite", "knock"):
        keys.append(("m.room.join_rules", ""))
    if membership == "invite":
        token = third_party_token(content.get("third_party_invite"))
        if token is not None:
            keys.append(("m.room.third_party_invite", token))
    elif membership == "join" and version.restricted_joins:
        # The join rule does not matter: the selection reads the event only.
        authoriser = content.get("join_authorised_via_users_server")
        if type(authoriser) is str:
            keys.append(("m.room.member", authoriser))
    return keys
