"""Policy servers: https://spec.matrix.org/latest/server-server-api/#policy-servers"""

from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, DAVE, VERSIONS, Room, key_of, server_name
from hypothesis import given
from hypothesis import strategies as st
from strategies import strict_json
from unpaddedbase64 import encode_base64

from roomver import Event, SigningKey, parse_event, sign_event
from roomver.policy import (
    PolicyRefusal,
    PolicyServer,
    check_policy_signature,
    find_policy_server,
)
from roomver.signature_results import POLICY_SERVER_KEY

SERVER = server_name(BOB)
SEED = encode_base64(b"the secret of a policy server !!")
POLICY_KEY = SigningKey.from_seed(POLICY_SERVER_KEY, SEED)
PUBLIC = encode_base64(POLICY_KEY.verify_key.key)
CONTENT = {"via": SERVER, "public_keys": {"ed25519": PUBLIC}}

every_version = pytest.mark.parametrize("version", VERSIONS)


def make_room(version: str, content: Any = CONTENT, **policy: Any) -> Room:
    """Make a room of ALICE and BOB with an ``m.room.policy`` event."""
    room = Room(version)
    room.join(ALICE)
    room.join(BOB)
    room.add("m.room.policy", ALICE, content, **{"state_key": "", **policy})
    return room


def server_of_room(room: Room) -> PolicyServer:
    server = find_policy_server(room.state)
    assert server is not None
    return server


def recommended(event: Event, server: PolicyServer, key: SigningKey = POLICY_KEY) -> Event:
    """Return an event with the signature from a policy server."""
    version = event.room_version
    return parse_event(sign_event(event.pdu, version, server.name, key), version)


class TestIsEnabled:
    @every_version
    def test_a_valid_event_and_a_joined_user_of_the_server_enable_it(self, version: str) -> None:
        room = make_room(version)
        server = server_of_room(room)
        assert server == (SERVER, POLICY_KEY.verify_key.key, room.state["m.room.policy", ""].event_id)

    def test_without_the_event_there_is_none(self) -> None:
        room = Room("11")
        room.join(BOB)
        assert find_policy_server(room.state) is None

    def test_only_the_empty_state_key_counts(self) -> None:
        assert find_policy_server(make_room("11", state_key="x").state) is None

    @pytest.mark.parametrize(
        "content",
        [
            {},
            {"via": SERVER},
            {"public_keys": {"ed25519": PUBLIC}},
            {"via": 1, "public_keys": {"ed25519": PUBLIC}},
            {"via": None, "public_keys": {"ed25519": PUBLIC}},
            {"via": [SERVER], "public_keys": {"ed25519": PUBLIC}},
            {"via": SERVER, "public_keys": PUBLIC},
            {"via": SERVER, "public_keys": [PUBLIC]},
            {"via": SERVER, "public_keys": {}},
            {"via": SERVER, "public_keys": {"ed25519": 1}},
            {"via": SERVER, "public_keys": {"rsa": PUBLIC}},
        ],
    )
    def test_an_event_that_is_not_valid_enables_none(self, content: Any) -> None:
        assert find_policy_server(make_room("11", content).state) is None

    @pytest.mark.parametrize("membership", ["leave", "ban", "invite", "knock"])
    def test_a_user_of_the_server_must_be_joined(self, membership: str) -> None:
        room = make_room("11")
        room.add("m.room.member", BOB, {"membership": membership}, state_key=BOB)
        assert find_policy_server(room.state) is None

    def test_a_user_of_another_server_does_not_count(self) -> None:
        room = Room("11")
        room.join(ALICE)
        room.join(CAROL)
        room.join(DAVE)
        room.add("m.room.policy", ALICE, CONTENT, state_key="")
        assert find_policy_server(room.state) is None
        # The port is a part of the server name.
        for via, found in ((DAVE.partition(":")[2], True), ("d.example", False)):
            room.add("m.room.policy", ALICE, {**CONTENT, "via": via}, state_key="")
            assert (find_policy_server(room.state) is not None) is found

    def test_a_joined_content_under_another_type_does_not_count(self) -> None:
        room = Room("11")
        room.join(ALICE)
        room.add("org.example.member", ALICE, {"membership": "join"}, state_key=BOB)
        room.add("m.room.policy", ALICE, CONTENT, state_key="")
        assert find_policy_server(room.state) is None

    @given(via=strict_json, keys=strict_json)
    def test_any_content_has_an_answer(self, via: Any, keys: Any) -> None:
        room = make_room("3", {"via": via, "public_keys": keys})
        server = find_policy_server(room.state)
        if server is not None:
            assert server.name == via == SERVER
            assert type(keys["ed25519"]) is str


