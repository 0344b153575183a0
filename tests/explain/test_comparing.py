"""How two sources of one room differ, and where they part."""

from collections.abc import Iterable
from random import Random

import pytest
from builder import ALICE, BOB, VERSIONS
from played_rooms import played
from replay.rooms import TOPIC, Branches, base_room

from roomver import Event
from roomver.explain.compared import Cause, Compared
from roomver.explain.comparing import Side, compare
from roomver.explain.event import explain_event
from roomver.explain.marks import find_marks
from roomver.known_states import Beliefs
from roomver.state import entries_of
from roomver.versions import StateResolution

from .rooms import checked


def side(events: Iterable[Event], version: str, recorded: dict[str, str] | None = None) -> Side:
    return Side(checked(events, version), lambda event_id: (recorded or {}).get(event_id, ""))


def compared(one: Iterable[Event], other: Iterable[Event], version: str = "11") -> Compared:
    return compare(side(one, version), side(other, version))


def banned_beside_messages() -> tuple[list[Event], Event, Event, Event]:
    """Return the events of a room, Bob's ban on one branch, and two messages of his on another."""
    room = base_room("11")
    events = [*room.events.values()]
    fork = Branches(room)
    with fork.side():
        ban = room.member(BOB, "ban", by=ALICE)
    with fork.side():
        message = room.add("m.room.message", BOB, {"body": "x"})
        later = room.add("m.room.message", BOB, {"body": "y"})
    return events, ban, message, later


def text(found: Compared) -> str:
    assert found.parting is not None
    return "".join(str(part.value) for part in found.parting.why)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_room_agrees_with_itself_and_parts_from_a_smaller_one_at_what_that_lacks(version: str) -> None:
    for seed in range(6):
        rng = Random(f"{version}/{seed}")
        events = played(rng, version, 40, odd=True)
        same = compared(events, events, version)
        assert (same.agree, same.parting) == (True, None)
        gone = rng.choice(events[6:])
        less = [one for one in events if one is not gone]
        found = compared(events, less, version)
        assert found.only == ((gone.event_id,), ())
        assert found.parting is not None
        assert (found.parting.event_id, found.parting.part) == (gone.event_id, Cause.MISSING)
        assert found.parting.lacks == "B"
        mirrored = compared(less, events, version)
        assert mirrored.only == ((), (gone.event_id,))
        assert {(one.key, one.b, one.a) for one in mirrored.state} == {(e.key, e.a, e.b) for e in found.state}
        assert {one.event_id for one in mirrored.outcomes} == {one.event_id for one in found.outcomes}


def test_what_a_source_that_is_behind_lacks_says_so() -> None:
    room = base_room("11")
    room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    *events, last = room.events.values()
    found = compared([*events, last], events)
    assert "B is behind" in text(found)
    ((entry),) = found.state
    assert (entry.key, entry.a, entry.b) == (TOPIC, last.event_id, None)
    assert "B lacks the event of A." in "".join(str(part.value) for part in entry.why)


def test_a_gap_is_told_apart_from_being_behind() -> None:
    room = base_room("11")
    gone = room.add("m.room.message", ALICE, {})
    room.add("m.room.message", ALICE, {})
    events = [*room.events.values()]
    found = compared(events, [one for one in events if one is not gone])
    assert "B has a gap" in text(found)
    assert found.unknown


def test_events_in_another_order_are_soft_failed_in_one_only() -> None:
    events, ban, message, _ = banned_beside_messages()
    found = compared([*events, ban, message], [*events, message, ban])
    assert found.parting is not None
    assert (found.parting.part, found.parting.event_id) == (Cause.ARRIVAL, message.event_id)
    assert [one.outcome for one in found.outcomes] == [("soft-failed", "accepted")]
    assert "The order in which events arrive decides this" in text(found)
    sides = ["".join(str(part.value) for part in why) for why in found.parting.sides]
    assert sides[0].startswith(f"{message.event_id} was soft-failed: ")
    assert sides[1].startswith(f"{message.event_id} was accepted: ")
    assert [one.count(". ") for one in sides] == [0, 0]  # one sentence each


@pytest.mark.parametrize("swapped", [False, True])
def test_a_missing_ban_is_the_cause_not_the_order_of_arrival(swapped: bool) -> None:
    events, ban, message, _ = banned_beside_messages()
    more, less = [*events, ban, message], [*events, message]
    found = compared(less, more) if swapped else compared(more, less)
    assert found.parting is not None
    assert (found.parting.part, found.parting.event_id) == (Cause.MISSING, ban.event_id)
    assert found.parting.lacks == ("A" if swapped else "B")
    assert [one.event_id for one in found.outcomes] == [message.event_id]


