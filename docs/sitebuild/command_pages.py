"""The pages of the commands: usage, options, exit codes and JSON, as click has them."""

import re
from collections.abc import Iterator

import click

from roomver.cli import main

from .schema_pages import schema_of

FOLDER = "reference/commands"

_EXIT = re.compile(r"^Exit codes?: ")
_CODE = re.compile(r"(?:^|[,.;] )(?=[0-3] [A-Za-z])")
_CODED = re.compile(r"(`[^`]+`|(?<![\w-])--[a-z][a-z0-9-]*)")
_ACTIVE = re.compile(r"([\\*_<>\[\]#|~$])")


def names() -> list[str]:
    """Return the names of all pages, in the order of the commands."""
    return [_name(path) for path, _ in commands()]


def write() -> dict[str, str]:
    """Return the pages by file name."""
    return {f"{_name(path)}.md": page(path, command) for path, command in commands()}


def commands(group: click.Group = main, path: str = "roomver") -> Iterator[tuple[str, click.Command]]:
    """Yield all commands with their full names, without groups."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _name(path: str) -> str:
    return f"{FOLDER}/{'-'.join(path.split()[1:])}"


def page(path: str, command: click.Command) -> str:
    """Return the page of a command."""
    context = click.Context(command, info_name=path)
    paragraphs = [" ".join(one.split()) for one in (command.help or "").split("\n\n")]
    about = [one for one in paragraphs if not _EXIT.match(one)]
    (exits,) = [one for one in paragraphs if _EXIT.match(one)] or [""]
    lines = [f"# {path}", "", _escaped(about[0]), ""]
    lines += ["```text", command.get_usage(context).removeprefix("Usage: "), "```", ""]
    for one in about[1:]:
        lines += [_escaped(one), ""]
    epilog = (command.epilog or "").removeprefix("\b\n").removeprefix("Example:\n")
    if epilog:
        lines += ["## Examples", "", "```sh", *(line.strip() for line in epilog.splitlines()), "```", ""]
    options = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    lines += ["## Options", "", "| Option | Meaning |", "| --- | --- |"]
    lines += [f"| {_option(one, context)} | {_meaning(one, context)} |" for one in options]
    lines += ["", "## Exit codes", ""]
    codes, rest = exit_codes(exits)
    if codes:
        lines += ["| Exit code | Meaning |", "| --- | --- |"]
        lines += [f"| {code} | {_escaped(meaning)} |" for code, meaning in codes]
        lines += ["", _escaped(rest), ""] if rest else [""]
    if any("--json" in one.opts for one in options):
        lines += ["## JSON", "", *schema_of(path)]
    return "\n".join(lines).rstrip() + "\n"


def linked(table: str) -> str:
    """Return the table of all commands with links to their pages."""
    for path, _ in commands():
        table = re.sub(rf"(?<!\[)`{path}`", f"[`{path}`](../{_name(path)}.md)", table)
    return table


def exit_codes(text: str) -> tuple[list[tuple[str, str]], str]:
    """Return the exit codes that the help of a command lists, and what it says after them."""
    listed, _, rest = _EXIT.sub("", text).partition(". ")
    parts = [one.strip() for one in _CODE.split(listed) if one.strip()]
    codes = []
    for part in parts:
        code, _, meaning = part.partition(" ")
        codes.append((code, meaning.rstrip(".")))
    return codes, rest


def _option(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.is_flag or option.count:
        return names
    return f"{names} {_escaped(option.make_metavar(context))}"


def _meaning(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    return _escaped(" ".join((record or ("", ""))[1].split()))


def _escaped(text: str) -> str:
    """Return a text as Markdown. Options become code; what stands in backticks is code already."""
    parts = _CODED.split(text)
    for index, one in enumerate(parts):
        if index % 2 == 0:
            parts[index] = _ACTIVE.sub(r"\\\1", one)
        elif not one.startswith("`"):
            parts[index] = f"`{one}`"
    return "".join(parts)
