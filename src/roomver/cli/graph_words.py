"""What a drawn graph says of an event, a folded run and a room, in lines that are safe on a terminal."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ..errors import SHOWN, counted
from ..event import Event
from ..explain.drawing import Drawing, Kind, Node
from ..explain.judged import Judged
from ..explain.marks import PLAIN, Mark
from ..types import EventId, StateKey
from .loaded import LoadedRoom
from .people import ShortIds, action_words, few_words, time_text, user_text

_NAMED: Final = 3  # missing events, and keys, that a line names
_OF_TYPE: Final = 40  # characters of a type
_OF_ID: Final = 60
_OF_FULL_ID: Final = 255
_SINGLE: Final = (Kind.EVENT, Kind.JUNCTION)

SYMBOLS: Final = {
    "*": "",
    "x": "rejected",
    "~": "soft-failed",
    "?": "undecided",
    "!": "reset here",
    "-": "undone by a reset",
    ":": "several events",
    "o": "a merge that was not asked for",
}
"""What stands for an event in a drawing, and its meaning."""


class RowText(NamedTuple):
    """What is said of a row.

    Attributes:
        symbol: one of `SYMBOLS`.
        text: how it was judged, who sent it and what it is; or how many events it stands for.
        short: the short ID of the event; empty for a row that stands for several.
        day, time: when the event was sent, or the newest one of several. The day is empty if the time that
            its server gave is not one of the calendar. Both are empty if the row does not say it.
        since: the day and the time of the oldest of several events; empty if the row does not say it.
        notes: lines with more.
    """

    symbol: str
    text: str
    short: str = ""
    day: str = ""
    time: str = ""
    since: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = ()

    def said_on(self, day: str) -> str:
        """Return the text, with the span of time of several events. A day that was said is left out."""
        if not self.since[1]:
            return self.text
        first = _moment("" if self.since[0] == self.day == day else self.since[0], self.since[1])
        last = _moment("" if self.day in (day, self.since[0]) else self.day, self.time)
        return f"{self.text}, {first} to {last}"

    @property
    def lines(self) -> list[str]:
        """All that is said of the row, with its day."""
        head = f"{self.short} {_moment(self.day, self.time)}" if self.short else ""
        return [line for line in (head, self.said_on(""), *self.notes) if line]


class Words:
    """Says what the rows of a room's drawing are."""

    def __init__(self, loaded: LoadedRoom, drawing: Drawing) -> None:
        self._loaded = loaded
        self._drawing = drawing
        self._short = ShortIds([*loaded.events, *loaded.replay.missing])

    def short(self, event_id: EventId) -> str:
        """Return a short form of an event ID that is unique among those of the room."""
        short = self._short(event_id)
        # Senders chose those of versions 1 and 2.
        return short if len(short) <= _OF_ID else few_words(short, _OF_ID)

    @staticmethod
    def full(node: Node) -> str:
        """Return the ID of the event of a row that stands for one, as a text; otherwise an empty one."""
        return few_words(node.events[0], _OF_FULL_ID) if node.kind in _SINGLE else ""

    def event(self, node: Node) -> Event:
        """Return the event of a row that stands for one."""
        return self._loaded.replay.events[node.events[0]]

    def __call__(self, node: Node) -> RowText:
        """Say what a row is."""
        if node.kind not in _SINGLE:
            return self._several(node)
        event, mark = self.event(node), node.mark
        short, notes = self.short(event.event_id), () if mark is PLAIN else tuple(self._notes(mark))
        day, time = _day_and_time(event)
        if node.kind is Kind.JUNCTION:
            return RowText("!" if mark.resets else "o", "merge", short, day, time, notes=notes)
        text = f"{judged_text(mark)}{user_text(event.sender)}: {action_words(event)}"
        return RowText(symbol_of(mark), text, short, day, time, notes=notes)

    def _several(self, node: Node) -> RowText:
        events = self._loaded.replay.events
        folded = self._drawing.folded(node)
        if node.kind in (Kind.NEWER, Kind.OLDER):
            number = counted(folded.events, f"{node.kind.value} event", f"{node.kind.value} events")
            return RowText(":", number)
        judged = f"{node.mark.judged.value} " if node.mark.judged is not Judged.ACCEPTED else ""
        text = f"{folded.events:,} {judged}events of {counted(folded.senders, 'sender', 'senders')}"
        if folded.states:
            text += f", {folded.states:,} of state"
        if node.mark.unsure:
            text += ", perhaps soft-failed"
        if node.kind is Kind.APART:
            return RowText(":", f"{text}; what came before each is missing here")
        if node.kind is Kind.FAN:
            text += ", each a branch of its own"
        day, time = _day_and_time(events[folded.newest])
        return RowText(":", text, "", day, time, since=_day_and_time(events[folded.oldest]))

    def _notes(self, mark: Mark) -> Iterable[str]:
        if mark.cyclic:
            yield "it cites itself, directly or through other events"
        at_merge = [f"merge with {counted(mark.merged, 'key', 'keys')} in conflict"] if mark.merged else []
        at_merge += [f"reset: {keys_text(mark.resets)}"] if mark.resets else []
        if at_merge:
            yield "; ".join(at_merge)
        if mark.unsure:
            yield "unknown whether it is soft-failed"
        left_out = self._loaded.found.gathered.left_out
        for name, some in (
            ("left out", [one for one in mark.missing if one in left_out]),
            ("missing", [one for one in mark.missing if one not in left_out]),
        ):
            if some:
                yield f"{name} before it: {_listed([self.short(one) for one in some[:SHOWN]], len(some))}"

    def summary(self) -> list[str]:
        """Say in a paragraph what the room's graph is."""
        drawing, loaded = self._drawing, self._loaded
        replayed = loaded.replay
        events = counted(drawing.events, "event", "events")
        ends = counted(len(replayed.forward_extremities), "forward extremity", "forward extremities")
        about = "" if replayed.extremities_known else "at least "
        forks, merges = counted(drawing.forks, "fork", "forks"), counted(drawing.merges, "merge", "merges")
        room = few_words(loaded.found.gathered.room_id, 60)
        lines = [
            f"{room} (version {loaded.version}): {events}",
            f"{forks}, {merges}, {about}{ends}{self._counts()}",
        ]
        if drawing.resets_now:
            lines.append(f"reset in the current state: {keys_text(drawing.resets_now)}")
        return lines

    def _counts(self) -> str:
        marks = self._drawing.marks.values()
        numbers = {
            judged.value: sum(mark.judged is judged for mark in marks)
            for judged in (Judged.REJECTED, Judged.SOFT_FAILED, Judged.UNDECIDED)
        }
        numbers["perhaps soft-failed"] = sum(mark.unsure for mark in marks)
        said = [f"{number:,} {name}" for name, number in numbers.items() if number]
        if resets := len(self._loaded.found.resets):
            said.append(counted(resets, "reset", "resets"))
        if missing := len({one for mark in marks for one in mark.missing}):
            said.append(f"{missing:,} missing")
        return f"; {', '.join(said)}" if said else ""


