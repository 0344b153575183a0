"""The known differences between roomver and Synapse in the authorisation rules, with their reasons.

An entry tells from a case whether roomver and Synapse may differ, and how. The first entry that holds
explains a difference. A difference that no entry explains is a bug in one of the two.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from builder import server_name
from random_rooms import Case
from strategies import OWNED_KEY_VERSIONS, number_of

from roomver import MalformedEvent, Verdict, rules
from roomver.signatures import list_required_signers

ALLOW: Final = "allow"
REJECT: Final = "reject"
CRASH: Final = "crash"
"""An exception that is not a verdict. A server that meets it fails to handle the event."""
UNDECIDED: Final = "undecided"
"""A required event is missing."""


class Outcomes(NamedTuple):
    """The answers of roomver and Synapse.

    Attributes:
        half: "independent" for the rules that do not read the room state, "dependent" for the others.
        ours, theirs: the two answers.
        verdict: roomver's, if it decided.
        said: Synapse's error.
        final: roomver's answer by all rules, for the independent half.
    """

    half: str
    ours: str
    theirs: str
    verdict: Verdict | None
    said: str
    final: str

    def says(self, ours: str, theirs: str, *decided: rules.Rule) -> bool:
        """Tell whether these are the answers. If rules are given, one of them must have decided roomver's."""
        by = self.verdict.rule if self.verdict is not None else None
        return (ours, theirs) == (self.ours, self.theirs) and (not decided or by in decided)


class Difference(NamedTuple):
    """One listed difference: its name in the project's table, its reason, and when it applies."""

    row: str
    reason: str
    holds: Callable[[Case, Outcomes], bool]


DIFFERENCES: Final[list[Difference]] = []


def explain(case: Case, seen: Outcomes) -> Difference | None:
    """Return the entry that explains a difference, or None."""
    return next((entry for entry in DIFFERENCES if entry.holds(case, seen)), None)


def _difference(half: str, row: str, reason: str) -> Callable[[Any], None]:
    def enter(holds: Callable[[Case, Outcomes], bool]) -> None:
        def holds_in_half(case: Case, seen: Outcomes) -> bool:
            return seen.half == half and holds(case, seen)

        DIFFERENCES.append(Difference(row, reason, holds_in_half))

    return enter


# Properties of a case


def _content(case: Case) -> dict[str, Any]:
    return case.event.content


def _membership(case: Case) -> Any:
    return _content(case).get("membership") if case.event.type == "m.room.member" else None


def _create_content(case: Case) -> dict[str, Any]:
    return case.state["m.room.create", ""].content


def _unhashable(value: Any) -> bool:
    return isinstance(value, list | dict)


def _cited(case: Case) -> list[str]:
    cited = list(case.event.auth_event_ids)
    if number_of(case.version) == 12 and case.event.type != "m.room.create":
        cited.append("$" + case.event.room_id[1:])
    return cited


def _token_is_out_of_reach(case: Case) -> bool:
    """Tell whether `content["third_party_invite"]["signed"]["token"]` cannot be looked up."""
    value: Any = _content(case).get("third_party_invite")
    for key in ("signed", "token"):
        if not isinstance(value, dict) or key not in value:
            return True
        value = value[key]
    return _unhashable(value)


def _number(case: Case) -> int:
    return number_of(case.version)


def _readable(value: Any, number: int, *, as_synapse: bool = False) -> bool:
    """Tell whether a value is a level in a room version, or one that Synapse accepts as a level."""
    if type(value) is int:
        return True
    if type(value) is float:
        return number <= 5
    if type(value) is bool:
        return as_synapse and number <= 9
    if type(value) is str and number <= 9:
        if as_synapse:
            try:
                int(value)
            except ValueError:
                return False
            return True
        return re.fullmatch(r"\s*[+-]?[0-9]+\s*", value) is not None
    return False


_NAMED = ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"]


def _levels_readable(content: dict[str, Any], number: int, *, as_synapse: bool = False) -> bool:
    """Tell whether every level in the content of a power-levels event is valid."""
    values = [content[name] for name in _NAMED if name in content]
    for name in ("users", "events", "notifications"):
        if name == "notifications" and number <= 5:
            continue
        entries = content.get(name, {})
        if not isinstance(entries, dict):
            return False
        values += entries.values()
    return all(_readable(value, number, as_synapse=as_synapse) for value in values)


