"""Which events ``roomver graph`` draws: those of some types, and those since a time or an event."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import click

from ..errors import listed
from ..event import Event
from ..readers.several import QUOTE_IDS
from ..types import EventId
from .escaped import printable
from .loaded import LoadedRoom
from .near import near_type
from .people import few_words, time_text

_DIGITS_OF_MS: Final = 11  # of a time in milliseconds, at least; a date without hyphens has 8
_DIGITS_OF_SECONDS: Final = (9, 10)
_TYPES: Final = 3  # that a message names


@dataclass(frozen=True, slots=True)
class EventChoice:
    """Which events to draw.

    Attributes:
        types: their types; empty for all.
        start: the time since which they were sent, as their servers claim, in milliseconds; None for all.
        event: the event since which they were sent, by ID or prefix; None for all.
    """

    types: tuple[str, ...] = ()
    start: int | None = None
    event: EventId | None = None

    @property
    def text(self) -> str:
        """The choice in brackets, after what is left out by it; empty if nothing is."""
        options = [f"--type {few_words(one)}" for one in self.types]
        if self.start is not None:
            options.append(f"--since {time_text(self.start)}")
        if self.event is not None:
            options.append(f"--since {few_words(self.event)}")
        return f" ({', '.join(options)})" if options else ""

    def wanted(self, loaded: LoadedRoom) -> Callable[[Event], bool] | None:
        """Return what tells which events to draw; None for all.

        Raises:
            InputError, MissingEvents: if the event is not one of the room.
        """
        later: set[str] | None = None
        types, start = frozenset(self.types), self.start
        if self.event is not None:
            order = loaded.replay.order
            first = loaded.event(self.event).event_id
            try:
                later = set(order[order.index(first) :])
            except (
                ValueError
            ):  # it cites itself, directly or through other events: the replay has no place for it
                later = {first}
        if later is None and start is None and not types:
            return None
        return lambda event: (
            (not types or event.type in types)
            and (start is None or event.origin_server_ts >= start)
            and (later is None or event.event_id in later)
        )

    def nothing(self, loaded: LoadedRoom) -> str:
        """Say why no event is drawn."""
        events = loaded.replay.events.values()
        known = {event.type for event in events}
        if self.types and not known.intersection(self.types):
            named = listed([few_words(one) for one in self.types[:_TYPES]])
            close = near_type(self.types[0], known)
            hint = f"; did you mean {few_words(close)}?" if close else ""
            return f"nothing to draw: no event has the type {named}{hint}"
        of_type = [event for event in events if not self.types or event.type in self.types]
        such = " of the type" if len(self.types) == 1 else " of the types" if self.types else ""
        if self.start is None:
            return f"nothing to draw: no event{such} came since {few_words(self.event or '')}"
        latest = max((event.origin_server_ts for event in of_type), default=0)
        return (
            f"nothing to draw: no event{such} is of {time_text(self.start)} or later;"
            f" the latest is of {time_text(latest)}, as its server claims"
        )


def choose(since: str | None, types: tuple[str, ...]) -> EventChoice:
    """Return the choice that options make.

    Raises:
        UsageError: if ``--since`` is neither a time nor an event ID.
    """
    if since is None:
        return EventChoice(types)
    if since.startswith("$"):
        return EventChoice(types, event=since)
    return EventChoice(types, start=_milliseconds(since))


def _milliseconds(text: str) -> int:
    """Return a time that was given, in milliseconds. One without a time zone is in UTC.

    Raises:
        UsageError: if it is not one.
    """
    if not text:
        raise click.UsageError(f"--since is empty; {QUOTE_IDS}")
    digits = len(text) if text.isascii() and text.isdecimal() else 0
    if digits >= _DIGITS_OF_MS:
        return int(text[:20])
    if digits in _DIGITS_OF_SECONDS:
        raise click.UsageError(f"--since {text} looks like seconds: milliseconds would be {text}000")
    try:
        time = datetime.fromisoformat(text)
        return int((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise click.UsageError(
            f"--since {printable(text, 60)} is neither a time, such as 2026-11-29T12:00, nor an event ID,"
            f" which begins with $; {QUOTE_IDS}"
        ) from None
