"""Sentences of `roomver.explain` as text for a terminal, and the lines of the commands that explain."""

from collections.abc import Collection, Iterable, Mapping
from shlex import quote
from textwrap import fill
from typing import Final, cast

from rich.console import Console

from ..event import Event
from ..explain.facts import Fact
from ..explain.said import Part, PartKind, Said, event, said
from ..findings import FindingKind
from ..types import EventId, StateKey
from .common import WIDE, console
from .escaped import printable
from .people import ShortIds, event_words, few_words, user_text
from .wording import FINDING_TEXT

_LONG: Final = 300  # characters of a value that are shown


class Teller:
    """Shows sentences about one room. An event is named in full the first time, and by its short ID again.

    Args:
        events: the events of the room by ID.
        others: more event IDs of it: of events that were left out or are missing.
    """

    def __init__(self, events: Mapping[EventId, Event], others: Iterable[EventId] = ()) -> None:
        self.events = events
        self.short: ShortIds = ShortIds([*events, *(set(others) - events.keys())])
        self._told: set[EventId] = set()

    def again(self) -> None:
        """Name every event in full once more: a new paragraph begins."""
        self._told.clear()

    def text(self, sentence: Said) -> str:
        """Return a sentence as one line of text."""
        return "".join(map(self._part, sentence))

    def fresh(self, sentence: Said) -> str:
        """Return a sentence as one line of text in which every event is named in full at first."""
        self.again()
        return self.text(sentence)

    def event(self, event_id: EventId) -> str:
        """Return an event in words. One that is not in the room is named by its whole ID."""
        if event_id not in self.events:
            return printable(event_id)
        return event_words(self.events[event_id], self.short)

    def _part(self, part: Part) -> str:
        text = cast(str, part.value)
        match part.kind:
            case PartKind.WORDS:
                return text
            case PartKind.USER:
                return user_text(text)
            case PartKind.VALUE:
                return few_words(text, _LONG)
            case PartKind.FINDING:
                return FINDING_TEXT[FindingKind(text)]
            case PartKind.KEY:
                kind, key = cast("list[str]", part.value)
                return key_words((kind, key))
            case PartKind.EVENT:
                if text in self._told:
                    return self.short(text)
                self._told.add(text)
                return self.event(text)

    def fact(self, fact: Fact) -> str:
        """Return a value that the rules compared as one line of text."""
        who = "" if fact.user is None or fact.what.startswith("sender") else f" ({user_text(fact.user)})"
        return f"{fact.what}{who}: {few_words(fact.value)} ({self._how(fact)})"

    def _how(self, fact: Fact) -> str:
        if "level" in fact.what:
            return self.text(fact.source)
        if fact.event_id is None:
            return "no member event" if "membership" in fact.what else "no such event"
        return self.text(said("{event}", event=event(fact.event_id)))


def key_words(key: StateKey) -> str:
    """Return a key of the state in words, in one line."""
    kind, state_key = key
    return few_words(kind) + (f' for "{few_words(state_key)}"' if state_key else "")


def print_lines(lines: Iterable[str], out: Console | None = None) -> None:
    """Print lines, each broken between words to the width of the terminal, with the rest indented."""
    shown = out or console()
    width = shown.width
    for line in lines:
        print_line(folded(line, width), shown)


def print_line(line: str, out: Console, style: str | None = None) -> None:
    """Print a line, or several that it was broken into, in a style that only a terminal shows."""
    if out.is_terminal:
        out.print(line, style=style, soft_wrap=True)
    else:
        out.file.write(f"{line}\n")  # rich writes the same, and takes 100 times as long


def folded(line: str, width: int) -> str:
    """Return a line broken between words to a width. Its other lines are indented by two more."""
    if len(line) <= width or width >= WIDE:
        return line
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return fill(
        line,
        width,
        subsequent_indent=indent + ("  " if indent else ""),
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def call_text(*words: str) -> str | None:
    """Return words from a room as arguments of a printed call, quoted for a shell.

    None if a shell or a terminal would not take one of them as it is: an option, or other than plain ASCII.
    None too if the first would be taken for the room.
    """
    plain = all(word.isascii() and word.isprintable() and not word.startswith("-") for word in words)
    plain = plain and words[0][:1] not in ("!", "#")
    return " ".join(map(quote, words)) if plain else None


def listed_ids(event_ids: Collection[EventId], most: int) -> list[str]:
    """Return whole event IDs as lines, at most some of them."""
    lines = [f"  {printable(one)}" for one in sorted(event_ids)[:most]]
    more = len(event_ids) - len(lines)
    return [*lines, f"  and {more:,} more: --json lists all"] if more > 0 else lines
