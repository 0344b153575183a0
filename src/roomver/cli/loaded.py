"""A room in memory, as the commands need it that look at more than one event at a time."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..check import check_event
from ..event import Event
from ..readers import Header, InputError, Place, read_room
from ..replay import Replay, replay
from ..room_check import usable
from ..types import EventId, StateKey
from ..versions import RoomVersion
from .common import console, display_name, opened

_LONG = 20_000  # events that take some seconds

T = TypeVar("T")


@dataclass(slots=True)
class LoadedRoom:
    """The usable events of a room.

    Attributes:
        file: as it is called in messages.
        events: by ID, in the order of the file.
        left_out: events that a server would drop: malformed, or not what they are said to be.
        given: the state before an event, where the input gives it: an answer to a join.
    """

    file: str
    version: RoomVersion
    header: Header | None
    events: dict[EventId, Event] = field(default_factory=dict)
    left_out: int = 0
    given: dict[EventId, dict[StateKey, EventId]] = field(default_factory=dict)

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
            click.echo(
                f"roomver: {self.file}: {self.left_out} events are left out: see `roomver check`", err=True
            )
        with progress_of("replay", len(self.events)) as tell:
            return replay(self.events.values(), given=self.given, progress=tell)


class JoinAnswer:
    """Gathers from an answer to a join the state that it gives.

    Attributes:
        given: the state before the event that the answer hands back, by that event.
    """

    def __init__(self) -> None:
        self._state: dict[StateKey, EventId] = {}
        self.given: dict[EventId, dict[StateKey, EventId]] = {}

    def add(self, place: Place, event: Event) -> None:
        """Take an event at its place in the document."""
        if place.path.startswith("state[") and event.state_key is not None:
            self._state[(event.type, event.state_key)] = event.event_id
        elif place.path == "event" and self._state:
            self.given[event.event_id] = self._state


def load_room(file: str, version: RoomVersion | None) -> LoadedRoom:
    """Read a whole room. Signatures are not checked; an event whose content hash does not cover its
    content is taken in its redacted form, as servers do."""
    with opened(file) as stream:
        room = read_room(stream, display_name(file), version)
        loaded = LoadedRoom(display_name(file), room.version, room.header)
        answer = JoinAnswer()
        for entry in room.entries:
            event = None
            if entry.error is None:
                event = usable(check_event(entry.pdu, room.version, claimed_id=entry.claimed_id))
            if event is None:
                loaded.left_out += 1
                continue
            loaded.events.setdefault(event.event_id, event)
            answer.add(entry.place, event)
        loaded.given = answer.given
    if not loaded.events:
        raise InputError(loaded.file, "there is no usable event in it")
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
