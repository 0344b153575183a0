"""Handing out rooms to workers, and taking their answers as they come.

Written against `concurrent.futures`: whatever the executor is, a room is a future. Few of them are under way
at a time, so memory does not grow with the number of rooms.

If a process of a `ProcessPoolExecutor` dies, all its futures fail, and nothing says which room was guilty. So
the rooms that were under way are tried again, one at a time. A room with which the process dies again is
given up.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from typing import Final, Protocol, TypeAlias

from ...errors import RoomverError
from ...readers.addresses import hide_in
from .worker import Answer, Order, Several, failure

WORKER_DIED: Final = "the process that checked it died, also when it checked nothing else: too little memory?"

_TICK: Final = 0.2  # seconds between two looks at whether to stop

Reply: TypeAlias = Answer | Several


class WorkersGone(RoomverError):
    """No worker can be had."""


class Workers(Protocol):
    """Where rooms are checked."""

    def submit(self, order: Order) -> "Future[Reply]":
        """Begin to check a room.

        Raises:
            BrokenExecutor: if the workers have died; `renew` starts new ones.
        """

    def places(self) -> int:
        """Return how many rooms may be under way at once."""

    def renew(self) -> None:
        """Start anew, after the workers have died."""

    def given_up(self, error: BaseException) -> str:
        """Say why a room was given up, if an error means that it broke its workers; otherwise empty."""

    def close(self, *, now: bool) -> None:
        """End the workers.

        Args:
            now: also if they are checking rooms.
        """


class Run:
    """A run over many rooms.

    Args:
        workers: that check them.
        take: is called with each order and its answer.
        expand: is called with an order for a file and the rooms in it; returns the orders for these.
        stopped: tells whether to stop.
        most_events: the most events, in all rooms together, that may be under way. A room with more is
            checked alone. None for no limit.
    """

    def __init__(
        self,
        workers: Workers,
        take: Callable[[Order, Answer], None],
        expand: Callable[[Order, Several], Iterable[Order]],
        stopped: Callable[[], bool],
        most_events: int | None = None,
    ) -> None:
        self._workers = workers
        self._take = take
        self._expand = expand
        self._stopped = stopped
        self._most = most_events
        self._under_way: dict[Future[Reply], Order] = {}
        self._ahead: deque[Order] = deque()  # before the rest: not begun yet, or rooms of a file
        self._suspects: deque[Order] = deque()  # under way when a worker died

    def go(self, orders: Iterable[Order]) -> None:
        """Check all rooms, in about this order, or until the run is stopped.

        Raises:
            WorkersGone: if no worker can be had any more.
        """
        rest = iter(orders)
        while not self._stopped():
            if self._suspects:
                self._try_alone(self._suspects.popleft())
                continue
            intact = self._fill(rest)
            if intact and not self._under_way:
                return
            intact = self._collect(self._wait()) and intact
            if not intact:
                # The other futures fail too, or have an answer.
                self._collect(wait(self._under_way).done)
                self._workers.renew()
        self._collect({one for one in self._under_way if one.done()})

    def _wait(self) -> "set[Future[Reply]]":
        return wait(self._under_way, _TICK, FIRST_COMPLETED).done if self._under_way else set()

    def _fill(self, rest: Iterator[Order]) -> bool:
        """Hand out rooms while there are places; return False if the workers turn out to have died."""
        while len(self._under_way) < self._workers.places():
            order = self._ahead.popleft() if self._ahead else next(rest, None)
            if order is None:
                return True
            if not self._fits(order):
                self._ahead.appendleft(order)
                return True
            try:
                self._under_way[self._workers.submit(order)] = order
            except BrokenExecutor:
                self._ahead.appendleft(order)
                return False
        return True

    def _fits(self, order: Order) -> bool:
        if self._most is None or not self._under_way:
            return True
        return sum(one.events for one in self._under_way.values()) + order.events <= self._most

    def _collect(self, done: "set[Future[Reply]]") -> bool:
        """Take the replies of futures; return False if the workers have died."""
        intact = True
        for future in done:
            order = self._under_way.pop(future)
            try:
                self._answered(order, self._reply(order, future))
            except BrokenExecutor:
                intact = False
                self._suspects.append(order)
        return intact

    def _try_alone(self, order: Order) -> None:
        """Check one room while no other one is under way: if its worker dies, the room is guilty."""
        try:
            future = self._workers.submit(order)
        except BrokenExecutor as error:
            raise WorkersGone(f"no worker can be started: {error}") from None
        while not future.done():
            if self._stopped():
                return
            wait([future], _TICK)
        try:
            self._answered(order, self._reply(order, future))
        except BrokenExecutor:
            self._take(order, failure("crashed", WORKER_DIED))
            self._workers.renew()

    def _reply(self, order: Order, future: "Future[Reply]") -> Reply:
        """Return what a future came to.

        Raises:
            BrokenExecutor: if the workers have died.
            WorkersGone: if no worker can be had any more.
        """
        try:
            return future.result()
        except BrokenExecutor:
            raise
        except CancelledError:
            raise WorkersGone("the connection to the scheduler is lost") from None
        except Exception as error:
            reason = self._workers.given_up(error) or f"{type(error).__name__}: {error}"
            return failure("crashed", hide_in(reason, order.files))

    def _answered(self, order: Order, reply: Reply) -> None:
        if isinstance(reply, Several):
            self._ahead.extend(self._expand(order, reply))
        else:
            self._take(order, reply)
