"""The handshakes between a server in a room and one that is not."""

from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, key_of, versions_from
from hypothesis import given
from hypothesis import strategies as st
from strategies import hostile_json, often, python_values

from roomver import KeyRing, MalformedEvent, NotCanonical, RoomverError, parse_event, rules, sign_event
from roomver.make import (
    InviteCheck,
    Template,
    check_invite_steps,
    check_sent,
    complete_template,
    find_authoriser_steps,
    stripped_state_steps,
    take_signature,
    template_steps,
)
from roomver.receive import MemoryStore, ReceiptStatus
from roomver.signing import countersign
from roomver.state import PartialState, Unknown
from roomver.steps import Current, run

from .test_make import RING, Server, every_version, public

USER = "@carol:c.example"
KEY = key_of("c.example")


def template(server: Server, membership: str, user: str = USER, **options: Any) -> Template:
    steps = template_steps(
        server.version,
        membership,
        user,
        room_id=server.create.room_id,
        server="a.example",
        origin_server_ts=7,
        graph=server.store.graph,
        **options,
    )
    return run(steps, server.store)


def complete(server: Server, response: object, membership: str, **options: Any) -> Any:
    if server.version.references_carry_hashes:
        options.setdefault("event_id", f"$carol{server.made}:c.example")
    given: dict[str, Any] = {
        "membership": membership,
        "user": USER,
        "room_id": server.create.room_id,
        "versions": VERSIONS,
        "origin_server_ts": 8,
        "key": KEY,
        **options,
    }
    return complete_template(response, **given)


def shake(server: Server, membership: str, **options: Any) -> Any:
    """Take a template, complete it and receive the event. Return the event."""
    answer = template(server, membership)
    assert answer.response is not None, answer.verdict
    event = complete(server, answer.response, membership, **options)
    wrong = check_sent(
        event,
        membership=membership,
        origin="c.example",
        room_id=server.create.room_id,
        event_id=event.event_id,
    )
    assert wrong == ()
    assert server.receive(event).status is ReceiptStatus.ACCEPTED
    server.made += 1
    return event


@every_version
def test_a_user_of_another_server_joins_and_leaves(version: str) -> None:
    server = public(version)
    join = shake(server, "join", content={"displayname": "C", "membership": "ban"})
    assert join.content == {"membership": "join", "displayname": "C"}
    assert (join.pdu["origin"], join.origin_server_ts) == ("c.example", 8)
    leave = shake(server, "leave")
    assert leave.prev_event_ids == (join.event_id,)
    refused = template(server, "leave")
    assert refused.response is None
    assert not refused.verdict.allowed


@pytest.mark.parametrize("version", versions_from(7))
def test_a_user_of_another_server_knocks(version: str) -> None:
    server = public(version)
    assert template(server, "knock").response is None
    server.send("m.room.join_rules", ALICE, {"join_rule": "knock"}, state_key="")
    shake(server, "knock")


@pytest.mark.parametrize("version", versions_from(8))
def test_a_user_of_another_server_joins_a_restricted_room(version: str) -> None:
    server = public(version)
    server.send("m.room.join_rules", ALICE, {"join_rule": "restricted"}, state_key="")
    refused = template(server, "join")
    assert refused.response is None
    authoriser = run(find_authoriser_steps("a.example"), server.store)
    assert authoriser == ALICE
    answer = template(server, "join", authoriser=authoriser)
    more = {"join_authorised_via_users_server": "@someone:else.example", "x": 1}
    event = complete(server, answer.response, "join", content=more)
    assert event.content == {"membership": "join", "join_authorised_via_users_server": ALICE, "x": 1}
    assert server.receive(event).status is ReceiptStatus.DROPPED
    signed = countersign(event.pdu, version, "a.example", key_of("a.example"))
    assert server.receive(signed).status is ReceiptStatus.ACCEPTED


@every_version
def test_a_template_is_an_unsigned_event(version: str) -> None:
    server = public(version)
    response: Any = template(server, "join").response
    assert response["room_version"] == version
    event = response["event"]
    assert event["origin"] == "a.example"
    assert {"signatures", "hashes", "event_id"}.isdisjoint(event)
    assert event["prev_events"]


