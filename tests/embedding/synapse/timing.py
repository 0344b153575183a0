"""Time the resolution of big rooms inside Synapse, with roomver in the place of its rules and without it.

The rooms are those of the benchmarks, in other versions. Each is stored and resolved in a process of its own:
see resolving.py. The two take turns in it, and come to the same state, or this fails.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks import shapes
from benchmarks.measure import Stats, ratios
from roomver.resolution import split_states

VERSIONS: Final = ("10", "12")
SCALES: Final = {"busy": 1.0, "hq": 0.1, "wide": 1.0}
"""The rooms, and their sizes: tens of thousands of events."""


class Size(NamedTuple):
    """How much there is to resolve."""

    events: int
    states: int
    entries: int
    """The entries of the largest state."""
    conflicts: int
    """The keys on which the states do not agree."""


def describe_room(shape: shapes.Shape) -> tuple[dict[str, Any], Size]:
    """Return a room as JSON for resolving.py, and its size."""
    room_id = next(event.room_id for event in shape.events.values() if event.type != "m.room.create")
    first = shape.state_sets[0]
    create = first["m.room.create", ""]
    cited = [first["m.room.power_levels", ""], first["m.room.member", shapes.CREATOR]]
    if shape.events[cited[0]].room_version.create_in_auth_events:
        cited.append(create)
    message = {
        "type": "m.room.message",
        "sender": shapes.CREATOR,
        "room_id": room_id,
        "content": {"body": "The end of a branch"},
        "origin_server_ts": 1_900_000_000_000,
        "prev_events": [create],
        "auth_events": cited,
        "hashes": {"sha256": "A" * 43},
        "signatures": {},
    }
    room = {
        "version": shape.version,
        "room_id": room_id,
        "creator": shapes.CREATOR,
        "events": [event.pdu for event in shape.events.values()],
        "states": [[[*key, event_id] for key, event_id in state.items()] for state in shape.state_sets],
        "message": message,
    }
    sizes = [len(state) for state in shape.state_sets]
    split = split_states(shape.state_sets)
    return room, Size(len(shape.events), len(sizes), max(sizes), len(split.conflicted))


def time_room(folder: Path, room: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Store a room in a homeserver of Synapse, resolve it, and return what resolving.py writes."""
    room_file, results = folder / "room.json", folder / "timing.json"
    room_file.write_text(json.dumps(room))
    results.unlink(missing_ok=True)
    program = [sys.executable, str(Path(__file__).with_name("trial.py"))]
    done = subprocess.run(
        [*program, str(folder), str(results), "timing", str(room_file), str(rounds)],
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
    )
    if not results.exists():
        raise SystemExit(f"resolving.py ended with exit code {done.returncode} and without results")
    found: dict[str, Any] = json.loads(results.read_text())
    return found


def table(folder: Path, rounds: int, scale: float) -> Iterator[str]:
    """Yield the lines of a table of all rooms, as they are measured.

    Raises:
        SystemExit: if the two resolve a room to different states, or if roomver was never called.
    """
    yield "| room | version | conflicts | in memory | Synapse | with roomver | ratio |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    sizes = {}
    for name, whole in SCALES.items():
        for version in VERSIONS:
            room, size = describe_room(shapes.SHAPES[name](version, whole * scale))
            sizes[name] = size
            found = time_room(folder, room, rounds)
            if not all(one["same"] for one in found["rounds"]):
                raise SystemExit(f"{name}, version {version}: the states are not the same")
            if not any(call.startswith("resolve") for call in found["calls"]):
                raise SystemExit(f"{name}, version {version}: roomver was never called")
            yield from _rows(f"| `{name}` | {version} | {size.conflicts:,}", found["rounds"])
    for name, size in sizes.items():
        yield ""
        yield (
            f"`{name}`: {size.events:,} events; {size.states} states, the largest of {size.entries:,} entries"
        )


def _rows(start: str, rounds: list[dict[str, Any]]) -> Iterator[str]:
    for caches in dict.fromkeys(one["caches"] for one in rounds):
        times = [one["seconds"] for one in rounds if one["caches"] == caches]
        synapse, mine = [one["synapse"] for one in times], [one["roomver"] for one in times]
        ratio = ratios(synapse, mine)
        low, high = ratio.quartiles
        yield (
            f"{start} | {caches} | {Stats(tuple(synapse)).median:.3f} s | {Stats(tuple(mine)).median:.3f} s"
            f" | {ratio.median:.2f} [{low:.2f}, {high:.2f}] |"
        )
