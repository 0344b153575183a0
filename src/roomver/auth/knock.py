"""The rule on knocks, from version 7 on."""

from ..canonical import shorten
from ..rules import KNOCK_ALLOWED, KNOCK_JOIN_RULE, KNOCK_OTHERWISE, KNOCK_SENDER_IS_TARGET, Verdict
from ..types import UserId
from .context import Context


def check_knock(context: Context, target: UserId) -> Verdict:
    """Check a member event of membership ``knock``."""
    event = context.event

    # If the join_rule is anything other than knock (from version 10 on: or knock_restricted), reject.
    join_rule = context.join_rule
    if join_rule != "knock" and not (join_rule == "knock_restricted" and context.version.knock_restricted):
        return context.reject(KNOCK_JOIN_RULE, join_rule=shorten(join_rule))

    # If sender does not match state_key, reject.
    if event.sender != target:
        return context.reject(KNOCK_SENDER_IS_TARGET, sender=event.sender, target=target)

    # If the sender's current membership is not ban, invite, or join, allow.
    membership = context.membership(target)
    if membership not in ("ban", "invite", "join"):
        return context.allow(KNOCK_ALLOWED, membership=membership or "none")

    # Otherwise, reject.
    return context.reject(KNOCK_OTHERWISE, sender=target, membership=membership)
