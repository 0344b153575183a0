"""State resets: what was lost and restored, the check that decided, and whether somebody meant it.

A reset is a key that went back, at a merge, to an event that one branch had already replaced
(`roomver.replay.resets`). It is classified by the trace of the resolution. Let L be the event that was lost.

*As designed*: the rules refused L when the resolution tried it, and the refusal rests on an act of another
branch: on an event that neither comes before L nor after it, by which

* L's sender was banned or removed, or left; or L's target was banned or removed;
* L's sender was demoted: the refusal is about a level, these power levels refuse L, and those that they
  replaced on their branch allow it.

It is also as designed if the event that L cites for that right (its auth event for the same key) was refused
in the same resolution for such an act: L falls with the event that allowed it.

*Unintended*: everything else that the trace tells. The resolution allowed L, and put an older event in
its place because of the order in which it tries events; or it did not try L at all; or it refused L although
nobody took the right away, for example because it had lost the power levels that L relies on. A new join rule
on another branch is not an act against those who joined before they had it.

*Not classified*: the resolution cannot be repeated because events are missing, the state of its check cannot
be rebuilt, whether an event is of another branch is unknown because of missing events, or a bound is reached.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..errors import counted
from ..replay import Reset, Status
from ..replay.again import Resolved
from ..room_check import RoomCheck
from ..rules import Verdict
from ..state import PartialState, entries_of
from ..types import EventId, JsonObject, StateKey, StateMap
from ..undecided import is_part_of_room
from .change import current_value
from .history import Side
from .intent import Intent, IntentFinder, Judgement
from .said import Said, said, said_data

__all__ = [
    "ExplainedReset",
    "Intent",
    "Now",
    "class_numbers",
    "explain_resets",
    "reset_numbers",
    "unsearched",
]

MERGES: Final = 100
"""How many merges are resolved once more, unless the caller asks for more."""

_CLASSES: Final = (Intent.UNINTENDED, Intent.UNKNOWN, Intent.DESIGNED)  # what needs attention comes first

_IMPORTANT: Final = ("m.room.create", "m.room.power_levels", "m.room.join_rules", "m.room.member")


class Now(Enum):
    """What became of a lost change, by the current state."""

    LOST = "still lost"
    """The key has the event that came back, an even older one, or none."""
    REPLACED = "replaced"
    """The key has another event, which is not older than the lost one."""
    BACK = "in force again"
    """The key has the event that was lost."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ExplainedReset:
    """A state reset, and why it came about.

    Attributes:
        merge: the event before which the states were merged; None for the newest events of the room.
        key: the key that went back.
        lost: the newer event.
        restored: the older event, which came back; None if the key has no event after the merge.
        sides: the value of the key on each branch; empty if the merge was not resolved once more.
        kept_by_v2_1: whether room version 12's algorithm would have kept the newer event; None if unknown.
        intent: whether somebody meant it.
        why: the reason, in words.
        checked: the event whose check decided; None if that is not known.
        verdict: what the rules said in that check; None if they allowed the event or were not asked.
        act: the event of another branch on which an intended reset rests.
        cause: what somebody did on another branch that led to it, in words; empty if that cannot be told.
        now: what became of it since.
        current: the current event of the key; None if it has none, or if that is unknown.
    """

    merge: EventId | None
    key: StateKey
    lost: EventId
    restored: EventId | None
    sides: tuple[Side, ...]
    kept_by_v2_1: bool | None
    intent: Intent
    why: Said
    checked: EventId | None
    verdict: Verdict | None
    act: EventId | None
    cause: Said
    now: Now
    current: EventId | None

    def to_dict(self) -> JsonObject:
        """Return the reset as a JSON object."""
        verdict = self.verdict
        return {
            "merge": self.merge,
            "type": self.key[0],
            "state_key": self.key[1],
            "lost": self.lost,
            "restored": self.restored,
            "sides": [side.to_dict() for side in self.sides],
            "kept_by_v2_1": self.kept_by_v2_1,
            "class": self.intent.value,
            "why": said_data(self.why),
            "checked": self.checked,
            "rule": None if verdict is None else verdict.rule.name,
            "number": None if verdict is None else verdict.number,
            "sense": None if verdict is None else verdict.reason,
            "act": self.act,
            "cause": said_data(self.cause),
            "now": self.now.value,
            "current": self.current,
        }


def explain_resets(
    found: RoomCheck,
    most: int | None = MERGES,
    progress: Callable[[int, int], None] | None = None,
    *,
    only: Collection[Reset] | None = None,
) -> tuple[ExplainedReset, ...]:
    """Explain the state resets of a room.

    Args:
        found: the checked room.
        most: the number of merges to resolve once more; None for all. The resets of other merges are not
            classified.
        progress: called with the number of merges resolved, and the number of all.
        only: the resets to explain; None for all of the room.

    Returns:
        The resets: unintended ones first, then those that are not classified; the most important keys
        first among each.

    Cost: a resolution for each of these merges, and the states before it.
    """
    resets = found.replay.resets() if only is None else only
    by_merge: dict[EventId | None, list[Reset]] = {}
    for reset in resets:
        by_merge.setdefault(reset.merge, []).append(reset)
    # Merges with important keys first, if not all are resolved.
    ordered = sorted(by_merge, key=lambda merge: min(_rank(reset) for reset in by_merge[merge]))
    finder = IntentFinder(found)
    tried = ordered if most is None else ordered[:most]
    explained: list[ExplainedReset] = []
    for number, resolved in enumerate(found.replay.resolve_again(tried)):
        if progress is not None:
            progress(number, len(tried))
        explained += _judge_merge(finder, resolved, by_merge.pop(resolved.event_id))
    why = said("only the first {most} merges are resolved once more", most=f"{len(tried):,}")
    for left in by_merge.values():
        explained += [_explained(finder, reset, Judgement(Intent.UNKNOWN, why)) for reset in left]
    classes = [*_CLASSES]
    return tuple(sorted(explained, key=lambda one: (classes.index(one.intent), _rank_key(one.key))))


