"""The hypothesis profiles, the option of the peer tests, and a shared fixture.

Profiles, chosen by ``--hypothesis-profile`` or the variable ``HYPOTHESIS_PROFILE``; ``ci`` where the
variable ``CI`` is set:

- ``dev``: 100 random examples per property, 1,000 for properties about hostile input (`hostile` in
  strategies.py), 200 for related ones (`often`), and 40 where an example checks many rooms (`seldom`).
- ``ci``: as many. The examples are the same in every run, so that a failure is caused by the change and not
  by chance.
- ``deep``: twenty times as many random examples. CONTRIBUTING.md says when to run it.
"""

import os
from pathlib import Path

import pytest
from command_line import Write, write_into
from hypothesis import HealthCheck, settings

# The tests expect the width of a pipe, where no line is broken.
os.environ.pop("COLUMNS", None)

# No deadline, because CI machines vary in speed. Drawing large events is slow, and need not be faster.
_SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("dev", deadline=None, max_examples=100, suppress_health_check=_SLOW_TO_DRAW)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.register_profile("deep", settings.get_profile("dev"), max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--peer-examples",
        type=int,
        metavar="N",
        default=int(os.environ.get("ROOMVER_PEER_EXAMPLES", "500")),
        help="events per room version that the peer tests compare (or ROOMVER_PEER_EXAMPLES; default 500)",
    )
    parser.addoption(
        "--every-event",
        action="store_true",
        help="compare the commands and the library on every event of the recorded rooms and of the suite",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a peer test that `.ci/run` would not find: it looks for the marker in the files."""
    marked = {item.path for item in items if item.get_closest_marker("peer") is not None}
    for path in marked:
        if "mark.peer" not in path.read_text(encoding="utf-8"):
            raise pytest.UsageError(f"{path}: write pytest.mark.peer in the file of a peer test")


@pytest.fixture
def every_event(request: pytest.FixtureRequest) -> bool:
    """Whether all events are compared that a test of agreement can compare."""
    return bool(request.config.getoption("--every-event"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file for the command line to read and returns its path."""
    return write_into(tmp_path)
