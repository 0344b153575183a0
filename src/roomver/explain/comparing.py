"""Two sources of one room compared: events, decisions and current states, and where they part first.

This module has more than 400 lines: what is compared, and what is said of it, is in one order in one place.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import cast

from ..errors import MissingEvents, UnknownState
from ..event import Event
from ..policy import PolicyRefusal
from ..replay import Status
from ..room_check import RoomCheck
from ..rules import Verdict
from ..state import entries_of, unknown_of
from ..types import EventId, StateKey, StateMap
from ..versions import StateResolution
from .compared import UNDECIDED, Cause, Compared, EntryDiffers, OutcomeDiffers, Parting
from .event import explain_event
from .facts import list_facts
from .judged import Judged, judge
from .outcome_words import OutcomeWords, finding_said, state_at_arrival, why_refused
from .said import Said, event, joined, said, value

__all__ = ["Side", "compare"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sources.

    Attributes:
        found: the checked room.
        recorded: returns what the server of the source did with an event; empty if it does not say.
        state: the IDs of the current state that its server recorded; None if it does not say.
        says_soft_failed: whether it says which events its server soft-failed.
    """

    found: RoomCheck
    recorded: Callable[[EventId], str]
    state: frozenset[EventId] | None = None
    says_soft_failed: bool = True
    unsure: frozenset[EventId] = field(init=False)
    """The accepted events of which it is unknown whether they are soft-failed."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "unsure", frozenset(self.found.replay.current_unknown))

    @property
    def events(self) -> Mapping[EventId, Event]:
        """Its usable events."""
        return self.found.gathered.events

    def outcome(self, event_id: EventId) -> str:
        """Return what became of an event by the rules; ``dropped`` and ``missing`` too."""
        gathered = self.found.gathered
        if event_id not in gathered.events or event_id in self.found.dropped:
            return "dropped" if event_id in gathered.left_out or event_id in self.found.dropped else "missing"
        if event_id not in self.found.replay.outcomes:
            return Judged.NOT_JUDGED.value
        return judge(self.found.replay, event_id).value

    def decided_otherwise(self, event_id: EventId) -> bool:
        """Tell whether the server accepted an event that the rules reject, or the other way round."""
        did, outcome = self.recorded(event_id), self.outcome(event_id)
        known = did and outcome in ("accepted", "rejected", "soft-failed")
        return bool(known) and (did == "rejected") != (outcome == "rejected")


def compare(a: Side, b: Side) -> Compared:
    """Compare two sources of one room.

    An event is compared by its ID. That one source is behind counts as a difference. What is unknown in
    one source, because events are missing, is not compared, and `Compared.unknown` says so.

    Cost: linear in the events and in the entries of the current states.
    """
    order = _joint_order(a, b)
    sides = (a, b)
    only = tuple(
        tuple(one for one in order if one in mine.events and one not in other.events)
        for mine, other in (sides, (b, a))
    )
    outcomes, parting, open_ = [], None, 0
    for event_id in order:
        both = event_id in a.events and event_id in b.events
        differs = _outcome(event_id, a, b) if both else None
        if differs is not None:
            outcomes.append(differs)
        elif both:
            open_ += _is_open(event_id, a, b)
        if parting is None and (differs is not None or not both):
            parting = _part(event_id, differs, a, b)
    states = [one.found.replay.current_state for one in sides]
    state = _entries(states[0], states[1], a, b) if None not in states else ()
    recorded_state, recorded_lost = _recorded_entries(a, b)
    compared = Compared(
        versions=cast("tuple[str, str]", tuple(one.found.gathered.version.identifier for one in sides)),
        events=(len(a.events), len(b.events)),
        common=sum(1 for one in a.events if one in b.events),
        only=cast("tuple[tuple[EventId, ...], tuple[EventId, ...]]", only),
        outcomes=tuple(outcomes),
        state=state,
        entries=cast(
            "tuple[int | None, int | None]",
            tuple(None if one is None else len(entries_of(one)) for one in states),
        ),
        state_unknown=cast(
            "tuple[bool, bool]", tuple(one is None or bool(unknown_of(one)) for one in states)
        ),
        open=open_,
        recorded_state=recorded_state,
        recorded_lost=recorded_lost,
        extremities=_ends(a, b),
        parting=parting,
        copies=tuple(
            one
            for one in order
            if one in a.events
            and one in b.events
            and a.events[one].pdu.get("content") != b.events[one].pdu.get("content")
        ),
        dropped=cast(
            "tuple[tuple[EventId, ...], tuple[EventId, ...]]",
            tuple(
                tuple(
                    one
                    for one in mine.found.dropped
                    if one not in other.events and one not in other.found.dropped
                )
                for mine, other in (sides, (b, a))
            ),
        ),
        otherwise=cast(
            "tuple[tuple[EventId, ...], tuple[EventId, ...]]",
            tuple(
                tuple(e for e in order if e in side.events and side.decided_otherwise(e)) for side in sides
            ),
        ),
    )
    if parting is None and not compared.agree:
        return _with_state_parting(compared, a, b)
    return compared


def _joint_order(a: Side, b: Side) -> list[EventId]:
    """Return the events of both sources, parents before children as far as they are not on a cycle."""
    seen: set[EventId] = set()
    order: list[EventId] = []
    for start in chain(a.found.replay.order, b.found.replay.order, a.events, b.events):
        todo = [start]
        while todo:
            event_id = todo[-1]
            found = a.events.get(event_id) or b.events[event_id]
            if event_id not in seen:
                seen.add(event_id)
                cited = (*found.prev_event_ids, *found.auth_event_ids)
                before = [one for one in cited if one not in seen and (one in a.events or one in b.events)]
                todo += reversed(before)
                if before:
                    continue
            todo.pop()
            order.append(event_id)
    return [*dict.fromkeys(order)]


def _outcome(event_id: EventId, a: Side, b: Side) -> OutcomeDiffers | None:
    outcome = a.outcome(event_id), b.outcome(event_id)
    recorded = a.recorded(event_id), b.recorded(event_id)
    unsure = event_id in a.unsure or event_id in b.unsure
    same = outcome[0] == outcome[1] or (unsure and {*outcome} == {"accepted", "soft-failed"})
    if {*recorded} == {"accepted", "soft-failed"} and not (a.says_soft_failed and b.says_soft_failed):
        recorded = "", ""  # the accepted one may have been soft-failed too
    if same and (recorded[0] == recorded[1] or not all(recorded)):
        return None
    return OutcomeDiffers(event_id, outcome, recorded)


def _is_open(event_id: EventId, a: Side, b: Side) -> bool:
    """Tell whether the outcomes of an event are not known to be the same, nor to differ."""
    if event_id in a.unsure or event_id in b.unsure:
        return True
    return a.outcome(event_id) in (UNDECIDED, "not judged")


def _part(event_id: EventId, differs: OutcomeDiffers | None, a: Side, b: Side) -> Parting:
    """Say why the sources part at an event."""
    named = event(event_id)
    if differs is None:
        mine, lacking, other = ("A", "B", b) if event_id in a.events else ("B", "A", a)
        gathered = other.found.gathered
        if event_id in gathered.left_out:
            text = "{named} is only used in {mine}: {lacking} has it too, but it is dropped there: {reason}."
            why = said(
                text,
                named=named,
                mine=mine,
                lacking=lacking,
                reason=finding_said(gathered.left_out[event_id]),
            )
            return Parting(event_id, Cause.DROPPED, lacking, why)
        citing = other.found.replay.missing.get(event_id, ())
        found = (a if mine == "A" else b).events[event_id]
        ends = {*other.found.replay.forward_extremities}
        text = "{named} is missing in {lacking}, and no event there cites it."
        if citing:
            text = "{named} is missing in {lacking}, though {citing} there cites it: {lacking} has a gap."
        elif found.prev_event_ids and ends.issuperset(found.prev_event_ids):
            text = "{named} is missing in {lacking}. It follows the newest events there: {lacking} is behind."
        elif all(one in other.events for one in found.prev_event_ids):
            text = "{named} is missing in {lacking}, which has the events before it. No event there cites it."
        citing_part: Said = (event(citing[0]),) if citing else ()
        return Parting(
            event_id,
            Cause.MISSING,
            lacking,
            said(text, named=named, lacking=lacking, citing=citing_part),
        )
    if _kind(differs) is Cause.ARRIVAL and (behind := _behind_failure(event_id, a, b)) is not None:
        both = behind in a.events and behind in b.events
        return _part(behind, _outcome(behind, a, b) if both else None, a, b)
    sides: tuple[Said, ...] = ()
    if differs.outcome[0] != differs.outcome[1]:
        sides = tuple(_why_there(one.found, event_id) for one in (a, b))
    return Parting(event_id, _kind(differs), "", _both(event_id, differs, a, b), sides)


def _why_there(found: RoomCheck, event_id: EventId) -> Said:
    """Say in about one sentence why an event has its outcome in a source."""
    if event_id in found.dropped or event_id in found.gathered.apart:
        return explain_event(found, event_id).why
    outcome = found.replay.outcomes[event_id]
    by_rules = isinstance(found.replay.soft_failed.get(event_id), Verdict)
    if by_rules or not (outcome.accepted or outcome.status is Status.UNDECIDED):
        return why_refused(found, event_id)
    return OutcomeWords(found, found.gathered.events[event_id]).said()


def _behind_failure(event_id: EventId, a: Side, b: Side) -> EventId | None:
    """Return an event that soft-failed another in one source, and that the other source lacks or rejects."""
    for side, other in ((a, b), (b, a)):
        if side.outcome(event_id) != "soft-failed":
            continue
        for fact in list_facts(side.events[event_id], state_at_arrival(side.found, event_id)):
            one = fact.event_id
            if one is None or one not in side.events:
                continue
            differs = _outcome(one, a, b) if one in other.events else None
            if one not in other.events or (differs is not None and _kind(differs) is Cause.DECISION):
                return one
    return None


def _kind(differs: OutcomeDiffers) -> Cause:
    one, other = differs.outcome
    if one == other:
        return Cause.RECORDED
    if UNDECIDED in differs.outcome or "not judged" in differs.outcome:
        return Cause.UNDECIDED
    return Cause.ARRIVAL if {one, other} == {"accepted", "soft-failed"} else Cause.DECISION


def _both(event_id: EventId, differs: OutcomeDiffers, a: Side, b: Side) -> Said:
    """Say what became of an event in both sources."""
    if differs.outcome[0] == differs.outcome[1]:
        return said(
            "The server of A {one} {named}, and the server of B {other} it. By the rules it is {outcome} in"
            " both.",
            named=event(event_id),
            one=differs.recorded[0],
            other=differs.recorded[1],
            outcome=differs.outcome[0],
        )
    sentences = [
        said(
            "{named} is {one} in A and {other} in B.",
            named=event(event_id),
            one=differs.outcome[0],
            other=differs.outcome[1],
        ),
    ]
    if _kind(differs) is Cause.ARRIVAL:
        sentences.append(said(_why_arrival(event_id, a, b)))
    return joined(sentences)


def _why_arrival(event_id: EventId, a: Side, b: Side) -> str:
    """Say what can make an event soft-failed in one source only."""
    if any(isinstance(one.found.replay.soft_failed.get(event_id), PolicyRefusal) for one in (a, b)):
        return "The copies differ in the signature of the policy server, or the policy that each source has."
    if a.events.keys() != b.events.keys():
        return (
            "The order in which events arrive decides this, or what only one of them has decides it. Then the"
            " other one needs that."
        )
    return "The order in which events arrive decides this, so both may be right, and nothing needs repair."


def _entries(
    one: StateMap[EventId] | None, other: StateMap[EventId] | None, a: Side, b: Side
) -> tuple[EntryDiffers, ...]:
    """Return the keys that two states are known to differ at."""
    assert one is not None
    assert other is not None
    found = []
    for key in dict.fromkeys(chain(entries_of(one), entries_of(other))):
        try:
            values = one.get(key), other.get(key)
        except UnknownState:
            continue
        if values[0] != values[1]:
            found.append(EntryDiffers(key, *values, joined([*_why_entry(*values, a, b)])))
    return tuple(sorted(found, key=lambda entry: entry.key))


def _why_entry(one: EventId | None, other: EventId | None, a: Side, b: Side) -> Iterator[Said]:
    """Say what keeps each source from having the other's event."""
    told = False
    for theirs, mine, name, side in ((one, "A", "B", b), (other, "B", "A", a)):
        if theirs is None:
            continue
        outcome = side.outcome(theirs)
        if outcome != "accepted":
            words = (
                "lacks" if outcome == "missing" else "has not judged" if outcome == "not judged" else outcome
            )
            verb = f"{name} {words}" if words in ("lacks", "has not judged") else f"in {name} it is {words}"
            if words in ("lacks", "has not judged"):
                yield said("{verb} the event of {mine}.", verb=verb, mine=mine)
            else:
                yield said("The event of {mine}: {verb}.", mine=mine, verb=verb)
            told = True
    if not told:
        yield said("Both have accepted the events of both, and state resolution or the history differs.")


