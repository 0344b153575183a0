"""A kept replay: the result of reading, checking and replaying a room, in a file of the user's own.

The file holds what `roomver.cli.loading.load_room` returned, for one question: these sources, as they were,
and these options, read by this code. For any other question it is made anew.

A kept result says which events are accepted, so it is trusted as much as this program is. It is only read if
it belongs to the user and nobody else may write it. What is in it can only become the plain data named below:
no other code is called or imported.
"""

import gc
import hashlib
import io
import json
import os
import pickle
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import EnumMeta
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from .. import __version__
from ..readers import InputError
from .common import display_name
from .written import complete_file

F = TypeVar("F", bound=Callable[..., Any])

_MAGIC: Final = b"roomver cache 1\n"
_DIGEST: Final = hashlib.sha256().digest_size
_PROTOCOL: Final = 5
_MANY: Final = 200_000  # objects that the garbage collector looks at

# All that a cache may hold, besides enumerations and what pickle has operations for.
_ALLOWED: Final = frozenset(
    tuple(name.rsplit(".", 1))
    for name in (
        "_codecs.encode",
        "array._array_reconstructor",
        "array.array",
        "builtins.frozenset",
        "builtins.set",
        "collections.Counter",
        "collections.OrderedDict",
        "collections.defaultdict",
        "roomver.claims.Claim",
        "roomver.cli.cache.Kept",
        "roomver.cli.heard.OfAnswer",
        "roomver.cli.loaded.LoadedRoom",
        "roomver.compact.Compactor",
        "roomver.compact.Events",
        "roomver.compact._chosen",
        "roomver.compact._unpacked",
        "roomver.contributions.Contribution",
        "roomver.contributions.Difference",
        "roomver.contributions.DifferingEntry",
        "roomver.contributions.Saying",
        "roomver.copies.PolicySignatures",
        "roomver.entry.Entry",
        "roomver.entry.Place",
        "roomver.event._restore",
        "roomver.findings.EventCheck",
        "roomver.findings.Finding",
        "roomver.findings.Reason",
        "roomver.findings.Summary",
        "roomver.gathering.Gathered",
        "roomver.graph.Dag",
        "roomver.graph._restored",
        "roomver.kept.KeptChecks",
        "roomver.kept.KeptPlaces",
        "roomver.keys.KeyClash",
        "roomver.keys.KeyRing",
        "roomver.keys.VerifyKey",
        "roomver.known_states.Beliefs",
        "roomver.known_states.Redaction",
        "roomver.known_states.Standing",
        "roomver.newest.Newest",
        "roomver.other_rooms.OtherRooms",
        "roomver.policy.PolicyRefusal",
        "roomver.policy.PolicyServer",
        "roomver.replay.lost.Lost",
        "roomver.replay.outcome.Decisions",
        "roomver.replay.outcome.Outcome",
        "roomver.replay.result.Merge",
        "roomver.replay.result.Replay",
        "roomver.replay.result.Reset",
        "roomver.replay.tables._numbers",
        "roomver.replay.tables._outcomes",
        "roomver.resolution.room_graph.RoomGraph",
        "roomver.resolution.room_graph._restored",
        "roomver.room_check.RoomCheck",
        "roomver.rules.Verdict",
        "roomver.rules._rule_named",
        "roomver.state.partial.PartialState",
        "roomver.state.unknown.Unknown",
        "roomver.state.room_state._restored",
        "roomver.state_document.StateDocument",
        "roomver.undecided.Dropped",
        "roomver.versions.lookup._restored",
        "roomver.versions.lookup.get_room_version",
    )
)


def cache_option() -> Callable[[F], F]:
    """Add ``--cache``."""
    return click.option(
        "--cache",
        metavar="FILE",
        callback=_as_path,
        help="Keep the checked and replayed room in this file, and start from it the next time, if the"
        " sources and the options are the same. It must be yours: what it says is believed.",
    )


def _as_path(_: click.Context, __: click.Parameter, file: str | None) -> Path | None:
    if file in ("", "-"):
        raise click.BadParameter("the cache must be a file: give its name")
    return None if file is None else Path(file)


