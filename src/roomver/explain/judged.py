"""What became of an event: the one place that says it for all commands that explain."""

from enum import Enum

from ..replay import Replay, Status
from ..replay.arrival import is_soft_failed
from ..types import EventId

__all__ = ["Judged", "find_judged", "judge"]


class Judged(Enum):
    """What became of an event."""

    ACCEPTED = "accepted"
    SOFT_FAILED = "soft-failed"
    REJECTED = "rejected"
    DROPPED = "dropped"
    UNDECIDED = "undecided"
    NOT_JUDGED = "not judged"
    """It is an outlier that no event of the room is based on."""
    MISSING = "missing"
    """No source has it: only its ID is known."""


def judge(replay: Replay, event_id: EventId) -> Judged:
    """Return what became of an event of a replay, by the rules or, if they are followed, as recorded.

    An accepted event may be soft-failed all the same, if that is unknown: see `Replay.current_unknown`.
    """
    outcome = replay.outcomes[event_id]
    if outcome.status is Status.UNDECIDED:
        return Judged.UNDECIDED
    if not outcome.accepted:
        return Judged.REJECTED
    return Judged.SOFT_FAILED if is_soft_failed(replay, event_id) else Judged.ACCEPTED


def find_judged(replay: Replay) -> dict[EventId, Judged]:
    """Return the judgement of each event of a replay that is not accepted, or is soft-failed: see `judge`."""
    soft_failed, as_recorded = replay.soft_failed, replay._decisions is not None
    return {
        event_id: judged
        for event_id, outcome in replay.outcomes.items()
        # For most events this condition is enough, and `judge` is not called.
        if as_recorded or outcome.status is not Status.ACCEPTED or event_id in soft_failed
        if (judged := judge(replay, event_id)) is not Judged.ACCEPTED
    }
