"""How many test vectors each authorisation rule decides, by room version and verdict.

A case counts for the rule that its ``rule`` names. Cases of the operation ``auth`` name one, and so do those
of ``verify_signatures`` for the one rule about a signature. Disputed cases do not count. The numbers come
from what the cases say, not from what this package decides; a test checks that the two agree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..rules import Decision, Rule, list_rules
from ..types import JsonObject
from ..versions import ROOM_VERSIONS
from .document import Case

_ANSWERS: Mapping[str, str] = {"auth": "allowed", "verify_signatures": "valid"}


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """A rule in a room version, and the cases that it decides.

    Attributes:
        rule: the rule.
        room_version: the identifier of the room version.
        number: the number of the rule in the specification of that room version.
        accepting: the number of cases that the rule allows.
        rejecting: the number of cases that the rule rejects.
    """

    rule: Rule
    room_version: str
    number: str
    accepting: int
    rejecting: int

    @property
    def lacking(self) -> tuple[str, ...]:
        """The kinds of case that the rule should have and does not: ``accepting``, ``rejecting``."""
        decision = self.rule.decision
        lacking = []
        if decision is not Decision.REJECT and not self.accepting:
            lacking.append("accepting")
        if decision is not Decision.ALLOW and not self.rejecting:
            lacking.append("rejecting")
        return tuple(lacking)


def measure_coverage(cases: Iterable[Case]) -> list[RuleCoverage]:
    """Count the cases that each rule decides.

    Returns:
        A row for each rule of each room version, in the order of `ROOM_VERSIONS` and of `list_rules`.
    """
    counts: dict[tuple[str, str, bool], int] = {}
    for case in cases:
        if case.disputed:
            continue
        answer = case.expected[0].outcome.get(_ANSWERS.get(case.operation, ""))
        if case.rule and type(answer) is bool:
            key = (case.room_version, case.rule, answer)
            counts[key] = counts.get(key, 0) + 1
    rows = []
    for name, version in ROOM_VERSIONS.items():
        for rule in list_rules(version):
            number = rule.numbers[version.rule_list]
            accepting, rejecting = (counts.get((name, number, way), 0) for way in (True, False))
            rows.append(RuleCoverage(rule, name, number, accepting, rejecting))
    return rows


def coverage_report(rows: Iterable[RuleCoverage]) -> JsonObject:
    """Return the rows as JSON, by room version and by number of the rule."""
    versions: dict[str, JsonObject] = {}
    complete = True
    for row in rows:
        complete = complete and not row.lacking
        versions.setdefault(row.room_version, {})[row.number] = {
            "name": row.rule.name,
            "decision": row.rule.decision.value,
            "accepting": row.accepting,
            "rejecting": row.rejecting,
            "lacking": list(row.lacking),
        }
    return {"complete": complete, "room_versions": {**versions}}
