"""What workers run in the tests: rooms that break their process, as rooms in the wild might.

It is imported by name in the worker processes. Variables of the environment say what breaks.
"""

import os
import signal
from pathlib import Path
from time import sleep

from roomver.cli.all_rooms import worker
from roomver.cli.all_rooms.run import Reply
from roomver.cli.all_rooms.worker import Order

DIES = "ROOMVER_TEST_DIES"
"""Rooms or files that kill the process, by the end of their names, separated by blanks."""
DIES_ONCE = "ROOMVER_TEST_DIES_ONCE"
"""A file: while it is not there, the first room makes it and kills the process."""


def _dies(order: Order) -> bool:
    name = order.room_id or order.files[0]
    return any(name.endswith(one) for one in os.environ.get(DIES, "").split())


def check_order(order: Order) -> Reply:
    once = os.environ.get(DIES_ONCE)
    if once is not None and not Path(once).exists():
        Path(once).touch()
        sleep(0.3)  # so that other rooms are under way
        os.kill(os.getpid(), signal.SIGKILL)
    if _dies(order):
        sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
    return worker.check_order(order)
