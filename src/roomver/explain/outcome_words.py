"""The outcome of an event in words: the first sentences of its explanation."""

from collections.abc import Sequence

from ..auth import check_against_state, state_of_auth_events
from ..errors import SHOWN, RoomverError
from ..event import Event
from ..findings import Finding
from ..policy import PolicyRefusal
from ..replay import CurrentCheck, Outcome, Replay, Status
from ..room_check import RoomCheck
from ..rules import Verdict
from ..selection import select_auth_types
from ..state import EventsOf
from ..types import EventId, StateMap
from .refused import find_first_refused, find_refused_join
from .rule_words import rule_said
from .said import Part, Said, entry, event, joined, said, value

__all__ = ["OutcomeWords", "auth_state", "finding_said", "state_at_arrival", "state_before", "why_refused"]


def finding_said(found: Finding) -> Said:
    """Return the first reasons of a finding. They quote the event."""
    shown = found.reasons[:3]
    more = len(found.reasons) - len(shown)
    text = "; ".join(map(str, shown)) + (f"; and {more:,} more" if more else "")
    return said("{text}", text=value(text))


class OutcomeWords:
    """Says the outcome of one event.

    Args:
        found: the checked room.
        subject: the event.
    """

    def __init__(self, found: RoomCheck, subject: Event) -> None:
        self.found = found
        self.replay: Replay = found.replay
        self.event = subject
        self.outcome: Outcome = self.replay.outcomes[subject.event_id]
        self.check: CurrentCheck = self.replay.current_check(subject.event_id)
        self.named: Said = said("{event}", event=event(subject.event_id))

    def said(self) -> Said:
        """Return the first sentences: the outcome and why, also against what a server decided."""
        status, own = self.outcome.status, self.outcome.own
        if self.outcome.ours is not None and status is not own:
            if status is Status.ACCEPTED:
                did = said(
                    "{event} counts as accepted, because the server that recorded the room did so.",
                    event=self.named,
                )
            else:
                did = said(
                    "{event} counts as rejected, because the server that recorded the room did so.",
                    event=self.named,
                )
            return joined([did, said("By the rules, {event}", event=self._by_rules(own, said("it")))])
        return self._by_rules(own, self.named)

    def _by_rules(self, own: Status, named: Said) -> Said:
        match own:
            case Status.ACCEPTED | Status.REJECTED_AS_RECORDED:
                return self._accepted(named)
            case Status.REJECTED_BY_AUTH_EVENTS:
                return self._refused_by_auth_events(named)
            case Status.REJECTED_BY_STATE:
                verdict = self.outcome.by_state
                assert verdict is not None
                why = rule_said(self.event, verdict, state_before(self.found, self.event.event_id))
                text = "{event} was rejected by the state before it: {why}. Its own auth events allow it."
                return joined([said(text, event=named, why=why), *self._refused_join(verdict)])
            case Status.CYCLIC:
                return self._cyclic(named)
            case Status.UNDECIDED:
                return self._undecided(named)

    def _accepted(self, named: Said) -> Said:
        verdict, failure = self.outcome.by_state, self.check.failure
        if self.check.allowed is False:
            return self._soft_failed(named)
        if verdict is None:
            text = (
                "{event} was accepted: a server gave a state that has it, or that is based on it. Its own"
                " auth events allow it; the state before it is not known well enough to check."
            )
            said_first = said(text, event=named)
        else:
            why = rule_said(self.event, verdict, state_before(self.found, self.event.event_id))
            said_first = said("{event} was accepted: {why}.", event=named, why=why)
        if failure is None and self.check.allowed is None and self.check.made:
            text = "Whether it was soft-failed is unknown: {why}."
            return joined([said_first, said(text, why=value(self.check.why))])
        return said_first

    def _soft_failed(self, named: Said) -> Said:
        failure = self.check.failure
        if isinstance(failure, PolicyRefusal):
            text = "{event} was soft-failed: {reason}. The policy server is {server}, named by {policy}."
            server = failure.server
            return said(
                text,
                event=named,
                reason=failure.reason,
                server=value(server.name),
                policy=event(server.event_id),
            )
        if failure is None:
            return said("{event} was soft-failed by the server that recorded the room.", event=named)
        why = rule_said(self.event, failure, state_at_arrival(self.found, self.event.event_id))
        text = "{event} was soft-failed: when it arrived, the current state already said that {why}."
        allowed = said("At its own place in the room it is allowed.")
        return joined([said(text, event=named, why=why), allowed])

    def _refused_by_auth_events(self, named: Said) -> Said:
        verdict = self.outcome.by_auth_events
        assert verdict is not None
        chain = find_first_refused(self.replay, self.event.event_id)
        if not chain:
            why = rule_said(self.event, verdict, auth_state(self.found, self.event))
            text = "{event} was rejected by its own auth events: {why}."
            first = said(text, event=named, why=why)
            return joined([first, *self._not_cited(), *self._refused_join(verdict)])
        text = "{event} was rejected because it cites {cited}, which was rejected too."
        first = said(text, event=named, cited=event(chain[0]))
        root = chain[-1]
        if len(chain) > 1:
            text = "That goes back over {number} rejected events to the first: {root}."
            first = joined([first, said(text, number=f"{len(chain):,}", root=event(root))])
        return joined([first, why_refused(self.found, root, after_it=True)])

    def _not_cited(self) -> list[Said]:
        """Name what the event should have cited, if the state before it allows it."""
        subject, cited = self.event, {*self.event.auth_event_ids}
        before = state_before(self.found, subject.event_id)
        try:
            if not before or not check_against_state(subject, before).allowed:
                return []
            found = [before.get(key) for key in select_auth_types(subject)]
        except RoomverError:
            return []
        lacking = [one.event_id for one in found if one is not None and one.event_id not in cited]
        if not lacking:
            return []
        text = "The state before it would allow it: it should also have cited {events}."
        return [said(text, events=_listed(lacking))]

    def _refused_join(self, verdict: Verdict) -> list[Said]:
        """Say that a join of the sender was refused before, if that is why the sender is not in the room."""
        if not verdict.rule.name.endswith("not_joined"):
            return []
        join = find_refused_join(self.replay, self.event)
        if join is None:
            return []
        return [
            said("An earlier join, {join}, did not count.", join=event(join)),
            why_refused(self.found, join, after_it=True),
        ]

    def _cyclic(self, named: Said) -> Said:
        own = self.event.event_id
        cited = dict.fromkeys((*self.event.prev_event_ids, *self.event.auth_event_ids))
        outcomes = self.replay.outcomes
        others = [
            one for one in cited if one != own and one in outcomes and outcomes[one].status is Status.CYCLIC
        ]
        if own in cited or not others:
            return said("{event} was rejected: it cites itself.", event=named)
        text = "{event} was rejected: it cites itself through {others}."
        return said(text, event=named, others=_listed(others))

    def _undecided(self, named: Said) -> Said:
        outcome, replay = self.outcome, self.replay
        if outcome.missing:
            what = joined([self._why_missing(one) for one in outcome.missing[:SHOWN]], "; ")
            text = "{event} is undecided: of the events that it cites as auth events, {what}."
            first = said(text, event=named, what=what)
        elif outcome.unknown:
            keys = joined([said("{key}", key=entry(key)) for key in outcome.unknown[:SHOWN]], ", ")
            text = (
                "{event} is undecided: its own auth events allow it, but its check needs entries of the state"
                " before it that are unknown: {keys} ({why})."
            )
            first = said(text, event=named, keys=keys, why=value(outcome.why_unknown))
        else:
            gaps = replay.gaps.get(self.event.event_id, ())
            what = joined([self._why_missing(one) for one in gaps[:SHOWN]], "; ")
            text = (
                "{event} is undecided: its own auth events allow it, but the state before it is unknown:"
                " {what}."
            )
            first = said(text, event=named, what=what)
        behind = [one for one in replay.lacking(self.event.event_id) if one not in outcome.missing]
        if behind and outcome.missing:
            return joined([first, said("Missing behind that: {ids}.", ids=_listed(behind))])
        return first

    def _why_missing(self, event_id: EventId) -> Said:
        named = event(event_id)
        if event_id in self.found.dropped:
            why = finding_said(self.found.dropped[event_id].finding)
            return said("{event} was dropped ({why})", event=named, why=why)
        if event_id not in self.replay.events:
            return said("{event} is missing", event=named)
        if self.replay.outcomes[event_id].status is Status.UNDECIDED:
            return said("{event} is undecided itself", event=named)
        return said("the state after {event} is unknown", event=named)


