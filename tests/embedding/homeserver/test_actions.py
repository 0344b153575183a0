"""The example server and Synapse agree after random actions, with cuts and healing between them."""

from collections.abc import Iterator

import pytest

for module in ("aiohttp", "aiosqlite", "synapse"):
    pytest.importorskip(module, reason=f"{module}, of the extra `peer`, is not installed")

from .actions import VERSIONS, World, synapse_and_example  # noqa: E402

pytestmark = pytest.mark.peer

# Seeds of versions 9 and 12. `python -m tests.embedding.homeserver.actions` plays more, and longer.
SEEDS = (3, 6)
ACTIONS = 150


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with synapse_and_example(tmp_path_factory.mktemp("example")) as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
def test_both_servers_are_in_the_same_state(seed: int, world: World) -> None:
    played = world.play(seed, ACTIONS)
    assert not played.wrong, f"{played}\n{world.logs()}"
    assert played.version == VERSIONS[seed % len(VERSIONS)]
    # There was something to agree on.
    assert played.cuts > 0
    assert played.merges > 10
    assert played.share > 0.4
