"""A hostile server: what it must not get, and what it must not make another server believe."""

import contextlib
import json
import time
from typing import Any
from urllib.parse import quote

import pytest

from roomver import Event, JsonObject, MalformedEvent, parse_event
from roomver.federation import (
    Answer,
    NeedResponse,
    ask_template_steps,
    backfill_steps,
    check_request_steps,
    complete_steps,
    fetch_keys_steps,
    fetch_state_steps,
    read_request,
    run,
    sign_request,
    take_steps,
)
from roomver.keys import VALIDITY_CAP_MS, KeyRing, VerifyKey
from roomver.receive import ReceiptStatus
from roomver.signing import sign_event, sign_json
from roomver.state import PartialState
from roomver.steps import Stored
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
    """Undecided events wait, and each is received again after every event that is stored."""
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
    whole = a.answered

    def omitting(*request: str) -> Answer:
        answer = whole(*request)
        if "send_join" not in request[1] or answer.status != 200:
            return answer
        body: Any = answer.body
        state = [one for one in body["state"] if one["type"] != MEMBER]
        return answer._replace(body={**body, "state": state, "members_omitted": True, **(more or {})})

    vars(a)["answered"] = omitting
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
