"""Tables of the authorisation rules: number, rule, the function that checks it, and a case that tests it.

The functions are found in the source: a rule belongs to the function that names it. The cases are those of
`vectors/sentences.json`: they fail if the rule is dropped, or says the opposite.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from roomver import rules
from roomver.rules import RULES, Rule
from roomver.versions import ROOM_VERSIONS

from .links import ROOT, case_link, code_link
from .merge_tables import table

_AUTH: Final = ROOT / "src" / "roomver" / "auth"
_SENTENCES: Final = ROOT / "vectors" / "sentences.json"
_SHOWN: Final = ("12", "11", "1")
"""The room versions whose numbers a table shows."""

# The signature is verified before the rules, so no rule of `roomver.auth` names this one.
_ELSEWHERE: Final = {
    "member.authoriser_signature": ("list_required_signers", ROOT / "src" / "roomver" / "signatures.py")
}

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("create.",),
    "auth-events": ("room_id.", "auth_events."),
    "federation": ("federation.",),
    "aliases": ("aliases.",),
    "member": ("member.malformed", "member.authoriser_signature", "member.unknown"),
    "join": ("member.join.",),
    "invite": ("member.invite.",),
    "leave": ("member.leave.",),
    "ban": ("member.ban.",),
    "knock": ("member.knock.",),
    "sending": ("sender.", "third_party_invite.", "required_level", "state_key.of_other_user"),
    "power-levels": ("power_levels.",),
    "redaction": ("redaction.",),
    "otherwise": ("otherwise",),
}
"""The tables of the page, each with the beginnings of the names of its rules."""


def rule_table(group: str) -> str:
    """Return the table of a group of rules, in the order of the specification."""
    rows = [
        (
            *(rule.number(ROOM_VERSIONS[one]) or "—" for one in _SHOWN),
            _decides(rule),
            code_link(*_function_of(rule)),
            case_link(_case_of(rule)),
        )
        for rule in RULES.values()
        if rule.name.startswith(GROUPS[group])
    ]
    heads = (*(f"v{one}" for one in _SHOWN), "Rule", "Code", "Case")
    return table(heads, rows)


def grouped_rules() -> list[str]:
    """Return the names of all rules that the tables have."""
    return [name for name in RULES if any(name.startswith(begin) for begin in GROUPS.values())]


def _decides(rule: Rule) -> str:
    match rule.decision.value:
        case "allow":
            return f"**allow** if {rule.acceptance}"
        case "reject":
            return f"reject if {rule.refusal}"
        case _:
            return f"**allow** if {rule.acceptance}; otherwise reject"


@cache
def _constants() -> Mapping[str, str]:
    """Return the name of the constant of each rule."""
    return {value.name: name for name, value in vars(rules).items() if isinstance(value, Rule)}


@cache
def _functions() -> Mapping[str, tuple[str, Path]]:
    """Return, for each constant of a rule, the function that names it in the module of its branch."""
    found: dict[str, tuple[str, Path]] = {}
    # `deciding` names two rules for a state without a create event; of these, `auth_events` has the checks.
    paths = sorted(_AUTH.glob("*.py"), key=lambda path: (path.stem == "deciding", path.stem))
    for path in paths:
        for function, name in _named(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(name, (function, path))
    return found


def _named(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Name):
                    yield function.name, node.id


def _function_of(rule: Rule) -> tuple[str, Path]:
    return _ELSEWHERE.get(rule.name) or _functions()[_constants()[rule.name]]


@cache
def _lists() -> list[tuple[str, Mapping[str, str]]]:
    """Return the oldest room version of each list of rules, newest first, and a case of each numbered rule.

    The case fails if the rule is changed.
    """
    found: list[tuple[str, Mapping[str, str]]] = []
    for text in json.loads(_SENTENCES.read_text(encoding="utf-8"))["texts"]:
        version = text["id"].removeprefix("auth.v")
        if version in ROOM_VERSIONS:
            cases = {
                sentence["id"]: change["cases"][0]
                for sentence in text["sentences"]
                for change in reversed(sentence.get("changes", []))
                if change.get("cases")
            }
            found.append((version, cases))
    return found[::-1]


def _case_of(rule: Rule) -> str:
    """Return a case that fails without a rule, in the newest list that has the rule."""
    for version, cases in _lists():
        case = cases.get(rule.number(ROOM_VERSIONS[version]) or "")
        if case is not None:
            return case
    raise LookupError(rule.name)
