"""The rule on ``m.federate``: rule 3, in version 12 rule 4."""

from ..identifiers import server_of
from ..rules import FEDERATION_CLOSED, Verdict
from .context import Context


def check_federation(context: Context) -> Verdict | None:
    """Check the rule on ``m.federate``; return None if it does not decide.

    Only the JSON value false closes a room, as the specification says. In Synapse any value except true
    closes it, and the target of a membership is checked too. ruma rejects every event if the value is not a
    boolean. Rooms made by servers have a boolean or no such property.
    """
    create = context.create
    # If the content of the create event has m.federate set to false, and the sender's domain is not
    # that of the create event's sender, reject.
    if create.content.get("m.federate") is False:
        sender, creator = context.event.sender, create.sender
        if server_of(sender) != server_of(creator):
            return context.reject(FEDERATION_CLOSED, sender=sender, create_event_sender=creator)
    return None
