"""Parts of a replay as a pickle has them: as few large objects, instead of some for each event."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..types import EventId
from .outcome import Outcome


def tables_of(
    outcomes: Mapping[EventId, Outcome],
    before: Mapping[EventId, int],
    after: Mapping[EventId, int],
    order: list[EventId],
) -> dict[str, object]:
    """Return the attributes of a `roomver.replay.result.Replay` that a pickle has as tables."""
    return {
        "outcomes": _OutcomeTable(outcomes, order),
        "_before": _NumberTable(before, order),
        "_after": _NumberTable(after, order),
    }


class _OutcomeTable:
    """Outcomes by event ID for a pickle, which reads them back as a dict.

    Most events of a room have the same outcome, except for the event ID. So each of those is held once.

    Args:
        outcomes: the outcomes.
        order: event IDs that the pickle has anyway: perhaps the same ones in the same order.
    """

    __slots__ = ("_order", "_outcomes")

    def __init__(self, outcomes: Mapping[EventId, Outcome], order: list[EventId]) -> None:
        self._outcomes = outcomes
        self._order = order

    def __reduce__(self) -> tuple[Any, ...]:
        rows: dict[tuple[int, ...], tuple[Any, ...]] = {}
        held = []
        for outcome in self._outcomes.values():
            row = (
                outcome.status,
                outcome.by_auth_events,
                outcome.by_state,
                outcome.missing,
                outcome.unknown,
                outcome.why_unknown,
                outcome.ours,
                outcome.lack,
            )
            # By identity: verdicts have no hash, and a pickle has equal objects as often as there are.
            held.append(rows.setdefault(tuple(map(id, row)), row))
        return _outcomes, (_listed(self._outcomes, self._order), held)


def _outcomes(event_ids: list[EventId], rows: list[tuple[Any, ...]]) -> dict[EventId, Outcome]:
    # For unpickling. A plain store for each slot takes half of the time of `Outcome(...)`.
    outcomes = {}
    make: Callable[[type[Outcome]], Outcome] = object.__new__
    for event_id, row in zip(event_ids, rows, strict=True):
        outcomes[event_id] = outcome = make(Outcome)
        outcome.event_id = event_id
        (
            outcome.status,
            outcome.by_auth_events,
            outcome.by_state,
            outcome.missing,
            outcome.unknown,
            outcome.why_unknown,
            outcome.ours,
            outcome.lack,
        ) = row
    return outcomes


class _NumberTable:
    """Numbers by event ID for a pickle, which reads them back as a dict. The arguments are as above."""

    __slots__ = ("_numbers", "_order")

    def __init__(self, numbers: Mapping[EventId, int], order: list[EventId]) -> None:
        self._numbers = numbers
        self._order = order

    def __reduce__(self) -> tuple[Any, ...]:
        return _numbers, (_listed(self._numbers, self._order), array("q", self._numbers.values()))


def _numbers(event_ids: list[EventId], numbers: Sequence[int]) -> dict[EventId, int]:
    # For unpickling.
    return dict(zip(event_ids, numbers, strict=True))


def _listed(held: Mapping[EventId, object], order: list[EventId]) -> list[EventId]:
    event_ids = [*held]
    return order if event_ids == order else event_ids
