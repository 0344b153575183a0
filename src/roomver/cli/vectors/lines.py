"""What a report of results is made of: one line for each implementation, from results or from a report.

``vectors/schemas/report.schema.json`` defines the report as JSON. Its lines have counts and failures and are
small, so it can be kept beside a suite, and implementations can add their own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ...canonical import shorten
from ...errors import counted
from ...readers import InputError
from ...suite.document import Outcome
from ...suite.operations import OPERATIONS
from ...types import JsonObject
from ...versions import ROOM_VERSIONS
from ..common import display_name
from ..heard import say
from .results import (
    ADDRESS,
    FACTS,
    Cell,
    brief_pair,
    check_results,
    column_of,
    columns_of,
    is_address,
    make_cell,
    read_json,
)
from .results import FORMAT as RESULTS

FORMAT: Final = "roomver-report/1"
"""The ``report_format`` of a report."""

_SHOWN: Final = 300  # characters of an outcome
_OUTCOMES: Final = tuple(outcome.value for outcome in Outcome)
_MOST_CASES: Final = 10**9

Counts = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Operation, then room version, then outcome, to the number of cases."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed case, as a report shows it.

    Attributes:
        name, operation, room_version: of the case.
        expected: what it expects, as text that may be cut.
        got: the output as such text, or why there is none.
    """

    name: str
    operation: str
    room_version: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Line:
    """The results of one implementation.

    Attributes:
        name: with its version.
        counts: see `Counts`.
        failures: in the order of the cases.
        url: the address of the implementation, or of its results; empty if it is not known.
        date: the day of the run, as ``YYYY-MM-DD``; empty if it is not known.
        suite: the version of the suite; empty if it is not known.
    """

    name: str
    counts: Counts
    failures: Sequence[Failure]
    url: str = ""
    date: str = ""
    suite: str = ""

    def total(self, operation: str | None = None) -> dict[str, int]:
        """Return the number of cases for each outcome, of one operation or of all."""
        found: Counter[str] = Counter()
        for name, by_version in self.counts.items():
            if operation in (None, name):
                for counts in by_version.values():
                    found.update(counts)
        return {outcome: found[outcome] for outcome in _OUTCOMES}

    def cells(self, operation: str, columns: Iterable[str]) -> list[tuple[Cell, dict[str, int]]]:
        """Return the cell for each column of an operation, and the counts that it shows."""
        by_column: dict[str, Counter[str]] = {}
        for version, counts in self.counts.get(operation, {}).items():
            by_column.setdefault(column_of(version), Counter()).update(counts)
        found = (dict(by_column.get(column, {})) for column in columns)
        return [(make_cell(counts), counts) for counts in found]

    def to_dict(self) -> JsonObject:
        """Return the line as JSON."""
        more = {key: getattr(self, key) for key in FACTS if getattr(self, key)}
        failures: list[Any] = [
            {"name": f.name, "operation": f.operation, "room_version": f.room_version}
            | {"expected": f.expected, "got": f.got}
            for f in self.failures
        ]
        operations: Any = {name: {**by_version} for name, by_version in self.counts.items()}
        return {"name": self.name, **more, "operations": operations, "failures": failures}


def operations_of(lines: Iterable[Line]) -> list[str]:
    """Return the operations that some lines have, known ones first."""
    present = dict.fromkeys(name for line in lines for name in line.counts)
    return [name for name in OPERATIONS if name in present] + [n for n in present if n not in OPERATIONS]


def columns_of_lines(lines: Iterable[Line]) -> list[str]:
    """Return the columns of a table: the stable room versions, and one for others if some lines have them."""
    others = (version for line in lines for one in line.counts.values() for version in one)
    return columns_of((*ROOM_VERSIONS, *others))


