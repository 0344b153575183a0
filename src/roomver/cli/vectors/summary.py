"""The results of a run as a terminal shows them: a table, the failed cases, the totals."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Final

from rich.console import Console

from ...errors import counted
from ...suite.document import Case, CaseResult, Outcome
from ..common import call_name, console
from ..escaped import printable
from ..tables import print_table
from .difference import difference_lines, named_event, signed
from .known import KnownFailures
from .result_tables import result_tables
from .results import (
    as_listed,
    brief,
    count_outcomes,
)

_WIDTH: Final = 80  # also where there is no terminal, as in the log of a CI
_SHOWN: Final = 600  # characters of an outcome
_LINE: Final = 4 * _SHOWN  # characters of a line before it is broken
_WHOLE_CRASHES: Final = 3  # cases without an answer, for the same reason, that are shown whole
_LOG_LINE: Final = 300  # characters of a line of standard error
_CALLS: Final = ("  see: ", "  try: ")  # lines that are commands
_RESTS_ON: Final = {
    "canonical_json": ("content_hash", "event_id", "verify_signatures", "sign_json", "sign_event"),
    "redact": ("event_id", "verify_signatures", "sign_event"),
}
"""The operations that hash or sign what an operation gives."""


class End(Enum):
    """How a run ended. The value says it, if the run stopped before the last case."""

    COMPLETE = ""
    FAILURE = "stopped at a failure"
    SILENT = "stopped, because no case had a valid answer"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and how it is shown.

    Attributes:
        results: in the order of the cases.
        implementation: its name.
        known: the list of known failures.
        paths: the files and folders that the cases are from; empty for the suite of the package.
        diff: whether to show how each output differs.
        left: how many cases were not run, because the run stopped.
        narrowed: whether the cases were chosen: by name, operation or room version, or as a part of a suite.
        show_known: whether to print the failures that are known, too.
        command: what starts the program that was tested; None for roomver.
        end: how the run ended.
        required: the operations of which no case may be unsupported.
    """

    results: Sequence[CaseResult]
    implementation: str
    known: KnownFailures
    paths: Sequence[Path] = ()
    diff: bool = False
    left: int = 0
    narrowed: bool = False
    show_known: bool = False
    command: str | None = None
    end: End = End.COMPLETE
    required: Collection[str] = ()

    @property
    def new(self) -> list[CaseResult]:
        """The failures that are not known. A failure without a valid answer never is."""
        return [
            one for one in self.results if one.outcome is Outcome.FAILED and not as_listed(one, self.known)
        ]

    @property
    def fixed(self) -> list[str]:
        """The known failures that pass."""
        return [
            one.case.name
            for one in self.results
            if one.outcome is Outcome.PASSED and one.case.name in self.known
        ]

    @property
    def good(self) -> bool:
        """Whether the cases did what was expected of them, and at least one passed.

        In a narrowed run, all may fail as known: it may have been narrowed to known failures. In a whole run,
        an implementation of which nothing passes is broken, even if the list was written when it was.
        """
        return not self.new and not self.fixed and not self.lost and self._some_as_expected

    @property
    def lost(self) -> dict[str, int]:
        """The required operations of which cases are unsupported, each with their number."""
        unsupported = (one.case.operation for one in self.results if one.outcome is Outcome.UNSUPPORTED)
        return {name: number for name, number in Counter(unsupported).items() if name in self.required}

    @property
    def why_stopped(self) -> str:
        """Why cases were not run, and how many; empty if all were."""
        if not self.left:
            return ""
        return f"{self.end.value}, {counted(self.left, 'case was', 'cases were')} not run"

    @property
    def silent(self) -> bool:
        """Whether a program was tested that has not given a valid answer to any case."""
        failed = (one.outcome is Outcome.FAILED and one.got is None for one in self.results)
        return self.command is not None and bool(self.results) and all(failed)

    @property
    def _some_as_expected(self) -> bool:
        counts = count_outcomes(self.results)
        return bool(counts["passed"] or (self.narrowed and counts["failed"]))


def print_results(run: Run) -> None:
    """Print the results of a run."""
    out = console()
    offered = {one.case.operation for one in run.results if one.outcome is not Outcome.UNSUPPORTED}
    shown = [one for one in run.results if one.case.operation in offered]
    for table in result_tables(shown, min(out.width, _WIDTH)) if shown else ():
        print_table(table)
    if others := {one.case.operation for one in run.results} - offered:
        cases = counted(len(run.results) - len(shown), "case", "cases")
        out.print(f"not offered: {counted(len(others), 'operation', 'operations')}, {cases}", soft_wrap=True)
        out.print()
    if run.show_known:
        listed = [one for one in run.results if one.outcome is Outcome.FAILED and as_listed(one, run.known)]
        _print_failures(out, run, listed, "yellow")
    new = run.new
    if run.diff and any(signed(line) for one in new for line in difference_lines(one)):
        out.print("In the differences, - is expected and missing, + is not expected.", soft_wrap=True)
        out.print()
    _print_failures(out, run, new, "bold red")
    if run.fixed:
        _print_fixed(out, run)
    for name, number in run.lost.items():
        are = counted(number, "case is", "cases are")
        out.print(f"{name} is required, and {are} unsupported", soft_wrap=True)
    for line in _causes(new):
        out.print(line, soft_wrap=True)
    if run.silent:
        for line in _advice(run):
            out.print(line, soft_wrap=True)
        out.print()
    if run.known.file and any(one.got is None for one in run.new):
        out.print("A case without a valid answer is never a known failure.", soft_wrap=True)
    if not run.diff and any(one.got is not None for one in run.new):
        out.print("--diff shows how each output differs", soft_wrap=True)
    out.print(printable(f"{run.implementation}: {_totals(run)}"), soft_wrap=True)


