"""The smallest room in which something is still so, and test vectors of what happened in a room."""

import json
import lzma
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from builder import ALICE, BOB, Room
from command_line import CASES, Write, entries, header, run, write_into
from hypothesis import given
from hypothesis import strategies as st
from played_rooms import played

from roomver import parse_event
from roomver.errors import RoomverError
from roomver.event import Event
from roomver.explain.cutting import Cut, Cutter, signed_anew
from roomver.explain.shrinking import (
    AlgorithmsDiffer,
    BadPredicate,
    Predicate,
    ResetHappens,
    SourcesDiffer,
    VerdictIs,
    shrink,
)
from roomver.replay import replay_room
from roomver.signatures import verify_signatures
from roomver.suite.capture import NotCaptured, anonymised, capture_auth, capture_resolution
from roomver.suite.operations import run_operation
from roomver.versions import StateResolution

RESET = CASES / "m_16629_reset.jsonl"
ROOMS = Path(__file__).parents[1] / "vectors" / "rooms"
DATABASE = Path(__file__).parent / "data" / "homeserver.db.xz"
VERSIONS = ["1", "2", "3", "6", "10", "11", "12"]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return write_into(tmp_path)


def holds(predicate: Predicate, cut: Cut) -> bool:
    try:
        return predicate.holds(cut)
    except RoomverError:
        return False


@given(st.integers(0, 10**9), st.sampled_from(VERSIONS), st.data())
def test_what_is_left_cites_only_itself_or_what_the_room_lacked(
    seed: int, version: str, data: st.DataObject
) -> None:
    events = played(Random(seed), version, 15)
    gone = set(data.draw(st.lists(st.sampled_from([one.event_id for one in events]))))
    cutter = Cutter(events)
    cut = cutter.without(gone)
    here = {event.event_id for event in cut.events}
    assert here == {*cut.names.values()}
    assert cut.names.keys() == cutter.events.keys() - (gone - cutter.kept)
    for event in cut.events:
        assert {*event.prev_event_ids, *event.auth_event_ids} <= here
        assert event.type == "m.room.create" or event.prev_event_ids
    # Whatever is left follows the same events as before, cut ones aside.
    old = {new: old for old, new in cut.names.items()}
    for event in cut.events:
        after = {old[one] for one in Cutter(cut.events).ancestors([event.event_id])}
        assert after <= cutter.ancestors([old[event.event_id]])


def test_cutting_nothing_changes_nothing() -> None:
    events = played(Random(1), "11", 20)
    cut = Cutter(events).without(())
    assert [*cut.events] == events
    assert all(one is other for one, other in zip(cut.events, events, strict=True))


def minimal(events: list[Event], predicate: Predicate) -> Cut:
    """Shrink a room, and check that the predicate holds, and does not without any one more event."""
    found = shrink(events, predicate)
    assert found.complete
    assert holds(predicate, found.cut)
    left = Cutter(events)
    removed = left.events.keys() - found.cut.names.keys()
    for event_id in found.cut.names.keys() - left.kept - predicate.needs:
        try:
            cut = left.without({*removed, event_id})
        except RoomverError:
            continue
        assert not holds(predicate, cut)
    return found.cut


@given(st.integers(0, 10**9), st.sampled_from(["1", "6", "11", "12"]))
def test_no_event_more_can_be_removed(seed: int, version: str) -> None:
    events = played(Random(seed), version, 25)
    room = replay_room(events, policy_server=False)
    for event_id, outcome in room.outcomes.items():
        if not outcome.accepted:
            cut = minimal(events, VerdictIs(event_id, "rejected"))
            assert len(cut.events) <= len(events)
            return


def recorded(version: str) -> list[Event]:
    """Return the events of a recorded room."""
    lines = (ROOMS / f"v{version}.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")[1:]
    return [parse_event(one["pdu"], version, event_id=one["event_id"]) for one in map(json.loads, lines)]


@pytest.mark.parametrize("version", ["6", "11"])
@pytest.mark.parametrize("what", ["reset", "soft-failed", "rejected"])
def test_no_line_more_can_be_left_out_of_a_recorded_room(version: str, what: str) -> None:
    events = recorded(version)
    room = replay_room(events, policy_server=False)
    event_id = min(room.soft_failed if what == "soft-failed" else room.rejected)
    of = VerdictIs(event_id, what)
    predicate: Predicate = ResetHappens("m.room.topic") if what == "reset" else of
    cut = minimal(events, predicate)
    if what != "reset":
        predicate = replace(of, event_id=cut.names[event_id])
    # A second create event, which the rules refuse, is cut like others.
    creates = [one for one in cut.events if one.type == "m.room.create"]
    assert len(creates) == 1 or creates[1].event_id in predicate.needs
    for one in cut.events:
        if one.event_id not in predicate.needs and one is not creates[0]:
            left = [other for other in cut.events if other is not one]
            assert not holds(predicate, Cut(left, {other.event_id: other.event_id for other in left}))


