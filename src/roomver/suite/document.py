"""Test vectors: read a document of them, run its cases in process, compare what came.

A document comes in as data and results go out as data: files, processes and output are for the command
line. What a case means stands in ``vectors/FORMAT.md``, which is written for implementers in any
language; this module and `operations` are the one place that knows it in Python.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from ..canonical import join_path, shorten
from ..errors import RoomverError
from ..resolution import RoomGraph
from ..types import JsonObject, JsonValue
from ..versions import ROOM_VERSIONS, get_room_version
from .operations import OPERATIONS, BadVectors, Operation, check_keys, events_of, resolution_of, run_operation

FORMAT: Final = "roomver-vectors/1"
"""The value of ``format`` in a document that this module reads."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CASE_KEYS = frozenset({"name", "operation", "room_version", "input", "expected", "spec", "rule", "notes"})


@dataclass(frozen=True, slots=True)
class Acceptable:
    """One outcome that a case accepts.

    Attributes:
        outcome: the keys that the output must have, with these values.
        reason: who gives this outcome and on what reading; only where a case accepts several.
    """

    outcome: JsonObject
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One test vector.

    Attributes:
        expected: what is accepted, this package's own choice first. More than one only where honest
            readings of the specification differ.
    """

    name: str
    operation: str
    room_version: str
    input: JsonObject = field(repr=False)
    expected: tuple[Acceptable, ...] = field(repr=False)
    spec: str = ""
    rule: str = ""
    notes: str = ""

    @property
    def disputed(self) -> bool:
        """More than one outcome is accepted."""
        return len(self.expected) > 1


class Outcome(Enum):
    """What became of a case."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case and what became of it.

    Attributes:
        got: the output; None where there was none to compare.
        reason: why there was none.
        accepted: the index of the expected outcome that came, if one did.
    """

    case: Case
    outcome: Outcome
    got: JsonObject | None = None
    reason: str = ""
    accepted: int | None = None


# Comparing


def same(one: JsonValue, other: JsonValue) -> bool:
    """Tell whether two JSON values are the same: ``1``, ``1.0`` and ``true`` are three.

    Cost: one visit to each value. Recursion is as deep as the value that is expected.
    """
    if type(one) is not type(other):
        return False
    if type(one) is dict and type(other) is dict:
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


STEPS: Final = frozenset(
    (
        "conflicted",
        "auth_difference",
        "conflicted_subgraph",
        "full_conflicted",
        "power_order",
        "mainline_order",
        "partial_state",
    )
)
"""What an outcome of ``resolve`` may hold beside the state: compared where an output has it."""


def meets(output: JsonObject, outcome: JsonObject) -> bool:
    """Tell whether an output is the outcome that a case expects.

    Keys that the outcome does not name are ignored, and so are steps of a resolution that an
    implementation does not tell; but an output that reports an error is never a success. An expected
    ``{"error": true}`` is met by any error.

    >>> meets({"valid": True, "detail": "…"}, {"valid": True})
    True
    >>> meets({"error": "not_canonical"}, {"error": True})
    True
    """
    if ("error" in output) is not ("error" in outcome):
        return False
    if outcome.get("error") is True:
        return True
    return all(
        _fits(key, output[key], value) if key in output else key in STEPS for key, value in outcome.items()
    )


def _fits(key: str, came: JsonValue, expected: JsonValue) -> bool:
    if key != "rejected" or type(came) is not dict or type(expected) is not dict:
        return same(came, expected)
    # A case of `check` may leave open which rule rejects an event.
    return came.keys() == expected.keys() and all(
        rule is True or same(came[event_id], rule) for event_id, rule in expected.items()
    )


def compare(case: Case, output: JsonObject) -> CaseResult:
    """Compare an implementation's output with what a case expects."""
    if output.get("unsupported") is True:
        return CaseResult(case, Outcome.UNSUPPORTED)
    for index, acceptable in enumerate(case.expected):
        if meets(output, acceptable.outcome):
            return CaseResult(case, Outcome.PASSED, output, accepted=index)
    return CaseResult(case, Outcome.FAILED, output)


def run_case(case: Case) -> CaseResult:
    """Run a case in process, and compare.

    Of a disputed case this package must give the first outcome, which is its own choice; and it tells
    the steps of a resolution that a case names, and decides by the rule that it names.
    """
    try:
        output = run_operation(case.operation, case.room_version, case.input)
    except Exception as error:  # a defect of this package: one failed case among the others, not the end
        return CaseResult(case, Outcome.FAILED, None, f"raised {type(error).__name__}: {error}")
    result = compare(case, output)
    if result.accepted:
        reason = "an accepted outcome, but not the one that this package has chosen"
        return CaseResult(case, Outcome.FAILED, result.got, reason, result.accepted)
    untold = STEPS.intersection(case.expected[0].outcome).difference(output)
    if untold and result.outcome is Outcome.PASSED:
        reason = f"does not tell {', '.join(sorted(untold))}"
        return CaseResult(case, Outcome.FAILED, result.got, reason)
    if case.operation == "resolve" and result.outcome is Outcome.PASSED and not _same_with_graph(case):
        return CaseResult(case, Outcome.FAILED, result.got, "resolves otherwise with a graph that is kept")
    decided = output.get("rule", case.rule)
    if case.rule and decided != case.rule and result.outcome is Outcome.PASSED:
        return CaseResult(case, Outcome.FAILED, result.got, f"decides by rule {decided}, not {case.rule}")
    return result


