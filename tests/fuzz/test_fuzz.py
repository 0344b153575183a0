"""A short run of each target with a fixed seed, and tests that the fuzzer itself finds, times and shrinks."""

import itertools
import json
from time import monotonic, sleep
from typing import Any

import pytest

from .corpus import small
from .promises import Invalid, Target
from .runner import draw_case, failure_of, run_cases
from .shrink import shrink
from .specs import expand, grows, scaled, size_of
from .targets import TARGETS

_CASES = {"text": 200, "pdus": 80, "rules": 200, "rooms": 40, "stores": 80, "files": 80, "commands": 80}


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks(name: str) -> None:
    told: list[str] = []
    numbers = iter(range(_CASES[name]))
    done = run_cases(
        [TARGETS[name]], "tests", numbers, until=monotonic() + 600, say=told.append, shrink_seconds=0
    )
    assert "\n".join(told) == ""
    assert done.cases[name] == _CASES[name]


# Rooms in part that the fuzzer found, in which more knowledge once contradicted less. In their order: a
# soft-failed event follows a missing one; an outlier is cited by one given state and held by a later one; a
# given state has an event of another branch; an undecided event came before the one at which the server
# seemed to enter the room; an event after a gap cites one of another branch, after the same gap; a server has
# accepted an event that the rules refuse, and a given state has it; twice, a server whose decisions are
# followed accepted such an event, so that its states are no less true for it.
_FOUND = [
    """{"version": "10", "seed": 889366, "length": 7, "odd": true, "gone": [0, 9, 0, 0, 0, 10],
    "restrictions": [], "unheard": false, "given": 0, "soft_failure": true, "shuffled": true,
    "rejected": [0], "soft_failed": [11]}""",
    """{"version": "2", "seed": 187007, "length": 34, "odd": true, "gone": [30, 15, 20, 8, 10, 25, 8, 16],
    "restrictions": [], "unheard": false, "given": 199175, "soft_failure": true, "shuffled": true,
    "algorithm": "v1", "rejected": [], "soft_failed": []}""",
    """{"version": "3", "seed": 639593, "length": 33, "odd": true, "gone": [], "restrictions": [26],
    "unheard": false, "given": 0, "soft_failure": true, "rejected": [], "soft_failed": []}""",
    """{"version": "3", "seed": 724006, "length": 7, "odd": true, "gone": [], "restrictions": [0],
    "unheard": false, "given": 800489, "soft_failure": true, "rejected": [], "soft_failed": []}""",
    """{"version": "4", "seed": 863358, "length": 8, "odd": true, "gone": [12, 2], "restrictions": [],
    "unheard": false, "given": 0, "soft_failure": false, "shuffled": true, "rejected": [],
    "soft_failed": []}""",
    """{"version": "9", "seed": 264372, "length": 23, "odd": true, "gone": [24, 3], "restrictions": [],
    "unheard": false, "given": 75348, "soft_failure": true, "shuffled": true, "rejected": [],
    "soft_failed": []}""",
    """{"version": "5", "seed": 824158, "length": 14, "odd": true, "gone": [4, 15], "restrictions": [],
    "unheard": false, "given": 522561, "soft_failure": false, "shuffled": false, "rejected": [],
    "soft_failed": []}""",
    """{"version": "9", "seed": 715598, "length": 30, "odd": false, "gone": [33], "restrictions": [23],
    "unheard": false, "given": 474802, "soft_failure": true, "shuffled": false, "rejected": [34],
    "soft_failed": []}""",
]


@pytest.mark.parametrize("case", _FOUND)
def test_a_room_in_part_that_was_found_stays_mended(case: str) -> None:
    assert failure_of(TARGETS["rooms"], json.loads(case)) is None


@pytest.mark.parametrize("name", TARGETS)
def test_cases_are_drawn_from_the_seed_alone(name: str) -> None:
    drawn = [json.dumps(draw_case(TARGETS[name], "s", number)) for number in range(5)]
    assert drawn == [json.dumps(draw_case(TARGETS[name], "s", number)) for number in range(5)]
    assert len(set(drawn)) == 5
    assert draw_case(TARGETS[name], "other", 0) != json.loads(drawn[0])


@pytest.mark.parametrize(
    "arguments",
    [["check", "--", "--json", "R"], ["state", "R", "--type", "--json"], ["check", "--json", "R"]],
)
def test_a_value_that_looks_like_an_option_is_not_one(arguments: list[str]) -> None:
    room = {"$json": [pdu for _, pdu in small("11")]}
    assert failure_of(TARGETS["commands"], {"arguments": arguments, "files": {"R": room}}) is None


