"""``roomver repair``: which state a room would have if nothing were missing, and what would change."""

from collections.abc import Collection
from typing import Final

import click

from ..errors import counted, listed
from ..explain.change import where_said
from ..explain.repairing import Basis, Repaired, repair
from ..explain.resets import Intent, class_numbers
from ..readers.state_ids import read_state_ids
from ..types import EventId
from .asked import Asked, room_command
from .common import console, display_name, example, opened
from .escaped import ascii_json, printable
from .explain import teller_of
from .heard import say
from .lacking import advice_for, missing_words
from .loaded import LoadedRoom
from .people import few_words
from .progress import work_progress
from .said import Teller, call_text, key_words, listed_ids, print_lines

_SHOWN: Final = 20  # changes that are listed
_MISSING: Final = 10  # missing events that are listed
_NAME: Final = 200  # characters of the name of a source


@click.command(
    "repair",
    short_help="Say which state a room should have, and what would change.",
    epilog=example(
        "roomver repair mine.db '!roomid' --also theirs.db\n"
        "roomver repair mine.db '!roomid' --also state-of-theirs.json\n"
        "roomver repair room.jsonl --against state_ids-of-mine.json\n"
        "roomver repair mine.db '!roomid' --also theirs.db --ids > state.txt"
    ),
)
@room_command()
@click.option(
    "--against",
    "against",
    metavar="FILE",
    help="The current state of the server to repair, as event IDs: a response to /state_ids, or one ID per"
    " line. Otherwise it is what the first source recorded.",
)
@click.option(
    "--ids",
    "only_ids",
    is_flag=True,
    help="Print only the IDs of the repaired state, one per line, as `roomver resolve --sets` reads them.",
)
def repair_command(asked: Asked, against: str | None, only_ids: bool) -> None:
    """Say which state a room would have if nothing were missing, and what of a server's state would change.

    SOURCE is what the server has that may be wrong. If it does not record a state, that of another source is
    compared; the first line names the source. --also adds what knows more: another server's database, its
    answers to /state, /state_ids, /event_auth or /backfill. The state is resolved from all their events and
    from the states that they give at gaps. If events are missing all the same, the current states that
    the other sources give are used. What two of them contradict each other on is unknown, and so is what
    nothing but the server's own state tells. A state reset is a part of what the rules give: changes that go
    back to one are marked, and `roomver resets` explains them.

    Nothing is written anywhere. The list of IDs is only printed if the state is known in whole.

    Exit code: 0 nothing would change, 1 entries would change, 2 usage error or unreadable file, 3 undecided:
    the state, or a part of it, is unknown.
    """
    if only_ids and asked.as_json:
        raise click.UsageError("--ids and --json are two forms: give one (--json has the IDs as pdu_ids)")
    loaded = asked.load()
    beliefs = loaded.beliefs
    server: Collection[EventId] | None = None
    if against is not None:
        with opened(against) as stream:
            server = read_state_ids(stream, display_name(against))
    elif beliefs is not None and beliefs.state is not None and not beliefs.partial:
        server = beliefs.state
    gathered = loaded.found.gathered
    # The state of the server to repair is the same one, wherever it is read from.
    recorded = None if beliefs is None else beliefs.state
    judged = loaded.recorded_in if against is None else display_name(against)
    own = recorded is not None and (against is None or frozenset(server or ()) == recorded)
    with work_progress("the repaired state"):
        repaired = repair(loaded.found, server, own=own, has=gathered.server_has if own else None)
        teller = teller_of(loaded)
    code = 3 if not repaired.whole or repaired.lost else 1 if repaired.changes else 0
    if only_ids:
        if repaired.ids is None:
            loaded.say("the state is not known in whole, so its IDs are not printed", repaired.missing, None)
            raise click.exceptions.Exit(3)
        click.echo("\n".join(map(printable, repaired.ids)))
        if words := _reset_words(repaired, teller):
            say(f"roomver: {' '.join(words)} See `roomver resets {asked.call}`")
        raise click.exceptions.Exit(code)
    if asked.as_json:
        summary = " ".join([_summary(repaired, loaded, judged), *_reset_words(repaired, teller)])
        click.echo(ascii_json({"summary": summary, **repaired.to_dict()}, indent=1))
    else:
        _print(repaired, teller, loaded, asked, judged)
        click.echo(f"\n{_more(repaired, asked)}")
    raise click.exceptions.Exit(code)


def _reset_words(repaired: Repaired, teller: Teller) -> list[str]:
    """Say how many of the changes come from state resets, and whether somebody meant these."""
    resets = [one.reset for one in repaired.changes if one.reset is not None]
    if resets:
        merges = list(dict.fromkeys(one.merge for one in resets))
        where = teller.fresh(where_said(merges[0]))
        if len(merges) > 1:
            where = f"at {counted(len(merges), 'merge', 'merges')}; the first {where.removeprefix('at ')}"
        of = (
            "of these changes comes from a state reset"
            if len(resets) == 1
            else ("of these changes come from state resets")
        )
        words = [f"{len(resets):,} {of}, {where}: {class_numbers(resets)}."]
        if any(one.intent is not Intent.DESIGNED for one in resets):
            words.append(
                "The rules give this state, but nobody is known to have meant it: do not apply these changes"
                " before you know why they were lost."
            )
        return words
    if repaired.resets:
        # The server may have been reset as well: then it agrees with a state that nobody meant.
        changes = counted(repaired.resets, "change", "changes")
        return [
            f"State resolution undid {changes} in this room (state resets). This state is what the rules give"
            " after them; it does not bring back what was lost."
        ]
    return []


