"""The steps of a state resolution, in words and as JSON."""

from collections.abc import Iterable

from ..resolution import Trace
from ..types import EventId


def trace_lines(steps: Trace) -> list[str]:
    """Return the steps of a state resolution as lines of text."""
    sections: list[tuple[str, Iterable[EventId]]] = [
        ("conflicted state set", (event_id for by_id in steps.conflicted.values() for event_id in by_id)),
        ("auth difference", sorted(steps.auth_difference)),
        ("conflicted state subgraph", sorted(steps.conflicted_subgraph)),
        ("power events, in order", steps.power_order),
        ("mainline, newest first", steps.mainline),
        ("remaining events, in order", steps.mainline_order),
    ]
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
