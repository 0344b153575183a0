"""Whether somebody meant a state reset: the check that decided, and the act on which it rests.

The definition is in `roomver.explain.resets`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..auth import check_against_state
from ..errors import RoomverError
from ..event import Event
from ..power import POWER_LEVELS
from ..replay import Replay, Reset
from ..resolution import Candidate, Check, Resolution
from ..room_check import RoomCheck
from ..rules import Verdict
from ..types import EventId, StateKey
from .branches import Branches
from .causes import cause_said
from .rule_words import rule_said
from .said import Said, event, joined, said
from .tried import TriedStates

__all__ = ["Intent", "IntentFinder", "Judgement"]

_JOIN_RULES: Final[StateKey] = ("m.room.join_rules", "")
_DEEPEST: Final = 40  # the most refusals that one refusal goes back over


class Intent(Enum):
    """Whether somebody meant a reset."""

    DESIGNED = "as designed"
    UNINTENDED = "unintended"
    UNKNOWN = "not classified"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The class of a reset, and what it was derived from.

    Attributes:
        intent: the class.
        why: the reason, in words: whole sentences without the last full stop.
        checked: the event whose check decided; None if that is not known.
        verdict: what the rules said in that check; None if they allowed it or were not asked.
        act: the event of another branch on which the refusal rests.
        root: if the event fell with another one: the reason why the first of them was lost.
        cause: what somebody did on another branch that led to it, in words; empty if that cannot be told.
    """

    intent: Intent
    why: Said
    checked: EventId | None = None
    verdict: Verdict | None = None
    act: EventId | None = None
    root: Said = ()
    cause: Said = ()


class IntentFinder:
    """Classifies the resets of a room."""

    def __init__(self, found: RoomCheck) -> None:
        self.replay: Replay = found.replay
        self.rejected: set[EventId] = found.replay.rejected
        self.branches: Branches = Branches(found.replay)
        self._after: Branches | None = None

    @property
    def after(self) -> Branches:
        """The same for what came after the merges. It has a bound of its own, so that it costs no class."""
        if self._after is None:
            self._after = Branches(self.replay)
        return self._after

    def at(self, resolution: Resolution) -> "MergeIntents":
        """Return what classifies the resets of one merge, whose resolution was traced."""
        return MergeIntents(self, resolution)


