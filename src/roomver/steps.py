"""What a computation needs from outside, as values, and the drivers that get it from a store.

A function whose name ends in ``_steps`` does no I/O. It is a generator: it yields what it needs next, is sent
the answer, and returns its result. `run` drives it with a `Store`, `run_async` with an `AsyncStore`. So one
core serves a caller that has everything in memory, one that reads a database, and one that awaits one.

The needs are:

- a frozenset of event IDs, as `roomver.resolve_steps` yields it: the events, as `FoundEvents`;
- `NeedEvents`: the events, each with what was decided about it;
- `NeedKeys`: verify keys of servers;
- `NeedStates`: the room state after each of some events;
- `NeedCurrent`: the forward extremities of the room and its current state.

A store holds one room. Whatever it does not have, it leaves out of its answer: nothing is decided without it.
"""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, overload

from .event import Event
from .keys import KeyRing
from .state import State
from .types import EventId, KeyId, ServerName, StateMap

__all__ = [
    "AsyncEventStore",
    "AsyncStore",
    "Current",
    "EventStore",
    "Executor",
    "FoundEvents",
    "Need",
    "NeedCurrent",
    "NeedEvents",
    "NeedKeys",
    "NeedStates",
    "Steps",
    "Store",
    "Stored",
    "drive",
    "drive_async",
    "run",
    "run_async",
]

T = TypeVar("T")


class Stored(NamedTuple):
    """A stored event, and what was decided about it."""

    event: Event
    rejected: bool = False
    """Whether it was rejected."""
    soft_failed: bool = False
    """Whether it was accepted and soft-failed."""
    from_history: bool = False
    """Whether the server fetched it from the history of the room. No event takes the place of a forward
    extremity by way of it, if it was rejected."""

    def state_after(self, before: State[EventId]) -> State[EventId]:
        """Return the state after the event, from the state before it."""
        event = self.event
        if self.rejected or event.state_key is None:
            return before
        return before.changed({(event.type, event.state_key): event.event_id})


class FoundEvents(dict[EventId, Event]):
    """Those of some events that a store has, by ID, and which of them were rejected."""

    __slots__ = ("rejected",)

    def __init__(self, events: Mapping[EventId, Event], rejected: Collection[EventId] = ()) -> None:
        super().__init__(events)
        self.rejected: frozenset[EventId] = frozenset(rejected)
        """The IDs of those that were rejected."""


class Current(NamedTuple):
    """Where a room is now."""

    extremities: Collection[EventId]
    """The IDs of the forward extremities; empty before the first event."""
    state: StateMap[EventId] | None = None
    """The current state: the state after the forward extremities, resolved. None if the store does not keep
    it. It is then resolved from the states after the extremities."""


@dataclass(frozen=True, slots=True)
class NeedEvents:
    """A need of events. The answer maps the IDs of those that the store has to `Stored`."""

    event_ids: frozenset[EventId]


@dataclass(frozen=True, slots=True)
class NeedKeys:
    """A need of verify keys. The answer is a `KeyRing` with those that are known, and the time."""

    keys: frozenset[tuple[ServerName, KeyId]]


@dataclass(frozen=True, slots=True)
class NeedStates:
    """A need of the states after events. The answer maps the IDs of events to the states that are known."""

    event_ids: frozenset[EventId]


@dataclass(frozen=True, slots=True)
class NeedCurrent:
    """A need of the forward extremities and of the current state. The answer is a `Current`."""


Need: TypeAlias = frozenset[EventId] | NeedEvents | NeedKeys | NeedStates | NeedCurrent
"""What a computation asks for. A frozenset of event IDs asks for the events; the answer is `FoundEvents`."""

Steps: TypeAlias = Generator[Need, Any, T]
"""A generator that yields needs, is sent the answers, and returns its result. It belongs to one thread at a
time."""

