"""The catalogue of public bugs: every case that it names exists, passes, and catches the bug."""

import ast
import json
import os
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mutation.mutants import mutants
from mutation.run import caught_by
from mutation.slip import PACKAGE, apply
from mutation.slips import SLIPS

from roomver.readers.suite import load_cases
from roomver.suite.document import Outcome, run_case
from vectors.generate.bugs import as_markdown

SUITE = Path(__file__).parents[1] / "vectors"

# Slips, by their sense, and automatic changes, by their name, that give this implementation the bug.
SAME: dict[str, tuple[str, ...]] = {
    "knock_any_join_rule": ("users can knock in public and invite-only rooms",),
    "mainline_position_zero": ("an event without a mainline ancestor has the position of the oldest",),
    "auth_difference_left_out": ("the auth difference is right for two states and wrong for three",),
    "user_levels_of_equals": ("auth/power_levels.py _check_users: current >= sender -> current > sender",),
    "shadowed_rejected_auth_event": (
        "auth/auth_events.py check_auth_events: event_id in rejected or event_id == own_id"
        " -> event_id == own_id",
        "auth/auth_events.py check_auth_events: len(entries) != len(keys) -> False",
    ),
    "rejected_events_resolved_into_state": (
        "resolution/iterative.py StateView.lend: not is_rejected(parent) -> True",
        "resolution/iterative.py iterative_auth_checks: skip_rejected and problem.is_rejected(event_id)"
        " -> problem.is_rejected(event_id)",
    ),
    "levels_as_strings": ("a string is a level in version 10",),
    "null_levels": ("a null level counts as absent",),
    "notification_levels_unguarded": ("changes of notifications are not checked",),
    "authoriser_not_in_room": (
        "auth/join.py _check_restricted: authoriser_membership != 'join' -> False",
        "an invited user can authorise a join",
        "a powerful user who has left can authorise a join",
    ),
    "knock_taken_back": (
        "auth/leave.py check_leave:"
        " membership in ('invite', 'join') or (membership == 'knock' and context.version.knock)"
        " -> membership in ('invite', 'join')",
    ),
    "knock_otherwise_reject": (
        "a banned user can knock",
        "an invited user can knock",
        "a joined user can knock",
    ),
}
CAUGHT = [(bug, change) for bug, changes in SAME.items() for change in changes]


@cache
def catalogue() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SUITE / "bugs.json").read_text(encoding="utf-8"))
    return read


@cache
def suite() -> list[Any]:
    return load_cases([SUITE])


def named(bug: dict[str, Any]) -> list[Any]:
    return [case for case in suite() if any(fnmatchcase(case.name, pattern) for pattern in bug["cases"])]


def test_the_page_is_generated_from_the_catalogue() -> None:
    page = (SUITE / "bugs.md").read_text(encoding="utf-8")
    assert page == as_markdown(catalogue()), "run: python -m vectors.generate"


def test_the_catalogue_follows_its_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((SUITE / "schemas" / "bugs.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(catalogue())
    ids = [bug["id"] for bug in catalogue()["bugs"]]
    assert len(ids) == len(set(ids))
    assert set(SAME) <= set(ids)


@pytest.mark.parametrize("bug", catalogue()["bugs"], ids=lambda bug: bug["id"])
def test_every_named_case_exists_and_passes(bug: dict[str, Any]) -> None:
    for pattern in bug["cases"]:
        assert any(fnmatchcase(case.name, pattern) for case in suite()), pattern
    cases = named(bug)
    assert any(case.room_version in bug["room_versions"] for case in cases)
    assert [case.name for case in cases if run_case(case).outcome is not Outcome.PASSED] == []


def changed(change: str) -> tuple[str, ast.Module]:
    """Return the module that a slip or an automatic change is in, and its tree with the change."""
    for slip in SLIPS:
        if slip.slip.sense == change:
            return slip.module, apply(slip)
    module = change.partition(" ")[0]
    text = (PACKAGE / module).read_text(encoding="utf-8")
    return module, {mutant.name: mutant.tree for mutant in mutants(module, text)}[change]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each change runs in a fork of this process")
@pytest.mark.parametrize(("bug", "change"), CAUGHT)
def test_an_implementation_with_the_bug_fails_a_named_case(bug: str, change: str) -> None:
    (entry,) = [entry for entry in catalogue()["bugs"] if entry["id"] == bug]
    cases = named(entry)
    module, tree = changed(change)
    assert caught_by(module, tree, cases) in {case.name for case in cases}