@pytest.mark.parametrize("name", [chr(0xD800), chr(0xDCFF), "a\0"])
@pytest.mark.parametrize("command", [["check"], ["vectors", "coverage"], ["report", "-o", "-"]])
def test_an_argument_is_one_that_a_program_can_be_called_with(command: list[str], name: str) -> None:
    assert failure_of(TARGETS["commands"], {"arguments": [*command, name], "files": {}}) is None


@pytest.mark.parametrize(
    "changed", [{"lies": [["", ""]]}, {"lies": [[1, []]]}, {"algorithm": ""}, {"algorithm": []}]
)
def test_a_malformed_case_of_a_store_is_not_a_failure(changed: Any) -> None:
    case = draw_case(TARGETS["stores"], "tests", 0)
    assert failure_of(TARGETS["stores"], case) is None
    assert failure_of(TARGETS["stores"], {**case, **changed}) is None


def test_a_spec_stands_for_a_value() -> None:
    spec = {
        "a": {"$join": [{"$bytes": "\xff"}, {"$repeat": [2, {"$bytes": "b"}]}]},
        "b": {"$nest": [2, None, {"$nest": [1, "k", {"$int": "-ff"}]}]},
        "c": [{"$repeat": [2, [1]]}, {"$keys": [2, "x"]}, {"$repeat": [3, "y"]}],
        "d": {"$json": {"$repeat": [2, "z"]}},
        "$e": 1,
    }
    assert expand(spec) == {
        "a": b"\xffbb",
        "b": [[{"k": -255}]],
        "c": [[[1], [1]], {"0": "x", "1": "x"}, "yyy"],
        "d": b'"zz"',
        "$e": 1,
    }
    assert grows(spec)
    assert not grows(spec["b"])
    assert expand(scaled(spec["c"], 2))[2] == "yyyyyy"
    assert size_of({"$repeat": [1000, "yy"]}) == 3000


def broken(value: Any) -> None:
    """Break if a list holds 7 somewhere."""
    if type(value) is not list:
        raise Invalid("list")
    for item in value:
        if item == 7:
            raise RuntimeError("seven")


def target(run: Any) -> Target:
    return Target("broken", lambda rng: [rng.randrange(10) for _ in range(30)], run)


def test_a_failure_is_reported_shrunk_with_what_repeats_it() -> None:
    told: list[str] = []
    done = run_cases([target(broken)], "s", itertools.count(), until=monotonic() + 0.3, say=told.append)
    text = "\n".join(told)
    assert "FAILED broken: RuntimeError in test_fuzz.py:broken" in text
    assert "--only broken --seed s --case 0" in text
    assert "--only broken --replay '[7]'" in text
    assert "seven" in text
    (times,) = done.failures.values()
    assert times > 1
    assert len([line for line in told if "FAILED" in line]) == 1


def test_shrinking_keeps_the_kind_of_failure() -> None:
    def run(value: Any) -> None:
        if type(value) is not dict or "a" not in value:
            raise KeyError("a")
        if len(value["a"]) > 3:
            raise ValueError("long")

    spec = {"b": 1, "a": {"$repeat": [500, "x"]}, "c": [1, 2]}
    failure = failure_of(target(run), spec)
    assert failure is not None

    def alike(candidate: Any) -> bool:
        again = failure_of(target(run), candidate)
        return again is not None and again.where == failure.where

    assert shrink(spec, alike) == {"a": {"$repeat": [4, "x"]}}


@pytest.mark.parametrize(("power", "fails"), [(1, False), (2, True)])
def test_work_that_grows_faster_than_the_input_is_a_failure(
    power: int, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock that counts the work: what a busy machine takes for it says nothing.
    worked = 0.0
    monkeypatch.setattr(f"{run_cases.__module__}.process_time", lambda: worked)

    def run(value: Any) -> None:
        nonlocal worked
        worked += len(value) ** power * (1 if power == 2 else 1500) / 1_000_000

    failure = failure_of(target(run), {"$repeat": [1500, "x"]})
    assert (failure is not None) == fails
    if failure is not None:
        assert "in proportion" in failure.where


def test_a_case_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{run_cases.__module__}._SECONDS", 0.1)

    def run(value: Any) -> None:
        while value:
            pass

    failure = failure_of(target(run), [1])
    assert failure is not None
    assert failure.where == "_TooSlow"
    assert failure_of(target(lambda value: sleep(0.3)), [1]) is None  # only its own work counts
