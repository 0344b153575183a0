"""What one room comes to: an exit code, and counts that are small however large the room is.

Nothing is checked here. `roomver check` and `roomver check --rooms` both take their answers from here, so
that they cannot differ.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from .explain.resets import ExplainedReset, Intent
from .findings import FindingKind, Summary
from .room_check import RoomCheck

__all__ = ["RoomResult", "code_of", "room_result"]


@dataclass(frozen=True, slots=True)
class RoomResult:
    """What one room comes to.

    Attributes:
        code: the exit code that the room alone would have, as in `code_of`.
        resets: the state resets.
        unintended: those that nobody meant.
        unclassified: those of which it is unknown whether somebody meant them.
        events_differ: events that the recording server decided differently.
        state_differs: entries of the current state that differ from the recording server's.
        extremities_differ: forward extremities that only one of both has. These are not findings.
        contradictions: between sources, and of given states by the events before them.
        lost: newer events that the source names and that are missing.
        checks_unknown: accepted events whose check against the current state is unknown.
    """

    code: int
    resets: int = 0
    unintended: int = 0
    unclassified: int = 0
    events_differ: int = 0
    state_differs: int = 0
    extremities_differ: int = 0
    contradictions: int = 0
    lost: int = 0
    checks_unknown: int = 0

    @property
    def disagrees(self) -> bool:
        """Whether the recording server decided or believes something else."""
        return bool(self.events_differ or self.state_differs or self.extremities_differ)


def code_of(summary: Summary, found: RoomCheck | None = None, resets: Collection[ExplainedReset] = ()) -> int:
    """Return the exit code that one room has: 0 no findings, 1 findings or contradictions, 3 undecided.

    An unintended state reset counts as a finding: every rule was followed, and something is lost all the
    same. A reset that is not classified, or was not searched for, leaves that undecided.

    Args:
        summary: counts of its events.
        found: the room checked as a whole; None if its events were only checked alone.
        resets: its state resets, explained.
    """
    if found is None:
        return 1 if summary.bad else 3 if summary.undecided else 0
    classes = Counter(one.intent for one in resets)
    if summary.bad or found.state_differs or found.contradicted or classes[Intent.UNINTENDED]:
        return 1
    unknown = classes[Intent.UNKNOWN] or found.replay.unsought or len(resets) < len(found.resets)
    return 0 if found.ok and not unknown else 3


def room_result(
    summary: Summary, found: RoomCheck | None = None, resets: Collection[ExplainedReset] = ()
) -> RoomResult:
    """Return what one room comes to. Arguments are those of `code_of`."""
    code = code_of(summary, found, resets)
    if found is None:
        return RoomResult(code)
    classes = Counter(one.intent for one in resets)
    return RoomResult(
        code,
        resets=len(found.resets),
        unintended=classes[Intent.UNINTENDED],
        unclassified=len(found.resets) - classes[Intent.UNINTENDED] - classes[Intent.DESIGNED],
        events_differ=summary.kinds[FindingKind.SERVER_DIFFERS],
        state_differs=len(found.state_differs),
        extremities_differ=sum(map(len, found.extremities_differ or ())),
        contradictions=len(found.gathered.contradictions) + len(found.replay.contradicted),
        lost=sum(len(one.event_ids) for one in found.lost),
        checks_unknown=len(found.replay.current_unknown),
    )
