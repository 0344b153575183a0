"""What sources say of the newest events of a room, and what follows for the current state.

A server's forward extremities are its newest events. If one of them is not among the usable events, something
newer is lost. A state that a source gives without them is the state of some moment.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .claims import Claim
from .contributions import Origin
from .errors import Lack, listed
from .event import Event
from .known_states import KnownStates
from .replay import Lost
from .state import Unknown, known_in_part
from .types import EventId, StateKey, StateMap

__all__ = ["Newest", "find_lost", "newest_of", "split_claims"]


@dataclass(frozen=True, slots=True)
class Newest:
    """What one source says of the newest events.

    Attributes:
        name: what messages call it.
        extremities: the forward extremities of its server; None if it does not tell them.
        state: the events of the current state of its server; None if it does not tell them.
        partial: whether its server does not have the whole current state.
    """

    name: str
    extremities: frozenset[EventId] | None = None
    state: frozenset[EventId] | None = None
    partial: bool = False


def newest_of(origin: Origin, known: KnownStates) -> Newest:
    """Return what a source says of the newest events."""
    held = origin.beliefs
    ends = known.extremities if held is None or held.extremities is None else held.extremities
    # A room always has one: an empty list tells nothing.
    state, partial = (None, False) if held is None else (held.state, held.partial)
    return Newest(origin.name, ends or None, state, partial)


def find_lost(
    newest: Iterable[Newest],
    usable: Mapping[EventId, Event],
    unusable: Collection[EventId],
) -> Iterator[Lost]:
    """Yield, for each source, the newest events that it names and that are lost.

    These are its forward extremities that are not usable or, if it does not tell them, the events of its
    current state that are not.

    Args:
        newest: what the sources say.
        usable: the usable events of the room.
        unusable: the events that are in the input and cannot be used.
    """
    for one in newest:
        named = one.state if one.extremities is None else one.extremities
        ids = tuple(sorted(event_id for event_id in named or () if event_id not in usable))
        if ids:
            state = None if one.state is None else listed_state(one, usable)
            dropped = any(event_id in unusable for event_id in ids)
            lack = Lack.DROPPED if dropped else Lack.MISSING
            yield Lost(ids, _reason(one, ids, unusable), lack, state)


def _reason(one: Newest, ids: Sequence[EventId], unusable: Collection[EventId]) -> str:
    several = len(ids) > 1
    if one.extremities is None:
        what = f"{listed(ids)} of the current state of {one.name}"
    else:
        what = f"the newest {'events' if several else 'event'} {listed(ids)} of {one.name}"
    cannot = sum(event_id in unusable for event_id in ids)
    if cannot == len(ids):
        return f"{what} cannot be used"
    are = "are" if several else "is"
    return f"{what} {are} missing{' or cannot be used' if cannot else ''}"


def listed_state(one: Newest, usable: Mapping[EventId, Event]) -> StateMap[EventId]:
    """Return the current state that a source lists, as far as its events are usable."""
    entries: dict[StateKey, EventId] = {}
    twice: set[StateKey] = set()
    whole = not one.partial
    for event_id in one.state or ():
        event = usable.get(event_id)
        if event is None or event.state_key is None:
            whole = False
            continue
        key = (event.type, event.state_key)
        if entries.setdefault(key, event_id) != event_id:
            twice.add(key)
    unknown = [] if whole else [Unknown.everything("events of the state are missing")]
    if twice:
        unknown.append(Unknown("the state has two events for a key", keys=frozenset(twice)))
    return known_in_part({key: one for key, one in entries.items() if key not in twice}, unknown)


def split_claims(claims: Sequence[Claim], newest: Sequence[Newest]) -> tuple[list[Claim], list[Claim]]:
    """Divide the current states that sources give: into those that are the current state, and the others.

    If a source tells its forward extremities, the events tell the current state. A state that a source gives
    without them may be older than these events. One with them counts only if all sources have the same.
    """
    ends = {one.extremities for one in newest if one.extremities is not None}
    if not ends:
        return [*claims], []
    kept: list[Claim] = []
    told: list[Claim] = []
    for claim in claims:
        (kept if ends == {newest[claim.source].extremities} else told).append(claim)
    return kept, told
