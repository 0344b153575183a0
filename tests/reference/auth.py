"""The authorisation rules of all room versions, as nested lists that are evaluated from the top.

Source: https://spec.matrix.org/latest/rooms/v1/#authorisation-rules, and the same section of the page of
each other version; https://spec.matrix.org/latest/server-server-api/#auth-events-selection

A rule is a condition and its consequence: a decision, or a list of further rules. Its number is its place in
the lists, as in the rendered pages. Conditions are written out in place, and nothing is cached.

Where the pages are silent, this module follows the library:

- A room state without a join-rules event, or one without ``join_rule``, has the join rule ``invite``.
- A membership that is missing or not a string is none of the named membership states.
- A level in the state that is invalid in the room version counts as absent. A new invalid level, anywhere
  that the room version reads, is refused by the rule on ``users`` up to version 9.
- If a named level is absent on one side of an alteration, only the other side is compared.
- The previous power levels are those of the state, whatever the state key of the new event.
- An event that cites itself cites an event that has not been accepted.
- A create event of version 12 that names another version does not make a room of version 12.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from . import canonical

Pdu = dict[str, Any]
Known = tuple[str, Pdu]
"""An event ID and its event."""

INFINITE = float("inf")
# https://github.com/matrix-org/matrix-spec-proposals/pull/3757
OWNED_STATE_KEYS = ["org.matrix.msc3757.10", "org.matrix.msc3757.11"]
RECOGNISED = [
    *(str(n) for n in range(1, 13)),
    *OWNED_STATE_KEYS,
    "org.matrix.hydra.11",
    "org.matrix.msc2870",
    "org.matrix.msc3389.10",
]


@dataclass
class Given:
    """What the rules read.

    Attributes:
        version: the room version, as a number: that of the version that an unstable one is based on.
        event_id, event: the event to check.
        auth_events: the events that it cites, in its order.
        state: the room state.
        named_create: in version 12, the event that the room ID names.
        rejected: the IDs of rejected events.
        unstable: the identifier of an unstable version; empty for a stable one.
    """

    version: int
    event_id: str
    event: Pdu
    auth_events: list[Known] = field(default_factory=list)
    state: Mapping[tuple[str, str], Known] = field(default_factory=dict)
    named_create: Known | None = None
    rejected: frozenset[str] = frozenset()
    unstable: str = ""

    @property
    def identifier(self) -> str:
        return self.unstable or str(self.version)


Decision = str
Condition = Callable[[], Any]
Rule = tuple[Condition, Any]

ALLOW, REJECT = "allow", "reject"
ALLOW_IF_AND_ONLY_IF = "allow if and only if"


def evaluate(rules: list[Rule]) -> tuple[Decision, str] | None:
    """Return the decision of the first rule that decides, and its number."""
    for number, (condition, consequence) in enumerate(rules, 1):
        outcome = condition()
        if consequence == ALLOW_IF_AND_ONLY_IF:
            # The condition has three answers: it does not apply (None), it holds, or it does not hold.
            if outcome is not None:
                return (ALLOW if outcome else REJECT), str(number)
        elif outcome:
            if isinstance(consequence, str):
                return consequence, str(number)
            inner = evaluate(consequence)
            if inner is not None:
                return inner[0], f"{number}.{inner[1]}"
    return None


def otherwise() -> bool:
    return True


def only(applies: bool, *rules: Rule) -> list[Rule]:
    """Return rules that only the lists of some versions have."""
    return list(rules) if applies else []


# Grammar


def domain(identifier: str) -> str:
    return identifier.split(":", 1)[1] if ":" in identifier else ""


def is_user_id(value: Any) -> bool:
    """https://spec.matrix.org/latest/appendices/#historical-user-ids"""
    if not isinstance(value, str) or not value.startswith("@") or ":" not in value:
        return False
    localpart, server = value[1:].split(":", 1)
    if "\0" in localpart or len(value.encode("utf-8", "surrogatepass")) > 255:
        return False
    return re.fullmatch(r"(\[[0-9A-Fa-f:.]{2,45}\]|[-0-9A-Za-z.]{1,255})(:[0-9]{1,5})?", server) is not None


