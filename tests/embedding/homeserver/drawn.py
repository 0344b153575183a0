"""Random actions in a room: who does what, drawn from a seeded generator and from what a server knows.

Most of the drawn actions are allowed by the state that the server has; some are not. Each server has an
anchor: a user of level 100 or more, who never leaves, so that both servers stay in the room.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .link import Json
from .sides import Side, StateKey

SENSIBLE = 0.85

WEIGHTS = {
    "message": 26,
    "join": 16,
    "topic": 8,
    "note": 8,
    "redact": 6,
    "levels": 7,
    "invite": 7,
    "name": 5,
    "kick": 5,
    "ban": 4,
    "unban": 5,
    "leave": 5,
    "join_rules": 4,
}
LEVELS = (0, 25, 50, 75)
NOTE = "org.example.note"
START: Json = {
    "users_default": 0, "events_default": 0, "state_default": 50,
    "invite": 0, "kick": 50, "ban": 50, "redact": 25,
    "events": {
        "m.room.topic": 0, "m.room.name": 25, NOTE: 0, "m.room.power_levels": 75, "m.room.join_rules": 50,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Action:
    """What a user does.

    Attributes:
        what: a key of `WEIGHTS`.
        user: who does it.
        target: whom a change of membership is about, or the event that is redacted.
        kind, content, state_key: of a sent event.
    """

    what: str
    user: str
    target: str = ""
    kind: str = ""
    content: Any = None
    state_key: str | None = None


_MEMBERSHIPS = {"kick": "leave", "unban": "leave"}


def with_action(state: Mapping[StateKey, Json], action: Action) -> Mapping[StateKey, Json]:
    """Return what is known of a state after an action that was done."""
    if action.what in ("message", "redact"):
        return state
    if action.kind:
        return {**state, (action.kind, action.state_key or ""): action.content}
    membership = _MEMBERSHIPS.get(action.what, action.what)
    return {**state, ("m.room.member", action.target): {"membership": membership}}


class Dice:
    """Draws the actions of one room.

    Args:
        seed: of the random numbers. The draws also depend on the states that the servers have, and these on
            how fast each event arrives.
        anchors: the users who stay.
        everyone: all users of both servers.
    """

    def __init__(self, seed: int, anchors: Sequence[str], everyone: Sequence[str]) -> None:
        self.random = random.Random(seed)
        self._anchors = anchors
        self._everyone = everyone
        self._serial = 0

    def draw(self, side: Side, state: Mapping[StateKey, Json], recent: Sequence[str]) -> Action:
        """Draw an action of a user of a server.

        Args:
            side: the server.
            state: the contents of its current state.
            recent: the IDs of the newest events that it made.
        """
        what = self.random.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
        self._serial += 1
        people = _People(state, self._everyone, self._anchors)
        joined = people.among(side.users, "join")
        match what:
            case "message":
                body = {"msgtype": "m.text", "body": f"Message {self._serial}"}
                return Action(what, self._one(joined, side.users), kind="m.room.message", content=body)
            case "redact" if recent:
                return Action(what, self._one(joined, side.users), target=self.random.choice(recent))
            case "join" | "leave":
                there = people.among(side.users, "join")
                away = [user for user in side.users if user not in there and people.may_join(user)]
                user = self._one(away if what == "join" else there, self._restless(side.users))
                if what == "leave" and user in self._anchors:
                    user = self.random.choice(self._restless(side.users))
                return Action(what, user, target=user)
            case "invite" | "kick" | "ban" | "unban":
                return self._about(what, side, people)
            case _:
                return self._state(what, side, people, state)

    def _about(self, what: str, side: Side, people: "_People") -> Action:
        """Draw a change of somebody else's membership."""
        memberships = {"invite": ("leave",), "kick": ("join", "invite"), "ban": ("join", "leave", "invite")}
        others = self._restless(self._everyone)
        target = self._one(people.among(others, *memberships.get(what, ("ban",))), others)
        least = 0 if what == "invite" else max(50, people.level(target) + 1)
        return Action(what, self._one(people.at_least(side.users, least), side.users), target=target)

    def _state(self, what: str, side: Side, people: "_People", state: Mapping[StateKey, Json]) -> Action:
        """Draw a state event."""
        kind = {"levels": "m.room.power_levels", "note": NOTE}.get(what, f"m.room.{what}")
        content: Json = {what: f"{what} {self._serial}"}
        state_key, least = "", int(START["events"].get(kind, 0))
        if what == "levels":
            content, least = self._levels(state.get((kind, ""), START))
        elif what == "join_rules":
            content = {"join_rule": self.random.choice(["public", "public", "invite"])}
        elif what == "note":
            state_key = self.random.choice(["", "a", "b"])
        elif what not in ("name", "topic"):
            content = {"name": f"Name {self._serial}"}
            kind = "m.room.name"
        user = self._one(people.at_least(side.users, least), side.users)
        return Action(what, user, kind=kind, content=content, state_key=state_key)

    def _levels(self, now: Json) -> tuple[Json, int]:
        """Promote or demote somebody. Return the content, and the level that it takes."""
        target, level = self.random.choice(self._restless(self._everyone)), self.random.choice(LEVELS)
        before = now.get("users", {}).get(target, 0)
        users = {**now.get("users", {}), target: level}
        return {**now, "users": users}, max(75, level, before + 1)

    def _restless(self, users: Sequence[str]) -> list[str]:
        return [user for user in users if user not in self._anchors]

    def _one(self, sensible: Sequence[str], all_of_them: Sequence[str]) -> str:
        """Choose mostly somebody who may, and sometimes anybody."""
        if sensible and self.random.random() < SENSIBLE:
            return self.random.choice(sensible)
        return self.random.choice(all_of_them)


class _People:
    """Who is where in a room, and of which level."""

    def __init__(
        self, state: Mapping[StateKey, Json], everyone: Sequence[str], anchors: Sequence[str]
    ) -> None:
        self._members = {
            user: state.get(("m.room.member", user), {}).get("membership", "leave") for user in everyone
        }
        self._anchors = anchors
        self._levels = state.get(("m.room.power_levels", ""), {}).get("users", {})
        self._rule = state.get(("m.room.join_rules", ""), {}).get("join_rule")

    def among(self, users: Sequence[str], *memberships: str) -> list[str]:
        return [user for user in users if self._members[user] in memberships]

    def level(self, user: str) -> int:
        # The creators of version 12 are not in the power levels.
        return 100 if user in self._anchors else self._levels.get(user, 0)

    def at_least(self, users: Sequence[str], level: int) -> list[str]:
        return [user for user in self.among(users, "join") if self.level(user) >= level]

    def may_join(self, user: str) -> bool:
        membership = self._members[user]
        return membership == "invite" or (membership != "ban" and self._rule == "public")
