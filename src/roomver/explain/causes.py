"""What somebody did on another branch that led to a state reset, in words. Nothing is judged here."""

from collections.abc import Mapping

from ..event import Event
from ..power import Levels
from ..types import StateKey
from .said import Said, event, joined, said, user, value

__all__ = ["cause_said"]

_NEEDED = {"invite": "invite", "ban": "ban", "leave": "kick"}  # a membership to the level that it needs


def cause_said(act: Event, subject: Event, state: Mapping[StateKey, Event], before: Event | None) -> Said:
    """Say what an event of another branch did to the event that was lost, or to its sender.

    Args:
        act: the event of the other branch: power levels, a join rule, or a ban, kick or departure.
        subject: the event that was refused for it.
        state: the state on which it was refused.
        before: the power levels that `act` replaced; None if there were none.

    Returns:
        Words without a capital and a full stop; empty if it cannot be told.
    """
    match act.type:
        case "m.room.member":
            told = _member_said(act)
        case "m.room.power_levels":
            told = _levels_said(act, subject, state.get(("m.room.create", "")), before)
        case "m.room.join_rules":
            rule = value(act.content.get("join_rule"))
            told = said("{sender} set the join rule to {rule}", sender=user(act.sender), rule=rule)
        case _:
            return ()
    if not told:
        return ()
    return said("{told} on another branch ({act})", told=told, act=event(act.event_id))


def _member_said(act: Event) -> Said:
    target = act.state_key or ""
    done = "banned" if act.content.get("membership") == "ban" else "removed"
    if act.sender == target:
        return said("{sender} left", sender=user(act.sender))
    return said("{sender} {done} {target}", sender=user(act.sender), done=done, target=user(target))


def _levels_said(act: Event, subject: Event, create: Event | None, before: Event | None) -> Said:
    """Say which level fell, and which one rose."""
    old, new = Levels(create, before), Levels(create, act)
    sender, who = user(act.sender), subject.sender
    told = []
    had, has = old.user(who), new.user(who)
    if has < had:
        whom = said("themself") if act.sender == who else said("{who}", who=user(who))
        text = "{sender} demoted {whom} from {had} to {has}"
        told.append(said(text, sender=sender, whom=whom, had=f"{had}", has=f"{has}"))
    membership = subject.content.get("membership")
    name = _NEEDED.get(membership) if subject.type == "m.room.member" and type(membership) is str else None
    if name is not None:
        needed, needs = old.named(name), new.named(name)
    else:
        is_state = subject.state_key is not None
        needed, needs = old.required(subject.type, is_state), new.required(subject.type, is_state)
    if needs > needed and (name is not None or subject.type != "m.room.member"):
        text = "{sender} raised the level for {what} from {needed} to {needs}"
        what = value(name or subject.type)
        told.append(said(text, sender=sender, what=what, needed=f"{needed}", needs=f"{needs}"))
    return joined(told, " and ")
