"""``roomver vectors``: the command, and the protocol with good and bad implementations."""

import json
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from roomver import Event, power
from roomver.cli import main
from roomver.cli.vectors.implementation import to_line
from roomver.cli.vectors.serve import answer_requests
from roomver.cli.vectors.show import show_lines
from roomver.readers.suite import load_suite
from roomver.suite.document import FORMAT, run_case
from roomver.types import JsonObject

SUITE = Path(__file__).parents[1] / "vectors"

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def call(*arguments: object) -> Result:
        return CliRunner().invoke(main, ["vectors", "run", *map(str, arguments)], catch_exceptions=False)

    return call


def case(name: str, text: str, canonical: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "operation": "canonical_json",
        "room_version": "11",
        "input": {"json": text},
        "expected": {"canonical": canonical},
        **more,
    }


def write(file: Path, *cases: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"format": FORMAT, "title": "Made up", "cases": cases}))
    return file


@pytest.fixture
def three(tmp_path: Path) -> Path:
    return write(tmp_path / "v.json", *(case(name, f'"{name}"', f'"{name}"') for name in ("a", "b", "c")))


def python(tmp_path: Path, body: str) -> str:
    """Return the command of an implementation. `body` changes `answer`, made from `request` and `text`."""
    program = tmp_path / "program.py"
    program.write_text(
        "import json, os, sys, time\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n"
        "    text = json.loads(request['input']['json'])\n"
        "    answer = {'id': request['id'], 'output': {'canonical': json.dumps(text)}}\n"
        + "".join(f"    {line}\n" for line in body.splitlines())
        + "    print(json.dumps(answer), flush=True)\n"
    )
    return shlex.join([sys.executable, str(program)])


def outcomes(result: Result) -> dict[str, str]:
    return {entry["name"]: entry["outcome"] for entry in json.loads(result.stdout)["cases"]}


def reasons(result: Result) -> list[str]:
    return [entry["reason"] for entry in json.loads(result.stdout)["cases"] if entry["outcome"] == "failed"]


# In process


def test_the_suite_passes(run: Run) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert "canonical_json" in result.output
    assert " passed" in result.output.splitlines()[-1]
    assert "failed" not in result.output.splitlines()[-1]


def test_a_failure_is_shown_with_the_expected_and_the_actual_output(run: Run, tmp_path: Path) -> None:
    wrong = case("bad.one", "[2, 1]", "[1,2]", notes="Never sorted", spec="https://example.org/", rule="4.1")
    result = run(write(tmp_path / "v.json", wrong, case("good", "1", "1")))
    assert result.exit_code == 1
    for text in (
        "1/2",
        "FAILED bad.one: canonical_json, room version 11",
        "Never sorted",
        "https://example.org/",
        "rule 4.1",
        '{"canonical": "[1,2]"}',
        '{"canonical": "[2,1]"}',
        "2 cases, 1 passed, 1 failed",
    ):
        assert text in result.output


def test_results_as_json(run: Run, tmp_path: Path) -> None:
    other = {"outcome": {"error": True}, "reason": "they"}
    disputed = [{"outcome": {"canonical": "1"}, "reason": "we"}, other]
    file = write(
        tmp_path / "v.json",
        case("a", "1", "2"),
        {**case("b", "1", "1"), "expected": disputed},
        case("c", "3", "3"),
    )
    result = run("--json", file)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["format"] == "roomver-results/1"
    assert (report["passed"], report["failed"], report["unsupported"]) == (2, 1, 0)
    assert report["operations"] == {"canonical_json": {"11": {"passed": 2, "failed": 1, "unsupported": 0}}}
    failed, passed, accepted = report["cases"]  # the disputed one is last
    assert (failed["expected"], failed["got"]) == ({"canonical": "2"}, {"canonical": "1"})
    assert accepted["accepted"] == 0
    assert passed.keys() == {"name", "operation", "room_version", "outcome"}


