"""What the authorisation rules compare for an event: levels and memberships, each with its source.

A verdict names the values that decided. This module names all values that were compared, even if the event
is allowed.
"""

from typing import NamedTuple

from ..event import Event
from ..types import StateMap, UserId
from .context import JOIN_RULES, Context, create_of


class Compared(NamedTuple):
    """One value that was compared.

    Attributes:
        what: a name, for example ``sender's level``.
        value: an integer, ``infinite``, a membership or a join rule.
        source: the event that the value comes from, or the default.
    """

    what: str
    value: object
    source: str


def list_compared(event: Event, state: StateMap[Event]) -> list[Compared]:
    """Return what the rules compare for an event and a state.

    The list is empty for a create event, and if the state has no create event.

    Raises:
        WrongRoom: if the state is from another room or has another room version.
        UnknownState: if the state is known in part and one of the values is unknown.
    """
    create = create_of(state)
    if event.type == "m.room.create" or create is None:
        return []
    context = Context(event, state, create)
    rows = [_membership("sender", event.sender, context), _level("sender", event.sender, context)]
    if event.type == "m.room.member" and event.state_key is not None:
        target = event.state_key
        if target != event.sender:
            rows += [_membership("target", target, context), _level("target", target, context)]
        rows += _for_membership(target, context)
    elif event.type == "m.room.third_party_invite":
        rows.append(_named("invite", context))
    elif event.type != "m.room.member":
        is_state = event.state_key is not None
        levels = context.levels
        source = levels.required_source(event.type, is_state)
        rows.append(Compared("required level", levels.required(event.type, is_state), source))
        if event.type == "m.room.redaction" and event.room_version.redaction_rule:
            rows.append(_named("redact", context))
    return rows


def _for_membership(target: UserId, context: Context) -> list[Compared]:
    event = context.event
    match event.content.get("membership"):
        case "join" | "knock":
            rows = [_join_rule(context)]
            authoriser = event.content.get("join_authorised_via_users_server")
            if type(authoriser) is str and event.room_version.restricted_joins:
                rows += [_membership("authoriser", authoriser, context)]
                rows += [_level("authoriser", authoriser, context), _named("invite", context)]
            return rows
        case "invite":
            return [_named("invite", context)]
        case "leave" if target != event.sender:
            return [_named("kick", context), _named("ban", context)]
        case "ban":
            return [_named("ban", context)]
        case _:
            return []


def _membership(who: str, user: UserId, context: Context) -> Compared:
    member = context.state.get(("m.room.member", user))
    source = f"{user} has no member event" if member is None else f"{user}, from {member.event_id}"
    return Compared(f"{who}'s membership", context.membership(user) or "not a membership", source)


def _join_rule(context: Context) -> Compared:
    rules = context.state.get(JOIN_RULES)
    source = "default, no join-rules event" if rules is None else rules.event_id
    return Compared("join rule", context.join_rule, source)


def _level(who: str, user: UserId, context: Context) -> Compared:
    level = context.levels.user(user)
    value: object = level if type(level) is int else "infinite"
    return Compared(f"{who}'s level", value, f"{user}: {context.levels.user_source(user)}")


def _named(name: str, context: Context) -> Compared:
    return Compared(f"{name} level", context.levels.named(name), context.levels.named_source(name))
