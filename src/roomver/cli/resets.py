"""``roomver resets``: each state reset of a room, the check that decided, and whether somebody meant it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import click

from ..errors import counted
from ..event import Event
from ..explain.change import where_said
from ..explain.history import Side
from ..explain.resets import (
    MERGES,
    ExplainedReset,
    Intent,
    Now,
    class_numbers,
    explain_resets,
    unsearched,
)
from ..explain.said import event, said
from ..types import EventId
from .asked import Asked, room_command
from .common import console, example
from .escaped import ascii_json
from .explain import teller_of
from .loaded import LoadedRoom
from .people import time_text
from .progress import work_progress
from .said import Teller, call_text, folded, key_words, print_lines

_SHOWN: Final = 20  # resets that are listed with everything about them
_ALIKE: Final = 12  # resets that are listed as the same as another one
_V2_1: Final = {
    True: "version 12's algorithm would keep it",
    False: "version 12's algorithm would undo it too",
    None: "what version 12's algorithm would do is unknown: events are missing",
}


_MEANING: Final = {
    Intent.DESIGNED: "somebody meant it",
    Intent.UNINTENDED: "nobody meant it",
    Intent.UNKNOWN: "whether somebody meant it is unknown",
}


@click.command(
    short_help="List state resets: what was lost, and why.",
    epilog=example("roomver resets homeserver.db '!roomid'\nroomver resets room.jsonl --all --json"),
)
@room_command()
@click.option("--all", "all_of_them", is_flag=True, help="List every reset, and classify all of them.")
def resets(asked: Asked, all_of_them: bool) -> None:
    """List the state resets of a room: keys that went back, at a merge, to an older event.

    Resets of one merge that have the same reason are listed as one, unless you give --all.

    A reset is as designed if somebody on another branch meant it: the sender was banned, removed or demoted
    there, or the target was. Otherwise it is unintended: this is what people call a state reset. The trace of
    the resolution tells which check decided. Unintended resets come first. The line `now` says whether the
    loss still matters, and `cause` what was done on the other branch. The last line asks whether the first
    lost change may be sent again.

    Exit code: 0 no unintended reset, 1 there is one, 2 usage error or unreadable file, 3 undecided: a
    reset is not classified, or some were not searched for because events are missing, undecided or too many.
    """
    loaded = asked.load()
    with work_progress("merges") as progress:
        explained = explain_resets(loaded.found, None if all_of_them else MERGES, progress)
        teller = teller_of(loaded)
        notes = unsearched(loaded.found)
        since = _first_merges(loaded)
        summary = _summary(explained, since, loaded, teller, whole=not notes)
    if asked.as_json:
        data = {
            "summary": summary,
            "resets": [{"text": _why(one, teller), **one.to_dict()} for one in explained],
            "not_searched": [*loaded.replay.unsought],
            "notes": notes,
        }
        click.echo(ascii_json(data, indent=2))
    else:
        print_lines([summary])
        _print(explained, since, loaded, teller, all_of_them=all_of_them)
        print_lines(["", *notes] if notes else [])
        click.echo(f"\n{_more(explained, asked, teller)}")
    classes = Counter(one.intent for one in explained)
    code = 1 if classes[Intent.UNINTENDED] else 3 if classes[Intent.UNKNOWN] or notes else 0
    raise click.exceptions.Exit(code)


def _summary(
    explained: Sequence[ExplainedReset],
    since: Mapping[EventId, EventId | None],
    loaded: LoadedRoom,
    teller: Teller,
    *,
    whole: bool,
) -> str:
    """Return the first line: how many resets there are of each class, and the first one.

    Args:
        explained: the resets.
        since: as `_first_merges` returns it.
        loaded: the room.
        teller: names the events.
        whole: whether the whole room was searched.
    """
    merges = counted(len(loaded.replay.merges), "merge of differing states", "merges of differing states")
    if not explained:
        if not whole:
            return f"No state reset is known in {merges}. A part of the room could not be searched."
        return f"No state reset in {merges}."
    numbers = class_numbers(explained)
    first, *others = explained
    teller.again()
    kept = sum(one.kept_by_v2_1 is True for one in explained)
    of = f"{kept:,} of these changes" if len(explained) > 1 else "this change"
    newer = f" Version 12's algorithm would have kept {of}." if kept else ""
    like = _likeness(first, loaded)
    alike = sum(_likeness(one, loaded) == like for one in others)
    same = f" {counted(alike, 'other has', 'others have')} the same reason, at the same merge."
    lost = teller.text(said("{lost}", lost=event(first.lost)))
    merge = since[first.lost]
    at = "at the merge of the newest events" if merge is None else f"at the merge of {_time(merge, teller)}"
    return (
        f"{counted(len(explained), 'state reset', 'state resets')} in {merges}: {numbers}.{newer} The first:"
        f" {lost} was lost {at}. {_sentence(teller.text(first.why))}{same if alike else ''}"
    )


def _first_merges(loaded: LoadedRoom) -> dict[EventId, EventId | None]:
    """Return the first merge at which each event was lost; None for the merge of the newest events."""
    found: dict[EventId, EventId | None] = {}
    for one in loaded.replay.resets():
        found.setdefault(one.lost, one.merge)
    return found


def _time(merge: EventId, teller: Teller) -> str:
    """Return when branches were merged: the time of the event that follows them."""
    return time_text(teller.events[merge].origin_server_ts)


def _print(
    explained: Sequence[ExplainedReset],
    since: Mapping[EventId, EventId | None],
    loaded: LoadedRoom,
    teller: Teller,
    *,
    all_of_them: bool,
) -> None:
    out = console()
    groups = [[one] for one in explained] if all_of_them else _grouped(explained, loaded)
    shown = groups if all_of_them else groups[:_SHOWN]
    for one, *alike in shown:
        heading = f"{key_words(one.key)}: {one.intent.value} ({_MEANING[one.intent]})"
        out.print(f"\n{folded(heading, out.width)}", style="bold")
        print_lines(_lines(one, since[one.lost], teller), out)
        if alike:
            print_lines(_alike_lines(alike, teller), out)
    left = sum(map(len, groups[len(shown) :]))
    if left:
        print_lines(["", f"and {left:,} more: --all lists all"], out)


def _grouped(explained: Sequence[ExplainedReset], loaded: LoadedRoom) -> list[list[ExplainedReset]]:
    """Return the resets, those of one merge together that have the same reason."""
    groups: dict[object, list[ExplainedReset]] = {}
    for one in explained:
        groups.setdefault(_likeness(one, loaded), []).append(one)
    return [*groups.values()]


def _likeness(one: ExplainedReset, loaded: LoadedRoom) -> object:
    """Return what two resets of a merge with the same reason have in common: all but whom they concern."""
    lost = loaded.events[one.lost]
    own = {one.lost: "lost", lost.sender: "sender", one.key[1]: "key"}
    why = tuple((part.kind, own.get(str(part.value), str(part.value))) for part in one.why)
    rule = None if one.verdict is None else one.verdict.rule.name
    undone = (one.restored is None, one.kept_by_v2_1)
    return one.merge, one.key[0], one.intent, rule, one.act, undone, one.now, why


def _alike_lines(alike: Sequence[ExplainedReset], teller: Teller) -> list[str]:
    lines = [
        f"  likewise  {counted(len(alike), 'more change', 'more changes')} lost here, for the same reason:"
    ]
    lines += [f"    {teller.event(one.lost)}" for one in alike[:_ALIKE]]
    if len(alike) > _ALIKE:
        lines.append(f"    and {len(alike) - _ALIKE:,} more: --all lists all")
    return lines


def _lines(one: ExplainedReset, first: EventId | None, teller: Teller) -> list[str]:
    """Return what is told of a reset.

    Args:
        one: the reset.
        first: the first merge at which the event was lost.
        teller: names the events.
    """
    teller.again()
    since = []
    if first is not None and first != one.merge:
        since = [f"  since     {_time(first, teller)}, the merge at which it was lost first"]
    back = "nothing" if one.restored is None else teller.event(one.restored)
    lines = [
        f"  lost      {teller.event(one.lost)}",
        f"  restored  {back}",
        f"  now       {_now(one, teller)}",
        f"  where     {teller.text(where_said(one.merge))}",
        *since,
        *(f"  branch    {_side(side, teller)}" for side in one.sides),
        f"  why       {_why(one, teller)}",
        *([f"  cause     {teller.text(one.cause)}"] if one.cause else []),
    ]
    if one.verdict is not None:
        number = "" if one.verdict.number is None else f"rule {one.verdict.number}, "
        of = "" if one.checked in (None, one.lost) else f" (of {teller.short(one.checked)})"
        lines.append(f"  check     {number}{one.verdict.rule.name}{of}")
    return [*lines, f"  v2.1      {_V2_1[one.kept_by_v2_1]}"]


def _side(side: Side, teller: Teller) -> str:
    value = "unknown" if not side.known else "nothing" if side.value is None else teller.short(side.value)
    told = side.after in teller.events and side.after != side.value
    return f"{value} after {teller.short(side.after)}" if told else value


def _now(one: ExplainedReset, teller: Teller) -> str:
    """Return whether the loss still matters."""
    match one.now:
        case Now.UNKNOWN:
            return "unknown: events or parts of the state are missing"
        case Now.REPLACED if one.current is not None:
            return f"replaced since by {teller.event(one.current)}"
        case Now.LOST if one.current is not None and one.current != one.restored:
            return f"still lost: the key went back further, to {teller.event(one.current)}"
        case _:
            return str(one.now.value)


def _why(one: ExplainedReset, teller: Teller) -> str:
    return _sentence(teller.fresh(one.why))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _more(explained: Sequence[ExplainedReset], asked: Asked, teller: Teller) -> str:
    """Return the call that shows the steps of the first reset, and the one that leads to an action."""
    if not explained:
        return f"more: roomver check {asked.check_call}"
    lost = [one for one in explained if one.now in {Now.LOST, Now.UNKNOWN}]
    first = (lost or explained)[0]
    at = None if first.merge is None else call_text(first.merge)
    why = call_text(*first.key) if first.merge is None or at is not None else None
    if why is None:
        return f"more: roomver check {asked.check_call} --all"
    steps = f"step by step: roomver resolve {asked.call}{'' if at is None else f' --at {at}'} --why {why}"
    again = call_text(*_again(teller.events[first.lost])) if lost else None
    if again is None:
        return f"{steps}\nmore: roomver history {asked.call} {why}"
    return f"{steps}\nmore: roomver may {asked.call} {again}"


def _again(lost: Event) -> list[str]:
    """Return the user and the action of an event, as `roomver may` takes them: may it be sent again?"""
    target = lost.state_key or ""
    if lost.type != "m.room.member":
        return [lost.sender, "send", lost.type, target]
    match lost.content.get("membership"):
        case "join":
            return [target, "join"]
        case "invite" | "ban" as membership:
            return [lost.sender, str(membership), target]
        case "knock":
            return [target, "knock"]
        case _:
            return [target, "leave"] if lost.sender == target else [lost.sender, "kick", target]
