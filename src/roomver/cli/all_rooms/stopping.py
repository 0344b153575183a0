"""Ctrl-C and SIGTERM, which end a run between two answers and not within one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether the run was told to stop.

    Attributes:
        signal: by which signal; None if it was not.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Tell whether to stop."""
        return self.signal is not None

    @property
    def code(self) -> int:
        """The exit code, as a shell gives it for that signal."""
        return 128 + (self.signal or signal.SIGINT)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Yield what tells whether a signal came. A second signal has its usual effect."""
    stop = Stop()
    if current_thread() is not main_thread():
        yield stop
        return

    def note(number: int, _: FrameType | None) -> None:
        stop.signal = number
        signal.signal(number, before[number])

    before: dict[int, Any] = {one: signal.signal(one, note) for one in _SIGNALS}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
