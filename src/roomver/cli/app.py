"""The group of all commands, and how a command ends."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from .. import __version__
from ..errors import MissingEvents, RoomverError, UnknownState
from ..readers.addresses import hide_in
from ..readers.several import QUOTE_IDS
from .common import example
from .escaped import printable
from .guidance import guide
from .heard import drop_notes, fitted, say, say_notes

_ARGUMENTS = "roomver.arguments"
_PIPE_CLOSED = 128 + 13  # what a shell reports of a program that SIGPIPE ended
_END_OF_ID = re.compile(r"-[A-Za-z0-9_][A-Za-z0-9_-]{8,}")


# Where each command is. A module is imported when its command is asked for: start-up is a large part of the
# time of a short command.
_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "auth": ("auth", "auth"),
    "canonical": ("events", "canonical"),
    "check": ("check", "check"),
    "compare": ("compare", "compare_command"),
    "event-id": ("events", "event_id"),
    "explain": ("explain", "explain"),
    "graph": ("graph", "graph"),
    "hash": ("events", "hash_command"),
    "history": ("history", "history"),
    "keys": ("keys", "keys_command"),
    "may": ("may", "may_command"),
    "record": ("record", "record"),
    "redact": ("events", "redact"),
    "repair": ("repair", "repair_command"),
    "report": ("page.command", "report"),
    "resets": ("resets", "resets"),
    "resolve": ("state", "resolve_command"),
    "rooms": ("rooms", "rooms"),
    "rules": ("rules", "rules"),
    "shrink": ("shrink", "shrink_command"),
    "sign": ("events", "sign"),
    "state": ("state", "state"),
    "vectors": ("vectors", "vectors_group"),
    "verify": ("events", "verify"),
    "versions": ("versions", "versions"),
}


class _Commands(dict[str, click.Command | None]):
    """The commands by name. Each is imported when it is looked up."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(_COMMANDS))

    def __getitem__(self, name: str) -> click.Command:
        found = super().__getitem__(name)
        if found is None:
            module, attribute = _COMMANDS[name]
            found = getattr(import_module(f".{module}", __package__), attribute)
            assert isinstance(found, click.Command)
            self[name] = found
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """Return a command, or the default."""
        return self[name] if name in self else default  # noqa: SIM401 - `dict.get` does not import it

    def values(self) -> Any:
        """Return all commands."""
        return [self[name] for name in self]

    def items(self) -> Any:
        """Return all names, each with its command."""
        return [(name, self[name]) for name in self]


class _Group(click.Group):
    """Turns errors into one line on standard error and an exit code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands: Any = _Commands()

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command. An error message of click that nobody reads ends here."""
        try:
            return super().main(*args, **kwargs)
        except BrokenPipeError:
            _end_quietly()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Keep the arguments, for the error below. Something else than a command ends with what to do."""
        ctx.meta[_ARGUMENTS] = list(args)
        if args[0] not in self.commands and not ctx.resilient_parsing:
            first, *calls = guide(args[0], [*self.commands])
            _fail(ctx, first, calls=calls)
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the group's own options. --help and --version print here."""
        try:
            return super().make_context(*args, **kwargs)
        except BrokenPipeError:
            _end_quietly()
        except OSError as error:
            click.echo(f"roomver: {error.strerror or error}", err=True)
            _drop_output()
            sys.exit(2)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and end it with the exit code of its error."""
        try:
            try:
                result = self._invoke(ctx)
            except click.exceptions.Exit:
                say_notes(ctx)
                raise
            say_notes(ctx)
        except BrokenPipeError:  # also where an error is reported
            _end_quietly()
        return result

    def _invoke(self, ctx: click.Context) -> Any:
        if sys.stdout is None:  # as Python leaves it if the caller has closed it
            _fail(ctx, "standard output is closed")
        if sys.stderr is None:
            sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII, say
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except KeyboardInterrupt:
            ctx.exit(130)  # the shell convention for SIGINT; click's own 1 would mean problems found
        except click.NoSuchOption as error:
            # In double quotes the shell expands "$ly" in "$ly-A7l6XP" as a variable.
            rest = next(filter(_END_OF_ID.fullmatch, ctx.meta.get(_ARGUMENTS, ())), None)
            hint = "" if rest is None else f" If {rest} is the end of an event ID: {QUOTE_IDS}."
            text = self._elsewhere(error) or error.format_message() + hint
            raise click.UsageError(_fitted(ctx, text), error.ctx) from None
        except click.UsageError as error:
            # It may quote an argument, such as the name of a file that someone else chose.
            raise click.UsageError(_fitted(ctx, error.format_message()), error.ctx) from None
        except (MissingEvents, UnknownState) as error:
            _fail(ctx, str(error), 3)
        except RoomverError as error:
            _fail(ctx, str(error))
        except OSError as error:
            _drop_output()
            where = f"{error.filename}: " if error.filename else ""
            _fail(ctx, f"{where}{error.strerror or error}")
        return result

    def _elsewhere(self, error: click.NoSuchOption) -> str | None:
        """Return a message with the commands that have an option that this one lacks; None if none has it."""
        option, this = error.option_name, None if error.ctx is None else error.ctx.info_name
        having = [
            name
            for name, command in self.commands.items()
            if any(option in parameter.opts for parameter in command.params)
        ]
        if not having or this in having:
            return None
        named = f"{this or 'roomver'} has no {option}"
        if (this, option) == ("check", "--cache"):
            named += ": it lists what it finds while it reads its sources, so it reads them each time"
        return f"{named}. Commands with {option}: {', '.join(having)}"


def _drop_output() -> None:
    """Keep the interpreter's last flush from failing, after a standard stream could not be written.

    Python 3.14 keeps what could not be written, and tries again at the end.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _end_quietly() -> NoReturn:
    """End as SIGPIPE would end the program: the reader of its output has gone, as `head` goes."""
    _drop_output()
    sys.exit(_PIPE_CLOSED)


def _fail(ctx: click.Context, message: str, code: int = 2, *, calls: Sequence[str] = ()) -> None:
    """End with a message, and with calls that may be meant instead."""
    say(_safe(ctx, f"roomver: {message}"))
    for call in calls:
        click.echo(_safe(ctx, call), err=True)
    drop_notes(ctx)
    ctx.exit(code)


def _safe(ctx: click.Context, message: str) -> str:
    """Return a message as one line without what may be secret in the arguments that it quotes."""
    return printable(hide_in(message, ctx.meta.get(_ARGUMENTS, ())))


def _fitted(ctx: click.Context, message: str) -> str:
    """Return the message of a usage error, broken to the width of the terminal."""
    prefix = "Error: "  # which click writes before it
    return fitted(prefix + _safe(ctx, message)).removeprefix(prefix)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example(
        "roomver rooms homeserver.db\n"
        "roomver check homeserver.db '!roomid'\n"
        "roomver explain homeserver.db '$eventid'"
    ),
)
@click.version_option(__version__, prog_name="roomver")
def main() -> None:
    """Check Matrix rooms and events by the rules of their room version, offline.

    Exit codes: 0 no problems, 1 problems found, 2 usage error or unreadable input, 3 undecided:
    events or parts of a state are missing. A command whose output is cut off, as by `head`, ends with 141
    and without a message.
    """
