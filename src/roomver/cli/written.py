"""Files that a command writes: complete under their names, or not at all."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EISDIR
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
    if path.exists():
        check_not_input(output, sources)
        if not path.is_file():
            raise InputError(display_name(output), "it is not a file; - is standard output")
        if not force:
            raise InputError(display_name(output), _EXISTS)
    with complete_file(path, new=not force) as out:
        yield out


def write_file(output: str, data: bytes) -> None:
    """Write a file, which may exist; ``-`` is standard output. A device is written to.

    Raises:
        InputError: if it cannot be written.
    """
    if output == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_path(Path(output), data)


def write_path(path: Path, data: bytes) -> None:
    """Write a file, which may exist. A device is written to.

    Raises:
        InputError: if it cannot be written.
    """
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(data)
        except OSError as error:
            raise _unwritable(path, error) from None
    else:
        with complete_file(path) as out:
            out.write(data)


def check_writable(path: Path) -> None:
    """Check that `write_path` can write a file, before the work whose result it takes. Nothing changes.

    Raises:
        InputError: if it cannot.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        if path.exists() and not path.is_file():
            with path.open("ab"):
                pass
        else:
            with TemporaryFile(dir=path.parent):
                pass
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


@contextmanager
def complete_file(path: Path, *, private: bool = False, new: bool = False) -> Iterator[IO[bytes]]:
    """Yield a file to write to, which takes its name when the block ends.

    No reader sees a part of it, and an error in the block leaves nothing behind.

    Args:
        path: the name.
        private: whether only the user may read the file. Otherwise it keeps the mode of the one that it
            replaces, or has that of any new file.
        new: whether no file may have the name.

    Raises:
        InputError: if it cannot be written, or a file has the name and none may.
    """
    try:
        mode = None if private else _mode_for(path)
        # A name may have 255 bytes.
        prefix = f".{path.name[:40]}."
        out = NamedTemporaryFile(dir=path.parent, prefix=prefix, delete=False)  # noqa: SIM115 - below
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None
    made = Path(out.name)
    try:
        with out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        if mode is not None:
            made.chmod(mode)
        _name(made, path, new=new)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        made.unlink(missing_ok=True)


def _mode_for(path: Path) -> int:
    """Return the mode of a file, or of a new one if there is none."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        # A new file of the kind that is written first is readable by its owner only.
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _name(made: Path, path: Path, *, new: bool) -> None:
    """Give a complete file its name."""
    if not new:
        made.replace(path)
        return
    try:
        path.hardlink_to(made)  # fails if another program has made the file meanwhile
    except FileExistsError:
        raise InputError(display_name(str(path)), _EXISTS) from None
    except OSError:  # a file system without links
        made.replace(path)


def _unwritable(path: Path, error: OSError | ValueError) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(display_name(str(path)), f"it cannot be written: {reason}")


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
