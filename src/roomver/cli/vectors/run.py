"""``roomver vectors run``: run cases in process or against another implementation."""

import json
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Final, TypeVar

import click
from rich.progress import track

from ... import __version__
from ...errors import counted
from ...readers.suite import of_tier
from ...suite.document import Case, CaseResult, Outcome, compare, run_case
from ...suite.operations import OPERATIONS
from ..common import console, example
from ..heard import say
from ..written import check_writable, write_path
from .implementation import Implementation, NoAnswer
from .junit import as_junit
from .known import KnownFailures, read_known_failures, rewrite
from .results import ADDRESS, as_listed, is_address, results_document
from .selection import (
    Shard,
    by_operation,
    filter_options,
    has_whole_suite,
    optional_option,
    paths_argument,
    select_cases,
    shard_option,
    take_shard,
    version_of,
)
from .summary import End, Run, print_results
from .tap import as_tap

T = TypeVar("T")
_INTERRUPTED: Final = 130  # the exit code by the convention of shells
_SILENT: Final = 10  # first cases without a valid answer, after which a run stops
_AHEAD: Final = 8  # cases for each process that may be under way, or done, before the one to be shown


def _read_url(_: click.Context, __: click.Parameter, text: str | None) -> str:
    if not is_address(text or ""):
        raise click.BadParameter(f"must be {ADDRESS}")
    return text or ""