def test_no_template_has_another_membership() -> None:
    with pytest.raises(ValueError, match="must be one of join, leave, knock"):
        template(public("11"), "invite")
    with pytest.raises(TypeError, match=r"use \.response"):
        bool(template(public("11"), "join"))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"type": "m.room.topic"}, "event.type"),
        ({"type": None}, "event.type"),
        ({"room_id": "!other:a.example"}, "event.room_id"),
        ({"sender": BOB}, "event.sender"),
        ({"state_key": BOB}, "event.state_key"),
        ({"content": {"membership": "leave"}}, "event.content.membership"),
        ({"content": []}, "event.content.membership"),
        ({"prev_events": {}}, "prev_events"),
        ({"depth": -1}, "depth"),
    ],
)
def test_a_template_that_is_not_what_was_asked_for_is_malformed(changes: Any, path: str) -> None:
    server = public("11")
    response: Any = template(server, "join").response
    response["event"].update(changes)
    with pytest.raises(MalformedEvent) as caught:
        complete(server, response, "join")
    assert [defect.path for defect in caught.value.defects] == [path]


def test_the_room_version_of_a_template_was_asked_for() -> None:
    server = public("11")
    response: Any = template(server, "join").response
    named: Any
    for named in ("9", None, 11, [], "x"):
        with pytest.raises(MalformedEvent, match="room_version: expected one of"):
            complete(server, {**response, "room_version": named}, "join", versions=["10", "11"])
    with pytest.raises(MalformedEvent, match="room_version: expected one of"):
        complete(server, {"event": response["event"]}, "join", versions=["10", "11"])
    with pytest.raises(MalformedEvent, match="event: expected an object"):
        complete(server, {"room_version": "11"}, "join")
    with pytest.raises(MalformedEvent, match="content: expected an object"):
        complete(server, response, "join", content=[])
    with pytest.raises(MalformedEvent, match="room_version: expected one of"):
        complete(server, None, "join", versions=["11"])


def test_without_a_room_version_a_template_is_of_version_1_or_2() -> None:
    server = public("2")
    response: Any = template(server, "join").response
    event = complete(server, {"event": response["event"]}, "join", versions=["11", "2"])
    assert event.room_version.identifier == "2"
    assert complete(server, {"event": response["event"]}, "join").room_version.identifier == "1"


def test_what_a_template_has_of_signatures_is_dropped() -> None:
    server = public("11")
    response: Any = template(server, "join").response
    strange = {"signatures": {"a.example": []}, "hashes": {"md5": ""}, "unsigned": 5, "event_id": "$x"}
    response["event"].update(strange)
    event = complete(server, response, "join")
    assert event.signatures.keys() == {"c.example"}
    assert event.hashes.keys() == {"sha256"}
    assert {"unsigned", "event_id"}.isdisjoint(event.pdu)


def test_an_event_that_was_sent_is_what_the_request_says() -> None:
    server = public("11")
    event = complete(server, template(server, "join").response, "join")
    expected = {"membership": "join", "origin": "c.example", "room_id": server.create.room_id}

    def wrong(**changes: Any) -> list[str]:
        return [defect.path for defect in check_sent(event, **{**expected, **changes})]

    assert wrong() == []
    assert wrong(event_id=event.event_id) == []
    assert wrong(membership="leave") == ["content.membership"]
    assert wrong(origin="b.example") == ["sender"]
    assert wrong(room_id="!x:a.example") == ["room_id"]
    assert wrong(event_id="$x") == ["event_id"]
    message = server.send("m.room.message", ALICE)
    found = check_sent(message, **{**expected, "origin": "a.example"})
    assert [defect.path for defect in found] == ["type", "state_key", "content.membership"]


@often
@given(
    hostile_json | python_values, st.sampled_from(["room_version", "event", "content", "type", "auth_events"])
)
def test_any_response_is_an_event_or_an_error_of_the_library(value: Any, where: str) -> None:
    server = _KEPT.setdefault("11", public("11"))
    response: Any = template(server, "join").response
    for answer in (value, _changed(response, where, value)):
        try:
            event = complete(server, answer, "join")
        except RoomverError:
            continue
        assert (event.type, event.sender, event.content["membership"]) == ("m.room.member", USER, "join")


def test_a_template_that_holds_itself_is_refused() -> None:
    server = public("11")
    response: Any = template(server, "join").response
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(MalformedEvent, match="canonical JSON"):
        complete(server, _changed(response, "auth_events", endless), "join")
    with pytest.raises(NotCanonical):
        complete(server, response, "join", content={"displayname": endless})


