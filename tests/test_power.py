"""Power levels: the level that a JSON value means in each room version, and the level that applies."""

from math import inf
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS, Room, versions_from

from roomver import get_room_version
from roomver.power import DEFAULTS, Levels, creator_of, creators_of, power_levels_of, read_level


def levels_of(room: Room) -> Levels:
    return Levels.of(room.create, room.state)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("value", [0, 50, -1, 2**53 - 1])
def test_an_integer_is_a_level(version: str, value: int) -> None:
    assert read_level(value, get_room_version(version)) == value


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("value", [None, True, False, [], {}, [50], {"a": 50}])
def test_a_value_that_is_neither_a_number_nor_a_string_is_not_a_level(version: str, value: Any) -> None:
    assert read_level(value, get_room_version(version)) is None


@pytest.mark.parametrize("version", versions_from(1, 9))
@pytest.mark.parametrize(
    ("value", "level"),
    [
        # "a single base 10 integer …, optionally with any number of leading zeroes"
        ("100", 100),
        ("000100", 100),
        ("0", 0),
        ("0" * 5000 + "7", 7),
        # "optionally prefixed with a single - or + character before the integer"
        ("+100", 100),
        ("-100", -100),
        ("-0", 0),
        # "optionally with any number of leading or trailing whitespace characters"
        (" 100 ", 100),
        (" 00100 ", 100),
        (" +100 ", 100),
        (" -100 ", -100),
        ("\t\n50\r\u2003", 50),
        ("9" * 4000, 10**4000 - 1),
    ],
)
def test_each_of_the_integer_valued_properties_can_be_encoded_as_a_string(
    version: str, value: str, level: int
) -> None:
    assert read_level(value, get_room_version(version)) == level


@pytest.mark.parametrize("version", versions_from(1, 9))
@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "+",
        "50.5",
        "50.0",
        "1e2",
        "0x10",
        "1_000",
        "\u0663\u0660",
        "- 5",
        "--5",
        "+-5",
        "5 0",
        "abc",
        "\u2212 5",
        "50\x00",
        "inf",
        "nan",
        "9" * 4001,
    ],
)
def test_no_float_values_and_no_other_form_of_a_string(version: str, value: str) -> None:
    assert read_level(value, get_room_version(version)) is None


@pytest.mark.parametrize("version", versions_from(10))
def test_from_version_10_on_a_string_is_not_a_level(version: str) -> None:
    assert read_level("50", get_room_version(version)) is None


@pytest.mark.parametrize("version", versions_from(1, 5))
@pytest.mark.parametrize(
    ("value", "level"),
    # Clarified in 1.18 (#2297): the value is truncated at the decimal point, toward zero.
    [
        (50.57, 50),
        (50.0, 50),
        (-0.9, 0),
        (-50.9, -50),
        (5.114698e4, 51146),
        (0.999999, 0),
        (1e300, int(1e300)),
    ],
)
def test_when_the_value_is_a_float_it_is_truncated_at_the_decimal_point(
    version: str, value: float, level: int
) -> None:
    assert read_level(value, get_room_version(version)) == level


@pytest.mark.parametrize("value", [inf, -inf, float("nan"), float("1e400")])
def test_values_outside_the_range_of_a_double_are_not_levels(value: float) -> None:
    # Clarified in 1.18 (#2297). No event can hold them, but a caller may build such content.
    assert read_level(value, get_room_version("5")) is None


@pytest.mark.parametrize("version", versions_from(6))
def test_from_version_6_on_a_float_is_not_a_level(version: str) -> None:
    assert read_level(50.0, get_room_version(version)) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_without_power_levels_only_the_creator_has_power(version: str) -> None:
    room = Room(version)
    levels = levels_of(room)
    assert levels.user(ALICE) == (inf if version == "12" else 100)
    assert levels.user(BOB) == 0
    assert {name: levels.named(name) for name in DEFAULTS} == {
        "ban": 50,
        "kick": 50,
        "redact": 50,
        "invite": 0,
        "state_default": 50,
        "events_default": 0,
        "users_default": 0,
    }
    assert levels.required("m.room.topic", is_state=True) == 50
    assert levels.required("m.room.message", is_state=False) == 0


@pytest.mark.parametrize("version", versions_from(1, 11))
def test_with_power_levels_the_creator_has_no_special_level(version: str) -> None:
    room = Room(version)
    room.power({})
    assert levels_of(room).user(ALICE) == 0
    assert levels_of(room).named("state_default") == 50
    room.power({"users_default": 7})
    assert levels_of(room).user(ALICE) == 7


@pytest.mark.parametrize("content", [None, {}, {"users_default": 7}])
def test_the_power_level_of_room_creators_is_infinitely_high(content: dict[str, Any] | None) -> None:
    room = Room("12", content={"room_version": "12", "additional_creators": [BOB, BOB]})
    if content is not None:
        room.power(content)
    levels = levels_of(room)
    assert levels.user(ALICE) == levels.user(BOB) == inf
    assert levels.user(ALICE) > 2**53 - 1
    assert levels.user(CAROL) < inf


def test_in_version_11_additional_creators_are_ignored() -> None:
    room = Room("11", content={"room_version": "11", "additional_creators": [BOB]})
    assert levels_of(room).user(BOB) == 0
    assert creators_of(room.create) == (ALICE,)


