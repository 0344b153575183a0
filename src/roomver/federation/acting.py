"""Act for a server's own users: make events, join and leave rooms, and store what that makes.

Nothing here reads a clock or draws random numbers: the time, the key, and the event IDs of versions 1 and 2
are handed in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, NoReturn

from ..canonical import shorten
from ..errors import MalformedEvent, RequestRefused, refuse_truth
from ..event import Event
from ..identifiers import server_of
from ..keys import SigningKey
from ..make import (
    JoinCheck,
    Made,
    StrippedState,
    check_send_join_steps,
    check_send_knock_steps,
    complete_template,
    make_steps,
    stripped_state_steps,
    take_policy_signature,
    take_signature,
)
from ..policy import PolicyServer
from ..receive import Receipt, ReceiptStatus, receive_steps
from ..rules import Verdict
from ..steps import drive
from ..types import EventId, JsonObject, JsonValue, RoomId, ServerName, UserId
from ..versions import RoomIdForm, RoomVersion, version_record
from .asking import PREFIX, path_part
from .needs import FederationSteps, LocalRoom, NeedResponse, Response
from .receiving import attempt, keep_steps
from .same_id import refused_id_steps

_SIGN: Final = "/_matrix/policy/v1/sign"


@dataclass(frozen=True, slots=True)
class Author:
    """What makes an event of a user: who, when, and with which key.

    Attributes:
        user: the user, of this server.
        key: this server's signing key.
        origin_server_ts: the time, in milliseconds since the epoch.
        event_id: an event ID that was drawn, for a room of version 1 or 2. It must not be in use, in any room
            of this server. Other versions do not use it.
    """

    user: UserId
    key: SigningKey
    origin_server_ts: int
    event_id: EventId | None = None


class Acted(NamedTuple):
    """An event of a user of this server, or why there is none. It has no truth value: use `event`."""

    event: Event | None
    """The event, which was stored; None if it was refused."""
    reason: Verdict | Receipt | PolicyServer | ServerName | RequestRefused
    """The verdict on it. If there is no event: the verdict or receipt that refuses it; the policy server or
    the invited server whose signature is not valid, or the refusal of that server; or another server that
    must sign it."""

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".event")

    def __str__(self) -> str:
        """Say why there is no event, or which verdict allows it."""
        if isinstance(self.reason, PolicyServer):
            return f"the policy server {shorten(self.reason.name)} must sign the event"
        return f"{self.reason} must sign the event" if isinstance(self.reason, str) else str(self.reason)


def act_steps(
    author: Author,
    room: LocalRoom,
    kind: str,
    content: Mapping[str, object],
    *,
    state_key: str | None = None,
    redacts: EventId | None = None,
) -> FederationSteps[Acted]:
    """Make an event of a user of this server, store it, and say to which servers it is to be sent.

    If the room uses a policy server, that server signs the event first (``/sign``). An invite of a user of
    another server is also signed by that server (``/invite``), which is told the state that identifies the
    room.

    Source: https://spec.matrix.org/latest/server-server-api/#asking-for-a-policy-server-signature-on-an-event
    and https://spec.matrix.org/latest/server-server-api/#inviting-to-a-room

    Args:
        author: who makes the event.
        room: the room. This server is in it.
        kind: the event type.
        content: the content.
        state_key: the state key of a state event; None for a message.
        redacts: the event that an ``m.room.redaction`` redacts.

    Raises:
        MalformedEvent, MissingEvents, UnknownState, WrongRoom, ValueError: as in `roomver.make.make_steps`.
    """
    made: Made = yield from make_steps(
        room.version,
        kind,
        author.user,
        content,
        origin_server_ts=author.origin_server_ts,
        key=author.key,
        state_key=state_key,
        room_id=room.room_id,
        event_id=author.event_id,
        redacts=redacts,
        graph=room.graph,
    )
    event = made.event
    if event is None or made.unsigned_by:
        return Acted(None, next(iter(made.unsigned_by), made.verdict))
    if made.policy_server is not None:
        # "*all* servers in that room MUST ask that Policy Server for a signature before sending an event."
        response: Response = yield NeedResponse(made.policy_server.name, "POST", _SIGN, event.pdu)
        if response.body is None:
            return Acted(None, response.refused(made.policy_server.name, "sign"))
        try:
            event = take_policy_signature(event, response.body, made.policy_server)
        except MalformedEvent:
            return Acted(None, made.policy_server)
    membership = event.content.get("membership") if kind == "m.room.member" else None
    invited = server_of(state_key) if membership == "invite" and state_key is not None else room.server
    if invited != room.server:
        stripped: list[JsonValue] = [*(yield from stripped_state_steps(graph=room.graph))]
        body: JsonObject = {
            "room_version": room.version.identifier,
            "event": event.pdu,
            "invite_room_state": stripped,
        }
        uri = f"{PREFIX}/v2/invite/{path_part(room.room_id)}/{path_part(event.event_id)}"
        response = yield NeedResponse(invited, "PUT", uri, body)
        if response.body is None:
            return Acted(None, response.refused(invited, "invite"))
        try:
            event = take_signature(event, response.body, invited)
        except MalformedEvent:
            return Acted(None, invited)
    receipt = yield from attempt(event.pdu, room, relay=True)
    accepted = receipt.status is ReceiptStatus.ACCEPTED
    return Acted(event if accepted else None, made.verdict if accepted else receipt)


def ask_template_steps(
    author: Author,
    room_id: RoomId,
    server: ServerName,
    membership: str,
    *,
    versions: Iterable[RoomVersion | str],
    content: Mapping[str, object] | None = None,
) -> FederationSteps[Event]:
    """Ask a server in a room for a template, and return the event of it, signed.

    Args:
        author: the user who joins, leaves or knocks.
        room_id: the room.
        server: the server that is asked.
        membership: ``join``, ``leave`` or ``knock``.
        versions: the room versions that this server supports.
        content: more content, such as ``displayname``.

    Raises:
        RequestRefused: if the server refuses or does not answer.
        MalformedEvent: if its response is not as asked for.
    """
    records = [version_record(version) for version in versions]
    query = "&".join(f"ver={path_part(one.identifier)}" for one in records)
    uri = f"{PREFIX}/v1/make_{membership}/{path_part(room_id)}/{path_part(author.user)}?{query}"
    response: Response = yield NeedResponse(server, "GET", uri)
    if response.body is None:
        raise response.refused(server, f"make_{membership}")
    return complete_template(
        response.body,
        membership=membership,
        user=author.user,
        room_id=room_id,
        versions=records,
        origin_server_ts=author.origin_server_ts,
        key=author.key,
        event_id=author.event_id,
        content=content,
    )


def send_membership_steps(event: Event, server: ServerName) -> FederationSteps[StrippedState | None]:
    """Send a leave or a knock to a server in the room, which this server is not in.

    Args:
        event: what `ask_template_steps` returned.
        server: the server that gave the template.

    Returns:
        None if the server did not accept it. After a knock, the stripped state of the room, to be shown to
        the user: see `roomver.make.check_send_knock_steps`. After a leave it is empty.
    """
    knocks = event.content["membership"] == "knock"
    version, endpoint = ("v1", "send_knock") if knocks else ("v2", "send_leave")
    uri = f"{PREFIX}/{version}/{endpoint}/{path_part(event.room_id)}/{path_part(event.event_id)}"
    response = yield NeedResponse(server, "PUT", uri, event.pdu)
    if response.body is None:
        return None
    return (yield from check_send_knock_steps(response.body, event)) if knocks else StrippedState((), (), ())


class Joined(NamedTuple):
    """A join through another server. It has no truth value: use `accepted`."""

    check: JoinCheck
    """The check of the other server's response."""
    receipt: Receipt | None
    """The receipt of the join; None if the response cannot be used."""

    @property
    def accepted(self) -> bool:
        """Whether the join was accepted, and the room was stored."""
        return self.receipt is not None and self.receipt.status is ReceiptStatus.ACCEPTED

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".accepted")

    def __str__(self) -> str:
        """Say why the join was not accepted, or that it was."""
        return str(self.receipt) if self.receipt is not None else "; ".join(map(str, self.check.defects))


