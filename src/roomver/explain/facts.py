"""What the rules read in a state for one event, and from which event each value comes.

`roomver.auth.compared` names the same values as text. Here each value has its event, so that a sentence can
say who set a level, and when.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from ..auth.context import JOIN_RULES, Context, create_of
from ..canonical import shorten
from ..errors import UnknownState, WrongRoom
from ..event import Event
from ..power import POWER_LEVELS, Level
from ..types import EventId, JsonObject, JsonValue, StateMap, UserId
from .said import Said, event, said, user, value

__all__ = ["Fact", "Facts", "facts_in", "level_words", "list_facts", "membership_words"]

_HOW: Final[Mapping[str, str]] = MappingProxyType(
    {
        "set": "set by {source}",
        "users_default": "the default for users in {source}",
        "events": "for this type in {source}",
        "state_default": "for state events in {source}",
        "events_default": "for messages in {source}",
        "unset": "the default, which {source} does not set",
        "absent": "the default without power levels",
        "creator": "as creator of the room, {source}",
    }
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One value that the rules compared.

    Attributes:
        what: a name, such as ``sender's level``.
        user: the user whose membership or level it is; None for other values.
        value: an integer, ``infinite``, a membership or a join rule.
        event_id: the event that it comes from; None for a default without an event.
        how: how it follows from that event: ``set``, ``users_default``, ``events``, ``state_default``,
            ``events_default``, ``unset`` (the event leaves the default), ``absent`` (there is no such event)
            or ``creator``.
    """

    what: str
    user: UserId | None
    value: JsonValue
    event_id: EventId | None
    how: str

    def to_dict(self) -> JsonObject:
        """Return the fact as a JSON object."""
        return {
            "what": self.what,
            "user": self.user,
            "value": self.value,
            "event_id": self.event_id,
            "how": self.how,
        }

    @property
    def source(self) -> Said:
        """Where a level comes from, in words."""
        return said(_HOW[self.how], source="" if self.event_id is None else event(self.event_id))


class Facts:
    """The values that the rules read for one event in one state.

    Args:
        subject: the event.
        state: the state, key to event. It has a create event.

    Reading a value raises `UnknownState` if it is unknown in a state that is known in part.
    """

    def __init__(self, subject: Event, state: StateMap[Event], create: Event) -> None:
        self.event = subject
        self._context = Context(subject, state, create)
        self._create = create
        self._state = state

    def membership(self, who: str, whose: UserId) -> Fact:
        """Return a user's membership. Without a member event it is ``leave``."""
        member = self._state.get(("m.room.member", whose))
        found = self._context.membership(whose) or "not a membership"
        how = "absent" if member is None else "set"
        return Fact(f"{who}'s membership", whose, found, None if member is None else member.event_id, how)

    def level(self, who: str, whose: UserId) -> Fact:
        """Return a user's level."""
        levels = self._context.levels
        found: Level = levels.user(whose)
        source = levels.user_source(whose)
        if source.startswith("creator"):
            return Fact(f"{who}'s level", whose, _plain(found), self._create.event_id, "creator")
        if levels.levels is None:
            return Fact(f"{who}'s level", whose, _plain(found), None, "absent")
        how = "unset"
        if whose in levels.levels.users:
            how = "set"
        elif "users_default" in levels.levels.named:
            how = "users_default"
        return Fact(f"{who}'s level", whose, _plain(found), levels.levels.event_id, how)

    def required(self) -> Fact:
        """Return the level that the event's type needs."""
        levels, kind = self._context.levels, self.event.type
        is_state = self.event.state_key is not None
        found = levels.required(kind, is_state)
        if levels.levels is None:
            return Fact("required level", None, found, None, "absent")
        name = "state_default" if is_state else "events_default"
        how = "events" if kind in levels.levels.events else name if name in levels.levels.named else "unset"
        return Fact("required level", None, found, levels.levels.event_id, how)

    def named(self, name: str) -> Fact:
        """Return one of the seven named levels."""
        levels = self._context.levels
        found = levels.named(name)
        if levels.levels is None:
            return Fact(f"{name} level", None, found, None, "absent")
        how = "set" if name in levels.levels.named else "unset"
        return Fact(f"{name} level", None, found, levels.levels.event_id, how)

    def join_rule(self) -> Fact:
        """Return the join rule of the room."""
        rules = self._state.get(JOIN_RULES)
        found = self._context.join_rule
        text = found if type(found) is str else shorten(found)
        how = "absent" if rules is None else "set"
        return Fact("join rule", None, text, None if rules is None else rules.event_id, how)

    def event_of(self, kind: str, state_key: str) -> Event | None:
        """Return the state's event for a key."""
        found: Event | None = self._state.get((kind, state_key))
        return found

    @property
    def power_levels(self) -> Event | None:
        """The power levels of the state."""
        return self.event_of(*POWER_LEVELS)

    @property
    def create(self) -> Event:
        """The create event of the state."""
        return self._create


