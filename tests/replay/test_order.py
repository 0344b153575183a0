"""The order of a replay, whatever the order of arrival, and its progress."""

from random import Random

import pytest
from builder import ALICE, VERSIONS, Room

from roomver import replay_room

from .rooms import recorded


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
