"""What differs between two sources of one room, as data."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, cast

from ..types import EventId, JsonObject, JsonValue, StateKey
from .said import Said, said_data

__all__ = ["UNDECIDED", "Cause", "Compared", "EntryDiffers", "OutcomeDiffers", "Parting"]

UNDECIDED: Final = "undecided"
"""The outcome of an event that more events decide."""
_NOT_DECIDED: Final = (UNDECIDED, "not judged")


class Cause(Enum):
    """Why two sources part at an event."""

    MISSING = "missing event"
    DROPPED = "dropped event"
    DECISION = "different decision"
    ARRIVAL = "soft-failed in one"
    UNDECIDED = "undecided in one"
    RECORDED = "different recorded decision"
    STATE = "different state"
    """Both have the same events and decisions. What they give or recorded as the state differs."""


@dataclass(frozen=True, slots=True)
class Parting:
    """The first event, in an order of parents before children, at which two sources part.

    Attributes:
        event_id: the event; None if the sources have the same events and decisions.
        part: the kind of the reason.
        lacks: the source that lacks the event, ``A`` or ``B``; empty if both have it.
        why: the reason in words: whole sentences.
        sides: if both have the event and it has another outcome in each: why, in A and in B.
    """

    event_id: EventId | None
    part: Cause
    lacks: str
    why: Said
    sides: tuple[Said, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "event_id": self.event_id,
            "kind": self.part.value,
            "lacks": self.lacks or None,
            "why": said_data(self.why),
            "sides": [said_data(one) for one in self.sides],
        }


@dataclass(frozen=True, slots=True)
class OutcomeDiffers:
    """An event of both sources with different outcomes, or undecided in one of them only.

    Attributes:
        event_id: the event.
        outcome: the outcome by the rules with the events of each source.
        recorded: what the server of each source did; empty if it does not say.
    """

    event_id: EventId
    outcome: tuple[str, str]
    recorded: tuple[str, str]

    @property
    def undecided_in(self) -> str:
        """The one source, ``A`` or ``B``, that does not decide the event; empty if decisions differ.

        The recorded decisions are the same too, as far as both sources have one.
        """
        open_in = [name for name, one in zip("AB", self.outcome, strict=True) if one in _NOT_DECIDED]
        recorded_differ = all(self.recorded) and self.recorded[0] != self.recorded[1]
        return open_in[0] if len(open_in) == 1 and not recorded_differ else ""

    def to_dict(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "event_id": self.event_id,
            "outcome": [*self.outcome],
            "recorded": [one or None for one in self.recorded],
            "undecided_in": self.undecided_in or None,
        }


@dataclass(frozen=True, slots=True)
class EntryDiffers:
    """A key at which two states differ.

    Attributes:
        key: the key.
        a, b: the event of each; None for none.
        why: the reason in words.
    """

    key: StateKey
    a: EventId | None
    b: EventId | None
    why: Said = ()

    def to_dict(self) -> JsonObject:
        """Return it as a JSON object."""
        kind, state_key = self.key
        return {"type": kind, "state_key": state_key, "a": self.a, "b": self.b, "why": said_data(self.why)}


@dataclass(frozen=True, slots=True)
class Compared:
    """How two sources of one room differ. The first one is A, the other B.

    Attributes:
        versions: the room version of each.
        events: the number of usable events of each.
        common: the number of events of both.
        only: the events that only one has, parents before children.
        outcomes: events with different outcomes, or undecided in one source only, parents before children.
        state: the keys of the computed current states that differ, sorted. Unknown entries are left out.
        entries: the number of known entries of each; None for a state that is unknown.
        state_unknown: whether parts of each are unknown.
        open: how many events of both may have different outcomes: undecided ones, and accepted ones of which
            it is unknown in a source whether they are soft-failed.
        recorded_state: the keys of the recorded current states that differ; None if a source has none.
        recorded_lost: the events of each recorded state that the other does not have, and that neither source
            has, so that their keys are unknown.
        extremities: the forward extremities that only one has; None if one's are uncertain.
        parting: the first event at which they part; None if nothing differs.
        copies: the events of both whose content differs: one source has it redacted, or altered, so that a
            server uses the redacted form.
        dropped: the events that one source has no valid copy of and the other does not have at all.
        otherwise: the events that the server of each source accepted although the rules reject them, or
            rejected although they accept them. This is not a difference between the sources.
    """

    versions: tuple[str, str]
    events: tuple[int, int]
    common: int
    only: tuple[tuple[EventId, ...], tuple[EventId, ...]]
    outcomes: tuple[OutcomeDiffers, ...]
    state: tuple[EntryDiffers, ...]
    entries: tuple[int | None, int | None]
    state_unknown: tuple[bool, bool]
    open: int
    recorded_state: tuple[EntryDiffers, ...] | None
    recorded_lost: tuple[tuple[EventId, ...], tuple[EventId, ...]]
    extremities: tuple[tuple[EventId, ...], tuple[EventId, ...]] | None
    parting: Parting | None = None
    otherwise: tuple[tuple[EventId, ...], tuple[EventId, ...]] = ((), ())
    copies: tuple[EventId, ...] = ()
    dropped: tuple[tuple[EventId, ...], tuple[EventId, ...]] = ((), ())

    @property
    def agree(self) -> bool:
        """Whether nothing that is known differs."""
        ends = self.extremities is None or not any(self.extremities)
        same = self.versions[0] == self.versions[1] and not any(self.only) and ends
        same = same and not self.copies and not any(self.dropped)
        recorded = self.recorded_state or any(self.recorded_lost)
        return same and not self.outcomes and not self.state and not recorded

    @property
    def same(self) -> int:
        """How many events of both have the same outcome, and it is known in both sources."""
        return self.common - len(self.outcomes) - self.open

    @property
    def unknown(self) -> bool:
        """Whether something could not be compared."""
        undecided = any(UNDECIDED in one.outcome for one in self.outcomes)
        return (
            undecided
            or self.open > 0
            or any(self.recorded_lost)
            or any(self.state_unknown)
            or None in self.entries
        )

    def to_dict(self) -> JsonObject:
        """Return it as a JSON object."""
        recorded = self.recorded_state
        ends = self.extremities
        return {
            "room_versions": [*self.versions],
            "events": [*self.events],
            "common": self.common,
            "same": self.same,
            "only": [[*ids] for ids in self.only],
            "outcomes": [one.to_dict() for one in self.outcomes],
            "state": [one.to_dict() for one in self.state],
            "entries": [*self.entries],
            "state_unknown": [*self.state_unknown],
            "open": self.open,
            "recorded_lost": [[*ids] for ids in self.recorded_lost],
            "recorded_state": None if recorded is None else [one.to_dict() for one in recorded],
            "extremities": None if ends is None else cast(JsonValue, [[*ids] for ids in ends]),
            "otherwise": [[*ids] for ids in self.otherwise],
            "copies": [*self.copies],
            "dropped": [[*ids] for ids in self.dropped],
            "parting": None if self.parting is None else self.parting.to_dict(),
        }
