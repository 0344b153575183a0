"""A small homeserver: it federates, and acts for its users. See docs/homeserver.md."""

# pyright: strict

import asyncio
import json
import secrets
import time
from collections.abc import Coroutine, Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from yarl import URL

from roomver import EventId, JsonObject, KeyRing, SigningKey, federation, get_room_version
from roomver.federation import LocalRoom, NeedResponse, Response, run_async
from roomver.types import KeyId, RoomId, ServerName, UserId

from .store import Database, RoomStore, put

VERSIONS = [str(number) for number in range(1, 13)]
DAY_MS = 86_400_000
T = TypeVar("T")


def now() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Homeserver:
    """The server of all users with its name."""

    def __init__(
        self, name: ServerName, key: SigningKey, peers: dict[ServerName, str], database: Database
    ) -> None:
        self.name, self.key, self.peers, self.database = name, key, peers, database
        self.session = ClientSession(timeout=ClientTimeout(total=30))
        self.ring = KeyRing.of({name: {key.key_id: key.verify_key}})
        self.rooms: dict[RoomId, RoomStore] = {}
        self.nowhere = self.room("", "1")
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def room(self, room_id: RoomId, version: str, servers: Iterable[ServerName] = ()) -> RoomStore:
        """Return the store of a room."""
        room = LocalRoom(self.name, room_id, get_room_version(version), servers=frozenset(servers))
        return RoomStore(room, self.database, self.keys, self.ask)

    async def load(self) -> None:
        """Go on where the server stopped."""
        for row in await self.database.rows("SELECT * FROM rooms"):
            room = self.room(row["room_id"], row["version"], json.loads(row["servers"]))
            await room.load()
            self.rooms[row["room_id"]] = room
            self.start(f"complete {row['room_id']}", self.complete(room))
        await self.send()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background, unless it is being done."""
        if name in self.tasks and not self.tasks[name].done():
            work.close()
        else:
            self.tasks[name] = asyncio.create_task(work)

    async def run(self, steps: federation.FederationSteps[T], room: RoomStore | None = None) -> T:
        """Run steps with the store of a room. What takes long is done in another thread."""
        return await run_async(steps, room or self.nowhere, executor=asyncio.to_thread)

    # Other servers

    async def ask(self, need: NeedResponse) -> object:
        """Send a signed request, and return the body of the response, or why there is none."""
        headers = {"Authorization": federation.sign_request(need, origin=self.name, key=self.key)}
        try:  # other servers choose the names of servers, too
            url = URL(self.peers.get(need.server, f"https://{need.server}") + need.uri, encoded=True)
            async with self.session.request(need.method, url, json=need.content, headers=headers) as response:
                body: object = await response.json()
                return body if response.ok else Response(refusal=body)
        except (ClientError, TimeoutError, ValueError, RecursionError):
            return None

    async def keys(self, keys: frozenset[tuple[ServerName, KeyId]]) -> KeyRing:
        """Return verify keys, and fetch those that are unknown or out of date."""
        self.ring = await self.run(federation.fetch_keys_steps(keys, self.ring, now()))
        return self.ring

    async def answer_keys(self, _: web.Request) -> web.Response:
        """Answer a request for the verify key."""
        return web.json_response(federation.answer_keys(self.name, self.key, valid_until_ts=now() + DAY_MS))

    async def answer(self, http: web.Request) -> web.Response:
        """Answer another server. What it sends is stored before the response goes out."""
        authorization = http.headers.get("Authorization", "")
        request = federation.read_request(http.method, http.raw_path, authorization, await http.read())
        if request is None or not await self.run(federation.check_request_steps(request, self.name)):
            return web.json_response({"errcode": "M_UNAUTHORIZED", "error": "not signed"}, status=401)
        sql, answer = "SELECT room_id FROM events WHERE event_id = ?", None
        asked = await self.database.rows(sql, request.event_id)  # of /event, whose path names no room
        for room_id in request.room_ids or [row["room_id"] for row in asked] or [""]:
            room = self.rooms.get(room_id, self.nowhere)
            async with room.lock if request.changes else nullcontext():
                steps = federation.answer_steps(
                    request, room.room, now=now(), key=self.key, versions=VERSIONS, answered=answer
                )
                answer = await self.run(steps, room)
            self.start(f"complete {room_id}", self.complete(room))
        await self.send()
        assert answer is not None
        return web.json_response(answer.body, status=answer.status)

    async def send(self) -> None:
        """Send what is in the outbox, to each server on its own."""
        for row in await self.database.rows("SELECT DISTINCT server FROM outbox"):
            self.start(f"send to {row['server']}", self.send_to(row["server"]))

    async def send_to(self, server: ServerName) -> None:
        """Send events to a server, in order, again and again until it has taken them."""
        sql = "SELECT * FROM outbox WHERE server = ? ORDER BY position LIMIT 50"
        while rows := await self.database.rows(sql, server):
            pdus: list[JsonObject] = [json.loads(row["pdu"]) for row in rows]
            name = f"{rows[0]['position']}-{rows[-1]['position']}"
            if await self.run(federation.send_steps(pdus, name, server, origin=self.name, now=now())):
                delete = "DELETE FROM outbox WHERE server = ? AND position <= ?"
                await self.database.write((delete, [server, rows[-1]["position"]]))
            else:
                await asyncio.sleep(0.5)

    async def complete(self, room: RoomStore) -> None:
        """Ask for what is unknown in states, such as the members of a room that was joined without them."""
        while rows := await room.rows("SELECT state FROM states WHERE room_id = ? AND unknown != '[]'"):
            state = rows[0]["state"]
            response = await self.run(federation.fetch_state_steps(state, room.room, turn=now()), room)
            async with room.lock:
                done = await self.run(federation.complete_steps(state, response, room.room), room)
            await asyncio.sleep(0 if done else 0.5)

    # Our own users

    def author(self, user: UserId) -> federation.Author:
        """Return what makes an event of a user."""
        return federation.Author(user, self.key, now(), self.drawn("$"))

    def drawn(self, sigil: str) -> str:
        """Draw an ID."""
        return f"{sigil}{secrets.token_urlsafe(12)}:{self.name}"

    async def act(
        self, room: RoomStore, user: UserId, kind: str, content: JsonObject, **options: str
    ) -> EventId:
        """Make an event, store it, and send it."""
        async with room.lock:
            steps = federation.act_steps(self.author(user), room.room, kind, content, **options)
            acted = await self.run(steps, room)
        if acted.event is None:
            raise PermissionError(str(acted))
        await self.send()
        return acted.event.event_id

    async def begin(self, room_id: RoomId, version: str, via: ServerName) -> RoomStore:
        """Return the store of a room that may be new here."""
        if room_id not in self.rooms or not self.rooms[room_id].extremities:  # nor has a join succeeded
            row = put("rooms", room_id=room_id, version=version, servers=json.dumps([via]), extremities="[]")
            await self.database.write(row)
            self.rooms[room_id] = self.room(room_id, version, [via])
            await self.rooms[room_id].load()
        return self.rooms[room_id]

    async def make_room(self, user: UserId, version: str, join_rule: str = "public") -> RoomId:
        """Make a room."""
        create = federation.create_room(self.author(user), version, room_id=self.drawn("!"))
        room = await self.begin(create.room_id, version, self.name)
        await self.run(federation.take_steps(create.pdu, room.room, self.name), room)
        await self.act(room, user, "m.room.member", {"membership": "join"}, state_key=user)
        levels = federation.first_levels(version, user)
        await self.act(room, user, "m.room.power_levels", levels, state_key="")
        await self.act(room, user, "m.room.join_rules", {"join_rule": join_rule}, state_key="")
        return create.room_id

    async def join(
        self, user: UserId, room_id: RoomId, via: ServerName = "", partial: bool = False
    ) -> EventId:
        """Join a room: here, or through a server that is in it."""
        room = self.rooms.get(room_id, self.nowhere)
        if self.name in await self.run(federation.current_servers_steps(room.room), room):
            return await self.act(room, user, "m.room.member", {"membership": "join"}, state_key=user)
        via = via or room_id.partition(":")[2]
        event = await self.run(
            federation.ask_template_steps(self.author(user), room_id, via, "join", versions=VERSIONS)
        )
        room = await self.begin(room_id, event.room_version.identifier, via)
        async with room.lock:
            steps = federation.send_join_steps(event, room.room, via, omit_members=partial)
            joined = await self.run(steps, room)
            if not joined.accepted:
                raise PermissionError(f"the join failed: {joined}")
            room.room = replace(room.room, servers=frozenset([via, *joined.check.servers]))
            sql = "UPDATE rooms SET servers = ? WHERE room_id = ?"
            await self.database.write((sql, [json.dumps([*room.room.servers]), room_id]))
        self.start(f"complete {room_id}", self.complete(room))
        return event.event_id