def who_fails(lines: Iterable[Line]) -> dict[str, list[str]]:
    """Return the names of the implementations that fail each case, by the name of the case."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for failure in line.failures:
            found.setdefault(failure.name, []).append(line.name)
    return found


def also_fails(line: Line, failure: Failure, failing: Mapping[str, Sequence[str]]) -> str:
    """Say which other implementations fail a case, as text; empty if none does, or if there are no others."""
    others = [name for name in failing[failure.name] if name != line.name]
    return f"{', '.join(others)} {'fails' if len(others) == 1 else 'fail'} it too" if others else ""


def report_document(lines: Iterable[Line]) -> JsonObject:
    """Return a report as JSON."""
    # Not "format", because a reader of a folder takes a file with that key for vectors.
    return {"report_format": FORMAT, "implementations": [line.to_dict() for line in lines]}


def read_lines(files: Iterable[str]) -> list[Line]:
    """Read the lines of results and of reports.

    A later line of the same name takes the place of an earlier one, so an implementation can renew its own.
    Without an address it keeps the earlier one's. If it has fewer cases, a line on standard error says so.

    Raises:
        InputError: naming the file, if it cannot be read or is neither.
    """
    lines: dict[str, Line] = {}
    for file in files:
        for line in _lines_of(file):
            before = lines.get(line.name)
            if before is not None:
                cases, earlier = (sum(one.total().values()) for one in (line, before))
                if cases < earlier:
                    fewer = f"{counted(cases, 'case takes', 'cases take')} the place of {earlier:,} of"
                    say(f"roomver: {display_name(file)}: {fewer} {shorten(line.name)}")
            kept = "" if before is None else before.url
            lines[line.name] = replace(line, url=line.url or kept)
    return list(lines.values())


def _lines_of(file: str) -> list[Line]:
    document, name = read_json(file)
    keys: Any = document if isinstance(document, dict) else {}
    if keys.get("report_format") == FORMAT:
        listed = document.get("implementations")
        if not isinstance(listed, list):
            raise InputError(name, "implementations must be an array")
        return [_read_line(one, f"implementations[{number}]", name) for number, one in enumerate(listed)]
    if keys.get("format") != RESULTS:
        reason = f"neither results, with the format {RESULTS}, nor a report, with the report_format {FORMAT}"
        raise InputError(name, reason)
    check_results(document, name)
    return [_from_results(document, name)]


def _from_results(document: Any, name: str) -> Line:
    counts: dict[str, dict[str, Counter[str]]] = {}
    failures = []
    for case in document["cases"]:
        operation, version, outcome = (case[key] for key in ("operation", "room_version", "outcome"))
        counts.setdefault(operation, {}).setdefault(version, Counter())[outcome] += 1
        if outcome == Outcome.FAILED.value:
            expected, got = brief_pair(case.get("expected"), case.get("got"), _SHOWN)
            if case.get("got") is None:
                got = str(case.get("reason") or "")
            failures.append(Failure(case["name"], operation, version, expected, got))
    more = {key: document[key] for key in FACTS if isinstance(document.get(key), str)}
    if not is_address(more.get("url", "")):
        raise InputError(name, f"url must be {ADDRESS}")
    return Line(document["implementation"], counts, failures, **more)


def _read_line(value: Any, place: str, file: str) -> Line:
    """Read one line of a report, which anybody may have written."""

    def refuse(where: str, expected: str) -> InputError:
        return InputError(file, f"{place}{where} must be {expected}")

    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise refuse("", "an object with a name")
    for key in FACTS:
        if key in value and not isinstance(value[key], str):
            raise refuse(f".{key}", "a string")
    if not is_address(value.get("url", "")):
        raise refuse(".url", ADDRESS)
    operations = value.get("operations")
    if not isinstance(operations, dict) or not all(
        isinstance(by_version, dict) and all(map(_is_counts, by_version.values()))
        for by_version in operations.values()
    ):
        raise refuse(".operations", "{operation: {room version: {passed, failed, unsupported}}}")
    failures = value.get("failures", [])
    keys = ("name", "operation", "room_version", "expected", "got")
    if not isinstance(failures, list) or not all(
        isinstance(one, dict) and all(isinstance(one.get(key), str) for key in keys) for one in failures
    ):
        raise refuse(".failures", f"an array of objects with {', '.join(keys)}")
    return Line(
        value["name"],
        operations,
        [Failure(**{key: one[key] for key in keys}) for one in failures],
        **{key: value[key] for key in FACTS if key in value},
    )


def _is_counts(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= set(_OUTCOMES)
        and all(type(number) is int and 0 <= number < _MOST_CASES for number in value.values())
    )
