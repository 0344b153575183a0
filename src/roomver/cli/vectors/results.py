"""The results of a run as a JSON document, and what every display of results shares.

``vectors/FORMAT.md`` and ``vectors/schemas/results.schema.json`` define the document.
"""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ...readers import InputError
from ...suite.document import Case, CaseResult, Outcome
from ...types import JsonObject
from ...versions import ROOM_VERSIONS
from ..common import display_name, opened

FORMAT: Final = "roomver-results/1"
"""The ``format`` of a results document."""

_BEFORE: Final = 40  # characters shown before the place where two texts part

FACTS: Final = ("url", "date", "suite")
"""The address of the implementation, the day of the run, and the version of the suite."""

ADDRESS: Final = "an address that begins with https:// or http://"


def is_address(url: str) -> bool:
    """Tell whether a text is empty, or an address that a report may link to."""
    return not url or url.startswith(("https://", "http://"))


def results_document(
    results: Sequence[CaseResult],
    implementation: str,
    known: Container[str] = (),
    facts: Mapping[str, str] = MappingProxyType({}),
) -> JsonObject:
    """Return the results of a run as a JSON document.

    Args:
        results: in the order of the cases.
        implementation: its name.
        known: the names of known failures; see `as_listed`.
        facts: what is known of the run: `FACTS`. Empty ones are left out.
    """
    table: dict[str, Any] = {}
    for result in results:
        case = result.case
        counts = table.setdefault(case.operation, {}).setdefault(case.room_version, count_outcomes(()))
        counts[result.outcome.value] += 1
    total: JsonObject = {**count_outcomes(results)}
    return {
        "format": FORMAT,
        "implementation": implementation,
        **{key: facts[key] for key in FACTS if facts.get(key)},
        **total,
        "operations": table,
        "cases": [_entry(result, known=as_listed(result, known)) for result in results],
    }


def as_listed(result: CaseResult, known: Container[str]) -> bool:
    """Tell whether a result is one that a list of known failures speaks of.

    Its case is listed, and the implementation gave a valid answer. That a program crashes, or does not answer
    in time, is never a known failure.
    """
    no_answer = result.outcome is Outcome.FAILED and result.got is None
    return result.case.name in known and not no_answer


def _entry(result: CaseResult, *, known: bool) -> JsonObject:
    case = result.case
    entry: JsonObject = {
        "name": case.name,
        "operation": case.operation,
        "room_version": case.room_version,
        "outcome": result.outcome.value,
    }
    if case.disputed and result.accepted is not None:
        entry["accepted"] = result.accepted
    if known:
        entry["known"] = True
    if result.outcome is Outcome.FAILED:
        entry |= {"expected": expected_json(case), "got": result.got, "reason": result.reason}
    return entry


def expected_json(case: Case) -> Any:
    """Return the expectations of a case as its vector file has them."""
    if case.disputed:
        return [{"outcome": one.outcome, "reason": one.reason} for one in case.expected]
    return case.expected[0].outcome


def read_json(file: str) -> tuple[Any, str]:
    """Read a JSON file. Return the document, and what messages call the file.

    Raises:
        InputError: naming the file, if it cannot be read or is not JSON.
    """
    with opened(file) as stream:
        raw = stream.read()
    name = display_name(file)
    try:
        return json.loads(raw), name
    except (ValueError, RecursionError) as error:
        raise InputError(name, f"not JSON: {error}") from None


def check_results(document: Any, name: str) -> None:
    """Check that a document of the results format has what a report needs.

    Raises:
        InputError: naming the file, if it has not.
    """
    for key, kind, words in (("implementation", str, "a string"), ("cases", list, "an array")):
        if not isinstance(document.get(key), kind):
            raise InputError(name, f"{key} must be {words}")
    outcomes = [outcome.value for outcome in Outcome]
    for number, case in enumerate(document["cases"]):
        if not isinstance(case, dict) or not all(
            isinstance(case.get(key), str) for key in ("name", "operation", "room_version", "outcome")
        ):
            raise InputError(name, f"cases[{number}] must have name, operation, room_version and outcome")
        if case["outcome"] not in outcomes:
            raise InputError(name, f"cases[{number}].outcome must be one of {', '.join(outcomes)}")


def count_outcomes(results: Iterable[CaseResult]) -> dict[str, int]:
    """Return the number of cases for each outcome, zeros included."""
    counts = {outcome.value: 0 for outcome in Outcome}
    for result in results:
        counts[result.outcome.value] += 1
    return counts


OTHER: Final = "other"
"""The column of a table for all room versions that are not stable: the optional tier."""


def column_of(version: str) -> str:
    """Return the column of a table that a case of a room version is counted in."""
    return version if version in ROOM_VERSIONS else OTHER


def columns_of(versions: Iterable[str]) -> list[str]:
    """Return the columns for some room versions, in their order."""
    present = set(map(column_of, versions))
    return [column for column in (*ROOM_VERSIONS, OTHER) if column in present]


def heading_of(column: str) -> str:
    """Return the heading of a column."""
    return column if column == OTHER else f"v{column}"


class Cell(NamedTuple):
    """What a table shows of one operation in one room version."""

    text: str
    kind: str
    """``failed``, ``passed`` or ``none``."""


def make_cell(counts: Mapping[str, int]) -> Cell:
    """Return the cell for these counts.

    Args:
        counts: the number of cases by outcome. Empty if there are no cases.
    """
    passed, failed = counts.get("passed", 0), counts.get("failed", 0)
    if failed:
        return Cell(f"{passed}/{passed + failed}", "failed")
    if passed:
        return Cell(str(passed), "passed")
    return Cell("-" if counts else "", "none")


def brief_pair(expected: Any, got: Any, limit: int) -> tuple[str, str]:
    """Return two JSON values as texts, cut so that the place is shown where they part."""
    texts = [json.dumps(value, sort_keys=True) for value in (expected, got)]
    if max(map(len, texts)) <= limit:
        return texts[0], texts[1]
    pairs = enumerate(zip(*texts, strict=False))
    parts = next((at for at, (one, other) in pairs if one != other), min(map(len, texts)))
    start = max(0, parts - _BEFORE)
    shown = []
    for text in texts:
        end = start + limit
        more = f"… ({len(text):,} characters)" if len(text) > end else ""
        shown.append(f"{'…' if start else ''}{text[start:end]}{more}")
    return shown[0], shown[1]


def brief(value: Any, limit: int) -> str:
    """Return a JSON value as text, cut after `limit` characters."""
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
