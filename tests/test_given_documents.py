"""States that documents give: several of one state, and states before events of another room."""

from itertools import permutations

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room

from roomver import Event
from roomver.contributions import DifferenceKind
from roomver.entry import Entry, Part, Place
from roomver.replay import Status
from roomver.room_check import RoomCheck, check_room
from roomver.state import PartialState, entries_of

_HERE = Place(None, "")


def base_room(version: str, name: str = "room") -> Room:
    room = Room(version, name=name, content={"room_version": version, "creator": ALICE, "name": name})
    room.join(ALICE)
    room.join_rule("public")
    room.join(BOB)
    return room


def answer(state: list[Event], event: Event | None, document: int, part: Part = Part.STATE) -> list[Entry]:
    entries = [Entry(_HERE, None, one.pdu, part=part, document=document) for one in state]
    if event is not None:
        entries.append(Entry(_HERE, None, event.pdu, part=Part.JOINED, document=document))
    return entries


def checked(room: Room, *entries: list[Entry]) -> RoomCheck:
    return check_room([entry for some in entries for entry in some], room.version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("joined", [True, False])
def test_two_answers_about_one_state_complete_each_other(version: str, joined: bool) -> None:
    room = base_room(version)
    state = list(room.state.values())
    event = room.member(CAROL, "join") if joined else None
    gone = next(one for one in state if one.type == "m.room.join_rules")
    whole = answer(state, event, 1)
    no_members = answer(
        [one for one in state if one.type != "m.room.member"], event, 2, Part.STATE_WITHOUT_MEMBERS
    )
    no_rules = answer([one for one in state if one is not gone], event, 3, Part.PART_OF_STATE)
    ids = {(one.type, one.state_key or ""): one.event_id for one in state}
    for some in permutations([whole, no_members]):
        gathered = checked(room, *some).gathered
        assert ids == (gathered.given[event.event_id] if event else gathered.current)
    for some in permutations([no_members, no_rules]):
        gathered = checked(room, *some).gathered
        found = gathered.given[event.event_id] if event else gathered.current
        assert isinstance(found, PartialState)
        assert found.known == ids
        assert found.why_unknown(("m.room.member", CAROL))
        assert not found.why_unknown(("m.room.topic", ""))
    other = [*state, room.make("m.room.topic", ALICE, {"topic": "x"}, state_key="")]
    for some in permutations([whole, answer(other, event, 4)]):
        gathered = checked(room, *some).gathered
        found = gathered.given[event.event_id] if event else gathered.current
        assert isinstance(found, PartialState)
        assert found.why_unknown(("m.room.topic", ""))
        assert found.known == ids
        kind = DifferenceKind.STATE_BEFORE if event else DifferenceKind.CURRENT_STATE
        assert [(one.kind, one.event_id) for one in gathered.contradictions] == [
            (kind, event.event_id if event else None)
        ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_before_an_event_of_another_room_vouches_for_nothing(version: str) -> None:
    room = base_room(version)
    gone = room.add("m.room.message", ALICE, {})
    topic = room.add("m.room.topic", ALICE, {"topic": "t"}, state_key="")
    other = base_room(version, "other")
    last = other.add("m.room.message", BOB, {})
    events = [Entry(_HERE, None, event.pdu) for event in room.events.values() if event is not gone]
    state = list(room.state.values())
    own = checked(room, events)
    assert own.replay.outcomes[topic.event_id].status is Status.UNDECIDED
    found = checked(room, events, answer(state, last, 1))
    assert found.replay.outcomes[topic.event_id].status is Status.UNDECIDED
    assert found.replay.outliers == frozenset()
    assert last.event_id in found.findings
    assert set(entries_of(found.gathered.given[last.event_id]).values()) == {one.event_id for one in state}
