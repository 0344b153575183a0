"""Each sentence of the authorisation rules has a case that fails if the sentence is dropped or applied wider.

`sentences` makes the changes. ``python -m tests.sentences`` writes the cases into
``tests/data/sentences.json``.
"""

import json
from functools import cache
from typing import Any

import pytest
import sentences
from reference import auth as reference
from sentences import LISTS, TABLE, Judged

from vectors.generate.auth_numbers import RULE_NUMBERS


@cache
def table() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return read


@cache
def cases() -> dict[str, Judged]:
    return {case.name: case for case in sentences.judged_cases()}


def test_the_lists_have_every_room_version_and_every_rule() -> None:
    assert [version for versions in LISTS.values() for version in versions] == [str(n) for n in range(1, 13)]
    for name, versions in LISTS.items():
        rules = {row.get("rule", "") for row in table()["rules"][name].values()} - {""}
        for version in versions:
            assert rules == set(RULE_NUMBERS[version]), (name, version)


@pytest.mark.parametrize("name", LISTS)
def test_each_rule_of_a_list_has_a_case_that_fails_without_it_and_one_if_it_always_holds(name: str) -> None:
    rows = table()["rules"][name]
    kinds = sentences.rules_of(name)
    assert list(rows) == list(kinds), "run python -m tests.sentences"
    for number, row in rows.items():
        for how in sentences.changes_of(kinds[number]):
            change = "opposite" if sentences.is_silent(name, row.get("rule", ""), how) else how
            assert change in row, f"list {name}, rule {number}: no case notices that it is {change}"
            if how == "dropped" and sentences.is_signature_rule(name, number):
                case = next(case for case in sentences.signature_cases() if case.name == row[change])
                assert sentences.needs_authoriser(case, LISTS[name]), (number, how)
            else:
                judged = cases()[row[change]]
                assert judged.version in LISTS[name], (number, how)
                assert sentences.notices_rule(judged, number, change, kinds[number]), (number, how)


def test_what_is_explained_is_noticed_by_no_case() -> None:
    explained = 0
    for name, versions in LISTS.items():
        kinds = sentences.rules_of(name)
        mine = [case for case in cases().values() if case.version in versions]
        for number, row in table()["rules"][name].items():
            for how in sentences.CHANGES:
                if sentences.is_silent(name, row.get("rule", ""), how):
                    explained += 1
                    noticed = [c.name for c in mine if sentences.notices_rule(c, number, how, kinds[number])]
                    assert noticed == [], (name, number, how)
    assert explained == sum(len(lists) for lists, _ in sentences.SILENT.values())


def test_the_unchanged_rules_fail_no_case() -> None:
    # Without this, a transcription that is wrong would seem to notice every change.
    for case in cases().values():
        assert sentences.decide(reference.Rules(case.given).all_rules()) is case.allowed, case.name
