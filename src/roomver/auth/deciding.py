"""The rules that read the room state, in the specification's order, and `Checker`, which applies them to many
events.

State resolution checks thousands of events against one state that it builds, and asks only whether each is
allowed. `Checker` applies the same rules as `roomver.check_against_state`. It saves what is the same from
event to event, and the detail of the verdicts, which nobody reads.
"""

from typing import Final

from ..event import Event
from ..power import CREATE, POWER_LEVELS, Level, Levels
from ..rules import AUTH_EVENTS_NO_CREATE, OTHERWISE, ROOM_ID_OF_CREATE, Rule, Verdict
from ..types import RoomId, StateKey, StateMap
from ..versions import RoomVersion
from .aliases import check_aliases
from .context import Context
from .create import check_create
from .federation import check_federation
from .member import check_member
from .power_levels import check_power_levels
from .redaction import check_redaction
from .sending import check_required_level, check_sender, check_state_key, check_third_party_offer


def decide(context: Context) -> Verdict:
    """Check an event that is not a create event against the rules that read the room state."""
    event, version = context.event, context.version
    kind = event.type
    # The rule on m.federate.
    if context.closed:
        verdict = check_federation(context)
        if verdict is not None:
            return verdict
    # If type is m.room.aliases: … (versions 1 to 5)
    if kind == "m.room.aliases" and version.aliases_rule:
        return check_aliases(context)
    # If type is m.room.member: …
    if kind == "m.room.member":
        return check_member(context)
    # If the sender's current membership state is not join, reject.
    verdict = check_sender(context)
    if verdict is not None:
        return verdict
    # If type is m.room.third_party_invite: …
    if kind == "m.room.third_party_invite":
        return check_third_party_offer(context)
    # The event type's required power level, and state keys that begin with @.
    verdict = check_required_level(context)
    if verdict is not None:
        return verdict
    verdict = check_state_key(context)
    if verdict is not None:
        return verdict
    # If type is m.room.power_levels: …
    if kind == "m.room.power_levels":
        return check_power_levels(context)
    # If type is m.room.redaction: … (versions 1 and 2)
    if kind == "m.room.redaction" and version.redaction_rule:
        return check_redaction(context)
    # Otherwise, allow.
    return context.allow(OTHERWISE)


def without_create(version: RoomVersion) -> Verdict:
    """Return the verdict on an event if the state has no create event."""
    rule = AUTH_EVENTS_NO_CREATE if version.create_in_auth_events else ROOM_ID_OF_CREATE
    return Verdict(False, rule, version, {"why": "the state has no create event"})


class Checker:
    """Tell of one event after another whether the rules that read the room state allow it.

    Attributes:
        state: the room state, key to event. It may change between two checks.
    """

    __slots__ = ("_context", "_room_id", "state")

    def __init__(self, state: dict[StateKey, Event]) -> None:
        self.state: dict[StateKey, Event] = state
        self._context: _Bare | None = None
        self._room_id: RoomId = ""

    def allows(self, event: Event) -> bool:
        """Tell whether `roomver.check_against_state` would allow an event. The errors are the same too."""
        if event.type == "m.room.create":
            return check_create(event).allowed
        create = self.state.get(CREATE)
        if create is None:
            return without_create(event.room_version).allowed
        context = self._context
        # The field, because the property `room_id` costs a call for each event. It is set here: only the
        # create event of version 12 has none before it is asked for, and create events are checked above.
        if (
            context is None
            or create is not context.create
            or event.room_version is not context.version
            or event._room_id != self._room_id
        ):
            context = self._context = _Bare(event, self.state, create)
            self._room_id = event.room_id
        else:
            context.event = event
            power_levels = self.state.get(POWER_LEVELS)
            if power_levels is not context.levels_from:
                context.levels_from = power_levels
                context.levels = Levels(create, power_levels)
        return decide(context).allowed


class _Bare(Context):
    """A context for many events. Its verdicts tell only whether an event is allowed.

    Attributes:
        levels: the power levels of the state, which must be renewed when the state has others.
        levels_from: the event that they come from.
    """

    __slots__ = ("_allowed", "_rejected", "levels", "levels_from")

    def __init__(self, event: Event, state: StateMap[Event], create: Event) -> None:
        super().__init__(event, state, create)
        self.levels_from: Event | None = state.get(POWER_LEVELS)
        self.levels: Levels = Levels(create, self.levels_from)
        # These name no rule that decided: only `allowed` is read.
        self._allowed: Verdict = Verdict(True, OTHERWISE, self.version, _NO_DETAIL)
        self._rejected: Verdict = Verdict(False, OTHERWISE, self.version, _NO_DETAIL)

    def allow(self, rule: Rule, **detail: object) -> Verdict:
        return self._allowed

    def reject(self, rule: Rule, **detail: object) -> Verdict:
        return self._rejected

    def compared(self, name: str) -> dict[str, object]:
        return {}

    def required(self, level: Level, needed: int) -> dict[str, object]:
        return {}


_NO_DETAIL: Final[dict[str, object]] = {}
