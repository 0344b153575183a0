"""The vector suite in process: it passes, it can fail, and it distinguishes the room versions."""

import dataclasses
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from roomver.readers.suite import find_suite, load_cases, load_suite
from roomver.suite import document as vectors
from roomver.suite import operations
from roomver.suite.document import Case, Expectation, Outcome, compare, read_vectors, run_case
from roomver.suite.inputs import BadVectors
from roomver.suite.operations import OPERATIONS, error_code, run_operation
from roomver.versions import ROOM_VERSIONS, RoomVersion

ROOT = Path(__file__).parents[1]
SUITE = ROOT / "vectors"


# The other folders hold programs and what they build.
FOLDERS = ("base", "auth", "resolution", "receipt", "custom", "disputed", "schemas")


def vector_files() -> list[Path]:
    return [file for folder in FOLDERS for file in sorted((SUITE / folder).rglob("*.json"))]


@cache
def suite() -> tuple[Case, ...]:
    return tuple(load_cases([SUITE]))


def of_version(version: str) -> list[Case]:
    return [case for case in suite() if case.room_version == version]


def test_a_checkout_uses_its_own_suite() -> None:
    assert find_suite() == SUITE
    assert load_suite() == load_cases([SUITE])


def test_every_case_passes() -> None:
    failed = [result for result in map(run_case, suite()) if result.outcome is not Outcome.PASSED]
    assert [(result.case.name, result.got, result.reason) for result in failed] == []


def test_every_operation_has_a_case_in_every_version() -> None:
    there = {(case.operation, case.room_version) for case in suite()}
    assert {(o, v) for o in OPERATIONS for v in ROOM_VERSIONS} - there == set()


def test_no_input_is_changed() -> None:
    for case in suite():
        before = json.dumps(case.input)
        run_operation(case.operation, case.room_version, case.input)
        assert json.dumps(case.input) == before, case.name


def test_disputed_cases_are_in_their_own_folder() -> None:
    assert {case.name for case in load_cases([SUITE / "disputed"])} == {c.name for c in suite() if c.disputed}
    assert all(case.disputed for case in load_cases([SUITE / "disputed"]))


def test_the_generators_write_what_is_there(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "vectors.generate", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    written = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*.json")}
    assert written
    for path, content in written.items():
        assert (SUITE / path).read_bytes() == content, f"{path}: run python -m vectors.generate"
    folders = {path.parts[0] for path in written}
    there = {f.relative_to(SUITE) for folder in folders for f in (SUITE / folder).rglob("*.json")}
    assert there - written.keys() == set(), "files that no generator writes"


def numbers(value: Any) -> Iterator[int | float]:
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            stack.extend(item.values())
        elif type(item) is list:
            stack.extend(item)
        elif type(item) in (int, float):
            yield item


def test_numbers_that_not_every_parser_reads_are_in_their_own_files() -> None:
    for file in vector_files():
        found = numbers(json.loads(file.read_text(encoding="utf-8")))
        odd = any(type(number) is float or abs(number) >= 2**53 for number in found)
        if odd:
            assert file.name.endswith("_numbers.json"), file


def test_the_files_hold_no_surrogates_or_invisible_characters() -> None:
    for file in vector_files():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"(?<!\\)(?:\\\\)*\\ud[89ab]", text), f"{file}: surrogates"
        assert not re.search("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]", text), (
            f"{file}: invisible characters"
        )


# The suite can fail


def spoiled(value: Any) -> Any:
    """Return the value with its last leaf changed."""
    if type(value) is dict and value:
        last = list(value)[-1]
        return {**value, last: spoiled(value[last])}
    if type(value) is list and value:
        return [*value[:-1], spoiled(value[-1])]
    if type(value) is bool:
        return not value
    return f"{value}x"


def test_a_changed_expectation_fails() -> None:
    for case in suite():
        outcome = case.expected[0].outcome
        wrong: Any = {"canonical": "x"} if "error" in outcome else spoiled(outcome)
        other = dataclasses.replace(case, expected=(Expectation(wrong),))
        assert run_case(other).outcome is Outcome.FAILED, case.name


def test_an_unexpected_error_fails_and_so_does_an_answer_in_place_of_an_error() -> None:
    given: dict[str, Any] = {"json": "NaN"}
    case = Case("x", "canonical_json", "1", given, (Expectation({"canonical": "NaN"}),))
    assert run_case(case).outcome is Outcome.FAILED
    case = Case("x", "canonical_json", "1", {"json": "1"}, (Expectation({"error": True}),))
    assert run_case(case).outcome is Outcome.FAILED


def test_roomver_must_give_the_first_outcome_of_a_disputed_case() -> None:
    other, ours = Expectation({"error": True}, "they"), Expectation({"canonical": "1"}, "we")
    case = Case("x", "canonical_json", "1", {"json": "1"}, (other, ours))
    result = run_case(case)
    assert (result.outcome, result.accepted) == (Outcome.FAILED, 1)
    assert run_case(dataclasses.replace(case, expected=(ours, other))).outcome is Outcome.PASSED