def test_of_several_create_events_the_one_that_is_cited_is_kept() -> None:
    events = reset_room("11")
    create = events[0]
    other = parse_event({**create.pdu, "origin_server_ts": 5}, "11")
    assert Cutter([other, *events]).kept == Cutter([*events, other]).kept == {create.event_id}
    assert Cutter(events[1:]).kept == frozenset()


def reset_room(version: str) -> list[Event]:
    """Return a room in which Bob's join rules are undone, because Alice demotes him on another branch."""
    room = Room(version)
    room.join(ALICE)
    room.power(
        {"users": {ALICE: 100, BOB: 50}, "state_default": 50} if version != "12" else {"users": {BOB: 50}}
    )
    room.join_rule("public")
    room.join(BOB)
    for number in range(4):
        room.add("m.room.message", ALICE, {"body": str(number)})
    first = room.add("m.room.topic", ALICE, {"topic": "first"}, state_key="")
    before, last = dict(room.state), room.last
    room.add("m.room.topic", BOB, {"topic": "second"}, state_key="")
    one = room.last
    room.state, room.last = before, last
    levels = {BOB: 0} if version == "12" else {ALICE: 100, BOB: 0}
    room.power({"users": levels, "state_default": 50})
    other = room.last
    assert first is not None
    room.add("m.room.message", ALICE, {"body": "merge"}, prev=[one, other])
    return [*room.events.values()]


@pytest.mark.parametrize("version", ["2", "6", "11", "12"])
def test_a_reset_is_left_in_the_smallest_room(version: str) -> None:
    events = reset_room(version)
    cut = minimal(events, ResetHappens("m.room.topic", ""))
    kinds = [event.type for event in cut.events]
    assert "m.room.message" not in kinds
    assert len(kinds) < len(events)


def test_a_room_in_which_two_algorithms_differ() -> None:
    events = next(
        events
        for seed in range(500)
        if holds(
            AlgorithmsDiffer(StateResolution.V1, StateResolution.V2),
            Cutter(events := played(Random(seed), "6", 30)).without(()),
        )
    )
    cut = minimal(events, AlgorithmsDiffer(StateResolution.V1, StateResolution.V2))
    assert len(cut.events) < len(events)


def test_two_sources_that_differ() -> None:
    events = reset_room("11")
    topic = next(event for event in events if event.content.get("topic") == "second")
    power = [event for event in events if event.type == "m.room.power_levels"][-1]
    ids = {event.event_id for event in events[:-1]}
    predicate = SourcesDiffer(ids - {topic.event_id}, ids - {power.event_id})
    cut = minimal(events[:-1], predicate)
    assert len(cut.events) < len(events) - 1


def test_a_predicate_that_does_not_hold_is_an_error() -> None:
    with pytest.raises(BadPredicate, match="does not hold"):
        shrink(reset_room("11"), ResetHappens("m.room.name"))


def test_the_search_can_be_ended() -> None:
    events = reset_room("11")
    found = shrink(events, ResetHappens(), go_on=lambda left, tried: tried < 3)
    assert (found.tried, found.complete) == (3, False)
    assert holds(ResetHappens(), found.cut)


def test_what_is_left_is_signed_anew() -> None:
    cut = Cutter(events := reset_room("11")).without({events[4].event_id})
    signed, keys = signed_anew(cut)
    for before, after in zip(cut.events, signed, strict=True):
        assert verify_signatures(after.pdu, keys, "11").valid
        assert before.event_id == after.event_id


# The command


def test_shrink_writes_a_recording_that_check_accepts(tmp_path: Path) -> None:
    small = tmp_path / "small.jsonl"
    result = run("shrink", str(RESET), "--keep", "reset m.room.member", "-o", str(small))
    assert result.exit_code == 0
    assert "of 20 events, 7 are left after" in result.stderr
    checked = run("check", str(small))
    assert checked.exit_code == 1  # nobody meant the reset
    assert "state reset of m.room.member" in checked.stdout
    assert "not checked" not in checked.stdout


