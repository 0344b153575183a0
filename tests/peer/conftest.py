"""Counts the differences that are found, and prints them at the end of the run."""

from collections import Counter

import pytest

_TALLY: Counter[str] = Counter()


@pytest.fixture(scope="session")
def tally() -> Counter[str]:
    """How often each row of differences.py accounted for a difference, and how much was compared."""
    return _TALLY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _TALLY:
        terminalreporter.section("compared with Synapse")
        for name, count in sorted(_TALLY.items()):
            terminalreporter.write_line(f"{count:8}  {name}")
