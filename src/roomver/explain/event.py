"""Why an event has its outcome: one paragraph, the checks with what they compared, and the change it made."""

from collections.abc import Mapping
from typing import Final

from ..errors import SHOWN, Lack, counted
from ..event import Event
from ..findings import Action, Finding, FindingKind
from ..power import POWER_LEVELS
from ..redacted import find_redactions
from ..replay import CurrentCheck, Outcome, Replay, Status
from ..room_check import RoomCheck
from ..rules import Verdict
from ..types import EventId, JsonValue, StateMap
from ..undecided import lack_behind, lacks_among
from .change import Change, change_said, find_change, find_joint, joint_said, levels_said
from .explained import Explained, Verdicted
from .facts import list_facts
from .judged import Judged, judge
from .outcome_words import OutcomeWords, auth_state, finding_said, state_at_arrival, state_before
from .refused import find_first_refused
from .rule_words import rule_said
from .said import Said, event, finding, joined, said, value

__all__ = ["explain_event", "explain_left_out", "explain_missing"]

_RECEIPT: Final = "the checks on receipt"
_AUTH_EVENTS: Final = "its auth events"
_BEFORE: Final = "the state before it"
_CURRENT: Final = "the current state when it arrived"


def explain_left_out(
    event_id: EventId | None, found: Finding, recorded: str = "", unsigned: Event | None = None
) -> Explained:
    """Explain an event that a server drops before any rule is applied.

    Args:
        event_id: its ID, if it has one.
        found: why it is left out.
        recorded: as in `Explained`.
        unsigned: the event, if it is left out for its signatures only, to say whose it has.
    """
    checks = (_receipt(found),)
    which = said("The event") if event_id is None else said("{event}", event=event(event_id))
    why = said(
        "{which} {what}: {reason}.", which=which, what=finding(found.kind.value), reason=finding_said(found)
    )
    if found.kind is FindingKind.DAMAGED_ROW:
        judged = Judged.UNDECIDED
        why = joined([why, said("Nothing tells what its server had there.")])
    else:
        judged = Judged.DROPPED
        why = joined([why, said("A server drops it, as if it had never been received.")])
    sentences = [why, *_signed_by(unsigned), *_recorded(recorded, judged)]
    return Explained(event_id, judged, joined(sentences), checks, recorded=recorded)


def _signed_by(unsigned: Event | None) -> list[Said]:
    """Say whose signatures an event has, whether or not they verify."""
    if unsigned is None:
        return []
    signatures = unsigned.pdu.get("signatures")
    signed: Mapping[str, JsonValue] = signatures if isinstance(signatures, Mapping) else {}
    servers = sorted(server for server, mine in signed.items() if isinstance(mine, Mapping) and mine)
    if not servers:
        return [said("It has no signature.")]
    shown = ", ".join(servers[:SHOWN]) + (f" and {len(servers) - SHOWN:,} more" if servers[SHOWN:] else "")
    words = "It is signed only by {shown}." if len(servers) == 1 else "It is signed by {shown}."
    return [said(words, shown=value(shown))]


def explain_missing(found: RoomCheck, event_id: EventId) -> Explained:
    """Explain an event that no source has: say which events cite it."""
    citing = tuple(found.replay.missing.get(event_id, ()))
    text = "{event} is missing: no source has it, so only its ID is known. {cited}"
    cited = said("No event here cites it.")
    if citing:
        cites = counted(len(citing), "event cites it", "events cite it. The first")
        cited = said("{cites}: {first}.", cites=cites, first=event(citing[0]))
    why = said(text, event=event(event_id), cited=cited)
    missing = (event_id,)
    return Explained(event_id, Judged.MISSING, why, missing=missing, lacks=(Lack.MISSING,), cited_by=citing)


def _receipt(found: Finding) -> Verdicted:
    result = {Action.DROP: "dropped", Action.REDACT: "redacted form used", Action.FETCH_KEY: "undecided"}
    return Verdicted(_RECEIPT, result.get(found.kind.action, "undecided"), finding_said(found))


def explain_event(found: RoomCheck, event_id: EventId, recorded: str = "") -> Explained:
    """Explain an event of a room.

    Args:
        found: the checked room.
        event_id: a usable event of it. For one that is left out, use `explain_left_out`.
        recorded: as in `Explained`.

    Returns:
        The explanation. It names at most `SHOWN` missing events in words, and all of them in `missing`.

    Cost: a few passes over the events of the room.
    """
    if event_id in found.dropped:  # it is of another room
        return explain_left_out(event_id, found.dropped[event_id].finding, recorded)
    if event_id in found.gathered.apart:
        text = (
            "{event} is an outlier: no event of the room is based on it, and the server has no state for it."
        )
        why = joined([said(text, event=event(event_id)), *_recorded(recorded, Judged.NOT_JUDGED)])
        return Explained(event_id, Judged.NOT_JUDGED, why, recorded=recorded)
    return _Explainer(found, event_id, recorded).explained()