Executor: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function somewhere else, such as in a thread, and returns its result when awaited:
``asyncio.to_thread``, ``trio.to_thread.run_sync`` or ``lambda work: loop.run_in_executor(pool, work)``."""


class EventStore(Protocol):
    """The events that a server has stored of one room: all that `roomver.resolve_steps` needs."""

    def events(self, event_ids: frozenset[EventId], /) -> Mapping[EventId, Stored]:
        """Return those of some events that were accepted or rejected. Leave out all others, undecided ones
        too."""


class Store(EventStore, Protocol):
    """What a server has stored of one room. Each method answers one kind of need."""

    def keys(self, keys: frozenset[tuple[ServerName, KeyId]], /) -> KeyRing:
        """Return the known keys, by server name and key ID, and the time. It may hold more keys."""

    def states_after(self, event_ids: frozenset[EventId], /) -> Mapping[EventId, StateMap[EventId]]:
        """Return the states after some events. A state may be a `roomver.PartialState`.

        The state after a rejected event, or after a message, is the state before it. Return
        `roomver.state.RoomState` objects that were made from each other, so that they share their entries.
        """

    def current(self) -> Current:
        """Return the forward extremities and the current state."""


class AsyncEventStore(Protocol):
    """An `EventStore` that is awaited. Write its method with ``async def``."""

    def events(self, event_ids: frozenset[EventId], /) -> Awaitable[Mapping[EventId, Stored]]:
        """Return those of some events that were accepted or rejected: see `EventStore.events`."""


class AsyncStore(AsyncEventStore, Protocol):
    """A `Store` whose methods are awaited. Write them with ``async def``."""

    def keys(self, keys: frozenset[tuple[ServerName, KeyId]], /) -> Awaitable[KeyRing]:
        """Return the known keys, by server name and key ID, and the time. It may hold more keys."""

    def states_after(
        self, event_ids: frozenset[EventId], /
    ) -> Awaitable[Mapping[EventId, StateMap[EventId]]]:
        """Return the states after some events: see `Store.states_after`."""

    def current(self) -> Awaitable[Current]:
        """Return the forward extremities and the current state."""


@overload
def run(steps: Generator[frozenset[EventId], Any, T], store: EventStore) -> T: ...


@overload
def run(steps: Generator[Need, Any, T], store: Store) -> T: ...


def run(steps: Generator[Any, Any, T], store: EventStore) -> T:
    """Run steps to their end with a store, and return their result.

    Args:
        steps: a generator of needs, such as `roomver.receive.receive_steps` or `roomver.resolve_steps`
            returns.
        store: answers the needs. A resolution needs events alone: an `EventStore` is enough.

    Raises:
        TypeError: if the store is awaited, or the steps are those of `roomver.federation`.
        Exception: whatever the steps or the store raise.

    >>> from roomver import resolve_steps
    >>> class Empty:
    ...     def events(self, event_ids):
    ...         return {}
    >>> same = {("m.room.name", ""): "$a"}
    >>> run(resolve_steps([same, same]), Empty()).state.as_dict()
    {('m.room.name', ''): '$a'}
    """
    return drive(
        steps, lambda need: sent_for(need, not_awaited(ask_store(store, need), "roomver.steps.run_async"))
    )


@overload
async def run_async(
    steps: Generator[frozenset[EventId], Any, T], store: AsyncEventStore, *, executor: Executor | None = None
) -> T: ...


@overload
async def run_async(
    steps: Generator[Need, Any, T], store: AsyncStore, *, executor: Executor | None = None
) -> T: ...


async def run_async(
    steps: Generator[Any, Any, T], store: AsyncEventStore, *, executor: Executor | None = None
) -> T:
    """Run steps to their end with a store that is awaited, and return their result.

    Args:
        steps, store: as in `run`.
        executor: runs the work between two needs, so that an event loop is not blocked by a resolution that
            takes seconds: pass ``asyncio.to_thread``, or see `Executor`. It costs one switch of threads per
            need. The steps run in one thread at a time, but not always in the same one. A pool of processes
            cannot run them, because a generator cannot be pickled. If the caller is cancelled, the work that
            has begun ends in its thread, and its result is dropped. Without an executor, the work is done
            in the caller's thread.

    Raises:
        Exception: whatever the steps, the store or the executor raise.

    >>> import asyncio
    >>> from roomver import resolve_steps
    >>> class Empty:
    ...     async def events(self, event_ids):
    ...         return {}
    >>> same = {("m.room.name", ""): "$a"}
    >>> resolution = asyncio.run(run_async(resolve_steps([same, same]), Empty(), executor=asyncio.to_thread))
    >>> resolution.state.as_dict()
    {('m.room.name', ''): '$a'}
    """

    async def answer(need: Need) -> Any:
        return sent_for(need, await ask_store(store, need))

    return await drive_async(steps, answer, executor=executor)


N = TypeVar("N")
A = TypeVar("A")


def drive(steps: Generator[N, A, T], answer: Callable[[N], A]) -> T:
    """Run steps to their end, and return their result.

    Args:
        steps: a generator of needs of any kind.
        answer: is called with each need, and returns what the steps are sent.
    """
    need = _advance(steps, None)
    while not isinstance(need, _Done):
        need = _advance(steps, answer(need))
    return need.value


async def drive_async(
    steps: Generator[N, A, T], answer: Callable[[N], Awaitable[A]], *, executor: Executor | None = None
) -> T:
    """Run steps to their end with an `answer` that is awaited, and return their result.

    The arguments are those of `drive` and `run_async`.
    """

    async def advance(sent: A | None) -> "N | _Done[T]":
        if executor is None:
            return _advance(steps, sent)
        found: N | _Done[T] = await executor(partial(_advance, steps, sent))
        return found

    need = await advance(None)
    while not isinstance(need, _Done):
        need = await advance(await answer(need))
    return need.value


class _Done(Generic[T]):
    """The end of steps, with their result. A StopIteration cannot be passed on by an awaitable."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


def _advance(steps: Generator[N, A, T], sent: A | None) -> N | _Done[T]:
    """Run steps up to their next need, or to their end."""
    try:
        # None begins; an answer is never None.
        return next(steps) if sent is None else steps.send(sent)
    except StopIteration as done:
        return _Done(done.value)


def ask_store(store: Any, need: Need) -> Any:
    """Ask a store for what is needed. An `AsyncStore` returns something to await."""
    match need:
        case NeedEvents():
            return store.events(need.event_ids)
        case NeedStates():
            return store.states_after(need.event_ids)
        case NeedKeys():
            return store.keys(need.keys)
        case NeedCurrent():
            return store.current()
        case frozenset():
            return store.events(need)
    raise TypeError(f"{type(need).__name__}: run these steps with roomver.federation.run or run_async")


def not_awaited(answer: T, driver: str) -> T:
    """Return the answer of a store that is not awaited.

    Raises:
        TypeError: if the store is awaited, naming the driver for such a store.
    """
    if not isawaitable(answer):
        return answer
    if isinstance(answer, Coroutine):
        answer.close()  # otherwise Python warns that it was never awaited
    raise TypeError(f"the answer of the store must be awaited: use {driver}")


def sent_for(need: object, answer: Any) -> Any:
    """Return what the steps are sent for an answer of a store."""
    if isinstance(need, frozenset):
        found = {event_id: stored.event for event_id, stored in answer.items()}
        return FoundEvents(found, [event_id for event_id, stored in answer.items() if stored.rejected])
    return answer
