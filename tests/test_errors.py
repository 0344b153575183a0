"""The errors: they hold values, compare by them, and survive pickling and copying."""

import copy
import pickle

import pytest

import roomver
from roomver import (
    BadKey,
    MalformedEvent,
    MissingEvents,
    NotCanonical,
    RoomverError,
    UnknownRoomVersion,
    UnknownState,
    WrongRoom,
    errors,
)
from roomver.errors import BadRoomVersion, CyclicGraph, Defect

DEFECTS = [Defect("sender", "a user ID", "nothing"), Defect("", "a JSON object", "[]")]

ERRORS: list[tuple[RoomverError, dict[str, object], str]] = [
    (
        UnknownRoomVersion("13", ["1", "2"]),
        {"version": "13", "known": ("1", "2")},
        "unknown room version '13'; known versions: 1, 2; a version of your own is passed as its record",
    ),
    (
        BadRoomVersion("org.x", ["knock: expected true or false, found 1", "z is not a field"]),
        {"version": "org.x", "reasons": ("knock: expected true or false, found 1", "z is not a field")},
        "room version org.x: knock: expected true or false, found 1; z is not a field",
    ),
    (BadRoomVersion(5, ["x"]), {"version": 5, "reasons": ("x",)}, "room version 5: x"),
    (NotCanonical("a.b", "is a float"), {"path": "a.b", "reason": "is a float"}, "a.b: is a float"),
    (NotCanonical("", "not JSON"), {"path": "", "reason": "not JSON"}, "not JSON"),
    (
        MalformedEvent(DEFECTS, "11"),
        {"defects": tuple(DEFECTS), "room_version": "11"},
        "malformed event for room version 11: sender: expected a user ID, found nothing; "
        "expected a JSON object, found []",
    ),
    (MissingEvents(["$b", "$a", "$b"]), {"event_ids": ("$a", "$b")}, "events missing: $a, $b"),
    (
        MissingEvents(["$b", "$a"], "the graph"),
        {"event_ids": ("$a", "$b"), "where": "the graph"},
        "events missing from the graph: $a, $b",
    ),
    (
        MissingEvents(f"${n}" for n in range(100, 111)),
        {"event_ids": tuple(f"${n}" for n in range(100, 111)), "where": ""},
        "events missing: $100, $101, $102, $103, $104, $105, $106, $107, $108, $109 and 1 more",
    ),
    (
        UnknownState([("b", "x"), ("a", "")], "members omitted"),
        {"keys": (("a", ""), ("b", "x")), "reason": "members omitted"},
        'the state is known in part: a "", b "x" are unknown (members omitted)',
    ),
    (
        UnknownState([("a", "")], "dropped"),
        {"keys": (("a", ""),), "reason": "dropped"},
        'the state is known in part: a "" is unknown (dropped)',
    ),
    (
        UnknownState([], "unknown are others"),
        {"keys": (), "reason": "unknown are others"},
        "the state is known in part: unknown are others",
    ),
    (CyclicGraph(["$b", "$a"]), {"event_ids": ("$a", "$b")}, "events cite each other in a cycle: $a, $b"),
    (
        CyclicGraph(f"${n}" for n in range(100, 112)),
        {"event_ids": tuple(f"${n}" for n in range(100, 112))},
        "events cite each other in a cycle: $100, $101, $102, $103, $104, $105, $106, $107, $108, $109 "
        "and 2 more",
    ),
    (errors.NotAState("two events"), {"detail": "two events"}, "this is not a room state: two events"),
    (
        errors.NotAGraph("cut off"),
        {"reason": "cut off"},
        "these bytes are not a kept graph: cut off; build the graph again from the events",
    ),
    (
        errors.RequestRefused("b.org", "make_join", '{"errcode":"M_FORBIDDEN"}'),
        {"server": "b.org", "request": "make_join", "reason": '{"errcode":"M_FORBIDDEN"}'},
        'b.org refused /make_join: {"errcode":"M_FORBIDDEN"}',
    ),
    (
        errors.RequestRefused("b.org", "send_join"),
        {"server": "b.org", "request": "send_join", "reason": ""},
        "b.org did not answer /send_join; try again later, or another server",
    ),
    (WrongRoom("two rooms"), {"detail": "two rooms"}, "two rooms"),
    (
        BadKey("x.org ed25519:1", "too short"),
        {"where": "x.org ed25519:1", "reason": "too short"},
        "x.org ed25519:1: too short",
    ),
]
NAMED = pytest.mark.parametrize(
    ("error", "values", "text"), ERRORS, ids=[type(e[0]).__name__ for e in ERRORS]
)


@NAMED
def test_an_error_holds_its_values_and_prints_them(
    error: RoomverError, values: dict[str, object], text: str
) -> None:
    assert {name: getattr(error, name) for name in values} == values
    assert str(error) == text


@NAMED
def test_an_error_survives_pickling_and_copying(
    error: RoomverError, values: dict[str, object], text: str
) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert again is not error
        assert again == error
        assert hash(again) == hash(error)
        assert str(again) == text
        assert {name: getattr(again, name) for name in values} == values


def test_errors_are_equal_exactly_if_their_types_and_values_are() -> None:
    those = [error for error, _, _ in ERRORS]
    for i, error in enumerate(those):
        assert [error == other for other in those] == [j == i for j in range(len(those))]
    assert NotCanonical("a", "b") != BadKey("a", "b")
    assert NotCanonical("a", "b") != NotCanonical("a", "c")
    assert NotCanonical("a", "b") != "a: b"
    assert len({*those, *map(copy.copy, those)}) == len(those)


def test_an_error_that_holds_unhashable_json_has_a_hash() -> None:
    one, other = UnknownRoomVersion([1], ["1"]), UnknownRoomVersion([1], ["1"])
    assert one == other
    assert hash(one) == hash(other)


def test_every_error_is_a_roomver_error() -> None:
    raised = {
        value
        for module in (roomver, errors)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert [error for error in raised if not issubclass(error, RoomverError)] == []
    of_this_module = {error for error in raised if error.__module__ == errors.__name__}
    assert {type(error) for error, _, _ in ERRORS} | {RoomverError} == of_this_module


def test_every_public_name_exists() -> None:
    assert [name for name in roomver.__all__ if not hasattr(roomver, name)] == []
