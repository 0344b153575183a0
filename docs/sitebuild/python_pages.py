"""The pages of the public Python names, from their docstrings.

A name has one place: the public module that defines it, in itself or in its package. Other modules that offer
it link there.
"""

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

import roomver

FOLDER = "reference/python"

_LISTED = re.compile(r"^- `(roomver\.\w+)`: (.+)$", re.MULTILINE)
_TICKS = re.compile(r"(?<![`:\w])`([^`\s][^`]*)`(?![`_])(?=(\w?))")


@cache
def modules() -> dict[str, str]:
    """Return the public modules, each with its line in the docstring of the package."""
    return dict(_LISTED.findall(roomver.__doc__ or ""))


@cache
def places() -> dict[str, str]:
    """Return the full name of every public name, by the full names under which modules offer it."""
    offered = [(name, one) for name in modules() for one in importlib.import_module(name).__all__]
    found = {}
    for module, name in offered:
        value = getattr(importlib.import_module(module), name)
        homes = [other for other, one in offered if one == name and _same(other, name, value)]
        home = f"{_home(homes, name, value)}.{name}"
        found[f"{module}.{name}"] = home
        if name in roomver.__all__ and getattr(roomver, name) is value:
            found[f"roomver.{name}"] = home
    return found


def _same(module: str, name: str, value: Any) -> bool:
    return getattr(importlib.import_module(module), name) is value


def _home(homes: list[str], name: str, value: Any) -> str:
    """Return the one of several modules that a name belongs to."""
    defined = getattr(value, "__module__", None)
    if inspect.isclass(value) or inspect.isroutine(value):
        for home in homes:
            if defined == home or str(defined).startswith(f"{home}."):
                return home
    for home in homes:
        if name in _assigned(home):
            return home
    return homes[0]


@cache
def _assigned(module: str) -> frozenset[str]:
    """Return the names that a module, or a module of its package, assigns at its top."""
    path = Path(importlib.import_module(module).__file__ or "")
    files = path.parent.glob("*.py") if path.name == "__init__.py" else [path]
    found = set()
    for file in files:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            found |= {one.id for one in targets if isinstance(one, ast.Name)}
    return frozenset(found)


def names() -> list[str]:
    """Return the names of all pages."""
    return [f"{FOLDER}/roomver", *(f"{FOLDER}/{module}" for module in modules())]


def write() -> dict[str, str]:
    """Return the pages by file name."""
    pages = {f"{FOLDER}/{module}.rst": _page(module) for module in modules()}
    pages[f"{FOLDER}/roomver.rst"] = _package()
    pages[f"{FOLDER}/index.md"] = _index()
    return pages


def _index() -> str:
    lines = [
        "# Python names",
        "",
        "These modules are public. Every other module may change in any release.",
        "",
    ]
    lines += ["| Module | What it has |", "| --- | --- |"]
    lines += ["| [roomver](roomver.rst) | the names that most programs need |"]
    lines += [f"| [{name}]({name}.rst) | {about} |" for name, about in modules().items()]
    return "\n".join([*lines, ""])


def _package() -> str:
    lines = _title("roomver")
    lines += ["The package exports the functions and types that most programs need:", ""]
    lines += [
        f"- :py:obj:`~{places()[f'roomver.{name}']}`" for name in sorted(roomver.__all__, key=str.lower)
    ]
    return "\n".join([*lines, ""])


def _page(module: str) -> str:
    lines = [*_title(module), f".. automodule:: {module}", "   :no-members:", ""]
    elsewhere = []
    for name in importlib.import_module(module).__all__:
        home = places()[f"{module}.{name}"]
        if home == f"{module}.{name}":
            lines += [*_entry(module, name), ""]
        else:
            elsewhere.append(f"- :py:obj:`{home}`")
    if elsewhere:
        lines += ["Also in this module:", "", *elsewhere, ""]
    return "\n".join(lines)


def _entry(module: str, name: str) -> list[str]:
    value = getattr(importlib.import_module(module), name)
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        return [f".. {kind}:: {module}.{name}", "   :members:"]
    if inspect.isroutine(value):
        return [f".. autofunction:: {module}.{name}"]
    return [f".. autodata:: {module}.{name}", "   :no-value:"]


def forget_field_numbers() -> None:
    """Remove the docstrings that Python gives to the fields of named tuples. Our own are in the source."""
    for full in set(places().values()):
        module, _, name = full.rpartition(".")
        value = getattr(importlib.import_module(module), name)
        for field in getattr(value, "_fields", ()):
            found = vars(value).get(field)
            if str(getattr(found, "__doc__", "")).startswith("Alias for field number "):
                found.__doc__ = None


def _title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def linked(lines: list[str], owner: str) -> list[str]:
    """Return a docstring with links to public names. Everything else in backticks is code.

    Args:
        lines: its lines.
        owner: the full name of what it belongs to.
    """

    def link(match: re.Match[str]) -> str:
        target = _find(match[1], owner)
        found = f":py:obj:`{match[1]} <{target}>`" if target else f"``{match[1]}``"
        # A letter that follows would make it no markup.
        return f"{found}\\ " if match[2] else found

    return [_TICKS.sub(link, line) for line in lines]


def _find(text: str, owner: str) -> str | None:
    """Return the full name that a name in a docstring means, or None."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*", text):
        return None
    if text in modules() or text == "roomver":
        return text
    module = _module_of(owner)
    candidates = [text, f"{module}.{text}", f"roomver.{text}", *(f"{one}.{text}" for one in modules())]
    for one in candidates:
        home = places().get(one)
        if home:
            return home
        head, _, member = one.rpartition(".")
        home = places().get(head)
        if home and _has(home, member):
            return f"{home}.{member}"
    return None


def _module_of(owner: str) -> str:
    return max((one for one in modules() if owner == one or owner.startswith(f"{one}.")), key=len, default="")


def _has(full: str, member: str) -> bool:
    """Tell whether a public class documents a member that a link can lead to."""
    module, _, name = full.rpartition(".")
    value = getattr(importlib.import_module(module), name)
    found = getattr(value, member, None) if inspect.isclass(value) else None
    return bool(found is not None and not member.startswith("_") and getattr(found, "__doc__", None)) and (
        inspect.isroutine(found) or isinstance(found, property)
    )