class _Explainer:
    """Collects what is said about one event."""

    def __init__(self, found: RoomCheck, event_id: EventId, recorded: str) -> None:
        self.found = found
        self.replay: Replay = found.replay
        self.recorded = recorded
        self.event: Event = found.gathered.events[event_id]
        self.outcome: Outcome = self.replay.outcomes[event_id]
        self.check: CurrentCheck = self.replay.current_check(event_id)

    def explained(self) -> Explained:
        event_id, status = self.event.event_id, self.outcome.status
        judged = judge(self.replay, event_id)
        sentences = [OutcomeWords(self.found, self.event).said()]
        receipt = [_receipt(one) for one in self.found.gathered.checks[event_id].findings]
        if any(one.result == "redacted form used" for one in receipt):
            sentences.append(
                said("Its content does not match its content hash, so only its redacted form is used.")
            )
        sentences += _recorded(self.recorded, judged)
        change = joint = None
        if status is Status.ACCEPTED and self.event.state_key is not None:
            change = find_change(self.replay, self.event)
            sentences += self._levels_said(change)
            sentences.append(change_said(change, soft_failed=judged is Judged.SOFT_FAILED))
        redacted_by = tuple(
            one.event_id for one in find_redactions(self.replay, event_id) if one.applies is True
        )
        if redacted_by:
            sentences.append(said("{redaction} redacted it.", redaction=event(redacted_by[0])))
        if status is not Status.CYCLIC:
            joint = find_joint(self.replay, event_id)
        if joint is not None:
            sentences.append(joint_said(joint))
        missing, lacks = self._lacking(judged)
        chain = find_first_refused(self.replay, event_id)
        return Explained(
            event_id=event_id,
            judged=judged,
            why=joined(sentences),
            checks=(*receipt, *self._checks()),
            refused=chain,
            change=change,
            redacted_by=redacted_by,
            joint=joint,
            recorded=self.recorded,
            missing=missing,
            lacks=lacks,
        )

    def _levels_said(self, change: Change) -> list[Said]:
        """Say which power levels the event changed."""
        if change.key != POWER_LEVELS or change.before is None:
            return []
        levels = levels_said(self.replay.events[change.before], self.event)
        return [said("It changed {levels}.", levels=levels)] if levels else []

    def _checks(self) -> list[Verdicted]:
        outcome = self.outcome
        if outcome.status is Status.CYCLIC:
            return []
        rows = [self._row(_AUTH_EVENTS, outcome.by_auth_events, auth_state(self.found, self.event))]
        if outcome.by_auth_events is not None and outcome.by_auth_events.allowed:
            rows.append(self._row(_BEFORE, outcome.by_state, state_before(self.found, self.event.event_id)))
        if not outcome.accepted:
            return rows
        check = self.check
        if isinstance(check.failure, Verdict):
            rows.append(self._row(_CURRENT, check.failure, state_at_arrival(self.found, self.event.event_id)))
        elif check.failure is not None:
            rows.append(Verdicted(_CURRENT, "refused", said("{why}", why=value(str(check.failure)))))
        else:
            result = {True: "allowed", False: "refused", None: "undecided" if check.made else "not made"}
            why = said("{why}", why=value(check.why)) if check.why else ()
            facts = (
                list_facts(self.event, state_at_arrival(self.found, self.event.event_id))
                if check.allowed
                else ()
            )
            rows.append(Verdicted(_CURRENT, result[check.allowed], why, facts=facts))
        return rows

    def _row(self, against: str, verdict: Verdict | None, state: StateMap[Event]) -> Verdicted:
        if verdict is None:
            if self.outcome.own is Status.ACCEPTED:
                return Verdicted(against, "not made", said("accepted by the server that gave the state"))
            return Verdicted(against, "undecided", ())
        facts = list_facts(self.event, state)
        why = rule_said(self.event, verdict, state)
        result = "allowed" if verdict.allowed else "refused"
        rule = verdict.rule.name, verdict.reason, verdict.number, verdict.url
        return Verdicted(against, result, why, *rule, facts)

    def _lacking(self, judged: Judged) -> tuple[tuple[EventId, ...], tuple[Lack, ...]]:
        """Return what would decide what is undecided."""
        event_id = self.event.event_id
        if judged is Judged.UNDECIDED:
            missing, lack, at_arrival = tuple(self.replay.lacking(event_id)), self.outcome.lack, False
        elif judged is Judged.ACCEPTED and self.check.allowed is None and self.check.made:
            if event_id in self.replay.unchecked:
                return (), ()  # a bound kept it from being checked: no event would tell
            missing, lack, at_arrival = self.check.missing, self.check.lack, True
        else:
            return (), ()
        if missing:
            return missing, lacks_among(missing, self.found.dropped)
        behind = self.replay.unknown_behind(event_id, at_arrival=at_arrival)
        return (), (lack_behind(self.found.gathered, lack, behind),)


def _recorded(recorded: str, judged: Judged) -> list[Said]:
    """Say what the server that recorded the room did, beside the outcome here."""
    if not recorded:
        return []
    if recorded == judged.value:
        return [said("The server that recorded the room decided the same.")]
    if judged in (Judged.UNDECIDED, Judged.NOT_JUDGED):
        return [said("The server that recorded the room {did} it.", did=recorded)]
    return [said("The server that recorded the room decided otherwise: it {did} it.", did=recorded)]
