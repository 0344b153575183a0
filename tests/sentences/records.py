"""The declaration of a sentence: where the reference carries it out, and how that place is changed."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mutation.mutants import expression_changes
from mutation.slip import PlacedSlip, Slip, apply, find

from . import REFERENCE

DROPPED, INVERTED, WIDENED, ALTERED = "dropped", "inverted", "widened", "altered"
HOWS: Final = (DROPPED, INVERTED, WIDENED, ALTERED)


class Change(NamedTuple):
    """A change of the reference.

    Attributes:
        how: one of `HOWS`.
        module: the file under ``tests/reference``.
        scope, old, new: as in `mutation.slip.PlacedSlip`.
        detail: what is changed, if the sentence has several changes of this kind.
        only: the texts in which it is a change: in others the reference does the same anyway. Empty for all.
    """

    how: str
    module: str
    scope: str
    old: str
    new: str
    detail: str = ""
    only: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells two changes apart."""
        return self.module, self.scope, self.old, self.new

    @property
    def label(self) -> str:
        """How, and what."""
        return f"{self.how}: {self.detail}" if self.detail else self.how

    def tree(self) -> ast.Module:
        """Return the changed module.

        Raises:
            mutation.slip.CannotApply: if the place is not in the reference, or is in it several times.
        """
        return apply(self._slip(), REFERENCE)

    def reached_by(self) -> int | None:
        """Return the line of the function that must run for the change to matter; None if it always may.

        The condition of a rule is a function: without it, neither the condition nor the consequence matters.
        """
        tree, nodes = find(self._slip(), REFERENCE)
        (first, *others) = nodes
        if isinstance(first, ast.Tuple) and not others and isinstance(first.elts[0], ast.Lambda):
            return first.elts[0].lineno
        around = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.Lambda) and any(one is first for one in ast.walk(node))
        ]
        return max(around, default=None)

    def _slip(self) -> PlacedSlip:
        return PlacedSlip(self.module, self.scope, self.old, Slip(self.label, self.new))


@dataclass(frozen=True)
class Sentence:
    """A sentence of one or several texts.

    Attributes:
        at: its identifier in each text that has it; see `spec.TEXTS`.
        what: what it says, in our words.
        changes: the changes of the place in the reference.
        silent: changes that no case can notice: for the beginning of a label, the reason; and in `silent_in`,
            the texts in which it holds, if not in all.
        idle: why nothing is changed: the sentence asks nothing of a receiver of events, or another sentence
            says the same.
        about: the room versions that it is about, if not those whose pages have it.
    """

    at: Mapping[str, str]
    what: str
    changes: tuple[Change, ...] = ()
    silent: Mapping[str, str] = field(default_factory=dict)
    silent_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    idle: str = ""
    about: tuple[str, ...] = ()

    def changes_in(self, text: str) -> list[Change]:
        """Return the changes in a text."""
        return [change for change in self.changes if not change.only or text in change.only]

    def reason(self, change: Change, text: str) -> str:
        """Return why no case of a text can notice a change; empty if one can."""
        for label, reason in self.silent.items():
            if change.label.startswith(label) and text in self.silent_in.get(label, (text,)):
                return reason
        return ""


# Rules: a condition and its consequence


def rule_changes(scope: str, old: str, module: str = "auth.py", *, widen: bool = True) -> Iterator[Change]:
    """Yield the changes of a rule of the lists.

    Args:
        scope: the function that has the rule.
        old: the source of the rule, ``(condition, consequence)``.
        widen: whether the rule is also applied where its condition does not hold.
    """
    node = ast.parse(old.strip(), mode="eval").body
    assert isinstance(node, ast.Tuple)
    condition, consequence = node.elts
    decision = ast.unparse(consequence)
    held = ast.unparse(condition.body) if isinstance(condition, ast.Lambda) else f"{ast.unparse(condition)}()"

    def change(how: str, new: str, detail: str = "") -> Change:
        return Change(how, module, scope, old, new, detail)

    if decision == "ALLOW_IF_AND_ONLY_IF":
        yield change(DROPPED, f"(lambda: None, {decision})")
        yield change(INVERTED, f"(lambda: None if ({held}) is None else not ({held}), {decision})")
        yield change(WIDENED, f"(lambda: True, {decision})")
    elif held == "otherwise()":
        yield change(DROPPED, f"(lambda: False, {decision})")
        if decision in ("ALLOW", "REJECT"):
            yield change(INVERTED, f"(otherwise, {'REJECT' if decision == 'ALLOW' else 'ALLOW'})")
        return
    else:
        yield change(DROPPED, f"(lambda: False, {decision})")
        if decision in ("ALLOW", "REJECT"):
            yield change(INVERTED, f"(lambda: {held}, {'REJECT' if decision == 'ALLOW' else 'ALLOW'})")
        else:
            yield change(INVERTED, f"(lambda: not ({held}), {decision})")
        if widen:
            yield change(WIDENED, f"(lambda: True, {decision})")
    for before, after, text in _parts(ast.unparse(condition)):
        yield change(ALTERED, f"({text}, {decision})", f"{before} -> {after}")


def altered(module: str, scope: str, old: str) -> Iterator[Change]:
    """Yield the small changes that `mutation.mutants` makes to an expression."""
    for before, after, text in _parts(old.strip()):
        yield Change(ALTERED, module, scope, old, text, f"{before} -> {after}")


def _parts(source: str) -> Iterator[tuple[str, str, str]]:
    """Yield the small changes of an expression, but for the names of keys: without them nothing is read."""
    for before, after, text in expression_changes(ast.unparse(ast.parse(source, mode="eval"))):
        if f"[{before}]" not in text.replace(after, before):
            yield before, after, text
