"""What steps between servers need beside the needs of `roomver.steps`, and the drivers that serve them.

The needs are:

- `NeedResponse`: the response of another server to a request;
- `NeedStatesBefore`: the room state before each of some events;
- `NeedFollowed`: which of some events are followed by stored events;
- `NeedRedactions`: the redactions of an event that are stored;
- `NeedWaiting`: the events of the room that wait;
- `Keep`, `Wait` and `Complete`: to store an event, to let one wait, and to complete a state. The steps go on
  when that is done, and rely on it: a later need must see what was stored.
"""

from collections.abc import Awaitable, Callable, Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

from ..canonical import plain_object, shorten
from ..errors import RequestRefused
from ..event import Event
from ..identifiers import is_server_name
from ..keys import KeyRing
from ..resolution import RoomGraph
from ..state import State
from ..steps import (
    AsyncStore,
    Executor,
    Need,
    Store,
    Stored,
    ask_store,
    drive,
    drive_async,
    not_awaited,
    sent_for,
)
from ..types import EventId, JsonObject, KeyId, RoomId, ServerName
from ..versions import RoomVersion, version_record

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LocalRoom:
    """A room on the server that runs the steps.

    Attributes:
        server: the name of this server.
        room_id: the room ID.
        version: the record of the room version. An identifier is replaced by the record that it names.
        graph: the room's graph. The store adds to it what it keeps, and after a restart what it has:
            `roomver.RoomGraph` says which events.
        servers: the servers in the room as the response to a join named them. They count while members of
            the state are unknown.
    """

    server: ServerName
    room_id: RoomId
    version: RoomVersion
    graph: RoomGraph = field(default_factory=RoomGraph)
    servers: frozenset[ServerName] = frozenset()

    def __post_init__(self) -> None:
        # The steps read the fields of the record. Without this, an identifier would fail where they do.
        object.__setattr__(self, "version", version_record(self.version))


@dataclass(frozen=True, slots=True)
class NeedResponse:
    """A need of another server's response. The answer is a `Response`.

    `run` and `run_async` do not ask a server with a malformed name: there is no response.

    Attributes:
        server: whom to ask.
        method, uri: the request. Send the URI as it is, because the signature covers it.
        content: the JSON body; None for a request without one.
    """

    server: ServerName
    method: str
    uri: str
    content: JsonObject | None = None


class Response(NamedTuple):
    """The response of another server."""

    body: object = None
    """The JSON body of a response with status 200; None if there is no such response."""
    refusal: object = None
    """The JSON body of a response with another status; None if there is none. It only explains an error."""

    def refused(self, server: ServerName, request: str) -> RequestRefused:
        """Return the error of a request without a response of status 200."""
        if self.refusal is None:
            return RequestRefused(server, request)
        body = plain_object(self.refusal) or {}
        told = [one for one in (body.get("errcode"), body.get("error")) if type(one) is str]
        return RequestRefused(server, request, shorten(": ".join(told) if told else self.refusal, 300))


@dataclass(frozen=True, slots=True)
class NeedStatesBefore:
    """A need of the states before events. The answer maps the IDs of events to the states that are stored."""

    event_ids: frozenset[EventId]


@dataclass(frozen=True, slots=True)
class NeedFollowed:
    """A need to know which events are prev events of a stored event. The answer is a collection of their IDs.

    Stored events that were rejected or soft-failed do not count. Those without a stored state count only if
    they are `Stored.from_history`: they are of the state with which the room was joined, so they come before
    the join. Of others, any server may have said that they are of a state or an auth chain.
    """

    event_ids: frozenset[EventId]


@dataclass(frozen=True, slots=True)
class NeedRedactions:
    """A need of the stored events that redact an event. The answer maps their IDs to `Stored`."""

    event_id: EventId


@dataclass(frozen=True, slots=True)
class NeedWaiting:
    """A need of all events that wait: see `Wait`. The answer is a sequence of PDUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """A need to store an event, in one transaction with all that is said here. The answer is true.

    Attributes:
        stored: the event, and what was decided about it. It may be stored already, without a state.
        state_before: the state before it; None for an event of the auth chain or of a given state, for which
            nobody needs it (an outlier).
        forward_extremities: those of the room from now on; None if they stay as they are.
        destinations: the servers that it is to be sent to.
        redacted: stored events, and perhaps this one, to be replaced by their redacted forms.
    """

    stored: Stored
    state_before: State[EventId] | None = None
    forward_extremities: frozenset[EventId] | None = None
    destinations: frozenset[ServerName] = frozenset()
    redacted: tuple[Event, ...] = ()

    @property
    def event(self) -> Event:
        """The event. `roomver.RoomGraph` says whether to add it to the room's graph."""
        return self.stored.event


@dataclass(frozen=True, slots=True)
class Wait:
    """A need to let an undecided event wait, until `Keep` stores it. The answer is true."""

    event_id: EventId
    pdu: JsonObject


@dataclass(frozen=True, slots=True)
class Complete:
    """A need to complete a state that is known in part, and all states made from it. The answer is true.

    Attributes:
        event_id: the event that it is the state before.
        added: the entries to add.
    """

    event_id: EventId
    added: Mapping[tuple[str, str], EventId]


FederationNeed: TypeAlias = (
    Need
    | NeedResponse
    | NeedStatesBefore
    | NeedFollowed
    | NeedRedactions
    | NeedWaiting
    | Keep
    | Wait
    | Complete
)
"""What the steps of this package ask for."""

