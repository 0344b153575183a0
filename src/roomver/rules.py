"""The authorisation rules as values: the name of each, and its number in every room version.

The twelve stable room versions share eight lists of rules. Most rules are in several lists, under different
numbers. So code refers to a rule by its name, and the table here gives the number. The checks are in
`roomver.auth`. The table of rules is one list, so this module has more than 400 lines.

Source: https://spec.matrix.org/latest/rooms/v12/#authorisation-rules, and the same section of the
other room versions' pages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn

from .errors import refuse_truth
from .versions import RULE_LISTS, RoomIdForm, RoomVersion

__all__ = ["RULES", "RULE_LISTS", "Decision", "Rule", "Verdict", "list_rules"]


class Decision(Enum):
    """What a rule says when it decides."""

    ALLOW = "allow"
    REJECT = "reject"
    EITHER = "allow or reject"
    """The rule says "allow if and only if"."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One authorisation rule that can decide whether an event is allowed.

    Attributes:
        name: dotted words, the same in every room version.
        decision: what it says when it decides.
        acceptance: what holds for an event that the rule allows or does not reject: a sentence without its
            full stop.
        refusal: what holds for an event that the rule rejects or does not allow: another such sentence.
        numbers: its number in each list that has it. A list is named by the room version that
            introduced it.
        exists: tells whether a room version has the rule; None if all do.
        url: the address of the proposal (MSC) that the rule is from; empty if it is in the specification.
    """

    name: str
    decision: Decision
    acceptance: str
    refusal: str
    numbers: Mapping[str, str]
    exists: Callable[[RoomVersion], bool] | None = None
    url: str = ""

    def applies(self, version: RoomVersion) -> bool:
        """Tell whether a room version has the rule."""
        return self.exists is None or self.exists(version)

    def number(self, version: RoomVersion) -> str | None:
        """Return the rule's number in a room version, as the specification shows it, such as ``5.3.2``.

        None if the room version does not have the rule, or if its list of rules has no number for it: so it
        can be in a version that combines what no stable version combines.
        """
        return self.numbers.get(version.rule_list) if self.applies(version) else None

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Rule {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A rule is looked up, not rebuilt: code compares rules with `is`, and a copy would differ.
        return _rule_named, (self.name,)


def _rule_named(name: str) -> Rule:
    return RULES[name]


class Verdict(NamedTuple):
    """The decision of the authorisation rules on one event, and the rule that decided.

    It has no truth value: use `allowed`.

    Attributes:
        allowed: whether the event is allowed.
        rule: the rule that decided.
        room_version: the room version whose rules were applied.
        detail: the values that were compared, by name: ``{"sender": "@a:x", "target": "@b:x"}``.

    >>> from roomver.versions import V12
    >>> detail = {"sender": "@a:x", "target": "@b:x"}
    >>> verdict = Verdict(False, JOIN_SENDER_IS_TARGET, V12, detail)
    >>> verdict.reason
    'the sender tries to make another user join'
    >>> print(verdict)  # doctest: +NORMALIZE_WHITESPACE
    v12 rule 5.3.2 (member.join.sender_is_target): the sender tries to make another user join
    (sender @a:x, target @b:x)
    """

    allowed: bool
    rule: Rule
    room_version: RoomVersion
    detail: Mapping[str, object]

    def __bool__(self) -> NoReturn:  # noqa: PLE0304 - it never returns
        refuse_truth(self, ".allowed")

    @property
    def number(self) -> str | None:
        """The number of the rule in the room version."""
        return self.rule.number(self.room_version)

    @property
    def reason(self) -> str:
        """What decided, as a sentence without its full stop."""
        return self.rule.acceptance if self.allowed else self.rule.refusal

    @property
    def url(self) -> str:
        """The address of the list of rules, or of the proposal that the rule is from."""
        return self.rule.url or f"{self.room_version.page_url}#authorisation-rules"

    def to_dict(self) -> dict[str, object]:
        """Return the verdict as JSON values."""
        return {
            "allowed": self.allowed,
            "rule": self.number,
            "name": self.rule.name,
            "reason": self.reason,
            "room_version": self.room_version.identifier,
            "detail": {name: _plain(value) for name, value in self.detail.items()},
            "url": self.url,
        }

    def __str__(self) -> str:
        number = self.number
        cited = f"{self.room_version.label} rule " + (
            self.rule.name if number is None else f"{number} ({self.rule.name})"
        )
        said = ", ".join(f"{name.replace('_', ' ')} {_plain(v)}" for name, v in self.detail.items())
        return f"{cited}: {self.reason} ({said})" if said else f"{cited}: {self.reason}"


def _plain(value: object) -> object:
    # The level of a version 12 creator is infinite, and JSON has no number for that.
    if value == float("inf"):
        return "infinite"
    return value if type(value) in (bool, int, str) or value is None else str(value)


_RULES: dict[str, Rule] = {}
RULES: Final[Mapping[str, Rule]] = MappingProxyType(_RULES)
"""Every rule by its name, in the order of the specification. Read-only."""

_ALLOWS, _REJECTS, _DECIDES = Decision.ALLOW, Decision.REJECT, Decision.EITHER


def _rule(  # noqa: PLR0913 - each is a part of a rule
    name: str,
    decision: Decision,
    numbers: str,
    acceptance: str,
    refusal: str,
    *,
    exists: Callable[[RoomVersion], bool] | None = None,
    url: str = "",
) -> Rule:
    by_list = {of: number for of, number in zip(RULE_LISTS, numbers.split(), strict=True) if number != "-"}
    rule = Rule(name, decision, acceptance, refusal, MappingProxyType(by_list), exists, url)
    _RULES[name] = rule
    return rule


def list_rules(version: RoomVersion) -> list[Rule]:
    """Return the rules of a room version, in the order of their numbers."""
    return [rule for rule in RULES.values() if rule.applies(version)]


def _by_domain(version: RoomVersion) -> bool:
    return version.room_id_form is RoomIdForm.DOMAIN


def _by_hash(version: RoomVersion) -> bool:
    return version.room_id_form is RoomIdForm.CREATE_HASH


_MSC3757: Final = "https://github.com/matrix-org/matrix-spec-proposals/pull/3757"


# The columns are the lists of versions 1-2, 3-5, 6, 7, 8-9, 10, 11 and 12; "-" means that the list does
# not have the rule. The numbers are those of the rendered specification. The source of version 12
# numbers the last item of rule 3 as 5, and uses 10 twice at the end of rule 10. It renders as 3.4 and
# 10.11.

CREATE_HAS_PREV_EVENTS = _rule(
    "create.has_prev_events",
    _REJECTS,
    "1.1     1.1     1.1     1.1     1.1     1.1     1.1     1.1",
    "the create event has no prev_events",
    "the create event has prev_events",
)
CREATE_ROOM_ID_DOMAIN = _rule(
    "create.room_id_domain",
    _REJECTS,
    "1.2     1.2     1.2     1.2     1.2     1.2     1.2     -",
    "the create event's room ID names the sender's server",
    "the create event's room ID does not name the sender's server",
    exists=_by_domain,
)
CREATE_HAS_ROOM_ID = _rule(
    "create.has_room_id",
    _REJECTS,
    "-       -       -       -       -       -       -       1.2",
    "the create event carries no room_id",
    "the create event carries a room_id",
    exists=_by_hash,
)
CREATE_ROOM_VERSION = _rule(
    "create.room_version",
    _REJECTS,
    "1.3     1.3     1.3     1.3     1.3     1.3     1.3     1.3",
    "the create event names a known room version, or no room version",
    "the create event names a room version that is not known",
)
CREATE_NO_CREATOR = _rule(
    "create.no_creator",
    _REJECTS,
    "1.4     1.4     1.4     1.4     1.4     1.4     -       -",
    "the create event names a creator",
    "the create event names no creator",
    exists=lambda version: version.creator_in_content,
)
CREATE_ADDITIONAL_CREATORS = _rule(
    "create.additional_creators",
    _REJECTS,
    "-       -       -       -       -       -       -       1.4",
    "additional_creators is absent or an array of user IDs",
    "additional_creators is not an array of user IDs",
    exists=lambda version: version.additional_creators,
)
CREATE_ALLOWED = _rule(
    "create.allowed",
    _ALLOWS,
    "1.5     1.5     1.5     1.5     1.5     1.5     1.4     1.5",
    "the create event breaks no rule on create events",
    "the create event breaks a rule on create events",
)
ROOM_ID_OF_CREATE = _rule(
    "room_id.of_create",
    _REJECTS,
    "-       -       -       -       -       -       -       2",
    "the room ID names an accepted create event",
    "the room ID does not name an accepted create event",
    exists=_by_hash,
)
AUTH_EVENTS_DUPLICATE = _rule(
    "auth_events.duplicate",
    _REJECTS,
    "2.1     2.1     2.1     2.1     2.1     2.1     2.1     3.1",
    "no two auth events have the same type and state key",
    "two auth events have the same type and state key",
)
AUTH_EVENTS_NOT_SELECTED = _rule(
    "auth_events.not_selected",
    _REJECTS,
    "2.2     2.2     2.2     2.2     2.2     2.2     2.2     3.2",
    "the auth events selection picks every auth event",
    "the auth events include one that the auth events selection does not pick",
)
AUTH_EVENTS_REJECTED = _rule(
    "auth_events.rejected",
    _REJECTS,
    "2.3     2.3     2.3     2.3     2.3     2.3     2.3     3.3",
    "no auth event was rejected",
    "an auth event was itself rejected",
)
AUTH_EVENTS_NO_CREATE = _rule(
    "auth_events.no_create",
    _REJECTS,
    "2.4     2.4     2.4     2.4     2.4     2.4     2.4     -",
    "the event cites the create event as an auth event",
    "the event does not cite the create event as an auth event",
    exists=lambda version: version.create_in_auth_events,
)
AUTH_EVENTS_OTHER_ROOM = _rule(
    "auth_events.other_room",
    _REJECTS,
    "2.5     2.5     2.5     2.5     2.5     2.5     2.5     3.4",
    "every auth event belongs to the event's room",
    "an auth event belongs to another room",
)
FEDERATION_CLOSED = _rule(
    "federation.closed",
    _REJECTS,
    "3       3       3       3       3       3       3       4",
    "the room federates, or the sender's server created it",
    "the room does not federate, and another server created it",
)
ALIASES_NO_STATE_KEY = _rule(
    "aliases.no_state_key",
    _REJECTS,
    "4.1     4.1     -       -       -       -       -       -",
    "the aliases event has a state key",
    "the aliases event has no state key",
    exists=lambda version: version.aliases_rule,
)
ALIASES_OTHER_DOMAIN = _rule(
    "aliases.other_domain",
    _REJECTS,
    "4.2     4.2     -       -       -       -       -       -",
    "the aliases event's state key is the sender's server",
    "the aliases event's state key is not the sender's server",
    exists=lambda version: version.aliases_rule,
)
ALIASES_ALLOWED = _rule(
    "aliases.allowed",
    _ALLOWS,
    "4.3     4.3     -       -       -       -       -       -",
    "the aliases event breaks no rule on aliases",
    "the aliases event breaks a rule on aliases",
    exists=lambda version: version.aliases_rule,
)
MEMBER_MALFORMED = _rule(
    "member.malformed",
    _REJECTS,
    "5.1     5.1     4.1     4.1     4.1     4.1     4.1     5.1",
    "the member event has a state key and a membership",
    "the member event lacks a state key or a membership",
)
MEMBER_AUTHORISER_SIGNATURE = _rule(
    "member.authoriser_signature",
    _REJECTS,
    "-       -       -       -       4.2.1   4.2.1   4.2.1   5.2.1",
    "the server of the user who authorises the join signed the event",
    "the server of the user who authorises the join did not sign the event",
    exists=lambda version: version.restricted_joins,
)
JOIN_CREATOR = _rule(
    "member.join.creator",
    _ALLOWS,
    "5.2.1   5.2.1   4.2.1   4.2.1   4.3.1   4.3.1   4.3.1   5.3.1",
    "the creator joins right after the create event",
    "this is not the creator's join right after the create event",
)
JOIN_SENDER_IS_TARGET = _rule(
    "member.join.sender_is_target",
    _REJECTS,
    "5.2.2   5.2.2   4.2.2   4.2.2   4.3.2   4.3.2   4.3.2   5.3.2",
    "the sender is the user who joins",
    "the sender tries to make another user join",
)
JOIN_BANNED = _rule(
    "member.join.banned",
    _REJECTS,
    "5.2.3   5.2.3   4.2.3   4.2.3   4.3.3   4.3.3   4.3.3   5.3.3",
    "the sender is not banned",
    "the sender is banned",
)
JOIN_INVITED = _rule(
    "member.join.invited",
    _ALLOWS,
    "5.2.4   5.2.4   4.2.4   4.2.4   4.3.4   4.3.4   4.3.4   5.3.4",
    "the join rule requires an invite, and the sender is invited or joined",
    "the join rule requires an invite, and the sender is neither invited nor joined",
)
JOIN_RESTRICTED_ALREADY_IN = _rule(
    "member.join.restricted.already_in",
    _ALLOWS,
    "-       -       -       -       4.3.5.1 4.3.5.1 4.3.5.1 5.3.5.1",
    "the join rule is restricted, and the sender is invited or joined",
    "the join rule is restricted, and the sender is neither invited nor joined",
    exists=lambda version: version.restricted_joins,
)
JOIN_RESTRICTED_AUTHORISER = _rule(
    "member.join.restricted.authoriser",
    _REJECTS,
    "-       -       -       -       4.3.5.2 4.3.5.2 4.3.5.2 5.3.5.2",
    "a joined user who may invite authorises the join",
    "no joined user who may invite authorises the join",
    exists=lambda version: version.restricted_joins,
)
JOIN_RESTRICTED_ALLOWED = _rule(
    "member.join.restricted.allowed",
    _ALLOWS,
    "-       -       -       -       4.3.5.3 4.3.5.3 4.3.5.3 5.3.5.3",
    "the restricted join is authorised",
    "the restricted join is not authorised",
    exists=lambda version: version.restricted_joins,
)
JOIN_PUBLIC = _rule(
    "member.join.public",
    _ALLOWS,
    "5.2.5   5.2.5   4.2.5   4.2.5   4.3.6   4.3.6   4.3.6   5.3.6",
    "the join rule lets anyone join",
    "the join rule does not let anyone join",
)
JOIN_OTHERWISE = _rule(
    "member.join.otherwise",
    _REJECTS,
    "5.2.6   5.2.6   4.2.6   4.2.6   4.3.7   4.3.7   4.3.7   5.3.7",
    "another rule allows the join",
    "the join rule does not let the sender join",
)
INVITE_THIRD_PARTY_BANNED = _rule(
    "member.invite.third_party.banned",
    _REJECTS,
    "5.3.1.1 5.3.1.1 4.3.1.1 4.3.1.1 4.4.1.1 4.4.1.1 4.4.1.1 5.4.1.1",
    "the invited user is not banned",
    "the invited user is banned",
)
INVITE_THIRD_PARTY_NOT_SIGNED = _rule(
    "member.invite.third_party.not_signed",
    _REJECTS,
    "5.3.1.2 5.3.1.2 4.3.1.2 4.3.1.2 4.4.1.2 4.4.1.2 4.4.1.2 5.4.1.2",
    "the third-party invite has a signed block",
    "the third-party invite has no signed block",
)
INVITE_THIRD_PARTY_INCOMPLETE = _rule(
    "member.invite.third_party.incomplete",
    _REJECTS,
    "5.3.1.3 5.3.1.3 4.3.1.3 4.3.1.3 4.4.1.3 4.4.1.3 4.4.1.3 5.4.1.3",
    "the signed block has mxid and token",
    "the signed block lacks mxid or token",
)
INVITE_THIRD_PARTY_OTHER_USER = _rule(
    "member.invite.third_party.other_user",
    _REJECTS,
    "5.3.1.4 5.3.1.4 4.3.1.4 4.3.1.4 4.4.1.4 4.4.1.4 4.4.1.4 5.4.1.4",
    "the signed block names the invited user",
    "the signed block names another user",
)
INVITE_THIRD_PARTY_NO_EVENT = _rule(
    "member.invite.third_party.no_event",
    _REJECTS,
    "5.3.1.5 5.3.1.5 4.3.1.5 4.3.1.5 4.4.1.5 4.4.1.5 4.4.1.5 5.4.1.5",
    "the room has a third-party invite event for the token",
    "the room has no third-party invite event for the token",
)
INVITE_THIRD_PARTY_OTHER_SENDER = _rule(
    "member.invite.third_party.other_sender",
    _REJECTS,
    "5.3.1.6 5.3.1.6 4.3.1.6 4.3.1.6 4.4.1.6 4.4.1.6 4.4.1.6 5.4.1.6",
    "the sender also sent the third-party invite event",
    "another user sent the third-party invite event",
)
INVITE_THIRD_PARTY_SIGNED = _rule(
    "member.invite.third_party.signed",
    _ALLOWS,
    "5.3.1.7 5.3.1.7 4.3.1.7 4.3.1.7 4.4.1.7 4.4.1.7 4.4.1.7 5.4.1.7",
    "a key of the third-party invite event signed the block",
    "no key of the third-party invite event signed the block",
)
INVITE_THIRD_PARTY_OTHERWISE = _rule(
    "member.invite.third_party.otherwise",
    _REJECTS,
    "5.3.1.8 5.3.1.8 4.3.1.8 4.3.1.8 4.4.1.8 4.4.1.8 4.4.1.8 5.4.1.8",
    "a key of the third-party invite event signed the block",
    "no key of the third-party invite event signed the block",
)
INVITE_SENDER_NOT_JOINED = _rule(
    "member.invite.sender_not_joined",
    _REJECTS,
    "5.3.2   5.3.2   4.3.2   4.3.2   4.4.2   4.4.2   4.4.2   5.4.2",
    "the sender is joined",
    "the sender is not joined",
)
INVITE_TARGET_IN_ROOM = _rule(
    "member.invite.target_in_room",
    _REJECTS,
    "5.3.3   5.3.3   4.3.3   4.3.3   4.4.3   4.4.3   4.4.3   5.4.3",
    "the invited user is neither joined nor banned",
    "the invited user is already joined, or banned",
)
INVITE_LEVEL = _rule(
    "member.invite.level",
    _ALLOWS,
    "5.3.4   5.3.4   4.3.4   4.3.4   4.4.4   4.4.4   4.4.4   5.4.4",
    "the sender has the invite level",
    "the sender does not have the invite level",
)
INVITE_OTHERWISE = _rule(
    "member.invite.otherwise",
    _REJECTS,
    "5.3.5   5.3.5   4.3.5   4.3.5   4.4.5   4.4.5   4.4.5   5.4.5",
    "the sender has the invite level",
    "the sender does not have the invite level",
)
LEAVE_SELF = _rule(
    "member.leave.self",
    _DECIDES,
    "5.4.1   5.4.1   4.4.1   4.4.1   4.5.1   4.5.1   4.5.1   5.5.1",
    "the sender leaves, and is in the room or invited (or knocking)",
    "the sender leaves, but is neither in the room nor invited (nor knocking)",
)
LEAVE_SENDER_NOT_JOINED = _rule(
    "member.leave.sender_not_joined",
    _REJECTS,
    "5.4.2   5.4.2   4.4.2   4.4.2   4.5.2   4.5.2   4.5.2   5.5.2",
    "the sender is joined",
    "the sender is not joined",
)
LEAVE_BANNED = _rule(
    "member.leave.banned",
    _REJECTS,
    "5.4.3   5.4.3   4.4.3   4.4.3   4.5.3   4.5.3   4.5.3   5.5.3",
    "the target is not banned, or the sender has the ban level",
    "the target is banned, and the sender does not have the ban level",
)
LEAVE_LEVEL = _rule(
    "member.leave.level",
    _ALLOWS,
    "5.4.4   5.4.4   4.4.4   4.4.4   4.5.4   4.5.4   4.5.4   5.5.4",
    "the sender has the kick level and outranks the target",
    "the sender lacks the kick level, or does not outrank the target",
)
LEAVE_OTHERWISE = _rule(
    "member.leave.otherwise",
    _REJECTS,
    "5.4.5   5.4.5   4.4.5   4.4.5   4.5.5   4.5.5   4.5.5   5.5.5",
    "the sender has the kick level and outranks the target",
    "the sender lacks the kick level, or does not outrank the target",
)
BAN_SENDER_NOT_JOINED = _rule(
    "member.ban.sender_not_joined",
    _REJECTS,
    "5.5.1   5.5.1   4.5.1   4.5.1   4.6.1   4.6.1   4.6.1   5.6.1",
    "the sender is joined",
    "the sender is not joined",
)
BAN_LEVEL = _rule(
    "member.ban.level",
    _ALLOWS,
    "5.5.2   5.5.2   4.5.2   4.5.2   4.6.2   4.6.2   4.6.2   5.6.2",
    "the sender has the ban level and outranks the target",
    "the sender lacks the ban level, or does not outrank the target",
)
BAN_OTHERWISE = _rule(
    "member.ban.otherwise",
    _REJECTS,
    "5.5.3   5.5.3   4.5.3   4.5.3   4.6.3   4.6.3   4.6.3   5.6.3",
    "the sender has the ban level and outranks the target",
    "the sender lacks the ban level, or does not outrank the target",
)
KNOCK_JOIN_RULE = _rule(
    "member.knock.join_rule",
    _REJECTS,
    "-       -       -       4.6.1   4.7.1   4.7.1   4.7.1   5.7.1",
    "the join rule lets users knock",
    "the join rule does not let users knock",
    exists=lambda version: version.knock,
)
KNOCK_SENDER_IS_TARGET = _rule(
    "member.knock.sender_is_target",
    _REJECTS,
    "-       -       -       4.6.2   4.7.2   4.7.2   4.7.2   5.7.2",
    "the sender is the user who knocks",
    "the sender tries to knock on behalf of another user",
    exists=lambda version: version.knock,
)
KNOCK_ALLOWED = _rule(
    "member.knock.allowed",
    _ALLOWS,
    "-       -       -       4.6.3   4.7.3   4.7.3   4.7.3   5.7.3",
    "the sender is neither banned, invited nor joined",
    "the sender is banned, invited or joined",
    exists=lambda version: version.knock,
)
KNOCK_OTHERWISE = _rule(
    "member.knock.otherwise",
    _REJECTS,
    "-       -       -       4.6.4   4.7.4   4.7.4   4.7.4   5.7.4",
    "the sender is neither banned, invited nor joined",
    "the sender is banned, invited or joined",
    exists=lambda version: version.knock,
)
MEMBER_UNKNOWN = _rule(
    "member.unknown",
    _REJECTS,
    "5.6     5.6     4.6     4.7     4.8     4.8     4.8     5.8",
    "the membership exists in the room version",
    "the membership does not exist in the room version",
)
SENDER_NOT_JOINED = _rule(
    "sender.not_joined",
    _REJECTS,
    "6       6       5       5       5       5       5       6",
    "the sender is joined",
    "the sender is not joined",
)
THIRD_PARTY_INVITE_LEVEL = _rule(
    "third_party_invite.level",
    _DECIDES,
    "7.1     7.1     6.1     6.1     6.1     6.1     6.1     7.1",
    "the sender has the invite level",
    "the sender does not have the invite level",
)
REQUIRED_LEVEL = _rule(
    "required_level",
    _REJECTS,
    "8       8       7       7       7       7       7       8",
    "the sender has the required power level",
    "the sender does not have the required power level",
)
STATE_KEY_OF_OTHER_USER = _rule(
    "state_key.of_other_user",
    _REJECTS,
    "9       9       8       8       8       8       8       9",
    "the state key does not begin with @, or is the sender",
    "the state key begins with @ and is not the sender",
    exists=lambda version: not version.owned_state_keys,
)
# The rules of MSC3757 take the place of the one before. Their numbers are those that they would have in each
# list; the proposal gives them for the list of version 9.
STATE_KEY_NOT_OWNED = _rule(
    "state_key.of_no_user",
    _REJECTS,
    "9.1.1   9.1.1   8.1.1   8.1.1   8.1.1   8.1.1   8.1.1   9.1.1",
    "the state key does not begin with @, or begins with a user ID",
    "the state key begins with @ but not with a user ID",
    exists=lambda version: version.owned_state_keys,
    url=_MSC3757,
)
STATE_KEY_SUFFIX = _rule(
    "state_key.suffix",
    _REJECTS,
    "9.1.2   9.1.2   8.1.2   8.1.2   8.1.2   8.1.2   8.1.2   9.1.2",
    "at most 256 bytes follow the user ID in the state key",
    "more than 256 bytes follow the user ID in the state key",
    exists=lambda version: version.owned_state_keys,
    url=_MSC3757,
)
STATE_KEY_OWNER = _rule(
    "state_key.owner",
    _REJECTS,
    "9.1.3   9.1.3   8.1.3   8.1.3   8.1.3   8.1.3   8.1.3   9.1.3",
    "the sender owns the state key, or outranks its owner",
    "another user owns the state key, and the sender does not outrank that user",
    exists=lambda version: version.owned_state_keys,
    url=_MSC3757,
)
STATE_KEY_LENGTH = _rule(
    "state_key.length",
    _REJECTS,
    "9.2     9.2     8.2     8.2     8.2     8.2     8.2     9.2",
    "a state key without an owner is at most 255 bytes long",
    "the state key has no owner and is longer than 255 bytes",
    exists=lambda version: version.owned_state_keys,
    url=_MSC3757,
)
POWER_LEVELS_NOT_INTEGER = _rule(
    "power_levels.not_integer",
    _REJECTS,
    "-       -       -       -       -       9.1     9.1     10.1",
    "the seven named levels are integers",
    "one of the seven named levels is not an integer",
    exists=lambda version: version.power_level_types_checked,
)
POWER_LEVELS_MAP_NOT_INTEGERS = _rule(
    "power_levels.map_not_integers",
    _REJECTS,
    "-       -       -       -       -       9.2     9.2     10.2",
    "events and notifications are objects of integers",
    "events or notifications is not an object of integers",
    exists=lambda version: version.power_level_types_checked,
)
POWER_LEVELS_USERS = _rule(
    "power_levels.users",
    _REJECTS,
    "10.1    10.1    9.1     9.1     9.1     9.3     9.3     10.3",
    "users is an object that maps user IDs to levels",
    "users is not an object that maps user IDs to levels",
)
POWER_LEVELS_CREATOR_LISTED = _rule(
    "power_levels.creator_listed",
    _REJECTS,
    "-       -       -       -       -       -       -       10.4",
    "users names no creator",
    "users names a creator",
    exists=lambda version: version.infinite_creator_level,
)
POWER_LEVELS_FIRST = _rule(
    "power_levels.first",
    _ALLOWS,
    "10.2    10.2    9.2     9.2     9.2     9.4     9.4     10.5",
    "these are the first power levels of the room",
    "these are not the first power levels of the room",
)
POWER_LEVELS_LEVEL_CURRENT = _rule(
    "power_levels.level_current",
    _REJECTS,
    "10.3.1  10.3.1  9.3.1   9.3.1   9.3.1   9.5.1   9.5.1   10.6.1",
    "no level above the sender's is altered",
    "the event alters a level that was above the sender's",
)
POWER_LEVELS_LEVEL_NEW = _rule(
    "power_levels.level_new",
    _REJECTS,
    "10.3.2  10.3.2  9.3.2   9.3.2   9.3.2   9.5.2   9.5.2   10.6.2",
    "no level is set above the sender's",
    "the event sets a level above the sender's",
)
POWER_LEVELS_EVENTS_CURRENT = _rule(
    "power_levels.events_current",
    _REJECTS,
    "10.4.1  10.4.1  9.4.1   9.4.1   9.4.1   9.6.1   9.6.1   10.7.1",
    "no entry of events (or notifications) above the sender's level is altered",
    "the event alters an entry of events (or notifications) that was above the sender's level",
)
POWER_LEVELS_EVENTS_NEW = _rule(
    "power_levels.events_new",
    _REJECTS,
    "10.5.1  10.5.1  9.5.1   9.5.1   9.5.1   9.7.1   9.7.1   10.8.1",
    "no entry of events (or notifications) is set above the sender's level",
    "the event sets an entry of events (or notifications) above the sender's level",
)
POWER_LEVELS_USERS_CURRENT = _rule(
    "power_levels.users_current",
    _REJECTS,
    "10.6.1  10.6.1  9.6.1   9.6.1   9.6.1   9.8.1   9.8.1   10.9.1",
    "no other user's entry at or above the sender's level is altered",
    "the event alters another user's entry that was not below the sender's level",
)
POWER_LEVELS_USERS_NEW = _rule(
    "power_levels.users_new",
    _REJECTS,
    "10.7.1  10.7.1  9.7.1   9.7.1   9.7.1   9.9.1   9.9.1   10.10.1",
    "no user's entry is set above the sender's level",
    "the event sets a user's entry above the sender's level",
)
POWER_LEVELS_ALLOWED = _rule(
    "power_levels.allowed",
    _ALLOWS,
    "10.8    10.8    9.8     9.8     9.8     9.10    9.10    10.11",
    "the event breaks no rule on power levels",
    "the event breaks a rule on power levels",
)
REDACTION_LEVEL = _rule(
    "redaction.level",
    _ALLOWS,
    "11.1    -       -       -       -       -       -       -",
    "the sender has the redact level",
    "the sender does not have the redact level",
    exists=lambda version: version.redaction_rule,
)
REDACTION_SAME_DOMAIN = _rule(
    "redaction.same_domain",
    _ALLOWS,
    "11.2    -       -       -       -       -       -       -",
    "the redaction and its target have event IDs from the same server",
    "the redaction and its target do not have event IDs from the same server",
    exists=lambda version: version.redaction_rule,
)
REDACTION_OTHERWISE = _rule(
    "redaction.otherwise",
    _REJECTS,
    "11.3    -       -       -       -       -       -       -",
    "the sender has the redact level, or the event IDs are from the same server",
    "the sender lacks the redact level, and the event IDs are not from the same server",
    exists=lambda version: version.redaction_rule,
)
OTHERWISE = _rule(
    "otherwise",
    _ALLOWS,
    "12      11      10      10      10      10      10      11",
    "no rule rejects the event",
    "a rule rejects the event",
)
