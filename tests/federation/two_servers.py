"""Servers over memory that ask each other by function calls: each runs the steps of `roomver.federation`."""

import itertools
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from roomver import Event, EventId, JsonObject, KeyRing, RoomGraph, SigningKey, get_room_version, redact
from roomver.federation import (
    Acted,
    Answer,
    Author,
    Complete,
    FederationSteps,
    Joined,
    Keep,
    LocalRoom,
    NeedResponse,
    Response,
    Wait,
    act_steps,
    answer_keys,
    answer_steps,
    ask_template_steps,
    check_request_steps,
    create_room,
    fetch_keys_steps,
    first_levels,
    read_request,
    run,
    send_join_steps,
    sign_request,
    take_steps,
)
from roomver.state import PartialState, RoomState, State
from roomver.steps import Current, Stored

T = TypeVar("T")
VERSIONS = ("1", "3", "6", "10", "11", "12")


class Memory:
    """What a server has of one room: a `roomver.federation.FederationStore`."""

    def __init__(self, server: "Server", room: LocalRoom) -> None:
        self.server, self.room = server, room
        self.kept: dict[EventId, Keep] = {}
        self.order: list[EventId] = []
        self.stored: dict[EventId, Stored] = {}
        self.extremities: frozenset[EventId] = frozenset()
        self.waits: dict[EventId, JsonObject] = {}
        self.added: dict[EventId, Mapping[tuple[str, str], EventId]] = {}

    def events(self, event_ids: frozenset[EventId], /) -> dict[EventId, Stored]:
        return {one: self.stored[one] for one in event_ids if one in self.stored}

    def keys(self, keys: frozenset[tuple[str, str]], /) -> KeyRing:
        return self.server.keys(keys)

    def states_before(self, event_ids: frozenset[EventId], /) -> dict[EventId, State[EventId]]:
        found = {one: self.kept[one].state_before for one in event_ids if one in self.kept}
        return {one: state for one, state in found.items() if state is not None}

    def states_after(self, event_ids: frozenset[EventId], /) -> dict[EventId, State[EventId]]:
        states = self.states_before(event_ids)
        return {one: self.stored[one].state_after(state) for one, state in states.items()}

    def current(self) -> Current:
        return Current(self.extremities)

    def response(self, need: NeedResponse, /) -> object:
        body = self.server.ask(need)
        return Response(refusal=self.server.refusal) if body is None else body

    def followed(self, event_ids: frozenset[EventId], /) -> set[EventId]:
        states = self.states_before(frozenset(self.stored))
        followers = [
            one.event
            for event_id, one in self.stored.items()
            if not one.rejected and not one.soft_failed and (event_id in states or one.from_history)
        ]
        return {prev for event in followers for prev in event.prev_event_ids if prev in event_ids}

    def redactions(self, event_id: EventId, /) -> dict[EventId, Stored]:
        return {one: stored for one, stored in self.stored.items() if stored.event.redacts == event_id}

    def waiting(self) -> Collection[JsonObject]:
        return [*self.waits.values()]

    def wait(self, need: Wait, /) -> None:
        self.waits[need.event_id] = need.pdu

    def keep(self, need: Keep, /) -> None:
        event_id = need.event.event_id
        earlier = self.kept.get(event_id)
        assert earlier is None or earlier.state_before is None, "an event with a state is stored once"
        self.kept[event_id] = need
        self.order.append(event_id)
        self.stored[event_id] = need.stored
        for one in need.redacted:
            version = self.room.version
            form = Event.trusted(redact(one), version, one.event_id)
            self.stored[one.event_id] = self.stored[one.event_id]._replace(event=form)
        if need.forward_extremities is not None:  # an empty set is not the same as none
            self.extremities = need.forward_extremities
        self.waits.pop(event_id, None)
        if need.event.state_key is not None and not need.stored.rejected:
            self.room.graph.add(need.event)
        for server in need.destinations:
            self.server.outbox.append((server, need.event))

    def complete(self, need: Complete, /) -> None:
        unknown = self.kept[need.event_id].state_before
        assert isinstance(unknown, PartialState)
        for event_id, kept in self.kept.items():
            state = kept.state_before
            if isinstance(state, PartialState) and state.unknown == unknown.unknown:
                whole = RoomState({**need.added, **state.known})
                self.kept[event_id] = replace(kept, state_before=whole)

    @property
    def state(self) -> Mapping[tuple[str, str], EventId]:
        (end,) = self.extremities
        return self.states_after(frozenset([end]))[end]