def why_refused(found: RoomCheck, event_id: EventId, *, after_it: bool = False) -> Said:
    """Return one sentence: why a rejected or soft-failed event was refused.

    Args:
        found: the checked room.
        event_id: the event.
        after_it: whether it was named last before the sentence, so that "that one" is clear.
    """
    replay = found.replay
    outcome = replay.outcomes[event_id]
    subject = replay.events[event_id]
    named: Said | Part = event(event_id)
    if after_it:
        named = said("That one")
    if outcome.status is Status.CYCLIC:
        return said("{event} cites itself, directly or through others.", event=named)
    if outcome.status is Status.UNDECIDED:
        return said("{event} is undecided.", event=named)
    verdict = outcome.deciding
    if verdict is None or verdict.allowed:
        if isinstance(failure := replay.soft_failed.get(event_id), Verdict):
            why = rule_said(subject, failure, state_at_arrival(found, event_id))
            return said("{event} was soft-failed: {why}.", event=named, why=why)
        return said(
            "{event} was rejected by the server that recorded the room; the rules allow it.",
            event=named,
        )
    if outcome.by_state is not None:
        why = rule_said(subject, verdict, state_before(found, event_id))
        return said("{event} was rejected by the state before it: {why}.", event=named, why=why)
    why = rule_said(subject, verdict, auth_state(found, subject))
    text = "{event} was rejected by its own auth events: {why}."
    return said(text, event=named, why=why)


def auth_state(found: RoomCheck, subject: Event) -> StateMap[Event]:
    """Return the state that an event's auth events make up, without those of other rooms and missing ones."""
    if subject.type == "m.room.create":
        return {}
    events = found.gathered.events
    if any(one not in events for one in subject.auth_parents):
        return {}
    cited = state_of_auth_events(subject, events)
    return {key: one for key, one in cited.items() if one.room_id == subject.room_id}


def state_before(found: RoomCheck, event_id: EventId) -> StateMap[Event]:
    """Return the events of the state before an event; none if it is unknown."""
    before = found.replay.state_before(event_id)
    return {} if before is None else EventsOf(before, found.replay.events)


def state_at_arrival(found: RoomCheck, event_id: EventId) -> StateMap[Event]:
    """Return what the check against the current state at an event's arrival read; nothing if unknown."""
    entries = found.replay.current_entries(event_id)
    return {} if entries is None else EventsOf(entries, found.replay.events)


def _listed(event_ids: Sequence[EventId]) -> Said:
    named = joined([said("{one}", one=event(one)) for one in event_ids[:SHOWN]], ", ")
    more = len(event_ids) - SHOWN
    return said("{named} and {more} more", named=named, more=f"{more:,}") if more > 0 else named
