"""A hostile server: what it must not get, and what it must not make another server believe."""

import json
import time
from typing import Any
from urllib.parse import quote

import pytest

from roomver import Event, JsonObject, parse_event
from roomver.federation import (
    NeedResponse,
    check_request_steps,
    fetch_keys_steps,
    read_request,
    run,
    sign_request,
    take_steps,
)
from roomver.keys import VALIDITY_CAP_MS, KeyRing, VerifyKey
from roomver.receive import ReceiptStatus
from roomver.signing import sign_event, sign_json
from roomver.unpadded import encode_unpadded

from .test_federation import ALICE, BOB, MEMBER, every_version, joined, servers
from .two_servers import Memory, Server

MALLORY, EVE = "@mallory:b.org", "@eve:b.org"
EVIL = "b.org"


def crafted(server: Server, room: Memory, version: str, **fields: Any) -> Event:
    """Return an event as its server signs it, whatever the rules say."""
    serial = server.now()
    pdu: JsonObject = {
        "room_id": room.room.room_id, "depth": 50, "origin_server_ts": serial, "prev_events": [],
        "auth_events": [], "content": {}, **fields,
    }  # fmt: skip
    if version == "1":
        pdu.setdefault("event_id", f"$made{serial}:{server.name}")
        for name in ("prev_events", "auth_events"):
            pdu[name] = [[one, {"sha256": ""}] for one in fields.get(name, ())]
    return parse_event(sign_event(pdu, version, server.name, server.key), version)


def named(room: Memory, version: str, *keys: tuple[str, str]) -> list[str]:
    """Return events of the state as auth events."""
    create = [] if version == "12" else [("m.room.create", "")]
    return [room.state[key] for key in (*create, *keys)]


# What it must not be told


@every_version
def test_a_join_that_was_refused_is_refused_again(version: str) -> None:
    """The response to a join has the state of the room."""
    a, b = servers()
    room_id = a.make_room(ALICE, version, "invite")
    room = a.rooms[room_id]
    (end,) = room.extremities
    auth = named(room, version, ("m.room.power_levels", ""), ("m.room.join_rules", ""))
    join = crafted(
        b, room, version, type=MEMBER, sender=MALLORY, state_key=MALLORY, content={"membership": "join"},
        prev_events=[end], auth_events=auth,
    )  # fmt: skip
    assert sent_join(a, b, join).status == 403
    assert sent_join(a, b, join).status == 403
    assert (MEMBER, MALLORY) not in room.state


def sent_join(to: Server, by: Server, join: Event) -> Any:
    uri = f"/_matrix/federation/v2/send_join/{join.room_id}/{quote(join.event_id, safe='')}"
    need = NeedResponse(to.name, "PUT", uri, join.pdu)
    return to.answered("PUT", uri, sign_request(need, origin=by.name, key=by.key), json.dumps(join.pdu))


def test_a_join_under_the_id_of_another_event_is_refused() -> None:
    """In versions 1 and 2 the sender's server chooses the ID."""
    a, b = servers()
    room_id = a.make_room(ALICE, "1", "invite")
    room = a.rooms[room_id]
    (end,) = room.extremities
    join = crafted(
        b, room, "1", type=MEMBER, sender=MALLORY, state_key=MALLORY, content={"membership": "join"},
        event_id=end,
    )  # fmt: skip
    assert sent_join(a, b, join).status == 403


@every_version
def test_a_join_that_was_accepted_may_be_sent_again(version: str) -> None:
    """The response may have been lost."""
    a, b, room_id = joined(version)
    join = a.rooms[room_id].stored[a.rooms[room_id].state[MEMBER, BOB]].event
    assert sent_join(a, b, join).status == 200


@every_version
def test_a_server_that_has_left_lets_nobody_join(version: str) -> None:
    """It does not know who is banned now, nor is its state that of the room."""
    a, b, room_id = joined(version)
    b.act(room_id, BOB, MEMBER, {"membership": "leave"}, state_key=BOB)
    uri = f"/_matrix/federation/v1/make_join/{room_id}/{ALICE}?ver={version}"
    header = sign_request(NeedResponse("b.org", "GET", uri), origin="a.org", key=a.key)
    assert b.answered("GET", uri, header, "").status == 404


def test_the_version_of_an_unknown_room_is_not_told() -> None:
    a, b = servers()
    for version in ("1", "12"):
        uri = f"/_matrix/federation/v1/make_join/!x:b.org/{ALICE}?ver={version}"
        header = sign_request(NeedResponse("b.org", "GET", uri), origin="a.org", key=a.key)
        assert b.answered("GET", uri, header, "").body["errcode"] == "M_NOT_FOUND"


# What it must not make others believe


def banned(version: str) -> tuple[Server, Server, str, str]:
    """Return two servers in a room in which Mallory spoke and was banned, and what she may follow."""
    a, b, room_id = joined(version)
    for user in (EVE, MALLORY):
        b.act(room_id, user, MEMBER, {"membership": "join"}, state_key=user)
    b.deliver()
    old = b.say(room_id, MALLORY, "Before the ban").event_id
    b.deliver()
    a.act(room_id, ALICE, MEMBER, {"membership": "ban"}, state_key=MALLORY)
    a.deliver()
    return a, b, room_id, old


