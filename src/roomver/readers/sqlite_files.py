"""The files of an SQLite database: the database itself, and what SQLite keeps beside it.

Here is decided whether a database can be read without writing anything and without overlooking a change, and
what to do if it cannot. Checked with SQLite 3.40.1.
"""

from pathlib import Path
from typing import Final, NamedTuple

from .entries import InputError

MAGIC: Final = b"SQLite format 3\0"

_HEADER_BYTES: Final = 100
_WAL: Final = 2  # the bytes of the header that give the journal's mode
_FINISH: Final = 'let SQLite finish a copy of both files: sqlite3 COPY "PRAGMA quick_check"'
_DAMAGED: Final = 'Copy it again, with sqlite3 ORIGINAL ".backup COPY", or restore a backup'
_IS_SAFE: Final = "Stop the server first: changes during the reading would go unnoticed"


class _Files(NamedTuple):
    """What the files of a database tell.

    Attributes:
        path: the database; SQLite follows links.
        header: its first bytes.
        size: how many bytes it has.
        unfinished: whether a journal holds the old pages of a transaction that has not ended.
        wal, wal_bytes: whether there is a write-ahead log, and how long it is.
        shared: whether there is the index of a write-ahead log.
    """

    path: Path
    header: bytes
    size: int
    unfinished: bool
    wal: bool
    wal_bytes: int
    shared: bool


def _look(name: str) -> _Files:
    path = Path(name)
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
    path = path.resolve()
    journal, wal, index = (path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm"))
    first = b""
    if journal.is_file():
        with journal.open("rb") as stream:
            first = stream.read(1)
    # SQLite ends a transaction by deleting or emptying the journal, or by a zero at its beginning.
    unfinished = first not in (b"", b"\0")
    has_wal = wal.exists()
    wal_bytes = wal.stat().st_size if has_wal else 0
    return _Files(path, header, path.stat().st_size, unfinished, has_wal, wal_bytes, index.exists())


def check_files(name: str, *, immutable: bool) -> None:
    """Check that reading a database neither makes files beside it nor overlooks a change in one.

    The database must not be open in this process, which gives up its locks on a file when it closes the file.

    Args:
        name: its path.
        immutable: whether it is read without the files beside it.

    Raises:
        InputError: if it would, or if the database cannot be opened.
    """
    try:
        files = _look(name)
    except OSError as error:
        raise InputError(name, error.strerror or str(error)) from None
    base = files.path.name
    if immutable:
        if files.unfinished:
            raise InputError(
                name,
                f"{base}-journal holds a transaction that has not ended, so {base} alone is not of one"
                f" moment; if the server runs, leave out --immutable; otherwise {_FINISH}",
            )
        if files.wal_bytes:
            use = "leave out --immutable to read them" if files.shared else _FINISH
            raise InputError(name, f"{base}-wal holds changes that are not in {base} yet; {use}")
    elif files.wal_bytes and not files.shared:
        raise InputError(
            name, f"{base}-wal holds changes that its server has not finished writing; {_FINISH}"
        )
    elif _WAL in files.header[18:20] and not (files.wal and files.shared):
        raise InputError(
            name,
            "no server has this database open, and SQLite would make files beside it (WAL mode): give"
            " --immutable to read it without them",
        )


def tell_failure(name: str, text: str) -> str:
    """Return an error of SQLite with what to do about it.

    Args:
        name: the path of the database.
        text: the error.
    """
    try:
        files = _look(name)
    except OSError:
        return text
    if "locked" in text or "busy" in text:
        return f"{text}: another program is writing it; try again, or stop the server first"
    if "readonly" in text or "unable to open" in text:
        if files.unfinished:
            return f"{files.path.name}-journal holds a transaction that has not ended; {_FINISH}"
        return f"{text}: SQLite needs to write files beside it to read it; give --immutable. {_IS_SAFE}"
    if "malformed" in text or "not a database" in text:
        whole = _whole_size(files.header)
        return f"{text}. {_DAMAGED}" if whole is None or files.size >= whole else _cut(files.size, whole)
    return text


def tell_cut(name: str, whole: int) -> str | None:
    """Say that a database is cut off; None if it is not, or if a log has the rest.

    Args:
        name: its path. The file is not opened, which would give up its lock.
        whole: how many bytes it has by what SQLite says while it holds its lock.
    """
    path = Path(name).resolve()
    log = path.with_name(f"{path.name}-wal")
    size = path.stat().st_size
    return None if size >= whole or (log.exists() and log.stat().st_size) else _cut(size, whole)


def _cut(size: int, whole: int) -> str:
    return f"it is cut off: it has {size:,} of {whole:,} bytes. {_DAMAGED}"


def _whole_size(header: bytes) -> int | None:
    """Return how many bytes a database has by its header; None if that does not tell."""
    if len(header) < _HEADER_BYTES:
        return _HEADER_BYTES
    page, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    # The number of pages counts only if the same transaction wrote it.
    return (65_536 if page == 1 else page) * pages if pages and header[24:28] == header[92:96] else None
