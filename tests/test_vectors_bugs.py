"""The catalogue of public bugs: every case that it names exists, passes, and catches the bug."""

import json
import shutil
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mutation.run import PACKAGE, mutated, run_suite
from mutation.slips import SLIPS, Slip

from roomver.readers.suite import load_cases
from roomver.suite.document import Outcome, run_case
from vectors.generate.bugs import as_markdown

SUITE = Path(__file__).parents[1] / "vectors"

# Slips that make this implementation have the bug.
SAME: dict[str, tuple[str, ...]] = {
    "knock_any_join_rule": ("users knock at any door",),
    "mainline_position_zero": ("an event without a mainline ancestor has the position of the oldest",),
    "auth_difference_left_out": ("the auth difference is right for two states and wrong for three",),
    "user_levels_of_equals": ("another user of one's own level may be lowered",),
    "shadowed_rejected_auth_event": (
        "a rejected auth event is let pass",
        "an auth event cited twice is let pass",
    ),
    "rejected_events_resolved_into_state": (
        "a rejected auth event is fallen back on",
        "rejected events are left out",
    ),
    "levels_as_strings": ("a string is a level from version 10 on",),
    "null_levels": ("null is an absent level",),
    "notification_levels_unguarded": ("notifications are guarded in no version",),
    "authoriser_not_in_room": (
        "the authoriser need not be in the room",
        "an authoriser who is invited will do",
        "an authoriser who has left will do if it is powerful",
    ),
    "knock_taken_back": ("who knocks cannot leave",),
    "knock_otherwise_reject": ("who is banned knocks", "who is invited knocks", "who is in knocks"),
}
CAUGHT = [(bug, sense) for bug, senses in SAME.items() for sense in senses]


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


@pytest.mark.parametrize(("bug", "sense"), CAUGHT)
def test_an_implementation_with_the_bug_fails_a_named_case(bug: str, sense: str, tmp_path: Path) -> None:
    (slip,) = [slip for slip in SLIPS if slip.sense == sense]
    (entry,) = [entry for entry in catalogue()["bugs"] if entry["id"] == bug]
    folder, package = tmp_path / "vectors", tmp_path / "roomver"
    folder.mkdir()
    names = {case.name for case in named(entry)}
    for number, path in enumerate(sorted(SUITE.rglob("*.json"))):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") == "roomver-vectors/1":
            cases = [case for case in document["cases"] if case["name"] in names]
            if cases:
                (folder / f"{number}.json").write_text(json.dumps({**document, "cases": cases}))
    assert json.loads(run_suite(PACKAGE, folder).stdout) == {"cases": len(names), "failed": None}
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert isinstance(slip, Slip)
    (package / slip.module).write_text(mutated(slip), encoding="utf-8")
    done = run_suite(package, folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failed"] in names
