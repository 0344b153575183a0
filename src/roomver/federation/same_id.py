"""Events that have the ID of another event. In versions 1 and 2 the sender's server chooses the ID.

The first of them that is stored stays: a server could otherwise replace what it sent before, and what others
have relied on.
"""

from collections.abc import Mapping

from ..check import check_event
from ..event import Event
from ..hashing import compute_reference_hash
from ..receive import Receipt
from ..receive.receipt import dropped_for_its_id
from ..steps import NeedEvents, Stored
from ..types import EventId, JsonObject
from ..versions import EventIdForm
from .asking import parsed
from .needs import FederationSteps, LocalRoom


def refused_id_steps(pdu: JsonObject, room: LocalRoom) -> FederationSteps[Receipt | None]:
    """Return the receipt that drops an event because another stored event has its ID; None if none has.

    From version 3 on the ID is a hash of the event, so there is no such event.
    """
    if room.version.event_id_form is not EventIdForm.CHOSEN:
        return None
    event = parsed(pdu, room)
    if event is None:
        return None
    stored: Mapping[EventId, Stored] = yield NeedEvents(frozenset([event.event_id]))
    if event.event_id not in stored or is_same(stored[event.event_id].event, event):
        return None
    return dropped_for_its_id(check_event(pdu, room.version, keys=None))


def is_same(one: Event, other: Event) -> bool:
    """Tell whether two events are the same, up to redaction. In versions 1 and 2 the IDs do not tell."""
    return one == other and compute_reference_hash(one) == compute_reference_hash(other)
