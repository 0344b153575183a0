"""A graph as lines of text: lanes from left to right, a symbol for each row, and the row's text beside it.

A row that forks or merges lanes has a second line, on which the edges of this row alone run sideways. There
an edge that joins a lane touches it; a lane that is crossed is not touched.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final, NamedTuple

from rich.cells import cell_len

from ..explain.lanes import OpenLanes, Row
from .graph_words import RowText

_LANES: Final = ("green", "blue", "magenta", "cyan", "yellow", "bright_blue")
_SYMBOLS: Final = {
    "x": "bold red",
    "~": "bold yellow",
    "?": "bold magenta",
    "!": "bold red",
    "-": "bold red",
    ":": "dim",
}
_LEAST: Final = 12  # cells for the text beside the lanes, also on a narrow terminal

# A line that goes on up, down, left and right, for each of these.
_BOXES: Final = {
    "    ": " ",
    "u   ": "╵",
    " d  ": "╷",
    "ud  ": "│",
    "  l ": "─",
    "   r": "─",
    "  lr": "─",
    "u l ": "╯",
    "u  r": "╰",
    " dl ": "╮",
    " d r": "╭",
    "udl ": "┤",
    "ud r": "├",
    "u lr": "┴",
    " dlr": "┬",
    "udlr": "┼",
}
_ASCII: Final = str.maketrans("╵╷│─╯╰╮╭┤├┴┬┼", "|||-'`..+++++")


class Part(NamedTuple):
    """A part of a line, and the style that it has on a terminal; empty for none."""

    text: str
    style: str = ""


Line = list[Part]


@dataclass(slots=True)
class LaneText:
    """Draws rows, one after the other.

    Attributes:
        limit: how many lanes are drawn.
        width: of a line, in cells. Text that is longer is cut.
        ascii_only: use no other characters for lanes.
        most_hidden: how many lanes were left out at once, at most.
    """

    limit: int
    width: int
    ascii_only: bool = False
    most_hidden: int = 0

    def lines(self, rows: Iterable[tuple[Row, RowText]]) -> Iterator[Line]:
        """Yield the lines of rows, from the top."""
        lanes, beyond = OpenLanes(self.limit), 0
        ended = -1  # the lane that ended just above
        for row, said in rows:
            before = set(lanes.leads_to)
            if row.tip and row.lane == ended:
                yield self._lanes(before, beyond)  # or it would look like what the row above follows
            ended = -1 if row.edges or said.notes else row.lane
            hidden = beyond - (row.lane == self.limit and not row.tip)
            self.most_hidden = max(self.most_hidden, hidden)
            yield self._beside(self._row_line(row, before, hidden, said.symbol), said)
            drawn = before | {row.lane} if row.edges else before - {row.lane}
            for note in said.notes:
                yield from self._wrapped(self._lanes(drawn - {self.limit}, hidden), note)
            lanes.pass_row(row)
            if row.moved is not None or any(edge.lane != row.lane for edge in row.edges):
                yield self._connector(row, before, set(lanes.leads_to), beyond, row.beyond)
            beyond = row.beyond

    def _row_line(self, row: Row, before: set[int], hidden: int, symbol: str) -> Line:
        """Return the lanes beside a row, and its symbol."""
        parts = self._lanes(before - {row.lane}, hidden, row.lane)
        style = _SYMBOLS.get(symbol) or _lane_style(row.lane)
        parts[row.lane] = Part(f"{symbol} ", style)
        return parts

    def _lanes(self, drawn: set[int], hidden: int, at: int = -1) -> Line:
        """Return lanes that go straight down."""
        needed = max((*drawn, at, self.limit - 1 if hidden else 0)) + 1
        parts = [Part(self._plain("│ "), _lane_style(n)) if n in drawn else Part("  ") for n in range(needed)]
        if hidden:
            parts.append(Part(f"+{hidden:,} ", "dim"))
        return parts

    def _connector(self, row: Row, before: set[int], after: set[int], above: int, below: int) -> Line:
        """Return the line on which the edges of a row run sideways."""
        before, after = before | {row.lane}, set(after)
        if above:
            before.add(self.limit)
        if below:
            after.add(self.limit)
        ends = {edge.lane for edge in row.edges}
        met = ends | {row.lane} | (set() if row.moved is None else {row.moved})
        first, last = min(met), max(met)
        parts = []
        for lane in range(max(met | after) + 1):
            if lane in met:
                goes_on = lane in after and not (lane == row.lane and lane not in ends)
                glyph = _box(lane in before, goes_on, first < lane, lane < last)
            elif lane in after:
                glyph = "│"
            else:
                glyph = "─" if first < lane < last else " "
            parts.append(Part(self._plain(glyph + ("─" if first <= lane < last else " ")), _lane_style(lane)))
        return parts

    def _plain(self, text: str) -> str:
        return text.translate(_ASCII) if self.ascii_only else text

    def _beside(self, lanes: Line, said: RowText) -> Line:
        if not said.head:
            return self._cut(lanes, said.text, "dim")
        short, _, time = said.head.partition(" ")
        line = self._cut(lanes, f"{said.head} {said.text}")
        text = line.pop().text
        if not text.startswith(f"{said.head} "):
            return [*line, Part(text)]
        # A short ID has no space, as a printable text may have one.
        return [*line, Part(short, "yellow"), Part(f" {time} ", "dim"), Part(text[len(said.head) + 1 :])]

    def _cut(self, lanes: Sequence[Part], text: str, style: str = "") -> Line:
        """Return a line with a text beside lanes, cut to the width."""
        left = max(_LEAST, self.width - sum(cell_len(part.text) for part in lanes))
        return [*lanes, Part(self._plain_end(cut_to(text, left)), style)]

    def _wrapped(self, lanes: Sequence[Part], note: str) -> Iterator[Line]:
        """Yield lines with a note beside lanes, broken between words."""
        left = max(_LEAST, self.width - sum(cell_len(part.text) for part in lanes))
        for one in wrap(note, left, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False):
            yield self._cut(lanes, one)

    def _plain_end(self, text: str) -> str:
        return text[:-1] + "~" if self.ascii_only and text.endswith("…") else text


def _lane_style(lane: int) -> str:
    return _LANES[lane % len(_LANES)]


def _box(*goes: bool) -> str:
    """Return a line that goes up, down, to the left and to the right."""
    return _BOXES["".join(name if one else " " for name, one in zip("udlr", goes, strict=True))]


def cut_to(text: str, cells: int) -> str:
    """Return a text cut to a number of cells of a terminal.

    >>> cut_to("Hello", 4), cut_to("Hello", 5)
    ('Hel…', 'Hello')
    """
    if text.isascii():
        return text if len(text) <= cells else f"{text[: cells - 1]}…"
    if cell_len(text) <= cells:
        return text
    used = 0
    for number, character in enumerate(text):
        used += cell_len(character)
        if used > cells - 1:
            return f"{text[:number]}…"
    return text
