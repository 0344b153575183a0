"""A hostile server whose responses lie, or do not end."""

import contextlib
from typing import Any

import pytest

from roomver import Event, JsonObject, MalformedEvent
from roomver.federation import (
    NeedResponse,
    ask_template_steps,
    backfill_steps,
    complete_steps,
    fetch_state_steps,
    run,
    take_steps,
)
from roomver.state import PartialState
from roomver.steps import Stored

from .test_attacks import EVE, EVIL, MALLORY, banned, crafted, named
from .test_federation import ALICE, BOB, MEMBER, every_version, joined, servers
from .two_servers import Memory, Server, omitting

# Work and space without end


@pytest.mark.parametrize("version", ["1", "12"])
@pytest.mark.parametrize("at_once", [1, 3_000])
def test_an_event_makes_a_bounded_number_of_requests(version: str, at_once: int) -> None:
    """A server tells missing events without end. Each lacks its auth events and the state before it."""
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    chain: list[Event] = []
    for number in range(3_000):
        prev = chain[-1].event_id if chain else lost(version, 0)
        chain.append(
            crafted(
                b, there, version, type="m.room.message", sender=BOB, prev_events=[prev], depth=10 + number,
                auth_events=[lost(version, number)],
            )
        )  # fmt: skip
    asked: list[str] = []
    left = [event.pdu for event in chain[:-1]]

    def endless(need: NeedResponse) -> object:
        asked.append(need.uri)
        if "get_missing_events" in need.uri:
            told, left[-at_once:] = left[-at_once:], []
            return {"events": told}
        ids = [lost(version, 10_000 + len(asked) * 20 + one) for one in range(20)]
        return {"pdu_ids": ids, "auth_chain_ids": [], "auth_chain": [], "pdus": []}

    vars(a)["ask"] = endless
    receipt = a.run(room_id, take_steps(chain[-1].pdu, here.room, EVIL))
    assert receipt is not None
    assert not receipt.decided
    assert len(asked) < 600
    assert len(here.waits) <= 100


def lost(version: str, number: int) -> str:
    """Return the ID of an event that nobody has."""
    return f"$lost{number}:b.org" if version == "1" else "$" + f"{number:043d}"


@every_version
def test_a_server_cannot_make_another_keep_events_without_end(version: str) -> None:
    """Undecided events wait, and are read again after every event that is stored."""
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    for number in range(120):
        event = crafted(
            b, there, version, type="m.room.message", sender=BOB, prev_events=[lost(version, number)],
            auth_events=named(there, version, ("m.room.power_levels", ""), (MEMBER, BOB)),
        )  # fmt: skip
        a.run(room_id, take_steps(event.pdu, here.room, EVIL))
    assert len(here.waits) == 100


@every_version
def test_the_depth_of_an_event_does_not_decide_when_it_is_received(version: str) -> None:
    """Events are received after those before them, even if their depth says otherwise."""
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    (prev,) = there.extremities
    made = []
    for depth in (9_000, 20, 5_000, 30, 40):
        event = crafted(
            b, there, version, type="m.room.message", sender=BOB, prev_events=[prev], depth=depth,
            auth_events=named(there, version, ("m.room.power_levels", ""), (MEMBER, BOB)),
        )  # fmt: skip
        prev = event.event_id
        made.append(event)

    def ask(need: NeedResponse) -> object:
        return {"events": [one.pdu for one in made[3::-1]]} if "get_missing" in need.uri else None

    vars(a)["ask"] = ask
    a.run(room_id, take_steps(made[-1].pdu, here.room, EVIL))
    assert here.order[-5:] == [one.event_id for one in made]
    assert here.extremities == {prev}


# Responses that lie


@pytest.mark.parametrize("value", [1.5, 2**60, "\ud800", [[]], float("nan"), {"a": {}}])
@pytest.mark.parametrize("version", ["5", "12"])
def test_an_invite_that_is_signed_with_anything(version: str, value: object) -> None:
    a, _ = servers()
    room_id = a.make_room(ALICE, version)
    vars(a)["ask"] = lambda _: {"event": {"signatures": {"b.org": {"ed25519:1": value}}}}
    acted = a.acted(room_id, ALICE, MEMBER, {"membership": "invite"}, state_key=BOB)
    assert acted.event is None


