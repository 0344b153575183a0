"""Power levels. Every level is computed here: a user's, the required level of an event type, the named
levels.

A level is an integer. Only a creator in room version 12 has an infinite level.

Source: https://spec.matrix.org/latest/client-server-api/#mroompower_levels,
https://spec.matrix.org/latest/server-server-api/#definitions and, for levels that are not JSON
integers, the page of each room version.
"""

import re
from collections.abc import Mapping
from math import inf, isfinite
from typing import Final, TypeAlias

from .event import Event, remember
from .types import EventId, JsonObject, JsonValue, StateMap, UserId
from .versions import RoomVersion

__all__ = ["DEFAULTS", "Level", "Levels", "PowerLevels", "creator_of", "creators_of", "read_level"]

Level: TypeAlias = "int | float"
"""An integer, or `math.inf` for a creator in version 12."""

DEFAULTS: Final[Mapping[str, int]] = {
    "ban": 50,
    "kick": 50,
    "redact": 50,
    "invite": 0,
    "state_default": 50,
    "events_default": 0,
    "users_default": 0,
}
"""The seven named levels, and the default of each if the power levels do not set it."""

POWER_LEVELS: Final = ("m.room.power_levels", "")
CREATE: Final = ("m.room.create", "")

# White space of any script may surround one sign and ASCII digits. int() accepts more: other digits,
# and underscores between them.
_DECIMAL = re.compile(r"\s*([+-]?)([0-9]+)\s*")
# Far more digits than a real level has, and few enough for int() to accept.
_MAX_DIGITS = 4000


def read_level(value: JsonValue, version: RoomVersion) -> int | None:
    """Return a JSON value as a power level of a room version; None if it is not one.

    Source: https://spec.matrix.org/latest/rooms/v5/#deprecated-event-content-schemas

    >>> from roomver.versions import V5, V9, V10
    >>> [read_level(value, V5) for value in (50, " +050 ", 50.57, -0.9, True, "1_000", None)]
    [50, 50, 50, 0, None, None, None]
    >>> read_level(50.57, V9), read_level("50", V9), read_level("50", V10)
    (None, 50, None)
    """
    if type(value) is int:  # not isinstance: True is an int to Python
        return value
    if type(value) is str and version.string_power_levels:
        match = _DECIMAL.fullmatch(value)
        if match is None:
            return None
        sign, digits = match.groups()
        digits = digits.lstrip("0") or "0"
        return int(sign + digits) if len(digits) <= _MAX_DIGITS else None
    # "Values outside the range represented by IEEE754 binary64 cause the power level event to be rejected, as
    # do Infinity, -Infinity and NaN." An event with one is malformed, and does not get here.
    if type(value) is float and version.float_power_levels and isfinite(value):
        return int(value)  # toward zero
    return None


class PowerLevels:
    """The parsed levels of one power-levels event.

    A value that is not a level in the room version counts as absent. The rules reject a power-levels event
    with such a value, so it occurs only in a state that breaks the rules.

    Attributes:
        event_id: the ID of the event.
        named: the named levels that the event sets.
        users, events, notifications: the entries that are levels.
        highest: the highest level in `named`, `events` and `notifications`; minus infinity without any.
        unreadable: the paths in ``content`` to values that are not levels, in the order of the event.
        form_checked: whether the rule on power levels has found that the format of the event is right: then
            everything is readable, and the keys of ``users`` are user IDs. That rule sets it.
    """

    __slots__ = (
        "event_id",
        "events",
        "form_checked",
        "highest",
        "named",
        "notifications",
        "unreadable",
        "users",
    )

    event_id: EventId
    named: dict[str, int]
    users: dict[str, int]
    events: dict[str, int]
    notifications: dict[str, int]
    highest: Level
    unreadable: list[tuple[str, ...]]
    form_checked: bool

    def __init__(self, event: Event) -> None:
        version = event.room_version
        content = event.content
        self.event_id = event.event_id
        self.unreadable = []
        self.form_checked = False
        self.named = {}
        for name in DEFAULTS:
            if name in content:
                level = read_level(content[name], version)
                if level is None:
                    self.unreadable.append((name,))
                else:
                    self.named[name] = level
        self.users = self._entries("users", content, version)
        self.events = self._entries("events", content, version)
        # A version whose rules do not check notifications must not reject them either.
        checked = version.notification_levels_checked
        self.notifications = self._entries("notifications", content, version) if checked else {}
        levels = (*self.named.values(), *self.events.values(), *self.notifications.values())
        self.highest = max(levels, default=-inf)

    def _entries(self, name: str, content: JsonObject, version: RoomVersion) -> dict[str, int]:
        entries = content.get(name)
        if type(entries) is not dict:
            if name in content:
                self.unreadable.append((name,))
            return {}
        levels = {}
        for key, value in entries.items():
            # No call in the common case: a room may list thousands of users.
            level = value if type(value) is int else read_level(value, version)
            if level is None:
                self.unreadable.append((name, key))
            else:
                levels[key] = level
        return levels