def _summary(repaired: Repaired, loaded: LoadedRoom, judged: str) -> str:
    """Return the first line: what would change, and on what that rests.

    Args:
        repaired: the answer.
        loaded: the room.
        judged: what messages call the source of the server's state that is compared with it.
    """
    if repaired.basis is Basis.NOTHING:
        return (
            "Unknown: no source tells which state the room would have. The server's own state is not a reason"
            " for itself."
        )
    entries = counted(len(repaired.state), "entry", "entries")
    are = "is" if len(repaired.state) == 1 else "are"
    state = f"the room's state has {entries}" if repaired.whole else f"{entries} of the state {are} known"
    where = "the events" if repaired.basis is Basis.EVENTS else "what the other sources give"
    if not repaired.compared:
        return f"By {where}, {state}. {_not_compared(loaded)}"
    named = few_words(judged, _NAME)
    if repaired.changes:
        change = counted(len(repaired.changes), "entry", "entries")
        return f"{change} of the server's state in {named} would change: by {where}, {state}."
    agree = "agrees" if repaired.whole and not repaired.lost else "agrees as far as that is known"
    return f"Nothing would change: by {where}, {state}, and the server's state in {named} {agree}."


def _not_compared(loaded: LoadedRoom) -> str:
    """Say why no server's state is compared, and what would give one."""
    beliefs = loaded.beliefs
    if beliefs is not None and beliefs.partial:
        return (
            "The server joined with partial state and does not have the full state yet, so there is no state"
            " of it to compare with. When its join is finished, run this again, or give --against."
        )
    if loaded.of_database:
        return (
            "The database has no current state of this room to compare it with: --against gives one, as event"
            " IDs."
        )
    return "No server's state is given to compare it with: --against."


def _print(repaired: Repaired, teller: Teller, loaded: LoadedRoom, asked: Asked, judged: str) -> None:
    out = console()
    print_lines([_summary(repaired, loaded, judged)], out)
    if words := _reset_words(repaired, teller):
        print_lines(["", " ".join(words)], out)
        click.echo(f"to explain them: roomver resets {asked.call}")
    if repaired.sources:
        print_lines([f"  given by {few_words(listed(repaired.sources), 300)}"], out)
    if not repaired.compared and repaired.state:
        out.print(f"\nthe state{'' if repaired.whole else ', as far as it is known'}", style="bold")
        keys = sorted(repaired.state)
        print_lines(
            (f"  {key_words(key)}: {teller.event(repaired.state[key])}" for key in keys[:_SHOWN]), out
        )
        if len(keys) > _SHOWN:
            click.echo(f"  and {len(keys) - _SHOWN:,} more: roomver state {asked.call}")
    if repaired.changes:
        out.print("\nwhat would change", style="bold")
        lines = []
        for one in repaired.changes[:_SHOWN]:
            lines.append(f"  {key_words(one.key)}")
            lines.append(f"    now     {_value(one.before, teller)}")
            lines.append(f"    becomes {_value(one.after, teller)}")
            lines.append(f"    {teller.text(one.why)}")
        if len(repaired.changes) > _SHOWN:
            lines.append(f"  and {len(repaired.changes) - _SHOWN:,} more: --json lists all")
        print_lines(lines, out)
    if not repaired.whole or repaired.lost:
        out.print("\nwhat is unknown", style="bold")
        print_lines(_unknown_lines(repaired, loaded), out)


def _unknown_lines(repaired: Repaired, loaded: LoadedRoom) -> list[str]:
    lines = [f"  {few_words(str(one), 300)}" for one in repaired.unknown[:_MISSING]]
    if repaired.lost:
        lines.append("  events of the server's state that no source has, so their keys are unknown:")
        lines += [f"  {one}" for one in listed_ids(repaired.lost, _MISSING)]
    if repaired.missing:
        lines.append(f"  {missing_words(repaired.missing, loaded.found.dropped)} that would tell:")
        lines += [f"  {one}" for one in listed_ids(repaired.missing, _MISSING)]
    elif repaired.unknown:
        lines += [f"  {advice_for(one)}" for one in dict.fromkeys(one.lack for one in repaired.unknown)]
    if repaired.basis is Basis.NOTHING:
        lines.append("  --also adds another server's answer to /state or /state_ids, or its database")
    return lines


def _value(event_id: EventId | None, teller: Teller) -> str:
    return "no event" if event_id is None else teller.event(event_id)


def _more(repaired: Repaired, asked: Asked) -> str:
    """Return the one call that shows more."""
    if repaired.changes:
        kind, key = repaired.changes[0].key
        words = call_text(kind, key) if key else call_text(kind)
        if words is not None:
            return f"more: roomver history {asked.call} {words}"
    return (
        f"more: roomver check {asked.check_call} --all"
        if not repaired.whole
        else f"more: roomver state {asked.call}"
    )
