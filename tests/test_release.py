"""What a release is made of: the check before it, the citation file, the workflows and the nox sessions."""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from release import ROOT, problems, version_of

from roomver import __version__

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SOURCE = "https://git.nowhere/roomver"  # it stands for an address that is real
GOOD = {
    "src/roomver/__init__.py": '__version__ = "1.2.3"\n',
    "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n"
    "## [1.2.3] - 2030-01-02\n\n- New\n\n## [1.2.2] - 2029-01-01\n\n- Old\n",
    "CITATION.cff": 'version: 1.2.3\ndate-released: "2030-01-02"\n',
    "pyproject.toml": "[project.urls]\n"
    + "".join(f'{name} = "{SOURCE}/{name}"\n' for name in ("Issues", "Changelog"))
    + f'Source = "{SOURCE}"\n',
    "SECURITY.md": f"Report at {SOURCE}.\n",
    "README.md": "Install it.\n",
    "docs/first/steps.md": "Begin.\n",
    "vectors/README.md": "Take them.\n",
    "vectors/adapters/README.md": "Run them.\n",
}
PAGES = [name for name in GOOD if name.endswith("E.md") or name.startswith("docs/")]


def project(folder: Path, **changed: str) -> Path:
    for name, text in {**GOOD, **{name.replace("__", "/"): text for name, text in changed.items()}}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_a_project_that_is_ready_has_no_problems(tmp_path: Path) -> None:
    assert list(problems(project(tmp_path), "v1.2.3")) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("src/roomver/__init__.py", "1.2.3", "1.2.4", "the tag is v1.2.3, the version is 1.2.4"),
        ("CHANGELOG.md", "## [1.2.3] - 2030-01-02", "## [1.2.3]", "no dated section for 1.2.3"),
        ("CHANGELOG.md", "- New", "", "no dated section for 1.2.3"),
        ("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- Later\n", "entries under Unreleased"),
        ("CITATION.cff", "1.2.3", "1.2.2", "CITATION.cff has version 1.2.2"),
        ("CITATION.cff", "2030-01-02", "2030-01-03", "CHANGELOG.md says 2030-01-02"),
        ("pyproject.toml", "Source", "Home", "no address for Source"),
        ("pyproject.toml", f'Issues = "{SOURCE}', 'Issues = "https://git.example.org', "Issues is nobody's"),
        ("SECURITY.md", SOURCE, "home", "SECURITY.md does not say"),
        *(
            (page, GOOD[page], "It is not on a\npackage index yet.", f"{page} says: not on a")
            for page in PAGES
        ),
    ],
)
def test_each_problem_is_told(name: str, old: str, new: str, told: str, tmp_path: Path) -> None:
    root = project(tmp_path)
    assert old in GOOD[name]
    (root / name).write_text(GOOD[name].replace(old, new), encoding="utf-8")
    found = list(problems(root, "v1.2.3"))
    assert any(told in problem for problem in found), found


def test_this_checkout_is_read() -> None:
    assert version_of(ROOT) == __version__
    pages = ("README.md", "docs/index.md", "docs/library.md", "vectors/README.md")
    known = ("CHANGELOG.md", "pyproject.toml has no address", *(f"{page} says" for page in pages))
    assert [one for one in problems(ROOT) if not one.startswith(known)] == []


def test_the_citation_names_no_person_and_this_package() -> None:
    """`nox -s citation` validates the file against the schema of the format."""
    cited: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert (cited["cff-version"], cited["title"], cited["license"]) == ("1.2.0", "roomver", "Apache-2.0")
    assert cited["version"] == __version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", cited["date-released"])
    assert [author.keys() for author in cited["authors"]] == [{"name"}]


def steps(workflow: Path) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the name of each job of a workflow, the job, and each of its steps."""
    for name, job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].items():
        for step in job["steps"]:
            yield name, job, step


def test_there_are_two_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_permission_that_a_job_does_not_ask_for(workflow: Path) -> None:
    whole = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert whole["permissions"] == {}
    assert all(job["timeout-minutes"] for job in whole["jobs"].values())
    for _, job, step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
            assert job["permissions"] == {"contents": "read"}, "the repository's code gets nothing else"


def test_each_action_is_pinned_to_one_commit_with_its_version() -> None:
    uses = [
        line.split("uses: ")[1]
        for path in WORKFLOWS
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses: " in line
    ]
    assert len(uses) > 10
    assert [
        one for one in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)
    ] == []
    pins = {one.partition("@")[0]: one for one in uses}
    assert {*uses} == {*pins.values()}, "one commit for each action"


def test_ci_runs_on_each_python_that_the_classifiers_name() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)
    whole = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert whole["jobs"]["tests"]["strategy"]["matrix"]["python"] == named
    assert any(step.get("run") == ".ci/run" for _, _, step in steps(WORKFLOWS[0]))


def test_what_publishes_runs_nothing_of_the_repository() -> None:
    with_id = {name for name, job, _ in steps(WORKFLOWS[1]) if "id-token" in job["permissions"]}
    assert with_id == {"attest", "publish"}
    for name, _, step in steps(WORKFLOWS[1]):
        if name in with_id:
            assert "run" not in step
            assert "checkout" not in step["uses"]
    assert "secrets." not in WORKFLOWS[1].read_text(encoding="utf-8")


def test_a_release_is_checked_before_it_is_built_and_attested_before_it_is_published() -> None:
    runs = [step.get("run", "") for name, _, step in steps(WORKFLOWS[1]) if name == "build"]
    checked = next(n for n, run in enumerate(runs) if run.startswith("python -m tests.release"))
    built = next(n for n, run in enumerate(runs) if run.startswith("python -m build"))
    assert checked < built
    jobs = yaml.safe_load(WORKFLOWS[1].read_text(encoding="utf-8"))["jobs"]
    assert jobs["attest"]["needs"] == "build"
    assert jobs["publish"]["needs"] == ["build", "attest"]
    (publish,) = [step for _, _, step in steps(WORKFLOWS[1]) if "pypi-publish" in step.get("uses", "")]
    assert publish["with"]["attestations"] is True


def test_the_workflows_have_no_weak_spots() -> None:
    zizmor = shutil.which("zizmor", path=str(Path(sys.executable).parent)) or shutil.which("zizmor")
    if zizmor is None:
        pytest.skip("zizmor, of the group `lint`, is not installed")
    command = [zizmor, "--offline", "--pedantic", "--format", "json", str(ROOT / ".github" / "workflows")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [one["ident"] for one in json.loads(done.stdout)] == []


def test_the_nox_sessions_run_on_the_pythons_of_the_classifiers() -> None:
    path = ROOT / "noxfile.py"
    ast.parse(path.read_text(encoding="utf-8"))
    pytest.importorskip("nox", reason="nox, of the group `dev`, is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "nox", "-f", str(path), "--list", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    sessions = {one["session"] for one in json.loads(done.stdout)}
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)
    assert {f"tests-{python}" for python in named} <= sessions