class MergeIntents:
    """Classifies the resets of one merge."""

    def __init__(self, finder: IntentFinder, resolution: Resolution) -> None:
        assert resolution.steps is not None
        self._branches = finder.branches
        self._events = finder.replay.events
        self._resolution = resolution
        self._judged: dict[EventId, Judgement] = {}
        self._tried = TriedStates(resolution.steps, self._events, finder.rejected)

    def judge(self, reset: Reset) -> Judgement:
        """Return the class of a reset."""
        why = self._resolution.why(reset.key)
        lost = event(reset.lost)
        candidate = next((one for one in why.candidates if one.event_id == reset.lost), None)
        if candidate is None:
            return Judgement(
                Intent.UNKNOWN, said("the trace of the resolution does not have {lost}", lost=lost)
            )
        if candidate.outcome == "refused" and candidate.check is not None:
            return self._refused(candidate.check, 0)
        if candidate.outcome == "overwritten" and candidate.by is not None:
            text = "the resolution allowed {lost}, and then tried {by}, which it put in its place"
            return Judgement(Intent.UNINTENDED, said(text, lost=lost, by=event(candidate.by)), candidate.by)
        if candidate.outcome == "not tried":
            return self._not_tried(reset, why.candidates)
        text = "the resolution allowed {lost}, and put the value back that all branches have"
        return Judgement(Intent.UNINTENDED, said(text, lost=lost), reset.lost)

    def _not_tried(self, reset: Reset, candidates: tuple[Candidate, ...]) -> Judgement:
        """Version 1's algorithm stops a pass at the first event that is refused."""
        lost = event(reset.lost)
        for one in candidates:
            check = one.check
            if check is None or check.accepted or check.verdict is None:
                continue
            state = self._tried.state_of(check)
            reason = (
                said("it was refused")
                if state is None
                else rule_said(self._events[check.event_id], check.verdict, state)
            )
            text = "the resolution did not try {lost}, because it stopped at {other}: {reason}"
            why = said(text, lost=lost, other=event(check.event_id), reason=reason)
            return Judgement(Intent.UNINTENDED, why, check.event_id, check.verdict)
        text = "the resolution did not try {lost}, because it took {winner} first"
        winner = "another event" if reset.restored is None else event(reset.restored)
        return Judgement(Intent.UNINTENDED, said(text, lost=lost, winner=winner), reset.restored)

    def _refused(self, check: Check, depth: int) -> Judgement:
        """Return the class of a reset whose event was refused in a check.

        Args:
            check: the check.
            depth: the number of refusals that led here.
        """
        known = self._judged.get(check.event_id)
        if known is None:
            # An event that relies on itself stays unclassified.
            text = "it goes back over more refusals than are followed"
            self._judged[check.event_id] = Judgement(Intent.UNKNOWN, said(text), check.event_id)
            known = self._judge_refusal(check, depth)
            self._judged[check.event_id] = known
        return known

    def _judge_refusal(self, check: Check, depth: int) -> Judgement:
        subject = self._events[check.event_id]
        verdict = check.verdict
        state = self._tried.state_of(check)
        if verdict is None or state is None:
            text = "the state that {lost} was tried on cannot be rebuilt"
            return Judgement(
                Intent.UNKNOWN, said(text, lost=event(subject.event_id)), check.event_id, verdict
            )
        reason = rule_said(subject, verdict, state)
        first = said(
            "when the resolution tried {lost}, it refused it: {why}", lost=event(subject.event_id), why=reason
        )
        later: list[Judgement] = []
        led: Said = ()
        added = said("No ban, removal or demotion of another branch took that right away")
        for key in rests_on(subject, verdict):
            found = state.get(key)
            if found is not None:
                act, known = self._act(subject, found, state)
                if not known:
                    text = "{first}. Whether somebody meant that is unknown, because {reason}"
                    bound = self._branches.exhausted
                    why_not = "the search takes too long" if bound else "events are missing"
                    why = said(text, first=first, reason=why_not)
                    return Judgement(Intent.UNKNOWN, why, check.event_id, verdict)
                if act is not None:
                    why = said("{first}. {act} came on another branch", first=first, act=event(act))
                    act_event = self._events[act]
                    done = cause_said(act_event, subject, state, self._cited_levels(act_event))
                    return Judgement(Intent.DESIGNED, why, check.event_id, verdict, act, cause=done)
                if self._branches.follows(found.event_id, subject.event_id):
                    text = "{later} came after it, and was not meant to undo it"
                    added = said(text, later=event(found.event_id))
                elif key == _JOIN_RULES and self._branches.apart(subject.event_id, found.event_id):
                    text = (
                        "{rule} came on another branch, and a join rule is not meant to remove those who"
                        " joined before they had it"
                    )
                    added = said(text, rule=event(found.event_id))
                    led = cause_said(found, subject, state, None)
            lost = self._lost_cause(subject, key, found, depth + 1)
            if lost is not None:
                later.append(lost)
        for cause in sorted(later, key=lambda one: one.intent is not Intent.DESIGNED):
            text = "{first}. What it relied on was lost before: {cause}"
            root = cause.root or cause.why
            why = said(text, first=first, cause=root)
            return Judgement(cause.intent, why, check.event_id, verdict, cause.act, root, cause.cause)
        return Judgement(Intent.UNINTENDED, joined([first, added], ". "), check.event_id, verdict, cause=led)

    def _act(
        self, subject: Event, found: Event, state: Mapping[StateKey, Event]
    ) -> tuple[EventId | None, bool]:
        """Return the event of another branch that took a right away, and whether the answer is known.

        Args:
            subject: the event that was refused.
            found: the event of the state on which the refusal rests.
            state: the state that the rules read.
        """
        if found.type == "m.room.member":
            if found.content.get("membership") not in ("ban", "leave"):
                return None, True
            apart = self._branches.apart(subject.event_id, found.event_id)
            return (found.event_id if apart else None), apart is not None
        if (found.type, found.state_key) != POWER_LEVELS:
            return None, True
        # Back over the power levels of the other branch, to those that the sender's level fell with.
        one: Event | None = found
        seen: set[EventId] = set()
        while one is not None and one.event_id not in seen:
            seen.add(one.event_id)
            apart = self._branches.apart(subject.event_id, one.event_id)
            if apart is None:
                return None, False
            before = self._cited_levels(one)
            if before is None and any(cited not in self._events for cited in one.auth_event_ids):
                return None, False  # it may have replaced levels that are missing
            if apart and _allows(subject, state, before):
                return one.event_id, True
            one = before
        return None, True

    def _cited_levels(self, one: Event) -> Event | None:
        """Return the power levels that an event cites; None if it cites none that are here."""
        for event_id in one.auth_event_ids:
            cited = self._events.get(event_id)
            if cited is not None and (cited.type, cited.state_key) == POWER_LEVELS:
                return cited
        return None

    def _lost_cause(self, subject: Event, key: StateKey, found: Event | None, depth: int) -> Judgement | None:
        """Return why the resolution lost the event of a key that an event relies on; None if it did not."""
        for event_id in subject.auth_event_ids:
            one = self._events.get(event_id)
            if one is None or (one.type, one.state_key) != key or one is found:
                continue
            check = self._tried.check_of(event_id)
            if check is None:
                continue
            if not check.accepted:
                if depth > _DEEPEST:
                    text = "it goes back over more refusals than are followed"
                    return Judgement(Intent.UNKNOWN, said(text), check.event_id)
                return self._refused(check, depth)
            if found is None:
                if self._tried.is_later(check, subject.event_id):
                    text = "the resolution tried {one} only after it"
                else:
                    text = "{one} was not in the state yet, because version 1 resolves it in the same pass"
                return Judgement(Intent.UNINTENDED, said(text, one=event(event_id)), event_id)
            if self._branches.follows(found.event_id, event_id):
                continue  # it replaced the other on its own branch
            text = "the resolution tried {found} after {one}, and put it in its place"
            why = said(text, found=event(found.event_id), one=event(event_id))
            return Judgement(Intent.UNINTENDED, why, event_id)
        return None


