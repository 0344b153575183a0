"""The rule on power levels: rule 10 in versions 1 to 5 and 12, rule 9 in the others."""

from typing import Any

from ..canonical import join_path, shorten
from ..event import Event
from ..identifiers import is_user_id
from ..power import DEFAULTS, POWER_LEVELS, PowerLevels, creators_of, power_levels_of
from ..rules import (
    POWER_LEVELS_ALLOWED,
    POWER_LEVELS_CREATOR_LISTED,
    POWER_LEVELS_EVENTS_CURRENT,
    POWER_LEVELS_EVENTS_NEW,
    POWER_LEVELS_FIRST,
    POWER_LEVELS_LEVEL_CURRENT,
    POWER_LEVELS_LEVEL_NEW,
    POWER_LEVELS_MAP_NOT_INTEGERS,
    POWER_LEVELS_NOT_INTEGER,
    POWER_LEVELS_USERS,
    POWER_LEVELS_USERS_CURRENT,
    POWER_LEVELS_USERS_NEW,
    Rule,
    Verdict,
)
from .context import Context

# The named levels, in the specification's order.
_NAMED = ("users_default", "events_default", "state_default", "ban", "redact", "kick", "invite")
assert set(_NAMED) == set(DEFAULTS)


def check_power_levels(context: Context) -> Verdict:
    """Check an ``m.room.power_levels`` event that has passed the rules for all state events."""
    event = context.event
    new = power_levels_of(event)
    # The format depends on the event alone. So one that was right is not checked again.
    verdict = None if new.form_checked else _check_form(context, new)
    if verdict is None and context.version.infinite_creator_level:
        verdict = _check_creators_not_listed(context, new)
    if verdict is not None:
        return verdict

    # If there is no previous m.room.power_levels event in the room, allow. The previous event is the room's
    # power levels, whatever state key this event has, as in ruma and gomatrixserverlib. (Synapse looks for an
    # event with this event's state key.)
    previous = context.state.get(POWER_LEVELS)
    if previous is None:
        return context.allow(POWER_LEVELS_FIRST)
    old = power_levels_of(previous)

    # The rules on named levels and on entries of events decide only if a level is above the sender's. Changes
    # of notifications are rare: they are always checked.
    level = context.levels.user(event.sender)
    if old.highest > level or new.highest > level or old.notifications != new.notifications:
        for check in (_check_named, _check_entries):
            verdict = check(context, old, new)
            if verdict is not None:
                return verdict
    verdict = _check_users(context, old, new)
    if verdict is not None:
        return verdict
    # Otherwise, allow.
    return context.allow(POWER_LEVELS_ALLOWED)


def _check_form(context: Context, new: PowerLevels) -> Verdict | None:
    """Check the rules on the format of the content; return None if they do not decide.

    Then the format is right, which is noted in `PowerLevels.form_checked`.
    """
    event = context.event
    if context.version.power_level_types_checked:
        # If any of the properties users_default, events_default, state_default, ban, redact, kick, or invite
        # in content are present and not an integer, reject.
        for path in new.unreadable:
            if path[0] in DEFAULTS:
                return _unreadable(context, POWER_LEVELS_NOT_INTEGER, event, path)
        # If either of events or notifications is present and not an object with values that are
        # integers, reject.
        for path in new.unreadable:
            if path[0] in ("events", "notifications"):
                return _unreadable(context, POWER_LEVELS_MAP_NOT_INTEGERS, event, path)
    # If users is not an object with keys that are valid user IDs with values that are integers (up
    # to version 9: or a string that is an integer), reject. It may be absent, but not null.
    # Up to version 9 no rule covers the other levels. If one of them cannot be read, the event is rejected
    # here too, as in ruma and gomatrixserverlib. (Synapse accepts it in a room's first power levels, and then
    # fails on every event that needs the level.)
    if new.unreadable:
        return _unreadable(context, POWER_LEVELS_USERS, event, new.unreadable[0])
    for user in new.users:
        if not is_user_id(user):
            return context.reject(POWER_LEVELS_USERS, not_a_user_id=shorten(user))
    new.form_checked = True
    return None


