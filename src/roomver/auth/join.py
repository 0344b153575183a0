"""The rule on joins."""

from ..canonical import shorten
from ..identifiers import is_user_id
from ..power import creator_of
from ..rules import (
    JOIN_BANNED,
    JOIN_CREATOR,
    JOIN_INVITED,
    JOIN_OTHERWISE,
    JOIN_PUBLIC,
    JOIN_RESTRICTED_ALLOWED,
    JOIN_RESTRICTED_ALREADY_IN,
    JOIN_RESTRICTED_AUTHORISER,
    JOIN_SENDER_IS_TARGET,
    Verdict,
)
from ..types import UserId
from .context import Context


def check_join(context: Context, target: UserId) -> Verdict:
    """Check a member event of membership ``join``."""
    event, version = context.event, context.version

    # If the only previous event is an m.room.create and the state_key is the creator, allow. This comes
    # before the next rule, so the sender may be anyone. (gomatrixserverlib requires more.)
    if event.prev_event_ids == (context.create.event_id,) and target == creator_of(context.create):
        return context.allow(JOIN_CREATOR, creator=target)

    # If the sender does not match state_key, reject.
    if event.sender != target:
        return context.reject(JOIN_SENDER_IS_TARGET, sender=event.sender, target=target)

    # If the sender is banned, reject.
    membership = context.membership(target)
    if membership == "ban":
        return context.reject(JOIN_BANNED, sender=target)

    join_rule = context.join_rule
    already_in = membership in ("invite", "join")
    # If the join_rule is invite (from version 7 on: or knock) then allow if membership state is
    # invite or join.
    if (join_rule == "invite" or (join_rule == "knock" and version.knock)) and already_in:
        return context.allow(JOIN_INVITED, join_rule=join_rule, membership=membership)

    # If the join_rule is restricted (from version 10 on: or knock_restricted): …
    if (join_rule == "restricted" and version.restricted_joins) or (
        join_rule == "knock_restricted" and version.knock_restricted
    ):
        return _check_restricted(context, membership, already_in)

    # If the join_rule is public, allow.
    if join_rule == "public":
        return context.allow(JOIN_PUBLIC)

    # Otherwise, reject. This includes join rules that the room version does not know, even for users who
    # are invited or in the room (gomatrixserverlib allows these).
    return context.reject(JOIN_OTHERWISE, join_rule=shorten(join_rule), membership=membership or "none")


def _check_restricted(context: Context, membership: str, already_in: bool) -> Verdict:
    # If membership state is join or invite, allow.
    if already_in:
        return context.allow(JOIN_RESTRICTED_ALREADY_IN, membership=membership)

    # If the join_authorised_via_users_server key in content is not a user with sufficient permission to
    # invite other users or is not a joined member of the room, reject. This rejects a missing key
    # and any authoriser who is not joined, even a version 12 creator (clarified in 1.17).
    authoriser = context.event.content.get("join_authorised_via_users_server")
    if type(authoriser) is not str or not is_user_id(authoriser):
        found = shorten(authoriser) if authoriser is not None else "none"
        return context.reject(JOIN_RESTRICTED_AUTHORISER, authoriser=found)
    authoriser_membership = context.membership(authoriser)
    if authoriser_membership != "join":
        return context.reject(
            JOIN_RESTRICTED_AUTHORISER, authoriser=authoriser, membership=authoriser_membership or "none"
        )
    level, needed = context.levels.user(authoriser), context.levels.named("invite")
    if level < needed:
        return context.reject(
            JOIN_RESTRICTED_AUTHORISER, authoriser=authoriser, authoriser_level=level, invite_level=needed
        )

    # Otherwise, allow.
    return context.allow(JOIN_RESTRICTED_ALLOWED, authoriser=authoriser)
