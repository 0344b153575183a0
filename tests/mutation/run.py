"""Apply slips to copies of the package, and run the vector suite against each."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .slips import Slip

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "roomver"
VECTORS = ROOT / "vectors"


class CannotApply(Exception):
    """A slip whose text is not there once and once only: the code has moved on, and the table has not."""


@dataclass(frozen=True)
class Caught:
    """What the suite said about a slip.

    Attributes:
        slip: the slip.
        by: the name of the first case that failed; None if nothing noticed.
        broken: what the suite died of, where it did not run: such a slip proves nothing.
    """

    slip: Slip
    by: str | None
    broken: str = ""


def mutated(slip: Slip, package: Path = PACKAGE) -> str:
    """Return the text of the slip's module with the slip in it.

    Raises:
        CannotApply: if the text that it replaces is not there exactly once.
    """
    text = (package / slip.module).read_text(encoding="utf-8")
    found = text.count(slip.old)
    if found != 1:
        raise CannotApply(f"{slip.note} {slip.sense!r}: its text stands {found} times in {slip.module}")
    changed = text.replace(slip.old, slip.new)
    compile(changed, slip.module, "exec")
    return changed


def run_suite(package: Path, vectors: Path = VECTORS) -> subprocess.CompletedProcess[str]:
    """Run the suite, or other vectors, with the package in this folder."""
    script = Path(__file__).with_name("suite.py")
    # No bytecode: a copy is as new as the next one, and within the second of its time stamp.
    env = {**os.environ, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(script), str(vectors)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)


def try_slip(slip: Slip) -> Caught:
    """Apply a slip to a copy of the package, and run the suite."""
    with TemporaryDirectory() as folder:
        package = Path(folder) / "roomver"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
        (package / slip.module).write_text(mutated(slip), encoding="utf-8")
        done = run_suite(package)
    if done.returncode:
        return Caught(slip, None, done.stderr.strip().rpartition("\n")[2])
    return Caught(slip, json.loads(done.stdout)["failed"])


def try_slips(slips: Iterable[Slip], workers: int) -> Iterator[Caught]:
    """Try slips, some at a time; the results come in the order of the slips."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(try_slip, slips)
