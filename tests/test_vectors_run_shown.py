"""What ``roomver vectors run`` prints of many failures, and what ``vectors show`` says of one event."""

import base64
import hashlib
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from command_line import run as call

from roomver.cli.vectors.covered import covered_lines
from roomver.readers.suite import load_suite, suite_version
from roomver.suite.document import FORMAT
from roomver.suite.operations import OPERATIONS

SUITE = Path(__file__).parents[1] / "vectors"


def run(*arguments: object) -> Result:
    return call(*map(str, arguments))


def case(name: str, version: str = "11", text: str = "1", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "operation": "canonical_json",
        "room_version": version,
        "input": {"json": text},
        "expected": {"canonical": "2"},
        **more,
    }


def write(file: Path, *cases: dict[str, Any]) -> Path:
    file.write_text(json.dumps({"format": FORMAT, "title": "Made up", "cases": cases}))
    return file


def failures(result: Result) -> list[str]:
    return [line.removeprefix("FAILED ") for line in result.output.splitlines() if line.startswith("FAILED ")]


def test_failures_that_differ_in_the_room_version_alone_are_printed_once(tmp_path: Path) -> None:
    versions = ("9", "10", "11")
    same = [
        case(f"a.v{v}", v, notes="Why", spec=f"https://example.org/rooms/v{v}/#id", rule="4")
        for v in versions
    ]
    file = write(tmp_path / "v.json", *same, case("b.v11", text="3"), case("c.v11", notes="Another"))
    result = run("vectors", "run", file)
    assert failures(result) == [
        "a.v9: canonical_json, room version 9",
        "b.v11: canonical_json, room version 11",
        "c.v11: canonical_json, room version 11",
    ]
    assert "  the same: a.v10, a.v11\n" in result.output
    assert "5 cases, 0 passed, 5 failed" in result.output


