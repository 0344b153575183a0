"""The report of results."""

import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from command_line import Write, run, write_into

SUITE = Path(__file__).parents[1] / "vectors"


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
    two = results(implementation="another", cases=[])
    done = run("vectors", "report", write("one.json", results()), write("two.json", two))
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


def line(**changes: Any) -> dict[str, Any]:
    failure = {"name": "auth.v1.x", "operation": "auth", "room_version": "1", "expected": "1", "got": "2"}
    return {
        "name": "mine 1.0",
        "operations": {"auth": {"1": {"passed": 3, "failed": 1}, "org.example.x": {"unsupported": 2}}},
        "failures": [failure],
        **changes,
    }


def report(*lines: dict[str, Any]) -> dict[str, Any]:
    return {"report_format": "roomver-report/1", "implementations": list(lines)}


def test_an_implementation_adds_its_line_and_renews_it(write: Write, tmp_path: Any) -> None:
    kept = tmp_path / "report.json"
    first = write("first.json", results())
    assert run("vectors", "report", first, "--json", str(kept)).stdout == ""
    added = write("added.json", report(line(url="https://example.org/", date="2026-11-30", suite="2.0.0")))
    both = run("vectors", "report", str(kept), added, "--json", str(kept))
    assert both.exit_code == 0
    (one, two) = json.loads(kept.read_text(encoding="utf-8"))["implementations"]
    assert one["operations"] == {"redact": {"11": {"failed": 1, "passed": 2}}}
    assert one["failures"][0] | {"expected": ""} == {
        "name": "redact.<b>.v11",
        "operation": "redact",
        "room_version": "11",
        "expected": "",
        "got": "died with exit code 1",
    }
    assert two == line(url="https://example.org/", date="2026-11-30", suite="2.0.0")
    # Later results of the same name take the place of the line, where it was.
    renewed = write("renewed.json", results(cases=[]))
    run("vectors", "report", str(kept), renewed, "--json", str(kept))
    names = [one["name"] for one in json.loads(kept.read_text(encoding="utf-8"))["implementations"]]
    assert names == ["an <implementation>", "mine 1.0"]
    assert json.loads(kept.read_text(encoding="utf-8"))["implementations"][0]["operations"] == {}


def test_a_report_and_its_results_give_the_same_pages(write: Write, tmp_path: Any) -> None:
    kept = tmp_path / "report.json"
    first = write("first.json", results())
    run("vectors", "report", first, "--json", str(kept))
    pages = []
    for source in (first, str(kept)):
        page = tmp_path / "page.html"
        markdown = run("vectors", "report", source)
        assert run("vectors", "report", source, "--html", str(page)).exit_code == 0
        pages.append((markdown.stdout, page.read_text(encoding="utf-8")))
    assert pages[0] == pages[1]


def test_a_report_follows_its_schema(write: Write, tmp_path: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((SUITE / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    kept = tmp_path / "report.json"
    run("vectors", "report", write("one.json", results()), "--json", str(kept))
    assert validator.is_valid(json.loads(kept.read_text(encoding="utf-8")))
    assert validator.is_valid(report(line(), line(url="https://example.org/", date="2026-11-30")))
    for wrong in WRONG:
        assert not validator.is_valid(report(line(**wrong))), wrong
    # The report of this suite, if there is one, follows it too.
    own = SUITE / "results" / "report.json"
    assert not own.exists() or validator.is_valid(json.loads(own.read_text(encoding="utf-8")))


WRONG: tuple[dict[str, Any], ...] = (
    {"name": 1},
    {"url": "javascript:alert(1)"},
    {"url": 1},
    {"date": 1},
    {"operations": []},
    {"operations": {"auth": []}},
    {"operations": {"auth": {"1": {"passed": -1}}}},
    {"operations": {"auth": {"1": {"passed": 10**4000}}}},
    {"operations": {"auth": {"1": {"passed": 1.5}}}},
    {"operations": {"auth": {"1": {"flown": 1}}}},
    {"failures": {}},
    {"failures": [{"name": "x"}]},
    {"failures": [{**line()["failures"][0], "got": None}]},
)


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_line_is_an_error_that_names_the_place(write: Write, wrong: dict[str, Any]) -> None:
    done = run("vectors", "report", write("bad.json", report(line(), line(**wrong))))
    assert done.exit_code == 2
    assert "bad.json: implementations[1]" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"url": "javascript:alert(1)"}, "url must be an address"),
        (
            {"cases": [{"name": "x", "operation": "auth", "room_version": "1", "outcome": "flown"}]},
            "cases[0].outcome",
        ),
    ],
)
def test_wrong_results_are_an_error_that_names_the_place(
    write: Write, wrong: dict[str, Any], told: str
) -> None:
    results = {"format": "roomver-results/1", "implementation": "x", "cases": [], **wrong}
    done = run("vectors", "report", write("bad.json", results))
    assert done.exit_code == 2
    assert told in done.stderr


def test_other_room_versions_share_a_column(write: Write) -> None:
    done = run("vectors", "report", write("one.json", report(line())))
    (head,) = (line for line in done.stdout.splitlines() if line.startswith("| operation |"))
    assert head.startswith("| operation | v1 | v2 |")
    assert head.endswith("| v12 | other |")
    row = next(line for line in done.stdout.splitlines() if line.startswith("| `auth`"))
    assert [cell.strip() for cell in row.split("|")][1:-1] == ["`auth`", "3/4", *[""] * 11, "-"]


def test_a_report_in_html_has_links_to_the_implementation_and_to_its_failures(
    write: Write, tmp_path: Any
) -> None:
    page = tmp_path / "report.html"
    source = write("one.json", report(line(url="https://example.org/?a=1&b=2", operations=ODD)))
    assert run("vectors", "report", source, "--html", str(page)).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert '<a href="https://example.org/?a=1&amp;b=2">' in text
    assert '<a href="#i0">mine 1.0</a>' in text
    assert "<script" not in text
    assert '"><img src=x>' not in text
    # Nothing is loaded: every address is a link.
    assert not re.search(r'(?:src|srcset|action|data)="|url\(|@import', text)


ODD: dict[str, Any] = {'"><img src=x>': {"1": {"passed": 3, "failed": 1}}}


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