def _recorded_entries(
    a: Side, b: Side
) -> tuple[tuple[EntryDiffers, ...] | None, tuple[tuple[EventId, ...], tuple[EventId, ...]]]:
    """Return the keys that the recorded current states differ at; None if a source has none.

    Also the events that only one of these states has and that neither source has: their keys are unknown, so
    the other state may have an event for a key that this one seems to lack.
    """
    if a.state is None or b.state is None:
        return None, ((), ())
    states: list[dict[StateKey, EventId]] = []
    lost: list[tuple[EventId, ...]] = []
    for mine, other in ((a.state, b.state), (b.state, a.state)):
        state: dict[StateKey, EventId] = {}
        unknown = []
        for event_id in sorted(mine):
            found = a.events.get(event_id) or b.events.get(event_id)
            if found is not None and found.state_key is not None:
                state[found.type, found.state_key] = event_id
            elif found is None and event_id not in other:
                unknown.append(event_id)
        states.append(state)
        lost.append(tuple(unknown))
    differing = []
    for key in sorted({*states[0], *states[1]}):
        values = states[0].get(key), states[1].get(key)
        lacking = any(one is None and ids for one, ids in zip(values, lost, strict=True))
        if values[0] != values[1] and not lacking:
            differing.append(EntryDiffers(key, *values))
    return tuple(differing), (lost[0], lost[1])


