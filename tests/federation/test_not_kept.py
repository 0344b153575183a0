"""Events that are neither stored nor let wait: their server is told so, and nothing takes their place."""

import re
from dataclasses import replace
from typing import Any

import pytest

from roomver import Event, JsonObject, parse_event
from roomver.federation import (
    Answer,
    NeedResponse,
    act_steps,
    ask_template_steps,
    run,
    send_join_steps,
)
from roomver.keys import KeyRing, VerifyKey
from roomver.signing import sign_event
from roomver.steps import Stored

from .test_attacks import crafted, named
from .test_federation import ALICE, BOB, CAROL, MEMBER, every_version, joined
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
    (end,) = room.extremities
    auth = named(room, version, ("m.room.power_levels", ""), (MEMBER, ALICE))
    after = crafted(
        a, room, version, type="m.room.message", sender=ALICE, prev_events=[end], auth_events=auth
    )
    waits = crafted(
        b, room, version, type="m.room.message", sender=BOB, prev_events=[after.event_id],
        auth_events=named(room, version, ("m.room.power_levels", ""), (MEMBER, BOB)),
    )  # fmt: skip
    assert result(sent(b, a, [waits.pdu]), waits) == {}
    expired = VerifyKey(b.key.verify_key.key, expired_ts=1)
    keys = KeyRing.of({"b.org": {"ed25519:1": expired}, "a.org": {"ed25519:1": a.key.verify_key}})
    vars(a)["keys"] = lambda _: keys
    assert result(sent(b, a, [after.pdu]), after) == {}
    assert after.event_id in room.stored
    assert [*room.waits] == [waits.event_id]


# In versions 1 and 2 the sender's server chooses the event ID.


@pytest.mark.parametrize("kind", ["m.room.message", "m.room.topic"])
def test_an_event_id_that_is_in_use_makes_no_event(kind: str) -> None:
    """The store replaces what it keeps under the same ID."""
    a, _, room_id = joined("1")
    room = a.rooms[room_id]
    spoken = a.say(room_id, ALICE, "Stays")
    before = (room.extremities, [*room.order], {**room.stored})
    author = replace(a.author(ALICE), event_id=spoken.event_id)
    steps = act_steps(
        author, room.room, kind, {"body": "Other"},
        state_key=None if kind == "m.room.message" else "",
    )  # fmt: skip
    with pytest.raises(ValueError, match=re.escape(f'the event ID "{spoken.event_id}" is in use')):
        a.run(room_id, steps)
    assert (room.extremities, room.order, room.stored) == before


def test_a_join_with_an_event_id_that_is_in_use_is_not_sent() -> None:
    a, b, room_id = joined("1")
    room = b.rooms[room_id]
    spoken = b.say(room_id, BOB, "Stays")
    author = replace(b.author(CAROL), event_id=spoken.event_id)
    join = run(ask_template_steps(author, room_id, "a.org", "join", versions=["1"]), b.nowhere)
    with pytest.raises(ValueError, match="is in use: draw another one"):
        b.run(room_id, send_join_steps(join, room.room, "a.org"))
    assert room.stored[spoken.event_id].event.content == {"body": "Stays"}
    assert a.asked[-1] == "make_join"


def test_a_join_does_not_replace_an_event_of_the_response_that_has_its_id() -> None:
    """A server tells an event that this one made long ago, and that was not stored."""
    a, _, room_id = joined("1")
    c = Server("c.org", a.network)
    there = a.rooms[room_id]
    author = replace(c.author("@dan:c.org"), event_id="$same:c.org")
    join = run(ask_template_steps(author, room_id, "a.org", "join", versions=["1"]), c.nowhere)
    old = crafted(
        c, there, "1", type="m.room.message", sender="@dan:c.org", event_id="$same:c.org",
        auth_events=named(there, "1", ("m.room.power_levels", "")),
    )  # fmt: skip
    whole = a.answered

    def lying(*request: str) -> Answer:
        answer = whole(*request)
        if "send_join" in request[1]:
            chain: Any = answer.body["auth_chain"]
            answer.body["auth_chain"] = [*chain, old.pdu]
        return answer

    vars(a)["answered"] = lying
    room = c.open(room_id, "1")
    told = run(send_join_steps(join, room.room, "a.org"), room)
    assert not told.accepted
    assert 'another event has the ID "$same:c.org"' in str(told)
    assert room.stored["$same:c.org"].event.type == "m.room.message"


@pytest.mark.parametrize("with_state", [True, False])
def test_a_received_event_does_not_replace_another_one(with_state: bool) -> None:
    """The stored event may be one of an auth chain, without a state. Then it may come again with one."""
    a, b, room_id = joined("1")
    room, there = a.rooms[room_id], b.rooms[room_id]
    spoken = b.say(room_id, BOB, "Stays")
    other = crafted(
        b, there, "1", type="m.room.message", sender=BOB, event_id=spoken.event_id, content={"body": "Other"},
        prev_events=[room.order[-1]],
        auth_events=named(there, "1", ("m.room.power_levels", ""), (MEMBER, BOB)),
    )  # fmt: skip
    if with_state:
        assert result(sent(b, a, [spoken.pdu]), spoken) == {}
    else:
        room.stored[spoken.event_id] = Stored(spoken)
    error = f'dropped: same-id: event_id: another event has the ID "{spoken.event_id}"'
    assert result(sent(b, a, [other.pdu]), other) == {"error": error}
    assert room.stored[spoken.event_id].event.content == {"body": "Stays"}
    assert result(sent(b, a, [spoken.pdu]), spoken) == {}
    assert spoken.event_id in room.states_before(frozenset([spoken.event_id]))


def test_an_event_that_waits_is_not_replaced_by_another_one() -> None:
    a, b, room_id = joined("1")
    room, there = a.rooms[room_id], b.rooms[room_id]
    vars(a)["ask"] = lambda _: None
    waits = after_a_gap(b, there, "1", 0)
    assert result(sent(b, a, [waits.pdu]), waits) == {}
    pdu = {**after_a_gap(b, there, "1", 1).pdu, "event_id": waits.event_id}
    other = parse_event(sign_event(pdu, "1", b.name, b.key), "1")
    assert "the event is not kept" in result(sent(b, a, [other.pdu]), other)["error"]
    assert room.waits == {waits.event_id: waits.pdu}


def test_a_store_that_lets_a_malformed_event_wait() -> None:
    """What it returns is not trusted either."""
    a, b, room_id = joined("1")
    room = a.rooms[room_id]
    room.waits["$x:b.org"] = {"event_id": "$x:b.org", "sender": BOB}
    spoken = b.say(room_id, BOB, "Hello")
    assert result(sent(b, a, [spoken.pdu]), spoken) == {}
