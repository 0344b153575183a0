"""Receive events from other servers, with the events before them that are missing, and store them.

`take_steps` is the whole of what a server does with an event of a transaction. `complete_steps` completes a
room that was joined without members, and `backfill_steps` fetches history.

What another server sends is not trusted: each event is received with `roomver.receive`, and what it lacks is
asked for again, up to limits. An event that stays undecided waits.

This module has more than 400 lines: storing an event, what waits for it and what is asked for call each
other.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from ..canonical import plain_object
from ..errors import MissingEvents, WrongRoom
from ..event import Event
from ..identifiers import server_of
from ..ordering import in_order_despite_cycles
from ..power import CREATE
from ..receive import (
    Receipt,
    ReceiptStatus,
    check_redaction_steps,
    check_state_steps,
    receive_steps,
)
from ..state import State, contradict, entries_of, unknown_of
from ..steps import NeedEvents, NeedStates, Stored
from ..types import EventId, JsonObject, ServerName, StateMap
from ..versions import EventIdForm
from .asking import (
    LIMIT,
    MOST_MISSING,
    ask,
    before_steps,
    events_in,
    fetch_missing,
    fetch_state,
    oldest_first,
    parsed,
    path_part,
    unknown_before,
)
from .members import current_state_steps, may_tell_steps, servers_steps
from .needs import (
    Complete,
    FederationSteps,
    Keep,
    LocalRoom,
    NeedFollowed,
    NeedRedactions,
    NeedStatesBefore,
    NeedWaiting,
    Wait,
)
from .same_id import is_same, refused_id_steps

T = TypeVar("T")
# For how many of the events that are missing before one the auth chain and the state are asked for.
_MOST_ASKED: Final = 10
# How many undecided events of one server wait in a room.
_MOST_WAITING: Final = 100
# How many undecided events wait in a room, and beyond how many only those of servers with a joined user do.
_MOST_IN_ROOM: Final = 1_000
_MOST_OF_STRANGERS: Final = 500


def take_steps(
    pdu: object,
    room: LocalRoom,
    origin: ServerName,
    *,
    relay: bool = False,
) -> FederationSteps[Receipt | None]:
    """Receive an event from another server, after the events before it that are missing, and store it.

    - If prev events are missing, the server asks for the events in between (``/get_missing_events``), until
      nothing is missing. If that does not help, it asks for the state before the event (``/state_ids``, and
      ``/event`` or ``/state``), if the origin has a joined user in the room.
    - If auth events are missing, it asks for the auth chain (``/event_auth``).
    - An event that is still undecided waits. It is received again after an event that it cites is stored;
      while members of the room are unknown, after each stored event. At most 100 events of the users of one
      server wait in a room, and 1,000 in all: the last 500 are of servers with a joined user. More are
      dropped: they must be sent again.
    - An event whose verify key is unknown does not wait, and nothing is asked for it: it may be anybody's, so
      it must not take the place of an event whose signature is valid. It must be sent again. The receipt
      names the key in `Receipt.lacking`.

    The origin is asked at most 100 times for up to 2,000 missing events, and for the auth chain and the state
    of at most 10 of them and of the event itself, which is 22 requests for each. Limit the time of each
    request, and the size of responses. The state before an event is what the origin says it is, as far as its
    events pass their own checks: nobody else can tell.

    Run it with `run_async`, for one event of a room at a time.

    Source: https://spec.matrix.org/latest/server-server-api/#backfilling-and-retrieving-missing-events

    Args:
        pdu: the PDU. Any value has an answer.
        room: its room.
        origin: the server that sent it, which is asked for what is missing.
        relay: send the event to the other servers in the room, if it is accepted: for one that came by
            ``/send_join``, ``/send_leave`` or ``/send_knock``.

    Returns:
        The receipt; None if the event is stored already, with a state. In versions 1 and 2, an event that has
        the ID of another stored event is dropped, because it must not replace that event. A receipt has no
        truth value: compare with ``is not None``.

    Raises:
        WrongRoom: if the event is of another room.
        CyclicGraph: as in `roomver.receive.receive_steps`.
    """
    return (yield from take_or_wait_steps(pdu, room, origin, relay=relay))[0]


def take_or_wait_steps(
    pdu: object, room: LocalRoom, origin: ServerName, *, relay: bool = False
) -> FederationSteps[tuple[Receipt | None, bool]]:
    """Receive an event as `take_steps` does, and return also whether it waits."""
    event = parsed(pdu, room)
    if event is None or event.room_id != room.room_id:
        if event is not None:
            raise WrongRoom(f"{event.event_id} is in room {event.room_id}, not in {room.room_id}")
        return (yield from receive_steps(pdu, room.version)), False  # it says what is wrong with it
    if (yield NeedStates(frozenset([event.event_id]))):
        return (yield from refused_id_steps(event.pdu, room)), False
    kept: list[Keep] = []
    receipt, waits = yield from _noting(_take(event, room, origin, relay=relay), kept)
    if kept:  # an event that is dropped costs no more than its own checks
        stored = {one.event.event_id for one in kept}
        yield from _retry(room, None if any(map(_tells_more, kept)) else stored)
    return receipt, waits


def complete_steps(event_id: EventId, response: object, room: LocalRoom) -> FederationSteps[bool]:
    """Complete the state before an event that is known in part, such as that of a join without members.

    Then the events that wait are received again.

    Args:
        event_id: the event: the join.
        response: what `fetch_state_steps` has returned.
        room: the room.

    Returns:
        Whether the state is complete now. If not, fetch the state again later, from another server first: a
        state that contradicts what is known, or of which some events cannot be used, completes nothing.

    Raises:
        MissingEvents: if no state before the event is stored.
    """
    states: Mapping[EventId, State[EventId]] = yield NeedStatesBefore(frozenset([event_id]))
    if event_id not in states:
        raise MissingEvents([event_id], "the room")
    if not unknown_of(states[event_id]):
        return True
    known = entries_of(states[event_id])
    given = yield from _checked_state(response, room)
    if given is None or unknown_of(given) or contradict(states[event_id], given):
        return False
    yield Complete(event_id, {key: one for key, one in entries_of(given).items() if key not in known})
    yield from _retry(room, None)
    return True


def backfill_steps(
    event_ids: Iterable[EventId], room: LocalRoom, server: ServerName, *, limit: int = MOST_MISSING
) -> FederationSteps[int]:
    """Fetch the history of a room (``/backfill``), and store it with the states in it.

    History is not checked against the current state. So of what the server tells, only events that come
    before the given ones are taken.

    Source: https://spec.matrix.org/latest/server-server-api/#get_matrixfederationv1backfillroomid

    Args:
        event_ids: stored events, such as the join; what comes before them is fetched. Those that were
            rejected or soft-failed are left out.
        room: the room.
        server: the server that is asked.
        limit: how many events are fetched at most.

    Returns:
        The number of events that were stored.
    """
    start: Mapping[EventId, Stored] = yield NeedEvents(frozenset(event_ids))
    found: dict[EventId, Event] = {}
    # Whoever sent an event that was refused may have sent what comes before it, too.
    ends = {
        event_id: one.event for event_id, one in start.items() if not one.rejected and not one.soft_failed
    }
    todo = yield from unknown_before(ends, room)
    while todo and len(found) < limit:
        query = "&".join(f"v={path_part(one)}" for one in todo[:LIMIT])
        body = yield from ask(server, f"/v1/backfill/{path_part(room.room_id)}?limit={LIMIT}&{query}")
        told = {one.event_id: one for one in events_in(body, "pdus", room)}
        more = yield from before_steps(ends.values(), {**told, **found})
        if len(more) == len(found):
            break
        found = more
        todo = yield from unknown_before(found, room)
    stored = 0
    for one in oldest_first(found):
        if not (yield NeedStates(frozenset([one.event_id]))):
            stored += _is_settled((yield from attempt(one.pdu, room, from_history=True)))
    return stored


def attempt(
    pdu: JsonObject,
    room: LocalRoom,
    *,
    relay: bool = False,
    from_history: bool = False,
    followed: bool = False,
    state_before: StateMap[EventId] | None = None,
) -> FederationSteps[Receipt]:
    """Receive an event with what is stored. Store it if it is decided and the state before it is known.

    Args:
        pdu, room, relay: as in `take_steps`.
        from_history: whether this server asked for it as history. It is not checked against the current
            state.
        followed: whether it comes before a stored event. It is checked like any other, because whoever sent
            it may have sent that event too. But it does not become a forward extremity.
        state_before: as in `roomver.receive.receive_steps`.
    """
    other = yield from refused_id_steps(pdu, room)
    if other is not None:
        return other
    receipt = yield from receive_steps(
        pdu, room.version, state_before=state_before, from_history=from_history, graph=room.graph
    )
    if _is_settled(receipt) and receipt.event is not None and not from_history:
        followed = followed or bool((yield NeedFollowed(frozenset([receipt.event.event_id]))))
        if followed:
            receipt = replace(receipt, from_history=True, forward_extremities=None)
    if _is_settled(receipt):
        yield from keep_steps(receipt, room, relay=relay)
    return receipt


def keep_steps(
    receipt: Receipt,
    room: LocalRoom,
    *,
    relay: bool = False,
    forward_extremities: frozenset[EventId] | None = None,
) -> FederationSteps[None]:
    """Store what a receipt says, with the redactions that take effect and the servers to send it to."""
    stored, before = receipt.stored, receipt.state_before
    if stored is None:
        return
    event = stored.event
    if "unsigned" in event.pdu:  # no signature covers it, so any server may have added it
        covered = {name: value for name, value in event.pdu.items() if name != "unsigned"}
        event = Event.trusted(covered, room.version, event.event_id)
        stored = stored._replace(event=event)
    accepted = receipt.status is ReceiptStatus.ACCEPTED
    redacted: list[Event] = []
    destinations: frozenset[ServerName] = frozenset()
    if before is not None:
        earlier: Mapping[EventId, Stored] = yield NeedRedactions(event.event_id)
        states = yield NeedStatesBefore(frozenset(earlier))
        pairs = [
            (one.event, event, states[event_id])
            for event_id, one in sorted(earlier.items())
            if not one.rejected and not one.soft_failed and event_id in states
        ]
        if accepted and event.redacts is not None:
            targets: Mapping[EventId, Stored] = yield NeedEvents(frozenset([event.redacts]))
            pairs += [(event, one.event, before) for one in targets.values()]
        for redaction, target, state in pairs:
            decision = yield from check_redaction_steps(redaction, target, state)
            if decision.applies:
                redacted.append(target)
        if relay and accepted:
            here = yield from servers_steps(before, room)
            destinations = here - {room.server, server_of(event.sender)}
    yield Keep(
        stored=stored,
        state_before=before,
        forward_extremities=forward_extremities or receipt.forward_extremities,
        destinations=destinations,
        redacted=tuple(redacted),
    )


def _checked_state(response: object, room: LocalRoom) -> FederationSteps[State[EventId] | None]:
    """Check and store the events of a response to ``/state``, and return the state.

    A state with another create event than the current one is not taken. Up to version 11 the server in the
    room ID can make several.
    """
    given = yield from check_state_steps(response, room.version, room_id=room.room_id)
    if given.state is not None:
        try:
            current = entries_of((yield from current_state_steps(room)))
        except MissingEvents:
            return None
        if given.state.known.get(CREATE) != current.get(CREATE):
            return None
    for receipt in given.receipts:
        yield from keep_steps(receipt, room)
    return given.state


def _take(
    event: Event, room: LocalRoom, origin: ServerName, *, relay: bool = False
) -> FederationSteps[tuple[Receipt, bool]]:
    """Receive an event. If it is undecided, ask for what is missing, and receive that first.

    Returns:
        The receipt, and whether the event waits.
    """
    receipt = yield from attempt(event.pdu, room, relay=relay)
    if receipt.lacking.keys:
        return receipt, (yield from _waits(event, room))  # it may wait from when the key was known
    if _is_settled(receipt):
        return receipt, False
    missing = yield from fetch_missing(event, room, origin)
    followed = yield from _followed({**missing, event.event_id: event})
    asked = 0
    for one in oldest_first(missing):
        if not (yield NeedStates(frozenset([one.event_id]))):
            early = yield from attempt(one.pdu, room, followed=one.event_id in followed)
            if not _is_settled(early) and asked < _MOST_ASKED:
                asked += 1
                yield from _settle(one, room, origin, followed=one.event_id in followed)
    return (yield from _settle(event, room, origin, relay=relay, followed=event.event_id in followed))


def _noting(steps: FederationSteps[T], kept: list[Keep]) -> FederationSteps[T]:
    """Run steps, and add what they store to a list."""
    answer: Any = None
    while True:
        try:
            need = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        answer = yield need
        if isinstance(need, Keep):
            kept.append(need)


def _tells_more(need: Keep) -> bool:
    """Tell whether a stored event may decide events that do not cite it.

    An event that waits may lack an entry of the current state, while members are unknown. In version 12,
    events do not cite the create event.
    """
    partial = need.state_before is not None and bool(unknown_of(need.state_before))
    return partial or (need.event.type, need.event.state_key) == CREATE


def _followed(events: Mapping[EventId, Event]) -> FederationSteps[set[EventId]]:
    """Return those of some events that come before stored events: history that was missing.

    A server that has joined has the state before its join, and not the events before it. Such an event is
    fetched when another event follows it, too. It must not become a forward extremity.
    """
    found: set[EventId] = set((yield NeedFollowed(frozenset(events))))
    todo = [*found]
    while todo:
        new = {one for one in events[todo.pop()].prev_event_ids if one in events and one not in found}
        found |= new
        todo += new
    return found


def _settle(
    event: Event, room: LocalRoom, origin: ServerName, *, relay: bool = False, followed: bool = False
) -> FederationSteps[tuple[Receipt, bool]]:
    """Receive an event. Ask the origin for its auth chain and the state before it, if they are missing.

    Returns:
        The receipt, and whether the event waits.
    """
    receipt = yield from attempt(event.pdu, room, relay=relay, followed=followed)
    if _is_settled(receipt) or receipt.event is None:
        return receipt, False
    state = None
    if receipt.lacking.auth_events:
        where = f"{path_part(room.room_id)}/{path_part(event.event_id)}"
        chain = plain_object((yield from ask(origin, f"/v1/event_auth/{where}"))) or {}
        yield from _checked_state({"pdus": [], "auth_chain": chain.get("auth_chain")}, room)
    if receipt.lacking.prev_events and (yield from may_tell_steps(origin, room)):
        response = yield from fetch_state(event.event_id, room, origin)
        state = yield from _checked_state(response, room)
    receipt = yield from attempt(event.pdu, room, relay=relay, followed=followed, state_before=state)
    if receipt.decided and not _is_settled(receipt):
        yield from keep_steps(receipt, room)  # rejected, and the state before it is unknown
    elif not receipt.decided and not receipt.lacking.keys:
        # One whose signatures cannot be checked may be anybody's, so it does not wait.
        return receipt, (yield from _let_wait(event, room))
    return receipt, False


def _waits(event: Event, room: LocalRoom) -> FederationSteps[bool]:
    """Tell whether an event waits."""
    return any(is_same(one, event) for one in _with_its_id(event, (yield NeedWaiting()), room))


def _let_wait(event: Event, room: LocalRoom) -> FederationSteps[bool]:
    """Let an undecided event wait, up to limits, and tell whether it waits."""
    waiting: Collection[JsonObject] = yield NeedWaiting()
    same = _with_its_id(event, waiting, room)
    if same:  # in versions 1 and 2 it may be another event, which stays
        return any(is_same(one, event) for one in same)
    server = server_of(event.sender)
    beside = sum(server_of(str(one.get("sender"))) == server for one in waiting)
    if beside >= _MOST_WAITING or len(waiting) >= _MOST_IN_ROOM:
        return False
    # Whoever has a domain has names for any number of servers. They must not take all places.
    if len(waiting) >= _MOST_OF_STRANGERS and not (yield from may_tell_steps(server, room)):
        return False
    yield Wait(event.event_id, event.pdu)
    return True


def _with_its_id(event: Event, waiting: Collection[JsonObject], room: LocalRoom) -> list[Event]:
    """Return the events that wait and have the ID of an event.

    Others are not parsed, except those whose content hash is the same: it is a part of what the ID is made
    of.
    """
    chosen = room.version.event_id_form is EventIdForm.CHOSEN
    name, value = ("event_id", event.event_id) if chosen else ("hashes", event.pdu.get("hashes"))
    found = [parsed(one, room) for one in waiting if one.get(name) == value]
    return [one for one in found if one is not None and one == event]


def _retry(room: LocalRoom, stored: set[EventId] | None) -> FederationSteps[None]:
    """Receive events that wait again, each at most once: those that others cite come first.

    Args:
        room: the room.
        stored: events that were stored. Only events that cite one of them, or an event that waited and is
            stored now, are received again. Of the others nothing has changed, and servers that are not in
            the room may have sent many of them. None for all events.
    """
    waiting: Collection[JsonObject] = yield NeedWaiting()
    if stored is not None and not any(_cites(one, stored) for one in waiting):
        return
    found = [parsed(one, room) for one in waiting]
    events = {one.event_id: one for one in found if one is not None}
    # In the order in which they came, each pass over a chain whose newest event came first would decide one.
    parents = {event_id: (*event.prev_event_ids, *event.auth_parents) for event_id, event in events.items()}
    for event_id in in_order_despite_cycles(parents):
        if stored is None or not stored.isdisjoint(parents[event_id]):
            receipt = yield from attempt(events[event_id].pdu, room)
            if stored is not None and _is_settled(receipt) and receipt.event is not None:
                stored.add(event_id)


def _cites(pdu: JsonObject, event_ids: set[EventId]) -> bool:
    """Tell whether a PDU cites some events, without parsing it."""
    for name in ("prev_events", "auth_events"):
        references = pdu.get(name)
        for one in references if type(references) is list else ():
            cited = one[0] if type(one) is list and one else one  # in versions 1 and 2 with a hash
            if type(cited) is str and cited in event_ids:
                return True
    return False


def _is_settled(receipt: Receipt) -> bool:
    """Tell whether an event is decided, and its place in the states of the room is known."""
    known = receipt.state_before is not None or receipt.event is None or receipt.cites_itself
    return receipt.decided and known
