"""The report of results."""

import json
import sys
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from command_line import Write, run, write_into


@pytest.fixture
def write(tmp_path: Any) -> Write:
    return write_into(tmp_path)


def results(**changes: Any) -> dict[str, Any]:
    case = {"operation": "redact", "room_version": "11"}
    failed = {
        **case,
        "name": "redact.<b>.v11",
        "outcome": "failed",
        "expected": {"event": "<script>"},
        "got": None,
        "reason": "died with exit code 1",
    }
    passed = [{**case, "name": f"redact.{name}.v11", "outcome": "passed"} for name in "xy"]
    return {
        "format": "roomver-results/1",
        "implementation": "an <implementation>",
        "cases": [failed, *passed],
        **changes,
    }


def test_a_report_in_markdown_has_a_table_and_the_failed_cases(write: Write) -> None:
    done = run("vectors", "report", write("one.json", results()), write("two.json", results(cases=[])))
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    row = next(line for line in lines if line.startswith("| `redact`"))
    assert [cell.strip() for cell in row.split("|")][-3:-1] == ["2/3", ""]
    assert "2 passed, 1 failed, 0 unsupported." in lines
    assert any(line.startswith("- `redact.<b>.v11`: ") and "died with exit code 1" in line for line in lines)
    assert sum("Failed:" in line for line in lines) == 1


def test_a_report_in_html_escapes_what_it_shows(write: Write, tmp_path: Any) -> None:
    page = tmp_path / "report.html"
    done = run("vectors", "report", write("one.json", results()), "--html", str(page))
    assert (done.exit_code, done.stdout) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert "an &lt;implementation&gt;" in text
    assert "<script>" not in text
    assert 'href="#0-redact"' in text
    assert 'id="0-redact"' in text


def test_failed_cases_are_linked_to_the_file_that_has_them(write: Write, tmp_path: Any) -> None:
    folder = tmp_path / "suite" / "base & more"
    folder.mkdir(parents=True)
    text = '{"cases": [\n {\n  "name": "redact.<b>.v11",\n  "operation": "redact"}]}'
    (folder / "redact.json").write_text(text, encoding="utf-8")
    # A broken file is skipped.
    (folder / "broken.json").write_bytes(b'{\n "name": "a\\q",\n "name": "\xff')
    out = tmp_path / "results"
    out.mkdir()
    given = ("vectors", "report", write("one.json", results()), "--cases", str(tmp_path / "suite"))
    done = run(*given, "--markdown", str(out / "report.md"), "--html", str(out / "report.html"))
    assert done.exit_code == 0
    address = "../suite/base%20%26%20more/redact.json#L3"
    assert f"- [`redact.<b>.v11`]({address}): " in (out / "report.md").read_text(encoding="utf-8")
    assert f'<a href="{address}"><code>redact.' in (out / "report.html").read_text(encoding="utf-8")
    # A case that is in no file is not linked.
    other = results()
    other["cases"][0]["name"] = "redact.other.v11"
    write("other.json", other)
    done = run("vectors", "report", str(tmp_path / "other.json"), "--cases", str(tmp_path / "suite"))
    assert "- `redact.other.v11`: " in done.stdout


@pytest.mark.parametrize(
    "content",
    ["{", [], {"format": "roomver-vectors/1"}, results(cases=3), results(cases=[{"name": 1}])],
    ids=["not JSON", "empty", "vectors", "no cases", "a case without its keys"],
)
def test_a_file_without_results_is_an_error(write: Write, content: Any) -> None:
    done = run("vectors", "report", write("bad.json", json.dumps(content) if content != "{" else "{"))
    assert done.exit_code == 2
    assert "bad.json: " in done.stderr


def test_a_lone_surrogate_in_an_answer_is_escaped(write: Write, tmp_path: Any) -> None:
    (case, *_) = results()["cases"]
    file = write("odd.json", results(cases=[{**case, "reason": "said \ud800"}]))
    page = tmp_path / "report.html"
    assert "said \\ud800" in run("vectors", "report", file).stdout
    assert run("vectors", "report", file, "--html", str(page)).exit_code == 0
    assert "said \\ud800" in page.read_text(encoding="utf-8")


def test_the_output_of_run_can_be_reported_under_a_name(write: Write) -> None:
    printed = run("vectors", "run", "--json", "--name", "my own", "--operation", "sign_json")
    done = run("vectors", "report", write("own.json", printed.stdout))
    assert done.exit_code == 0
    assert "## my own" in done.stdout.splitlines()


def test_junit_has_every_case(tmp_path: Any) -> None:
    target = tmp_path / "junit.xml"
    done = run("vectors", "run", "--operation", "sign_json", "--junit", str(target))
    assert done.exit_code == 0
    root = ET.fromstring(target.read_bytes())
    (suite,) = root.findall("testsuite")
    assert suite.get("name") == "sign_json"
    assert suite.get("tests") == str(len(suite.findall("testcase"))) != "0"
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "0")


def test_junit_has_failures_and_unsupported_cases(tmp_path: Any, write: Write) -> None:
    target = tmp_path / "junit.xml"
    program = write("program.py", PROGRAM)
    done = run(
        *("vectors", "run", "--impl", f"{sys.executable} {program}", "--operation", "sign_json"),
        *("--junit", str(target), "--jobs", "3", "--json"),
    )
    assert done.exit_code == 1
    names = [case["name"] for case in json.loads(done.stdout)["cases"]]
    (suite,) = ET.fromstring(target.read_bytes()).findall("testsuite")
    assert [case.get("name") for case in suite] == names
    failures = suite.findall("testcase/failure")
    skipped = suite.findall("testcase/skipped")
    assert failures
    assert skipped
    assert len(failures) + len(skipped) == len(names)
    assert all("\\ud800" in (failure.text or "") for failure in failures)


# Answers alternately with a wrong object and with "unsupported".
PROGRAM = """
import json, sys
for number, line in enumerate(sys.stdin):
    answer = {"unsupported": True} if number % 2 else {"output": {"object": "\\ud800 \\u0001"}}
    print(json.dumps({"id": json.loads(line)["id"], **answer}), flush=True)
"""


def test_several_processes_give_the_results_of_one() -> None:
    command = f"{sys.executable} -m roomver vectors serve"
    chosen = ("vectors", "run", "--json", "--operation", "redact", "--impl", command)
    one, three = run(*chosen), run(*chosen, "--jobs", "3")
    assert one.exit_code == 0
    assert three.stdout == one.stdout