@pytest.mark.parametrize("version", versions_from(1, 10))
def test_up_to_version_10_the_creator_is_the_one_in_the_content(version: str) -> None:
    room = Room(version, content={"creator": BOB})
    assert creator_of(room.create) == BOB
    assert levels_of(room).user(BOB) == 100
    assert levels_of(room).user(ALICE) == 0


@pytest.mark.parametrize("version", versions_from(11))
def test_from_version_11_on_the_creator_is_the_sender(version: str) -> None:
    room = Room(version, content={"room_version": version, "creator": BOB})
    assert creator_of(room.create) == ALICE
    assert levels_of(room).user(BOB) == 0


@pytest.mark.parametrize("creator", [None, 5, [], {"a": 1}])
def test_a_creator_that_is_not_a_string_is_ignored(creator: Any) -> None:
    room = Room("10", content={"creator": creator})
    assert creator_of(room.create) is None
    assert creators_of(room.create) == ()
    assert levels_of(room).user(ALICE) == 0


@pytest.mark.parametrize(
    ("additional", "creators"),
    [
        ([BOB], (ALICE, BOB)),
        ([], (ALICE,)),
        (None, (ALICE,)),
        ("x", (ALICE,)),
        ([5, BOB, None], (ALICE, BOB)),
    ],
)
def test_the_creators_are_the_sender_and_the_additional_creators_that_are_strings(
    additional: Any, creators: tuple[str, ...]
) -> None:
    room = Room("12", content={"room_version": "12", "additional_creators": additional})
    assert creators_of(room.create) == creators
    assert creators_of(room.create) is creators_of(room.create)  # cached with the event


def test_levels_are_parsed_once_and_cached_with_their_event() -> None:
    room = Room("11")
    event = room.power({"users": {ALICE: 100}})
    assert power_levels_of(event) is power_levels_of(event)
    assert levels_of(room).levels is power_levels_of(event)


def test_an_entry_of_events_comes_before_the_default() -> None:
    room = Room("11")
    room.power({"events": {"m.room.topic": 7, "m.room.message": 8}, "state_default": 9, "events_default": 10})
    levels = levels_of(room)
    assert levels.required("m.room.topic", is_state=True) == 7
    # An entry is for a type, so it applies to a message of the type as well.
    assert levels.required("m.room.topic", is_state=False) == 7
    assert levels.required("m.room.message", is_state=False) == 8
    assert levels.required("m.room.name", is_state=True) == 9
    assert levels.required("m.other", is_state=False) == 10


@pytest.mark.parametrize(
    ("content", "unreadable"),
    [
        ({"ban": "50", "users": {ALICE: 1.0}}, [("ban",), ("users", ALICE)]),
        ({"users": None}, [("users",)]),
        ({"events": []}, [("events",)]),
        ({"notifications": {"room": None, "other": 5}}, [("notifications", "room")]),
        ({"other": None, "historical": "x"}, []),
        ({}, []),
    ],
)
def test_an_invalid_level_is_listed_and_counts_as_absent(
    content: dict[str, Any], unreadable: list[tuple[str, ...]]
) -> None:
    pdu = Room("11").make_power({})
    pdu.content.update(content)  # after parsing, which refuses a float
    levels = power_levels_of(pdu)
    assert levels.unreadable == unreadable
    assert ALICE not in levels.users
    assert "ban" not in levels.named


@pytest.mark.parametrize("version", versions_from(1, 5))
def test_up_to_version_5_notifications_are_not_read(version: str) -> None:
    room = Room(version)
    levels = power_levels_of(room.make_power({"notifications": None}))
    assert levels.unreadable == []
    assert power_levels_of(room.make_power({"notifications": {"room": 5}})).notifications == {}


def test_each_level_has_a_source() -> None:
    room = Room("11")
    levels = levels_of(room)
    create_id = room.create.event_id
    assert levels.user_source(ALICE) == f"creator, from {create_id}"
    assert levels.user_source(BOB) == "default, no power-levels event"
    assert levels.named_source("ban") == "ban default, no power-levels event"
    assert levels.required_source("m.room.topic", True) == "state_default default, no power-levels event"
    power = room.power({"users": {ALICE: 5}, "ban": 5, "events": {"m.room.topic": 5}}).event_id
    levels = levels_of(room)
    assert levels.user_source(ALICE) == f"users in {power}"
    assert levels.user_source(BOB) == f"users_default default, not set in {power}"
    assert levels.named_source("ban") == f"ban in {power}"
    assert levels.named_source("kick") == f"kick default, not set in {power}"
    assert levels.required_source("m.room.topic", True) == f"events in {power}"
    assert levels.required_source("m.room.message", False) == f"events_default default, not set in {power}"


def test_an_infinite_level_comes_from_the_create_event() -> None:
    room = Room("12", content={"room_version": "12", "additional_creators": [BOB]})
    room.power({"users_default": 5})
    assert levels_of(room).user_source(BOB) == f"creator, from {room.create.event_id}"


def test_without_a_create_event_there_are_no_creators() -> None:
    # State resolution reads levels even if the create event is missing.
    levels = Levels(None, None)
    assert levels.user(ALICE) == 0
    assert levels.user_source(ALICE) == "default, no power-levels event"
