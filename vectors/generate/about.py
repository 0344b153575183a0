"""What a case of the authorisation rules is about, in sentences, for cases whose author says nothing.

The sentences are made from the events of the case: who does what in which situation, and what the deciding
rule says about it. They say what the case has, and nothing here decides what it expects.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from .about_rules import REASONS
from .constants import (
    ALIASES,
    AUTHORISER,
    CREATE,
    CREATE_KEY,
    JOIN_RULES_KEY,
    MEMBER,
    POWER_LEVELS,
    POWER_LEVELS_KEY,
    REDACTION,
    THIRD_PARTY_INVITE,
    Key,
)

Pdu = Mapping[str, Any]

_SHOWN = 80  # characters of a value
_TEXT = 40  # characters of a text in it
_DEFAULTS = {"ban": 50, "kick": 50, "redact": 50, "invite": 0, "events_default": 0, "state_default": 50}
_MAPS = ("users", "events", "notifications")

_BEFORE = {
    None: "who has never been in the room",
    "leave": "who has left the room",
    "invite": "who is invited",
    "join": "who is in the room",
    "ban": "who is banned",
    "knock": "who has knocked",
}


class Described(Protocol):
    """What of a case the sentences are made from."""

    @property
    def operation(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def input(self) -> dict[str, Any]: ...
    @property
    def expected(self) -> dict[str, Any]: ...
    @property
    def rule_name(self) -> str: ...


def about(case: Described) -> str:
    """Return what a case is about.

    Raises:
        KeyError: if there is no sentence for its rule.
    """
    if case.operation == "auth_types":
        return _selection(case.input["event"], case.expected["keys"])
    situation = _Situation(case)
    if case.operation == "redaction_applies":
        return situation.redaction(case.input["target"])
    cited = f" {situation.cited()}" if case.rule_name.startswith("auth_events.") else ""
    return f"{situation.event_sentence()}{cited} {situation.reason(case.rule_name)}"


class _Situation:
    """The event of a case, and the state that it is checked against."""

    def __init__(self, case: Described) -> None:
        self.number = int(case.version)
        self.events: dict[str, Pdu] = case.input["events"]
        self.event = self.events[
            case.input["redaction" if case.operation == "redaction_applies" else "event"]
        ]
        ids = case.input.get("state")
        if ids is None:
            ids = [one if self.number > 2 else one[0] for one in self.event["auth_events"]]
        state = [self.events[one] for one in ids if one in self.events]
        self.state: dict[Key, Pdu] = {
            (one["type"], one["state_key"]): one for one in state if "state_key" in one
        }
        self.create = next((one for one in self.events.values() if one["type"] == CREATE), None)
        self.sender: str = self.event["sender"]
        self.content: Any = self.event["content"]

    # Levels and memberships

    def levels(self) -> Any:
        return self.state[POWER_LEVELS_KEY]["content"] if POWER_LEVELS_KEY in self.state else None

    def level(self, user: Any) -> str:
        """Return the level of a user, in words."""
        create = self.create or {"content": {}, "sender": None}
        creators = [create["sender"], *(create["content"].get("additional_creators") or ())]
        if self.number >= 12 and user in creators:
            return "infinite (creator)"
        levels = self.levels()
        if levels is None:
            return "100 (creator; the room has no power levels)" if user == creators[0] else "0"
        users = levels.get("users")
        if isinstance(users, dict) and user in users:
            return _shown(users[user])
        return _shown(levels.get("users_default", 0))

    def needed(self, name: str) -> str:
        return _shown((self.levels() or {}).get(name, _DEFAULTS[name]))

    def needed_to_send(self) -> str:
        if self.event["type"] == THIRD_PARTY_INVITE:
            return self.needed("invite")
        events = (self.levels() or {}).get("events")
        if isinstance(events, dict) and self.event["type"] in events:
            return _shown(events[self.event["type"]])
        return self.needed("state_default" if "state_key" in self.event else "events_default")

    def user(self, user: Any) -> str:
        """Return a user with their membership, as part of a sentence."""
        member = self.state.get((MEMBER, user))
        before = member["content"].get("membership") if member else None
        return f"{user}, {_BEFORE.get(before, f'whose membership is {_shown(before)}')},"

    # Sentences

    def event_sentence(self) -> str:
        """Return who does what, with the values that matter."""
        kind = self.event["type"]
        if kind == CREATE:
            return self._creating()
        if kind == MEMBER:
            return self._membership()
        if kind == POWER_LEVELS:
            return f"{self.sender} {'; '.join(self._changes()) or 'sends the same power levels again'}."
        state_key = self.event.get("state_key")
        key = "" if state_key in (None, "") else f" with the state key {_shown(state_key)}"
        if kind == ALIASES and state_key == "":
            key = " with an empty state key"
        if kind == ALIASES and state_key is None:
            key = " without a state key"
        if kind == REDACTION:
            key = f" with redacts {_shown(self.event.get('redacts'))}" if self.number <= 2 else ""
        return f"{self.user(self.sender)} sends {kind}{key}."

    def cited(self) -> str:
        """Return which events the event cites as auth events."""
        cited = [one if self.number > 2 else one[0] for one in self.event["auth_events"]]
        events = (self.events[one] for one in cited if one in self.events)
        words = [
            f"{one['type']} of {one['state_key']}" if one.get("state_key") else one["type"] for one in events
        ]
        return f"It cites {', '.join(words)}." if words else "It cites no auth events."

    def _creating(self) -> str:
        told = []
        if "additional_creators" in self.content:
            told.append(f"additional_creators {_shown(self.content['additional_creators'])}")
        if self.number <= 10 and "creator" not in self.content:
            told.append("no creator in its content")
        if self.event["prev_events"]:
            told.append("a previous event")
        if self.number <= 11:
            told.append(f"the room ID {self.event['room_id']}")
        return f"{self.sender} sends a create event{' with ' + ' and '.join(told) if told else ''}."

    def _membership(self) -> str:
        target, membership = self.event.get("state_key"), self.content.get("membership")
        sender = self.user(self.sender)
        if target is None or not isinstance(membership, str):
            lacks = "state key" if target is None else "membership"
            return f"{sender} sends a member event without a {lacks}."
        same = target == self.sender
        if membership == "join":
            other = "" if same else f" in the name of {target}"
            named = ""
            if AUTHORISER in self.content:
                named = f" and the authorising user is {self.authoriser()}"
            elif self.number >= 8 and "restricted" in self._join_rule():
                named = ", and no authorising user is named"
            return f"{sender} joins{other}. {self._join_rule()}{named}."
        if membership == "knock":
            return f"{sender} knocks{'' if same else f' in the name of {target}'}. {self._join_rule()}."
        if membership == "leave":
            if same:
                return f"{sender} leaves."
            return (
                f"{sender} {'unbans' if self._banned(target) else 'kicks'} {self.user(target).rstrip(',')}."
            )
        verb = {"invite": "invites", "ban": "bans"}.get(membership)
        if verb is None:
            return f"{sender} sends the membership {_shown(membership)} for {target}."
        third = (
            _third_party(self.content["third_party_invite"]) if "third_party_invite" in self.content else ""
        )
        return f"{sender} {verb} {self.user(target).rstrip(',')}{third}."

    def _banned(self, user: Any) -> bool:
        member = self.state.get((MEMBER, user))
        return member is not None and member["content"].get("membership") == "ban"

    def _join_rule(self) -> str:
        rule = self.state.get(JOIN_RULES_KEY)
        if rule is None:
            return "The room has no join rule"
        return f"The join rule is {_shown(rule['content'].get('join_rule')).strip(chr(34))}"

    def authoriser(self) -> str:
        """Return the authorising user of a join, with their membership and level."""
        value = self.content.get(AUTHORISER)
        if not isinstance(value, str) or (MEMBER, value) not in self.state:
            return _shown(value)
        return self.user(value).rstrip(",")

    def _changes(self) -> Iterator[str]:
        """Yield what an event of power levels changes."""
        old = self.levels()
        new = self.content
        if old is None:
            yield f"sends the first power levels, {_shown(new)}"
            return
        for name in sorted(old.keys() | new.keys()):
            before, after = old.get(name), new.get(name)
            if name in _MAPS and isinstance(after, dict | None) and isinstance(before, dict | None):
                if name in new and name not in old and not after:
                    yield f"adds an empty {name}"
                for key in sorted((before or {}).keys() | (after or {}).keys()):
                    yield from _change(f"{name}[{key}]", before or {}, after or {}, key)
            else:
                yield from _change(name, old, new, name)

    def reason(self, rule: str) -> str:
        """Return what the deciding rule says about the event."""
        if not rule:
            return "Events that decide it are missing."
        target = self.event.get("state_key")
        authoriser = self.content.get(AUTHORISER)
        named = isinstance(authoriser, str) and (MEMBER, authoriser) in self.state
        removal = "A kick needs level {kick}"
        if self._banned(target):
            removal = "An unban needs level {ban}, level {kick} as a kick does"
        needed = {name: self.needed(name) for name in ("ban", "invite", "kick", "redact")}
        text = (
            " Up to version 9, a level may also be text: an integer with an optional sign, surrounded by"
            " white space."
        )
        users = self.content.get("users")
        texts = isinstance(users, dict) and any(isinstance(one, str) for one in users.values())
        as_text = texts and self.number <= 9 and rule in ("power_levels.first", "power_levels.users")
        return REASONS[rule].format(
            have=self.level(self.sender),
            theirs=self.level(target),
            authoriser=self.level(authoriser),
            authorisers=f" Theirs is {self.level(authoriser)}." if named else "",
            removal=removal.format(**needed),
            need=self.needed_to_send(),
            **needed,
        ) + (text if as_text else "")

    def redaction(self, target: str) -> str:
        """Return what a case of ``redaction_applies`` is about."""
        redacted = self.events[target]
        place = self.content if self.number >= 11 else self.event
        if place.get("redacts") != target:
            return f"The value of redacts is {_shown(place.get('redacts'))}, which does not name the event."
        mine, theirs = (event["sender"].partition(":")[2] for event in (self.event, redacted))
        servers = "the same server" if mine == theirs else "another server"
        return (
            f"{self.sender} redacts an event from {servers}. The level to redact is {self.needed('redact')}, "
            f"and the sender's is {self.level(self.sender)}. A redaction applies if its sender has the "
            "level, or is of the server that sent the event."
        )


def _third_party(invite: Any) -> str:
    """Return what the third_party_invite of an invite has, as the end of a sentence."""
    signed = invite.get("signed") if isinstance(invite, dict) else None
    if not isinstance(signed, dict):
        return f", with the third_party_invite {_shown(invite)}"
    parts = [f"{key} {_shown(signed[key])}" if key in signed else f"no {key}" for key in ("mxid", "token")]
    parts += [
        f"{key} {_shown(signed[key])}" for key in sorted(signed.keys() - {"mxid", "token", "signatures"})
    ]
    signatures = signed.get("signatures", "missing")
    if isinstance(signatures, dict) and signatures:
        count = sum(len(one) if isinstance(one, dict) else 0 for one in signatures.values())
        parts.append(f"{count} signature{'' if count == 1 else 's'}")
    else:
        parts.append("no signatures" if signatures == "missing" else f"signatures {_shown(signatures)}")
    return f", with a signed block that has {', '.join(parts[:-1])} and {parts[-1]}"


def _change(name: str, old: Pdu, new: Pdu, key: str) -> Iterator[str]:
    if key not in new and key in old:
        yield f"removes {name}, which was {_shown(old[key])}"
    elif key in new and key not in old:
        yield f"sets {name}, which was not set, to {_shown(new[key])}"
    elif key in new and json.dumps(old[key]) != json.dumps(new[key]):
        yield f"changes {name} from {_shown(old[key])} to {_shown(new[key])}"


def _selection(event: Pdu, picked: list[list[str]]) -> str:
    kind, sender, target = event["type"], event["sender"], event.get("state_key")
    what = kind
    if kind == MEMBER:
        membership = event["content"].get("membership")
        what = f"a member event {f'with membership {membership}' if membership else 'without a membership'}"
    names = {
        CREATE_KEY: "the create event",
        POWER_LEVELS_KEY: "the power levels",
        JOIN_RULES_KEY: "the join rules",
        (MEMBER, sender): "the sender's membership",
    }
    if target != sender:
        names[MEMBER, target] = "the target's membership"
    told = [names.get((one, key), f"{one} with the state key {_shown(key)}") for one, key in picked]
    if not told:
        return f"For {what}, the selection picks nothing."
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    return f"For {what}, the selection picks {listed}, and nothing else."


def _shown(value: Any) -> str:
    text = json.dumps(_elided(value), ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _elided(value: Any) -> Any:
    """Return a value in which a long text is cut, with its length."""
    if isinstance(value, dict):
        return {key: _elided(one) for key, one in value.items()}
    if isinstance(value, list):
        return list(map(_elided, value))
    if isinstance(value, str) and len(value) > _TEXT:
        return f"{value[: _TEXT // 2]}… ({len(value.encode())} bytes)"
    return value