def level(value: Any, version: int) -> int | None:
    """Return the level that a value in a power-levels event means, or None."""
    if value is True or value is False:
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and version <= 9:
        text = value.strip()
        sign = 1
        if text[:1] in ("+", "-"):
            sign = -1 if text[0] == "-" else 1
            text = text[1:]
        if text == "" or any(digit not in "0123456789" for digit in text):
            return None
        text = text.lstrip("0") or "0"
        return sign * int(text) if len(text) <= 4000 else None
    if isinstance(value, float) and version <= 5 and abs(value) < INFINITE:  # false for NaN
        return int(value)
    return None


# https://spec.matrix.org/latest/server-server-api/#auth-events-selection


def selected(event: Pdu, version: int) -> list[tuple[str, str]]:
    """Return the keys of the state events that an event may cite."""
    if event["type"] == "m.room.create":
        return []
    keys = [("m.room.power_levels", ""), ("m.room.member", event["sender"])]
    if version <= 11:
        keys.append(("m.room.create", ""))
    if event["type"] == "m.room.member":
        content = event["content"]
        if "state_key" in event:
            keys.append(("m.room.member", event["state_key"]))
        if content.get("membership") in ("join", "invite", "knock"):
            keys.append(("m.room.join_rules", ""))
        if content.get("membership") == "invite" and "third_party_invite" in content:
            try:
                token = content["third_party_invite"]["signed"]["token"]
            except (KeyError, TypeError, IndexError):
                token = None
            if isinstance(token, str):
                keys.append(("m.room.third_party_invite", token))
        if (
            content.get("membership") == "join"
            and version >= 8
            and isinstance(content.get("join_authorised_via_users_server"), str)
        ):
            keys.append(("m.room.member", content["join_authorised_via_users_server"]))
    return keys


