"""The rule on invites, by a user or by a third party."""

from ..rules import (
    INVITE_LEVEL,
    INVITE_OTHERWISE,
    INVITE_SENDER_NOT_JOINED,
    INVITE_TARGET_IN_ROOM,
    Verdict,
)
from ..types import UserId
from .context import Context
from .third_party import check_third_party_invite


def check_invite(context: Context, target: UserId) -> Verdict:
    """Check a member event of membership ``invite``."""
    event = context.event

    # If content has a third_party_invite property: … A null counts as a property, as in Synapse. In ruma and
    # gomatrixserverlib such an event is a plain invite.
    if "third_party_invite" in event.content:
        return check_third_party_invite(context, target)

    # If the sender's current membership state is not join, reject.
    membership = context.membership(event.sender)
    if membership != "join":
        return context.reject(INVITE_SENDER_NOT_JOINED, sender=event.sender, membership=membership or "none")

    # If target user's current membership state is join or ban, reject.
    membership = context.membership(target)
    if membership in ("join", "ban"):
        return context.reject(INVITE_TARGET_IN_ROOM, target=target, membership=membership)

    # If the sender's power level is greater than or equal to the invite level, allow.
    if context.levels.user(event.sender) >= context.levels.named("invite"):
        return context.allow(INVITE_LEVEL)

    # Otherwise, reject.
    return context.reject(INVITE_OTHERWISE, **context.compared("invite"))
