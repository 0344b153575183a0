"""``roomver shrink``: the smallest room in which something is still so."""

import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Final

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ..entry import Entry, Place
from ..errors import RoomverError, counted
from ..event import Event
from ..explain.cutting import signed_anew
from ..explain.judged import judge
from ..explain.shrinking import (
    STATUSES,
    AlgorithmsDiffer,
    BadPredicate,
    Predicate,
    ResetHappens,
    Shrunk,
    SourcesDiffer,
    VerdictIs,
    replayed,
    rule_of,
    shrink,
)
from ..readers import InputError
from ..recording import Recording, recording_lines
from ..replay.order import find_missing
from ..rules import RULES
from ..types import EventId, JsonObject
from ..versions import StateResolution
from .asked import Asked, room_command
from .common import call_name, console, example
from .escaped import call_word
from .heard import say
from .loaded import LoadedRoom
from .vectors.implementation import Implementation
from .vectors.meeting import ImplementationDiffers
from .written import written

_MORE: Final = "Add a source that has them with --also"
_ALGORITHMS: Final = tuple(one.value for one in StateResolution)
_FORMS: Final = (
    "'verdict EVENT OUTCOME [RULE]', 'algorithms v2 v2.1', 'reset [TYPE [KEY]]', 'sources', or"
    " 'implementation COMMAND'"
)


@click.command(
    "shrink",
    short_help="Find the smallest room in which something is still so.",
    epilog=example(
        "roomver shrink room.jsonl --keep 'verdict $eventid soft-failed' -o small.jsonl\n"
        "roomver shrink room.jsonl --keep 'reset m.room.member' -o small.jsonl\n"
        "roomver shrink room.jsonl --keep 'algorithms v2 v2.1' -o small.jsonl\n"
        "roomver shrink mine.db '!roomid' --also theirs.jsonl --keep sources -o small.jsonl\n"
        "roomver shrink room.jsonl --keep 'implementation ./adapter' -o small.jsonl"
    ),
)
@room_command(with_json=False)
@click.option(
    "--keep",
    metavar="PREDICATE",
    required=True,
    help=f"What must stay so: {_FORMS}. OUTCOME is {', '.join(STATUSES[:-1])} or {STATUSES[-1]}; RULE is the"
    " name of the rule that decides. With 'sources', the source and the one of --also come to different"
    " current states. With 'implementation', a program that speaks the protocol of the vectors resolves a"
    " merge of the room otherwise than roomver.",
)
@click.option("-o", "--output", metavar="FILE", default="-", help="Where to write the room: a recording.")
@click.option("--force", is_flag=True, help="Replace the output if it exists.")
@click.option(
    "--minutes",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    help="Write the smallest room found after this time.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="With 'implementation': how long to wait for an answer.",
)
def shrink_command(
    asked: Asked, keep: str, output: str, force: bool, minutes: float | None, timeout: float
) -> None:
    """Find the smallest room in which something is still so, and write it as a recording.

    Events are cut out: in halves, then in smaller parts, until no single event can go. An event that cited a
    cut one cites what that one followed instead, so it gets a new hash and ID. All events are signed anew,
    with made-up keys that the recording has. Their content stays as it is: `roomver record --anonymise`
    changes that. Undecided events are cut like others; events that a server drops are left out at once.

    Exit code: 0 written, 2 usage error, unreadable file, or the predicate does not hold for the room.
    """
    with ExitStack() as stack:
        loaded, make = _parse(keep, asked, timeout)
        predicate = make(stack)
        end = None if minutes is None else monotonic() + 60 * minutes
        events = _events_of(loaded)
        try:
            with _progress() as tell:

                def go_on(left: int, tried: int) -> bool:
                    tell(left, tried)
                    return end is None or monotonic() < end

                found = shrink(events, predicate, go_on=go_on)
        except InputError:
            raise
        except BadPredicate as error:
            raise InputError(loaded[0].file, f"{error}{_why_not(predicate, loaded[0], asked)}") from None
        except RoomverError as error:
            raise InputError(loaded[0].file, str(error)) from None
        sources = [asked.source, *asked.more_files]
        with written(output, sources, force=force) as out:
            for line in recording_lines(_recording(found, loaded[0])):
                out.write(line)
    ended = "" if found.complete else "; it may not be the smallest: the time is over"
    left = len(found.cut.events)
    before, tries = counted(found.before, "event", "events"), counted(found.tried, "try", "tries")
    are = "is" if left == 1 else "are"
    say(f"roomver: of {before}, {left:,} {are} left after {tries}{ended}")
    if isinstance(predicate, VerdictIs):
        say(f"roomver: {predicate.event_id} is now {found.cut.names[predicate.event_id]}")
    if output != "-":
        for call in _next_calls(predicate, found, call_name(output)):
            click.echo(f"roomver: {call}", err=True)


