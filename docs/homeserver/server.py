"""A homeserver on roomver that federates: it joins rooms, is joined, sends, receives, and catches up."""

import argparse
import asyncio
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any
from functools import partial
from urllib.parse import quote as quote_part

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from unpaddedbase64 import encode_base64
from yarl import URL

from roomver import (
    Event,
    EventId,
    JsonObject,
    KeyRing,
    RoomverError,
    SigningKey,
    encode_canonical,
    parse_event,
    sign_json,
)
from roomver.make import (
    check_invite_steps,
    check_send_join_steps,
    check_sent,
    complete_template,
    make_steps,
    stripped_state_steps,
    take_signature,
    template_steps,
)
from roomver.receive import Receipt, ReceiptStatus, check_state_steps, receive_steps, state_before_steps
from roomver.signatures import read_server_keys, verify_json
from roomver.signing import countersign
from roomver.state import State
from roomver.steps import run_async
from roomver.types import KeyId, RoomId, ServerName, UserId
from roomver.versions import RoomIdForm, get_room_version

from .store import Database, RoomStore, opened

VERSIONS = [str(number) for number in range(1, 13)]
FEDERATION = "/_matrix/federation"
quote = partial(quote_part, safe="")  # event IDs of version 3 have slashes
FAILURES = (ClientError, TimeoutError, RoomverError, KeyError, ValueError)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def now() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def server_of(user: UserId) -> ServerName:
    """Return the server of a user."""
    return user.partition(":")[2]


def refused(status: int, why: object) -> web.HTTPException:
    """Return an error response, to be raised."""
    text = json.dumps({"errcode": "M_FORBIDDEN" if status == 403 else "M_UNKNOWN", "error": str(why)})
    kind: type[web.HTTPException] = web.HTTPForbidden if status == 403 else web.HTTPBadRequest
    return kind(text=text, content_type="application/json")


