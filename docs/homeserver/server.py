"""A small homeserver: it federates, and acts for its users through a control API. See docs/homeserver.md."""

import argparse
import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from unpaddedbase64 import encode_base64
from yarl import URL

from roomver import EventId, JsonObject, KeyRing, RoomverError, SigningKey, federation, get_room_version
from roomver.federation import LocalRoom, NeedResponse, run_async
from roomver.receive import state_before_steps
from roomver.types import KeyId, RoomId, ServerName, UserId

from .store import Database, RoomStore, opened, put

VERSIONS = [str(number) for number in range(1, 13)]
DAY_MS = 86_400_000


def now() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Homeserver:
    """The server of all users with its name."""

    def __init__(
        self, name: ServerName, key: SigningKey, peers: dict[ServerName, str], database: Database
    ) -> None:
        self.name, self.key, self.peers, self.database = name, key, peers, database
        self.session = ClientSession(timeout=ClientTimeout(total=30), raise_for_status=True)
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

    # Other servers

    async def ask(self, need: NeedResponse) -> object:
        """Send a signed request, and return the body of the response; None if it fails."""
        method, uri, content = need.method, need.uri, need.content
        signature = federation.sign_request(
            method, uri, origin=self.name, destination=need.server, key=self.key, content=content
        )
        url = URL(self.peers.get(need.server, f"https://{need.server}") + uri, encoded=True)
        headers = {"Authorization": signature}
        try:
            async with self.session.request(method, url, json=content, headers=headers) as response:
                return await response.json()
        except (ClientError, TimeoutError, ValueError):
            return None

    async def keys(self, keys: frozenset[tuple[ServerName, KeyId]]) -> KeyRing:
        """Return verify keys, and fetch those that are unknown or out of date."""
        self.ring = await run_async(federation.fetch_keys_steps(keys, self.ring, now()), self.nowhere)
        return self.ring

    async def answer_keys(self, _: web.Request) -> web.Response:
        """Answer a request for the verify key."""
        return web.json_response(federation.answer_keys(self.name, self.key, valid_until_ts=now() + DAY_MS))

    async def answer(self, http: web.Request) -> web.Response:
        """Answer another server. What it sends is stored before the response goes out."""
        authorization = http.headers.get("Authorization", "")
        request = federation.read_request(http.method, http.raw_path, authorization, await http.read())
        if request is None or not await run_async(
            federation.check_request_steps(request, self.name), self.nowhere
        ):
            return web.json_response({"errcode": "M_UNAUTHORIZED", "error": "not signed"}, status=401)
        room_ids, answer = request.room_ids, None
        if request.event_id is not None:
            sql = "SELECT room_id FROM events WHERE event_id = ?"
            room_ids = tuple(row["room_id"] for row in await self.database.rows(sql, request.event_id))
        for room_id in room_ids or [""]:
            room = self.rooms.get(room_id, self.nowhere)
            async with room.lock if request.changes else nullcontext():
                steps = federation.answer_steps(
                    request,
                    room.room,
                    origin_server_ts=now(),
                    key=self.key,
                    versions=VERSIONS,
                    answered=answer,
                )
                answer = await run_async(steps, room, executor=asyncio.to_thread)
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
            steps = federation.send_steps(pdus, name, server=server, origin=self.name, origin_server_ts=now())
            if await run_async(steps, self.nowhere):
                delete = "DELETE FROM outbox WHERE server = ? AND position <= ?"
                await self.database.write((delete, [server, rows[-1]["position"]]))
            else:
                await asyncio.sleep(0.5)

    async def complete(self, room: RoomStore) -> None:
        """Ask for the members that were left out when a room was joined, until they are known."""
        while rows := await room.rows("SELECT state FROM states WHERE room_id = ? AND partial"):
            async with room.lock:
                steps = federation.complete_steps(rows[0]["state"], room.room)
                done = await run_async(steps, room, executor=asyncio.to_thread)
            await asyncio.sleep(0 if done else 0.5)

    # Our own users

    def author(self, user: UserId) -> federation.Author:
        """Return what makes an event of a user."""
        return federation.Author(user=user, key=self.key, origin_server_ts=now(), event_id=self.drawn("$"))

    def drawn(self, sigil: str) -> str:
        """Draw an ID."""
        return f"{sigil}{secrets.token_urlsafe(12)}:{self.name}"

    async def act(
        self, room: RoomStore, user: UserId, kind: str, content: JsonObject, **options: str
    ) -> EventId:
        """Make an event, store it, and send it."""
        async with room.lock:
            steps = federation.act_steps(self.author(user), room.room, kind, content, **options)
            acted = await run_async(steps, room, executor=asyncio.to_thread)
        if acted.event is None:
            raise PermissionError(str(acted.reason))
        await self.send()
        return acted.event.event_id

    async def begin(self, room_id: RoomId, version: str, via: ServerName) -> RoomStore:
        """Return the store of a room that may be new here."""
        if room_id not in self.rooms:
            row = put("rooms", room_id=room_id, version=version, servers=json.dumps([via]), extremities="[]")
            await self.database.write(row)
            self.rooms[room_id] = self.room(room_id, version, [via])
        return self.rooms[room_id]

    async def make_room(self, user: UserId, version: str, join_rule: str = "public") -> RoomId:
        """Make a room."""
        create = federation.create_room(self.author(user), version, room_id=self.drawn("!"))
        room = await self.begin(create.room_id, version, self.name)
        await run_async(federation.take_steps(create.pdu, room.room, self.name), room)
        await self.act(room, user, "m.room.member", {"membership": "join"}, state_key=user)
        levels = federation.first_levels(version, user)
        await self.act(room, user, "m.room.power_levels", levels, state_key="")
        await self.act(room, user, "m.room.join_rules", {"join_rule": join_rule}, state_key="")
        return create.room_id

    async def change_membership(
        self, membership: str, room_id: RoomId, user: UserId, via: ServerName = "", partial: bool = False
    ) -> EventId:
        """Join or leave a room: here, or through a server that is in it."""
        room, content = self.rooms.get(room_id, self.nowhere), {"membership": membership}
        state = await run_async(state_before_steps(room.extremities, graph=room.room.graph), room)
        if state.state and self.name in await run_async(
            federation.servers_steps(state.state, room.room), room
        ):
            return await self.act(room, user, "m.room.member", {**content}, state_key=user)
        via = via or room_id.partition(":")[2]
        steps = federation.ask_template_steps(self.author(user), room_id, via, membership, versions=VERSIONS)
        event = await run_async(steps, self.nowhere)
        if membership == "leave":
            await run_async(federation.send_membership_steps(event, via), self.nowhere)
            return event.event_id
        room = await self.begin(room_id, event.room_version.identifier, via)
        async with room.lock:
            join = federation.send_join_steps(event, room.room, via, omit_members=partial)
            checked = await run_async(join, room, executor=asyncio.to_thread)
            if checked.refused is not False:
                raise PermissionError(f"the join failed: {'; '.join(map(str, checked.defects))}")
            room.room = replace(room.room, servers=frozenset([via, *checked.servers]))
            servers = json.dumps([*room.room.servers])
            sql = "UPDATE rooms SET servers = ? WHERE room_id = ?"
            await self.database.write((sql, [servers, room_id]))
        self.start(f"complete {room_id}", self.complete(room))
        return event.event_id

    async def act_locally(self, http: web.Request) -> web.Response:
        """Act for a user: see docs/homeserver.md."""
        body: dict[str, Any] = await http.json()
        match http.match_info["action"]:
            case "make_room":
                return web.json_response({"room_id": await self.make_room(**body)})
            case "join" | "leave" as membership:
                return web.json_response({"event_id": await self.change_membership(membership, **body)})
            case "invite":
                more = {"type": "m.room.member", "content": {"membership": "invite"}}
                body |= {**more, "state_key": body.pop("target")}
            case "kick":
                more = {"type": "m.room.member", "content": {"membership": "leave"}}
                body |= {**more, "state_key": body.pop("target")}
            case "redact":
                body |= {"type": "m.room.redaction", "content": {}, "redacts": body.pop("event_id")}
        room, kind = self.rooms[body.pop("room_id")], body.pop("type")
        return web.json_response({"event_id": await self.act(room, body.pop("user"), kind, **body)})

    async def show(self, http: web.Request) -> web.Response:
        """Show what is stored of a room."""
        room = self.rooms[http.query["room_id"]]
        state = await run_async(state_before_steps(room.extremities, graph=room.room.graph), room)
        known = sorted(state.state.known.items()) if state.state else []
        rows = await room.rows("SELECT *, state IS NULL AS outlier FROM events WHERE room_id = ?")
        events = [{**dict(row), "pdu": json.loads(row["pdu"])} for row in rows]
        return web.json_response({
            "state": [[*key, event_id] for key, event_id in known],
            "event_ids": sorted(room.extremities),
            "events": events,
        })  # fmt: skip

    async def backfill(self, http: web.Request) -> web.Response:
        """Fetch the history of a room from before it was joined."""
        body = await http.json()
        room = self.rooms[body["room_id"]]
        async with room.lock:
            steps = federation.backfill_steps([*room.states], room.room, body["via"])
            return web.json_response({"events": await run_async(steps, room)})


