"""The report of results."""

import json
from typing import Any

import pytest
from command_line import Write, run, write_into


@pytest.fixture
def write(tmp_path: Any) -> Write:
    return write_into(tmp_path)


def results(**changes: Any) -> dict[str, Any]:
    failed = {
        "name": "redact.<b>.v11",
        "operation": "redact",
        "room_version": "11",
        "outcome": "failed",
        "expected": {"event": "<script>"},
        "got": None,
        "reason": "died with exit code 1",
    }
    counts = {"passed": 2, "failed": 1, "unsupported": 0}
    return {
        "format": "roomver-results/1",
        "implementation": "an <implementation>",
        **counts,
        "operations": {"redact": {"11": counts}, "resolve": {"1": {**counts, "passed": 0, "failed": 0}}},
        "cases": [failed],
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


@pytest.mark.parametrize(
    "content",
    ["{", [], {"format": "roomver-vectors/1"}, results(cases=3), results(cases=[{"name": 1}])],
    ids=["no JSON", "empty", "vectors", "no cases", "a case without its keys"],
)
def test_what_is_no_results_is_named(write: Write, content: Any) -> None:
    done = run("vectors", "report", write("bad.json", json.dumps(content) if content != "{" else "{"))
    assert done.exit_code == 2
    assert "bad.json: " in done.stderr


def test_what_run_prints_can_be_reported_under_a_name(write: Write) -> None:
    printed = run("vectors", "run", "--json", "--name", "my own", "--operation", "sign_json")
    done = run("vectors", "report", write("own.json", printed.stdout))
    assert done.exit_code == 0
    assert "## my own" in done.stdout.splitlines()
