"""Where roomver's resolved state is not Synapse's, and why: the list that the peer test of state
resolution holds both to.

An entry says in what situation the two may part, by looking at the fork and at what became of the keys
that they differ in. The first that holds explains a difference; a difference that none explains is a
defect of one of the two. Rows named D are those of the project's table of differences between
implementations.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from random_forks import Fork

from roomver.resolution import Resolution

StateIds = Mapping[tuple[str, str], str]


class Seen(NamedTuple):
    """A difference that was seen.

    Attributes:
        fork: what was resolved.
        ours: roomver's resolution, traced.
        theirs: the state that Synapse came to; None if it ended in an error.
        keys: where the two differ; empty if Synapse ended in an error.
    """

    fork: Fork
    ours: Resolution
    theirs: StateIds | None
    keys: frozenset[tuple[str, str]]


class Difference(NamedTuple):
    """One listed difference: its name, why it is there, and when it may be."""

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
    """Whether all keys are of power levels with a state key, which have no say in anything."""
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
        "version 1: power levels under another state key are resolved with the rest, not in their pass",
        _of_no_pass,
    ),
]
