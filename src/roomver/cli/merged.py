"""What each source of a room added, and where the sources differ: in words and as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from ..contributions import Contribution, Difference, DifferenceKind, Matter
from ..copies import ALTERED_COPY
from ..errors import SHOWN, counted
from ..gathering import Gathered
from ..replay import Replay
from ..types import JsonObject, JsonValue
from .common import call_name
from .escaped import printable
from .heard import tell
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
    DifferenceKind.ALTERED: "does not match its content hash; its content is not used",
    DifferenceKind.REJECTED: "one server rejected it, another accepted it",
    DifferenceKind.STATE_BEFORE: "the states before it differ; these entries are unknown",
    DifferenceKind.CURRENT_STATE: "the current states differ",
    DifferenceKind.KEY: "different keys under one ID; each is tried",
    DifferenceKind.REDACTED: "one copy is redacted; the whole one is used",
    DifferenceKind.SOFT_FAILED: "only one server soft-failed it; the order of arrival may explain it",
    DifferenceKind.MOMENT: "the current states differ; one may be older than the other",
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
        "other_rooms": one.other_rooms,
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
    what = _TEXT[one.kind]
    if one.kind is DifferenceKind.ALTERED:
        altered = [_where_said(said.source, said.place) for said in one.says if said.text == ALTERED_COPY]
        what = f"the copy at {' and '.join(altered)} {what}"
    lines = [f"  {one.kind.value}: {subject + ': ' if subject else ''}{what}"]
    entries = []
    for entry in one.entries:
        says = ", ".join(f"{event_id or 'absent'} in {name}" for name, event_id in entry.says)
        entries.append(f"    {key_text(entry.key)}: {says}")
    if entries:
        lines += capped(entries, None if most is None else _MOST)
        return [*lines, *([f"    and {one.more_entries:,} more entries"] if one.more_entries else [])]
    return [*lines, *(f"    {said_text(said.source, said.place, said.text)}" for said in one.says)]


def contradicted_lines(replayed: Replay, most: int | None) -> list[str]:
    """Return which given states the events contradict, as lines of text: at most `most`, or all of them."""
    if not replayed.contradicted:
        return []
    states = counted(len(replayed.contradicted), "given state", "given states")
    lines = [
        f"  before {event_id}: {', '.join(map(key_text, keys))}"
        + (" and perhaps others" if len(keys) == SHOWN else "")
        for event_id, keys in replayed.contradicted.items()
    ]
    heading = f"the events contradict {states}; these entries are unknown:"
    return [printable(line) for line in (heading, *capped(lines, most))]


def lines_about(differences: Sequence[Difference]) -> list[str]:
    """Return where the sources differ on one event, as lines of text; empty if they do not."""
    if not differences:
        return []
    contradict = any(one.kind.contradicts for one in differences)
    heading = f"the sources {'contradict each other' if contradict else 'differ'} about this event:"
    return ["", heading, *(line for one in differences for line in _lines(one, _MOST))]


def said_text(source: str, place: str | None, text: str) -> str:
    """Return what a source says as text."""
    return f"{_where_said(source, place)}: {text}"


def _where_said(source: str, place: str | None) -> str:
    """Return where a source says something. A place may already name its source."""
    if place is None:
        return source
    return place if place.startswith(source) else f"{source}, {place}"


def other_room_lines(gathered: Gathered) -> list[str]:
    """Return how many events of other rooms each source has, as lines of text."""
    lines = []
    for one in gathered.contributions:
        if one.other_rooms:
            events = counted(one.other_rooms, "event of another room", "events of other rooms")
            lines.append(f"{events} in {one.name} {'was' if one.other_rooms == 1 else 'were'} left out")
    return [printable(line) for line in lines]


def tell_other_rooms(gathered: Gathered) -> None:
    """Say on standard error which sources have events of other rooms."""
    for line in other_room_lines(gathered):
        tell(f"roomver: {line}")


def tell_contradictions(gathered: Gathered, files: Sequence[str], choice: Choice) -> None:
    """Say on standard error how many contradictions there are, and which command lists them."""
    number = len(gathered.contradictions)
    if not number:
        return
    command = check_call(files, choice)
    what = f"{counted(number, 'contradiction', 'contradictions')} {_where(gathered)}"
    tell(printable(f"roomver: {what}; to list them: {command}"))


def check_call(files: Sequence[str], choice: Choice) -> str:
    """Return the call of `roomver check` for a room that is being read."""
    first, *others = map(call_name, files)
    room = "" if choice.named is None else f" --room {quote(choice.named)}"
    return f"roomver check {first}{room}{''.join(f' --also {other}' for other in others)}"


def _where(gathered: Gathered) -> str:
    return "between the sources" if gathered.contributions else "in the input"
