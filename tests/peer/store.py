"""Synapse's events and store in memory, so that its coroutines never wait."""

import warnings
from collections.abc import Collection, Coroutine, Iterable
from typing import Any

import pytest

from roomver import Event

pytest.importorskip("synapse")

with warnings.catch_warnings():
    # Twisted warns about its own deprecated parts when Synapse imports it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import synapse.server  # noqa: F401 - first, to break an import cycle
    from synapse.api.room_versions import KNOWN_ROOM_VERSIONS, RoomVersions
    from synapse.events import make_event_from_dict


# Synapse has this version, and leaves it out of those that rooms may have.
KNOWN_ROOM_VERSIONS.add_room_version(RoomVersions.MSC3389v10)


def synapse_version(version: str) -> Any:
    """Return Synapse's record of a room version."""
    return KNOWN_ROOM_VERSIONS[version]


def made(event: Event, rejected: Collection[str] = ()) -> Any:
    """Return Synapse's event for an event, under the same ID."""
    reason = "rejected" if event.event_id in rejected else None
    known = synapse_version(event.room_version.identifier)
    theirs = make_event_from_dict(event.pdu, known, {}, reason)
    assert theirs.event_id == event.event_id
    return theirs


class Store:
    """The part of Synapse's store that both its rules and its resolution read."""

    def __init__(self, events: Iterable[Event], rejected: Collection[str] = ()) -> None:
        self.events = {event.event_id: made(event, rejected) for event in events}
        self.rejected = rejected

    async def get_events(
        self, event_ids: Iterable[str], allow_rejected: bool = False, **_options: Any
    ) -> dict[str, Any]:
        return {
            event_id: self.events[event_id]
            for event_id in event_ids
            if event_id in self.events and (allow_rejected or event_id not in self.rejected)
        }


def finish(running: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    try:
        running.send(None)
    except StopIteration as done:
        return done.value
    # Not an Exception, which a test could take for an answer of Synapse.
    pytest.fail("the store never waits")