def _ends(a: Side, b: Side) -> tuple[tuple[EventId, ...], tuple[EventId, ...]] | None:
    """Return the forward extremities that only one has; None if one's are uncertain."""
    if not (a.found.replay.extremities_known and b.found.replay.extremities_known):
        return None
    one, other = ({*side.found.replay.forward_extremities} for side in (a, b))
    return tuple(sorted(one - other)), tuple(sorted(other - one))


def _with_state_parting(compared: Compared, a: Side, b: Side) -> Compared:
    """Return the same, with the reason why sources with the same events and decisions differ."""
    if compared.versions[0] != compared.versions[1]:
        text = "The sources are read as different room versions, so other rules and another algorithm apply."
    elif compared.state:
        text = "The events and decisions are the same. The states that the sources give at gaps differ."
    elif compared.recorded_state or any(compared.recorded_lost):
        text = (
            "The events and decisions are the same, and give the same state. The servers recorded different"
            " states: one of them resolved otherwise, or was not up to date."
        )
        parting = Parting(None, Cause.STATE, "", joined([said(text), *_other_algorithms(a, b)]))
        return replace(compared, parting=parting)
    else:
        text = "The events and decisions are the same. Only the forward extremities differ."
    parting = Parting(None, Cause.STATE, "", said(text))
    return replace(compared, parting=parting)


def _other_algorithms(a: Side, b: Side) -> Iterator[Said]:
    """Say which recorded states are those of another algorithm than the room version's."""
    for name, side in (("A", a), ("B", b)):
        replayed, version = side.found.replay, side.found.gathered.version
        if replayed.current_is_given:
            continue  # it is used alone, and no algorithm resolves anything
        own = version.state_resolution
        try:
            states = {
                one: frozenset(entries_of(replayed.resolution_at(None, algorithm=one).state).values())
                for one in StateResolution
            }
        except (MissingEvents, UnknownState):
            continue
        for one, state in states.items():
            if state == side.state and state != states[own]:
                yield said(
                    "The state of {name} is what the algorithm {one} gives, and room version {version} has"
                    " the algorithm {own}.",
                    name=name,
                    one=one.value,
                    version=value(version.identifier),
                    own=own.value,
                )
