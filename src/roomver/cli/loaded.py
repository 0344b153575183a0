"""A room in memory, as the commands need it that look at more than one event at a time."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..check import check_event, unreadable, usable
from ..event import Event
from ..readers import Header, InputError, Place, read_room
from ..replay import Replay, replay_room
from ..types import EventId, StateKey
from ..versions import RoomVersion
from .common import console, display_name, opened
from .wording import missing_lines, printable

_LONG = 20_000  # events that take some seconds

T = TypeVar("T")


@dataclass(slots=True)
class LoadedRoom:
    """The usable events of a room.

    Attributes:
        file: as it is called in messages.
        events: by ID, in the order of the file.
        left_out: events that a server would drop: malformed, or not what they are said to be.
        given, current: the state before an event, or the current one, where the input is an answer of a
            server that gives it.
    """

    file: str
    version: RoomVersion
    header: Header | None
    events: dict[EventId, Event] = field(default_factory=dict)
    left_out: int = 0
    given: dict[EventId, dict[StateKey, EventId]] = field(default_factory=dict)
    current: dict[StateKey, EventId] | None = None

    def event(self, event_id: EventId) -> Event:
        """Return an event by its ID, or by a beginning of it that no other has.

        Raises:
            InputError: if there is none, or more than one.
        """
        if event_id in self.events:
            return self.events[event_id]
        found = [event for known, event in self.events.items() if known.startswith(event_id)]
        if len(found) == 1:
            return found[0]
        many = f"{len(found)} events begin with" if found else "there is no event"
        raise InputError(self.file, f"{many} {event_id}")

    def replayed(self) -> Replay:
        """Replay the room, with a progress bar if it is long; say what was left out."""
        if self.left_out:
            events = "1 event is" if self.left_out == 1 else f"{self.left_out:,} events are"
            click.echo(f"roomver: {self.file}: {events} left out: see `roomver check`", err=True)
        with progress_of("replay", len(self.events)) as tell:
            return replay_room(self.events.values(), given=self.given, current=self.current, progress=tell)

    def say_missing(self, replayed: Replay, what: str, event_id: EventId | None) -> None:
        """Say that something is not known of an event, or for None of the current state, and for lack of
        what."""
        lacks = missing_lines(replayed, replayed.lacking(event_id))
        click.echo(printable(f"roomver: {self.file}: {what} is not known, for lack of"), err=True)
        for line in lacks:
            click.echo(printable(line), err=True)


class Answer:
    """Gathers the state that an answer of a server gives: to a join, or to a request for a state."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._lists: dict[str, list[Event]] = {}
        self._joined: EventId | None = None

    def add(self, place: Place, event: Event) -> None:
        """Take an event at its place in the document."""
        name = place.path.partition("[")[0]
        if name in {"state", "pdus", "auth_chain"}:
            self._lists.setdefault(name, []).append(event)
        elif name == "event":
            self._joined = event.event_id

    def states(self) -> tuple[dict[EventId, dict[StateKey, EventId]], dict[StateKey, EventId] | None]:
        """Return the state before the event that the answer hands back, by that event, and the current
        state where it hands back none.

        Raises:
            InputError: if it is no state of a room.
        """
        # `state` and `auth_chain` answer a join, `pdus` and `auth_chain` a request for a state.
        listed = self._lists.get("state")
        if listed is None and "auth_chain" in self._lists:
            listed = self._lists.get("pdus")
        if listed is None:
            return {}, None
        state: dict[StateKey, EventId] = {}
        for event in listed:
            if event.state_key is None:
                raise InputError(self._file, f"{event.event_id} is no state event: it is no state of a room")
            key = (event.type, event.state_key)
            if state.setdefault(key, event.event_id) != event.event_id:
                raise InputError(self._file, f"two events for {key[0]} {key[1]!r}: it is no state of a room")
        return ({}, state) if self._joined is None else ({self._joined: state}, None)


def load_room(file: str, version: RoomVersion | None) -> LoadedRoom:
    """Read a whole room. Signatures are not checked; an event whose content hash does not cover its
    content is taken in its redacted form, as servers do."""
    with opened(file) as stream:
        room = read_room(stream, display_name(file), version)
        loaded = LoadedRoom(display_name(file), room.version, room.header)
        answer = Answer(loaded.file)
        first = ""
        for entry in room.entries:
            if entry.error is None:
                check = check_event(entry.pdu, room.version, claimed_id=entry.claimed_id)
            else:
                check = unreadable(entry.error)
            event = usable(check)
            if event is None:
                first = first or f"{entry.place}: {check.findings[0].reasons[0]}"
                loaded.left_out += 1
                continue
            loaded.events.setdefault(event.event_id, event)
            answer.add(entry.place, event)
        loaded.given, loaded.current = answer.states()
    if not loaded.events:
        raise InputError(loaded.file, f"there is no usable event in it{first and f' ({first})'}")
    return loaded


@contextmanager
def progress_of(what: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """Show how far long work is, on a terminal; hand on what is to be called with the number done."""
    if not sys.stderr.isatty() or total < _LONG:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