def _causes(failures: Iterable[CaseResult]) -> Iterator[str]:
    """Yield which failed operations others rest on, so that their failures may only follow."""
    failed = {one.case.operation for one in failures if one.got is not None}
    for cause, resting in _RESTS_ON.items():
        followers = [name for name in resting if name in failed]
        if cause in failed and followers:
            yield f"{', '.join(followers)} rest on {cause}, which fails too: look there first"


def _print_failures(out: Console, run: Run, failures: Iterable[CaseResult], style: str) -> None:
    groups = list(_alike(failures, run))
    for group, after in zip_longest(groups, groups[1:]):
        for number, line in enumerate(group):
            out.print(line, style=None if number else style, soft_wrap=True)
        if after is None or len(group) > 1 or len(after) > 1:
            out.print()


def _print_fixed(out: Console, run: Run) -> None:
    out.print("These known failures pass; remove them, or use --write-known-failures:", soft_wrap=True)
    folded: dict[str, list[str]] = {}
    for one in run.results:
        if one.outcome is Outcome.PASSED and one.case.name in run.known:
            folded.setdefault(_any_version(one.case.name, one.case), []).append(one.case.name)
    for first, *others in folded.values():
        out.print(f"  {run.known.file}:{run.known.numbers[first]}: {first}", soft_wrap=True)
        if others:
            also = ", ".join(f"{name} (line {run.known.numbers[name]})" for name in others)
            for line in _wrapped(f"    also: {also}", "      "):
                out.print(line, soft_wrap=True)
    out.print()


def _totals(run: Run) -> str:
    counts = count_outcomes(run.results)
    known = counts["failed"] - len(run.new)
    parts = [
        counted(len(run.results), "case", "cases"),
        f"{counts['passed']:,} passed",
        f"{len(run.new):,} failed" if run.new else "",
        f"{known:,} failed as known" if known else "",
        f"{counts['unsupported']:,} unsupported" if counts["unsupported"] else "",
    ]
    told = ", ".join(filter(None, parts))
    if run.fixed:
        told += f"; {counted(len(run.fixed), 'known failure passes', 'known failures pass')}"
    if run.left:
        told += f"; {run.why_stopped}"
    elif not run.new and not run._some_as_expected:
        told += "; no case passed"
    return told


# The failures


def _advice(run: Run) -> Iterator[str]:
    """Yield lines on what to check if a program has not given a valid answer to any case."""
    asked = counted(len(run.results), "request", "requests")
    yield f"The program has not given a valid answer: {asked}, which ended like this:"
    ends = Counter(_without_length(result.reason) for result in run.results)
    for reason, number in ends.items():
        yield from _wrapped(f"  {number:,}: {reason}", "    ")
    reasons, logs = "\n".join(ends), "\n".join(line for one in run.results for line in one.log)
    yield "What to check:"
    if "no answer within" in reasons:
        yield "- Does it flush its output after each answer, and end it with a line end?"
        yield "- Does it answer each request before it reads the next one?"
    if "not JSON" in reasons or "should be a JSON object" in reasons:
        yield "- Does it print anything but answers to standard output? Logs belong on"
        yield "  standard error."
    if "exit code" in reasons or "signal" in reasons:
        yield "- Does it start at all? Its last lines on standard error are above."
    if "ES module" in logs or "outside a module" in logs:
        yield "- Is it a CommonJS module in a project of ES modules, or the reverse? A"
        yield '  package.json beside it with {"type": "commonjs"} or {"type": "module"} says'
        yield "  which."
    yield "- What does it answer to one request?"
    yield f"  {show_call(run.results[0].case, run.paths, '--request')} | {printable(run.command)}"


def _without_length(reason: str) -> str:
    """Return why there is no answer, without the length of the request."""
    return reason.partition("; the request has ")[0]