def _why_not(predicate: Predicate, loaded: LoadedRoom, asked: Asked) -> str:
    """Say why a predicate does not hold: it is not so, or `shrink` cannot know it from the events alone."""
    gaps = find_missing(loaded.events)
    if not isinstance(predicate, VerdictIs):
        return f". {_alone(gaps)}. {_MORE}" if gaps else ""
    event_id = predicate.event_id
    if not predicate.is_so(loaded.replay, event_id):
        rule = predicate.rule and rule_of(loaded.replay, event_id)
        return f": {event_id} is {judge(loaded.replay, event_id).value}{f' ({rule})' if rule else ''}"
    more = f"{_MORE}, or make" if gaps else "Make"
    call = f"roomver vectors capture {asked.of(loaded).call} {call_word(event_id)} -o case.json"
    return f". {_alone(gaps)}. {more} a test vector of the event: {call}"


def _alone(gaps: Collection[EventId]) -> str:
    missing = counted(len(gaps), "event is", "events are")
    gap = f"The history of the room has gaps ({missing} missing), and " if gaps else ""
    return f"{gap}`shrink` judges by the events alone, without states, decisions or signatures of a server"


def _next_calls(predicate: Predicate, found: Shrunk, file: str) -> Iterator[str]:
    """Yield what to call next, each with the IDs that the events have now."""
    yield f"to look at it: roomver check {file}"
    if isinstance(predicate, VerdictIs):
        event_id = call_word(found.cut.names[predicate.event_id])
        yield f"to explain it: roomver explain {file} {event_id}"
        yield f"to make a test vector of it: roomver vectors capture {file} {event_id} -o case.json"
    if isinstance(predicate, ResetHappens):
        merge = next(
            one.merge for one in replayed(found.cut, soft_failure=False).resets() if predicate.is_of(one)
        )
        at = "" if merge is None else f" {call_word(merge)}"
        yield f"to explain it: roomver resets {file}"
        yield f"to make a test vector of it: roomver vectors capture {file}{at} --merge -o case.json"


def _events_of(loaded: Sequence[LoadedRoom]) -> list[Event]:
    """Return the events of the rooms, each once: those of the first come first."""
    events: dict[EventId, Event] = {}
    for room in loaded:
        for event_id in room.events:
            if event_id in room.replay.events:
                events.setdefault(event_id, room.replay.events[event_id])
    return [*events.values()]


def _recording(found: Shrunk, loaded: LoadedRoom) -> Recording:
    events, keys = signed_anew(found.cut)
    entries = [Entry(Place(None, ""), event.event_id, event.pdu) for event in events]
    gathered = loaded.found.gathered
    fields: JsonObject = {} if gathered.in_order else {"in_order": False}
    return Recording(loaded.version, entries, gathered.room_id, keys, fields=fields)


def _parse(
    keep: str, asked: Asked, timeout: float
) -> tuple[list[LoadedRoom], Callable[[ExitStack], Predicate]]:
    """Return the rooms to shrink, and what makes the predicate."""
    try:
        words = shlex.split(keep)
    except ValueError as error:
        raise click.BadParameter(f"{error}: expected {_FORMS}", param_hint="--keep") from None
    match words:
        case ["verdict", event, str(status), *rest] if status in STATUSES and len(rest) <= 1:
            loaded = asked.load(event)
            rule = _rule(rest[0]) if rest else None
            verdict = VerdictIs(loaded.event(event).event_id, status, rule)
            return [loaded], lambda _: verdict
        case ["algorithms", one, other] if one in _ALGORITHMS and other in _ALGORITHMS:
            differ = AlgorithmsDiffer(StateResolution(one), StateResolution(other))
            return [asked.load()], lambda _: differ
        case ["reset", *rest] if len(rest) <= 2:
            kind, key, *_ = (*rest, None, None)
            reset = ResetHappens(kind, key)
            return [asked.load()], lambda _: reset
        case ["sources"]:
            if len(asked.more_files) != 1:
                raise click.UsageError("--keep sources compares SOURCE with one --also: give that")
            rooms = [asked.alone(name).load() for name in (asked.source, *asked.more_files)]
            ids = [frozenset(room.events) for room in rooms]
            return rooms, lambda _: SourcesDiffer(*ids)
        case ["implementation", command]:
            return [asked.load()], lambda stack: ImplementationDiffers(
                stack.enter_context(Implementation(command, timeout))
            )
    raise click.BadParameter(f"expected {_FORMS}", param_hint="--keep")


def _rule(name: str) -> str:
    if name not in RULES:
        raise click.BadParameter(
            f"{name!r} is not the name of a rule: `roomver rules` lists them", param_hint="--keep"
        )
    return name


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Show how far the search is, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda left, tried: None
        return
    text = TextColumn("{task.fields[left]:,} events left, {task.fields[tried]:,} tries")
    columns = (SpinnerColumn(), text, TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("", left=0, tried=0)
        yield lambda left, tried: progress.update(task, left=left, tried=tried)
