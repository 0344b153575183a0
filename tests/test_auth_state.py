"""The state and the events that the caller of a check gives."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from auth_rooms import open_room
from builder import ALICE, BOB, DAVE, VERSIONS, Room, refuses

from roomver import WrongRoom, check_against_state, check_auth, parse_event, rules, select_auth_types
from roomver.versions import V11, V12


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_without_a_create_event_refuses_everything(version: str) -> None:
    room = open_room(version)
    rule = rules.ROOM_ID_OF_CREATE if version == "12" else rules.AUTH_EVENTS_NO_CREATE
    for event in (room.make("m.room.message", ALICE), room.make_member(ALICE, "join")):
        refuses(check_against_state(event, {}), rule)
        state = {key: e for key, e in room.state.items() if key[0] != "m.room.create"}
        refuses(check_against_state(event, state), rule)
        refuses(room.verdict(event, state), rule)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_of_another_room_is_an_error(version: str) -> None:
    room, other = open_room(version), Room(version, name="other", creator=BOB)
    event = room.make("m.room.message", ALICE)
    with pytest.raises(WrongRoom, match=r"the state is from room"):
        check_against_state(event, other.state)
    with pytest.raises(WrongRoom, match=r"the state is from room"):
        room.verdict(event, other.state)


def test_a_state_of_another_version_is_an_error() -> None:
    room, other = open_room("11"), open_room("10")
    assert room.room_id == other.room_id
    with pytest.raises(WrongRoom, match=r"version 11; the state is from room .*, version 10"):
        check_against_state(room.make("m.room.message", ALICE), other.state)


def test_an_auth_event_of_another_version_is_an_error() -> None:
    room, other = open_room("11"), open_room("10")
    event = room.make("m.room.message", ALICE, auth=[other.create])
    with pytest.raises(WrongRoom, match="has room version 11 but cites"):
        check_auth(event, None, other.events)


class Recording(Mapping[Any, Any]):
    """A mapping that records the keys that are looked up."""

    def __init__(self, content: Mapping[Any, Any]) -> None:
        self.content = content
        self.asked: set[Any] = set()

    def __getitem__(self, key: Any) -> Any:
        self.asked.add(key)
        return self.content[key]

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("a check must not iterate over the state")

    def __len__(self) -> int:
        raise AssertionError("a check must not ask for the length of the state")


@pytest.mark.parametrize("version", VERSIONS)
def test_only_the_selected_entries_of_the_state_and_the_create_event_are_read(version: str) -> None:
    room = open_room(version)
    for event in (
        room.make_member(DAVE, "join", more={"join_authorised_via_users_server": BOB}),
        room.make_member(BOB, "ban", by=ALICE),
        room.make("m.room.topic", ALICE, state_key=""),
        room.make_power({}, ALICE),
    ):
        state = Recording(room.state)
        check_against_state(event, state)
        assert state.asked <= select_auth_types(event) | {("m.room.create", "")}


def test_the_events_may_be_in_any_order() -> None:
    room = open_room("11")
    event = room.make("m.room.topic", ALICE, state_key="")
    backwards = dict(reversed(list(room.events.items())))
    assert check_auth(event, None, backwards) == room.verdict(event)
    assert check_auth(event, dict(reversed(list(room.state.items()))), room.events) == room.verdict(event)


def test_each_version_applies_its_own_rules_to_the_same_event() -> None:
    assert V11.rule_list != V12.rule_list
    pdu = Room("11").create.pdu
    assert check_auth(parse_event(pdu, "11"), None, {}).number == "1.4"
    refuses(check_auth(parse_event(pdu, "10"), None, {}), rules.CREATE_NO_CREATOR)
