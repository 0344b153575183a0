"""``roomver vectors list``: the names of cases."""

from pathlib import Path

import click

from ...readers import InputError
from ..common import example
from ..escaped import printable
from .selection import filter_options, optional_option, paths_argument, select_cases


@click.command("list", epilog=example("roomver vectors list --operation resolve --room-version 12"))
@filter_options
@optional_option()
@click.option(
    "--rule",
    "rules",
    metavar="NUMBER",
    multiple=True,
    help="List only cases that this rule of the specification decides, such as 4.3.6. May be given several"
    " times.",
)
@paths_argument()
def list_command(
    paths: tuple[Path, ...],
    operations: tuple[str, ...],
    room_versions: tuple[str, ...],
    globs: tuple[str, ...],
    optional: bool,
    rules: tuple[str, ...],
) -> None:
    """List test vectors: name, operation and room version, and the number of the rule that decides.

    Without a FILE or FOLDER the suite that ships with roomver is listed. A folder is searched for JSON
    files, subfolders included.

    Exit codes: 0 at least one case was listed, 2 usage error, no case, or unreadable file.
    """
    cases = select_cases(paths, operations, room_versions, globs, optional=optional)
    cases = [case for case in cases if not rules or case.rule in rules]
    if not cases:
        raise InputError(", ".join(rules), "no case is decided by this rule")
    width = max(len(case.name) for case in cases)
    for case in cases:
        line = f"{case.name:{width}}  {case.operation}  {case.room_version}  {case.rule or ''}"
        click.echo(printable(line.rstrip()))
