"""A count of comparisons and differences, printed at the end of the run."""

from collections import Counter

import pytest

_TALLY: Counter[str] = Counter()


@pytest.fixture(scope="session")
def tally() -> Counter[str]:
    """Return the counts of comparisons, and of differences by the row that explains them."""
    return _TALLY


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _TALLY:
        terminalreporter.section("compared with Synapse")
        for name, count in sorted(_TALLY.items()):
            terminalreporter.write_line(f"{count:8}  {name}")
