"""Why events are undecided: which events are missing, which were dropped, and what is unknown in a state.

An event may be in the input and still be missing from the room, because it was dropped: it is malformed or
forged, or it is from another room. Then fetching it is not enough; a valid copy is needed.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .canonical import shorten
from .entry import Place
from .errors import SHOWN, Lack, gravest, listed
from .findings import Finding, FindingKind, Reason
from .gathering import Gathered
from .replay import Outcome, Replay, Status
from .replay.causes import CONSEQUENCES
from .state import Unknown
from .state_document import NOT_USABLE
from .types import EventId

__all__ = [
    "Dropped",
    "Undecided",
    "find_vouched",
    "is_contradiction",
    "is_part_of_room",
    "lack_behind",
    "lacks_among",
]

# Finding what is behind a state known in part may cost as much as a walk through the room.
_MOST_TRACED = 100


class Dropped(NamedTuple):
    """An event of the input that cannot be used."""

    place: Place
    finding: Finding

    def __str__(self) -> str:
        kind, reasons, _ = self.finding
        why = f", {reasons[0].text}" if kind is FindingKind.SIGNATURE else ""
        return f"{self.place}: {kind.value}{why}"


def find_vouched(replay: Replay) -> list[EventId]:
    """Return the events that are accepted only because a server gave them in a state or an auth chain.

    The state before them is unknown.
    """
    return [
        event_id
        for event_id in replay.outliers
        if replay.outcomes[event_id].own is Status.ACCEPTED
        and (event_id in replay.gaps or replay.outcomes[event_id].unknown)
    ]


def is_part_of_room(replay: Replay) -> bool:
    """Tell whether a replay has only a part of a room, such as an auth chain, and no current state.

    There may be no undecided event, because a server vouches for those that cannot be checked.
    """
    unknown = replay.current_state is None and not replay.too_many_states
    return unknown and bool(find_vouched(replay))


def lacks_among(missing: Iterable[EventId], dropped: Mapping[EventId, Dropped]) -> tuple[Lack, ...]:
    """Return what would decide something that waits for events: missing events, dropped ones, or both."""
    found = {Lack.DROPPED if event_id in dropped else Lack.MISSING for event_id in missing}
    return tuple(lack for lack in Lack if lack in found)


def lack_behind(gathered: Gathered, lack: Lack, unknown: Iterable[Unknown] = ()) -> Lack:
    """Return what would tell the unknown entries of a state.

    Args:
        gathered: the events of the input.
        lack: what would tell them alone.
        unknown: what is unknown in the states behind them, as `Replay.unknown_behind` returns it.
    """
    behind = [*unknown]
    found = gravest((lack, *(one.lack for one in behind)))
    if found is Lack.STATE and gathered.left_out and any(NOT_USABLE in one.reason for one in behind):
        return Lack.DROPPED
    return found


def is_contradiction(one: Unknown) -> bool:
    """Tell whether something is unknown because of a contradiction, and not only as a consequence of that."""
    return one.lack is Lack.AGREEMENT and one.reason not in CONSEQUENCES


class Undecided:
    """Make the findings of the undecided events of a room, parents before children.

    Args:
        gathered: the events of the input.
        replayed: the replay of the room.
        dropped: the events of the input that cannot be used.
    """

    def __init__(self, gathered: Gathered, replayed: Replay, dropped: Mapping[EventId, Dropped]) -> None:
        self._gathered = gathered
        self._replayed = replayed
        self._dropped = dropped
        # The missing events that an event waits for. Only as many as a reason lists are kept: in a long chain
        # each event may depend on as many missing events as those before.
        self._lacks: dict[EventId, tuple[EventId, ...]] = {}
        self._left = _MOST_TRACED

    def finding(self, outcome: Outcome) -> Finding:
        """Return the finding of an undecided event."""
        if outcome.missing:
            reasons = self._lacking(outcome.event_id, outcome.missing, "auth_events")
            return self._with_lacks(FindingKind.AUTH_EVENT_MISSING, reasons, outcome.event_id)
        if outcome.unknown:
            return Finding(FindingKind.STATE_UNKNOWN, _unknown(outcome), self._behind(outcome))
        gaps = self._replayed.gaps[outcome.event_id]
        reasons = self._lacking(outcome.event_id, gaps, "prev_events")
        return self._with_lacks(FindingKind.STATE_UNKNOWN, reasons, outcome.event_id)

    def _with_lacks(self, kind: FindingKind, reasons: tuple[Reason, ...], event_id: EventId) -> Finding:
        return Finding(kind, reasons, lacks_among(self._lacks[event_id], self._dropped))

    def _behind(self, outcome: Outcome) -> tuple[Lack, ...]:
        """Return what would tell the unknown entries of the state before an event; empty if not searched."""
        if self._left <= 0:
            return ()
        self._left -= 1
        missing = self._replayed.lacking(outcome.event_id)
        if missing:
            return lacks_among(missing, self._dropped)
        behind = self._replayed.unknown_behind(outcome.event_id)
        return (lack_behind(self._gathered, outcome.lack, behind),)

    def _lacking(self, event_id: EventId, causes: Iterable[EventId], path: str) -> tuple[Reason, ...]:
        """Return the reasons why an event is undecided: the events that it waits for."""
        lacked: dict[EventId, None] = {}
        reasons = []
        for cause in causes:
            beyond = self._lacks.get(cause)
            what = f"{cause} is undecided" if path == "auth_events" else f"the state after {cause} is unknown"
            if beyond:
                lacked.update(dict.fromkeys(beyond))
                ids = ", ".join(beyond[:SHOWN]) + (" and others" if len(beyond) > SHOWN else "")
                what += f": {ids} {self._are_missing(beyond)}"
            elif cause not in self._replayed.events:
                lacked[cause] = None
                what = f"{cause} is missing"
                if cause in self._dropped:
                    what = f"{cause} was dropped ({self._dropped[cause]})"
            reasons.append(Reason(path, what))
        self._lacks[event_id] = tuple(lacked)[: SHOWN + 1]
        return tuple(reasons)

    def _are_missing(self, event_ids: tuple[EventId, ...]) -> str:
        one = len(event_ids) == 1
        match lacks_among(event_ids, self._dropped):
            case (Lack.DROPPED,):
                return "was dropped" if one else "were dropped"
            case (Lack.MISSING, Lack.DROPPED):
                return "are missing or were dropped"
            case _:
                return "is missing" if one else "are missing"


def _unknown(outcome: Outcome) -> tuple[Reason, ...]:
    """Return the reason of an event whose check needs unknown entries of the state before it."""
    keys = [f"{kind} {shorten(key)}" for kind, key in outcome.unknown]
    are = "is" if len(keys) == 1 else "are"
    text = f"the state before it is known in part: {listed(keys)} {are} unknown ({outcome.why_unknown})"
    return (Reason("", text),)