class Rules:
    """The rules for one event."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.version = given.version
        self.event = given.event
        self.content: dict[str, Any] = given.event["content"]
        self.sender: str = given.event["sender"]
        self.state_key: Any = given.event.get("state_key")
        nothing: Known = ("", {"content": {}, "sender": ""})
        self.create_id, self.create = given.state.get(("m.room.create", ""), nothing)

    # Values of the state

    def state_content(self, kind: str, state_key: str = "") -> dict[str, Any] | None:
        found = self.given.state.get((kind, state_key))
        content: dict[str, Any] | None = None if found is None else found[1]["content"]
        return content

    def membership(self, user: Any) -> Any:
        content = self.state_content("m.room.member", user)
        return "leave" if content is None else content.get("membership")

    def join_rule(self) -> Any:
        content = self.state_content("m.room.join_rules")
        return "invite" if content is None else content.get("join_rule", "invite")

    def creator(self) -> Any:
        return self.create["content"].get("creator") if self.version <= 10 else self.create["sender"]

    def creators(self) -> list[Any]:
        more = self.create["content"].get("additional_creators")
        return [self.create["sender"], *(more if isinstance(more, list) else [])]

    def named(self, name: str) -> int:
        """Return one of the named levels."""
        default = {"ban": 50, "kick": 50, "redact": 50, "state_default": 50}.get(name, 0)
        content = self.state_content("m.room.power_levels")
        found = None if content is None else level(content.get(name), self.version)
        return default if found is None else found

    def entry(self, name: str, key: str) -> int | None:
        """Return one entry of ``users`` or ``events``."""
        content = self.state_content("m.room.power_levels")
        entries = None if content is None else content.get(name)
        return level(entries.get(key), self.version) if isinstance(entries, dict) else None

    def power_level(self, user: str) -> float:
        if self.version >= 12 and user in self.creators():
            return INFINITE
        if self.state_content("m.room.power_levels") is None:
            return 100 if user == self.creator() else 0
        found = self.entry("users", user)
        return self.named("users_default") if found is None else found

    def required_power_level(self) -> int:
        found = self.entry("events", self.event["type"])
        if found is not None:
            return found
        return self.named("events_default" if self.state_key is None else "state_default")

    # The rules

    def all_rules(self) -> list[Rule]:
        v = self.version
        return [
            (lambda: self.event["type"] == "m.room.create", self.create_rules()),
            *only(v >= 12, (self.room_id_names_no_create_event, REJECT)),
            (otherwise, self.auth_events_rules()),
            *self.state_rules(),
        ]

    def create_rules(self) -> list[Rule]:
        v, content = self.version, self.content
        return [
            (lambda: self.event["prev_events"], REJECT),
            *only(v <= 11, (lambda: domain(self.event["room_id"]) != domain(self.sender), REJECT)),
            *only(v >= 12, (lambda: "room_id" in self.event, REJECT)),
            (lambda: "room_version" in content and content["room_version"] not in RECOGNISED, REJECT),
            *only(v <= 10, (lambda: "creator" not in content, REJECT)),
            *only(
                v >= 12,
                (
                    lambda: (
                        "additional_creators" in content
                        and not (
                            isinstance(content["additional_creators"], list)
                            and all(is_user_id(user) for user in content["additional_creators"])
                        )
                    ),
                    REJECT,
                ),
            ),
            (otherwise, ALLOW),
        ]

    def room_id_names_no_create_event(self) -> bool:
        if self.given.named_create is None:  # the event has no room ID
            return True
        event_id, named = self.given.named_create
        return (
            named["type"] != "m.room.create"
            or named.get("state_key") != ""
            or named["content"].get("room_version") != self.given.identifier
            or event_id in self.given.rejected
        )

    def auth_events_rules(self) -> list[Rule]:
        entries = self.given.auth_events
        keys = [(other["type"], other.get("state_key")) for _, other in entries]
        room_id = self.event.get("room_id")

        def room_of(event_id: str, other: Pdu) -> Any:
            if self.version >= 12 and other["type"] == "m.room.create" and other.get("state_key") == "":
                return "!" + event_id[1:]
            return other["room_id"]

        return [
            (lambda: len(keys) != len(set(keys)), REJECT),
            (lambda: any(key not in selected(self.event, self.version) for key in keys), REJECT),
            (
                lambda: any(i in self.given.rejected or i == self.given.event_id for i, _ in entries),
                REJECT,
            ),
            *only(self.version <= 11, (lambda: ("m.room.create", "") not in keys, REJECT)),
            (lambda: any(room_of(i, other) != room_id for i, other in entries), REJECT),
        ]

    def state_rules(self) -> list[Rule]:
        v, kind = self.version, self.event["type"]
        return [
            (
                lambda: (
                    self.create["content"].get("m.federate") is False
                    and domain(self.sender) != domain(self.create["sender"])
                ),
                REJECT,
            ),
            *only(v <= 5, (lambda: kind == "m.room.aliases", self.aliases_rules())),
            (lambda: kind == "m.room.member", self.member_rules()),
            (lambda: self.membership(self.sender) != "join", REJECT),
            (
                lambda: kind == "m.room.third_party_invite",
                [(lambda: self.power_level(self.sender) >= self.named("invite"), ALLOW_IF_AND_ONLY_IF)],
            ),
            (lambda: self.required_power_level() > self.power_level(self.sender), REJECT),
            self.state_key_rule(),
            (lambda: kind == "m.room.power_levels", self.power_levels_rules()),
            *only(v <= 2, (lambda: kind == "m.room.redaction", self.redaction_rules())),
            (otherwise, ALLOW),
        ]

    def state_key_rule(self) -> Rule:
        key, starts = self.state_key, self.state_key is not None and self.state_key.startswith("@")
        if self.given.unstable not in OWNED_STATE_KEYS:
            return (lambda: starts and key != self.sender, REJECT)

        def prefix() -> str:
            """the prefix of the state_key before the first _ that follows the first : (or end of string)"""
            colon = key.index(":") if ":" in key else len(key)
            return str(key[:colon] + key[colon:].split("_")[0])

        def size(text: str) -> int:
            return len(text.encode("utf-8", "surrogatepass"))

        with_owner: list[Rule] = [
            (lambda: not is_user_id(prefix()), REJECT),
            (lambda: size(key) - size(prefix()) > 256, REJECT),
            (
                lambda: (
                    prefix() != self.sender and not self.power_level(self.sender) > self.power_level(prefix())
                ),
                REJECT,
            ),
        ]
        return (
            lambda: key is not None,
            [(lambda: starts, with_owner), (lambda: not starts and size(key) > 255, REJECT)],
        )

    def aliases_rules(self) -> list[Rule]:
        return [
            (lambda: self.state_key is None, REJECT),
            (lambda: domain(self.sender) != self.state_key, REJECT),
            (otherwise, ALLOW),
        ]

    def member_rules(self) -> list[Rule]:
        v, content = self.version, self.content
        return [
            (lambda: self.state_key is None or "membership" not in content, REJECT),
            *only(
                v >= 8,
                (
                    lambda: "join_authorised_via_users_server" in content,
                    # Signatures are checked before, so the required one exists if the key does.
                    [(lambda: "join_authorised_via_users_server" not in content, REJECT)],
                ),
            ),
            (lambda: content["membership"] == "join", self.join_rules()),
            (lambda: content["membership"] == "invite", self.invite_rules()),
            (lambda: content["membership"] == "leave", self.leave_rules()),
            (lambda: content["membership"] == "ban", self.ban_rules()),
            *only(v >= 7, (lambda: content["membership"] == "knock", self.knock_rules())),
            (otherwise, REJECT),
        ]

    def join_rules(self) -> list[Rule]:
        v = self.version
        previous = [p[0] if v <= 2 else p for p in self.event["prev_events"]]
        as_invite = ["invite", "knock"] if v >= 7 else ["invite"]
        restricted = ["restricted", "knock_restricted"] if v >= 10 else ["restricted"]
        authoriser = self.content.get("join_authorised_via_users_server")
        return [
            (lambda: previous == [self.create_id] and self.state_key == self.creator(), ALLOW),
            (lambda: self.sender != self.state_key, REJECT),
            (lambda: self.membership(self.sender) == "ban", REJECT),
            (
                lambda: (
                    self.join_rule() in as_invite and self.membership(self.state_key) in ("invite", "join")
                ),
                ALLOW,
            ),
            *only(
                v >= 8,
                (
                    lambda: self.join_rule() in restricted,
                    [
                        (lambda: self.membership(self.state_key) in ("join", "invite"), ALLOW),
                        (
                            lambda: (
                                not (
                                    is_user_id(authoriser)
                                    and self.membership(authoriser) == "join"
                                    and self.power_level(str(authoriser)) >= self.named("invite")
                                )
                            ),
                            REJECT,
                        ),
                        (otherwise, ALLOW),
                    ],
                ),
            ),
            (lambda: self.join_rule() == "public", ALLOW),
            (otherwise, REJECT),
        ]

    def invite_rules(self) -> list[Rule]:
        return [
            (lambda: "third_party_invite" in self.content, self.third_party_rules()),
            (lambda: self.membership(self.sender) != "join", REJECT),
            (lambda: self.membership(self.state_key) in ("join", "ban"), REJECT),
            (lambda: self.power_level(self.sender) >= self.named("invite"), ALLOW),
            (otherwise, REJECT),
        ]

    def third_party_rules(self) -> list[Rule]:
        invite: Any = self.content.get("third_party_invite")

        def signed() -> Any:
            return invite["signed"]

        def offer() -> Pdu | None:
            token = signed()["token"]
            if not isinstance(token, str):
                return None
            found = self.given.state.get(("m.room.third_party_invite", token))
            return None if found is None else found[1]

        return [
            (lambda: self.membership(self.state_key) == "ban", REJECT),
            (lambda: not isinstance(invite, dict) or "signed" not in invite, REJECT),
            (
                lambda: not isinstance(signed(), dict) or "mxid" not in signed() or "token" not in signed(),
                REJECT,
            ),
            (lambda: signed()["mxid"] != self.state_key, REJECT),
            (lambda: offer() is None, REJECT),
            (lambda: self.sender != offer()["sender"], REJECT),  # type: ignore[index]
            (lambda: any_signature_matches_any_key(signed(), offer()["content"]), ALLOW),  # type: ignore[index]
            (otherwise, REJECT),
        ]

    def leave_rules(self) -> list[Rule]:
        own = ["invite", "join", "knock"] if self.version >= 7 else ["invite", "join"]
        return [
            (
                lambda: self.membership(self.sender) in own if self.sender == self.state_key else None,
                ALLOW_IF_AND_ONLY_IF,
            ),
            (lambda: self.membership(self.sender) != "join", REJECT),
            (
                lambda: (
                    self.membership(self.state_key) == "ban"
                    and self.power_level(self.sender) < self.named("ban")
                ),
                REJECT,
            ),
            (
                lambda: (
                    self.power_level(self.sender) >= self.named("kick")
                    and self.power_level(self.state_key) < self.power_level(self.sender)
                ),
                ALLOW,
            ),
            (otherwise, REJECT),
        ]

    def ban_rules(self) -> list[Rule]:
        return [
            (lambda: self.membership(self.sender) != "join", REJECT),
            (
                lambda: (
                    self.power_level(self.sender) >= self.named("ban")
                    and self.power_level(self.state_key) < self.power_level(self.sender)
                ),
                ALLOW,
            ),
            (otherwise, REJECT),
        ]

    def knock_rules(self) -> list[Rule]:
        knockable = ["knock", "knock_restricted"] if self.version >= 10 else ["knock"]
        return [
            (lambda: self.join_rule() not in knockable, REJECT),
            (lambda: self.sender != self.state_key, REJECT),
            (lambda: self.membership(self.sender) not in ("ban", "invite", "join"), ALLOW),
            (otherwise, REJECT),
        ]

    def power_levels_rules(self) -> list[Rule]:
        v, new = self.version, self.content
        old = self.state_content("m.room.power_levels")
        properties = ["users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"]
        maps = ["events", "notifications"] if v >= 6 else ["events"]

        def has_an_invalid_level() -> bool:
            return any(name in new and level(new[name], v) is None for name in properties)

        def has_an_invalid_map(*names: str) -> bool:
            return any(
                name in new
                and not (
                    isinstance(new[name], dict)
                    and all(level(value, v) is not None for value in new[name].values())
                )
                for name in names
            )

        def users_are_invalid() -> bool:
            return (
                has_an_invalid_map("users")
                or not all(is_user_id(user) for user in new.get("users", {}))
                # Up to version 9 the other levels have no rule of their own.
                or (v <= 9 and (has_an_invalid_level() or has_an_invalid_map(*maps)))
            )

        def users_name_a_creator() -> bool:
            return any(user in new.get("users", {}) for user in self.creators() if isinstance(user, str))

        def sender_level() -> float:
            return self.power_level(self.sender)

        def levels(content: dict[str, Any] | None, names: list[str]) -> dict[tuple[str, ...], int]:
            """Return the levels under some names: a named level, or the entries of a map."""
            found: dict[tuple[str, ...], int] = {}
            for name in names:
                value = (content or {}).get(name)
                if name in properties:
                    number = level(value, v)
                    if number is not None:
                        found[name,] = number
                elif isinstance(value, dict):
                    for key, inner in value.items():
                        number = level(inner, v)
                        if number is not None:
                            found[name, key] = number
            return found

        def altered(names: list[str]) -> list[tuple[tuple[str, ...], int | None, int | None]]:
            before, after = levels(old, names), levels(new, names)
            places = [*before, *(place for place in after if place not in before)]
            changes = [(place, before.get(place), after.get(place)) for place in places]
            return [(place, current, value) for place, current, value in changes if current != value]

        def each_property() -> list[Rule]:
            # "For each found alteration": both rules are checked for one alteration after another.
            alterations = {place[0]: (current, value) for place, current, value in altered(properties)}
            rule: list[Rule] = [(lambda: False, REJECT), (lambda: False, REJECT)]
            for name in properties:
                current, value = alterations.get(name, (None, None))
                if current is not None and current > sender_level():
                    rule[0] = (otherwise, REJECT)
                    break
                if value is not None and value > sender_level():
                    rule[1] = (otherwise, REJECT)
                    break
            return rule

        def current_values(names: list[str]) -> list[tuple[tuple[str, ...], int]]:
            return [(place, current) for place, current, _ in altered(names) if current is not None]

        def new_values(names: list[str]) -> list[int]:
            return [value for _, _, value in altered(names) if value is not None]

        return [
            *only(v >= 10, (has_an_invalid_level, REJECT), (lambda: has_an_invalid_map(*maps), REJECT)),
            (users_are_invalid, REJECT),
            *only(v >= 12, (users_name_a_creator, REJECT)),
            (lambda: old is None, ALLOW),
            (otherwise, each_property()),
            (otherwise, [(lambda: any(c > sender_level() for _, c in current_values(maps)), REJECT)]),
            (otherwise, [(lambda: any(value > sender_level() for value in new_values(maps)), REJECT)]),
            (
                otherwise,
                [
                    (
                        lambda: any(
                            current >= sender_level()
                            for place, current in current_values(["users"])
                            if place != ("users", self.sender)
                        ),
                        REJECT,
                    )
                ],
            ),
            (otherwise, [(lambda: any(value > sender_level() for value in new_values(["users"])), REJECT)]),
            (otherwise, ALLOW),
        ]

    def redaction_rules(self) -> list[Rule]:
        target = self.event.get("redacts")
        return [
            (lambda: self.power_level(self.sender) >= self.named("redact"), ALLOW),
            (
                lambda: (
                    isinstance(target, str)
                    and ":" in target
                    and domain(target) == domain(self.given.event_id)
                ),
                ALLOW,
            ),
            (otherwise, REJECT),
        ]


def decode_base64(text: Any) -> bytes | None:
    """Decode base64 in either alphabet, with or without padding. Return None for anything else."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    if not isinstance(text, str) or re.fullmatch(r"[A-Za-z0-9+/_-]*={0,2}", text) is None:
        return None
    digits = [alphabet.index(c) for c in text.rstrip("=").replace("-", "+").replace("_", "/")]
    if len(digits) % 4 == 1:
        return None
    bits = "".join(f"{digit:06b}" for digit in digits)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8))