def test_other_events_that_one_source_lacks_are_a_possible_cause() -> None:
    events, ban, message, later = banned_beside_messages()
    found = compared([*events, ban, message, later], [*events, message, ban])
    assert found.parting is not None
    assert (found.parting.part, found.parting.event_id) == (Cause.ARRIVAL, message.event_id)
    assert "nothing needs repair" not in text(found)
    assert "what only one of them has" in text(found)


def test_recorded_decisions_that_differ_are_found() -> None:
    room = base_room("11")
    message = room.add("m.room.message", ALICE, {})
    one = side(room.events.values(), "11", {message.event_id: "accepted"})
    other = side(room.events.values(), "11", {message.event_id: "rejected"})
    found = compare(one, other)
    assert found.parting is not None
    assert (found.agree, found.parting.part) == (False, Cause.RECORDED)
    assert "The server of A accepted" in text(found)
    assert "the server of B rejected it" in text(found)


def test_recorded_states_that_differ_are_found() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    ids = frozenset(one.event_id for one in room.state.values())
    found_room = checked(room.events.values(), "11")
    found = compare(
        Side(found_room, lambda _: "", ids), Side(found_room, lambda _: "", ids - {topic.event_id})
    )
    assert found.parting is not None
    assert found.parting.part is Cause.STATE
    assert [(one.key, one.a, one.b) for one in found.recorded_state or ()] == [(TOPIC, topic.event_id, None)]


def test_a_recorded_state_that_another_algorithm_gives_names_the_algorithm() -> None:
    for seed in range(200):
        events = played(Random(seed), "2", 30, odd=True)
        found_room = checked(events, "2")
        replayed = found_room.replay
        own = frozenset(entries_of(replayed.current_state or {}).values())
        other = frozenset(
            entries_of(replayed.resolution_at(None, algorithm=StateResolution.V1).state).values()
        )
        if own != other:
            break
    else:
        pytest.fail("no room of these depends on the algorithm")
    found = compare(Side(found_room, lambda _: "", own), Side(found_room, lambda _: "", other))
    assert "The state of B is what the algorithm v1 gives, and room version 2 has the algorithm v2." in text(
        found
    )
    assert "The state of A" not in text(found)


@pytest.mark.parametrize("version", ["1", "6", "11", "12"])
def test_a_soft_failure_that_is_unknown_in_one_source_is_not_a_difference(version: str) -> None:
    met = 0
    for seed in range(40):
        rng = Random(f"{version}/{seed}")
        events = played(rng, version, 40, odd=True)
        gone = rng.choice(events[6:])
        whole, part = side(events, version), side([one for one in events if one is not gone], version)
        unsure = {*part.found.replay.current_unknown}
        found = compare(whole, part)
        for one in found.outcomes:
            if one.event_id in unsure:
                assert one.outcome[0] not in ("accepted", "soft-failed"), (seed, one)
        shared = unsure & whole.found.replay.outcomes.keys()
        met += len(shared)
        if shared:
            assert found.unknown
            assert found.open
        assert compare(part, whole).open == found.open
    assert met


def test_events_of_recorded_states_that_no_source_has_are_not_called_absent() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    ids = frozenset(one.event_id for one in room.state.values())
    found_room = checked(room.events.values(), "11")
    lost = ids - {topic.event_id} | {"$lost"}
    found = compare(Side(found_room, lambda _: "", ids), Side(found_room, lambda _: "", lost))
    assert found.recorded_state == ()  # "$lost" may be a topic
    assert found.recorded_lost == ((), ("$lost",))
    assert (found.agree, found.unknown) == (False, True)
    assert found.parting is not None
    assert found.parting.part is Cause.STATE
    same = compare(Side(found_room, lambda _: "", lost), Side(found_room, lambda _: "", lost))
    assert (same.agree, same.recorded_lost) == (True, ((), ()))


def test_what_a_server_soft_failed_is_soft_failed_everywhere_if_its_decisions_are_followed() -> None:
    room = base_room("11")
    message = room.add("m.room.message", ALICE, {})
    beliefs = Beliefs(frozenset(), frozenset([message.event_id]))
    found = checked(room.events.values(), "11", beliefs=beliefs, as_recorded=True)
    assert Side(found, lambda _: "").outcome(message.event_id) == "soft-failed"
    assert explain_event(found, message.event_id).judged.value == "soft-failed"
    assert find_marks(found)[message.event_id].judged.value == "soft-failed"


def test_a_source_that_does_not_say_what_was_soft_failed_is_not_compared_in_that() -> None:
    room = base_room("11")
    message = room.add("m.room.message", ALICE, {})
    found = checked(room.events.values(), "11")
    one = Side(found, lambda _: "accepted", says_soft_failed=False)
    other = Side(found, lambda e: "soft-failed" if e == message.event_id else "accepted")
    assert compare(one, other).outcomes == ()
    assert len(compare(Side(found, lambda _: "accepted"), other).outcomes) == 1
    rejected = Side(found, lambda _: "rejected")
    assert len(compare(one, rejected).outcomes) == len(room.events)
