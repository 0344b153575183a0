"""A room with a policy server: it is asked to sign each event before the event is stored and sent."""

from typing import Any

from roomver import SigningKey
from roomver.federation import NeedResponse
from roomver.policy import PolicyServer
from roomver.signing import countersign
from roomver.unpadded import encode_unpadded

from .test_federation import ALICE, MEMBER, every_version, joined, same
from .two_servers import Server

KEY = SigningKey.from_seed("ed25519:policy_server", "P" * 43)
POLICY = {"via": "b.org", "public_keys": {"ed25519": encode_unpadded(KEY.verify_key.key)}}


def signing(server: Server, version: str) -> list[NeedResponse]:
    """Let b.org sign what a server asks it to sign, and return the requests."""
    asked: list[NeedResponse] = []
    answered = server.ask

    def ask(need: NeedResponse) -> Any:
        if need.uri != "/_matrix/policy/v1/sign":
            return answered(need)
        asked.append(need)
        assert need.content is not None
        signatures: Any = countersign(need.content, version, "b.org", KEY)["signatures"]
        return {"b.org": {KEY.key_id: signatures["b.org"][KEY.key_id]}}

    vars(server)["ask"] = ask
    return asked


@every_version
def test_the_policy_server_signs_what_is_sent(version: str) -> None:
    a, b, room_id = joined(version)
    asked = signing(a, version)
    a.act(room_id, ALICE, "m.room.policy", POLICY, state_key="")
    assert asked == []  # "This endpoint MUST NOT be called for" this event
    spoken = a.say(room_id, ALICE, "Good")
    invite = a.act(room_id, ALICE, MEMBER, {"membership": "invite"}, state_key="@carol:b.org")
    assert [(one.server, one.method) for one in asked] == [("b.org", "POST")] * 2
    signatures: list[Any] = [one.signatures["b.org"] for one in (spoken, invite)]
    assert [sorted(one) for one in signatures] == [[KEY.key_id], ["ed25519:1", KEY.key_id]]
    a.deliver()
    same(a, b, room_id)
    assert not b.rooms[room_id].stored[spoken.event_id].soft_failed


@every_version
def test_an_event_that_the_policy_server_does_not_sign_is_not_stored(version: str) -> None:
    a, _, room_id = joined(version)
    policy = a.act(room_id, ALICE, "m.room.policy", POLICY, state_key="")
    before = [*a.rooms[room_id].order]
    answered = a.ask
    acted = a.acted(room_id, ALICE, "m.room.message", {"body": "Bad"})  # it does not know the endpoint
    assert acted.event is None
    assert str(acted).startswith("b.org refused /sign: ")
    vars(a)["ask"] = lambda need: {} if "policy" in need.uri else answered(need)
    acted = a.acted(room_id, ALICE, "m.room.message", {"body": "Bad"})
    assert acted.event is None
    assert acted.reason == PolicyServer("b.org", KEY.verify_key.key, policy.event_id)
    assert str(acted) == 'the policy server "b.org" must sign the event'
    assert a.rooms[room_id].order == before
