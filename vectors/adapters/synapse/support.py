"""Helpers that the operations share: Synapse's events, and coroutines that never wait."""

from collections.abc import Coroutine
from typing import Any

from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict
from twisted.internet.defer import ensureDeferred
from twisted.python.failure import Failure

Outcome = dict[str, Any]


class Unsupported(Exception):
    """Synapse does not have this operation or room version."""


def version_of(version: str) -> Any:
    if version not in KNOWN_ROOM_VERSIONS:
        raise Unsupported
    return KNOWN_ROOM_VERSIONS[version]


def made(pdu: Outcome, version: str, rejected: bool = False) -> Any:
    return make_event_from_dict(pdu, version_of(version), {}, "rejected" if rejected else None)


def made_all(given: Outcome, version: str) -> dict[str, Any]:
    """Return the events of an input by ID.

    From room version 3 on Synapse computes the IDs itself.

    Raises:
        ValueError: Synapse computes another ID for an event.
    """
    rejected = frozenset(given.get("rejected", ()))
    events = {}
    for event_id, pdu in given["events"].items():
        event = made(pdu, version, event_id in rejected)
        if event.event_id != event_id:
            raise ValueError(f"Synapse computes the ID {event.event_id} for {event_id}")
        events[event_id] = event
    return events


def finish(running: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    results: list[Any] = []
    ensureDeferred(running).addBoth(results.append)
    if not results:
        raise RuntimeError("the coroutine waits for something")
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]