def any_signature_matches_any_key(signed: dict[str, Any], offer: dict[str, Any]) -> bool:
    """Try signatures of any server and key ID with the keys of ``public_key`` and ``public_keys``."""
    keys = [offer.get("public_key")]
    listed = offer.get("public_keys")
    for entry in listed if isinstance(listed, list) else []:
        keys += [entry.get("public_key")] if isinstance(entry, dict) else []
    texts: list[Any] = []
    servers = signed.get("signatures")
    for by_key in servers.values() if isinstance(servers, dict) else []:
        for key_id, text in by_key.items() if isinstance(by_key, dict) else []:
            texts += [text] if key_id.startswith("ed25519:") else []
    covered = {name: value for name, value in signed.items() if name not in ("signatures", "unsigned")}
    message = canonical.value(covered).encode()
    for key in map(decode_base64, keys):
        for signature in map(decode_base64, texts):
            if key is None or signature is None or len(key) != 32 or len(signature) != 64:
                continue
            try:
                VerifyKey(key).verify(message, signature)
            except CryptoError:
                continue
            return True
    return False


def check_auth(given: Given) -> tuple[Decision, str]:
    """Apply all rules. Return the decision, and the number of the rule that decided."""
    decided = evaluate(Rules(given).all_rules())
    assert decided is not None
    return decided


def check_against_state(given: Given) -> tuple[Decision, str]:
    """Apply the rules that read the room state. Without a create event it refuses everything."""
    rules = Rules(given)
    if given.event["type"] == "m.room.create":
        return check_auth(given)
    if ("m.room.create", "") not in given.state:
        return REJECT, "2" if given.version >= 12 else "2.4"
    # The rules before these are replaced by ones that never decide, so that the numbers are right.
    before: list[Rule] = [(lambda: False, REJECT)] * (3 if given.version >= 12 else 2)
    decided = evaluate([*before, *rules.state_rules()])
    assert decided is not None
    return decided
