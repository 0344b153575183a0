"""The automatic mutation run: what it changes, and that it tells what is caught from what is not."""

import os

import pytest
from mutation.auto import chosen, survivors
from mutation.mutants import mutants
from mutation.run import caught_by
from mutation.slip import PACKAGE

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
    while value > 1:
        value = [one for one in other if one is value] if value in other else other
    match value:
        case one if not one:
            pass
    return Verdict(True, {"detail": "nor that"})
'''


def test_every_change_has_a_name_of_its_own_and_what_is_for_people_has_none() -> None:
    names = [mutant.name for mutant in mutants("x.py", SOURCE)]
    assert names == [
        "x.py : 5 -> 6",
        "x.py f: False -> True",
        "x.py f: value < LIMIT and (not other) -> True",
        "x.py f: value < LIMIT and (not other) -> False",
        "x.py f: value < LIMIT and (not other) -> value < LIMIT or not other",
        "x.py f: value < LIMIT and (not other) -> not other",
        "x.py f: value < LIMIT and (not other) -> value < LIMIT",
        "x.py f: value < LIMIT -> value <= LIMIT",
        "x.py f: not other -> other",
        "x.py f: return f'{value} is text' -> return",
        "x.py f: one -> True",
        "x.py f: one -> False",
        "x.py f: continue -> pass",
        "x.py f: raise ValueError('nor this') -> pass",
        "x.py f: value > 1 -> False",
        "x.py f: value > 1 -> value >= 1",
        "x.py f: 1 -> 2",
        "x.py f: value in other -> True",
        "x.py f: value in other -> False",
        "x.py f: one is value -> True",
        "x.py f: one is value -> False",
        "x.py f: not one -> True",
        "x.py f: not one -> False",
        "x.py f: return Verdict(True, {'detail': 'nor that'}) -> return",
        "x.py f: True -> False",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each mutant runs in a fork of this process")
def test_a_change_that_matters_is_caught_and_one_that_does_not_is_not() -> None:
    text = (PACKAGE / "selection.py").read_text(encoding="utf-8")
    cases = [case for case in load_suite() if case.operation == "auth_types"]
    by_name = {mutant.name: mutant for mutant in mutants("selection.py", text)}
    caught = by_name["selection.py list_auth_types: membership == 'invite' -> False"]
    by = caught_by("selection.py", caught.tree, cases)
    assert by in {case.name for case in cases}
    assert caught_by("selection.py", caught.tree, []) is None
    # A change that makes the process die is caught too.
    broken = by_name["selection.py list_auth_types: return keys -> return (2)"]
    assert caught_by("selection.py", broken.tree, cases) is not None


def test_what_is_explained_is_of_the_core_and_has_a_reason() -> None:
    explained = survivors()
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
    there = {
        mutant.name
        for module in {name.partition(" ")[0] for name in explained}
        for mutant in mutants(module, (PACKAGE / module).read_text(encoding="utf-8"))
    }
    assert [name for name in explained if name not in there] == []
