"""Cut events out of a room, and make the rest whole again.

An event that cited a cut event cites what that one followed instead. So it changes, and with it its hash, its
ID, and the events that cite it. The rest of the room stays as it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from ..anonymous.names import signing_key
from ..event import MAX_PREV_EVENTS, Event, parse_event
from ..hashing import content_digest
from ..keys import KeyRing, SigningKey
from ..ordering import in_order
from ..signatures import list_required_signers
from ..signing import countersign
from ..types import EventId, JsonObject, JsonValue, ServerName
from ..unpadded import encode_unpadded

__all__ = ["Cut", "Cutter", "signed_anew"]

_CREATE: Final = "m.room.create"
_KEY_ID: Final = "ed25519:made-up"


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left of a room.

    Attributes:
        events: the events, in the order of the room.
        names: the ID of each event that is left, in the room and now.
    """

    events: Sequence[Event]
    names: Mapping[EventId, EventId]


class Cutter:
    """A room from which events can be cut.

    Args:
        events: the events of one room, in the order of their arrival.

    Raises:
        CyclicGraph: if events cite each other in a cycle.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self.events: dict[EventId, Event] = {event.event_id: event for event in events}
        # The rules refuse everything in a room without its create event.
        self.kept: frozenset[EventId] = self._create_event()
        self._order = in_order({event_id: self._cited(event) for event_id, event in self.events.items()})

    def _create_event(self) -> frozenset[EventId]:
        """Return the create event: of several that follow nothing, the one that most events cite."""
        cited = dict.fromkeys(
            (e for e, event in self.events.items() if event.type == _CREATE and not event.prev_event_ids), 0
        )
        for event in self.events.values():
            for parent in event.auth_parents:
                if parent in cited:
                    cited[parent] += 1
        return frozenset([max(cited, key=cited.__getitem__)] if cited else ())

    def _cited(self, event: Event) -> list[EventId]:
        cited = [*event.prev_event_ids, *event.auth_parents]
        if event.redacts is not None and event.room_version.redacts_in_content:
            cited.append(event.redacts)
        return [one for one in cited if one in self.events]

    def ancestors(self, event_ids: Iterable[EventId]) -> set[EventId]:
        """Return some events and all that they cite, directly or through others."""
        todo = [one for one in event_ids if one in self.events]
        found = set(todo)
        while todo:
            more = set(self._cited(self.events[todo.pop()])) - found
            found |= more
            todo += more
        return found

    def without(self, removed: Collection[EventId]) -> Cut:
        """Return the room without some events. Its create event is never cut.

        Events that change are hashed anew, and have no signatures.

        Raises:
            MalformedEvent: if an event would become malformed.

        Cost: one pass over the room, and two hashes for each event that changes.
        """
        gone = set(removed) - self.kept
        # Event ID to the events that take its place as prev events, by their new IDs.
        stand_in: dict[EventId, tuple[EventId, ...]] = {}
        names: dict[EventId, EventId] = {}
        made: dict[EventId, Event] = {}
        for event_id in self._order:
            event = self.events[event_id]
            prev = tuple(
                dict.fromkeys(
                    new for one in event.prev_event_ids for new in stand_in.get(one, (names.get(one, one),))
                )
            )
            if event_id in gone:
                stand_in[event_id] = prev
                continue
            auth = tuple(names.get(one, one) for one in event.auth_event_ids if one not in gone)
            redacts = None if event.redacts is None else names.get(event.redacts, event.redacts)
            unchanged = (event.prev_event_ids, event.auth_event_ids, event.redacts)
            new = event if (prev, auth, redacts) == unchanged else _changed(event, prev, auth, redacts)
            names[event_id] = new.event_id
            made[event_id] = new
        return Cut([made[event_id] for event_id in self.events if event_id in made], names)


def _changed(
    event: Event, prev: Sequence[EventId], auth: Sequence[EventId], redacts: EventId | None
) -> Event:
    """Return an event that cites other events, with the hashes and the ID that follow from it."""
    version = event.room_version
    pairs = version.references_carry_hashes
    pdu: JsonObject = {key: value for key, value in event.pdu.items() if key != "unsigned"}
    for name, ids in (("prev_events", prev[:MAX_PREV_EVENTS]), ("auth_events", auth)):
        # No server checks the hashes beside the IDs.
        pdu[name] = cast(JsonValue, [[one, {}] for one in ids] if pairs else [*ids])
    if redacts is not None:
        if version.redacts_in_content:
            pdu["content"] = {**event.content, "redacts": redacts}
        else:
            pdu["redacts"] = redacts
    pdu["signatures"] = {}
    pdu["hashes"] = {"sha256": encode_unpadded(content_digest(pdu))}
    return parse_event(pdu, version)


def signed_anew(cut: Cut) -> tuple[list[Event], KeyRing]:
    """Sign the events of a cut room with made-up keys, wherever a server must sign.

    Returns:
        The events, and the keys.
    """
    keys: dict[ServerName, SigningKey] = {}
    events = []
    for event in cut.events:
        pdu: JsonObject = {**event.pdu, "signatures": {}}
        for server in list_required_signers(pdu, event.room_version):
            key = keys.setdefault(server, signing_key(f"{server} of a cut room", _KEY_ID))
            pdu = countersign(pdu, event.room_version, server, key)
        events.append(parse_event(pdu, event.room_version, event_id=event.event_id))
    return events, KeyRing.of({server: {_KEY_ID: key.verify_key} for server, key in keys.items()})
