"""The examples in other languages pass the operations that they offer: the suite does not assume Python."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from command_line import run

from roomver.cli.vectors.implementation import to_line
from roomver.readers.suite import load_suite
from roomver.types import JsonObject

if sys.platform != "win32":
    import fcntl

EXAMPLES = Path(__file__).parents[1] / "vectors" / "examples"
OPERATIONS = {"canonical_json", "content_hash", "event_id", "redact"}

# A test builds what it runs, elsewhere: the folders hold sources alone.
LANGUAGES = (
    "javascript",
    pytest.param("go", marks=pytest.mark.slow),
    pytest.param("rust", marks=pytest.mark.slow),
)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is built, which the processes of pytest-xdist share: each example is built once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built-examples"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process builds in a folder."""
    with (folder / "lock").open("w") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        yield


def build(*steps: Sequence[str], target: Path) -> None:
    """Run commands that make a program, unless that was done.

    One that fails, fails the test in a CI. Elsewhere it skips it: it may lack the network, or a compiler that
    is recent enough.
    """
    with alone(target.parent):
        if target.exists():
            return
        made = target.parent / f"making-{target.name}"
        for step in steps:
            environment = {**os.environ, "CARGO_TARGET_DIR": str(made)}
            done = subprocess.run(step, capture_output=True, check=False, env=environment)
            if done.returncode:
                told = f"{' '.join(step)}: {done.stderr.decode(errors='replace')[-2000:]}"
                if "CI" in os.environ:
                    pytest.fail(told)
                pytest.skip(told)
        (made / "release" / "adapter" if made.is_dir() else made).replace(target)


def command_of(language: str, built: Path) -> str:
    """Build an example, unless that was done, and return the command that starts it."""
    program = {"javascript": "node", "go": "go", "rust": "cargo"}[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    target = built / f"{language}-adapter"
    match language:
        case "go":
            made = built / f"making-{target.name}"
            build(["go", "build", "-C", str(EXAMPLES / "go"), "-o", str(made), "."], target=target)
        case "rust":
            manifest = ["--locked", "--manifest-path", str(EXAMPLES / "rust" / "Cargo.toml")]
            build(["cargo", "fetch", *manifest], ["cargo", "build", "--release", *manifest], target=target)
        case _:
            return f"node {EXAMPLES / 'javascript' / 'main.js'}"
    return str(target)


@pytest.mark.skipif(os.name != "posix", reason="a program is a script with a shebang")
@pytest.mark.parametrize(("language", "program"), [("go", "go"), ("rust", "cargo")])
def test_a_ci_that_can_build_an_example_does(
    language: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / program
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.skip.Exception, match=f"{program} is not installed"):
        command_of(language, tmp_path)
    tool.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    tool.chmod(0o755)
    with pytest.raises(pytest.fail.Exception, match="no network"):
        command_of(language, tmp_path)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no network"):
        command_of(language, tmp_path)


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


@pytest.mark.slow
def test_a_panic_in_go_is_an_error_with_its_text(built: Path, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    for name in ("main.go", "events.go", "go.mod"):
        (tmp_path / name).write_bytes((EXAMPLES / "go" / name).read_bytes())
    main = (tmp_path / "main.go").read_text()
    broken = main.replace('return object{"event": redacted}, err', 'panic("no such key")')
    assert broken != main
    (tmp_path / "main.go").write_text(broken.replace("redacted, err :=", "_, _ ="))
    request: JsonObject = {"id": 3, "operation": "redact", "room_version": "11", "input": {"event": {}}}
    done = subprocess.run(
        ["go", "run", "-C", str(tmp_path), "."], input=to_line(request), capture_output=True, check=False
    )
    assert json.loads(done.stdout) == {"id": 3, "error": "panic", "message": "no such key"}
    assert b"goroutine" in done.stderr