@web.middleware
async def errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer what is refused, and what is malformed, with an error."""
    try:
        return await handler(request)
    except PermissionError as error:
        return web.json_response({"errcode": "M_FORBIDDEN", "error": str(error)}, status=403)
    except (RoomverError, LookupError, TypeError, ValueError) as error:
        return web.json_response({"errcode": "M_BAD_JSON", "error": repr(error)}, status=400)


async def serve(name: ServerName, port: int, path: str, peers: dict[ServerName, str]) -> None:
    """Run the server until it is stopped."""
    async with opened(path) as database:
        seed = encode_base64(secrets.token_bytes(32))
        await database.write(("INSERT OR IGNORE INTO settings VALUES ('seed', ?)", [seed]))
        (row,) = await database.rows("SELECT value FROM settings")
        server = Homeserver(name, SigningKey.from_seed("ed25519:1", row["value"]), peers, database)
        await server.load()
        application = web.Application(middlewares=[errors], client_max_size=2**26)
        application.router.add_get("/_matrix/key/v2/server", server.answer_keys)
        application.router.add_route("*", "/_matrix/federation/{path:.*}", server.answer)
        application.router.add_post("/local/backfill", server.backfill)
        application.router.add_post("/local/{action}", server.act_locally)
        application.router.add_get("/local/{what}", server.show)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="the server name")
    parser.add_argument("--port", required=True, type=int, help="where to listen, on 127.0.0.1")
    parser.add_argument("--database", required=True, help="the SQLite file")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL", help="where a server is")
    arguments = parser.parse_args()
    peers = dict(peer.split("=", 1) for peer in arguments.peer)
    asyncio.run(serve(arguments.name, arguments.port, arguments.database, peers))
