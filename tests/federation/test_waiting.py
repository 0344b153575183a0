"""What the events that wait cost: how often each is received again."""

from typing import Any

import pytest

from roomver import Event, EventId, JsonObject
from roomver.federation import FederationSteps, LocalRoom, receiving, take_steps
from roomver.federation.asking import parsed
from roomver.keys import KeyRing
from roomver.receive import Receipt

from .test_attacks import crafted, named
from .test_federation import ALICE, BOB, MEMBER, every_version, joined
from .test_lies import lost
from .test_requests import V1, asked
from .two_servers import Memory, Server, omitting

LEVELS = ("m.room.power_levels", "")


def message(server: Server, there: Memory, version: str, prev: EventId) -> Event:
    """Return a message of Bob that follows an event."""
    return crafted(
        server, there, version, type="m.room.message", sender=BOB, prev_events=[prev],
        auth_events=named(there, version, LEVELS, (MEMBER, BOB)),
    )  # fmt: skip


def let_wait(a: Server, b: Server, room_id: str, count: int) -> None:
    """Send events of b.org to a server whose prev events nobody has."""
    here, there = a.rooms[room_id], b.rooms[room_id]
    version = here.room.version.identifier
    for number in range(count):
        event = message(b, there, version, lost(version, number))
        a.run(room_id, take_steps(event.pdu, here.room, "b.org"))


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[JsonObject]:
    """Return the list to which each PDU is added when it is received, for the first time or again."""
    seen: list[JsonObject] = []
    attempt = receiving.attempt

    def counted(pdu: JsonObject, room: LocalRoom, **options: Any) -> FederationSteps[Receipt]:
        seen.append(pdu)
        return attempt(pdu, room, **options)

    monkeypatch.setattr(receiving, "attempt", counted)
    return seen


@every_version
def test_a_chain_that_comes_newest_first_is_received_again_once(
    version: str, attempts: list[JsonObject]
) -> None:
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    (end,) = there.extremities
    chain = [message(b, there, version, end)]
    for _ in range(60):
        chain.append(message(b, there, version, chain[-1].event_id))
    for event in chain[:0:-1]:
        a.run(room_id, take_steps(event.pdu, here.room, "b.org"))
    assert len(here.waits) == 60
    attempts.clear()
    a.run(room_id, take_steps(chain[0].pdu, here.room, "b.org"))
    assert not here.waits
    assert here.extremities == {chain[-1].event_id}
    assert len(attempts) == len(chain)


@every_version
def test_an_event_that_cites_nothing_new_is_not_received_again(
    version: str, attempts: list[JsonObject]
) -> None:
    """A server that is not in the room can let many events wait, which would make each other one slower."""
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    let_wait(a, b, room_id, 20)
    (end,) = there.extremities
    first = message(b, there, version, end)
    second = message(b, there, version, first.event_id)
    third = message(b, there, version, second.event_id)
    for event in (third, second):
        a.run(room_id, take_steps(event.pdu, here.room, "b.org"))
    assert len(here.waits) == 22
    attempts.clear()
    other = message(b, there, version, end)
    a.run(room_id, take_steps(other.pdu, here.room, "b.org"))
    assert attempts == [other.pdu]
    attempts.clear()
    a.run(room_id, take_steps(first.pdu, here.room, "b.org"))
    assert attempts == [first.pdu, second.pdu, third.pdu]
    assert len(here.waits) == 20
    assert here.extremities == {other.event_id, third.event_id}


@every_version
def test_an_event_that_waits_for_an_auth_event_is_received_again(version: str) -> None:
    """The auth event comes with a fork, so no prev event of what waits is stored meanwhile."""
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    (end,) = there.extremities
    name = crafted(
        b, there, version, type=MEMBER, sender=BOB, state_key=BOB, prev_events=[end],
        content={"membership": "join", "displayname": "Bob"},
        auth_events=named(there, version, LEVELS, ("m.room.join_rules", ""), (MEMBER, BOB)),
    )  # fmt: skip
    create = [] if version == "12" else [there.state["m.room.create", ""]]
    after = crafted(
        b, there, version, type="m.room.message", sender=BOB, prev_events=[end],
        auth_events=[*create, there.state[LEVELS], name.event_id],
    )  # fmt: skip
    a.run(room_id, take_steps(after.pdu, here.room, "b.org"))
    assert [*here.waits] == [after.event_id]
    a.run(room_id, take_steps(name.pdu, here.room, "b.org"))
    assert not here.waits
    assert after.event_id in here.stored


def test_while_members_are_unknown_each_event_is_received_again(attempts: list[JsonObject]) -> None:
    """The new event may bring the entry of the current state that an event lacks."""
    a, b, room_id = joined("11")
    c = Server("c.org", a.network)
    vars(a)["answered"] = omitting(a, known=[ALICE])
    assert c.join(room_id, "@carol:c.org", "a.org", partial=True).accepted
    del vars(a)["answered"]
    a.deliver()
    here, there = c.rooms[room_id], b.rooms[room_id]
    vars(c)["ask"] = lambda _: None
    c.ring = a.ring
    waits = message(b, there, "11", lost("11", 1))
    spoken = a.say(room_id, ALICE, "Hello")
    c.run(room_id, take_steps(waits.pdu, here.room, "b.org"))
    attempts.clear()
    c.run(room_id, take_steps(spoken.pdu, here.room, "a.org"))
    assert [*here.waits] == [waits.event_id]
    assert attempts == [spoken.pdu, waits.pdu]


@every_version
def test_the_events_that_wait_in_a_room_are_limited(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a domain has names for any number of servers: those without a user leave places free."""
    monkeypatch.setattr(receiving, "_MOST_IN_ROOM", 6)
    monkeypatch.setattr(receiving, "_MOST_OF_STRANGERS", 3)
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    strangers = [Server(f"s{number}.evil.org", a.network) for number in range(5)]
    for one in strangers:
        a.ring = KeyRing.joined([a.ring, one.ring])
    vars(a)["ask"] = lambda _: None
    for number, one in enumerate(strangers):
        event = crafted(
            one, there, version, type="m.room.message", sender=f"@eve:{one.name}",
            prev_events=[lost(version, number)], auth_events=[lost(version, 900)],
        )  # fmt: skip
        a.run(room_id, take_steps(event.pdu, here.room, one.name))
    assert len(here.waits) == 3
    for number in range(5):
        event = message(b, there, version, lost(version, number))
        a.run(room_id, take_steps(event.pdu, here.room, "b.org"))
    assert len(here.waits) == 6


@pytest.mark.parametrize("version", ["1", "12"])
def test_an_undecided_event_costs_one_look_at_those_that_wait(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are loaded once, and not parsed."""
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    let_wait(a, b, room_id, 100)
    looks: list[int] = []
    waiting = here.waiting

    def counted() -> Any:
        looks.append(1)
        return waiting()

    vars(here)["waiting"] = counted
    parses: list[object] = []

    def noted(pdu: object, room: LocalRoom) -> Event | None:
        parses.append(pdu)
        return parsed(pdu, room)

    monkeypatch.setattr("roomver.federation.receiving.parsed", noted)
    event = message(b, there, version, lost(version, 100))
    answer = asked(b, a, "PUT", f"{V1}/send/1", {"pdus": [event.pdu]})
    results: Any = answer.body["pdus"]
    assert "error" in results[event.event_id]
    assert (len(looks), len(parses)) == (1, 1)
