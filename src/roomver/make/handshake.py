"""The handshakes of joins, leaves and knocks: the template, the event of it, and the event where it arrives.

Source: https://spec.matrix.org/latest/server-server-api/#joining-rooms,
https://spec.matrix.org/latest/server-server-api/#knocking-rooms and
https://spec.matrix.org/latest/server-server-api/#leaving-rooms-rejecting-invites
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, NoReturn, cast

from ..canonical import plain_object, shorten
from ..errors import Defect, MalformedEvent, refuse_truth
from ..event import Event, parse_event
from ..identifiers import server_of
from ..keys import SigningKey
from ..pdu import scanned_copy
from ..resolution import RoomGraph
from ..rules import Verdict
from ..signing import sign_event
from ..steps import Steps
from ..types import EventId, JsonObject, RoomId, ServerName, UserId
from ..versions import EventIdForm, RoomVersion, version_record
from .drafts import Wanted, draft
from .returned import told_copy

_MEMBERSHIPS: Final = ("join", "leave", "knock")
# What a template says, and the user's server does not change.
_FIXED: Final = ("membership", "join_authorised_via_users_server")


class Template(NamedTuple):
    """The answer to a request for a template. It has no truth value: use `response` or `verdict`."""

    response: JsonObject | None
    """The body of the response, ``{"room_version": …, "event": …}``; None if the verdict refuses it."""
    verdict: Verdict

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".response")


def template_steps(  # noqa: PLR0913 - all but three are options by keyword
    version: RoomVersion | str,
    membership: str,
    user: UserId,
    *,
    room_id: RoomId,
    server: ServerName,
    origin_server_ts: int,
    authoriser: UserId | None = None,
    graph: RoomGraph | None = None,
) -> Steps[Template]:
    """Answer ``/make_join``, ``/make_leave`` or ``/make_knock``, on a server that is in the room.

    Before, check that the user is on the server that asks, and that ``ver`` has the room version. Otherwise
    answer ``M_INCOMPATIBLE_ROOM_VERSION``.

    Source: https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1make_joinroomiduserid

    Args:
        version: the version of the room.
        membership: ``join``, ``leave`` or ``knock``.
        user: the user who joins, leaves or knocks.
        room_id: the room ID.
        server: the server that answers.
        origin_server_ts: the time, in milliseconds since the epoch.
        authoriser: for a restricted join, a user of this server who may invite others, as
            `find_authoriser_steps` finds one.
        graph: the room's graph, as in `roomver.make.make_steps`.

    Returns:
        The response, or the verdict that refuses it.

    Raises:
        ValueError: if the membership is another.
        MalformedEvent, MissingEvents, UnknownState, UnknownRoomVersion, WrongRoom: as in `make_steps`.
    """
    record = version_record(version)
    if membership not in _MEMBERSHIPS:
        raise ValueError(f"membership {membership!r}: must be one of {', '.join(_MEMBERSHIPS)}")
    content: JsonObject = {"membership": membership}
    if authoriser is not None:
        content["join_authorised_via_users_server"] = authoriser
    # In versions 1 and 2 the server that asks chooses the event ID. Until then it has another one.
    wanted = Wanted("m.room.member", user, content, user, room_id, origin_server_ts, f"$template:{server}")
    drafted = yield from draft(wanted, record, None, graph)
    if not drafted.verdict.allowed:
        return Template(None, drafted.verdict)
    event: JsonObject = {**drafted.pdu, "origin": server}
    event.pop("event_id", None)
    return Template({"room_version": record.identifier, "event": event}, drafted.verdict)


def complete_template(  # noqa: PLR0913 - all but one are options by keyword
    response: object,
    *,
    membership: str,
    user: UserId,
    room_id: RoomId,
    versions: Iterable[RoomVersion | str],
    origin_server_ts: int,
    key: SigningKey,
    event_id: EventId | None = None,
    content: Mapping[str, object] | None = None,
) -> Event:
    """Make the event of a template: check that the template is what was asked for, complete it and sign it.

    Source: https://spec.matrix.org/latest/server-server-api/#joining-rooms

    Args:
        response: the body of the response to ``/make_join``, ``/make_leave`` or ``/make_knock``. It is not
            trusted.
        membership: ``join``, ``leave`` or ``knock``, as asked for.
        user, room_id: as in the request.
        versions: the room versions that the request listed as ``ver``; for a leave, those that this server
            supports. A response without a room version is about version 1 or 2.
        origin_server_ts: the time, in milliseconds since the epoch.
        key: the signing key of the user's server.
        event_id: the event ID in versions 1 and 2, which the caller draws.
        content: more content, such as ``displayname``. The membership and the authorising user cannot be
            changed.

    Returns:
        The event, to be sent to ``/send_join``, ``/send_leave`` or ``/send_knock``. Whether the room allows
        it, only the other server knows.

    Raises:
        MalformedEvent: naming what is not as asked for, or not in the event format. "In case any of the above
            checks fail, the response MUST be treated as malformed and discarded. The caller MAY try to join
            through another server."
        NotCanonical: if the content cannot be encoded as canonical JSON.
        UnknownRoomVersion: if `versions` has an unknown one.

    >>> from roomver import SigningKey
    >>> key = SigningKey.from_seed("ed25519:1", "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
    >>> response = {"room_version": "11", "event": {"type": "m.room.topic", "room_id": "!r:a.org"}}
    >>> complete_template(
    ...     response, membership="join", user="@al:a.org", room_id="!r:a.org", versions=["11"],
    ...     origin_server_ts=1, key=key,
    ... )  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    roomver.errors.MalformedEvent: malformed event for room version 11: event.type: expected ..., found...
    """
    records = [version_record(version) for version in versions]
    body = plain_object(response) or {}
    # "If not provided, the room version is assumed to be either "1" or "2"." Both have the same event format.
    named = body.get("room_version")
    if "room_version" not in body:
        named = next((one.identifier for one in records if one.references_carry_hashes), None)
    record = next((one for one in records if one.identifier == named), None)
    if record is None:
        expected = "one of the room versions asked for"
        raise MalformedEvent([Defect("room_version", expected, shorten(named))], shorten(named))
    template = plain_object(body.get("event"))
    if template is None:
        raise MalformedEvent([Defect("event", "an object", shorten(body.get("event")))], record.identifier)
    # "The joining server MUST also verify that the `type`, `room_id`, `sender`, `state_key` and
    # `content.membership` fields have the expected values."
    defects = _unexpected(template, membership, user, room_id)
    if defects:
        there = [defect._replace(path=below("event", defect.path)) for defect in defects]
        raise MalformedEvent(there, record.identifier)
    server = server_of(user)
    fields = told_copy(template, "event", record)
    if content is not None:
        ours = plain_object(content)
        if ours is None:
            raise MalformedEvent([Defect("content", "an object", shorten(content))], record.identifier)
        ours = scanned_copy(ours, strict=record.strict_canonical_json, path="content")
        theirs = cast(JsonObject, fields["content"])
        fixed: JsonObject = {name: theirs[name] for name in _FIXED if name in theirs}
        more = {name: value for name, value in ours.items() if name not in _FIXED}
        fields["content"] = {**theirs, **more, **fixed}
    # "The joining server is expected to add or replace the `origin`, `origin_server_ts`, and `event_id` on
    # the templated event received by the resident server."
    fields.update(origin=server, origin_server_ts=origin_server_ts)
    fields.pop("event_id", None)
    if record.event_id_form is EventIdForm.CHOSEN:
        fields["event_id"] = event_id
    # "An unsigned template event." What it has of these is not the event's.
    for name in ("hashes", "signatures", "unsigned"):
        fields.pop(name, None)
    return parse_event(sign_event(fields, record, server, key), record)


def below(path: str, inner: str) -> str:
    """Return the path of a defect in an event that is at a path of a document."""
    return f"{path}.{inner}" if inner else path


def check_sent(
    event: Event, *, membership: str, origin: ServerName, room_id: RoomId, event_id: EventId | None = None
) -> tuple[Defect, ...]:
    """Return what is wrong with an event sent to ``/send_join``, ``/send_leave`` or ``/send_knock``.

    Answer ``M_INVALID_PARAM`` if anything is. Otherwise countersign a restricted join with
    `roomver.signing.countersign`, if the authorising user is of this server, and receive the event with
    `roomver.receive.receive_steps`, which checks the signatures.

    Source: https://spec.matrix.org/latest/server-server-api/#put_matrixfederationv2send_joinroomideventid

    Args:
        event: the event, parsed in the version of the room.
        membership: ``join``, ``leave`` or ``knock``.
        origin: the server that sent the request.
        room_id: the room ID in the path.
        event_id: the event ID in the path.
    """
    # "servers SHOULD return `M_INVALID_PARAM` if: […] The event type is not `m.room.member`. The `membership`
    # field inside the event content is not `join`. The event sender is not a user ID on the origin server.
    # The `state_key` is not equal to the `sender`."
    defects = _unexpected(event.pdu, membership, event.sender, room_id)
    if server_of(event.sender) != origin:
        defects.append(Defect("sender", f"a user of {origin}", shorten(event.sender)))
    if event_id is not None and event.event_id != event_id:
        defects.append(Defect("event_id", shorten(event_id), shorten(event.event_id)))
    return tuple(defects)


# "Before signing the returned template and calling `/send_join`, the sending server MUST verify that:
# * the `room_id` is equal to the `roomId` path parameter.
# * both the `sender` and `state_key` are equal to the `userId` path parameter.
# * the `type` of the event is `m.room.member`.
# * the `membership` field inside `content` is `join`."
def _unexpected(pdu: JsonObject, membership: str, user: UserId, room_id: RoomId) -> list[Defect]:
    """Return what in a member event is not as expected."""
    content = pdu.get("content")
    fields = content if type(content) is dict else {}
    expected = (
        ("type", pdu.get("type"), "m.room.member"),
        ("room_id", pdu.get("room_id"), room_id),
        ("sender", pdu.get("sender"), user),
        ("state_key", pdu.get("state_key"), user),
        ("content.membership", fields.get("membership"), membership),
    )
    return [
        Defect(path, shorten(wanted), "nothing" if found is None else shorten(found))
        for path, found, wanted in expected
        if found != wanted
    ]
