"""The rule on ``m.federate``: rule 3, in version 12 rule 4."""

from ..identifiers import server_of
from ..rules import FEDERATION_CLOSED, Verdict
from .context import Context


def check_federation(context: Context) -> Verdict | None:
    """Check the rule on ``m.federate`` in a closed room; return None if it does not decide.

    The caller must have found that `Context.closed` is true: this does not check it. Most rooms are open,
    and so pay no call.

    Synapse also checks the target of a membership.
    """
    # If the content of the create event has m.federate set to false, and the sender's domain is not
    # that of the create event's sender, reject.
    sender, creator = context.event.sender, context.create.sender
    if server_of(sender) != server_of(creator):
        return context.reject(FEDERATION_CLOSED, sender=sender, create_event_sender=creator)
    return None
