"""The two servers as the tests drive them: each acts for its users, and tells what it has of a room."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .link import Homeserver, Json, User, quote

StateKey = tuple[str, str]


@dataclass
class Facts:
    """What a server has of a room.

    Attributes:
        pdus: the PDU of each event, by event ID, in the order of arrival.
        state: the current state.
        extremities: the forward extremities.
        rejected: the events that it has rejected.
        soft_failed: the events that it has soft-failed.
        outliers: the events of which it does not know the state before them.
        in_order: whether it stores an event before it looks at the next one. Synapse does not soft-fail its
            own events, and may store others between its check of an event and storing that.
    """

    pdus: dict[str, Json] = field(default_factory=dict)
    state: dict[StateKey, str] = field(default_factory=dict)
    extremities: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()
    soft_failed: frozenset[str] = frozenset()
    outliers: frozenset[str] = frozenset()
    in_order: bool = False

    @property
    def accepted(self) -> set[str]:
        """The events that were not rejected."""
        return set(self.pdus) - self.rejected


class Side(Protocol):
    """A server and its users. What it refuses raises `HttpError`."""

    name: str
    users: list[str]

    def register(self, localparts: list[str]) -> None:
        """Have new users, in the place of those before them."""

    def make_room(self, user: str, version: str, levels: Json) -> str:
        """Make a public room, and return its ID."""

    def join(self, room_id: str, user: str, via: str | None = None) -> None:
        """Join a room: through another server, if this one is not in it."""

    def member(self, room_id: str, user: str, target: str, action: str) -> None:
        """Leave, invite, kick, ban or unban."""

    def send(self, room_id: str, user: str, kind: str, content: Json, state_key: str | None = None) -> str:
        """Send an event, and return its ID."""

    def redact(self, room_id: str, user: str, event_id: str) -> str:
        """Redact an event, and return the ID of the redaction."""

    def contents(self, room_id: str) -> Mapping[StateKey, Json]:
        """Return the contents of the current state."""

    def facts(self, room_id: str) -> Facts:
        """Return what the server has of a room."""

    def has(self, room_id: str, event_id: str) -> bool:
        """Tell whether the server has stored an event."""

    def log_tail(self) -> str:
        """Return the last lines that the server printed."""


class SynapseSide:
    """A Synapse."""

    def __init__(self, server: Homeserver) -> None:
        self.name = server.name
        self.users: list[str] = []
        self._server = server
        self._people: dict[str, User] = {}

    def register(self, localparts: list[str]) -> None:
        people = [self._server.register(localpart) for localpart in localparts]
        self.users = [person.id for person in people]
        self._people = dict(zip(self.users, people, strict=True))

    def make_room(self, user: str, version: str, levels: Json) -> str:
        content = {"preset": "public_chat", "room_version": version, "power_level_content_override": levels}
        room_id: str = self._people[user].call("POST", "/createRoom", content)["room_id"]
        return room_id

    def join(self, room_id: str, user: str, via: str | None = None) -> None:
        query = "" if via is None else f"?server_name={quote(via)}&via={quote(via)}"
        self._people[user].call("POST", f"/join/{quote(room_id)}{query}")

    def member(self, room_id: str, user: str, target: str, action: str) -> None:
        content = {} if action == "leave" else {"user_id": target}
        self._people[user].room(room_id, action, **content)

    def send(self, room_id: str, user: str, kind: str, content: Json, state_key: str | None = None) -> str:
        person = self._people[user]
        if state_key is None:
            return person.send(room_id, content, kind)
        return person.state(room_id, kind, content, state_key)

    def redact(self, room_id: str, user: str, event_id: str) -> str:
        return self._people[user].redact(room_id, event_id)

    def contents(self, room_id: str) -> dict[StateKey, Json]:
        rows = self._server.query(
            "SELECT type, state_key, json FROM current_state_events JOIN event_json USING (event_id)"
            " WHERE current_state_events.room_id = ?",
            room_id,
        )
        return {(kind, state_key): json.loads(pdu)["content"] for kind, state_key, pdu in rows}

    def facts(self, room_id: str) -> Facts:
        query = self._server.query
        rows = query(
            "SELECT event_id, json, internal_metadata, reason FROM events JOIN event_json USING (event_id)"
            " LEFT JOIN rejections USING (event_id) WHERE events.room_id = ?"
            # An invite that was signed for another server, and that this server may never have sent.
            " AND NOT (outlier AND internal_metadata LIKE '%out_of_band_membership%')"
            " ORDER BY stream_ordering",
            room_id,
        )
        state = query("SELECT type, state_key, event_id FROM current_state_events WHERE room_id = ?", room_id)
        ends = query("SELECT event_id FROM event_forward_extremities WHERE room_id = ?", room_id)
        return Facts(
            pdus={event_id: json.loads(pdu) for event_id, pdu, _, _ in rows},
            state={(kind, state_key): event_id for kind, state_key, event_id in state},
            extremities=frozenset(event_id for (event_id,) in ends),
            rejected=frozenset(event_id for event_id, _, _, reason in rows if reason is not None),
            soft_failed=frozenset(
                event_id for event_id, _, metadata, _ in rows if json.loads(metadata).get("soft_failed")
            ),
        )

    def has(self, room_id: str, event_id: str) -> bool:
        found = self._server.query("SELECT 1 FROM events WHERE event_id = ? AND NOT outlier", event_id)
        return bool(found)

    def log_tail(self) -> str:
        return self._server.log_tail()

    def redacted(self, room_id: str, user: str, event_id: str) -> bool:
        """Tell whether a user is shown an event redacted."""
        return self._people[user].redacted_by(room_id, event_id) is not None
