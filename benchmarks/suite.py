"""Write the times as a pyperf suite, to compare two runs: `python -m pyperf compare_to A.json B.json`.

pyperf's own runner finishes one benchmark before it starts the next. Here contenders take turns, so we use
only pyperf's file format, with its notes on the machine, and its test for whether two runs differ.
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
        raise RuntimeError("pyperf is not installed: pip install --group bench")
    benchmarks: dict[str, Any] = {}
    for question, answers in rows.items():
        for row in answers:
            for name, seconds in row.times.items():
                key = f"{question}: {row.subject}: {name}"  # tiny sizes may give the same key twice
                run = pyperf.Run(seconds.values, metadata={"name": key, "unit": "second"})
                benchmarks[key] = pyperf.Benchmark([run])
    pyperf.BenchmarkSuite(list(benchmarks.values())).dump(str(file), replace=True)
