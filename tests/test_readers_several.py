"""Inputs with events of several rooms."""

import io
import json
from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from forms import TABLES, pairs, small_room
from server_answers import with_ids
from test_readers import Pipe, json_lines

from roomver import check_room, get_room_version
from roomver.entry import Part
from roomver.readers import InputError, RoomSummary, read_room, read_rooms, rooms_in
from roomver.readers import lines as lines_module

ONE, OTHER = small_room("11"), small_room("12")
MANY = [small_room(version) for version in VERSIONS]


def other_room(version: str, name: str = "other") -> Room:
    built = Room(version, name=name, creator=BOB)
    built.join(BOB)
    built.add("m.room.message", BOB, {"body": "x"})
    return built


def pdus_of(built: Room) -> list[Any]:
    return [event.pdu for event in built.events.values()]


def mixed(*rooms: Room) -> list[tuple[str, Any]]:
    """The events of rooms, one of each room after another."""
    found: list[tuple[str, Any]] = []
    lists = [pairs(built) for built in rooms]
    for at in range(max(map(len, lists))):
        found += [one[at] for one in lists if at < len(one)]
    return found


def forms_of(events: list[tuple[str, Any]]) -> dict[str, bytes]:
    pdus = [pdu for _, pdu in events]
    return {
        "JSON Lines": json_lines(pdus),
        "JSON Lines with IDs": json_lines(with_ids(events)),
        "a transaction": json.dumps({"origin": "x", "pdus": pdus, "edus": []}).encode(),
        "an array over many lines": json.dumps(pdus, indent=1).encode(),
        "events by ID": json.dumps(dict(events)).encode(),
        "psql": TABLES["psql"](events).encode(),
        "psql -At": TABLES["psql -At"](events).encode(),
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", forms_of([]))
def test_the_events_of_one_room_are_read_as_if_alone(form: str, version: str) -> None:
    built, others = (
        small_room(version),
        [other_room("11"), other_room("12", "third"), other_room("1", "first")],
    )
    for rooms in ((built, *others), (*others, built)):
        data = forms_of(mixed(*rooms))[form]
        for make in (io.BytesIO, Pipe):
            room = read_room(make(data), "input", room_id=built.room_id)
            assert room.version is get_room_version(version)
            assert [entry.pdu for entry in room.entries] == pdus_of(built)


@pytest.mark.parametrize("form", forms_of([]))
def test_rooms_are_listed(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = [small_room("11"), other_room("12"), other_room("10", "third")]
    data = forms_of(mixed(*rooms))[form]
    expected = [
        RoomSummary(rooms[0].room_id, "11", 6),
        RoomSummary(rooms[1].room_id, "12", 3),
        RoomSummary(rooms[2].room_id, "10", 3),
    ]
    for make in (io.BytesIO, Pipe):
        assert rooms_in([(make(data), "input")]) == expected
    half = [pdu for _, pdu in mixed(*rooms)]
    inputs = [(io.BytesIO(json_lines(part)), str(n)) for n, part in enumerate((half[:5], half[5:]))]
    assert rooms_in(inputs) == expected
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1500)
    assert rooms_in([(io.BytesIO(data), "input")]) == expected


def test_rooms_without_a_create_event_or_with_a_strange_one_are_listed() -> None:
    strange = {"type": "m.room.create", "state_key": "", "content": {"room_version": "x.y"}, "room_id": "!s"}
    odd = {"type": "m.room.create", "state_key": "", "content": {"room_version": 5}, "room_id": "!o"}
    old = {"type": "m.room.create", "state_key": "", "content": {}, "room_id": "!1"}
    nowhere = {"type": "m.room.create", "state_key": "", "content": {"room_version": "12"}, "sender": 5}
    lines = [strange, odd, old, {"type": "x", "room_id": 5}, 5, *pdus_of(ONE)[1:], nowhere]
    assert rooms_in([(io.BytesIO(json_lines(lines) + b"{\n"), "input")])[:4] == [
        RoomSummary("!s", "x.y", 1),
        RoomSummary("!o", None, 1),
        RoomSummary("!1", "1", 1),
        RoomSummary(ONE.room_id, None, 5),
    ]
    # A create event of an unknown version does not stop the reading of another room.
    room = read_room(io.BytesIO(json_lines([strange, *pdus_of(ONE)])), "input", room_id=ONE.room_id)
    assert room.version is ONE.version
    assert len(list(room.entries)) == 6
    with pytest.raises(InputError, match="unknown room version"):
        read_room(io.BytesIO(json_lines([strange, *pdus_of(ONE)])), "input")


def test_what_does_not_tell_its_room_is_kept() -> None:
    """An unreadable line, or a malformed event, may be of the room."""
    lines = [pdus_of(OTHER)[1], {"type": "x"}, 5, {"type": "y", "room_id": 7}, *pdus_of(ONE)]
    room = read_room(io.BytesIO(b"{\n" + json_lines(lines)), "input", room_id=ONE.room_id)
    entries = list(room.entries)
    assert [entry.place.line for entry in entries] == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert entries[0].error is not None


def test_a_state_keeps_its_events_of_other_rooms() -> None:
    """Without them it would look whole."""
    other = other_room("11")
    foreign = other.add("m.room.topic", BOB, {"topic": "x"}, state_key="")
    state = [event.pdu for event in ONE.state.values()]
    data = json.dumps({"pdus": [*state, foreign.pdu], "auth_chain": pdus_of(other)})
    room = read_room(io.BytesIO(data.encode()), "input", room_id=ONE.room_id)
    entries = list(room.entries)
    assert [entry.pdu for entry in entries] == [*state, foreign.pdu]
    assert {entry.part for entry in entries} == {Part.STATE}
    found = check_room(entries, room.version, keys=None)
    assert list(found.findings) == [foreign.event_id]


def test_a_room_that_is_not_there_is_told() -> None:
    data = json_lines([pdu for _, pdu in mixed(*MANY)])
    inputs = [(io.BytesIO(data), "input")]
    with pytest.raises(
        InputError, match=r"it has no event of the room '!x'; it has events of '!\S+', '!\S+'"
    ):
        read_rooms(inputs, room_id="!x")
    rest = json_lines([*pdus_of(ONE)[1:], *pdus_of(OTHER)])
    with pytest.raises(InputError, match=r"create event of the room !room:a\.example gives the room version"):
        read_rooms([(io.BytesIO(rest), "input")], room_id=ONE.room_id)
    room = read_rooms([(io.BytesIO(data), "input")], ONE.version, "!x")
    with pytest.raises(
        InputError, match=r"it has no event of the room '!x'; it has events of '!\S+', '!\S+'"
    ) as found:
        list(room.entries)
    assert found.value.name == "input"
    room = read_rooms([(io.BytesIO(b"[]"), "input")], ONE.version, "!x")
    with pytest.raises(InputError, match=r"it has no event of the room '!x'$"):
        list(room.entries)


def test_a_recording_of_another_room_is_refused() -> None:
    head = {"format": "roomver-room/1", "room_version": "11", "room_id": ONE.room_id}
    data = json_lines([head, *pdus_of(ONE)])
    assert len(list(read_room(io.BytesIO(data), "input", room_id=ONE.room_id).entries)) == 6
    with pytest.raises(InputError, match=r"its room is '!room:a\.example', not '!x'"):
        read_room(io.BytesIO(data), "input", room_id="!x")


def test_without_a_choice_events_of_other_rooms_are_findings() -> None:
    other = other_room("11")
    room = read_room(io.BytesIO(json_lines([*pdus_of(ONE), *pdus_of(other)])), "input")
    found = check_room(room.entries, room.version)
    assert list(found.findings) == list(other.events)
    assert ALICE in {event.sender for event in found.replay.events.values()}
