"""Measurements: how fast, beside what, on which shapes of rooms. Run `python -m benchmarks`."""
