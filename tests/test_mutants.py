"""The automatic mutation run: what it changes, and that it tells what is noticed from what is not."""

import json
import os

import pytest
from mutation.auto import SURVIVORS, caught_by, chosen
from mutation.mutants import mutants
from mutation.run import PACKAGE

from roomver.readers.suite import load_suite

SOURCE = '''
"""A docstring."""
LIMIT = 5

def f(value: "not this", other=False):
    """Another."""
    if value < LIMIT and not other:
        return f"{value} is text"
    for one in value:
        if one:
            continue
        raise ValueError("nor this")
    return Verdict(True, {"detail": "nor that"})
'''


def test_every_change_has_a_name_of_its_own_and_what_is_for_people_has_none() -> None:
    names = [mutant.name for mutant in mutants("x.py", SOURCE)]
    assert names == [
        "x.py : 5 -> 6",
        "x.py f: False -> True",
        "x.py f: value < LIMIT and (not other) -> value < LIMIT or not other",
        "x.py f: value < LIMIT -> value <= LIMIT",
        "x.py f: not other -> other",
        "x.py f: return f'{value} is text' -> return",
        "x.py f: if one: continue -> if not one: continue",
        "x.py f: continue -> pass",
        "x.py f: raise ValueError('nor this') -> pass",
        "x.py f: return Verdict(True, {'detail': 'nor that'}) -> return",
        "x.py f: True -> False",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each mutant is a fork of this process")
def test_a_change_that_matters_is_noticed_and_one_that_does_not_is_not() -> None:
    text = (PACKAGE / "selection.py").read_text(encoding="utf-8")
    cases = [case for case in load_suite() if case.operation == "auth_types"]
    by_name = {mutant.name: mutant for mutant in mutants("selection.py", text)}
    noticed = by_name["selection.py select_auth_types: membership == 'invite' -> membership != 'invite'"]
    by = caught_by(noticed, cases)
    assert by in {case.name for case in cases}
    assert caught_by(noticed, []) is None
    # What the process dies of is noticed too.
    broken = by_name["selection.py select_auth_types: return frozenset(keys) -> return (2)"]
    assert caught_by(broken, cases) is not None


def test_what_is_explained_is_of_the_core_and_has_a_reason() -> None:
    explained = json.loads(SURVIVORS.read_text(encoding="utf-8"))
    modules = set(chosen([]))
    assert {
        "auth/join.py",
        "power.py",
        "redaction.py",
        "resolution/v2.py",
        "graph.py",
        "canonical.py",
    } <= modules
    for name, reason in explained.items():
        assert name.partition(" ")[0] in modules
        assert len(reason) > 10
    # There is a mutant of each name: the list does not outlive the code.
    for module in {name.partition(" ")[0] for name in explained}:
        text = (PACKAGE / module).read_text(encoding="utf-8")
        there = {mutant.name for mutant in mutants(module, text)}
        assert {name for name in explained if name.startswith(f"{module} ")} <= there
