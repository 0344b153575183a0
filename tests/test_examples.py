"""The example in JavaScript passes the operations that it implements, so the suite does not assume Python."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import run

MAIN = Path(__file__).parents[1] / "vectors" / "examples" / "javascript" / "main.js"
OPERATIONS = {"canonical_json", "content_hash", "event_id", "redact"}


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_the_example_passes_its_operations() -> None:
    chosen = [word for operation in sorted(OPERATIONS) for word in ("--operation", operation)]
    done = run("vectors", "run", "--json", "--impl", f"node {MAIN}", *chosen)
    results = json.loads(done.stdout)
    failed = [case for case in results["cases"] if case["outcome"] != "passed"]
    assert failed == []
    assert results["operations"].keys() == OPERATIONS
    assert results["passed"] > 1000
    assert done.exit_code == 0


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_other_operations_are_unsupported() -> None:
    done = run("vectors", "run", "--json", "--impl", f"node {MAIN}", "--operation", "resolve")
    assert {case["outcome"] for case in json.loads(done.stdout)["cases"]} == {"unsupported"}
    assert done.exit_code == 1
