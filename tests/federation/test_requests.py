"""What a server answers and what it refuses: endpoints, methods, keys, names, rooms that it is not in."""

from dataclasses import replace
from typing import Any

import pytest

from roomver import RoomGraph, UnknownRoomVersion, get_room_version
from roomver.federation import (
    Answer,
    LocalRoom,
    NeedResponse,
    Response,
    answer_steps,
    fetch_state_steps,
    read_request,
    run,
    sign_request,
)
from roomver.federation.requests import ENDPOINTS

from .test_federation import ALICE, BOB, MEMBER, every_version, joined, servers
from .two_servers import VERSIONS, Server

V1, V2 = "/_matrix/federation/v1", "/_matrix/federation/v2"


def asked(
    origin: Server,
    server: Server,
    method: str,
    uri: str,
    content: Any = None,
    answered: Answer | None = None,
) -> Answer:
    """Return what a server answers to a request."""
    need = NeedResponse(server.name, method, uri, content)
    header = sign_request(need, origin=origin.name, key=origin.key)
    request = read_request(method, uri, header)
    assert request is not None
    request = replace(request, content=content)
    room = server.rooms.get(next(iter(request.room_ids), ""), server.nowhere)
    steps = answer_steps(request, room.room, now=1, key=server.key, versions=VERSIONS, answered=answered)
    return run(steps, room)


@pytest.mark.parametrize("origin", ["", "b.org/x?", "b.org\n", "127.0.0.1:80/local", "b@c.org", "é.org"])
def test_an_origin_must_be_a_server_name(origin: str) -> None:
    header = f'X-Matrix origin="{origin}",destination="a.org",key="ed25519:1",sig="x"'
    assert read_request("GET", f"{V1}/event/$x", header) is None


def test_a_quoted_value_may_have_escaped_characters() -> None:
    header = 'X-Matrix origin="b.\\org", key="ed25519:\\"1\\\\", SIG="x,origin=c.org"'
    request = read_request("GET", f"{V1}/event/$x", header)
    assert request is not None
    assert (request.origin, request.key_id, request.signature) == ("b.org", 'ed25519:"1\\', "x,origin=c.org")


@pytest.mark.parametrize("name", ["", "c.org/path", "c.org?", "user@c.org", "127.0.0.1:80/local/act?x="])
def test_a_server_with_a_malformed_name_is_not_asked(name: str) -> None:
    _, b = servers()
    room = LocalRoom("b.org", "!r:a.org", get_room_version("11"), RoomGraph(), frozenset([name]))
    vars(b)["ask"] = pytest.fail
    assert run(fetch_state_steps("$x", room), b.nowhere) is None

    def one() -> Any:
        return (yield NeedResponse(name, "GET", "/x"))

    assert run(one(), b.nowhere) == Response(None)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_method_and_the_version_of_an_endpoint_count(endpoint: str) -> None:
    a, b, _ = joined("11")
    method, version, count = ENDPOINTS[endpoint]
    other_version = "v2" if version == "v1" else "v1"
    rest = "/".join(["x", "y"][:count])
    for path in (
        f"{other_version}/{endpoint}/{rest}",
        f"{version}/{endpoint}/{rest}/z",
        f"{version}/{endpoint}",
    ):
        answer = asked(b, a, method, f"/_matrix/federation/{path}", {})
        assert (answer.status, answer.body["errcode"]) == (404, "M_UNRECOGNIZED")
    answer = asked(b, a, "DELETE", f"/_matrix/federation/{version}/{endpoint}/{rest}", {})
    assert (answer.status, answer.body["errcode"]) == (405, "M_UNRECOGNIZED")


def test_a_transaction_of_more_than_50_events_is_refused() -> None:
    """Nothing of it is taken: the other server would believe that all of it was."""
    a, b, room_id = joined("11")
    spoken = b.say(room_id, BOB, "Hello")
    answer = asked(b, a, "PUT", f"{V1}/send/1", {"pdus": [spoken.pdu] * 51})
    assert answer.status == 400
    assert spoken.event_id not in a.rooms[room_id].stored
    need = NeedResponse("a.org", "PUT", f"{V1}/send/1", {"pdus": [spoken.pdu for _ in range(50)]})
    assert b.ask(need) == {"pdus": {spoken.event_id: {}}}


def test_an_invite_to_a_room_of_an_unsupported_version_says_so() -> None:
    a, b = servers()
    versions: list[Any] = ["org.example.unknown", None, []]
    for named in versions:
        answer = asked(b, a, "PUT", f"{V2}/invite/!r:b.org/$x", {"room_version": named})
        assert answer.status == 400
        assert answer.body["errcode"] == "M_INCOMPATIBLE_ROOM_VERSION"
        assert answer.body["room_version"] == named


def test_the_auth_chain_of_an_unknown_event_is_not_found() -> None:
    a, b, room_id = joined("11")
    assert asked(b, a, "GET", f"{V1}/event_auth/{room_id}/$x").status == 404
    assert asked(b, a, "GET", f"{V1}/event_auth/{room_id}/{a.rooms[room_id].order[-1]}").status == 200


def test_missing_events_end_at_a_depth() -> None:
    a, b, room_id = joined("11")
    spoken = [a.say(room_id, ALICE, f"{number}") for number in range(5)]
    for min_depth, count in ((0, 8), (spoken[2].depth, 2), (spoken[4].depth, 0), ("x", 8)):
        body = {
            "latest_events": [spoken[4].event_id],
            "earliest_events": [],
            "min_depth": min_depth,
            "limit": 8,
        }
        answer: Any = asked(b, a, "POST", f"{V1}/get_missing_events/{room_id}", body)
        assert len(answer.body["events"]) == count


@every_version
def test_a_server_that_has_left_lets_nobody_join(version: str) -> None:
    a, b, room_id = joined(version)
    b.act(room_id, BOB, MEMBER, {"membership": "leave"}, state_key=BOB)
    b.deliver()
    c = Server("c.org", a.network)
    for endpoint in ("make_join", "make_leave", "make_knock"):
        uri = f"{V1}/{endpoint}/{room_id}/@carol:c.org?ver={version}"
        assert asked(c, b, "GET", uri).status == 404
    assert c.join(room_id, "@carol:c.org", "a.org").accepted
    template = a.rooms[room_id].order[-1]
    join = c.rooms[room_id].stored[template].event
    before = [*b.rooms[room_id].order]
    uri = f"{V2}/send_join/{room_id}/{template}"
    assert asked(c, b, "PUT", uri, join.pdu).status == 404
    assert b.rooms[room_id].order == before


def test_a_room_takes_the_identifier_of_a_version() -> None:
    version: Any = "11"
    unknown: Any = "13"
    room = LocalRoom("a.org", "!r:a.org", version)
    assert room.version is get_room_version("11")
    with pytest.raises(UnknownRoomVersion):
        LocalRoom("a.org", "!r:a.org", unknown)
