"""``roomver may``: whether a user may do something in a room, by which rule, and who may otherwise."""

import json
from typing import Final

import click

from ..errors import Lack, UnknownState
from ..event import Event
from ..explain.actions import Action, parse_action
from ..explain.answered import Answered, May
from ..explain.may import may
from ..explain.said import said, user
from ..identifiers import is_user_id
from ..state import EventsOf
from ..types import EventId, JsonObject, StateMap
from .asked import Asked, room_command
from .common import console, display_name, example
from .escaped import ascii_json
from .explain import teller_of
from .guidance import not_a_room
from .lacking import OTHER_SOURCES, advice_for, missing_words
from .loaded import LoadedRoom
from .people import few_words, user_text
from .progress import work_progress
from .said import Teller, call_text, listed_ids, print_lines

_SHOWN: Final = 12  # users that are listed
_MISSING: Final = 10  # missing events that are listed
_CODES: Final = {Answered.YES: 0, Answered.NO: 1, Answered.DEPENDS: 3, Answered.UNKNOWN: 3}
_TITLES: Final = {
    "do it": "who may",
    "invite": "who may invite them",
    "unban": "who may lift the ban",
    "vouch": "who may vouch for the join",
}


@click.command(
    "may",
    short_help="Say whether a user may do something, and who may if not.",
    epilog=example(
        "roomver may homeserver.db '!roomid' @bob:example.org send m.room.topic\n"
        "roomver may room.jsonl @bob:example.org ban @eve:example.net\n"
        "roomver may room.jsonl @bob:example.org set-level @eve:example.net 50\n"
        "roomver may room.jsonl @eve:example.net join\n"
        "roomver may room.jsonl @bob:example.org redact '$eventid' --at '$eventid'"
    ),
)
@room_command("USER ACTION…", 2, 4)
@click.option("--at", metavar="EVENT", help="Ask about the state after this event, not the current one.")
@click.option(
    "--content",
    metavar="JSON",
    help="With send: the content, as a JSON object. Otherwise only type and state key are judged.",
)
def may_command(asked: Asked, at: str | None, content: str | None) -> None:
    """Say whether a user may do something in a room: by which rule, and which level it needs from where.

    ACTION is one of: send TYPE [KEY], invite USER, kick USER, ban USER, unban USER, join, leave, knock,
    set-level WHAT LEVEL, redact EVENT. WHAT is a user, an event type, or a level such as ban or
    state_default. Types that are not state in this room are messages; give KEY ('' too) to send state.

    If the answer is no, it says who may: users in the room first, by level. For a refused join it says who
    may invite the user. For a restricted room it lists the rooms whose members may join, and who may vouch:
    the user's server needs the signature of a server with such a user. The rules are those of the room
    version, applied to type, state key, sender and content alone.

    Exit code: 0 yes, 1 no, 2 usage error or unreadable file, 3 undecided: the state is unknown where the
    answer needs it, or it depends on another room.
    """
    who, *words = asked.rest
    if not is_user_id(who):
        told = f"{display_name(who)} is not a user ID: expected '@name:server'"
        if is_user_id(words[0]) and asked.choice.named is None:  # the user is there, one place later
            told += f". {not_a_room(who, asked.source)}"
        raise click.UsageError(told)
    given = _object(content)
    loaded = asked.load(at)
    at_event = None if at is None else loaded.event(at)
    ids = loaded.replay.current_state if at_event is None else loaded.replay.state_after(at_event.event_id)
    action = _action(words, loaded, {} if ids is None else ids, given)
    with work_progress("the answer"):
        if ids is None:
            what = "the current state" if at_event is None else "the state there"
            text = "Unknown: {what} is unknown, so nothing tells whether {who} may {action}."
            why = said(text, what=what, who=user(who), action=action.words)
            answer = May(Answered.UNKNOWN, who, None, why, None, lack=Lack.STATE)
        else:
            answer = may(who, action, ids, loaded.events)
        where = None if at_event is None else at_event.event_id
        teller = teller_of(loaded)
        missing = loaded.replay.lacking(where) if answer.lack is not None else []
    if asked.as_json:
        data = {
            "summary": teller.fresh(answer.why),
            "at": where,
            **answer.to_dict(),
            "missing": missing,
        }
        click.echo(ascii_json(data, indent=2))
    else:
        if at_event is not None:
            print_lines([f"In the state after {teller.event(at_event.event_id)}:"])
        _print(answer, teller, loaded, missing)
        click.echo(f"\n{_more(asked.of(loaded), answer, missing)}")
    raise click.exceptions.Exit(_CODES[answer.answered])