@pytest.mark.parametrize("value", [1.5, 2**60, "\ud800", float("nan")])
@pytest.mark.parametrize("version", ["5", "12"])
@pytest.mark.parametrize("field", ["content", "depth", "prev_events", "auth_events", "x"])
def test_a_template_with_anything_is_malformed_or_good(version: str, value: object, field: str) -> None:
    a, b = servers()
    room_id = b.make_room(BOB, version)
    whole = Server.ask

    def ask(need: NeedResponse) -> object:
        body: Any = whole(a, need)
        body["event"][field] = {**body["event"]["content"], "x": value} if field == "content" else value
        return body

    vars(a)["ask"] = ask
    steps = ask_template_steps(a.author(ALICE), room_id, EVIL, "join", versions=[version])
    with contextlib.suppress(MalformedEvent):
        assert run(steps, a.nowhere).content["membership"] == "join"


def partial_join(version: str, more: Any = None) -> tuple[Server, Server, str]:
    """Return a server and one that joined a room of it without members, after a lie about these."""
    a, _, room_id = joined(version)
    c = Server("c.org", a.network)
    vars(a)["answered"] = omitting(a, more=more or {})
    assert c.join(room_id, DAN, "a.org", partial=True).accepted
    return a, c, room_id


DAN = "@dan:c.org"


@every_version
def test_a_state_that_contradicts_what_was_known_does_not_complete_a_join(version: str) -> None:
    """What was decided rests on it: that the user who joined was not banned, and that a key had no entry."""
    a, c, room_id = partial_join(version)
    here, there = c.rooms[room_id], a.rooms[room_id]
    (join,) = here.extremities
    response: Any = c.run(room_id, fetch_state_steps(join, here.room))
    a.act(room_id, ALICE, "m.room.topic", {"topic": "After the join"}, state_key="")
    a.act(room_id, ALICE, MEMBER, {"membership": "ban"}, state_key=DAN)
    for key in ((MEMBER, DAN), ("m.room.topic", "")):
        lie = {**response, "pdus": [*response["pdus"], there.stored[there.state[key]].event.pdu]}
        lie["auth_chain"] = [one.event.pdu for one in there.stored.values()]
        assert not c.run(room_id, complete_steps(join, lie, here.room)), key
        assert isinstance(here.state, PartialState)
    assert c.run(room_id, complete_steps(join, response, here.room))


@every_version
def test_a_server_that_is_said_to_be_in_a_room_has_the_form_of_a_name(version: str) -> None:
    """It is asked, and events are sent to it."""
    names = ["a.org", "b.org/x?", "", "me@c.org", "a b", "\ud800", "[::1]:80"]
    _, c, room_id = partial_join(version, {"servers_in_room": names})
    assert c.rooms[room_id].room.servers == {"a.org", "[::1]:80"}


def with_lies(server: Server, there: Memory, state: list[str], chain: list[JsonObject]) -> None:
    """Make a server be told a state that is a lie, and nothing else."""
    pdus = [there.stored[one].event.pdu for one in state]

    def ask(need: NeedResponse) -> object:
        if "/state_ids/" in need.uri:
            return {"pdu_ids": state, "auth_chain_ids": []}
        found = "/state/" in need.uri or "/event/" in need.uri
        return {"pdus": pdus, "auth_chain": chain} if found else None

    vars(server)["ask"] = ask


@every_version
def test_the_state_is_not_asked_of_a_server_that_is_not_in_the_room(version: str) -> None:
    """It would make an event of another server rejected for good: it says that its sender never joined."""
    a, b, room_id = joined(version)
    c = Server("c.org", a.network)
    here, there = b.rooms[room_id], a.rooms[room_id]
    one, two = a.say(room_id, ALICE, "1"), a.say(room_id, ALICE, "2")
    lie = [event_id for key, event_id in there.state.items() if key[1] != ALICE]
    with_lies(b, there, lie, [stored.event.pdu for stored in there.stored.values()])
    receipt = b.run(room_id, take_steps(two.pdu, here.room, c.name))
    assert receipt is not None
    assert not receipt.decided
    assert two.event_id in here.waits
    del vars(b)["ask"]
    b.run(room_id, take_steps(one.pdu, here.room, "a.org"))
    assert here.extremities == {two.event_id}


