"""The public face of the package: what it exports, which modules are public, and how callers' types fit."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import roomver

# A module is public if the docstring of the package lists it. A new module must be put on one of the lists.
PRIVATE = frozenset(
    {
        "beside",
        "cli",
        "compact",
        "engine",
        "copies",
        "differing_keys",
        "explain",
        "forest",
        "graph",
        "graph_bytes",
        "identifiers",
        "claims",
        "merging",
        "newest",
        "other_rooms",
        "ordering",
        "pdu",
        "readers",
        "state_document",
        "suite",
        "unpadded",
    }
)
DOCUMENTED = re.findall(r"^- `roomver\.(\w+)`: \w", roomver.__doc__ or "", re.MULTILINE)


def modules() -> Iterator[tuple[str, ModuleType]]:
    """Every module of the package that can be imported without running it, with its full name."""
    for found in pkgutil.walk_packages(roomver.__path__, "roomver."):
        if not found.name.endswith("__main__"):
            yield found.name, importlib.import_module(found.name)


def public_modules() -> Iterator[ModuleType]:
    for name in DOCUMENTED:
        yield importlib.import_module(f"roomver.{name}")


def test_the_package_exports_at_most_40_names() -> None:
    assert len(roomver.__all__) == len(set(roomver.__all__)) <= 40


def test_what_the_package_exports_is_public_in_a_module() -> None:
    exported = {name: getattr(roomver, name) for name in roomver.__all__}
    homes = {
        name: [m for m in public_modules() if name in m.__all__ and getattr(m, name) is value]
        for name, value in exported.items()
    }
    assert [name for name, there in homes.items() if not there] == []


def test_the_errors_of_what_the_package_exports_are_exported_too() -> None:
    raised = {
        name
        for exported in map(vars(roomver).get, roomver.__all__)
        for called in (exported, *(vars(exported).values() if isinstance(exported, type) else ()))
        for section in re.findall(r"Raises:\n((?: +.*\n)+)", f"{inspect.getdoc(called)}\n")
        for name in re.findall(r"^    (\w+):", section, re.MULTILINE)
    }
    assert {"CyclicGraph", "MissingEvents"} <= raised
    assert raised - set(roomver.__all__) == {"ValueError"}


def test_the_docstring_lists_every_module_that_is_not_private() -> None:
    there = {found.name for found in pkgutil.iter_modules(roomver.__path__)} - {"__main__"}
    assert len(DOCUMENTED) == len(set(DOCUMENTED))
    assert set(DOCUMENTED) == there - PRIVATE
    assert there >= PRIVATE


def test_a_public_module_lists_its_public_names() -> None:
    for module in public_modules():
        assert module.__all__, module.__name__
        assert len(module.__all__) == len(set(module.__all__))
        for name in module.__all__:
            assert hasattr(module, name), f"{module.__name__}.{name}"
            assert not name.startswith("_")


def test_the_types_that_other_modules_use_are_listed() -> None:
    """The values of a public module have types that it lists. Its other helpers are not for callers."""
    listed = {module.__name__: {*module.__all__} for module in public_modules()}
    source = Path(roomver.__file__).parent
    missing = set()
    for path in source.rglob("*.py"):
        parts = ["roomver", *path.relative_to(source).with_suffix("").parts]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                named = ".".join([*parts[: -node.level], *(node.module or "").split(".")]).rstrip(".")
                used = {alias.name for alias in node.names}
                missing |= {
                    f"{named}.{name}"
                    for name in used - listed.get(named, used)
                    if isinstance(getattr(importlib.import_module(named), name), type)
                }
    # The writable base of `Event`, from which compact events are made.
    assert missing == {"roomver.event.Fields"}


def test_no_name_is_a_module_and_something_else() -> None:
    for name, module in modules():
        parent, _, last = name.rpartition(".")
        assert getattr(sys.modules[parent], last) is module, name


# What a caller writes, and the type that a checker gives it.
CALLER = """
from collections.abc import Mapping

from roomver import Event, EventId, StateMap, parse_event, redact, resolve_steps
from roomver.resolution import Resolution, run_steps, run_steps_async


def make(ids: list[str], content: dict[str, str]) -> Event:
    pdu = {"prev_events": ids, "auth_events": ids, "depth": 1, "content": content}
    redact(pdu, "11")
    return parse_event(pdu, "11")


def look_inside(value: object) -> EventId | None:
    return value.event_id if isinstance(value, Event) else None


def resolved(states: list[StateMap[EventId]], store: dict[str, Event]) -> Resolution:
    def fetch(wanted: frozenset[EventId]) -> Mapping[EventId, Event]:
        return {event_id: store[event_id] for event_id in wanted}

    resolution = run_steps(resolve_steps(states), fetch)
    reveal_type(resolution)
    return resolution


async def awaited(states: list[StateMap[EventId]]) -> Resolution:
    async def fetch(wanted: frozenset[EventId]) -> Mapping[EventId, Event | None]:
        return dict.fromkeys(wanted)

    resolution = await run_steps_async(resolve_steps(states), fetch)
    reveal_type(resolution)
    return resolution
"""


def test_what_callers_have_passes_mypy_strict(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    file = tmp_path / "caller.py"
    file.write_text(CALLER)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert revealed == ["roomver.resolution.trace.Resolution"] * 2