@click.command("run", epilog=example('roomver vectors run --impl "./my-adapter" --operation resolve'))
@filter_options
@optional_option()
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
    "-x",
    "--exitfirst",
    "first_only",
    is_flag=True,
    help="Stop at the first failure that is not known.",
)
@click.option(
    "--known-failures",
    "known_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A list of cases that are expected to fail, one name per line. The run fails if another case fails,"
    " if a listed case passes, or if the program does not answer.",
)
@click.option(
    "--write-known-failures",
    "write_known",
    is_flag=True,
    help="Write the failures of this run to the list, except cases without an answer. Comments, and cases"
    " that are not run, stay in it. A run of the whole suite removes cases that do not exist.",
)
@click.option(
    "--show-stderr",
    "show_stderr",
    is_flag=True,
    help="With --impl: print what the program writes to standard error as it comes. Otherwise its last lines"
    " are printed with a case that has no valid answer.",
)
@click.option(
    "--require",
    "required",
    metavar="NAME",
    multiple=True,
    type=click.Choice(tuple(OPERATIONS)),
    help="The run fails if a case of this operation is unsupported. May be given several times.",
)
@click.option("--show-known", "show_known", is_flag=True, help="Also print the failures that are known.")
@click.option(
    "--diff",
    is_flag=True,
    help="Show how each wrong output differs, with events numbered as `roomver vectors show` numbers them.",
)
@shard_option()
@click.option(
    "--junit",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the results to FILE as JUnit XML.",
)
@click.option(
    "--tap",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Also write the results to FILE as TAP; - prints them instead of the table.",
)
@click.option(
    "--name", metavar="TEXT", help="The name of the implementation in the results. By default COMMAND."
)
@click.option(
    "--url", metavar="ADDRESS", callback=_read_url, help="With --json: the address of the implementation."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def run_command(  # noqa: PLR0913, PLR0917 - one for each option
    paths: tuple[Path, ...],
    operations: tuple[str, ...],
    room_versions: tuple[str, ...],
    globs: tuple[str, ...],
    optional: bool,
    command: str | None,
    timeout: float,
    jobs: int,
    first_only: bool,
    known_file: Path | None,
    write_known: bool,
    show_stderr: bool,
    required: tuple[str, ...],
    show_known: bool,
    diff: bool,
    shard: Shard | None,
    junit: Path | None,
    tap: Path | None,
    name: str | None,
    url: str,
    as_json: bool,
) -> None:
    """Run test vectors and compare the outputs with the expectations.

    Without a FILE or FOLDER the suite that ships with roomver is run. A folder is searched for JSON files,
    subfolders included. Operations run in the order in which they build on each other, so that the first
    failure is the one to look at. A case that the program of --impl does not support does not count as
    failed. If the first 10 cases have no valid answer, the run stops and says what to check.

    Exit codes: 0 no case failed and at least one passed, 1 a case failed or none passed, 2 usage error, or a
    file that cannot be read or written. With --known-failures, a listed case must fail, with an answer: if
    it passes, or if the program crashes or does not answer in time, the run ends with 1. All cases may fail
    as listed only if the run is narrowed: by --case, --operation, --room-version, or a FILE or FOLDER that
    is not a whole release. Ctrl-C ends the run with 130, after the results so far.
    """
    tap_only = tap is not None and str(tap) == "-"
    _check_options(known_file, write_known=write_known, first_only=first_only, both=tap_only and as_json)
    known = KnownFailures() if known_file is None else read_known_failures(known_file, optional=write_known)
    for file in (junit, None if tap_only else tap, known_file if write_known else None):
        if file is not None:
            check_writable(file)
    chosen = select_cases(paths, operations, room_versions, globs, optional=True)
    narrowed = bool(operations or room_versions or globs) or not has_whole_suite(paths)
    absent = [] if narrowed else known.absent(case.name for case in chosen)
    cases = take_shard(by_operation(of_tier(chosen, optional=optional)), shard, paths)
    if command is None:
        outputs = (run_case(case) for case in _with_progress(cases))
    else:
        jobs = min(jobs, len(cases))
        # With one process, or -x, no request is sent before the last result is known.
        ahead = jobs if first_only or jobs == 1 else _AHEAD * jobs
        outputs = _run_all(command, timeout, cases, jobs, ahead=ahead, show_stderr=show_stderr)
    results, end = _collect(outputs, known if first_only else None, answers=command is not None)
    if name is None:
        name = f"roomver {__version__}" if command is None else command
    told = ""
    if known_file is not None and write_known and end not in (End.INTERRUPTED, End.SILENT):
        known, told = _write_known(known_file, known, results, absent)
    elif absent:
        _print_absent(known, absent)
    left = len(cases) - len(results)
    run = Run(results, name, known, paths, diff, left, narrowed, show_known, command, end, required)
    if junit is not None:
        write_path(junit, as_junit(results, name, known))
    if tap is not None and not tap_only:
        write_path(tap, as_tap(results, known, run.why_stopped).encode("ascii"))
    if as_json:
        facts = {"url": url, "date": datetime.now(UTC).date().isoformat(), "suite": version_of(paths)}
        click.echo(json.dumps(results_document(results, name, known, facts), indent=1))
    elif tap_only:
        click.echo(as_tap(results, known, run.why_stopped), nl=False)
    else:
        if told:
            click.echo(told)
        print_results(run)
    click.get_current_context().exit(_INTERRUPTED if end is End.INTERRUPTED else 0 if run.good else 1)


def _check_options(known_file: Path | None, *, write_known: bool, first_only: bool, both: bool) -> None:
    if write_known and known_file is None:
        raise click.UsageError("--write-known-failures needs the list: --known-failures FILE")
    if write_known and first_only:
        raise click.UsageError("-x stops at a failure, so --write-known-failures would not know the others")
    if both:
        raise click.UsageError("--tap - and --json are both printed; give --tap a file")


def _collect(
    outputs: Generator[CaseResult], known: KnownFailures | None, *, answers: bool
) -> tuple[list[CaseResult], End]:
    """Return the results of a run, and how it ended.

    Args:
        outputs: the results as they come.
        known: the list of known failures, to stop at the first other failure; None to run all cases.
        answers: stop if none of the first cases has a valid answer.
    """
    results: list[CaseResult] = []
    silent = answers
    try:
        with closing(outputs):
            for result in outputs:
                results.append(result)
                failed = result.outcome is Outcome.FAILED
                silent = silent and failed and result.got is None
                if known is not None and failed and not as_listed(result, known):
                    return results, End.FAILURE
                if silent and len(results) == _SILENT:
                    return results, End.SILENT
    except KeyboardInterrupt:
        return results, End.INTERRUPTED
    return results, End.COMPLETE


def _write_known(
    file: Path, known: KnownFailures, results: Sequence[CaseResult], absent: Sequence[str]
) -> tuple[KnownFailures, str]:
    """Write the list with the failures of a run. Return it, and a line about it."""
    written = rewrite(known, results, absent)
    write_path(file, written.text.encode())
    failures = counted(written.names, "known failure", "known failures")
    told = f"{known.file}: {failures} written: {written.new:,} new, {written.removed:,} removed"
    return read_known_failures(file), told


def _print_absent(known: KnownFailures, absent: Sequence[str]) -> None:
    told = "these cases do not exist; remove them, or use --write-known-failures:"
    say(f"roomver: {known.file}: {told}")
    for name in absent:
        click.echo(f"  {known.file}:{known.numbers[name]}: {name}", err=True)


def _with_progress(work: list[T]) -> Iterable[T]:
    out = console(stderr=True)
    return track(work, "Running", console=out, transient=True, disable=not out.is_terminal)


def _run_all(
    command: str, timeout: float, cases: list[Case], jobs: int, *, ahead: int, show_stderr: bool
) -> Generator[CaseResult]:
    """Run cases against several processes of one command; yield the results in the order of the cases.

    At most `ahead` cases are under way, or done, before the one whose result is next.
    """
    with ExitStack() as stack:
        every = [
            stack.enter_context(Implementation(command, timeout, show_stderr=show_stderr))
            for _ in range(jobs)
        ]
        free: SimpleQueue[Implementation] = SimpleQueue()
        for one in every:
            free.put(one)

        def run_next(case: Case) -> CaseResult:
            implementation = free.get()
            try:
                return compare(case, implementation.ask(case))
            except NoAnswer as error:
                return CaseResult(case, Outcome.FAILED, None, str(error), log=error.log)
            finally:
                free.put(implementation)

        pool = ThreadPoolExecutor(jobs)
        # After an interrupt, or the first failure with -x, no further case starts.
        stack.callback(pool.shutdown, cancel_futures=True)
        rest = iter(cases)
        under_way = deque(pool.submit(run_next, case) for case in islice(rest, ahead))
        try:
            for _ in _with_progress(cases):
                result = under_way[0].result()
                under_way.popleft()
                yield result
                under_way.extend(pool.submit(run_next, case) for case in islice(rest, 1))
        except BaseException:  # an interrupt, or the end of a run that stops early: nobody waits for the rest
            if under_way:
                for one in every:
                    one.abandon()
            raise
