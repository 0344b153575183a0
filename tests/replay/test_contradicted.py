"""States that are given before events whose prev events are known: they reverse nothing."""

from random import Random
from typing import Any

import pytest
from builder import ALICE, BOB, CAROL, VERSIONS
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import Part, drawn, forget, parts
from strategies import often

from roomver import replay_room
from roomver.errors import Lack
from roomver.replay import Replay, Status
from roomver.state import PartialState, Unknown, entries_of
from roomver.types import EventId, StateKey, StateMap

from .rooms import LEVELS, TOPIC, base_room, ids


def reverses_nothing(before: Replay, after: Replay) -> None:
    """What a replay has decided is the same in the other one, or unknown there."""
    for event_id, outcome in before.outcomes.items():
        other = after.outcomes[event_id]
        if outcome.status is not Status.UNDECIDED:
            assert other.status in (outcome.status, Status.UNDECIDED), event_id
        for state_at in ("state_before", "state_after"):
            keeps(getattr(before, state_at)(event_id), getattr(after, state_at)(event_id))


def keeps(one: StateMap[EventId] | None, other: StateMap[EventId] | None) -> None:
    """What is known in the first state is the same in the other one, or unknown there."""
    if one is None or other is None:
        return
    for key in {*entries_of(one), *entries_of(other)}:
        if not any(isinstance(state, PartialState) and state.why_unknown(key) for state in (one, other)):
            assert entries_of(one).get(key) == entries_of(other).get(key), key


def lying(rng: Random, part: Part) -> dict[EventId, StateMap[EventId]]:
    """Make up states before some events: of any events of the room."""
    by_key: dict[StateKey, list[EventId]] = {}
    for event in part.events:
        if event.state_key is not None:
            by_key.setdefault((event.type, event.state_key), []).append(event.event_id)
    made: dict[EventId, StateMap[EventId]] = {}
    for event in rng.sample(part.events, rng.randrange(1, min(6, len(part.events)))):
        state = {key: rng.choice(ids) for key, ids in by_key.items() if rng.randrange(6)}
        made[event.event_id] = forget(rng, state)
    return made


@often
@given(st.sampled_from(VERSIONS), st.integers(0, 2**32))
def test_a_given_state_reverses_nothing_that_the_events_decide(version: str, seed: int) -> None:
    lied_to(version, seed)


def test_the_made_up_states_contradict_the_rooms() -> None:
    """Otherwise, the property proves nothing."""
    found = [lied_to(VERSIONS[seed % 12], seed) for seed in range(36)]
    assert sum(len(one.contradicted) for one in found) > 36
    kept = [outcome.status for one in found for outcome in one.outcomes.values()]
    assert len(kept) / 20 < kept.count(Status.UNDECIDED) < 2 * len(kept) / 3


def lied_to(version: str, seed: int) -> Replay:
    rng, events, whole, gone = drawn(seed, version)
    part = rng.choice(parts(rng, events, whole, gone))
    honest = Part(part.events, {}, part.accepted)
    lies = lying(rng, part)
    found = replay_room(part.events, given=lies, accepted=part.accepted)
    reverses_nothing(honest.replay(), found)
    # Beside states that are given after gaps.
    bridging = {e: s for e, s in part.given.items() if e not in lies}
    before = replay_room(part.events, given=bridging, accepted=part.accepted)
    reverses_nothing(before, replay_room(part.events, given={**lies, **bridging}, accepted=part.accepted))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_given_state_does_not_let_a_banned_user_in(version: str) -> None:
    room = base_room(version)
    joined = ids(room.state)
    room.member(BOB, "ban", by=ALICE)
    room.state["m.room.member", BOB] = room.events[joined["m.room.member", BOB]]
    topic = room.add("m.room.topic", BOB, {"topic": "b"}, state_key="")
    events = [*room.events.values()]
    assert replay_room(events).outcomes[topic.event_id].status is Status.REJECTED_BY_STATE
    found = replay_room(events, given={topic.event_id: joined})
    outcome = found.outcomes[topic.event_id]
    assert (outcome.status, outcome.unknown) == (Status.UNDECIDED, (("m.room.member", BOB),))
    assert "contradict each other" in outcome.why_unknown
    assert found.contradicted == {topic.event_id: (("m.room.member", BOB),)}


