"""Events that are neither stored nor let wait: their server is told so, and nothing takes their place."""

from typing import Any

import pytest

from roomver import Event, JsonObject
from roomver.federation import Answer, NeedResponse
from roomver.keys import KeyRing, VerifyKey

from .test_attacks import crafted, named
from .test_federation import ALICE, BOB, MEMBER, every_version, joined
from .test_lies import lost
from .test_requests import V1, asked
from .two_servers import Memory, Server


def sent(origin: Server, server: Server, pdus: list[JsonObject]) -> Answer:
    """Return what a server answers to a transaction."""
    return asked(origin, server, "PUT", f"{V1}/send/1", {"pdus": pdus})


def result(answer: Answer, event: Event) -> Any:
    """Return the PDU Processing Result of an event."""
    results: Any = answer.body["pdus"]
    return results[event.event_id]


def after_a_gap(server: Server, room: Memory, version: str, number: int) -> Event:
    """Return a message of Bob that follows an event that nobody has."""
    auth = named(room, version, ("m.room.power_levels", ""), (MEMBER, BOB))
    return crafted(
        server, room, version, type="m.room.message", sender=BOB, prev_events=[lost(version, number)],
        auth_events=auth,
    )  # fmt: skip


@every_version
def test_an_event_whose_key_is_unknown_is_an_error_and_the_key_is_named(version: str) -> None:
    """Nothing but the key is asked for: the event may be anybody's."""
    a, b, room_id = joined(version)
    room, ring = a.rooms[room_id], a.ring
    spoken = b.say(room_id, BOB, "Hello")
    requests: list[str] = []

    def silent(need: NeedResponse) -> object:
        requests.append(need.uri)
        return None

    a.ring = KeyRing.of({})
    vars(a)["ask"] = silent
    answer = sent(b, a, [spoken.pdu])
    assert answer.lacking_keys == {("b.org", "ed25519:1")}
    error = "undecided: missing: keys b.org ed25519:1; the event is not kept: send it again"
    assert result(answer, spoken) == {"error": error}
    assert {*requests} == {"/_matrix/key/v2/server"}
    assert not room.waits
    assert spoken.event_id not in room.stored
    a.ring = ring
    for _ in range(2):  # it may come again when it is stored
        answer = sent(b, a, [spoken.pdu])
        assert (result(answer, spoken), answer.lacking_keys) == ({}, frozenset())
    assert spoken.event_id in room.stored


@every_version
def test_unverified_events_take_no_place_of_those_that_wait(version: str) -> None:
    a, b, room_id = joined(version)
    room = a.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    waits = after_a_gap(b, b.rooms[room_id], version, 0)
    assert result(sent(b, a, [waits.pdu]), waits) == {}
    forged: list[JsonObject] = [
        {**after_a_gap(b, b.rooms[room_id], version, number).pdu,
         "signatures": {"b.org": {"ed25519:forged": "A" * 86}}}
        for number in range(1, 120)
    ]  # fmt: skip
    for start in range(0, len(forged), 50):
        answer = sent(b, a, forged[start : start + 50])
        results: Any = answer.body["pdus"]
        assert all("error" in one for one in results.values())
        assert answer.lacking_keys == {("b.org", "ed25519:forged")}
    assert [*room.waits] == [waits.event_id]


@every_version
def test_an_event_beyond_the_limit_of_those_that_wait_is_an_error(version: str) -> None:
    a, b, room_id = joined(version)
    vars(a)["ask"] = lambda _: None
    events = [after_a_gap(b, b.rooms[room_id], version, number) for number in range(101)]
    answers = [sent(b, a, [one.pdu]) for one in events]
    results = [result(answer, one) for answer, one in zip(answers, events, strict=True)]
    assert results[:100] == [{}] * 100
    assert results[100]["error"].endswith("the event is not kept: send it again")
    assert result(sent(b, a, [events[0].pdu]), events[0]) == {}  # it waits already
    assert len(a.rooms[room_id].waits) == 100


def test_the_unknown_keys_of_all_rooms_of_a_transaction_are_named() -> None:
    a, _, room_id = joined("11")
    a.ring = KeyRing.of({})
    vars(a)["ask"] = lambda _: None
    earlier = Answer(200, {"pdus": {"$x": {}}}, frozenset([("c.org", "ed25519:1")]))
    b = a.network["b.org"]
    spoken = b.say(room_id, BOB, "Hello")
    answer = asked(b, a, "PUT", f"{V1}/send/1", {"pdus": [spoken.pdu]}, earlier)
    assert answer.lacking_keys == {("b.org", "ed25519:1"), ("c.org", "ed25519:1")}
    results: Any = answer.body["pdus"]
    assert results.keys() == {"$x", spoken.event_id}


@pytest.mark.parametrize("version", ["1", "12"])
def test_an_event_that_waits_may_be_dropped_later(version: str) -> None:
    """Its server says that its key had expired. Otherwise the events that wait would be received forever."""
    a, b, room_id = joined(version)
    room = a.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    waits = after_a_gap(b, b.rooms[room_id], version, 0)
    assert result(sent(b, a, [waits.pdu]), waits) == {}
    expired = VerifyKey(b.key.verify_key.key, expired_ts=1)
    keys = KeyRing.of({"b.org": {"ed25519:1": expired}, "a.org": {"ed25519:1": a.key.verify_key}})
    vars(a)["keys"] = lambda _: keys
    spoken = a.say(room_id, ALICE, "Hello")
    assert room.extremities == {spoken.event_id}
    after = crafted(
        a, room, version, type="m.room.message", sender=ALICE, prev_events=[spoken.event_id],
        auth_events=named(room, version, ("m.room.power_levels", ""), (MEMBER, ALICE)),
    )  # fmt: skip
    assert result(sent(b, a, [after.pdu]), after) == {}
    assert after.event_id in room.stored
    assert [*room.waits] == [waits.event_id]
