"""Links from the pages to the code and to the cases of the vectors."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from roomver.readers.suite import load_cases

ROOT: Final = Path(__file__).parents[2]


@cache
def case_files() -> Mapping[str, str]:
    """Return the file of each case of the vectors, as a path below the checkout."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "vectors").rglob("*.json")):
        place = path.relative_to(ROOT)
        if place.parts[1] in ("base", "auth", "resolution", "disputed"):
            found.update((case.name, place.as_posix()) for case in load_cases([path]))
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
