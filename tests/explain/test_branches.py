"""Which events come after which, asked for many at once: the same as one search for each pair."""

from random import Random

import pytest
from builder import ALICE
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import played
from replay.rooms import base_room

from roomver.explain.branches import Branches
from roomver.replay import Replay, replay_room


def follows(replay: Replay, later: str, earlier: str) -> bool | None:
    """Search from an event back to another one: not past what comes before that in the replay."""
    places = {event_id: place for place, event_id in enumerate(replay.order)}
    if earlier not in places:
        return None
    todo, seen, is_open = [later], {later}, False
    while todo:
        one = replay.events[todo.pop()]
        for parent in (*one.prev_event_ids, *one.auth_parents):
            if parent == earlier:
                return True
            is_open |= parent not in replay.events
            if parent not in seen and places.get(parent, -1) > places[earlier]:
                seen.add(parent)
                todo.append(parent)
    return None if is_open else False


@given(st.sampled_from(["1", "6", "11", "12"]), st.integers(0, 2**32))
def test_an_answer_is_that_of_a_search_for_the_pair(version: str, seed: int) -> None:
    rng = Random(seed)
    events = played(rng, version, 25, odd=True)
    if rng.randrange(2):
        events = [one for one in events if rng.randrange(10)] or events
    replay = replay_room(events)
    branches = Branches(replay)
    for _ in range(150):
        one, other = (rng.choice(list(replay.outcomes)) for _ in range(2))
        found = [follows(replay, one, other), follows(replay, other, one)]
        assert branches.follows(one, other) is found[0]
        if one in branches.places and other in branches.places:
            assert branches.apart(one, other) is (False if True in found else None if None in found else True)


def test_many_questions_about_one_event_cost_what_lies_between_once(monkeypatch: pytest.MonkeyPatch) -> None:
    room = base_room("11")
    first = room.last
    chain = [room.add("m.room.message", ALICE, {}).event_id for _ in range(200)]
    act = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="", prev=[first] if first else [])
    branches = Branches(replay_room(room.events.values()))
    before = branches.left
    assert {branches.apart(one, act.event_id) for one in chain} == {True}
    assert before - branches.left < 2 * len(room.events)
    branches.left = 0
    assert branches.apart(chain[0], chain[-1]) is not True
    branches.left = -1
    assert branches.exhausted
    assert branches.follows(chain[1], chain[0]) is None