def test_cases_are_chosen_by_operation_and_version(run: Run) -> None:
    result = run("--json", "--operation", "redact", "--operation", "event_id", "--room-version", "11", SUITE)
    assert result.exit_code == 0
    chosen = {(e["operation"], e["room_version"]) for e in json.loads(result.stdout)["cases"]}
    assert chosen == {("redact", "11"), ("event_id", "11")}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--operation", "fly"),
        ("--room-version", "13"),
        ("--timeout", "0"),
        ("no/such/file.json",),
        ("--impl", "/no/such/program"),
        ("--impl", ""),
        ("--impl", "'"),
    ],
)
def test_a_wrong_call_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"format": 1}', "format: must be"),
        (b'{"cases": []}', "format: must be"),
        (b'{"format": "roomver-vectors/1", "title": "", "cases": [], "cases": []}', "duplicate key"),
        (b'{"format": "roomver-vectors/1", "title": "", "cases": [NaN]}', "NaN"),
        (b'{"format": "roomver-vectors/1", "title": "", "cases": [1]}', "cases[0]: must be an object"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_broken_file_is_an_error(run: Run, tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path / "good.json", case("a", "1", "1"))
    file = tmp_path / "below" / "broken.json"
    file.parent.mkdir()
    file.write_bytes(content)
    result = run(tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"roomver: {file}: ")
    assert message in result.stderr


def test_other_json_is_skipped_in_a_folder_but_an_error_if_named(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "good.json", case("a", "1", "1"))
    (tmp_path / "keys.json").write_text('{"example.org": {}}')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "room.jsonl").write_text("no JSON")
    assert outcomes(run("--json", tmp_path)) == {"a": "passed"}
    assert run(tmp_path / "keys.json").exit_code == 2


def test_an_input_without_cases_is_an_error(run: Run, tmp_path: Path) -> None:
    assert run(write(tmp_path / "v.json")).exit_code == 2
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty").exit_code == 2


def test_a_name_in_two_files_is_refused(run: Run, tmp_path: Path) -> None:
    files = [write(tmp_path / name, case("same", "1", "1")) for name in ("a.json", "b.json")]
    result = run(*files)
    assert result.exit_code == 2
    assert "same: another case has this name" in result.stderr
    assert all(file in result.stderr for file in map(str, files))
    assert "capture --name" in result.stderr


# Another implementation


def test_a_good_implementation(run: Run, tmp_path: Path, three: Path) -> None:
    result = run("--impl", python(tmp_path, ""), three)
    assert result.exit_code == 0, result.output
    assert "3 cases, 3 passed" in result.output


def test_an_implementation_never_sees_what_is_expected(run: Run, tmp_path: Path, three: Path) -> None:
    body = "assert request.keys() == {'id', 'operation', 'room_version', 'input'}, request"
    assert run("--impl", python(tmp_path, body), three).exit_code == 0


def test_a_wrong_answer_fails(run: Run, tmp_path: Path, three: Path) -> None:
    result = run("--json", "--impl", python(tmp_path, "answer['output'] = {'canonical': '\"b\"'}"), three)
    assert result.exit_code == 1
    assert outcomes(result) == {"a": "failed", "b": "passed", "c": "failed"}


def test_errors_are_compared_by_code_if_one_is_expected(run: Run, tmp_path: Path) -> None:
    file = write(
        tmp_path / "v.json",
        {**case("any", "1", ""), "expected": {"error": True}},
        {**case("code", "1", ""), "expected": {"error": "oh"}},
        {**case("other", "1", ""), "expected": {"error": "ah"}},
        case("none", "1", "1"),
    )
    body = "answer = {'id': request['id'], 'error': 'oh', 'message': 'no'}"
    result = run("--json", "--impl", python(tmp_path, body), file)
    assert outcomes(result) == {"any": "passed", "code": "passed", "other": "failed", "none": "failed"}


def test_a_crash_fails_its_case_and_the_program_starts_again(run: Run, tmp_path: Path, three: Path) -> None:
    result = run("--json", "--impl", python(tmp_path, "if text == 'b': os._exit(7)"), three)
    assert result.exit_code == 1
    assert outcomes(result) == {"a": "passed", "b": "failed", "c": "passed"}
    assert reasons(result) == ["died with exit code 7"]


def test_a_program_that_ends_at_once_fails_every_case(run: Run, three: Path) -> None:
    result = run("--json", "--impl", shlex.join([sys.executable, "-c", ""]), three)
    assert result.exit_code == 1
    assert set(outcomes(result).values()) == {"failed"}


