"""What `tests.embedding.synapse` concludes from what it runs. Synapse itself is not needed here."""

from typing import Any

import pytest
from embedding.synapse import timing
from embedding.synapse.__main__ import compare
from embedding.synapse.expected import EXPECTED

import roomver
from benchmarks import shapes
from roomver.auth import check_auth

KNOWN = next(iter(EXPECTED))


def trial(calls: int = 1, **results: str) -> dict[str, Any]:
    """What trial.py writes."""
    found = {name.replace("_dot_", "."): (result, "an error") for name, result in results.items()}
    return {"results": found, "calls": {"redact": calls} if calls else {}, "seconds": 1.0}


def test_a_failure_counts_unless_it_is_expected_or_also_fails_without_roomver() -> None:
    assert compare(trial(one="success", two="skip"), None) == []
    assert compare(trial(one="failure"), None) == ["one fails: an error"]
    assert compare(trial(one="error"), trial(one="success")) == ["one fails: an error"]
    assert compare(trial(one="error"), trial(one="failure")) == []
    expected = trial(one="success")
    expected["results"][KNOWN] = ("failure", "other words")
    assert compare(expected, None) == []


def test_a_test_that_is_expected_to_fail_and_passes_counts() -> None:
    found = trial()
    found["results"][KNOWN] = ("success", "")
    assert compare(found, None) == [f"{KNOWN} passes, and is expected to fail"]


def test_a_run_that_shows_nothing_counts() -> None:
    assert compare(trial(), None) == ["no test ran"]
    assert compare(trial(0, one="success"), None) == ["roomver was never called"]
    assert compare(trial(one="success"), trial(one="success", two="success")) == [
        "not the same tests ran: ['two']"
    ]


@pytest.mark.parametrize("version", timing.VERSIONS)
@pytest.mark.parametrize("name", timing.SCALES)
def test_a_room_to_time_is_whole_and_in_conflict(name: str, version: str) -> None:
    room, size = timing.describe_room(shapes.SHAPES[name](version, 0.005))
    events = {e.event_id: e for e in (roomver.parse_event(pdu, version) for pdu in room["events"])}
    assert len(events) == size.events
    assert size.conflicts > 0
    assert size.states == len(room["states"])
    for state in room["states"]:
        for kind, state_key, event_id in state:
            assert (events[event_id].type, events[event_id].state_key) == (kind, state_key)
    # The messages at the ends of the branches are events that the rules allow.
    message = roomver.parse_event({**room["message"], "depth": 1}, version)
    first = {(kind, key): events[event_id] for kind, key, event_id in room["states"][0]}
    assert check_auth(message, first, events).allowed


def test_a_ratio_is_how_many_times_as_long_synapse_takes_alone() -> None:
    rounds = [{"caches": "warm", "seconds": {"synapse": 3.0, "roomver": one}} for one in (1.0, 1.5, 2.0)]
    (row,) = timing._rows("| `busy` | 10 | 5", rounds)
    assert row == "| `busy` | 10 | 5 | warm | 3.000 s | 1.500 s | 2.00 [1.75, 2.50] |"
