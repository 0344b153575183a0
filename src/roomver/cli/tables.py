"""Tables and lines on a terminal of any width. No word of a table is lost on a narrow one."""

import re
from collections.abc import Sequence
from textwrap import fill
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from .common import WIDE, console

_NARROWEST: Final = 24  # of a column whose words may be broken: at least this, or its longest word
_INDENT: Final = 2


# What a verdict says, and the values behind it. A reason may have "(or notifications)" of its own.
_VALUES: Final = re.compile(r"(.*\bv?[\w.]+ rule [^:]+: [^(]*(?:\([^()]*\) [^(]*)*)\((.*)\)(.*)")
# A value may have a comma: in quotes, or in where a level comes from.
_VALUE: Final = re.compile(r'(?:"(?:\\.|[^"\\])*(?:"|$)|, not set in |,(?! )|[^,"])+')


def wrapped(line: str, width: int) -> str:
    """Return a line broken between words to a width. A call is left whole, to be copied; so is each ID.

    Of a rule that decided, each value that it compared has a line of its own.
    """
    if len(line) <= width or width >= WIDE or "roomver " in line:
        return line
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    lines, deeper = [line], indent
    if (found := _VALUES.fullmatch(line)) is not None:
        said, values, after = found.groups()
        lines = [said.rstrip(), *(f"{indent}{value.strip()}" for value in _VALUE.findall(values))]
        lines[-1] += after
        deeper += "  "
    broken = [
        fill(one, width, subsequent_indent=deeper, break_long_words=False, break_on_hyphens=False)
        for one in lines
    ]
    return "\n".join(broken)


def print_table(table: Table, heading: int = 0) -> None:
    """Print a table. Columns that are too wide for the terminal are wrapped between words.

    If a word would not fit into its column, each row is printed as lines of its own instead. A column with
    ``overflow="fold"`` may break words.

    Args:
        table: its cells are texts.
        heading: the column that heads the lines of a row.
    """
    out = console()
    columns = [_texts(column, footer=table.show_footer) for column in table.columns]
    full = [max(map(cell_len, texts)) for texts in columns]
    least = [_least(column, texts) for column, texts in zip(table.columns, columns, strict=True)]
    for padding in (table.padding, 0):
        table.padding = padding
        # Besides the texts, there are spaces between the columns.
        wide = out.options.update(max_width=sum(full) + 10 * len(full))
        available = out.width - Measurement.get(out, wide, table).maximum + sum(full)
        if sum(least) <= available:
            if sum(full) > available:
                for column, width in zip(table.columns, _share(least, full, available), strict=True):
                    column.width, column.overflow = width, "fold"
            print_stripped(table, out)
            return
    _print_rows(out, table.columns, columns, heading)


def print_stripped(table: Table, out: Console) -> None:
    """Print a table as it is, without the spaces that end its lines."""
    for line in out.render_lines(table, pad=False):
        text = Text.assemble(*((one.text, one.style or "") for one in line), no_wrap=True)
        text.rstrip()
        out.print(text, soft_wrap=True)


def _texts(column: Column, *, footer: bool) -> list[str]:
    """Return the header, the cells and, if it is shown, the footer of a column."""
    return [str(column.header), *map(str, column.cells), *([str(column.footer)] if footer else [])]


def _least(column: Column, texts: Sequence[str]) -> int:
    """Return the least width of a column, so that no word is cut."""
    if column.no_wrap:
        return max(map(cell_len, texts))
    longest = max((cell_len(word) for text in texts for word in text.split()), default=0)
    return min(longest, _NARROWEST) if column.overflow == "fold" else longest


def _share(least: Sequence[int], full: Sequence[int], available: int) -> list[int]:
    """Return the widths of columns. What the least widths leave is shared among those that need more."""
    widths = list(least)
    wanting = sorted((n for n in range(len(full)) if full[n] > least[n]), key=lambda n: full[n] - least[n])
    for rank, n in enumerate(wanting):
        spare = available - sum(widths)
        widths[n] += min(full[n] - least[n], spare // (len(wanting) - rank))
    return widths


def _print_rows(
    out: Console, columns: Sequence[Column], texts: Sequence[Sequence[str]], heading: int
) -> None:
    """Print each row of a table as a heading and indented lines.

    Cells that are not wrapped share lines. Each other cell has lines of its own.
    """
    for row in range(1, len(texts[0])):
        out.print(texts[heading][row], style="bold")
        short: list[str] = []
        long: list[str] = []
        for number, column in enumerate(columns):
            header, cell = texts[number][0], texts[number][row]
            if number != heading and cell:
                if column.no_wrap:
                    short.append(f"{header} {cell}")
                else:
                    long.append(f"{header}: {cell}")
        for line in [*_filled(short, out.width - _INDENT), *long]:
            out.print(Padding(line, (0, 0, 0, _INDENT), expand=False))


def _filled(items: Sequence[str], width: int) -> list[str]:
    """Return items as lines, each item whole on one line if it fits."""
    lines: list[str] = []
    for item in items:
        if lines and cell_len(lines[-1]) + cell_len(item) + 3 <= width:
            lines[-1] += f", {item}"
        else:
            if lines:
                lines[-1] += ","
            lines.append(item)
    return lines
