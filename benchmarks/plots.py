"""Draw how time and memory grow, as SVG and PNG."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .measure import Row

# Colours by Okabe and Ito, which colour-blind readers can tell apart. Each line also has its own marker.
STYLES = {
    "roomver": ("#0072B2", "o"),
    "roomver, states kept": ("#56B4E9", "v"),
    "Synapse": ("#D55E00", "s"),
    "ruma": ("#009E73", "^"),
    "gomatrixserverlib": ("#CC79A7", "D"),
}

KINDS: Mapping[str, tuple[str, str, Callable[[Row], Mapping[str, float]]]] = {
    "time": ("State resolution", "seconds", lambda row: {n: s.median for n, s in row.times.items()}),
    "memory": (
        "Peak memory of the process",
        "megabytes",
        lambda row: {name: size / 1e6 for name, size in row.memory.items()},
    ),
}
"""What is drawn for a row: title, unit, and the value of each implementation."""


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw the answers of `growth`: for each shape one log-log plot of each kind.

    Returns:
        The paths of the files.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    import matplotlib as mpl  # noqa: PLC0415 - not needed to measure

    mpl.use("Agg")
    # The same input gives the same file.
    mpl.rcParams["svg.hashsalt"] = "roomver"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for shape in dict.fromkeys(row.subject.split(",")[0] for row in rows):
        mine = [row for row in rows if row.subject.split(",")[0] == shape]
        for kind, (title, unit, values) in KINDS.items():
            lines = {
                name: [(row.figures["events"], values(row)[name]) for row in mine if values(row).get(name)]
                for name in STYLES
            }
            if any(lines.values()):
                file = folder / f"{shape.replace(' ', '-')}-{kind}"
                written += _draw(lines, f"{title}: {shape}, warm", unit, file)
    return written


def _draw(lines: dict[str, list[tuple[float, float]]], title: str, unit: str, file: Path) -> list[Path]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - not needed to measure

    figure: Any = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, points in lines.items():
        if points:
            colour, mark = STYLES[name]
            axes.loglog(*zip(*points, strict=True), color=colour, marker=mark, label=name)
    axes.set(title=title, xlabel="events in the room", ylabel=unit)
    axes.grid(visible=True, which="major", color="#dddddd")
    axes.legend()
    files = [file.with_suffix(".svg"), file.with_suffix(".png")]
    figure.savefig(files[0], metadata={"Date": None})
    figure.savefig(files[1], dpi=150)
    return files
