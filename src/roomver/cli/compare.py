"""``roomver compare``: how two sources of one room differ, and where they part first."""

from dataclasses import replace
from itertools import chain
from typing import Final

import click

from ..errors import counted
from ..explain.compared import Cause, Compared, EntryDiffers, OutcomeDiffers, Parting
from ..explain.comparing import Side, compare
from ..readers.entries import NoVersion
from ..types import EventId
from .asked import Asked, room_command
from .common import call_name, console, example
from .escaped import ascii_json
from .loaded import LoadedRoom
from .people import few_words
from .progress import work_progress
from .said import Teller, call_text, key_words, listed_ids, print_lines
from .sources import may_be_a_name

_SHOWN: Final = 8  # events and entries that are listed of each kind
_TRACED: Final = 100  # undecided events of which the cause is searched for
_NAME: Final = 200  # characters of the name of a source


@click.command(
    "compare",
    short_help="Say how two sources of a room differ, and where they part.",
    epilog=example(
        "roomver compare mine.db theirs.jsonl '!roomid'\n"
        "roomver compare before.jsonl after.jsonl\n"
        "roomver compare mine.db theirs.db '!roomid' --json"
    ),
)
@room_command("OTHER ['!ROOM']", 1, 2)
def compare_command(asked: Asked) -> None:
    """Compare two sources of one room, A and B: each is read, checked and replayed alone.

    It lists the events that only one has, events with different outcomes (by the rules, and as the servers
    recorded them), events that only one leaves undecided, the entries at which the current states differ,
    and the forward extremities. The first lines say how many outcomes were compared. Then it
    names the event at which they part: the first one, parents before children, that one of them lacks,
    drops or decides otherwise. What comes later may only follow from it.

    The room version and --keys apply to both. Use --also in other commands to read both as one room.

    Exit code: 0 they agree, 1 they differ, or a server decided an event otherwise than the rules, 2 usage
    error or unreadable file, 3 they agree as far as they can be compared, and parts are undecided.
    """
    if asked.more_files:
        raise click.UsageError("compare reads two sources apart: give the second one without --also")
    if asked.cache is not None:
        raise click.UsageError("--cache keeps one room, and compare reads two: leave it out")
    other, *more = asked.rest
    if more:
        is_room = more[0][:1] in ("!", "#") or may_be_a_name(more[0])
        if asked.choice.named is not None or not is_room:
            raise click.UsageError("compare reads two sources of one room: A B '!ROOM'")
        asked = replace(asked, choice=asked.choice._replace(named=more[0]))
    first, one, second, two = _read(asked, other)
    rooms = (one, two)
    with work_progress("comparing"):
        compared = compare(_side(one), _side(two))
        others = [e for room in rooms for e in (*room.found.gathered.left_out, *room.replay.missing)]
        teller = Teller({**two.events, **one.events}, others)
    if asked.as_json:
        summary = {"summary": _summary(compared, rooms), "sources": [one.file, two.file]}
        why = {} if compared.parting is None else {"parted": " ".join(_parted(compared.parting, teller))}
        click.echo(ascii_json({**summary, "parted": None, **why, **compared.to_dict()}, indent=1))
    else:
        _print(compared, teller, rooms, (first.call, second.call))
        click.echo(f"\n{_more(compared, first, second)}")
    wrong = not compared.agree or any(compared.otherwise)
    raise click.exceptions.Exit(1 if wrong else 3 if compared.unknown else 0)


def _read(asked: Asked, other: str) -> tuple[Asked, LoadedRoom, Asked, LoadedRoom]:
    """Read the two sources, each alone. One that does not give its room version has that of the other.

    Returns:
        For each, what to ask for, and the room.
    """
    first, second = asked.alone(asked.source), asked.alone(other)
    try:
        one = first.load()
    except NoVersion:
        two = second.load()
        first = replace(_same_room(first, two), version=two.version)
        return first, first.load(), _same_room(second, two), two
    first, second = _same_room(first, one), _same_room(second, one)
    try:
        return first, one, second, second.load()
    except NoVersion:
        second = replace(second, version=one.version)
        return first, one, second, second.load()


def _same_room(asked: Asked, loaded: LoadedRoom) -> Asked:
    return replace(asked, choice=asked.choice._replace(named=loaded.found.gathered.room_id))