def test_a_given_state_that_agrees_changes_nothing() -> None:
    room = base_room("11")
    last = room.add("m.room.message", BOB, {})
    state = ids(room.state)
    some = {key: e for key, e in state.items() if key != LEVELS}
    for held in (state, PartialState(some, [Unknown.everything("x")])):
        found = replay_room(room.events.values(), given={last.event_id: held})
        assert found.contradicted == {}
        assert found.state_before(last.event_id) == state
        assert found.states_met(last.event_id).keys() == {*last.prev_event_ids}
    # Only members may be missing there, so it says that there are no power levels.
    found = replay_room(room.events.values(), given={last.event_id: PartialState(some, [Unknown.members()])})
    assert found.contradicted == {last.event_id: (LEVELS,)}


def test_an_event_that_a_server_accepted_and_a_given_state_refuses_is_undecided() -> None:
    room = base_room("11")
    state = ids(room.state)
    topic = room.add("m.room.topic", BOB, {"topic": "x"}, state_key="", prev=["$gone"])
    last = room.add("m.room.message", ALICE, {}, prev=["$more"])
    events = [*room.events.values()]
    accepted: dict[EventId | None, set[EventId]] = {last.event_id: {topic.event_id}}
    vouched = replay_room(events, accepted=accepted)
    assert vouched.outcomes[topic.event_id].status is Status.ACCEPTED
    without = {key: e for key, e in state.items() if key != ("m.room.member", BOB)}
    refused = replay_room(events, given={topic.event_id: without})
    assert refused.outcomes[topic.event_id].status is Status.REJECTED_BY_STATE
    both = replay_room(events, given={topic.event_id: without}, accepted=accepted)
    outcome = both.outcomes[topic.event_id]
    assert (outcome.status, outcome.lack) == (Status.UNDECIDED, Lack.AGREEMENT)
    assert outcome.why_unknown.startswith("a server has accepted the event, but a given state refuses it: ")


def test_a_given_state_tells_what_the_prev_events_leave_unknown() -> None:
    room = base_room("11")
    topic = room.add("m.room.topic", ALICE, {"topic": "x"}, state_key="")
    room.state["m.room.member", CAROL] = room.make_member(CAROL, "leave")  # it is missing
    undecided = room.add("m.room.topic", CAROL, {"topic": "y"}, state_key="")
    room.state[TOPIC] = topic
    last = room.add("m.room.message", ALICE, {})
    room.state["m.room.member", CAROL] = next(
        e for e in room.events.values() if (e.type, e.state_key) == ("m.room.member", CAROL)
    )
    events = [*room.events.values()]
    alone = replay_room(events)
    assert alone.outcomes[undecided.event_id].status is Status.UNDECIDED
    before = alone.state_before(last.event_id)
    assert isinstance(before, PartialState)
    state = ids(room.state)
    found = replay_room(events, given={last.event_id: state})
    assert found.state_before(last.event_id) == state
    assert found.contradicted == {}


def test_a_given_state_that_differs_in_many_entries_tells_nothing() -> None:
    room = base_room("11")
    for number in range(1_001):
        room.add("x.thing", ALICE, {}, state_key=str(number))
    last = room.add("m.room.message", BOB, {})
    empty: dict[Any, Any] = {}
    found = replay_room(room.events.values(), given={last.event_id: empty})
    before = found.state_before(last.event_id)
    assert isinstance(before, PartialState)
    assert entries_of(before) == {}
    assert before.why_unknown(("m.room.create", "")) is not None
    assert len(found.contradicted[last.event_id]) == 10
    assert found.state_after(last.event_id) == before
