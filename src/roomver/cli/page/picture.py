"""The overview of a room as a PNG: numbers, activity by time, resets, and the newest part of the graph.

Pillow draws it, so it needs neither a browser nor a display. The font is one of the machine's if there is
one, for its many scripts; otherwise the one that comes with Pillow, which has Latin letters only.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from ...errors import counted
from ...explain.lanes import lay_out
from ...explain.page import STATUSES, Page
from ...explain.resets import class_numbers
from ...state import entries_of
from ..people import action_words, time_text, user_text
from ..wording import key_text
from .words import shown

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH: Final = 1200
_FINE: Final = 2  # the picture is drawn this much larger, so that its lines are smooth
_MARGIN: Final = 40
_ROW: Final = 26
_ROWS: Final = 24  # events of the graph
_RESETS: Final = 6
_BARS: Final = 80
_LEGEND: Final = 28  # the height of the line that explains the marks of the graph
_FONTS: Final = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf")

_TEXT: Final = "#1b1f24"
_MUTED: Final = "#5a636e"
_LINE: Final = "#d9dde3"
_RESET: Final = "#7a3fd0"
_COLOURS: Final = dict(zip(STATUSES, ("#1a7f37", "#c98a00", "#b91c28", "#8a939d"), strict=True))
_LANES: Final = ("#3b6fd4", "#2f9e5f", "#d07a1f", "#9a45c4", "#1f9aa8", "#cc3d78", "#a8941a", "#5b4fd0")


class NoPictures(Exception):
    """Pillow, which draws the picture, is not installed."""


def picture_of(page: Page) -> bytes:
    """Return the overview of a room as a PNG.

    Raises:
        NoPictures: if Pillow is not installed.
    """
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - an extra
    except ImportError:
        raise NoPictures from None
    resets = len(page.found.resets)
    rows = min(_ROWS, len(page.order))
    height = 470 + (_LEGEND if rows else 0) + (min(resets, _RESETS) * 24 + 60 if resets else 0) + rows * _ROW
    image = Image.new("RGB", (_FINE * WIDTH, _FINE * height), "#ffffff")
    brush = _Brush(ImageDraw.Draw(image))
    y = _heading(brush, page)
    y = _numbers(brush, page, y)
    y = _activity(brush, page, y)
    y = _resets(brush, page, y)
    _graph(brush, page, y, rows)
    file = BytesIO()
    image = image.resize((WIDTH, height), Image.Resampling.LANCZOS)
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


class _Brush:
    """Draws shapes, and text that is cut to a width. Sizes are those of the finished picture."""

    def __init__(self, draw: "ImageDraw") -> None:
        self._draw = draw
        self._fonts: dict[int, Any] = {}
        self._only_latin = False

    def line(self, ends: Sequence[float], fill: str, width: int = 1) -> None:
        """Draw a line from one point to another."""
        self._draw.line(_fine(ends), fill=fill, width=_FINE * width)

    def circle(self, x: float, y: float, radius: float, line: str, fill: str | None = None) -> None:
        """Draw a circle."""
        box = _fine((x - radius, y - radius, x + radius, y + radius))
        self._draw.ellipse(box, outline=line, fill=fill, width=_FINE * 2)

    def box(self, box: Sequence[float], fill: str, line: str | None = None, radius: int = 0) -> None:
        """Draw a box."""
        self._draw.rounded_rectangle(_fine(box), _FINE * radius, fill=fill, outline=line, width=_FINE)

    def length(self, text: str, size: int) -> float:
        """Return how wide a text is."""
        return float(self._font(size).getlength(self._known(text))) / _FINE

    def text(
        self, x: float, y: float, text: str, size: int = 15, fill: str = _TEXT, width: float = WIDTH
    ) -> float:
        """Draw a text, cut to a width. Return where it ends."""
        if self.length(text, size) > width:
            low, high = 0, len(text)
            while low < high:
                middle = (low + high + 1) // 2
                fits = self.length(text[:middle] + "…", size) <= width
                low, high = (middle, high) if fits else (low, middle - 1)
            text = text[:low] + "…"
        self._draw.text((_FINE * x, _FINE * y), self._known(text), font=self._font(size), fill=fill)
        return x + self.length(text, size)

    def _font(self, size: int) -> Any:
        from PIL import ImageFont  # noqa: PLC0415 - an extra

        if size not in self._fonts:
            for name in _FONTS:
                try:
                    self._fonts[size] = ImageFont.truetype(name, _FINE * size)
                    break
                except OSError:
                    continue
            else:
                self._only_latin = True
                self._fonts[size] = ImageFont.load_default(_FINE * size)
        return self._fonts[size]

    def _known(self, text: str) -> str:
        """Return a text without letters that the font of Pillow does not have."""
        self._font(15)
        return "".join(c if c < "\u0180" or c in "…·" else "?" for c in text) if self._only_latin else text


def _fine(numbers: Sequence[float]) -> tuple[float, ...]:
    return tuple(_FINE * number for number in numbers)


def _heading(brush: _Brush, page: Page) -> int:
    data = page.found.gathered
    state = page.found.replay.current_state
    name = ""
    if state is not None:
        event_id = entries_of(state).get(("m.room.name", ""))
        value = None if event_id is None else page.found.replay.events[event_id].content.get("name")
        name = shown(value) if type(value) is str else ""
    brush.text(_MARGIN, 28, name or shown(data.room_id), 30, width=WIDTH - 2 * _MARGIN)
    about = f"{shown(data.room_id)} · {data.version.label} · resolution {data.version.state_resolution.value}"
    brush.text(_MARGIN, 70, about, 15, _MUTED, WIDTH - 2 * _MARGIN)
    return 108


def _numbers(brush: _Brush, page: Page, y: int) -> int:
    found = page.found
    boxes = [("events", len(page.order), _TEXT)]
    boxes += [(name, page.status.count(number), _COLOURS[name]) for number, name in enumerate(STATUSES)]
    boxes += [
        ("left out", len(page.left_out), _COLOURS["rejected"]),
        ("missing", len(found.replay.missing), _COLOURS["undecided"]),
        ("merges", len(found.replay.merges), _TEXT),
        ("resets", len(found.resets), _RESET),
    ]
    wide = (WIDTH - 2 * _MARGIN - 8 * (len(boxes) - 1)) / len(boxes)
    for number, (name, value, colour) in enumerate(boxes):
        x = _MARGIN + number * (wide + 8)
        brush.box((x, y, x + wide, y + 66), "#f5f6f8", _LINE, 8)
        brush.text(x + 12, y + 8, f"{value:,}", 22, colour if value else _MUTED, wide - 16)
        brush.text(x + 12, y + 40, name, 13, _MUTED, wide - 16)
    return y + 92


def _activity(brush: _Brush, page: Page, y: int) -> int:
    """Draw how many events there are by time, with their statuses stacked."""
    times = sorted(event.origin_server_ts for event in page.order)
    # A few events with absurd times would squeeze all others into one bar.
    cut = len(times) // 100
    low, high = (times[cut], times[-1 - cut]) if times else (0, 0)
    step = max(1, (high - low) // _BARS + 1)
    bars = [[0] * len(STATUSES) for _ in range(_BARS)]
    for event, status in zip(page.order, page.status, strict=True):
        bars[min(_BARS - 1, max(0, (event.origin_server_ts - low) // step))][status] += 1
    most = max((sum(bar) for bar in bars), default=1) or 1
    wide, tall = (WIDTH - 2 * _MARGIN) / _BARS, 120
    brush.text(_MARGIN, y, f"Events by time, at most {most:,} in a bar", 13, _MUTED)
    base = y + 28 + tall
    for number, bar in enumerate(bars):
        top = float(base)
        for status, count in enumerate(bar):
            if count:
                height = max(2.0, tall * count / most)
                x = _MARGIN + number * wide
                brush.box((x, top - height, x + wide - 2, top), _COLOURS[STATUSES[status]])
                top -= height
    brush.line((_MARGIN, base, WIDTH - _MARGIN, base), _LINE)
    first, last = time_text(low), time_text(high)
    brush.text(_MARGIN, base + 6, first, 12, _MUTED)
    size = brush.length(last, 12)
    brush.text(WIDTH - _MARGIN - size, base + 6, last, 12, _MUTED)
    return base + 40


def _resets(brush: _Brush, page: Page, y: int) -> int:
    resets = page.found.resets
    if not resets:
        return y
    events = page.found.replay.events
    changes = counted(len(resets), "change", "changes")
    numbers = class_numbers(page.resets)
    brush.text(
        _MARGIN,
        y,
        f"State resolution undid {changes} (state resets): {numbers}",
        16,
        _RESET,
        width=WIDTH - 2 * _MARGIN,
    )
    y += 28
    for reset in resets[:_RESETS]:
        lost = events[reset.lost]
        back = "nothing" if reset.restored is None else action_words(events[reset.restored])
        what = f"{user_text(lost.sender)}'s {action_words(lost)}"
        text = f"{shown(key_text(reset.key))}: lost {what}, back to {back}"
        brush.circle(_MARGIN + 6, y + 10, 5, _RESET)
        brush.text(_MARGIN + 20, y, text, 14, width=WIDTH - 2 * _MARGIN - 20)
        y += 24
    if len(resets) > _RESETS:
        brush.text(_MARGIN + 20, y, f"and {len(resets) - _RESETS:,} more", 14, _MUTED)
    return y + 32


def _graph(brush: _Brush, page: Page, y: int, rows: int) -> None:
    """Draw the newest events with their lanes."""
    more = len(page.order) - rows
    heading = "The newest events" if more else "All events, newest first"
    brush.text(_MARGIN, y, heading, 16)
    y += 32
    marks = {reset.merge for reset in page.found.resets}
    if rows:
        _legend(brush, page, y, rows, any(event.event_id in marks for event in page.order[:rows]))
        y += _LEGEND
    parts = _parents(page, rows)
    laid = [*lay_out(parts, 12)]
    widest = max((row.lane for row in laid[:rows]), default=0) + 1
    text_at = _MARGIN + 20 * min(13, widest + 1)
    _lines(brush, laid, rows, y)
    for number, event in enumerate(page.order[:rows]):
        middle = y + number * _ROW + _ROW / 2
        x = _x(laid[number].lane)
        colour = _COLOURS[STATUSES[page.status[number]]]
        accepted = page.status[number] == 0
        lane = _LANES[laid[number].lane % len(_LANES)]
        if event.event_id in marks:
            brush.circle(x, middle, 9, _RESET)
        brush.circle(x, middle, 5, lane if accepted else colour, lane if accepted else "#ffffff")
        at = brush.text(text_at, middle - 9, time_text(event.origin_server_ts), 13, _MUTED) + 14
        said = f"{user_text(event.sender)}'s {action_words(event)}"
        status = "" if accepted else STATUSES[page.status[number]]
        end = brush.text(at, middle - 10, said, 15, width=WIDTH - _MARGIN - 120 - at)
        brush.text(end + 12, middle - 9, status, 13, colour)
    if more:
        text = f"and {counted(more, 'older event', 'older events')}"
        brush.text(text_at, y + rows * _ROW + 4, text, 13, _MUTED)


def _legend(brush: _Brush, page: Page, y: int, rows: int, has_reset: bool) -> None:
    """Explain the marks that the drawn events have."""
    x, middle = _x(0), y + 9
    for status in sorted(set(page.status[:rows])):
        line = _LANES[0] if status == 0 else _COLOURS[STATUSES[status]]
        brush.circle(x, middle, 5, line, line if status == 0 else "#ffffff")
        x = brush.text(x + 14, y, STATUSES[status], 13, _MUTED) + 30
    if has_reset:
        brush.circle(x, middle, 9, _RESET)
        brush.circle(x, middle, 5, _LANES[0], _LANES[0])
        brush.text(x + 16, y, "branches meet here, and a state reset happened", 13, _MUTED)


def _x(lane: int) -> float:
    return _MARGIN + 10 + 20 * lane


def _parents(page: Page, rows: int) -> list[list[int]]:
    """Return the parents of the first rows. The rows below have none, so that their lanes cost nothing."""
    placed = {*page.found.replay.order}
    parents = []
    for event in page.order[:rows]:
        here = [page.ids(prev) for prev in event.prev_event_ids if prev in placed]
        parents.append(here if event.event_id in placed else [])
    return parents


def _lines(brush: _Brush, laid: Sequence[Any], rows: int, y: int) -> None:
    """Draw the edges below each row, as they pass it."""
    open_lanes: dict[int, int] = {}  # the lane to the row it leads to
    for row in laid[:rows]:
        here, below = y + row.number * _ROW + _ROW / 2, y + (row.number + 1) * _ROW + _ROW / 2
        if row.number + 1 >= rows:
            below = here + _ROW / 2
        for lane, parent in list(open_lanes.items()):
            if parent == row.number:
                del open_lanes[lane]
            elif lane == row.moved:
                del open_lanes[lane]
                brush.line((_x(lane), here, _x(row.lane), below), _LANES[row.lane % 8], 2)
            else:
                brush.line((_x(lane), here, _x(lane), below), _LANES[lane % 8], 2)
        for edge in row.edges:
            brush.line((_x(row.lane), here, _x(edge.lane), below), _LANES[edge.lane % 8], 2)
            open_lanes[edge.lane] = edge.parent
