"""``roomver history``: every value that a key of the room state had, oldest first."""

from difflib import get_close_matches
from typing import Final

import click
from rich import box
from rich.table import Table
from rich.text import Text

from ..errors import counted
from ..explain.change import levels_said
from ..explain.history import Given, History, KeyLine, Merged, Side, Step, Valued, list_keys, tell_history
from ..explain.judged import Judged
from ..explain.resets import ExplainedReset, explain_resets
from ..explain.said import event, said
from ..power import POWER_LEVELS
from ..types import EventId
from .asked import Asked, room_command
from .common import console, example
from .escaped import ascii_json, printable
from .explain import teller_of
from .loaded import LoadedRoom
from .people import few_words, short_id
from .progress import work_progress
from .said import Teller, call_text, folded, key_words, print_line
from .tables import print_table

_INDENT: Final = 13  # where the words of a step begin

_Undone = dict[tuple[EventId | None, EventId], ExplainedReset]


@click.command(
    short_help="Say which values a key of the state had, and who set them.",
    epilog=example(
        "roomver history homeserver.db '!roomid' m.room.topic\n"
        "roomver history room.jsonl m.room.member @bob:example.org\n"
        "roomver history room.jsonl m.room.power_levels --json"
    ),
)
@room_command("TYPE [KEY]", 1, 2)
def history(asked: Asked) -> None:
    """List every value that a key of the room state had: by whom, when, and what became of it.

    TYPE is an event type and KEY a state key. Without KEY it is the empty key, if an event of the room has
    it; otherwise all keys of the type are listed. The order is that of the replay, oldest first. A merge is
    listed if the key had different values on its branches; RESET marks a change that a merge undid, with the
    event that it was lost to, and why.

    Exit code: 0 answered, 2 usage error or unreadable file, 3 the current value is unknown.
    """
    kind, *rest = asked.rest
    loaded = asked.load()
    with work_progress("history"):
        teller = teller_of(loaded)
        keys = list_keys(loaded.found, kind) if not rest else ()
    if not rest and not any(line.key[1] == "" for line in keys) and keys:
        unknown = not all(line.known_now for line in keys)
        if asked.as_json:
            data = {"type": kind, "keys": [line.to_dict() for line in keys]}
            click.echo(ascii_json(data, indent=2))
        else:
            _print_keys(kind, keys, teller, asked)
    else:
        with work_progress("history"):
            told = tell_history(loaded.found, (kind, rest[0] if rest else ""))
        unknown = not told.known_now
        if asked.as_json:
            click.echo(ascii_json({"summary": _summary(told, teller), **told.to_dict()}, indent=2))
        else:
            unset = not any(isinstance(step, Valued) for step in told.steps)
            hint = _meant(loaded, kind) if unset else ""
            undone = _undone(loaded, told) if told.lost else {}
            missing = loaded.replay.lacking(None) if unknown else []
            _print(told, undone, teller, asked, missing, hint)
    raise click.exceptions.Exit(3 if unknown else 0)


def _meant(loaded: LoadedRoom, kind: str) -> str:
    """Say which type may be meant, or that the type is the ID of the room; empty if nothing is near."""
    if (room_id := loaded.found.gathered.room_id) == f"!{kind}":
        return printable(f"If {kind} is the room: '{room_id}', with its !.")
    kinds = {one.type for one in loaded.events.values() if one.state_key is not None} - {kind}
    if "." not in kind:  # people leave out what the types of the specification begin with
        kind = f"m.room.{kind}"
    close = get_close_matches(kind, sorted(kinds), 1, 0.8)
    return f"Did you mean {few_words(close[0])}?" if close else ""


def _print_keys(kind: str, keys: tuple[KeyLine, ...], teller: Teller, asked: Asked) -> None:
    out = console()
    have = counted(sum(line.now is not None for line in keys), "has a current value", "have current values")
    unknown = sum(not line.known_now for line in keys)
    told = f", {unknown:,} unknown" if unknown else ""
    out.print(folded(f"{few_words(kind)}: {counted(len(keys), 'key', 'keys')}; {have}{told}.", out.width))
    out.print()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("key", overflow="fold")
    table.add_column("events", justify="right", no_wrap=True)
    table.add_column("current value")
    for line in keys:
        now = "unknown" if not line.known_now else "none" if line.now is None else teller.event(line.now)
        table.add_row(Text(few_words(line.key[1])), f"{line.events:,}", Text(now))
    print_table(table)
    rest = call_text(kind, keys[0].key[1])
    call = f"check {asked.check_call}" if rest is None else f"history {asked.call} {rest}"
    click.echo(f"\nmore: roomver {call}")


def _summary(told: History, teller: Teller) -> str:
    """Return the first line: how often the key changed, and its value."""
    teller.again()
    merges = sum(isinstance(step, Merged) for step in told.steps)
    numbers = [counted(sum(isinstance(step, Valued) for step in told.steps), "event", "events")]
    numbers += [counted(merges, "merge of different values", "merges of different values")] if merges else []
    numbers += [counted(len(told.lost), "reset", "resets")] if told.lost else []
    if not told.known_now:
        now = "Its current value is unknown."
    elif told.now is None:
        now = "It has no current value."
    else:
        now = f"The current value is {teller.event(told.now)}."
    happened = ", ".join(numbers) if told.steps else "no event here sets it"
    return f"{key_words(told.key)}: {happened}. {now}"


