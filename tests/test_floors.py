"""The floors of the library: each module imports from lower floors only, and the core does no I/O.

CONTRIBUTING.md explains the table. The source is parsed, so every import counts: in a function, under
``if TYPE_CHECKING``, absolute or relative.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "roomver"

# A name is a module or a folder.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("types", "errors"),
    ("canonical", "engine", "forest", "graph", "graph_bytes", "ordering", "unpadded"),
    ("versions",),
    ("identifiers", "entry", "pdu", "redaction", "hashing", "signature_results"),
    ("event", "event_format", "keys", "signatures", "signing"),
    ("rules", "power", "selection", "state", "findings", "policy", "compact"),
    ("auth", "steps"),
    ("resolution",),
    ("check", "receive", "make", "room", "replay", "unhashed", "parallel", "known_states", "kept"),
    (
        "beside",
        "claims",
        "contributions",
        "copies",
        "differing_keys",
        "explain",
        "merging",
        "newest",
        "other_rooms",
        "state_document",
        "gathering",
        "undecided",
        "room_check",
        "room_result",
        "recording",
        "anonymous",
        "federation",
        "suite",
        "redacted",
    ),
    ("readers", "cli", "__main__"),
)
FLOOR_OF: Mapping[str, int] = {name: floor for floor, names in enumerate(FLOORS) for name in names}

# Imports within a floor: the first may import the second.
SAME_FLOOR = frozenset(
    {
        ("canonical", "engine"),
        ("graph", "ordering"),
        ("graph_bytes", "graph"),
        ("redaction", "pdu"),
        ("hashing", "pdu"),
        ("hashing", "redaction"),
        ("event", "event_format"),
        ("policy", "state"),
        ("receive", "check"),
        ("make", "check"),
        ("make", "receive"),
        ("room", "make"),
        ("room", "receive"),
        ("signatures", "keys"),
        ("signing", "keys"),
        ("copies", "contributions"),
        ("beside", "merging"),
        ("beside", "newest"),
        ("newest", "contributions"),
        ("newest", "claims"),
        ("gathering", "beside"),
        ("gathering", "contributions"),
        ("gathering", "copies"),
        ("gathering", "claims"),
        ("gathering", "merging"),
        ("gathering", "newest"),
        ("gathering", "other_rooms"),
        ("other_rooms", "contributions"),
        ("other_rooms", "state_document"),
        ("gathering", "state_document"),
        ("differing_keys", "contributions"),
        ("merging", "claims"),
        ("merging", "newest"),
        ("merging", "contributions"),
        ("merging", "differing_keys"),
        ("state_document", "contributions"),
        ("room_check", "contributions"),
        ("explain", "anonymous"),
        ("explain", "room_check"),
        ("explain", "undecided"),
        ("explain", "redacted"),
        ("room_check", "gathering"),
        ("room_result", "explain"),
        ("room_result", "room_check"),
        ("anonymous", "recording"),
        ("anonymous", "room_check"),
        ("recording", "contributions"),
        ("recording", "gathering"),
        ("recording", "room_check"),
        ("room_check", "undecided"),
        ("undecided", "gathering"),
        ("undecided", "state_document"),
        ("unhashed", "check"),
        ("parallel", "check"),
        ("suite", "anonymous"),
        ("suite", "recording"),
        ("suite", "room_check"),
        ("cli", "readers"),
        ("__main__", "cli"),
    }
)

# Modules that may import less than their floor allows.
NARROWED: Mapping[str, frozenset[str]] = {
    "engine": frozenset({"types"}),
    "forest": frozenset(),
    "graph": frozenset({"errors", "ordering"}),
    "graph_bytes": frozenset({"errors", "graph"}),
    "ordering": frozenset({"errors"}),
}

# The package itself imports the core, and no module of the core may import it.
ROOT = "__init__"
TOP_OF_CORE = 9

# Modules for files, processes, the network, the clock and randomness.
IMPURE_MODULES = frozenset(
    {
        "asyncio",
        "datetime",
        "io",
        "logging",
        "os",
        "pathlib",
        "random",
        "secrets",
        "shutil",
        "socket",
        "subprocess",
        "sys",
        "tempfile",
        "time",
    }
)
IMPURE_CALLS = frozenset({"input", "open", "print"})


class Module(NamedTuple):
    """One source file: its path in the package, in parts, and its tree."""

    parts: tuple[str, ...]
    tree: ast.Module

    @property
    def unit(self) -> str:
        """The name of the module in the table."""
        return self.parts[0]

    @property
    def is_core(self) -> bool:
        return self.unit == ROOT or FLOOR_OF.get(self.unit, 0) <= TOP_OF_CORE


@cache
def read(source: Path) -> list[Module]:
    """Return the source files below a folder. No test changes a file that it has read."""
    files = sorted(source.rglob("*.py"))
    return [
        Module(file.relative_to(source).with_suffix("").parts, ast.parse(file.read_text(encoding="utf-8")))
        for file in files
    ]


def imported_names(module: Module) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line and the full dotted name, in parts, of each import. Relative ones begin at roomver."""
    package = ("roomver", *module.parts[:-1])
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield node.lineno, (*origin, alias.name)


