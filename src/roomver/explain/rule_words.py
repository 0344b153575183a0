"""Each deciding rule in words: who, which membership or level, which was needed, and from which event.

A sentence is a template. Its fields are filled from the state that the rules read (`Facts`) and from the
verdict. It follows "because", and reads well after a colon too.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ..errors import UnknownState
from ..event import Event
from ..identifiers import split_owner
from ..rules import Verdict
from ..types import StateMap
from .facts import Facts, facts_in, level_words, membership_words
from .said import Part, Said, event, said, user, value

__all__ = ["SENTENCES", "fields_of", "rule_said"]

_CREATE_LIKE: Final = "it creates the room, and the rules on create events allow it"
_SENT: Final = "{sender_was}, and only joined users may do this"
_ALTERS: Final = "{entry} would change from {current} to {new}, and {sender_level}"

_REFUSALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "create.has_prev_events": "a create event must be the first event, and this one follows {prev_event}",
        "create.room_id_domain": "its room ID {room_id} does not name the server of {sender}",
        "create.has_room_id": "a create event of this room version must not carry a room ID: {room_id}",
        "create.room_version": "it names the room version {room_version}, which is not known",
        "create.no_creator": "its content names no creator",
        "create.additional_creators": "its additional_creators are not a list of user IDs",
        "room_id.of_create": "its room ID does not name an accepted create event of this version ({why})",
        "auth_events.duplicate": "it cites two auth events with the same type and state key: the second is"
        " {auth_event}",
        "auth_events.not_selected": "it cites {auth_event}, and an event like it must not cite that",
        "auth_events.rejected": "it cites {auth_event}, which was rejected itself",
        "auth_events.no_create": "its auth events do not include the create event",
        "auth_events.other_room": "it cites {auth_event}, which belongs to another room",
        "federation.closed": "the room is closed to other servers ({create}), and {sender} is on another"
        " server than its creator",
        "aliases.no_state_key": "an aliases event needs a state key, and it has none",
        "aliases.other_domain": "its state key {state_key} is not the server of {sender}",
        "member.malformed": "it lacks {lacking}, which a member event needs",
        "member.authoriser_signature": "the server of {authoriser}, who vouched for the join, did not sign",
        "member.join.sender_is_target": "{sender} tried to make {target} join, and users join for themselves",
        "member.join.banned": "{sender_was}",
        "member.join.restricted.authoriser": "the join rule is {join_rule}, {sender_was}, and {voucher}",
        "member.join.otherwise": "the join rule was {join_rule}, and {sender_was}",
        "member.invite.third_party.banned": "{target_was}",
        "member.invite.third_party.not_signed": "its third-party invite has no signed block",
        "member.invite.third_party.incomplete": "the signed block of its third-party invite lacks a user ID"
        " or a token",
        "member.invite.third_party.other_user": "the signed block of its third-party invite names {mxid}, not"
        " {target}",
        "member.invite.third_party.no_event": "the room has no third-party invite for the token {token}",
        "member.invite.third_party.other_sender": "{third_party_invite_sender} made the third-party invite,"
        " not {sender}",
        "member.invite.third_party.otherwise": "no key of {third_party_invite} signed its block",
        "member.invite.sender_not_joined": _SENT,
        "member.invite.target_in_room": "{target_was}, and only users outside the room can be invited",
        "member.invite.otherwise": "{invite_needed}, and {sender_level}",
        "member.leave.self": "{sender_was}, and only users who are in the room or invited can leave",
        "member.leave.sender_not_joined": _SENT,
        "member.leave.banned": "{target_was}, {lifting_needed}, and {sender_level}",
        "member.leave.otherwise": "{kick_needed} and a level above that of the target, but {sender_level} and"
        " {target_level}",
        "member.ban.sender_not_joined": _SENT,
        "member.ban.otherwise": "{ban_needed} and a level above that of the target, but {sender_level} and"
        " {target_level}",
        "member.knock.join_rule": "the join rule was {join_rule}, which does not let users knock",
        "member.knock.sender_is_target": "{sender} tried to knock for {target}, and users knock for"
        " themselves",
        "member.knock.otherwise": "{sender_was}, and only users outside the room can knock",
        "member.unknown": "the membership {membership} does not exist in this room version",
        "sender.not_joined": "{sender_was}, and only joined users may send it",
        "third_party_invite.level": "{invite_needed}, and {sender_level}",
        "required_level": "{needed}, and {sender_level}",
        "state_key.of_other_user": "its state key {state_key} begins with @ and is not its sender",
        "state_key.of_no_user": "its state key {state_key} begins with @, but not with a user ID",
        "state_key.suffix": "in its state key, {bytes_after_owner} bytes follow the user ID, and at most 256"
        " may",
        "state_key.owner": "its state key belongs to {owner}, and only a user with a higher level may set it:"
        " {sender_level}, and {owner_level_words}",
        "state_key.length": "its state key has {state_key_bytes} bytes, and at most 255 are allowed",
        "power_levels.not_integer": "its {path} is {found}, which is not an integer",
        "power_levels.map_not_integers": "its {path} is {found}, and events and notifications must map to"
        " integers",
        "power_levels.users": "its users do not map user IDs to levels ({users_fault})",
        "power_levels.creator_listed": "it gives a level to {creator}, a creator, whose level is fixed",
        "power_levels.level_current": _ALTERS + ", which is below the present value",
        "power_levels.level_new": _ALTERS + ", which is below the new value",
        "power_levels.events_current": _ALTERS + ", which is below the present value",
        "power_levels.events_new": _ALTERS + ", which is below the new value",
        "power_levels.users_current": _ALTERS + ", which is not above the present value",
        "power_levels.users_new": _ALTERS + ", which is below the new value",
        "redaction.otherwise": "{redact_needed}, {sender_level}, and the redacted event {redacts} is from"
        " another server",
    }
)

_ACCEPTANCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "create.allowed": _CREATE_LIKE,
        "aliases.allowed": "its state key is the server of {sender}",
        "member.join.creator": "the creator of the room joined right after creating it",
        "member.join.invited": "the join rule was {join_rule}, and {sender_was}",
        "member.join.restricted.already_in": "the join rule was {join_rule}, and {sender_was}",
        "member.join.restricted.allowed": "the join rule was {join_rule}, and {authoriser} vouched for the"
        " join: {authoriser_was}, {invite_needed}, and {authoriser_level_words}",
        "member.join.public": "the join rule was {join_rule}, and nothing bans {sender}",
        "member.invite.third_party.signed": "a key of {third_party_invite} signed its block",
        "member.invite.level": "{invite_needed}, and {sender_level}",
        "member.leave.self": "{sender_was}, so they may leave",
        "member.leave.level": "{kick_needed}, {sender_level}, and {target_level}",
        "member.ban.level": "{ban_needed}, {sender_level}, and {target_level}",
        "member.knock.allowed": "the join rule was {join_rule}, and {sender_was}",
        "third_party_invite.level": "{invite_needed}, and {sender_level}",
        "power_levels.first": "these are the first power levels of the room",
        "power_levels.allowed": "{needed}, {sender_level}, and no level beyond that changes",
        "redaction.level": "{redact_needed}, and {sender_level}",
        "redaction.same_domain": "the redacted event {redacts} is from the same server",
        "otherwise": "{sender_was}, {needed}, and {sender_level}",
    }
)

SENTENCES: Final[Mapping[tuple[str, bool], str]] = MappingProxyType(
    {
        **{(name, False): text for name, text in _REFUSALS.items()},
        **{(name, True): text for name, text in _ACCEPTANCES.items()},
    }
)
"""The template of each rule's sentence: by the rule's name, and by whether the event is allowed."""

_EVENTS: Final = frozenset({"auth_event", "prev_event", "third_party_invite", "redacts"})
_USERS: Final = frozenset({"third_party_invite_sender", "creator", "owner", "authoriser"})


class _Fields(Mapping[str, "Said | Part | str"]):
    """The fields of the templates. Each is computed when it is read."""

    def __init__(self, subject: Event, verdict: Verdict, facts: Facts | None) -> None:
        self._event = subject
        self._detail = verdict.detail
        self._facts = facts

    def __getitem__(self, name: str) -> "Said | Part | str":
        subject, detail = self._event, self._detail
        if name in ("sender", "target"):
            return user(subject.sender if name == "sender" else subject.state_key or "")
        if name == "authoriser" and name not in detail:
            return user(str(subject.content.get("join_authorised_via_users_server")))
        if name in detail and name not in _COMPUTED:
            found = detail[name]
            if name in _EVENTS and type(found) is str and found != "none":
                return event(found)
            return user(found) if name in _USERS and type(found) is str else value(found)
        if name == "users_fault":
            return self._users_fault()
        if self._facts is None:
            raise KeyError(name)
        return _COMPUTED[name](self._facts, subject)

    def _users_fault(self) -> Said:
        if "not_a_user_id" in self._detail:
            return said("{name} is not a user ID", name=value(self._detail["not_a_user_id"]))
        return said("{path} is {found}", path=self["path"], found=self["found"])

    def __iter__(self) -> Iterator[str]:
        return iter(_COMPUTED)

    def __len__(self) -> int:
        return len(_COMPUTED)


def _was(facts: Facts, who: str, whose: str) -> Said:
    fact = facts.membership(who, whose)
    member = facts.event_of("m.room.member", whose)
    return membership_words(fact, None if member is None else member.sender)


def _needed(facts: Facts, subject: Event) -> Said:
    fact = facts.required()
    return said(
        "{kind} needs level {level} ({source})",
        kind=value(subject.type),
        level=str(fact.value),
        source=fact.source,
    )


def _named(name: str, words: str) -> "Callable[[Facts, Event], Said]":
    def sentence(facts: Facts, _: Event) -> Said:
        fact = facts.named(name)
        return said(f"{words} needs level {{level}} ({{source}})", level=str(fact.value), source=fact.source)

    return sentence


def _lifting_needed(facts: Facts, _: Event) -> Said:
    ban = facts.named("ban")
    return said(
        "lifting a ban needs the ban level {level} ({source})", level=str(ban.value), source=ban.source
    )


def _kick_needed(facts: Facts, subject: Event) -> Said:
    """Say what a kick needs. An event that lifts a ban is judged as a kick too, after the ban level."""
    if facts.membership("target", subject.state_key or "").value != "ban":
        return _COMPUTED["kick_level"](facts, subject)
    kick = facts.named("kick")
    return said(
        "{lifting} and, like a kick, the kick level {level} ({source})",
        lifting=_lifting_needed(facts, subject),
        level=str(kick.value),
        source=kick.source,
    )


def _join_rule(facts: Facts, _: Event) -> Said:
    fact = facts.join_rule()
    if fact.event_id is None:
        return said("{rule} (the default)", rule=value(fact.value))
    return said("{rule} ({source})", rule=value(fact.value), source=event(fact.event_id))


def _authoriser(subject: Event) -> str:
    return str(subject.content.get("join_authorised_via_users_server"))


def _voucher(facts: Facts, subject: Event) -> Said:
    """Say why nobody vouches for a restricted join."""
    named = subject.content.get("join_authorised_via_users_server")
    if type(named) is not str or not named.startswith("@"):
        return said("it names nobody of the room who vouches for the join")
    if facts.membership("authoriser", named).value != "join":
        return said(
            "{who}, who vouches for the join, was not in the room: {was}",
            who=user(named),
            was=_was(facts, "authoriser", named),
        )
    level = level_words(facts.level("authoriser", named))
    return said("{needed}, and {level}", needed=_COMPUTED["invite_needed"](facts, subject), level=level)


_COMPUTED: Final[Mapping[str, Callable[[Facts, Event], Said]]] = MappingProxyType(
    {
        "sender_was": lambda facts, subject: _was(facts, "sender", subject.sender),
        "target_was": lambda facts, subject: _was(facts, "target", subject.state_key or ""),
        "authoriser_was": lambda facts, subject: _was(facts, "authoriser", _authoriser(subject)),
        "sender_level": lambda facts, subject: level_words(facts.level("sender", subject.sender)),
        "target_level": lambda facts, subject: level_words(facts.level("target", subject.state_key or "")),
        "authoriser_level_words": lambda facts, subject: level_words(
            facts.level("authoriser", _authoriser(subject))
        ),
        "owner_level_words": lambda facts, subject: level_words(
            facts.level("owner", split_owner(subject.state_key or "")[0])
        ),
        "needed": _needed,
        "invite_needed": _named("invite", "an invite"),
        "kick_level": _named("kick", "a kick"),
        "kick_needed": _kick_needed,
        "ban_needed": _named("ban", "a ban"),
        "lifting_needed": _lifting_needed,
        "redact_needed": _named("redact", "a redaction"),
        "join_rule": _join_rule,
        "voucher": _voucher,
        "create": lambda facts, _: said("{create}", create=event(facts.create.event_id)),
    }
)


def fields_of(subject: Event, verdict: Verdict, state: StateMap[Event]) -> Mapping[str, Said | Part | str]:
    """Return the fields that the sentence of a rule may have. Arguments are those of `rule_said`."""
    return _Fields(subject, verdict, facts_in(subject, state))


def rule_said(subject: Event, verdict: Verdict, state: StateMap[Event]) -> Said:
    """Say why a rule decided on an event.

    Args:
        subject: the event.
        verdict: the verdict.
        state: the state that the rules read, key to event.

    Returns:
        A sentence without a capital and a full stop. Where the state does not tell a value any more, it is
        the sense of the rule with the values that the verdict compared.
    """
    try:
        return said(SENTENCES[verdict.rule.name, verdict.allowed], fields_of(subject, verdict, state))
    except (KeyError, UnknownState):
        compared = ", ".join(f"{name.replace('_', ' ')} {found}" for name, found in verdict.detail.items())
        if not compared:
            return said(verdict.reason.replace("{", "{{").replace("}", "}}"))
        return said("{reason} ({compared})", reason=verdict.reason, compared=value(compared))
