"""The lines of a byte stream, with lookahead.

Lines are bytes. Each is decoded on its own, so a line that is not UTF-8 does not affect the others.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..canonical import load_json
from ..errors import NotCanonical
from ..types import JsonValue
from .streams import Source

MAX_LINE_BYTES: Final = 16 * 2**20
"""The longest line, and the longest JSON value in a document, that is read as one. An event has at most
65,536 bytes of canonical JSON; even with escapes and white space it is far shorter than this."""

MAX_VALUES: Final = 400_000
"""The most values that one line or one value of a document may hold. An event of 65,536 bytes holds fewer
than 33,000."""

_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # RFC 8259: a reader may ignore it


def check_bound(raw: bytes) -> None:
    """Check, before parsing, that JSON text does not hold more values than any event could.

    Raises:
        NotCanonical: if it may hold too many.
    """
    if len(raw) > MAX_VALUES and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MAX_VALUES:
        raise NotCanonical("", f"it holds more than {MAX_VALUES:,} values")


def load_bounded(raw: bytes) -> JsonValue:
    """Parse one JSON value that does not hold too many others.

    Raises:
        NotCanonical: if it does, or is not JSON, with line and column.
    """
    check_bound(raw)
    return load_json(raw)


class Line(NamedTuple):
    """One line that is not blank."""

    number: int
    """Counted from 1, blank lines included."""
    raw: bytes
    """The line without its end; empty if the line is too long."""
    start: bytes
    """Its first byte that is not white space; empty if the line is too long and begins with white space
    only."""


def check_line(line: Line) -> None:
    """Check that a line is short enough, and does not hold more values than any event could.

    Raises:
        NotCanonical: if it is too long, or holds too many values.
    """
    if not line.raw:
        raise NotCanonical("", f"the line has more than {MAX_LINE_BYTES} bytes")
    check_bound(line.raw)


class Lines(Iterator[Line]):
    """The lines of a source that are not blank, one at a time."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._number = 0
        self._ahead: deque[Line] = deque()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> Line:
        if self._ahead:
            return self._ahead.popleft()
        # One byte more than the limit: a line of exactly that length has its end there.
        while raw := self._source.readline(MAX_LINE_BYTES + 1):
            self._number += 1
            if self._number == 1:
                raw = raw.removeprefix(_BYTE_ORDER_MARK)
            start = raw[:1]
            if start in _BLANK:  # also if there is nothing
                start = raw.lstrip(_BLANK)[:1]
            if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                self._skip_line()
                return Line(self._number, b"", start)
            if start:
                return Line(self._number, raw.rstrip(b"\r\n"), start)
        raise StopIteration

    def push_back(self, *lines: Line) -> None:
        """Make these lines the next ones, in this order."""
        self._ahead.extendleft(reversed(lines))

    def restart(self) -> None:
        """Go back to the first line."""
        self._source.restart()
        self._number = 0
        self._ahead.clear()

    def _skip_line(self) -> None:
        """Skip to the end of a line without keeping it."""
        while chunk := self._source.readline(MAX_LINE_BYTES):
            if chunk.endswith(b"\n"):
                break
