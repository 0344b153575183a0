"""Plots of how time and memory grow, as SVG and PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .measure import Row

# By Okabe and Ito: told apart by those who do not see all colours; and each has a mark of its own.
STYLES = {
    "roomver": ("#0072B2", "o"),
    "Synapse": ("#D55E00", "s"),
    "ruma": ("#009E73", "^"),
    "gomatrixserverlib": ("#CC79A7", "D"),
}


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw the answers of `growth`: a time plot and a memory plot for each shape, log-log.

    Returns:
        The files written.

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
        times = {
            name: [(row.figures["events"], row.times[name].median) for row in mine if name in row.times]
            for name in STYLES
        }
        memory = {
            name: [(row.figures["events"], row.memory[name] / 1e6) for row in mine if row.memory.get(name)]
            for name in STYLES
        }
        title = f"{shape}, warm"
        for lines, what, unit, name in (
            (times, "State resolution", "seconds", "time"),
            (memory, "Peak memory beyond the inputs", "megabytes", "memory"),
        ):
            written += _draw(lines, f"{what}: {title}", unit, folder / f"{shape.replace(' ', '-')}-{name}")
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