def _alike(failures: Iterable[CaseResult], run: Run) -> Iterator[list[str]]:
    """Yield the lines on failed cases, those together that differ in nothing but the room version.

    A program that is broken dies at each case: from the fourth one on, such a failure has one line.
    """
    groups: dict[str, list[CaseResult]] = {}
    lines: dict[str, list[str]] = {}
    dead: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for result in failures:
        case = result.case
        if result.got is None:
            cause = _without_length(result.reason), result.log
            dead[cause] += 1
            if dead[cause] > _WHOLE_CRASHES:
                short = f"{_heading(case)}: {result.reason}"
                lines[short] = [printable(short)]
                continue
        told = list(failure_lines(result, diff=run.diff, paths=run.paths, command=run.command))
        alike = _any_version("\n".join(_essence(result, told)), case)
        groups.setdefault(alike, []).append(result)
        lines.setdefault(alike, told)
    logs: set[tuple[str, ...]] = set()
    for key, told in lines.items():
        first, *others = groups.get(key, (None,))
        if others:
            names = ", ".join(one.case.name for one in others)
            told.extend(_wrapped(f"  the same: {names}", "    "))
        if first is not None and first.log:
            if first.log in logs:
                told.append("  standard error: as above")
            else:
                told.extend(["  standard error:", *log_lines(first)])
                logs.add(first.log)
        yield told


def log_lines(result: CaseResult) -> Iterator[str]:
    """Yield the last lines that a program wrote to standard error, safe to print and indented."""
    return (f"  | {printable(line, _LOG_LINE)}".rstrip() for line in result.log)


def _essence(result: CaseResult, told: Sequence[str]) -> Iterator[str]:
    """Yield what must be the same in failures that are printed as one: not the IDs of events."""
    lines = list(difference_lines(result, ids=False))
    if not lines:
        yield from (line.strip() for line in told if not line.startswith(_CALLS))
        yield from result.log
        return
    case = result.case
    yield from (_heading(case), case.notes, case.rule, case.spec, result.reason, *lines)


def _any_version(text: str, case: Case) -> str:
    """Return a text on a case without what names its room version."""
    any_name = case.name.replace(f".v{case.room_version}", ".v")
    text = text.replace(case.name, any_name).replace(f"room version {case.room_version}", "room version")
    return text.replace(f"/rooms/v{case.room_version}/", "/rooms/v/")


def _heading(case: Case) -> str:
    # In one line, however long: it is what a search of a log finds.
    return f"FAILED {case.name}: {case.operation}, room version {case.room_version}"


def failure_lines(
    result: CaseResult, *, diff: bool, paths: Sequence[Path], command: str | None = None
) -> Iterator[str]:
    """Yield the lines on a failed case, safe to print: what it is about, what it expects, the output.

    Args:
        result: the failed case.
        diff: show how the output differs, instead of the whole output, and the command that shows the case.
        paths: the files and folders that the case is from.
        command: what starts the program that was tested, if one was.
    """
    case = result.case
    yield printable(_heading(case))
    if result.got is None:
        yield from _wrapped(f"  {result.reason}", "  ")
    if case.notes:
        yield from _wrapped(f"  {case.notes}", "  ")
    yield from _source(case)
    lines = list(difference_lines(result)) if diff else []
    if lines:
        if (event := named_event(case.input.get("events"), case.input.get("event"))) is not None:
            yield from _wrapped(f"  the event: {event}", "    ")
        for line in lines:
            # Two texts stand one below the other, also if their escapes are long.
            fits = len(line) + 2 <= _WIDTH
            indent = " " * (len(line) - len(line.lstrip()) + 6)
            yield from [printable(f"  {line}")] if fits else _wrapped(f"  {line}", indent)
    elif result.got is not None:
        for one in case.expected:
            reason = f" ({one.reason})" if one.reason else ""
            yield from _wrapped(f"  expected {brief(one.outcome, _SHOWN)}{reason}", " " * 11)
        yield from _wrapped(f"  got      {brief(result.got, _SHOWN)}", " " * 11)
    if result.reason and result.got is not None:
        yield from _wrapped(f"  {result.reason}", "  ")
    if diff:
        # In one line, to be copied.
        yield f"  see: {show_call(case, paths)}"
        if command is not None:
            yield f"  try: {show_call(case, paths, '--request')} | {printable(command)}"


def show_call(case: Case, paths: Sequence[Path], *options: str) -> str:
    """Return the command that shows a case."""
    names = [call_name(str(one)) for one in paths]
    return " ".join(("roomver vectors show", case.name, *options, *names))


def _source(case: Case) -> Iterator[str]:
    rule = f"rule {case.rule}" if case.rule else ""
    together = f"  {': '.join(filter(None, (rule, case.spec)))}"
    if len(together) <= _WIDTH:
        lines = [together] if together.strip() else []
    else:
        lines = [f"  {part}" for part in (rule, case.spec) if part]
    yield from (printable(line, _LINE) for line in lines)


def _wrapped(line: str, indent: str) -> list[str]:
    """Return a line, safe to print, broken to the width. Words longer than it are broken too."""
    return wrap(
        printable(line, _LINE), _WIDTH, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True
    )
