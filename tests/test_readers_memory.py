"""How much memory a long document takes: to read it, to keep its events, and to check them as a room."""

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
    assert measure(long, "drop") < measure(short, "drop") + 8 * _MB < 120 * _MB
    # The events take the same memory, whatever they are read from. The rest is the buffer for one value.
    assert measure(short, "keep") < measure(lines, "keep") + 80 * _MB


@pytest.mark.slow
def test_checking_a_long_answer_takes_less_than_three_times_its_size(tmp_path: Path) -> None:
    # 2.4 times, beyond the program and the buffer; events as dicts took 7 times. tracemalloc takes minutes.
    short, long = tmp_path / "short.json", tmp_path / "long.json"
    write(short, 20 * _MB)
    write(long, 50 * _MB)
    sizes = long.stat().st_size - short.stat().st_size
    assert measure(long, "check") - measure(short, "check") < 2.9 * sizes
