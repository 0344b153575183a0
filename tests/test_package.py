"""The metadata of the package, and what files and messages say about installing it."""

import re
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
GROUPS: dict[str, list[Any]] = PROJECT["dependency-groups"]
CLASSIFIERS: list[str] = PROJECT["project"]["classifiers"]

FOLDERS = (".ci", ".github", "benchmarks", "docs", "src", "tests", "vectors")
SUFFIXES = frozenset({"", ".cff", ".css", ".html", ".js", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"})
# Beside the project's own files: what builds and test runs leave.
LEFT = frozenset({"venv", "target", "node_modules", "__pycache__", "site", "_build"})


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file of the project that may tell how to install something."""
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in files:
        name = path.relative_to(ROOT)
        left = any(part in LEFT or part.startswith(".venv") for part in name.parts)
        if path.suffix in SUFFIXES and not left and path != Path(__file__):
            try:
                yield name.as_posix(), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


TEXTS = dict(texts())

# What stands before the names of packages. A line that says not to install something is a warning.
_INSTALL = re.compile(
    r"(?<!not )(?<!not\*\* )"
    r"\b(?:pipx (?:install|run)|uv (?:pip install|add|tool (?:install|run))|uvx|install)[\"']?\s+([^\n]*)"
)
_OWN = re.compile(r"roomver(?:\[[\w, -]*\])?(?:[=<>~!].*)?")
# A plain word after which a line is a sentence, not a command.
_PROSE = frozenset(
    ["a", "as", "at", "by", "for", "from", "in", "it", "of", "on", "or", "the", "to", "with", "#"]
)


def taken_from_an_index(text: str) -> list[str]:
    """Return the lines of a text that would take a package named roomver from an index.

    ``roomver @ ADDRESS`` takes it from that address.
    """
    found = []
    for line in text.splitlines():
        if re.search(r"\broomver\[[a-z][\w, -]*\](?! @ )", line):
            found.append(line)
            continue
        for match in _INSTALL.finditer(line):
            words = match[1].replace(" @ ", "@").split()
            words = [*takewhile(lambda word: word not in _PROSE, words)]
            if any(_OWN.fullmatch(word.strip("\"'`,;:)(.")) for word in words):
                found.append(line)
                break
    return found


@pytest.mark.parametrize(
    "line",
    [
        "pip install roomver",
        "python -m pip install -q 'roomver[cli]'",
        "the command line needs click: install roomver[cli]",
        "run `pipx install roomver`, then",
        "uv add roomver>=0.2",
        "uvx roomver check",
        "needs psycopg, the extra roomver[postgres]",
        "pip install pytest roomver==0.2.0",
    ],
)
def test_taking_the_package_from_an_index_is_seen(line: str) -> None:
    assert taken_from_an_index(f"before\n{line}\nafter") == [line]


@pytest.mark.parametrize(
    "line",
    [
        "run pip install '.[zstd]' in the checkout of roomver",
        'pip install "roomver[cli] @ git+https://git.example.org/roomver.git@$COMMIT"',
        "pip install --group peer",
        "do not install `roomver` by its name alone",
        "pip install 'psycopg[binary]'",
        "installed roomver",
    ],
)
def test_other_ways_are_let_pass(line: str) -> None:
    assert taken_from_an_index(line) == []


def test_nothing_advises_to_install_a_name_that_the_project_does_not_own() -> None:
    advice = {name: taken_from_an_index(text) for name, text in TEXTS.items() if name != "pyproject.toml"}
    assert len(advice) > 500
    assert {name: lines for name, lines in advice.items() if lines} == {}


def group(name: str) -> Iterator[Requirement]:
    """Yield the requirements of a dependency group."""
    for one in GROUPS[name]:
        if isinstance(one, str):
            yield Requirement(one)
        else:
            yield from group(one["include-group"])


def test_extras_are_for_users_and_groups_for_development() -> None:
    assert sorted(EXTRAS) == ["cli", "cluster", "fast", "parquet", "postgres", "report", "zstd"]
    assert {"test", "lint", "docs", "peer", "bench", "browser", "example", "fuzz", "release", "dev"} == {
        *GROUPS
    }
    of_dev = {one.name for one in group("dev")}
    assert of_dev >= {one.name for name in ("test", "lint", "example") for one in group(name)}


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_does_not_name_the_package(name: str) -> None:
    """Without the checkout in the same command, pip would take it from an index."""
    assert "roomver" not in {one.name.lower() for one in group(name)}


@pytest.mark.parametrize("name", EXTRAS)
def test_an_extra_names_existing_extras_of_the_package(name: str) -> None:
    own = [Requirement(one) for one in EXTRAS[name] if Requirement(one).name == "roomver"]
    assert {extra for one in own for extra in one.extras} <= {*EXTRAS}


def test_extras_and_groups_that_are_named_exist() -> None:
    named_extras, named_groups = set(), set()
    for text in TEXTS.values():
        for names in re.findall(r"[\s'\"=]\.\[([\w,]+)\]['\"]", text):
            named_extras |= {*names.split(",")}
        named_groups |= {*re.findall(r"--group[ =]([a-z]+)", text)}
    assert named_extras >= {"cli", "postgres", "report", "zstd"}
    assert named_extras <= {*EXTRAS}
    assert named_groups >= {"test", "dev", "peer"}
    assert named_groups <= {*GROUPS}


def test_a_new_environment_gets_a_pip_that_knows_groups() -> None:
    """The pip that comes with Python 3.11 to 3.13.3 is older than 25.1."""
    made = re.compile(r"(\S+) -m venv( --upgrade-deps)?\b.*--group")
    found = [match for text in TEXTS.values() for match in made.finditer(text)]
    assert found
    assert [match[0] for match in found if not match[2]] == []


def test_the_classifiers_name_each_python_from_the_oldest_on() -> None:
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    minors = [int(one.rpartition(".")[2]) for one in CLASSIFIERS if re.search(r":: 3\.\d+$", one)]
    assert minors == [*range(11, minors[-1] + 1)]


def test_no_address_is_made_up() -> None:
    addresses = PROJECT["project"]["urls"].values()
    assert all(one.startswith("https://") for one in addresses)
    assert [one for one in addresses if re.search(r"example|invalid|localhost|\.test\b", one)] == []
