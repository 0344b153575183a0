"""The sentences of the explaining commands agree in number: one event is, two events are."""

import re
from random import Random

import pytest
from builder import ALICE, BOB, VERSIONS, Room
from command_line import Write, case, entries, header, public_room, run
from played_rooms import played
from replay.rooms import banned_beside_a_topic, base_room

NOUNS = (
    "event entry key server change merge reset signature fork room user member try case other state"
    " extremity conflict row reason level message moment file source"
)
_SINGULAR = NOUNS.split()
_PLURAL = [re.sub("([^aeo])y$", r"\1ie", noun) + "s" for noun in _SINGULAR]
_BETWEEN = r"(?:(?:more|other|older|newer|rejected|current|state|forward|usable|server) )*"
_TOO_MANY = re.compile(rf"(?<![\w.,:$/-])1 {_BETWEEN}(?:{'|'.join(_PLURAL)})\b")
_TOO_FEW = re.compile(rf"(?<![\w.,:$/-])(?:0|[2-9]|[1-9][\d,]+) {_BETWEEN}(?:{'|'.join(_SINGULAR)})\b(?! of)")
_VERBS = re.compile(
    rf"(?<![\w.,:$/-])1 {_BETWEEN}(?:{'|'.join(_SINGULAR)}) (?:are|were|have|differ|wait|lack|verify)\b"
    rf"|\d {_BETWEEN}(?:{'|'.join(_PLURAL)}) (?:is|was|has|differs|waits|lacks|verifies)\b"
    r"|\b(?:levels|aliases|events)(?: \(\$[^()]*\))? (?:is|was|has|lacks|cites)\b"
    r"|\bwere (?:rejected|accepted|soft-failed)[^.;]*\bit(?:s|self)?\b"
)


def assert_agrees(text: str) -> None:
    flat = " ".join(text.split())
    for pattern in (_TOO_MANY, _TOO_FEW, _VERBS):
        found = pattern.search(flat)
        assert found is None, flat[max(0, found.start() - 60) : found.end() + 60]


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("all 1 events verify", _TOO_MANY),
        ("and 1 more keys", _TOO_MANY),
        ("2 other merge undid it", _TOO_FEW),
        ("a state of which 1 entry are known", _VERBS),
        ("@a:b's power levels ($x, 2025-10-09 08:53:25) was rejected", _VERBS),
        ("$x were rejected because it cites $y", _VERBS),
    ],
)
def test_the_patterns_find_the_faults(text: str, pattern: "re.Pattern[str]") -> None:
    assert pattern.search(text)


def outputs(room: str, *options: str, events: list[str], other: str = "") -> list[str]:
    """Run every explaining command on a room."""
    calls = [
        *(["explain", room, one] for one in events),
        *(["history", room, kind] for kind in ("m.room.member", "m.room.power_levels", "m.room.topic")),
        *(["may", room, who, *what] for who in (ALICE, BOB) for what in (["join"], ["send", "m.room.topic"])),
        *([command, room] for command in ("resets", "repair", "graph")),
        *([["compare", room, other], ["compare", other, room]] if other else []),
    ]
    if "--unsigned" not in options:
        calls.append(["keys", room])
    found = []
    for call in calls:
        result = run(*call, *options)
        found.append(result.stdout + result.stderr)
    return found


def one_reset(version: str = "11") -> Room:
    built = base_room(version)
    built.add("m.room.topic", ALICE, {"topic": "old"}, state_key="")
    banned_beside_a_topic(built)
    return built


@pytest.mark.parametrize("last", [1, 2, 3, 5])
def test_small_rooms_are_told_in_the_right_number(last: int, write: Write) -> None:
    built = public_room()
    lines = entries(built)
    room, other = write("a.jsonl", [header(), *lines[:last]]), write("b.jsonl", [header(), *lines])
    for text in outputs(room, events=[*built.events][:last], other=other):
        assert_agrees(text)
    for text in outputs(write("c.jsonl", [header(keys={}), *lines[:last]]), events=[]):
        assert_agrees(text)


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_one_reset_and_its_gaps_are_told_in_the_right_number(left_out: int, write: Write) -> None:
    built = one_reset()
    lines = entries(built)
    whole = write("whole.jsonl", [header(), *lines])
    room = write("room.jsonl", [header(), *lines[: 5 - left_out], *lines[5:]])
    for text in outputs(room, "--unsigned", events=[*built.events], other=whole):
        assert_agrees(text)


@pytest.mark.parametrize("version", VERSIONS)
def test_random_rooms_are_told_in_the_right_number(version: str, write: Write) -> None:
    for seed in range(2):
        events = played(Random(f"{version}/{seed}"), version, 30, odd=True)
        lines = [{"event_id": one.event_id, "pdu": one.pdu} for one in events]
        whole = write("whole.jsonl", [header(version), *lines])
        room = write("room.jsonl", [header(version), *lines[:9], *lines[10:]])
        told = outputs(room, "--unsigned", events=[one.event_id for one in events[6::3]], other=whole)
        for text in told:
            assert_agrees(text)


def test_rejected_power_levels_are_one_event() -> None:
    room = case("l_10715_recording.jsonl")
    for call in (["explain", room, "$bk9IUr5q"], ["repair", room]):
        text = " ".join(run(*call, "--unsigned").stdout.split())
        assert_agrees(text)
        assert " was rejected by its own auth events: its users do not map" in text
    text = " ".join(run("explain", room, "$bk9IUr5q", "--unsigned").stdout.split())
    assert text.startswith(
        "@ann:one.example's power levels event ($bk9IUr5q, 2025-10-09 08:53:25Z) was rejected"
    )
