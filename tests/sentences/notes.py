"""The sentences beside the lists of authorisation rules: notes and definitions."""

from collections.abc import Iterator, Mapping

from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence
from .rules import LISTS

_NOTES = "auth.notes"
_BEGINS = "It only introduces what follows."
_EXPLAINS = "It explains, and asks nothing more."
_READS = "The rules say which of these events they read. Each rule is a sentence of its own."
_FOLLOWS = "It follows from the rules."
_RULE = "A rule says so."
_SENDS = "It is about making events. A receiver takes both."


def changed(how: str, scope: str, old: str, new: str, detail: str = "") -> Change:
    return Change(how, "auth.py", scope, old, new, detail)


def _signers(how: str, old: str, new: str, detail: str = "") -> Change:
    return Change(how, "signatures.py", "required_signers", old, new, detail)


_DEFAULTS = '{"ban": 50, "kick": 50, "redact": 50, "state_default": 50}'
_NO_LEVELS = "return 100 if user == self.creator() else 0"
_DEFAULT = 'return self.named("users_default") if found is None else found'
_REQUIRED = 'found = self.entry("events", self.event["type"])'
_BY_KIND = '"events_default" if self.state_key is None else "state_default"'
_REDACTION = 'only(v <= 2, (lambda: kind == "m.room.redaction", self.redaction_rules()))'
_INFINITE = "if self.version >= 12 and user in self.creators(): ..."
_CREATORS = 'return [self.create["sender"], *(more if isinstance(more, list) else [])]'
CREATE = "if version <= 11: ..."
_SENDER = 'servers.add(domain(event["sender"]))'


def _default(name: str, level: int) -> Change:
    levels = {"ban": 50, "kick": 50, "redact": 50, "state_default": 50}
    return changed(
        ALTERED, "Rules.named", _DEFAULTS, repr({**levels, name: level}), f"`{name}` is {level} by default"
    )


def idle(text: str, rows: Mapping[str, tuple[str, str]]) -> Iterator[Sentence]:
    for number, (what, why) in rows.items():
        yield Sentence({text: number}, what, idle=why)


