"""Text that is fitted to a number of cells of a terminal: cut at the end of a word, or broken between words.

Nothing here knows what the text says. It is safe on a terminal already.
"""

import re
from typing import Final

from rich.cells import cell_len

_LONG_WORD: Final = 24  # a word that is longer, such as an ID, is cut rather than left out
_LEAST_WORDS: Final = 8  # cells of a text in quotes that are worth showing


def cells_of(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    # In most text that is not ASCII only the … of a cut is not, and `cell_len` is slow.
    return len(text) if text.isascii() or text.replace("…", "").isascii() else cell_len(text)


def cut_to(text: str, cells: int) -> str:
    """Return a text cut to a number of cells of a terminal.

    >>> cut_to("Hello", 4), cut_to("Hello", 5)
    ('Hel…', 'Hello')
    """
    if text.isascii():
        return text if len(text) <= cells else f"{text[: cells - 1]}…"
    if cell_len(text) <= cells:
        return text
    return f"{text[: _fitting(text, cells - 1)]}…"


def cut_words(text: str, cells: int) -> str:
    """Return a text cut to a number of cells at the end of a word. Only a very long word is cut itself.

    >>> cut_words("one two three", 10), cut_words("one two three", 8), cut_words("w" * 50, 8)
    ('one two…', 'one two…', 'wwwwwww…')
    """
    cut = cut_to(text, cells)
    if cut == text:
        return text
    body = cut[:-1]
    if text[len(body)] != " ":
        end = body.rfind(" ")
        body = body[:end] if end > 0 and len(body) - end <= _LONG_WORD else body
    return f"{body.rstrip()}…"


def fit(text: str, first: int, rest: int, most: int = 3) -> list[str]:
    """Return a text as lines. Words in quotes at its end are cut to fit; anything else goes on below.

    Args:
        text: who did what, and perhaps a text in quotes.
        first: the cells of the first line.
        rest: those of each other line.
        most: how many lines there are at most. The last one is cut.

    >>> fit('@alice:a.example: topic "one two three"', 32, 30)
    ['@alice:a.example: topic "one…']
    >>> fit("@alice:a.example: invite of @bob:b.example", 32, 30)
    ['@alice:a.example: invite of', '@bob:b.example']
    """
    if cells_of(text) <= first:
        return [text]
    who, quote, words = text.partition(' "')
    lines = fit_words(who, first, rest, most)
    if not quote or lines[-1].endswith("…"):
        return lines
    left = (first if len(lines) == 1 else rest) - cell_len(lines[-1])
    if left >= _LEAST_WORDS or len(lines) == most:
        if left > 1:
            lines[-1] += cut_words(f' "{words}', left)
        return lines
    return [*lines, cut_words(f'"{words}', rest)]


def fit_words(text: str, first: int, rest: int, most: int) -> list[str]:
    """Return a text as lines, broken between words. Arguments are those of `fit`."""
    lines: list[str] = []
    room = first
    while cell_len(text) > room and len(lines) < most - 1:
        end = _fitting(text, room)
        space = text.rfind(" ", 0, end + 1)
        if space <= 0 and not lines and rest > first:
            space, end = 0, 0  # the word has more room below
        line = text[: space if space > 0 else end]
        lines.append(line.rstrip())
        text, room = text[len(line) :].lstrip(" "), rest
    return [*lines, cut_words(text, room)] if text or not lines else lines


def _fitting(text: str, cells: int) -> int:
    """Return how many characters of a text fit into a number of cells."""
    used = 0
    for number, character in enumerate(text):
        used += cell_len(character)
        if used > cells:
            return number
    return len(text)


_CALL: Final = re.compile(r"`[^`]*`|(?<=\s)roomver [a-z]+ .*")
_HELD: Final = "\0"  # stands for a space at which a line is not broken


def note_lines(note: str, width: int) -> list[str]:
    """Return a note for standard error as lines of a width, the others indented by two more.

    What is to be copied stays in one line: a call, what is in back-ticks, and each word, such as an ID.

    >>> note_lines("roomver: a.jsonl: 2 events are left out: see `roomver check`", 50)
    ['roomver: a.jsonl: 2 events are left out: see', '  `roomver check`']
    """
    if cell_len(note) <= width:
        return [note]
    indent = " " * (len(note) - len(note.lstrip(" ")))
    held = _CALL.sub(lambda found: found[0].replace(" ", _HELD), note.lstrip(" "))
    lines, line, start = [], "", indent
    for word in held.split(" "):
        longer = f"{line} {word}" if line else f"{start}{word}"
        if line and cell_len(longer) > width:
            lines.append(line)
            start = f"{indent}  "
            longer = f"{start}{word}"
        line = longer
    return [one.replace(_HELD, " ") for one in (*lines, line)]
