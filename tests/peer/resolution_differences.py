"""The known differences between roomver and Synapse in state resolution, with their reasons.

An entry tells from the fork and from the keys that differ whether roomver and Synapse may differ. The first
entry that holds explains a difference. A difference that no entry explains is a bug in one of the two. Rows
named D are those of the project's table of differences between implementations.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from random_forks import Fork

from roomver.resolution import Resolution

StateIds = Mapping[tuple[str, str], str]


class Seen(NamedTuple):
    """A difference between two resolved states.

    Attributes:
        fork: what was resolved.
        ours: roomver's resolution, traced.
        theirs: the state of Synapse; None if it raised an error.
        keys: the keys that differ; empty if Synapse raised an error.
    """

    fork: Fork
    ours: Resolution
    theirs: StateIds | None
    keys: frozenset[tuple[str, str]]


class Difference(NamedTuple):
    """One listed difference: its name, its reason, and when it applies."""

    row: str
    reason: str
    holds: Callable[[Seen], bool]


def explain(fork: Fork, ours: Resolution, theirs: StateIds | Exception) -> Difference | None:
    """Return the entry that explains a difference, or None."""
    if isinstance(theirs, Exception):
        seen = Seen(fork, ours, None, frozenset())
    else:
        keys = {key for key in {*theirs, *ours.state} if theirs.get(key) != ours.state.get(key)}
        seen = Seen(fork, ours, theirs, frozenset(keys))
    return next((entry for entry in DIFFERENCES if entry.holds(seen)), None)


def _only_other_power_levels(seen: Seen) -> bool:
    """Tell whether all keys are of power levels with a non-empty state key, which no rule reads."""
    return bool(seen.keys) and all(
        kind == "m.room.power_levels" and state_key for kind, state_key in seen.keys
    )


def _refused_by_their_baseline(seen: Seen) -> bool:
    return _only_other_power_levels(seen) and all(
        any(
            candidate.outcome == "refused"
            and candidate.check is not None
            and candidate.check.verdict is not None
            and candidate.check.verdict.rule.name.startswith("power_levels.")
            for candidate in seen.ours.why(key).candidates
        )
        for key in seen.keys
    )


def _of_no_pass(seen: Seen) -> bool:
    return seen.fork.version == "1" and _only_other_power_levels(seen)


DIFFERENCES: Final = [
    Difference(
        "D46",
        "power levels under another state key are compared with their own predecessor",
        _refused_by_their_baseline,
    ),
    Difference(
        "D56",
        "version 1: power levels under another state key are resolved with the remaining events",
        _of_no_pass,
    ),
]
