"""Files that a command writes: complete under their names, or not at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from typing import IO, Final

from ..readers import InputError
from .common import display_name, write_json

_BESIDE: Final = ("-wal", "-shm", "-journal")
_EXISTS: Final = "it exists: give --force to replace it"


@contextmanager
def written(output: str, sources: Sequence[str], *, force: bool) -> Iterator[IO[bytes]]:
    """Yield a file to write to, which takes its name when it is complete.

    Raises:
        InputError: if the file exists and may not be replaced, or cannot be written.
    """
    if output == "-":
        with TemporaryFile() as spool:
            yield spool
            spool.seek(0)
            for line in spool:
                write_json(line.rstrip(b"\n"))
        return
    path = Path(output)
    name = display_name(output)
    try:
        if path.exists():
            check_not_input(output, sources)
            if not path.is_file():
                raise InputError(name, "it is not a file; - is standard output")
            if not force:
                raise InputError(name, _EXISTS)
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:100]}.", delete=False) as out:
            try:
                yield out
                out.flush()
                os.fsync(out.fileno())
                _name(Path(out.name), path, name, force=force)
            finally:
                Path(out.name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(name, f"it cannot be written: {error.strerror or error}") from None


def check_not_input(output: str, sources: Sequence[str]) -> None:
    """Check that a file to write is not among those that are read.

    Raises:
        InputError: if it is.
    """
    # SQLite keeps changes in files beside the database.
    beside = [Path(source + end) for source in sources for end in ("", *_BESIDE) if source != "-"]
    if any(_is_same(Path(output), one) for one in beside):
        raise InputError(display_name(output), "this is the input: it is not overwritten, give another name")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False  # one of them is not a file


def _name(written: Path, path: Path, name: str, *, force: bool) -> None:
    # A new file of this kind is readable by its owner only.
    mask = os.umask(0)
    os.umask(mask)
    written.chmod(0o666 & ~mask)
    if force:
        written.replace(path)
        return
    try:
        path.hardlink_to(written)  # fails if another program has made the file meanwhile
    except FileExistsError:
        raise InputError(name, _EXISTS) from None
    except OSError:  # a file system without links
        written.replace(path)
