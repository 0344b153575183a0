"""What is remarkable about an event in the graph of its room: how it was judged, and what a merge did."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ..replay import Status
from ..room_check import RoomCheck
from ..types import EventId, StateKey
from .judged import Judged, find_judged


@dataclass(frozen=True, slots=True)
class Mark:
    """What is remarkable about an event.

    Attributes:
        judged: what became of it.
        unsure: whether it is accepted, and unknown whether it is soft-failed.
        cyclic: whether it cites itself, directly or through other events.
        missing: its prev events that are not among the room's events.
        merged: how many keys were in conflict where the states before it were merged.
        resets: the keys that went back to an older event at that merge, sorted.
        undone: whether a merge undid it: a state reset went back behind it.
    """

    judged: Judged = Judged.ACCEPTED
    unsure: bool = False
    cyclic: bool = False
    missing: tuple[EventId, ...] = ()
    merged: int = 0
    resets: tuple[StateKey, ...] = ()
    undone: bool = False

    @property
    def judged_only(self) -> bool:
        """Whether nothing but the judgement is remarkable."""
        return self == Mark(self.judged, self.unsure)

    def to_dict(self) -> dict[str, Any]:
        """Return the mark as JSON."""
        return {
            "outcome": self.judged.value,
            "unsure": self.unsure,
            "cyclic": self.cyclic,
            "missing": list(self.missing),
            "merged": self.merged,
            "resets": [list(key) for key in self.resets],
            "undone": self.undone,
        }


PLAIN: Final = Mark()
"""The mark of an event that is accepted, and of which nothing else is remarkable."""


def find_marks(found: RoomCheck) -> dict[EventId, Mark]:
    """Return the marks of the events of a room. Events with nothing remarkable are left out.

    Cost: linear in the events and edges.
    """
    replayed = found.replay
    marks: dict[EventId, Mark] = {}
    for event_id, judged in find_judged(replayed).items():
        marks[event_id] = Mark(judged, cyclic=replayed.outcomes[event_id].status is Status.CYCLIC)
    for event_id in replayed.current_unknown:
        if event_id not in marks:
            marks[event_id] = Mark(unsure=True)
    for event_id, event in replayed.events.items() if replayed.missing else ():
        missing = [one for one in event.prev_event_ids if one not in replayed.events]
        if missing:
            _add(marks, event_id, missing=tuple(dict.fromkeys(missing)))
    for merge in replayed.merges:
        if merge.event_id is not None:
            _add(marks, merge.event_id, merged=merge.conflicted)
    for merge_id, keys in find_reset_keys(found).items():
        if merge_id is not None:
            _add(marks, merge_id, resets=keys)
    for reset in found.resets:
        _add(marks, reset.lost, undone=True)
    return marks


def _add(marks: dict[EventId, Mark], event_id: EventId, **changes: Any) -> None:
    marks[event_id] = replace(marks.get(event_id, PLAIN), **changes)


def find_reset_keys(found: RoomCheck) -> Mapping[EventId | None, tuple[StateKey, ...]]:
    """Return the keys that were reset, sorted, by the event before which the states were merged.

    None stands for the forward extremities.
    """
    keys: dict[EventId | None, set[StateKey]] = {}
    for reset in found.resets:
        keys.setdefault(reset.merge, set()).add(reset.key)
    return {merge: tuple(sorted(some)) for merge, some in keys.items()}
