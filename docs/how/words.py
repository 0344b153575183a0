"""Short words for events, as the pages and pictures have them. Users have their first names."""

from roomver.canonical import shorten
from roomver.event import Event
from roomver.types import UserId

_KINDS = {
    "m.room.join_rules": ("join rule", "join_rule"),
    "m.room.topic": ("topic", "topic"),
    "m.room.name": ("room name", "name"),
    "m.room.message": ("message", "body"),
}


def first_name(user: UserId) -> str:
    """Return a user's first name.

    >>> first_name("@alice:a.example.org")
    'Alice'
    """
    return user[1:].split(":")[0].capitalize()


def words_of(event: Event) -> str:
    """Say what an event does, with its sender."""
    who = first_name(event.sender)
    if event.type == "m.room.create":
        return f"{who} creates the room"
    if event.type == "m.room.member":
        return _member_words(event, who)
    if event.type == "m.room.power_levels":
        return f"{who}: levels {levels_of(event)}"
    kind, key = _KINDS.get(event.type, (event.type, ""))
    value = event.content.get(key)
    said = f" “{value}”" if type(value) is str else ""
    return f"{who}: {kind}{said}"


def _member_words(event: Event, who: str) -> str:
    membership = event.content.get("membership")
    whom = first_name(event.state_key or "")
    alone = event.sender == event.state_key
    match membership:
        case "join":
            return f"{who} joins"
        case "leave" if alone:
            return f"{who} leaves"
        case "leave":
            return f"{who} removes {whom}"
        case "ban":
            return f"{who} bans {whom}"
        case "invite":
            return f"{who} invites {whom}"
    return f"{who}: membership {shorten(membership)}"


def levels_of(event: Event) -> str:
    """Return the levels that a power-levels event gives to users."""
    users = event.content.get("users")
    if type(users) is not dict or not users:
        return "without users"
    return ", ".join(f"{first_name(user)} {level}" for user, level in users.items())