def _notes() -> Iterator[Sentence]:
    yield from idle(
        _NOTES,
        {
            "1": ("Some types of state events matter", _READS),
            "2": ("Create events", _READS),
            "3": ("Member events", _READS),
            "4": ("Join rules", _READS),
            "5": ("Power levels", _READS),
            "6": ("Third-party invites", _READS),
            "9": ("Some consequences", _BEGINS),
            "10": ("What others may do", _FOLLOWS),
            "11": ("Who may unban", _FOLLOWS),
            "15": ("A redaction may be sent and not applied", "See the handling of redactions."),
            "16": ("It is checked whether it applies", "See the handling of redactions."),
            "22": ("Two rules have other numbers", _EXPLAINS),
            "26": ("It is checked whether it applies", "See the handling of redactions."),
            "29": ("Who the creators are", _BEGINS),
            "32": (
                "Power levels do not lower the level of a creator",
                "Rule 10.4 keeps creators out of them.",
            ),
            "33": ("A rule says so", _RULE),
            "35": ("The room ID names the create event", "Rule 2 says what this means."),
            "36": ("A rule says so", _RULE),
        },
    )
    yield Sentence(
        {_NOTES: "7"},
        "Levels that are not there have defaults",
        (
            *(_default(name, 0) for name in ("ban", "kick", "redact", "state_default")),
            *(_default(name, 50) for name in ("invite", "events_default", "users_default")),
            changed(
                ALTERED, "Rules.power_level", _NO_LEVELS, "return 0", "the creator has no level by default"
            ),
            changed(ALTERED, "Rules.power_level", _NO_LEVELS, "return 100", "all have 100 by default"),
        ),
    )
    yield Sentence(
        {_NOTES: "8"},
        "The level of a user may be the default for users",
        (
            changed(DROPPED, "Rules.power_level", _DEFAULT, "return 0 if found is None else found"),
            changed(
                WIDENED, "Rules.power_level", _DEFAULT, 'return self.named("users_default")', "of all users"
            ),
        ),
    )
    yield Sentence(
        {_NOTES: "12"},
        "Redactions are events like any other",
        (changed(INVERTED, "Rules.state_rules", _REDACTION, _REDACTION.replace("v <= 2", "True")),),
    )
    no_level = f'{_REQUIRED}\nif self.event["type"] == "m.room.redaction":\n    return 0'
    for number in ("13", "24"):
        yield Sentence(
            {_NOTES: number},
            "Power levels may require a level for redactions",
            (changed(DROPPED, "Rules.required_power_level", _REQUIRED, no_level),),
        )
    yield Sentence(
        {_NOTES: "14"},
        "The redact level does not matter for sending one",
        (
            changed(
                INVERTED,
                "Rules.required_power_level",
                _REQUIRED,
                no_level.replace("return 0", 'return self.named("redact")'),
            ),
        ),
    )
    old_ids = 'if version in ("1", "2"): ...'
    yield Sentence(
        {_NOTES: "17"},
        "In versions 1 and 2 the server in the event ID signs",
        (_signers(DROPPED, old_ids, "if False: ..."),),
        about=("1", "2"),
    )
    yield Sentence(
        {_NOTES: "18"},
        "From version 3 on it does not",
        (
            _signers(
                INVERTED,
                old_ids,
                "event = {'event_id': '$x:elsewhere.example.org', **event}\nif True: ...",
            ),
        ),
    )
    for number in ("19", "23"):
        yield Sentence(
            {_NOTES: number},
            "The server of the sender signs",
            (
                _signers(DROPPED, _SENDER, "pass"),
                _signers(INVERTED, _SENDER, "servers.add('elsewhere.example.org')", "another one does"),
            ),
        )
    yield Sentence(
        {_NOTES: "20"},
        "Aliases events are state events like any other",
        (
            changed(
                INVERTED,
                "Rules.state_rules",
                'only(v <= 5, (lambda: kind == "m.room.aliases", self.aliases_rules()))',
                'only(v <= 6, (lambda: kind == "m.room.aliases", self.aliases_rules()))',
            ),
        ),
    )
    yield Sentence(
        {_NOTES: "21"},
        "The levels of notifications are checked",
        (
            changed(
                DROPPED,
                "Rules.power_levels_rules",
                'maps = ["events", "notifications"] if v >= 6 else ["events"]',
                'maps = ["events"]',
            ),
        ),
    )
    yield Sentence(
        {_NOTES: "25"},
        "Knocks have rules",
        (
            changed(
                DROPPED,
                "Rules.member_rules",
                'only(v >= 7, (lambda: content["membership"] == "knock", self.knock_rules()))',
                'only(v >= 8, (lambda: content["membership"] == "knock", self.knock_rules()))',
            ),
        ),
    )
    has = "if int(version) >= 8 and has_authoriser: ..."
    yield Sentence(
        {_NOTES: "27"},
        "The authorising user of a restricted join is checked",
        (_signers(DROPPED, has, "if int(version) >= 9 and has_authoriser: ..."),),
    )
    yield from _creators()


