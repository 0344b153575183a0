"""Events from a server's own store: what `Event.trusted` skips, and what a bad event leads to."""

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room, key_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import mutated, versions_and_pdus

from roomver import (
    Event,
    KeyRing,
    MalformedEvent,
    NotCanonical,
    RoomGraph,
    RoomverError,
    UnknownRoomVersion,
    check_against_state,
    check_auth,
    parse_event,
    redact,
    resolve,
    select_auth_types,
    verify_signatures,
)
from roomver.event_format import find_defects
from roomver.hashing import check_content_hash, compute_event_id
from roomver.policy import check_policy
from roomver.signatures import list_required_signers
from roomver.types import JsonObject
from roomver.versions import EventIdForm

FIELDS = (
    *("auth_event_ids", "auth_parents", "content", "depth", "event_id", "hashes", "origin_server_ts", "pdu"),
    *("prev_event_ids", "redacts", "room_id", "room_version", "sender", "signatures", "state_key", "type"),
)


@given(versions_and_pdus)
def test_a_good_event_is_the_same(version_and_pdu: tuple[str, JsonObject]) -> None:
    version, pdu = version_and_pdu
    event = parse_event(pdu, version)
    trusted = Event.trusted(pdu, version, event.event_id)
    assert trusted == event
    for name in FIELDS:
        assert getattr(trusted, name) == getattr(event, name), name
    assert trusted.pdu is pdu
    with pytest.raises(AttributeError, match="an Event is read-only: depth"):
        trusted.depth = 1


PDU: JsonObject = {
    "type": "m.room.name",
    "state_key": "",
    "sender": "@a:b",
    "room_id": "!r:b",
    "content": {},
    "depth": 1,
    "origin_server_ts": 1,
    "hashes": {"sha256": "A"},
    "signatures": {},
    "prev_events": ["$p"],
    "auth_events": [],
}


@pytest.mark.parametrize("value", [None, 1, "x", ["$a", 1], {"a": 1}, True, [["$a"]], [["$a", {}], [1, {}]]])
@pytest.mark.parametrize("name", sorted(PDU))
@pytest.mark.parametrize("version", ["1", "11", "12"])
def test_a_wrong_type_is_an_error_as_in_parse_event(version: str, name: str, value: Any) -> None:
    pdu = {**PDU, name: value}
    if version == "1":
        pdu |= {"event_id": "$e:b", "prev_events": [["$p", {}]], name: value}
    if type(value) is type(PDU[name]) and type(value) is not list:
        Event.trusted(pdu, version, "$e:b")
        return
    with pytest.raises(MalformedEvent) as caught:
        Event.trusted(pdu, version, "$e:b")
    assert list(caught.value.defects) == find_defects(pdu, version_of(version))
    assert any(defect.path.startswith(name) for defect in caught.value.defects)


def version_of(identifier: str) -> Any:
    return Room(identifier, signed=False).version


@pytest.mark.parametrize("name", sorted(PDU.keys() - {"signatures", "state_key"}))
def test_a_missing_key_is_an_error(name: str) -> None:
    pdu = {key: value for key, value in PDU.items() if key != name}
    with pytest.raises(MalformedEvent) as caught:
        Event.trusted(pdu, "11", "$e")
    assert name in {defect.path for defect in caught.value.defects}


def test_the_event_id_is_taken_as_it_is() -> None:
    assert Event.trusted(PDU, "11", "$e").event_id == "$e"
    with pytest.raises(MalformedEvent, match="event_id: expected a string, found 5"):
        Event.trusted(PDU, "11", 5)  # type: ignore[arg-type]
    chosen = {**PDU, "event_id": "$e:b", "prev_events": []}
    assert Event.trusted(chosen, "1", "$e:b").event_id == "$e:b"
    with pytest.raises(
        MalformedEvent, match='event_id: expected "\\$f:b", which was passed in, found "\\$e:b"'
    ):
        Event.trusted(chosen, "1", "$f:b")
    with pytest.raises(MalformedEvent, match="event_id: expected an event ID"):
        Event.trusted({**PDU, "prev_events": []}, "1", "$f:b")
    with pytest.raises(MalformedEvent, match="expected a JSON object"):
        Event.trusted([], "11", "$e")  # type: ignore[arg-type]
    with pytest.raises(UnknownRoomVersion):
        Event.trusted(PDU, "99", "$e")


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "nobody"},
        {"room_id": "nowhere"},
        {"depth": -1},
        {"origin_server_ts": 2**70},
        {"prev_events": ["$p"] * 21},
        {"auth_events": ["$p"] * 11},
        {"type": "x" * 300},
        {"content": {"body": "x" * 100_000}},
        {"content": {"level": 1.5}},
        {"content": {"text": "\ud800"}},
        {"signatures": {"b": 1}},
        {"unsigned": []},
        {"event_id": "$other"},
        {"hashes": {}},
    ],
)
def test_what_the_docstring_names_is_not_checked(changes: JsonObject) -> None:
    pdu = {**PDU, **changes}
    assert find_defects(pdu, version_of("11"))
    assert Event.trusted(pdu, "11", "$e").pdu is pdu


