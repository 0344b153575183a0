"""``python -m tests.sentences``: name a case for each sentence of the authorisation rules.

The sentences are those of `reference.auth`, which has the specification's lists as it has them: a rule is a
condition and what follows from it. Two things are done to each rule of each list. The rule is *dropped*, so
that its condition never holds; and it is applied *wider*, so that its condition always holds. The same is
done to the parts of a rule: `mutation.mutants` changes each operator, constant and name in the transcription.
A case must then have another outcome.

The cases are written to ``vectors/sentences.json``. A change without a case must be explained in `SILENT` or
`EQUIVALENT`, below.
"""

import ast
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from mutation.mutants import Mutant, mutants  # noqa: E402 - the path comes first
from reference import auth as reference  # noqa: E402

from roomver.readers.suite import load_cases  # noqa: E402
from roomver.suite.document import Case  # noqa: E402
from vectors.generate.auth_numbers import RULE_NUMBERS  # noqa: E402

TABLE = ROOT / "vectors" / "sentences.json"
SOURCE = ROOT / "tests" / "reference" / "auth.py"

LISTS: Mapping[str, tuple[str, ...]] = {
    "1": ("1", "2"),
    "3": ("3", "4", "5"),
    "6": ("6",),
    "7": ("7",),
    "8": ("8", "9"),
    "10": ("10",),
    "11": ("11",),
    "12": ("12",),
}
"""The room versions of each list of rules. A list has the name of its first version."""

CHANGES = ("dropped", "wider")


@dataclass(frozen=True)
class Judged:
    """A case of the operation ``auth``, read for the transcription.

    Attributes:
        reached: the numbers of the rules that it reaches.
        lines: the lines of the transcription that run for it.
    """

    name: str
    version: str
    given: reference.Given
    allowed: bool
    reached: set[str] = field(default_factory=set)
    lines: set[int] = field(default_factory=set)


def judged_cases() -> list[Judged]:
    """Return the undisputed cases that the rules decide."""
    found = []
    for case in _auth_cases():
        outcome = case.expected[0].outcome
        given = _given(case)
        if case.disputed or "allowed" not in outcome or given is None:
            continue
        one = Judged(case.name, case.room_version, given, outcome["allowed"] is True)
        allowed = decide(reference.Rules(given).all_rules(), note=one.reached.add)
        assert allowed is one.allowed, f"the transcription decides {case.name} in another way"
        found.append(one)
    return found


def note_lines(cases: Iterable[Judged]) -> None:
    """Note the lines that run for each case."""
    lines: set[int] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != str(SOURCE):
            return None
        lines.add(frame.f_lineno)
        return trace

    for case in cases:
        lines = case.lines
        sys.settrace(trace)
        try:
            reference.evaluate(reference.Rules(case.given).all_rules())
        finally:
            sys.settrace(None)


@cache
def _auth_cases() -> list[Case]:
    return [case for case in load_cases([ROOT / "vectors" / "auth"]) if case.operation == "auth"]


def _given(case: Case) -> reference.Given | None:
    """Return what the rules look at; None if the case is about an event that is malformed or missing."""
    version = int(case.room_version)
    events: Any = case.input["events"]
    event_id: Any = case.input["event"]
    event = events[event_id]
    if not isinstance(event["content"], dict) or case.name.endswith("float_malformed"):
        return None
    cited = [one[0] if version <= 2 else one for one in event["auth_events"]]
    wanted = [*cited, *(["$" + event["room_id"][1:]] if version >= 12 and "room_id" in event else [])]
    if any(one not in events for one in wanted):
        return None
    known = [(one, events[one]) for one in wanted]
    ids: Any = case.input.get("state")
    pairs = known if ids is None else [(one, events[one]) for one in ids]
    state = {(pdu["type"], pdu["state_key"]): (one, pdu) for one, pdu in pairs if "state_key" in pdu}
    rejected: Any = case.input.get("rejected", [])
    return reference.Given(
        version,
        event_id,
        event,
        known[: len(cited)],
        state,
        known[-1] if known else None,
        frozenset(rejected),
    )


def decide(
    rules: Any, changed: str = "", how: str = "", *, note: Callable[[str], None] | None = None
) -> bool:
    """Decide by a list of rules, of which one may be changed.

    Args:
        rules: as `reference.Rules.all_rules` returns them.
        changed: the number of the changed rule.
        how: one of `CHANGES`.
        note: takes the number of each rule that is reached.

    Returns:
        Whether the event is allowed. It is not, if no rule decides.
    """
    return _decide(rules, "", changed, how, note) is True