def _state_levels_readable(case: Case) -> bool:
    power_levels = case.state.get(("m.room.power_levels", ""))
    return power_levels is None or _levels_readable(power_levels.content, _number(case))


# The rules that do not read the room state


@_difference("independent", "T52", "the selection raises on a member event without the keys that it reads")
def _malformed_selection(case: Case, seen: Outcomes) -> bool:
    malformed = case.event.type == "m.room.member" and (
        case.event.state_key is None
        or "membership" not in _content(case)
        or (
            _membership(case) == "invite"
            and "third_party_invite" in _content(case)
            and _token_is_out_of_reach(case)
        )
    )
    # A later rule refuses every event on which the selection raises.
    return malformed and seen.theirs == CRASH and seen.final != ALLOW


@_difference("independent", "T52", "the selection raises on an authoriser that is an array or object")
def _unhashable_authoriser(case: Case, seen: Outcomes) -> bool:
    authoriser = _content(case).get("join_authorised_via_users_server")
    if not (_unhashable(authoriser) and _membership(case) == "join" and _number(case) >= 8):
        return False
    # The rule on the authoriser's signature refuses it in any case, because no server could sign.
    try:
        list_required_signers(case.event)
    except MalformedEvent:
        return seen.theirs == CRASH
    return False


@_difference("independent", "T51", "a cited message raises because it has no state key")
def _message_cited(case: Case, seen: Outcomes) -> bool:
    messages = any(i in case.events and case.events[i].state_key is None for i in case.event.auth_event_ids)
    return messages and seen.ours in (REJECT, UNDECIDED) and seen.theirs == CRASH


@_difference("independent", "T84", "a cited create event of version 12 raises: its format refuses it")
def _create_cited(case: Case, seen: Outcomes) -> bool:
    cited = number_of(case.version) == 12 and "$" + case.event.room_id[1:] in case.event.auth_event_ids
    return cited and seen.ours in (REJECT, UNDECIDED) and seen.theirs == CRASH


@_difference(
    "independent", "T83, T90", "a create event of another version does not make a room of version 12"
)
def _create_of_other_version(case: Case, seen: Outcomes) -> bool:
    create = case.events.get("$" + case.event.room_id[1:])
    other = create is not None and create.content.get("room_version") != case.version
    return number_of(case.version) == 12 and other and seen.says(REJECT, ALLOW, rules.ROOM_ID_OF_CREATE)


@_difference("independent", "T51", "a missing auth event is reported before other faults are checked")
def _unknown_beside_a_fault(case: Case, seen: Outcomes) -> bool:
    unknown = any(event_id not in case.events for event_id in _cited(case))
    return unknown and seen.ours == UNDECIDED and seen.theirs in (REJECT, CRASH)


@_difference("independent", "D18", "an additional creator needs no valid server name")
def _additional_creator_grammar(case: Case, seen: Outcomes) -> bool:
    listed = _content(case).get("additional_creators")
    entries = listed if isinstance(listed, list) else [None]
    plausible = all(isinstance(e, str) and e.startswith("@") and ":" in e for e in entries)
    return plausible and seen.says(REJECT, ALLOW, rules.CREATE_ADDITIONAL_CREATORS)


# The rules that read the room state


@_difference("dependent", "T71, D44", "the state's power levels hold what roomver's rules refuse")
def _unreadable_state(case: Case, seen: Outcomes) -> bool:
    return not _state_levels_readable(case)


@_difference("dependent", "T64", "a member in the state without a membership raises")
def _state_member_without_membership(case: Case, seen: Outcomes) -> bool:
    members = [event for key, event in case.state.items() if key[0] == "m.room.member"]
    return seen.theirs == CRASH and any("membership" not in event.content for event in members)


@_difference("dependent", "T52", "a member event without state key or membership raises")
def _malformed_member(case: Case, seen: Outcomes) -> bool:
    return seen.says(REJECT, CRASH, rules.MEMBER_MALFORMED)