def rests_on(subject: Event, verdict: Verdict) -> Iterator[StateKey]:
    """Yield the keys of the state on which a refusal rests, the most telling first."""
    name = verdict.rule.name
    sender: StateKey = ("m.room.member", subject.sender)
    target: StateKey = ("m.room.member", subject.state_key or "")
    if name in _BY_SENDER:
        yield sender
    elif name in _BY_TARGET:
        yield target
    elif name in _BY_JOIN_RULE:
        yield _JOIN_RULES
        yield sender
        authoriser = subject.content.get("join_authorised_via_users_server")
        if type(authoriser) is str:
            yield "m.room.member", authoriser
            yield POWER_LEVELS
    elif name in _BY_LEVEL:
        yield POWER_LEVELS
        if name == "member.leave.banned":
            yield target


_BY_SENDER: Final = frozenset(
    {
        "sender.not_joined",
        "member.invite.sender_not_joined",
        "member.leave.sender_not_joined",
        "member.ban.sender_not_joined",
        "member.join.banned",
        "member.leave.self",
        "member.knock.otherwise",
    }
)
_BY_TARGET: Final = frozenset({"member.invite.target_in_room", "member.invite.third_party.banned"})
_BY_JOIN_RULE: Final = frozenset(
    {"member.join.otherwise", "member.join.restricted.authoriser", "member.knock.join_rule"}
)
_BY_LEVEL: Final = frozenset(
    {
        "required_level",
        "third_party_invite.level",
        "state_key.owner",
        "member.invite.otherwise",
        "member.leave.banned",
        "member.leave.otherwise",
        "member.ban.otherwise",
        "power_levels.level_current",
        "power_levels.level_new",
        "power_levels.events_current",
        "power_levels.events_new",
        "power_levels.users_current",
        "power_levels.users_new",
        "redaction.otherwise",
    }
)


def _allows(subject: Event, state: Mapping[StateKey, Event], levels: Event | None) -> bool:
    """Tell whether the rules allow an event with other power levels in the state; None stands for none."""
    changed = {key: one for key, one in state.items() if key != POWER_LEVELS}
    if levels is not None:
        changed[POWER_LEVELS] = levels
    try:
        return check_against_state(subject, changed).allowed
    except RoomverError:
        return False