def power_levels_of(event: Event) -> PowerLevels:
    """Return the parsed levels of a power-levels event. They are kept with the event."""
    parsed = event._memo
    if type(parsed) is not PowerLevels:
        parsed = PowerLevels(event)
        remember(event, parsed)
    return parsed


def creator_of(create: Event) -> UserId | None:
    """Return the creator of a room.

    In versions 1 to 10 it is the create event's ``content.creator``, or None if that is not a string.
    From version 11 on it is the create event's sender.
    """
    if not create.room_version.creator_in_content:
        return create.sender
    creator = create.content.get("creator")
    return creator if type(creator) is str else None


def creators_of(create: Event) -> tuple[UserId, ...]:
    """Return all creators of a room, including additional ones in version 12. Kept with the event."""
    known = create._memo
    if type(known) is tuple:
        return known
    first = creator_of(create)
    creators = [] if first is None else [first]
    if create.room_version.additional_creators:
        more = create.content.get("additional_creators")
        if type(more) is list:
            creators.extend(user for user in more if type(user) is str)
    remember(create, tuple(creators))
    return tuple(creators)


class Levels:
    """The power levels in one room state.

    Args:
        create: the create event of the room, or None: then no user is known to be a creator.
        power_levels: the power-levels event of the state, or None if it has none.
    """

    __slots__ = ("_create", "_infinite", "levels")

    levels: PowerLevels | None

    def __init__(self, create: Event | None, power_levels: Event | None) -> None:
        self._create = create
        self._infinite: tuple[UserId, ...] = ()
        if create is not None and create.room_version.infinite_creator_level:
            self._infinite = creators_of(create)
        self.levels = None if power_levels is None else power_levels_of(power_levels)

    @classmethod
    def of(cls, create: Event, state: StateMap[Event]) -> "Levels":
        """Return the levels in a room state."""
        return cls(create, state.get(POWER_LEVELS))

    def user(self, user: UserId) -> Level:
        """Return a user's level."""
        if user in self._infinite:
            return inf
        levels = self.levels
        if levels is None:
            # Without a power-levels event the creator has 100 and everyone else 0. With one, the creator is
            # not special: `users`, then `users_default`, decide. (Version 12 creators returned above.)
            return 100 if self._is_creator(user) else 0
        level = levels.users.get(user)
        return levels.named.get("users_default", 0) if level is None else level

    def _is_creator(self, user: UserId) -> bool:
        return self._create is not None and user == creator_of(self._create)

    def named(self, name: str) -> int:
        """Return one of the seven named levels, or its default."""
        if self.levels is None:
            return DEFAULTS[name]
        return self.levels.named.get(name, DEFAULTS[name])

    def required(self, kind: str, is_state: bool) -> int:
        """Return the level that a sender needs to send an event of a type."""
        levels = self.levels
        if levels is not None:
            level = levels.events.get(kind)
            if level is not None:
                return level
        return self.named("state_default" if is_state else "events_default")

    def user_source(self, user: UserId) -> str:
        """Return, in words, where a user's level comes from."""
        if user in self._infinite or (self.levels is None and self._is_creator(user)):
            return f"creator, from {self._create.event_id if self._create else ''}"
        if self.levels is None:
            return "default, no power-levels event"
        if user in self.levels.users:
            return f"users in {self.levels.event_id}"
        return self.named_source("users_default")

    def required_source(self, kind: str, is_state: bool) -> str:
        """Return, in words, where the required level of an event type comes from."""
        if self.levels is not None and kind in self.levels.events:
            return f"events in {self.levels.event_id}"
        return self.named_source("state_default" if is_state else "events_default")

    def named_source(self, name: str) -> str:
        """Return, in words, where a named level comes from."""
        if self.levels is None:
            return f"{name} default, no power-levels event"
        if name in self.levels.named:
            return f"{name} in {self.levels.event_id}"
        return f"{name} default, not set in {self.levels.event_id}"
