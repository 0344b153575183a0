"""Which authorisation rules a set of test vectors decides by, in each room version and each way.

A rule counts as seen accepting or rejecting where a case names it in ``rule``: cases of the operation
``auth`` do, and those of ``verify_signatures`` for the one rule that is about a signature. A disputed
case does not count. What is counted is what cases say, not what this package decides; that the two
agree is for a test to see.
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
    """One rule in one room version, and the cases that it decides.

    Attributes:
        accepting, rejecting: how many cases it accepts and rejects.
    """

    rule: Rule
    room_version: str
    number: str
    accepting: int
    rejecting: int

    @property
    def lacking(self) -> tuple[str, ...]:
        """What is not there that should be: ``accepting``, ``rejecting``."""
        decision = self.rule.decision
        lacking = []
        if decision is not Decision.REJECT and not self.accepting:
            lacking.append("accepting")
        if decision is not Decision.ALLOW and not self.rejecting:
            lacking.append("rejecting")
        return tuple(lacking)


def measure_coverage(cases: Iterable[Case]) -> list[RuleCoverage]:
    """Count the cases that each rule decides, in the order of room versions and of their rules."""
    counted: dict[tuple[str, str, bool], int] = {}
    for case in cases:
        if case.disputed:
            continue
        answer = case.expected[0].outcome.get(_ANSWERS.get(case.operation, ""))
        if case.rule and type(answer) is bool:
            key = (case.room_version, case.rule, answer)
            counted[key] = counted.get(key, 0) + 1
    rows = []
    for name, version in ROOM_VERSIONS.items():
        for rule in list_rules(version):
            number = rule.numbers[version.rule_list]
            accepting, rejecting = (counted.get((name, number, way), 0) for way in (True, False))
            rows.append(RuleCoverage(rule, name, number, accepting, rejecting))
    return rows


def coverage_report(rows: Iterable[RuleCoverage]) -> JsonObject:
    """Return a coverage as JSON: by room version and number of the rule."""
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
