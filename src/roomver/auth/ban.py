"""The rule on bans. The target's membership does not matter, and no user outranks themselves."""

from ..rules import BAN_LEVEL, BAN_OTHERWISE, BAN_SENDER_NOT_JOINED, Verdict
from ..types import UserId
from .context import Context


def check_ban(context: Context, target: UserId) -> Verdict:
    """Check a member event of membership ``ban``."""
    event, levels = context.event, context.levels

    # If the sender's current membership state is not join, reject.
    membership = context.membership(event.sender)
    if membership != "join":
        return context.reject(BAN_SENDER_NOT_JOINED, sender=event.sender, membership=membership or "none")

    # If the sender's power level is greater than or equal to the ban level, and the target user's
    # power level is less than the sender's power level, allow.
    if levels.user(event.sender) >= levels.named("ban") and context.outranks(target):
        return context.allow(BAN_LEVEL, target=target)

    # Otherwise, reject.
    return context.reject(
        BAN_OTHERWISE, target=target, target_level=levels.user(target), **context.compared("ban")
    )
