"""A picture of the keys of one event, and what the two hashes of it cover."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, Final

from roomver.cli.svg import ROW, element, ground, opening
from roomver.hashing import compute_content_hash, compute_reference_hash

from .small_rooms import small_rooms

_LONGEST: Final = 46  # characters of a value that are shown


def hashes_picture(room: str, label: str) -> str:
    """Return the keys of an event of a small room, with marks for what the hashes cover.

    What they cover is found by changing each value.
    """
    small = small_rooms()[room]
    pdus = {line["event_id"]: line["pdu"] for line in map(json.loads, small.lines[1:])}
    title = f"{label}, an event of the room “{room}”"
    return "".join(f"{part}\n" for part in _parts(pdus[small.labels[label]], title))


def _parts(pdu: dict[str, Any], title: str) -> Iterator[str]:
    rows = list(_values(pdu))
    columns: list[tuple[str, Callable[..., str]]] = [
        ("content hash", compute_content_hash),
        ("reference hash", compute_reference_hash),
    ]
    width, height = 720, ROW * (len(rows) + 2) + 12
    start, end = opening(width, height)
    yield start
    yield ground()
    yield element("text", {"x": "8", "y": "20", "font-weight": "bold", "fill": "#333333"}, title)
    for number, (name, _) in enumerate(columns):
        at = {"x": f"{530 + 120 * number}", "y": f"{ROW + 16}", "text-anchor": "middle"}
        yield element("text", {**at, "font-size": "12", "fill": "#555555"}, name)
    for number, (path, value) in enumerate(rows):
        changed = _changed(pdu, path)
        covered = [hashed(pdu, "11") != hashed(changed, "11") for _, hashed in columns]
        y = ROW * (number + 2) + 14
        if covered[1]:
            box = {"x": "0", "y": f"{y - 18}", "width": "100%", "height": f"{ROW}", "fill": "#fff3c4"}
            yield element("rect", box)
        text = {"y": f"{y}", "font-family": "monospace", "font-size": "12", "fill": "#333333"}
        yield element("text", {"x": "8", **text}, ".".join(path))
        yield element("text", {"x": "150", **text}, value)
        for column, mark in enumerate(covered):
            if mark:
                at = {"x": f"{530 + 120 * column}", "y": f"{y}", "text-anchor": "middle", "fill": "#333333"}
                yield element("text", at, "●")
    yield end


def _values(pdu: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the values of an event, with their paths; those in `content` and `hashes` one by one."""
    for key in sorted(pdu):
        value = pdu[key]
        if key in ("content", "hashes"):
            for inner, one in value.items():
                yield (key, inner), _shown(one)
        else:
            yield (key,), _shown(value)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _changed(pdu: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Return an event with another value in one place."""
    changed = deepcopy(pdu)
    place = changed
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    place[path[-1]] = f"{value}x" if isinstance(value, str) else [value]
    return changed
