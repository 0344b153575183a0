"""The responses to joins and knocks, checked on the server whose user joins or knocks."""

import json
from pathlib import Path
from typing import Any

import pytest
from builder import ALICE, BOB, key_of, versions_from
from hypothesis import given
from hypothesis import strategies as st
from strategies import hostile_json, often, python_values

from roomver import Event, RoomverError, parse_event, sign_event
from roomver.make import (
    JoinCheck,
    check_send_join_steps,
    check_send_knock_steps,
    find_authoriser_steps,
)
from roomver.receive import MemoryStore, ReceiptStatus, check_state_steps, receive_steps
from roomver.receive.given import GivenState
from roomver.signing import countersign
from roomver.state import PartialState, State
from roomver.steps import run

from .test_handshake import complete, template
from .test_make import RING, Server, every_version, public

CAROL = "@carol:c.example"
MEMBER = ("m.room.member", CAROL)


def current(server: Server) -> State[str]:
    (end,) = server.store.extremities
    return server.store.states[end]


def chain_of(server: Server, events: list[Event]) -> dict[str, Event]:
    """Return the auth chain of events."""
    stored, chain = server.store.stored, dict[str, Event]()
    todo = [one for event in events for one in event.auth_parents]
    for event_id in todo:
        if event_id not in chain:
            chain[event_id] = stored[event_id].event
            todo += chain[event_id].auth_parents
    return chain


def answer(server: Server, join: Event, *, omit: bool = False, receive: bool = True) -> dict[str, Any]:
    """Receive a join, and return the response to it."""
    state = [server.store.stored[one].event for one in current(server).values()]
    if receive:
        receipt = server.receive(join)
        assert receipt.status is ReceiptStatus.ACCEPTED, receipt
    if omit:
        state = [event for event in state if event.type != "m.room.member"]
    chain = chain_of(server, [join, *state])
    ids = {event.event_id for event in state}
    body: dict[str, Any] = {
        "event": join.pdu,
        "state": [event.pdu for event in state],
        "auth_chain": [event.pdu for event_id, event in chain.items() if event_id not in ids],
        "members_omitted": omit,
    }
    if omit:
        body["servers_in_room"] = ["a.example", "b.example"]
    return body


