"""Cases of ``resolve``: state resolution by the algorithms of version 2 (versions 2 to 11) and 2.1 (12).

The expected outcomes follow from the definitions, and the notes give the reasoning. Room versions share an
algorithm, but not the form of events and IDs. So the cases of version 2's algorithm are written in every
version from 2 on, unless a function names its versions.
"""

from collections.abc import Iterator

from . import (
    resolution_classics,
    resolution_corners,
    resolution_parts,
    resolution_readings,
    resolution_shapes,
    resolution_v1,
)
from .scenes import Scenes
from .suite import EventsFile, File
from .versions import since


def files() -> Iterator[File]:
    """Yield the vector files."""
    first = EventsFile("resolution/version_1.json", "State resolution of room version 1")
    disputed = EventsFile("disputed/resolution.json", "State resolution: cases where interpretations differ")
    resolution_v1.cases(Scenes(first, disputed))
    yield first
    readings = EventsFile(
        "resolution/readings.json", "State resolution: where interpretations of the definitions diverge"
    )
    classics = EventsFile("resolution/classics.json", "State resolution: common disputes between users")
    shapes = EventsFile(
        "resolution/shapes.json",
        "State resolution: state sets, missing keys, ties, rejected events and long chains",
    )
    for version in since("2"):
        resolution_readings.cases(Scenes(readings, disputed), version)
        resolution_classics.cases(Scenes(classics), version)
        resolution_shapes.cases(Scenes(shapes, disputed), version)
    corners = EventsFile(
        "resolution/corners.json", "State resolution: cases that a single step of the algorithm decides"
    )
    resolution_corners.cases(Scenes(corners, disputed))
    parts = EventsFile(
        "resolution/parts.json", "State resolution: cases for single sentences of the algorithms"
    )
    resolution_parts.cases(Scenes(parts))
    yield from (readings, classics, shapes, corners, parts, disputed)