def _creators() -> Iterator[Sentence]:
    def level(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "Rules.power_level", old, new, detail)

    yield Sentence(
        {_NOTES: "28"},
        "The creators have an infinite level",
        (
            level(DROPPED, _INFINITE, "if False: ..."),
            level(ALTERED, "return INFINITE", "return 100", "of 100"),
            level(ALTERED, "return INFINITE", "return 2**53 - 1", "of 2^53 - 1"),
        ),
    )
    yield Sentence(
        {_NOTES: "30"},
        "The sender of the create event is a creator",
        (
            changed(
                DROPPED, "Rules.creators", _CREATORS, "return list(more) if isinstance(more, list) else []"
            ),
            changed(
                ALTERED,
                "Rules.creators",
                _CREATORS,
                'return more if isinstance(more, list) and more else [self.create["sender"]]',
                "only if there are no others",
            ),
        ),
    )
    yield Sentence(
        {_NOTES: "31"},
        "The additional creators are creators",
        (
            changed(DROPPED, "Rules.creators", _CREATORS, 'return [self.create["sender"]]'),
            changed(
                ALTERED,
                "Rules.creators",
                _CREATORS,
                'return [self.create["sender"], *(more[:1] if isinstance(more, list) else [])]',
                "only the first of them",
            ),
        ),
    )
    yield Sentence(
        {_NOTES: "34"},
        "No event cites the create event",
        (changed(DROPPED, "selected", CREATE, "if True: ..."),),
    )
    yield Sentence(
        {text: "2.2.note" for text in LISTS if text != "auth.v12"},
        "Events cite the create event",
        (changed(DROPPED, "selected", CREATE, "if False: ..."),),
    )
    yield Sentence(
        {"auth.v12": "3.2.note"},
        "No event cites the create event",
        (changed(INVERTED, "selected", CREATE, "if True: ..."),),
    )
    yield Sentence(
        {"auth.v12": "1.2.note"}, "The room ID is the ID of this event", idle="Rule 2 says what this means."
    )


def _definitions() -> Iterator[Sentence]:
    text = "definitions"
    yield from idle(
        text,
        {
            "required_power_level.1": ("A type of events requires a level", _BEGINS),
            "target_user.2": ("Levels may be strings", "See the deprecated contents."),
            "target_user.3": ("That is for old events", _EXPLAINS),
            "target_user.4": ("Servers send no strings", _SENDS),
            "target_user.5": ("The pages say more", _BEGINS),
        },
    )

    def required(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "Rules.required_power_level", old, new, detail)

    yield Sentence(
        {text: "required_power_level.2"},
        "The power levels say which level a type requires",
        (required(DROPPED, _REQUIRED, f"return 0\n{_REQUIRED}", "none"),),
    )
    yield Sentence(
        {text: "required_power_level.3"},
        "That of its entry in `events`, or a default for messages or state events",
        (
            required(DROPPED, _REQUIRED, "found = None", "no entry counts"),
            required(INVERTED, _BY_KIND, '"state_default" if self.state_key is None else "events_default"'),
            required(ALTERED, _BY_KIND, '"events_default"', "`events_default` for state events, too"),
            required(ALTERED, _BY_KIND, '"state_default"', "`state_default` for messages, too"),
            required(
                ALTERED,
                _BY_KIND,
                '"state_default" if self.state_key else "events_default"',
                "with an empty state key, as for a message",
            ),
        ),
    )
    named = "None if content is None else level(content.get(name), self.version)"
    yield Sentence(
        {text: "levels.1"},
        "The levels to invite, kick, ban and redact are keys of the power levels",
        tuple(
            changed(
                ALTERED,
                "Rules.named",
                named,
                f"None if content is None or name == '{name}' else level(content.get(name), self.version)",
                f"not `{name}`",
            )
            for name in ("invite", "kick", "ban", "redact")
        ),
    )
    yield Sentence({text: "levels.2"}, "The invite level is 0 by default", (_default("invite", 50),))
    yield Sentence(
        {text: "levels.3"},
        "The others are 50 by default",
        tuple(_default(name, 0) for name in ("kick", "ban", "redact")),
    )
    yield Sentence(
        {text: "target_user.1"},
        "The target is the user in the state key",
        tuple(
            changed(
                ALTERED,
                scope,
                old,
                old.replace("self.state_key", "self.sender"),
                detail,
            )
            for scope, old, detail in (
                ("Rules.invite_rules", "self.membership(self.state_key)", "not of an invite"),
                ("Rules.leave_rules", "self.membership(self.state_key)", "not of an unban"),
                ("Rules.leave_rules", "self.power_level(self.state_key)", "not of a kick"),
                ("Rules.ban_rules", "self.power_level(self.state_key)", "not of a ban"),
                ("Rules.third_party_rules", "self.membership(self.state_key)", "not of a third-party invite"),
            )
        ),
    )


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for part in (_notes, _definitions):
        yield from part()
