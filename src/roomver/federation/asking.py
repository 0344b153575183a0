"""Ask other servers for the events and states of a room. Nothing is stored here.

What they answer is not trusted: of a response, whatever is not an event of the room is left out.

Source: https://spec.matrix.org/latest/server-server-api/#backfilling-and-retrieving-missing-events
"""

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote

from ..canonical import plain_object
from ..errors import MalformedEvent
from ..event import Event, parse_event
from ..ordering import in_order_despite_cycles
from ..state import State
from ..steps import Current, NeedCurrent, NeedEvents, NeedStates, Stored
from ..types import EventId, JsonObject, ServerName
from .needs import FederationSteps, LocalRoom, NeedResponse, Response

PREFIX: Final = "/_matrix/federation"
# How many missing events are fetched at most before an event is received with a given state instead.
MOST_MISSING: Final = 2_000
# How many events are asked for at a time.
LIMIT: Final = 50
# How many requests for missing events are made at most. A server may tell fewer at a time.
_MOST_REQUESTS: Final = 100
# How many events of a state are fetched one by one; if more are missing, the whole state is.
_MOST_SINGLE: Final = 20


def fetch_state_steps(event_id: EventId, room: LocalRoom, *, turn: int = 0) -> FederationSteps[object]:
    """Ask the servers in a room for the state before an event, for `complete_steps`.

    It stores nothing, so events may be received and made meanwhile.

    Args:
        event_id: the event: the join.
        room: the room. Its `servers` are asked, one after the other, until one tells the state.
        turn: says with which server it begins: another number each time. `complete_steps` may not be able to
            use what one server tells, and then another one should be asked.

    Returns:
        The state, in the form of a response to ``/state``. It is not trusted. None if no server tells it.
    """
    servers = sorted(room.servers - {room.server})
    first = turn % len(servers) if servers else 0
    for server in servers[first:] + servers[:first]:
        response = yield from fetch_state(event_id, room, server)
        if response is not None:
            return response
    return None


def fetch_missing(event: Event, room: LocalRoom, origin: ServerName) -> FederationSteps[dict[EventId, Event]]:
    """Fetch the events between those that are stored and an event, as far as the other server tells them."""
    found: dict[EventId, Event] = {}
    latest, requests = [event], 0
    while latest and len(found) < MOST_MISSING and requests < _MOST_REQUESTS:
        requests += 1
        current = yield from _extremities()
        content: JsonObject = {
            "earliest_events": [*current],
            "latest_events": [one.event_id for one in latest],
            "limit": LIMIT,
        }
        uri = f"{PREFIX}/v1/get_missing_events/{path_part(room.room_id)}"
        body = (yield NeedResponse(origin, "POST", uri, content)).body
        new = [one for one in events_in(body, "events", room) if one.event_id not in found]
        if not new:
            break
        found |= {one.event_id: one for one in new}
        between = yield from before_steps([event], found)
        unknown = frozenset((yield from unknown_before({event.event_id: event, **between}, room)))
        latest = [one for one in between.values() if not unknown.isdisjoint(one.prev_event_ids)][:LIMIT]
    return (yield from before_steps([event], found))


def before_steps(
    events: Collection[Event], found: Mapping[EventId, Event]
) -> FederationSteps[dict[EventId, Event]]:
    """Return those of the found events that come before some events, up to what is stored with a state.

    Of others, nobody but the other server says that they belong there. It may also not know what is stored
    here, and tell events from before that. They would be taken for new ones, and become forward extremities.
    """
    stored: Mapping[EventId, State[EventId]] = yield NeedStates(frozenset(found))
    between: dict[EventId, Event] = {}
    ends = {event.event_id for event in events}
    todo = [prev for event in events for prev in event.prev_event_ids]
    while todo:
        one = todo.pop()
        if one in found and one not in stored and one not in between and one not in ends:
            between[one] = found[one]
            todo += found[one].prev_event_ids
    return between


def unknown_before(events: Mapping[EventId, Event], room: LocalRoom) -> FederationSteps[list[EventId]]:
    """Return the prev events of some events that are neither among them nor stored with a state, sorted."""
    previous = frozenset(prev for one in events.values() for prev in one.prev_event_ids) - events.keys()
    states = yield NeedStates(previous)
    return sorted(previous - states.keys())


def fetch_state(event_id: EventId, room: LocalRoom, server: ServerName) -> FederationSteps[object]:
    """Ask a server for the state before an event: for the IDs, and then for the events that are missing.

    Returns:
        The response to ``/state``, or one that is put together from single events; None without one.
    """
    where = f"{path_part(room.room_id)}?event_id={path_part(event_id)}"
    body = yield from ask(server, f"/v1/state_ids/{where}")
    if body is None:
        return None
    parts = [ids_in(body, name) for name in ("pdu_ids", "auth_chain_ids")]
    wanted = frozenset(one for part in parts for one in part)
    stored: Mapping[EventId, Stored] = yield NeedEvents(wanted)
    pdus: dict[EventId, object] = {one: found.event.pdu for one, found in stored.items()}
    missing = sorted(wanted - pdus.keys())
    if len(missing) > _MOST_SINGLE:
        return (yield from ask(server, f"/v1/state/{where}"))
    for one in missing:
        answer = yield from ask(server, f"/v1/event/{path_part(one)}")
        pdus |= {event.event_id: event.pdu for event in events_in(answer, "pdus", room)}
    if not wanted <= pdus.keys():
        return None  # an entry that is left out must not be taken for absent
    return dict(zip(("pdus", "auth_chain"), ([pdus[one] for one in part] for part in parts), strict=True))


def _extremities() -> FederationSteps[list[EventId]]:
    """Return the forward extremities, sorted."""
    current: Current = yield NeedCurrent()
    return sorted(current.extremities)


def ask(server: ServerName, path: str) -> FederationSteps[object]:
    """Return the body of another server's response; None without one."""
    answer: Response = yield NeedResponse(server, "GET", PREFIX + path)
    return answer.body


def path_part(part: str) -> str:
    """Return an ID as a part of a path."""
    return quote(part, safe="")


def _is_encodable(text: str) -> bool:
    """Tell whether a text can be a part of a URI: JSON may hold half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def ids_in(body: object, name: str) -> list[EventId]:
    """Return the event IDs in a list of a response that is not trusted."""
    found = (plain_object(body) or {}).get(name)
    return [one for one in found if type(one) is str and _is_encodable(one)] if type(found) is list else []


def events_in(body: object, name: str, room: LocalRoom) -> list[Event]:
    """Return the events of the room in a list of a response that is not trusted, of the first that it has.

    It has no more than were asked for, unless the server does not heed that.
    """
    found = (plain_object(body) or {}).get(name)
    events = [parsed(one, room) for one in found[:LIMIT]] if type(found) is list else []
    return [one for one in events if one is not None and one.room_id == room.room_id]


def oldest_first(events: Mapping[EventId, Event]) -> list[Event]:
    """Return events, those that others follow first. Their depth is not trusted."""
    parents = {event_id: event.prev_event_ids for event_id, event in events.items()}
    return [events[event_id] for event_id in in_order_despite_cycles(parents)]


def parsed(pdu: object, room: LocalRoom) -> Event | None:
    """Return a PDU as an event; None if it is malformed."""
    fields = plain_object(pdu)
    try:
        return None if fields is None else parse_event(fields, room.version)
    except MalformedEvent:
        return None