def _undone(loaded: LoadedRoom, told: History) -> _Undone:
    """Explain each change of the key that a merge undid, by the merge and the event that was lost."""
    only = [one for one in loaded.replay.resets() if one.key == told.key]
    with work_progress("merges") as progress:
        explained = explain_resets(loaded.found, progress=progress, only=only)
    return {(one.merge, one.lost): one for one in explained}


def _print(
    told: History, undone: _Undone, teller: Teller, asked: Asked, missing: list[EventId], hint: str
) -> None:
    out = console()
    out.print(folded(f"{_summary(told, teller)} {hint}".rstrip(), out.width), soft_wrap=True)
    if told.steps:
        out.print()
    width = out.width
    for step in told.steps:
        for word, text in _step_lines(step, undone, teller):
            print_line(_hung(f"{word:<{_INDENT}}{text}", width), out, "bold" if word == "RESET" else None)
    click.echo(f"\n{_more(told, asked, missing)}")


def _hung(line: str, width: int) -> str:
    """Return a line broken to a width, so that the words of a step stay in their column."""
    head, rest = line[:_INDENT], line[_INDENT:]
    lines = folded(rest, max(20, width - _INDENT) if width < 200 else width).split("\n")
    return "\n".join([head + lines[0], *(" " * _INDENT + one for one in lines[1:])])


def _step_lines(step: Step, undone: _Undone, teller: Teller) -> list[tuple[str, str]]:
    """Return what happened, as pairs of a word and a text."""
    match step:
        case Valued():
            lines = [(step.judged.value, teller.event(step.event_id))]
            if step.why:
                lines.append(("", step.why))
            subject, before = teller.events[step.event_id], teller.events.get(step.before or "")
            if step.judged is Judged.ACCEPTED and before is not None and subject.type == POWER_LEVELS[0]:
                levels = levels_said(before, subject, all_users=True)
                lines.append(("", f"changed {teller.text(levels) if levels else 'no level'}"))
            if step.judged is Judged.ACCEPTED:
                lines.append(("", f"replaced {_value(step.known_before, step.before, teller)}"))
            return lines
        case Given():
            value = _value(True, step.value, teller)
            return [
                ("given", f"{value}: a source gave it with the state before {teller.short(step.event_id)}")
            ]
        case Merged():
            if step.event_id is None:
                where = "of the newest events"
            else:
                where = f"before {teller.event(step.event_id)}"
            sides = "; ".join(_side(side, teller) for side in step.sides)
            value = _value(step.known, step.value, teller)
            lines = [("merge", where), ("", f"branches: {sides}"), ("", f"result: {value}")]
            for one in step.lost:
                lines += _reset_lines(undone[step.event_id, one], teller)
            return lines


def _reset_lines(one: ExplainedReset, teller: Teller) -> list[tuple[str, str]]:
    """Say which change was lost to which event, and why."""
    if one.restored is None:
        told = said("{lost} was undone: the key went back to having no event", lost=event(one.lost))
    else:
        back = event(one.restored)
        told = said("{lost} was undone: the key went back to {back}", lost=event(one.lost), back=back)
    lines = [("RESET", teller.fresh(told)), ("", f"{one.intent.value}: {teller.text(one.why)}.")]
    teller.again()
    return lines


def _side(side: Side, teller: Teller) -> str:
    if side.value == side.after:
        return _name(side.after, teller)
    return f"{_value(side.known, side.value, teller)} after {_name(side.after, teller)}"


def _name(event_id: EventId, teller: Teller) -> str:
    return teller.short(event_id) if event_id in teller.events else short_id(event_id)


def _value(known: bool, value: EventId | None, teller: Teller) -> str:
    if not known:
        return "an unknown value"
    return "nothing" if value is None else _name(value, teller)


def _more(told: History, asked: Asked, missing: list[EventId]) -> str:
    """Return the call that shows more. For an unknown current value, it says what would decide it."""
    if told.lost:
        return f"more: roomver resets {asked.call}"
    undecided = [step for step in told.steps if isinstance(step, Valued) and step.judged is Judged.UNDECIDED]
    if not told.known_now and undecided and (rest := call_text(undecided[-1].event_id)) is not None:
        return f"more: roomver explain {asked.call} {rest}"
    if not told.known_now and missing and (rest := call_text(missing[0])) is not None:
        return f"more: roomver explain {asked.call} {rest}"
    refused = [step for step in told.steps if isinstance(step, Valued) and step.judged is not Judged.ACCEPTED]
    about = refused[-1].event_id if refused else told.now
    rest = None if about is None else call_text(about)
    return (
        f"more: roomver state {asked.call}" if rest is None else f"more: roomver explain {asked.call} {rest}"
    )
