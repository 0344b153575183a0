"""``python -m vectors.generate [FOLDER]``: write every vector file, by default into ``vectors/``."""

import sys
from pathlib import Path

from . import (
    auth,
    bugs,
    canonical_json,
    check,
    check_create,
    disputed,
    disputed_receipt,
    event_format,
    event_id,
    msc4458,
    redact,
    report,
    required_signers,
    resolution,
    signing,
    verify_signatures,
)
from .suite import settled, write

AREAS = (
    canonical_json,
    msc4458,
    event_format,
    redact,
    event_id,
    required_signers,
    verify_signatures,
    signing,
    auth,
    resolution,
    check,
    check_create,
    disputed,
    disputed_receipt,
)


def main() -> None:
    """Write the files, and report what they hold."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    files = list(settled(file for area in AREAS for file in area.files()))
    differences = [report.difference(file, folder) for file in files]
    for file in files:
        write(file, folder)
    bugs.write(folder)
    for line in report.lines(files, differences):
        print(line)


if __name__ == "__main__":
    main()
