"""The room in which the scenario is played, and the room versions that first have each feature."""

import copy
from dataclasses import dataclass, field
from typing import Any

from homeserver import Homeserver, HttpError, Json, User
from remote import Remote, RemoteRoom

LOCALPARTS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")

KNOCK_FROM = 7
RESTRICTED_FROM = 8
KNOCK_RESTRICTED_FROM = 10
STRICT_JSON_FROM = 6
INTEGER_LEVELS_FROM = 10
CREATOR_POWER_FROM = 12
CREATE_IS_ID_FROM = 12


@dataclass
class Scene:
    """A room while the scenario is played in it.

    Attributes:
        number: the room version.
        lounge_id: the room whose members a restricted join rule lets in.
        marks: the IDs of events that are used again later.
        refused: what the homeserver did not let its own users send.
        far: the room as the second server sees it.
    """

    server: Homeserver
    users: dict[str, User]
    remote: Remote
    number: int
    room_id: str = ""
    lounge_id: str = ""
    marks: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> User:
        try:
            return self.users[name]
        except KeyError:
            raise AttributeError(name) from None

    def __post_init__(self) -> None:
        self.far: RemoteRoom = None  # type: ignore[assignment] # set when the room is opened

    def levels(self, by: str = "alice", **changes: Any) -> str:
        """Send the current power levels with changes. `users` and `events` are merged."""
        content = self.changed_levels(**changes)
        return self.users[by].state(self.room_id, "m.room.power_levels", content)

    def changed_levels(self, **changes: Any) -> Json:
        """Return the current power levels with changes. A value of None removes a user or an event type."""
        content = copy.deepcopy(self.alice.get_state(self.room_id, "m.room.power_levels"))
        for key, value in changes.items():
            if isinstance(value, dict) and isinstance(content.get(key), dict):
                merged = content[key] | value
                content[key] = {name: level for name, level in merged.items() if level is not None}
            else:
                content[key] = value
        return content

    def rule(self, join_rule: str, by: str = "alice") -> str:
        """Set the join rule."""
        content: Json = {"join_rule": join_rule}
        if "restricted" in join_rule:
            content["allow"] = [{"type": "m.room_membership", "room_id": self.lounge_id}]
        return self.users[by].state(self.room_id, "m.room.join_rules", content)

    def attempt(self, what: str, user: User, kind: str, content: Json, state_key: str = "") -> str | None:
        """Send a state event. If the server refuses it, record that and return None."""
        try:
            return user.state(self.room_id, kind, content, state_key)
        except HttpError as error:
            self.refused.append(f"v{self.number}: {what}: {error.body.get('error')}")
            return None