@_difference("dependent", "T52", "an authoriser or token that is an array or object raises")
def _unhashable_key(case: Case, seen: Outcomes) -> bool:
    if seen.says(REJECT, CRASH, rules.JOIN_RESTRICTED_AUTHORISER):
        return _unhashable(_content(case).get("join_authorised_via_users_server"))
    third_party = _membership(case) == "invite" and "third_party_invite" in _content(case)
    return third_party and _token_is_out_of_reach(case) and seen.says(REJECT, CRASH)


@_difference("dependent", "D23", "m.federate that is not true closes the room, also to the target's server")
def _federate_no_boolean(case: Case, seen: Outcomes) -> bool:
    value = _create_content(case).get("m.federate", True)
    return type(value) is not bool and seen.says(ALLOW, REJECT) and _closed(case, seen)


@_difference("dependent", "D24", "m.federate false also closes the room to the target's server")
def _federate_target(case: Case, seen: Outcomes) -> bool:
    closed = _create_content(case).get("m.federate") is False
    return closed and seen.says(ALLOW, REJECT) and _membership(case) is not None and _closed(case, seen)


def _closed(case: Case, seen: Outcomes) -> bool:
    """Tell whether Synapse found the room closed to a user of the event, and one is of another server."""
    if "marked as unfederatable" not in seen.said:
        return False
    here = server_name(case.state["m.room.create", ""].sender)
    users = [case.event.sender]
    if case.event.type == "m.room.member":
        users.append(case.event.state_key or "")
    return any(server_name(user) != here for user in users)


@_difference("dependent", "member state key", "the target of a membership needs a colon")
def _target_is_no_user(case: Case, seen: Outcomes) -> bool:
    target = case.event.state_key
    no_colon = _membership(case) is not None and ":" not in (target or "")
    return no_colon and "Invalid ID" in seen.said and seen.says(ALLOW, REJECT)


@_difference("dependent", "D34", "a public key is skipped after the first signature that fails under it")
def _first_failure_gives_up(case: Case, seen: Outcomes) -> bool:
    if not seen.says(ALLOW, REJECT, rules.INVITE_THIRD_PARTY_SIGNED):
        return False
    signatures: dict[str, Any] = _content(case)["third_party_invite"]["signed"]["signatures"]
    return sum(len(by_key) for by_key in signatures.values()) > 1


@_difference("dependent", "T66", "a malformed key or signature raises")
def _malformed_offer(case: Case, seen: Outcomes) -> bool:
    if seen.theirs != CRASH or _membership(case) != "invite" or "third_party_invite" not in _content(case):
        return False
    signed = _content(case)["third_party_invite"]["signed"]
    offer = case.state["m.room.third_party_invite", signed["token"]].content
    listed = offer.get("public_keys", [])
    entries = listed if isinstance(listed, list) else [None]
    odd_list = any(not isinstance(e, dict) or "public_key" not in e for e in entries)
    keys = [e["public_key"] for e in entries if isinstance(e, dict) and "public_key" in e]
    keys += [offer["public_key"]] if "public_key" in offer else []
    odd_key = any(not isinstance(key, str) or re.fullmatch("[A-Za-z0-9+/]{43}", key) is None for key in keys)
    signatures = signed.get("signatures")
    odd_signature = not isinstance(signatures, dict) or any(
        not isinstance(by_key, dict)
        or any(
            not isinstance(s, str) or re.fullmatch("[A-Za-z0-9+/]{86}", s) is None for s in by_key.values()
        )
        for by_key in signatures.values()
    )
    return odd_list or odd_key or odd_signature


@_difference("dependent", "D47", "a redaction of nothing is allowed in versions 1 and 2")
def _redaction_of_nothing(case: Case, seen: Outcomes) -> bool:
    return case.event.redacts is None and seen.says(REJECT, ALLOW, rules.REDACTION_OTHERWISE)


@_difference("dependent", "T80", "a power-levels event without a state key raises")
def _power_levels_message(case: Case, seen: Outcomes) -> bool:
    is_message = case.event.type == "m.room.power_levels" and case.event.state_key is None
    return is_message and seen.theirs == CRASH