def test_shrink_keeps_a_verdict(tmp_path: Path) -> None:
    room, small = CASES / "f4_soft_fail.jsonl", tmp_path / "small.jsonl"
    room_of = replay_room([parse_event(json.loads(line), "10") for line in room.read_text().splitlines()])
    event_id = next(iter(room_of.soft_failed))
    keep = f"verdict {event_id} soft-failed"
    result = run("shrink", str(room), "--keep", keep, "-o", str(small))
    assert result.exit_code == 0, result.stderr
    again = run("check", str(small))
    assert "soft-failed" in again.stdout
    (new,) = re.findall(rf"{re.escape(event_id)} is now (\S+)", result.stderr)
    assert "was soft-failed" in run("explain", str(small), new).stdout
    calls = printed_calls(result.stderr)
    assert [call[0] for call in calls] == ["check", "explain", "vectors"]
    assert new in calls[2]
    for call in calls:
        done = run(*(str(tmp_path / one) if one == "case.json" else one for one in call))
        # `check` and `explain` end with 1 where an event was refused.
        assert done.exit_code in ((0,) if call[0] == "vectors" else (0, 1)), done.output


def printed_calls(text: str) -> list[list[str]]:
    return [shlex.split(line.split(": roomver ")[1]) for line in text.splitlines() if ": roomver " in line]


def test_a_shrunk_reset_comes_with_the_call_that_captures_it(tmp_path: Path) -> None:
    small, case = tmp_path / "small.jsonl", tmp_path / "case.json"
    for room, kind in ((str(RESET), "m.room.member"), (str(ROOMS / "v10.jsonl"), "m.room.topic")):
        result = run("shrink", room, "--keep", f"reset {kind}", "-o", str(small), "--force")
        *_, call = printed_calls(result.stderr)
        assert "--merge" in call
        captured = run(*(str(case) if one == "case.json" else one for one in call), "--force")
        assert captured.exit_code == 0, captured.stderr
        assert "operation resolve, " in captured.stderr
        assert run("vectors", "run", str(case)).exit_code == 0


def test_a_predicate_that_rests_on_what_a_server_knew(tmp_path: Path) -> None:
    database = tmp_path / "homeserver.db"
    database.write_bytes(lzma.decompress(DATABASE.read_bytes()))
    for keep in ("$u6aom3zZ soft-failed", "$da41l7Tw rejected", "$XQEosjYO rejected"):
        result = run("shrink", str(database), "--keep", f"verdict {keep}", "-o", str(tmp_path / "x"))
        assert result.exit_code == 2
        assert "The history of the room has gaps (2 events are missing)" in result.stderr
        assert "--also" in result.stderr
        (call,) = printed_calls(result.stderr)
        target = tmp_path / f"{keep[1:4]}.json"
        assert run(*call[:-1], str(target)).exit_code == 0
    result = run("shrink", str(database), "--keep", "verdict $XQEosjYO accepted", "-o", str(tmp_path / "x"))
    assert "5Ec-6o is rejected\n" in result.stderr
    three = [str(one) for one in tmp_path.glob("*.json")]
    assert len(three) == 3
    assert run("vectors", "run", *three).exit_code == 0


def test_a_rule_that_did_not_decide_is_named() -> None:
    room = CASES / "f4_soft_fail.jsonl"
    keep = "verdict $4hXAeMmB soft-failed sender.not_joined"
    result = run("shrink", str(room), "--unsigned", "--keep", keep)
    assert "is soft-failed (required_level)" in result.stderr


@pytest.mark.parametrize(
    "keep",
    ["", "verdict", "verdict $x nice", "algorithms v2", "algorithms v2 v9", "reset a b c", "'", "eval x"],
)
def test_a_predicate_is_explained(keep: str) -> None:
    result = run("shrink", str(RESET), "--keep", keep)
    assert result.exit_code == 2
    assert "expected 'verdict EVENT OUTCOME [RULE]'" in result.stderr.replace("\n", " ")


OTHER = """
import json, sys
from roomver.suite.operations import run_operation
for line in sys.stdin:
    asked = json.loads(line)
    output = run_operation(asked["operation"], asked["room_version"], asked["input"])
    if BROKEN and len(output["state"]) > 3:
        output["state"] = output["state"][1:]
    print(json.dumps({"id": asked["id"], "output": output}), flush=True)
"""