def test_other_implementations_may_omit_steps_but_roomver_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(c for c in suite() if "power_order" in c.expected[0].outcome)
    outcome = case.expected[0].outcome

    def without_steps(given: Any, version: Any) -> Any:
        return {"state": outcome["state"]}

    assert compare(case, {"state": outcome["state"]}).outcome is Outcome.PASSED
    assert compare(case, {**outcome, "power_order": ["$other"]}).outcome is Outcome.FAILED
    operation = dataclasses.replace(OPERATIONS["resolve"], run=without_steps)
    monkeypatch.setattr(operations, "OPERATIONS", {**OPERATIONS, "resolve": operation})
    result = run_case(case)
    assert result.outcome is Outcome.FAILED
    assert "power_order" in result.reason


def test_an_exception_of_the_package_fails_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(given: Any, version: Any) -> Any:
        raise KeyError("oh")

    operation = dataclasses.replace(OPERATIONS["redact"], run=broken)
    monkeypatch.setattr(operations, "OPERATIONS", {**OPERATIONS, "redact": operation})
    case = next(case for case in suite() if case.operation == "redact")
    result = run_case(case)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "raised KeyError: 'oh'")


def test_values_of_different_types_differ() -> None:
    assert vectors.same({"a": [1, None]}, {"a": [1, None]})
    pairs: tuple[tuple[Any, Any], ...] = (
        (1, True),
        (1, 1.0),
        (0, False),
        ("1", 1),
        ([1], [1, 1]),
        ({"a": 1}, {}),
        (None, 0),
    )
    for one, other in pairs:
        assert not vectors.same(one, other)


def test_error_codes() -> None:
    assert run_operation("canonical_json", "12", {"json": "NaN"})["error"] == "not_canonical"
    assert run_operation("canonical_json", "13", {"json": "1"})["error"] == "unknown_room_version"
    assert run_operation("canonical_json", "12", {"json": 1})["error"] == "bad_vectors"
    assert run_operation("redact", "12", {"event": []})["error"] == "bad_vectors"
    assert run_operation("redact", "12", {})["error"] == "bad_vectors"
    given: dict[str, Any] = {"event": {}, "server": "x", "key_id": "rsa:1", "seed": ""}
    assert run_operation("sign_event", "12", given)["error"] == "bad_key"
    assert run_operation("fly", "12", {}) == {"unsupported": True}
    documented = set(re.findall(r"`([a-z_]+)` \(", (SUITE / "FORMAT.md").read_text(encoding="utf-8")))
    assert {error_code(BadVectors("", "")), "not_canonical", "bad_request"} <= documented


# The suite distinguishes every field of every room version

NAMES_ONLY = frozenset({"identifier", "rule_list", "based_on", "page_url"})
# All stable versions have these in common, and not all versions have a vector that would notice the change.
# tests/test_event_format.py and tests/test_unstable_versions.py notice it.
UNNOTICED = {("redaction_keeps_relation", "True"), ("max_state_key_bytes", "254")}


# Keys and event types to add to a set, and to which sets.
ADDED: Mapping[str, Callable[[frozenset[str]], bool]] = {
    "org.example.key": lambda keys: bool(keys) and not keys & {"m.room.create"},
    "m.room.member": lambda types: types <= {"m.room.create"},
}


def others(value: Any) -> Iterator[Any]:
    """Yield other values that a field could have by mistake."""
    if type(value) is bool:
        yield not value
    elif isinstance(value, Enum):
        yield from (member for member in type(value) if member is not value)
    elif type(value) is int:
        yield value - 1
        if value > 2**53:  # strict canonical JSON has no integer above 2^53 - 1
            yield value + 1
    elif isinstance(value, frozenset):
        yield from (value - {item} for item in sorted(value))
        yield from (value | {item} for item in ("org.example.key", "m.room.member") if ADDED[item](value))
    elif isinstance(value, Mapping):
        for key, keys in value.items():
            for other in (*others(keys), frozenset()):
                yield MappingProxyType({**value, key: other})
            yield MappingProxyType({k: v for k, v in value.items() if k != key})
    else:
        raise AssertionError(f"a field of an unknown kind: {value!r}")


def with_field(version: RoomVersion, name: str, value: Any) -> RoomVersion:
    """Return a record with one field changed. It may contradict itself, so it is not checked."""
    record = object.__new__(RoomVersion)
    for entry in dataclasses.fields(RoomVersion):
        object.__setattr__(record, entry.name, value if entry.name == name else getattr(version, entry.name))
    return record


# Field to the cases that have noticed another value of it, without their version. They are tried first.
NOTICED: defaultdict[str, set[str]] = defaultdict(set)