@every_version
@pytest.mark.parametrize("first", [True, False])
def test_a_soft_failure_cannot_be_avoided_by_an_event_that_follows(version: str, first: bool) -> None:
    """Eve, of the same server, follows what Mallory says after her ban, and tells the state before it."""
    a, b, room_id, old = banned(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    (end,) = here.extremities
    late = crafted(
        b, there, version, type="m.room.message", sender=MALLORY, content={"body": "Late"}, prev_events=[old],
        auth_events=[
            *named(there, version, ("m.room.power_levels", "")),
            *[one for one, stored in there.stored.items() if stored.event.state_key == MALLORY
              and stored.event.content["membership"] == "join"],
        ],
    )  # fmt: skip
    after = crafted(
        b, there, version, type="m.room.message", sender=EVE, content={"body": "x"}, depth=51,
        prev_events=[late.event_id, end],
        auth_events=named(there, version, ("m.room.power_levels", ""), (MEMBER, EVE)),
    )  # fmt: skip
    state = there.states_after(frozenset([end]))[end]
    pdus = [there.stored[one].event.pdu for one in state.as_dict().values()]

    def lying(need: NeedResponse) -> object:
        if "get_missing_events" in need.uri:
            return {"events": [late.pdu]} if first else {"events": []}
        if "/state_ids/" in need.uri:
            return {"pdu_ids": [*state.as_dict().values()], "auth_chain_ids": []}
        return {"pdus": pdus, "auth_chain": []} if "/state/" in need.uri else Server.ask(a, need)

    vars(a)["ask"] = lying
    receipt = a.run(room_id, take_steps(after.pdu, here.room, EVIL))
    assert receipt is not None
    assert receipt.status is ReceiptStatus.ACCEPTED, str(receipt)
    a.run(room_id, take_steps(late.pdu, here.room, EVIL))
    assert here.stored[late.event_id].soft_failed
    assert here.extremities == {after.event_id}


# Requests that are not what they say


NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ({}, True),
        ({"valid_until_ts": NOW}, True),
        ({"valid_until_ts": NOW - 1}, False),
        ({"expired_ts": NOW - 1}, False),
        ({"expired_ts": NOW + 1, "valid_until_ts": NOW + 1}, False),
    ],
)
def test_a_key_that_is_no_longer_used_signs_no_request(key: dict[str, Any], good: bool) -> None:
    """Whoever finds an old key may otherwise speak for the server."""
    a, b = servers()
    need = NeedResponse("a.org", "GET", "/_matrix/federation/v1/x")
    header = sign_request(need, origin=EVIL, key=b.key)
    request = read_request("GET", need.uri, header)
    assert request is not None
    ring = KeyRing.of({EVIL: {"ed25519:1": VerifyKey(b.key.verify_key.key, **key)}}, now=NOW)
    vars(a)["keys"] = lambda _: ring
    assert run(check_request_steps(request, "a.org"), a.nowhere) is good


def test_the_destination_is_signed_even_if_the_header_does_not_name_it() -> None:
    """Older servers do not name it. What another server got must not be good here."""
    a, b = servers()
    uri = "/_matrix/federation/v1/x"
    for meant, good in (("a.org", True), ("c.org", False)):
        header = sign_request(NeedResponse(meant, "GET", uri), origin=EVIL, key=b.key)
        request = read_request("GET", uri, header.replace(f'destination="{meant}",', ""))
        assert request is not None
        assert request.destination is None
        assert run(check_request_steps(request, "a.org"), a.nowhere) is good


@pytest.mark.parametrize("origin", ["", "127.0.0.1:80/x?", "me@b.org", "b.org#", "b.org\n", "b org", "ä.org"])
def test_an_origin_that_is_no_server_name_is_asked_for_no_key(origin: str) -> None:
    header = f'X-Matrix origin="{origin}",key="ed25519:1",sig="x"'
    assert read_request("GET", "/_matrix/federation/v1/x", header) is None


@pytest.mark.parametrize(
    "uri", ["/x?" + "a=1&" * 5, "//[", "/%ff/%00", "", "?", "/\ud800", "http://x:y/", "*"]
)
@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 200_000, b'{"a": NaN}', b'"\\ud800"', b"9" * 5_000])
def test_any_request_line_and_body_has_a_result(uri: str, body: bytes) -> None:
    a, _ = servers()
    header = 'X-Matrix origin=b.org,key="ed25519:1",sig="x"'
    request = read_request("GET", uri, header, body)
    if request is not None:
        assert run(check_request_steps(request, "a.org"), a.nowhere) is False


def test_only_the_wanted_keys_are_kept_and_not_for_ever() -> None:
    """A server may publish any number of keys, and others whenever it is asked."""
    a, b = servers()
    key = encode_unpadded(b.key.verify_key.key)
    body: JsonObject = {
        "server_name": EVIL, "verify_keys": {"ed25519:1": {"key": key}}, "valid_until_ts": NOW * 2,
        "old_verify_keys": {f"ed25519:old{n}": {"key": key, "expired_ts": 1} for n in range(50)},
    }  # fmt: skip
    vars(a)["ask"] = lambda _: sign_json(body, EVIL, b.key)
    ring = run(fetch_keys_steps([(EVIL, "ed25519:1")], KeyRing.of({}), NOW), a.nowhere)
    assert [*ring.keys[EVIL]] == ["ed25519:1"]
    (found,) = ring.find(EVIL, "ed25519:1")
    assert found.valid_until_ts == NOW + VALIDITY_CAP_MS


def test_a_long_header_is_read_fast() -> None:
    begin = time.perf_counter()
    assert read_request("GET", "/", "X-Matrix " + "a" * 100_000) is None
    assert time.perf_counter() - begin < 1


@every_version
def test_what_no_signature_covers_is_not_kept(version: str) -> None:
    """Any server may add to it, for example that the event was redacted."""
    a, b, room_id = joined(version)
    here, there = a.rooms[room_id], b.rooms[room_id]
    spoken = b.say(room_id, BOB, "Hello")
    pdu = {**spoken.pdu, "unsigned": {"redacted_because": there.stored[spoken.event_id].event.pdu}}
    a.run(room_id, take_steps(pdu, here.room, EVIL))
    assert here.stored[spoken.event_id].event.pdu == spoken.pdu
