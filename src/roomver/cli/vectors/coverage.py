"""``roomver vectors coverage``: how many cases each authorisation rule decides."""

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.table import Table
from rich.text import Text

from ...errors import counted
from ...rules import RULES, Decision
from ...suite.coverage import RuleCoverage, coverage_report, measure_coverage
from ...versions import ROOM_VERSIONS
from ..common import console, example
from ..tables import print_table
from .selection import paths_argument, read_cases
from .sentences import print_sentences


@click.command("coverage", epilog=example("roomver vectors coverage --json | jq .complete"))
@paths_argument()
@click.option(
    "--sentences",
    is_flag=True,
    help="Print each sentence of the specification instead, with cases that fail if it is dropped, inverted"
    " or widened.",
)
@click.option(
    "--room-version",
    "room_versions",
    metavar="V",
    multiple=True,
    type=click.Choice(tuple(ROOM_VERSIONS)),
    help="With --sentences: print only those of this room version. May be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers, or the sentences, as JSON.")
def coverage_command(
    paths: tuple[Path, ...], sentences: bool, room_versions: tuple[str, ...], as_json: bool
) -> None:
    """Count the cases that each authorisation rule decides.

    The table has a column for each room version. A cell shows accepting/rejecting cases. One side is empty
    if the rule can only accept or only reject. Without a FILE or FOLDER the suite that ships with roomver is
    counted.

    With --sentences, each sentence of the authorisation rules, the redaction sections, the event format and
    the state resolution algorithms is listed. Below it stand the ways not to carry it out, each with a case
    that then fails.

    Exit codes: 0 every rule has a case for each verdict that it can give, or every sentence has a case; 1 a
    case is missing, 2 usage error or unreadable file.
    """
    if sentences:
        complete = print_sentences(paths, room_versions, as_json=as_json)
        click.get_current_context().exit(0 if complete else 1)
    if room_versions:
        raise click.UsageError("--room-version is only for --sentences")
    rows = measure_coverage(read_cases(paths))
    lacking = [row for row in rows if row.lacking]
    if as_json:
        click.echo(json.dumps(coverage_report(rows), indent=1))
    else:
        out = console()
        print_table(_table(rows))
        for row in lacking:
            where = f"v{row.room_version} rule {row.number} ({row.rule.name})"
            out.print(f"{where}: no {' and no '.join(row.lacking)} case")
        rules = counted(len(rows), "rule", "rules")
        out.print(f"{rules} in {len(ROOM_VERSIONS)} room versions, {len(lacking)} without a case")
    click.get_current_context().exit(1 if lacking else 0)


def _table(rows: Sequence[RuleCoverage]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("rule", no_wrap=True)
    for name in ROOM_VERSIONS:
        table.add_column(f"v{name}", justify="right", no_wrap=True)
    by_rule: dict[str, dict[str, RuleCoverage]] = {}
    for row in rows:
        by_rule.setdefault(row.rule.name, {})[row.room_version] = row
    for rule in RULES:
        mine = by_rule.get(rule, {})
        table.add_row(rule, *(_cell(mine.get(name)) for name in ROOM_VERSIONS))
    return table


def _cell(row: RuleCoverage | None) -> Text:
    if row is None:
        return Text("-", "dim")
    accepting = "" if row.rule.decision is Decision.REJECT else str(row.accepting)
    rejecting = "" if row.rule.decision is Decision.ALLOW else str(row.rejecting)
    return Text(f"{accepting}/{rejecting}", "bold red" if row.lacking else "green")
