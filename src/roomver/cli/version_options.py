"""The options that name a room version, or define one."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

import click

from ..errors import UnknownRoomVersion
from ..readers import read_version
from ..readers.entries import with_advice
from ..versions import RoomVersion, get_room_version
from .common import display_name, opened

F = TypeVar("F", bound=Callable[..., Any])

_FILE: Final = "roomver.version_file"  # the name of that file, in the metadata of the context


def room_version_option(text: str, *, required: bool = True) -> Callable[[F], F]:
    """Add ``--room-version`` and ``--room-version-file``, which pass the record of the room version."""
    by_name = click.option("--room-version", "version", metavar="V", callback=_known_version, help=text)
    by_file = click.option(
        "--room-version-file",
        "version_file",
        metavar="FILE",
        callback=_defined_version,
        help="The room version, defined in TOML: identifier, based_on and the fields that change.",
    )

    def add(command: F) -> F:
        @wraps(command)
        def run(
            *args: Any, version: RoomVersion | None, version_file: RoomVersion | None, **options: Any
        ) -> Any:
            if version is not None and version_file is not None:
                raise click.UsageError("Give --room-version or --room-version-file, but not both.")
            version = version or version_file
            if required and version is None:
                raise click.UsageError("Missing option '--room-version' (or '--room-version-file').")
            return command(*args, version=version, **options)

        return by_name(by_file(cast(F, run)))

    return add


def _known_version(_: click.Context, __: click.Parameter, identifier: str | None) -> RoomVersion | None:
    try:
        return None if identifier is None else get_room_version(identifier)
    except UnknownRoomVersion as error:
        raise click.BadParameter(with_advice(error)) from None


def version_file_name() -> str | None:
    """Return the name that the running command was given for ``--room-version-file``; None without it."""
    name: str | None = click.get_current_context().meta.get(_FILE)
    return name


def _defined_version(context: click.Context, __: click.Parameter, file: str | None) -> RoomVersion | None:
    if file is None:
        return None
    if file == "-":
        raise click.BadParameter("the definition of a room version must be in a file of its own")
    context.meta[_FILE] = file
    with opened(file) as stream:
        return read_version(stream, display_name(file))