# What a bad event leads to


def _room(version: str) -> Room:
    room = Room(version)
    room.join(ALICE)
    room.power({"users": {ALICE: 100}})
    room.join_rule("public")
    room.join(BOB)
    room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    room.add("m.room.third_party_invite", ALICE, {"public_key": "A"}, state_key="token")
    said = room.add("m.room.message", BOB, {"body": "x"}).event_id
    room.add("m.room.redaction", BOB, {"redacts": said}, more={"redacts": said})
    return room


KEYS = KeyRing.of({server: {"ed25519:1": key_of(server).verify_key} for server in ("a.example", "b.example")})
ROOMS = {version: _room(version) for version in VERSIONS}


def _attempt(call: Callable[[], object]) -> None:
    """Call a function. It returns, or raises an error of the package."""
    with suppress(RoomverError):
        call()


def _deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("\ud800", "content.a"),
        (float("nan"), "content.a"),
        ([10**5000], "content.a[0]"),
        ({1: 2, "b": 3}, "content.a"),
        ({"b": object()}, "content.a.b"),
        (_deep(100_000), ""),
    ],
)
def test_content_that_is_not_json_is_named_where_it_is_encoded(value: Any, path: str) -> None:
    bad = Event.trusted({**PDU, "content": {"a": value}, "hashes": {"sha256": "A" * 43}}, "11", "$e")
    with pytest.raises(NotCanonical) as caught:
        check_content_hash(bad)
    assert caught.value.path.startswith(path)
    # The redacted form does not have it.
    assert compute_event_id(bad).startswith("$")
    assert list_required_signers(bad) == ("b",)


@given(st.sampled_from(VERSIONS), st.data())
def test_a_bad_event_leads_to_an_answer_or_an_error(version: str, data: st.DataObject) -> None:
    room = ROOMS[version]
    original = data.draw(st.sampled_from(list(room.events.values())))
    pdu = data.draw(mutated(copy.deepcopy(original.pdu)))
    event_id = original.event_id
    if room.version.event_id_form is EventIdForm.CHOSEN and type(pdu.get("event_id")) is str:
        event_id = str(pdu["event_id"])
    try:
        bad = Event.trusted(pdu, version, event_id)
    except MalformedEvent:
        return
    events = {**room.events, original.event_id: bad, event_id: bad}
    state = {**room.state}
    if bad.state_key is not None:
        state[bad.type, bad.state_key] = bad
    ids = {key: one.event_id for key, one in state.items()}
    other = {key: one.event_id for key, one in room.state.items() if key[0] != "m.room.topic"}
    calls: list[Callable[[], object]] = [
        lambda: repr(bad),
        lambda: hash(bad),
        lambda: bad.room_id,
        lambda: copy.deepcopy(bad),
        lambda: redact(bad),
        lambda: compute_event_id(bad),
        lambda: check_content_hash(bad),
        lambda: list_required_signers(bad),
        lambda: verify_signatures(bad, KEYS),
        lambda: select_auth_types(bad),
        lambda: check_auth(bad, None, events),
        lambda: check_auth(bad, state, events),
        lambda: check_policy(bad, state),
        lambda: RoomGraph(events.values()),
        lambda: resolve([ids, other], events),
        lambda: resolve([ids, other, {}], events, graph=RoomGraph(room.events.values())),
        *((lambda event=event: check_against_state(event, state)) for event in room.events.values()),
        *((lambda event=event: check_auth(event, None, events)) for event in room.events.values()),
    ]
    for call in calls:
        _attempt(call)
