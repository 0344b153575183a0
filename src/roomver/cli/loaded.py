"""A room that has been read and checked, for the commands that look at more than one event."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import chain
from operator import methodcaller
from typing import Final

from ..claims import disputed_text
from ..contributions import DifferenceKind
from ..errors import SHOWN, Lack, MissingEvents
from ..event import Event
from ..findings import EventCheck, Finding
from ..identifiers import is_chosen_event_id
from ..keys import KeyRing
from ..readers import InputError
from ..readers.several import NEVER_CAME, QUOTE_IDS, nearest_text
from ..replay import Replay, Status
from ..room_check import Beliefs, RoomCheck
from ..state import Unknown, lack_of
from ..types import EventId
from ..undecided import is_contradiction, lack_behind
from ..versions import EventIdForm, RoomVersion
from .escaped import printable
from .guidance import cut_id, id_hint
from .heard import say
from .lacking import NO_STATES, advice_for, follows_server, missing_lines, missing_words

_LIKE: Final = 3  # event IDs with one beginning that a message names
ADDED: Final = "the event"  # what `Place.file` is for an event that was added
_HASHED_ID = re.compile("[$][A-Za-z0-9+/_-]{43}")


@dataclass(slots=True)
class LoadedRoom:
    """A room that was read from a file, and the result of checking it.

    Attributes:
        file: what messages call it.
        found: the events, the replay and the findings.
        added: the check, by itself, of the event that was added to the file's events.
        beliefs: what the room's server decided; None if the source does not say.
        of_database: whether the first source is a server's database.
        lacked: the events that were asked for, and that a source names and lacks.
        keys: what signatures were checked with; None if they were not.
        unsigned: the events that were dropped for their signatures, each with its check.
        recorded_in: what messages call the source that has `beliefs`; empty if there are none.
    """

    file: str
    found: RoomCheck
    added: EventCheck | None = None
    beliefs: Beliefs | None = None
    of_database: bool = False
    lacked: Sequence[EventId] = ()
    keys: KeyRing | None = None
    unsigned: Sequence[tuple[Event, EventCheck]] = ()
    recorded_in: str = ""

    def recorded(self, event_id: EventId) -> str:
        """Return what the room's server did with an event: ``accepted``, ``rejected`` or ``soft-failed``.

        Empty if the source does not say.
        """
        gathered, held = self.found.gathered, self.beliefs
        if held is None or held.rejected is None:
            return ""
        place = gathered.left_out_at.get(event_id) or gathered.places[event_id]
        if not held.speak_of(place, event_id):
            return ""
        if held.soft_failed is None and event_id in self.replay.soft_failed:
            return "rejected" if event_id in held.rejected else ""  # it may have soft-failed it too
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

    def names(self, event_id: EventId | None) -> bool:
        """Tell whether an event of the input has an ID or begins with it; None is named."""
        if event_id is None or event_id in self.events:
            return True
        return next(_starting(event_id, chain(self.events, self.found.gathered.left_out)), None) is not None

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
        ids = chain(self.events, left_out, self.replay.missing, self.lacked)
        found = {*_starting(event_id, ids)}
        if len(found) > 1:
            few = ", ".join(nsmallest(_LIKE, found)) + (", …" if len(found) > _LIKE else "")
            raise InputError(self.file, f"{len(found):,} event IDs start with {event_id}: {few}")
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
        known = chain(self.events, self.found.gathered.left_out)
        return f"{f': {NEVER_CAME}' * self.of_database}{nearest_text(event_id, known)}"

    def cut_id(self, text: str) -> str | None:
        """Say that a text is the end of an event ID of the room; None if it is not the end of exactly one."""
        return cut_id(text, chain(self.events, self.found.gathered.left_out, self.replay.missing))

    def may_lack(self, event_id: EventId) -> bool:
        """Tell whether a text is a complete event ID, not the beginning of one, that no usable event has."""
        if event_id in self.events:
            return False
        if self.version.event_id_form is EventIdForm.CHOSEN:
            return is_chosen_event_id(event_id)
        return _HASHED_ID.fullmatch(event_id) is not None

    def say_missing(self, what: str, event_id: EventId | None) -> None:
        """Say what is unknown about an event (None: the current state), and which events are missing."""
        lack = None if event_id is None and self.replay.too_many_states else Lack.STATE
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
            say(printable(line if line.startswith(" ") else f"roomver: {self.file}: {line}"))

    def say(self, text: str, missing: Sequence[EventId], lack: Lack | None) -> None:
        """Say something on standard error, with the missing events behind it.

        Args:
            text: what to say.
            missing: the missing events; if there are none, a given state that is known in part is behind it.
            lack: what would tell the rest of it; None if it is not behind it. Contradictions are always told.
        """
        words = f"; {missing_words(missing, self.found.dropped)}:" if missing else ""
        lines = missing_lines(self.found, missing)
        if missing and follows_server(self.replay):
            lines.append(f"  {NO_STATES}")
        if lack is not None and (not missing or lack is Lack.AGREEMENT):
            lines.append(f"  {advice_for(lack)}")
        for line in [f"roomver: {self.file}: {text}{words}", *lines]:
            say(printable(line))


def _starting(beginning: EventId, event_ids: Iterable[EventId]) -> Iterator[EventId]:
    # Without a loop in Python, because a room has many IDs.
    return filter(methodcaller("startswith", beginning), event_ids)
