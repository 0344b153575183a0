"""``roomver explain``: why an event has its outcome, in one paragraph, and then the checks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import click

from ..errors import MissingEvents
from ..event import Event
from ..explain.event import explain_event, explain_left_out, explain_missing
from ..explain.explained import Explained, Verdicted
from ..explain.judged import Judged
from ..types import EventId
from .asked import Asked, room_command
from .common import console, example
from .escaped import ascii_json, printable
from .lacking import OTHER_SOURCES, advice_for, fetch_lines, missing_words
from .loaded import LoadedRoom
from .progress import work_progress
from .said import Teller, call_text, listed_ids, print_lines

_CODES: Final = {Judged.ACCEPTED: 0, Judged.UNDECIDED: 3, Judged.NOT_JUDGED: 3}
_MISSING: Final = 10  # missing events that are listed


@click.command(
    short_help="Say why an event was accepted, rejected or soft-failed.",
    epilog=example(
        "roomver explain homeserver.db '$eventid'\n"
        "roomver explain room.jsonl '$eventid'\n"
        "roomver explain room.jsonl '$eventid' --json"
    ),
)
@room_command("EVENT", 1, 1)
def explain(asked: Asked) -> None:
    """Say in words why an event was accepted, soft-failed, rejected or dropped, and show its checks.

    EVENT is an event ID or a unique prefix of it, in single quotes. If an event is rejected because it cites
    a rejected one, the paragraph goes back to the first event that was refused. For a state event it says
    what the event replaced, what became of it, and whether state resolution undid it. What leaves an event
    undecided is named, with what would decide it.

    Times are those that the servers of the senders gave. Event IDs are shortened as far as they stay unique,
    but that of EVENT has a line of its own and is whole. In --json all are whole.

    Exit code: 0 accepted, 1 soft-failed, rejected or dropped, 2 usage error or unreadable file, 3 undecided,
    or missing from every source.
    """
    (name,) = asked.rest
    loaded = asked.load(name)
    try:
        found = loaded.find(name)
    except MissingEvents as error:
        _tell_missing(explain_missing(loaded.found, error.event_ids[0]), loaded, asked)
        raise
    with work_progress("the event"):
        if isinstance(found, Event):
            explained = explain_event(loaded.found, found.event_id, loaded.recorded(found.event_id))
        else:
            unsigned = _unsigned(loaded).get(found[0])
            explained = explain_left_out(*found, loaded.recorded(found[0]), unsigned)
        teller = teller_of(loaded)
        because = [] if explained.event_id is None else _contradictions(loaded, explained)
    if asked.as_json:
        data = {"summary": teller.fresh(explained.why), **explained.to_dict(), "contradictions": because}
        click.echo(ascii_json(data, indent=2))
    else:
        _print(explained, teller, loaded, because)
        click.echo(f"\n{_more(asked.of(loaded), explained)}")
    code = _CODES.get(explained.judged, 1)
    undecided = code == 0 and any(check.result == "undecided" for check in explained.checks)
    raise click.exceptions.Exit(3 if undecided else code)


def _tell_missing(explained: Explained, loaded: LoadedRoom, asked: Asked) -> None:
    """Say what is known of a missing event: which events cite it, and how to get it."""
    summary = teller_of(loaded).fresh(explained.why)
    if asked.as_json:
        data = {"summary": summary, **explained.to_dict(), "contradictions": []}
        click.echo(ascii_json(data, indent=2))
        return
    event_id, citing = explained.event_id or "", explained.cited_by
    print_lines([summary])
    _print_id(event_id)
    print_lines(
        [
            "",
            "GET it from a server that has it, and add the answer with --also FILE:",
            *fetch_lines(event_id),
        ]
    )
    rest = call_text(citing[0]) if citing else None
    call = f"check {asked.of(loaded).check_call} --all" if rest is None else f"explain {asked.call} {rest}"
    click.echo(f"\nmore: roomver {call}")


def _print_id(event_id: EventId) -> None:
    """Print a whole event ID, to be copied: the line is never broken."""
    click.echo(f"event ID: {printable(event_id)}")


def teller_of(loaded: LoadedRoom) -> Teller:
    """Return what shows the sentences about a room."""
    others = (*loaded.found.gathered.left_out, *loaded.replay.missing)
    return Teller({**_unsigned(loaded), **loaded.events} if loaded.unsigned else loaded.events, others)


def _unsigned(loaded: LoadedRoom) -> dict[EventId, Event]:
    """Return the events that were left out for their signatures alone."""
    return {event.event_id: event for event, _ in loaded.unsigned}


def _contradictions(loaded: LoadedRoom, explained: Explained) -> list[str]:
    """Return the contradictions between sources that leave the event undecided, in words."""
    event_id = explained.event_id
    if event_id not in loaded.replay.outcomes or not explained.lacks:
        return []
    at_arrival = explained.judged is Judged.ACCEPTED
    return [printable(one) for one in loaded.contradictions_behind(event_id, at_arrival=at_arrival)]


def _print(explained: Explained, teller: Teller, loaded: LoadedRoom, because: Sequence[str]) -> None:
    out = console()
    print_lines([teller.fresh(explained.why)], out)
    if explained.event_id is not None:
        _print_id(explained.event_id)
    before: Verdicted | None = None
    for check in explained.checks:
        out.print(f"\nagainst {check.against}: {check.result}", style="bold")
        if before is not None and before.facts and replace(check, against=before.against) == before:
            out.print("  the same rule and the same values")
        else:
            print_lines(_check_lines(check, teller), out)
        before = check
    if explained.lacks:
        out.print("\nwhat would tell", style="bold")
        words = missing_words(explained.missing, loaded.found.dropped)
        lines = [f"  {advice_for(lack)}" for lack in explained.lacks]
        if explained.missing:
            lines = [f"  {words}:", *(f"  {one}" for one in listed_ids(explained.missing, _MISSING))]
            lines.append(f"  {OTHER_SOURCES}")
        print_lines([*lines, *(f"  behind it: {one}" for one in because)], out)


def _check_lines(check: Verdicted, teller: Teller) -> list[str]:
    lines = []
    if check.result == "dropped":
        return []  # the paragraph is about nothing else
    if check.url is not None:
        number = "" if check.number is None else f"rule {check.number}, "
        lines.append(f"  {number}{check.rule}: {check.sense}")
        if check.result == "refused":
            lines.append(f"  {teller.text(check.why)}")
            lines.append(f"  {check.url}")
    elif check.why:
        lines.append(f"  {teller.text(check.why)}")
    return lines + [f"  {teller.fact(fact)}" for fact in check.facts]


def _more(asked: Asked, explained: Explained) -> str:
    """Return the one call that shows more."""
    call, change, joint = asked.call, explained.change, explained.joint
    if (change is not None and change.undone) or (joint is not None and joint.resets):
        return f"more: roomver resets {call}"
    command = "auth"
    words: Sequence[str] = () if explained.event_id is None else (explained.event_id,)
    if explained.refused:
        command, words = "explain", explained.refused[-1:]
    elif change is not None and explained.judged is Judged.ACCEPTED:
        command, words = "history", change.key if change.key[1] else change.key[:1]
    rest = call_text(*words) if words and explained.judged is not Judged.DROPPED else None
    if rest is None:
        return f"more: roomver check {asked.check_call} --all"
    return f"more: roomver {command} {call} {rest}"