def _side(loaded: LoadedRoom) -> Side:
    beliefs = loaded.beliefs
    state = None if beliefs is None or beliefs.partial else beliefs.state
    told = beliefs is None or beliefs.soft_failed is not None
    return Side(loaded.found, loaded.recorded, state, told)


def _summary(compared: Compared, rooms: tuple[LoadedRoom, LoadedRoom]) -> str:
    """Return the first paragraph: what differs, in numbers, and which server did not follow the rules."""
    told = [_difference(compared), *_outcomes(compared, rooms)]
    for name, ids in zip("AB", compared.otherwise, strict=True):
        if ids:
            events = counted(len(ids), "event", "events")
            told.append(f"The server of {name} decided {events} otherwise than the rules.")
    return " ".join(told)


def _difference(compared: Compared) -> str:
    all_same = compared.same == compared.common
    if compared.agree:
        state = compared.entries[0]
        which = "known entries" if any(compared.state_unknown) else "entries"
        known = "an unknown current state" if state is None else f"a current state of {state:,} {which}"
        events = counted(compared.common, "event", "events")
        known_part = " as far as they are known: parts are undecided" if compared.unknown else ""
        decisions = ", decisions," if all_same else ""
        return f"The sources agree{known_part}. They have the same {events}{decisions} and {known}."
    part = next((side for side in (0, 1) if _is_part(compared, side)), None)
    told = []
    if part is not None:
        whole = counted(compared.events[1 - part], "event", "events")
        told.append(f"it has {compared.common:,} of its {whole}")
        told += ["with the same outcomes"] if all_same and compared.common else []
    if compared.versions[0] != compared.versions[1]:
        told.append("the room version differs")
    for name, ids in zip("AB", compared.only, strict=True):
        if ids and part is None:
            are = "is" if len(ids) == 1 else "are"
            told.append(f"{counted(len(ids), 'event', 'events')} {are} only in {name}")
    for entries, what in ((compared.state, "current state"), (compared.recorded_state, "recorded state")):
        if entries:
            differ = "differs" if len(entries) == 1 else "differ"
            told.append(f"{counted(len(entries), 'entry', 'entries')} of the {what} {differ}")
    if any(compared.recorded_lost) and not compared.recorded_state:
        told.append("the recorded states differ")
    if compared.copies:
        have = "has" if len(compared.copies) == 1 else "have"
        told.append(
            f"{counted(len(compared.copies), 'event', 'events')} {have} other content, redacted or altered"
        )
    for name, ids in zip("AB", compared.dropped, strict=True):
        if ids:
            have = "has" if len(ids) == 1 else "have"
            told.append(f"{counted(len(ids), 'event', 'events')} of {name} {have} no valid copy there")
    if not told and compared.outcomes:
        one_sided = all(one.undecided_in for one in compared.outcomes)
        told.append("one leaves events undecided" if one_sided else "the outcomes of events differ")
    if not told:
        told.append("the forward extremities differ")
    if not compared.state and not any(compared.state_unknown):
        told.append("the current state is the same")
    head = "The sources differ" if part is None else f"{'AB'[part]} is a part of {'BA'[part]}"
    return f"{head}: {', '.join(told)}."


def _outcomes(compared: Compared, rooms: tuple[LoadedRoom, LoadedRoom]) -> list[str]:
    """Say of how many events of both sources the outcomes were compared, and with what result.

    Nothing is said if all are the same and the sentence before this one says so.
    """
    number, same = compared.common, compared.same
    said_before = compared.agree or any(_is_part(compared, side) for side in (0, 1))
    if not number or (same == number and said_before):
        return []
    different = [one for one in compared.outcomes if not one.undecided_in]
    parts = [(same, "has the same outcome", "have the same outcome")]
    parts.append((len(different), "has different outcomes", "have different outcomes"))
    for name in "AB":
        few, why = len(_undecided_in(compared, name)), _because(compared, rooms, name)
        parts.append((few, f"is undecided in {name}{why}", f"are undecided in {name}{why}"))
    parts.append((compared.open, "could not be compared", "could not be compared"))
    if number == 1:
        told = [f"The event of both {one}." for few, one, _ in parts if few]
    else:
        several = [f"{few:,} {one if few == 1 else more}" for few, one, more in parts if few]
        told = [f"Of the {number:,} events of both, {', '.join(several)}."]
    return [*told, "No known decision differs."] if compared.outcomes and not different else told


