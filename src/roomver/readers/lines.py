"""Lines of a byte stream, with the means to look ahead.

Lines are bytes: whether they are UTF-8 is found out for each, so that one that is not leaves the rest.
"""

from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

MAX_LINE_BYTES: Final = 16 * 2**20
"""The longest line that is read: an event has at most 65,536 bytes of canonical JSON, and escapes and white
space make it no longer than this."""

_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # RFC 8259: a reader may ignore it


class Line(NamedTuple):
    """One line that is not blank."""

    number: int
    """Counted from 1, blank lines included."""
    raw: bytes
    """Without white space at its ends, as far as JSON has such; empty if the line is too long."""


class Lines(Iterator[Line]):
    """The lines of a stream that are not blank, one at a time.

    Attributes:
        bytes_read: how much of the stream has been read.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._number = 0
        self._ahead: deque[Line] = deque()
        self.bytes_read: int = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> Line:
        if self._ahead:
            return self._ahead.popleft()
        line = self._read(MAX_LINE_BYTES)
        if line is None:
            raise StopIteration
        return line

    def whole(self) -> Line | None:
        """Return the next line, however long, where it may be a whole document; None at the end."""
        return self._read(-1)

    def push_back(self, lines: list[Line]) -> None:
        """Let these lines, in their order, come next."""
        self._ahead.extendleft(reversed(lines))

    def rest(self) -> bytes:
        """Return all that has not been read as lines; nothing may have been pushed back."""
        data = self._stream.read()
        self.bytes_read += len(data)
        return data

    def rewindable(self) -> bool:
        """Tell whether `again` works."""
        return self._stream.seekable()

    def again(self) -> Iterator[Line]:
        """Yield the lines to come, and go back to where the stream stood when that ends."""
        kept = list(self._ahead)
        position, number, count = self._stream.tell(), self._number, self.bytes_read
        try:
            yield from self
        finally:
            self._stream.seek(position)
            self._number, self.bytes_read = number, count
            self._ahead = deque(kept)

    def _read(self, limit: int) -> Line | None:
        # One byte more than the limit: a line of just that length has its end there.
        while raw := self._stream.readline(limit + 1 if limit >= 0 else -1):
            self._number += 1
            self.bytes_read += len(raw)
            if self._number == 1:
                raw = raw.removeprefix(_BYTE_ORDER_MARK)
            if 0 <= limit < len(raw) and not raw.endswith(b"\n"):
                self._skip_line()
                return Line(self._number, b"")
            raw = raw.strip(_BLANK)
            if raw:
                return Line(self._number, raw)
        return None

    def _skip_line(self) -> None:
        """Read on to the end of a line, keeping nothing."""
        while chunk := self._stream.readline(MAX_LINE_BYTES):
            self.bytes_read += len(chunk)
            if chunk.endswith(b"\n"):
                break
