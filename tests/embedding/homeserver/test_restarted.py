"""The store of the example homeserver, without a network: rooms that it has joined without their members."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiosqlite", reason="needs aiosqlite and aiohttp, of the group `example`")

from federation.two_servers import Server

from roomver import KeyRing, UnknownState, federation, get_room_version
from roomver.federation import Answer, LocalRoom, NeedResponse
from roomver.state import PartialState

from .modules import example_module

ALICE, BOB, DAN, EVE = "@alice:a.org", "@bob:b.org", "@dan:a.org", "@eve:b.org"
MEMBER = "m.room.member"


def omitting(answered: Callable[..., Answer]) -> Callable[..., Answer]:
    """Answer as a server does that omits members: a join's auth events are in the auth chain."""

    def answer(*request: str) -> Answer:
        answer = answered(*request)
        if "omit_members=true" not in request[1] or answer.status != 200:
            return answer
        body: Any = answer.body
        left = [one for one in body["state"] if one["type"] != MEMBER]
        mine = [one for one in body["state"] if one["type"] == MEMBER and one["sender"] != DAN]
        chain = [*body["auth_chain"], *mine]
        return answer._replace(body={**body, "state": left, "auth_chain": chain, "members_omitted": True})

    return answer


class Joining:
    """A server over memory with a room, and a server with the example's store."""

    def __init__(self, version: str, path: Path) -> None:
        network: dict[str, Server] = {}
        self.a, self.b = Server("a.org", network), Server("b.org", network)
        self.a.answered = omitting(self.a.answered)  # type: ignore[method-assign]
        self.room_id = self.a.make_room(ALICE, version)
        self.a.act(self.room_id, DAN, MEMBER, {"membership": "join"}, state_key=DAN)
        self.path, self.version = str(path), get_room_version(version)
        self.room = LocalRoom("b.org", self.room_id, self.version)

    async def ask(self, need: NeedResponse) -> object:
        return self.b.ask(need)

    async def keys(self, _: object) -> KeyRing:
        return KeyRing.of({one.name: {one.key.key_id: one.key.verify_key} for one in (self.a, self.b)})

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Any, None]:
        """Start the server: open its database, and load its room."""
        store = example_module("store")
        async with store.opened(self.path) as database:
            row = store.put(
                "rooms", room_id=self.room_id, version=self.version.identifier, servers="[]", extremities="[]"
            )
            if not await database.rows("SELECT * FROM rooms"):
                await database.write(row)
            room = LocalRoom("b.org", self.room_id, self.version, servers=frozenset(["a.org"]))
            self.room = replace(room)
            found = store.RoomStore(self.room, database, self.keys, self.ask)
            await found.load()
            yield found

    async def join(self, store: Any) -> str:
        """Join without members, and return the ID of the join."""
        steps = federation.ask_template_steps(
            self.b.author(BOB), self.room_id, "a.org", "join", versions=[self.version]
        )
        event = await federation.run_async(steps, store)
        joined = await federation.run_async(
            federation.send_join_steps(event, self.room, "a.org", omit_members=True), store
        )
        assert joined.accepted, joined
        return event.event_id

    async def say(self, store: Any, body: str) -> str:
        steps = federation.act_steps(self.b.author(BOB), self.room, "m.room.message", {"body": body})
        acted = await federation.run_async(steps, store)
        assert acted.event is not None, acted.reason
        return acted.event.event_id

    async def complete(self, store: Any, join: str) -> None:
        response = await federation.run_async(federation.fetch_state_steps(join, self.room), store)
        assert await federation.run_async(federation.complete_steps(join, response, self.room), store)

    async def state(self, store: Any) -> Any:
        return await federation.run_async(federation.current_state_steps(self.room), store)


@pytest.fixture(params=["1", "12"])
def joining(request: pytest.FixtureRequest, tmp_path: Path) -> Joining:
    return Joining(request.param, tmp_path / "b.db")


def run(work: Awaitable[None]) -> None:
    async def working() -> None:
        await asyncio.wait_for(work, 60)

    asyncio.run(working())


def test_after_a_restart_the_same_entries_are_unknown(joining: Joining) -> None:
    async def work() -> None:
        async with joining.opened() as store:
            join = await joining.join(store)
            first = await joining.say(store, "Before")
            before = await joining.state(store)
            assert isinstance(before, PartialState)
        async with joining.opened() as store:
            after = await joining.state(store)
            assert after == before
            assert after.get(("m.room.policy", "")) is None
            with pytest.raises(UnknownState):
                after.get((MEMBER, EVE))
            # States that are made from it are unknown in the same way, so they can be merged.
            (state,) = (await store.states_before([first])).values()
            assert state.unknown[0] is after.unknown[0]
            second = await joining.say(store, "After")
            assert store.extremities == {second}
            await joining.complete(store, join)
            theirs = joining.a.rooms[joining.room_id].state
            assert await joining.state(store) == {**theirs, (MEMBER, BOB): join}
        async with joining.opened() as store:
            assert not (await joining.state(store)).unknown

    run(work())


def test_a_room_that_was_left_is_joined_without_members_again(joining: Joining) -> None:
    async def work() -> None:
        async with joining.opened() as store:
            await joining.complete(store, await joining.join(store))
            kick = joining.a.act(joining.room_id, ALICE, MEMBER, {"membership": "leave"}, state_key=BOB)
            await federation.run_async(federation.take_steps(kick.pdu, joining.room, "a.org"), store)
            assert store.extremities == {kick.event_id}
            # The state before the join is known in part, and the state after the kick in whole.
            join = await joining.join(store)
            await joining.say(store, "Back")
        async with joining.opened() as store:
            assert (await joining.state(store)).unknown
            await joining.say(store, "Still back")
            await joining.complete(store, join)
            assert (await joining.state(store)).known[MEMBER, DAN]

    run(work())


def test_no_forward_extremities_are_stored_as_none(joining: Joining) -> None:
    async def work() -> None:
        async with joining.opened() as store:
            join = await joining.join(store)
            await joining.complete(store, join)
            assert store.extremities == {join}
            (stored,) = (await store.events([join])).values()
            await store.keep(federation.Keep(stored=stored, forward_extremities=frozenset()))
            assert (await store.current()).extremities == frozenset()
            await store.keep(federation.Keep(stored=stored))  # they stay as they are
            assert (await store.current()).extremities == frozenset()
        async with joining.opened() as store:
            assert (await store.current()).extremities == frozenset()

    run(work())
