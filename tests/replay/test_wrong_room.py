"""Events that do not belong to one room."""

from typing import Any

import pytest
from builder import ALICE, BOB, VERSIONS, Room

from roomver import WrongRoom, replay_room
from roomver.replay import Status
from roomver.rules import AUTH_EVENTS_OTHER_ROOM

from .rooms import base_room


def test_events_of_two_rooms_or_two_versions_are_an_error() -> None:
    one, other = Room("11", signed=False), Room("11", name="other", signed=False)
    with pytest.raises(WrongRoom, match="events of more than one room"):
        replay_room([one.create, other.create])
    with pytest.raises(WrongRoom, match="events of more than one room"):
        replay_room([one.create, Room("10", signed=False).create])


@pytest.mark.parametrize(
    ("version", "named", "wrong"),
    [("11", "10", True), ("11", "made.up", False), ("11", 5, False), ("11", "11", False), ("3", None, True)],
)
def test_a_create_event_that_names_another_known_version_is_an_error(
    version: str, named: Any, wrong: bool
) -> None:
    content: dict[str, Any] = {"creator": ALICE}
    if named is not None:
        content["room_version"] = named
    create = Room(version, content=content, signed=False).create
    if wrong:
        with pytest.raises(WrongRoom, match="is read as"):
            replay_room([create])
    else:
        assert replay_room([create]).order == [create.event_id]


@pytest.mark.parametrize("version", VERSIONS[:11])
@pytest.mark.parametrize("first", [True, False])
def test_a_second_create_event_of_another_version_stops_nothing(version: str, first: bool) -> None:
    """Any member can send one. Only its rules decide about it."""
    room = base_room(version)
    other: dict[str, Any] = {"creator": BOB, "room_version": "9" if version == "10" else "10"}
    refused = room.make("m.room.create", BOB, other, state_key="", auth=[])
    beside = room.make("m.room.create", ALICE, other, state_key="", prev=[], auth=[])
    events = [*room.events.values()]
    replayed = replay_room([beside, refused, *events] if first else [*events, refused, beside])
    assert replayed.rejected == {refused.event_id}
    assert replayed.outcomes[events[-1].event_id].accepted


@pytest.mark.parametrize("version", VERSIONS)
def test_an_event_that_cites_one_of_another_room_is_rejected(version: str) -> None:
    """Without the event of the other room it is undecided."""
    content = {"room_version": version, "creator": ALICE, "other": True}
    room, other = base_room(version), Room(version, name="other", content=content, signed=False)
    foreign = other.member(ALICE, "join")
    cited = [foreign] if version == "12" else [room.create, foreign]
    topic = room.add("m.room.topic", ALICE, {"topic": "t"}, state_key="", auth=cited)
    assert replay_room(room.events.values()).outcomes[topic.event_id].status is Status.UNDECIDED
    outcome = replay_room(room.events.values(), other_rooms=other.events).outcomes[topic.event_id]
    assert outcome.status is Status.REJECTED_BY_AUTH_EVENTS
    assert outcome.deciding is not None
    assert outcome.deciding.rule is AUTH_EVENTS_OTHER_ROOM
