"""One run of the benchmarks: its sizes, and the shapes that it has made."""

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
    """What every question is asked with.

    Attributes:
        folder: where shapes are kept, for the next question and for other processes.
        scale: of all inputs; the goals are set for 1.
        rounds: at most so many a row.
        budget: seconds after which a row begins no further round.
        quick: leave out what takes long, for a run that is about the results and not the seconds.
        memory: measure peak memory too, in a process for each contender.
        patience: seconds that a peer may take to read its input and resolve once.
        shapes: those that `peers` and `growth` are asked of; all if there are none.
        clock: ``wall``, or ``cpu`` for the time of this process alone.
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
        """Whether sizes and rounds are those that the goals are set for."""
        return self.scale == 1.0 and not self.quick

    def wants(self, shape: str) -> bool:
        """Whether `peers` and `growth` are asked of a shape."""
        return not self.shapes or shape in self.shapes

    def compare(self, subject: str, contenders: Sequence[Contender[Any]], **options: Any) -> Row:
        """Measure contenders in turns; the options are those of `measure.compare`."""
        given = {"rounds": self.rounds, "budget": self.budget, "full": self.full, "clock": self.clock}
        return compare(subject, contenders, **{**given, **options})

    def count(self, number: int, least: int = 10) -> int:
        """Scale a number of things."""
        return max(least, round(number * self.scale))

    def shape_file(self, name: str, version: str, scale: float = 1.0) -> Path:
        """Return the file of a shape, making it if there is none."""
        scale *= self.scale
        source = hashlib.sha256(Path(shapes.__file__).read_bytes()).hexdigest()[:8]
        file = self.folder / f"{name}-{version}-{scale:g}-{source}.pickle"
        if not file.exists():
            shape = SHAPES[name](version, scale)
            for event in shape.events.values():
                event.event_id  # noqa: B018 - computed once, and kept with the event
            self.folder.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                pickle.dump(shape, stream, protocol=5)
        return file

    def shape(self, name: str, version: str, scale: float = 1.0) -> Shape:
        """Return a shape of a room; the last one is kept."""
        file = self.shape_file(name, version, scale)
        if self._last is None or self._last[0] != file:
            self._last = None  # two large ones need not be there at once
            self._last = (file, load(file))
        return self._last[1]

    def forget(self) -> None:
        """Let the last shape go."""
        self._last = None

    def peak(self, module: str, file: Path, contender: str) -> int | None:
        """Return the peak memory of one contender in a process of its own, beyond its inputs; None if
        it could not be measured."""
        command = [sys.executable, "-m", f"benchmarks.{module}", str(file), contender]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return None
        return int(done.stdout)


def load(file: Path) -> Shape:
    """Read a shape from its file."""
    with file.open("rb") as stream:
        shape = pickle.load(stream)
    assert isinstance(shape, Shape)
    return shape
