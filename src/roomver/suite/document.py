"""Test vectors: read a document, run its cases in process, compare outputs with expectations.

``vectors/FORMAT.md`` defines the format, for implementers in any language. This module and `operations`
implement it. They take and return data; files, processes and printing belong to the command line.
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from ..canonical import join_path, shorten
from ..errors import RoomverError
from ..resolution import RoomGraph
from ..types import JsonObject, JsonValue
from ..versions import ROOM_VERSIONS
from .inputs import BadVectors, read_events, read_version
from .operations import OPERATIONS, Operation, check_keys, resolve_case, run_operation

FORMAT: Final = "roomver-vectors/2"
"""The current ``format`` of vector documents."""

FORMATS: Final = ("roomver-vectors/1", FORMAT)
"""The formats that this module reads. In version 1 the keys of a case have no ``expired_ts``."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_CASE_KEYS = frozenset(
    {"name", "operation", "room_version", "version", "input", "expected", "spec", "rule", "notes"}
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One outcome that a case accepts.

    Attributes:
        outcome: the keys and values that the output must have.
        reason: who gives this outcome, on which reading of the specification. Empty if it is the only one.
    """

    outcome: JsonObject
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One test vector.

    Attributes:
        name: unique in the suite.
        operation: the name of an operation.
        room_version: the identifier of a room version.
        input: the input of the operation.
        expected: the accepted outcomes. There are several only where honest readings of the specification
            differ, and then this package must give the first.
        spec: the address of the paragraph that decides the case, or empty.
        rule: the number of the authorisation rule that decides the case, or empty.
        notes: why the case exists, or empty.
        definition: how the room version follows from another one; None for a version that has a name
            everywhere.
    """

    name: str
    operation: str
    room_version: str
    input: JsonObject = field(repr=False)
    expected: tuple[Expectation, ...] = field(repr=False)
    spec: str = ""
    rule: str = ""
    notes: str = ""
    definition: JsonObject | None = field(default=None, repr=False)

    @property
    def optional(self) -> bool:
        """Whether the case is of the optional tier: its room version is not a stable one."""
        return self.room_version not in ROOM_VERSIONS

    @property
    def disputed(self) -> bool:
        """Whether the case accepts more than one outcome."""
        return len(self.expected) > 1


class Outcome(Enum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How a case ended, and with which output.

    Attributes:
        case: the case.
        outcome: how it ended.
        got: the output, or None if there is nothing to compare.
        reason: why the case failed, if the output does not show it.
        accepted: the index of the expectation that the output meets, or None.
        log: the last lines that a program without a valid answer wrote to standard error.
    """

    case: Case
    outcome: Outcome
    got: JsonObject | None = None
    reason: str = ""
    accepted: int | None = None
    log: tuple[str, ...] = ()


# Comparing


def same(one: JsonValue, other: JsonValue) -> bool:
    """Tell whether two JSON values are equal. ``1``, ``1.0`` and ``true`` are three different values.

    Cost: visits each value once, and recurses as deep as the shallower of the two.
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
        "forward_extremities",
    )
)
"""The keys that an outcome may name and that an output may lack. They are compared only if the output has
them: the steps of a resolution in ``resolve``, and the forward extremities in ``receive``."""


