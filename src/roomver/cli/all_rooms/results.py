"""The file of results: JSON Lines, written as the answers come, and read again to go on.

The first line says what was asked: the version of roomver, the sources and the options. Each other line is
the answer about one room. A line is written in one go, so an interruption leaves at most one half line, the
last, which is dropped when the run goes on.
"""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import NoneType
from typing import Any, BinaryIO, Final, cast

from ...readers import InputError
from ...types import JsonObject
from ..common import display_name
from ..escaped import ascii_json
from .totals import STATUS
from .worker import Answer, Order, blank

FORMAT: Final = "roomver-rooms/1"
AGAIN: Final = ("unreadable", "crashed")
"""The rooms that are tried again when a run goes on."""

# What an answer has. None stands for values that may be missing.
_FIELDS: Final[dict[str, Any]] = {**blank(Order(b"", ("",), None, 0), ""), "kinds": {}}
_COUNTS: Final = ("signatures", "disagreements", "kinds")

_SYNC_SECONDS: Final = 5.0
_LONGEST_LINE: Final = 2**20  # bytes; ours have a few hundred


class ResultsFull(InputError):
    """A results file that cannot be written any more."""


class Results:
    """A results file that is being written."""

    def __init__(self, path: str, stream: BinaryIO) -> None:
        self.name: str = display_name(path)
        self._stream = stream
        self._size = stream.seek(0, os.SEEK_END) if stream.seekable() else 0
        self._synced = monotonic()

    def write(self, value: JsonObject) -> None:
        """Write one line, whole or not at all.

        Raises:
            ResultsFull: if it cannot be written.
        """
        line = f"{ascii_json(value)}\n".encode()
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._stream.write(rest) :]
            if monotonic() - self._synced > _SYNC_SECONDS:
                self._sync()
        except BrokenPipeError:
            raise
        except OSError as error:
            with suppress(OSError):
                self._stream.truncate(self._size)
            raise ResultsFull(self.name, f"it cannot be written: {error.strerror or error}") from None
        self._size += len(line)

    def _sync(self) -> None:
        with suppress(OSError):  # a pipe
            os.fsync(self._stream.fileno())
        self._synced = monotonic()

    def close(self) -> None:
        """Close the file."""
        self._sync()
        with suppress(OSError):
            self._stream.close()


def begun(path: str, header: JsonObject) -> Results:
    """Make a results file.

    Raises:
        InputError: if it exists, or cannot be written.
    """
    name = display_name(path)
    try:
        stream = _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        if Path(path).is_dir():
            raise InputError(name, "this is a folder: give the name of a file") from None
        if not Path(path).is_file():  # /dev/stdout, a named pipe
            stream = cast(BinaryIO, Path(path).open("wb", buffering=0))  # noqa: SIM115 - closed by Results
        else:
            reason = "it exists: --resume goes on with it, another name begins anew"
            raise InputError(name, reason) from None
    except (OSError, ValueError) as error:
        raise _unwritable(name, error) from None
    _lock(stream, name)
    results = Results(path, stream)
    try:
        results.write(header)
    except ResultsFull:
        results.close()
        with suppress(OSError):
            if Path(path).is_file() and not Path(path).stat().st_size:
                Path(path).unlink()
        raise
    return results


def resumed(path: str, header: JsonObject, take: Callable[[Answer], None]) -> Results:
    """Open a results file to go on with it. One that does not exist is made.

    Half lines, and rooms that are tried again, are taken out of it, by way of a new file.

    Args:
        path: of the file.
        header: what is asked now. It must be what was asked then.
        take: is called with each answer that stays.

    Raises:
        InputError: if it is not a results file, was made with other options, or cannot be read or written.
    """
    name = display_name(path)
    try:
        if not Path(path).exists() or not Path(path).stat().st_size:
            Path(path).unlink(missing_ok=True)
            return begun(path, header)
        with _opened(path, os.O_RDWR) as old:
            _lock(old, name)
            lines = _lines(old)
            first = next(lines, None)
            check_header(name, first, header)
            stream = _rewritten(path, old, lines, header, take)
    except (OSError, ValueError) as error:
        raise _unwritable(name, error) from None
    return Results(path, stream)


