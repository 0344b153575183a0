"""``roomver vectors run``: run cases in process or against another implementation."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import click
from rich.progress import track

from ... import __version__
from ...suite.document import Case, CaseResult, Outcome, compare, run_case
from ..common import console, example
from .implementation import Implementation, NoAnswer
from .junit import as_junit
from .results import count_outcomes, results_document
from .selection import filter_options, paths_argument, select_cases
from .summary import print_results

T = TypeVar("T")


@click.command("run", epilog=example('roomver vectors run --impl "./my-adapter" --operation resolve'))
@filter_options
@paths_argument()
@click.option(
    "--impl",
    "command",
    metavar="COMMAND",
    help="Test the program that COMMAND starts instead of roomver. It answers requests in JSON Lines, "
    "which FORMAT.md describes.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="With --impl: how long to wait for an answer.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="With --impl: how many copies of the program to run in parallel.",
)
@click.option(
    "--junit",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the results to FILE as JUnit XML.",
)
@click.option(
    "--name", metavar="TEXT", help="The name of the implementation in the results. By default COMMAND."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def run_command(  # noqa: PLR0913, PLR0917 - one for each option
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
    """Run test vectors and compare the outputs with the expectations.

    Without a FILE or FOLDER the suite that ships with roomver is run. A folder is searched for JSON files,
    subfolders included. A case that the program of --impl does not support does not count as failed.

    Exit codes: 0 no case failed and at least one passed, 1 a case failed or none passed, 2 usage error or
    unreadable file.
    """
    cases = select_cases(paths, operations, room_versions)
    if command is None:
        results = [run_case(case) for case in _with_progress(cases)]
    else:
        results = _run_all(command, timeout, cases, min(jobs, len(cases)))
    if name is None:
        name = f"roomver {__version__}" if command is None else command
    if junit is not None:
        junit.write_bytes(as_junit(results, name))
    if as_json:
        click.echo(json.dumps(results_document(results, name), indent=1))
    else:
        print_results(results, name)
    counts = count_outcomes(results)
    click.get_current_context().exit(0 if counts["passed"] and not counts["failed"] else 1)


def _with_progress(work: list[T]) -> Iterable[T]:
    out = console(stderr=True)
    return track(work, "Running", console=out, transient=True, disable=not out.is_terminal)


def _run_all(command: str, timeout: float, cases: list[Case], jobs: int) -> list[CaseResult]:
    """Run cases against several processes of one command; the results are in the order of the cases."""
    with ExitStack() as stack:
        free: SimpleQueue[Implementation] = SimpleQueue()
        for _ in range(jobs):
            free.put(stack.enter_context(Implementation(command, timeout)))

        def run_next(case: Case) -> CaseResult:
            implementation = free.get()
            try:
                return compare(case, implementation.ask(case))
            except NoAnswer as error:
                return CaseResult(case, Outcome.FAILED, None, str(error))
            finally:
                free.put(implementation)

        pool = ThreadPoolExecutor(jobs)
        stack.callback(pool.shutdown, cancel_futures=True)  # after an interrupt, no further case starts
        futures = [pool.submit(run_next, case) for case in cases]
        return [future.result() for future in _with_progress(futures)]
