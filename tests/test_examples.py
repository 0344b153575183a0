"""The examples in other languages pass the operations that they offer: the suite does not assume Python."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from command_line import run

from roomver.cli.vectors.implementation import to_line
from roomver.readers.suite import load_suite

EXAMPLES = Path(__file__).parents[1] / "vectors" / "examples"
OPERATIONS = {"canonical_json", "content_hash", "event_id", "redact"}

# A test builds what it runs, elsewhere: the folders hold sources alone.
LANGUAGES = (
    "javascript",
    pytest.param("go", marks=pytest.mark.slow),
    pytest.param("rust", marks=pytest.mark.slow),
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("built")


def command_of(language: str, built: Path) -> str:
    """Build an example, unless that was done, and return the command that starts it."""
    program = {"javascript": "node", "go": "go", "rust": "cargo"}[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    match language:
        case "go":
            target = built / "go-adapter"
            if not target.exists():
                subprocess.run(["go", "build", "-C", EXAMPLES / "go", "-o", target, "."], check=True)
            return str(target)
        case "rust":
            target = built / "release" / "adapter"
            if not target.exists():
                manifest = ["--locked", "--manifest-path", str(EXAMPLES / "rust" / "Cargo.toml")]
                fetched = subprocess.run(["cargo", "fetch", *manifest], capture_output=True, check=False)
                if fetched.returncode:
                    pytest.skip(f"cargo cannot fetch the crates: {fetched.stderr.decode()[-200:]}")
                subprocess.run(
                    ["cargo", "build", "--release", *manifest],
                    check=True,
                    env={**os.environ, "CARGO_TARGET_DIR": str(built)},
                )
            return str(target)
    return f"node {EXAMPLES / 'javascript' / 'main.js'}"


@cache
def requests() -> list[bytes]:
    cases = [case for case in load_suite() if case.operation in OPERATIONS][::10]
    return [
        to_line({"id": number, "operation": c.operation, "room_version": c.room_version, "input": c.input})
        for number, c in enumerate(cases)
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_passes_its_operations(language: str, built: Path) -> None:
    chosen = [word for operation in sorted(OPERATIONS) for word in ("--operation", operation)]
    done = run("vectors", "run", "--json", "--impl", command_of(language, built), *chosen)
    results = json.loads(done.stdout)
    failed = [case for case in results["cases"] if case["outcome"] != "passed"]
    assert failed == []
    assert results["operations"].keys() == OPERATIONS
    assert results["passed"] > 1000
    assert done.exit_code == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_operations_are_unsupported(language: str, built: Path) -> None:
    options = ("--operation", "resolve", "--room-version", "11")
    done = run("vectors", "run", "--json", "--impl", command_of(language, built), *options)
    assert {case["outcome"] for case in json.loads(done.stdout)["cases"]} == {"unsupported"}
    assert done.exit_code == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_of_one_mebibyte_and_pipelined_requests_are_answered(language: str, built: Path) -> None:
    long = {
        "id": -1,
        "operation": "canonical_json",
        "room_version": "11",
        "input": {"json": f'"{"x" * 2**20}"'},
    }
    lines = [*requests(), to_line(long), b"\n"]  # type: ignore[arg-type] # JSON
    done = subprocess.run(
        command_of(language, built).split(),
        input=b"".join(lines),
        capture_output=True,
        check=True,
        timeout=60,
    )
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert answers.keys() == {-1, *range(len(requests()))}
    assert len(answers[-1]["output"]["canonical"]) == 2**20 + 2


@pytest.mark.parametrize("language", ["javascript", "go", "rust"])
def test_the_example_says_how_it_is_run(language: str) -> None:
    text = (EXAMPLES / language / "README.md").read_text(encoding="utf-8")
    assert "roomver vectors run --impl" in text
