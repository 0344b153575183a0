"""The reasons of a resolution."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_forks import Fork

from roomver import resolve, rules
from roomver.resolution import NotTraced

from .forks import forks, resolve_fork
from .labelled import BOB, CAROL, Room


def test_reasons_are_kept_only_with_a_trace() -> None:
    resolution = resolve([{}], {})
    assert resolution.steps is None
    with pytest.raises(NotTraced) as caught:
        resolution.why(("m.room.topic", ""))
    assert str(caught.value) == "the resolution was not traced: run it with trace=True"


def test_the_reasons_say_which_events_were_tried_refused_and_overwritten() -> None:
    room = Room("11")
    room.levels("P1", 3)
    room.topic("T1", 5, "P1")
    room.topic("T2", 6, "P1")
    room.topic("T3", 7, "P1", sender="@nobody:x")
    resolution = room.resolve("C MA P1 T1", "C MA P1 T2", "C MA P1 T3", "C MA P1 T3")
    why = resolution.why(("m.room.topic", ""))
    assert why.event_id == room.id("T2")
    assert why.reason == "conflicted: of the events that were allowed, the one tried last stays"
    first, second, third = why.candidates
    assert (first.event_id, first.states, first.outcome, first.by) == (
        room.id("T1"),
        (0,),
        "overwritten",
        room.id("T2"),
    )
    assert (second.event_id, second.states, second.outcome, second.by) == (room.id("T2"), (1,), "won", None)
    assert (third.event_id, third.states, third.outcome) == (room.id("T3"), (2, 3), "refused")
    assert third.check is not None
    assert third.check.verdict is not None
    assert third.check.verdict.rule == rules.SENDER_NOT_JOINED
    lines = str(why).split("\n")
    assert lines[0] == f"m.room.topic '': {room.id('T2')}"
    assert lines[1] == f"  {why.reason}"
    prefix = f"  1. {room.id('T1')} in state 1: overwritten by {room.id('T2')} (tried in phase mainline) - "
    assert lines[2] == prefix + str(first.check.verdict if first.check else None)
    assert lines[4].startswith(f"  3. {room.id('T3')} in states 3, 4: refused (tried in phase mainline) - ")
    listed = why.to_dict()
    assert listed["event_id"] == room.id("T2")
    assert listed["candidates"] == [
        {
            "event_id": candidate.event_id,
            "states": list(candidate.states),
            "outcome": candidate.outcome,
            "by": candidate.by,
            "phase": "mainline",
            "verdict": verdict.to_dict(),
        }
        for candidate in why.candidates
        if candidate.check is not None and (verdict := candidate.check.verdict) is not None
    ]


def test_reasons_for_a_key_that_no_state_has() -> None:
    room = Room("11")
    room.levels("P1", 3, b=50, c=50)
    room.rule("JR", "public", 4, "P1")
    room.member("MB", BOB, "join", 5, "P1", "JR")
    room.member("MC", CAROL, "join", 5, "P1")  # with this join's auth events alone, nobody may join
    room.topic("T1", 7, "P1", "MB", sender=BOB)
    room.put("N1", "m.room.name", 8, "P1", "MC", sender=CAROL)
    # A state without the member events that its events cite.
    resolution = room.resolve("C MA P1 T1 N1", "C MA P1")
    came = resolution.why(("m.room.member", BOB))
    assert came.event_id == room.id("MB")
    assert came.reason == "no state has this key, but an event from the auth chains was tried and allowed"
    # A member event that is refused does not enter the state.
    room.rule("JR2", "invite", 4, "P1")
    room.member("MD", "@dave:x", "join", 6, "P1")
    room.put("N2", "m.room.name", 9, "P1", "MD", sender="@dave:x")
    kept_out = room.resolve("C MA P1 JR2 N2", "C MA P1 JR2").why(("m.room.member", "@dave:x"))
    assert kept_out.event_id is None
    assert kept_out.reason == "no state has this key, and every event tried was refused"


@given(forks, st.booleans())
def test_why_names_every_candidate_in_the_order_in_which_it_was_tried(fork: Fork, skip: bool) -> None:
    resolution = resolve_fork(fork, trace=True, skip_rejected=skip)
    steps = resolution.steps
    assert steps is not None
    keys = {*steps.conflicted, *steps.unconflicted, *(c.key for c in steps.checks), ("x", "y")}
    for key in keys:
        why = resolution.why(key)
        assert why.key == key
        assert why.event_id == resolution.state.get(key)
        tried = [check.event_id for check in steps.checks if check.key == key]
        assert [c.event_id for c in why.candidates if c.check is not None] == tried
        conflicted = set(steps.conflicted.get(key, {}))
        assert conflicted <= {c.event_id for c in why.candidates}
        for candidate in why.candidates:
            for index in range(len(fork.state_sets)):
                in_state = fork.state_sets[index].get(key) == candidate.event_id
                assert (index in candidate.states) == in_state
            assert candidate.outcome in ("won", "refused", "overwritten", "restored", "not tried")
            if candidate.check is None:
                assert candidate.outcome == "not tried" or candidate.event_id == why.event_id
            else:
                assert candidate.outcome != "not tried"
            if candidate.outcome == "won":
                assert candidate.event_id == why.event_id
            if candidate.outcome == "restored":
                assert candidate.by == why.event_id
            if candidate.check is not None and candidate.outcome == "refused":
                assert candidate.check.verdict is not None
                assert not candidate.check.verdict.allowed
        mine = [c.outcome for c in why.candidates if c.event_id == why.event_id]
        if mine and key in {*steps.conflicted, *steps.unconflicted}:
            # In version 1 the last event wins even if none is allowed.
            assert mine[-1] == "won"
        if key in steps.conflicted and why.event_id is not None:
            assert [c.outcome for c in why.candidates].count("won") == 1
        assert str(why).count("\n") == 1 + len(why.candidates)
        assert json.loads(json.dumps(why.to_dict()))["event_id"] == why.event_id
