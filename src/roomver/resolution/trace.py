"""The result of a resolution: the state, its steps, and why a key has its event."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import RoomverError
from ..rules import Verdict
from ..state import State
from ..types import EventId, StateKey
from ..versions import StateResolution


class NotTraced(RoomverError):
    """`Resolution.why` was called on a resolution that was run without ``trace=True``."""

    def __str__(self) -> str:
        return "the resolution was not traced: run it with trace=True"


class Check(NamedTuple):
    """One iterative auth check.

    Attributes:
        event_id: the event that was checked.
        key: its key in the state.
        phase: ``power`` or ``mainline``; in version 1 the name of the pass.
        verdict: the verdict of the rules. None if the rules were not run: version 1 accepts the first event
            of a pass unchecked, and the last event if none is allowed.
        accepted: whether the event was put into the state.
        replaced: the event that it replaced there.
    """

    event_id: EventId
    key: StateKey
    phase: str
    verdict: Verdict | None
    accepted: bool
    replaced: EventId | None


@dataclass(slots=True)
class Trace:
    """The intermediate results of a resolution, by their names in the specification.

    Attributes:
        algorithm: the algorithm that ran.
        unconflicted: the unconflicted state map.
        conflicted: each conflicted key to its events, and each event to a mask of the states that have it:
            bit i stands for the i-th state.
        auth_difference, conflicted_subgraph, full_conflicted_set: event IDs. Empty in version 1.
        power_order: the events of step 1, earliest first.
        partial_state: the state after step 2; in version 1 empty.
        mainline: the mainline of the power levels in the partial state, newest first.
        mainline_order: the events of step 3, earliest first.
        checks: the iterative auth checks, in order.
        restored: key -> the allowed event that step 5 replaced with the unconflicted one.
        states: the number of states.
    """

    algorithm: StateResolution
    unconflicted: Mapping[StateKey, EventId]
    conflicted: Mapping[StateKey, Mapping[EventId, int]]
    auth_difference: frozenset[EventId] = frozenset()
    conflicted_subgraph: frozenset[EventId] = frozenset()
    full_conflicted_set: frozenset[EventId] = frozenset()
    power_order: tuple[EventId, ...] = ()
    partial_state: Mapping[StateKey, EventId] = field(default_factory=dict)
    mainline: tuple[EventId, ...] = ()
    mainline_order: tuple[EventId, ...] = ()
    checks: list[Check] = field(default_factory=list)
    restored: dict[StateKey, EventId] = field(default_factory=dict)
    states: int = 0


class Candidate(NamedTuple):
    """One event that competed for a key, and its outcome.

    Attributes:
        event_id: the event.
        states: the indices of the states that have it; empty if it comes from the auth difference or the
            conflicted state subgraph only.
        check: its iterative auth check; None if it was not checked.
        outcome: ``won`` (it is in the resolved state, as an unconflicted event always is), ``refused``,
            ``overwritten``, ``restored`` (the unconflicted event of its key was put back) or
            ``not tried``.
        by: the event that replaced it, if one did.
    """

    event_id: EventId
    states: tuple[int, ...]
    check: Check | None
    outcome: str
    by: EventId | None

    def __str__(self) -> str:
        if self.states:
            where = "in state " if len(self.states) == 1 else "in states "
            where += ", ".join(str(index + 1) for index in self.states)
        else:
            where = "in no state; from the auth chains"
        said = ""
        if self.check is not None and self.check.verdict is not None:
            said = f" - {self.check.verdict}"
        by = f" by {self.by}" if self.by is not None else ""
        tried = ""
        if self.check is not None:
            refused = self.outcome == "won" and not self.check.accepted
            tried = f" ({'refused when it was ' if refused else ''}tried in phase {self.check.phase})"
        return f"{self.event_id} {where}: {self.outcome}{by}{tried}{said}"


class Why(NamedTuple):
    """Why a key of the resolved state has its event. ``str`` gives this as several lines of text.

    Attributes:
        key: the key.
        event_id: its event in the resolved state, or None.
        reason: one line.
        candidates: the events that competed, in the order in which they were checked.
    """

    key: StateKey
    event_id: EventId | None
    reason: str
    candidates: tuple[Candidate, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the reasons as JSON values."""
        return {
            "type": self.key[0],
            "state_key": self.key[1],
            "event_id": self.event_id,
            "reason": self.reason,
            "candidates": [
                {
                    "event_id": c.event_id,
                    "states": list(c.states),
                    "outcome": c.outcome,
                    "by": c.by,
                    "phase": None if c.check is None else c.check.phase,
                    "verdict": None
                    if c.check is None or c.check.verdict is None
                    else c.check.verdict.to_dict(),
                }
                for c in self.candidates
            ],
        }

    def __str__(self) -> str:
        head = f"{self.key[0]} {self.key[1]!r}: {self.event_id or 'no event'}\n  {self.reason}"
        lines = [f"  {number}. {candidate}" for number, candidate in enumerate(self.candidates, 1)]
        return "\n".join([head, *lines])


