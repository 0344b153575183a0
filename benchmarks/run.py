"""Hold the options of one run of the benchmarks, and make its shapes."""

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import shapes
from .measure import Contender, Row, compare
from .shapes import SHAPES, Shape

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Run:
    """The options of a run, which every question gets.

    Attributes:
        folder: where shapes are stored, for the next question and for other processes.
        scale: the scale of all inputs; the goals are set for 1.
        rounds: the maximum number of rounds for each row.
        budget: seconds after which a row starts no further round.
        quick: leave out what takes long, for a run that checks results and not times.
        memory: also measure peak memory, in one process per contender.
        clock: ``wall``, or ``cpu`` for the CPU time of this process.
        patience: seconds that a peer may take to read its input and resolve once.
        shapes: the shapes that `peers` and `growth` measure; all if empty.
    """

    folder: Path
    scale: float = 1.0
    rounds: int = 9
    budget: float = 60.0
    quick: bool = False
    memory: bool = True
    clock: str = "wall"
    patience: float = 120.0
    shapes: tuple[str, ...] = ()
    _last: tuple[Path, Shape] | None = field(default=None, repr=False)

    @property
    def full(self) -> bool:
        """Whether the goals apply to the sizes of this run."""
        return self.scale == 1.0 and not self.quick

    def wants(self, shape: str) -> bool:
        """Return whether `peers` and `growth` measure a shape."""
        return not self.shapes or shape in self.shapes

    def compare(self, subject: str, contenders: Sequence[Contender[Any]], **options: Any) -> Row:
        """Measure contenders in turns; `options` are those of `measure.compare`."""
        given = {"rounds": self.rounds, "budget": self.budget, "full": self.full, "clock": self.clock}
        return compare(subject, contenders, **{**given, **options})

    def count(self, number: int, least: int = 10) -> int:
        """Scale a number of inputs."""
        return max(least, round(number * self.scale))

    def shape_file(self, name: str, version: str, scale: float = 1.0) -> Path:
        """Return the file of a shape, and write it if it is missing."""
        scale *= self.scale
        source = hashlib.sha256(Path(shapes.__file__).read_bytes()).hexdigest()[:8]
        file = self.folder / f"{name}-{version}-{scale:g}-{source}.pickle"
        if not file.exists():
            shape = SHAPES[name](version, scale)
            for event in shape.events.values():
                event.event_id  # noqa: B018 - computed here, and stored with the event
            self.folder.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                pickle.dump(shape, stream, protocol=5)
        return file

    def shape(self, name: str, version: str, scale: float = 1.0) -> Shape:
        """Return a shape; the last one stays in memory."""
        file = self.shape_file(name, version, scale)
        if self._last is None or self._last[0] != file:
            self._last = None  # two large shapes need not be in memory at once
            self._last = (file, load(file))
        return self._last[1]

    def forget(self) -> None:
        """Release the last shape."""
        self._last = None

    def peak(self, module: str, file: Path, contender: str) -> int | None:
        """Measure the peak memory of one contender beyond its inputs, in bytes, in a process of its own.

        Returns:
            The peak, or None if the process failed.
        """
        command = [sys.executable, "-m", f"benchmarks.{module}", str(file), contender]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return None
        return int(done.stdout)


def load(file: Path) -> Shape:
    """Read a shape from a file."""
    with file.open("rb") as stream:
        shape = pickle.load(stream)
    assert isinstance(shape, Shape)
    return shape
