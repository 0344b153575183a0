"""The command line of the example homeserver, and the control API by which its users act."""

# pyright: strict

import argparse
import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web
from unpaddedbase64 import encode_base64

from roomver import RoomverError, SigningKey, federation
from roomver.errors import RequestRefused
from roomver.types import ServerName

from .server import Homeserver
from .store import opened

MEMBERSHIPS = {"invite": {"membership": "invite"}, "kick": {"membership": "leave"}}


class Control:
    """The control API: see docs/homeserver.md. It is for tests, and does not ask who calls."""

    def __init__(self, server: Homeserver) -> None:
        self.server = server

    async def act(self, http: web.Request) -> web.Response:
        """Act for a user: see docs/homeserver.md."""
        action, body = http.match_info["action"], await http.json()
        if action == "make_room":
            return web.json_response({"room_id": await self.server.make_room(**body)})
        if action == "join":
            return web.json_response({"event_id": await self.server.join(**body)})
        room = self.server.rooms[body.pop("room_id")]
        if action == "backfill":
            async with room.lock:
                steps = federation.backfill_steps([*room.states], room.room, body["via"])
                return web.json_response({"events": await self.server.run(steps, room)})
        if action in MEMBERSHIPS:
            body |= {"type": "m.room.member", "content": MEMBERSHIPS[action], "state_key": body.pop("target")}
        elif action == "redact":
            body |= {"type": "m.room.redaction", "content": {}, "redacts": body.pop("event_id")}
        event_id = await self.server.act(room, body.pop("user"), body.pop("type"), **body)
        return web.json_response({"event_id": event_id})

    async def show(self, http: web.Request) -> web.Response:
        """Show what is stored of a room."""
        room = self.server.rooms[http.query["room_id"]]
        state = (await self.server.run(federation.current_state_steps(room.room), room)).known
        rows = await room.rows(
            "SELECT *, state IS NULL AS outlier FROM events WHERE room_id = ? ORDER BY position"
        )
        body = {"events": [{**dict(row), "pdu": json.loads(row["pdu"])} for row in rows]}
        entries = [[*key, event_id] for key, event_id in sorted(state.items())]
        return web.json_response({**body, "state": entries, "event_ids": sorted(room.extremities)})


@web.middleware
async def errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer what is refused, and what is malformed, with an error."""
    try:
        return await handler(request)
    except (PermissionError, RequestRefused) as error:
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
        control = Control(server)
        application = web.Application(middlewares=[errors], client_max_size=2**26)
        application.router.add_get("/_matrix/key/v2/server", server.answer_keys)
        application.router.add_route("*", "/_matrix/federation/{path:.*}", server.answer)
        application.router.add_post("/local/{action}", control.act)
        application.router.add_get("/local/{what}", control.show)
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


if __name__ == "__main__":
    main()