class Server:
    """A server.

    Attributes:
        outbox: the servers that events are to be sent to, and the events.
        refused: the endpoints to which the server does not answer.
        asked: the endpoints that others have asked for, in order.
        refusal: what another server has said to the last request, if it refused that.
    """

    def __init__(self, name: str, network: "dict[str, Server]") -> None:
        self.name = name
        self.key = SigningKey.from_seed("ed25519:1", name[0].upper() * 43)
        self.network = network
        network[name] = self
        self.ring = KeyRing.of({name: {"ed25519:1": self.key.verify_key}})
        self.rooms: dict[str, Memory] = {}
        self.outbox: list[tuple[str, Event]] = []
        self.refused: set[str] = set()
        self.asked: list[str] = []
        self.refusal: object = None
        self.nowhere = Memory(self, LocalRoom(name, "", get_room_version("1")))
        self._serial = itertools.count(1)

    def now(self) -> int:
        return 1_700_000_000_000 + next(self._serial)

    def keys(self, keys: Collection[tuple[str, str]]) -> KeyRing:
        self.ring = run(fetch_keys_steps(keys, self.ring, 1_700_000_000_000), self.nowhere)
        return self.ring

    def ask(self, need: NeedResponse) -> object:
        """Ask another server, as it would be asked over the network: in JSON, with a signature."""
        other = self.network[need.server]
        body = "" if need.content is None else json.dumps(need.content)
        header = sign_request(need, origin=self.name, key=self.key)
        answer = other.answered(need.method, need.uri, header, body)
        body = json.loads(json.dumps(answer.body))
        self.refusal = None if answer.status == 200 else body
        return body if answer.status == 200 else None

    def answered(self, method: str, uri: str, header: str, body: str) -> Answer:
        if uri == "/_matrix/key/v2/server":
            return Answer(200, answer_keys(self.name, self.key, valid_until_ts=2_000_000_000_000))
        request = read_request(method, uri, header, body)
        if request is None or not run(check_request_steps(request, self.name), self.nowhere):
            return Answer(401, {})
        self.asked.append(request.endpoint)
        if request.endpoint in self.refused:
            return Answer(500, {"errcode": "M_UNKNOWN"})
        answer = None
        known = [room_id for room_id, room in self.rooms.items() if request.event_id in room.stored]
        for room_id in request.room_ids or known or [""]:
            room = self.rooms.get(room_id, self.nowhere)
            answer = run(
                answer_steps(
                    request, room.room, now=self.now(), key=self.key, versions=VERSIONS, answered=answer
                ),
                room,
            )
        assert answer is not None
        return answer

    def author(self, user: str) -> Author:
        return Author(user, self.key, self.now(), f"${next(self._serial)}:{self.name}")

    def open(self, room_id: str, version: str) -> Memory:
        room = LocalRoom(self.name, room_id, get_room_version(version), RoomGraph())
        return self.rooms.setdefault(room_id, Memory(self, room))

    def make_room(self, user: str, version: str, join_rule: str = "public") -> str:
        create = create_room(self.author(user), version, room_id=f"!{next(self._serial)}:{self.name}")
        room = self.open(create.room_id, version)
        run(take_steps(create.pdu, room.room, self.name), room)
        self.act(room.room.room_id, user, "m.room.member", {"membership": "join"}, state_key=user)
        self.act(room.room.room_id, user, "m.room.power_levels", first_levels(version, user), state_key="")
        self.act(room.room.room_id, user, "m.room.join_rules", {"join_rule": join_rule}, state_key="")
        return create.room_id

    def acted(self, room_id: str, user: str, kind: str, content: Any, **options: Any) -> Acted:
        room = self.rooms[room_id]
        return run(act_steps(self.author(user), room.room, kind, content, **options), room)

    def act(self, room_id: str, user: str, kind: str, content: Any, **options: Any) -> Event:
        acted = self.acted(room_id, user, kind, content, **options)
        assert acted.event is not None, acted.reason
        return acted.event

    def say(self, room_id: str, user: str, body: str) -> Event:
        return self.act(room_id, user, "m.room.message", {"body": body})

    def join(self, room_id: str, user: str, via: str, *, partial: bool = False) -> Joined:
        steps = ask_template_steps(self.author(user), room_id, via, "join", versions=VERSIONS)
        event = run(steps, self.nowhere)
        room = self.open(room_id, event.room_version.identifier)
        joined = run(send_join_steps(event, room.room, via, omit_members=partial), room)
        room.room = replace(room.room, servers=frozenset([via, *joined.check.servers]))
        return joined

    def run(self, room_id: str, steps: FederationSteps[T]) -> T:
        return run(steps, self.rooms[room_id])

    def deliver(self, *, lose: int = 0) -> None:
        """Send what is in the outbox, but lose the first events."""
        sent, self.outbox = self.outbox[lose:], []
        for server, event in sent:
            content: JsonObject = {"pdus": [event.pdu]}
            uri = f"/_matrix/federation/v1/send/{next(self._serial)}"
            assert self.ask(NeedResponse(server, "PUT", uri, content)) is not None


def omitting(
    server: Server, *, known: Collection[str] = (), more: Mapping[str, Any] | None = None
) -> Callable[..., Answer]:
    """Return `Server.answered` of a server that omits members in its responses to joins.

    Args:
        server: as it is now.
        known: the senders whose member events it does not omit.
        more: other keys of the response.
    """
    whole = server.answered

    def answered(*request: str) -> Answer:
        answer = whole(*request)
        if "send_join" not in request[1] or answer.status != 200:
            return answer
        body: Any = answer.body
        state = [one for one in body["state"] if one["type"] != "m.room.member" or one["sender"] in known]
        return answer._replace(body={**body, "state": state, "members_omitted": True, **(more or {})})

    return answered