def send_join_steps(
    event: Event, room: LocalRoom, server: ServerName, *, omit_members: bool = False
) -> FederationSteps[Joined]:
    """Send a join to a server in the room, check its response, and store the room with the join.

    If members were omitted, the state before the join is known in part, until `complete_steps` has completed
    it. The forward extremities are replaced by the join: what this server had of the room before is history.

    Args:
        event: what `ask_template_steps` returned.
        room: the room. Nothing of it need be stored.
        server: the server that gave the template.
        omit_members: ask for a response without members, which is much smaller.

    Returns:
        The check of the response, and the receipt of the join.

    Raises:
        RequestRefused: if the server refuses or does not answer. In the second case it may have accepted the
            join nevertheless.
        WrongRoom, CyclicGraph: as in `roomver.receive.receive_steps`.
        ValueError: if another event that is stored has the ID of the join, which versions 1 and 2 allow.
    """
    query = f"omit_members={'true' if omit_members else 'false'}"
    if (yield from refused_id_steps(event.pdu, room)) is not None:
        raise ValueError(f"the event ID {shorten(event.event_id, 300)} is in use: draw another one")
    uri = f"{PREFIX}/v2/send_join/{path_part(event.room_id)}/{path_part(event.event_id)}?{query}"
    response: Response = yield NeedResponse(server, "PUT", uri, event.pdu)
    if response.body is None:
        raise response.refused(server, "send_join")
    checked = yield from check_send_join_steps(response.body, event, same_server=True)
    if checked.refused is not False:
        return Joined(checked, None)
    for one in checked.receipts:
        yield from keep_steps(replace(one, from_history=True), room)
    other = yield from refused_id_steps(event.pdu, room)
    if other is not None:
        return Joined(checked, other)
    # Check 6 would be against what this server has of the room from before it left.
    receipt = yield from receive_steps(
        checked.join.pdu, room.version, state_before=checked.state, from_history=True, graph=room.graph
    )
    if receipt.status is ReceiptStatus.ACCEPTED:
        yield from keep_steps(receipt, room, forward_extremities=frozenset([event.event_id]))
    return Joined(checked, receipt)


