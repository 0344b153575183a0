"""What each source of a room added, and where the sources differ: in words and as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import Final

import click
from rich import box
from rich.table import Table
from rich.text import Text

from ..contributions import Contribution, Difference, DifferenceKind, Matter
from ..errors import counted
from ..gathering import Gathered
from ..types import JsonObject, JsonValue
from .common import call_name
from .escaped import printable
from .sources import Choice
from .wording import capped, key_text

_MOST: Final = 10  # contradictions, and entries of one of them, that are listed

_SHORT: Final[Mapping[Matter, str]] = {
    Matter.ORDER: "order",
    Matter.REJECTED: "rejected",
    Matter.SOFT_FAILED: "soft-failed",
    Matter.CURRENT_STATE: "current state",
    Matter.EXTREMITIES: "extremities",
    Matter.STATES: "states",
    Matter.KEYS: "keys",
}

_TEXT: Final[Mapping[DifferenceKind, str]] = {
    DifferenceKind.CONTENT: "two different events have this ID; both are left out",
    DifferenceKind.ALTERED: "one copy does not match its content hash",
    DifferenceKind.REJECTED: "one server rejected it, another accepted it",
    DifferenceKind.STATE_BEFORE: "the states before it differ; these entries are unknown",
    DifferenceKind.CURRENT_STATE: "the current states differ",
    DifferenceKind.KEY: "different keys under one ID; each is tried",
    DifferenceKind.REDACTED: "one copy is redacted; the whole one is used",
    DifferenceKind.SOFT_FAILED: "only one server soft-failed it; the order of arrival may explain it",
    DifferenceKind.EXTREMITIES: "the forward extremities differ; one server may have received more",
}


def sources_data(gathered: Gathered) -> JsonObject | None:
    """Return what the sources added and where they differ, as JSON; None for one source without that."""
    if not gathered.contributions and not gathered.differences:
        return None
    return {
        "parts": [_part_data(one) for one in gathered.contributions],
        "contradictions": differences_data(one for one in gathered.differences if one.kind.contradicts),
        "differences": differences_data(one for one in gathered.differences if not one.kind.contradicts),
    }


def _part_data(one: Contribution) -> JsonObject:
    return {
        "name": one.name,
        "what": one.what,
        "has_room": one.has_room,
        "events": one.events,
        "added": one.added,
        "repeated": one.repeated,
        "dropped": one.dropped,
        "keys": one.keys,
        "keys_added": one.keys_added,
        "states": one.states,
        "states_added": one.states_added,
        "current_state": one.current,
        "rejected": one.rejected,
        "soft_failed": one.soft_failed,
        "cannot_tell": [matter.value for matter in one.cannot_tell],
    }


def differences_data(differences: Iterable[Difference]) -> list[JsonValue]:
    """Return differences as JSON."""
    return [
        {
            "kind": one.kind.value,
            "event_id": one.event_id,
            "server": one.server,
            "key_id": one.key_id,
            "says": [said._asdict() for said in one.says],
            "entries": [
                {
                    "type": entry.key[0],
                    "state_key": entry.key[1],
                    "says": [{"source": name, "event_id": event_id} for name, event_id in entry.says],
                }
                for entry in one.entries
            ],
            "more_entries": one.more_entries,
        }
        for one in differences
    ]


def sources_table(contributions: Sequence[Contribution]) -> Table:
    """Return a table of the sources."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("source", overflow="fold")
    for name in ("events", "added", "keys", "states"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("cannot tell")
    for one in contributions:
        cannot = ", ".join(_SHORT[matter] for matter in one.cannot_tell) or "-"
        table.add_row(
            Text(printable(one.name)),
            f"{one.events:,}",
            f"{one.added:,}",
            f"{one.keys:,}",
            f"{one.states:,}",
            cannot if one.has_room else "it does not have the room",
        )
    return table


def difference_lines(gathered: Gathered, most: int | None) -> list[str]:
    """Return where the sources differ, as lines of text.

    Args:
        gathered: the events.
        most: whether to list only the first ones; None for all.
    """
    contradictions = gathered.contradictions
    others = [one for one in gathered.differences if not one.kind.contradicts]
    lines = []
    if contradictions:
        number = counted(len(contradictions), "contradiction", "contradictions")
        lines.append(f"{number} {_where(gathered)}:")
        lines += _listed(contradictions, most)
    if others:
        number = counted(len(others), "other difference", "other differences")
        lines.append(f"{number} {_where(gathered)}:")
        lines += _listed(others, most)
    return [printable(line) for line in lines]


def contradiction_lines(gathered: Gathered) -> list[str]:
    """Return where both sources cannot be right, as lines of text: the first ones."""
    return [printable(line) for line in _listed(gathered.contradictions, _MOST)]


def _listed(differences: Sequence[Difference], most: int | None) -> list[str]:
    shown = differences if most is None else differences[:_MOST]
    lines = [line for one in shown for line in _lines(one, most)]
    if len(differences) > len(shown):
        lines.append(f"and {len(differences) - len(shown):,} more: --json lists all")
    return lines


def _lines(one: Difference, most: int | None) -> list[str]:
    subject = one.event_id or ("" if one.server is None else f"{one.server} {one.key_id}")
    lines = [f"  {one.kind.value}: {subject + ': ' if subject else ''}{_TEXT[one.kind]}"]
    entries = []
    for entry in one.entries:
        says = ", ".join(f"{event_id or 'absent'} in {name}" for name, event_id in entry.says)
        entries.append(f"    {key_text(entry.key)}: {says}")
    if entries:
        lines += capped(entries, None if most is None else _MOST)
        return [*lines, *([f"    and {one.more_entries:,} more entries"] if one.more_entries else [])]
    return [*lines, *(f"    {said_text(said.source, said.place, said.text)}" for said in one.says)]


def lines_about(differences: Sequence[Difference]) -> list[str]:
    """Return where the sources differ on one event, as lines of text; empty if they do not."""
    if not differences:
        return []
    contradict = any(one.kind.contradicts for one in differences)
    heading = f"the sources {'contradict each other' if contradict else 'differ'} about this event:"
    return ["", heading, *(line for one in differences for line in _lines(one, _MOST))]


def said_text(source: str, place: str | None, text: str) -> str:
    """Return what a source says as text."""
    where = "" if place is None or place == source else f" ({place})"
    return f"{source}: {text}{where}"


def tell_contradictions(gathered: Gathered, files: Sequence[str], choice: Choice) -> None:
    """Say on standard error how many contradictions there are, and which command lists them."""
    number = len(gathered.contradictions)
    if not number:
        return
    first, *others = map(call_name, files)
    room = "" if choice.room_id is None else f" --room {quote(choice.room_id)}"
    command = f"roomver check {first}{room}{''.join(f' --also {other}' for other in others)}"
    what = f"{counted(number, 'contradiction', 'contradictions')} {_where(gathered)}"
    click.echo(printable(f"roomver: {what}; to list them: {command}"), err=True)


def _where(gathered: Gathered) -> str:
    return "between the sources" if gathered.contributions else "in the input"