def test_a_case_without_an_answer_fails_at_the_time_limit(run: Run, tmp_path: Path, three: Path) -> None:
    started = time.monotonic()
    body = "if text == 'b': time.sleep(60)"
    result = run("--json", "--timeout", "1", "--impl", python(tmp_path, body), three)
    assert outcomes(result) == {"a": "passed", "b": "failed", "c": "passed"}
    assert reasons(result) == ["no answer within 1 s"]
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("text", ["", "{}"])
def test_a_flood_of_lines_ends_in_time(text: str, run: Run, tmp_path: Path, three: Path) -> None:
    started = time.monotonic()
    body = f"while text == 'b': print({text!r})"
    result = run("--json", "--timeout", "1", "--impl", python(tmp_path, body), three)
    assert outcomes(result) == {"a": "passed", "b": "failed", "c": "passed"}
    (reason,) = reasons(result)
    assert reason.startswith("no answer within 1 s" if not text else "the answer has no id")
    assert time.monotonic() - started < 30


def test_blank_lines_before_an_answer_are_passed_over(run: Run, tmp_path: Path, three: Path) -> None:
    body = "print('\\n \\n' * 1000)"
    result = run("--json", "--impl", python(tmp_path, body), three)
    assert set(outcomes(result).values()) == {"passed"}


def test_a_program_that_does_not_read_cannot_block_the_runner(run: Run, tmp_path: Path) -> None:
    long = "x" * 2**20
    file = write(tmp_path / "v.json", case("a", f'"{long}"', "1"), case("b", f'"{long}"', "1"))
    command = shlex.join([sys.executable, "-c", "import time; time.sleep(60)"])
    result = run("--json", "--timeout", "0.5", "--impl", command, file)
    told = "no answer within 0.5 s; the request has 1,048,658 bytes: does the program read such long lines?"
    assert reasons(result) == [f"{told} Go's bufio.Scanner stops at 64 KiB"] * 2


@pytest.mark.skipif(os.name != "posix", reason="process groups are of POSIX")
def test_the_children_of_a_silent_program_are_stopped_with_it(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "v.json", case("a", "1", "1"))
    mark = tmp_path / "child"
    child = (
        f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    run("--timeout", "2", "--impl", shlex.join([sys.executable, "-c", parent]), file)
    pid = int(mark.read_text())
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or ") Z " in state.read_text():
            return
        time.sleep(0.05)
    pytest.fail("the child still runs")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print('hello'); continue", "the answer is not JSON"),
        ("print('[' * 100000); continue", "the answer is not JSON"),
        ("sys.stdout.buffer.write(b'\\xff\\n'); sys.stdout.flush(); continue", "the answer is not JSON"),
        (
            "print(json.dumps(answer)[:-2] + ', \"x\": ' + '[' * 500 + ']' * 500 + '}}'); continue",
            "the answer is nested deeper than 400 levels",
        ),
        ("answer = []", "the answer should be a JSON object: "),
        ("answer['id'] = 7", "the id should be the integer 2, got 7"),
        ("answer['id'] = '2'", 'the id should be the integer 2, got the string "2"'),
        ("answer['id'] = True", "the id should be the integer 2, got true"),
        ("answer['id'] = None", "the id should be the integer 2, got null: "),
        ("del answer['id']", "the answer has no id: "),
        ("del answer['output']", "the answer must have one of"),
        ("answer['output'] = 1", "the answer must have one of"),
        ("answer['error'] = 'both'", "the answer must have one of"),
        ("answer = {'id': request['id'], 'error': True}", "the answer must have one of"),
        ("answer = {'id': request['id'], 'unsupported': 1}", "the answer must have one of"),
    ],
)
def test_an_invalid_answer_fails_its_case_and_the_next_case_is_run(
    run: Run, tmp_path: Path, three: Path, body: str, reason: str
) -> None:
    guarded = f"if text == 'b':\n    {body}".replace("continue", "sys.stdout.flush(); continue")
    result = run("--json", "--impl", python(tmp_path, guarded), three)
    assert outcomes(result) == {"a": "passed", "b": "failed", "c": "passed"}
    assert reasons(result)[0].startswith(reason)


