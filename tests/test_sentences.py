"""Each sentence of the authorisation rules has a case that fails if the sentence is changed.

`sentences` makes the changes; ``python -m tests.sentences`` writes the cases into ``vectors/sentences.json``.
"""

import json
from functools import cache
from typing import Any

import pytest
from reference import auth as reference

from tests import sentences
from tests.sentences import CHANGES, LISTS, TABLE, Judged


@cache
def table() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return read


@cache
def cases() -> dict[str, Judged]:
    return {case.name: case for case in sentences.judged_cases()}


@pytest.mark.parametrize("name", LISTS)
def test_each_rule_of_a_list_has_a_case_that_fails_without_it_and_one_if_it_always_holds(name: str) -> None:
    rows = table()["rules"][name]
    rules = dict(sentences.rules_of(name))
    assert list(rows) == list(rules), "run python -m tests.sentences"
    for number, row in rows.items():
        for how in CHANGES:
            if how == "wider" and rules[number]:
                continue  # "Otherwise" always holds
            if sentences.is_signature_rule(row["rule"]):
                assert row[how].startswith("verify_signatures."), (number, how)
            elif how in row:
                case = cases()[row[how]]
                assert case.version in LISTS[name], (number, how)
                assert sentences.notices_rule(case, number, how), (number, how)
            else:
                assert sentences.same_rule(name, row["rule"], how), (number, row["rule"], how)


def test_what_is_explained_has_no_case() -> None:
    found = {
        (name, row["rule"], how)
        for name, rows in sentences.whole_rules(list(cases().values())).items()
        for row in rows.values()
        for how in CHANGES
        if how in row
    }
    assert [key for key in found if sentences.same_rule(*key)] == []


def test_each_part_of_a_rule_has_a_case_that_fails_if_it_is_changed() -> None:
    rows = table()["parts"]
    changes = {sentences.part_name(mutant): mutant for mutant in sentences.part_mutants()}
    assert list(rows) == list(changes), "run python -m tests.sentences"
    for part, row in rows.items():
        module = sentences.changed_module(changes[part]) if row else None
        for name in LISTS:
            if name in row:
                assert module is not None
                case = cases()[row[name]]
                assert case.version in LISTS[name], (part, name)
                assert sentences.notices_part(case, module), (part, name)
            else:
                assert sentences.same_part(part, name), (part, name)


def test_a_crash_of_a_changed_rule_is_not_evidence() -> None:
    case = next(iter(cases().values()))
    module = sentences.changed_module(sentences.part_mutants()[0])
    module.Rules = reference.Given  # type: ignore[attr-defined] # its arguments are others, so it raises
    assert not sentences.notices_part(case, module)
