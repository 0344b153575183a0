"""The checks of every event of a room, and what they compared: kept once where events share them.

The verdicts are those of the replay. Nothing is decided here.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ..auth import state_of_auth_events
from ..auth.compared import Compared, list_compared
from ..errors import RoomverError
from ..event import Event
from ..power import CREATE, POWER_LEVELS, creators_of, power_levels_of
from ..replay import CurrentCheck, Outcome, Replay, Status
from ..replay.groups import KeptStates
from ..replay.states import Delta
from ..rules import Rule, Verdict
from ..state import EventsOf, PartialState, apply_changes
from ..types import EventId, StateKey, StateMap, UserId
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
    """One check of an event, without what it compared.

    Attributes:
        against: the place of `AUTH_EVENTS`, `BEFORE` or `CURRENT` in `AGAINST`.
        result: its place in `RESULTS`.
        verdict: its number in `CheckTables.verdicts`; -1 without one.
        why: why there is no verdict, or why the policy server refuses the event; else empty.
    """

    against: int
    result: int
    verdict: int
    why: str


class KeptCompared(NamedTuple):
    """One value that was compared.

    Attributes:
        what: its name.
        value: the value, as text.
        words: where the value comes from. If that begins with the sender of the event, the sender is left
            out: most events of a room differ in nothing else.
        source: the number of the event that the value comes from, which follows the words; -1 if there is
            none.
        of_sender: whether the sender of the event goes before the words.
    """

    what: str
    value: str
    words: str
    source: int
    of_sender: bool


@dataclass(slots=True)
class CheckTables:
    """What the checks of the events share.

    Attributes:
        ids: the numbers of event IDs.
        rules, verdicts, checks: each value once.
        compared: what was compared, once.
        rows: what one check compared, as numbers in `compared`.
        sets: the checks of one event: for each its number in `checks`, and that of what it compared in
            `rows`; `NOTHING` if it compared nothing.
    """

    ids: Table[EventId]
    rules: Table[KeptRule] = field(default_factory=Table)
    verdicts: Table[KeptVerdict] = field(default_factory=Table)
    compared: Table[KeptCompared] = field(default_factory=Table)
    rows: Table[tuple[int, ...]] = field(default_factory=Table)
    checks: Table[KeptCheck] = field(default_factory=Table)
    sets: Table[tuple[int, ...]] = field(default_factory=Table)
    # The numbers of verdicts without their values, and of what was compared: a room has the same ones again
    # and again, and most of the time is spent here.
    _brief: dict[tuple[Rule, int, bool], int] = field(default_factory=dict)
    _rows: dict[tuple[str, str, str, bool], int] = field(default_factory=dict)

    def verdict(self, verdict: Verdict | None, *, brief: bool = False) -> int:
        """Return the number of a verdict; -1 for None.

        Args:
            verdict: the verdict.
            brief: leave out the values that made it so.
        """
        if verdict is None:
            return -1
        rule = verdict.rule
        same = (rule, id(verdict.room_version), verdict.allowed)
        if brief and same in self._brief:
            return self._brief[same]
        kept = KeptRule(rule.name, verdict.number or "", rule.acceptance, rule.refusal, verdict.url)
        detail: tuple[tuple[str, str], ...] = ()
        if not brief:
            said = verdict.to_dict()["detail"]
            assert isinstance(said, dict)
            detail = tuple((name.replace("_", " "), str(value)) for name, value in said.items())
        number = self.verdicts(KeptVerdict(verdict.allowed, self.rules(kept), detail))
        if brief:
            self._brief[same] = number
        return number

    def row(self, one: Compared, sender: UserId) -> int:
        """Return the number of a value that was compared for an event of a sender."""
        what, value, source = one
        of_sender = source.startswith(sender)
        same = (what, str(value), source[len(sender) :] if of_sender else source, of_sender)
        found = self._rows.get(same)
        if found is None:
            words, _, last = same[2].rpartition(" ")
            number = self.ids.find(last) if last[:1] == "$" else None
            if number is None:
                words, number = same[2], -1
            found = self._rows[same] = self.compared(KeptCompared(*same[:2], words, number, of_sender))
        return found

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
                [what, shown(value), shown(words), number, int(of_sender)]
                for what, value, words, number, of_sender in self.compared.values
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
        self._by_cited: dict[object, int] = {}
        self._memberships: dict[EventId | None, int] = {}
        self._others: dict[object, tuple[int, ...]] = {}
        self._named: dict[tuple[EventId, EventId], frozenset[UserId] | None] = {}

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
        compared = NOTHING
        if outcome.by_state is not None:
            compared = NOTHING if before is None else self._compared(event, before)
            check = self._check(BEFORE, outcome.by_state, compared)
        elif outcome.own is Status.UNDECIDED:
            why = outcome.why_unknown or ("the state before it is unknown" if before is None else "")
            check = self._tables.checks(KeptCheck(BEFORE, UNDECIDED, -1, why))
        elif outcome.accepted:
            why = "a server accepted it, and the state before it is not known here"
            check = self._tables.checks(KeptCheck(BEFORE, NOT_MADE, -1, why))
        else:
            check = self._tables.checks(KeptCheck(BEFORE, NOT_MADE, -1, "the event is rejected already"))
        cited = self._against_auth_events(event, outcome)
        return self._tables.sets((*cited, check, compared, *self._against_current(event, compared)))

    def _check(self, against: int, verdict: Verdict, compared: int) -> int:
        # What allowed an event is among what was compared, and would be kept for each sender again.
        result = ALLOWED if verdict.allowed else REFUSED
        number = self._tables.verdict(verdict, brief=verdict.allowed and compared >= 0)
        return self._tables.checks(KeptCheck(against, result, number, ""))

    def _against_auth_events(self, event: Event, outcome: Outcome) -> tuple[int, int]:
        verdict = outcome.by_auth_events
        if verdict is None:
            why = "auth events are missing or undecided" if outcome.missing else "not decided"
            return self._tables.checks(KeptCheck(AUTH_EVENTS, UNDECIDED, -1, why)), NOTHING
        compared = NOTHING
        if event.type != "m.room.create":
            same = (event.sender, event.type, event.state_key is None, event.auth_event_ids)
            known = self._by_cited.get(same)
            if known is None:
                # Raised if it cites events that are missing, or of another room: the verdict says so.
                with suppress(RoomverError):
                    compared = self._compared(event, self._cited(event))
                if event.type != "m.room.member":
                    self._by_cited[same] = compared
            else:
                compared = known
        return self._check(AUTH_EVENTS, verdict, compared), compared

    def _against_current(self, event: Event, compared: int) -> tuple[int, int]:
        current = self._replay.current_check(event.event_id)
        read = self._kept.at_arrival.get(event.event_id)
        if read is not None:
            compared = self._compared(event, read)
        if isinstance(current.failure, Verdict):
            verdict = self._tables.verdict(current.failure)
            return self._tables.checks(KeptCheck(CURRENT, SOFT_FAILED, verdict, "")), compared
        why = current.why if current.failure is None else str(current.failure)
        check = self._tables.checks(KeptCheck(CURRENT, _result(current), -1, why))
        return check, compared if current.made else NOTHING

    def _cited(self, event: Event) -> dict[StateKey, EventId]:
        state = state_of_auth_events(event, self._replay.events)
        return {key: one.event_id for key, one in state.items()}

    def _compared(self, event: Event, state: StateMap[EventId]) -> int:
        """Return the number of what was compared; `NOTHING` if one of the values is unknown."""
        try:
            if event.type in ("m.room.member", "m.room.create"):
                rows = self._numbers(event, state)
            else:
                create, power = state.get(CREATE), state.get(POWER_LEVELS)
                member = state.get(("m.room.member", event.sender))
                # The sender's membership is that of one event. All else is the same for most senders.
                named = self._named_in(create, power)
                own = event.sender if named is None or event.sender in named else None
                others = (own, event.type, event.state_key is None, create, power)
                if member not in self._memberships or others not in self._others:
                    first, *rest = self._numbers(event, state) or (NOTHING,)
                    if first == NOTHING:
                        return NOTHING
                    self._memberships[member], self._others[others] = first, tuple(rest)
                rows = (self._memberships[member], *self._others[others])
        except RoomverError:
            return NOTHING
        return self._tables.rows(rows) if rows else NOTHING

    def _named_in(self, create: EventId | None, power: EventId | None) -> frozenset[UserId] | None:
        """Return the users whose level is not the default of a power-levels event; None if any may be."""
        if create is None or power is None:
            return None
        if (create, power) not in self._named:
            events = self._replay.events
            users = {*power_levels_of(events[power]).users} if power in events else None
            if users is not None and create in events and events[create].room_version.infinite_creator_level:
                users |= {*creators_of(events[create])}
            self._named[create, power] = None if users is None else frozenset(users)
        return self._named[create, power]

    def _numbers(self, event: Event, state: StateMap[EventId]) -> tuple[int, ...]:
        rows = list_compared(event, EventsOf(state, self._replay.events))
        return tuple([self._tables.row(one, event.sender) for one in rows])


def _result(current: CurrentCheck) -> int:
    if not current.made:
        return NOT_MADE
    return {True: ALLOWED, False: SOFT_FAILED, None: UNDECIDED}[current.allowed]