def test_control_characters_of_a_program_do_not_reach_the_terminal(
    run: Run, tmp_path: Path, three: Path
) -> None:
    result = run("--impl", python(tmp_path, r"print('\x1b[2J\u009b'); continue"), three)
    assert "\x1b" not in result.output
    assert "\x9b" not in result.output


def test_unsupported_cases_are_counted_separately(run: Run, tmp_path: Path, three: Path) -> None:
    body = "answer = {'id': request['id'], 'unsupported': True}"
    some = python(tmp_path, f"if text != 'b': {body}")
    result = run("--impl", some, three)
    assert result.exit_code == 0
    assert "3 cases, 1 passed, 2 unsupported" in result.output
    result = run("--impl", python(tmp_path, body), three)
    assert result.exit_code == 1, "nothing passed"


# The other side of the protocol


def served(*requests: object) -> list[Any]:
    lines = [r if type(r) is bytes else json.dumps(r).encode() + b"\n" for r in requests]
    return [json.loads(answer) for answer in answer_requests(lines)]


def test_serving() -> None:
    good = {"id": 7, "operation": "canonical_json", "room_version": "11", "input": {"json": "[ 1 ]"}}
    assert served(good) == [{"id": 7, "output": {"canonical": "[1]"}}]
    assert served({**good, "operation": "fly"}) == [{"id": 7, "unsupported": True}]
    (answer,) = served({**good, "input": {"json": "NaN"}})
    assert (answer["id"], answer["error"]) == (7, "not_canonical")
    (answer,) = served({**good, "room_version": "13"})
    assert answer["error"] == "unknown_room_version"


@pytest.mark.parametrize(
    ("request_line", "request_id"),
    [
        (b"hello\n", None),
        (b"\xff\n", None),
        (b"[" * 100_000 + b"\n", None),
        ([], None),
        ({}, None),
        ({"id": 7}, 7),
        ({"id": 7, "operation": 1, "room_version": "1", "input": {}}, 7),
        ({"id": 7, "operation": "redact", "room_version": 1, "input": {}}, 7),
        ({"id": 7, "operation": "redact", "room_version": "1", "input": []}, 7),
    ],
)
def test_a_line_that_is_not_a_request_is_answered_with_an_error(request_line: Any, request_id: Any) -> None:
    (answer,) = served(request_line)
    assert (answer["id"], answer["error"]) == (request_id, "bad_request")


def test_a_number_beyond_binary64_is_sent_as_json() -> None:
    message: JsonObject = {"a": [math.inf, -math.inf], "Infinity": '\\"Infinity'}
    assert to_line(message) == b'{"a":[1e400,-1e400],"Infinity":"\\\\\\"Infinity"}\n'
    assert json.loads(to_line(message)) == message


def test_an_empty_line_is_ignored() -> None:
    assert served(b"\n", b"  \n") == []