def _undecided_in(compared: Compared, name: str) -> list[OutcomeDiffers]:
    """Return the events that only one source, A or B, leaves undecided."""
    return [one for one in compared.outcomes if one.undecided_in == name]


def _because(compared: Compared, rooms: tuple[LoadedRoom, LoadedRoom], name: str) -> str:
    """Say that a source leaves events undecided because it lacks events of the other; empty if unsure.

    Searching for causes may cost a walk through the room for each event, so it is done for few events.
    """
    undecided, side = _undecided_in(compared, name), "AB".index(name)
    other_has, replay = frozenset(compared.only[1 - side]), rooms[side].replay
    if not 0 < len(undecided) <= _TRACED or any(one.event_id not in replay.outcomes for one in undecided):
        return ""
    behind = [replay.lacking(one.event_id) for one in undecided]
    if not all(behind) or not all(map(other_has.issuperset, behind)):
        return ""
    lacked = "an event" if len({*chain.from_iterable(behind)}) == 1 else "events"
    return f" because {name} lacks {lacked} of {'BA'[side]}"


def _is_part(compared: Compared, part: int) -> bool:
    """Tell whether one source has a part of the other's events, and decides none of them otherwise.

    Args:
        compared: how they differ.
        part: the one that may be a part: 0 for A, 1 for B.
    """
    return (
        compared.versions[0] == compared.versions[1]
        and bool(compared.only[1 - part])
        and not compared.only[part]
        and all(one.undecided_in == "AB"[part] for one in compared.outcomes)
    )


def _parted(parting: Parting, teller: Teller) -> list[str]:
    """Say where the sources part, and then, in a line for each, why the event has its outcome there."""
    sides = zip("AB", parting.sides, strict=bool(parting.sides))
    return [teller.fresh(parting.why), *(f"{name}: {teller.text(why)}" for name, why in sides)]


def _print(
    compared: Compared, teller: Teller, rooms: tuple[LoadedRoom, LoadedRoom], calls: tuple[str, str]
) -> None:
    out = console()
    print_lines([_summary(compared, rooms)], out)
    for name, room, number in zip("AB", rooms, compared.events, strict=True):
        version = few_words(room.version.identifier)
        events = counted(number, "event", "events")
        print_lines([f"  {name}: {few_words(room.file, _NAME)}, {events}, version {version}"], out)
    if compared.parting is not None:
        out.print(f"\nwhere they part: {compared.parting.part.value}", style="bold")
        lines = [f"  {one}" for one in _parted(compared.parting, teller)]
        print_lines([*lines, *_advice(compared.parting)], out)
        for call in _calls(compared.parting, calls):
            click.echo(call)
    _print_entries("current state", compared.state, teller)
    _print_entries("current state as recorded", compared.recorded_state or (), teller)
    for name, ids in zip("AB", compared.recorded_lost, strict=True):
        if ids:
            events = counted(len(ids), "event", "events")
            lines = [
                f"only {name} recorded {events} as state that neither source has:",
                *listed_ids(ids, _SHOWN),
            ]
            print_lines(["", *lines])
    if compared.open:
        events = counted(compared.open, "event of both is", "events of both are")
        print_lines(["", f"{events} undecided, or perhaps soft-failed, in a source: not compared"])
    for name, unknown in zip("AB", compared.state_unknown, strict=True):
        if unknown:
            print_lines(
                ["", f"the current state of {name} is unknown, or known in part: not all is compared"]
            )
    _print_outcomes("different outcomes", [one for one in compared.outcomes if not one.undecided_in], teller)
    for name in "AB":
        _print_outcomes(f"undecided in {name} only", _undecided_in(compared, name), teller)
    for name, ids in zip("AB", compared.only, strict=True):
        _print_events(f"only in {name}", ids, teller)
    _print_events("other content, redacted or altered in one source", compared.copies, teller)
    for name, ids in zip("AB", compared.dropped, strict=True):
        if ids:
            print_lines(["", f"only {name} has, without a valid copy:", *listed_ids(ids, _SHOWN)])
    for name, ends in zip("AB", compared.extremities or (), strict=False):
        _print_events(f"forward extremities only in {name}", ends, teller)