def notices(version: RoomVersion, flipped: RoomVersion, field: str, patch: pytest.MonkeyPatch) -> bool:
    def named(case: Case) -> str:
        return case.name.replace(f".v{version.identifier}.", ".")

    with patch.context() as context:
        context.setattr(operations, "read_version", lambda *_: flipped)
        for case in sorted(of_version(version.identifier), key=lambda one: named(one) not in NOTICED[field]):
            if run_case(case).outcome is Outcome.FAILED:
                NOTICED[field].add(named(case))
                return True
    return False


@pytest.mark.parametrize("version", ROOM_VERSIONS.values(), ids=str)
def test_every_field_of_a_version_matters(version: RoomVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    unnoticed = set()
    for entry in dataclasses.fields(RoomVersion):
        if entry.name in NAMES_ONLY:
            continue
        if entry.name == "float_power_levels" and version.strict_canonical_json:
            continue  # an event with a float is malformed
        if entry.name == "power_level_types_checked" and not version.power_level_types_checked:
            continue  # it decides which rule refuses an invalid level, and these versions have one
        for other in others(getattr(version, entry.name)):
            if (entry.name, str(other)) in UNNOTICED:
                continue
            if not notices(version, with_field(version, entry.name, other), entry.name, monkeypatch):
                unnoticed.add((entry.name, str(other)))
    assert not unnoticed


# Reading


def document(**case: Any) -> dict[str, Any]:
    good = {
        "name": "x",
        "operation": "canonical_json",
        "room_version": "1",
        "input": {"json": "1"},
        "expected": {"canonical": "1"},
    }
    changed = {key: value for key, value in (good | case).items() if value is not None}
    return {"format": "roomver-vectors/2", "title": "One", "cases": [changed]}


def test_a_document_is_read() -> None:
    (case,) = read_vectors(document(notes="Why", spec="https://example.org/", rule="4.1"))
    assert (case.name, case.notes, case.spec, case.rule) == ("x", "Why", "https://example.org/", "4.1")
    assert not case.disputed


def test_version_1_of_the_format_is_still_read() -> None:
    old = {**document(), "format": "roomver-vectors/1"}
    assert read_vectors(old) == read_vectors(document())


WRONG_FORMAT = "format: must be 'roomver-vectors/1' or 'roomver-vectors/2', not "
TWO = [{"outcome": {"canonical": "1"}, "reason": "a"}, {"outcome": {"error": True}, "reason": "b"}]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ([], "a vector document must be an object, not []"),
        ({"cases": []}, f"{WRONG_FORMAT}null"),
        ({**document(), "format": "roomver-vectors/3"}, f'{WRONG_FORMAT}"roomver-vectors/3"'),
        ({**document(), "format": []}, f"{WRONG_FORMAT}[]"),
        ({**document(), "more": 1}, "unknown keys: more"),
        ({**document(), "title": None}, "title: must be a string"),
        ({**document(), "cases": {}}, "cases: must be an array"),
        ({**document(), "cases": [1]}, "cases[0]: must be an object, not 1"),
        (document(name="a b"), "cases[0].name: must be letters"),
        (document(name="x\n"), "cases[0].name: must be letters"),
        (document(expcted=1), "cases[0] (x): unknown keys: expcted"),
        (document(notes=1), "cases[0] (x).notes: must be a string"),
        (document(operation="fly"), 'cases[0] (x).operation: unknown operation "fly"'),
        (document(operation=[]), "cases[0] (x).operation: unknown operation []"),
        (document(room_version=1), "cases[0] (x).room_version: unknown room version 1"),
        (document(room_version="13"), 'cases[0] (x).room_version: unknown room version "13"'),
        (document(input=[]), "cases[0] (x).input: must be an object, not []"),
        (document(input={}), "cases[0] (x).input: lacks json"),
        (document(input={"json": "", "x": 1}), "cases[0] (x).input: has unknown x"),
        (document(expected=None), "cases[0] (x).expected: must be an object with at least one key"),
        (document(expected={}), "cases[0] (x).expected: must be an object with at least one key"),
        (document(expected={"json": ""}), "cases[0] (x).expected: the output of the operation has no json"),
        (document(expected={"error": False}), "cases[0] (x).expected: an expected error must be"),
        (document(expected={"error": True, "canonical": ""}), "cases[0] (x).expected: an expected error"),
        (document(expected=TWO[:1]), "cases[0] (x).expected: a list must have two"),
        (document(expected=[*TWO, 1]), "cases[0] (x).expected[2]: must be an object with an outcome"),
        (
            document(expected=[*TWO, {**TWO[0], "reason": 1}]),
            "cases[0] (x).expected[2]: must be an object with",
        ),
        (document(expected=[*TWO, {**TWO[0], "outcome": 1}]), "cases[0] (x).expected[2].outcome: must be"),
        ({**document(), "cases": document()["cases"] * 2}, "x: another case has this name"),
    ],
)
def test_a_broken_document_is_refused_by_case_and_path(broken: Any, message: str) -> None:
    with pytest.raises(BadVectors) as caught:
        read_vectors(broken)
    assert str(caught.value).startswith(message)
