"""``python -m vectors.generate [FOLDER]``: write every vector file, by default into ``vectors/``.

``python -m vectors.generate --archive [FOLDER]`` writes the archives of a release instead, by default into
``dist/``. They have the vector files as they are in ``vectors/``.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from . import (
    archive,
    auth,
    bugs,
    canonical_json,
    check,
    check_create,
    custom,
    disputed,
    disputed_receipt,
    event_format,
    event_id,
    msc4458,
    partial_state,
    policy,
    receive,
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
    policy,
    partial_state,
    receive,
    custom,
)


_VECTORS = Path(__file__).parents[1]


def main(arguments: Sequence[str]) -> None:
    """Write the files, and report what they hold. With ``--archive``, write the archives."""
    asked = _parser().parse_args(arguments)
    if asked.archive:
        *archives, sums = archive.write_archives(_VECTORS, asked.folder or _VECTORS.parent / "dist")
        for path in archives:
            print(f"{path.stat().st_size:>10,} bytes  {path}")
        print(sums.read_text(encoding="ascii"), end="")
        return
    folder = asked.folder or _VECTORS
    files = list(settled(file for area in AREAS for file in area.files()))
    differences = [report.difference(file, folder) for file in files]
    for file in files:
        write(file, folder)
    bugs.write(folder)
    report.relink(folder)
    for line in report.lines(files, differences):
        print(line)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m vectors.generate",
        description="Write every vector file, and print what is new; or write the archives of a release.",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="where to write: by default vectors/, or dist/ with --archive; it is created if it is not there",
    )
    parser.add_argument(
        "--archive",
        action="store_true",
        help="write the archives of a release instead, with the vector files as they are in vectors/",
    )
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