_ADVICE: Final = {
    Cause.MISSING: "To do: the other source has it. Read both as one room, as in the last line.",
    Cause.DROPPED: "To do: get a valid copy, or the key of its server: see `roomver keys`.",
    Cause.DECISION: "To do: the events before it differ, or the keys. Compare the checks of both sources:",
    Cause.ARRIVAL: "To do: compare what the current state was in each source when the event arrived:",
    Cause.UNDECIDED: "To do: add the events that a source lacks to it, with --also. These name them:",
    Cause.RECORDED: "To do: one of the servers did not follow the rules, or knew more. Compare the checks:",
    Cause.STATE: "To do: `roomver check` on each source compares its state with what its events give.",
}


def _advice(parting: Parting) -> list[str]:
    """Say what to do about the event at which the sources part."""
    return [f"  {_ADVICE[parting.part]}"]


def _calls(parting: Parting, calls: tuple[str, str]) -> list[str]:
    """Return the calls that explain an event in both sources, if they decide it otherwise."""
    event = None if parting.event_id is None or parting.lacks else call_text(parting.event_id)
    if event is None or parting.part in (Cause.MISSING, Cause.DROPPED, Cause.STATE):
        return []
    return [f"    roomver explain {call} {event}" for call in calls]


def _print_entries(title: str, entries: tuple[EntryDiffers, ...], teller: Teller) -> None:
    if not entries:
        return
    console().print(f"\n{title}: {counted(len(entries), 'entry differs', 'entries differ')}", style="bold")
    lines = []
    for one in entries[:_SHOWN]:
        lines.append(f"  {key_words(one.key)}")
        lines += [f"    A {_value(one.a, teller)}", f"    B {_value(one.b, teller)}"]
        if one.why:
            lines.append(f"    {teller.text(one.why)}")
    print_lines([*lines, *_rest(len(entries))])


def _print_outcomes(title: str, outcomes: list[OutcomeDiffers], teller: Teller) -> None:
    if not outcomes:
        return
    console().print(f"\n{title}: {counted(len(outcomes), 'event', 'events')}", style="bold")
    lines = []
    for one in outcomes[:_SHOWN]:
        lines.append(f"  {teller.event(one.event_id)}")
        lines.append(f"    A {one.outcome[0]}, B {one.outcome[1]}{_recorded(one.recorded)}")
    print_lines([*lines, *_rest(len(outcomes))])


def _print_events(title: str, event_ids: tuple[EventId, ...], teller: Teller) -> None:
    if not event_ids:
        return
    console().print(f"\n{title}: {counted(len(event_ids), 'event', 'events')}", style="bold")
    print_lines([*(f"  {teller.event(one)}" for one in event_ids[:_SHOWN]), *_rest(len(event_ids))])


def _rest(number: int) -> list[str]:
    return [f"  and {number - _SHOWN:,} more: --json lists all"] if number > _SHOWN else []


def _value(event_id: EventId | None, teller: Teller) -> str:
    return "no event" if event_id is None else teller.event(event_id)


def _recorded(recorded: tuple[str, str]) -> str:
    told = [f"{name} {did}" for name, did in zip("AB", recorded, strict=True) if did]
    return f"; the servers recorded: {', '.join(told)}" if told else ""


def _more(compared: Compared, first: Asked, second: Asked) -> str:
    """Return the one call that shows more."""
    parting = compared.parting
    one, two = first.call, second.call
    if parting is None and compared.otherwise[1] and not compared.otherwise[0]:
        one = two
    if parting is None or parting.event_id is None:
        return f"more: roomver check {one}"
    if parting.part is Cause.DROPPED:
        return f"more: roomver keys {one if parting.lacks == 'A' else two}"
    event = call_text(parting.event_id)
    if parting.lacks or event is None:
        lacking, also = (one, second.source) if parting.lacks == "A" else (two, first.source)
        return f"more: roomver check {lacking} --also {call_name(also)}"
    return f"more: roomver explain {one} {event}"
