"""Every command line and every Python example of the documentation runs in the tests.

Outputs in the documents are compared by `test_readme`, and Python examples run as doctests. Here each call of
`roomver` runs, and each other command line must be one that another test runs.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from command_line import run
from documented_calls import FENCE, calls, filled, make_folder, shell_lines
from test_readme import MANUAL, read

ROOT = Path(__file__).parents[1]
DOCUMENTS = (*MANUAL, "vectors/README.md", "vectors/FORMAT.md")

PARTS = {
    "roomver resolve --sets state.txt": "an option to add to a call, with its SOURCE",
    "roomver repair … --ids > state.txt": "an option to add to the call before it",
    "roomver COMMAND --help": "stands for every command",
    "roomver vectors report FILE...": "stands for a list of files",
}
"""Calls that are not whole, each with what it is."""

RELEASE = "tests/test_vectors_release.py"
CLUSTER = r"--scheduler (?:tcp:|local)"

HOMESERVER = "tests/embedding/homeserver/example.py"

ELSEWHERE = {
    r"python3 -m venv (?:--upgrade-deps )?\.venv(?:-test|-docs)? && ": (".ci/run", "run_readme_command"),
    r"pip install '\.\[": (".ci/run", 'pip" install'),
    r"pip install \"roomver\[cli\] @ git\+https://git\.example\.org/": (".ci/run", "git+file://"),
    r"psql ": ("tests/test_sources_postgres.py", 'find_program("psql")'),
    r"sqlite3 ": ("tests/test_sources_document.py", 'startswith("sqlite3 ")'),
    r"curl .*https://SERVER/": ("tests/test_fetching.py", '"curl "'),
    r"jq -r ": ("tests/test_fetching.py", '"jq "'),
    r"python -m homeserver ": (HOMESERVER, '"-m", "homeserver"'),
    r"curl .*localhost:800[89]/local/": (HOMESERVER, "/local/"),
    r"python -m pytest -m peer ": (".ci/run", "-m peer"),
    r"python -m tests\.embedding\.synapse ": (".ci/run", "-m tests.embedding.synapse"),
    r"python -m tests\.mutation": (".ci/run", "-m tests.mutation"),
    r"roomver .*" + CLUSTER: ("tests/all_rooms/test_cluster.py", "--scheduler"),
    r"roomver vectors run --impl \"\$ADAPTER\"": (RELEASE, "recipe"),
    r"(?:set -eu|VERSION=|SHA256=|URL=|COMMIT=|curl -fsSL|echo \"\$SHA256|tar xzf)": (RELEASE, "recipe"),
    r"(?:mkdir -p|cp \"roomver-vectors-\$VERSION\"|cargo add --dev)": (RELEASE, "copy_example"),
}
"""Command lines that run elsewhere, each with the file that runs them and the words there that do."""

NEVER = {
    r"\. \.venv/bin/activate": "changes the shell that the reader types into",
    r"federation_client\.py ": "a script in Synapse's repository, which its package does not have",
    r"dask scheduler |ssh node[12] dask worker ": "needs other machines",
    r"helm install |kubectl apply ": "needs a cluster of Kubernetes",
}
"""Command lines that nothing here can run, each with the reason. The document says so too."""


def described() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for call in calls(read(document)):
            elsewhere = any(re.match(pattern, call) for pattern in ELSEWHERE)
            if call not in PARTS and not elsewhere and "postgresql://" not in call:
                yield document, call


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    folder = tmp_path_factory.mktemp("documented")
    return folder, make_folder(folder)


@pytest.mark.parametrize(("document", "call"), list(described()))
def test_a_call_runs(
    document: str,
    call: str,
    prepared: tuple[Path, Mapping[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled_folder, known = prepared
    folder = tmp_path / "folder"
    shutil.copytree(filled_folder, folder, symlinks=True)
    monkeypatch.chdir(folder)
    words = filled(call, known, folder)
    if "./adapter" in words:
        words[words.index("./adapter")] = f"{sys.executable} -m roomver vectors serve"
        words += ["--operation", "redact"] * ("case.json" not in words)
    if words[0] in ("record", "shrink") or words[:2] == ["vectors", "capture"]:
        words.append("--force")
    result = run(*words)
    # 1 and 3 are answers too; 2 is a call that is wrong.
    assert result.exit_code in (0, 1, 3), (words, result.output)


def test_a_call_that_is_wrong_does_not_run(prepared: tuple[Path, Mapping[str, str]]) -> None:
    folder, known = prepared
    words = filled("roomver explain SOURCE '$eventid' --jsonn", known, folder)
    assert words == ["explain", "source.jsonl", known["$event"], "--jsonn"]
    assert run(*words).exit_code == 2


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_other_command_line_runs_somewhere(document: str) -> None:
    here = {call for one, call in described() if one == document}
    for line in shell_lines(read(document)):
        plain = line.removeprefix(".venv/bin/")
        known = [*ELSEWHERE, *NEVER]
        assert plain in here or "postgresql://" in line or any(re.match(one, line) for one in known), line


def test_every_place_is_used_and_exists() -> None:
    lines = [line for document in DOCUMENTS for line in shell_lines(read(document))]
    for pattern in (*ELSEWHERE, *NEVER):
        assert any(re.match(pattern, line) for line in lines), pattern
    for place, words in ELSEWHERE.values():
        assert words in read(place), (place, words)


@pytest.mark.parametrize("document", MANUAL)
def test_every_python_example_is_a_doctest(document: str) -> None:
    for _, language, code in FENCE.findall(read(document)):
        # The page on the homeserver quotes its source; a test of that compares them.
        quoted = document == "docs/homeserver.md" or code == read("docs/sqlite_store.py")
        assert language != "python" or code.lstrip().startswith(">>> ") or quoted
