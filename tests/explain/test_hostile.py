"""Whatever a room holds, the explaining functions answer, and their answers are JSON."""

import json

from hypothesis import given
from replay.rooms import hostile_rooms, merged_rooms

from roomver import Event
from roomver.explain.event import explain_event
from roomver.explain.history import list_keys, tell_history
from roomver.explain.resets import Intent, explain_resets
from roomver.room_check import RoomCheck

from .rooms import checked


def assert_all_explained(found: RoomCheck) -> None:
    for event_id in found.replay.outcomes:
        json.dumps(explain_event(found, event_id).to_dict())
    keys = {(one.type, one.state_key) for one in found.replay.events.values() if one.state_key is not None}
    for kind, key in keys:
        assert key in {line.key[1] for line in list_keys(found, kind)}
        json.dumps(tell_history(found, (kind, key)).to_dict())
    explained = explain_resets(found)
    assert len(explained) == len(found.replay.resets())
    for one in explained:
        json.dumps(one.to_dict())
        assert one.why
        assert (one.act is not None) == (one.intent is Intent.DESIGNED)


@given(hostile_rooms())
def test_hostile_rooms_are_explained(events: list[Event]) -> None:
    if events:
        assert_all_explained(checked(events, events[0].room_version.identifier, unhashed=True))


@given(merged_rooms())
def test_rooms_with_missing_events_are_explained(events: list[Event]) -> None:
    assert_all_explained(checked(events, events[0].room_version.identifier, unhashed=True))
