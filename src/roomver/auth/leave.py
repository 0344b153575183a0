"""The rule on leaving, on kicks, and on lifting a ban."""

from ..rules import (
    LEAVE_BANNED,
    LEAVE_LEVEL,
    LEAVE_OTHERWISE,
    LEAVE_SELF,
    LEAVE_SENDER_NOT_JOINED,
    Verdict,
)
from ..types import UserId
from .context import Context


def check_leave(context: Context, target: UserId) -> Verdict:
    """Check a member event of membership ``leave``."""
    event, levels = context.event, context.levels
    membership = context.membership(target)

    # If the sender matches state_key, allow if and only if that user's current membership state is
    # invite or join (from version 7 on: or knock). A user who has left cannot leave again.
    if event.sender == target:
        may = membership in ("invite", "join") or (membership == "knock" and context.version.knock)
        decide = context.allow if may else context.reject
        return decide(LEAVE_SELF, sender=target, membership=membership or "none")

    # If the sender's current membership state is not join, reject.
    sender_membership = context.membership(event.sender)
    if sender_membership != "join":
        return context.reject(
            LEAVE_SENDER_NOT_JOINED, sender=event.sender, membership=sender_membership or "none"
        )

    # If the target user's current membership state is ban, and the sender's power level is less than
    # the ban level, reject.
    sender_level = levels.user(event.sender)
    if membership == "ban" and sender_level < levels.named("ban"):
        return context.reject(LEAVE_BANNED, target=target, **context.compared("ban"))

    # If the sender's power level is greater than or equal to the kick level, and the target user's
    # power level is less than the sender's power level, allow. So a user who lifts a ban also needs the kick
    # level and must outrank the target. A user who was never in the room can be kicked.
    if sender_level >= levels.named("kick") and context.outranks(target):
        return context.allow(LEAVE_LEVEL, target=target)

    # Otherwise, reject.
    return context.reject(
        LEAVE_OTHERWISE, target=target, target_level=levels.user(target), **context.compared("kick")
    )