def unsearched(found: RoomCheck) -> list[str]:
    """Say what leaves resets of a room unknown, in words; empty if the whole room was searched for them."""
    replay = found.replay
    notes = []
    if found.summary.keys_in_doubt:
        notes.append("a key is probably wrong, and the events that it does not verify are left out")
    if found.dropped:
        events = counted(len(found.dropped), "event is", "events are")
        notes.append(f"{events} left out, because no copy is valid: resets at them are not seen")
    if replay.unsought:
        merges = counted(len(replay.unsought), "merge was", "merges were")
        notes.append(f"{merges} not searched for resets, because there are too many events or resets")
    if replay.gaps:
        events = counted(len(replay.gaps), "event", "events")
        notes.append(f"before {events}, the state is unknown: resets there are not seen")
    undecided = sum(outcome.own is Status.UNDECIDED for outcome in replay.outcomes.values())
    if undecided:
        events = counted(undecided, "event is", "events are")
        notes.append(f"{events} undecided: resets of what they set are not seen")
    newer = sum(len(one.event_ids) for one in found.lost)
    if newer:
        events = counted(newer, "newer event is", "newer events are")
        notes.append(f"{events} missing: resets at them are not seen")
    if is_part_of_room(replay):
        notes.append("this is only a part of the room: resets in the rest are not seen")
    return notes


def class_numbers(resets: Iterable[ExplainedReset]) -> str:
    """Return how many resets are of each class, in words: ``12 unintended, 1 as designed``."""
    classes = Counter(one.intent for one in resets)
    return ", ".join(f"{classes[one]:,} {one.value}" for one in _CLASSES if classes[one])


def reset_numbers(resets: Collection[ExplainedReset]) -> str:
    """Return how many resets there are, by class: ``12 state resets: 12 unintended``."""
    if len(resets) == 1:
        (one,) = resets
        return f"1 state reset, {one.intent.value}"
    return f"{counted(len(resets), 'state reset', 'state resets')}: {class_numbers(resets)}"


def _rank(reset: Reset) -> int:
    return _rank_key(reset.key)


def _rank_key(key: StateKey) -> int:
    return _IMPORTANT.index(key[0]) if key[0] in _IMPORTANT else len(_IMPORTANT)


def _judge_merge(finder: IntentFinder, resolved: Resolved, resets: Sequence[Reset]) -> list[ExplainedReset]:
    if resolved.resolution is None:
        why = said("the merge cannot be resolved once more, because events or parts of states are missing")
        return [_explained(finder, reset, Judgement(Intent.UNKNOWN, why)) for reset in resets]
    judging = finder.at(resolved.resolution)
    return [
        _explained(finder, reset, judging.judge(reset), _sides(reset.key, resolved.states))
        for reset in resets
    ]


def _sides(key: StateKey, states: Mapping[EventId | None, StateMap[EventId]]) -> tuple[Side, ...]:
    """Return the value of a key on each branch of a merge."""
    found = []
    for parent, state in states.items():
        known = not isinstance(state, PartialState) or state.why_unknown(key) is None
        found.append(Side(parent or "", known, entries_of(state).get(key)))
    return tuple(found)


def _now(finder: IntentFinder, reset: Reset) -> tuple[Now, EventId | None]:
    """Return what became of a lost change, and the current event of its key."""
    known, current = current_value(finder.replay, reset.key)
    if not known:
        return Now.UNKNOWN, None
    if current == reset.lost:
        return Now.BACK, current
    if current is None or current == reset.restored:
        return Now.LOST, current
    places = finder.branches.places
    if places.get(current, -1) > places.get(reset.lost, len(places)):
        return Now.REPLACED, current  # parents come first in this order
    older = finder.after.follows(reset.lost, current)  # a later merge may have gone back further
    return Now.UNKNOWN if older is None else Now.LOST if older else Now.REPLACED, current


def _explained(
    finder: IntentFinder, reset: Reset, judged: Judgement, sides: tuple[Side, ...] = ()
) -> ExplainedReset:
    now, current = _now(finder, reset)
    return ExplainedReset(
        merge=reset.merge,
        key=reset.key,
        lost=reset.lost,
        restored=reset.restored,
        sides=sides,
        kept_by_v2_1=reset.kept_by_v2_1,
        intent=judged.intent,
        why=judged.why,
        checked=judged.checked,
        verdict=judged.verdict,
        act=judged.act,
        cause=judged.cause,
        now=now,
        current=current,
    )
