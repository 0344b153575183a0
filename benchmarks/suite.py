"""The times as a suite of pyperf's, which compares two of them: `python -m pyperf compare_to A.json B.json`.

pyperf's own runner measures one thing to its end and then the next. Here contenders take turns, so that
what is taken from pyperf is its file, with what it notes of the machine, and its test of whether two runs
differ.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .measure import Row, optional


def write(rows: Mapping[str, Sequence[Row]], file: Path) -> None:
    """Write the times of all questions.

    Raises:
        RuntimeError: if pyperf is not installed.
    """
    pyperf: Any = optional("pyperf")
    if pyperf is None:
        raise RuntimeError("pyperf is not installed: pip install '.[bench]'")
    benchmarks: dict[str, Any] = {}
    for question, answers in rows.items():
        for row in answers:
            for name, seconds in row.times.items():
                key = f"{question}: {row.subject}: {name}"  # the same twice where tiny sizes come to one
                run = pyperf.Run(seconds.values, metadata={"name": key, "unit": "second"})
                benchmarks[key] = pyperf.Benchmark([run])
    pyperf.BenchmarkSuite(list(benchmarks.values())).dump(str(file), replace=True)
