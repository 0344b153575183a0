"""States that are trivial to resolve, and the options of `resolve`."""

from random import Random
from typing import Any

import pytest
from builder import versions_from
from random_forks import likely_fork

from roomver import redact, resolve, resolve_steps
from roomver.resolution import Resolution, RoomState
from roomver.versions import StateResolution

from .labelled import ALICE, BOB, CAROL, LATER, Room

# Trivial states


class _Untouched:
    """An object of which no attribute may be read."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was read")


@pytest.mark.parametrize("version", versions_from(1))
def test_one_state_or_equal_states_resolve_to_that_state(version: str) -> None:
    room = Room(version)
    state = room.state("C MA")
    for states in ([state], [state, state], [state, dict(state), dict(reversed(state.items()))]):
        # Neither the events nor the graph is read.
        resolution = resolve(states, _Untouched(), graph=_Untouched(), trace=True)  # type: ignore[arg-type]
        assert resolution.state == state
        assert resolution.state is not state
        assert resolution.steps is not None
        assert resolution.steps.unconflicted == state
        assert resolution.why(("m.room.create", "")).reason == "unconflicted: every state has this event"
        assert resolution.why(("x", "")).reason == "no state has this key"
    resolution = resolve([state], {}, algorithm=StateResolution.V1, trace=True)
    assert resolution.why(("m.room.create", "")).reason == "unconflicted: no state has a different event"


def test_no_states_and_empty_states_resolve_to_the_empty_state() -> None:
    assert resolve([], {}).state == {}
    assert resolve([{}], {}).state == {}
    assert resolve([{}, {}], {}).state == {}
    traced = resolve([], {}, trace=True)
    assert traced.steps is not None
    assert traced.steps.checks == []


@pytest.mark.parametrize("version", LATER)
def test_a_state_and_an_empty_one_resolve_to_that_state(version: str) -> None:
    room = Room(version)
    room.rule("JR", "public", 4)
    resolution = resolve([room.state("C MA JR"), {}], room.events)
    assert room.of(resolution) == {"C", "MA", "JR"}


# Rejected events


@pytest.mark.parametrize("version", LATER)
def test_a_rejected_event_in_a_state_is_checked_again_or_skipped(version: str) -> None:
    room = Room(version)
    room.levels("P1", 3)
    room.topic("T1", 5, "P1")
    room.topic("T2", 6, "P1")
    states = ("C MA P1 T1", "C MA P1 T2")
    rejected = {room.id("T2")}
    assert room.of(room.resolve(*states, rejected=rejected)) == {"C", "MA", "P1", "T2"}
    resolution = room.resolve(*states, rejected=rejected, skip_rejected=True)
    assert room.of(resolution) == {"C", "MA", "P1", "T1"}
    outcomes = {room.labels[c.event_id]: c.outcome for c in resolution.why(("m.room.topic", "")).candidates}
    assert outcomes == {"T1": "won", "T2": "not tried"}


def test_a_rejected_event_that_every_state_has_counts_unless_skipped() -> None:
    room = Room("11")
    room.levels("P1", 3, b=50)
    room.rule("JR", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR")
    room.member("BB", BOB, "ban", 6, "P1", "JR", sender=ALICE)
    room.topic("T1", 7, "P1", "MB", sender=BOB)
    states = ("C MA P1 JR BB T1", "C MA P1 JR BB")
    rejected = {room.id("BB")}
    unconflicted = {"C", "MA", "P1", "JR", "BB"}
    assert room.of(room.resolve(*states, rejected=rejected)) == unconflicted
    assert room.of(room.resolve(*states, rejected=rejected, skip_rejected=True)) == {*unconflicted, "T1"}


@pytest.mark.parametrize("version", ["1", "2", "11", "12"])
def test_the_trace_says_that_a_skipped_event_was_not_tried(version: str) -> None:
    room = Room(version)
    room.topic("T1", 5)
    room.topic("T2", 6)
    states = [room.state("C MA T1"), room.state("C MA T2")]
    rejected = {room.id("T2")}
    tried = resolve(states, room.events, rejected=rejected, trace=True)
    assert room.of(tried) == {"C", "MA", "T2"}
    left_out = resolve(states, room.events, rejected=rejected, skip_rejected=True, trace=True)
    assert room.of(left_out) == {"C", "MA", "T1"}
    why = left_out.why(("m.room.topic", ""))
    assert {c.event_id: c.outcome for c in why.candidates} == {
        room.id("T1"): "won",
        room.id("T2"): "not tried",
    }


# Another algorithm, and the generator


def test_the_algorithm_can_be_chosen() -> None:
    room = Room("11")
    room.levels("P1", 3)
    room.levels("P2", 4, "P1")
    room.topic("Ta", 100, "P1")
    room.topic("Tb", 50, "P2")
    states = ("C MA P2 Ta", "C MA P2 Tb")
    assert room.of(room.resolve(*states)) == {"C", "MA", "P2", "Tb"}
    assert room.of(room.resolve(*states, algorithm=StateResolution.V2_1)) == {"C", "MA", "P2", "Ta"}
    resolution = room.resolve(*states, algorithm=StateResolution.V1)
    assert resolution.steps is not None
    assert resolution.steps.algorithm is StateResolution.V1


@pytest.mark.parametrize("version", ["1", "11", "12"])
def test_an_algorithm_can_be_given_by_its_value_and_by_no_other_text(version: str) -> None:
    fork = likely_fork(Random("3"), version)
    for algorithm in StateResolution:
        by_value = resolve(fork.state_sets, fork.events, algorithm=algorithm.value, trace=True)
        assert by_value == resolve(fork.state_sets, fork.events, algorithm=algorithm, trace=True)
        assert by_value.steps is not None
        assert by_value.steps.algorithm is algorithm
    for wrong in ("v9", "", 5):
        with pytest.raises(ValueError, match="is not a valid StateResolution"):
            resolve(fork.state_sets, fork.events, algorithm=wrong)  # type: ignore[arg-type]


def test_a_generator_that_needs_nothing_ends_at_once() -> None:
    with pytest.raises(StopIteration) as done:
        next(resolve_steps([]))
    assert done.value.value == Resolution(RoomState())


@pytest.mark.parametrize("version", versions_from(2, 10))
def test_an_event_that_was_redacted_since_can_change_the_result_under_the_same_ids(version: str) -> None:
    # A cache of resolutions by event IDs would give the first result twice. See benchmarks/README.md.
    room = Room(version)
    levels = {"users": {ALICE: 100}, "invite": 50}
    room.put("P1", "m.room.power_levels", 3, content=levels)
    room.rule("JR", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR")
    room.member("IC", CAROL, "invite", 6, "P1", "JR", "MB", sender=BOB)
    states = "C MA P1 JR MB IC", "C MA P1 JR MB"
    assert room.of(room.resolve(*states)) == {"C", "MA", "P1", "JR", "MB"}
    redacted = redact({"type": "m.room.power_levels", "content": levels}, version)
    assert redacted["content"] == {"users": {ALICE: 100}}
    room.put("P1", "m.room.power_levels", 3, content=redacted["content"])
    assert room.of(room.resolve(*states)) == {"C", "MA", "P1", "JR", "MB", "IC"}
