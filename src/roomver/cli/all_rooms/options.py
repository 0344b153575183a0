"""The options of ``roomver check --rooms``, and what a call asks about all rooms."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypeVar, cast

import click

from ...keys import KeyRing
from ...readers.addresses import shown
from ...types import JsonObject
from ...versions import ROOM_VERSIONS, RoomVersion
from ..one_room import Checks
from ..processes import jobs_option, named_jobs, usable_cores

F = TypeVar("F", bound=Callable[..., Any])

LOCAL: Final = "local"
"""The name of a cluster that is started on this machine."""

_SIZES: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True, slots=True)
class ManyRooms:
    """How many rooms are checked: the options that belong to ``--rooms``.

    Attributes:
        jobs: the number of processes.
        output: the file of results; None for no such file, ``-`` for standard output.
        resume: go on with it.
        scheduler: the address of Dask's scheduler, or ``local``; None for processes without Dask.
        memory: bytes that the rooms under way may take, by estimate; None for no limit.
    """

    jobs: int
    output: str | None
    resume: bool
    scheduler: str | None
    memory: int | None


def rooms_options() -> Callable[[F], F]:
    """Add ``--rooms`` and what belongs to it, for a command that takes a `ManyRooms` or None."""
    options = (
        click.option(
            "--rooms",
            "all_rooms",
            is_flag=True,
            help="Check all rooms of each FILE, in parallel: of a database, of the files in a folder, of a"
            " file. Prints a summary; --output has a line for each room.",
        ),
        jobs_option(
            "Check the events of a long input in N processes; with --rooms, N rooms at once. Default: one per"
            " core."
        ),
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            help="With --rooms: write each room's result as it comes, as JSON Lines; as Parquet if the name"
            " ends with .parquet.",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="With --rooms: go on with the file of --output. Unreadable rooms are tried again.",
        ),
        click.option(
            "--scheduler",
            metavar="ADDRESS",
            help=f"With --rooms: use the workers of a Dask cluster, tcp://…; {LOCAL} starts one here. Needs"
            " the extra `cluster`.",
        ),
        click.option(
            "--memory",
            metavar="SIZE",
            callback=_as_bytes,
            help="With --rooms: have fewer rooms at once if they would take more than this, such as 8G, by"
            " estimate.",
        ),
    )

    def decorate(command: F) -> F:
        @wraps(command)
        def chosen(*args: Any, all_rooms: bool, **values: Any) -> Any:
            own = {name: values.pop(name) for name in ("output", "resume", "scheduler", "memory")}
            if not all_rooms:
                for name, value in own.items():
                    if value not in (None, False):
                        raise click.UsageError(f"--{name} goes with --rooms, which checks all rooms")
                return command(*args, many=None, **values)
            if own["resume"] and own["output"] in (None, "-"):
                raise click.UsageError("--resume goes on with a file of results: name it with --output")
            jobs = named_jobs() or usable_cores()
            return command(*args, many=ManyRooms(jobs, **own), **values)

        decorated: Any = chosen
        for option in reversed(options):
            decorated = option(decorated)
        return cast(F, decorated)

    return decorate


def _as_bytes(_: click.Context, __: click.Parameter, size: str | None) -> int | None:
    if size is None:
        return None
    found = re.fullmatch(r"(\d{1,15})\s*([KMGT]?)(?:i?B)?", size.strip(), re.IGNORECASE)
    if found is None:
        raise click.BadParameter(
            f"{size} is not a size: give bytes, or a number with K, M, G or T, such as 8G"
        )
    return int(found[1]) * _SIZES[found[2].upper()]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about all rooms.

    Attributes:
        sources: databases, folders and files.
        more: databases that go with the only source.
        checks: how each room is checked.
        immutable: see `open_database`.
        call: the sources and keys of the call as options, quoted, for calls about one room.
        all_findings: list all rooms, not only some.
        as_json: print JSON.
    """

    sources: Sequence[str]
    more: Sequence[str]
    checks: Checks
    immutable: bool
    call: str
    all_findings: bool
    as_json: bool

    def options(self) -> JsonObject:
        """Return the options that change results, for `--resume` to compare."""
        checks = self.checks
        keys = checks.keys
        return {
            "room_version": _named_version(checks.version),
            "also": [shown(one) for one in self.more],
            "keys": digest_of_keys(keys),
            "now": None if keys is None else keys.now,
            "unsigned": keys is None,
            "require_signatures": keys is not None and keys.required,
            "alone": checks.alone,
            "as_recorded": checks.as_recorded,
            "algorithm": checks.algorithm,
        }

    def call_of_one(self) -> str:
        """Return the options with which `roomver check` checks one of the rooms as it is checked here."""
        checks = self.checks
        call = self.call
        if checks.keys is None:
            call += " --unsigned"
        elif checks.keys.now is not None:
            call += f" --now {checks.keys.now}"
        call += " --require-signatures" * (checks.keys is not None and checks.keys.required)
        call += " --alone" * checks.alone + " --as-recorded" * checks.as_recorded
        return call + ("" if checks.algorithm is None else f" --algorithm {checks.algorithm}")


def _named_version(version: RoomVersion | None) -> str | None:
    """Return the identifier of a room version, with a digest if it is not one that roomver knows."""
    if version is None or ROOM_VERSIONS.get(version.identifier) is version:
        return None if version is None else version.identifier
    return f"{version.identifier} {hashlib.sha256(repr(version).encode()).hexdigest()[:16]}"


def digest_of_keys(keys: KeyRing | None) -> str | None:
    """Return a digest of keys, without where they are from; None if there are none."""
    if keys is None or not keys.keys:
        return None
    known = [
        (server, key_id, one.key.hex(), one.valid_until_ts, one.expired_ts)
        for server, by_id in keys.keys.items()
        for key_id, some in by_id.items()
        for one in some
    ]
    return hashlib.sha256(repr(sorted(known, key=repr)).encode()).hexdigest()
