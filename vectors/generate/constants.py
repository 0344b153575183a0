"""Names and numbers of Matrix that several generators share."""

from typing import TypeAlias

CREATE = "m.room.create"
MEMBER = "m.room.member"
MESSAGE = "m.room.message"
NAME = "m.room.name"
TOPIC = "m.room.topic"
ALIASES = "m.room.aliases"
JOIN_RULES = "m.room.join_rules"
POWER_LEVELS = "m.room.power_levels"
REDACTION = "m.room.redaction"
THIRD_PARTY_INVITE = "m.room.third_party_invite"

Key: TypeAlias = tuple[str, str]
"""The type and state key of a state event."""

CREATE_KEY: Key = (CREATE, "")
JOIN_RULES_KEY: Key = (JOIN_RULES, "")
POWER_LEVELS_KEY: Key = (POWER_LEVELS, "")

AUTHORISER = "join_authorised_via_users_server"
"""The key in a join's content that names the user who authorises it."""

IDENTITY = "id.example.org"
"""The made-up identity server."""

MAX_INTEGER = 2**53 - 1
"""The greatest integer of canonical JSON."""

START = 1_700_000_000_000
"""The time of the earliest made-up events, in milliseconds since 1970."""
