"""The smallest room in which something is still so: delta debugging over the events of a room.

Source: Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002. Here parts are only
removed: halves first, then quarters, until no single event can go.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ..errors import RoomverError
from ..event import Event
from ..replay import Replay, Reset, replay_room
from ..types import EventId
from ..versions import StateResolution
from .cutting import Cut, Cutter
from .judged import Judged, judge

__all__ = [
    "STATUSES",
    "AlgorithmsDiffer",
    "BadPredicate",
    "Predicate",
    "ResetHappens",
    "Shrunk",
    "SourcesDiffer",
    "VerdictIs",
    "replayed",
    "rule_of",
    "shrink",
]

STATUSES: Final = tuple(
    one.value for one in (Judged.ACCEPTED, Judged.REJECTED, Judged.SOFT_FAILED, Judged.UNDECIDED)
)


class BadPredicate(RoomverError):
    """A predicate that does not hold for the whole room, so there is nothing to keep."""


class Predicate(Protocol):
    """Something that is so in a room, and must stay so while the room is made smaller."""

    @property
    def needs(self) -> frozenset[EventId]:
        """The events that it is about. They are kept."""

    def holds(self, cut: Cut) -> bool:
        """Tell whether it is so in what is left of the room."""


def replayed(cut: Cut, algorithm: StateResolution | None = None, *, soft_failure: bool = True) -> Replay:
    """Replay what is left of a room. Its signatures are not checked: changed events have none."""
    return replay_room(cut.events, algorithm=algorithm, soft_failure=soft_failure, policy_server=False)


@dataclass(frozen=True, slots=True)
class VerdictIs:
    """An event has this status, and if a rule is given, that rule decided.

    Attributes:
        event_id: the event.
        status: one of `STATUSES`.
        rule: the name of the deciding rule; None for any.
    """

    event_id: EventId
    status: str
    rule: str | None = None

    @property
    def needs(self) -> frozenset[EventId]:
        """The event."""
        return frozenset([self.event_id])

    def holds(self, cut: Cut) -> bool:
        """Tell whether the event has the status."""
        return self.is_so(replayed(cut), cut.names[self.event_id])

    def is_so(self, room: Replay, event_id: EventId) -> bool:
        """Tell whether the event has the status in a replay, in which its ID may be another one."""
        if judge(room, event_id).value != self.status:
            return False
        return self.rule is None or rule_of(room, event_id) == self.rule


def rule_of(room: Replay, event_id: EventId) -> str | None:
    """Return the name of the rule that decided what became of an event; None if no rule did."""
    softly = room.soft_failed.get(event_id)
    verdict = room.outcomes[event_id].deciding if softly is None else softly
    name: str | None = getattr(getattr(verdict, "rule", None), "name", None)
    return name


@dataclass(frozen=True, slots=True)
class AlgorithmsDiffer:
    """Two algorithms of state resolution come to different current states.

    Attributes:
        one, other: the algorithms.
    """

    one: StateResolution
    other: StateResolution
    needs: frozenset[EventId] = frozenset()

    def holds(self, cut: Cut) -> bool:
        """Tell whether the current states are known and differ."""
        states = [
            replayed(cut, algorithm, soft_failure=False).current_state for algorithm in (self.one, self.other)
        ]
        return all(isinstance(state, dict) for state in states) and states[0] != states[1]


@dataclass(frozen=True, slots=True)
class ResetHappens:
    """A key of the state is reset at some merge.

    Attributes:
        kind: the event type of the key; None for any key.
        state_key: the state key; None for any.
    """

    kind: str | None = None
    state_key: str | None = None
    needs: frozenset[EventId] = frozenset()

    def holds(self, cut: Cut) -> bool:
        """Tell whether there is such a reset."""
        return any(map(self.is_of, replayed(cut, soft_failure=False).resets()))

    def is_of(self, reset: Reset) -> bool:
        """Tell whether it is about a reset."""
        kind, key = reset.key
        return self.kind in (None, kind) and self.state_key in (None, key)


@dataclass(frozen=True, slots=True)
class SourcesDiffer:
    """Two sources of the room come to different current states.

    Attributes:
        one, other: the events that each source has, by their IDs in the whole room.
    """

    one: Collection[EventId]
    other: Collection[EventId]
    needs: frozenset[EventId] = frozenset()

    def holds(self, cut: Cut) -> bool:
        """Tell whether the current states are known and differ."""
        states = []
        for ids in (self.one, self.other):
            here = {new for old, new in cut.names.items() if old in ids}
            part = Cut([event for event in cut.events if event.event_id in here], {})
            states.append(replayed(part).current_state)
        return all(isinstance(state, dict) for state in states) and states[0] != states[1]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest room that was found.

    Attributes:
        cut: the room.
        before: the number of events of the whole room.
        tried: how many smaller rooms were tried.
        complete: whether no single event more can be removed; False if the search was ended before.
    """

    cut: Cut
    before: int
    tried: int
    complete: bool


