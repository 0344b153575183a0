"""Make events, and take part in the handshakes between servers, without I/O.

- `make_steps` makes a complete PDU: placed after the forward extremities, with its auth events, hashed and
  signed.
- `template_steps` answers ``/make_join``, ``/make_leave`` and ``/make_knock``; `complete_template` makes the
  event of such an answer; `check_sent` checks it where it arrives.
- `check_send_join_steps` and `check_send_knock_steps` check what is then answered.
- `stripped_state_steps`, `check_invite_steps` and `take_signature` are for invites;
  `exchange_third_party_invite_steps` completes one that was sent to an e-mail address.
- `take_policy_signature` adds the signature of the room's policy server.

Time, keys, room IDs and event IDs of versions 1 and 2 are handed in: nothing here reads a clock or draws
random numbers. Whether an event is allowed is a verdict; an event that is not allowed is not signed.

Source: https://spec.matrix.org/latest/server-server-api/#pdus
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple, NoReturn

from ..canonical import shorten
from ..errors import refuse_truth
from ..event import Event, parse_event
from ..identifiers import server_of
from ..keys import SigningKey
from ..policy import PolicyServer
from ..resolution import RoomGraph
from ..rules import Verdict
from ..signatures import list_required_signers
from ..signing import sign_event
from ..state import State
from ..steps import NeedEvents, Steps, Stored
from ..types import EventId, RoomId, ServerName, UserId
from ..versions import EventIdForm, RoomVersion, version_record
from .authoriser import find_authoriser_steps
from .drafts import Wanted, draft
from .handshake import Template, check_sent, complete_template, template_steps
from .invite import InviteCheck, StrippedState, check_invite_steps, stripped_state_steps
from .joined import JoinCheck, check_send_join_steps, check_send_knock_steps
from .returned import take_policy_signature, take_signature
from .third_party import read_exchange

__all__ = [
    "InviteCheck",
    "JoinCheck",
    "Made",
    "StrippedState",
    "Template",
    "check_invite_steps",
    "check_send_join_steps",
    "check_send_knock_steps",
    "check_sent",
    "complete_template",
    "exchange_third_party_invite_steps",
    "find_authoriser_steps",
    "make_steps",
    "stripped_state_steps",
    "take_policy_signature",
    "take_signature",
    "template_steps",
]


class Made(NamedTuple):
    """A new event, or why there is none. It has no truth value: use `event` or `verdict`."""

    event: Event | None
    """The event, hashed and signed by the sender's server; None if the verdict refuses it."""
    verdict: Verdict
    """The verdict of the rules, on its auth events and on the state before it."""
    state_before: State[EventId]
    """The state before it."""
    unsigned_by: tuple[ServerName, ...] = ()
    """The other servers that must sign it before it is sent to the room, sorted: the server of the
    authorising user of a restricted join. An invited server is not among them, because no other server checks
    that it signed."""
    policy_server: PolicyServer | None = None
    """The policy server of the room, if it must sign the event before it is sent; otherwise None. See
    `take_policy_signature`."""

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".event")