def _object(text: str | None) -> JsonObject | None:
    """Return the content that was given."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise click.UsageError("--content is not JSON") from None
    if type(found) is not dict:
        raise click.UsageError("--content is not a JSON object")
    return found


def _action(
    words: list[str], loaded: LoadedRoom, ids: StateMap[EventId], content: JsonObject | None
) -> Action:
    redacts: Event | None = None
    if words[0] == "redact" and len(words) == 2:
        redacts = loaded.event(words[1])
    try:
        return parse_action(words, EventsOf(ids, loaded.events), content=content, redacts=redacts)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except UnknownState as error:
        kind = few_words(words[1])
        raise click.UsageError(
            f"whether {kind} is state is unknown here ({error.reason}): give KEY ('' too) for state"
        ) from None


def _print(answer: May, teller: Teller, loaded: LoadedRoom, missing: list[EventId]) -> None:
    out = console()
    print_lines([teller.fresh(answer.why)], out)
    if answer.check is not None:
        check = answer.check
        number = "" if check.number is None else f"rule {check.number}, "
        out.print("\nthe check", style="bold")
        facts = [f"  {teller.fact(fact)}" for fact in check.facts]
        print_lines([f"  {number}{check.rule}: {check.sense}", *facts, f"  {check.url}"], out)
    if answer.rooms:
        out.print("\nrooms whose members may join", style="bold")
        print_lines([f"  {few_words(one, 255)}" for one in answer.rooms[:_SHOWN]], out)
    if answer.able_to:
        out.print(f"\n{_TITLES[answer.able_to]}", style="bold")
        print_lines(_able_lines(answer), out)
    if answer.unknown or answer.lack is not None:
        out.print("\nwhat would tell", style="bold")
        lines = [
            f"  unknown: {few_words(kind)} {few_words(key)}".rstrip()
            for kind, key in answer.unknown[:_MISSING]
        ]
        if missing:
            lines.append(f"  {missing_words(missing, loaded.found.dropped)}:")
            lines += [f"  {one}" for one in listed_ids(missing, _MISSING)]
            lines.append(f"  {OTHER_SOURCES}")
        elif answer.lack is not None:
            lines.append(f"  {advice_for(loaded.lack_behind(answer.lack))}")
        print_lines(lines, out)
    if answer.notes:
        out.print("\nalso", style="bold")
        print_lines([f"  {teller.text(one)}" for one in answer.notes], out)


def _able_lines(answer: May) -> list[str]:
    lines = []
    for one in answer.able[:_SHOWN]:
        level = one.level if type(one.level) is int else "above all"
        where = "joined" if one.joined else f"not in the room ({few_words(one.membership)}): after joining"
        lines.append(f"  {user_text(one.user)}: level {level}, {where}")
    if len(answer.able) > _SHOWN:
        lines.append(f"  and {len(answer.able) - _SHOWN:,} more: --json lists all")
    if not answer.able and answer.able_known:
        lines.append("  nobody")
    if not answer.able_known:
        lines.append("  the members or levels are known in part, so there may be others")
    return lines


def _more(asked: Asked, answer: May, missing: list[EventId]) -> str:
    """Return the one call that shows more: where the deciding value comes from, or what would decide it."""
    if answer.lack is not None:
        rest = call_text(missing[0]) if missing else None
        return (
            f"more: roomver repair {asked.call}"
            if rest is None
            else f"more: roomver explain {asked.call} {rest}"
        )
    facts = () if answer.check is None else answer.check.facts
    rule = "" if answer.check is None else answer.check.rule or ""
    kinds = ["m.room.join_rules"] if ".join." in rule or ".knock." in rule else ["m.room.power_levels"]
    if rule == "sender.not_joined" or rule.endswith((".banned", "sender_not_joined", "leave.self")):
        kinds = ["m.room.member", answer.user]
    if any(fact.event_id for fact in facts) and (words := call_text(*kinds)) is not None:
        return f"more: roomver history {asked.call} {words}"
    return f"more: roomver state {asked.call}"
