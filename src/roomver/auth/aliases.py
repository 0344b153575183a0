"""Rule 4 of versions 1 to 5: aliases events. The sender need not be in the room and needs no power level."""

from ..identifiers import server_of
from ..rules import ALIASES_ALLOWED, ALIASES_NO_STATE_KEY, ALIASES_OTHER_DOMAIN, Verdict
from .context import Context


def check_aliases(context: Context) -> Verdict:
    """Check an ``m.room.aliases`` event."""
    event = context.event
    # If event has no state_key, reject.
    if event.state_key is None:
        return context.reject(ALIASES_NO_STATE_KEY)
    # If sender's domain doesn't match state_key, reject.
    if server_of(event.sender) != event.state_key:
        return context.reject(ALIASES_OTHER_DOMAIN, sender=event.sender, state_key=event.state_key)
    # Otherwise, allow.
    return context.allow(ALIASES_ALLOWED)
