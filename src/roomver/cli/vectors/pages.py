"""A report of results as Markdown: a table for each implementation, then its failed cases."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..escaped import markdown_code, markdown_text
from .lines import Failure, Line, also_fails, columns_of_lines, operations_of, who_fails
from .results import heading_of

Link: TypeAlias = Callable[[str], str | None]
"""Returns the address of a case by its name, or None."""


def summary(line: Line) -> str:
    """Return how many cases had each outcome, as text."""
    return ", ".join(f"{number} {outcome}" for outcome, number in line.total().items())


def as_markdown(lines: Sequence[Line], link: Link) -> str:
    """Return the report as Markdown.

    Args:
        lines: one for each implementation.
        link: for the names of failed cases.
    """
    columns = columns_of_lines(lines)
    out = ["# Results of the test vectors", ""]
    for line in lines:
        out += [f"## {markdown_text(line.name)}", "", f"{summary(line)}.", ""]
        out.append("| operation | " + " | ".join(map(heading_of, columns)) + " |")
        out.append("| --- |" + " ---: |" * len(columns))
        for operation in operations_of([line]):
            cells = " | ".join(cell.text for cell, _ in line.cells(operation, columns))
            out.append(f"| {markdown_code(operation)} | {cells} |")
        out.append("")
    failing = who_fails(lines)
    for line in lines:
        if line.failures:
            out += [f"## Failed: {markdown_text(line.name)}", ""]
            out += [_failure(case, link, also_fails(line, case, failing)) for case in line.failures]
            out.append("")
    return "\n".join(out)


def _failure(case: Failure, link: Link, others: str) -> str:
    name = markdown_code(case.name)
    address = link(case.name)
    if address is not None:
        name = f"[{name}]({address})"
    also = f"; {markdown_text(others)}" if others else ""
    return f"- {name}: expected {markdown_code(case.expected)}, got {markdown_code(case.got)}{also}"