class Homeserver:
    """The server of all users with its name."""

    def __init__(
        self, name: ServerName, key: SigningKey, peers: dict[ServerName, str], database: Database
    ) -> None:
        self.name, self.key, self.peers, self.database = name, key, peers, database
        self.session = ClientSession(timeout=ClientTimeout(total=20), raise_for_status=True)
        self.ring = KeyRing.of({name: {key.key_id: key.verify_key}})
        self.rooms: dict[RoomId, RoomStore] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def load(self) -> None:
        """Go on where the server stopped."""
        for row in await self.database.rows("SELECT response FROM keys"):
            self.ring |= KeyRing.of(dict([read_server_keys(json.loads(row["response"]))]))
        for row in await self.database.rows("SELECT room_id, version FROM rooms"):
            room = self.rooms[row["room_id"]] = RoomStore(
                self.database, self.keys, row["room_id"], row["version"]
            )
            await room.load()
            self.start(f"complete {room.room_id}", self.complete(room))
        await self.send_out()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background, unless it is being done already."""
        task = self.tasks.get(name)
        if task is None or task.done():
            self.tasks[name] = asyncio.create_task(work)
        else:
            work.close()

    # Requests

    async def call(self, server: ServerName, method: str, path: str, content: Any = None) -> Any:
        """Send a signed request to another server, and return its response."""
        request = {"method": method, "uri": path, "origin": self.name, "destination": server}
        if content is not None:
            request["content"] = content
        signature = encode_base64(self.key.sign(encode_canonical(request)))
        header = (
            f'X-Matrix origin="{self.name}",destination="{server}",key="{self.key.key_id}",sig="{signature}"'
        )
        url = URL(self.peers.get(server, f"https://{server}") + path, encoded=True)
        async with self.session.request(
            method, url, json=content, headers={"Authorization": header}
        ) as response:
            return await response.json()

    async def origin_of(self, request: web.Request) -> ServerName:
        """Return the server that signed a request."""
        fields = dict(re.findall(r'(\w+)="?([^",]*)', request.headers.get("Authorization", "")))
        origin: ServerName = fields["origin"]
        key_id: KeyId = fields["key"]
        signed = {
            "method": request.method,
            "uri": request.raw_path,
            "origin": origin,
            "destination": self.name,
        }
        if request.can_read_body:
            signed["content"] = await request.json()
        ring = await self.keys(frozenset([(origin, key_id)]))
        keys = dict.fromkeys([key_id], *ring.find(origin, key_id)[:1])
        if not verify_json({**signed, "signatures": {origin: {key_id: fields["sig"]}}}, origin, keys).valid:
            raise refused(403, "the request is not signed by its origin")
        return origin

    async def keys(self, pairs: frozenset[tuple[ServerName, KeyId]]) -> KeyRing:
        """Return the verify keys of servers. Those that are unknown or out of date are fetched."""
        for server in {
            server
            for server, key_id in pairs
            if not any((key.valid_until_ts or now()) >= now() for key in self.ring.find(server, key_id))
        }:
            try:
                response = await self.call(server, "GET", "/_matrix/key/v2/server")
                name, keys = read_server_keys(response)
            except FAILURES:
                continue
            if name == server:
                self.ring |= KeyRing.of({server: keys})
                sql = "INSERT OR REPLACE INTO keys VALUES (?, ?)"
                await self.database.write((sql, (server, json.dumps(response))))
        return replace(self.ring, now=now())

    # Receiving events

    async def attempt(self, room: RoomStore, pdu: Any, *, relay: bool = False, **options: Any) -> Receipt:
        """Receive an event, and store it if it is decided and the state before it is known."""
        steps = receive_steps(pdu, room.version, graph=room.graph, **options)
        receipt = await run_async(steps, room, executor=asyncio.to_thread)
        event, before = receipt.event, receipt.state_before
        if event is not None and await room.states_after(frozenset([event.event_id])):
            return receipt
        if event is None or before is None or not receipt.decided or event.room_id != room.room_id:
            return receipt
        destinations = await room.servers(before) - {self.name, server_of(event.sender)} if relay else set()
        accepted = receipt.status is ReceiptStatus.ACCEPTED
        await room.keep(receipt, receipt.forward_extremities, destinations if accepted else ())
        return receipt

    async def settle(self, room: RoomStore, pdu: Any, origin: ServerName, **options: Any) -> Receipt:
        """Receive an event. Ask its sender for what it lacks; if that does not decide it, let it wait."""
        receipt = await self.attempt(room, pdu, **options)
        event, state = receipt.event, None
        if event is None or (receipt.decided and receipt.state_before is not None):
            return receipt
        where = f"{quote(room.room_id)}/{quote(event.event_id)}"
        try:
            if receipt.lacking.auth_events:
                chain = await self.call(origin, "GET", f"{FEDERATION}/v1/event_auth/{where}")
                await self.keep_outliers(room, {"pdus": [], **chain})
            if receipt.lacking.prev_events:
                state = await self.keep_outliers(room, await self.fetch_state(room, event.event_id, origin))
        except FAILURES as error:
            print(f"{self.name}: {origin} does not tell what {event.event_id} lacks: {error!r}")
        receipt = await self.attempt(room, pdu, state_before=state, **options)
        if not receipt.decided:
            sql = "INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?)"
            await self.database.write((sql, (event.event_id, room.room_id, origin, json.dumps(pdu))))
        return receipt

    async def take(self, room: RoomStore, pdu: Any, origin: ServerName, **options: Any) -> Receipt:
        """Receive an event from another server, after the events before it that are missing here."""
        async with room.lock:
            receipt = await self.attempt(room, pdu, **options)
            event = receipt.event
            if event is not None and await room.states_after(frozenset([event.event_id])):
                return receipt
            if event is None or (receipt.decided and receipt.state_before is not None):
                return receipt
            try:
                missing = await self.fetch_missing(room, event, origin)
            except FAILURES as error:
                print(f"{self.name}: {origin} does not tell what comes before {event.event_id}: {error!r}")
                missing = []
            for one in missing:
                await self.settle(room, one.pdu, origin)
            receipt = await self.settle(room, pdu, origin, **options)
            await self.retry(room)
            return receipt

    async def retry(self, room: RoomStore) -> None:
        """Receive the waiting events again, as long as that decides some of them."""
        decided = True
        while decided:
            sql = "SELECT pdu FROM waiting WHERE room_id = ?"
            rows = await self.database.rows(sql, room.room_id)
            decided = any([(await self.attempt(room, json.loads(row["pdu"]))).decided for row in rows])

    async def fetch_missing(self, room: RoomStore, event: Event, origin: ServerName) -> list[Event]:
        """Fetch the events between the forward extremities and an event, earliest first."""
        found, todo = dict[EventId, Event](), [event.event_id]
        while todo:
            body = {"earliest_events": [*room.extremities], "latest_events": todo, "limit": 20}
            path = f"{FEDERATION}/v1/get_missing_events/{quote(room.room_id)}"
            pdus = (await self.call(origin, "POST", path, body))["events"]
            new = {one.event_id: one for one in (parse_event(pdu, room.version) for pdu in pdus)}
            new = {event_id: one for event_id, one in new.items() if event_id not in found}
            found |= new
            previous = frozenset(prev for one in new.values() for prev in one.prev_event_ids)
            lacking = previous - found.keys() - (await room.states_after(previous)).keys()
            todo = [event_id for event_id, one in new.items() if not lacking.isdisjoint(one.prev_event_ids)]
        return sorted(found.values(), key=lambda one: one.depth)

    async def fetch_state(self, room: RoomStore, event_id: EventId, origin: ServerName) -> Any:
        """Fetch the state before an event, and of its events those that are not stored."""
        path = f"{FEDERATION}/v1/state_ids/{quote(room.room_id)}?event_id={quote(event_id)}"
        answer = await self.call(origin, "GET", path)
        ids = [answer["pdu_ids"], answer["auth_chain_ids"]]
        pdus: dict[EventId, Any] = {}
        stored = await room.events({one for part in ids for one in part})
        for one in {one for part in ids for one in part}:
            if one in stored:
                pdus[one] = stored[one].event.pdu
            else:
                pdus[one] = (await self.call(origin, "GET", f"{FEDERATION}/v1/event/{quote(one)}"))["pdus"][0]
        return {"pdus": [pdus[one] for one in ids[0]], "auth_chain": [pdus[one] for one in ids[1]]}

    async def keep_outliers(self, room: RoomStore, response: Any) -> State[EventId] | None:
        """Check and store events of a state and of its auth chain, and return the state."""
        steps = check_state_steps(response, room.version, room_id=room.room_id)
        given = await run_async(steps, room, executor=asyncio.to_thread)
        for receipt in given.receipts:
            if receipt.stored is not None:
                await room.keep(receipt)
        return given.state

    async def complete(self, room: RoomStore) -> None:
        """Ask for the members that were omitted when a room was joined, until they are known."""
        sql = "SELECT state FROM states WHERE room_id = ? AND partial"
        while rows := [*await self.database.rows(sql, room.room_id)]:
            for server in sorted(room.told_servers - {self.name}):
                try:
                    response = await self.fetch_state(room, rows[0]["state"], server)
                except FAILURES:
                    continue
                async with room.lock:
                    state = await self.keep_outliers(room, response)
                    if state is not None and not state.unknown:
                        await room.complete(rows[0]["state"], state)
                        await self.retry(room)
                        break
            else:
                await asyncio.sleep(1)

    # Making events

    async def make(self, room: RoomStore, user: UserId, kind: str, content: Any, **options: Any) -> EventId:
        """Make an event of a user of this server, store it, and send it to the other servers in the room."""
        invited = server_of(options["state_key"]) if content.get("membership") == "invite" else self.name
        async with room.lock:
            made = await run_async(
                make_steps(
                    room.version, kind, user, content, origin_server_ts=now(), key=self.key,
                    event_id=self.drawn("$"), graph=room.graph, **options,
                ),
                room,
                executor=asyncio.to_thread,
            )  # fmt: skip
        event = made.event
        if event is None or server_of(user) != self.name:
            raise refused(403, made.verdict)
        if invited != self.name:
            stripped = await run_async(stripped_state_steps(graph=room.graph), room)
            body = {"room_version": room.version, "event": event.pdu, "invite_room_state": stripped}
            path = f"{FEDERATION}/v2/invite/{quote(room.room_id)}/{quote(event.event_id)}"
            event = take_signature(event, await self.call(invited, "PUT", path, body), invited)
        async with room.lock:
            receipt = await self.attempt(room, event.pdu, relay=True)
        if receipt.status is not ReceiptStatus.ACCEPTED:
            raise refused(403, receipt)
        await self.send_out()
        return event.event_id

    def drawn(self, sigil: str) -> str:
        """Draw an ID."""
        return f"{sigil}{secrets.token_urlsafe(12)}:{self.name}"

    async def send_out(self) -> None:
        """Send what is in the outbox, to each server on its own."""
        for row in await self.database.rows("SELECT DISTINCT destination FROM outbox"):
            self.start(f"send to {row['destination']}", self.send_to(row["destination"]))

    async def send_to(self, server: ServerName) -> None:
        """Send the events in the outbox to a server, in order, again and again until it has answered."""
        sql = "SELECT position, pdu FROM outbox WHERE destination = ? ORDER BY position LIMIT 50"
        while rows := [*await self.database.rows(sql, server)]:
            pdus = [json.loads(row["pdu"]) for row in rows]
            body = {"origin": self.name, "origin_server_ts": now(), "pdus": pdus}
            first, last = rows[0]["position"], rows[-1]["position"]
            try:
                await self.call(server, "PUT", f"{FEDERATION}/v1/send/{first}-{last}", body)
            except FAILURES:
                await asyncio.sleep(0.5)
                continue
            done = "DELETE FROM outbox WHERE destination = ? AND position <= ?"
            await self.database.write((done, (server, last)))

    # Joining and leaving rooms of other servers

    def room(self, room_id: RoomId) -> RoomStore:
        """Return a room that this server is or was in."""
        if room_id not in self.rooms:
            raise refused(403, "this server is not in the room")
        return self.rooms[room_id]

    async def state_now(self, room: RoomStore) -> State[EventId]:
        """Return the current state of a room."""
        found = await run_async(state_before_steps(room.extremities, graph=room.graph), room)
        if found.state is None:
            raise refused(403, "the state of the room is unknown")
        return found.state

    async def open_room(self, room_id: RoomId, version: str, servers: Iterable[ServerName] = ()) -> RoomStore:
        """Return a room, which may be a new one."""
        room = self.rooms.setdefault(room_id, RoomStore(self.database, self.keys, room_id, version))
        room.told_servers = frozenset(servers)
        sql = "INSERT INTO rooms VALUES (?, ?, ?, '[]') ON CONFLICT DO UPDATE SET servers = excluded.servers"
        await self.database.write((sql, (room_id, version, json.dumps([*servers]))))
        return room

    async def member(self, body: Any, membership: str) -> EventId:
        """Let a user join or leave a room: here, or through a server that is in it."""
        room_id, user = body["room_id"], body["user"]
        room = self.rooms.get(room_id)
        if room is not None and self.name in await room.servers(await self.state_now(room)):
            content = {"membership": membership}
            return await self.make(room, user, "m.room.member", content, state_key=user, room_id=room_id)
        invites = await self.database.rows("SELECT value FROM settings WHERE name = ?", f"{room_id} {user}")
        via = body.get("via") or next((row["value"] for row in invites), server_of(room_id))
        versions = "&".join(f"ver={version}" for version in VERSIONS)
        path = f"{FEDERATION}/v1/make_{membership}/{quote(room_id)}/{quote(user)}?{versions}"
        event = complete_template(
            await self.call(via, "GET", path), membership=membership, user=user, room_id=room_id,
            versions=VERSIONS, origin_server_ts=now(), key=self.key, event_id=self.drawn("$"),
        )  # fmt: skip
        path = f"{FEDERATION}/v2/send_{membership}/{quote(room_id)}/{quote(event.event_id)}"
        if membership == "join":
            path += f"?omit_members={'true' if body.get('partial') else 'false'}"
        response = await self.call(via, "PUT", path, event.pdu)
        if membership == "join":
            await self.joined(event, response, via)
        return event.event_id

    async def joined(self, event: Event, response: Any, via: ServerName) -> None:
        """Check and store the room that a user has joined."""
        room = RoomStore(self.database, self.keys, event.room_id, str(event.room_version))
        checked = await run_async(check_send_join_steps(response, event), room, executor=asyncio.to_thread)
        if checked.refused is not False:
            raise refused(400, f"{via} sent a join that cannot be used: {checked.defects}")
        room = await self.open_room(event.room_id, str(event.room_version), {*checked.servers, via})
        async with room.lock:
            for receipt in checked.receipts:
                if receipt.stored is not None:
                    await room.keep(receipt)
            steps = receive_steps(
                checked.join.pdu,
                room.version,
                state_before=checked.state,
                from_history=True,
                graph=room.graph,
            )
            receipt = await run_async(steps, room)
            if not receipt.decided and receipt.lacking.entries:
                # The membership before the join is unknown. That it is allowed is what the other server says.
                delta = {("m.room.member", event.sender): event.event_id}
                receipt = replace(receipt, status=ReceiptStatus.ACCEPTED, delta=delta)
            await room.keep(receipt, frozenset([event.event_id]))
        self.start(f"complete {room.room_id}", self.complete(room))

    # What other servers ask for

    async def serve_keys(self, _: web.Request) -> web.Response:
        """Publish the verify key."""
        key = {self.key.key_id: {"key": encode_base64(self.key.verify_key.key)}}
        response = {"server_name": self.name, "verify_keys": key, "valid_until_ts": now() + 86_400_000}
        return web.json_response(sign_json({**response, "old_verify_keys": {}}, self.name, self.key))

    async def shared_room(self, request: web.Request) -> RoomStore:
        """Return the room of a request, if the server that asks is in it."""
        room = self.room(request.match_info["room_id"])
        if await self.origin_of(request) not in await room.servers(await self.state_now(room)):
            raise refused(403, "the server is not in the room")
        return room

    async def serve_template(self, request: web.Request) -> web.Response:
        """Answer /make_join, /make_leave and /make_knock."""
        origin, user = await self.origin_of(request), request.match_info["user"]
        room = self.room(request.match_info["room_id"])
        if server_of(user) != origin or room.version not in request.query.getall("ver", [room.version]):
            raise refused(400, f"not a user of {origin}, or another room version than {room.version}")
        steps = template_steps(
            room.version, request.match_info["membership"], user, room_id=room.room_id, server=self.name,
            origin_server_ts=now(), graph=room.graph,
        )  # fmt: skip
        template = await run_async(steps, room, executor=asyncio.to_thread)
        if template.response is None:
            raise refused(403, template.verdict)
        return web.json_response(template.response)

    async def serve_sent(self, request: web.Request) -> web.Response:
        """Answer /send_join, /send_leave and /send_knock."""
        origin, membership = await self.origin_of(request), request.match_info["membership"]
        room, pdu = self.room(request.match_info["room_id"]), await request.json()
        event = parse_event(pdu, room.version)
        where = {"room_id": room.room_id, "event_id": request.match_info["event_id"]}
        if defects := check_sent(event, membership=membership, origin=origin, **where):
            raise refused(400, defects)
        receipt = await self.take(room, pdu, origin, relay=True)
        if receipt.status is not ReceiptStatus.ACCEPTED or receipt.state_before is None:
            raise refused(403, receipt)
        await self.send_out()
        if membership != "join":
            return web.json_response({})
        ids = [*receipt.state_before.as_dict().values()]
        state = [stored.event for stored in (await room.events(ids)).values()]
        chain = await room.walk(
            [one for event in state for one in event.auth_parents], lambda one: one.auth_parents
        )
        return web.json_response({
            "origin": self.name, "event": pdu, "members_omitted": False,
            "state": [one.pdu for one in state], "auth_chain": [one.pdu for one in chain],
            "servers_in_room": sorted(await room.servers(receipt.state_before)),
        })  # fmt: skip

    async def serve_invite(self, request: web.Request) -> web.Response:
        """Sign an invite of one of our users."""
        origin, room_id, body = (
            await self.origin_of(request),
            request.match_info["room_id"],
            await request.json(),
        )
        steps = check_invite_steps(
            body, room_id=room_id, origin=origin, server=self.name, versions=VERSIONS,
            event_id=request.match_info["event_id"],
        )  # fmt: skip
        checked = await run_async(steps, RoomStore(self.database, self.keys, room_id, ""))
        event = checked.event
        if checked.refused is not False or event is None:
            raise refused(403, (*checked.defects, *checked.state_defects))
        sql = "INSERT OR REPLACE INTO settings VALUES (?, ?)"
        await self.database.write((sql, (f"{room_id} {event.state_key}", origin)))
        return web.json_response({"event": countersign(event.pdu, event.room_version, self.name, self.key)})

    async def serve_send(self, request: web.Request) -> web.Response:
        """Receive the events of a transaction. The answer goes out when all of them are stored."""
        origin, results = await self.origin_of(request), dict[str, JsonObject]()
        for pdu in (await request.json())["pdus"]:
            room = self.rooms.get(str(pdu.get("room_id")))
            if room is not None:
                receipt = await self.take(room, pdu, origin)
                results[receipt.event_id or ""] = {"error": str(receipt)} if receipt.event is None else {}
        return web.json_response({"pdus": results})

    async def serve_event(self, request: web.Request) -> web.Response:
        """Answer /event."""
        origin, event_id = await self.origin_of(request), request.match_info["event_id"]
        for row in await self.database.rows("SELECT room_id, pdu FROM events WHERE event_id = ?", event_id):
            room = self.room(row["room_id"])
            if origin in await room.servers(await self.state_now(room)):
                body = {"origin": self.name, "origin_server_ts": now(), "pdus": [json.loads(row["pdu"])]}
                return web.json_response(body)
        raise refused(403, "the event is not here")

    async def serve_state(self, request: web.Request) -> web.Response:
        """Answer /state and /state_ids: the state before an event, and its auth chain."""
        room = await self.shared_room(request)
        sql = "SELECT state FROM events WHERE event_id = ? AND state IS NOT NULL"
        for row in await self.database.rows(sql, request.query["event_id"]):
            state = [*room.states[row["state"]].as_dict().values()]
            events = {one: stored.event for one, stored in (await room.events(state)).items()}
            parents = [one for event in events.values() for one in event.auth_parents]
            chain = await room.walk(parents, lambda event: event.auth_parents)
            if request.path.startswith(f"{FEDERATION}/v1/state_ids"):
                return web.json_response(
                    {"pdu_ids": state, "auth_chain_ids": [one.event_id for one in chain]}
                )
            pdus = [event.pdu for event in events.values()]
            return web.json_response({"pdus": pdus, "auth_chain": [one.pdu for one in chain]})
        raise refused(403, "the state before the event is unknown")

    async def serve_auth(self, request: web.Request) -> web.Response:
        """Answer /event_auth: the auth chain of an event."""
        room = await self.shared_room(request)
        events = await room.events([request.match_info["event_id"]])
        parents = [one for stored in events.values() for one in stored.event.auth_parents]
        chain = await room.walk(parents, lambda event: event.auth_parents)
        return web.json_response({"auth_chain": [event.pdu for event in chain]})

    async def serve_missing(self, request: web.Request) -> web.Response:
        """Answer /get_missing_events: events between those that the other server has and others."""
        room, body = await self.shared_room(request), await request.json()
        events = await room.events(body["latest_events"])
        previous = [one for stored in events.values() for one in stored.event.prev_event_ids]
        limit = min(int(body.get("limit", 10)), 50)
        found = await room.walk(previous, lambda event: event.prev_event_ids, body["earliest_events"], limit)
        return web.json_response({"events": [event.pdu for event in reversed(found)]})

    async def serve_backfill(self, request: web.Request) -> web.Response:
        """Answer /backfill: some events and those before them."""
        room, limit = await self.shared_room(request), min(int(request.query["limit"]), 100)
        found = await room.walk(request.query.getall("v"), lambda event: event.prev_event_ids, (), limit)
        body = {"origin": self.name, "origin_server_ts": now(), "pdus": [event.pdu for event in found]}
        return web.json_response(body)

    # What our own users ask for

    async def local(self, request: web.Request) -> web.Response:
        """Act for a user of this server."""
        action, body = request.match_info["action"], await request.json()
        if action == "make_room":
            return web.json_response({"room_id": await self.make_room(**body)})
        if action in {"join", "leave"}:
            return web.json_response({"event_id": await self.member(body, action)})
        room, user = self.room(body["room_id"]), body["user"]
        if action == "backfill":
            return web.json_response({"events": await self.backfill(room, body["via"])})
        kind, content, options = "m.room.member", {}, {"room_id": room.room_id}
        if action == "send":
            kind, content = body["type"], body["content"]
            options |= {"state_key": body["state_key"]} if "state_key" in body else {}
        elif action == "redact":
            kind, options["redacts"] = "m.room.redaction", body["event_id"]
        else:
            content = {"membership": {"invite": "invite", "kick": "leave"}[action]}
            options["state_key"] = body["target"]
        return web.json_response({"event_id": await self.make(room, user, kind, content, **options)})

    async def make_room(self, user: UserId, version: str, join_rule: str = "public") -> RoomId:
        """Create a room."""
        record = get_room_version(version)
        room_id = None if record.room_id_form is RoomIdForm.CREATE_HASH else self.drawn("!")
        content = {"room_version": version} | ({"creator": user} if record.creator_in_content else {})
        create = await run_async(
            make_steps(
                version, "m.room.create", user, content, state_key="", room_id=room_id,
                origin_server_ts=now(), key=self.key, event_id=self.drawn("$"),
            ),
            RoomStore(self.database, self.keys, "", version),
        )  # fmt: skip
        if create.event is None:
            raise refused(403, create.verdict)
        room = await self.open_room(create.event.room_id, version)
        async with room.lock:
            await self.attempt(room, create.event.pdu)
        levels = {} if record.infinite_creator_level else {user: 100}
        begun: list[tuple[str, str, JsonObject]] = [
            ("m.room.member", user, {"membership": "join"}),
            ("m.room.power_levels", "", {"users": {**levels}}),
            ("m.room.join_rules", "", {"join_rule": join_rule}),
        ]
        for kind, state_key, fields in begun:
            await self.make(room, user, kind, fields, state_key=state_key, room_id=room.room_id)
        return room.room_id

    async def backfill(self, room: RoomStore, server: ServerName) -> int:
        """Fetch the history before the events that are stored, and return how many events that was."""
        found = dict[EventId, Event]()
        while True:
            sql = "SELECT * FROM events WHERE room_id = ? AND state IS NOT NULL"
            have = [room.stored(row).event for row in await self.database.rows(sql, room.room_id)]
            known = {event.event_id for event in have} | found.keys()
            todo = {prev for event in (*have, *found.values()) for prev in event.prev_event_ids} - known
            if not todo:
                break
            events = "&".join(f"v={quote(event_id)}" for event_id in sorted(todo)[:20])
            path = f"{FEDERATION}/v1/backfill/{quote(room.room_id)}?limit=100&{events}"
            pdus = (await self.call(server, "GET", path))["pdus"]
            new = {event.event_id: event for event in (parse_event(pdu, room.version) for pdu in pdus)}
            if new.keys() <= known:
                break
            found |= new
        async with room.lock:
            for event in sorted(found.values(), key=lambda event: event.depth):
                await self.attempt(room, event.pdu, from_history=True)
        return len(found)

    async def show(self, request: web.Request) -> web.Response:
        """Show a room to our own users."""
        room = self.room(request.query["room_id"])
        match request.match_info["what"]:
            case "state":
                state = (await self.state_now(room)).known
                return web.json_response(
                    {"state": [[*key, event_id] for key, event_id in sorted(state.items())]}
                )
            case "extremities":
                return web.json_response({"event_ids": sorted(room.extremities)})
            case _:
                columns = "event_id, pdu, rejected, soft_failed, state IS NULL AS outlier"
                sql = f"SELECT {columns} FROM events WHERE room_id = ? ORDER BY position"
                rows = [dict(row) for row in await self.database.rows(sql, room.room_id)]
                return web.json_response({"events": [row | {"pdu": json.loads(row["pdu"])} for row in rows]})

    def application(self) -> web.Application:
        """Return the web server."""

        @web.middleware
        async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except (*FAILURES, TypeError, AttributeError) as error:
                raise refused(400, repr(error)) from error

        application = web.Application(middlewares=[errors], client_max_size=2**26)
        application.add_routes([
            web.get("/_matrix/key/v2/server", self.serve_keys),
            web.get(FEDERATION + "/v1/make_{membership}/{room_id}/{user}", self.serve_template),
            web.put(FEDERATION + "/{v}/send_{membership}/{room_id}/{event_id}", self.serve_sent),
            web.put(FEDERATION + "/v2/invite/{room_id}/{event_id}", self.serve_invite),
            web.put(FEDERATION + "/v1/send/{transaction}", self.serve_send),
            web.get(FEDERATION + "/v1/event/{event_id}", self.serve_event),
            web.get(FEDERATION + "/v1/{_:state|state_ids}/{room_id}", self.serve_state),
            web.get(FEDERATION + "/v1/event_auth/{room_id}/{event_id}", self.serve_auth),
            web.post(FEDERATION + "/v1/get_missing_events/{room_id}", self.serve_missing),
            web.get(FEDERATION + "/v1/backfill/{room_id}", self.serve_backfill),
            web.post("/local/{action}", self.local),
            web.get("/local/{what}", self.show),
        ])  # fmt: skip
        return application


async def serve(name: ServerName, port: int, path: str, peers: dict[ServerName, str]) -> None:
    """Run the server until it is stopped."""
    async with opened(path) as database:
        sql = "INSERT OR IGNORE INTO settings VALUES ('key', ?)"
        await database.write((sql, (encode_base64(secrets.token_bytes(32)),)))
        (row,) = await database.rows("SELECT value FROM settings WHERE name = 'key'")
        server = Homeserver(name, SigningKey.from_seed("ed25519:1", row["value"]), peers, database)
        await server.load()
        runner = web.AppRunner(server.application())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="the server name")
    parser.add_argument("--port", required=True, type=int, help="where to listen, on 127.0.0.1")
    parser.add_argument("--database", required=True, help="the SQLite file")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL", help="where a server is")
    arguments = parser.parse_args()
    peers = dict(peer.split("=", 1) for peer in arguments.peer)
    asyncio.run(serve(arguments.name, arguments.port, arguments.database, peers))
