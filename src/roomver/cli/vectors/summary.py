"""The results of a run as a terminal shows them: a table, the failed cases, the totals."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from ...errors import counted
from ...suite.document import CaseResult, Outcome
from ...suite.operations import OPERATIONS
from ...versions import ROOM_VERSIONS
from ..common import console
from ..escaped import printable
from ..tables import print_table
from .results import brief, count_outcomes, make_cell

_SHOWN = 2000  # characters of an outcome
_LINE = 2 * _SHOWN  # characters of a line
_STYLES = {"failed": "bold red", "passed": "green", "none": "dim"}


def print_results(results: Sequence[CaseResult], implementation: str) -> None:
    """Print the results of a run."""
    out = console()
    print_table(_table(results))
    for result in results:
        if result.outcome is Outcome.FAILED:
            style: str | None = "bold red"  # of the first line
            for line in _failure_lines(result):
                out.print(printable(line, _LINE), style=style, soft_wrap=True)
                style = None
            out.print()
    counts = count_outcomes(results)
    totals = ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number or kind == "passed")
    out.print(
        printable(f"{implementation}: {counted(len(results), 'case', 'cases')}, {totals}"), soft_wrap=True
    )


def _table(results: Sequence[CaseResult]) -> Table:
    by_cell: dict[tuple[str, str], list[CaseResult]] = {}
    for result in results:
        by_cell.setdefault((result.case.operation, result.case.room_version), []).append(result)
    versions = [version for version in ROOM_VERSIONS if any(v == version for _, v in by_cell)]
    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    table.add_column("operation", no_wrap=True)
    for version in versions:
        table.add_column(f"v{version}", justify="right", no_wrap=True)
    for operation in OPERATIONS:
        if any(o == operation for o, _ in by_cell):
            table.add_row(operation, *(_cell(by_cell.get((operation, version), [])) for version in versions))
    return table


def _cell(results: Sequence[CaseResult]) -> Text:
    cell = make_cell(count_outcomes(results) if results else {})
    return Text(cell.text, _STYLES[cell.kind])


def _failure_lines(result: CaseResult) -> Iterator[str]:
    case = result.case
    yield f"FAILED {case.name}: {case.operation}, room version {case.room_version}"
    if case.notes:
        yield f"  {case.notes}"
    if case.rule:
        yield f"  rule {case.rule}"
    if case.spec:
        yield f"  {case.spec}"
    for one in case.expected:
        yield f"  expected {brief(one.outcome, _SHOWN)}" + (f" ({one.reason})" if one.reason else "")
    if result.got is not None:
        yield f"  got      {brief(result.got, _SHOWN)}"
    if result.reason:
        yield f"  {result.reason}"