def test_a_program_that_dies_at_each_case_gets_one_line_for_most(tmp_path: Path) -> None:
    file = write(tmp_path / "v.json", *(case(f"a{n}", text=str(n), notes=f"Why {n}") for n in range(6)))
    dying = shlex.join([sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit(3)"])
    result = run("vectors", "run", "--impl", dying, file)
    lines = result.output.splitlines()
    at = lines.index("FAILED a0: canonical_json, room version 11")
    # Why there is no answer comes before what the case is about.
    assert [line.strip() for line in lines[at + 1 : at + 3]] == ["died with exit code 3", "Why 0"]
    assert "FAILED a5: canonical_json, room version 11: died with exit code 3" in lines
    assert [n for n in range(6) if f"Why {n}" in result.output] == [0, 1, 2]
    assert "6 cases, 0 passed, 6 failed" in result.output


def test_known_failures_can_be_shown(tmp_path: Path) -> None:
    file = write(tmp_path / "v.json", case("a", notes="Why"), case("b", expected={"canonical": "1"}))
    (tmp_path / "known.txt").write_text("a\n")
    options = ("--known-failures", tmp_path / "known.txt", file)
    hidden, shown = (run("vectors", "run", *more, *options) for more in ((), ("--show-known",)))
    assert (hidden.exit_code, shown.exit_code) == (0, 0)
    assert (failures(hidden), failures(shown)) == ([], ["a: canonical_json, room version 11"])
    assert "1 failed as known" in shown.output


def test_operations_run_in_the_order_in_which_they_build_on_each_other() -> None:
    result = run("vectors", "run", "--json", "--room-version", "11")
    ran = [entry["operation"] for entry in json.loads(result.stdout)["cases"]]
    assert list(dict.fromkeys(ran)) == [one for one in OPERATIONS if one in ran]
    assert ran.index("redact") < ran.index("event_id")
    # Within an operation the order is that of the files, with the disputed cases last.
    names = [entry["name"] for entry in json.loads(result.stdout)["cases"]]
    for operation in set(ran):
        listed = [c for c in load_suite() if (c.operation, c.room_version) == (operation, "11")]
        expected = [c.name for last in (False, True) for c in listed if c.disputed is last]
        assert [name for name, one in zip(names, ran, strict=True) if one == operation] == expected


def test_results_say_when_and_on_what_they_were_made(tmp_path: Path) -> None:
    file = write(tmp_path / "v.json", case("a"))
    options = ("--url", "https://example.org/x", "--json")
    document = json.loads(run("vectors", "run", *options, file).stdout)
    assert document["url"] == "https://example.org/x"
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", document["date"])
    assert "suite" not in document
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 7.8.9\n")  # of another project
    assert "suite" not in json.loads(run("vectors", "run", "--json", tmp_path).stdout)
    (tmp_path / "CHANGELOG.md").write_text("# Changes to the suite\n\nText.\n\n## 7.8.9\n\n## 7.8.8\n")
    assert json.loads(run("vectors", "run", "--json", tmp_path).stdout)["suite"] == "7.8.9"
    whole = json.loads(run("vectors", "run", "--json", "--operation", "sign_json").stdout)
    assert whole["suite"] == suite_version()
    assert f"\n## {suite_version()}" in (SUITE / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "example.org"])
def test_an_address_must_be_one(url: str) -> None:
    assert run("vectors", "run", "--url", url).exit_code == 2


def test_cases_of_an_unstable_version_are_found_by_the_version() -> None:
    listed = run("vectors", "list", "--room-version", "org.example.no-knock")
    assert listed.exit_code == 0
    assert all(line.endswith("org.example.no-knock") for line in listed.stdout.splitlines())
    done = run("vectors", "run", "--room-version", "org.example.no-knock", "--json")
    assert done.exit_code == 0
    assert len(json.loads(done.stdout)["cases"]) == len(listed.stdout.splitlines()) > 0
    # A stable version has no cases of the optional tier, unless they are asked for.
    listed = run("vectors", "list", "--case", "*.custom.*")
    ran = json.loads(run("vectors", "run", "--case", "*.custom.*", "--json").stdout)["cases"]
    assert len(ran) == len(listed.stdout.splitlines()) > 0


def test_a_version_without_cases_is_an_error() -> None:
    for command in ("list", "run"):
        done = run("vectors", command, "--room-version", "13")
        assert (done.exit_code, "no case is of room version" in done.output) == (2, True)


# A part of the results does not silently take the place of all


def results(file: Path, cases: int, **more: Any) -> Path:
    entry = {"name": "a", "operation": "redact", "room_version": "11", "outcome": "passed"}
    document = {"format": "roomver-results/1", "implementation": "mine", **more, "cases": [entry] * cases}
    file.write_text(json.dumps(document))
    return file


def test_fewer_results_take_the_place_of_more_with_a_warning(tmp_path: Path) -> None:
    whole = results(tmp_path / "whole.json", 3, url="https://example.org/", date="2026-01-01")
    part = results(tmp_path / "part.json", 1)
    report = tmp_path / "report.json"
    done = run("vectors", "report", whole, part, "--json", report)
    assert done.exit_code == 0
    assert 'part.json: 1 case takes the place of 3 of "mine"' in done.stderr
    (line,) = json.loads(report.read_text())["implementations"]
    assert line["operations"] == {"redact": {"11": {"passed": 1}}}
    assert line["url"] == "https://example.org/"
    assert "date" not in line
    assert run("vectors", "report", part, whole, "--json", report).stderr == ""


def test_a_report_shows_the_place_where_long_outputs_part(tmp_path: Path) -> None:
    long = ["x" * 40] * 40
    entry = {"name": "a", "operation": "resolve", "room_version": "11", "outcome": "failed"}
    case = {**entry, "expected": {"state": [*long, "good"]}, "got": {"state": [*long, "bad", "z" * 999]}}
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"format": "roomver-results/1", "implementation": "mine", "cases": [case]}))
    report = tmp_path / "report.json"
    assert run("vectors", "report", file, "--json", report).exit_code == 0
    (failure,) = json.loads(report.read_text())["implementations"][0]["failures"]
    assert failure["expected"].startswith("…")
    assert failure["expected"].endswith('"good"]}')
    assert '"bad", "zzz' in failure["got"]
    assert "characters)" in failure["got"]


