"""Auth events selection: which events of the room state an event may cite as its auth events.

Source: https://spec.matrix.org/latest/server-server-api/#auth-events-selection
"""

from .event import Event
from .types import JsonValue, StateKey


def third_party_token(invite: JsonValue) -> str | None:
    """Return the token of a member event's ``third_party_invite``; None if it names none."""
    signed = invite.get("signed") if type(invite) is dict else None
    token = signed.get("token") if type(signed) is dict else None
    return token if type(token) is str else None


def select_auth_types(event: Event) -> frozenset[StateKey]:
    """Return the keys of the room state that the selection may pick auth events from.

    Not every key must have an event. Of these, state-dependent rules need no other part of the
    state but, where the create event is not selected (version 12), that one.

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
    kind = event.type
    if kind == "m.room.create":
        return frozenset()
    version = event.room_version
    # Few of the keys come twice, and a set made of a list at once costs less than one that grows.
    keys = [("m.room.power_levels", ""), ("m.room.member", event.sender)]
    if version.create_in_auth_events:
        keys.append(("m.room.create", ""))
    if kind != "m.room.member":
        return frozenset(keys)
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
        # Whatever the join rule is: the selection looks at the event alone.
        authoriser = content.get("join_authorised_via_users_server")
        if type(authoriser) is str:
            keys.append(("m.room.member", authoriser))
    return frozenset(keys)
