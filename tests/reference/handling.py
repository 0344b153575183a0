"""Whether a redaction is applied to an event.

Source: https://spec.matrix.org/latest/rooms/v3/#handling-redactions; in versions 1 and 2, rule 11 of
https://spec.matrix.org/latest/rooms/v1/#authorisation-rules

Where the pages are silent, this module follows the library:

- The event must be in the room of the redaction.
- A create event is never redacted.
"""

from typing import Any

from .auth import ALLOW, Given, Known, Rules, domain, evaluate


def redacts(redaction: dict[str, Any], version: int) -> Any:
    """Return the ID of the event that a redaction names."""
    # "The `redacts` property of `m.room.redaction` events is moved from a top-level event property to a
    # property under the event `content`."
    if version >= 11:
        return redaction["content"].get("redacts")
    return redaction.get("redacts")


def applies(given: Given, target: Known) -> bool:
    """Tell whether an accepted redaction applies to an event.

    Args:
        given: the redaction, with the room state before it.
        target: the event that may be redacted.
    """
    redaction, (target_id, event) = given.event, target
    if redaction["type"] != "m.room.redaction" or redacts(redaction, given.version) != target_id:
        return False
    if event["type"] == "m.room.create" or redaction["room_id"] != event.get("room_id"):
        return False
    rules = Rules(given)
    if given.version <= 2:
        decided = evaluate(rules.redaction_rules())
        return decided is not None and decided[0] == ALLOW
    # "the server applies the redaction if one of the following conditions is met:"
    return (
        # 1. "The power level of the redaction event's `sender` is greater than or equal to the redact level."
        rules.power_level(redaction["sender"]) >= rules.named("redact")
        # 2. "The domain of the redaction event's `sender` matches that of the original event's `sender`."
        or domain(redaction["sender"]) == domain(event["sender"])
    )
