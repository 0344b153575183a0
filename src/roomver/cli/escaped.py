"""Text from input, made safe for each form of output: a terminal, a shell, Markdown and HTML.

There is one function per form. Whatever prints text that comes from a file or from another program passes it
through one of them, last.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from shlex import quote
from typing import Final

from ..canonical import shorten

_LONGEST: Final = 1000  # longer than any identifier and any sentence made here

# Characters that Python calls printable and that show nothing: fillers, and marks that select a glyph.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

_MARK: Final = ("Mn", "Me")
_MARKS: Final = 2  # combining marks on one character; more can cover the lines around it


@cache
def _may_harm() -> re.Pattern[str]:
    """Return a pattern for printable characters that may have to be escaped."""
    # Compiled on first use: it takes longer than anything else here, and most rooms are ASCII.
    return re.compile(rf"{_INVISIBLE.pattern}|^[\u0300-\U0010ffff]|[\u0300-\U0010ffff]{{3}}")


# ":" and "@" begin links, which some renderers make of bare addresses.
_MARKDOWN: Final = re.compile(r"[\\`*_\[\]<>|~&#!:@$]|(?<=www)\.", re.IGNORECASE)


def printable(text: object, limit: int = _LONGEST) -> str:
    """Return a text as one line that is safe on a terminal.

    Text in events comes from untrusted servers. Control characters, line ends, invisible
    characters and marks that change the writing direction are escaped, and so are stacks of combining marks,
    which can cover the lines around them.

    Args:
        text: the text. Any other JSON value is described.
        limit: the greatest length, before characters are escaped.

    >>> printable("m.room.\\x1b[2Jmessage")
    'm.room.\\\\u001b[2Jmessage'
    """
    if type(text) is not str:
        return shorten(text)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if (text.isascii() and text.isprintable()) or is_printable(text):
        return text
    return "".join(_parts(text, escape_of))


def is_printable(text: str) -> bool:
    """Tell whether `printable` would escape nothing in a text."""
    if text.isascii() or _may_harm().search(text) is None:
        return text.isprintable()
    return "".join(_parts(text, escape_of)) == text


def _parts(text: str, escape: Callable[[str], str]) -> Iterator[str]:
    """Yield the characters of a text, or their escapes."""
    marks, first = 0, True
    for character in text:
        marks = marks + 1 if not character.isascii() and unicodedata.category(character) in _MARK else 0
        harms = marks > _MARKS or (marks and first) or _INVISIBLE.match(character) is not None
        yield character if character.isprintable() and not harms else escape(character)
        first = False


def escape_of(character: str) -> str:
    """Return the escape that stands for a character that is not shown."""
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def ascii_json(value: object, indent: int | None = None, *, sort_keys: bool = False) -> str:
    """Return a value as JSON of plain ASCII, in which every character that is not shown is escaped.

    >>> ascii_json({"a": "\\x7f"})
    '{"a": "\\\\u007f"}'
    """
    return json.dumps(value, indent=indent, sort_keys=sort_keys).replace("\x7f", "\\u007f")


def json_text(text: str) -> str:
    """Return JSON text in which characters that `printable` escapes have the escapes of JSON.

    It is the same JSON value, in one line if the text had no line ends between its values.
    """
    return text if is_printable(text) else "".join(_parts(text, _json_escape))


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def markdown_text(text: object) -> str:
    """Return a text as Markdown that shows it, in one line.

    >>> markdown_text("<b> of *x*")
    '\\\\<b\\\\> of \\\\*x\\\\*'
    """
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def markdown_code(text: object) -> str:
    """Return a text as a code span of Markdown, in one line.

    >>> markdown_code("a `b`")
    '`` a `b` ``'
    """
    safe = printable(text)
    longest = max(map(len, re.findall("`+", safe)), default=0)
    if not longest and safe.strip(" "):
        return f"`{safe}`"
    # The fence is longer than any run of back-ticks inside. The spaces are not part of the code.
    fence = "`" * (longest + 1)
    return f"{fence} {safe or ' '} {fence}"


def html_text(text: object) -> str:
    """Return a text as HTML that shows it, also in the value of an attribute."""
    return escape(printable(text))


def call_word(text: str) -> str:
    """Return a text as one word of a printed call, which a shell reads as that text and runs nothing of.

    A text that a terminal would not show as it is gets the escapes of ``$'…'``, which most shells know.

    >>> print(call_word("a b"), call_word("a\\x1b'"))
    'a b' $'a\\x1b\\x27'
    """
    if is_printable(text):
        return quote(text)
    data = text.encode(errors="surrogateescape" if _encodes(text) else "surrogatepass")
    plain = (chr(one) if 32 <= one < 127 and one not in b"'\\" else f"\\x{one:02x}" for one in data)
    return f"$'{''.join(plain)}'"


def _encodes(text: str) -> bool:
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