@pytest.mark.parametrize(("mode", "anew"), [("cold", 3), ("warm", 1)])
def test_a_cold_run_parses_power_levels_each_time(
    mode: str, anew: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    parse = power.PowerLevels.__init__

    def noting(self: power.PowerLevels, event: Event) -> None:
        read.append(event.event_id)
        parse(self, event)

    monkeypatch.setattr(power.PowerLevels, "__init__", noting)
    case = next(c for c in load_suite() if c.name == "resolve.topic_against_ban.v11")
    given = {"operation": "resolve", "input": case.input, "runs": 3, "mode": mode}
    (answer,) = served({"id": 1, "operation": "time", "room_version": "11", "input": given})
    assert len(answer["output"]["seconds"]) == len(answer["output"]["cpu_seconds"]) == 3
    assert bool(answer["output"]["given"]) == (mode == "warm")
    assert read
    assert len(read) == anew * len(set(read))


@pytest.mark.parametrize(
    "given", [{}, {"events": {}}, {"state_sets": []}, {"events": {}, "state_sets": [], "x": 1}]
)
def test_a_timing_request_without_its_input_is_answered_with_an_error(given: Any) -> None:
    timing = {"operation": "resolve", "input": given, "runs": 1, "mode": "cold"}
    request = {"id": 1, "operation": "time", "room_version": "11", "input": timing}
    (answer, after) = served(request, {**request, "id": 2, "input": {"again": True, "runs": 1}})
    assert (answer["error"], answer["message"][:12]) == ("bad_vectors", "input.input:")
    assert after["error"] == "bad_vectors"


def test_the_suite_passes_through_serve(run: Run) -> None:
    program = "from roomver.cli import main; main(['vectors', 'serve'])"
    result = run("--json", "--impl", shlex.join([sys.executable, "-c", program]), SUITE)
    report = json.loads(result.stdout)
    assert [entry for entry in report["cases"] if entry["outcome"] != "passed"] == []
    assert all(entry.get("accepted", 0) == 0 for entry in report["cases"])
    assert report["passed"] > 2000


# Listing and showing


def test_listing(three: Path) -> None:
    result = CliRunner().invoke(main, ["vectors", "list", str(three)])
    assert result.output.split("\n")[0] == "a  canonical_json  11"
    assert len(result.output.splitlines()) == 3


def test_showing(three: Path) -> None:
    result = CliRunner().invoke(main, ["vectors", "show", "b", str(three)])
    assert result.exit_code == 0
    for text in ("canonical_json, room version 11", 'input\n  json "\\"b\\""', "roomver passed"):
        assert text in result.output
    assert CliRunner().invoke(main, ["vectors", "show", "d", str(three)]).exit_code == 2
    document = json.loads(CliRunner().invoke(main, ["vectors", "show", "b", "--json", str(three)]).output)
    assert (document["name"], document["input"], document["outcome"]) == ("b", {"json": '"b"'}, "passed")


def test_a_case_is_shown_with_its_events_parents_first_and_the_deciding_rule() -> None:
    shown = CliRunner().invoke(main, ["vectors", "show", "resolve.hole.tried.v12"]).output
    lines = shown.splitlines()
    ids = [line.split() for line in lines if re.fullmatch(r" +\d+  \$\S+", line)]
    assert [number for number, _ in ids] == [str(number) for number in range(1, len(ids) + 1)]
    for number in range(1, len(ids) + 1):
        cites = lines[lines.index(f"  {number:>3}  {ids[number - 1][1]}") + 3]
        assert all(int(cited) < number for cited in re.findall(r"\[(\d+)\]", cites)), "parents come first"
    topic = next(number for number, _ in ids if f"[{number}] allowed" in shown)
    assert f"  mainline: [{topic}] allowed - v12 rule 11 (otherwise)" in shown
    assert f"m.room.topic '': [{topic}]" in shown
    # After the list, every event is referred to by its number.
    assert not any(event_id in shown.split("rest of the input")[1] for _, event_id in ids)


def test_cases_of_every_kind_can_be_shown() -> None:
    # Every fifth case, because all would take long. They are of every operation and version.
    for case in load_suite()[::5]:
        result = run_case(case)
        text = "\n".join(show_lines(result))
        assert f"\nroomver {result.outcome.value}" in text
        assert text.startswith(f"{case.name}\n{case.operation}, room version {case.room_version}\n")


@pytest.mark.parametrize(
    "events",
    [
        {"$a": {"prev_events": ["$b"]}, "$b": {"auth_events": [["$a", {}]]}},
        {"$a": 5, "$b": [], "$c": None},
        {"$a": {"type": 5, "state_key": [], "sender": {}, "auth_events": {}, "prev_events": [[], [5], 5]}},
        {"": {"auth_events": [""]}},
        {},
        5,
    ],
)
def test_a_case_of_any_json_can_be_shown(events: Any, tmp_path: Path) -> None:
    case = {"name": "x", "operation": "resolve", "room_version": "1", "expected": {"error": True}}
    file = tmp_path / "x.json"
    given = {"events": events, "state_sets": [[]]}
    file.write_text(
        json.dumps({"format": "roomver-vectors/1", "title": "x", "cases": [{**case, "input": given}]})
    )
    result = CliRunner().invoke(main, ["vectors", "show", "x", str(file)])
    assert result.exit_code == 0, result.exception
    assert "roomver " in result.output