@dataclass(slots=True)
class Resolution:
    """The outcome of a state resolution.

    Attributes:
        state: the resolved state: ``(type, state_key)`` to event ID. A `RoomState`, or a `PartialState` if
            the resolved states were known in part. `State.events` makes the state of events that
            `check_auth` takes, and `State.as_dict` a dict.
        steps: the intermediate results; None without ``trace=True``.
    """

    state: State[EventId]
    steps: Trace | None = None
    # By key, made when it is needed first.
    _checks: dict[StateKey, list[Check]] | None = field(default=None, init=False, repr=False, compare=False)

    def why(self, key: StateKey) -> Why:
        """Explain which events competed for a key and why one of them is in the resolved state.

        The answer has the order in which they were checked, the rule that refused an event, and the event
        that overwrote another.

        Raises:
            NotTraced: if the resolution was run without ``trace=True``.
        """
        steps = self.steps
        if steps is None:
            raise NotTraced()
        winner = self.state.get(key)
        masks = held = steps.conflicted.get(key, {})
        if key in steps.unconflicted:
            held = {steps.unconflicted[key]: (1 << steps.states) - 1}
        if self._checks is None:
            self._checks = {}
            for check in steps.checks:
                self._checks.setdefault(check.key, []).append(check)
        checks = self._checks.get(key, [])
        candidates = []
        after: EventId | None = None  # the next accepted event; the loop runs backwards
        for check in reversed(checks):
            candidates.append(_candidate(key, check, held, after, steps, winner))
            if check.accepted:
                after = check.event_id
        candidates.reverse()
        tried = {check.event_id for check in checks}
        candidates += [
            Candidate(event_id, _indices(mask), None, "won" if event_id == winner else "not tried", None)
            for event_id, mask in masks.items()
            if event_id not in tried
        ]
        return Why(key, winner, _reason(key, winner, steps, checks), tuple(candidates))


def _indices(mask: int) -> tuple[int, ...]:
    found = []
    while mask:
        lowest = mask & -mask
        found.append(lowest.bit_length() - 1)
        mask ^= lowest
    return tuple(found)


def _candidate(
    key: StateKey,
    check: Check,
    masks: Mapping[EventId, int],
    after: EventId | None,
    steps: Trace,
    winner: EventId | None,
) -> Candidate:
    event_id = check.event_id
    states = _indices(masks.get(event_id, 0))
    if event_id == winner and key in steps.unconflicted:
        return Candidate(event_id, states, check, "won", None)  # whatever its check said
    if not check.accepted:
        return Candidate(event_id, states, check, "refused", None)
    if after is not None:
        return Candidate(event_id, states, check, "overwritten", after)
    if steps.restored.get(key) == event_id:
        return Candidate(event_id, states, check, "restored", winner)
    return Candidate(event_id, states, check, "won", None)


def _reason(key: StateKey, winner: EventId | None, steps: Trace, checks: list[Check]) -> str:
    version_1 = steps.algorithm is StateResolution.V1
    if key not in steps.conflicted:
        if winner is None:
            return (
                "no state has this key"
                if not checks
                else "no state has this key, and every event tried was refused"
            )
        if key in steps.restored:
            return (
                "unconflicted: every state has this event, so step 5 puts it back in place of the one the"
                " checks allowed"
            )
        if key not in steps.unconflicted:
            return "no state has this key, but an event from the auth chains was tried and allowed"
        return (
            f"unconflicted: {'no state has a different event' if version_1 else 'every state has this event'}"
        )
    if winner is None:
        return "conflicted: no event was allowed"
    if not checks:
        return "conflicted: the other events are left out as rejected, so the remaining one is not tried"
    if not version_1:
        # A conflicted key has no unconflicted event, so the event allowed last stays.
        return "conflicted: of the events that were allowed, the one tried last stays"
    if checks[-1].phase != "rest":
        return "conflicted: the first event is taken, then each allowed one until one is refused"
    if checks[-1].verdict is None:
        return "conflicted: no event was allowed, so the one tried last stays"
    return "conflicted: the first event that was allowed stays"
