"""The checks of every event of a room, and what they compared: kept once where events share them.

The verdicts are those of the replay. Nothing is decided here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ..auth import state_of_auth_events
from ..auth.compared import Compared, list_compared
from ..errors import RoomverError
from ..event import Event
from ..power import CREATE, POWER_LEVELS
from ..replay import CurrentCheck, Replay, Status
from ..replay.groups import KeptStates
from ..replay.result import Delta
from ..rules import Verdict
from ..state import EventsOf, PartialState, apply_changes
from ..types import EventId, StateKey, StateMap
from .tables import Table

AGAINST: Final = ("its auth events", "the state before it", "the current state at its arrival")
AUTH_EVENTS, BEFORE, CURRENT = range(3)
RESULTS: Final = ("allowed", "refused", "soft-failed", "undecided", "not made")
ALLOWED, REFUSED, SOFT_FAILED, UNDECIDED, NOT_MADE = range(5)
NOTHING: Final = -1
"""The number of an empty list of what was compared."""


class KeptVerdict(NamedTuple):
    """A verdict without its event.

    Attributes:
        allowed: whether the event is allowed.
        rule: its number in `CheckTables.rules`.
        detail: the values that decided, by name, as text.
    """

    allowed: bool
    rule: int
    detail: tuple[tuple[str, str], ...]


class KeptRule(NamedTuple):
    """A rule as a room version has it: its name, number and sentences, and where it is written."""

    name: str
    number: str
    acceptance: str
    refusal: str
    url: str


class KeptCheck(NamedTuple):
    """One check of an event.

    Attributes:
        against: the place of `AUTH_EVENTS`, `BEFORE` or `CURRENT` in `AGAINST`.
        result: its place in `RESULTS`.
        verdict: its number in `CheckTables.verdicts`; -1 without one.
        compared: the number of what was compared, in `CheckTables.rows`.
        why: why there is no verdict, or why the policy server refuses the event; else empty.
    """

    against: int
    result: int
    verdict: int
    compared: int
    why: str


@dataclass(slots=True)
class CheckTables:
    """What the checks of the events share.

    Attributes:
        ids: the numbers of event IDs.
        rules, verdicts, checks: each value once.
        compared: what was compared, once: its name, its value, in words where the value comes from, and the
            number of the event that it comes from; -1 if it is a default.
        rows: what one check compared, as numbers in `compared`.
        sets: the checks of one event, as numbers in `checks`.
    """

    ids: Table[EventId]
    rules: Table[KeptRule] = field(default_factory=Table)
    verdicts: Table[KeptVerdict] = field(default_factory=Table)
    compared: Table[tuple[str, str, str, int]] = field(default_factory=Table)
    rows: Table[tuple[int, ...]] = field(default_factory=Table)
    checks: Table[KeptCheck] = field(default_factory=Table)
    sets: Table[tuple[int, ...]] = field(default_factory=Table)

    def verdict(self, verdict: Verdict | None, *, brief: bool = False) -> int:
        """Return the number of a verdict; -1 for None.

        Args:
            verdict: the verdict.
            brief: leave out the values that made it so.
        """
        if verdict is None:
            return -1
        rule = verdict.rule
        kept = KeptRule(rule.name, verdict.number or "", rule.acceptance, rule.refusal, verdict.url)
        detail: tuple[tuple[str, str], ...] = ()
        if not brief:
            said = verdict.to_dict()["detail"]
            assert isinstance(said, dict)
            detail = tuple((name.replace("_", " "), str(value)) for name, value in said.items())
        return self.verdicts(KeptVerdict(verdict.allowed, self.rules(kept), detail))

    def row(self, one: Compared) -> int:
        """Return the number of a value that was compared."""
        words, _, last = one.source.rpartition(" ")
        number = self.ids.find(last) if last[:1] == "$" else None
        if number is None:
            return self.compared((one.what, str(one.value), one.source, -1))
        return self.compared((one.what, str(one.value), words, number))

    def to_dict(self, shown: Callable[[object], str] = str) -> dict[str, Any]:
        """Return the tables as JSON values.

        Args:
            shown: makes text from events safe to show.
        """
        return {
            "rules": self.rules.rows(list),
            "verdicts": [
                [int(one.allowed), one.rule, [[name, shown(value)] for name, value in one.detail]]
                for one in self.verdicts.values
            ],
            "compared": [
                [what, shown(value), shown(words), number]
                for what, value, words, number in self.compared.values
            ],
            "rows": self.rows.values,
            "checks": [[*numbers, shown(why)] for *numbers, why in self.checks.values],
            "against": AGAINST,
            "results": RESULTS,
            "sets": self.sets.values,
        }


class Checks:
    """Collects the checks of the events of a replay.

    Args:
        replay: the replay.
        kept: its states.
        tables: where what is collected is kept.
    """

    def __init__(self, replay: Replay, kept: KeptStates, tables: CheckTables) -> None:
        self._replay = replay
        self._kept = kept
        self._tables = tables
        # What was compared, by what it depends on: for other events than members that is little.
        self._same: dict[object, int] = {}

    def collect(self, progress: Callable[[int], None] | None = None) -> dict[EventId, int]:
        """Return the number of each event's set of checks, in `CheckTables.sets`.

        Args:
            progress: called periodically with the number of events done.

        Cost: one check's worth of work per event, and one visit to each change of a state.
        """
        found: dict[EventId, int] = {}
        by_group: dict[int, list[EventId]] = {}
        for event_id in self._replay.order:
            by_group.setdefault(self._kept.before.get(event_id, -2), []).append(event_id)
        for event_id in by_group.pop(-2, ()):
            found[event_id] = self._set(event_id, None)
        for group, state in self._states(by_group):
            for event_id in by_group[group]:
                found[event_id] = self._set(event_id, state)
                if progress is not None and not len(found) % 256:
                    progress(len(found))
        return {event_id: found[event_id] for event_id in self._replay.order}

    def _states(self, wanted: Mapping[int, object]) -> Iterator[tuple[int, StateMap[EventId]]]:
        """Yield each wanted group with its state. The state is changed afterwards.

        The groups form a tree, and the state follows a walk of it: each change is made once and undone once.
        """
        below: dict[int, list[int]] = {}
        marked: set[int] = set()
        for one in wanted:
            group = one
            while group >= 0 and group not in marked:
                marked.add(group)
                parent = self._kept.groups[group][0]
                below.setdefault(parent, []).append(group)
                group = parent
        state: dict[StateKey, EventId] = {}
        todo: list[tuple[int, Delta | None]] = [(-1, None)]
        while todo:
            group, undo = todo.pop()
            if undo is not None:
                apply_changes(state, undo)
                continue
            if group >= 0:
                changes = self._kept.groups[group][1]
                todo.append((group, tuple((key, state.get(key)) for key, _ in reversed(changes))))
                apply_changes(state, changes)
            if group in wanted:
                unknown = self._kept.unknown.get(group)
                yield group, state if unknown is None else PartialState(state, unknown)
            todo += [(child, None) for child in reversed(below.get(group, []))]

    def _set(self, event_id: EventId, before: StateMap[EventId] | None) -> int:
        event, outcome = self._replay.events[event_id], self._replay.outcomes[event_id]
        checks = [self._against_auth_events(event)]
        if outcome.by_state is not None:
            compared = (
                NOTHING if before is None else self._compared(event, EventsOf(before, self._replay.events))
            )
            checks.append(self._check(BEFORE, outcome.by_state, compared))
        elif outcome.own is Status.UNDECIDED:
            why = outcome.why_unknown or ("the state before it is unknown" if before is None else "")
            checks.append(KeptCheck(BEFORE, UNDECIDED, -1, NOTHING, why))
        elif outcome.accepted:
            why = "a server accepted it, and the state before it is not known here"
            checks.append(KeptCheck(BEFORE, NOT_MADE, -1, NOTHING, why))
        else:
            checks.append(KeptCheck(BEFORE, NOT_MADE, -1, NOTHING, "the event is rejected already"))
        checks.append(self._against_current(event, checks[-1]))
        return self._tables.sets(tuple(self._tables.checks(check) for check in checks))

    def _check(self, against: int, verdict: Verdict, compared: int) -> KeptCheck:
        # What allowed an event is among what was compared, and would be kept for each sender again.
        result = ALLOWED if verdict.allowed else REFUSED
        number = self._tables.verdict(verdict, brief=verdict.allowed and compared >= 0)
        return KeptCheck(against, result, number, compared, "")

    def _against_auth_events(self, event: Event) -> KeptCheck:
        outcome = self._replay.outcomes[event.event_id]
        verdict = outcome.by_auth_events
        if verdict is None:
            why = "auth events are missing or undecided" if outcome.missing else "not decided"
            return KeptCheck(AUTH_EVENTS, UNDECIDED, -1, NOTHING, why)
        compared = NOTHING
        same = ("cited", event.sender, event.type, event.state_key is None, event.auth_event_ids)
        if event.type != "m.room.create" and same in self._same:
            compared = self._same[same]
        elif event.type != "m.room.create":
            try:
                cited = state_of_auth_events(event, self._replay.events)
                compared = self._compared(event, cited)
            except RoomverError:
                pass  # it cites events that are missing, or of another room: the verdict says so
            if event.type != "m.room.member":
                self._same[same] = compared
        return self._check(AUTH_EVENTS, verdict, compared)

    def _against_current(self, event: Event, before: KeptCheck) -> KeptCheck:
        current = self._replay.current_check(event.event_id)
        read = self._kept.at_arrival.get(event.event_id)
        compared = before.compared
        if read is not None:
            compared = self._compared(event, EventsOf(read, self._replay.events))
        if isinstance(current.failure, Verdict):
            return KeptCheck(CURRENT, SOFT_FAILED, self._tables.verdict(current.failure), compared, "")
        why = current.why if current.failure is None else str(current.failure)
        return KeptCheck(CURRENT, _result(current), -1, compared if current.made else NOTHING, why)

    def _compared(self, event: Event, state: StateMap[Event]) -> int:
        """Return the number of what was compared; `NOTHING` if one of the values is unknown."""
        try:
            if event.type in ("m.room.member", "m.room.create"):
                return self._numbers(list_compared(event, state))
            read = (CREATE, POWER_LEVELS, ("m.room.member", event.sender))
            cited = tuple(None if (one := state.get(key)) is None else one.event_id for key in read)
            same = ("state", event.sender, event.type, event.state_key is None, cited)
            if same not in self._same:
                self._same[same] = self._numbers(list_compared(event, state))
            return self._same[same]
        except RoomverError:
            return NOTHING

    def _numbers(self, rows: list[Compared]) -> int:
        return self._tables.rows(tuple(map(self._tables.row, rows))) if rows else NOTHING


def _result(current: CurrentCheck) -> int:
    if not current.made:
        return NOT_MADE
    return {True: ALLOWED, False: SOFT_FAILED, None: UNDECIDED}[current.allowed]