def make_steps(  # noqa: PLR0913 - all but four are options by keyword
    version: RoomVersion | str,
    kind: str,
    sender: UserId,
    content: Mapping[str, object],
    *,
    origin_server_ts: int,
    key: SigningKey,
    state_key: str | None = None,
    room_id: RoomId | None = None,
    event_id: EventId | None = None,
    redacts: EventId | None = None,
    prev_events: Collection[EventId] | None = None,
    graph: RoomGraph | None = None,
) -> Steps[Made]:
    """Make an event: place it in the room, select its auth events, check it, hash it and sign it.

    This is a generator: run it with `roomver.steps.run` or `roomver.steps.run_async`. Nothing is stored. Then
    receive the event, like any other, with `roomver.receive.receive_steps`.

    Source: https://spec.matrix.org/latest/server-server-api/#pdus and
    https://spec.matrix.org/latest/server-server-api/#adding-hashes-and-signatures-to-outgoing-events

    Args:
        version: the version of the room.
        kind: the event type.
        sender: the sender. The server in this user ID signs.
        content: the content. It is copied.
        origin_server_ts: the time, in milliseconds since the epoch.
        key: the signing key of the sender's server.
        state_key: the state key of a state event; None for a message.
        room_id: the room ID; None for the create event of version 12, whose hash it is.
        event_id: the event ID in versions 1 and 2, ``$``, characters that the caller draws, ``:`` and the
            sender's server. It must not be in use: the store is asked for an event with this ID. Later
            versions compute it.
        redacts: the event that an ``m.room.redaction`` redacts. It is put where the version has it. No other
            event may have one.
        prev_events: the events that it follows, at most 20; None for the forward extremities. If there are
            more than 20, those of the greatest depth are taken.
        graph: the room's graph, if the caller keeps one: the one that `roomver.receive.receive_steps` takes.
            It is read where the states after the prev events differ and are resolved. It changes no result:
            without it, the auth chains of the events that they do not agree on are fetched.

    Returns:
        The event with the verdict, or the verdict that refuses it.

    Raises:
        MalformedEvent: if the event would not be in the event format, if a create event names another room
            version, if the room ID is of another version, or if an event of another type redacts an event.
        NotCanonical: if the content cannot be encoded as canonical JSON.
        MissingEvents: naming events that the store does not have, or after which it has no state.
        UnknownState: if the state before the event is known in part, and the event depends on the rest.
        WrongRoom: if the state is of another room.
        UnknownRoomVersion: if there is no such version.
        ValueError: if a prev event was rejected or soft-failed, or the store has an event with this ID.

    >>> from roomver import SigningKey
    >>> from roomver.receive import MemoryStore, receive_steps
    >>> from roomver.steps import run
    >>> key = SigningKey.from_seed("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
    >>> store = MemoryStore()
    >>> made = run(make_steps("12", "m.room.create", "@al:a.org", {"room_version": "12"}, state_key="",
    ...                       origin_server_ts=1700000000000, key=key), store)
    >>> made.event.room_id, list(made.event.signatures)
    ('!iU4EEu6yJk54VN-ZHhozn7yqaR4IImKFYCcrxA0PDoE', ['a.org'])
    >>> store.take(run(receive_steps(made.event.pdu, "12", signatures=False), store))
    >>> made = run(make_steps("12", "m.room.topic", "@al:a.org", {"topic": "Hello"}, state_key="",
    ...                       room_id=made.event.room_id, origin_server_ts=1700000000001, key=key), store)
    >>> made.event is None, str(made.verdict)
    (True, 'v12 rule 6 (sender.not_joined): the sender is not joined (sender @al:a.org, membership leave)')
    """
    record = version_record(version)
    if record.event_id_form is EventIdForm.CHOSEN and type(event_id) is str:
        stored: Mapping[EventId, Stored] = yield NeedEvents(frozenset([event_id]))
        if event_id in stored:
            raise ValueError(f"the event ID {shorten(event_id, 300)} is in use: draw another one")
    wanted = Wanted(kind, sender, content, state_key, room_id, origin_server_ts, event_id, redacts)
    drafted = yield from draft(wanted, record, prev_events, graph)
    if not drafted.verdict.allowed:
        return Made(None, drafted.verdict, drafted.state)
    server = server_of(sender)
    # Parsed again, because the hash and the signature count for the size.
    event = parse_event(sign_event(drafted.pdu, record, server, key), record)
    unsigned_by = tuple(one for one in list_required_signers(event) if one != server)
    return Made(event, drafted.verdict, drafted.state, unsigned_by, drafted.policy_server)


def exchange_third_party_invite_steps(  # noqa: PLR0913 - all but two are options by keyword
    version: RoomVersion | str,
    body: object,
    *,
    room_id: RoomId,
    server: ServerName,
    origin_server_ts: int,
    key: SigningKey,
    event_id: EventId | None = None,
    graph: RoomGraph | None = None,
) -> Steps[Made]:
    """Answer ``/exchange_third_party_invite``: make the invite that completes a third-party invite.

    The rules check that the sender sent that third-party invite, and that one of its keys has signed the
    user ID. Whether such a key was revoked, only the ``key_validity_url`` of the third-party invite tells.
    Then send the invite to the invited user's server, like any other. A server that is in the room makes it
    with `make_steps` instead.

    Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv1exchange_third_party_inviteroomid

    Args:
        version: the version of the room.
        body: the body of the request. It is not trusted.
        room_id: as in the path.
        server: the server that received it. The sender must be one of its users.
        origin_server_ts, key, event_id, graph: as in `make_steps`.

    Raises:
        MalformedEvent: naming what is not as in such a request, or as in `make_steps`.
        MissingEvents, UnknownState, UnknownRoomVersion, WrongRoom: as in `make_steps`.
    """
    record = version_record(version)
    sender, target, content = read_exchange(body, room_id, server, record)
    return (
        yield from make_steps(
            record,
            "m.room.member",
            sender,
            content,
            state_key=target,
            room_id=room_id,
            origin_server_ts=origin_server_ts,
            key=key,
            event_id=event_id,
            graph=graph,
        )
    )
