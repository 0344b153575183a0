"""Which cases a command uses: its arguments and options, and the reading of the cases."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import click

from ...canonical import shorten
from ...readers import InputError
from ...readers.suite import load_cases, load_suite, of_tier, suite_version
from ...suite.document import Case
from ...suite.operations import OPERATIONS
from ...versions import ROOM_VERSIONS

F = TypeVar("F", bound=Callable[..., Any])


def paths_argument() -> Callable[[F], F]:
    """Add ``[FILE|FOLDER]...``, as `paths`."""
    return click.argument("paths", metavar="[FILE|FOLDER]...", nargs=-1, type=click.Path(path_type=Path))


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts of the cases that are chosen: every `of`-th case, from the `number`-th on."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def filter_options(command: F) -> F:
    """Add ``--operation``, ``--room-version`` and ``--case``: `operations`, `room_versions`, `globs`."""
    for decorate in (
        click.option(
            "--case",
            "globs",
            metavar="GLOB",
            multiple=True,
            help="Use only cases whose name matches: * is any text, ? any character. May be given several"
            " times.",
        ),
        click.option(
            "--room-version",
            "room_versions",
            metavar="V",
            multiple=True,
            help="Use only cases of this room version: 1 to 12, or the name of one of the optional tier. May"
            " be given several times.",
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


def shard_option() -> Callable[[F], F]:
    """Add ``--shard``, as `shard`."""
    return click.option(
        "--shard",
        metavar="I/N",
        callback=_read_shard,
        help="Run only the I-th of N parts of the cases, for several machines.",
    )


def _read_shard(_: click.Context, __: click.Parameter, text: str | None) -> Shard | None:
    if text is None:
        return None
    found = re.fullmatch("([0-9]{1,9})/([0-9]{1,9})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise click.BadParameter("must be I/N, with I from 1 to N")
    return Shard(int(found[1]), int(found[2]))


def optional_option() -> Callable[[F], F]:
    """Add ``--optional``, as `optional`."""
    return click.option(
        "--optional",
        is_flag=True,
        help="Also use the cases of the optional tier: of unstable and derived room versions.",
    )


def read_cases(paths: Sequence[Path], *, optional: bool = False) -> list[Case]:
    """Read the cases of files and folders or, without any path, those of the suite.

    Args:
        paths: the files and folders.
        optional: keep the cases of the optional tier too. They are kept anyway if there are no others.

    Raises:
        OSError: if a file cannot be read.
        RoomverError: if a file is invalid.
    """
    return load_cases(paths, optional=optional) if paths else load_suite(optional=optional)


def select_cases(
    paths: Sequence[Path],
    operations: Sequence[str],
    room_versions: Sequence[str],
    globs: Sequence[str],
    *,
    optional: bool = False,
) -> list[Case]:
    """Read cases, and keep those of the given operations, room versions and names. Empty means all.

    Args:
        paths: files and folders; none means the suite.
        operations: the operations to keep.
        room_versions: the room versions to keep.
        globs: patterns of names to keep.
        optional: keep the cases of the optional tier too. They are kept anyway if no others are left.

    Raises:
        OSError: if a file cannot be read.
        RoomverError: if a file is invalid, or no case is left.
    """
    every = read_cases(paths, optional=True)
    if unknown := set(room_versions) - {case.room_version for case in every} - set(ROOM_VERSIONS):
        raise InputError(_where(paths), f"no case is of room version {shorten(min(unknown))}")
    selected = [
        case
        for case in every
        if (not operations or case.operation in operations)
        and (not room_versions or case.room_version in room_versions)
        and (not globs or any(fnmatchcase(case.name, glob) for glob in globs))
    ]
    if not selected:
        raise InputError(_where(paths), "no case matches")
    return of_tier(selected, optional=optional)


def by_operation(cases: list[Case]) -> list[Case]:
    """Return cases with their operations in the order of `OPERATIONS`, in which they build on each other.

    The disputed cases of an operation come last: the first failure should not be about one of these.
    """
    ranks = {operation: rank for rank, operation in enumerate(OPERATIONS)}
    return sorted(cases, key=lambda case: (ranks.get(case.operation, len(ranks)), case.disputed))


def take_shard(cases: list[Case], shard: Shard | None, paths: Sequence[Path]) -> list[Case]:
    """Return the part of the cases that a shard names.

    Raises:
        InputError: naming the paths that the cases are from, if it has no case.
    """
    if shard is None:
        return cases
    part = cases[shard.number - 1 :: shard.of]
    if not part:
        raise InputError(_where(paths), f"shard {shard} has no case")
    return part


def _where(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths)) or "the suite"


def version_of(paths: Sequence[Path]) -> str:
    """Return the version of the suite that some paths are; empty if they are not the folder of one.

    Without any path it is that of the suite that ships with the package.
    """
    if not paths:
        return suite_version()
    return suite_version(paths[0]) if len(paths) == 1 else ""


def has_whole_suite(paths: Sequence[Path]) -> bool:
    """Tell whether the cases of some paths are at least those of a whole suite.

    They are without any path, and if one of them is the folder of a release, whose manifest says so.
    """
    return not paths or any(map(_manifest, paths))


def _manifest(path: Path) -> Mapping[str, Any]:
    """Return the manifest of a release; empty if the path is not the folder of one."""
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    is_release = isinstance(manifest, dict) and manifest.get("suite") == "roomver-vectors"
    return manifest if is_release else {}
