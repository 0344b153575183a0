"""``roomver vectors``: run, list, show and serve test vectors."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from ... import __version__
from ...canonical import shorten
from ...readers.suite import load_cases, suite_folder
from ...suite.document import (
    Case,
    CaseResult,
    Outcome,
    compare,
    run_case,
)
from ...suite.operations import OPERATIONS, BadVectors
from ...types import JsonObject
from ...versions import ROOM_VERSIONS
from ..wording import printable
from .implementation import CannotStart, Implementation, NoAnswer, serve
from .junit import as_junit
from .results import FORMAT as RESULTS_FORMAT
from .results import brief, cell
from .show import as_document, show_lines

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_SHOWN = 2000  # characters of an outcome that are printed
_PLAIN_WIDTH = 120  # of the table where the output is no terminal
_STYLES = {"failed": "bold red", "passed": "green", "none": "dim"}


class _Stop(click.ClickException):
    """Ends a command that could not look: one line, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"roomver: {self.message}", err=True)


def _selection(command: F) -> F:
    """Add the arguments that choose cases."""
    for decorate in (
        click.option(
            "--room-version",
            "room_versions",
            metavar="V",
            multiple=True,
            type=click.Choice(tuple(ROOM_VERSIONS)),
            help="Only cases of this room version. May be given several times.",
        ),
        click.option(
            "--operation",
            "operations",
            metavar="NAME",
            multiple=True,
            type=click.Choice(tuple(OPERATIONS)),
            help="Only cases of this operation. May be given several times.",
        ),
        click.argument("paths", metavar="[FILE|FOLDER]...", nargs=-1, type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


def _chosen(paths: Sequence[Path], operations: Sequence[str], room_versions: Sequence[str]) -> list[Case]:
    try:
        cases = load_cases(paths or [suite_folder()])
    except BadVectors as error:
        raise _Stop(str(error)) from None
    except OSError as error:
        raise _Stop(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from None
    chosen = [
        case
        for case in cases
        if (not operations or case.operation in operations)
        and (not room_versions or case.room_version in room_versions)
    ]
    if not chosen:
        raise _Stop("no case to run")
    return chosen


@click.command()
@_selection
@click.option(
    "--impl",
    "command",
    metavar="COMMAND",
    help="Run this program, which answers requests in JSON Lines, instead of roomver itself.",
)
@click.option(
    "--timeout",
    metavar="S",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="With --impl: seconds that one answer may take.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="With --impl: run so many of the program at once.",
)
@click.option(
    "--junit",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the results as JUnit XML as well.",
)
@click.option("--name", metavar="TEXT", help="What results call the implementation; else its command.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def run(  # noqa: PLR0913, PLR0917 - one for each option
    paths: tuple[Path, ...],
    operations: tuple[str, ...],
    room_versions: tuple[str, ...],
    command: str | None,
    timeout: float,
    jobs: int,
    junit: Path | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Run test vectors and compare the outcomes with what they expect.

    Without a FILE the suite that ships with roomver is run. With --impl a case that the program does not
    support is counted apart and fails nothing. Exit codes: 0 no case failed and one passed at least, 1 a
    case failed or none passed, 2 wrong call or unreadable file.
    """
    cases = _chosen(paths, operations, room_versions)
    if command is None:
        results = [run_case(case) for case in _watched(cases)]
    else:
        try:
            results = _ask_all(command, timeout, cases, min(jobs, len(cases)))
        except CannotStart as error:
            raise _Stop(str(error)) from None
    if name is None:
        name = f"roomver {__version__}" if command is None else command
    if junit is not None:
        junit.write_bytes(as_junit(results, name))
    if as_json:
        click.echo(json.dumps(report(results, name), indent=1))
    else:
        _print(results, name)
    counts = _count(results)
    click.get_current_context().exit(0 if counts["passed"] and not counts["failed"] else 1)


def _watched(work: list[T]) -> Iterable[T]:
    console = Console(stderr=True)
    return track(work, "Running", console=console, transient=True, disable=not console.is_terminal)


def _ask_all(command: str, timeout: float, cases: list[Case], jobs: int) -> list[CaseResult]:
    """Ask several processes of one command, each for one case at a time; the order is that of the cases."""
    with ExitStack() as stack:
        free: SimpleQueue[Implementation] = SimpleQueue()
        for _ in range(jobs):
            free.put(stack.enter_context(Implementation(command, timeout)))

        def ask(case: Case) -> CaseResult:
            implementation = free.get()
            try:
                return _ask(implementation, case)
            finally:
                free.put(implementation)

        pool = ThreadPoolExecutor(jobs)
        # Of what was not begun nothing is begun any more, should this be interrupted.
        stack.callback(pool.shutdown, cancel_futures=True)
        asked = [pool.submit(ask, case) for case in cases]
        return [one.result() for one in _watched(asked)]


def _ask(implementation: Implementation, case: Case) -> CaseResult:
    try:
        return compare(case, implementation.ask(case))
    except NoAnswer as error:
        return CaseResult(case, Outcome.FAILED, None, str(error))


def _count(results: Iterable[CaseResult]) -> dict[str, int]:
    counts = {outcome.value: 0 for outcome in Outcome}
    for result in results:
        counts[result.outcome.value] += 1
    return counts


def _expected(case: Case) -> Any:
    if case.disputed:
        return [{"outcome": one.outcome, "reason": one.reason} for one in case.expected]
    return case.expected[0].outcome


def report(results: Sequence[CaseResult], implementation: str) -> JsonObject:
    """Return results as JSON: the counts, the table, and each case."""
    table: dict[str, Any] = {}
    cases: list[Any] = []
    for result in results:
        case = result.case
        cell = table.setdefault(case.operation, {}).setdefault(case.room_version, _count(()))
        cell[result.outcome.value] += 1
        entry: dict[str, Any] = {
            "name": case.name,
            "operation": case.operation,
            "room_version": case.room_version,
            "outcome": result.outcome.value,
        }
        if case.disputed and result.accepted is not None:
            entry["accepted"] = result.accepted
        if result.outcome is Outcome.FAILED:
            entry |= {"expected": _expected(case), "got": result.got, "reason": result.reason}
        cases.append(entry)
    counts: JsonObject = {**_count(results)}
    return {
        "format": RESULTS_FORMAT,
        "implementation": implementation,
        **counts,
        "operations": table,
        "cases": cases,
    }


def _print(results: Sequence[CaseResult], name: str) -> None:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = max(console.width, _PLAIN_WIDTH)
    console.print(_table(results), soft_wrap=False)
    for result in results:
        if result.outcome is Outcome.FAILED:
            for line in _failure(result):
                console.print(line)
            console.print()
    counts = _count(results)
    kinds = ", ".join(f"{number} {kind}" for kind, number in counts.items() if number or kind == "passed")
    console.print(f"{name}: {len(results)} cases, {kinds}")


def _table(results: Sequence[CaseResult]) -> Table:
    versions = [v for v in ROOM_VERSIONS if any(r.case.room_version == v for r in results)]
    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    table.add_column("operation", no_wrap=True)
    for version in versions:
        table.add_column(f"v{version}", justify="right", no_wrap=True)
    for operation in OPERATIONS:
        mine = [r for r in results if r.case.operation == operation]
        if mine:
            cells = [_cell([r for r in mine if r.case.room_version == v]) for v in versions]
            table.add_row(operation, *cells)
    return table


def _cell(results: Sequence[CaseResult]) -> Text:
    text, kind = cell(_count(results) if results else {})
    return Text(text, _STYLES[kind])


def _failure(result: CaseResult) -> Iterator[Text]:
    case = result.case
    yield Text(f"FAILED {case.name}: {case.operation}, room version {case.room_version}", "bold red")
    if case.notes:
        yield Text(f"  {case.notes}")
    if case.rule:
        yield Text(f"  rule {case.rule}")
    if case.spec:
        yield Text(f"  {case.spec}")
    for one in case.expected:
        yield Text(f"  expected {brief(one.outcome, _SHOWN)}" + (f" ({one.reason})" if one.reason else ""))
    if result.got is not None:
        yield Text(f"  got      {brief(result.got, _SHOWN)}")
    if result.reason:
        # ASCII, for it may hold what the program printed.
        yield Text(f"  {result.reason}".encode("ascii", "backslashreplace").decode())


@click.command("list")
@_selection
def list_cases(paths: tuple[Path, ...], operations: tuple[str, ...], room_versions: tuple[str, ...]) -> None:
    """List the names of test vectors, with operation and room version."""
    cases = _chosen(paths, operations, room_versions)
    width = max(len(case.name) for case in cases)
    for case in cases:
        click.echo(f"{case.name:{width}}  {case.operation}  {case.room_version}")


@click.command()
@click.argument("name")
@click.argument("paths", metavar="[FILE|FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every event whole.")
def show(name: str, paths: tuple[Path, ...], as_json: bool) -> None:
    """Show one test vector: its events, parents first, what it expects, what roomver gives, and what decides
    it."""
    for case in _chosen(paths, (), ()):
        if case.name == name:
            break
    else:
        raise _Stop(f"there is no case {shorten(name)}")
    result = run_case(case)
    if as_json:
        click.echo(json.dumps(as_document(result, _expected(case)), indent=1))
        return
    for line in show_lines(result, _expected(case)):
        click.echo(printable(line))


@click.command("serve")
def serve_requests() -> None:
    """Answer requests in JSON Lines on standard input, as an implementation under test does."""
    if sys.stdin is None:  # as Python leaves it if the caller has closed it
        raise _Stop("standard input is closed")
    for line in serve(sys.stdin.buffer):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