_KEPT: dict[str, Server] = {}


def _changed(response: Any, where: str, value: Any) -> Any:
    if where in response:
        return {**response, where: value}
    return {**response, "event": {**response["event"], where: value}}


# Invites


def invited(server: Server, **options: Any) -> tuple[Any, dict[str, Any]]:
    """Return an invite of a user of another server, and the body of the request."""
    made = server.make("m.room.member", ALICE, {"membership": "invite"}, state_key=USER, **options)
    assert made.event is not None
    state = run(stripped_state_steps(graph=server.store.graph), server.store)
    version = server.version.identifier
    return made.event, {"room_version": version, "event": made.event.pdu, "invite_room_state": state}


def check(room: Server, body: object, ring: KeyRing = RING, **options: Any) -> InviteCheck:
    given: dict[str, Any] = {
        "room_id": room.create.room_id,
        "origin": "a.example",
        "server": "c.example",
        "versions": VERSIONS,
        **options,
    }
    return run(check_invite_steps(body, **given), MemoryStore(ring))


@every_version
def test_an_invite_is_checked_and_signed_by_the_invited_server(version: str) -> None:
    server = public(version, BOB)
    server.send("m.room.topic", BOB, {"topic": "x"}, state_key="")
    event, body = invited(server)
    checked = check(server, body, event_id=event.event_id)
    assert checked.refused is False
    assert (checked.event, checked.version, checked.unknown_keys) == (event, server.version, ())
    kinds = [one.type for one in checked.state]
    assert kinds == ["m.room.create", "m.room.topic", "m.room.join_rules"]
    signed = countersign(event.pdu, version, "c.example", KEY)
    taken = take_signature(event, {"event": {**signed, "depth": 99}}, "c.example")
    assert taken.pdu == signed
    assert server.receive(taken).status is ReceiptStatus.ACCEPTED
    assert server.state("m.room.topic")


@pytest.mark.parametrize("version", ["11", "12"])
def test_defects_of_the_state_count_from_version_12_on(version: str) -> None:
    server, other = public(version, BOB), Server(version)
    server.send("m.room.topic", BOB, {"topic": "x"}, state_key="")
    other.room_id = "!other:a.example" if version == "11" else other.create.room_id
    strange = other.make("m.room.topic", ALICE, {}, state_key="")
    assert strange.event is None
    _, body = invited(server)
    create, topic, *_ = body["invite_room_state"]
    forged = {**topic, "signatures": {"b.example": {"ed25519:1": "A" * 86}}}
    stripped = {key: topic[key] for key in ("type", "sender", "state_key", "content")}
    elsewhere = sign_event({**topic, "room_id": "!else:b.example"}, version, "b.example", key_of("b.example"))
    for state, path in (
        ([topic], "invite_room_state"),
        ([], "invite_room_state"),
        ("x", "invite_room_state"),
        ([create, forged], 'invite_room_state[1].signatures["b.example"]'),
        ([create, stripped], "invite_room_state[1].room_id"),
        ([create, 5], "invite_room_state[1]"),
        ([create, elsewhere], "invite_room_state[1].room_id"),
        ([create] * 101, "invite_room_state"),
    ):
        checked = check(server, {**body, "invite_room_state": state})
        assert checked.state_defects[0].path == path
        assert checked.defects == ()
        assert checked.refused is (version == "12")
    assert check(server, {key: body[key] for key in ("room_version", "event")}).state_defects


def test_the_create_event_of_version_12_must_be_that_of_the_room() -> None:
    server = public("12")
    _, body = invited(server)
    other = sign_event({**server.create.pdu, "origin_server_ts": 99}, "12", "a.example", key_of("a.example"))
    checked = check(server, {**body, "invite_room_state": [other]})
    assert checked.refused is True
    assert checked.state == ()
    assert [defect.path for defect in checked.state_defects] == [
        "invite_room_state[0].room_id",
        "invite_room_state",
    ]


