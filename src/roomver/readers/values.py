"""The JSON values of a byte stream, one after another, each found without reading the whole stream.

A cursor finds where a value begins and ends. Its text is parsed afterwards, one value at a time. So memory is
bounded by the longest value, and a value that is broken inside does not affect the others.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import NotCanonical
from ..types import JsonValue
from . import lines
from .streams import Source

_CHUNK: Final = 2**16
_MAX_ATOM: Final = 2**16  # a longer number, without a bracket or a quotation mark, is cut off
_MAX_DEPTH: Final = 10_000  # an event may be nested 128 levels deep
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_QUOTE: Final = ord('"')

# Matches up to the next bracket, or up to a string that does not end in this text. The patterns are
# possessive, so they look at each byte once.
_NEXT: Final = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_ATOM: Final = re.compile(rb'[^\s,:"{}\[\]]*+')
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_POSITION: Final = re.compile(r"line (\d+), column (\d+)$")


class Piece(NamedTuple):
    """The text of one JSON value."""

    raw: bytes | None
    """None if it is too long."""
    line: int
    """The line on which it begins, counted from 1."""
    column: int
    """The column at which it begins, in bytes, counted from 1."""

    @property
    def is_long(self) -> bool:
        """Whether it is too long, or holds too many values, to be parsed whole."""
        if self.raw is None:
            return True
        try:
            lines.check_bound(self.raw)
        except NotCanonical:
            return True
        return False

    @property
    def is_atom(self) -> bool:
        """Whether it is neither a string nor an array nor an object."""
        return self.raw is not None and self.raw[:1] not in (b'"', b"[", b"{")

    def has(self, text: bytes) -> bool:
        """Tell whether the value contains a text. Every value contains the empty text."""
        return not text or (self.raw is not None and text in self.raw)

    def load(self) -> JsonValue:
        """Parse the value.

        Raises:
            NotCanonical: if it is too long, holds too many values, or is not JSON.
        """
        if self.raw is None:
            raise NotCanonical("", f"it has more than {lines.MAX_LINE_BYTES} bytes")
        try:
            return lines.load_bounded(self.raw)
        except NotCanonical as error:
            raise NotCanonical(error.path, self._moved(error.reason)) from None

    def _moved(self, reason: str) -> str:
        """Return an error with its position in the value replaced by the position in the input."""

        def position(match: re.Match[str]) -> str:
            line, column = int(match[1]), int(match[2])
            column += self.column - 1 if line == 1 else 0
            return f"line {line + self.line - 1}, column {column}"

        return _POSITION.sub(position, reason)


def _unfinished(piece: Piece) -> NotCanonical:
    """Return the error of a value that the end of the input cuts off."""
    try:
        piece.load()  # raises, because its end is missing
    except NotCanonical as error:
        return NotCanonical(error.path, f"{error.reason}; the input ends inside this value")
    raise AssertionError("a value without its end was parsed")  # pragma: no cover


class Values:
    """A cursor over the JSON text of a source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = bytearray()
        while len(self._text) < len(_BYTE_ORDER_MARK) and (chunk := source.read(_CHUNK)):
            self._text += chunk
        self._text = self._text.removeprefix(_BYTE_ORDER_MARK)
        self._at = 0
        self._line = 1
        self._line_start = 0  # where in `_text` the current line begins; negative if it began before

    def peek(self) -> bytes:
        """Skip white space, and return the next byte without taking it; at the end, nothing."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None  # it may be empty
            self._advance(match.end())
            if self._at < len(self._text):
                return bytes(self._text[self._at : self._at + 1])
            if not self._more(self._at):
                return b""

    def take(self, *expected: bytes) -> bytes:
        """Take the next byte that is not white space.

        Raises:
            NotCanonical: if it is not one of the expected bytes.
        """
        found = self.peek()
        if found not in expected:
            wanted = " or ".join(f"'{one.decode()}'" for one in expected)
            raise NotCanonical("", f"not JSON: Expecting {wanted} at {self.position()}")
        self._advance(self._at + 1)
        return found

    def position(self) -> str:
        """Return line and column of the cursor, for messages."""
        return f"line {self._line}, column {self._at - self._line_start + 1}"

    def value(self) -> Piece:
        """Take one value: up to the bracket that closes it, the end of the string, or the next delimiter.

        Raises:
            NotCanonical: if no value begins here, it is nested too deeply, or the input ends inside it.
        """
        first = self.peek()
        line, column = self._line, self._at - self._line_start + 1
        if first in b'"{[' and first:
            raw = self._enclosed()
        else:
            raw = self._atom()
            if not raw:
                raise NotCanonical("", f"not JSON: Expecting value at {self.position()}")
        return Piece(raw, line, column)

    def elements(self) -> Iterator[Piece]:
        """Take an array, element by element."""
        self.take(b"[")
        if self.peek() == b"]":
            self.take(b"]")
            return
        while True:
            yield self.value()
            if self.take(b",", b"]") == b"]":
                return

    def members(self) -> Iterator[str]:
        """Take an object, key by key. The caller takes each value before it asks for the next key."""
        self.take(b"{")
        if self.peek() == b"}":
            self.take(b"}")
            return
        while True:
            if self.peek() != b'"':
                raise NotCanonical(
                    "", f"not JSON: Expecting property name enclosed in double quotes at {self.position()}"
                )
            key = self.value().load()
            self.take(b":")
            yield str(key)
            if self.take(b",", b"}") == b"}":
                return

    def _atom(self) -> bytes:
        at = self._at
        while True:
            match = _ATOM.match(self._text, at)
            assert match is not None  # it may be empty
            at = match.end()
            if at < len(self._text) or at - self._at > _MAX_ATOM:
                break
            kept = at - self._at
            if not self._more(self._at):
                break
            at = self._at + kept
        raw = bytes(self._text[self._at : at])
        self._advance(at)
        return raw

    def _enclosed(self) -> bytes | None:
        """Take a string, array or object; return None for one that is too long."""
        line, column = self._line, self._at - self._line_start + 1
        in_string = self._text[self._at] == _QUOTE
        at = self._at + in_string
        depth = 0
        too_long = False
        while True:
            match = (_STRING if in_string else _NEXT).match(self._text, at)
            assert match is not None  # it may be empty
            at = match.end()
            byte = self._text[at] if at < len(self._text) else None
            if byte == _QUOTE:
                at += 1
                in_string = not in_string
                if not in_string and not depth:
                    break
                continue
            if byte is not None and not in_string:
                at += 1
                depth += 1 if byte in b"[{" else -1
                if depth > _MAX_DEPTH:
                    raise NotCanonical(
                        "", f"nested deeper than {_MAX_DEPTH:,} levels at line {line}, column {column}"
                    )
                if not depth:
                    break
                continue
            # All of the text has been looked at, except a backslash whose escape is still to come.
            if at - self._at > lines.MAX_LINE_BYTES:
                too_long = True
            if too_long:
                self._advance(at)
            looked_at = at - self._at
            if not self._more(self._at):
                rest = None if too_long else bytes(self._text[self._at :])
                raise _unfinished(Piece(rest, line, column))
            at = self._at + looked_at
        too_long = too_long or at - self._at > lines.MAX_LINE_BYTES
        raw = None if too_long else bytes(self._text[self._at : at])
        self._advance(at)
        return raw

    def _advance(self, to: int) -> None:
        newlines = self._text.count(b"\n", self._at, to)
        if newlines:
            self._line += newlines
            self._line_start = self._text.rfind(b"\n", self._at, to) + 1
        self._at = to

    def _more(self, keep_from: int) -> bool:
        """Read another chunk, and forget the text before a position; tell whether there was more."""
        del self._text[:keep_from]
        self._at -= keep_from
        self._line_start -= keep_from
        chunk = self._source.read(_CHUNK)
        self._text += chunk
        return bool(chunk)
