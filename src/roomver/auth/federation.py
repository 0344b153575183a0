"""The rule on ``m.federate``: 3, in version 12 it is 4."""

from ..identifiers import server_of
from ..rules import FEDERATION_CLOSED, Verdict
from .context import Context


def check_federation(context: Context) -> Verdict | None:
    """Judge by ``m.federate``; None if it does not decide.

    Only the JSON value false closes a room: that is what the specification says. Synapse takes
    everything but true as closed, and looks at the target of a membership too; ruma refuses every
    event where it is no boolean. Rooms that servers make have a boolean or nothing.
    """
    create = context.create
    # If the content of the create event has m.federate set to false, and the sender's domain is not
    # that of the create event's sender, reject.
    if create.content.get("m.federate") is False:
        sender, creator = context.event.sender, create.sender
        if server_of(sender) != server_of(creator):
            return context.reject(FEDERATION_CLOSED, sender=sender, create_event_sender=creator)
    return None
