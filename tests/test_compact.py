"""Compact events and kept places and checks: smaller, and equal to what they were made from."""

import pickle
from collections.abc import Iterator

import pytest
from builder import ALICE, BOB, VERSIONS, Room

from roomver import Event, parse_event
from roomver.compact import Compactor, Events
from roomver.entry import Place
from roomver.findings import EventCheck, Finding, FindingKind, Reason
from roomver.kept import KeptChecks, KeptPlaces
from roomver.signature_results import SigningStatus

FIELDS = (
    *("type", "state_key", "sender", "content", "origin_server_ts", "depth", "redacts", "pdu"),
    *("prev_event_ids", "auth_event_ids", "auth_parents", "event_id", "room_id", "hashes", "signatures"),
)


def base_room(version: str) -> Room:
    room = Room(version)
    room.join(ALICE)
    room.power({"users": {ALICE: 100}} if version != "12" else {"users": {BOB: 50}})
    room.join_rule("public")
    room.join(BOB)
    return room


def _events(room: Room) -> Iterator[Event]:
    yield from room.events.values()
    message = room.make("m.room.message", BOB, {"body": "é\u2028\U0001f600", "n": [None, True, -1, {"": []}]})
    yield message
    yield room.make("m.room.redaction", ALICE, {"redacts": message.event_id})
    yield parse_event({**message.pdu, "unsigned": {"age": 2**53 - 1}, "more": "kept"}, room.version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_compact_event_equals_the_event_it_was_made_from(version: str) -> None:
    compactor = Compactor()
    for event in _events(base_room(version)):
        small = compactor.compact(event)
        assert small == event
        assert hash(small) == hash(event)
        assert repr(small) == repr(event)
        for name in FIELDS:
            assert getattr(small, name) == getattr(event, name)
        assert list(small.pdu) == list(event.pdu)
        again = pickle.loads(pickle.dumps(small))
        assert (again, again.pdu, type(again)) == (event, event.pdu, Event)


def test_floats_and_large_integers_stay_what_they_are() -> None:
    event = base_room("5").make("m.room.message", ALICE, {"one": 1.0, "zero": -0.0, "large": 2**80})
    content = Compactor().compact(event).content
    assert [repr(value) for value in content.values()] == ["1.0", "-0.0", str(2**80)]


def test_a_compact_event_is_read_only_and_a_change_to_its_pdu_stays_outside() -> None:
    event = base_room("11").make("m.room.message", ALICE, {"body": "x"})
    small = Compactor().compact(event)
    small.pdu["content"] = {}
    small.content["body"] = "y"
    small.pdu["auth_events"].clear()  # type: ignore[union-attr]
    assert small.pdu == event.pdu
    with pytest.raises(AttributeError, match="an Event is read-only: content"):
        small.content = {}
    with pytest.raises(AttributeError, match="an Event is read-only: depth"):
        del small.depth


def test_what_the_rules_read_often_is_not_made_smaller() -> None:
    compactor = Compactor()
    made = [event for event in base_room("11").events.values() if event.type == "m.room.power_levels"]
    assert made
    assert all(compactor.compact(event) is event for event in made)


def test_the_first_events_stay_as_they_are() -> None:
    compactor = Compactor(as_read=1)
    first, other = (base_room("11").make("m.room.message", ALICE, {"n": n}) for n in range(2))
    assert compactor.take(first) is first
    taken = compactor.take(other)
    assert taken == other
    assert taken is not other


PLACES = (
    Place(None, "state[0]"),
    Place(None, "state[7]"),
    Place(None, "[3]"),
    Place(None, "state[7]", "a.json"),
    Place(12, ""),
    Place(12, "", "a.json"),
    Place(12, "pdus[3]"),
    Place(None, ""),
    Place(None, "event"),
    Place(None, 'events["$a"]'),
    Place(None, "state[07]"),
    Place(None, "state[٣]"),
    Place(None, "state[3"),
    Place(None, 'rooms.join["!a:b"].timeline.events[2]', "b.json"),
)


def test_kept_places_are_the_places_that_were_added() -> None:
    kept = KeptPlaces()
    expected = {f"${number}": place for number, place in enumerate(PLACES)}
    for event_id, place in expected.items():
        kept[event_id] = place
    assert dict(kept) == expected
    assert list(kept) == list(expected)
    assert len(kept) == len(PLACES)
    assert "$0" in kept
    del kept["$0"]
    assert "$0" not in kept


def test_places_in_more_arrays_than_are_counted_are_kept_too() -> None:
    kept = KeptPlaces()
    expected = {f"${number}": Place(None, f"a{number}[5]") for number in range(2000)}
    for event_id, place in expected.items():
        kept[event_id] = place
    assert dict(kept) == expected


def test_kept_checks_are_the_checks_that_were_added_without_their_events() -> None:
    event = base_room("11").make("m.room.message", ALICE, {})
    finding = Finding(FindingKind.CONTENT_HASH, (Reason("hashes.sha256", "carried x"),))
    expected = {
        "$a": EventCheck("$a", None, (), signatures=SigningStatus.VALID),
        "$b": EventCheck("$b", None, (), signatures=SigningStatus.VALID),
        "$c": EventCheck("$c", None, (finding,), redacted=True),
        **{
            f"${number}": EventCheck(f"${number}", None, (), unknown_keys=((f"s{number}", "ed25519:1"),))
            for number in range(9000)
        },
    }
    kept = KeptChecks()
    for event_id, check in expected.items():
        kept[event_id] = check._replace(event=event)
    assert dict(kept) == expected
    assert len(kept) == len(expected)
    assert "$a" in kept
    del kept["$a"]
    assert "$a" not in kept


def _table(version: str) -> Events:
    made = [*_events(base_room(version))]
    half = [Compactor().compact(event) for event in made[::2]]
    return Events((event.event_id, event) for event in [*half, *made[1::2]])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_table_of_events_is_read_back_as_equal_events(version: str) -> None:
    events = _table(version)
    again = pickle.loads(pickle.dumps(events))
    assert type(again) is Events
    assert [*again] == [*events]
    for event_id, event in events.items():
        for name in FIELDS:
            assert getattr(again[event_id], name) == getattr(event, name)
        assert list(again[event_id].pdu) == list(event.pdu)
        assert pickle.loads(pickle.dumps(again[event_id])) == event
    assert pickle.dumps(pickle.loads(pickle.dumps(again))) == pickle.dumps(again)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_table_of_few_events(number: int) -> None:
    events = Events([*_table("11").items()][:number])
    again = pickle.loads(pickle.dumps(events))
    assert (again, [one.pdu for one in again.values()]) == (events, [one.pdu for one in events.values()])


@pytest.mark.parametrize("change", [-1, 1])
def test_a_column_of_another_length_loses_no_event(change: int) -> None:
    read, (version, ids, *columns) = _table("11").__reduce__()
    assert {len(column) for column in columns} == {1, len(ids)}
    for number, column in enumerate(columns):
        wrong = [*column, *column][: len(column) + change]
        with pytest.raises(ValueError, match=f"has {len(wrong)} values for {len(ids)} events"):
            read(version, ids, *columns[:number], wrong, *columns[number + 1 :])


def test_numbers_that_are_too_large_for_most_tables() -> None:
    room = base_room("1")
    pdu = {**room.make("m.room.message", ALICE, {}).pdu, "origin_server_ts": 2**70}
    event = Event.trusted(pdu, "1", str(pdu["event_id"]))
    (again,) = pickle.loads(pickle.dumps(Events({event.event_id: event}))).values()
    assert again.origin_server_ts == 2**70


def test_events_of_several_versions_in_a_table() -> None:
    events = Events({**_table("10"), **_table("11")})
    again = pickle.loads(pickle.dumps(events))
    assert [one.room_version for one in again.values()] == [one.room_version for one in events.values()]


def test_a_table_and_a_part_of_it_have_the_events_once() -> None:
    events = _table("11")
    assert events.part([*events]) is events
    part = events.part([*events][::-2])
    whole, some = pickle.loads(pickle.dumps((events, part)))
    assert [*some] == [*part]
    assert all(some[one] is whole[one] for one in some)
    assert len(pickle.dumps((events, part))) < 1.2 * len(pickle.dumps(events))
    # A part that was changed stands for itself.
    event_id = next(iter(part))
    part[event_id] = parse_event(part[event_id].pdu | {"unsigned": {"age": 1}}, "11")
    assert pickle.loads(pickle.dumps((events, part)))[1][event_id].pdu["unsigned"] == {"age": 1}


def test_kept_places_and_checks_are_read_back() -> None:
    places, checks = KeptPlaces(), KeptChecks()
    for number, event_id in enumerate(("$a", "$b", "$c")):
        places[event_id] = Place(number, "", "file") if number else Place(None, "events[0].pdu", None)
        checks[event_id] = EventCheck(event_id, None, ())
    for kept in (places, checks):
        again = pickle.loads(pickle.dumps(kept))
        assert "$b" in again
        assert [*again.items()] == [*kept.items()]
        del again["$a"]
        assert [*pickle.loads(pickle.dumps(again)).items()] == [*kept.items()][1:]
        with pytest.raises(AttributeError):
            again._no_such_thing  # noqa: B018 - it raises
