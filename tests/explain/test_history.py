"""The history of a key, and the values of one key in all states of a replay."""

from random import Random

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import Part, forget, played
from replay.rooms import TOPIC, Branches, base_room

from roomver import replay_room
from roomver.explain.history import Given, History, Merged, Valued, list_keys, tell_history
from roomver.explain.judged import Judged
from roomver.state import PartialState, entries_of

from .rooms import checked


def told(room: Room, key: tuple[str, str] = TOPIC) -> History:
    return tell_history(checked(room.events.values(), room.version.identifier), key)


@given(st.sampled_from(["1", "6", "11", "12"]), st.integers(0, 2**32), st.booleans())
def test_the_values_of_a_key_are_those_of_the_states(version: str, seed: int, whole: bool) -> None:
    rng = Random(seed)
    events = played(rng, version, 25, odd=True)
    replayed = replay_room(events)
    if not whole:
        gone = {one.event_id for one in rng.sample(events[8:], 3)}
        given_states = {}
        for one in events:
            state = replayed.state_before(one.event_id)
            if state is not None and not gone.isdisjoint(one.prev_event_ids) and rng.randrange(2):
                given_states[one.event_id] = forget(rng, state, gone)
        part = Part([one for one in events if one.event_id not in gone], given_states, {})
        replayed = part.replay()
    for key in [TOPIC, ("m.room.member", BOB), ("m.room.power_levels", ""), ("x.nobody", "")]:
        values = replayed.values_of(key)
        for event_id in replayed.events:
            for state, found in (
                (replayed.state_before(event_id), values.before(event_id)),
                (replayed.state_after(event_id), values.after(event_id)),
            ):
                if state is None or (isinstance(state, PartialState) and state.why_unknown(key)):
                    assert found == (False, None)
                else:
                    assert found == (True, entries_of(state).get(key))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_history_has_each_value_the_merge_and_the_reset(version: str) -> None:
    room = base_room(version)
    old = room.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    fork = Branches(room)
    with fork.side():
        ban = room.member(BOB, "ban", by=ALICE)
    with fork.side():
        new = room.add("m.room.topic", BOB, {"topic": "new"}, state_key="")
    merge = fork.merge()
    late = room.add("m.room.topic", BOB, {"topic": "late"}, state_key="", prev=[merge])
    history = told(room)
    assert (history.known_now, history.now, history.lost) == (True, old.event_id, (new.event_id,))
    first, second, merged, last = history.steps
    assert isinstance(first, Valued)
    assert (first.event_id, first.judged, first.before, first.why) == (
        old.event_id,
        Judged.ACCEPTED,
        None,
        "",
    )
    assert isinstance(second, Valued)
    # The ban arrived before it.
    assert (second.event_id, second.judged, second.before) == (
        new.event_id,
        Judged.SOFT_FAILED,
        old.event_id,
    )
    assert isinstance(merged, Merged)
    assert (merged.event_id, merged.value, merged.lost) == (merge.event_id, old.event_id, (new.event_id,))
    assert [(side.after, side.value) for side in merged.sides] == [
        (ban.event_id, old.event_id),
        (new.event_id, new.event_id),
    ]
    assert isinstance(last, Valued)
    assert (last.event_id, last.judged) == (late.event_id, Judged.REJECTED)
    assert last.why == "the sender is not joined"


def test_the_merge_of_the_newest_events_is_a_step() -> None:
    room = base_room("11")
    fork = Branches(room)
    ends = []
    for text in ("a", "b"):
        fork.branch()
        ends.append(room.add("m.room.topic", ALICE, {"topic": text}, state_key=""))
    history = told(room)
    last = history.steps[-1]
    assert isinstance(last, Merged)
    assert (last.event_id, last.value) == (None, history.now)
    assert sorted(side.value or "" for side in last.sides) == sorted(one.event_id for one in ends)


def test_a_value_of_a_given_state_is_told_once() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    one = room.add("m.room.message", ALICE, {}, prev=["$gone"])
    other = room.add("m.room.message", ALICE, {}, prev=["$gone", "$away"])
    state = {key: event.event_id for key, event in room.state.items()}
    found = checked(room.events.values(), "11")
    found.replay = replay_room(room.events.values(), given={one.event_id: state, other.event_id: dict(state)})
    steps = tell_history(found, TOPIC).steps
    assert [step for step in steps if isinstance(step, Given)] == [Given(one.event_id, topic.event_id)]


def test_the_keys_of_a_type_are_listed() -> None:
    room = base_room("11")
    found = checked(room.events.values(), "11")
    assert [(line.key[1], line.events) for line in list_keys(found, "m.room.member")] == sorted(
        (event.state_key, 1) for event in room.events.values() if event.type == "m.room.member"
    )
    assert list_keys(found, "m.room.message") == ()


@pytest.mark.parametrize("version", ["1", "11", "12"])
def test_the_accepted_values_of_a_history_are_those_of_the_replay(version: str) -> None:
    for seed in range(10):
        found = checked(played(Random(f"{version}/{seed}"), version, 40), version)
        for key in (TOPIC, ("m.room.power_levels", "")):
            history = tell_history(found, key)
            events = [one for one in found.replay.events.values() if (one.type, one.state_key) == key]
            steps = [step for step in history.steps if isinstance(step, Valued)]
            assert {step.event_id for step in steps} == {one.event_id for one in events}
            resets = [one.lost for one in found.replay.resets() if one.key == key]
            assert sorted(history.lost) == sorted(resets)
            for step in steps:
                refused = step.judged is Judged.REJECTED
                assert refused == (not found.replay.outcomes[step.event_id].accepted)
                assert (step.why == "") == (step.judged is Judged.ACCEPTED)
