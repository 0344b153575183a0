"""Leaves and knocks of users of a server that is not in the room."""

import pytest

from roomver import Event
from roomver.federation import ask_template_steps, run, send_membership_steps
from roomver.make import StrippedState

from .test_federation import ALICE, MEMBER, every_version, joined
from .two_servers import VERSIONS, Server

CAROL = "@carol:c.org"


def template(c: Server, room_id: str, membership: str) -> Event:
    steps = ask_template_steps(c.author(CAROL), room_id, "a.org", membership, versions=VERSIONS)
    return run(steps, c.nowhere)


@every_version
def test_an_invite_is_rejected_by_a_server_that_is_not_in_the_room(version: str) -> None:
    a, b, room_id = joined(version)
    c = Server("c.org", a.network)
    a.act(room_id, ALICE, MEMBER, {"membership": "invite"}, state_key=CAROL)
    event = template(c, room_id, "leave")
    assert run(send_membership_steps(event, "a.org"), c.nowhere) == StrippedState((), (), ())
    assert a.rooms[room_id].state[MEMBER, CAROL] == event.event_id
    a.deliver()  # the server in the room sends the leave to the others
    assert b.rooms[room_id].state[MEMBER, CAROL] == event.event_id


@pytest.mark.parametrize("version", ["10", "11", "12"])
def test_a_knock_is_answered_with_the_state_to_show(version: str) -> None:
    a, b, room_id = joined(version)
    c = Server("c.org", a.network)
    a.act(room_id, ALICE, "m.room.join_rules", {"join_rule": "knock"}, state_key="")
    a.act(room_id, ALICE, "m.room.topic", {"topic": "Shown"}, state_key="")
    event = template(c, room_id, "knock")
    stripped = run(send_membership_steps(event, "a.org"), c.nowhere)
    assert stripped is not None
    assert (stripped.defects, stripped.unknown_keys) == ((), ())
    assert [one.type for one in stripped.events] == ["m.room.create", "m.room.topic", "m.room.join_rules"]
    a.deliver()
    assert b.rooms[room_id].state[MEMBER, CAROL] == event.event_id


@pytest.mark.parametrize("membership", ["leave", "knock"])
def test_what_the_rules_refuse_is_not_accepted(membership: str) -> None:
    a, _, room_id = joined("12")
    c = Server("c.org", a.network)
    a.act(room_id, ALICE, "m.room.join_rules", {"join_rule": "knock"}, state_key="")
    a.act(room_id, ALICE, MEMBER, {"membership": "invite"}, state_key=CAROL)
    event = template(c, room_id, "leave")
    a.act(room_id, ALICE, MEMBER, {"membership": "ban"}, state_key=CAROL)
    if membership == "knock":
        a.act(room_id, ALICE, MEMBER, {"membership": "leave"}, state_key=CAROL)
        event = template(c, room_id, "knock")
        a.act(room_id, ALICE, MEMBER, {"membership": "ban"}, state_key=CAROL)
    assert run(send_membership_steps(event, "a.org"), c.nowhere) is None
    assert run(send_membership_steps(event, "nowhere.invalid/x"), c.nowhere) is None
