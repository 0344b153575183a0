"""The rules on all events except member events: on the sender's membership, level and state key.

The rule on ``m.room.third_party_invite`` events comes between them.
"""

from ..identifiers import MAX_AFTER_OWNER, MAX_BYTES, byte_length, is_user_id, split_owner
from ..rules import (
    REQUIRED_LEVEL,
    SENDER_NOT_JOINED,
    STATE_KEY_LENGTH,
    STATE_KEY_NOT_OWNED,
    STATE_KEY_OF_OTHER_USER,
    STATE_KEY_OWNER,
    STATE_KEY_SUFFIX,
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
    required = levels.required(event.type, event.state_key is not None)
    level = levels.user(event.sender)
    if required > level:
        return context.reject(REQUIRED_LEVEL, **context.required(level, required))
    return None


def check_state_key(context: Context) -> Verdict | None:
    """Check the state key; return None if it does not decide.

    If the event has a state_key that starts with an @ and does not match the sender, reject. The sender's
    level does not matter, nor does whether the state key is a user ID.
    """
    event = context.event
    key = event.state_key
    if key is not None and context.version.owned_state_keys:
        return _check_owned_state_key(context, key)
    if key is not None and key != event.sender and key.startswith("@"):
        return context.reject(STATE_KEY_OF_OTHER_USER, state_key=key, sender=event.sender)
    return None


def _check_owned_state_key(context: Context, key: str) -> Verdict | None:
    """Check a state key that may have an owner; return None if it does not decide.

    Source: https://github.com/matrix-org/matrix-spec-proposals/pull/3757, "Proposal"
    """
    sender = context.event.sender
    owner, rest = split_owner(key)
    # If the state_key starts with an @:
    if owner:
        # If the prefix of the state_key before the first _ that follows the first : (or end of string) is not
        # a valid user ID, reject. (Synapse has a wider grammar of user IDs.)
        if not is_user_id(owner):
            return context.reject(STATE_KEY_NOT_OWNED, state_key=key)
        # If the size of the state_key without its leading user ID is greater than 256 bytes, reject. (Synapse
        # drops every event whose state key has more than 255 bytes.)
        size = byte_length(rest)
        if size > MAX_AFTER_OWNER:
            return context.reject(STATE_KEY_SUFFIX, owner=owner, bytes_after_owner=size)
        # If the leading user ID does not match the sender, and the sender's power level is not greater than
        # that of the user denoted by that ID, reject.
        if owner != sender and not context.outranks(owner):
            levels = context.levels
            return context.reject(
                STATE_KEY_OWNER,
                state_key=key,
                sender=sender,
                sender_level=levels.user(sender),
                sender_level_from=levels.user_source(sender),
                owner=owner,
                owner_level=levels.user(owner),
                owner_level_from=levels.user_source(owner),
            )
    # Otherwise, if the size of the state_key is greater than 255 bytes, reject.
    elif (size := byte_length(key)) > MAX_BYTES:
        return context.reject(STATE_KEY_LENGTH, state_key_bytes=size)
    return None
