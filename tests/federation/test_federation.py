"""Two servers over memory do with each other what servers do."""

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import hostile_json, lenient_json

from roomver import replay_room
from roomver.errors import RequestRefused
from roomver.federation import (
    NeedResponse,
    Response,
    backfill_steps,
    check_request_steps,
    complete_steps,
    fetch_state_steps,
    read_request,
    run,
    sign_request,
    take_steps,
)
from roomver.federation.requests import ENDPOINTS
from roomver.make import make_steps
from roomver.receive import ReceiptStatus
from roomver.state import PartialState
from roomver.steps import Stored

from .two_servers import VERSIONS, Server, omitting

ALICE, BOB, CAROL, DAN = "@alice:a.org", "@bob:b.org", "@carol:b.org", "@dan:a.org"
MEMBER = "m.room.member"
every_version = pytest.mark.parametrize("version", VERSIONS)


def servers() -> tuple[Server, Server]:
    network: dict[str, Server] = {}
    return Server("a.org", network), Server("b.org", network)


def joined(version: str, *, partial: bool = False) -> tuple[Server, Server, str]:
    """Return two servers in a room."""
    a, b = servers()
    room_id = a.make_room(ALICE, version)
    a.say(room_id, ALICE, "Before")
    assert b.join(room_id, BOB, "a.org", partial=partial).accepted
    return a, b, room_id


def same(a: Server, b: Server, room_id: str) -> None:
    """Assert that both have the same state, and that it is the one of a replay."""
    one, other = a.rooms[room_id], b.rooms[room_id]
    assert one.extremities == other.extremities
    assert dict(one.state) == dict(other.state)
    events = [stored.event for stored in one.stored.values()]
    replay = replay_room(events, soft_failure=False)
    assert replay.current_state is not None
    assert dict(replay.current_state) == dict(one.state)


@every_version
def test_a_join_and_messages_both_ways(version: str) -> None:
    a, b, room_id = joined(version)
    assert b.rooms[room_id].state[MEMBER, BOB]
    b.say(room_id, BOB, "Hello")
    b.deliver()
    a.say(room_id, ALICE, "Hello, too")
    a.deliver()
    same(a, b, room_id)


@every_version
def test_missing_events_are_fetched_and_branches_merged(version: str) -> None:
    a, b, room_id = joined(version)
    for number in range(120):  # more than one response has
        a.act(room_id, ALICE, "m.room.topic", {"topic": f"{number}"}, state_key="")
        b.say(room_id, BOB, f"{number}")
    a.deliver(lose=119)
    b.deliver(lose=119)
    assert a.asked.count("get_missing_events") > 1
    a.say(room_id, ALICE, "Both branches")
    a.deliver()
    same(a, b, room_id)
    assert {*a.rooms[room_id].stored} >= {*b.rooms[room_id].stored}


@every_version
def test_the_state_is_asked_for_if_no_missing_event_is_told(version: str) -> None:
    a, b, room_id = joined(version)
    a.refused = {"get_missing_events"}
    for number in range(3):
        a.act(room_id, ALICE, "m.room.topic", {"topic": f"{number}"}, state_key="")
    spoken = a.say(room_id, ALICE, "After the gap")
    a.deliver(lose=3)
    room = b.rooms[room_id]
    assert "state_ids" in a.asked
    assert room.states_before(frozenset([spoken.event_id]))[spoken.event_id] == a.rooms[room_id].state
    lost = a.rooms[room_id].order[-3:-1]
    assert not room.states_before(frozenset(lost[:1]))
    # The history in the gap.
    assert b.run(room_id, backfill_steps([spoken.event_id], room.room, "a.org")) > 0
    assert room.states_before(frozenset(lost)).keys() == {*lost}


@every_version
def test_an_event_waits_while_nobody_tells_what_it_lacks(version: str) -> None:
    a, b, room_id = joined(version)
    a.refused = {"get_missing_events", "state_ids", "state"}
    first, second = a.say(room_id, ALICE, "First"), a.say(room_id, ALICE, "Second")
    a.deliver(lose=1)
    room = b.rooms[room_id]
    assert second.event_id in room.waits
    assert second.event_id not in room.stored
    b.run(room_id, take_steps(first.pdu, room.room, "a.org"))
    assert not room.waits
    same(a, b, room_id)