def shrink(
    events: Iterable[Event],
    predicate: Predicate,
    *,
    go_on: Callable[[int, int], bool] = lambda left, tried: True,
) -> Shrunk:
    """Find the smallest room in which a predicate still holds: without any one of its events, it does not.

    Args:
        events: the events of one room, in the order of their arrival.
        predicate: what must stay so.
        go_on: called before each try with the number of events that are left and of the tries so far. If it
            returns False, the search ends with what has been found.

    Raises:
        BadPredicate: if the predicate does not hold for the whole room.
        CyclicGraph: if events cite each other in a cycle.

    Cost: a replay of what is left for each try. Removing parts takes some tries for each halving; the last
    pass takes one for each event that is left.
    """
    cutter = Cutter(events)
    whole = cutter.without(())
    if not _holds(predicate, whole):
        raise BadPredicate("the predicate does not hold for the whole room, so there is nothing to keep")
    search = _Search(cutter, predicate, go_on, whole)
    if predicate.needs:
        search.try_without(set(cutter.events) - cutter.ancestors(predicate.needs))
    search.run()
    return Shrunk(search.best, len(cutter.events), search.tried, not search.ended)


class _Search:
    def __init__(
        self, cutter: Cutter, predicate: Predicate, go_on: Callable[[int, int], bool], whole: Cut
    ) -> None:
        self._cutter = cutter
        self._predicate = predicate
        self._go_on = go_on
        self._removed: set[EventId] = set()
        self.best = whole
        self.tried = 0
        self.ended = False

    def try_without(self, more: Collection[EventId]) -> bool:
        """Try to remove more events; tell whether they are removed."""
        if self.ended or not more:
            return False
        if not self._go_on(len(self.best.events), self.tried):
            self.ended = True
            return False
        self.tried += 1
        removed = self._removed.union(more)
        try:
            cut = self._cutter.without(removed)
        except RoomverError:
            return False
        if not _holds(self._predicate, cut):
            return False
        self._removed, self.best = removed, cut
        return True

    def _left(self) -> list[EventId]:
        """Return the events that may still be removed: the newest first, as fewer events depend on them."""
        kept = self._cutter.kept | self._predicate.needs
        return [one for one in reversed(self._cutter.events) if one not in self._removed and one not in kept]

    def run(self) -> None:
        """Remove parts, from large to small, until no single event can be removed."""
        size = max(1, len(self._left()) // 2)
        while not self.ended:
            smaller = False
            for part in _parts(self._left(), size):
                smaller |= self.try_without(part)
            if size == 1 and not smaller:
                return
            left = len(self._left())
            size = min(size if smaller else max(1, size // 2), max(1, left // 2))


def _parts(events: Sequence[EventId], size: int) -> Iterable[Sequence[EventId]]:
    return (events[start : start + size] for start in range(0, len(events), size))


def _holds(predicate: Predicate, cut: Cut) -> bool:
    try:
        return predicate.holds(cut)
    except RoomverError:  # what is left is not a room that can be replayed
        return False