# The steps to a hash


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "event_id.type.m.room.member.v11",
            [
                "redaction removes: ",
                "and from content: avatar_url, ",
                "SHA-256, ",
                "in unpadded base64, URL-safe",
            ],
        ),
        ("content_hash.plain.v11", ["left out: ", "SHA-256 of "]),
        ("redact.type.m.room.join_rules.v11", ["redaction removes: -", "and from content: org.example.key"]),
        (
            "verify_signatures.authoriser.v11.public.forged",
            ["redaction removes: -", "", "a signature covers "],
        ),
        ("sign_json.other_server.v11", ['the signature covers 7 bytes: {"a":1}']),
    ],
)
def test_the_steps_of_a_case_on_one_event_are_shown(name: str, lines: list[str]) -> None:
    shown = run("vectors", "show", name).stdout
    steps = [line.strip() for line in shown.partition("\nstep by step\n")[2].splitlines()]
    assert len(steps) == len(lines)
    assert all(step.startswith(line) for step, line in zip(steps, lines, strict=True))


def test_the_bytes_that_are_shown_have_the_hash_that_is_expected() -> None:
    seen = 0
    for one in load_suite():
        if one.operation != "content_hash" or "error" in one.expected[0].outcome:
            continue
        shown = "\n".join(covered_lines(one)) + "\n"
        text = re.search(r"SHA-256 of [0-9,]+ bytes(?: \([^)]*\))?: (.*)\n", shown)
        assert text is not None, one.name
        digest = base64.b64encode(hashlib.sha256(text[1].encode()).digest()).decode().rstrip("=")
        assert digest == one.expected[0].outcome["sha256"]
        seen += 1
    assert seen > 100


def test_known_failures_that_pass_are_folded_by_room_version(tmp_path: Path) -> None:
    versions = ("9", "10", "11")
    passing = [case(f"a.v{v}", v, expected={"canonical": "1"}) for v in versions]
    file = write(tmp_path / "v.json", *passing, case("b", expected={"canonical": "1"}))
    known = tmp_path / "known.txt"
    known.write_text("a.v9\nb\na.v10\na.v11\n")
    result = run("vectors", "run", "--known-failures", known, file)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    at = lines.index(f"  {known}:1: a.v9")
    assert lines[at + 1 : at + 3] == ["    also: a.v10 (line 3), a.v11 (line 4)", f"  {known}:2: b"]


def test_operations_that_are_not_offered_are_one_line(tmp_path: Path) -> None:
    redact: dict[str, Any] = {"operation": "redact", "input": {"event": {}}, "expected": {"event": {}}}
    hashed: dict[str, Any] = {"operation": "content_hash", "input": {"event": {}}, "expected": {"sha256": ""}}
    file = write(
        tmp_path / "v.json", case("a"), case("b", **redact), case("c", **redact), case("d", **hashed)
    )
    code = (
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    r = json.loads(line)\n"
        "    answer = {'unsupported': True}\n"
        "    if r['operation'] in sys.argv: answer = {'output': {'canonical': '2'}}\n"
        "    print(json.dumps({'id': r['id'], **answer}), flush=True)\n"
    )
    for offered, told in (("canonical_json", "2 operations, 3 cases"), ("", "3 operations, 4 cases")):
        result = run("vectors", "run", "--impl", shlex.join([sys.executable, "-c", code, offered]), file)
        assert f"not offered: {told}" in result.output.splitlines()
        table = result.output.partition("not offered")[0]
        assert ("canonical_json" in table, "redact" in table) == (bool(offered), False)


def test_disputed_cases_run_last_within_their_operation(tmp_path: Path) -> None:
    outcomes = [{"outcome": {"canonical": text}, "reason": "Why"} for text in "23"]
    redact: dict[str, Any] = {"operation": "redact", "input": {"event": {}}, "expected": {"event": {}}}
    file = write(tmp_path / "v.json", case("a", expected=outcomes), case("b"), case("c", **redact))
    names = [entry["name"] for entry in json.loads(run("vectors", "run", "--json", file).stdout)["cases"]]
    assert names == ["b", "a", "c"]


def test_a_heading_stays_one_line_where_there_is_no_terminal(tmp_path: Path) -> None:
    name = "long." * 20 + "v11"
    result = run("vectors", "run", write(tmp_path / "v.json", case(name)))
    assert f"FAILED {name}: canonical_json, room version 11" in result.output.splitlines()


def test_junit_and_tap_say_how_an_output_differs(tmp_path: Path) -> None:
    junit, tap = tmp_path / "junit.xml", tmp_path / "run.tap"
    expected = {"event": {"b": 1, "a": {"d": 1, "c": 2}}}
    redact: dict[str, Any] = {"operation": "redact", "input": {"event": {"a": 1}}, "expected": expected}
    run("vectors", "run", "--junit", junit, "--tap", tap, write(tmp_path / "v.json", case("a", **redact)))
    assert "event.b: missing, expected 1" in junit.read_text()
    lines = tap.read_text().splitlines()
    assert '  expected: {"event": {"a": {"c": 2, "d": 1}, "b": 1}}' in lines
    (line,) = [line for line in lines if line.startswith("  differences: ")]
    assert "event.b: missing, expected 1" in json.loads(line.partition(": ")[2])


