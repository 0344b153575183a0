"""Elements of SVG pictures, and the lanes of a graph in them.

`graph_forms` draws rooms with them; the pictures of the documentation are drawn with them too. The library
that writes XML escapes all texts.
"""

from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from ..explain.lanes import Row, Stretch

NAMESPACE: Final = "http://www.w3.org/2000/svg"
ROW: Final = 26
"""The height of a row, in pixels."""
_LANE: Final = 16
_LANE_COLOURS: Final = ("#2e7d32", "#1565c0", "#8e24aa", "#00838f", "#b26a00", "#5d4037")


def element(name: str, attributes: Mapping[str, str], text: str = "", title: str = "") -> str:
    """Return an element, with its text, and with a title that is shown when one points at it."""
    made = Element(name, dict(attributes))
    made.text = text or None
    if title:
        SubElement(made, "title").text = title
    return tostring(made, encoding="unicode")


def opening(width: float, height: int) -> tuple[str, str]:
    """Return the start of a picture of this size in pixels, and its end."""
    size = f"{width:.0f}", f"{height}"
    attributes = {
        "xmlns": NAMESPACE,
        "width": size[0],
        "height": size[1],
        "viewBox": f"0 0 {size[0]} {size[1]}",
        "font-family": "sans-serif",
        "font-size": "13",
    }
    root = Element("svg", attributes)
    start, end = tostring(root, encoding="unicode", short_empty_elements=False).split("></")
    return f"{start}>", f"</{end}"


def ground() -> str:
    """Return the white ground of a picture."""
    return element("rect", {"width": "100%", "height": "100%", "fill": "#ffffff"})


def lane_x(lane: int) -> int:
    """Return where the middle of a lane is, in pixels from the left."""
    return 12 + _LANE * lane


def straight(one: Stretch, top: int, bottom: int) -> str:
    """Return the straight line of a lane between two heights."""
    x = f"{lane_x(one.lane)}"
    return element("line", {"x1": x, "x2": x, "y1": f"{top}", "y2": f"{bottom}", **_stroke(one.lane)})


def bends(row: Row, y: int, below: int) -> Iterator[str]:
    """Yield the lines from a row to the next one.

    Args:
        row: the row.
        y: its height.
        below: the height of the next row.
    """
    ends = [(row.lane, edge.lane) for edge in row.edges]
    if row.moved is not None:
        ends.append((row.moved, row.lane))
    for above_lane, lane in ends:
        x, to = lane_x(above_lane), lane_x(lane)
        path = f"M {x} {y} C {x} {y + ROW / 2} {to} {below - ROW / 2} {to} {below}"
        yield element("path", {"d": path, "fill": "none", **_stroke(max(above_lane, lane))})


def _stroke(lane: int) -> dict[str, str]:
    return {"stroke": _LANE_COLOURS[lane % len(_LANE_COLOURS)], "stroke-width": "2"}