def joined(version: str, **options: Any) -> tuple[Server, Event, dict[str, Any]]:
    """Return a server in a room, a join of another server, and the response to it."""
    server = public(version)
    server.send("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    asked = template(server, "join")
    join = complete(server, asked.response, "join")
    return server, join, answer(server, join, **options)


def check(body: object, join: Event, store: MemoryStore | None = None) -> JoinCheck:
    return run(check_send_join_steps(body, join), store or MemoryStore(RING))


def texts(checked: JoinCheck | GivenState) -> list[str]:
    return [str(defect) for defect in checked.defects]


@every_version
def test_the_response_gives_the_state_before_the_join(version: str) -> None:
    server, join, body = joined(version)
    before = server.store.states[join.event_id].changed({MEMBER: None})
    store = MemoryStore(RING)
    checked = check(body, join, store)
    assert (checked.refused, checked.defects, checked.unknown_keys) == (False, (), ())
    assert checked.state == before
    assert (checked.members_omitted, checked.servers) == (False, ())
    assert {one.status for one in checked.receipts} == {ReceiptStatus.ACCEPTED}
    for one in checked.receipts:
        store.take(one)
    receipt = run(receive_steps(checked.join.pdu, version, state_before=checked.state), store)
    assert receipt.status is ReceiptStatus.ACCEPTED
    assert receipt.state_after == server.store.states[join.event_id]
    assert receipt.forward_extremities == frozenset([join.event_id])


@every_version
def test_omitted_members_are_unknown_in_the_state(version: str) -> None:
    server, join, body = joined(version, omit=True)
    checked = check(body, join)
    assert checked.refused is False
    state = checked.state
    assert isinstance(state, PartialState)
    assert [one.reason for one in state.unknown] == ["members omitted"]
    assert not any(kind == "m.room.member" for kind, _ in state.known)
    assert checked.servers == ("a.example", "b.example")
    # The members of the auth chain are to be stored, because later events may cite them.
    assert ALICE in {one.event.state_key for one in checked.receipts if one.event is not None}
    assert server.version.identifier == version


@pytest.mark.parametrize("flag", [1, "false", None, [], 0])
def test_anything_but_false_means_that_members_are_omitted(flag: object) -> None:
    _, join, body = joined("11")
    checked = check({**body, "members_omitted": flag}, join)
    assert checked.members_omitted
    assert texts(checked) == ["servers_in_room: expected an array of server names, found nothing"]


@pytest.mark.parametrize("servers", [None, {}, [1], "a.example"])
def test_the_servers_in_the_room_are_server_names(servers: object) -> None:
    _, join, body = joined("11", omit=True)
    checked = check({**body, "servers_in_room": servers}, join)
    assert checked.refused is True
    assert texts(checked)[0].startswith("servers_in_room: expected an array of server names, found ")


def test_the_response_of_version_1_of_the_endpoint_is_an_array() -> None:
    _, join, body = joined("11")
    assert check([200, body], join).refused is False
    assert texts(check([403, body], join)) == ["expected a JSON object, found an array"]


@every_version
def test_events_that_the_store_has_are_not_checked_again(version: str) -> None:
    server, join, body = joined(version)
    # Without keys nothing can be verified.
    store = MemoryStore()
    assert check(body, join, store).refused is None
    store.stored = {event_id: one for event_id, one in server.store.stored.items() if one.event != join}
    checked = check(body, join, store)
    assert (checked.receipts, checked.refused) == ((), None)  # the join itself cannot be verified
    assert checked.given.refused is False
    store.ring = RING
    assert check(body, join, store).refused is False


@every_version
def test_a_join_that_a_key_is_missing_for_is_undecided(version: str) -> None:
    _, join, body = joined(version)
    checked = check(body, join, MemoryStore())
    assert (checked.refused, checked.state, checked.defects) == (None, None, ())
    assert {one.status for one in checked.receipts} == {ReceiptStatus.UNDECIDED}
    assert ("a.example", "ed25519:1") in checked.given.unknown_keys
    assert checked.unknown_keys == (("c.example", "ed25519:1"),)


def changed(body: dict[str, Any], name: str, kind: str, **changes: Any) -> dict[str, Any]:
    """Change the events of a type in a part of a response."""
    return {
        **body,
        name: [{**pdu, **changes} if pdu["type"] == kind else pdu for pdu in body[name]],
    }


def test_the_key_of_a_forged_event_is_unknown() -> None:
    _, join, body = joined("11")
    checked = check(changed(body, "state", "m.room.topic", sender=BOB), join)
    assert checked.refused is False
    state = checked.state
    assert isinstance(state, PartialState)
    assert [str(one) for one in state.unknown] == ["m.room.topic '' (given events of it cannot be used)"]
    (dropped,) = [one for one in checked.receipts if one.status is ReceiptStatus.DROPPED]
    assert str(dropped).startswith("dropped: signature-missing: ")


def test_an_event_whose_content_was_changed_is_redacted() -> None:
    _, join, body = joined("11")
    checked = check(changed(body, "state", "m.room.topic", content={"topic": "forged"}), join)
    assert checked.refused is False
    (topic,) = [one.event for one in checked.receipts if one.redacted]
    assert topic is not None
    assert topic.content == {}
    assert checked.state is not None
    assert checked.state["m.room.topic", ""] == topic.event_id


def test_the_key_of_an_event_that_its_auth_events_refuse_is_unknown() -> None:
    server, join, body = joined("11")
    topic = server.store.stored[current(server)["m.room.topic", ""]].event.pdu
    eve = {**topic, "sender": "@eve:b.example", "signatures": {}}
    refused = parse_event(sign_event(eve, "11", "b.example", key_of("b.example")), "11")
    state = [pdu for pdu in body["state"] if pdu["type"] != "m.room.topic"]
    checked = check({**body, "state": [*state, refused.pdu]}, join)
    assert checked.refused is False
    assert isinstance(checked.state, PartialState)
    assert checked.state.why_unknown(("m.room.topic", "")) is not None
    (receipt,) = [one for one in checked.receipts if one.event == refused]
    assert receipt.status is ReceiptStatus.REJECTED
    assert receipt.stored is not None
    assert receipt.stored.rejected


def test_two_events_for_one_key_leave_it_unknown() -> None:
    server, join, body = joined("11")
    other = server.send("m.room.topic", ALICE, {"topic": "y"}, state_key="")
    checked = check({**body, "state": [*body["state"], other.pdu]}, join)
    assert isinstance(checked.state, PartialState)
    assert checked.state.why_unknown(("m.room.topic", "")) is not None


def test_a_missing_auth_event_leaves_events_undecided() -> None:
    server, join, body = joined("11")
    power = current(server)["m.room.power_levels", ""]
    state = [pdu for pdu in body["state"] if pdu["type"] != "m.room.power_levels"]
    checked = check({**body, "state": state}, join)
    assert checked.given.missing == (power,)
    assert checked.refused is None
    assert checked.verdict is None
    assert isinstance(checked.state, PartialState)
    assert checked.state.why_unknown(("m.room.topic", "")) is not None
    # A store that has the event decides it.
    store = MemoryStore(RING)
    store.stored[power] = server.store.stored[power]
    assert check({**body, "state": state}, join, store).given.missing == ()


@pytest.mark.parametrize("body", [None, [], "x", {}, {"state": {}, "auth_chain": None}, [200, []]])
def test_a_response_in_another_form_is_refused(body: object) -> None:
    _, join, _ = joined("11")
    assert check(body, join).refused is True


@every_version
def test_a_state_without_the_create_event_is_refused(version: str) -> None:
    _, join, body = joined(version)
    state = [pdu for pdu in body["state"] if pdu["type"] != "m.room.create"]
    checked = check({**body, "state": state}, join)
    assert "state: expected the m.room.create event of the room, found none" in texts(checked)
    assert (checked.refused, checked.state) == (True, None)
    forged = check(changed(body, "state", "m.room.create", signatures={}), join)
    assert "state: expected the m.room.create event of the room, found one that is refused" in texts(forged)


@pytest.mark.parametrize("version", ["1", "6", "10"])
def test_a_create_event_of_another_room_version_is_refused(version: str) -> None:
    server = Server(version)
    create = {**server.create.pdu, "content": {**server.create.content, "room_version": "9"}}
    del create["hashes"], create["signatures"]
    create = sign_event(create, version, "a.example", key_of("a.example"))
    given_state = run(
        check_state_steps({"pdus": [create], "auth_chain": []}, version, room_id=server.create.room_id),
        MemoryStore(RING),
    )
    assert texts(given_state) == [f'm.room.create: content.room_version: expected "{version}", found "9"']


@pytest.mark.parametrize("version", ["6", "11"])
def test_a_second_create_event_in_the_chain_is_refused(version: str) -> None:
    _, join, body = joined(version)
    other = Server(version).make(
        "m.room.create", ALICE, {"creator": ALICE, "room_version": version, "n": 2}, state_key=""
    )
    assert other.event is not None
    checked = check({**body, "auth_chain": [*body["auth_chain"], other.event.pdu]}, join)
    assert checked.refused is True
    (text,) = texts(checked)
    assert text.startswith("auth_chain: expected one create event, found $")


@every_version
def test_events_of_another_room_are_dropped(version: str) -> None:
    _, join, body = joined(version)
    topic = next(pdu for pdu in body["state"] if pdu["type"] == "m.room.topic")
    room_id = "!" + "B" * 43 if version == "12" else "!other:a.example"
    moved = {**topic, "room_id": room_id, "signatures": {}}
    strange = parse_event(sign_event(moved, version, "a.example", key_of("a.example")), version)
    checked = check({**body, "state": [*body["state"], strange.pdu]}, join)
    (dropped,) = [one for one in checked.receipts if one.status is ReceiptStatus.DROPPED]
    assert str(dropped).startswith('dropped: other-room: room_id: "!')


@pytest.mark.parametrize("version", ["1", "2"])
def test_another_event_under_the_same_id_is_dropped(version: str) -> None:
    server, join, body = joined(version)
    (topic,) = [pdu for pdu in body["state"] if pdu["type"] == "m.room.topic"]
    unsigned = {key: value for key, value in topic.items() if key not in ("hashes", "signatures")}
    twin = sign_event({**unsigned, "origin_server_ts": 99}, version, "a.example", key_of("a.example"))
    checked = check({**body, "state": [*body["state"], twin]}, join)
    assert isinstance(checked.state, PartialState)
    assert checked.state.why_unknown(("m.room.topic", "")) is not None
    (dropped,) = [one for one in checked.receipts if one.status is ReceiptStatus.DROPPED]
    assert str(dropped).startswith("dropped: same-id: event_id: another event has the ID")
    # What the store has counts.
    store = MemoryStore(RING)
    store.stored = dict(server.store.stored)
    state = [pdu for pdu in body["state"] if pdu["type"] != "m.room.topic"]
    checked = check({**body, "state": [*state, twin]}, join, store)
    assert [one.status for one in checked.receipts] == [ReceiptStatus.DROPPED]


@pytest.mark.parametrize("version", ["1", "2"])
def test_events_that_cite_each_other_are_undecided(version: str) -> None:
    _, join, body = joined(version)

    def made(name: str, cited: str, key: str) -> dict[str, Any]:
        base = {k: v for k, v in body["state"][-1].items() if k not in ("hashes", "signatures")}
        refs = [[cited, {"sha256": ""}]]
        pdu = {**base, "event_id": name, "auth_events": refs, "type": "x", "state_key": key}
        return sign_event(pdu, version, "a.example", key_of("a.example"))

    one, two = made("$1:a.example", "$2:a.example", "1"), made("$2:a.example", "$1:a.example", "2")
    after = made("$3:a.example", "$1:a.example", "3")
    checked = check({**body, "state": [*body["state"], one, two, after]}, join)
    assert checked.refused is False
    undecided = {one.event_id for one in checked.receipts if one.status is ReceiptStatus.UNDECIDED}
    assert undecided == {"$1:a.example", "$2:a.example", "$3:a.example"}


@pytest.mark.parametrize("version", versions_from(8))
def test_a_restricted_join_comes_back_signed_by_the_authorising_server(version: str) -> None:
    server = public(version)
    rules = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!x:a.example"}]}
    server.send("m.room.join_rules", ALICE, rules, state_key="")
    authoriser = run(find_authoriser_steps("a.example"), server.store)
    asked = template(server, "join", authoriser=authoriser)
    sent = complete(server, asked.response, "join")
    signed = parse_event(countersign(sent.pdu, version, "a.example", key_of("a.example")), version)
    body = answer(server, signed)
    checked = check(body, sent)
    assert checked.refused is False
    assert checked.join == sent
    assert sorted(checked.join.signatures) == ["a.example", "c.example"]
    # Nothing but the signature is taken.
    more = {
        **signed.pdu,
        "unsigned": {"age": 5},
        "signatures": {**signed.signatures, "z.example": {"ed25519:1": "x"}},
    }
    assert check({**body, "event": more}, sent).join.pdu == checked.join.pdu
    # Without it the join is refused.
    for event in (sent.pdu, None):
        unsigned = check({**body, "event": event}, sent)
        assert unsigned.refused is True
        assert "a.example must sign, but its signature is missing" in texts(unsigned)[0]
    forged = {**signed.pdu, "signatures": {**signed.signatures, "a.example": {"ed25519:1": "A" * 86}}}
    assert check({**body, "event": forged}, sent).refused is True
    large = {**signed.pdu, "signatures": {**signed.signatures, "a.example": {"ed25519:1": "A" * 66000}}}
    assert check({**body, "event": large}, sent).refused is True


def test_another_event_in_place_of_the_join_is_refused() -> None:
    server, join, body = joined("11")
    checked = check({**body, "event": server.create.pdu}, join)
    assert checked.refused is True
    found = f'another event, "{server.create.event_id}"'
    assert texts(checked) == [f'event: expected the join "{join.event_id}", found {found}']
    assert check({**body, "event": 5}, join).refused is True
    del body["event"]
    assert check(body, join).refused is False


def test_a_join_that_its_auth_events_refuse_is_refused() -> None:
    server = public("11")
    asked = template(server, "join")
    assert asked.response is not None
    server.send("m.room.join_rules", ALICE, {"join_rule": "invite"}, state_key="")
    event: Any = asked.response["event"]
    rules = current(server)["m.room.join_rules", ""]
    cited = [
        one for one in event["auth_events"] if server.store.stored[one].event.type != "m.room.join_rules"
    ]
    join = complete(server, {**asked.response, "event": {**event, "auth_events": [*cited, rules]}}, "join")
    checked = check(answer(server, join, receive=False), join)
    assert checked.defects == ()
    assert checked.refused is True
    assert checked.verdict is not None
    assert not checked.verdict.allowed


def test_a_result_has_no_truth_value() -> None:
    _, join, body = joined("11")
    checked = check(body, join)
    for one in (checked, checked.given):
        with pytest.raises(TypeError, match="refused"):
            bool(one)


@often
@given(st.data(), st.sampled_from(["1", "6", "12"]))
def test_any_response_has_an_answer(data: st.DataObject, version: str) -> None:
    _, join, body = joined(version, omit=data.draw(st.booleans()))
    name = data.draw(st.sampled_from(sorted(body)))
    value = data.draw(hostile_json | python_values)
    if data.draw(st.booleans()) and type(body[name]) is list and body[name]:
        place = data.draw(st.integers(0, len(body[name]) - 1))
        entry = body[name][place]
        if type(entry) is dict and data.draw(st.booleans()):
            value = {**entry, data.draw(st.sampled_from(sorted(entry))): value}
        body[name] = [*body[name][:place], value, *body[name][place + 1 :]]
    else:
        body[name] = value
    try:
        checked = check(body, join)
    except RoomverError:
        return
    assert checked.refused in (True, False, None)
    if checked.refused is False:
        assert checked.state is not None


@every_version
def test_the_response_to_state_completes_the_state(version: str) -> None:
    server, join, body = joined(version)
    whole = {"pdus": body["state"], "auth_chain": body["auth_chain"]}
    store = MemoryStore(RING)
    given_state = run(check_state_steps(whole, version, room_id=join.room_id), store)
    assert given_state.refused is False
    assert given_state.state == check(body, join).state
    assert given_state.missing == ()
    assert run(check_state_steps([], version, room_id=join.room_id), store).refused is True
    assert server.version.identifier == version


@pytest.mark.parametrize("version", versions_from(7))
def test_the_response_to_a_knock_is_checked(version: str) -> None:
    server = public(version)
    server.send("m.room.join_rules", ALICE, {"join_rule": "knock"}, state_key="")
    knock = complete(server, template(server, "knock").response, "knock")
    response = {"knock_room_state": [server.create.pdu]}
    checked = run(check_send_knock_steps(response, knock), MemoryStore(RING))
    assert checked.events == (server.create,)
    assert (checked.defects, checked.unknown_keys) == ((), ())
    for bad in (None, {}, {"knock_room_state": 5}, {"knock_room_state": [5]}):
        assert run(check_send_knock_steps(bad, knock), MemoryStore(RING)).defects
    assert run(check_send_knock_steps(response, knock), MemoryStore()).unknown_keys


# Recorded answers of Synapse

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "answers.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(
    ("name", "omitted"),
    [
        ("v11 send_join, version 1", False),
        ("v11 send_join, version 2", False),
        ("v12 send_join, version 2", False),
        ("v11 send_join, omitting members", True),
    ],
)
def test_a_recorded_response(name: str, omitted: bool) -> None:
    body = RECORDED["answers"][name]["body"]
    fields = body[1] if type(body) is list else body
    join = parse_event(fields["event"], name[1:3])
    checked = run(check_send_join_steps(body, join, signatures=False), MemoryStore())
    assert (checked.refused, checked.defects) == (False, ())
    assert checked.members_omitted is omitted
    assert {one.status for one in checked.receipts} == {ReceiptStatus.ACCEPTED}
    assert checked.state is not None
    assert len(checked.state.known) == len(fields["state"])
    assert bool(checked.servers) is omitted
