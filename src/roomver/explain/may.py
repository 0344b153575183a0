"""May this user do that? Answered from type, state key, sender and content alone, with who may otherwise."""

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from re import sub
from typing import Any, Final, cast

from ..auth import check_against_state, redaction_applies
from ..auth.context import JOIN_RULES
from ..errors import Lack, NotAState, UnknownState
from ..event import Event
from ..identifiers import is_user_id, server_of
from ..power import CREATE, POWER_LEVELS, Levels, creators_of
from ..rules import JOIN_RESTRICTED_AUTHORISER, Verdict
from ..state import EventsOf, PartialState, entries_of
from ..types import EventId, JsonObject, JsonValue, StateMap, UserId
from ..versions import RoomVersion
from .actions import Action, draft_of, member_action
from .answered import Able, Answered, May
from .explained import Verdicted
from .facts import list_facts
from .rule_words import rule_said
from .said import Part, PartKind, Said, event, joined, said, user, value

__all__ = ["may", "present"]

_ACL: Final = ("m.room.server_acl", "")
_POLICY: Final = ("m.room.policy", "")


def present(sentence: Said) -> Said:
    """Return a sentence about a past state as one about the present: "was" and "had" are replaced.

    >>> present(said("{who} had level 0, which was too low", who=user("@had:was")))[1].value
    ' has level 0, which is too low'
    """

    def now(part: Part) -> Part:
        if part.kind is not PartKind.WORDS:
            return part
        return Part(part.kind, sub(r"\bhad\b", "has", sub(r"\bwas\b", "is", str(part.value))))

    return tuple(map(now, sentence))


def may(who: UserId, action: Action, state: StateMap[EventId], events: Mapping[EventId, Event]) -> May:
    """Say whether a user may do something in a room state, and who may if not.

    Args:
        who: the user.
        action: what the user wants to do.
        state: the state. It may be known in part: what it leaves unknown stays unknown.
        events: event ID to event, with those of the state.

    Returns:
        The answer. It is only about the authorisation rules: a server may have more, such as those of an
        application, and the policy server of the room may refuse an event.

    Raises:
        NotAState: if the state has no create event.
        MissingEvents: if events of the state are missing.
        RoomverError: if the action does not make an event.

    Cost: linear in the members of the state. The rules are asked once for each level, not for each member.
    """
    return _Asker(who, action, state, events).answer()


