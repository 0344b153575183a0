"""Operations on the events of a room: authorisation and state resolution."""

from collections.abc import Callable, Collection, Iterable, Mapping
from copy import deepcopy
from typing import Any

from support import Outcome, finish, made, made_all, version_of
from synapse import event_auth
from synapse.api.errors import AuthError, SynapseError
from synapse.federation.federation_base import event_from_pdu_json
from synapse.state import v1, v2
from synapse.storage.databases.main.event_federation import StateDifference
from synapse.storage.databases.main.events_worker import EventsWorkerStore

State = dict[tuple[str, str], str]


class Store:
    """The methods of Synapse's store and clock that its functions call, answered from memory.

    Args:
        events: all events.
        difference: the auth chain difference, for which a server has an index; None to compute it when it is
            requested.
    """

    def __init__(self, events: Mapping[str, Any], difference: Any = None) -> None:
        self._events = events
        self._difference = difference

    async def get_events(self, event_ids: Collection[str], **_options: Any) -> dict[str, Any]:
        return {event_id: self._events[event_id] for event_id in event_ids if event_id in self._events}

    async def get_auth_chain_difference(
        self, _room_id: str, states: list[set[str]], conflicted: set[str] | None, _additional: Any
    ) -> Any:
        if self._difference is None:
            return difference_of(self._events, states, conflicted)
        ready = self._difference
        subgraph = ready.conflicted_subgraph
        # Copies, because the caller changes what is returned.
        return StateDifference(set(ready.auth_difference), None if subgraph is None else set(subgraph))

    async def sleep(self, _duration: object) -> None:
        pass


def difference_of(events: Mapping[str, Any], states: list[set[str]], conflicted: set[str] | None) -> Any:
    """Return the auth chain difference of states and, if asked for, the conflicted state subgraph.

    This walks the auth chain of each state. As in Synapse's store, it includes the state's own events.
    """
    chains = [chain(events, ids) for ids in states]
    shared: set[str] = set.intersection(*chains)
    subgraph = None if conflicted is None else between(events, conflicted)
    return StateDifference(set.union(*chains) - shared, subgraph)


def chain(events: Mapping[str, Any], event_ids: Iterable[str]) -> set[str]:
    return _reached(event_ids, lambda one: events[one].auth_event_ids() if one in events else ())


def between(events: Mapping[str, Any], conflicted: set[str]) -> set[str]:
    below: dict[str, list[str]] = {}
    for event_id in chain(events, conflicted):
        for parent in events[event_id].auth_event_ids() if event_id in events else ():
            below.setdefault(parent, []).append(event_id)
    return _reached(conflicted, lambda one: below.get(one, ()))


def _reached(event_ids: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """Return the events that can be reached from some events."""
    reached: set[str] = set()
    stack = list(event_ids)
    while stack:
        event_id = stack.pop()
        if event_id not in reached:
            reached.add(event_id)
            stack.extend(following(event_id))
    return reached


def auth_types(given: Outcome, version: str) -> Outcome:
    known = version_of(version)
    keys = event_auth.auth_types_for_event(known, made(given["event"], version))
    if known.msc4291_room_ids_as_hashes:
        # In memory each event cites the create event. `EventBuilder` removes it from what is sent.
        keys.discard(("m.room.create", ""))
    # Synapse picks tokens and authorisers that are not strings, too. These cannot be sorted with strings.
    return {"keys": [list(key) for key in sorted(keys, key=str)]}


def auth(given: Outcome, version: str) -> Outcome:
    judged = given["event"]
    try:
        # An event that is dropped on receipt never reaches the auth rules.
        event_from_pdu_json(deepcopy(given["events"][judged]), version_of(version))
        events = made_all(given, version)
        event = events[judged]
        finish(event_auth.check_state_independent_auth_rules(Store(events), event))
        ids = given["state"] if "state" in given else event.auth_event_ids()
        event_auth.check_state_dependent_auth_rules(event, [events[event_id] for event_id in ids])
    except (AuthError, SynapseError) as error:
        return {"allowed": False, "detail": repr(error)}
    return {"allowed": True}


def redaction_applies(given: Outcome, version: str) -> Outcome:
    """Check who may redact, as on receipt of the redaction. Then read the target, which applies it."""
    known = version_of(version)
    events = made_all(given, version)
    redaction, target = events[given["redaction"]], events[given["target"]]
    state = {(events[i].type, events[i].state_key): events[i] for i in given["state"]}
    # As `PersistEventsStore` stores redactions and the store looks them up.
    if redaction.type != "m.room.redaction" or redaction.redacts != target.event_id:
        return {"applies": False, "detail": "no redaction of the target is stored"}
    try:
        event_auth.check_redaction(known, redaction, state)
    except AuthError as error:
        return {"applies": False, "detail": repr(error)}
    # The method does not use its store.
    redacted = EventsWorkerStore._maybe_redact_event_row(
        None, target, [redaction.event_id], [], {redaction.event_id: redaction}
    )
    return {"applies": redacted is not None}


def states_of(given: Outcome, events: Mapping[str, Any]) -> list[State]:
    """Return the states. They share the strings of the events and of the keys, as interned strings do."""
    entries = {i: ((one.type, one.state_key), one.event_id) for i, one in events.items() if one.is_state()}
    return [dict(entries[i] for i in ids) for ids in given["state_sets"]]


def resolved(
    states: list[State], events: Mapping[str, Any], store: Store, version: str, conflict_cache: Any = None
) -> Mapping[tuple[str, str], str]:
    """Return what Synapse resolves states to; there must be at least one.

    Args:
        states: the states.
        events: all events.
        store: what Synapse asks for events and for the auth chain difference.
        version: the room version.
        conflict_cache: where Synapse keeps its resolutions of conflicts, or None; version 1 has none.
    """
    known = version_of(version)
    room_id = next(iter(events.values())).room_id
    if version == "1":
        running = v1.resolve_events_with_store(room_id, known, states, None, store.get_events)
    else:
        running = v2.resolve_events_with_store(store, room_id, known, states, None, store, conflict_cache)
    found: Mapping[tuple[str, str], str] = finish(running)
    return found


def resolve(given: Outcome, version: str) -> Outcome:
    events = made_all(given, version)
    states = states_of(given, events)
    state = resolved(states, events, Store(events), version) if states else {}
    return {"state": sorted(state.values())}
