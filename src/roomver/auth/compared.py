"""What the authorisation rules compare for an event: levels and memberships, each with its source.

A verdict names the values that decided. This module names all values that were compared, also if the event
is allowed.
"""

from typing import NamedTuple

from ..event import Event
from ..power import CREATE, POWER_LEVELS, Levels
from ..types import StateMap, UserId


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
    """
    create = state.get(CREATE)
    if event.type == "m.room.create" or create is None:
        return []
    levels = Levels(create, state.get(POWER_LEVELS))
    rows = [_membership("sender's membership", event.sender, state), _user("sender", event.sender, levels)]
    if event.type == "m.room.member" and event.state_key is not None:
        target = event.state_key
        if target != event.sender:
            rows.append(_membership("target's membership", target, state))
            rows.append(_user("target", target, levels))
        rows += _for_membership(event, target, state, levels)
    elif event.type == "m.room.third_party_invite":
        rows.append(_named("invite", levels))
    elif event.type != "m.room.member":
        is_state = event.state_key is not None
        source = levels.required_source(event.type, is_state)
        rows.append(Compared("required level", levels.required(event.type, is_state), source))
        if event.type == "m.room.redaction" and event.room_version.redaction_rule:
            rows.append(_named("redact", levels))
    return rows


def _for_membership(event: Event, target: UserId, state: StateMap[Event], levels: Levels) -> list[Compared]:
    match event.content.get("membership"):
        case "join" | "knock":
            rows = [_join_rule(state)]
            authoriser = event.content.get("join_authorised_via_users_server")
            if type(authoriser) is str and event.room_version.restricted_joins:
                rows.append(_membership("authoriser's membership", authoriser, state))
                rows += [_user("authoriser", authoriser, levels), _named("invite", levels)]
            return rows
        case "invite":
            return [_named("invite", levels)]
        case "leave" if target != event.sender:
            return [_named("kick", levels), _named("ban", levels)]
        case "ban":
            return [_named("ban", levels)]
        case _:
            return []


def _membership(what: str, user: UserId, state: StateMap[Event]) -> Compared:
    member = state.get(("m.room.member", user))
    if member is None:
        return Compared(what, "leave", f"{user} has no member event")
    return Compared(what, member.content.get("membership"), f"{user}, by {member.event_id}")


def _join_rule(state: StateMap[Event]) -> Compared:
    rules = state.get(("m.room.join_rules", ""))
    if rules is None:
        return Compared("join rule", "invite", "default, without a join-rules event")
    return Compared("join rule", rules.content.get("join_rule", "invite"), rules.event_id)


def _user(who: str, user: UserId, levels: Levels) -> Compared:
    level = levels.user(user)
    value: object = level if type(level) is int else "infinite"
    return Compared(f"{who}'s level", value, f"{user}: {levels.user_source(user)}")


def _named(name: str, levels: Levels) -> Compared:
    return Compared(f"{name} level", levels.named(name), levels.named_source(name))