def _same_with_graph(case: Case) -> bool:
    """Tell whether a resolution comes to the same in both ways that there are to come to it."""
    try:
        events = events_of(case.input, get_room_version(case.room_version))
        alone, graph = resolution_of(case.input, events), RoomGraph(events.values())
    except RoomverError:
        return True  # the outcome is an error, or the events are no graph
    return resolution_of(case.input, events, graph) == alone


# Reading


def is_vectors(document: JsonValue) -> bool:
    """Tell whether a JSON document means to be a vector document, whole or broken.

    Other JSON may lie in the same folder; what has one of a vector document's own keys is none of it.
    """
    return type(document) is dict and ("cases" in document or "format" in document)


def read_vectors(document: JsonValue) -> tuple[Case, ...]:
    """Read the cases of a vector document, in its order.

    Args:
        document: the parsed JSON.

    Raises:
        BadVectors: naming the first case and the path in it that is not as the format has it.

    >>> read_vectors({"format": "roomver-vectors/1", "title": "None", "cases": []})
    ()
    """
    if type(document) is not dict:
        raise BadVectors("", f"a vector document must be an object, is {shorten(document)}")
    if document.get("format") != FORMAT:
        raise BadVectors("format", f"must be {FORMAT!r}, is {shorten(document.get('format'))}")
    unknown = document.keys() - {"format", "title", "cases"}
    if unknown:
        raise BadVectors("", f"unknown keys: {', '.join(sorted(unknown))}")
    if type(document.get("title")) is not str:
        raise BadVectors("title", "must be a string")
    cases = document.get("cases")
    if type(cases) is not list:
        raise BadVectors("cases", "must be an array")
    read = tuple(_read_case(case, f"cases[{index}]") for index, case in enumerate(cases))
    check_unique(read)
    return read


def check_unique(cases: Iterable[Case]) -> None:
    """Check that no two cases have the same name, within a document or across several.

    Raises:
        BadVectors: naming the first that is there twice.
    """
    names: set[str] = set()
    for case in cases:
        if case.name in names:
            raise BadVectors(case.name, "there is another case of this name")
        names.add(case.name)


def _read_case(case: JsonValue, place: str) -> Case:
    if type(case) is not dict:
        raise BadVectors(place, f"must be an object, is {shorten(case)}")
    name = case.get("name")
    if type(name) is not str or not _NAME.fullmatch(name):
        raise BadVectors(f"{place}.name", f"must be letters, digits, '.', '_' and '-', is {shorten(name)}")
    place = f"{place} ({name})"
    unknown = case.keys() - _CASE_KEYS
    if unknown:
        raise BadVectors(place, f"unknown keys: {', '.join(sorted(unknown))}")
    for key in ("spec", "rule", "notes"):
        if key in case and type(case[key]) is not str:
            raise BadVectors(f"{place}.{key}", "must be a string")
    operation, version, given = case.get("operation"), case.get("room_version"), case.get("input")
    if type(operation) is not str or operation not in OPERATIONS:
        raise BadVectors(f"{place}.operation", f"unknown operation {shorten(operation)}")
    if type(version) is not str or version not in ROOM_VERSIONS:
        raise BadVectors(f"{place}.room_version", f"unknown room version {shorten(version)}")
    if type(given) is not dict:
        raise BadVectors(f"{place}.input", f"must be an object, is {shorten(given)}")
    check_keys(given, OPERATIONS[operation], f"{place}.input")
    expected = _read_expected(case.get("expected"), OPERATIONS[operation], f"{place}.expected")
    texts: dict[str, Any] = {key: case.get(key, "") for key in ("spec", "rule", "notes")}
    return Case(name, operation, version, given, expected, **texts)


def _read_expected(value: JsonValue, operation: Operation, place: str) -> tuple[Acceptable, ...]:
    if type(value) is not list:
        return (Acceptable(_read_outcome(value, operation, place)),)
    if len(value) < 2:
        raise BadVectors(place, "a list must name two acceptable outcomes or more")
    found = []
    for index, item in enumerate(value):
        here = join_path(place, index)
        if type(item) is not dict or item.keys() != {"outcome", "reason"} or type(item["reason"]) is not str:
            raise BadVectors(here, "must be an object of an outcome and its reason")
        outcome = _read_outcome(item["outcome"], operation, f"{here}.outcome")
        found.append(Acceptable(outcome, item["reason"]))
    return tuple(found)


def _read_outcome(value: JsonValue, operation: Operation, place: str) -> JsonObject:
    if type(value) is not dict or not value:
        raise BadVectors(place, f"must be an object with a key to compare, is {shorten(value)}")
    if "error" in value:
        error = value["error"]
        if len(value) > 1 or not (error is True or (type(error) is str and error)):
            raise BadVectors(place, 'an error must stand alone, as {"error": true} or {"error": code}')
        return value
    unknown = value.keys() - operation.answers
    if unknown:
        raise BadVectors(place, f"the operation does not answer {', '.join(sorted(unknown))}")
    return value
