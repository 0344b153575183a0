"""What a reader does with compressed files."""

import bz2
import gzip
import io
import json
import lzma
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
from command_line import Write, run
from forms import pairs, small_room
from test_readers import Pipe, failure, json_lines, read

from roomver.readers import InputError, read_room
from roomver.readers import lines as lines_module

PDUS = [pdu for _, pdu in pairs(small_room())]
LINES = json_lines(PDUS)
zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": zstd.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@pytest.mark.parametrize("how", PACKINGS)
def test_a_compressed_file_is_read_like_the_plain_one(how: str) -> None:
    pack = PACKINGS[how]
    for text in (LINES, json.dumps({"pdus": PDUS}, indent=1).encode()):
        half = text.index(b"\n") + 1
        for data in (pack(text), pack(text[:half]) + pack(text[half:])):
            for make in (io.BytesIO, Pipe):
                room = read_room(make(data), "input")
                assert [entry.pdu for entry in room.entries] == PDUS
                assert 0 < room.bytes_read <= len(data)


def test_zero_bytes_may_pad_streams_of_xz() -> None:
    packed = lzma.compress(LINES) + b"\0" * 8
    assert [entry.pdu for entry in read(packed + lzma.compress(LINES) + b"\0" * 4)] == PDUS * 2


@pytest.mark.parametrize("how", PACKINGS)
def test_a_damaged_compressed_file_is_told(how: str, write: Write) -> None:
    packed = PACKINGS[how](LINES)
    for damaged in (packed[:-9], packed[: len(packed) // 2], packed[:6], packed[:30] + b"\xff" * 40):
        assert failure(damaged).startswith(f"the {how} data is damaged: ")
    result = run("check", write("room", packed[:-9]))
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"the {how} data is damaged: " in result.stderr


@pytest.mark.parametrize(
    ("how", "modules", "told"),
    [
        (
            "zstd",
            ("compression.zstd", "backports.zstd"),
            "run pip install '.[zstd]' in the checkout of roomver, or unpack it",
        ),
        ("xz", ("lzma",), "this Python has no module lzma; unpack it first: xz -dc FILE | roomver … -"),
        ("bzip2", ("bz2",), "this Python has no module bz2; unpack it first: bzip2 -dc FILE"),
    ],
)
def test_without_the_module_the_message_says_what_to_do(
    how: str, modules: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    said = failure(PACKINGS[how](LINES))
    assert said.startswith(f"this is compressed with {how}: ")
    assert told in said


def peak(data: bytes) -> int:
    tracemalloc.start()
    try:
        with suppress(InputError):
            for _ in read_room(io.BytesIO(data), "input").entries:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("how", PACKINGS)
def test_what_is_packed_small_and_unpacked_large_is_not_held(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 2**17)
    packed = PACKINGS[how](b"\0" * 2**26)
    assert len(packed) < 2**17
    peak(packed)  # what is imported and cached on first use
    assert peak(packed) < 2**24  # the dictionary of xz takes half of it
    assert failure(packed).endswith("(the line has more than 131072 bytes)")


def test_xz_that_needs_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roomver.readers.packed._XZ_BYTES", 2**20)
    assert failure(lzma.compress(LINES, preset=6)) == "the xz data is damaged: Memory usage limit exceeded"
