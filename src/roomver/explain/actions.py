"""Actions that a user may want to take in a room, as the events that a server would send for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..event import Event, parse_event
from ..identifiers import is_user_id
from ..power import DEFAULTS, POWER_LEVELS
from ..types import JsonObject, StateMap, UserId
from .drafting import completed
from .said import Said, event, said, user, value

__all__ = ["ACTIONS", "Action", "draft_of", "member_action", "parse_action"]

ACTIONS: Final[Mapping[str, str]] = {
    "send": "TYPE [KEY]",
    "invite": "USER",
    "kick": "USER",
    "ban": "USER",
    "unban": "USER",
    "join": "",
    "leave": "",
    "knock": "",
    "set-level": "WHAT LEVEL",
    "redact": "EVENT",
}
"""Each action, with the arguments that follow it."""

_MEMBERSHIPS: Final[Mapping[str, str]] = {
    "invite": "invite",
    "kick": "leave",
    "ban": "ban",
    "unban": "leave",
    "join": "join",
    "leave": "leave",
    "knock": "knock",
}

# State events of the specification with an empty state key.
_STATE_TYPES: Final = frozenset(
    f"m.room.{name}"
    for name in (
        *("power_levels", "join_rules", "history_visibility", "guest_access", "name", "topic", "avatar"),
        *("canonical_alias", "encryption", "server_acl", "pinned_events", "tombstone", "policy", "create"),
    )
)

# Events of the specification that clients send as messages. In a room whose state is known in part, a state
# event of such a type could be among what is unknown; it would not make the message one.
_MESSAGE_TYPES: Final = frozenset(
    (
        *("m.room.message", "m.room.encrypted", "m.sticker", "m.reaction", "m.room.redaction"),
        *("m.poll.start", "m.poll.response", "m.poll.end", "m.call.invite", "m.call.answer", "m.call.hangup"),
    )
)


@dataclass(frozen=True, slots=True)
class Action:
    """What a user wants to do.

    Attributes:
        name: one of `ACTIONS`.
        kind, state_key: the type and the state key of the event; None for a message. The state key None of a
            member event stands for the user who sends it.
        content: its content; None for the content that the state has, changed by `level`.
        target: the user whom it concerns, other than the sender.
        redacts: the event to redact.
        level: what is set to which level: a path into the content of the power levels, and the level.
        words: the action in words, after "may".
    """

    name: str
    kind: str
    state_key: str | None
    content: JsonObject | None
    words: Said
    target: UserId | None = None
    redacts: Event | None = None
    level: tuple[tuple[str, ...], int] | None = None


def parse_action(
    words: Sequence[str],
    state: StateMap[Event],
    *,
    content: JsonObject | None = None,
    redacts: Event | None = None,
) -> Action:
    """Return the action that words name.

    Args:
        words: a name of `ACTIONS` and its arguments.
        state: the state of the room. It tells whether other types than those of the specification are state.
        content: the content to send; None for a plain one.
        redacts: the event to redact, for that action.

    Raises:
        ValueError: saying what is wrong with the words.
        UnknownState: if the state is known in part, and whether the type is state is unknown.
    """
    name, *rest = words
    if name not in ACTIONS:
        raise ValueError(f"{name!r} is not an action: give one of {', '.join(ACTIONS)}")
    needed = [word for word in ACTIONS[name].split() if not word.startswith("[")]
    if not len(needed) <= len(rest) <= len(ACTIONS[name].split()):
        raise ValueError(f"expected: {name} {ACTIONS[name]}".rstrip())
    if content is not None and name != "send":
        raise ValueError("--content is only for the action send")
    if name == "send":
        return _sending(rest, state, content)
    if name == "set-level":
        return _level(rest[0], rest[1])
    if name == "redact":
        assert redacts is not None
        words_ = said("redact {event}", event=event(redacts.event_id))
        return Action(name, "m.room.redaction", None, {}, words_, redacts=redacts)
    if rest:
        return member_action(name, rest[0])
    words_ = said("{name}", name={"join": "join", "leave": "leave", "knock": "knock"}[name])
    return Action(name, "m.room.member", None, {"membership": _MEMBERSHIPS[name]}, words_)


def member_action(name: str, target: UserId) -> Action:
    """Return the action that changes the membership of another user.

    Raises:
        ValueError: if the target is not a user ID.
    """
    if not is_user_id(target):
        raise ValueError(f"{target!r} is not a user ID: expected '@name:server'")
    words = said("{name} {target}", name=name, target=user(target))
    return Action(name, "m.room.member", target, {"membership": _MEMBERSHIPS[name]}, words, target)


def _sending(rest: Sequence[str], state: StateMap[Event], content: JsonObject | None) -> Action:
    kind = rest[0]
    if kind == "m.room.member":
        raise ValueError("a membership has actions of its own: join, leave, knock, invite, kick, ban, unban")
    key = rest[1] if len(rest) > 1 else None
    if key is None and kind not in _MESSAGE_TYPES:
        key = "" if kind in _STATE_TYPES or state.get((kind, "")) is not None else None
    if key is None:
        return Action("send", kind, None, content or {}, said("send {kind}", kind=value(kind)))
    text = "set {kind}" if key == "" else 'set {kind} for "{key}"'
    words = said(text, kind=value(kind), key=value(key))
    return Action("send", kind, key, {} if content is None and kind != POWER_LEVELS[0] else content, words)


def _level(what: str, level: str) -> Action:
    try:
        number = int(level)
    except ValueError:
        raise ValueError(f"{level!r} is not a level: give an integer") from None
    if abs(number) > 2**53 - 1:
        raise ValueError(f"{level} is not a level: it is beyond the integers of JSON that servers read")
    if what.startswith("@") and not is_user_id(what):
        raise ValueError(f"{what!r} is not a user ID: expected '@name:server'")
    path = ("users", what) if what.startswith("@") else (what,) if what in DEFAULTS else ("events", what)
    shown = user(what) if what.startswith("@") else value(what)
    words = said("set the level of {what} to {level}", what=shown, level=str(number))
    target = what if what.startswith("@") else None
    return Action("set-level", *POWER_LEVELS, None, words, target, level=(path, number))


def draft_of(
    action: Action,
    sender: UserId,
    state: StateMap[Event],
    create: Event,
    more: JsonObject | None = None,
) -> Event:
    """Return the event that a server would make for a user's action, with the rest made up.

    Args:
        action: the action.
        sender: the user.
        state: the state of the room.
        create: its create event.
        more: more keys of the content.

    Raises:
        UnknownState: if the content depends on an entry that is unknown in a state that is known in part.
        RoomverError: if it would not be an event, for example because the type is too long.
    """
    version = create.room_version
    key = sender if action.kind == "m.room.member" and action.state_key is None else action.state_key
    pdu: JsonObject = {"type": action.kind, "sender": sender, "content": _content(action, state, more)}
    if key is not None:
        pdu["state_key"] = key
    if action.kind == "m.room.create":
        # Whatever is sent into a room follows something there, which a create event must not.
        pdu["prev_events"] = [[create.event_id, {}] if version.references_carry_hashes else create.event_id]
    if action.redacts is not None:
        target = action.redacts.event_id
        if version.redacts_in_content:
            pdu["content"] = {"redacts": target}
        else:
            pdu["redacts"] = target
    return parse_event(completed(pdu, version, create), version)


def _content(action: Action, state: StateMap[Event], more: JsonObject | None) -> JsonObject:
    if action.content is not None:
        return {**action.content, **(more or {})}
    levels = state.get(POWER_LEVELS)
    content: JsonObject = {} if levels is None else dict(levels.content)
    if action.level is not None:
        path, number = action.level
        if len(path) == 1:
            content[path[0]] = number
        else:
            inner = content.get(path[0])
            content[path[0]] = {**(inner if type(inner) is dict else {}), path[1]: number}
    return content
