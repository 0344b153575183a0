"""What the readers make of a server's answers, which vectors/recorder/answers.py left in tests/data."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Write, run
from test_readers import failure

from roomver import get_room_version, parse_event
from roomver.entry import Part
from roomver.hashing import HashCheck, check_content_hash
from roomver.readers import read_room, read_state_ids, rooms_in

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "answers.json").read_text(encoding="utf-8")
)
ANSWERS: dict[str, Any] = {name: one["body"] for name, one in RECORDED["answers"].items()}
ROOMS: dict[str, dict[str, Any]] = {
    room["version"]: {"room_id": room_id} | {line["event_id"]: line["pdu"] for line in room["events"]}
    for room_id, room in RECORDED["rooms"].items()
}

# The answers with PDUs: how many, by what they are.
READ: dict[str, dict[Part, int]] = {
    "v11 send_join, version 1": {Part.JOINED: 1, Part.STATE: 7, Part.AUTH_CHAIN: 4},
    "v11 send_join, version 2": {Part.JOINED: 1, Part.STATE: 6, Part.AUTH_CHAIN: 3},
    "v12 send_join, version 2": {Part.JOINED: 1, Part.STATE: 6, Part.AUTH_CHAIN: 3},
    "v11 send_join, omitting members": {Part.JOINED: 1, Part.STATE_WITHOUT_MEMBERS: 5, Part.AUTH_CHAIN: 1},
    "v11 event": {Part.EVENT: 1},
    "v11 event, rejected": {Part.EVENT: 1},
    "v11 state": {Part.STATE: 10, Part.AUTH_CHAIN: 6},
    "v11 event_auth": {Part.AUTH_CHAIN: 4},
    "v11 backfill": {Part.EVENT: 5},
    "v11 get_missing_events": {Part.EVENT: 2},
    "v11 sync, federation format": {Part.EVENT: 13},
    "v12 sync, federation format": {Part.EVENT: 12},
    "v11 admin fetch_event": {Part.EVENT: 1},
    "v12 admin fetch_event": {Part.EVENT: 1},
    "v11 export-data": {Part.EVENT: 18},
    "v11 send_knock": {Part.PART_OF_STATE: 4},
    "v12 send_knock": {Part.PART_OF_STATE: 4},
    "v11 invite": {Part.INVITED: 1, Part.PART_OF_STATE: 5},
    "v12 invite": {Part.INVITED: 1, Part.PART_OF_STATE: 5},
}
# The event IDs that these answers give beside their PDUs.
WITH_IDS = {name for name in READ if "sync" in name or "fetch_event" in name}

CLIENT = "this is client-server JSON: its events lack auth_events"
TOLD = {
    "v11 make_join": "this is the template of an event, as a server answers /make_join",
    "v12 make_join": "this is the template of an event, as a server answers /make_join",
    "v11 make_knock": "this is the template of an event, as a server answers /make_join",
    "v11 make_leave": "this is the template of an event, as a server answers /make_join",
    "v11 state_ids": "this file has only event IDs",
    "v11 state, unknown room": "this is a server's error, not its answer: M_FORBIDDEN: Host not in room.",
    "v11 admin fetch_event, rejected": "this is a server's error, not its answer: M_NOT_FOUND",
    "v11 event, unknown": "this is an empty response: the server does not have what was asked for",
    "v11 response to send": "this is a server's response to a transaction",
    **dict.fromkeys(
        (
            "v11 sync, client format",
            "v11 messages",
            "v11 context",
            "v11 room event",
            "v11 room state",
            "v11 members",
            "v11 admin room state",
            "v11 admin messages",
            "v11 admin context",
        ),
        CLIENT,
    ),
    "v11 admin rooms": "this is a response of Synapse's admin API about rooms: it has no events",
    "v11 admin room": "this is a response of Synapse's admin API about rooms: it has no events",
    "v11 admin members": "this is a response of Synapse's admin API about rooms: it has no events",
    "v11 admin extremities": "this is a response of Synapse's admin API about rooms: it has no events",
}


def test_every_answer_is_read_or_told() -> None:
    assert RECORDED["server"] == "matrix-synapse 1.163.2"
    assert {*READ, *TOLD, "v11 send"} == ANSWERS.keys()
    assert not READ.keys() & TOLD.keys()


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", READ)
def test_the_events_of_an_answer_are_those_of_the_server(name: str, indent: int | None) -> None:
    number = name[1:].partition(" ")[0]
    version = get_room_version(number)
    answer = ANSWERS[name]
    text = answer if isinstance(answer, str) else json.dumps(answer, indent=indent)
    room = read_room(io.BytesIO(text.encode()), "answer", version)
    entries = list(room.entries)
    parts = [entry.part for entry in entries]
    assert {part: parts.count(part) for part in parts} == READ[name]
    known = {event_id: pdu for room in ROOMS.values() for event_id, pdu in room.items()}
    for entry in entries:
        assert type(entry.pdu) is dict
        event = parse_event(entry.pdu, version)
        assert check_content_hash(event) is HashCheck.INTACT
        assert entry.claimed_id == (event.event_id if name in WITH_IDS else None)
        if entry.part is not Part.INVITED:  # the server had sent it, and not yet kept it
            kept = known[event.event_id]
            assert {**entry.pdu, "unsigned": 0} == {**kept, "unsigned": 0}


@pytest.mark.parametrize("name", TOLD)
def test_what_has_no_events_is_told(name: str) -> None:
    assert failure(json.dumps(ANSWERS[name])).startswith(TOLD[name])
    assert failure(json.dumps(ANSWERS[name], indent=1)).startswith(TOLD[name])


def test_the_ids_of_an_answer_are_those_of_the_server() -> None:
    ids = read_state_ids(io.BytesIO(json.dumps(ANSWERS["v11 state_ids"]).encode()), "ids")
    assert len(ids) == 10
    assert set(ids) <= ROOMS["11"].keys()


def test_state_ids_with_the_events_are_the_state_of_the_server(write: Write) -> None:
    """`/state_ids` and `/state` say the same, and so do the events of the room."""
    whole = run("state", "--json", write("state.json", ANSWERS["v11 state"]))
    assert whole.exit_code == 0, whole.output
    events = write("events.json", [pdu for key, pdu in ROOMS["11"].items() if key != "room_id"])
    ids = write("ids.json", ANSWERS["v11 state_ids"])
    assert run("state", "--json", events, "--also", ids).stdout == whole.stdout


def test_a_transaction_has_events_of_two_rooms() -> None:
    data = json.dumps(ANSWERS["v11 send"]).encode()
    found = [room.room_id for room in rooms_in([(io.BytesIO(data), "transaction")])]
    assert sorted(found) == sorted(room["room_id"] for room in ROOMS.values())
    for number, kept in ROOMS.items():
        version = get_room_version(number)
        (entry,) = read_room(io.BytesIO(data), "transaction", version, kept["room_id"]).entries
        assert type(entry.pdu) is dict
        assert parse_event(entry.pdu, version).event_id in kept


@pytest.mark.parametrize("name", ["make_join", "make_knock", "make_leave"])
def test_a_template_is_judged_by_the_state(name: str, write: Write) -> None:
    state = write("state.json", ANSWERS["v11 state"])
    result = run("auth", "--state", state, write("template.json", ANSWERS[f"v11 {name}"]))
    # The join rule was knock only after the state was asked for; all others are allowed.
    assert result.exit_code == (1 if name == "make_knock" else 0), result.output
