"""The sentences of the eight lists of authorisation rules.

A rule is a condition and a consequence in ``reference/auth.py``, so most changes are made by
`records.rule_changes`. The names of the rules are those of the suite. A rule that only introduces others has
the name that they have in common.
"""

from collections.abc import Iterator
from typing import Final

from vectors.generate.auth_numbers import RULE_NUMBERS

from .records import ALTERED, DROPPED, Change, Sentence, rule_changes
from .spec import TEXTS

LISTS: Final = {name: text.pages[0] for name, text in TEXTS.items() if name.startswith("auth.v")}
"""The texts that are lists of rules, each with its first version."""


def numbers_of(name: str) -> dict[str, str]:
    """Return the number of a rule in each list that has it.

    Args:
        name: the name of a rule, or the beginning of the names of the rules that it introduces.
    """
    found = {}
    for text, version in LISTS.items():
        numbers = RULE_NUMBERS[version]
        if name in numbers:
            found[text] = numbers[name]
            continue
        below = [number for rule, number in numbers.items() if rule.startswith(f"{name}.")]
        if below:
            depth = min(number.count(".") for number in below)
            (number,) = {".".join(one.split(".")[:depth]) for one in below}
            found[text] = number
    return found


def rule(name: str, what: str, scope: str, source: str, **more: object) -> Sentence:
    changes = (*rule_changes(f"Rules.{scope}", source), *_further(more.pop("further", ())))
    return Sentence(numbers_of(name), what, changes, **more)  # type: ignore[arg-type]


def _further(changes: object) -> tuple[Change, ...]:
    return tuple(changes)  # type: ignore[arg-type]


def changed(how: str, scope: str, old: str, new: str, detail: str = "") -> Change:
    return Change(how, "auth.py", scope, old, new, detail)


def _create() -> Iterator[Sentence]:
    at = "create_rules"
    yield rule(
        "create",
        "These rules, and no others, are for create events",
        "all_rules",
        '(lambda: self.event["type"] == "m.room.create", self.create_rules())',
    )
    yield rule(
        "create.has_prev_events",
        "A create event with previous events is rejected",
        at,
        '(lambda: self.event["prev_events"], REJECT)',
    )
    yield rule(
        "create.room_id_domain",
        "The room ID has the server name of the create event's sender",
        at,
        '(lambda: domain(self.event["room_id"]) != domain(self.sender), REJECT)',
    )
    yield rule(
        "create.has_room_id",
        "A create event with a room ID is rejected",
        at,
        '(lambda: "room_id" in self.event, REJECT)',
    )
    yield rule(
        "create.room_version",
        "An unknown room version in the create event is rejected",
        at,
        '(lambda: "room_version" in content and content["room_version"] not in RECOGNISED, REJECT)',
    )
    yield rule(
        "create.no_creator",
        "A create event without `creator` is rejected",
        at,
        '(lambda: "creator" not in content, REJECT)',
    )
    yield rule(
        "create.additional_creators",
        "`additional_creators` is an array of user IDs, or absent",
        at,
        """(
            lambda: (
                "additional_creators" in content
                and not (
                    isinstance(content["additional_creators"], list)
                    and all(is_user_id(user) for user in content["additional_creators"])
                )
            ),
            REJECT,
        )""",
    )
    yield rule("create.allowed", "Any other create event is allowed", at, "(otherwise, ALLOW)")
    yield rule(
        "room_id.of_create",
        "The room ID is the ID of an accepted create event, with the other sigil",
        "all_rules",
        "(self.room_id_names_no_create_event, REJECT)",
        further=[
            changed(ALTERED, "Rules.room_id_names_no_create_event", old, new, detail)
            for old, new, detail in (
                ('named["type"] != "m.room.create"', "False", "any type"),
                ('named.get("state_key") != ""', "False", "any state key"),
                (
                    'named["content"].get("room_version") != self.given.identifier',
                    "False",
                    "any room version",
                ),
                ("event_id in self.given.rejected", "False", "a rejected event too"),
            )
        ],
    )