def test_an_invite_waits_for_the_keys_of_all_its_events() -> None:
    server = public("12", BOB)
    server.send("m.room.topic", BOB, {"topic": "x"}, state_key="")
    _, body = invited(server)
    checked = check(server, body, KeyRing())
    assert checked.refused is None
    assert checked.unknown_keys == (("a.example", "ed25519:1"), ("b.example", "ed25519:1"))
    assert check(server, {**body, "event": {}}, KeyRing()).refused is True


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"room_id": "!other"}, "event.room_id"),
        ({"origin": "b.example"}, "event.sender"),
        ({"server": "b.example"}, "event.state_key"),
        ({"event_id": "$other"}, "event.event_id"),
    ],
)
def test_an_invite_is_what_the_request_says(options: Any, path: str) -> None:
    server = public("12")
    _, body = invited(server)
    checked = check(server, body, **options)
    assert checked.refused is True
    assert checked.event is None
    assert [defect.path for defect in checked.defects] == [path]
    with pytest.raises(TypeError, match=r"use \.refused"):
        bool(checked)


def test_only_invites_are_signed() -> None:
    server = public("11", USER)
    for event in server.store.stored.values():
        if event.event.type in ("m.room.topic", "m.room.member", "m.room.join_rules"):
            checked = check(server, {"room_version": "11", "event": event.event.pdu})
            assert checked.refused is True
            assert checked.defects[0].path in ("event.type", "event.content.membership")
    _, body = invited(public("10"))
    unsigned = {**body["event"], "signatures": {}}
    checked = check(public("10"), {**body, "event": unsigned})
    assert checked.refused is True
    assert checked.defects[0].path == 'event.signatures["a.example"]'
    alone = check(public("10"), {"room_version": "10", "event": unsigned}, KeyRing())
    assert alone.defects == checked.defects


def test_an_invite_to_a_room_version_that_is_not_supported_is_an_error() -> None:
    server = public("11")
    _, body = invited(server)
    wrong: Any
    for wrong in (None, [], {**body, "room_version": None}, {**body, "room_version": "10"}):
        with pytest.raises(MalformedEvent):
            check(server, wrong, versions=["11"])


@pytest.mark.parametrize(
    "response",
    [None, {}, {"event": 5}, {"event": {}}, {"event": {"signatures": 5}}, {"event": {"signatures": {}}}]
    + [{"event": {"signatures": {"c.example": mine}}} for mine in (5, {}, {"ed25519:1": 5})],
)
def test_a_response_without_a_signature_is_malformed(response: Any) -> None:
    event, _ = invited(public("11"))
    with pytest.raises(MalformedEvent):
        take_signature(event, response, "c.example")


def test_signatures_that_the_invite_has_are_kept() -> None:
    event, _ = invited(public("11"))
    both = parse_event(countersign(event.pdu, "11", "c.example", KEY), "11")
    mine: Any = both.signatures["c.example"]
    response = {"event": {"signatures": {"c.example": {"ed25519:1": "other", "ed25519:2": "x"}}}}
    taken = take_signature(both, response, "c.example")
    assert taken.signatures["c.example"] == {**mine, "ed25519:2": "x"}


@often
@given(hostile_json | python_values, st.sampled_from(["event", "invite_room_state", "room_version", "entry"]))
def test_any_invite_is_refused_or_an_error_of_the_library(value: Any, where: str) -> None:
    server = _KEPT.setdefault("12", public("12"))
    _, body = _INVITES.setdefault("12", invited(server))
    changed = {**body, "invite_room_state": [value]} if where == "entry" else {**body, where: value}
    for one in (value, changed):
        try:
            checked = check(server, one)
        except RoomverError:
            continue
        assert checked.refused is True


_INVITES: dict[str, Any] = {}


def test_stripped_state_may_be_known_in_part() -> None:
    server = public("11", BOB)
    (end,) = server.store.extremities
    known = {key: e for key, e in server.store.states[end].items() if key[0] != "m.room.join_rules"}
    server.store.states[end] = PartialState(known, [Unknown("gone", frozenset({"m.room.join_rules"}))])
    state = run(stripped_state_steps(), server.store)
    assert [pdu["type"] for pdu in state] == ["m.room.create"]

    class Keeps(MemoryStore):
        def current(self) -> Current:
            return Current(["$x"], known)

    store = Keeps()
    store.stored = server.store.stored
    assert run(stripped_state_steps(), store) == state


def test_a_knock_needs_a_version_that_has_it() -> None:
    refused = template(public("6"), "knock")
    assert refused.response is None
    assert refused.verdict.rule is rules.MEMBER_UNKNOWN