class TestSignature:
    @every_version
    def test_its_signature_recommends_the_event(self, version: str) -> None:
        room = make_room(version)
        server = server_of_room(room)
        event = room.add("m.room.message", ALICE, {"body": "x"})
        assert check_policy_signature(recommended(event, server), server) is None

    @every_version
    def test_an_event_without_it_is_refused(self, version: str) -> None:
        room = make_room(version)
        server = server_of_room(room)
        for event in (
            room.add("m.room.message", ALICE, {"body": "x"}),
            room.add("m.room.message", BOB, {"body": "by the policy server's own user"}),
            room.add("m.room.power_levels", ALICE, {"users": {ALICE: 100}}, state_key=""),
            room.add("m.room.member", CAROL, {"membership": "join"}, state_key=CAROL),
        ):
            refusal = check_policy_signature(event, server)
            assert refusal is not None
            assert not refusal.allowed
            assert refusal.reason == "the policy server has not signed the event"

    def test_only_the_policy_event_with_the_empty_state_key_needs_none(self) -> None:
        room = make_room("11")
        server = server_of_room(room)
        assert check_policy_signature(room.add("m.room.policy", ALICE, {}, state_key=""), server) is None
        for more in ({"state_key": "x"}, {}):
            assert check_policy_signature(room.add("m.room.policy", ALICE, {}, **more), server) is not None

    def test_the_signature_covers_the_redacted_form(self) -> None:
        room = make_room("11")
        server = server_of_room(room)
        event = recommended(room.add("m.room.message", ALICE, {"body": "x"}), server)
        kept = parse_event({**event.pdu, "content": {}, "unsigned": {"a": 1}}, "11")
        assert check_policy_signature(kept, server) is None
        changed = parse_event({**event.pdu, "origin_server_ts": 1}, "11")
        refusal = check_policy_signature(changed, server)
        assert refusal is not None
        assert refusal.reason == "the policy server's signature does not verify"

    def test_another_key_does_not_count(self) -> None:
        room = make_room("11")
        server = server_of_room(room)
        event = room.add("m.room.message", ALICE, {"body": "x"})
        # Its published key, under its own ID and under that of the room's key.
        assert check_policy_signature(recommended(event, server, key_of(SERVER)), server) is not None
        other = SigningKey.from_seed(POLICY_SERVER_KEY, encode_base64(bytes(32)))
        refusal = check_policy_signature(recommended(event, server, other), server)
        assert refusal is not None
        assert refusal.reason == "the policy server's signature does not verify"
        # The room's key, under the name of another server.
        elsewhere = recommended(event, server._replace(name="c.example"))
        assert check_policy_signature(elsewhere, server) is not None

    @given(signatures=strict_json, mine=strict_json, one=strict_json)
    def test_any_signature_has_an_answer(self, signatures: Any, mine: Any, one: Any) -> None:
        room = make_room("11")
        server = server_of_room(room)
        event = room.add("m.room.message", ALICE, {"body": "x"})
        for value in (signatures, {SERVER: mine}, {SERVER: {POLICY_SERVER_KEY: one}}):
            event.pdu["signatures"] = value  # type: ignore[assignment]  # any JSON
            refusal = check_policy_signature(event, server)
            assert refusal is not None
            assert str(refusal).endswith(f'(policy server "{SERVER}", from {server.event_id})')

    @given(st.text())
    def test_a_key_that_cannot_be_read_makes_no_signature_valid(self, text: str) -> None:
        room = make_room("11", {"via": SERVER, "public_keys": {"ed25519": text}})
        server = server_of_room(room)
        assert server.key is None
        event = recommended(room.add("m.room.message", ALICE, {"body": "x"}), server)
        expected = PolicyRefusal(server, "the policy server's key is not 32 bytes of base64")
        assert check_policy_signature(event, server) == expected
