"""What the operations share: events as Synapse makes them, and coroutines that never wait."""

from collections.abc import Coroutine
from typing import Any

from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

Outcome = dict[str, Any]


class Unsupported(Exception):
    """Synapse does not offer this."""


def version_of(version: str) -> Any:
    if version not in KNOWN_ROOM_VERSIONS:
        raise Unsupported
    return KNOWN_ROOM_VERSIONS[version]


def made(pdu: Outcome, version: str, rejected: bool = False) -> Any:
    return make_event_from_dict(pdu, version_of(version), {}, "rejected" if rejected else None)


def made_all(given: Outcome, version: str) -> dict[str, Any]:
    """The events of an input. Synapse computes event IDs from version 3 on and takes none."""
    rejected = frozenset(given.get("rejected", ()))
    events = {}
    for event_id, pdu in given["events"].items():
        event = made(pdu, version, event_id in rejected)
        if event.event_id != event_id:
            raise ValueError(f"Synapse calls {event_id} {event.event_id}")
        events[event_id] = event
    return events


def finish(running: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing."""
    results: list[Any] = []
    ensureDeferred(running).addBoth(results.append)
    if not results:
        raise RuntimeError("it waits for something")
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]
