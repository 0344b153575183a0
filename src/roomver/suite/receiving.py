"""The operations of the test vectors on what a server does with an event beyond one verdict.

They are the checks of a whole room in the order of arrival, the check of the policy server's signature, and
the rules on a state that is known in part. ``vectors/FORMAT.md`` defines them.
"""

from collections.abc import Mapping
from typing import cast

from ..auth import check_auth
from ..canonical import join_path, shorten
from ..check import check_event
from ..errors import UnknownState
from ..event import Event
from ..keys import NO_KEYS
from ..policy import check_policy
from ..receive import MemoryStore, receive_steps, state_before_steps
from ..state import PartialState, Unknown, entries_of
from ..steps import Stored, run
from ..types import EventId, JsonObject, JsonValue, StateMap
from ..versions import RoomVersion
from .inputs import (
    BadVectors,
    read_event,
    read_events,
    read_ids,
    read_keys,
    read_object,
    read_rejected,
    read_state,
)


def policy(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    """Check that the policy server of a room has signed an event (check 7 on receipt)."""
    events = read_events(case_input, version)
    refusal = check_policy(read_event(case_input, "event", events), read_state(case_input, events))
    return {"passes": refusal is None, "detail": "" if refusal is None else str(refusal)}


def auth_partial_state(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    """Apply the authorisation rules to an event, where the room state is known in part."""
    events = read_events(case_input, version)
    event = read_event(case_input, "event", events)
    state = PartialState(read_state(case_input, events), [_unknown(case_input["unknown"], "input.unknown")])
    try:
        verdict = check_auth(event, state, events, rejected=read_rejected(case_input))
    except UnknownState as error:
        return {"undecided": True, "detail": str(error)}
    return {"allowed": verdict.allowed, "rule": verdict.number, "detail": str(verdict)}


def receive(case_input: JsonObject, version: RoomVersion) -> JsonObject:
    """Receive the events of a room in the order in which they arrive (all seven checks on receipt)."""
    keys = read_keys(case_input) if "keys" in case_input else None
    pdus, order = read_object(case_input, "events"), read_ids(case_input, "order")
    for event_id in order:
        if event_id not in pdus:
            raise BadVectors("input.order", f"{shorten(event_id)} is not in events")
    store = MemoryStore(NO_KEYS if keys is None else keys)
    arriving = set(order)
    for event_id in [one for one in pdus if one not in arriving]:
        check = check_event(pdus[event_id], version, claimed_id=event_id, keys=keys)
        if check.usable is not None:
            store.stored[event_id] = Stored(check.usable, rejected=False)
    held = {event_id: stored.event for event_id, stored in store.stored.items()}
    store.graph.extend({one: [p for p in event.auth_parents if p in held] for one, event in held.items()})
    given = _given(case_input, held)
    if unknown := given.keys() - arriving:
        raise BadVectors("input.given", f"{shorten(min(unknown))} is not in order")
    outcomes: JsonObject = {}
    for event_id in order:
        steps = receive_steps(
            pdus[event_id],
            version,
            claimed_id=event_id,
            state_before=given.get(event_id),
            graph=store.graph,
            signatures=keys is not None,
        )
        receipt = run(steps, store)
        store.take(receipt)
        outcomes[event_id] = receipt.status.value
    state = run(state_before_steps(store.extremities, graph=store.graph), store).state
    known = [] if state is None else sorted(entries_of(state).values())
    return {
        "outcomes": outcomes,
        "forward_extremities": cast(JsonValue, sorted(store.extremities)),
        "state": cast(JsonValue, known),
    }


def _given(case_input: JsonObject, held: Mapping[EventId, Event]) -> dict[EventId, StateMap[EventId]]:
    """Return the states that a case gives, by the event before which each is."""
    if "given" not in case_input:
        return {}
    found: dict[EventId, StateMap[EventId]] = {}
    for event_id, one in read_object(case_input, "given").items():
        place = join_path("input.given", event_id)
        if type(one) is not dict or not {"state"} <= one.keys() <= {"state", "unknown"}:
            raise BadVectors(place, "must be an object with state, and optionally unknown")
        entries = {key: event.event_id for key, event in read_state(one, held).items()}
        found[event_id] = (
            PartialState(entries, [_unknown(one["unknown"], f"{place}.unknown")])
            if "unknown" in one
            else entries
        )
    return found


def _unknown(value: JsonValue, place: str) -> Unknown:
    """Read which keys of a state are unknown: pairs of a type and a state key, where null stands for any."""
    types: set[str] = set()
    keys: set[tuple[str, str]] = set()
    every = False
    if type(value) is not list or not value:
        raise BadVectors(place, f"must be an array of pairs, not {shorten(value)}")
    for pair in value:
        match pair:
            case [None, None]:
                every = True
            case [str(kind), None]:
                types.add(kind)
            case [str(kind), str(state_key)]:
                keys.add((kind, state_key))
            case _:
                raise BadVectors(place, f"must be pairs of a type and a state key or null: {shorten(pair)}")
    return Unknown("unknown in this case", None if every else frozenset(types), frozenset(keys))