@pytest.mark.parametrize("version", ["1", "6", "11"])
def test_a_state_with_another_create_event_is_not_taken(version: str) -> None:
    """The server in the room ID can make a second one. Only from version 12 on is its hash the room ID."""
    a, b, room_id = joined(version)
    here, there = b.rooms[room_id], a.rooms[room_id]
    content = {"room_version": version, "creator": ALICE, "n": 2}
    create = crafted(a, there, version, type="m.room.create", state_key="", sender=ALICE, content=content)
    auth = [create.event_id]
    join = crafted(
        a, there, version, type=MEMBER, state_key=ALICE, sender=ALICE, content={"membership": "join"},
        prev_events=auth, auth_events=auth,
    )  # fmt: skip
    for event in (create, join):
        there.stored[event.event_id] = Stored(event)
    spoken = crafted(
        a, there, version, type="m.room.message", sender=ALICE, prev_events=[lost(version, 1)],
        auth_events=[*auth, join.event_id],
    )  # fmt: skip
    with_lies(b, there, [*auth, join.event_id], [])
    b.run(room_id, take_steps(spoken.pdu, here.room, "a.org"))
    assert spoken.event_id not in here.states_before(frozenset([spoken.event_id]))
    assert here.extremities == {here.state[MEMBER, BOB]}


@every_version
def test_an_outlier_does_not_hide_an_event(version: str) -> None:
    """Eve's server makes another keep an event that follows a ban which has not come yet."""
    a, b, room_id = joined(version)
    b.act(room_id, EVE, MEMBER, {"membership": "join"}, state_key=EVE)
    c = Server("c.org", a.network)
    b.deliver()
    assert c.join(room_id, DAN, "a.org").accepted
    a.deliver()
    here, there = c.rooms[room_id], b.rooms[room_id]
    a.act(room_id, ALICE, MEMBER, {"membership": "ban"}, state_key=EVE)
    ban = a.rooms[room_id].stored[a.rooms[room_id].state[MEMBER, EVE]].event
    eve = next(one for one, stored in there.stored.items() if stored.event.state_key == EVE)
    levels = named(there, version, ("m.room.power_levels", ""))
    outlier, hidden = (
        crafted(
            b, there, version, type=MEMBER, state_key=EVE, sender=EVE, prev_events=[ban.event_id],
            content={"membership": "join", "n": number},
            auth_events=[*levels, eve, *named(there, "12", ("m.room.join_rules", ""))],
        )
        for number in range(2)
    )  # fmt: skip
    trigger = crafted(
        b, there, version, type="m.room.message", sender=EVE, prev_events=[*there.extremities],
        auth_events=[*levels, hidden.event_id],
    )  # fmt: skip
    told = {"auth_chain": [outlier.pdu, hidden.pdu]}
    vars(c)["ask"] = lambda need: told if "/event_auth/" in need.uri else None
    c.run(room_id, take_steps(trigger.pdu, here.room, EVIL))
    assert outlier.event_id in here.stored
    c.run(room_id, take_steps(ban.pdu, here.room, "a.org"))
    assert ban.event_id in here.extremities


@every_version
def test_only_what_comes_before_is_history(version: str) -> None:
    """History is not checked against the current state, so a redaction of a banned moderator would apply."""
    a, b, room_id, _ = banned(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    mallory = next(one for one, stored in there.stored.items() if stored.event.state_key == MALLORY)
    spoken = a.say(room_id, ALICE, "Before")
    c = Server("c.org", a.network)
    assert c.join(room_id, DAN, "a.org").accepted
    room = c.rooms[room_id]
    (join,) = room.extremities
    late = crafted(
        b, there, version, type="m.room.message", sender=MALLORY, prev_events=[mallory],
        auth_events=[*named(there, version, ("m.room.power_levels", "")), mallory],
    )  # fmt: skip
    told = [late.pdu, *(stored.event.pdu for stored in here.stored.values())]
    vars(c)["ask"] = lambda need: {"pdus": told} if "/backfill/" in need.uri else Server.ask(c, need)
    after = crafted(b, there, version, type="m.room.message", sender=MALLORY, prev_events=[late.event_id])
    room.stored[after.event_id] = Stored(after, soft_failed=True)
    assert c.run(room_id, backfill_steps([after.event_id, join], room.room, EVIL)) > 3
    assert spoken.event_id in room.states_before(frozenset([spoken.event_id]))
    assert late.event_id not in room.stored
