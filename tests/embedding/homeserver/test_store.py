"""The store of the example homeserver, by itself: states that are known in part."""

import asyncio
import importlib
from pathlib import Path
from typing import Any

import pytest

from roomver import Event, PartialState, get_room_version
from roomver.federation import Complete, Keep, LocalRoom
from roomver.state import RoomState, State, Unknown
from roomver.steps import Stored

from .link import ROOT

pytest.importorskip("aiosqlite", reason="needs aiosqlite, of the extra `example`")

KEY = ("m.room.member", "@bob:b.org")
NAME = ("m.room.name", "")


def message(event_id: str, *previous: str) -> Event:
    """Return an event of a room of version 1, in which the sender chooses the ID."""
    pdu: Any = {
        "type": "m.room.message", "sender": "@a:a.org", "room_id": "!r:a.org", "event_id": event_id,
        "content": {}, "depth": 1, "origin_server_ts": 1, "hashes": {"sha256": ""}, "auth_events": [],
        "prev_events": [[one, {"sha256": ""}] for one in previous],
    }  # fmt: skip
    return Event.trusted(pdu, get_room_version("1"), event_id)


def played(path: Path, kept: dict[str, tuple[tuple[str, ...], State[str]]], added: Any) -> Any:
    """Store messages with states, complete one, and return the states, and those after a restart."""
    # Another module of the tests is named `homeserver`.
    store: Any = importlib.import_module("docs.homeserver.store")

    async def work() -> Any:
        async with store.opened(str(path)) as database:
            room = LocalRoom("a.org", "!r:a.org", get_room_version("1"))
            here = store.RoomStore(room, database, None, None)
            for event_id, (previous, state) in kept.items():
                await here.keep(Keep(stored=Stored(message(event_id, *previous)), state_before=state))
            before = await here.states_before(kept)
            again = store.RoomStore(room, database, None, None)
            await again.load()
            reread = await again.states_before(kept)
            for event_id, entries in added.items():
                await again.complete(Complete(event_id, entries))
            return before, reread, await again.states_before(kept)

    return asyncio.run(work())


def test_states_that_are_unknown_in_different_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch whose members are unknown, one with the state that another server told, and their merge."""
    monkeypatch.syspath_prepend(str(ROOT))
    known = RoomState({NAME: "$name"})
    in_part = PartialState(known, [Unknown.members()])
    merged = PartialState(known, [Unknown.everything("the states may differ in what is unknown")])
    kept: dict[str, tuple[tuple[str, ...], State[str]]] = {
        "$join:a": ((), in_part),
        "$one:a": (("$join:a",), in_part.changed({NAME: "$other"})),
        "$told:a": (("$join:a", "$gone:a"), RoomState({NAME: "$name", KEY: "$bob"})),
        "$merged:a": (("$one:a", "$told:a"), merged),
        "$after:a": (("$merged:a",), merged.changed({NAME: "$third"})),
    }
    before, reread, whole = played(tmp_path / "a.db", kept, {"$join:a": {KEY: "$bobby"}, "$merged:a": {}})
    for event_id, (_, state) in kept.items():
        assert before[event_id] == state
        assert reread[event_id].known == state.known
        assert bool(reread[event_id].unknown) == bool(state.unknown)
    assert {event_id: state.as_dict() for event_id, state in whole.items()} == {
        "$join:a": {NAME: "$name", KEY: "$bobby"},
        "$one:a": {NAME: "$other", KEY: "$bobby"},
        "$told:a": {NAME: "$name", KEY: "$bob"},
        "$merged:a": {NAME: "$name"},
        "$after:a": {NAME: "$third"},
    }
