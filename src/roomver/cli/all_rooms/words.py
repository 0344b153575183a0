"""What all rooms come to, as text for a terminal, and the progress of a run."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import click
from rich import box
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from ...errors import counted
from ...findings import FindingKind
from ..common import console
from ..escaped import printable
from ..people import few_words
from ..said import key_words
from ..tables import print_table, wrapped
from ..wording import FINDING_TEXT
from .totals import STATUS, Totals
from .worker import COMMAND, Answer

_STATUS_TEXT: Final = {
    "ok": "no problems found",
    "findings": "problems found, or state resets that nobody meant",
    "undecided": "undecided: events or parts of a state are missing",
    "unreadable": "could not be read",
    "crashed": "the process that checked it died or failed",
    "empty": "the database has no events of it",
    "joining": "still joining: the whole state is not there yet",
    "invited": "only invited: nothing else of the room is known",
    "knocked": "has only knocked: nothing else of the room is known",
    "not-in-room": "the server is not in the room and has no state of it",
    "no-room": "files that hold no room, such as keys",
}
_HEADINGS: Final = {
    "unintended": "rooms with unintended state resets",
    "not_read": "rooms without a result",
    "findings": "rooms with findings",
    "undecided": "undecided rooms",
    "disagreements": "rooms on which the server differs",
    "resets": "rooms with state resets",
    "slowest": "slowest rooms",
    "not_joined": "rooms that the server is not in, or not yet",
}
_OTHERS: Final = "rooms with other state resets"
_RESETS: Final = ("unintended", "resets")  # the lists of rooms with resets
_SLOW: Final = 1.0  # seconds; less than this is not worth a line
_FEW_SLOW: Final = 5

Step: TypeAlias = Callable[[int, int], None]
"""Takes the events of a room, and how many rooms were found in addition."""


def print_totals(totals: Totals, *, title: str) -> None:
    """Print what all rooms come to: counts, then the rooms to look at with the call for each."""
    out = console()
    rooms = counted(totals.rooms, "room", "rooms")
    out.print(printable(f"{title}{rooms}, {counted(totals.events, 'event', 'events')}"), style="bold")
    out.print()
    print_table(_status_table(totals))
    if number := totals.lists["no_room"].number:
        out.print()
        click.echo(wrapped(_no_room_text(totals, number), out.width))
    if totals.unchecked:
        events = counted(totals.unchecked["events"], "event", "events")
        rooms = counted(totals.unchecked["rooms"], "room", "rooms")
        told = f"the signatures of {events} in {rooms} could not be checked: keys are missing"
        out.print()
        click.echo(wrapped(told, out.width))
    if totals.kinds:
        out.print()
        print_table(_kinds_table(totals))
    for name, heading in _HEADINGS.items():
        lines = _LINES[name](totals) if name in _LINES else _listed(totals, name)
        number = totals.lists[name].number
        if not lines:
            continue
        out.print()
        others = name == "resets" and totals.lists["unintended"].number
        what = heading if name == "slowest" else f"{_OTHERS if others else heading}: {number:,}"
        click.echo(click.style(what, bold=True) if out.is_terminal else what)
        for line in lines:
            click.echo(wrapped(printable(line), out.width))
        more = number - len(totals.lists[name].answers)
        if more and name != "slowest":
            click.echo(f"  and {more:,} more: --all lists them")


def _no_room_text(totals: Totals, number: int) -> str:
    """Name the files that hold no room."""
    # In the order of their names, not in that in which they were read.
    names = sorted(Path(cast(str, one["source"])).name for one in totals.lists["no_room"].answers)
    more = f" and {number - len(names):,} more: --all names them" if number > len(names) else ""
    hold = "holds" if number == 1 else "hold"
    return printable(f"{counted(number, 'file', 'files')} that {hold} no room: {', '.join(names)}{more}")


def _status_table(totals: Totals) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("rooms", justify="right")
    table.add_column("status")
    table.add_column("meaning")
    for status in STATUS:
        if totals.status[status]:
            text = _STATUS_TEXT[status]
            if status == "ok" and (number := totals.resets["ok"]):
                text += f"; {number:,} with state resets as designed"
            table.add_row(f"{totals.status[status]:,}", status, text)
    return table


def _kinds_table(totals: Totals) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("finding")
    table.add_column("events", justify="right")
    table.add_column("rooms", justify="right")
    table.add_column("the event")
    for kind in FindingKind:
        if number := totals.kinds[kind.value]:
            in_rooms = f"{totals.rooms_by_kind[kind.value]:,}"
            table.add_row(kind.value, f"{number:,}", in_rooms, FINDING_TEXT[kind])
    return table


def _listed(totals: Totals, name: str) -> list[str]:
    """Return the rooms of a list, each with what is to be said of it and the call that shows more."""
    lines = []
    for answer in totals.lists[name].answers:
        title = answer["name"]
        called = f'"{few_words(title)}" {answer["room_id"]}: ' if type(title) is str else ""
        lines.append(f"  {called}{_about(answer, name)}")
        if name in _RESETS:
            lines.append(f"    {_first_reset(answer)}")
        # A file that cannot be read says why; another call would say the same.
        if answer["status"] != "unreadable" or answer["chosen"]:
            lines.append(f"    {_call(answer, name)}")
    return lines


def _call(answer: Answer, name: str) -> str:
    """Return the call that shows more about a room of a list."""
    call = cast(str, answer["command"])
    # `roomver resets` has no such option. It comes last in the call.
    alike = call.removesuffix(" --require-signatures")
    if name in _RESETS and " --algorithm " not in alike and alike.startswith(f"{COMMAND} "):
        return f"roomver resets{alike.removeprefix(COMMAND)}"
    return call


def _about(answer: Answer, name: str) -> str:
    """Return what a list says about one room."""
    one = cast("dict[str, Any]", answer)
    match name:
        case "findings":
            kinds = ", ".join(f"{number:,} {kind}" for kind, number in one["kinds"].items())
            if one["disagreements"]["state"] or not kinds:
                differ = counted(one["disagreements"]["state"], "entry", "entries")
                kinds += f"{', ' * bool(kinds)}the current state differs in {differ}"
            if one["contradictions"]:
                kinds = counted(one["contradictions"], "contradiction", "contradictions")
            return f"{kinds} ({counted(one['events'], 'event', 'events')})"
        case "undecided":
            if one["reason"]:
                return cast(str, one["reason"])
            if one["undecided"]:
                return counted(one["undecided"], "event undecided", "events undecided")
            if unknown := one["checks_unknown"]:
                return counted(unknown, "event with an unknown check", "events with an unknown check")
            return "decisions of the server cannot be compared"
        case "disagreements":
            differ = one["disagreements"]
            parts = [
                counted(differ[key], single, many)
                for key, single, many in (
                    ("events", "event", "events"),
                    ("state", "entry of the current state", "entries of the current state"),
                    ("extremities", "forward extremity", "forward extremities"),
                )
                if differ[key]
            ]
            return ", ".join(parts)
        case "not_joined":
            return f"{one['status']}, {counted(one['events'] or 0, 'event', 'events')}"
        case "resets" | "unintended":
            return _resets_text(one)
        case _:
            return f"{one['status']}: {one['reason']}"


def _resets_text(one: dict[str, Any]) -> str:
    """Return how many state resets a room has, by class."""
    number, unintended, unknown = one["resets"], one["resets_unintended"], one["resets_unclassified"]
    classes = {
        "unintended": unintended,
        "not classified": unknown,
        "as designed": number - unintended - unknown,
    }
    if number == 1:
        return f"1 state reset, {next(name for name, count in classes.items() if count)}"
    of = ", ".join(f"{count:,} {name}" for name, count in classes.items() if count)
    return f"{counted(number, 'state reset', 'state resets')}: {of}"


def _first_reset(answer: Answer) -> str:
    """Return the most important state reset of a room in one line: key, time, class."""
    one = cast("dict[str, Any]", answer)
    if not one["first_resets"]:
        return "the resets are not listed"
    first = one["first_resets"][0]
    when = "at the newest events" if first["at"] is None else f"at the merge of {first['at']}"
    more = f"; {one['resets'] - 1:,} more" * (one["resets"] > 1)
    return f"{key_words((first['type'], first['state_key']))}, {when}: {first['class']}{more}"


def _slow_lines(totals: Totals) -> list[str]:
    slow = [one for one in totals.lists["slowest"].answers if cast(float, one["seconds"]) >= _SLOW]
    return [
        f"  {one['seconds']:,.1f} s, {counted(cast(int, one['events'] or 0), 'event', 'events')}:"
        f" {one['room_id'] or one['source']}"
        for one in slow[:_FEW_SLOW]
    ]


_LINES: Final[dict[str, Callable[[Totals], list[str]]]] = {"slowest": _slow_lines}


@contextmanager
def rooms_progress(rooms: int, events: int) -> Iterator[Step]:
    """Show the progress of a run on standard error, and leave nothing there.

    Args:
        rooms: how many rooms there are, as far as is known.
        events: how many events they have, as far as is known.
    """
    if not sys.stderr.isatty():
        yield lambda _events, _more: None
        return
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[rooms]:,}/{task.fields[all_rooms]:,} rooms"),
        TextColumn("{task.completed:,.0f} events"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=events, rooms=0, all_rooms=rooms)
        done = 0
        total = rooms

        def step(step_events: int, more: int) -> None:
            nonlocal done, total
            total += more
            done += not more
            progress.update(task, advance=step_events, rooms=done, all_rooms=total)

        yield step
