"""Synapse as a peer: its own functions, over a store that has everything in memory.

What the peer is given for free, off the clock: every event parsed, and for the *given* index the auth
events of each. What its store answers on the clock is the auth difference, for which a server has an
index in its database. Here it is done with C-level set operations, and the part of the room that all
states share is walked once and not once a state: better than the definition asks for. Where a contender
is named *difference given*, the answer is ready beforehand, and nothing of it is on the clock.

Installed by `pip install 'roomver[peer]'`.
"""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import roomver
from roomver.types import EventId

from .measure import optional
from .shapes import Shape, State

T = TypeVar("T")

HOW_TO_INSTALL = "pip install '.[peer]'"


def installed() -> bool:
    """Tell whether the wheel is there."""
    return optional("synapse.server") is not None


def module(name: str) -> Any:
    """Import a module of Synapse's; `synapse.server` comes first, or they import each other in a
    circle."""
    if optional("synapse.server") is None:
        raise RuntimeError(f"matrix-synapse is not installed: {HOW_TO_INSTALL}")
    return optional(f"synapse.{name}")


def parser(version: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return Synapse's `make_event_from_dict` for a room version."""
    make = module("events").make_event_from_dict
    known = module("api.room_versions").KNOWN_ROOM_VERSIONS[version]
    return lambda pdu: make(pdu, known)


def parse(events: Mapping[EventId, roomver.Event], version: str) -> dict[EventId, Any]:
    """Parse events as Synapse does, and make sure that it gives them the same IDs."""
    make = parser(version)
    parsed = {event_id: make(event.pdu) for event_id, event in events.items()}
    for event_id, event in parsed.items():
        if event.event_id != event_id:
            raise AssertionError(f"Synapse calls {event_id} {event.event_id}")
    return parsed


def finish(running: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        running.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waits for something")


class Index:
    """The auth events of every event, those that cite the same sharing one entry."""

    def __init__(self, events: Mapping[EventId, Any]) -> None:
        numbers: dict[tuple[EventId, ...], int] = {}
        self._group = {
            event_id: numbers.setdefault(tuple(event.auth_event_ids()), len(numbers))
            for event_id, event in events.items()
        }
        self._cited = list(numbers)

    def chain(self, event_ids: set[EventId], known: Collection[EventId] = ()) -> set[EventId]:
        """Return events and all that lies above them, without those in a chain that is known."""
        group, cited = self._group.__getitem__, self._cited
        level = event_ids.difference(known)
        reached = set(level)
        while level:
            level = set().union(*[cited[number] for number in set(map(group, level))])
            level -= reached
            level.difference_update(known)
            reached |= level
        return reached

    def difference(self, state_sets: Sequence[set[EventId]]) -> set[EventId]:
        """Return the auth difference: the union of the states' auth chains minus the intersection."""
        common = set.intersection(*state_sets)
        shared = self.chain(common)
        own = [self.chain(ids - common, shared) for ids in state_sets]
        first, *others = own
        return first.union(*others) - first.intersection(*others)

    def subgraph(self, conflicted: set[EventId]) -> set[EventId]:
        """Return the conflicted subgraph: what lies on a path between two conflicted events."""
        above = self.chain(conflicted)
        below: dict[EventId, list[EventId]] = {}
        for event_id in above:
            for parent in self._cited[self._group[event_id]]:
                below.setdefault(parent, []).append(event_id)
        reached = set(conflicted)
        stack = list(conflicted)
        while stack:
            for child in below.get(stack.pop(), ()):
                if child not in reached:
                    reached.add(child)
                    stack.append(child)
        return reached


class Store:
    """What Synapse's resolution asks of its store, from memory."""

    def __init__(self, events: Mapping[EventId, Any], index: Index | None, answer: Any = None) -> None:
        self._events = events
        self._index = index
        self._answer = answer
        self._difference = module("storage.databases.main.event_federation").StateDifference

    async def get_events(
        self, event_ids: Collection[EventId], allow_rejected: bool = False
    ) -> dict[EventId, Any]:
        del allow_rejected
        events = self._events
        return {event_id: events[event_id] for event_id in event_ids if event_id in events}

    async def get_auth_chain_difference(
        self,
        room_id: str,
        state_sets: list[set[EventId]],
        conflicted_state: set[EventId] | None,
        additional: set[EventId] | None,
    ) -> Any:
        del room_id, additional
        if self._answer is None:
            assert self._index is not None
            difference = self._index.difference(state_sets)
            subgraph = None if conflicted_state is None else self._index.subgraph(conflicted_state)
        else:
            # Copies, for what is returned is changed.
            difference = set(self._answer.auth_difference)
            subgraph = self._answer.conflicted_subgraph
            subgraph = None if subgraph is None else set(subgraph)
        return self._difference(difference, subgraph)

    async def sleep(self, duration: object) -> None:
        """Wait for nothing: the store is the clock as well."""


class Resolver:
    """Synapse's resolution of a shape."""

    def __init__(self, shape: Shape) -> None:
        self._version = module("api.room_versions").KNOWN_ROOM_VERSIONS[shape.version]
        self._state_sets = shape.state_sets
        self._room = next(iter(shape.events.values())).room_id
        self._v1 = module("state.v1").resolve_events_with_store
        self._v2 = module("state.v2").resolve_events_with_store
        self.events = parse(shape.events, shape.version)

    def index(self) -> Index:
        """Return the index of auth events: what it has to build where nothing is given."""
        return Index(self.events)

    def answer(self) -> Any:
        """Return the auth difference and the conflicted subgraph, to be given."""
        index = self.index()
        ids = [set(state.values()) for state in self._state_sets]
        store = Store(self.events, index)
        keys = set().union(*self._state_sets)
        conflicted: set[EventId] | None = None
        if self._version.identifier == "12":
            conflicted = set()
            for key in keys:
                found = {state.get(key) for state in self._state_sets}
                if len(found) > 1:
                    conflicted.update(event_id for event_id in found if event_id is not None)
        return finish(store.get_auth_chain_difference(self._room, ids, conflicted, None))

    def by_v1(self) -> Mapping[Any, EventId]:
        """Resolve by version 1, which needs no index."""
        store = Store(self.events, None)
        running = self._v1(self._room, self._version, self._state_sets, None, store.get_events)
        state: Mapping[Any, EventId] = finish(running)
        return state

    def by_v2(self, index: Index | None, answer: Any = None) -> Mapping[Any, EventId]:
        """Resolve by version 2 or 2.1."""
        store = Store(self.events, index, answer)
        running = self._v2(store, self._room, self._version, self._state_sets, None, store)
        state: Mapping[Any, EventId] = finish(running)
        return state


def as_state(resolved: Mapping[Any, EventId]) -> State:
    """Return a resolved state as a dict: version 2 gives a chain of two."""
    return dict(resolved)
