"""A room that was joined without its members, on servers between which branches are merged."""

from dataclasses import replace
from typing import Any

import pytest

from roomver import MissingEvents, UnknownState
from roomver.errors import RequestRefused
from roomver.federation import (
    NeedResponse,
    ask_template_steps,
    complete_steps,
    fetch_state_steps,
    run,
    send_join_steps,
)
from roomver.state import PartialState

from .test_federation import ALICE, BOB, MEMBER, every_version, joined
from .two_servers import Server, omitting

DAN = "@dan:c.org"


def partly(version: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Server, Server, str]:
    """Return two servers in a room. The second has joined without members, but knows Alice's."""
    a, _, room_id = joined(version)
    c = Server("c.org", a.network)
    with monkeypatch.context() as patched:
        patched.setattr(a, "answered", omitting(a, known=[ALICE]))
        assert c.join(room_id, DAN, "a.org", partial=True).accepted
    assert isinstance(c.rooms[room_id].state, PartialState)
    return a, c, room_id


@every_version
def test_branches_that_are_merged_while_members_are_unknown(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, c, room_id = partly(version, monkeypatch)
    b, room = a.network["b.org"], c.rooms[room_id]
    (join,) = room.extremities
    a.deliver()
    c.say(room_id, DAN, "Hi")
    b.act(room_id, BOB, MEMBER, {"membership": "join", "displayname": "Bob"}, state_key=BOB)
    b.deliver()
    a.say(room_id, ALICE, "After an event of somebody who is unknown to the third server")
    a.deliver()
    assert len(room.extremities) == 2
    with pytest.raises(UnknownState):  # the state that was told and the known part cannot be merged
        c.say(room_id, DAN, "Both branches")
    response = c.run(room_id, fetch_state_steps(join, room.room))
    assert c.run(room_id, complete_steps(join, response, room.room))
    c.say(room_id, DAN, "Both branches")
    c.deliver()
    assert dict(room.state) == dict(a.rooms[room_id].state)


@every_version
def test_a_state_that_contradicts_what_a_join_relied_on_completes_nothing(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The join was decided because its user had no membership before."""
    a, c, room_id = partly(version, monkeypatch)
    room = c.rooms[room_id]
    (join,) = room.extremities
    response: Any = c.run(room_id, fetch_state_steps(join, room.room))
    ban = a.act(room_id, ALICE, MEMBER, {"membership": "ban"}, state_key=DAN)
    lie = {**response, "pdus": [*response["pdus"], ban.pdu]}
    before = room.states_before(frozenset([join]))[join]
    assert not c.run(room_id, complete_steps(join, lie, room.room))
    assert room.states_before(frozenset([join]))[join] == before
    assert c.run(room_id, complete_steps(join, response, room.room))


def test_an_event_without_a_stored_state_is_not_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    _, c, room_id = partly("11", monkeypatch)
    with pytest.raises(MissingEvents):
        c.run(room_id, complete_steps("$unknown", None, c.rooms[room_id].room))


def test_each_turn_asks_another_server_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose state cannot be used must not be the only one that is asked."""
    _, c, room_id = partly("11", monkeypatch)
    room = replace(c.rooms[room_id].room, servers=frozenset(["a.org", "b.org", "c.org", "d.org"]))
    asked: list[str] = []

    def silent(need: NeedResponse) -> None:
        asked.append(need.server)

    vars(c)["ask"] = silent
    for turn in range(4):
        assert c.run(room_id, fetch_state_steps("$x", room, turn=turn)) is None
    a, b, d = "a.org", "b.org", "d.org"
    assert asked == [a, b, d, b, d, a, d, a, b, a, b, d]


@every_version
def test_nobody_joins_through_a_server_that_does_not_know_the_members(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The join would be sent to the room, and its server could not be told the state."""
    a, c, room_id = partly(version, monkeypatch)
    d = Server("d.org", a.network)
    steps = ask_template_steps(d.author("@eve:d.org"), room_id, "a.org", "join", versions=[version])
    event = run(steps, d.nowhere)
    room = d.open(room_id, version)
    with pytest.raises(RequestRefused, match="members of the room are unknown"):
        run(send_join_steps(event, room.room, "c.org"), room)
    assert event.event_id not in c.rooms[room_id].stored
    assert not c.outbox
