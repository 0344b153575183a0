"""The results of a run as tables by operation and room version."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from ...suite.document import CaseResult
from ...suite.operations import OPERATIONS
from .results import Cell, column_of, columns_of, count_outcomes, heading_of, make_cell

_EDGES: Final = 2  # cells of a table beside its columns
_STYLES: Final = {"failed": "bold red", "passed": "green", "none": "dim"}


def result_tables(results: Sequence[CaseResult], width: int) -> Iterator[Table]:
    """Yield one table if it fits the width, or several with some of the room versions each."""
    by_cell: dict[tuple[str, str], list[CaseResult]] = {}
    for result in results:
        place = result.case.operation, column_of(result.case.room_version)
        by_cell.setdefault(place, []).append(result)
    cells = {place: make_cell(count_outcomes(mine)) for place, mine in by_cell.items()}
    versions = columns_of(version for _, version in cells)
    operations = [operation for operation in OPERATIONS if any(o == operation for o, _ in cells)]
    widths = [
        max(
            len(heading_of(version)),
            *(len(cells[o, version].text) for o in operations if (o, version) in cells),
        )
        for version in versions
    ]
    first = max(map(len, operations)) + _EDGES
    # Narrow columns are better than two tables.
    padding = 1 if first + sum(widths) + 3 * len(widths) <= width else 0
    per_table = len(versions)
    if first + sum(widths) + len(widths) > width:
        padding = 1
        while per_table > 1 and first + max(_sums(widths, per_table)) + 3 * per_table > width:
            per_table -= 1
        # The same number of tables, with nearly the same number of columns in each.
        per_table = -(-len(versions) // -(-len(versions) // per_table))
    for at in range(0, len(versions), per_table):
        yield _table(cells, operations, versions[at : at + per_table], padding)


def _sums(widths: Sequence[int], size: int) -> list[int]:
    return [sum(widths[at : at + size]) for at in range(0, len(widths), size)]


def _table(
    cells: dict[tuple[str, str], Cell], operations: Sequence[str], versions: Sequence[str], padding: int
) -> Table:
    table = Table(box=SIMPLE, padding=(0, padding), pad_edge=False)
    table.add_column("operation", no_wrap=True)
    for version in versions:
        table.add_column(heading_of(version), justify="right", no_wrap=True)
    none = make_cell({})
    for operation in operations:
        row = [cells.get((operation, version), none) for version in versions]
        if any(cell.text for cell in row):
            table.add_row(operation, *(Text(cell.text, _STYLES[cell.kind]) for cell in row))
    return table
