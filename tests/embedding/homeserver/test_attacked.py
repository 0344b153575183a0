"""The example server keeps what it has, whatever other servers do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from roomver import Event, JsonObject, SigningKey, get_room_version
from roomver.federation import Keep, LocalRoom, NeedResponse
from roomver.state import RoomState
from roomver.steps import Stored

from .modules import example_module

for module in ("aiohttp", "aiosqlite"):
    pytest.importorskip(module, reason=f"needs {module}, of the group `example`")

T = TypeVar("T")


@pytest.fixture(scope="module")
def example() -> Any:
    return example_module("server")


def message(room_id: str, event_id: str, kind: str = "m.room.message") -> Event:
    pdu: JsonObject = {
        "room_id": room_id, "event_id": event_id, "type": kind, "sender": "@m:evil.org", "content": {},
        "prev_events": [["$before:evil.org", {}]], "auth_events": [], "depth": 1, "origin_server_ts": 1,
        "hashes": {}, "signatures": {},
    }  # fmt: skip
    return Event.trusted(pdu, get_room_version("1"), event_id)


def test_events_of_two_rooms_may_have_one_id(example: Any, tmp_path: Path) -> None:
    """In versions 1 and 2 a server chooses the IDs of its events, and may choose one twice."""
    database = str(tmp_path / "x.db")
    store = example_module("store")

    def room(room_id: str, opened: Any) -> Any:
        local = LocalRoom("b.org", room_id, get_room_version("1"))
        return store.RoomStore(local, opened, None, None)

    async def fill() -> None:
        async with store.opened(database) as opened:
            for number, room_id in enumerate(("!one:b.org", "!two:b.org")):
                one = room(room_id, opened)
                event = message(room_id, "$same:evil.org")
                before = RoomState({("m.room.topic", ""): f"$topic{number}:b.org"})
                await one.keep(Keep(stored=Stored(event), state_before=before))

    async def look() -> None:
        async with store.opened(database) as opened:
            for number, room_id in enumerate(("!one:b.org", "!two:b.org")):
                one = room(room_id, opened)
                await one.load()
                same = frozenset(["$same:evil.org"])
                assert (await one.events(same))["$same:evil.org"].event.room_id == room_id
                states = await one.states_before(same)
                assert states["$same:evil.org"]["m.room.topic", ""] == f"$topic{number}:b.org"
                assert await one.followed({"$before:evil.org"}) == {"$before:evil.org"}
            assert await room("!three:b.org", opened).followed({"$before:evil.org"}) == set()

    asyncio.run(fill())
    asyncio.run(look())


@pytest.mark.parametrize("server", ["a b", "a.org:99999", "[::", "user@a.org", ""])
def test_a_server_with_a_strange_name_does_not_answer(example: Any, server: str, tmp_path: Path) -> None:
    """A response to a join may name any server."""

    async def ask(here: Any) -> object:
        return await here.ask(NeedResponse(server, "GET", "/_matrix/x"))

    assert with_server(example, tmp_path, ask) is None


def with_server(example: Any, folder: Path, work: Callable[[Any], Awaitable[T]]) -> T:
    """Return what a server does."""

    async def done() -> T:
        async with example_module("store").opened(str(folder / "x.db")) as opened:
            here = example.Homeserver("b.org", SigningKey.from_seed("ed25519:1", "A" * 43), {}, opened)
            try:
                await here.load()
                return await work(here)
            finally:
                for task in here.tasks.values():
                    task.cancel()
                await here.session.close()

    return asyncio.run(done())


def test_a_server_that_lies_about_the_version_does_not_keep_others_from_joining(
    example: Any, tmp_path: Path
) -> None:
    async def begin(here: Any) -> None:
        await here.begin("!room:a.org", "1", "evil.org")
        room = await here.begin("!room:a.org", "11", "a.org")
        assert room.room.version.identifier == "11"
        assert here.rooms["!room:a.org"] is room

    async def begun(here: Any) -> str:
        version: str = here.rooms["!room:a.org"].room.version.identifier
        return version

    with_server(example, tmp_path, begin)
    assert with_server(example, tmp_path, begun) == "11"


def test_a_response_that_is_nested_too_deep_is_no_response(example: Any, tmp_path: Path) -> None:
    async def ask(here: Any) -> object:
        async def deep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = b"[" * 200_000
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % len(body) + body)
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(deep, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            here.peers["evil.org"] = f"http://127.0.0.1:{port}"
            return await here.ask(NeedResponse("evil.org", "GET", "/x"))

    assert with_server(example, tmp_path, ask) is None
