"""What ``roomver state`` and ``roomver resolve`` print: entries, and the result of a resolution."""

import json
from collections.abc import Mapping
from typing import Final

import click

from ..errors import counted
from ..resolution import Resolution
from ..state import PartialState, Unknown, entries_of, unknown_of
from ..types import EventId, StateKey, StateMap
from .common import WIDE, console
from .escaped import ascii_json, printable
from .fitted import cells_of, cut_to
from .heard import after_answer, print_fitted, tell
from .loaded import LoadedRoom
from .near import near_type
from .trace import trace_data, trace_lines

_CONTENT: Final = 100  # characters of a content that are shown


def unknown_among(found: StateMap[EventId], kind: str | None, key: str | None) -> list[Unknown]:
    """Return what is unknown among the entries of a state that were asked for."""
    if isinstance(found, PartialState) and kind is not None and key is not None:
        one = found.why_unknown((kind, key))
        return [] if one is None else [one]
    return [one for one in unknown_of(found) if one.may_hold(kind, key)]


def entry_data(loaded: LoadedRoom, event_id: EventId) -> dict[str, object]:
    """Return an event in a form that every command reads."""
    return {"event_id": event_id, "pdu": loaded.events[event_id].pdu}


def print_entry(loaded: LoadedRoom, key: StateKey, event_id: EventId, indent: str = "") -> bool:
    """Print an entry of a state, with the content of its event, in one line or, if it is too wide, in three.

    Returns:
        Whether the content was cut.
    """
    content = json.dumps(loaded.events[event_id].content, ensure_ascii=False)
    shown = printable(content if len(content) <= _CONTENT else content[: _CONTENT - 1] + "…")
    words = [printable(f"{key[0]} {json.dumps(key[1], ensure_ascii=False)}"), printable(event_id)]
    width = console().width
    if width >= WIDE or cells_of("  ".join([indent, *words, shown])) - 2 <= width:
        click.echo(indent + "  ".join([*words, shown]))
        return len(content) > _CONTENT
    deeper = f"{indent}  "
    cut = cut_to(shown, max(2, width - len(deeper)))
    for line in (f"{indent}{words[0]}", f"{deeper}{words[1]}", f"{deeper}{cut}"):
        click.echo(line)
    return len(content) > _CONTENT or cut != shown


def print_entries(loaded: LoadedRoom, chosen: Mapping[StateKey, EventId], indent: str = "") -> None:
    """Print entries of a state, sorted. After the answer, standard error says if contents were cut."""
    cut = False
    for key in sorted(chosen):
        cut |= print_entry(loaded, key, chosen[key], indent)
    if cut:
        with after_answer():
            tell("roomver: contents that end with … are cut: --json has them whole")


def no_entry(what: str, found: StateMap[EventId], kind: str | None, key: str | None) -> str:
    """Say that a state has no entry of a type or with a state key, and which type may be meant.

    Args:
        what: the state, in words.
        found: the state.
        kind, key: what was asked for; None for any.
    """
    if kind is None and key is None:
        return f"{what} has no entry"
    types = {one for one, _ in entries_of(found)}
    close = None if kind is None or kind in types else near_type(kind, types)
    return f"{what} has no such entry" + (f"; did you mean --type {close}?" if close else "")


def _differences(
    state: StateMap[EventId], other: StateMap[EventId]
) -> list[tuple[StateKey, EventId | None, EventId | None]]:
    """Return the entries that differ, as key, given event and resolved event, without unknown entries."""
    resolved, given = entries_of(state), entries_of(other)
    keys = sorted(
        key
        for key in resolved.keys() | given.keys()
        if resolved.get(key) != given.get(key)
        and not unknown_among(state, *key)
        and not unknown_among(other, *key)
    )
    return [(key, given.get(key), resolved.get(key)) for key in keys]


def resolution_data(
    loaded: LoadedRoom,
    names: list[str],
    sets: list[StateMap[EventId]],
    resolution: Resolution,
    why: tuple[str, str] | None,
    trace: bool,
) -> dict[str, object]:
    """Return the result of a resolution as JSON, with the reason for an entry and the steps if asked for."""
    state, unknown = entries_of(resolution.state), unknown_of(resolution.state)
    data: dict[str, object] = {
        "state": [entry_data(loaded, state[key]) for key in sorted(state)],
        "differences": {
            name: [
                {"type": key[0], "state_key": key[1], "given": given, "resolved": resolved}
                for key, given, resolved in _differences(state, known)
            ]
            for name, known in zip(names, sets, strict=True)
        },
    }
    if unknown:
        data["unknown"] = [one.to_dict() for one in unknown]
    if why is not None:
        data["why"] = resolution.why(why).to_dict()
    if trace and resolution.steps is not None:
        data["trace"] = trace_data(resolution.steps)
    return data


def print_trace(resolution: Resolution) -> None:
    """Print every step of a resolution."""
    if resolution.steps is not None:
        for line in trace_lines(resolution.steps):
            click.echo(printable(line))
        click.echo()


def print_why(resolution: Resolution, key: StateKey) -> None:
    """Print which events competed for an entry."""
    for line in str(resolution.why(key)).splitlines():
        print_fitted(printable(line))


def print_resolution(
    loaded: LoadedRoom, names: list[str], sets: list[StateMap[EventId]], resolution: Resolution
) -> None:
    """Print the resolved state, and how it differs from each of the states."""
    state = entries_of(resolution.state)
    out = console()
    size = counted(len(state), "entry", "entries")
    out.print(f"resolved state: {size} from {counted(len(sets), 'state', 'states')}", style="bold")
    print_entries(loaded, state, "  ")
    for name, known in zip(names, sets, strict=True):
        different = _differences(state, known)
        out.print()
        differ = counted(len(different), "entry differs", "entries differ")
        out.print(printable(f"against {name}: {differ}"), style="bold", soft_wrap=True)
        for key, given, resolved in different:
            click.echo(
                printable(f"  {key[0]} {ascii_json(key[1])}: {given or 'absent'} -> {resolved or 'absent'}")
            )