def _rewritten(
    path: str,
    old: BinaryIO,
    lines: Iterator[JsonObject | None],
    header: JsonObject,
    take: Callable[[Answer], None],
) -> BinaryIO:
    """Put a file with the header and the answers that stay in the place of an old one; return it, open."""
    target = Path(path).resolve()  # a link stays a link
    new = target.with_name(f"{target.name}.new")
    try:
        with new.open("wb") as out:
            out.write(f"{ascii_json(header)}\n".encode())
            for answer in lines:
                if answer is not None and is_answer(answer) and answer["status"] not in AGAIN:
                    take(answer)
                    out.write(f"{ascii_json(answer)}\n".encode())
            out.flush()
            os.fsync(out.fileno())
        new.chmod(stat.S_IMODE(os.fstat(old.fileno()).st_mode))
        stream = _opened(str(new), os.O_WRONLY)
        _lock(stream, display_name(path))
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return stream


def _lines(stream: BinaryIO) -> Iterator[JsonObject | None]:
    """Yield the objects in the lines of a file; None for a line that has none."""
    buffered = os.fdopen(os.dup(stream.fileno()), "rb")
    with buffered:
        while line := buffered.readline(_LONGEST_LINE):
            value: Any = None
            if line.endswith(b"\n"):
                with suppress(ValueError, RecursionError):
                    value = json.loads(line)
            yield value if type(value) is dict else None


def is_answer(value: JsonObject) -> bool:
    """Tell whether a line is an answer, as far as it is read again: somebody may have edited the file."""
    if value.keys() != _FIELDS.keys() or value["status"] not in STATUS:
        return False
    for name, like in _FIELDS.items():
        if name in _COUNTS and type(value[name]) is dict:
            counts = cast("dict[str, object]", value[name])
            same = name == "kinds" or counts.keys() == like.keys()
            if not same or any(type(one) is not int for one in counts.values()):
                return False
        elif type(like) in (int, str, bool, list, dict) and type(value[name]) is not type(like):
            return False
    if not all(map(_is_reset, cast("list[object]", value["first_resets"]))):
        return False
    seconds, events = value["seconds"], value["events"]
    return type(seconds) in (int, float, NoneType) and type(events) in (int, NoneType)


def _is_reset(value: object) -> bool:
    """Tell whether an entry of `first_resets` has the fields that are shown."""
    if type(value) is not dict:
        return False
    texts = all(type(value.get(name)) is str for name in ("type", "state_key", "class"))
    return texts and type(value.get("at")) in (str, NoneType)


def check_header(name: str, found: Mapping[str, Any] | None, header: JsonObject) -> None:
    """Check that a results file was made by what is asked now.

    Raises:
        InputError: if not; it names the first difference.
    """
    if found is None or found.get("format") != FORMAT:
        raise InputError(name, "this is not a results file of `roomver check --rooms`: it is left as it is")
    if found.get("roomver") != header["roomver"]:
        said = f"it was made by roomver {found.get('roomver')}, this is {header['roomver']}"
        raise InputError(name, f"{said}: their results may differ. Begin a new file")
    if found.get("sources") != header["sources"]:
        listed = ", ".join(map(str, found.get("sources") or ()))
        raise InputError(name, f"it was made from other sources: {listed}. Give these, or begin a new file")
    then, now = found.get("options"), header["options"]
    assert isinstance(now, dict)
    if then != now:
        old = then if isinstance(then, dict) else {}
        differ = next((key for key in [*now, *old] if old.get(key) != now.get(key)), "")
        option = f"--{differ.replace('_', '-')}"
        said = f"it was made with {option} {ascii_json(old.get(differ))}, not {ascii_json(now.get(differ))}"
        raise InputError(name, f"{said}. Give the same options, or begin a new file")


def _opened(path: str, flags: int) -> BinaryIO:
    """Open a file without a buffer, so that a line is written when it is written."""
    number = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
    return cast(BinaryIO, os.fdopen(number, "rb+" if flags & os.O_RDWR else "wb", buffering=0))


def _lock(stream: BinaryIO, name: str) -> None:
    """Keep another run from writing the same file, where the system can do that.

    Raises:
        InputError: if another run writes it.
    """
    try:
        import fcntl  # noqa: PLC0415 - POSIX only
    except ImportError:
        return
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise InputError(name, "another run is writing it") from None
    except OSError:
        return  # a file system without locks


def _unwritable(name: str, error: Exception) -> InputError:
    return InputError(name, f"it cannot be written: {getattr(error, 'strerror', None) or error}")
