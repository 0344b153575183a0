"""Every small change that a fixed set of rules makes to a module: the mutants of `auto`.

A mutant is named by its scope and its change and not by its line. So a list of mutants stays valid when
other parts of the module change.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

NEGATIONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
BOUNDARIES: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
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

_VERDICTS: Final = {"Verdict", "reject", "allow"}


class Mutant(NamedTuple):
    """A module with one change.

    Attributes:
        module: the file under ``src/roomver``.
        scope: the qualified name of the function or class that the change is in.
        before, after: the source of the expression or statement, and of its replacement.
        number: counts the mutants with the same scope, before and after, from 1.
        line: the line of the change. It is not part of the name.
        original, node, changed: the tree of the module, the node to replace, and its replacement.
    """

    module: str
    scope: str
    before: str
    after: str
    number: int
    line: int
    original: ast.Module
    node: ast.AST
    changed: ast.AST

    @property
    def tree(self) -> ast.Module:
        """The changed module, as a new tree."""
        changed = ast.copy_location(copy.deepcopy(self.changed), self.node)
        # A deep copy takes what its memo has for a node: here, the replacement.
        return ast.fix_missing_locations(copy.deepcopy(self.original, {id(self.node): changed}))

    @property
    def name(self) -> str:
        """The unique name of the mutant."""
        alike = f" ({self.number})" if self.number > 1 else ""
        return f"{self.module} {self.scope}: {self.before} -> {self.after}{alike}"


def mutants(module: str, text: str) -> Iterator[Mutant]:
    """Yield the mutants of a module, in the order of its text."""
    tree = ast.parse(text)
    conditions = _conditions(tree)
    seen: Counter[tuple[str, str, str]] = Counter()
    for scope, node in _nodes(tree, ""):
        for changed in (*_decided(node, conditions), *_changes(node, node in conditions)):
            before, after = _shown(node), _shown(changed)
            seen[scope, before, after] += 1
            number = seen[scope, before, after]
            yield Mutant(module, scope, before, after, number, node.lineno, tree, node, changed)


def expression_changes(source: str) -> Iterator[tuple[str, str, str]]:
    """Yield the small changes of one expression: its part before and after, and the whole changed source."""
    for mutant in mutants("", source):
        changed = mutant.tree.body[0]
        if isinstance(changed, ast.Expr):
            yield mutant.before, mutant.after, ast.unparse(changed.value)


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:99]}…"


def _conditions(tree: ast.Module) -> dict[ast.AST, tuple[bool, ...]]:
    """Return the conditions in a module, each with the values that can replace it."""
    conditions: dict[ast.AST, tuple[bool, ...]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test) | ast.IfExp(test=test):
                conditions[test] = (True, False)
            case ast.While(test=test):
                conditions[test] = (False,)  # with True, most loops never end
            case ast.match_case(guard=ast.expr() as guard):
                conditions[guard] = (True, False)
            case ast.comprehension(ifs=ifs):
                conditions.update(dict.fromkeys(ifs, (True, False)))
    return conditions


def _nodes(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.expr | ast.stmt]]:
    """Yield the nodes that run, each with its scope.

    Docstrings, annotations and code that only makes text for people are left out.
    """
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params", "bases"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_text(child) or _is_detail(node, child):
                continue
            inner = scope
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if child.name in {"__repr__", "__str__"}:
                    continue
                inner = f"{scope}.{child.name}".lstrip(".")
            if isinstance(child, ast.expr | ast.stmt):
                yield inner, child
            if not isinstance(child, ast.Raise):  # the arguments are for people
                yield from _nodes(child, inner)


def _is_text(node: ast.AST) -> bool:
    """Tell whether a node is a docstring, an f-string or anything else that does not affect a result."""
    return (
        isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Assert)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) in {"__slots__", "__all__", "detail"}
        )
    )


def _is_detail(node: ast.AST, child: ast.AST) -> bool:
    """Tell whether a child is the detail of a verdict. It is for people; no vector checks it."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in _VERDICTS:
        return False
    return isinstance(child, ast.keyword | ast.Dict)


def _decided(node: ast.AST, conditions: dict[ast.AST, tuple[bool, ...]]) -> Iterator[ast.AST]:
    """Yield the constants that replace a condition."""
    if not isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in conditions.get(node, ()))


def _changes(node: ast.AST, is_condition: bool) -> Iterator[ast.AST]:
    """Yield the changed forms of a node.

    A condition is not negated as well: whatever notices both constants in its place notices that.
    """
    match node:
        case ast.Compare(ops=[op, *rest]) if type(op) in BOUNDARIES:
            yield _compare(node, [BOUNDARIES[type(op)](), *rest])
        case ast.Compare(ops=[op, *rest]) if type(op) in NEGATIONS and not is_condition:
            yield _compare(node, [NEGATIONS[type(op)](), *rest])
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            for index in range(len(values)):
                others = values[:index] + values[index + 1 :]
                yield ast.BoolOp(op, others) if len(others) > 1 else others[0]
        case ast.UnaryOp(op=ast.Not(), operand=operand) if not is_condition:
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
        case ast.Return(value=value) if value is not None and not (
            isinstance(value, ast.Constant) and value.value is None
        ):
            yield ast.Return(None)
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()


def _compare(node: ast.Compare, ops: list[ast.cmpop]) -> ast.Compare:
    return ast.Compare(node.left, ops, node.comparators)
