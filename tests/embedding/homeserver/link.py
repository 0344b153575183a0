"""The link between two servers, Synapse and the example server, which can be cut.

A gate of the recorder stands in front of each of the two servers. Both pass all requests on, or none.
"""

import sys
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[3]
RECORDER = ROOT / "vectors" / "recorder"
sys.path.append(str(RECORDER))

from homeserver import Homeserver, HttpError, Json, User, free_port, http, quote  # noqa: E402
from network import Gate  # noqa: E402

__all__ = [
    "ROOT",
    "Homeserver",
    "HttpError",
    "Json",
    "Link",
    "User",
    "free_port",
    "http",
    "quote",
    "settings",
]

_CUT = (502, b'{"errcode": "M_UNKNOWN", "error": "The link is cut"}')


class CountingGate(Gate):
    """A gate that passes nothing while its link is cut, and counts what it passes."""

    def __init__(self, link: "Link", base: str, folder: Path | None) -> None:
        super().__init__(base, folder)
        self._link = link
        self._passed: Counter[str] = Counter()

    def counted(self, endpoint: str) -> int:
        """Return how many requests to an endpoint have passed."""
        return self._passed[endpoint]

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if self._link.is_cut():
            return _CUT
        answer = super().answer(method, path, headers, body)
        self._link.passed += 1
        self._passed[path.split("/")[4] if path.count("/") > 3 else path] += 1
        # The link may have been cut in between: the request then arrived, and its answer is lost.
        return _CUT if self._link.is_cut() else answer


class Link:
    """The two gates between two servers. As a context manager it opens and closes both.

    Args:
        first, second: the addresses of the servers, such as ``http://127.0.0.1:8008``.
        folder: where certificates are written.
        tls: whether the first server reaches the second by TLS, as Synapse does, and the second the first.

    Attributes:
        to_first, to_second: where each server is reached by the other: a host and a port.
        passed: how many requests have passed.
    """

    def __init__(self, first: str, second: str, folder: Path, tls: tuple[bool, bool] = (True, False)) -> None:
        self.passed = 0
        self._cut = threading.Event()
        self._gates = [
            CountingGate(self, base, folder if secure else None)
            for base, secure in zip((second, first), tls, strict=True)
        ]
        self.to_second, self.to_first = (f"127.0.0.1:{gate.port}" for gate in self._gates)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for gate in self._gates:
            self._stack.enter_context(gate)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def first_gate(self) -> "CountingGate":
        """The gate through which the second server reaches the first."""
        return self._gates[1]

    @property
    def second_gate(self) -> "CountingGate":
        """The gate through which the first server reaches the second."""
        return self._gates[0]

    def is_cut(self) -> bool:
        return self._cut.is_set()

    def cut(self) -> None:
        """Let nothing pass."""
        self._cut.set()

    def heal(self) -> None:
        """Let everything pass."""
        self._cut.clear()


def settings(others: dict[str, str], *, catch_up: bool = False) -> Json:
    """Return the settings with which Synapse finds some servers, and tries again soon after a cut.

    Args:
        others: the host and port of each server, by its name.
        catch_up: do not try again, but wait until the other server sends something. Then send only the newest
            event, as after a long outage, and not all that were kept.
    """
    least, most = ("2h", "2h") if catch_up else (100, 200)
    return {
        "ip_range_whitelist": ["127.0.0.0/8"],
        "federation_verify_certificates": False,
        "federation": {
            "client_timeout": "30s",
            "max_short_retries": 0,
            "max_long_retries": 0,
            "destination_min_retry_interval": least,
            "destination_retry_multiplier": 1,
            "destination_max_retry_interval": most,
        },
        "cleanup_extremities_with_dummy_events": False,
        "modules": [{"module": "probe.Probe", "config": others}],
    }