Reading: TypeAlias = Callable[[], list[Fact]]
"""Reads some of the facts."""


def _plain(level: Level) -> JsonValue:
    return level if type(level) is int else "infinite"


def facts_in(subject: Event, state: StateMap[Event]) -> Facts | None:
    """Return what the rules read in a state.

    None for a create event, if the state has no create event, and if it has that of another room.
    """
    try:
        create = create_of(state)
        return None if create is None or subject.type == "m.room.create" else Facts(subject, state, create)
    except (UnknownState, WrongRoom):
        return None


def list_facts(subject: Event, state: StateMap[Event]) -> tuple[Fact, ...]:
    """Return the values that the rules compare for an event and a state.

    The list is empty for a create event, and if the state has no create event. Values that are unknown are
    left out: the verdict does not depend on them.
    """
    facts = facts_in(subject, state)
    if facts is None:
        return ()
    found: list[Fact] = []
    for read in _readings(facts):
        try:
            found += read()
        except UnknownState:
            continue
    return tuple(found)


def _readings(facts: Facts) -> Iterator[Reading]:
    """Yield functions that each return some of the facts."""
    subject = facts.event
    sender = subject.sender
    yield lambda: [facts.membership("sender", sender), facts.level("sender", sender)]
    if subject.type == "m.room.member" and subject.state_key is not None:
        target = subject.state_key
        if target != sender:
            yield lambda: [facts.membership("target", target), facts.level("target", target)]
        yield from _for_membership(facts, target)
    elif subject.type == "m.room.third_party_invite":
        yield lambda: [facts.named("invite")]
    elif subject.type != "m.room.member":
        yield lambda: [facts.required()]
        if subject.type == "m.room.redaction" and subject.room_version.redaction_rule:
            yield lambda: [facts.named("redact")]


def _for_membership(facts: Facts, target: UserId) -> Iterator[Reading]:
    subject = facts.event
    match subject.content.get("membership"):
        case "join" | "knock":
            yield lambda: [facts.join_rule()]
            authoriser = subject.content.get("join_authorised_via_users_server")
            if type(authoriser) is str and subject.room_version.restricted_joins:
                yield lambda: [
                    facts.membership("authoriser", authoriser),
                    facts.level("authoriser", authoriser),
                    facts.named("invite"),
                ]
        case "invite":
            yield lambda: [facts.named("invite")]
        case "leave" if target != subject.sender:
            yield lambda: [facts.named("kick"), facts.named("ban")]
        case "ban":
            yield lambda: [facts.named("ban")]
        case _:
            return


def membership_words(fact: Fact, sender: UserId | None = None) -> Said:
    """Say a user's membership in words: ``@a:b was banned (…)``.

    Args:
        fact: the membership.
        sender: who sent the member event; a user whom another one removed did not leave.
    """
    assert fact.user is not None
    who = user(fact.user)
    if fact.event_id is None:
        return said("{who} had no member event", who=who)
    words = {
        "join": "{who} was joined ({by})",
        "ban": "{who} was banned ({by})",
        "invite": "{who} was invited and not joined ({by})",
        "knock": "{who} was only knocking ({by})",
        "leave": "{who} had left ({by})" if sender in (None, fact.user) else "{who} had been removed ({by})",
    }.get(str(fact.value), "{who} had the membership {value} ({by})")
    return said(words, who=who, by=event(fact.event_id), value=value(fact.value))


def level_words(fact: Fact) -> Said:
    """Say a user's level in words: ``@a:b had level 50 (set by …)``."""
    assert fact.user is not None
    if fact.value == "infinite":
        words = "{who} had a level above all others ({source})"
    else:
        words = "{who} had level {level} ({source})"
    return said(words, who=user(fact.user), level=str(fact.value), source=fact.source)
