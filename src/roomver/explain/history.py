"""The history of one key of the room state: every value it had, and the merges that decided between them."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..replay import Replay, Status
from ..replay.values import KeyValues
from ..room_check import RoomCheck
from ..types import EventId, JsonObject, JsonValue, StateKey
from .change import current_value
from .judged import Judged, judge

__all__ = ["Given", "History", "KeyLine", "Merged", "Side", "Step", "Valued", "list_keys", "tell_history"]


@dataclass(frozen=True, slots=True)
class Valued:
    """An event for the key.

    Attributes:
        event_id: the event.
        judged: what became of it. Only an accepted event becomes the value, on its branch; a soft-failed one
            is not a value of the current state until an event that follows it is accepted.
        why: why it is not accepted: the sense of the rule that decided, or what is missing; empty if it is.
        known_before: whether the value before it is known.
        before: that value.
    """

    event_id: EventId
    judged: Judged
    why: str
    known_before: bool
    before: EventId | None

    def to_dict(self) -> JsonObject:
        """Return the step as a JSON object."""
        return {
            "kind": "event",
            "event_id": self.event_id,
            "outcome": self.judged.value,
            "why": self.why or None,
            "known_before": self.known_before,
            "before": self.before,
        }


@dataclass(frozen=True, slots=True)
class Side:
    """The value of the key on one branch that is merged.

    Attributes:
        after: the event that the state follows.
        known: whether the value is known.
        value: the value; None if the key has no event there.
    """

    after: EventId
    known: bool
    value: EventId | None

    def to_dict(self) -> JsonObject:
        """Return the side as a JSON object."""
        return {"after": self.after, "known": self.known, "value": self.value}


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge of branches on which the key had different values.

    Attributes:
        event_id: the event before which they were merged; None for the newest events of the room.
        sides: the value on each branch.
        known: whether the value after the merge is known.
        value: that value.
        lost: the newer events that the merge undid: state resets.
    """

    event_id: EventId | None
    sides: tuple[Side, ...]
    known: bool
    value: EventId | None
    lost: tuple[EventId, ...]

    def to_dict(self) -> JsonObject:
        """Return the step as a JSON object."""
        return {
            "kind": "merge",
            "event_id": self.event_id,
            "sides": [side.to_dict() for side in self.sides],
            "known": self.known,
            "value": self.value,
            "lost": [*self.lost],
        }


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a source gave with a state, where the events before it are missing.

    Attributes:
        event_id: the event that the state is given for.
        value: the value; None if the key had no event.
    """

    event_id: EventId
    value: EventId | None

    def to_dict(self) -> JsonObject:
        """Return the step as a JSON object."""
        return {"kind": "given", "event_id": self.event_id, "value": self.value}


Step = Valued | Merged | Given
"""What happened to the key."""


@dataclass(frozen=True, slots=True)
class History:
    """The history of a key.

    Attributes:
        key: the key.
        steps: what happened to it, oldest first, in the order of the replay.
        known_now: whether its current value is known.
        now: that value; None if the key has no event.
    """

    key: StateKey
    steps: tuple[Step, ...]
    known_now: bool
    now: EventId | None

    @property
    def lost(self) -> tuple[EventId, ...]:
        """The events that merges undid, in order."""
        return tuple(one for step in self.steps if isinstance(step, Merged) for one in step.lost)

    def to_dict(self) -> JsonObject:
        """Return the history as a JSON object."""
        return {
            "type": self.key[0],
            "state_key": self.key[1],
            "known_now": self.known_now,
            "now": self.now,
            "steps": [step.to_dict() for step in self.steps],
        }


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key in the list of all keys of a type.

    Attributes:
        key: the key.
        events: the number of events for it.
        known_now: whether its current value is known.
        now: that value; None if it has none.
    """

    key: StateKey
    events: int
    known_now: bool
    now: EventId | None

    def to_dict(self) -> JsonObject:
        """Return the line as a JSON object."""
        state_key: JsonValue = self.key[1]
        return {"state_key": state_key, "events": self.events, "known_now": self.known_now, "now": self.now}


def list_keys(found: RoomCheck, kind: str) -> tuple[KeyLine, ...]:
    """Return the keys of a type that events of the room are for, sorted.

    Cost: one pass over the events.
    """
    numbers: dict[str, int] = {}
    for event_id in found.replay.outcomes:
        one = found.replay.events[event_id]
        if one.type == kind and one.state_key is not None:
            numbers[one.state_key] = numbers.get(one.state_key, 0) + 1
    return tuple(
        KeyLine((kind, key), numbers[key], *current_value(found.replay, (kind, key)))
        for key in sorted(numbers)
    )


def tell_history(found: RoomCheck, key: StateKey) -> History:
    """Return the history of a key.

    Args:
        found: the checked room.
        key: the type and the state key.

    Cost: a few passes over the events of the room.
    """
    replay = found.replay
    values = replay.values_of(key)
    lost: dict[EventId | None, list[EventId]] = {}
    for reset in replay.resets():
        if reset.key == key:
            lost.setdefault(reset.merge, []).append(reset.lost)
    steps: list[Step] = []
    given: Given | None = None
    in_order = set(replay.order)
    kind, state_key = key
    for event_id in (*(one for one in replay.outcomes if one not in in_order), *replay.order):
        one = replay.events[event_id]
        parents = one.prev_event_ids
        sets_it = one.type == kind and one.state_key == state_key
        # Most events follow one other event, and have its state before them.
        if len(parents) != 1 or event_id in lost or not values.after(parents[0])[0]:
            sides = _sides(values, dict.fromkeys(parents))
        elif sets_it:
            sides = ()
        else:
            continue
        known, before = values.before(event_id)
        if len({(side.known, side.value) for side in sides}) > 1 or event_id in lost:
            steps.append(Merged(event_id, sides, known, before, tuple(lost.get(event_id, ()))))
        elif (
            known
            and sides
            and not any(side.known for side in sides)
            and (given is None or given.value != before)
        ):
            given = Given(event_id, before)
            steps.append(given)
        if sets_it:
            steps.append(Valued(event_id, judge(replay, event_id), _why(found, event_id), known, before))
    known, now = current_value(replay, key)
    if replay.extremities_known and not replay.current_is_given:
        sides = _sides(values, replay.forward_extremities)
        if len({(side.known, side.value) for side in sides}) > 1 or None in lost:
            steps.append(Merged(None, sides, known, now, tuple(lost.get(None, ()))))
    return History(key, tuple(steps), known, now)


def _sides(values: KeyValues, parents: Iterable[EventId]) -> tuple[Side, ...]:
    return tuple(Side(parent, *values.after(parent)) for parent in parents)


def _why(found: RoomCheck, event_id: EventId) -> str:
    """Return why an event is not accepted, in our own words; empty if it is."""
    replay: Replay = found.replay
    outcome = replay.outcomes[event_id]
    match judge(replay, event_id):
        case Judged.UNDECIDED:
            if outcome.missing:
                return "events that it cites are missing or undecided"
            return "the state before it is unknown"
        case Judged.REJECTED:
            if outcome.status is Status.CYCLIC:
                return "it cites itself, directly or through other events"
            deciding = outcome.deciding
            if deciding is None or deciding.allowed:
                return "the server that recorded the room rejected it"
            return deciding.reason
        case Judged.SOFT_FAILED:
            failure = replay.soft_failed.get(event_id)
            return "the recording server soft-failed it" if failure is None else failure.reason
        case _:
            return ""
