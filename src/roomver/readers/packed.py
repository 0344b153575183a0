"""Compressed streams: gzip, xz, bzip2 and zstd, unpacked as they are read.

A stream is known by its first bytes. Memory does not depend on how far a stream unpacks. Checked with what
gzip 1.12, xz 5.4.1, bzip2 1.0.8 and zstd 1.5.4 write.
"""

import gzip
import io
import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from .entries import InputError
from .extras import install_extra

_CHUNK: Final = 2**16
_XZ_BYTES: Final = 256 * 2**20
"""The most memory that unpacking xz may take. The largest preset, ``xz -9``, takes 65 MiB."""

_GZIP_ERRORS: Final = (gzip.BadGzipFile, EOFError, zlib.error)


class Packing(NamedTuple):
    """A form of compression.

    Attributes:
        name: as in messages.
        start: the first bytes of such a stream.
        command: writes an unpacked file to standard output.
    """

    name: str
    start: bytes
    command: str

    def unpack(self, stream: BinaryIO, name: str) -> io.BufferedIOBase:
        """Return the unpacked bytes of a stream, which is read when they are.

        Args:
            stream: the compressed bytes; only ``read`` and ``readline`` are used.
            name: what messages call the input.

        Raises:
            InputError: if this Python cannot unpack it; later, from the reading, if it is damaged.
        """
        if self.name == "gzip":
            return gzip.GzipFile(fileobj=stream, mode="rb")
        make, errors = self._opener(name)
        return io.BufferedReader(_Unpacked(stream, make, errors, partial(self.damaged, name)), _CHUNK)

    def damaged(self, name: str, error: object) -> InputError:
        """Return the error of a damaged stream."""
        return InputError(name, f"the {self.name} data is damaged: {error}")

    def _opener(self, name: str) -> tuple[Callable[[], "_Decompressor"], tuple[type[Exception], ...]]:
        """Return what makes a decompressor, and the errors that it raises."""
        # Not every Python is built with each of these modules.
        if self.name == "zstd":
            module = _module("compression.zstd") or _module("backports.zstd")
            if module is not None:
                return module.ZstdDecompressor, (module.ZstdError, EOFError)
            advice = f"{install_extra('zstd')}, or"
        elif self.name == "xz":
            if (module := _module("lzma")) is not None:
                make = partial(module.LZMADecompressor, module.FORMAT_XZ, _XZ_BYTES)
                return make, (module.LZMAError, EOFError)
            advice = "this Python has no module lzma;"
        else:
            if (module := _module("bz2")) is not None:
                return module.BZ2Decompressor, (OSError, ValueError, EOFError)
            advice = "this Python has no module bz2;"
        raise InputError(
            name,
            f"this is compressed with {self.name}: {advice} unpack it first: {self.command} FILE |"
            " roomver … -",
        )


PACKINGS: Final = (
    Packing("gzip", b"\x1f\x8b\x08", "gzip -dc"),
    Packing("zstd", b"\x28\xb5\x2f\xfd", "zstd -dc"),
    Packing("xz", b"\xfd7zXZ\0", "xz -dc"),
    Packing("bzip2", b"BZh", "bzip2 -dc"),
)


def find_packing(head: bytes) -> Packing | None:
    """Return the compression of a stream with these first bytes; None if it is not compressed."""
    return next((one for one in PACKINGS if head.startswith(one.start)), None)


def guarded(packing: Packing, name: str, read: Callable[[int], bytes], size: int) -> bytes:
    """Read from an unpacked stream.

    Raises:
        InputError: if it is damaged.
    """
    try:
        return read(size)
    except _GZIP_ERRORS as error:
        raise packing.damaged(name, error) from None


class _Decompressor(Protocol):
    """What the decompressors of lzma, bz2 and zstd have in common."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Unpacked(io.RawIOBase):
    """The bytes of one or several compressed streams, one after another."""

    def __init__(
        self,
        stream: BinaryIO,
        make: Callable[[], _Decompressor],
        errors: tuple[type[Exception], ...],
        damaged: Callable[[object], InputError],
    ) -> None:
        super().__init__()
        self._stream = stream
        self._make = make
        self._errors = errors
        self._damaged = damaged
        self._decompressor = make()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        while True:
            packed = b""
            if self._decompressor.eof:
                # Another stream may follow. Between streams of xz there may be zero bytes.
                packed = (self._decompressor.unused_data or self._stream.read(_CHUNK)).lstrip(b"\0")
                if not packed:
                    return 0
                self._decompressor = self._make()
            elif self._decompressor.needs_input:
                packed = self._stream.read(_CHUNK)
                if not packed:
                    raise self._damaged("it ends too early")
            try:
                data = self._decompressor.decompress(packed, size)
            except self._errors as error:
                raise self._damaged(error) from None
            if data:
                buffer[: len(data)] = data
                return len(data)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