def arrows(module: Module, units: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yield the line and the unit of each import from roomver."""
    for line, (top, *rest) in imported_names(module):
        if top == "roomver":
            # In `from roomver import X`, X is a module or a name of the package itself.
            yield line, rest[0] if rest and rest[0] in units else ROOT


def refusal(unit: str, target: str) -> str | None:
    """Return why `unit` may not import `target`, or None if it may."""
    if unit == target:
        return None  # a sibling in the same folder
    if target not in FLOOR_OF and target != ROOT:
        return "which has no floor"
    if unit == ROOT:
        floor = FLOOR_OF[target]
        return None if floor <= TOP_OF_CORE else f"up to floor {floor}; it gathers floors 0 to {TOP_OF_CORE}"
    floor = FLOOR_OF[unit]
    if target == ROOT:
        return None if floor > TOP_OF_CORE else "the package itself, which imports the core"
    allowed = NARROWED.get(unit)
    if allowed is not None and target not in allowed:
        return f"though it may import {'only ' + ', '.join(sorted(allowed)) if allowed else 'nothing'}"
    if FLOOR_OF[target] > floor:
        return f"up from floor {floor} to floor {FLOOR_OF[target]}"
    if FLOOR_OF[target] == floor and (unit, target) not in SAME_FLOOR:
        return f"on the same floor, {floor}, with no arrow between them"
    return None


def faults_of_direction(source: Path) -> list[str]:
    modules = read(source)
    units = frozenset(module.unit for module in modules) | FLOOR_OF.keys()
    faults = []
    for module in modules:
        name = "/".join(module.parts)
        if module.unit != ROOT and module.unit not in FLOOR_OF:
            faults.append(f"{name}: give it a floor")
            continue
        for line, target in dict.fromkeys(arrows(module, units)):  # one fault per line and unit
            reason = refusal(module.unit, target)
            if reason is not None:
                faults.append(f"{name}:{line}: imports {target}, {reason}")
    return faults


def faults_of_purity(source: Path) -> list[str]:
    faults = []
    for module in read(source):
        if not module.is_core:
            continue
        name = "/".join(module.parts)
        faults += [
            f"{name}:{line}: imports {parts[0]}"
            for line, parts in imported_names(module)
            if parts[0] in IMPURE_MODULES
        ]
        faults += [
            f"{name}:{node.lineno}: calls {node.func.id}()"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS
        ]
    return faults


def test_the_source_is_found() -> None:
    assert {"__init__", "types", "errors"} <= {module.unit for module in read(SOURCE)}


def test_imports_point_to_lower_floors() -> None:
    assert faults_of_direction(SOURCE) == []


def unused_arrows(source: Path) -> list[str]:
    """Return the arrows that the table allows and that no import uses."""
    modules = read(source)
    units = frozenset(module.unit for module in modules) | FLOOR_OF.keys()
    drawn = {(module.unit, target) for module in modules for _, target in arrows(module, units)}
    return [f"{unit} imports {target}" for unit, target in sorted(SAME_FLOOR - drawn)]


def test_every_allowed_arrow_within_a_floor_is_used() -> None:
    assert unused_arrows(SOURCE) == []


def test_a_narrowed_module_imports_all_that_it_may() -> None:
    drawn = {name: set[str]() for name in NARROWED}
    for module in read(SOURCE):
        if module.unit in NARROWED:
            drawn[module.unit].update(target for _, target in arrows(module, frozenset(FLOOR_OF)))
    assert drawn == NARROWED


def test_an_allowed_arrow_that_no_import_uses_is_a_fault(tmp_path: Path) -> None:
    unused = unused_arrows(
        tree(tmp_path, {"cli/app.py": "from ..readers import x", "readers/__init__.py": ""})
    )
    assert "cli imports readers" not in unused
    assert len(unused) == len(SAME_FLOOR) - 1


def test_every_module_of_the_table_exists() -> None:
    assert FLOOR_OF.keys() == {module.unit for module in read(SOURCE)} - {ROOT}


def test_the_core_is_pure() -> None:
    assert faults_of_purity(SOURCE) == []


# Tests of the checks, on small trees


def tree(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        (
            "versions.py",
            "from .signing import sign",
            "versions:1: imports signing, up from floor 2 to floor 4",
        ),
        ("versions.py", "from . import signing", "versions:1: imports signing, up from floor 2 to floor 4"),
        (
            "versions.py",
            "from roomver import signing",
            "versions:1: imports signing, up from floor 2 to floor 4",
        ),
        (
            "versions.py",
            "from roomver.signing import x",
            "versions:1: imports signing, up from floor 2 to floor 4",
        ),
        ("versions.py", "import roomver.auth.rules", "versions:1: imports auth, up from floor 2 to floor 6"),
        (
            "versions.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .power import levels",
            "versions:3: imports power, up from floor 2 to floor 5",
        ),
        (
            "versions.py",
            "def late():\n    from .auth import check",
            "versions:2: imports auth, up from floor 2 to floor 6",
        ),
        (
            "auth/member.py",
            "from ..replay import x",
            "auth/member:1: imports replay, up from floor 6 to floor 8",
        ),
        (
            "auth/member.py",
            "from .. import replay",
            "auth/member:1: imports replay, up from floor 6 to floor 8",
        ),
        (
            "auth/__init__.py",
            "from ..cli import main",
            "auth/__init__:1: imports cli, up from floor 6 to floor 10",
        ),
        (
            "redaction.py",
            "from .hashing import x",
            "redaction:1: imports hashing, on the same floor, 3, with no arrow between them",
        ),
        (
            "power.py",
            "from . import types, rules",
            "power:1: imports rules, on the same floor, 5, with no arrow between them",
        ),
        (
            "graph.py",
            "from .canonical import x",
            "graph:1: imports canonical, though it may import only errors, ordering",
        ),
        (
            "ordering.py",
            "from .types import x",
            "ordering:1: imports types, though it may import only errors",
        ),
        ("forest.py", "from .errors import x", "forest:1: imports errors, though it may import nothing"),
        (
            "versions.py",
            "from . import Event",
            "versions:1: imports __init__, the package itself, which imports the core",
        ),
        (
            "versions.py",
            "import roomver",
            "versions:1: imports __init__, the package itself, which imports the core",
        ),
        (
            "__init__.py",
            "from .cli import main",
            "__init__:1: imports cli, up to floor 10; it gathers floors 0 to 9",
        ),
        (
            "__init__.py",
            "from . import readers",
            "__init__:1: imports readers, up to floor 10; it gathers floors 0 to 9",
        ),
        ("novel.py", "", "novel: give it a floor"),
        ("novel/part.py", "from .. import types", "novel/part: give it a floor"),
    ],
)
def test_an_arrow_that_points_up_is_a_fault(tmp_path: Path, file: str, text: str, fault: str) -> None:
    assert faults_of_direction(tree(tmp_path, {file: text})) == [fault]


def test_an_import_of_a_module_that_has_no_floor_is_a_fault(tmp_path: Path) -> None:
    files = {"versions.py": "from .novel import x", "novel.py": ""}
    assert faults_of_direction(tree(tmp_path, files)) == [
        "novel: give it a floor",
        "versions:1: imports novel, which has no floor",
    ]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("signing.py", "from .hashing import x\nfrom .redaction import y\nfrom . import identifiers, types"),
        ("redaction.py", "from .pdu import x"),
        ("auth/member.py", "from . import power\nfrom .create import x\nfrom ..power import y"),
        ("resolution/v2.py", "from ..auth.member import x\nfrom .order import y"),
        ("suite/operations.py", "from ..check import x\nfrom .document import y"),
        ("cli.py", "import roomver\nfrom . import Event, __version__, readers\nfrom .suite import x"),
        ("__init__.py", "from .suite import x\nfrom .auth import y"),
        ("graph.py", "from collections import deque\nfrom .errors import x\nfrom .ordering import y"),
        ("versions.py", "import signing\nfrom cli import x"),
    ],
)
def test_an_arrow_that_points_down_is_allowed(tmp_path: Path, file: str, text: str) -> None:
    assert faults_of_direction(tree(tmp_path, {file: text})) == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("auth/member.py", "import os.path", "auth/member:1: imports os"),
        ("versions.py", "from datetime import datetime", "versions:1: imports datetime"),
        ("versions.py", "def f():\n    import random as r", "versions:2: imports random"),
        ("suite/x.py", "def f(p):\n    return open(p)", "suite/x:2: calls open()"),
        ("check.py", "print('checked')", "check:1: calls print()"),
        ("__init__.py", "import sys", "__init__:1: imports sys"),
    ],
)
def test_an_impure_core_is_a_fault(tmp_path: Path, file: str, text: str, fault: str) -> None:
    assert faults_of_purity(tree(tmp_path, {file: text})) == [fault]


def test_the_outermost_floor_may_read_and_print(tmp_path: Path) -> None:
    files = {
        "cli.py": "import sys\nprint(sys.argv)",
        "readers/files.py": "from pathlib import Path\nopen('x')",
        # A module of the package may have the name of one in the standard library.
        "versions.py": "from .io import x\nfrom . import time",
    }
    assert faults_of_purity(tree(tmp_path, files)) == []


MOST_LINES = 400


def test_no_module_is_long_without_a_reason() -> None:
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        reason = "more than 400 lines" in (ast.get_docstring(ast.parse(text)) or "")
        assert (len(text.splitlines()) > MOST_LINES) == reason, file
