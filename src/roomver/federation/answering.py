"""Answer the requests of other servers about a room: templates, joins, history and states.

Source: https://spec.matrix.org/latest/server-server-api/
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

from ..canonical import plain_object
from ..errors import MissingEvents, RoomverError, UnknownState
from ..event import Event, parse_event
from ..hashing import compute_event_id
from ..identifiers import server_of
from ..keys import SigningKey
from ..make import check_invite_steps, check_sent, stripped_state_steps, template_steps
from ..receive import Receipt, ReceiptStatus
from ..signing import countersign
from ..state import State, unknown_of
from ..steps import NeedEvents, Stored
from ..types import EventId, JsonObject, JsonValue, KeyId, ServerName, UserId
from ..versions import RoomVersion, version_record
from .members import current_state_steps, is_here_steps, servers_steps
from .needs import FederationSteps, LocalRoom, NeedStatesBefore
from .receiving import take_or_wait_steps, take_steps
from .requests import Request
from .same_id import is_same

_MOST_EVENTS: Final = 100
_NOT_FOUND: Final = "M_NOT_FOUND"


class Answer(NamedTuple):
    """The response to a request."""

    status: int
    body: JsonObject
    lacking_keys: frozenset[tuple[ServerName, KeyId]] = frozenset()
    """Of a transaction, the unknown verify keys without which events of it were not taken. Fetch them: the
    events are taken when they come again, or when the next events after them come."""


def refusal(status: int, code: str, error: object) -> Answer:
    """Return the response to a request that is refused."""
    return Answer(status, {"errcode": code, "error": str(error)})


def answer_steps(
    request: Request,
    room: LocalRoom,
    *,
    now: int,
    key: SigningKey,
    versions: Iterable[RoomVersion | str],
    answered: Answer | None = None,
) -> FederationSteps[Answer]:
    """Answer a request of another server about one of its rooms.

    These endpoints are answered: ``send``, ``invite``, ``make_join``, ``make_leave``, ``make_knock``,
    ``send_join``, ``send_leave``, ``send_knock``, ``event``, ``event_auth``, ``state``, ``state_ids``,
    ``get_missing_events`` and ``backfill``. Events that are sent are received, and stored or let wait: see
    `take_steps`. If neither is possible, the result of the event is an ``error``. Of the history of a room,
    only servers with a joined user in it are told. While members of the room are unknown, nobody can
    join through this server.

    Call it for each of `Request.room_ids`. Of a transaction, it takes the events of this room.

    The caller checks server access control lists before, and blocks whom it does not want to serve. A
    restricted join is refused unless the user is invited. All of the history is told: `history visibility
    <https://spec.matrix.org/latest/client-server-api/#room-history-visibility>`_ is for the caller. An
    invite is signed, not stored: it is ``event`` in the response, for the client of the invited user.

    Args:
        request: the request. `check_request_steps` must have checked it.
        room: the room. If this server is not in it, nothing of it is stored.
        now: the time, in milliseconds since the epoch.
        key: the signing key of this server. It signs invites of its users.
        versions: the room versions that this server supports.
        answered: of a transaction, the answer for the rooms before this one. Its results are added to.

    Returns:
        The response.
    """
    endpoint, rest = request.endpoint, request.rest
    membership = endpoint.partition("_")[2]
    if not request.has_method:
        # "If a request for an unsupported (or unknown) endpoint is received then the server must respond with
        # a 404 `M_UNRECOGNIZED` error. Similarly, a 405 `M_UNRECOGNIZED` error is used to denote an
        # unsupported method".
        return refusal(405 if endpoint else 404, "M_UNRECOGNIZED", "the endpoint or method is unknown")
    try:
        match endpoint:
            case "send":
                return (yield from _transaction(request, room, answered))
            case "invite":
                return (yield from _invite(request, room, key, versions))
        if not (yield from is_here_steps(room.server, room)):
            # What is stored of a room that this server has left is out of date.
            return refusal(404, _NOT_FOUND, "this server is not in the room")
        if membership in ("join", "leave", "knock"):
            if endpoint.startswith("make_"):
                return (yield from _template(request, membership, rest[1], room, now))
            return (yield from _sent(request, membership, rest[1], room))
        if not (yield from is_here_steps(request.origin, room)):
            return refusal(403, "M_FORBIDDEN", f"{request.origin} is not in the room")
        body = yield from _read(request, endpoint, rest)
    except (MissingEvents, UnknownState) as error:
        return refusal(404, _NOT_FOUND, error)
    except RoomverError as error:
        return refusal(400, "M_BAD_JSON", error)
    if body is None:
        return refusal(404, _NOT_FOUND, "the event or endpoint was not found")
    head: JsonObject = {"origin": room.server, "origin_server_ts": now}
    return Answer(200, {**head, **body} if endpoint in ("event", "backfill") else body)


def _incompatible(room_version: JsonValue) -> Answer:
    """Return the response about a room version that the other server, or this one, does not support."""
    response = refusal(400, "M_INCOMPATIBLE_ROOM_VERSION", "the room version is not supported")
    return response._replace(body={**response.body, "room_version": room_version})


# "`pdus`: A map of event IDs to PDU Processing Results."
def _transaction(request: Request, room: LocalRoom, answered: Answer | None) -> FederationSteps[Answer]:
    """Receive the events of a transaction that are of one room."""
    if request.too_large:
        return refusal(400, "M_TOO_LARGE", "more than 50 PDUs")
    earlier = None if answered is None else plain_object(answered.body.get("pdus"))
    results: JsonObject = {**(earlier or {})}
    lacking = frozenset[tuple[ServerName, KeyId]]() if answered is None else answered.lacking_keys
    for pdu, room_id in request.pdus:
        if room_id != room.room_id:
            continue
        try:
            receipt, waits = yield from take_or_wait_steps(pdu, room, request.origin)
        except RoomverError as error:
            results[compute_event_id(pdu, room.version)] = {"error": str(error)}
            continue
        if receipt is None:
            results[compute_event_id(pdu, room.version)] = {}
        elif receipt.event_id is not None:
            lacking |= {*receipt.lacking.keys}
            results[receipt.event_id] = _result_of(receipt, waits)
    return Answer(200, {"pdus": results}, lacking)


# "`error`: A human readable description about what went wrong in processing this PDU. If no error is present,
# the PDU can be considered successfully handled."
def _result_of(receipt: Receipt, waits: bool) -> JsonObject:
    """Return the PDU Processing Result of a received event: an error unless it was stored, or waits."""
    if receipt.event is None:
        return {"error": str(receipt)}
    if receipt.decided or waits:
        return {}
    return {"error": f"{receipt}; the event is not kept: send it again"}


def _invite(
    request: Request, room: LocalRoom, key: SigningKey, versions: Iterable[RoomVersion | str]
) -> FederationSteps[Answer]:
    """Check and sign an invite of one of our users."""
    room_id, event_id = request.rest
    records = [version_record(version) for version in versions]
    named = (plain_object(request.content) or {}).get("room_version")
    if named not in [one.identifier for one in records]:
        return _incompatible(named)
    checked = yield from check_invite_steps(
        request.content,
        room_id=room_id,
        origin=request.origin,
        server=room.server,
        versions=records,
        event_id=event_id,
    )
    if checked.refused is not False or checked.event is None:
        defects = "; ".join(map(str, (*checked.defects, *checked.state_defects)))
        return refusal(403, "M_FORBIDDEN", defects or "keys are missing")
    return Answer(200, {"event": countersign(checked.event.pdu, checked.version, room.server, key)})


def _read(request: Request, endpoint: str, rest: tuple[str, ...]) -> FederationSteps[JsonObject | None]:
    """Answer a request that only reads."""
    match endpoint, rest:
        case "event", (event_id,):
            found: Mapping[EventId, Stored] = yield NeedEvents(frozenset([event_id]))
            return {"pdus": _pdus(one.event for one in found.values())} if found else None
        case "event_auth", (_, event_id):
            asked: Mapping[EventId, Stored] = yield NeedEvents(frozenset([event_id]))
            return {"auth_chain": _pdus((yield from _auth_chain([event_id])))} if asked else None
        case (("state" | "state_ids"), (_,)):
            return (yield from _given(request.query.get("event_id", [""])[0], endpoint))
        case "backfill", (_,):
            limit = _number(request.query.get("limit", ["10"])[0])
            return {"pdus": _pdus((yield from _walk(request.query.get("v", ()), _prev, limit=limit)))}
        case "get_missing_events", (_,):
            content = plain_object(request.content) or {}
            latest: Mapping[EventId, Stored] = yield NeedEvents(_ids(content.get("latest_events")))
            before = [prev for one in latest.values() for prev in one.event.prev_event_ids]
            stop, limit = _ids(content.get("earliest_events")), _number(content.get("limit", 10))
            least = content.get("min_depth", 0)
            min_depth = least if type(least) is int else 0
            found_events = yield from _walk(before, _prev, stop=stop, limit=limit, min_depth=min_depth)
            return {"events": _pdus(reversed(found_events))}
        case _:
            return None


def _template(
    request: Request, membership: str, user: UserId, room: LocalRoom, now: int
) -> FederationSteps[Answer]:
    """Answer a request for a template."""
    if ":" not in user or server_of(user) != request.origin:
        return refusal(403, "M_FORBIDDEN", f"not a user of {request.origin}")
    # "`ver`: The room versions the sending server has support for. Defaults to `["1"]`."
    if membership != "leave" and room.version.identifier not in request.query.get("ver", ["1"]):
        return _incompatible(room.version.identifier)
    steps = template_steps(
        room.version,
        membership,
        user,
        room_id=room.room_id,
        server=room.server,
        origin_server_ts=now,
        graph=room.graph,
    )
    template = yield from steps
    if template.response is None:
        return refusal(403, "M_FORBIDDEN", template.verdict)
    return Answer(200, template.response)


def _sent(request: Request, membership: str, event_id: EventId, room: LocalRoom) -> FederationSteps[Answer]:
    """Receive a join, a leave or a knock, and answer with what its server needs."""
    event = parse_event(plain_object(request.content) or {}, room.version)
    defects = check_sent(
        event, membership=membership, origin=request.origin, room_id=room.room_id, event_id=event_id
    )
    if defects:
        return refusal(400, "M_INVALID_PARAM", "; ".join(map(str, defects)))
    if membership == "join" and unknown_of((yield from current_state_steps(room))):
        # The response is the whole state. Without it the join would be in the room, and its server would not.
        return refusal(404, _NOT_FOUND, "members of the room are unknown: join through another server")
    receipt = yield from take_steps(event.pdu, room, request.origin, relay=True)
    if receipt is None:
        # It came before. If it was refused then, nothing is told now either.
        if not (yield from _was_accepted(event)):
            return refusal(403, "M_FORBIDDEN", "an event with this ID was refused, or is another event")
    elif receipt.status is not ReceiptStatus.ACCEPTED:
        return refusal(403, "M_FORBIDDEN", receipt)
    if membership == "knock":
        stripped: list[JsonValue] = [*(yield from stripped_state_steps(graph=room.graph))]
        return Answer(200, {"knock_room_state": stripped})
    if membership == "leave":
        return Answer(200, {})
    states: Mapping[EventId, State[EventId]] = yield NeedStatesBefore(frozenset([event_id]))
    whole = states[event_id]
    state = yield from _events_of(whole.as_dict().values())
    servers: list[JsonValue] = [*sorted((yield from servers_steps(whole, room)))]
    return Answer(
        200,
        {
            "origin": room.server,
            "event": event.pdu,
            "state": _pdus(state),
            "auth_chain": _pdus((yield from _auth_chain(one.event_id for one in state))),
            "members_omitted": False,
            "servers_in_room": servers,
        },
    )


def _was_accepted(event: Event) -> FederationSteps[bool]:
    """Tell whether this very event is stored and was accepted. In versions 1 and 2 IDs are chosen."""
    stored: Mapping[EventId, Stored] = yield NeedEvents(frozenset([event.event_id]))
    one = stored.get(event.event_id)
    return one is not None and not one.rejected and not one.soft_failed and is_same(one.event, event)


def _given(event_id: EventId, endpoint: str) -> FederationSteps[JsonObject | None]:
    """Answer ``/state`` and ``/state_ids``: the state before an event, and its auth chain."""
    states: Mapping[EventId, State[EventId]] = yield NeedStatesBefore(frozenset([event_id]))
    if event_id not in states:
        return None
    state = yield from _events_of(states[event_id].as_dict().values())
    chain = yield from _auth_chain(one.event_id for one in state)
    if endpoint == "state":
        return {"pdus": _pdus(state), "auth_chain": _pdus(chain)}
    ids: list[list[JsonValue]] = [[one.event_id for one in part] for part in (state, chain)]
    return {"pdu_ids": ids[0], "auth_chain_ids": ids[1]}


def _events_of(event_ids: Iterable[EventId]) -> FederationSteps[list[Event]]:
    """Return the stored ones of some events, in their order.

    Raises:
        MissingEvents: naming those that are not stored.
    """
    wanted = list(event_ids)
    found: Mapping[EventId, Stored] = yield NeedEvents(frozenset(wanted))
    if missing := sorted(set(wanted) - found.keys()):
        raise MissingEvents(missing)
    return [found[one].event for one in wanted]


def _prev(event: Event) -> tuple[EventId, ...]:
    return event.prev_event_ids


def _auth_chain(event_ids: Iterable[EventId]) -> FederationSteps[list[Event]]:
    """Return the auth chains of some events, without these events themselves if no other cites them."""
    events: Mapping[EventId, Stored] = yield NeedEvents(frozenset(event_ids))
    parents = [parent for one in events.values() for parent in one.event.auth_parents]
    return (yield from _walk(parents, lambda event: event.auth_parents))


def _walk(
    start: Iterable[EventId],
    parents: Callable[[Event], Iterable[EventId]],
    *,
    stop: Collection[EventId] = (),
    limit: int | None = None,
    min_depth: int = 0,
) -> FederationSteps[list[Event]]:
    """Return stored events and those before them, the newest first: as many as the limit allows.

    The walk ends at the events in `stop` and at those of a smaller depth, which are not returned.
    """
    found: dict[EventId, Event] = {}
    todo = set(start).difference(stop)
    while todo and (limit is None or len(found) < limit):
        answer: Mapping[EventId, Stored] = yield NeedEvents(frozenset(todo))
        events = {event_id: answer[event_id].event for event_id in sorted(answer)}
        new = {event_id: event for event_id, event in events.items() if event.depth >= min_depth}
        found |= new
        todo = {one for event in new.values() for one in parents(event)}.difference(found, stop)
    return [*found.values()][:limit]


def _pdus(events: Iterable[Event]) -> list[JsonValue]:
    return [event.pdu for event in events]


def _ids(value: object) -> frozenset[EventId]:
    """Return the event IDs in a list that is not trusted."""
    return frozenset(one for one in value if type(one) is str) if type(value) is list else frozenset()


def _number(value: object) -> int:
    """Return how many events are asked for, from a value that is not trusted; at most 100."""
    try:
        return max(0, min(int(value), _MOST_EVENTS)) if isinstance(value, int | str) else 0
    except ValueError:
        return 0
