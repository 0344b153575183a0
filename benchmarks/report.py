"""What the benchmarks print: a table for each question, and the goals."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .measure import Goal, Row, Stats, optional

Print = Callable[[str], None]


class Outcome(NamedTuple):
    """A goal, and what came of it."""

    question: str
    goal: Goal
    measured: float | None
    verdict: str


def seconds(value: float) -> str:
    """A time in a unit that gives it few digits."""
    for factor, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= factor:
            return f"{_digits(value / factor)} {unit}"
    return f"{value * 1e9:.0f} ns"


def size(value: float) -> str:
    """A number of bytes."""
    return f"{_digits(value / 1e6)} MB" if value < 1e9 else f"{_digits(value / 1e9)} GB"


def _digits(value: float) -> str:
    """Three digits."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def amount(value: float, unit: str) -> str:
    """A figure in the unit of a goal."""
    if unit == "s":
        return seconds(value)
    if unit == "B":
        return size(value)
    return f"{_digits(value)}x" if unit == "x" else f"{_digits(value)} {unit}"


def _ratio(stats: Stats | None) -> str:
    if stats is None:
        return ""
    low, high = stats.quartiles
    return f"{_digits(stats.median)}x ({_digits(low)}-{_digits(high)})"


def question_lines(question: str, docstring: str, rows: Sequence[Row]) -> list[str]:
    """Return the answers to a question as lines of text."""
    lines = [f"{question}: {_first_sentence(docstring)}", ""]
    table = [("subject", "implementation", "median", "spread", "time / first", "peak memory", "same result")]
    for row in rows:
        same = {True: "yes", False: "NO", None: ""}[row.agree]
        for number, (name, stats) in enumerate(row.times.items()):
            table.append(
                (
                    row.subject if not number else "",
                    name,
                    seconds(stats.median),
                    f"±{100 * stats.spread:.0f} % of {len(stats.values)}",
                    _ratio(row.ratios.get(name)),
                    size(row.memory[name]) if name in row.memory else "",
                    same if not number else "",
                )
            )
        table.extend((row.subject, name, "-", "", "", "", f"{hint}") for name, hint in row.skipped.items())
    lines.extend(columns(table))
    lines.append("")
    lines.extend(f"  {row.subject}: {row.note}" for row in rows if row.note)
    known = {f"{name} {what}" for row in rows for name in row.times for what in ("seconds", "bytes")}
    for row in rows:
        for figure, value in row.figures.items():
            if figure not in known and figure not in {f"{name} / {_first(row)}" for name in row.ratios}:
                lines.append(f"  {row.subject}: {figure}: {_digits(value)}")
    return lines


def markdown(rows: Sequence[Row]) -> list[str]:
    """Return the answers of `peers` as a Markdown table: times, and ratios to the first program's."""
    names = list(dict.fromkeys(name for row in rows for name in (*row.times, *row.skipped)))
    lines = [f"| room | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    for row in rows:
        cells = []
        for name in names:
            if name in row.times:
                ratio = f" ({_digits(row.ratios[name].median)}x)" if name in row.ratios else ""
                cells.append(seconds(row.times[name].median) + ratio)
            else:
                cells.append(row.skipped.get(name, ""))
        lines.append(f"| {row.subject} | {' | '.join(cells)} |")
    return lines


def _first(row: Row) -> str:
    return next(iter(row.times), "")


def _first_sentence(docstring: str) -> str:
    return " ".join(docstring.strip().split("\n\n")[0].split())


def columns(table: Iterable[Sequence[str]]) -> list[str]:
    """Lay out a table whose first row is its head."""
    rows = [list(row) for row in table]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def judge(question: str, goals: Sequence[Goal], rows: Sequence[Row]) -> list[Outcome]:
    """Say of each goal whether it was reached."""
    found = {row.subject: row for row in rows}
    outcomes = []
    for goal in goals:
        row = found.get(goal.subject)
        measured = None if row is None else row.figures.get(goal.figure)
        if row is None or measured is None:
            verdict = "not measured"
        elif not row.full:
            verdict = "not judged at this size"
        else:
            verdict = "reached" if goal.reached(measured) else "NOT REACHED"
        outcomes.append(Outcome(question, goal, measured, verdict))
    return outcomes


def goal_lines(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the goals as a table."""
    table = [("question", "subject", "figure", "goal", "measured", "")]
    for question, goal, measured, verdict in outcomes:
        bound = goal.at_most if goal.at_most is not None else goal.at_least
        assert bound is not None
        sign = "at most" if goal.at_most is not None else "at least"
        table.append(
            (
                question,
                goal.subject,
                goal.figure,
                f"{sign} {amount(bound, goal.unit)}",
                "-" if measured is None else amount(measured, goal.unit),
                verdict,
            )
        )
    return columns(table)


def printer() -> Print:
    """Return what prints a line: with colours where rich is installed and the output is a terminal."""
    console: Any = optional("rich.console")
    if console is None:
        return print
    rich = console.Console(highlight=False, markup=False, soft_wrap=True)

    def coloured(line: str) -> None:
        style = None
        if line.endswith(("NOT REACHED", "NO")):
            style = "red"
        elif line.endswith("reached"):
            style = "green"
        rich.print(line, style=style)

    return coloured