@_difference(
    "dependent", "D46", "power levels under another state key are compared with their own predecessor"
)
def _power_levels_key(case: Case, seen: Outcomes) -> bool:
    if case.event.type != "m.room.power_levels" or case.event.state_key in ("", None):
        return False
    return seen.says(
        REJECT,
        ALLOW,
        rules.POWER_LEVELS_LEVEL_CURRENT,
        rules.POWER_LEVELS_LEVEL_NEW,
        rules.POWER_LEVELS_EVENTS_CURRENT,
        rules.POWER_LEVELS_EVENTS_NEW,
        rules.POWER_LEVELS_USERS_CURRENT,
        rules.POWER_LEVELS_USERS_NEW,
    )


@_difference("dependent", "MSC3757: grammar", "a wider grammar of the user IDs that own state keys")
def _owner_grammar(case: Case, seen: Outcomes) -> bool:
    key = case.event.state_key or ""
    plausible = key.startswith("@") and ":" in key and case.version in OWNED_KEY_VERSIONS
    return plausible and seen.says(REJECT, ALLOW, rules.STATE_KEY_NOT_OWNED)


@_difference("dependent", "MSC3757: sizes", "the size of a state key is checked elsewhere: at most 255 bytes")
def _state_key_size(case: Case, seen: Outcomes) -> bool:
    too_long = len((case.event.state_key or "").encode()) > 255 and case.version in OWNED_KEY_VERSIONS
    return too_long and seen.says(REJECT, ALLOW, rules.STATE_KEY_SUFFIX, rules.STATE_KEY_LENGTH)


def _other_predecessor(case: Case) -> dict[str, Any] | None:
    """Return the power levels under the event's own state key, if that key is not the empty one."""
    if case.event.type != "m.room.power_levels" or case.event.state_key in ("", None):
        return None
    found = case.state.get(("m.room.power_levels", case.event.state_key))
    return None if found is None else dict(found.content)


@_difference("dependent", "D46", "power levels under another state key are refused by their own predecessor")
def _power_levels_key_refuses(case: Case, seen: Outcomes) -> bool:
    has_one = _other_predecessor(case) is not None
    return has_one and "You don't have permission to" in seen.said and seen.says(ALLOW, REJECT)


@_difference(
    "dependent", "D46", "power levels under another state key raise if their predecessor is unreadable"
)
def _power_levels_key_raises(case: Case, seen: Outcomes) -> bool:
    old = _other_predecessor(case)
    unreadable = old is not None and not _levels_readable(old, _number(case), as_synapse=True)
    return unreadable and seen.theirs == CRASH


def _refused_power_levels(case: Case, seen: Outcomes, theirs: str) -> bool:
    return seen.says(
        REJECT,
        theirs,
        rules.POWER_LEVELS_USERS,
        rules.POWER_LEVELS_NOT_INTEGER,
        rules.POWER_LEVELS_MAP_NOT_INTEGERS,
    )


@_difference(
    "dependent", "D41, D42", "up to version 9, true is 1, and a string may be anything that int() accepts"
)
def _python_integers(case: Case, seen: Outcomes) -> bool:
    return (
        _refused_power_levels(case, seen, ALLOW)
        and not _levels_readable(_content(case), _number(case))
        and _levels_readable(_content(case), _number(case), as_synapse=True)
    )


@_difference("dependent", "D44", "up to version 9, the first power levels may hold invalid levels")
def _unreadable_first(case: Case, seen: Outcomes) -> bool:
    first = ("m.room.power_levels", case.event.state_key) not in case.state
    unreadable = not _levels_readable(_content(case), _number(case), as_synapse=True)
    return first and unreadable and _number(case) <= 9 and _refused_power_levels(case, seen, ALLOW)


@_difference("dependent", "D19", "a key of users needs no valid server name")
def _user_id_grammar(case: Case, seen: Outcomes) -> bool:
    users = _content(case).get("users")
    plausible = isinstance(users, dict) and all(user.startswith("@") and ":" in user for user in users)
    return plausible and seen.says(REJECT, ALLOW, rules.POWER_LEVELS_USERS)


@_difference("dependent", "T81, T82", "power levels that cannot be read raise instead of being refused")
def _unreadable_raises(case: Case, seen: Outcomes) -> bool:
    unreadable = not _levels_readable(_content(case), _number(case))
    return unreadable and _refused_power_levels(case, seen, CRASH)
