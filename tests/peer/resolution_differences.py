"""The known differences between roomver and Synapse in state resolution, with their reasons.

An entry tells from the fork and from the keys that differ whether roomver and Synapse may differ. The first
entry that holds explains a difference. A difference that no entry explains is a bug in one of the two. Rows
named D are those of the project's table of differences between implementations.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from random_forks import Fork

from roomver import resolve
from roomver.auth.context import Context
from roomver.auth.federation import check_federation
from roomver.identifiers import server_of
from roomver.resolution import Resolution
from roomver.rules import FEDERATION_CLOSED, Verdict

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


def _closed_to_targets(context: Context) -> Verdict | None:
    """Check m.federate as Synapse does: the target's server is checked too."""
    event, create = context.event, context.create
    is_closed = create.content.get("m.federate") is False and event.type == "m.room.member"
    if is_closed and server_of(event.state_key or "") != server_of(create.sender):
        return context.reject(FEDERATION_CLOSED)
    return check_federation(context)


def _first_signature(keys: Iterable[bytes], signatures: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Return the pairs that Synapse tries: it skips a key after the first signature that fails."""
    first = list(signatures)[:1]
    return [(key, signature) for key in keys for signature in first]


def _vanishes(place: str, reading: Callable[..., Any]) -> Callable[[Seen], bool]:
    """Return an entry's condition: with Synapse's reading in place of ours, the states are the same."""

    def holds(seen: Seen) -> bool:
        fork = seen.fork
        with patch(place, reading):
            again = resolve(fork.state_sets, fork.events, rejected=fork.rejected, skip_rejected=True)
        return again.state == seen.theirs

    return holds


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
    Difference(
        "D24",
        "m.federate false also closes the room to the target's server",
        _vanishes("roomver.auth.deciding.check_federation", _closed_to_targets),
    ),
    Difference(
        "D34",
        "a public key is skipped after the first signature that fails under it",
        _vanishes("roomver.auth.third_party.product", _first_signature),
    ),
]
