"""What all tests share: the hypothesis profiles, and the option of the peer tests.

Profiles, chosen by ``--hypothesis-profile`` or the variable ``HYPOTHESIS_PROFILE``; ``ci`` where the
variable ``CI`` is set:

- ``dev``: 100 examples a property, random.
- ``ci``: 10,000 examples for the properties that say what hostile input may end in (`hostile` of
  strategies.py), 1,000 for those near them (`often`) and 200 for the others; always the same ones, so
  that a run says something about the change and not about luck.
"""

import os
from pathlib import Path

import pytest
from command_line import Write, write_into
from hypothesis import HealthCheck, settings

# No deadline: the machines of a CI are slow by turns. Large events are slow to draw, which is no fault.
_SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("dev", deadline=None, suppress_health_check=_SLOW_TO_DRAW)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=200,
    suppress_health_check=_SLOW_TO_DRAW,
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--peer-examples",
        type=int,
        metavar="N",
        default=int(os.environ.get("ROOMVER_PEER_EXAMPLES", "500")),
        help="events a room version that the peer tests compare (or ROOMVER_PEER_EXAMPLES; default 500)",
    )


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file for the command line to read, and return its path."""
    return write_into(tmp_path)
