"""How the benchmarks judge other programs: agreement, differences, and missing answers."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import run as run_command

import roomver
from roomver.cli.vectors.timing import Timer
from roomver.suite.inputs import BadVectors

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks import databases, peers  # noqa: E402 (the path comes first)
from benchmarks.measure import Goal, Row, Stats  # noqa: E402
from benchmarks.peers import Problem, Processes, measured, problem  # noqa: E402
from benchmarks.programs import DEPARTURES, OURS, RUMA, SYNAPSE, Program, programs  # noqa: E402
from benchmarks.report import NOT_REACHED, REACHED, judge, notes  # noqa: E402
from benchmarks.resolution import KEPT, ROOMS  # noqa: E402
from benchmarks.run import Run  # noqa: E402
from benchmarks.shapes import Shape, toy  # noqa: E402

PROGRAM = """
import json, sys, time
for line in sys.stdin:
    runs = json.loads(line)["input"]["runs"]
    {before}
    output = {{"seconds": [0.5] * runs, "cpu_seconds": [0.25] * runs, "state": {state}}}
    output |= {{"implementation": "it 1", "given": ["all"]}}
    print(json.dumps({{"id": 1, "output": output}}), flush=True)
"""


PLAIN = Program("x", [], "", True)


def program(name: str, state: list[str], before: str = "") -> Program:
    source = PROGRAM.format(state=state, before=before or "pass")
    return Program(name, [sys.executable, "-c", source], "make it", True)


def asked(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    programs: list[Program],
    shape: str = "toy",
    version: str = "1",
    clock: str = "wall",
) -> Row:
    monkeypatch.setattr(peers, "programs", lambda: programs)
    run = Run(folder, rounds=2, budget=0, memory=False, patience=4, clock=clock)
    with Processes(keep=False) as processes:
        return measured(run, Row("x", True), processes, Problem(shape, version, "warm", "", b'{"x": 1'))


def test_programs_with_the_same_state_agree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = asked(monkeypatch, tmp_path, [program(OURS, ["$a"]), program(SYNAPSE, ["$a"])])
    assert row.agree is True
    assert row.times[SYNAPSE].values == (0.5, 0.5)
    assert row.ratios.keys() == {SYNAPSE}
    assert row.given[SYNAPSE] == ["all"]
    assert row.implementations[OURS] == "it 1"


def test_the_cpu_time_that_programs_measure_is_used_on_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    older = program(SYNAPSE, ["$a"])
    older.command[-1] = older.command[-1].replace("cpu_seconds", "other")
    row = asked(monkeypatch, tmp_path, [program(OURS, ["$a"]), older], clock="cpu")
    assert row.times[OURS].values == (0.25, 0.25)
    assert row.skipped == {SYNAPSE: "it does not measure CPU time: build it again"}


def test_a_program_in_a_mode_of_its_own_is_measured_only_warm_and_not_in_version_1() -> None:
    for one in programs():
        fits = {
            (kind, version)
            for kind in ("warm", "cold")
            for version in ("1", "11")
            if Problem("busy", version, kind, "", b"").is_for(one)
        }
        if not one.mode:
            assert len(fits) == 4
        else:
            assert fits == (set() if one.mode == "kept" else {("warm", "11")})
            assert not Problem("busy", "11", "warm", " shuffled", b"").is_for(one)


def test_the_table_names_a_command_for_each_program_that_must_be_built() -> None:
    for one in programs():
        assert one.name.startswith("roomver") or "vectors/adapters/" in one.build


def test_a_listed_difference_is_one_of_a_program_and_of_a_shape() -> None:
    names = {one.name for one in programs()}
    rooms = {f"{shape} v{version}" for shape, version in ROOMS}
    assert {name for _, name in DEPARTURES} <= names
    assert {room for room, _ in DEPARTURES} <= rooms
    figures = {figure for goal in peers.GOALS for figure in goal.figure.split(" / ")}
    assert figures <= names


def test_another_state_is_a_difference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = asked(monkeypatch, tmp_path, [program(OURS, ["$a"]), program(SYNAPSE, ["$b"])])
    assert row.agree is False
    assert row.differ == {SYNAPSE: ""}


def test_a_known_difference_counts_as_agreement_and_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (shape, name), why = next(iter(DEPARTURES.items()))
    kind, _, version = shape.partition(" v")
    row = asked(monkeypatch, tmp_path, [program(OURS, ["$a"]), program(name, ["$b"])], kind, version)
    assert row.agree is True
    assert any(why in line for line in notes([row]))


def test_a_program_that_is_not_built_or_late_or_dies_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = [
        program(OURS, ["$a"]),
        Program(RUMA, ["/nowhere"], "make it", False),
        program("late", ["$a"], "time.sleep(60)"),
        program("dead", ["$a"], "sys.exit('out of luck')"),
        program("dies later", ["$a"], "'again' in line and sys.exit('no more')"),
    ]
    row = asked(monkeypatch, tmp_path, programs)
    assert row.skipped == {
        RUMA: "not built: make it",
        "late": "no answer within 4 s",
        "dead": "it ended: out of luck",
        "dies later": "it ended: no more",
    }
    assert row.late == {"late": 4}
    assert row.times.keys() == {OURS}
    assert row.agree is None


def test_states_that_share_structure_are_measured_only_warm_and_only_if_large(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    says_mode = "request = json.loads(line)['input']; runs = request['runs']; mode = request.get('mode')"
    kept = replace(program(KEPT, ["$a"], f"{says_mode}; assert mode in (None, 'kept'), mode"), mode="kept")
    programs = [
        program(OURS, ["$a"], f"{says_mode}; assert mode in (None, 'warm'), mode"),
        kept,
        program(SYNAPSE, ["$a"]),
    ]
    row = asked(monkeypatch, tmp_path, programs, "hq", "11")
    assert row.agree is True
    assert row.ratios.keys() == {KEPT, SYNAPSE}
    assert row.figures[f"{SYNAPSE} / {KEPT}"] == 1
    assert asked(monkeypatch, tmp_path, programs, "toy", "11").ratios.keys() == {SYNAPSE}
    assert not Problem("hq", "11", "cold", "", b"").is_for(kept)
    assert not Problem("hq", "11", "warm", " shuffled", b"").is_for(kept)


def test_without_an_answer_of_roomver_there_is_no_agreement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = asked(monkeypatch, tmp_path, [program(OURS, [], "sys.exit()"), program(SYNAPSE, ["$a"])])
    assert row.agree is False


@pytest.mark.parametrize("mode", ["cold", "warm", "kept"])
@pytest.mark.parametrize("times", [1, 13])
def test_a_problem_gives_many_states_as_changes(times: int, mode: str) -> None:
    one = toy("11")
    shape = Shape(one.name, one.version, one.events, [*one.state_sets] * times)
    asked = Problem("toy", "11", "cold" if mode == "cold" else "warm", "", problem(shape))
    given: Any = json.loads(asked.request(replace(PLAIN, mode="kept" if mode == "kept" else "")))
    assert ("changes" in given) == (times > 1)
    assert given["mode"] == mode
    output: Any = Timer().run("11", given)
    assert output["state"] == sorted(roomver.resolve(shape.state_sets, shape.events).state.values())


@pytest.mark.parametrize(("remove", "add"), [(["$a", "$a"], []), (["$b"], []), (["$a"], ["$b"]), ([[]], [])])
def test_changes_that_do_not_fit_are_refused(remove: list[Any], add: list[Any]) -> None:
    shape = toy("11")
    given: Any = json.loads(Problem("toy", "11", "warm", "", problem(shape)).request(PLAIN))
    first, *_ = given["input"]["state_sets"]
    names = {"$a": first[0], "$b": "$" + "x" * 43}
    change = [names.get(e, e) if isinstance(e, str) else e for e in remove]
    given["changes"] = [{"remove": change, "add": [names[e] for e in add]}]
    with pytest.raises(BadVectors, match="does not fit the first state"):
        Timer().run("11", given)


def _judged(goal: Goal, row: Row) -> tuple[str, str]:
    (outcome,) = judge("q", [goal], [row])
    return outcome.verdict, outcome.because


def test_goals_are_judged_by_their_figures() -> None:
    goal = Goal("x", "a / b", "x", at_least=10)
    assert _judged(goal, Row("x", True, figures={"a / b": 10.0})) == (REACHED, "")
    assert _judged(goal, Row("x", True, figures={"a / b": 9.9})) == (NOT_REACHED, "")
    assert _judged(goal, Row("x", False, figures={"a / b": 10.0}))[0] == "not judged"
    assert _judged(goal, Row("y", True))[0] == "not measured"
    assert _judged(goal, Row("x", True, skipped={"a": "not built"})) == ("not measured", "not built")
    other = Row("x", True, figures={"a / b": 10.0}, differ={"a": "known"})
    assert _judged(goal, other) == (REACHED, "resolved to another state")


def test_a_goal_is_not_measured_if_the_program_gave_no_answer() -> None:
    goal = Goal("x", "a / b", "x", at_least=10)
    skipped = {"a": "no answer within 120 s"}
    row = Row("x", True, times={"b": Stats((0.001,))}, late={"a": 120}, skipped=skipped)
    assert _judged(goal, row) == ("not measured", "no answer within 120 s")


def test_the_database_that_is_measured_is_one_of_synapse(tmp_path: Path) -> None:
    path = tmp_path / "homeserver.db"
    small, great = databases.make(path, 700, 200)
    listed = json.loads(run_command("rooms", str(path), "--json").stdout)
    assert [room["events"] for room in listed] == [200, 200, 200, 200]
    for room in (small, great):
        result = run_command("check", str(path), "--room", room.room_id, "--json")
        (report,) = json.loads(result.stdout)["files"]
        assert (result.exit_code, report["summary"]["kinds"]) == (0, {})
        assert report["room"]["state_differs"] == []