class _Asker:
    """Answers the question for one user, one action and one state."""

    def __init__(
        self, who: UserId, action: Action, state: StateMap[EventId], events: Mapping[EventId, Event]
    ) -> None:
        self.who = who
        self.action = action
        self.ids = state
        self.state = EventsOf(state, events)
        create = events.get(entries_of(state).get(CREATE, ""))
        if create is None:
            raise NotAState("the state has no create event, so no rule can be applied to it")
        self.create = create
        self.version: RoomVersion = create.room_version
        self.whole = not isinstance(state, PartialState)

    def answer(self) -> May:
        try:
            draft = draft_of(self.action, self.who, self.state, self.create)
        except UnknownState as error:
            return self._unknown(error, None)
        try:
            verdict = check_against_state(draft, self.state)
        except UnknownState as error:
            return self._unknown(error, draft)
        check = self._checked(draft, verdict)
        notes = tuple(self._notes(draft, allowed=verdict.allowed))
        sentence = said(
            "{yes}: {who} may{not_} {what}{because} {why}.",
            yes="Yes" if verdict.allowed else "No",
            who=user(self.who),
            not_="" if verdict.allowed else " not",
            what=self.action.words,
            because=":" if verdict.allowed else ", because",
            why=present(rule_said(draft, verdict, self.state)),
        )
        if verdict.rule is JOIN_RESTRICTED_AUTHORISER and not verdict.allowed:
            return self._restricted(draft, check, sentence, notes)
        if not verdict.allowed:
            return self._refused(draft, check, sentence, notes)
        if self.action.redacts is not None and not self.version.redaction_rule:
            return self._redacting(draft, check, sentence, notes)
        return May(Answered.YES, self.who, _shown(draft), sentence, check, notes=notes)

    def _checked(self, draft: Event, verdict: Verdict) -> Verdicted:
        result = "allowed" if verdict.allowed else "refused"
        why = present(rule_said(draft, verdict, self.state))
        rule = verdict.rule.name, verdict.reason, verdict.number, verdict.url
        return Verdicted("the state", result, why, *rule, list_facts(draft, self.state))

    def _unknown(self, error: UnknownState, draft: Event | None) -> May:
        sentence = said(
            "Unknown: whether {who} may {what} depends on entries of the state that are unknown.",
            who=user(self.who),
            what=self.action.words,
        )
        shown = None if draft is None else _shown(draft)
        return May(Answered.UNKNOWN, self.who, shown, sentence, None, unknown=error.keys, lack=error.lack)

    def _refused(self, draft: Event, check: Verdicted, sentence: Said, notes: tuple[Said, ...]) -> May:
        name = self.action.name
        able_to, action = "do it", self.action
        banned = self._membership(self.who) == "ban"
        if name in ("join", "knock") or (name == "leave" and banned):
            able_to = "unban" if banned else "invite"
            action = member_action(able_to, self.who)
        elif name == "leave":
            return May(Answered.NO, self.who, _shown(draft), sentence, check, notes=notes)
        able, whole = self._able(action, self._applies())
        return May(Answered.NO, self.who, _shown(draft), sentence, check, able_to, able, whole, notes=notes)

    def _applies(self) -> Callable[[Event], bool] | None:
        """Return what tells whether servers apply a redaction that is allowed; None if they all do."""
        target = self.action.redacts
        if target is None or self.version.redaction_rule:
            return None
        return lambda draft: redaction_applies(draft, target, self.state).applies

    def _redacting(self, draft: Event, check: Verdicted, sentence: Said, notes: tuple[Said, ...]) -> May:
        """Say whether servers would apply a redaction: from version 3 on they may accept it all the same."""
        target = cast(Event, self.action.redacts)
        try:
            decision = redaction_applies(draft, target, self.state)
        except UnknownState as error:
            return self._unknown(error, draft)
        if decision.applies:
            why = joined([sentence, said("Servers apply it: {why}.", why=value(decision.reason))])
            return May(Answered.YES, self.who, _shown(draft), why, check, notes=notes)
        why = said(
            "No: {who} may send a redaction of {event}, but servers do not apply it: {why}.",
            who=user(self.who),
            event=event(target.event_id),
            why=value(decision.reason),
        )
        able: tuple[Able, ...] = ()
        whole, able_to = True, ""
        if target.type != "m.room.create":
            able_to = "do it"
            able, whole = self._able(self.action, self._applies())
        return May(Answered.NO, self.who, _shown(draft), why, check, able_to, able, whole, notes=notes)

    def _restricted(self, draft: Event, check: Verdicted, sentence: Said, notes: tuple[Said, ...]) -> May:
        """Say which rooms let a user join a restricted room, and which users may vouch for it."""
        rules = self.state.get(JOIN_RULES)
        rooms, others = _allowed_rooms(None if rules is None else rules.content.get("allow"))
        if others:
            text = "the join rule also has conditions that this version of roomver does not know: {others}"
            notes = (*notes, said(text, others=value(", ".join(others))))
        able, whole = self._vouchers()
        answered = Answered.DEPENDS
        if not rooms and not others:
            answered = Answered.NO
            why = said(
                "No: {who} may not join, because the join rule names no room whose members may join. Only"
                " invited users may.",
                who=user(self.who),
            )
            invite, whole = self._able(member_action("invite", self.who))
            return May(answered, self.who, _shown(draft), why, check, "invite", invite, whole, notes=notes)
        if not able:
            answered = Answered.NO if whole else Answered.UNKNOWN
            why = said(
                "{no}: {who} may join only if a user of the room who may invite vouches for the join, and"
                " {nobody}.",
                no="No" if whole else "Unknown",
                who=user(self.who),
                nobody="no joined user may invite" if whole else "the members are known in part",
            )
        else:
            where = "the room below" if len(rooms) == 1 else "one of the rooms below"
            why = said(
                "It depends: {who} may join if they {meet}, and a server of this room vouches for the join."
                " This room does not tell {it}.",
                who=user(self.who),
                meet=f"are in {where}" if rooms else "meet the conditions of the join rule",
                it=f"who is in {'it' if len(rooms) == 1 else 'them'}" if rooms else "whether they do",
            )
        lack = Lack.STATE if answered is Answered.UNKNOWN else None
        return May(
            answered, self.who, _shown(draft), why, check, "vouch", able, whole, rooms, notes, lack=lack
        )

    def _vouchers(self) -> tuple[tuple[Able, ...], bool]:
        """Return the joined users who may vouch for the user's join, and whether they are all."""

        def allows(one: UserId) -> bool:
            more: JsonObject = {"join_authorised_via_users_server": one}
            return check_against_state(
                draft_of(self.action, self.who, self.state, self.create, more), self.state
            ).allowed

        return self._collect(allows, set())

    def _able(
        self, action: Action, also: Callable[[Event], bool] | None = None
    ) -> tuple[tuple[Able, ...], bool]:
        """Return the users who may do something, and whether they are all."""

        def allows(one: UserId) -> bool:
            state: StateMap[Event] = self.state
            if one in outside:
                joins = draft_of(_JOIN, one, self.state, self.create)
                state = cast(
                    StateMap[Event], ChainMap({("m.room.member", one): joins}, cast(Any, self.state))
                )
            draft = draft_of(action, one, self.state, self.create)
            return check_against_state(draft, state).allowed and (also is None or also(draft))

        outside: set[UserId] = set()
        return self._collect(allows, outside, action)

    def _collect(
        self, allows: Callable[[UserId], bool], outside: set[UserId], action: Action | None = None
    ) -> tuple[tuple[Able, ...], bool]:
        """Ask for one user of each level and membership, and return those who are allowed.

        Args:
            allows: asks for a user.
            outside: is filled with users who are asked for as if they were in the room.
            action: what is asked for; None for a vouch, for which nobody outside the room is asked for.
        """
        whole = self.whole
        try:
            levels = Levels.of(self.create, self.state)
        except UnknownState:
            return (), False
        known: dict[tuple[object, ...], bool | None] = {}
        found = []
        for one, membership in self._candidates(levels):
            here = membership == "join"
            if not here and (action is None or membership == "ban"):
                continue
            alone = one == self.who or (action is not None and one in (action.target, action.state_key))
            owner = action is not None and (action.state_key or "").startswith(one)
            group: tuple[object, ...] = (levels.user(one), here, one if alone or owner else "")
            if self._servers_matter(action):
                group = (*group, server_of(one))
            if group not in known:
                if not here:
                    outside.add(one)
                try:
                    known[group] = allows(one)
                except UnknownState:
                    known[group] = None
            if known[group] is None:
                whole = False
            elif known[group]:
                found.append(Able(one, levels.user(one), membership, here))
        found.sort(key=lambda one: (not one.joined, -one.level, one.user))
        return tuple(found), whole

    def _servers_matter(self, action: Action | None) -> bool:
        federates = self.create.content.get("m.federate", True)
        return federates is False or (
            action is not None and (action.name == "redact" or action.kind == "m.room.aliases")
        )

    def _candidates(self, levels: Levels) -> Iterator[tuple[UserId, str]]:
        """Yield the users of the room, and users outside it who have a level of their own."""
        named = {*(levels.levels.users if levels.levels is not None else ()), *creators_of(self.create)}
        for kind, one in entries_of(self.ids):
            if kind == "m.room.member" and is_user_id(one):
                membership = self._membership(one)
                if membership == "join" or one in named:
                    named.discard(one)
                    yield one, membership
        for one in sorted(named):
            if is_user_id(one) and self._membership(one) != "unknown":
                yield one, "leave"

    def _membership(self, one: UserId) -> str:
        try:
            member = self.state.get(("m.room.member", one))
        except UnknownState:
            return "unknown"
        found = None if member is None else member.content.get("membership")
        return found if type(found) is str else "leave"

    def _notes(self, draft: Event, *, allowed: bool) -> Iterator[Said]:
        """Yield what the rules do not say."""
        action, target = self.action, self.action.target
        if allowed and target is not None and action.kind == "m.room.member":
            membership = self._membership(target)
            if action.name == "unban" and membership != "ban":
                yield said("{target} is not banned, so the event would be a kick", target=user(target))
            if action.name == "kick" and membership == "ban":
                yield said("{target} is banned, so the event would lift the ban", target=user(target))
            if action.name == "kick" and membership == "leave":
                yield said("{target} is not in the room", target=user(target))
        if allowed and action.level is not None and self.state.get(POWER_LEVELS) is None:
            yield said("the room has no power levels: these would be the first, and replace the defaults")
        for key, text in (
            (_POLICY, "the room has a policy server ({by}): without its signature the event is soft-failed"),
            (_ACL, "the room has a server ACL ({by}): servers that it denies can send nothing to others"),
        ):
            try:
                found = self.state.get(key)
            except UnknownState:
                continue
            if allowed and found is not None and (key != _POLICY or draft.type != _POLICY[0]):
                yield said(text, by=event(found.event_id))


_JOIN: Final = Action("join", "m.room.member", None, {"membership": "join"}, said("join"))


def _shown(draft: Event) -> JsonObject:
    """Return what the rules read of a draft."""
    shown: JsonObject = {"type": draft.type, "content": draft.content}
    return shown if draft.state_key is None else {**shown, "state_key": draft.state_key}


def _allowed_rooms(allow: JsonValue) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the rooms that a join rule names, and its conditions of other types."""
    rooms, others = [], []
    for one in allow if type(allow) is list else ():
        if type(one) is not dict:
            continue
        kind, room = one.get("type"), one.get("room_id")
        if kind == "m.room_membership" and type(room) is str:
            rooms.append(room)
        elif type(kind) is str and kind != "m.room_membership":
            others.append(kind)
    return tuple(dict.fromkeys(rooms)), tuple(dict.fromkeys(others))