FederationSteps: TypeAlias = Generator[FederationNeed, Any, T]
"""Steps with such needs."""


AnswerKeys: TypeAlias = Callable[[frozenset[tuple[ServerName, KeyId]]], Awaitable[KeyRing]]
"""The type of `AsyncStore.keys`. It is the same for all rooms of a server."""

Ask: TypeAlias = Callable[[NeedResponse], Awaitable[object]]
"""The type of `AsyncFederationStore.response`, which too is the same for all rooms of a server."""


class AsyncFederationStore(AsyncStore, Protocol):
    """What a server has stored of one room, and its way to other servers."""

    def response(self, need: NeedResponse, /) -> Awaitable[object]:
        """Return the body of another server's response of status 200; None if there is none.

        Return a `Response` instead to tell why the other server refuses: `Response.refusal`.
        """

    def states_before(self, event_ids: frozenset[EventId], /) -> Awaitable[Mapping[EventId, State[EventId]]]:
        """Return the states before some events, where they are stored."""

    def followed(self, event_ids: frozenset[EventId], /) -> Awaitable[Collection[EventId]]:
        """Return the events that are prev events of a stored event: see `NeedFollowed`, which says which
        stored events count."""

    def redactions(self, event_id: EventId, /) -> Awaitable[Mapping[EventId, Stored]]:
        """Return the stored events that redact an event."""

    def waiting(self) -> Awaitable[Collection[JsonObject]]:
        """Return the PDUs that wait, in the order in which they came."""

    def keep(self, need: Keep, /) -> Awaitable[None]:
        """Store an event and all that `Keep` names, in one transaction. The event waits no more."""

    def wait(self, need: Wait, /) -> Awaitable[None]:
        """Store an event among those that wait."""

    def complete(self, need: Complete, /) -> Awaitable[None]:
        """Add entries to a state, and to all states made from it."""


class FederationStore(Store, Protocol):
    """An `AsyncFederationStore` whose methods are not awaited."""

    def response(self, need: NeedResponse, /) -> object:
        """Return the body of another server's response of status 200; None if there is none.

        Return a `Response` instead to tell why the other server refuses: `Response.refusal`.
        """

    def states_before(self, event_ids: frozenset[EventId], /) -> Mapping[EventId, State[EventId]]:
        """Return the states before some events, where they are stored."""

    def followed(self, event_ids: frozenset[EventId], /) -> Collection[EventId]:
        """Return the events that are prev events of a stored event: see `NeedFollowed`, which says which
        stored events count."""

    def redactions(self, event_id: EventId, /) -> Mapping[EventId, Stored]:
        """Return the stored events that redact an event."""

    def waiting(self) -> Collection[JsonObject]:
        """Return the PDUs that wait, in the order in which they came."""

    def keep(self, need: Keep, /) -> None:
        """Store an event and all that `Keep` names, in one transaction. The event waits no more."""

    def wait(self, need: Wait, /) -> None:
        """Store an event among those that wait."""

    def complete(self, need: Complete, /) -> None:
        """Add entries to a state, and to all states made from it."""


_METHODS: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    NeedResponse: lambda store, need: store.response(need),
    NeedStatesBefore: lambda store, need: store.states_before(need.event_ids),
    NeedFollowed: lambda store, need: store.followed(need.event_ids),
    NeedRedactions: lambda store, need: store.redactions(need.event_id),
    NeedWaiting: lambda store, _: store.waiting(),
    Keep: lambda store, need: store.keep(need),
    Wait: lambda store, need: store.wait(need),
    Complete: lambda store, need: store.complete(need),
}


def run(steps: FederationSteps[T], store: FederationStore) -> T:
    """Run steps to their end with a store, as `roomver.steps.run` does, and return their result.

    It runs the steps of this package, and all that `roomver.steps.run` runs.

    Raises:
        TypeError: if the store is awaited.
        Exception: whatever the steps or the store raise.
    """

    def answer(need: FederationNeed) -> Any:
        if _has_no_server(need):
            return Response()
        method: Callable[[Any, Any], Any] = _METHODS.get(type(need), ask_store)
        return _sent(need, not_awaited(method(store, need), "roomver.federation.run_async"))

    return drive(steps, answer)


async def run_async(
    steps: FederationSteps[T], store: AsyncFederationStore, *, executor: Executor | None = None
) -> T:
    """Run steps to their end with a store that is awaited, as `roomver.steps.run_async` does.

    It runs the steps of this package, and all that `roomver.steps.run_async` runs.
    """

    async def answer(need: FederationNeed) -> Any:
        if _has_no_server(need):
            return Response()
        method: Callable[[Any, Any], Any] = _METHODS.get(type(need), ask_store)
        return _sent(need, await method(store, need))

    return await drive_async(steps, answer, executor=executor)


def _has_no_server(need: FederationNeed) -> bool:
    """Tell whether a request is for a server with a malformed name.

    Other servers tell many of these names. In a URL, such a name could lead to another host, or to another
    path than that of the request.
    """
    return isinstance(need, NeedResponse) and not is_server_name(need.server)


def _sent(need: FederationNeed, answer: Any) -> Any:
    """Return what the steps are sent: never None."""
    if isinstance(need, NeedResponse):
        return answer if isinstance(answer, Response) else Response(answer)
    return True if answer is None else sent_for(need, answer)
