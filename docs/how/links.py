"""Links from the pages to the code and to the cases of the vectors."""

import ast
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from roomver.readers.archive import list_suite_files
from roomver.readers.suite import load_cases
from roomver.suite.document import is_vectors

ROOT: Final = Path(__file__).parents[2]


@cache
def case_folders() -> tuple[str, ...]:
    """Return the folders in `vectors/` whose JSON files are vector documents, sorted."""
    first: dict[str, Path] = {}
    for name, path in list_suite_files(ROOT / "vectors").items():
        folder, inside, _ = name.partition("/")
        if inside and path.suffix == ".json":
            first.setdefault(folder, path)
    return tuple(folder for folder, path in first.items() if is_vectors(json.loads(path.read_bytes())))


@cache
def case_files() -> Mapping[str, str]:
    """Return the file of each case of the vectors, as a path below the checkout."""
    found: dict[str, str] = {}
    for folder in case_folders():
        for path in sorted((ROOT / "vectors" / folder).rglob("*.json")):
            place = path.relative_to(ROOT).as_posix()
            found.update((case.name, place) for case in load_cases([path]))
    return found


@cache
def defined_in(path: Path) -> frozenset[str]:
    """Return the names of the functions, classes and variables of a module, methods with their class."""
    return frozenset(_names(ast.parse(path.read_text(encoding="utf-8")).body))


def _names(body: list[ast.stmt], owner: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield f"{owner}{name}"
            case ast.ClassDef(name=name, body=inner):
                yield f"{owner}{name}"
                yield from _names(inner, f"{name}.")
            case ast.Assign(targets=targets):
                yield from (f"{owner}{one.id}" for one in targets if isinstance(one, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield f"{owner}{name}"


def case_link(name: str) -> str:
    """Return a link from a page of this folder to a case."""
    return f"[`{name}`](../../{case_files()[name]})"


def code_link(function: str, path: Path) -> str:
    """Return a link from a page of this folder to a function."""
    assert function in defined_in(path), (function, path)
    return f"[`{function}`](../../{path.relative_to(ROOT).as_posix()})"
