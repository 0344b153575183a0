"""Every small change to a module that a rule for changes makes: the mutants of `auto`.

A mutant is named by where it is and by what it does, and not by its line, so that a list of mutants
outlives changes elsewhere in the module.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


_COVERED: Final = ast.Compare | ast.BoolOp | ast.UnaryOp  # conditions that have changes of their own


_VERDICTS: Final = {"Verdict", "reject", "allow"}


class Mutant(NamedTuple):
    """A module with one change.

    Attributes:
        module: the file under ``src/roomver``.
        scope: the function or class that it is in, with dots.
        before, after: the expression or statement, and what stands there instead.
        number: counted from 1, of those alike in the scope.
        line: where it is now; no part of its name.
        tree: the changed module.
    """

    module: str
    scope: str
    before: str
    after: str
    number: int
    line: int
    tree: ast.Module

    @property
    def name(self) -> str:
        """What tells it from all others."""
        alike = f" ({self.number})" if self.number > 1 else ""
        return f"{self.module} {self.scope}: {self.before} -> {self.after}{alike}"


def mutants(module: str, text: str) -> Iterator[Mutant]:
    """Yield the mutants of a module, in the order of its text."""
    tree = ast.parse(text)
    seen: Counter[tuple[str, str, str]] = Counter()
    for scope, node in _nodes(tree, ""):
        for changed in _changes(node):
            before, after = _shown(node), _shown(changed)
            seen[scope, before, after] += 1
            whole = _with(tree, node, changed)
            yield Mutant(module, scope, before, after, seen[scope, before, after], node.lineno, whole)  # type: ignore[attr-defined]


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:99]}…"


def _nodes(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the nodes that run, each with its scope: no docstrings, no annotations, nothing that only
    makes text for people."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params", "bases"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_text(child) or _is_detail(node, child):
                continue
            inner = scope
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                if child.name in {"__repr__", "__str__"}:
                    continue
                inner = f"{scope}.{child.name}".lstrip(".")
            if isinstance(child, ast.expr | ast.stmt):
                yield inner, child
            if not isinstance(child, ast.Raise):  # whose arguments are for people
                yield from _nodes(child, inner)


def _is_text(node: ast.AST) -> bool:
    """A docstring, a text with values in it, or what has no say in what is computed."""
    return (
        isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Assert)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) in {"__slots__", "__all__", "detail"}
        )
    )


def _is_detail(node: ast.AST, child: ast.AST) -> bool:
    """What a verdict says was compared: it is for people, and no vector asks for it."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in _VERDICTS:
        return False
    return isinstance(child, ast.keyword | ast.Dict)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op, *rest]) if type(op) in COMPARISONS:
            changed = copy.deepcopy(node)
            changed.ops = [COMPARISONS[type(op)](), *rest]
            yield changed
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)):
            yield ast.Constant(f"{value}x")
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.If() | ast.While() if not isinstance(node.test, _COVERED):
            branch = copy.copy(node)
            branch.test = ast.UnaryOp(ast.Not(), node.test)
            yield branch
        case ast.Return(value=value) if value is not None and not (
            isinstance(value, ast.Constant) and value.value is None
        ):
            yield ast.Return(None)
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()


def _with(tree: ast.Module, node: ast.AST, changed: ast.AST) -> ast.Module:
    """A copy of a module with one node replaced."""
    memo = {id(node): ast.fix_missing_locations(ast.copy_location(copy.deepcopy(changed), node))}
    return ast.fix_missing_locations(copy.deepcopy(tree, memo))