def symbol_of(mark: Mark) -> str:
    """Return the symbol of an event."""
    if mark.resets:
        return "!"
    if mark.judged is Judged.ACCEPTED:
        return "-" if mark.undone else "*"
    return {Judged.REJECTED: "x", Judged.SOFT_FAILED: "~", Judged.UNDECIDED: "?"}[mark.judged]


def judged_text(mark: Mark) -> str:
    """Say how an event was judged, before what it is; empty if it was accepted and stands."""
    judged = [mark.judged.value] if mark.judged is not Judged.ACCEPTED else []
    judged += ["undone"] if mark.undone else []
    return f"{', '.join(judged)}: " if judged else ""


def keys_text(keys: Sequence[StateKey]) -> str:
    """Name keys of a state; a few of many."""
    named = [few_words(kind, _OF_TYPE) + (f" {user_text(key)}" if key else "") for kind, key in keys[:_NAMED]]
    return _listed(named, len(keys))


def _day_and_time(event: Event) -> tuple[str, str]:
    """Return the day and the time of an event, as its server gives them; no day if it is not a time."""
    text = time_text(event.origin_server_ts)
    day, _, time = text.partition(" ")
    return ("", text) if time == "ms" else (day, time.removesuffix("Z"))


def _moment(day: str, time: str) -> str:
    return f"{day} {time}" if day else time


def _listed(named: Sequence[str], number: int) -> str:
    shown = named[:_NAMED]
    more = [f"{number - len(shown):,} more"] if number > len(shown) else []
    return ", ".join([*shown, *more])