def test_an_implementation_that_resolves_otherwise(write: Write, tmp_path: Path) -> None:
    small = tmp_path / "small.jsonl"
    good = write("good.py", OTHER.replace("BROKEN", "False"))
    bad = write("bad.py", OTHER.replace("BROKEN", "True"))
    result = run("shrink", str(RESET), "--keep", f"implementation '{sys.executable} {good}'")
    assert (result.exit_code, "does not hold" in result.stderr) == (2, True)
    result = run("shrink", str(RESET), "--keep", f"implementation '{sys.executable} {bad}'", "-o", str(small))
    assert result.exit_code == 0, result.stderr
    assert 5 <= len(small.read_text().splitlines()) < 12


# Captured vectors


@given(st.integers(0, 10**9), st.sampled_from(VERSIONS))
def test_a_captured_verdict_is_the_room_s(seed: int, version: str) -> None:
    events = played(Random(seed), version, 20)
    room = replay_room(events, policy_server=False)
    for event in events[-6:]:
        found = capture_auth(room, event.event_id)
        output = run_operation("auth", version, found.to_input())
        assert output["allowed"] is room.outcomes[event.event_id].accepted
        again = anonymised(found)
        assert run_operation("auth", version, again.to_input())["allowed"] is output["allowed"]


@given(st.integers(0, 10**9), st.sampled_from(VERSIONS))
def test_a_captured_resolution_is_the_room_s(seed: int, version: str) -> None:
    events = played(Random(seed), version, 25)
    room = replay_room(events, policy_server=False)
    for merge in room.merges:
        found = capture_resolution(room, merge.event_id)
        output = run_operation("resolve", version, found.to_input())
        assert output["state"] == found.expected["state"]
        state = room.resolution_at(merge.event_id).state
        assert {*output["state"]} <= {*state.values()}  # type: ignore[misc]
        again = anonymised(found)
        assert run_operation("resolve", version, again.to_input())["state"] == again.expected["state"]


def test_a_captured_case_runs_and_names_nobody(tmp_path: Path) -> None:
    case = tmp_path / "case.json"
    (merge,) = {
        line.split()[-1] for line in run("check", str(RESET)).stdout.splitlines() if "merge before" in line
    }
    result = run("vectors", "capture", str(RESET), merge, "--merge", "-o", str(case))
    assert result.exit_code == 0, result.stderr
    assert "x0.example" not in case.read_text()
    assert run("vectors", "run", str(case)).exit_code == 0


def test_what_was_captured_is_said(tmp_path: Path) -> None:
    room, out = str(CASES / "f4_soft_fail.jsonl"), str(tmp_path / "case.json")
    soft = run("vectors", "capture", room, "--unsigned", "$4hXAeMmB", "-o", out)
    assert "operation auth; expected: allowed by the authorisation rules" in soft.stderr
    assert "soft-failed is not in a case" in soft.stderr
    name = json.loads(Path(out).read_text())["cases"][0]["name"]
    assert f"captured as {name}:" in soft.stderr
    refused = run("vectors", "capture", str(CASES / "l_10715_recording.jsonl"), "--unsigned", "$bk9IUr5q")
    assert "expected: not allowed by" in refused.stderr
    assert "soft" not in refused.stderr
    named = run("vectors", "capture", room, "--unsigned", "$4hXAeMmB", "--name", "mine")
    assert json.loads(named.stdout)["cases"][0]["name"] == "mine"


def test_nothing_is_captured_where_nothing_is_resolved(write: Write) -> None:
    room = Room("11")
    room.join(ALICE)
    file = write("room.jsonl", [header(), *entries(room)])
    result = run("vectors", "capture", file, "--merge")
    assert (result.exit_code, "nothing is resolved" in result.stderr) == (2, True)
    result = run("vectors", "capture", file)
    assert (result.exit_code, "which event?" in result.stderr) == (2, True)
    replayed = replay_room(room.events.values())
    with pytest.raises(NotCaptured, match="no two states"):
        capture_resolution(replayed, None)


@pytest.mark.parametrize("output", ["-", "case.json"])
def test_notes_that_are_not_text_are_written_as_ascii(output: str, tmp_path: Path) -> None:
    out = output if output == "-" else str(tmp_path / output)
    result = run("vectors", "capture", str(RESET), "$Wq7RicAE", "--notes", "a\udcff\x7f", "-o", out)
    assert result.exit_code == 0, result.output
    written = result.stdout if output == "-" else Path(out).read_text(encoding="ascii")
    assert "\\udcff\\u007f" in written
    assert "\x7f" not in written
