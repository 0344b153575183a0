"""Run the vector suite in process, with whatever `roomver` is on the path: the child of `run`.

Prints one line of JSON: how many cases it ran, and the name of the one that failed, at which it stops.
"""

import json
import sys
from pathlib import Path

from roomver.suite.document import Outcome, is_vectors, read_vectors, run_case


def main(folder: str) -> None:
    """Run the vector documents below a folder up to the first case that fails."""
    cases = 0
    for path in sorted(Path(folder).rglob("*.json"), key=_rank):
        document = json.loads(path.read_text(encoding="utf-8"))
        if not is_vectors(document):
            continue
        for case in read_vectors(document):
            cases += 1
            if run_case(case).outcome is Outcome.FAILED:
                print(json.dumps({"cases": cases, "failed": case.name}))
                return
    print(json.dumps({"cases": cases, "failed": None}))


def _rank(path: Path) -> tuple[bool, Path]:
    """Cases on which readers of the specification differ come last: another is worth more."""
    return path.parent.name == "disputed", path


if __name__ == "__main__":
    main(sys.argv[1])
