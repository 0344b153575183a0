"""The record of a slip, and how a slip is applied to the syntax tree of its module.

A slip names its place by module, scope and source, and not by line. So it still applies when code moves
within its function, and when a comment, a line break or another part of the module changes.

A slip that no longer applies is an error. The message shows the nearest source, and where the source of
the slip occurs now.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from copy import copy, deepcopy
from difflib import get_close_matches
from pathlib import Path
from textwrap import dedent, indent
from typing import Final, NamedTuple, TypeAlias

PACKAGE: Final = Path(__file__).parents[2] / "src" / "roomver"


class Slip(NamedTuple):
    """One way to get a place in the source wrong.

    Attributes:
        sense: what goes wrong, in a few words. No two slips have the same sense.
        new: the source that replaces the place; empty to delete it.
        note: who is known to behave so, or which clarification of the specification the slip breaks.
    """

    sense: str
    new: str
    note: str = ""


Table: TypeAlias = Mapping[str, Mapping[str, Sequence[Slip]]]
"""The slips of one module, by scope and by the source that they replace.

A scope is the qualified name of a function or class, or the name of a constant of the module. The source
must occur in it exactly once. It is an expression, one or more statements, keyword arguments
(``rule_list="7", knock=True``) or entries of a dict display (``"ban": 50``). A compound statement with the
body ``...`` matches any body, and ``...`` in the replacement keeps that body:
``if old == new: ...`` becomes ``if False: ...``.
"""


class PlacedSlip(NamedTuple):
    """A slip with its place.

    Attributes:
        module: the file under ``src/roomver``.
        scope, old: as in `Table`.
    """

    module: str
    scope: str
    old: str
    slip: Slip

    @property
    def name(self) -> str:
        """The unique name of the slip."""
        return f"{self.module}: {self.slip.sense}"

    @property
    def text(self) -> str:
        """What the slip can be picked by."""
        return f"{self.name} {self.slip.note}"


class CannotApply(Exception):
    """The place of a slip does not occur exactly once: the source has changed and the slip has not."""


def apply(placed: PlacedSlip, package: Path = PACKAGE) -> ast.Module:
    """Return the tree of a slip's module with the slip in it.

    Raises:
        CannotApply: if the place does not occur exactly once. The message shows what stands there now.
    """
    tree, site, reading = _find(placed, package)
    site.replace(reading)
    ast.fix_missing_locations(tree)
    compile(tree, placed.module, "exec")
    return tree


def find(placed: PlacedSlip, package: Path = PACKAGE) -> tuple[ast.Module, Sequence[ast.AST]]:
    """Return the tree of a slip's module without the slip, and the nodes of the tree that it replaces.

    Raises:
        CannotApply: as `apply` does.
    """
    tree, site, _ = _find(placed, package)
    return tree, site.nodes


def _find(placed: PlacedSlip, package: Path) -> "tuple[ast.Module, _Run, _Reading]":
    readings = _readings(placed)
    path = package / placed.module
    if not path.exists():
        raise _cannot(placed, "there is no such module", _elsewhere(readings, package))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    scopes = [node for name, node in _scopes(tree) if name == placed.scope]
    if not scopes:
        names = {name: node.lineno for name, node in _scopes(tree)}
        near = _nearest(placed.scope, names)
        raise _cannot(placed, f"there is no scope {placed.scope!r}", near, _elsewhere(readings, package))
    sites = [(site, reading) for reading in readings for scope in scopes for site in reading.sites(scope)]
    if len(sites) > 1:
        lines = ", ".join(str(site.line) for site, _ in sites)
        raise _cannot(placed, f"it occurs {len(sites)} times, on lines {lines}; name more of the source")
    if not sites:
        runs = [run for reading in readings for scope in scopes for run in reading.runs(scope)]
        near = _nearest(readings[0].source, {run.source: run.line for run in runs})
        raise _cannot(placed, "it does not occur", near, _elsewhere(readings, package))
    ((site, reading),) = sites
    return tree, site, reading


# Errors


def _cannot(placed: PlacedSlip, problem: str, *hints: str) -> CannotApply:
    # Only the place is described, so that all slips of one place have the same message.
    source = indent(dedent(placed.old).strip(), "    | ")
    return CannotApply(f"{placed.module}, {placed.scope}: {problem}\n{source}{''.join(hints)}")


def _nearest(wanted: str, lines: Mapping[str, int]) -> str:
    """Describe the sources or names that are most like a wanted one."""
    near = get_close_matches(wanted, lines, n=3, cutoff=0.4)
    return "".join(f"\n  nearest, line {lines[text]}:\n{indent(text, '    | ')}" for text in near)


def _elsewhere(readings: "Sequence[_Reading]", package: Path) -> str:
    """Describe where else in the package the source of a slip occurs."""
    found = []
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package).as_posix()
        scopes = list(_scopes(ast.parse(path.read_text(encoding="utf-8"))))
        # Inner scopes follow outer ones, so the innermost is kept.
        lines = {
            site.line: name for name, scope in scopes for reading in readings for site in reading.sites(scope)
        }
        found += [f"\n  it occurs in {module}, {name}, line {line}" for line, name in lines.items()]
    return "".join(found[:3])


# Scopes


def _scopes(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Yield the scopes below a node, outer ones first."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield prefix + name, child
                yield from _scopes(child, f"{prefix}{name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if isinstance(node, ast.Module | ast.ClassDef):
                    yield prefix + name, child
            case ast.stmt():
                yield from _scopes(child, prefix)


# Places

_Compound: TypeAlias = ast.If | ast.For | ast.While | ast.With


class _Run(NamedTuple):
    """Some neighbouring nodes: of a list, of a dict display, or a single node.

    Attributes:
        owner, field: the node that holds them, and its field; for entries of a dict display ``""``.
        start: the index of the first.
        nodes: the nodes. Each entry of a dict display is a display of its own.
    """

    owner: ast.AST
    field: str
    start: int
    nodes: Sequence[ast.AST]

    @property
    def line(self) -> int:
        line: int = getattr(self.nodes[0], "lineno", 0)
        return line

    @property
    def source(self) -> str:
        return _source([_opened(node) for node in self.nodes])

    def replace(self, reading: "_Reading") -> None:
        """Replace these nodes, which are those of a reading, by its new ones."""
        pairs = zip(self.nodes, reading.old, strict=True)
        bodies = [node for node, old in pairs if isinstance(node, _Compound) and _is_open(old)]
        new = [_filled(node, bodies) for node in deepcopy(list(reading.new))]
        place = slice(self.start, self.start + len(self.nodes))
        if isinstance(self.owner, ast.Dict) and not self.field:
            entries = [node for node in new if isinstance(node, ast.Dict)]
            self.owner.keys[place] = [node.keys[0] for node in entries]
            self.owner.values[place] = [node.values[0] for node in entries]
            return
        held = getattr(self.owner, self.field)
        if not isinstance(held, list):
            setattr(self.owner, self.field, new[0])
            return
        held[place] = new
        if not held and isinstance(self.nodes[0], ast.stmt):
            held.append(ast.Pass())


def _source(nodes: Sequence[ast.AST]) -> str:
    return "\n".join(map(ast.unparse, nodes))


def _is_open(node: ast.AST) -> bool:
    """Tell whether a node is a compound statement with ``...`` for its body."""
    if not isinstance(node, _Compound) or len(node.body) != 1 or not isinstance(node.body[0], ast.Expr):
        return False
    value = node.body[0].value
    return isinstance(value, ast.Constant) and value.value is ...


def _opened(node: ast.AST) -> ast.AST:
    """Return a compound statement with ``...`` for its body; any other node as it is."""
    if not isinstance(node, _Compound):
        return node
    node = copy(node)
    node.body = [ast.Expr(ast.Constant(...))]
    if not isinstance(node, ast.With):
        node.orelse = []
    return node


def _filled(node: ast.AST, bodies: Sequence[_Compound]) -> ast.AST:
    """Put the body of the first of some statements into the place of each ``...``."""
    for inner in ast.walk(node):
        if bodies and isinstance(inner, _Compound) and _is_open(inner):
            inner.body = deepcopy(bodies[0].body)
            if not isinstance(inner, ast.With) and not isinstance(bodies[0], ast.With):
                inner.orelse = deepcopy(bodies[0].orelse)
    return node


class _Reading(NamedTuple):
    """The source and the replacement of a slip, both read as one kind of syntax.

    Attributes:
        kind: the class of the nodes; `ast.Dict` for entries of a dict display.
    """

    kind: type[ast.AST]
    old: Sequence[ast.AST]
    new: Sequence[ast.AST]

    @property
    def source(self) -> str:
        return _source(self.old)

    def runs(self, scope: ast.AST) -> Iterator[_Run]:
        """Yield all runs of this kind and length in a scope."""
        for owner in ast.walk(scope):
            for field, nodes in self._lists(owner):
                for start in range(len(nodes) - len(self.old) + 1):
                    run = nodes[start : start + len(self.old)]
                    if all(isinstance(node, self.kind) for node in run):
                        yield _Run(owner, field, start, run)

    def _lists(self, owner: ast.AST) -> Iterator[tuple[str, Sequence[ast.AST]]]:
        if self.kind is ast.Dict:
            if isinstance(owner, ast.Dict):
                yield "", _entries(owner)
            return
        for field, held in ast.iter_fields(owner):
            yield field, held if isinstance(held, list) else [held]

    def sites(self, scope: ast.AST) -> Iterator[_Run]:
        """Yield the runs that are the source of the slip."""
        wanted = [(_is_open(node), ast.dump(node)) for node in self.old]
        for run in self.runs(scope):
            if all(
                ast.dump(_opened(node) if is_open else node) == dump
                for node, (is_open, dump) in zip(run.nodes, wanted, strict=True)
            ):
                yield run


def _entries(display: ast.Dict) -> list[ast.AST]:
    pairs = zip(display.keys, display.values, strict=True)
    return [ast.copy_location(ast.Dict([key], [value]), key or value) for key, value in pairs]


def _readings(placed: PlacedSlip) -> list[_Reading]:
    """Read a slip in every way that is syntax: ``knock = True`` may be a statement or an argument."""
    old, new = placed.old, placed.slip.new
    readings: list[_Reading] = []
    for kind in (ast.expr, ast.keyword, ast.Dict, ast.stmt):
        try:
            reading = _Reading(kind, _parsed(kind, old), _parsed(kind, new))
        except SyntaxError:
            continue
        # An expression alone on its line is read as a statement only if it becomes one.
        if not reading.old or (kind is ast.stmt and any(reading.kind is ast.expr for reading in readings)):
            continue
        readings.append(reading)
    if not readings:
        raise _cannot(placed, "it and its replacement are not the same kind of syntax")
    return readings


def _parsed(kind: type[ast.AST], text: str) -> Sequence[ast.AST]:
    """Read source as one kind of syntax.

    Raises:
        SyntaxError: if it is something else.
    """
    text = dedent(text).strip("\n")
    if kind is ast.stmt:
        return ast.parse(text).body
    opening, closing = {ast.expr: "()", ast.keyword: ("_(", ")"), ast.Dict: "{}"}[kind]
    node = ast.parse(f"{opening}\n{text}\n{closing}", mode="eval").body
    if kind is ast.expr and text:
        return [node]
    if kind is ast.keyword and isinstance(node, ast.Call) and not node.args:
        return node.keywords
    if kind is ast.Dict and isinstance(node, ast.Dict) and None not in node.keys:
        return _entries(node)
    raise SyntaxError(text)
