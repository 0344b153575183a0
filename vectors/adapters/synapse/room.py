"""Operations on the events of a room: authorisation and state resolution."""

import gc
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import deepcopy
from time import perf_counter
from typing import Any

from support import Outcome, Unsupported, finish, made, made_all, version_of
from synapse import __version__, event_auth
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


def _states(given: Outcome, events: Mapping[str, Any]) -> list[State]:
    return [{(events[i].type, events[i].state_key): i for i in ids} for ids in given["state_sets"]]


def _resolved(states: list[State], events: Mapping[str, Any], store: Store, version: str) -> list[str]:
    known = version_of(version)
    if not states:
        return []
    room_id = next(iter(events.values())).room_id
    if version == "1":
        running = v1.resolve_events_with_store(room_id, known, states, None, store.get_events)
    else:
        running = v2.resolve_events_with_store(store, room_id, known, states, None, store)
    return sorted(dict(finish(running)).values())


def resolve(given: Outcome, version: str) -> Outcome:
    events = made_all(given, version)
    return {"state": _resolved(_states(given, events), events, Store(events), version)}


class _Timed:
    """A resolution whose input has been read, so that it can be run many times."""

    def __init__(self, given: Outcome, version: str) -> None:
        self.version = version
        self.events = made_all(given["input"], version)
        self.states = _states(given["input"], self.events)
        keys = {i: (event.type, event.state_key) for i, event in self.events.items() if event.is_state()}
        for change in given.get("changes", []):
            state = self.states[0].copy()
            for event_id in change["remove"]:
                del state[keys[event_id]]
            state.update((keys[event_id], event_id) for event_id in change["add"])
            self.states.append(state)
        self.ready = (
            self._difference() if given["mode"] == "warm" and version != "1" and self.states else None
        )

    def _difference(self) -> Any:
        states = self.states
        conflicted = None
        if self.version == "12":
            found = [(key, state.get(key)) for key in set().union(*states) for state in states]
            agreed = set.intersection(*[set(state.items()) for state in states])
            conflicted = {event_id for key, event_id in found if event_id and (key, event_id) not in agreed}
        return difference_of(self.events, [set(state.values()) for state in states], conflicted)

    def run(self, runs: int) -> Outcome:
        seconds = []
        state: list[str] = []
        gc.collect()
        gc.disable()  # collect only between measurements, as `timeit` does
        for _ in range(runs):
            store = Store(self.events, self.ready)
            start = perf_counter()
            state = _resolved(self.states, self.events, store, self.version)
            seconds.append(perf_counter() - start)
        gc.enable()
        handed = ["auth difference"] if self.ready is not None else []
        if self.ready is not None and self.ready.conflicted_subgraph is not None:
            handed.append("conflicted subgraph")
        return {
            "seconds": seconds,
            "state": state,
            "implementation": f"matrix-synapse {__version__}",
            "given": handed,
        }


_last: list[_Timed] = []


def timed(given: Outcome, version: str) -> Outcome:
    if not given.get("again"):
        if given["operation"] != "resolve" or given["mode"] not in ("warm", "cold"):
            raise Unsupported
        _last.clear()
        _last.append(_Timed(given, version))
    return _last[0].run(given["runs"])
