"""A room that has been read and checked, for the commands that look at more than one event."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TypeAlias

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..claims import disputed_text
from ..contributions import DifferenceKind
from ..entry import NO_SOURCE, Entry, Place
from ..errors import SHOWN, Lack, MissingEvents, RoomverError, UnknownState, counted
from ..event import Event
from ..findings import EventCheck, Finding, Summary
from ..gathering import Gathered, gather_events
from ..identifiers import is_chosen_event_id
from ..keys import KeyRing
from ..readers import InputError, Room, fit_entry
from ..readers.several import NEVER_CAME, nearest_text
from ..replay import Replay, Status
from ..room_check import Beliefs, RoomCheck, check_room
from ..state import Unknown, lack_of
from ..types import EventId
from ..undecided import is_contradiction, lack_behind
from ..versions import EventIdForm, RoomVersion
from .common import QUOTE_IDS, add_room_keys, console, display_name, joint_name
from .escaped import printable
from .guidance import cut_id, id_hint
from .lacking import NO_STATES, advice_for, follows_server, missing_lines, missing_words
from .merged import tell_contradictions, tell_other_rooms
from .sources import ANY_ROOM, Choice, check_is_room, opened_room
from .unknown_checks import doubt_lines, signature_lines

_ADDED = "the event"  # what `Place.file` is for an event that was added
_HASHED_ID = re.compile("[$][A-Za-z0-9+/_-]{43}")
_LONG = 20_000  # this many events take a few seconds

ReplayProgress: TypeAlias = Callable[[int, int], None]
"""Takes the number of events replayed, and the total."""


@dataclass(slots=True)
class LoadedRoom:
    """A room that was read from a file, and the result of checking it.

    Attributes:
        file: what messages call it.
        found: the events, the replay and the findings.
        added: the check, by itself, of the event that was added to the file's events.
        beliefs: what the room's server decided; None if the source does not say.
        of_database: whether the first source is a server's database.
    """

    file: str
    found: RoomCheck
    added: EventCheck | None = None
    beliefs: Beliefs | None = None
    of_database: bool = False

    def recorded(self, event_id: EventId) -> str:
        """Return what the room's server did with an event: ``accepted``, ``rejected`` or ``soft-failed``.

        Empty if the source does not say.
        """
        held, place = self.beliefs, self.found.gathered.places[event_id]
        if held is None or held.rejected is None or not held.speak_of(place, event_id):
            return ""
        softly = held.soft_failed is not None and event_id in held.soft_failed
        return "rejected" if event_id in held.rejected else "soft-failed" if softly else "accepted"

    @property
    def events(self) -> dict[EventId, Event]:
        """The usable events by ID, in the order of the file."""
        return self.found.gathered.events

    @property
    def version(self) -> RoomVersion:
        """The room version."""
        return self.found.gathered.version

    @property
    def replay(self) -> Replay:
        """The room, replayed."""
        return self.found.replay

    def event(self, event_id: EventId) -> Event:
        """Return an event by its ID, or by a unique prefix of it.

        Raises:
            InputError: if no event has it, or more than one.
            MissingEvents: if it is the ID of a missing event that others cite.
        """
        found = self.find(event_id)
        if isinstance(found, Event):
            if found.event_id not in self.found.dropped:
                return found
            found = found.event_id, self.found.dropped[found.event_id].finding  # it is of another room
        left_out, finding = found
        raise InputError(self.file, f"{left_out} is left out: {finding.reasons[0]}")

    def find(self, event_id: EventId) -> Event | tuple[EventId, Finding]:
        """Return an event by its ID or a unique prefix; for one that is left out, its ID and the finding.

        Raises:
            InputError: if no event has it, or more than one.
            MissingEvents: if it is the ID of a missing event that others cite.
        """
        left_out = self.found.gathered.left_out
        if event_id in self.events:
            return self.events[event_id]
        if event_id in left_out:
            return event_id, left_out[event_id]
        if not event_id:
            raise InputError(self.file, f"the event ID is empty; {QUOTE_IDS}")
        ids = chain(self.events, left_out, self.replay.missing)
        found = {known for known in ids if known.startswith(event_id)}
        if len(found) > 1:
            raise InputError(self.file, f"{len(found)} event IDs start with {event_id}")
        if not found:
            if cut := self.cut_id(event_id):
                raise InputError(self.file, f"no event ID is or starts with {event_id}; {cut}")
            is_id = event_id.startswith("$") and not event_id.startswith("$$")
            hint = self._why_absent(event_id) if is_id else f"; {id_hint(event_id)}"
            raise InputError(self.file, f"no event ID is or starts with {event_id}{hint}")
        (known,) = found
        if known in self.events:
            return self.events[known]
        if known in left_out:
            return known, left_out[known]
        raise MissingEvents([known], self.file)

    def _why_absent(self, event_id: EventId) -> str:
        """Say what it can mean that no event has an ID, and name the nearest one."""
        near = nearest_text(event_id, chain(self.events, self.found.gathered.left_out))
        return f": {NEVER_CAME}{near}" if self.of_database else near

    def cut_id(self, text: str) -> str | None:
        """Say that a text is the end of an event ID of the room; None if it is not the end of exactly one."""
        return cut_id(text, chain(self.events, self.found.gathered.left_out, self.replay.missing))

    def may_lack(self, event_id: EventId) -> bool:
        """Tell whether a text is a complete event ID that no usable event has, rather than the beginning of
        one or a slip."""
        if event_id in self.events:
            return False
        if self.version.event_id_form is EventIdForm.CHOSEN:
            return is_chosen_event_id(event_id)
        return _HASHED_ID.fullmatch(event_id) is not None

    def say_missing(self, what: str, event_id: EventId | None) -> None:
        """Say what is unknown about an event (None: the current state), and which events are missing."""
        too_many = event_id is None and self.replay.too_many_states
        lack = None if too_many else Lack.STATE
        self.say(f"{what} is unknown", self.replay.lacking(event_id), lack)
        self.say_lines(f"  behind it: {one}" for one in self.contradictions_behind(event_id)[:SHOWN])

    def say_in_part(self, what: str, event_id: EventId | None, unknown: Sequence[Unknown]) -> None:
        """Say which part of a state is unknown, and what would tell."""
        parts = "; ".join(map(str, unknown))
        lack = self.lack_behind(lack_of(unknown), event_id)
        self.say(f"{what} is known in part. Unknown: {parts}", self.replay.lacking(event_id), lack)
        self.say_lines(f"  behind it: {one}" for one in self.contradictions_behind(event_id)[:SHOWN])

    def lack_behind(self, lack: Lack, event_id: EventId | None = None, *, at_arrival: bool = False) -> Lack:
        """Return what would tell the unknown entries of a state, and what is behind them.

        Args:
            lack: what would tell the entries alone.
            event_id, at_arrival: as in `Replay.unknown_behind`.
        """
        behind = self.replay.unknown_behind(event_id, at_arrival=at_arrival)
        return lack_behind(self.found.gathered, lack, behind)

    def contradictions_behind(self, event_id: EventId | None, *, at_arrival: bool = False) -> list[str]:
        """Return, in words, the contradictions between sources that leave an event or a state undecided.

        Args:
            event_id: the event; None for the current state.
            at_arrival: those that leave its check against the current state unknown.
        """
        unknown = self.replay.unknown_behind(event_id, at_arrival=at_arrival)
        found = [str(one) for one in unknown if is_contradiction(one)]
        if event_id is None:
            return found
        outcomes, todo, chain = self.replay.outcomes, [event_id], {event_id}
        while todo:
            more = {one for one in self.events[todo.pop()].auth_event_ids if one in self.events} - chain
            chain |= more
            todo += more
        disputed = [
            one.event_id
            for one in self.found.gathered.differences
            if one.kind is DifferenceKind.REJECTED and one.event_id in chain
        ]
        undecided = [e for e in disputed if e in outcomes and outcomes[e].status is Status.UNDECIDED]
        return found + ([disputed_text(undecided)] if undecided else [])

    def say_lines(self, lines: Iterable[str]) -> None:
        """Say lines on standard error. An indented one belongs to the line before it."""
        for line in lines:
            click.echo(printable(line if line.startswith(" ") else f"roomver: {self.file}: {line}"), err=True)

    def say(self, text: str, missing: Sequence[EventId], lack: Lack | None) -> None:
        """Say something on standard error, with the missing events behind it.

        Args:
            text: what to say.
            missing: the missing events; if there are none, a given state that is known in part is behind it.
            lack: what would tell the rest of that state; None if it is not behind it either. With missing
                events, only a contradiction is told.
        """
        words = f"; {missing_words(missing, self.found.dropped)}:" if missing else ""
        lines = missing_lines(self.found, missing)
        if missing and follows_server(self.replay):
            lines.append(f"  {NO_STATES}")
        if lack is not None and (not missing or lack is Lack.AGREEMENT):
            lines.append(f"  {advice_for(lack)}")
        for line in [f"roomver: {self.file}: {text}{words}", *lines]:
            click.echo(printable(line), err=True)


def load_room(  # noqa: PLR0913 - the last two are options by keyword
    file: str,
    version: RoomVersion | None,
    keys: KeyRing | None,
    more_files: Sequence[str] = (),
    added: Entry | None = None,
    *,
    as_recorded: bool = False,
    algorithm: str | None = None,
    unhashed: bool = False,
    choice: Choice = ANY_ROOM,
) -> LoadedRoom:
    """Read, check and replay a room, and report on standard error what was left out or not checked.

    Args:
        file: to read; ``-`` is standard input. It may also be a database.
        version: the room version, if the file does not give it.
        keys: in addition to those in the files; None to skip signatures.
        more_files: with more events of the room.
        added: an event to judge as the last one of the room.
        as_recorded: accept and reject events as the header says.
        algorithm: to resolve states with instead of the room version's.
        unhashed: take the events and their IDs as given.
        choice: which room to read, and how to read a database.

    Raises:
        InputError: if a file cannot be read as a room, if it is another room, or if no event of it is usable.
    """
    with opened_room([file, *more_files], version, choice) as room:
        tell_notes(room)
        entries = room.entries
        last: Entry | None = None
        if added is not None:
            # The ID that the file gives is compared where the event is read.
            place = Place(None, "", _ADDED)
            last = Entry(place, None, fit_entry(added, room.version).pdu, source=NO_SOURCE)
            entries = chain(entries, (last,))
        checks: list[EventCheck] = []

        def keep_added(entry: Entry, check: EventCheck) -> None:
            if entry is last:
                checks.append(check)

        name = display_name(file)
        all_keys = add_room_keys(keys, room.keys)
        beliefs = recorded_beliefs(room, name, as_recorded=as_recorded)
        try:
            with replay_progress("replay") as progress:
                found = check_room(
                    entries,
                    room.version,
                    keys=all_keys,
                    beliefs=beliefs,
                    as_recorded=as_recorded,
                    algorithm=algorithm,
                    origins=room.origins,
                    room_id=room.wanted,
                    unhashed=unhashed,
                    on_check=keep_added,
                    progress=progress,
                )
        except (InputError, MissingEvents, UnknownState):
            raise
        except RoomverError as error:
            raise InputError(joint_name(file, more_files), str(error)) from None
        check_is_room(name, found, choice.room_id(room))
    _tell_of_dropped(name, found.gathered, found.summary, None if unhashed else all_keys)
    tell_other_rooms(found.gathered)
    tell_contradictions(found.gathered, [file, *more_files], choice)
    if not unhashed:
        _tell_of_signatures(name, found.summary, all_keys, database=room.database != "")
    if beliefs is not None:
        beliefs = found.gathered.narrowed(beliefs)
    return LoadedRoom(name, found, checks[0] if checks else None, beliefs, room.database != "")


def tell_notes(room: Room) -> None:
    """Say on standard error what the reader did not read."""
    for note in room.notes:
        click.echo(printable(f"roomver: {note}"), err=True)


def recorded_beliefs(room: Room, name: str, *, as_recorded: bool) -> Beliefs | None:
    """Return what the source says that its server decided; None if it does not say.

    Raises:
        InputError: if the decisions are to be followed and the file does not have them.
    """
    beliefs = room.beliefs
    if beliefs is not None:
        beliefs = replace(beliefs, others=beliefs.others | {_ADDED})
    if as_recorded and (beliefs is None or beliefs.rejected is None):
        reason = "there is no header that says"
        if beliefs is not None:
            reason = 'the header has no field "rejected", which says'
        raise InputError(name, f"{reason} which events were rejected, so --as-recorded has nothing to follow")
    return beliefs


def load_events(
    file: str, version: RoomVersion | None, keys: KeyRing | None, more_files: Sequence[str] = ()
) -> tuple[Gathered, KeyRing | None]:
    """Read the events of a file and others, each checked by itself. Arguments are those of `load_room`.

    Returns:
        The events, and the keys joined with those in the files.

    Raises:
        InputError: if a file cannot be read as events, or none of them is usable.
    """
    with opened_room([file, *more_files], version, may_mix=True) as room:
        if any(part.database for part in room.parts):
            raise InputError(display_name(file), "a database is not one state: judge the event with --room")
        all_keys = add_room_keys(keys, room.keys)
        tell_notes(room)
        gathered = gather_events(
            room.entries,
            room.version,
            keys=all_keys,
            origins=room.origins,
            room_id=room.wanted,
        )
    name = display_name(file)
    summary, whole = Summary(), Summary()
    for event_id, check in gathered.checks.items():
        summary.add(check, gathered.findings_of_copies(event_id))
    for one in (gathered.summary, summary):
        whole.merge(one)
    _tell_of_dropped(name, gathered, whole, all_keys)
    tell_other_rooms(gathered)
    tell_contradictions(gathered, [file, *more_files], ANY_ROOM)
    _tell_of_signatures(name, summary, all_keys)
    return gathered, all_keys


def _tell_of_dropped(name: str, gathered: Gathered, summary: Summary, keys: KeyRing | None) -> None:
    for line in doubt_lines(summary, keys):
        click.echo(f"roomver: {name}: {line}", err=True)
    if not gathered.events:
        first = ""
        if gathered.first_dropped is not None:
            place, finding = gathered.first_dropped
            first = f" ({place}: {finding.reasons[0]})"
        raise InputError(name, f"it has no usable event{first}")
    if gathered.dropped:
        events = counted(gathered.dropped, "event is", "events are")
        click.echo(f"roomver: {name}: {events} left out: see `roomver check`", err=True)
        for event_id, finding in islice(gathered.left_out.items(), SHOWN):
            place = gathered.left_out_at[event_id]
            click.echo(printable(f"  {event_id}: {finding.reasons[0]} ({place})"), err=True)
        if len(gathered.left_out) > SHOWN:
            click.echo(f"  and {len(gathered.left_out) - SHOWN:,} more", err=True)


def _tell_of_signatures(name: str, summary: Summary, keys: KeyRing | None, *, database: bool = False) -> None:
    for line in signature_lines(summary, keys, brief=True, database=database):
        click.echo(f"roomver: {name}: {line}", err=True)


@contextmanager
def replay_progress(what: str) -> Iterator[ReplayProgress | None]:
    """Show the progress of a replay, on a terminal and for a long room; yield what to call."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None, visible=False)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, visible=total >= _LONG)

        yield tell
