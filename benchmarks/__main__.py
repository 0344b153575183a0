"""Ask the questions and print the answers: `python -m benchmarks`."""

import argparse
import json
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Protocol

import roomver

from . import suite
from .measure import CLOCKS, Goal, Row, as_data, machine, versions
from .plots import draw
from .report import (
    Outcome,
    console,
    first_paragraph,
    goal_table,
    judge,
    markdown,
    notes,
    question_table,
    seconds,
)
from .run import Run

QUESTIONS = (
    "canonical",
    "parse",
    "signature",
    "check",
    "command",
    "auth",
    "sort",
    "difference",
    "graph",
    "restart",
    "resolution",
    "peers",
    "growth",
    "replay",
    "crafted",
)
PACKAGES = (
    "matrix-synapse",
    "networkx",
    "canonicaljson",
    "pynacl",
    "signedjson",
    "unpaddedbase64",
)
QUICK_SCALE = 0.005

Rows = dict[str, list[Row]]


class Question(Protocol):
    """What the module of each question provides."""

    GOALS: Sequence[Goal]

    @staticmethod
    def ask(run: Run) -> Iterator[Row]: ...


def question(name: str) -> Any:
    """Return the module of a question."""
    return import_module(f".{name}", __package__)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=QUESTIONS, help="ask only this question; may be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="tiny inputs, one round: check that all agree")
    parser.add_argument("--scale", type=float, default=1.0, help="scale of all inputs; goals are set for 1")
    parser.add_argument("--rounds", type=int, default=9, help="most rounds for each row (default 9)")
    parser.add_argument(
        "--budget", type=float, default=60, help="seconds after which a row starts no round (default 60)"
    )
    parser.add_argument(
        "--shape", action="append", help="ask peers and growth only about this shape; may be repeated"
    )
    parser.add_argument(
        "--patience", type=float, default=120, help="seconds for a peer's first answer (default 120)"
    )
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="use cpu if the machine is busy")
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the rooms for the next run")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the answers of growth")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the answers of peers")
    parser.add_argument("--pyperf", type=Path, metavar="FILE", help="write the times for pyperf to compare")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every measurement")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit code: 1 if implementations do not agree, else 0."""
    options = arguments(argv)
    if options.keep is not None:
        return _run(options, options.keep)
    with TemporaryDirectory(prefix="roomver-benchmarks-") as folder:
        return _run(options, Path(folder))


def _run(options: argparse.Namespace, folder: Path) -> int:
    run = Run(
        folder.resolve(),
        options.scale,
        options.rounds,
        options.budget,
        options.quick,
        not options.no_memory,
        options.clock,
        options.patience,
        tuple(options.shape or ()),
    )
    if options.quick:
        run.scale, run.rounds, run.memory = min(run.scale, QUICK_SCALE), 1, False
    out = console()
    measured_on = {**machine(), "roomver": roomver.__version__, **versions(PACKAGES)}
    out.print(", ".join(f"{name} {value}" for name, value in measured_on.items()))
    out.print(
        f"scale {run.scale:g}, up to {run.rounds} rounds in turns; medians ± half the quartile distance"
    )
    rows: Rows = {}
    outcomes: list[Outcome] = []
    for name in options.only or QUESTIONS:
        module = question(name)
        began = perf_counter()
        rows[name] = []
        for row in module.ask(run):
            rows[name].append(row)
            if not run.quick:
                medians = ", ".join(f"{who} {seconds(stats.median)}" for who, stats in row.times.items())
                print(f"{name}: {row.subject}: {medians}", file=sys.stderr, flush=True)
        outcomes += judge(name, module.GOALS, rows[name])
        out.print(f"\n[{name}] {first_paragraph(module.__doc__ or '')}", style="bold")
        out.print(question_table(rows[name]))
        for line in notes(rows[name]):
            out.print(f"  {line}", soft_wrap=True)
        out.print(f"  took {perf_counter() - began:.0f} s")
    if outcomes:
        out.print()
        out.print(goal_table(outcomes))
    for row in (row for answers in rows.values() for row in answers):
        measured_on |= row.implementations
    for file in _write(options, run, measured_on, rows, outcomes):
        out.print(f"wrote {file}", soft_wrap=True)
    disagree = [
        f"{name}: {row.subject}" for name, answers in rows.items() for row in answers if row.agree is False
    ]
    for line in disagree:
        out.print(f"RESULTS DIFFER: {line}", style="bold red")
    out.print(_counted(row for answers in rows.values() for row in answers if row.compared))
    return 1 if disagree else 0


def _counted(rows: Iterable[Row]) -> str:
    """Count the results that are the same as roomver's, that differ as listed, and that differ."""
    same, listed, other = 0, 0, 0
    for row in rows:
        listed += sum(map(bool, row.differ.values()))
        other += len(row.differ) - sum(map(bool, row.differ.values()))
        same += sum(name in row.ratios and name not in row.differ for name in row.times)
    return f"{same} results are the same as roomver's, {listed} differ as listed, {other} differ"


def _write(
    options: argparse.Namespace,
    run: Run,
    measured_on: Mapping[str, str],
    rows: Rows,
    outcomes: Sequence[Outcome],
) -> Iterator[Path]:
    """Write the files that the options name, and yield their paths."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    if options.plots is not None:
        yield from draw(rows.get("growth", ()), options.plots)
    if options.markdown is not None:
        head = {"command": " ".join(["python -m benchmarks", *sys.argv[1:]]), "when": when, **measured_on}
        options.markdown.write_text("\n".join(markdown(head, rows, outcomes)) + "\n", encoding="utf-8")
        yield options.markdown
    if options.pyperf is not None:
        suite.write(rows, options.pyperf)
        yield options.pyperf
    if options.json is not None:
        document = {
            "when": when,
            "machine": dict(measured_on),
            "scale": run.scale,
            "questions": as_data(rows),
            "goals": [
                {
                    "question": o.question,
                    "subject": o.goal.subject,
                    "figure": o.goal.figure,
                    "at_most": o.goal.at_most,
                    "at_least": o.goal.at_least,
                    "measured": o.measured,
                    "verdict": o.verdict,
                    "because": o.because,
                }
                for o in outcomes
            ],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        yield options.json


if __name__ == "__main__":
    # End the peers too if this process is ended from outside: they hold gigabytes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
