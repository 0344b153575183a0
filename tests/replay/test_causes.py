"""What is unknown in the states that leave an event undecided: `Replay.unknown_behind`."""

import pytest
from builder import ALICE, BOB

from roomver import MissingEvents, replay_room
from roomver.state import PartialState, Unknown

from .rooms import base_room, ids


def test_the_unknown_part_of_a_given_state_is_behind_all_that_follows_it() -> None:
    room = base_room("11")
    gone = room.add("m.room.message", BOB, {})
    state = ids(room.state)
    levels = state.pop(("m.room.power_levels", ""))
    first = room.add("m.room.message", BOB, {})
    last = room.add("m.room.message", BOB, {})
    events = [event for event in room.events.values() if event is not gone]
    unknown = Unknown("two sources contradict each other", keys=frozenset({("m.room.power_levels", "")}))
    replayed = replay_room(events, given={first.event_id: PartialState(state, [unknown])})
    for event_id in (first.event_id, last.event_id, None):
        assert unknown in replayed.unknown_behind(event_id)
    whole = {**state, ("m.room.power_levels", ""): levels}
    replayed = replay_room(events, given={first.event_id: whole})
    assert [replayed.unknown_behind(one) for one in (first.event_id, last.event_id, None)] == [[], [], []]
    with pytest.raises(MissingEvents):
        replayed.unknown_behind("$nowhere")


def test_what_a_given_current_state_does_not_tell_is_behind_the_current_state() -> None:
    room = base_room("11")
    unknown = Unknown.members()
    current = {key: event_id for key, event_id in ids(room.state).items() if key[0] != "m.room.member"}
    lost = list(room.events.values())[-1]
    room.add("m.room.message", ALICE, {})
    events = [event for event in room.events.values() if event is not lost]
    known = {key: event_id for key, event_id in current.items() if event_id != lost.event_id}
    replayed = replay_room(events, current=PartialState(known, [unknown]))
    assert replayed.unknown_behind(None) == [unknown]
