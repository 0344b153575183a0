"""The steps of a state resolution in words."""

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