def _decide(
    rules: Any, prefix: str, changed: str, how: str, note: Callable[[str], None] | None
) -> bool | None:
    for place, (condition, consequence) in enumerate(rules, 1):
        number = f"{prefix}{place}"
        if note is not None:
            note(number)
        if number == changed and how == "dropped":
            continue
        is_wide = number == changed and how == "wider"
        if consequence == reference.ALLOW_IF_AND_ONLY_IF:
            outcome = condition()
            if is_wide or outcome is not None:
                return outcome is True
        elif is_wide or condition():
            if isinstance(consequence, str):
                return consequence == reference.ALLOW
            inner = _decide(consequence, f"{number}.", changed, how, note)
            if inner is not None:
                return inner
    return None


def rules_of(name: str) -> Iterator[tuple[str, bool]]:
    """Yield the number of each rule of a list, and whether its condition is "Otherwise"."""
    event = {"type": "", "sender": "@a:x", "content": {}, "prev_events": [], "room_id": "!r:x"}
    given = reference.Given(int(LISTS[name][0]), "", event)

    def walk(rules: Any, prefix: str) -> Iterator[tuple[str, bool]]:
        for place, (condition, consequence) in enumerate(rules, 1):
            number = f"{prefix}{place}"
            yield number, condition is reference.otherwise
            if isinstance(consequence, list):
                yield from walk(consequence, f"{number}.")

    return walk(reference.Rules(given).all_rules(), "")


def whole_rules(cases: list[Judged]) -> dict[str, dict[str, dict[str, str]]]:
    """Return, for each list and each of its rules, a case that notices each change of the rule."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for name, versions in LISTS.items():
        names = {number: rule for rule, number in RULE_NUMBERS[versions[0]].items()}
        mine = [case for case in cases if case.version in versions]
        rows = found[name] = {}
        for number, is_otherwise in rules_of(name):
            row = rows[number] = {"rule": names.get(number, "")}
            for how in CHANGES[:1] if is_otherwise else CHANGES:
                case = next((one for one in mine if notices_rule(one, number, how)), None)
                if case is not None:
                    row[how] = case.name
    return found


def notices_rule(case: Judged, number: str, how: str) -> bool:
    """Tell whether a case has another outcome if a rule is changed."""
    if number not in case.reached:
        return False
    try:
        return decide(reference.Rules(case.given).all_rules(), number, how) is not case.allowed
    except (KeyError, TypeError, AttributeError, AssertionError):
        return False  # the rules below the changed one are about other events


PARTS = ("Rules.", "domain", "level", "selected", "any_signature_matches_any_key", "is_user_id")
"""The scopes of the transcription whose parts are sentences, or the definitions of their terms."""


def part_mutants() -> list[Mutant]:
    """Return the changes of the parts of rules."""
    text = SOURCE.read_text(encoding="utf-8")
    return [
        mutant
        for mutant in mutants("reference", text)
        if mutant.scope.startswith(PARTS[0]) or mutant.scope in PARTS[1:]
    ]


def part_name(mutant: Mutant) -> str:
    """Return the name of a change in the table."""
    return mutant.name.removeprefix("reference ").removeprefix("Rules.")


def changed_module(mutant: Mutant) -> ModuleType:
    """Return the transcription with one change."""
    module = ModuleType(reference.__name__)
    module.__package__ = reference.__package__
    # The records of a frozen dataclass look their module up.
    exec(compile(_without_records(mutant.tree), str(SOURCE), "exec"), module.__dict__)
    module.__dict__["Given"] = reference.Given
    return module


def _without_records(tree: ast.Module) -> ast.Module:
    tree.body = [node for node in tree.body if not (isinstance(node, ast.ClassDef) and node.name == "Given")]
    tree.body.insert(1, ast.parse("from reference.auth import Given").body[0])
    return tree


def notices_part(case: Judged, module: ModuleType) -> bool:
    """Tell whether a case has another outcome by a changed transcription."""
    try:
        decided = module.evaluate(module.Rules(case.given).all_rules())
    except Exception:
        return False  # a crash proves nothing
    return (decided is not None and decided[0] == "allow") is not case.allowed


def parts(cases: list[Judged]) -> dict[str, dict[str, str]]:
    """Return, for each part of a rule, a case of each list that notices its change."""
    found: dict[str, dict[str, str]] = {}
    note_lines(cases)
    ran = set().union(*(case.lines for case in cases))
    ordered = {name: [case for case in cases if case.version in of] for name, of in LISTS.items()}
    for mutant in part_mutants():
        module = changed_module(mutant)
        row = found[part_name(mutant)] = {}
        for name, mine in ordered.items():
            for index, case in enumerate(mine):
                # A line of which nothing is known may run for any case.
                if (mutant.line in case.lines or mutant.line not in ran) and notices_part(case, module):
                    row[name] = case.name
                    mine.insert(0, mine.pop(index))  # it will notice the next change of this rule too
                    break
    return found


def main() -> None:
    """Write the table."""
    cases = judged_cases()
    table = {
        "title": "For each sentence of the authorisation rules, a case that fails if it is changed",
        "rules": whole_rules(cases),
        "parts": parts(cases),
    }
    TABLE.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
