"""The first corpus, the mutator and the trial of `fuzz.guided`, and a short run of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from roomver.suite.operations import OPERATIONS

from . import guided
from .mutations import varied
from .promises import Invalid, Target
from .runner import draw_case, failure_of
from .seeds import is_quick, one_of_each, seeds, write_seeds
from .specs import expand
from .targets import TARGETS

ROOT = Path(__file__).parents[2]


def test_the_targets_are_the_same() -> None:
    assert tuple(TARGETS) == guided.NAMES


def test_the_first_corpus_has_each_operation_of_the_suite() -> None:
    assert {*one_of_each()} == {*OPERATIONS}
    names = [case["name"] for cases in one_of_each().values() for case in cases]
    assert len(names) == len(set(names)) > 1000


@pytest.mark.parametrize("name", TARGETS)
def test_each_seed_is_a_case_that_breaks_nothing(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    number = write_seeds(target, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert number == len(files) >= 100
    assert [json.loads(file.read_bytes()) for file in files] == [*seeds(target)]
    chosen = Random(name).sample(files, 15)
    for file in chosen:
        case = guided.read_case(file.read_bytes())
        assert case is not None
        try:
            target.run(expand(case))
        except Invalid:  # pragma: no cover - it fails the test
            pytest.fail(f"{file.name} is not a case")
        assert failure_of(target, case) is None


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_mutator_makes_is_mostly_a_case(name: str) -> None:
    target = TARGETS[name]
    mutate = guided.mutator(target, lambda data, longest: (data + b"x")[:longest])
    data = json.dumps(draw_case(target, "mutator", 0)).encode()
    cases = 0
    for seed in range(60):
        made = mutate(data, 500_000, seed)
        assert mutate(data, 500_000, seed) == made, "it depends on the seed alone"
        cases += (case := guided.read_case(made)) is not None
        if case is not None:
            data = made
    assert cases > 40
    assert len(mutate(data, 10, 1)) <= 10


def test_a_varied_case_leaves_the_first_one_as_it_is() -> None:
    for name, target in TARGETS.items():
        case, drawn = draw_case(target, "a", 1), draw_case(target, "a", 2)
        before = json.dumps(case)
        made = {json.dumps(varied(Random(f"{name}{seed}"), case, drawn)) for seed in range(30)}
        assert json.dumps(case) == before
        assert len(made) > 15


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[1]", b"null", b'{"$repeat": {}}', b'{"a":' * 5000, b"[" * 50_000]
)
def test_an_input_that_is_not_a_case_is_passed_over(data: bytes) -> None:
    assert guided.read_case(data) is None


def test_an_input_that_is_too_large_is_passed_over() -> None:
    assert is_quick({"a": {"$repeat": [1000, "x"]}})
    assert guided.read_case(b'{"a": {"$repeat": [100000, "x"]}}') is None


def test_a_failure_is_written_down_once_with_what_repeats_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(value: Any) -> None:
        if value.get("a") == 7:
            raise RuntimeError("seven")

    one = guided.trial(Target("broken", lambda rng: {}, run), tmp_path / "failures")
    for data in (b'{"a": 1}', b"not JSON", b'{"a": 7, "b": 1}', b'{"a": 7}'):
        one(data)
    (line,) = (tmp_path / "failures").read_text().splitlines()
    assert line == 'RuntimeError in test_guided.py:run\t{"a": 7, "b": 1}'
    said = capsys.readouterr().out
    assert """small: python -m tests.fuzz --only broken --replay '{"a": 7}'""" in said
    assert "seven" in said


@pytest.mark.slow
def test_a_short_run(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris, of the group `fuzz`, is not installed")
    command = [sys.executable, "-m", "tests.fuzz.guided", "--seconds", "3", "--corpus", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *filter(None, sys.path)])}
    done = subprocess.run(
        [*command, "--only", "text", "--only", "stores"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("nothing broke\n")
    assert [*(tmp_path / "text").iterdir()], "inputs that reach new code are kept"
