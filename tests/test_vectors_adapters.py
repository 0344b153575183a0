"""The adapters: one command builds them, another runs them, and the results name their versions."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vectors.generate import adapters

FOLDER = Path(__file__).parents[1] / "vectors" / "adapters"
NAMES = ("synapse", "ruma", "gomatrixserverlib", "mautrix-go", "rezzy")


def pinned(name: str) -> str:
    """Return the version that an adapter is built with."""
    file, pattern = {
        "synapse": ("requirements.txt", r"matrix-synapse==(\S+)"),
        "ruma": ("Cargo.toml", r'ruma-state-res = "=(.+)"'),
        "gomatrixserverlib": ("go.mod", r"gomatrixserverlib v0\.0\.0-(\d{8})"),
        "mautrix-go": ("go.mod", r"maunium\.net/go/mautrix v(\S+)"),
        "rezzy": ("Cargo.toml", r'rezzy = \{ version = "=([^"]+)"'),
    }[name]
    found = re.search(pattern, (FOLDER / name / file).read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def test_the_table_has_each_folder() -> None:
    assert tuple(adapters.table()) == NAMES
    assert {one.parent.name for one in FOLDER.glob("*/README.md")} == set(NAMES)
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"[`{name}`]({name})" in page for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_results_name_the_version_that_is_built(name: str) -> None:
    program, _, version = adapters.table()[name]["implementation"].partition(" ")
    assert version.replace("-", "") == pinned(name)
    assert program.endswith(name) or program == "ruma-state-res"
    results = FOLDER.parent / "results"
    answers = json.loads((results / "answers.json").read_text(encoding="utf-8"))
    assert f"{program} {version}" in answers["implementations"]
    page = (results / "README.md").read_text(encoding="utf-8")
    assert version in page
    assert f"on\n{answers['date']}:\n" in page


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_has_the_commands_of_the_table(name: str) -> None:
    page = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    row = adapters.table()[name]
    for command in row["build"]:
        written = shlex.join(command).removeprefix("env ").replace(" --locked", "")
        assert written in page
    impl = shlex.join(row["command"])
    assert f"--impl {impl}\n" in page or f'--impl "{impl}"\n' in page


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand in for the adapters and the suite with one case."""
    case = {
        "name": "redact.x.v11",
        "operation": "redact",
        "room_version": "11",
        "input": {"event": {"type": "x", "content": {"a": 1}}},
        "expected": {"event": {"type": "x", "content": {}}},
    }
    document = {"format": "roomver-vectors/2", "title": "One case", "cases": [case]}
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "one.json").write_text(json.dumps(document), encoding="utf-8")
    ours = [sys.executable, "-m", "roomver", "vectors", "serve"]
    table = {
        "good": {"implementation": "good 1", "build": [["true"]], "command": ours},
        "bad": {"implementation": "bad 2", "build": [["false"], ["true"]], "command": ["/no/such/program"]},
    }
    monkeypatch.setattr(adapters, "VECTORS", suite)
    monkeypatch.setattr(adapters, "table", lambda: table)
    return table


@pytest.mark.skipif(os.name != "posix", reason="the programs are true and false")
def test_a_program_that_is_not_built_is_named(
    programs: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert adapters.main(["build", "good"]) == 0
    assert adapters.main(["build"]) == 1
    captured = capfd.readouterr()
    assert captured.out.splitlines() == ["good: true", "good: true", "bad: false"]
    assert captured.err.splitlines()[-1] == "failed: bad"
    assert adapters.main(["run", "--results", str(tmp_path / "results")]) == 1
    captured = capfd.readouterr()
    assert captured.out.splitlines() == ["good 1: 1 passed, 0 failed, 0 unsupported"]
    assert captured.err.splitlines() == [
        "bad: not built; run vectors/adapters/build bad",
        "failed: bad",
    ]
    kept = json.loads((tmp_path / "results" / "good.json").read_text(encoding="utf-8"))
    assert [one["outcome"] for one in kept["cases"]] == ["passed"]


def test_an_unknown_name_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        adapters.main(["build", "ruma", "nobody"])
    assert "no adapter is called nobody; there are synapse, ruma, " in capfd.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="a script for a shell")
@pytest.mark.parametrize("script", ["build", "run"])
def test_the_scripts_start_from_any_folder(script: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(
        [FOLDER / script, "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in NAMES)
