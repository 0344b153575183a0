"""The order of a replay, whatever the order of arrival, and its progress."""

from random import Random

import pytest
from builder import ALICE, VERSIONS, Room
from hypothesis import given
from hypothesis import strategies as st
from strategies import often

from roomver import Event, JsonObject, RoomVersion, replay_room
from roomver.replay.bridging import find_bridging
from roomver.replay.order import _in_order, _is_in_order, _parents, find_order

from .rooms import base_room, hostile_rooms, ids, recorded


@pytest.mark.parametrize("version", VERSIONS)
def test_the_order_of_arrival_changes_neither_outcomes_nor_states(version: str) -> None:
    _, events = recorded(version)
    expected = replay_room(events)
    shuffled = list(events)
    Random(version).shuffle(shuffled)
    replayed = replay_room(shuffled + events[:5])
    assert replayed.rejected == expected.rejected
    assert replayed.outcomes == expected.outcomes
    assert set(replayed.order) == set(expected.order)
    place = {event_id: number for number, event_id in enumerate(replayed.order)}
    for event in events:
        for parent in (*event.auth_event_ids, *event.prev_event_ids):
            assert place[parent] < place[event.event_id]
    for event in events:
        assert replayed.state_before(event.event_id) == expected.state_before(event.event_id)
        assert replayed.state_after(event.event_id) == expected.state_after(event.event_id)


def test_a_late_event_comes_just_before_the_first_that_needs_it() -> None:
    """And the other events keep their order, so that a file with one more event changes nothing else."""
    _, events = recorded("11")
    for late in events[5:60:9]:
        rest = [event for event in events if event is not late]
        first = next(
            (n for n, e in enumerate(rest) if late.event_id in (*e.prev_event_ids, *e.auth_event_ids)),
            len(rest),
        )
        expected = [event.event_id for event in (*rest[:first], late, *rest[first:])]
        assert replay_room([*rest, late]).order == expected


def test_given_states_that_order_each_other_both_ways_leave_the_others_in_order() -> None:
    """One state that made a cycle took all given states out of the order."""
    room = base_room("11")
    start = room.last
    assert start is not None
    one, other, third = (room.add("m.room.message", ALICE, {"n": n}, prev=[start]) for n in range(3))
    after_one = room.add("m.room.message", ALICE, {"n": 3}, prev=[one])
    after_other = room.add("m.room.message", ALICE, {"n": 4}, prev=[other])
    late = room.add("m.room.message", ALICE, {"n": 5}, prev=[start])
    held = {
        one.event_id: [after_other.event_id],
        other.event_id: [after_one.event_id],
        third.event_id: [late.event_id],
    }
    order, cyclic = find_order(room.events, held)
    assert cyclic == ()
    expected = [event.event_id for event in (one, other, late, third, after_one, after_other)]
    assert order[-6:] == expected


def test_only_what_prev_events_do_not_tell_is_taken_from_given_states() -> None:
    room = base_room("11")
    state, start = ids(room.state), room.last
    assert start is not None
    gone = room.add("m.room.message", ALICE, {"n": 0})
    bridge = room.add("m.room.message", ALICE, {"n": 1})
    follows = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    side = room.add("m.room.topic", ALICE, {"topic": "y"}, state_key="", prev=[start])
    events = {event_id: event for event_id, event in room.events.items() if event is not gone}
    topic = ("m.room.topic", "")
    given = {
        bridge.event_id: state | {topic: follows.event_id},
        follows.event_id: state | {topic: side.event_id},
        side.event_id: state | {topic: follows.event_id},
    }
    answered: dict[str | None, list[str]] = {one: [follows.event_id, side.event_id] for one in given}
    found = find_bridging([*events], events, given, answered)
    assert found.states == {bridge.event_id: frozenset(state.values()) - {follows.event_id}}
    assert found.answers == {bridge.event_id: frozenset([side.event_id])}
    assert found.told == events.keys()
    # Without a state after the gap, what follows it is told by its own given state only.
    del given[bridge.event_id]
    found = find_bridging([*events], events, given, {})
    assert found.states.keys() == {follows.event_id}
    assert found.told == events.keys() - {bridge.event_id}


def test_progress_is_reported_every_256_events() -> None:
    _, events = recorded("11")
    told: list[int] = []
    replay_room(events, progress=told.append)
    assert told == [0]
    room = Room("11", signed=False)
    room.join(ALICE)
    for number in range(600):
        room.add("m.room.message", ALICE, {"n": number})
    told.clear()
    replay_room(room.events.values(), progress=told.append)
    assert told == [0, 256, 512]


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_event_comes_after_what_it_reaches_through_a_cycle(version: str) -> None:
    room = base_room(version)
    state = ids(room.state)
    first = room.add("m.room.message", ALICE, {})
    own = "$own:a.example"
    cyclic = room.make("m.room.message", ALICE, {}, event_id=own, prev=[own, first])
    beyond = room.make("m.room.message", ALICE, {}, event_id="$beyond:a.example", prev=[own])
    events = [event for event in room.events.values() if event is not first]
    for arrived in ([*events, first, cyclic, beyond], [*events, cyclic, beyond, first]):
        replayed = replay_room(arrived, given={beyond.event_id: state})
        assert replayed.order[-2:] == [first.event_id, beyond.event_id]
        assert replayed.forward_extremities == (beyond.event_id,)


@often
@given(hostile_rooms(), st.randoms(use_true_random=False))
def test_without_soft_failure_nothing_depends_on_the_order_of_arrival(
    events: list[Event], rng: Random
) -> None:
    one = replay_room(events, soft_failure=False)
    other = replay_room(rng.sample(events, len(events)), soft_failure=False)
    assert one.outcomes == other.outcomes
    assert one.forward_extremities == other.forward_extremities
    assert one.extremities_known == other.extremities_known
    assert one.current_state == other.current_state


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_input_that_is_in_order_stays_as_it_is(version: str, seed: int) -> None:
    """Its order is not made: that must be the order that would be made, whatever is missing or on a cycle."""
    rng = Random(seed)
    _, events = recorded(version)
    some = rng.sample(events, rng.randrange(1, 12))
    if rng.randrange(2):
        some.sort(key=events.index)
    if rng.randrange(2):
        some += events[: rng.randrange(4)]
    by_id = {event.event_id: event for event in some}
    made = _in_order({event_id: _parents(event, by_id) for event_id, event in by_id.items()})
    assert find_order(by_id, {}) == (made, ())
    if _is_in_order(by_id):
        assert made == list(by_id)


def test_the_create_event_that_a_room_id_names_is_decided_first() -> None:
    """An event may cite the create event of its room through the room ID alone."""
    version = RoomVersion.derive("org.example.12", base="12", aliases_rule=True)
    common: JsonObject = {
        "prev_events": [],
        "auth_events": [],
        "depth": 1,
        "origin_server_ts": 1,
        "hashes": {},
    }
    create = Event.trusted(
        {
            **common,
            **{"type": "m.room.create", "state_key": "", "sender": "@a:a.example"},
            "content": {"room_version": "org.example.12", "additional_creators": 5},
        },
        version,
        "$c",
    )
    aliases = Event.trusted(
        {
            **common,
            **{"type": "m.room.aliases", "state_key": "b.example", "sender": "@b:b.example", "content": {}},
            **{"prev_events": ["$gone"], "room_id": "!c"},
        },
        version,
        "$a",
    )
    for events in ([create, aliases], [aliases, create]):
        replayed = replay_room(events, accepted={None: ["$a"]})
        assert "$a" in replayed.rejected
