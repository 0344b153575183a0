"""Byte streams: unpack them, read them twice, and recognise what is not text.

A room is often read twice: once to find its version, and once for its events. A stream that cannot seek,
such as a pipe, is therefore kept in a temporary file, on disk if it is long. To read takes up to 100 MB,
however long the input is; to check the events of a room takes about three times their JSON text.
"""

from collections.abc import Callable
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, Final, cast
from weakref import finalize

from ..versions import RoomVersion
from .entries import InputError
from .packed import Packing, find_packing, guarded
from .unreadable import SQLITE, tell_bytes

_SPOOL_BYTES: Final = 8 * 2**20
"""How many bytes of a stream that cannot seek are kept in memory."""

_HEAD_BYTES: Final = 512


class _Twice:
    """A stream that can be read from its start once more.

    Attributes:
        read, readline: as those of a stream.
    """

    read: Callable[[int], bytes]
    readline: Callable[[int], bytes]

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = stream.tell() if stream.seekable() else None
        self._kept: IO[bytes] | None = None
        if not stream.seekable():
            self._kept = SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - it stays open as long as this
            finalize(self, self._kept.close)
        self._from_kept = False
        self._keep = True
        self._count = 0
        if self._kept is None:
            # Directly, which matters for a million short lines.
            self.read, self.readline = stream.read, stream.readline
        else:
            self.read, self.readline = self._read, self._readline

    @property
    def count(self) -> int:
        """How many bytes have been read since the start."""
        return self._count if self._start is None else self._stream.tell() - self._start

    def restart(self) -> None:
        """Go back to the start."""
        if self._kept is not None:
            self._kept.seek(0)
            self._from_kept = True
        else:
            assert self._start is not None
            self._stream.seek(self._start)
        self._count = 0

    def settle(self) -> None:
        """Promise that there will be no other restart."""
        self._keep = False

    def _read(self, size: int) -> bytes:
        data = b""
        if self._from_kept and self._kept is not None:
            data = self._kept.read(size)
            self._from_kept = bool(data)
        if not data:
            data = self._stream.read(size)
            self._store(data)
        self._count += len(data)
        return data

    def _readline(self, limit: int) -> bytes:
        line = b""
        if self._from_kept and self._kept is not None:
            line = self._kept.readline(limit)
        if not line.endswith(b"\n") and len(line) < limit:
            self._from_kept = False
            rest = self._stream.readline(limit - len(line))
            self._store(rest)
            line += rest
        self._count += len(line)
        return line

    def _store(self, data: bytes) -> None:
        if self._kept is None:
            return
        if self._keep:
            self._kept.write(data)
        else:
            self._kept.close()
            self._kept = None


class Source:
    """The bytes of one input, unpacked if they are compressed.

    Attributes:
        name: what messages call the input.
        version: the room version that was passed in with the input; None if the input must name it.
        head: its first bytes.
        read: returns up to the requested number of bytes; at the end, none.
        readline: returns one line, or as much of it as the limit allows; at the end, nothing.
    """

    read: Callable[[int], bytes]
    readline: Callable[[int], bytes]

    def __init__(self, stream: BinaryIO, name: str, version: RoomVersion | None = None) -> None:
        """Begin to read a stream.

        Args:
            stream: to be read from its current position.
            name: what messages call it.
            version: the room version that was passed in with it.

        Raises:
            InputError: if it is empty, or begins like something that is not UTF-8 text.
            OSError: if it cannot be read; `read` and `readline` raise the same.
        """
        self.name: str = name
        self.version: RoomVersion | None = version
        self._raw = _Twice(stream)
        self._packing: Packing | None = find_packing(self._raw.readline(_HEAD_BYTES))
        self.restart()
        self.head: bytes = self.readline(_HEAD_BYTES)
        if not self.head:
            raise InputError(name, "the input is empty")
        if (inner := find_packing(self.head)) is not None:
            raise InputError(
                name, f"this is compressed twice; unpack it first: {inner.command} FILE | roomver … -"
            )
        if (reason := tell_bytes(self.head)) is not None:
            if reason == SQLITE and self._packing is not None:
                how = self._packing
                reason = (
                    f"this is an SQLite database, compressed with {how.name}; unpack it first:"
                    f" {how.command} FILE > homeserver.db"
                )
            raise InputError(name, reason)
        self.restart()

    @property
    def bytes_read(self) -> int:
        """How many bytes of the stream, before unpacking, have been read since the start."""
        return self._raw.count

    def restart(self) -> None:
        """Go back to the start."""
        self._raw.restart()
        if self._packing is not None:
            unpacked = self._packing.unpack(cast(BinaryIO, self._raw), self.name)
            self.read = partial(guarded, self._packing, self.name, unpacked.read)
            self.readline = partial(guarded, self._packing, self.name, unpacked.readline)
        else:
            self.read, self.readline = self._raw.read, self._raw.readline

    def settle(self) -> None:
        """Promise that there will be no other restart, so that nothing more need be kept."""
        self._raw.settle()
