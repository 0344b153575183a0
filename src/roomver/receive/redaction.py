"""Whether a redaction applies to an event, as steps: the state events that this depends on are fetched."""

from ..auth import RedactionDecision, redaction_applies
from ..event import Event
from ..power import CREATE, POWER_LEVELS
from ..state import EventsOf, entries_of
from ..steps import Steps
from ..types import EventId, StateMap
from .known import Known


def check_redaction_steps(
    redaction: Event, target: Event, state_before: StateMap[EventId]
) -> Steps[RedactionDecision]:
    """Decide whether an accepted redaction applies to an event.

    A server asks this when both are stored, whichever came first. If it applies, serve and store
    `roomver.redact` of the target from then on. A redaction that was rejected or soft-failed does not apply.

    Source: https://spec.matrix.org/latest/rooms/v11/#handling-redactions

    Args:
        redaction: an event of type ``m.room.redaction`` that was accepted.
        target: the event that it names.
        state_before: the state before the redaction: `Receipt.state_before`. It may be a
            `roomver.PartialState`.

    Returns:
        The decision, of `roomver.auth.redaction_applies`.

    Raises:
        MissingEvents: naming the create event or the power levels, if the store does not have them, or if the
            state has no create event.
        UnknownState: if the state is known in part, and the power levels are unknown in it.
        WrongRoom: if the state is of another room.

    >>> from roomver import parse_event
    >>> from roomver.receive import MemoryStore
    >>> from roomver.steps import run
    >>> pdu = {"type": "m.room.message", "sender": "@a:b.org", "room_id": "!r:b.org", "content": {},
    ...        "depth": 1, "origin_server_ts": 1, "hashes": {"sha256": ""}, "prev_events": [],
    ...        "auth_events": []}
    >>> message = parse_event(pdu, "11")
    >>> redaction = parse_event({**pdu, "type": "m.room.redaction", "content": {"redacts": "$x"}}, "11")
    >>> run(check_redaction_steps(redaction, message, {}), MemoryStore()).reason
    'the redaction names another event, $x'
    """
    entries, known = entries_of(state_before), Known()
    found = (entries.get(key) for key in (CREATE, POWER_LEVELS))
    yield from known.fetch(event_id for event_id in found if event_id is not None)
    return redaction_applies(redaction, target, EventsOf(state_before, known.events))
