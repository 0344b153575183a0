"""Third-party invites that are completed, and the signature of a policy server."""

from dataclasses import replace
from typing import Any

import pytest
from builder import ALICE, BOB, key_of, public_key, signed_block
from hypothesis import given
from hypothesis import strategies as st
from strategies import hostile_json, often, python_values

from roomver import MalformedEvent, parse_event, rules
from roomver.make import (
    Made,
    exchange_third_party_invite_steps,
    make_steps,
    take_policy_signature,
)
from roomver.policy import check_policy_signature
from roomver.receive import ReceiptStatus
from roomver.signing import countersign
from roomver.steps import run

from .test_make import Server, every_version, public

DORA = "@dora:c.example"
IDENTITY = "identity.example"


def offered(version: str) -> tuple[Server, dict[str, Any]]:
    """Return a server whose user has sent a third-party invite, and the request to complete it."""
    server = public(version)
    offer = {"display_name": "d...", "public_key": public_key(IDENTITY), "key_validity_url": "https://x"}
    server.send("m.room.third_party_invite", ALICE, offer, state_key="token")
    signed = signed_block(DORA, "token", IDENTITY)
    content = {
        "membership": "invite",
        "displayname": "d...",
        "third_party_invite": {"display_name": "d...", "signed": signed, "more": 1},
        "more": 2,
    }
    body = {
        "type": "m.room.member",
        "room_id": server.create.room_id,
        "sender": ALICE,
        "state_key": DORA,
        "content": content,
    }
    return server, body


def exchange(server: Server, body: object) -> Made:
    version = server.version
    steps = exchange_third_party_invite_steps(
        version,
        body,
        room_id=server.create.room_id,
        server="a.example",
        origin_server_ts=9,
        key=key_of("a.example"),
        event_id="$third:a.example" if version.references_carry_hashes else None,
        graph=server.store.graph,
    )
    return run(steps, server.store)


@every_version
def test_a_third_party_invite_is_completed(version: str) -> None:
    server, body = offered(version)
    made = exchange(server, body)
    assert made.event is not None, made.verdict
    assert made.verdict.rule is rules.INVITE_THIRD_PARTY_SIGNED
    signed = body["content"]["third_party_invite"]["signed"]
    # Nothing else of the request is signed by this server.
    assert made.event.content == {
        "membership": "invite",
        "displayname": "d...",
        "third_party_invite": {"display_name": "d...", "signed": signed},
    }
    assert server.receive(made.event).status is ReceiptStatus.ACCEPTED
    server.send("m.room.join_rules", ALICE, {"join_rule": "invite"}, state_key="")
    options: Any = {"origin_server_ts": 10, "key": key_of("c.example"), "state_key": DORA}
    if server.version.references_carry_hashes:
        options["event_id"] = "$dora:c.example"
    steps = make_steps(
        version, "m.room.member", DORA, {"membership": "join"}, room_id=server.create.room_id, **options
    )
    assert run(steps, server.store).event is not None


@every_version
def test_a_request_with_a_forged_signature_is_refused_by_the_rules(version: str) -> None:
    server, body = offered(version)
    body["content"]["third_party_invite"]["signed"]["mxid"] = BOB
    body["state_key"] = BOB
    made = exchange(server, body)
    assert made.event is None
    assert made.verdict.rule is rules.INVITE_THIRD_PARTY_OTHERWISE


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("type", "m.room.topic", 'type: expected m.room.member, found "m.room.topic"'),
        ("room_id", "!other:x", 'room_id: expected "!room:a.example", found "!other:x"'),
        ("sender", BOB, f'sender: expected a user of a.example, found "{BOB}"'),
        ("sender", None, "sender: expected a user of a.example, found nothing"),
        ("sender", "@x", 'sender: expected a user of a.example, found "@x"'),
        ("state_key", 5, "state_key: expected a user ID, found 5"),
        ("content", [], "content.membership: expected invite, found nothing"),
        ("content", {"membership": "join"}, 'content.membership: expected invite, found "join"'),
        (
            "content",
            {"membership": "invite", "third_party_invite": {"signed": 1}},
            "content.third_party_invite.signed: expected an object, found 1",
        ),
    ],
)
def test_a_request_that_is_something_else_is_refused(path: str, value: object, text: str) -> None:
    server, body = offered("11")
    with pytest.raises(MalformedEvent) as caught:
        exchange(server, {**body, path: value})
    assert str(caught.value.defects[0]) == text


@often
@given(st.data())
def test_any_request_has_an_answer(data: st.DataObject) -> None:
    server, body = offered("11")
    path = data.draw(st.sampled_from([*sorted(body), "content.membership", "third_party_invite"]))
    value = data.draw(hostile_json | python_values)
    if path == "content.membership":
        body["content"]["membership"] = value
    elif path == "third_party_invite":
        body["content"]["third_party_invite"] = value
    else:
        body[path] = value
    try:
        made = exchange(server, body)
    except MalformedEvent:
        return
    assert made.event is None or made.event.content["membership"] == "invite"


def with_policy_server(version: str) -> tuple[Server, Made]:
    server = public(version, BOB)
    content = {"via": "b.example", "public_keys": {"ed25519": public_key("policy")}}
    server.send("m.room.policy", ALICE, content, state_key="")
    return server, server.make("m.room.message", ALICE, {"body": "x"})


@every_version
def test_an_event_with_the_signature_of_the_policy_server_is_accepted(version: str) -> None:
    server, made = with_policy_server(version)
    assert made.event is not None
    assert made.policy_server is not None
    assert server.receive(made.event).status is ReceiptStatus.SOFT_FAILED
    key = replace(key_of("policy"), key_id="ed25519:policy_server")
    server, made = with_policy_server(version)
    assert made.event is not None
    assert made.policy_server is not None
    signatures: Any = countersign(made.event.pdu, version, "b.example", key)["signatures"]
    response = {
        "b.example": {**signatures["b.example"], "ed25519:more": "x"},
        "z.example": {"ed25519:1": "y"},
    }
    event = take_policy_signature(made.event, response, made.policy_server)
    assert sorted(event.signatures) == ["a.example", "b.example"]
    assert event.signatures["b.example"] == signatures["b.example"]
    assert check_policy_signature(event, made.policy_server) is None
    assert server.receive(event).status is ReceiptStatus.ACCEPTED
    assert parse_event(event.pdu, version, event_id=event.event_id) == made.event


@pytest.mark.parametrize(
    "response", [None, {}, {"b.example": 5}, {"b.example": {"ed25519:policy_server": 5}}]
)
def test_a_response_without_the_signature_of_the_policy_server_is_refused(response: object) -> None:
    _, made = with_policy_server("11")
    assert made.event is not None
    assert made.policy_server is not None
    with pytest.raises(MalformedEvent, match="expected a signature, found"):
        take_policy_signature(made.event, response, made.policy_server)


def test_a_signature_that_does_not_verify_is_refused() -> None:
    _, made = with_policy_server("11")
    assert made.event is not None
    assert made.policy_server is not None
    response = {"b.example": {"ed25519:policy_server": "A" * 86}}
    with pytest.raises(MalformedEvent, match="the policy server's signature does not verify"):
        take_policy_signature(made.event, response, made.policy_server)
