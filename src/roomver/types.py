"""Type aliases for the shapes that the modules pass to each other.

This module holds aliases only: no class, no function, no import from the package.
"""

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

__all__ = [
    "EventId",
    "JsonObject",
    "JsonValue",
    "KeyId",
    "RoomId",
    "ServerName",
    "StateKey",
    "StateMap",
    "UserId",
]

EventId: TypeAlias = str
"""``$opaque:domain`` in room versions 1 and 2, ``$`` and a hash from version 3 on."""

RoomId: TypeAlias = str
UserId: TypeAlias = str
ServerName: TypeAlias = str
KeyId: TypeAlias = str
"""A signing key identifier, ``algorithm:identifier``, such as ``ed25519:a_1``."""

StateKey: TypeAlias = tuple[str, str]
"""``(event type, state_key)``, the key of an entry in a room state."""

V = TypeVar("V")
StateMap: TypeAlias = Mapping[StateKey, V]
"""A room state. The values are event IDs, or events where the authorisation rules read them: annotate with
``StateMap[EventId]`` or ``StateMap[Event]``, since strict type checkers refuse ``StateMap`` alone."""

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
"""A JSON object that the package returns. Functions accept any ``Mapping[str, object]``."""
