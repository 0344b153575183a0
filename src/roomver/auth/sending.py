"""The rules on all events except member events: on the sender's membership, level and state key.

The rule on ``m.room.third_party_invite`` events comes between them.
"""

from ..rules import (
    REQUIRED_LEVEL,
    SENDER_NOT_JOINED,
    STATE_KEY_OF_OTHER_USER,
    THIRD_PARTY_INVITE_LEVEL,
    Verdict,
)
from .context import Context


def check_sender(context: Context) -> Verdict | None:
    """Check the sender's membership; return None if it does not decide.

    If the sender's current membership state is not join, reject.
    """
    sender = context.event.sender
    membership = context.membership(sender)
    if membership != "join":
        return context.reject(SENDER_NOT_JOINED, sender=sender, membership=membership or "none")
    return None


def check_third_party_offer(context: Context) -> Verdict:
    """Check an ``m.room.third_party_invite`` event.

    Allow if and only if sender's current power level is greater than or equal to the invite level.
    The outcome is final: the required level of the event type and a state key with ``@`` do not matter.
    (gomatrixserverlib checks the state key.)
    """
    if context.levels.user(context.event.sender) >= context.levels.named("invite"):
        return context.allow(THIRD_PARTY_INVITE_LEVEL)
    return context.reject(THIRD_PARTY_INVITE_LEVEL, **context.compared("invite"))


def check_required_level(context: Context) -> Verdict | None:
    """Check the required power level of the event type; return None if it does not decide.

    If the event type's required power level is greater than the sender's power level, reject.
    """
    event, levels = context.event, context.levels
    is_state = event.state_key is not None
    required = levels.required(event.type, is_state)
    level = levels.user(event.sender)
    if required > level:
        return context.reject(
            REQUIRED_LEVEL,
            sender=event.sender,
            sender_level=level,
            sender_level_from=levels.user_source(event.sender),
            required_level=required,
            required_level_from=levels.required_source(event.type, is_state),
        )
    return None


def check_state_key(context: Context) -> Verdict | None:
    """Check the state key; return None if it does not decide.

    If the event has a state_key that starts with an @ and does not match the sender, reject. The sender's
    level does not matter, nor does whether the state key is a user ID.
    """
    event = context.event
    key = event.state_key
    if key is not None and key != event.sender and key.startswith("@"):
        return context.reject(STATE_KEY_OF_OTHER_USER, state_key=key, sender=event.sender)
    return None
