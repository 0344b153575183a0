"""What the state-dependent rules read: the event, the room state, and the power levels in that state."""

from typing import Final

from ..errors import WrongRoom
from ..event import Event
from ..power import CREATE, POWER_LEVELS, Level, Levels
from ..rules import Rule, Verdict
from ..types import JsonValue, StateKey, StateMap, UserId
from ..versions import RoomVersion

# Makes a verdict without the call that a named tuple makes for its keyword arguments: 4 % of a check.
_new: Final = tuple.__new__
JOIN_RULES: Final[StateKey] = ("m.room.join_rules", "")


class Context:
    """One event and the room state that it is checked against.

    Attributes:
        event: the event to check.
        state: the room state, key to event.
        create: the create event in the state.
        version: the event's room version.
        closed: whether the create event closes the room to other servers.
    """

    __slots__ = ("_levels", "closed", "create", "event", "state", "version")

    def __init__(self, event: Event, state: StateMap[Event], create: Event) -> None:
        self.event: Event = event
        self.state: StateMap[Event] = state
        self.create: Event = create
        self.version: RoomVersion = event.room_version
        # Only the JSON value false closes a room, as the specification says. In Synapse any value except true
        # closes it. ruma rejects every event if the value is not a boolean. Rooms made by servers have a
        # boolean or no such property.
        self.closed: bool = create.content.get("m.federate") is False
        self._levels: Levels | None = None
        version = create.room_version
        # The first comparison is the faster one, and nearly always enough.
        if (version is not self.version and version != self.version) or create.room_id != event.room_id:
            raise WrongRoom(
                f"{event.event_id} is in room {event.room_id}, version {event.room_version}; the state is"
                f" from room {create.room_id}, version {create.room_version}"
            )

    @property
    def levels(self) -> Levels:
        """The power levels of the state. They are set up on first use, because many rules need none."""
        levels = self._levels
        if levels is None:
            levels = self._levels = Levels(self.create, self.state.get(POWER_LEVELS))
        return levels

    def membership(self, user: UserId) -> str:
        """Return a user's membership.

        It is ``leave`` without a member event, and ``""`` if the membership in the event is missing or not a
        string. No rule knows the membership ``""``.
        """
        member = self.state.get(("m.room.member", user))
        if member is None:
            return "leave"
        membership = member.content.get("membership")
        return membership if type(membership) is str else ""

    @property
    def join_rule(self) -> JsonValue:
        """The room's join rule.

        Without a join-rules event, or without ``join_rule`` in it, it is ``invite``, as in Synapse and
        gomatrixserverlib. (The specification is silent. ruma rejects every join.)
        """
        event = self.state.get(JOIN_RULES)
        return "invite" if event is None else event.content.get("join_rule", "invite")

    def allow(self, rule: Rule, **detail: object) -> Verdict:
        """Return the verdict that a rule allows the event."""
        return _new(Verdict, (True, rule, self.version, detail))

    def reject(self, rule: Rule, **detail: object) -> Verdict:
        """Return the verdict that a rule rejects the event."""
        return _new(Verdict, (False, rule, self.version, detail))

    def compared(self, name: str) -> dict[str, object]:
        """Return the sender's level and a named level, each with its source, for a verdict's detail."""
        levels, sender = self.levels, self.event.sender
        return {
            "sender": sender,
            "sender_level": levels.user(sender),
            "sender_level_from": levels.user_source(sender),
            f"{name}_level": levels.named(name),
            f"{name}_level_from": levels.named_source(name),
        }

    def required(self, level: Level, needed: int) -> dict[str, object]:
        """Return the sender's level and the required level of the event type, for a verdict's detail."""
        event, levels = self.event, self.levels
        return {
            "sender": event.sender,
            "sender_level": level,
            "sender_level_from": levels.user_source(event.sender),
            "required_level": needed,
            "required_level_from": levels.required_source(event.type, event.state_key is not None),
        }

    def outranks(self, target: UserId) -> bool:
        """Tell whether the sender's level is above a user's. Two creators never outrank each other."""
        sender: Level = self.levels.user(self.event.sender)
        return self.levels.user(target) < sender


def create_of(state: StateMap[Event]) -> Event | None:
    """Return the create event of a room state."""
    return state.get(CREATE)
