"""A graph as lines of text: lanes from left to right, a symbol for each row, and the row's text beside it.

The day has a line of its own where it changes, so that a row has room for who did what. A row that forks or
merges lanes has a second line, on which the edges of this row alone run sideways. There an edge that joins a
lane touches it; a lane that is crossed is not touched.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from ..explain.lanes import OpenLanes, Row
from .fitted import cells_of, cut_to, fit, fit_words
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
_INDENT: Final = 2  # of notes; their other lines, and those of a row, have twice as much
_LINES: Final = 4  # of one note
_KEPT: Final = 4096  # lines of lanes

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


class _Lanes(NamedTuple):
    """Lanes beside a line, and how many cells are left for its text."""

    parts: tuple[Part, ...]
    left: int


class LaneText:
    """Draws rows, one after the other.

    Attributes:
        limit: how many lanes are drawn.
        width: of a line, in cells. Text that is longer goes on below; what people wrote is cut.
        ascii_only: use no other characters for lanes.
        most_hidden: how many lanes were left out at once, at most.
    """

    def __init__(self, limit: int, width: int, ascii_only: bool = False) -> None:
        self.limit = limit
        self.width = width
        self.ascii_only = ascii_only
        self.most_hidden: int = 0
        self._day = ""  # said last
        # Most rows of a room look like many others.
        self._lanes = lru_cache(_KEPT)(self._draw_lanes)
        self._connector = lru_cache(_KEPT)(self._draw_connector)

    def lines(self, rows: Iterable[tuple[Row, RowText]]) -> Iterator[Line]:
        """Yield the lines of rows, from the top."""
        lanes, beyond = OpenLanes(self.limit), 0
        before: frozenset[int] = frozenset()
        ended = -1  # the lane that ended just above
        for row, said in rows:
            if said.day not in ("", self._day):
                self._day = said.day
                yield [*self._lanes(before, beyond).parts, Part(f"{said.day} UTC", "bold")]
            elif row.tip and row.lane == ended:
                yield [*self._lanes(before, beyond).parts]  # or it would look like what the row above follows
            hidden = beyond - (row.lane == self.limit and not row.tip)
            self.most_hidden = max(self.most_hidden, hidden)
            drawn = before | {row.lane} if row.edges else before - {row.lane}
            below = self._lanes(drawn - {self.limit}, hidden)
            beside = self._lanes(before - {row.lane}, hidden, row.lane, said.symbol)
            lines = [*self._beside(beside, below, said)]
            for note in said.notes:
                lines += self._wrapped(below, note)
            yield from lines
            ended = -1 if row.edges or len(lines) > 1 else row.lane
            lanes.pass_row(row)
            above, before = before, frozenset(lanes.leads_to)
            ends = frozenset([edge.lane for edge in row.edges])
            if row.moved is not None or not ends <= {row.lane}:
                yield self._connector(row.lane, ends, row.moved, above, before, beyond > 0, row.beyond > 0)
            beyond = row.beyond

    def _draw_lanes(self, drawn: frozenset[int], hidden: int, at: int = -1, symbol: str = "") -> _Lanes:
        """Return lanes that go straight down, and perhaps the symbol of a row in one of them."""
        needed = max(*drawn, at, self.limit - 1 if hidden else 0) + 1
        parts = [Part(self._plain("│ "), _lane_style(n)) if n in drawn else Part("  ") for n in range(needed)]
        if at >= 0:
            parts[at] = Part(f"{symbol} ", _SYMBOLS.get(symbol) or _lane_style(at))
        if hidden:
            parts.append(Part(f"+{hidden:,} ", "dim"))
        taken = sum(len(part.text) for part in parts)  # each character is one cell wide
        return _Lanes(tuple(parts), max(_LEAST, self.width - taken))

    def _draw_connector(  # noqa: PLR0913, PLR0917 - what a line depends on, so that it is kept
        self,
        own: int,
        ends: frozenset[int],
        moved: int | None,
        before: frozenset[int],
        after: frozenset[int],
        hides_above: bool,
        hides_below: bool,
    ) -> Line:
        """Return the line on which the edges of a row run sideways."""
        before |= {own}
        if hides_above:
            before |= {self.limit}
        if hides_below:
            after |= {self.limit}
        met = ends | {own} | (set() if moved is None else {moved})
        first, last = min(met), max(met)
        parts = []
        for lane in range(max(met | after) + 1):
            if lane in met:
                goes_on = lane in after and not (lane == own and lane not in ends)
                glyph = _box(lane in before, goes_on, first < lane, lane < last)
            elif lane in after:
                glyph = "│"
            else:
                glyph = "─" if first < lane < last else " "
            parts.append(Part(self._plain(glyph + ("─" if first <= lane < last else " ")), _lane_style(lane)))
        return parts

    def _plain(self, text: str) -> str:
        return text.translate(_ASCII) if self.ascii_only else text

    def _beside(self, lanes: _Lanes, below: _Lanes, said: RowText) -> Iterator[Line]:
        """Yield the line of a row, and more of them if who did what does not fit into one."""
        head = [Part(f"{said.short} ", "yellow"), Part(f"{said.time} ", "dim")] if said.short else []
        taken = sum([cells_of(part.text) for part in head])
        if taken > lanes.left:  # a narrow terminal, or a long ID that a sender chose
            short = self._plain_end(cut_to(f"{said.short} {said.time}", lanes.left))
            yield [*lanes.parts, Part(short, "yellow")]
            lanes, head, taken = below, [], 0
        style = "" if said.short else "dim"
        other = max(_LEAST, below.left - 2 * _INDENT)
        text, *more = fit(said.said_on(self._day), max(1, lanes.left - taken), other)
        yield [*lanes.parts, *head, Part(self._plain_end(text), style)]
        for one in more:
            yield [*below.parts, Part(" " * 2 * _INDENT + self._plain_end(one), style)]

    def _wrapped(self, lanes: _Lanes, note: str) -> Iterator[Line]:
        """Yield lines with a note beside lanes, broken between words."""
        lines = fit_words(note, lanes.left - _INDENT, lanes.left - 2 * _INDENT, _LINES)
        for number, one in enumerate(lines):
            yield [*lanes.parts, Part(" " * _INDENT * (2 if number else 1) + self._plain_end(one))]

    def _plain_end(self, text: str) -> str:
        return text[:-1] + "~" if self.ascii_only and text.endswith("…") else text


def _lane_style(lane: int) -> str:
    return _LANES[lane % len(_LANES)]


def _box(*goes: bool) -> str:
    """Return a line that goes up, down, to the left and to the right."""
    return _BOXES["".join(name if one else " " for name, one in zip("udlr", goes, strict=True))]
