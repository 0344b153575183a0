"""Names for the shapes that the other modules pass around.

Only type aliases live here: no class, no function, no import from the package.
"""

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

EventId: TypeAlias = str
"""``$opaque:domain`` in room versions 1 and 2, ``$`` and a hash from version 3 on."""

RoomId: TypeAlias = str
UserId: TypeAlias = str
ServerName: TypeAlias = str
KeyId: TypeAlias = str
"""A signing key identifier, ``algorithm:identifier``, such as ``ed25519:a_1``."""

StateKey: TypeAlias = tuple[str, str]
"""``(event type, state_key)``: what a room state is indexed by."""

V = TypeVar("V")
StateMap: TypeAlias = Mapping[StateKey, V]
"""A room state: of event IDs, or of events where the authorisation rules look inside."""

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
