"""Who may redact: rule 11 of versions 1 and 2, and the check before a redaction is applied."""

from typing import NamedTuple, NoReturn

from ..errors import MissingEvents, refuse_truth
from ..event import Event
from ..identifiers import server_of
from ..rules import REDACTION_LEVEL, REDACTION_OTHERWISE, REDACTION_SAME_DOMAIN, Verdict
from ..types import StateMap
from .context import Context, create_of


def check_redaction(context: Context) -> Verdict:
    """Check an ``m.room.redaction`` event of version 1 or 2."""
    event = context.event
    # If the sender's power level is greater than or equal to the redact level, allow.
    if context.levels.user(event.sender) >= context.levels.named("redact"):
        return context.allow(REDACTION_LEVEL)
    # If the domain of the event_id of the event being redacted is the same as the domain of the
    # event_id of the m.room.redaction, allow. These are the domains of event IDs, not of senders. A redaction
    # without a target has no domain to compare and is rejected (Synapse allows it).
    if event.redacts is not None and _same_server(event.redacts, event.event_id):
        return context.allow(REDACTION_SAME_DOMAIN, redacts=event.redacts)
    # Otherwise, reject.
    return context.reject(REDACTION_OTHERWISE, redacts=event.redacts or "none", **context.compared("redact"))


def _same_server(one: str, other: str) -> bool:
    return ":" in one and server_of(one) == server_of(other)


class RedactionDecision(NamedTuple):
    """Whether a redaction is to be applied to its target, and why.

    It has no truth value: use `applies`.
    """

    applies: bool
    reason: str

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".applies")


def redaction_applies(redaction: Event, target: Event, state: StateMap[Event]) -> RedactionDecision:
    """Decide whether an accepted redaction applies to an event.

    Source: https://spec.matrix.org/latest/rooms/v11/#handling-redactions; in versions 1 and 2 the
    authorisation rules decide. As clarified in 1.17, the level required to send the target's type does not
    matter, nor does the level of the target's sender.

    The specification is silent on three points, on which all servers agree. The target must be in the same
    room. A create event is never redacted (in versions 1 to 10 it would lose its room version). A rejected
    redaction does not apply; the caller checks this.

    Args:
        redaction: an accepted event of type ``m.room.redaction``.
        target: the event to redact. It may have arrived before the redaction or after it.
        state: the room state before the redaction, key to event.

    Raises:
        MissingEvents: if the state has no create event.
        WrongRoom: if the state is not from the redaction's room.
        UnknownState: if a key that is needed is unknown in a state that is known in part.
    """
    if redaction.type != "m.room.redaction":
        return RedactionDecision(False, f"{redaction.event_id} has type {redaction.type}")
    if redaction.redacts is None:
        return RedactionDecision(False, "the redaction names no event")
    if redaction.redacts != target.event_id:
        return RedactionDecision(False, f"the redaction names another event, {redaction.redacts}")
    if redaction.room_id != target.room_id:
        return RedactionDecision(False, f"the event is in another room, {target.room_id}")
    if target.type == "m.room.create":
        return RedactionDecision(False, "a create event is never redacted")
    create = create_of(state)
    if create is None:
        raise MissingEvents(["m.room.create"])
    context = Context(redaction, state, create)
    if redaction.room_version.redaction_rule:
        verdict = check_redaction(context)
        return RedactionDecision(verdict.allowed, str(verdict))
    # 1. The power level of the redaction event's sender is greater than or equal to the redact level.
    level, needed = context.levels.user(redaction.sender), context.levels.named("redact")
    compared = f"sender level {level if type(level) is int else 'infinite'}, redact level {needed}"
    if level >= needed:
        return RedactionDecision(True, compared)
    # 2. The domain of the redaction event's sender matches that of the original event's sender.
    if server_of(redaction.sender) == server_of(target.sender):
        return RedactionDecision(True, f"both senders are on {server_of(target.sender)}")
    return RedactionDecision(False, f"{compared}, and the senders are on different servers")
