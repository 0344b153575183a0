"""Which cases a command uses: its arguments and options, and the reading of the cases."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ...readers import InputError
from ...readers.suite import load_cases, load_suite
from ...suite.document import Case
from ...suite.operations import OPERATIONS
from ...versions import ROOM_VERSIONS

F = TypeVar("F", bound=Callable[..., Any])


def paths_argument() -> Callable[[F], F]:
    """Add ``[FILE|FOLDER]...``, as `paths`."""
    return click.argument("paths", metavar="[FILE|FOLDER]...", nargs=-1, type=click.Path(path_type=Path))


def filter_options(command: F) -> F:
    """Add ``--operation`` and ``--room-version``, as `operations` and `room_versions`."""
    for decorate in (
        click.option(
            "--room-version",
            "room_versions",
            metavar="V",
            multiple=True,
            type=click.Choice(tuple(ROOM_VERSIONS)),
            help="Use only cases of this room version. May be given several times.",
        ),
        click.option(
            "--operation",
            "operations",
            metavar="NAME",
            multiple=True,
            type=click.Choice(tuple(OPERATIONS)),
            help="Use only cases of this operation. May be given several times.",
        ),
    ):
        command = decorate(command)
    return command


def read_cases(paths: Sequence[Path]) -> list[Case]:
    """Read the cases of files and folders or, without any path, those of the suite.

    Raises:
        OSError: if a file cannot be read.
        RoomverError: if a file is invalid.
    """
    return load_cases(paths) if paths else load_suite()


def select_cases(
    paths: Sequence[Path], operations: Sequence[str], room_versions: Sequence[str]
) -> list[Case]:
    """Read cases, and keep those of the given operations and room versions. Empty means all.

    Raises:
        OSError: if a file cannot be read.
        RoomverError: if a file is invalid, or no case is left.
    """
    selected = [
        case
        for case in read_cases(paths)
        if (not operations or case.operation in operations)
        and (not room_versions or case.room_version in room_versions)
    ]
    if not selected:
        raise InputError(", ".join(map(str, paths)) or "the suite", "no case matches")
    return selected
