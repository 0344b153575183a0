"""``roomver vectors list``: the names of cases."""

from pathlib import Path

import click

from ..common import example
from ..escaped import printable
from .selection import filter_options, optional_option, paths_argument, select_cases


@click.command("list", epilog=example("roomver vectors list --operation resolve --room-version 12"))
@filter_options
@optional_option()
@paths_argument()
def list_command(
    paths: tuple[Path, ...],
    operations: tuple[str, ...],
    room_versions: tuple[str, ...],
    globs: tuple[str, ...],
    optional: bool,
) -> None:
    """List test vectors: name, operation and room version.

    Without a FILE or FOLDER the suite that ships with roomver is listed. A folder is searched for JSON
    files, subfolders included.

    Exit codes: 0 at least one case was listed, 2 usage error, no case, or unreadable file.
    """
    cases = select_cases(paths, operations, room_versions, globs, optional=optional)
    width = max(len(case.name) for case in cases)
    for case in cases:
        click.echo(printable(f"{case.name:{width}}  {case.operation}  {case.room_version}"))