@every_version
def test_history_from_before_the_join_is_not_new(version: str) -> None:
    """A server that does not know our events tells what comes before them too."""
    a, b, room_id = joined(version)
    b.say(room_id, BOB, "Not sent")
    for number in range(3):
        a.say(room_id, ALICE, f"{number}")
    a.deliver(lose=2)
    assert len(b.rooms[room_id].extremities) == 2
    before = a.rooms[room_id].order[4]
    assert before not in b.rooms[room_id].stored


@every_version
def test_an_event_is_stored_once(version: str) -> None:
    a, b, room_id = joined(version)
    spoken = a.say(room_id, ALICE, "Twice")
    a.deliver()
    room = b.rooms[room_id]
    before = (room.extremities, [*room.order])
    assert b.run(room_id, take_steps(spoken.pdu, room.room, "a.org")) is None
    assert (room.extremities, room.order) == before


@every_version
def test_an_event_that_is_among_those_before_it_is_stored_once(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, room_id = joined(version)
    lost, spoken = a.say(room_id, ALICE, "Lost"), a.say(room_id, ALICE, "Told twice")
    room = b.rooms[room_id]
    answered = room.server.ask

    def lying(need: NeedResponse) -> object:
        if "get_missing_events" in need.uri:
            return {"events": [spoken.pdu, lost.pdu, lost.pdu, None, {}, [spoken.pdu]]}
        return answered(need)

    monkeypatch.setattr(b, "ask", lying)
    b.run(room_id, take_steps(spoken.pdu, room.room, "a.org"))  # the store asserts it
    same(a, b, room_id)


@every_version
def test_a_redaction_applies_whichever_comes_first(version: str) -> None:
    a, b, room_id = joined(version)
    spoken = a.say(room_id, ALICE, "Regretted")
    redaction = a.act(room_id, ALICE, "m.room.redaction", {}, redacts=spoken.event_id)
    assert a.rooms[room_id].stored[spoken.event_id].event.content == {}
    a.refused = {"get_missing_events"}
    a.deliver(lose=1)
    room = b.rooms[room_id]
    assert redaction.event_id in room.stored
    a.refused = set()
    b.run(room_id, backfill_steps([redaction.event_id], room.room, "a.org"))
    assert room.stored[spoken.event_id].event.content == {}


@every_version
def test_invites_and_kicks(version: str) -> None:
    a, b = servers()
    room_id = a.make_room(ALICE, version, "invite")
    with pytest.raises(RequestRefused, match=r"^a\.org refused /make_join: "):
        b.join(room_id, BOB, "a.org")
    a.act(room_id, ALICE, MEMBER, {"membership": "invite"}, state_key=BOB)
    assert b.join(room_id, BOB, "a.org").accepted
    assert b.acted(room_id, BOB, MEMBER, {"membership": "leave"}, state_key=ALICE).event is None
    a.act(room_id, ALICE, MEMBER, {"membership": "leave"}, state_key=BOB)
    a.deliver()
    refused = b.acted(room_id, BOB, "m.room.message", {"body": "No"})
    assert refused.event is None
    assert "sender" in str(refused.reason)


@every_version
def test_an_invite_that_the_other_server_does_not_sign_is_not_made(version: str) -> None:
    a, b = servers()
    room_id = a.make_room(ALICE, version)
    b.refused = {"invite"}
    acted = a.acted(room_id, ALICE, MEMBER, {"membership": "invite"}, state_key=BOB)
    assert acted.event is None
    assert acted.reason == RequestRefused("b.org", "invite", '"M_UNKNOWN"')
    b.refused = set()
    answered = b.answered
    vars(b)["answered"] = lambda *request: answered(*request)._replace(body={})
    acted = a.acted(room_id, ALICE, MEMBER, {"membership": "invite"}, state_key=BOB)
    assert (acted.event, acted.reason, str(acted)) == (None, "b.org", "b.org must sign the event")
    assert (MEMBER, BOB) not in a.rooms[room_id].state


def test_a_server_says_why_it_refuses() -> None:
    a, b = servers()
    room_id = a.make_room(ALICE, "11", join_rule="invite")
    with pytest.raises(RequestRefused, match=r"^a\.org refused /make_join: .*M_FORBIDDEN.* rule 4"):
        b.join(room_id, BOB, "a.org")
    a.act(room_id, ALICE, MEMBER, {"membership": "invite"}, state_key=BOB)
    a.refused = {"send_join"}
    with pytest.raises(RequestRefused, match=r"^a\.org refused /send_join: "):
        b.join(room_id, BOB, "a.org")
    for body, reason in (
        ("<html>", '"<html>"'),
        ([], "[]"),
        ({"errcode": 1, "error": "\x1b"}, r'"\u001b"'),
    ):
        assert Response(None, body).refused("a.org", "invite").reason == reason
    vars(b)["ask"] = lambda _: None
    b.refusal = None
    with pytest.raises(RequestRefused, match=r"^a\.org did not answer /make_join;"):
        b.join(room_id, BOB, "a.org")


@every_version
def test_a_join_without_members_is_completed(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, _, room_id = joined(version)
    c = Server("c.org", a.network)
    monkeypatch.setattr(a, "answered", omitting(a))
    assert c.join(room_id, "@dan:c.org", "a.org", partial=True).accepted
    room = c.rooms[room_id]
    (join,) = room.extremities
    assert isinstance(room.state, PartialState)
    c.say(room_id, "@dan:c.org", "I do not know who is here")
    a.say(room_id, ALICE, "Hello")
    b_event = a.rooms[room_id].order[-1]
    a.deliver()
    assert b_event in room.stored or b_event in room.waits
    response = c.run(room_id, fetch_state_steps(join, room.room))
    assert not c.run(room_id, complete_steps(join, None, room.room))
    assert c.run(room_id, complete_steps(join, response, room.room))
    assert c.run(room_id, complete_steps(join, None, room.room))  # it is complete already
    assert b_event in room.stored
    c.deliver()
    a.say(room_id, ALICE, "Both branches")
    a.deliver()
    assert dict(room.state) == dict(a.rooms[room_id].state)


def test_others_are_told_nothing_of_a_room_that_they_are_not_in() -> None:
    a, b = servers()
    room_id = a.make_room(ALICE, "12")
    event_id = a.rooms[room_id].order[-1]
    for path in ("event/$E", "state_ids/R?event_id=$E", "event_auth/R/$E", "backfill/R?v=$E&limit=9", "x/R"):
        uri = "/_matrix/federation/v1/" + path.replace("$E", event_id).replace("R", room_id)
        assert b.ask(NeedResponse("a.org", "GET", uri)) is None
    assert a.asked == ["event", "state_ids", "event_auth", "backfill", ""]


def test_a_request_must_be_signed_by_its_origin() -> None:
    a, b = servers()
    need = NeedResponse("a.org", "PUT", "/_matrix/federation/v1/send/1?x=%2F", {"pdus": [], "float": 1.5})
    header = sign_request(need, origin="b.org", key=b.key)
    for changed, uri, body, good in (
        (header, need.uri, '{"pdus": [], "float": 1.5}', True),
        (header.replace('"', ""), need.uri, '{"pdus": [], "float": 1.5}', True),
        (header, need.uri, '{"pdus": [], "float": 2.5}', False),
        (header, need.uri + "1", '{"pdus": [], "float": 1.5}', False),
        (header.replace("a.org", "c.org"), need.uri, '{"pdus": [], "float": 1.5}', False),
        (sign_request(need, origin="b.org", key=a.key), need.uri, '{"pdus": [], "float": 1.5}', False),
    ):
        request = read_request("PUT", uri, changed, body)
        assert request is not None
        assert run(check_request_steps(request, "a.org"), a.nowhere) is good


@pytest.mark.parametrize("header", ["", "Bearer x", "X-Matrix", "X-Matrix origin=a", 'X-Matrix key="a"'])
def test_a_header_that_is_not_understood(header: str) -> None:
    assert read_request("GET", "/", header) is None


@given(
    st.sampled_from([*ENDPOINTS, "unknown"]),
    st.lists(st.text(min_size=1, max_size=3), max_size=3),
    lenient_json,
    st.booleans(),
)
def test_any_request_has_an_answer(endpoint: str, rest: list[str], body: object, here: bool) -> None:
    a, b, room_id = PLAYED
    method, version, count = ENDPOINTS.get(endpoint, ("PUT", "v1", 1))
    parts = [*([room_id] if here else []), *map(quoted, rest), "$x", "$y"][:count]
    uri = f"/_matrix/federation/{version}/{'/'.join([endpoint, *parts])}?limit=x&event_id=$x&ver=11"
    content: Any = {"pdus": [body, {"room_id": room_id}], "event": body, "latest_events": body, "limit": body}
    bodies: list[Any] = [content, body if type(body) is dict else {}]
    for one in bodies:
        a.asked.clear()
        b.ask(NeedResponse("a.org", method, uri, one))
        assert a.asked == [endpoint if endpoint in ENDPOINTS else ""]


@given(hostile_json, st.sampled_from(["11", "12"]))
def test_any_response_of_another_server_has_a_result(body: object, version: str) -> None:
    a, b, room_id = joined(version)
    spoken = [a.say(room_id, ALICE, "1"), a.say(room_id, ALICE, "2")][1]
    forms = itertools.cycle(
        [body, {"events": body, "pdu_ids": body, "pdus": body}, {"events": [body], "pdus": []}]
    )
    vars(b)["ask"] = lambda _: next(forms)
    room = b.rooms[room_id]
    receipt = b.run(room_id, take_steps(spoken.pdu, room.room, "a.org"))
    assert receipt is not None
    assert not receipt.decided


def quoted(part: str) -> str:
    return part.encode("utf-8", "surrogatepass").hex()


PLAYED = joined("11")


@every_version
def test_history_from_before_a_join_does_not_become_a_forward_extremity(version: str) -> None:
    a, b = servers()
    room_id = a.make_room(ALICE, version)
    a.act(room_id, DAN, MEMBER, {"membership": "join"}, state_key=DAN)
    first = a.say(room_id, ALICE, "1")
    a.act(room_id, ALICE, MEMBER, {"membership": "leave"}, state_key=DAN)
    assert b.join(room_id, BOB, "a.org").accepted
    here = b.rooms[room_id]
    (join,) = here.extremities
    named = {"event_id": "$late:a.org"} if version == "1" else {}
    steps = make_steps(
        version, "m.room.message", DAN, {"body": "Late"}, room_id=room_id, origin_server_ts=a.now(),
        key=a.key, prev_events=[first.event_id], graph=a.rooms[room_id].room.graph, **named,
    )  # fmt: skip
    late = a.run(room_id, steps).event
    assert late is not None
    # It brings the history before it, and is itself soft-failed.
    a.rooms[room_id].stored[late.event_id] = Stored(late)
    receipt = b.run(room_id, take_steps(late.pdu, here.room, "a.org"))
    assert receipt is not None
    assert receipt.status is ReceiptStatus.SOFT_FAILED
    assert first.event_id in here.stored
    assert here.extremities == {join}


@pytest.mark.parametrize("seed", range(20))
def test_two_servers_come_to_the_same_state_whatever_is_lost(seed: int) -> None:
    """Both send state at random, and transactions are lost at random."""
    dice = random.Random(seed)
    a, b, room_id = joined(VERSIONS[seed % len(VERSIONS)])
    users = {BOB: 100} if VERSIONS[seed % len(VERSIONS)] == "12" else {ALICE: 100, BOB: 100}
    levels = {"users": users, "state_default": 0}
    a.act(room_id, ALICE, "m.room.power_levels", levels, state_key="")
    a.deliver()
    for number in range(60):
        server, user = dice.choice([(a, ALICE), (b, BOB)])
        kind = dice.choice(["m.room.topic", "m.room.name", "m.room.message", "m.room.join_rules"])
        options = {} if kind == "m.room.message" else {"state_key": ""}
        content = {"join_rule": dice.choice(["public", "invite"]), "n": number}
        server.acted(room_id, user, kind, content, **options)
        if dice.random() < 0.3:
            server.deliver(lose=dice.randrange(3))
    for _ in range(3):
        for server, user in ((a, ALICE), (b, BOB)):
            server.say(room_id, user, "Both branches")
            server.deliver()
    same(a, b, room_id)
