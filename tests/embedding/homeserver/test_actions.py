"""The example server and Synapse agree after random actions, with cuts and healing between them."""

from pathlib import Path

import pytest

for module in ("aiohttp", "aiosqlite", "synapse"):
    pytest.importorskip(module, reason=f"{module}, of the group `peer`, is not installed")

from .actions import VERSIONS, synapse_and_example  # noqa: E402

pytestmark = pytest.mark.peer

# `python -m tests.embedding.homeserver.actions` plays more seeds, and longer.
ACTIONS = 150


# After a cut, Synapse sends all that it has kept, or only the newest event.
@pytest.mark.parametrize(("seed", "catch_up"), [(3, False), (6, True)], ids=["version 9", "version 12"])
def test_both_servers_are_in_the_same_state(seed: int, catch_up: bool, tmp_path: Path) -> None:
    with synapse_and_example(tmp_path, catch_up=catch_up) as world:
        played = world.play(seed, ACTIONS)
        assert not played.wrong, f"{played}\n{world.logs()}"
    assert played.version == VERSIONS[seed % len(VERSIONS)]
    # There was something to agree on.
    assert played.cuts > 0
    assert played.merges > 10
    assert played.share > 0.4
