"""How rooms are handed out: few at a time, the guilty one found, and no more memory than allowed."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from random import Random

import pytest

from roomver.cli.all_rooms import run
from roomver.cli.all_rooms.run import Reply, Run, WorkersGone
from roomver.cli.all_rooms.worker import Answer, Order, Several

Answers = Callable[[Order], Reply]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for workers: here they work between two looks."""
    monkeypatch.setattr(run, "_TICK", 0)


def order(number: int, events: int = 1) -> Order:
    return Order(b"", ("source",), f"!{number}", events)


class Workers:
    """Workers in this process. A room that is answered with an exception breaks them all, as in a pool."""

    def __init__(self, answer: Answers, places: int, seed: int) -> None:
        self._answer = answer
        self._places = places
        self._random = Random(seed)
        self.under_way: list[tuple[Future[Reply], Order]] = []
        self.broken = False
        self.most = self.most_events = self.renewed = 0

    def submit(self, one: Order) -> "Future[Reply]":
        if self.broken:
            raise BrokenProcessPool
        future: Future[Reply] = Future()
        self.under_way.append((future, one))
        self.most = max(self.most, len(self.under_way))
        self.most_events = max(self.most_events, sum(other.events for _, other in self.under_way))
        return future

    def work(self) -> None:
        """Answer some of the rooms that are under way, in any order."""
        if not self.under_way:
            return
        future, one = self.under_way.pop(self._random.randrange(len(self.under_way)))
        try:
            future.set_result(self._answer(one))
        except BrokenProcessPool as error:
            self.broken = True
            for other, _ in [(future, one), *self.under_way]:
                other.set_exception(error)
            self.under_way.clear()
        except Exception as error:
            future.set_exception(error)

    def places(self) -> int:
        return self._places

    def renew(self) -> None:
        assert self.broken
        self.broken = False
        self.renewed += 1

    def given_up(self, error: BaseException) -> str:
        return ""

    def close(self, *, now: bool) -> None:
        pass


def go(workers: Workers, orders: list[Order], most: int | None = None) -> dict[str, Answer]:
    """Run orders, and return the answers by room. Each has exactly one."""
    found: dict[str, Answer] = {}

    def take(one: Order, answer: Answer) -> None:
        assert one.room_id is not None
        assert one.room_id not in found
        found[one.room_id] = answer

    def expand(one: Order, several: Several) -> Iterator[Order]:
        return (Order(b"", one.files, room_id, events) for room_id, events in several.rooms)

    def stopped() -> bool:
        workers.work()
        return False

    Run(workers, take, expand, stopped, most).go(orders)
    return found


def good(one: Order) -> Answer:
    return {"status": "ok", "room_id": one.room_id}


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("places", [1, 2, 5])
def test_only_the_rooms_that_break_their_workers_are_given_up(places: int, seed: int) -> None:
    guilty = {f"!{number}" for number in Random(seed).sample(range(20), seed % 6)}

    def answer(one: Order) -> Answer:
        if one.room_id in guilty:
            raise BrokenProcessPool
        return good(one)

    workers = Workers(answer, places, seed)
    found = go(workers, [order(number) for number in range(20)])
    assert {name for name, one in found.items() if one["status"] == "crashed"} == guilty
    assert len(found) == 20
    assert workers.most <= places


@pytest.mark.parametrize("seed", range(10))
def test_rooms_that_only_break_a_worker_beside_others_cost_nothing(seed: int) -> None:
    died: list[Order] = []

    def answer(one: Order) -> Answer:
        if len(died) < 5 and workers.under_way:  # two large rooms at once take too much memory
            died.append(one)
            raise BrokenProcessPool
        return good(one)

    workers = Workers(answer, 4, seed)
    found = go(workers, [order(number) for number in range(30)])
    assert {one["status"] for one in found.values()} == {"ok"}
    assert (len(found), len(died), workers.renewed) == (30, 5, 5)


def test_an_error_of_one_room_is_told_without_secrets() -> None:
    def answer(one: Order) -> Answer:
        raise ValueError("in postgresql://me:secret@host/db")

    secret = Order(b"", ("postgresql://me:secret@host/db",), "!a", 1)
    (found,) = go(Workers(answer, 2, 1), [secret]).values()
    assert found == {"status": "crashed", "code": 2, "reason": "ValueError: in postgresql://me@host/db"}


def test_a_scheduler_that_is_gone_ends_the_run() -> None:
    def answer(one: Order) -> Answer:
        raise CancelledError

    with pytest.raises(WorkersGone, match="the connection to the scheduler is lost"):
        go(Workers(answer, 2, 1), [order(1)])


def test_the_rooms_of_a_file_are_checked_too() -> None:
    def answer(one: Order) -> Reply:
        return Several([("!a", 3), ("!b", 2)]) if one.room_id == "!1" else good(one)

    assert go(Workers(answer, 2, 1), [order(1), order(2)]).keys() == {"!2", "!a", "!b"}


@pytest.mark.parametrize("seed", range(10))
def test_rooms_that_would_take_too_much_together_wait(seed: int) -> None:
    sizes = sorted((Random(seed).randrange(1, 100) for _ in range(50)), reverse=True)
    orders = [order(number, events) for number, events in enumerate(sizes)]
    workers = Workers(good, 8, seed)
    assert len(go(workers, orders, most=120)) == 50
    assert workers.most_events <= 120
    # A room that is too large alone is checked alone.
    workers = Workers(good, 8, seed)
    assert len(go(workers, orders, most=10)) == 50
    assert workers.most_events == max(sizes)


def test_nothing_is_handed_out_once_the_run_is_stopped() -> None:
    workers = Workers(good, 2, 1)
    taken: list[Order] = []
    Run(workers, lambda one, _: taken.append(one), lambda _, __: [], lambda: True).go([order(1)])
    assert (taken, workers.most) == ([], 0)
