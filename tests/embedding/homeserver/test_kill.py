"""The example server loses and invents nothing when it is killed while it stores events."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

for module in ("aiohttp", "aiosqlite", "synapse"):
    pytest.importorskip(module, reason=f"{module}, of the group `peer`, is not installed")

from .killed import Death, Fed, Feeding, by_statement, by_time  # noqa: E402

pytestmark = [pytest.mark.peer, pytest.mark.slow]

# A transaction of an event has up to 8 writing statements with its begin and its end.
STATEMENTS = 14
SECONDS = 0.15
# A server that is not killed often enough before all is stored is fed again.
MOST_RUNS = 20


def _state(fed: Fed) -> set[str]:
    """Return the state without the joins of the example's user, which are new in every run."""
    return {event_id for (_, key), event_id in fed.facts.state.items() if not key.startswith("@dora:")}


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fed]:
    return {
        version: Feeding(version, tmp_path_factory.mktemp("unkilled"), [], kills=0).run()
        for version in ("10", "12")
    }


@pytest.mark.parametrize(
    ("version", "deaths", "kills"),
    [
        ("10", by_statement(STATEMENTS), 25),
        ("12", by_statement(STATEMENTS), 25),
        ("10", by_time(1, SECONDS), 15),
        ("12", by_time(2, SECONDS), 15),
    ],
    ids=["10, by statement", "12, by statement", "10, by time", "12, by time"],
)
def test_it_ends_as_if_it_had_not_been_killed(
    version: str, deaths: Iterator[Death], kills: int, unkilled: dict[str, Fed], tmp_path: Path
) -> None:
    done = 0
    for number in range(MOST_RUNS):
        folder = tmp_path / str(number)
        folder.mkdir()
        # After each death, and at the end, `Feeding` looks at all that the server has stored.
        fed = Feeding(version, folder, deaths, kills=kills - done).run()
        assert fed.facts.state == fed.right.state
        assert fed.facts.accepted == fed.right.accepted
        assert _state(fed) == _state(unkilled[version])
        assert fed.facts.soft_failed == unkilled[version].facts.soft_failed
        done += fed.kills
        if done >= kills:
            break
    assert done >= kills
    assert unkilled[version].facts.soft_failed


def test_what_it_said_to_have_sent_arrives(tmp_path: Path) -> None:
    # Its own user talks: what was acknowledged is still there, and goes to the other server in the end.
    deaths = chain.from_iterable(zip(by_statement(STATEMENTS), by_time(3, SECONDS)))  # noqa: B905 - endless
    fed = Feeding("11", tmp_path, deaths, talks=True, kills=25).run()
    assert fed.kills >= 25
    assert fed.sent
    assert fed.sent <= fed.got
    assert fed.facts.state == fed.right.state
    assert fed.facts.accepted == fed.right.accepted


@pytest.mark.parametrize("version", ["3", "12"])
def test_before_each_statement_that_it_writes_the_database_is_whole(version: str, tmp_path: Path) -> None:
    feeding = Feeding(version, tmp_path, [], talks=True, kills=0)
    statements = feeding.run_copied(tmp_path / "copies")
    assert len(statements) > 200
    assert {statement.split()[0] for statement in statements} == {
        "BEGIN",
        "INSERT",
        "UPDATE",
        "DELETE",
        "COMMIT",
    }
