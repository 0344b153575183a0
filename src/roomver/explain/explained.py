"""The explanation of an event as data."""

from dataclasses import dataclass
from typing import cast

from ..errors import Lack
from ..types import EventId, JsonObject, JsonValue
from .change import Change, Joint
from .facts import Fact
from .judged import Judged
from .said import Said, said_data

__all__ = ["Explained", "Verdicted"]


@dataclass(frozen=True, slots=True)
class Verdicted:
    """One check of an event.

    Attributes:
        against: what the event was checked against, in words.
        result: ``allowed``, ``refused``, ``undecided``, ``not made``, ``dropped`` or ``redacted form used``.
        why: the reason, in words.
        rule, sense, number, url: the rule that decided, if one did: its name, what it says, its number in the
            room version, and its address.
        facts: the values that the rules compared.
    """

    against: str
    result: str
    why: Said
    rule: str | None = None
    sense: str | None = None
    number: str | None = None
    url: str | None = None
    facts: tuple[Fact, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return the check as a JSON object."""
        return {
            "against": self.against,
            "result": self.result,
            "why": said_data(self.why),
            "rule": self.rule,
            "sense": self.sense,
            "number": self.number,
            "url": self.url,
            "compared": [fact.to_dict() for fact in self.facts],
        }


@dataclass(frozen=True, slots=True)
class Explained:
    """Why an event has its outcome.

    Attributes:
        event_id: the event; None for one that has no ID.
        judged: the outcome.
        why: one paragraph.
        checks: the checks, in the order in which a server makes them.
        refused: for an event that is rejected because it cites a rejected one: the events cited, down to the
            first one that is refused for another reason.
        change: what it changed in the state; None for an event that is not an accepted state event.
        redacted_by: the redactions that apply to it.
        joint: the merge of states that it makes; None if its previous events agree on the state.
        recorded: what the server that recorded the room did with it; empty if the source does not say.
        missing: the missing events that leave something undecided, sorted.
        lacks: what would decide it.
        cited_by: for a missing event: the events that cite it, in the order of the replay.
    """

    event_id: EventId | None
    judged: Judged
    why: Said
    checks: tuple[Verdicted, ...] = ()
    refused: tuple[EventId, ...] = ()
    change: Change | None = None
    redacted_by: tuple[EventId, ...] = ()
    joint: Joint | None = None
    recorded: str = ""
    missing: tuple[EventId, ...] = ()
    lacks: tuple[Lack, ...] = ()
    cited_by: tuple[EventId, ...] = ()

    def to_dict(self) -> JsonObject:
        """Return the explanation as a JSON object."""
        return {
            "event_id": self.event_id,
            "outcome": self.judged.value,
            "why": said_data(self.why),
            "checks": [check.to_dict() for check in self.checks],
            "refused": [*self.refused],
            "change": None if self.change is None else self.change.to_dict(),
            "redacted_by": [*self.redacted_by],
            "merge": None if self.joint is None else self.joint.to_dict(),
            "recorded": self.recorded or None,
            "missing": [*self.missing],
            "lacks": [cast(JsonValue, lack.value) for lack in self.lacks],
            "cited_by": [*self.cited_by],
        }