def meets(output: JsonObject, outcome: JsonObject) -> bool:
    """Tell whether an output meets the outcome that a case expects.

    Keys that the outcome does not name are ignored. So are keys of `STEPS` that the output does not have. Any
    error meets ``{"error": true}``, and an error meets no outcome without ``error``.

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
        fits(key, output[key], value) if key in output else key in STEPS for key, value in outcome.items()
    )


def fits(key: str, got: JsonValue, expected: JsonValue) -> bool:
    """Tell whether the value of one key of an output is the one that an outcome has there."""
    if key != "rejected" or type(got) is not dict or type(expected) is not dict:
        return same(got, expected)
    # `true` in a case of `check`: any rule may reject the event.
    return got.keys() == expected.keys() and all(
        rule is True or same(got[event_id], rule) for event_id, rule in expected.items()
    )


def compare(case: Case, output: JsonObject) -> CaseResult:
    """Compare the output of an implementation with the expectations of a case."""
    if output.get("unsupported") is True:
        return CaseResult(case, Outcome.UNSUPPORTED)
    for index, expectation in enumerate(case.expected):
        if meets(output, expectation.outcome):
            return CaseResult(case, Outcome.PASSED, output, accepted=index)
    return CaseResult(case, Outcome.FAILED, output)


def run_case(case: Case) -> CaseResult:
    """Run a case in process, and compare.

    More is asked of this package than of other implementations. It must give the first outcome of a disputed
    case, every step of a resolution that the case names, the same resolution with a graph that was built
    before, and the rule that the case names.
    """
    try:
        output = run_operation(case.operation, case.room_version, case.input, case.definition)
    except Exception as error:  # a bug in this package fails the case, and the run goes on
        return CaseResult(case, Outcome.FAILED, None, f"raised {type(error).__name__}: {error}")
    result = compare(case, output)
    if result.accepted:
        reason = "an accepted outcome, but not the first, which roomver must give"
        return CaseResult(case, Outcome.FAILED, result.got, reason, result.accepted)
    omitted = STEPS.intersection(case.expected[0].outcome).difference(output)
    if omitted and result.outcome is Outcome.PASSED:
        reason = f"the output lacks {', '.join(sorted(omitted))}"
        return CaseResult(case, Outcome.FAILED, result.got, reason)
    if case.operation == "resolve" and result.outcome is Outcome.PASSED and not _same_with_graph(case):
        return CaseResult(
            case, Outcome.FAILED, result.got, "resolves differently with a graph that was built before"
        )
    decided = output.get("rule", case.rule)
    if case.rule and decided != case.rule and result.outcome is Outcome.PASSED:
        return CaseResult(
            case, Outcome.FAILED, result.got, f"decided by rule {decided}, not by rule {case.rule}"
        )
    return result


def _same_with_graph(case: Case) -> bool:
    """Tell whether a resolution is the same with a graph that was built before."""
    try:
        events = read_events(case.input, read_version(case.room_version, case.definition))
        alone, graph = resolve_case(case.input, events), RoomGraph(events.values())
    except RoomverError:
        return True  # the case expects an error, or its events cite each other in a cycle
    return resolve_case(case.input, events, graph) == alone


# Reading


def is_vectors(document: JsonValue) -> bool:
    """Tell whether a JSON document is meant as a vector document, valid or not.

    Other JSON may be in the same folder. It has neither ``cases`` nor ``format``.
    """
    return type(document) is dict and ("cases" in document or "format" in document)


def read_vectors(document: JsonValue) -> tuple[Case, ...]:
    """Read the cases of a vector document, in its order.

    Args:
        document: the parsed JSON.

    Raises:
        BadVectors: naming the first invalid case, and the path in it.

    >>> read_vectors({"format": "roomver-vectors/2", "title": "None", "cases": []})
    ()
    """
    if type(document) is not dict:
        raise BadVectors("", f"a vector document must be an object, not {shorten(document)}")
    if document.get("format") not in FORMATS:
        known = " or ".join(map(repr, FORMATS))
        raise BadVectors("format", f"must be {known}, not {shorten(document.get('format'))}")
    unknown = document.keys() - {"format", "title", "cases"}
    if unknown:
        raise BadVectors("", f"unknown keys: {', '.join(sorted(unknown))}")
    if type(document.get("title")) is not str:
        raise BadVectors("title", "must be a string")
    cases = document.get("cases")
    if type(cases) is not list:
        raise BadVectors("cases", "must be an array")
    read = tuple(_read_case(case, f"cases[{index}]") for index, case in enumerate(cases))
    names: set[str] = set()
    for case in read:
        if case.name in names:
            raise BadVectors(case.name, "another case has this name")
        names.add(case.name)
    return read


def _read_case(case: JsonValue, place: str) -> Case:
    if type(case) is not dict:
        raise BadVectors(place, f"must be an object, not {shorten(case)}")
    name = case.get("name")
    if type(name) is not str or not _NAME.fullmatch(name):
        raise BadVectors(f"{place}.name", f"must be letters, digits, '.', '_' and '-', not {shorten(name)}")
    place = f"{place} ({name})"
    unknown = case.keys() - _CASE_KEYS
    if unknown:
        raise BadVectors(place, f"unknown keys: {', '.join(sorted(unknown))}")
    for key in ("spec", "rule", "notes"):
        if key in case and type(case[key]) is not str:
            raise BadVectors(f"{place}.{key}", "must be a string")
    operation, version, case_input = case.get("operation"), case.get("room_version"), case.get("input")
    if type(operation) is not str or operation not in OPERATIONS:
        raise BadVectors(f"{place}.operation", f"unknown operation {shorten(operation)}")
    definition = case.get("version")
    if type(version) is not str:
        raise BadVectors(f"{place}.room_version", f"unknown room version {shorten(version)}")
    try:
        read_version(version, definition)
    except BadVectors as error:
        raise BadVectors(f"{place}.{error.where}", error.reason) from None
    except RoomverError as error:
        where = "room_version" if definition is None else "version"
        reason = f"unknown room version {shorten(version)}" if definition is None else str(error)
        raise BadVectors(f"{place}.{where}", reason) from None
    if type(case_input) is not dict:
        raise BadVectors(f"{place}.input", f"must be an object, not {shorten(case_input)}")
    check_keys(case_input, OPERATIONS[operation], f"{place}.input")
    expected = _read_expected(case.get("expected"), OPERATIONS[operation], f"{place}.expected")
    texts: dict[str, Any] = {key: case.get(key, "") for key in ("spec", "rule", "notes")}
    texts["definition"] = definition
    return Case(name, operation, version, case_input, expected, **texts)


def _read_expected(value: JsonValue, operation: Operation, place: str) -> tuple[Expectation, ...]:
    if type(value) is not list:
        return (Expectation(_read_outcome(value, operation, place)),)
    if len(value) < 2:
        raise BadVectors(place, "a list must have two or more outcomes")
    found = []
    for index, item in enumerate(value):
        here = join_path(place, index)
        if type(item) is not dict or item.keys() != {"outcome", "reason"} or type(item["reason"]) is not str:
            raise BadVectors(here, "must be an object with an outcome and a reason")
        outcome = _read_outcome(item["outcome"], operation, f"{here}.outcome")
        found.append(Expectation(outcome, item["reason"]))
    return tuple(found)


def _read_outcome(value: JsonValue, operation: Operation, place: str) -> JsonObject:
    if type(value) is not dict or not value:
        raise BadVectors(place, f"must be an object with at least one key, not {shorten(value)}")
    if "error" in value:
        error = value["error"]
        if len(value) > 1 or not (error is True or (type(error) is str and error)):
            raise BadVectors(place, 'an expected error must be {"error": true} or {"error": code}')
        return value
    unknown = value.keys() - operation.output_keys
    if unknown:
        raise BadVectors(place, f"the output of the operation has no {', '.join(sorted(unknown))}")
    return value