def create_room(
    author: Author,
    version: RoomVersion | str,
    *,
    room_id: RoomId,
    content: Mapping[str, object] | None = None,
) -> Event:
    """Return the create event of a new room.

    Store a room of its `Event.room_id`, and take the event with `take_steps`. Then the creator joins, and
    sends what else the room begins with: see `first_levels`.

    Args:
        author: the creator.
        version: the room version.
        room_id: a room ID that was drawn. It is not used in versions in which the event makes the ID.
        content: more content.

    Raises:
        MalformedEvent, NotCanonical: if the content does not make an event.
    """
    record = version_record(version)
    fields = {"room_version": record.identifier, **(content or {})}
    if record.creator_in_content:
        fields["creator"] = author.user
    steps = make_steps(
        record,
        "m.room.create",
        author.user,
        fields,
        origin_server_ts=author.origin_server_ts,
        key=author.key,
        state_key="",
        room_id=None if record.room_id_form is RoomIdForm.CREATE_HASH else room_id,
        event_id=author.event_id,
    )
    event = drive(steps, lambda _: {}).event  # a create event needs nothing, and no rule refuses this one
    assert event is not None
    return event


def first_levels(version: RoomVersion | str, creator: UserId) -> JsonObject:
    """Return the content of the first power levels of a room: the creator may do everything.

    In versions in which creators have an infinite level, they must not be named.
    """
    return {"users": {} if version_record(version).infinite_creator_level else {creator: 100}}
