"""The steps of a state resolution, in words and as JSON."""

from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ..resolution import Trace
from ..types import EventId
from ..versions import StateResolution

_ABSENT: Final = {
    StateResolution.V1: (
        "auth_difference",
        "conflicted_subgraph",
        "full_conflicted",
        "power_order",
        "mainline",
        "mainline_order",
        "partial_state",
    ),
    StateResolution.V2: ("conflicted_subgraph",),
}


def absent_steps(algorithm: StateResolution) -> Container[str]:
    """Return the names of steps that an algorithm does not have."""
    return _ABSENT.get(algorithm, ())


def trace_lines(steps: Trace, ranks: Mapping[EventId, int] = MappingProxyType({})) -> list[str]:
    """Return the steps of a state resolution as lines of text, without those that its algorithm lacks.

    Args:
        steps: the steps.
        ranks: the places of events in the lists whose order means nothing. They are sorted without it.
    """

    def ranked(event_ids: Iterable[EventId]) -> list[EventId]:
        return sorted(event_ids, key=lambda event_id: (ranks.get(event_id, len(ranks)), event_id))

    conflicted = [event_id for by_id in steps.conflicted.values() for event_id in by_id]
    every: list[tuple[str, str, Iterable[EventId]]] = [
        ("conflicted", "conflicted state set", ranked(conflicted) if ranks else conflicted),
        ("auth_difference", "auth difference", ranked(steps.auth_difference)),
        ("conflicted_subgraph", "conflicted state subgraph", ranked(steps.conflicted_subgraph)),
        ("power_order", "power events, in order", steps.power_order),
        ("mainline", "mainline, newest first", steps.mainline),
        ("mainline_order", "remaining events, in order", steps.mainline_order),
    ]
    absent = absent_steps(steps.algorithm)
    sections = [(title, event_ids) for name, title, event_ids in every if name not in absent or event_ids]
    lines = [f"algorithm {steps.algorithm.value}"]
    for title, event_ids in sections:
        listed = [f"  {event_id}" for event_id in event_ids]
        lines += ["", f"{title} ({len(listed)})", *listed]
    lines += ["", f"checks, in order ({len(steps.checks)})"]
    for check in steps.checks:
        word = "allowed" if check.accepted else "REFUSED"
        said = "not checked" if check.verdict is None else str(check.verdict)
        lines.append(f"  {check.phase}: {check.event_id} {word} - {said}")
    return lines


def trace_data(steps: Trace) -> dict[str, object]:
    """Return the steps of a state resolution as JSON."""
    return {
        "algorithm": steps.algorithm.value,
        "conflicted": [
            {"type": key[0], "state_key": key[1], "event_ids": list(masks)}
            for key, masks in steps.conflicted.items()
        ],
        "auth_difference": sorted(steps.auth_difference),
        "conflicted_subgraph": sorted(steps.conflicted_subgraph),
        "full_conflicted_set": sorted(steps.full_conflicted_set),
        "power_order": list(steps.power_order),
        "partial_state": sorted(steps.partial_state.values()),
        "mainline": list(steps.mainline),
        "mainline_order": list(steps.mainline_order),
        "checks": [
            {
                "event_id": check.event_id,
                "phase": check.phase,
                "accepted": check.accepted,
                "verdict": None if check.verdict is None else check.verdict.to_dict(),
                "replaced": check.replaced,
            }
            for check in steps.checks
        ],
    }