def _check_creators_not_listed(context: Context, new: PowerLevels) -> Verdict | None:
    """Check that no creator is in ``users``, whose format is right; return None if none is."""
    # If users contains the sender of the create event or any of the additional_creators, reject.
    for creator in creators_of(context.create):
        if creator in new.users:
            return context.reject(POWER_LEVELS_CREATOR_LISTED, creator=creator)
    return None


def _unreadable(context: Context, rule: Rule, event: Event, path: tuple[str, ...]) -> Verdict:
    value: Any = event.content
    where = "content"
    for key in path:
        value = value[key]
        where = join_path(where, key)
    return context.reject(rule, path=where, found=shorten(value))


def _check_named(context: Context, old: PowerLevels, new: PowerLevels) -> Verdict | None:
    """Check each altered named level; return None if no rule decides.

    Levels are compared as integers, so "50" instead of 50 is not an alteration. If a level is absent from one
    of the two events, only the other value is compared with the sender's level, as in Synapse. (ruma and
    gomatrixserverlib use the default for the absent one.)
    """
    if old.named == new.named:
        return None
    sender = context.levels.user(context.event.sender)
    for name in _NAMED:
        current, value = old.named.get(name), new.named.get(name)
        if current == value:
            continue
        # If the current value is greater than the sender's current power level, reject.
        if current is not None and current > sender:
            return _altered(context, POWER_LEVELS_LEVEL_CURRENT, name, current, value)
        # If the new value is greater than the sender's current power level, reject.
        if value is not None and value > sender:
            return _altered(context, POWER_LEVELS_LEVEL_NEW, name, current, value)
    return None


def _check_entries(context: Context, old: PowerLevels, new: PowerLevels) -> Verdict | None:
    """Check the entries of events, and from version 6 on of notifications; return None if no rule decides.

    All entries that were changed or removed come first, then all entries that were added or changed.
    """
    maps = [("events", old.events, new.events), ("notifications", old.notifications, new.notifications)]
    if all(before == after for _, before, after in maps):
        return None
    sender = context.levels.user(context.event.sender)
    for name, before, after in maps:
        for key, current in before.items():
            # If the current value is greater than the sender's current power level, reject.
            if current > sender and after.get(key) != current:
                entry = join_path(name, key)
                return _altered(context, POWER_LEVELS_EVENTS_CURRENT, entry, current, after.get(key))
    for name, before, after in maps:
        for key, value in after.items():
            # If the new value is greater than the sender's current power level, reject.
            if value > sender and before.get(key) != value:
                entry = join_path(name, key)
                return _altered(context, POWER_LEVELS_EVENTS_NEW, entry, before.get(key), value)
    return None


def _check_users(context: Context, old: PowerLevels, new: PowerLevels) -> Verdict | None:
    """Check the entries of users; return None if no rule decides.

    An absent entry has no value; users_default is not used in its place.
    """
    if old.users == new.users:
        return None
    sender_id = context.event.sender
    sender = context.levels.user(sender_id)
    for user, current in old.users.items():
        # For each entry other than the sender's own entry: if the current value is greater than or equal to
        # the sender's current power level, reject.
        if current >= sender and user != sender_id and new.users.get(user) != current:
            entry = join_path("users", user)
            return _altered(context, POWER_LEVELS_USERS_CURRENT, entry, current, new.users.get(user))
    for user, value in new.users.items():
        # If the new value is greater than the sender's current power level, reject.
        if value > sender and old.users.get(user) != value:
            entry = join_path("users", user)
            return _altered(context, POWER_LEVELS_USERS_NEW, entry, old.users.get(user), value)
    return None


def _altered(context: Context, rule: Rule, entry: str, current: int | None, new: int | None) -> Verdict:
    sender = context.event.sender
    return context.reject(
        rule,
        entry=entry,
        current="absent" if current is None else current,
        new="absent" if new is None else new,
        sender=sender,
        sender_level=context.levels.user(sender),
        sender_level_from=context.levels.user_source(sender),
    )
