"""The graph of a room for Graphviz, for Mermaid, and as an SVG picture.

Each form escapes the text of events in its own way, on top of what makes it safe on a terminal:

* DOT: in a quoted string, ``"`` and ``\\`` are escaped, and ``&``, which begins an entity there.
* Mermaid: everything but ASCII letters, digits and a few harmless characters is an entity.
* SVG: the library that writes XML escapes. There are no scripts, styles, links or other namespaces.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from ..explain.drawing import Drawing, Kind, Node
from ..explain.judged import Judged
from ..explain.lanes import Row, lay_out, stretches, widest
from .graph_words import Words
from .svg import ROW, bends, element, ground, lane_x, opening, straight

# Judged or kind to the colour of the line and of the area.
_COLOURS: Final = {
    "reset": ("#b30000", "#ffd6d6"),
    "undone": ("#b30000", "#ffffff"),
    Judged.REJECTED.value: ("#b30000", "#ffe9e9"),
    Judged.SOFT_FAILED.value: ("#8a6d00", "#fff6cc"),
    Judged.UNDECIDED.value: ("#7a1fa2", "#f5e6fa"),
    Judged.ACCEPTED.value: ("#333333", "#ffffff"),
    "several": ("#777777", "#f2f2f2"),
}
_HARMLESS: Final = re.compile(r"[^A-Za-z0-9 .,_-]")
_MISSING: Final = 5  # missing events that one event has in a picture; the rest is in its text


def _look(node: Node) -> str:
    if node.kind not in (Kind.EVENT, Kind.JUNCTION):
        return "several"
    if node.mark.undone and node.mark.judged is Judged.ACCEPTED:
        return "undone"
    return "reset" if node.mark.resets else node.mark.judged.value


def dot_text(text: str) -> str:
    """Return a text as a quoted string of DOT that shows it.

    >>> dot_text('say "\\\\N" & go')
    '"say \\\\"\\\\\\\\N\\\\" &amp; go"'
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return f'"{escaped}"'


def dot_chunks(drawing: Drawing, words: Words) -> Iterator[str]:
    """Yield the lines of a DOT file. Edges lead to what an event follows."""
    yield "digraph room {"
    yield f"  graph [label={dot_text('; '.join(words.summary()))}, labelloc=t, rankdir=TB];"
    yield '  node [shape=box, style="filled,rounded", fontname="sans-serif", fontsize=10];'
    missing: dict[str, int] = {}
    for number, node in enumerate(drawing.nodes):
        line, area = _COLOURS[_look(node)]
        label = "\\n".join(dot_text(one)[1:-1] for one in words(node).lines)
        full = words.full(node)
        tip = f", tooltip={dot_text(full)}" if full else ""
        yield f'  n{number} [label="{label}", color="{line}", fillcolor="{area}"{tip}];'
        for parent in node.parents:
            yield f"  n{number} -> n{parent};"
        for one in node.mark.missing[:_MISSING]:
            name = f"m{missing.setdefault(one, len(missing))}"
            yield f"  {name} [label={dot_text(f'missing: {words.short(one)}')}, style=dashed];"
            yield f"  n{number} -> {name} [style=dashed];"
    yield "}"


def mermaid_text(text: str) -> str:
    """Return a text as a quoted label of Mermaid that shows it.

    >>> mermaid_text('a "b" <c>')
    '"a #34;b#34; #60;c#62;"'
    """
    return f'"{_HARMLESS.sub(lambda found: f"#{ord(found[0])};", text)}"'


def mermaid_chunks(drawing: Drawing, words: Words) -> Iterator[str]:
    """Yield the lines of a Mermaid flowchart."""
    yield "flowchart TB"
    names = {look: f"c{number}" for number, look in enumerate(_COLOURS)}
    for look, (line, area) in _COLOURS.items():
        yield f"  classDef {names[look]} fill:{area},stroke:{line},color:#000000"
    missing: dict[str, int] = {}
    for number, node in enumerate(drawing.nodes):
        label = "<br/>".join(mermaid_text(one)[1:-1] for one in words(node).lines)
        yield f'  n{number}["{label}"]:::{names[_look(node)]}'
        for parent in node.parents:
            yield f"  n{number} --> n{parent}"
        for one in node.mark.missing[:_MISSING]:
            name = f"m{missing.setdefault(one, len(missing))}"
            yield f"  n{number} -.-> {name}[{mermaid_text(f'missing: {words.short(one)}')}]"


_NOTE: Final = 18  # pixels of a line below the text of a row
_TEXT: Final = 7.3  # pixels that a character takes, at most


def svg_chunks(drawing: Drawing, words: Words) -> Iterator[str]:
    """Yield the parts of an SVG picture: lanes, and the text of each row beside them.

    What a merge did, and what is missing, has lines of its own below the text, so that the picture is not
    much wider than the texts of most rows.
    """
    rows = list(lay_out(node.parents for node in drawing.nodes))
    said = [words(node) for node in drawing.nodes]
    left = lane_x(widest(rows)) + 4
    texts = [" · ".join(one.lines[: len(one.lines) - len(one.notes)]) for one in said]
    heads = words.summary()
    width = (
        left
        + max(map(len, (*texts, *heads, *(note for one in said for note in one.notes))), default=0) * _TEXT
    )
    # The height of each row; the last entry is the end.
    heights = list(accumulate((ROW + _NOTE * len(one.notes) for one in said), initial=ROW * (len(heads) + 1)))
    start, end = opening(width, heights[-1])
    yield start
    yield ground()
    for number, line in enumerate(heads):
        yield element("text", {"x": "8", "y": f"{ROW * (number + 1)}", "font-weight": "bold"}, line)
    for one in stretches(rows):
        if one.bottom > one.top + 1:
            yield straight(one, heights[one.top + 1], heights[one.bottom])
    for row, node, text, row_text in zip(rows, drawing.nodes, texts, said, strict=True):
        places = heights[row.number], heights[row.number + 1]
        yield from _svg_row(row, node, [text, *row_text.notes], places, left, words.full(node))
    yield end


def _svg_row(
    row: Row, node: Node, lines: Sequence[str], places: tuple[int, int], left: float, title: str
) -> Iterator[str]:
    """Yield a row: its bends, its dot and its lines of text.

    Args:
        row: its lanes.
        node: what it stands for.
        lines: what is said of it.
        places: where it is, and where the next row is.
        left: where the text begins.
        title: what is shown at the dot.
    """
    y, below = places
    yield from bends(row, y, below)
    line, area = _COLOURS[_look(node)]
    circle = {"cx": f"{lane_x(row.lane)}", "cy": f"{y}", "r": "5", "stroke": line, "stroke-width": "2"}
    yield element("circle", {**circle, "fill": area}, title=title)
    for number, text in enumerate(lines):
        yield element("text", {"x": f"{left}", "y": f"{y + 4 + _NOTE * number}", "fill": line}, text)


FORMS: Final[Mapping[str, Callable[[Drawing, Words], Iterator[str]]]] = {
    "dot": dot_chunks,
    "mermaid": mermaid_chunks,
    "svg": svg_chunks,
}
"""The forms by the names of their options."""
