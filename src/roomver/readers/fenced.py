"""Text with JSON in Markdown code blocks, as continuwuity's admin commands answer.

The form is that of ``debug get-pdu`` and ``debug get-remote-pdu``: a line or two of text, and the PDU over
many lines between lines of three backticks. We read it in the source of continuwuity 26.8.0-alpha.1 (commit
0907323) and of tuwunel 1.9.0 (commit 5b36691). What the line of text says, such as ``Soft-failed PDU:``, is
not read.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ..entry import Place
from ..errors import NotCanonical
from . import lines as lines_module
from .entries import Read
from .lines import Line, check_line
from .values import Piece

_FENCE: Final = b"```"
_LANGUAGES: Final = (b"", b"json")


def is_fence(line: Line) -> bool:
    """Tell whether a line begins or ends a code block."""
    return line.raw.lstrip(b" \t").startswith(_FENCE)


def read_fenced(lines: Iterable[Line]) -> Iterator[Read]:
    """Yield the value of each code block, or why it cannot be read. Text outside of them is skipped.

    A block in a language other than JSON is skipped too.
    """
    rest = iter(lines)
    for line in rest:
        if is_fence(line):
            language = line.raw.strip().removeprefix(_FENCE).strip().lower()
            read = _read_block(line, rest)
            if language in _LANGUAGES:
                yield read


def _read_block(first: Line, rest: Iterator[Line]) -> Read:
    """Read up to the line that ends a block."""
    place = Place(first.number + 1, "")
    inside: list[bytes] = []
    size = 0
    error: NotCanonical | None = None
    for line in rest:
        if is_fence(line):
            break
        size += len(line.raw) + 1
        try:
            check_line(line)
            if size > lines_module.MAX_LINE_BYTES:
                raise NotCanonical("", f"it has more than {lines_module.MAX_LINE_BYTES} bytes")
        except NotCanonical as found:
            error = error or found
            inside.clear()
        if error is None:
            inside.append(line.raw)
    else:
        error = error or NotCanonical("", "the code block does not end")
    if error is None:
        try:
            return Read(Piece(b"\n".join(inside), place.line or 1, 1).load(), place)
        except NotCanonical as found:
            error = found
    return Read(None, place, error=str(error))
