"""What the commands that explain a room are asked: a source, which room of it, and how to read it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click

from ..readers import is_database
from ..readers.several import QUOTE_IDS
from ..types import EventId
from ..versions import RoomVersion
from .cache import cache_option
from .common import (
    also_option,
    as_recorded_option,
    call_name,
    read_key_files,
    signature_options,
)
from .escaped import call_word
from .guidance import not_a_room
from .loaded import LoadedRoom
from .loading import load_room
from .processes import jobs_option
from .sources import Choice, immutable_option, may_be_a_name, must_be_room, named_room_option, one_room
from .version_options import room_version_option, version_file_name

_EVENT: Final = "EVENT"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Asked:
    """A room that a command was asked about.

    Attributes:
        source: the name of a file or the address of a database.
        more_files: the sources that ``--also`` adds.
        choice: which room of the source.
        rest: the arguments that follow the source and the room.
        version: the room version, if it was given.
        version_file: the name of the file that defines it; None if none does.
        key_files, now, unsigned: how to check signatures.
        as_recorded: whether to follow what the room's server decided.
        as_json: whether to print JSON.
        cache: the file to keep the replayed room in; None not to.
    """

    source: str
    more_files: tuple[str, ...]
    choice: Choice
    rest: tuple[str, ...]
    version: RoomVersion | None
    key_files: tuple[str, ...]
    now: int | None
    unsigned: bool
    as_recorded: bool
    as_json: bool
    cache: Path | None = None
    version_file: str | None = None

    @property
    def call(self) -> str:
        """The arguments of a call that reads the same room, quoted for a shell. Secrets are left out."""
        cache = [] if self.cache is None else [f"--cache {call_name(str(self.cache))}"]
        return " ".join([self.check_call, *cache])

    @property
    def check_call(self) -> str:
        """The same for `roomver check`, which has no ``--cache``."""
        words = [call_name(self.source)]
        if self.choice.named is not None:
            words.append(f"--room {call_word(self.choice.named)}")
        words += ["--immutable"] if self.choice.immutable else []
        words += [f"--also {call_name(one)}" for one in self.more_files]
        if self.version_file is not None:
            words.append(f"--room-version-file {call_name(self.version_file)}")
        elif self.version is not None:
            words.append(f"--room-version {call_word(self.version.identifier)}")
        words += [f"--keys {call_name(one)}" for one in self.key_files]
        words += [] if self.now is None else [f"--now {self.now}"]
        words += ["--unsigned"] if self.unsigned else []
        words += ["--as-recorded"] if self.as_recorded else []
        return " ".join(words)

    def alone(self, source: str) -> "Asked":
        """Return the same question about one of the sources alone."""
        return replace(self, source=source, more_files=(), cache=None)

    def of(self, loaded: LoadedRoom) -> "Asked":
        """Return the same question about a room that a database found by an event: calls must name it."""
        if self.choice.named is not None or not loaded.of_database:
            return self
        return replace(self, choice=self.choice._replace(named=loaded.found.gathered.room_id))

    def load(self, event_id: EventId | None = None, *, algorithm: str | None = None) -> LoadedRoom:
        """Read, check and replay the room. See `roomver.cli.loading.load_room`.

        Args:
            event_id: an event of the room, by ID or prefix. A database finds its room by it.
            algorithm: to resolve states with, instead of the room version's.
        """
        keys = None if self.unsigned else read_key_files(self.key_files, self.now)
        return load_room(
            self.source,
            self.version,
            keys,
            self.more_files,
            choice=self.choice._replace(event_id=event_id),
            as_recorded=self.as_recorded,
            algorithm=algorithm,
            cache=self.cache,
        )


def room_command(
    rest: str = "", least: int = 0, most: int = 0, *, with_json: bool = True, event_as: str = ""
) -> Callable[[F], F]:
    """Add the arguments and options of a command on one room. It is passed an `Asked`, first.

    Args:
        rest: what the help calls the arguments after the source and the room.
        least, most: how many of them there may be.
        with_json: whether the command can print JSON.
        event_as: an option of the command for which an event ID may stand as the last argument.
    """
    json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    metavar = f"SOURCE ['!ROOM'] {rest}".rstrip()

    def decorate(command: F) -> F:
        @wraps(command)
        def asked(  # noqa: PLR0913, PLR0917 - one for each option
            names: tuple[str, ...],
            room_ids: tuple[str, ...],
            immutable: bool,
            more_files: tuple[str, ...],
            version: RoomVersion | None,
            key_files: tuple[str, ...],
            now: int | None,
            unsigned: bool,
            as_recorded: bool,
            cache: Path | None,
            as_json: bool = False,
            **values: Any,
        ) -> Any:
            if event_as and len(names) > 1 and names[-1][:1] == "$" and values[event_as] is None:
                *words, values[event_as] = names
                names = tuple(words)
            source, found, others = _split(names, room_ids, most)
            # One of few arguments may also be the first of the command's own.
            if found is None and least < len(others) and must_be_room(others[0], source, immutable=immutable):
                found, *others = others
            if not least <= len(others) <= most:
                few = "few" if len(others) < least else "many"
                told = f"too {few} arguments: expected {metavar}"
                if len(others) > most and found is None and may_be_a_name(others[0]):
                    told += f". {not_a_room(others[0], source)}"
                elif few == "few" and _EVENT in metavar.split():
                    told += f". If EVENT was given: {QUOTE_IDS}"
                raise click.UsageError(told)
            what = Asked(
                source=source,
                more_files=more_files,
                choice=Choice(found, immutable),
                rest=tuple(others),
                version=version,
                key_files=key_files,
                now=now,
                unsigned=unsigned,
                as_recorded=as_recorded,
                as_json=as_json,
                cache=cache,
                version_file=version_file_name(),
            )
            return command(what, **values)

        decorated = asked
        for option in (
            *([json_option] if with_json else []),
            cache_option(),
            jobs_option(),
            signature_options(),
            room_version_option("The room version, if the source does not give it.", required=False),
            as_recorded_option(),
            also_option(),
            immutable_option(),
            named_room_option(),
        ):
            decorated = option(decorated)
        return cast(F, click.argument("names", metavar=metavar, nargs=-1, required=True)(decorated))

    return decorate


def _split(names: tuple[str, ...], rooms: tuple[str, ...], most: int) -> tuple[str, str | None, list[str]]:
    """Return the source, the room and the rest among the arguments.

    One argument more than `most` after a database is the name of a room.

    Raises:
        UsageError: if more than one room is named, or none that can be one.
    """
    source, *rest = names
    named = [*rooms]
    if not rest:
        return source, one_room(named), []
    is_name = len(rest) == most + 1 and not named and is_database(source) and may_be_a_name(rest[0])
    if rest[0][:1] in ("!", "#") or is_name:
        named.append(rest.pop(0))
    return source, one_room(named), rest
