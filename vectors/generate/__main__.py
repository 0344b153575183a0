"""``python -m vectors.generate [FOLDER]``: write every vector file, by default into ``vectors/``.

``python -m vectors.generate --archive [FOLDER]`` writes the archives of a release instead, by default into
``dist/``. They have the vector files as they are in ``vectors/``.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from . import (
    archive,
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


_VECTORS = Path(__file__).parents[1]


def main(arguments: Sequence[str]) -> None:
    """Write the files, and report what they hold. With ``--archive``, write the archives."""
    if arguments[:1] == ["--archive"]:
        target = Path(arguments[1]) if len(arguments) > 1 else _VECTORS.parent / "dist"
        *archives, sums = archive.write_archives(_VECTORS, target)
        for path in archives:
            print(f"{path.stat().st_size:>10,} bytes  {path}")
        print(sums.read_text(encoding="ascii"), end="")
        return
    folder = Path(arguments[0]) if arguments else _VECTORS
    files = list(settled(file for area in AREAS for file in area.files()))
    differences = [report.difference(file, folder) for file in files]
    for file in files:
        write(file, folder)
    bugs.write(folder)
    report.relink(folder)
    for line in report.lines(files, differences):
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