def test_cases_are_listed_by_the_rule_that_decides_them() -> None:
    listed = run("vectors", "list", "--rule", "4.3.6", "--rule", "4.3.7", "--room-version", "11")
    wanted = {c.name for c in load_suite() if c.room_version == "11" and c.rule in ("4.3.6", "4.3.7")}
    assert {line.split()[0] for line in listed.stdout.splitlines()} == wanted
    assert len(wanted) > 10
    assert {line.split()[-1] for line in listed.stdout.splitlines()} == {"4.3.6", "4.3.7"}
    nothing = run("vectors", "list", "--rule", "99")
    assert (nothing.exit_code, "no case is decided by this rule" in nothing.stderr) == (2, True)


def test_an_operation_that_is_required_must_be_offered(tmp_path: Path) -> None:
    other: dict[str, Any] = {"operation": "event_id", "input": {"event": {}}, "expected": {"event_id": "x"}}
    file = write(tmp_path / "v.json", case("a", expected={"canonical": "1"}), case("b", **other))
    program = tmp_path / "program.py"
    program.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    offered = asked['operation'] == 'canonical_json'\n"
        "    answer = {'output': {'canonical': '1'}} if offered else {'unsupported': True}\n"
        "    print(json.dumps({'id': asked['id'], **answer}), flush=True)\n"
    )
    options = ("--impl", shlex.join([sys.executable, str(program)]), file)
    assert run("vectors", "run", *options).exit_code == 0
    assert run("vectors", "run", "--require", "canonical_json", *options).exit_code == 0
    done = run("vectors", "run", "--require", "canonical_json", "--require", "event_id", *options)
    assert (done.exit_code, "event_id is required, and 1 case is unsupported" in done.stdout) == (1, True)


def test_escapes_that_only_the_terminal_needs_are_named() -> None:
    shown = run("vectors", "show", "content_hash.wide.v1").stdout
    assert "SHA-256 of 574 bytes (2 characters are shown as escapes): " in shown
    assert '"\\u2028","\\u007f"' in shown


def test_an_operation_that_others_rest_on_is_named_first(tmp_path: Path) -> None:
    other: dict[str, Any] = {"operation": "content_hash", "input": {"event": {}}, "expected": {"sha256": "x"}}
    file = write(tmp_path / "v.json", case("a"), case("b", **other))
    said = "content_hash rest on canonical_json, which fails too: look there first\n"
    assert said in run("vectors", "run", file).stdout
    assert said not in run("vectors", "run", "--operation", "content_hash", file).stdout


def test_an_output_that_is_not_wrapped_is_named(tmp_path: Path) -> None:
    event = {"type": "x", "sender": "y"}
    expected: dict[str, Any] = {
        "operation": "redact",
        "input": {"event": event},
        "expected": {"event": event},
    }
    file = write(tmp_path / "v.json", case("a", **expected))
    program = "import json, sys; a = json.loads(sys.stdin.readline());"
    program += " print(json.dumps({'id': a['id'], 'output': {'type': 'x'}}), flush=True)"
    done = run("vectors", "run", "--impl", shlex.join([sys.executable, "-c", program]), "--diff", file)
    assert "the output must be wrapped in event" in " ".join(done.stdout.split())


def test_a_report_says_who_else_fails_a_case(tmp_path: Path) -> None:
    entry = {"name": "a", "operation": "redact", "room_version": "11", "outcome": "failed"}
    files = []
    for name in ("one", "two", "three"):
        cases = [entry] if name != "three" else [{**entry, "outcome": "passed"}]
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(
            json.dumps({"format": "roomver-results/1", "implementation": name, "cases": cases})
        )
    page = tmp_path / "page.html"
    done = run("vectors", "report", *files, "--html", page)
    assert done.exit_code == 0
    assert page.read_text().count('<span class="dim">two fails it too</span>') == 1
    assert run("vectors", "report", *files).stdout.count("; one fails it too\n") == 1
