"""Print a table for each question and the goals; write the same as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .measure import Goal, Row, Stats

REACHED, NOT_REACHED = "reached", "NOT REACHED"
OTHER, LISTED = "NO", "no, listed"
_STYLES: Final = {NOT_REACHED: "red", REACHED: "green", OTHER: "bold red", LISTED: "yellow"}
_PLAIN_WIDTH: Final = 180  # the width of tables if the output is not a terminal


class Outcome(NamedTuple):
    """A goal and its verdict."""

    question: str
    goal: Goal
    measured: float | None
    verdict: str
    because: str = ""


def seconds(value: float) -> str:
    """Format a time in the unit that needs the fewest digits."""
    for factor, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= factor:
            return f"{digits(value / factor)} {unit}"
    return f"{value * 1e9:.0f} ns"


def size(value: float) -> str:
    """Format a number of bytes."""
    return f"{digits(value / 1e6)} MB" if value < 1e9 else f"{digits(value / 1e9)} GB"


def digits(value: float) -> str:
    """Format a number with three digits."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def amount(value: float, unit: str) -> str:
    """Format a figure in the unit of a goal."""
    if unit == "s":
        return seconds(value)
    if unit == "B":
        return size(value)
    return f"{digits(value)}x" if unit == "x" else f"{digits(value)} {unit}"


def ratio(stats: Stats) -> str:
    """Format a ratio with its quartiles."""
    low, high = stats.quartiles
    return f"{digits(stats.median)}x ({digits(low)}-{digits(high)})"


def console() -> Console:
    """Return a console; if the output is not a terminal, it is wide enough for the tables."""
    made = Console(highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = max(made.width, _PLAIN_WIDTH)
    return made


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    for name in columns:
        table.add_column(name)
    return table


def _cell(text: str) -> Text:
    return Text(text, _STYLES.get(text, ""))


def question_table(rows: Sequence[Row]) -> Table:
    """Return the answers to a question as a table."""
    table = _table(
        "subject", "implementation", "median", "spread", "time / first", "peak memory", "same result"
    )
    for row in rows:
        for number, (name, stats) in enumerate(row.times.items()):
            table.add_row(
                row.subject if not number else "",
                name,
                seconds(stats.median),
                f"±{100 * stats.spread:.0f} % of {len(stats.values)}",
                ratio(row.ratios[name]) if name in row.ratios else "",
                size(row.memory[name]) if name in row.memory else "",
                _cell(_same(row, name)),
            )
        for name, why in row.skipped.items():
            table.add_row("" if row.times else row.subject, name, "-", "", "", "", why)
    return table


def _same(row: Row, name: str) -> str:
    if name in row.differ:
        return LISTED if row.differ[name] else OTHER
    return "yes" if row.compared and name in row.ratios else ""


def notes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what the table has no column for: notes, the question's own figures, differing results."""
    shown = {f"{name} {what}" for row in rows for name in row.times for what in ("seconds", "bytes")}
    for row in rows:
        if row.note:
            yield f"{row.subject}: {row.note}"
        ratios = {f"{name} / {next(iter(row.times), '')}" for name in row.ratios}
        for figure, value in row.figures.items():
            if figure not in shown | ratios:
                yield f"{row.subject}: {figure}: {digits(value)}"
    for name, reasons in other_results(rows).items():
        for why, subjects in reasons.items():
            yield f"{name} has another result in {', '.join(subjects)}: {why}"
    for name, given in everything_given(rows).items():
        yield f"{name} had prepared before the clock started: {', '.join(given) or 'nothing'}"


def other_results(rows: Sequence[Row]) -> dict[str, dict[str, list[str]]]:
    """Return the contenders with another result than the first: reason to subjects, by contender."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for name, why in row.differ.items():
            found.setdefault(name, {}).setdefault(why or "NO LISTED REASON", []).append(row.subject)
    return found


def everything_given(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return what each program had prepared in any of its rows."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        for name, given in row.given.items():
            found.setdefault(name, {}).update(dict.fromkeys(given))
    return {name: list(given) for name, given in found.items()}


def first_paragraph(docstring: str) -> str:
    """Return the first paragraph of a docstring on one line: the question of a module."""
    return " ".join(docstring.strip().split("\n\n")[0].split())


def judge(question: str, goals: Sequence[Goal], rows: Sequence[Row]) -> list[Outcome]:
    """Return whether each goal was reached."""
    found = {row.subject: row for row in rows}
    return [_judged(question, goal, found.get(goal.subject)) for goal in goals]


def _judged(question: str, goal: Goal, row: Row | None) -> Outcome:
    if row is None:
        return Outcome(question, goal, None, "not measured")
    measured = row.figures.get(goal.figure)
    name = goal.figure.partition(" / ")[0]
    if measured is None:
        # A program that timed out counts as not measured too: we cannot tell how long it read its input.
        return Outcome(question, goal, None, "not measured", row.skipped.get(name, ""))
    if not row.full:
        return Outcome(question, goal, measured, "not judged", "at another size")
    verdict = REACHED if goal.reached(measured) else NOT_REACHED
    because = "resolved to another state" if name in row.differ else ""
    return Outcome(question, goal, measured, verdict, because)


def _goal_cells(outcome: Outcome) -> list[str]:
    goal = outcome.goal
    bound = goal.at_most if goal.at_most is not None else goal.at_least
    assert bound is not None
    sign = "at most" if goal.at_most is not None else "at least"
    measured = "-" if outcome.measured is None else amount(outcome.measured, goal.unit)
    return [
        outcome.question,
        goal.subject,
        goal.figure,
        f"{sign} {amount(bound, goal.unit)}",
        measured,
        outcome.verdict,
        outcome.because,
    ]


_GOAL_COLUMNS: Final = ("question", "subject", "figure", "goal", "measured", "outcome", "note")


def goal_table(outcomes: Sequence[Outcome]) -> Table:
    """Return the goals as a table."""
    table = _table(*_GOAL_COLUMNS)
    for outcome in outcomes:
        table.add_row(*map(_cell, _goal_cells(outcome)))
    return table


def markdown(
    head: Mapping[str, str], rows: Mapping[str, Sequence[Row]], outcomes: Sequence[Outcome]
) -> Iterator[str]:
    """Yield the lines of a Markdown document with the answers of `peers` and all goals.

    Args:
        head: the command, the date, the machine, the versions.
        rows: the answers, by question.
        outcomes: the goals.
    """
    yield from (f"- {name}: {value}" for name, value in head.items())
    beside = rows.get("peers", ())
    if beside:
        names = list(dict.fromkeys(name for row in beside for name in (*row.times, *row.skipped)))
        yield ""
        yield from _grid(["room", *names], [[row.subject, *_beside(row, names)] for row in beside])
        yield ""
        yield from (f"- {line}" for line in notes([_without_note(row) for row in beside]))
    if outcomes:
        yield ""
        yield from _grid(list(_GOAL_COLUMNS), map(_goal_cells, outcomes))


def _without_note(row: Row) -> Row:
    return Row(row.subject, row.full, differ=row.differ, given=row.given)


def _beside(row: Row, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name not in row.times:
            yield row.skipped.get(name, "")
            continue
        parts = [seconds(row.times[name].median)]
        if name in row.ratios:
            parts.append(ratio(row.ratios[name]))
        if name in row.memory:
            parts.append(size(row.memory[name]))
        if name in row.differ:
            parts.append("another state")
        yield ", ".join(parts)


def _grid(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "| --- " * len(head) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