def _events() -> Iterator[Sentence]:
    at = "auth_events_rules"
    yield rule(
        "auth_events",
        "The auth events of an event are checked",
        "all_rules",
        "(otherwise, self.auth_events_rules())",
    )
    yield rule(
        "auth_events.duplicate",
        "Two auth events with the same type and state key are rejected",
        at,
        "(lambda: len(keys) != len(set(keys)), REJECT)",
    )
    yield rule(
        "auth_events.not_selected",
        "An auth event that the auth events selection does not pick is rejected",
        at,
        "(lambda: any(key not in selected(self.event, self.version) for key in keys), REJECT)",
    )
    yield rule(
        "auth_events.rejected",
        "An auth event that was itself rejected is rejected",
        at,
        """(
            lambda: any(i in self.given.rejected or i == self.given.event_id for i, _ in entries),
            REJECT,
        )""",
        silent={
            f"{ALTERED}: i in self.given.rejected or i == self.given.event_id -> i in": "An event cannot cite"
            " its own hash.",
        },
        silent_in={
            f"{ALTERED}: i in self.given.rejected or i == self.given.event_id -> i in": tuple(
                text for text in LISTS if text != "auth.v1"
            ),
        },
    )
    yield rule(
        "auth_events.no_create",
        "An event that does not cite a create event is rejected",
        at,
        '(lambda: ("m.room.create", "") not in keys, REJECT)',
    )
    yield rule(
        "auth_events.other_room",
        "An auth event of another room is rejected",
        at,
        "(lambda: any(room_of(i, other) != room_id for i, other in entries), REJECT)",
    )
    yield rule(
        "federation.closed",
        "With `m.federate` false, only the servers of the creator's name may send",
        "state_rules",
        """(
            lambda: (
                self.create["content"].get("m.federate") is False
                and domain(self.sender) != domain(self.create["sender"])
            ),
            REJECT,
        )""",
    )


def _aliases() -> Iterator[Sentence]:
    yield rule(
        "aliases",
        "Aliases events have rules of their own",
        "state_rules",
        '(lambda: kind == "m.room.aliases", self.aliases_rules())',
    )
    at = "aliases_rules"
    yield rule(
        "aliases.no_state_key",
        "An aliases event without a state key is rejected",
        at,
        "(lambda: self.state_key is None, REJECT)",
        silent={DROPPED: "The next rule refuses it: a server name is not equal to a missing state key."},
    )
    yield rule(
        "aliases.other_domain",
        "The state key is the server name of the sender",
        at,
        "(lambda: domain(self.sender) != self.state_key, REJECT)",
    )
    yield rule("aliases.allowed", "Any other aliases event is allowed", at, "(otherwise, ALLOW)")


def _sending() -> Iterator[Sentence]:
    at = "state_rules"
    yield rule(
        "sender.not_joined",
        "The sender is joined",
        at,
        '(lambda: self.membership(self.sender) != "join", REJECT)',
    )
    yield rule(
        "third_party_invite",
        "Third-party invite events have a rule of their own",
        at,
        """(
            lambda: kind == "m.room.third_party_invite",
            [(lambda: self.power_level(self.sender) >= self.named("invite"), ALLOW_IF_AND_ONLY_IF)],
        )""",
    )
    yield rule(
        "third_party_invite.level",
        "They take the invite level",
        at,
        '(lambda: self.power_level(self.sender) >= self.named("invite"), ALLOW_IF_AND_ONLY_IF)',
    )
    yield rule(
        "required_level",
        "The sender has the level that the type of the event requires",
        at,
        "(lambda: self.required_power_level() > self.power_level(self.sender), REJECT)",
    )
    yield rule(
        "state_key.of_other_user",
        "A state key that begins with @ is the sender",
        "state_key_rule",
        "(lambda: starts and key != self.sender, REJECT)",
    )
    yield rule("otherwise", "Any other event is allowed", at, "(otherwise, ALLOW)")


def _redaction() -> Iterator[Sentence]:
    yield rule(
        "redaction",
        "Redactions have rules of their own",
        "state_rules",
        '(lambda: kind == "m.room.redaction", self.redaction_rules())',
    )
    at = "redaction_rules"
    yield rule(
        "redaction.level",
        "The sender has the redact level",
        at,
        '(lambda: self.power_level(self.sender) >= self.named("redact"), ALLOW)',
    )
    yield rule(
        "redaction.same_domain",
        "The redacted event's ID has the server name of the redaction's ID",
        at,
        """(
            lambda: (
                isinstance(target, str)
                and ":" in target
                and domain(target) == domain(self.given.event_id)
            ),
            ALLOW,
        )""",
        silent={
            f"{ALTERED}: isinstance(target, str) and ':' in target and": "The ID of the redaction has a"
            " server name, so what it is equal to has one.",
        },
    )
    yield rule("redaction.otherwise", "Any other redaction is rejected", at, "(otherwise, REJECT)")


def sentences() -> Iterator[Sentence]:
    """Yield the sentences that are neither about members nor about power levels."""
    for part in (_create, _events, _aliases, _sending, _redaction):
        yield from part()
