"""How much memory the reading of a long document takes, measured in a process of its own."""

import os
from pathlib import Path

import pytest

if os.name == "nt":
    pytest.skip("the module resource is only on Unix", allow_module_level=True)

from large_answer import measure, write

_MB = 10**6


@pytest.mark.slow
def test_a_long_answer_takes_the_memory_of_its_events(tmp_path: Path) -> None:
    short, long, lines = tmp_path / "short.json", tmp_path / "long.json", tmp_path / "long.jsonl"
    write(short, 50 * _MB)
    write(long, 100 * _MB)
    write(lines, 50 * _MB, lines=True)
    # The buffer grows until it is clear that a value has more than 16 MiB. Both documents have reached that.
    assert measure(long, keep=False) < measure(short, keep=False) + 8 * _MB < 120 * _MB
    # The events take the same memory, whatever they are read from. The rest is the buffer for one value.
    assert measure(short, keep=True) < measure(lines, keep=True) + 80 * _MB
