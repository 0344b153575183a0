"""The answer to the question whether a user may do something, as data."""

from dataclasses import dataclass
from enum import Enum
from typing import cast

from ..errors import Lack
from ..power import Level
from ..types import JsonObject, JsonValue, StateKey, UserId
from .explained import Verdicted
from .said import Said, said_data

__all__ = ["Able", "Answered", "May"]


class Answered(Enum):
    """The answer to the question whether a user may do something."""

    YES = "yes"
    NO = "no"
    DEPENDS = "depends"
    """The user may join if they are in another room. This room does not tell."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Able:
    """A user who may do something.

    Attributes:
        user: the user.
        level: the level: an integer or infinite.
        membership: the membership in the room; ``leave`` without one.
        joined: whether the user is in the room. Otherwise the user may do it only after joining.
    """

    user: UserId
    level: Level
    membership: str
    joined: bool

    def to_dict(self) -> JsonObject:
        """Return the user as a JSON object."""
        level: JsonValue = self.level if type(self.level) is int else "infinite"
        return {"user": self.user, "level": level, "membership": self.membership, "joined": self.joined}


@dataclass(frozen=True, slots=True)
class May:
    """Whether a user may do something in a room.

    Attributes:
        answered: the answer.
        user: the user.
        draft: type, state key and content of the event that a server would send; None if that is unknown.
        why: the answer in words.
        check: the check of the draft against the state; None if it could not be made.
        able_to: what the users of `able` may do: ``do it``, ``invite``, ``unban`` or ``vouch``; empty if
            nobody was looked for.
        able: users who may, those in the room first, each by level.
        able_known: whether these are all. False if the members are known in part.
        rooms: for a restricted join: the rooms, one of which the user must be in.
        notes: what else decides.
        unknown: the keys of the state that the answer needs and that are unknown.
        lack: what would tell them; None if nothing is unknown.
    """

    answered: Answered
    user: UserId
    draft: JsonObject | None
    why: Said
    check: Verdicted | None
    able_to: str = ""
    able: tuple[Able, ...] = ()
    able_known: bool = True
    rooms: tuple[str, ...] = ()
    notes: tuple[Said, ...] = ()
    unknown: tuple[StateKey, ...] = ()
    lack: Lack | None = None

    def to_dict(self) -> JsonObject:
        """Return the answer as a JSON object."""
        return {
            "answer": self.answered.value,
            "user": self.user,
            "draft": self.draft,
            "why": said_data(self.why),
            "check": None if self.check is None else self.check.to_dict(),
            "able_to": self.able_to or None,
            "able": [one.to_dict() for one in self.able],
            "able_known": self.able_known,
            "rooms": [*self.rooms],
            "notes": [said_data(one) for one in self.notes],
            "unknown": [cast(JsonValue, [*key]) for key in self.unknown],
            "lack": None if self.lack is None else self.lack.value,
        }