def question(sources: Sequence[str], stamps: Sequence[object], **options: object) -> bytes:
    """Return a digest of what was asked, of the sources as they are, and of the code that answers.

    Args:
        sources: the names of files and databases, in order.
        stamps: what each of them is now (`roomver.cli.sources.stamp_sources`).
        options: of the command, as far as they change the result. Each is described by its `repr`.
    """
    asked = {
        "code": _code(),
        "sources": list(zip(sources, stamps, strict=True)),
        "options": sorted((name, repr(value)) for name, value in options.items()),
    }
    return hashlib.sha256(json.dumps(asked, default=repr, sort_keys=True).encode()).digest()


@cache
def _code() -> list[object]:
    """Return what tells this code from another: its version and its files."""
    package = Path(__file__).parents[1]
    files = sorted(package.rglob("*.py"))
    states = [(str(one.relative_to(package)), (s := one.stat()).st_size, s.st_mtime_ns) for one in files]
    return [__version__, sys.version, states]


class Kept:
    """What a cache holds: the room, and what was said on standard error while it was read."""

    def __init__(self, room: Any, heard: list[str]) -> None:
        self.room: Any = room
        self.heard: list[str] = heard


def read_kept(file: Path, asked: bytes) -> Kept | None:
    """Return what a cache holds; None if there is no such file, or if it answers another question.

    Raises:
        InputError: if the file is not a cache, or if it may have been written by somebody else.
    """
    name = display_name(str(file))
    try:
        with open(file, "rb", opener=_open_at_once) as stream:
            _check_owner(name, os.fstat(stream.fileno()))
            head = stream.read(len(_MAGIC))
            if head != _MAGIC:
                reason = "this is not a cache of roomver, so it is neither read nor overwritten"
                raise InputError(name, reason)
            if stream.read(_DIGEST) != asked:
                return None
            digest, data = stream.read(_DIGEST), stream.read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(name, getattr(error, "strerror", None) or str(error)) from None
    if hashlib.sha256(data).digest() != digest:
        return None  # it was cut off
    with uncollected():
        try:
            found = _Reader(io.BytesIO(data)).load()
        except Exception as error:
            raise InputError(name, f"it cannot be read as a cache ({error}): delete it") from None
    if not isinstance(found, Kept):
        raise InputError(name, "it cannot be read as a cache: delete it")
    return found


def _open_at_once(file: str, flags: int) -> int:
    """Open a file without waiting for whoever writes to it, if it is a pipe."""
    return os.open(file, flags | getattr(os, "O_NONBLOCK", 0))


def _check_owner(name: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InputError(name, "the cache must be a regular file")
    if os.name != "posix":
        return
    if found.st_uid != os.geteuid():
        raise InputError(name, "it belongs to another user, so it is not read as a cache: delete it")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError(
            name, "other users may write it, so it is not read as a cache: chmod go-w, or delete it"
        )


class _Reader(pickle.Unpickler):
    """Read plain data. `find_class` is called once for each name."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for.

        Raises:
            UnpicklingError: if a cache does not hold such things.
        """
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        if module.startswith("roomver.") and isinstance(found := super().find_class(module, name), EnumMeta):
            return found
        raise pickle.UnpicklingError(f"it holds {module}.{name}")


def write_kept(file: Path, asked: bytes, kept: Kept) -> None:
    """Write a cache, in one step: no reader sees a part of it, and an interrupted call leaves nothing behind.

    Raises:
        InputError: if it cannot be written.
    """
    with uncollected():
        data = pickle.dumps(kept, _PROTOCOL)
    # Only the user may read it: it has the room's events.
    with complete_file(file, private=True) as out:
        out.writelines((_MAGIC, asked, hashlib.sha256(data).digest(), data))


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking at millions of new objects again and again.

    If so many are left, they are a long room, which stays until the command ends: it never looks at them.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            if gc.get_count()[0] >= _MANY:
                gc.freeze()
            gc.enable()


__all__ = [
    "Kept",
    "cache_option",
    "question",
    "read_kept",
    "uncollected",
    "write_kept",
]
