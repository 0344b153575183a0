"""The sentences of the lists of authorisation rules on ``m.room.power_levels`` events."""

from collections.abc import Iterator

from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence, rule_changes
from .rules import numbers_of

_AT = "Rules.power_levels_rules"
_PROPERTIES = ("users_default", "events_default", "state_default", "ban", "redact", "kick", "invite")


def _change(how: str, scope: str, old: str, new: str, detail: str = "") -> Change:
    return Change(how, "auth.py", f"{_AT}.{scope}" if scope else _AT, old, new, detail)


def _rule(name: str, what: str, source: str, further: tuple[Change, ...] = (), **more: object) -> Sentence:
    changes = (*rule_changes(_AT, source), *further)
    return Sentence(numbers_of(name), what, changes, **more)  # type: ignore[arg-type]


def _group(name: str, what: str, source: str, further: tuple[Change, ...]) -> Sentence:
    """Return the sentence that introduces a rule, and says what the rule is for."""
    at = {text: number.rpartition(".")[0] for text, number in numbers_of(name).items()}
    return Sentence(at, what, (*rule_changes(_AT, source), *further))


_INVALID_LEVEL = "any(name in new and level(new[name], v) is None for name in properties)"
_INVALID_MAP = """any(
    name in new
    and not (
        isinstance(new[name], dict)
        and all(level(value, v) is not None for value in new[name].values())
    )
    for name in names
)"""
_USERS = "has_an_invalid_map('users')"
_IDS = "not all(is_user_id(user) for user in new.get('users', {}))"
_MAPS = 'maps = ["events", "notifications"] if v >= 6 else ["events"]'


def _values() -> Iterator[Sentence]:
    yield Sentence(
        {text: number.rpartition(".")[0] for text, number in numbers_of("power_levels.users").items()},
        "Power-levels events have rules of their own",
        tuple(
            rule_changes(
                "Rules.state_rules",
                '(lambda: kind == "m.room.power_levels", self.power_levels_rules())',
            )
        ),
    )
    yield _rule(
        "power_levels.not_integer",
        "The named levels are integers",
        "(has_an_invalid_level, REJECT)",
        tuple(
            _change(
                ALTERED,
                "has_an_invalid_level",
                _INVALID_LEVEL,
                f"{_INVALID_LEVEL[:-1]} if name != '{name}')",
                f"any `{name}`",
            )
            for name in _PROPERTIES
        ),
    )
    yield _rule(
        "power_levels.map_not_integers",
        "`events` and `notifications` are objects of integers",
        "(lambda: has_an_invalid_map(*maps), REJECT)",
        (
            _change(ALTERED, "", _MAPS, 'maps = ["events"]', "any `notifications`"),
            _change(ALTERED, "", _MAPS, 'maps = ["notifications"]', "any `events`"),
            _change(
                ALTERED,
                "has_an_invalid_map",
                _INVALID_MAP,
                "any(isinstance(new.get(name), dict) and"
                " any(level(value, v) is None for value in new[name].values()) for name in names)",
                "values that are not objects",
            ),
            _change(
                ALTERED,
                "has_an_invalid_map",
                _INVALID_MAP,
                "any(name in new and not isinstance(new[name], dict) for name in names)",
                "objects of any values",
            ),
        ),
    )
    yield _rule(
        "power_levels.users",
        "`users` is an object of levels by user ID",
        "(users_are_invalid, REJECT)",
        (
            _change(ALTERED, "users_are_invalid", _USERS, "False", "any levels"),
            _change(ALTERED, "users_are_invalid", _IDS, "False", "any keys"),
            _change(
                ALTERED,
                "users_are_invalid",
                _IDS,
                "any(user == self.sender for user in new.get('users', {}))",
                "not the sender",
            ),
        ),
    )
    creators = "any(user in new.get('users', {}) for user in self.creators() if isinstance(user, str))"
    yield _rule(
        "power_levels.creator_listed",
        "`users` names no creator",
        "(users_name_a_creator, REJECT)",
        tuple(
            _change(ALTERED, "users_name_a_creator", creators, new, detail)
            for new, detail in (
                ("self.create['sender'] in new.get('users', {})", "additional creators may be named"),
                (
                    "any(user in new.get('users', {}) for user in self.creators()[1:])",
                    "the sender of the create event may be named",
                ),
            )
        ),
    )
    yield _rule(
        "power_levels.first",
        "The first power levels of a room are allowed",
        "(lambda: old is None, ALLOW)",
        silent={
            DROPPED: "Without power levels in the state only creators reach the rule, and no level is above"
            " theirs.",
        },
        silent_in={DROPPED: ("auth.v12",)},
    )


def _named() -> Iterator[Sentence]:
    alterations = (
        "alterations = {place[0]: (current, value) for place, current, value in altered(properties)}"
    )

    def only(condition: str) -> str:
        return f"{alterations[:-1]} if {condition}}}"

    yield _group(
        "power_levels.level_current",
        "Named levels that are added, changed or removed are checked",
        "(otherwise, each_property())",
        (
            *(
                _change(
                    ALTERED, "each_property", alterations, only(f"place[0] != '{name}'"), f"without `{name}`"
                )
                for name in _PROPERTIES
            ),
            _change(ALTERED, "each_property", alterations, only("current is not None"), "without added ones"),
            _change(
                ALTERED,
                "each_property",
                alterations,
                only("current is None or value is None"),
                "without changed ones",
            ),
            _change(ALTERED, "each_property", alterations, only("value is not None"), "without removed ones"),
            _change(
                WIDENED,
                "each_property",
                alterations,
                "alterations = {name: (levels(old, [name]).get((name,)), levels(new, [name]).get((name,)))"
                " for name in properties}",
                "levels that stay as they are, too",
            ),
        ),
    )
    for name, what, place, test in (
        ("level_current", "The current level is not above the sender's", 0, "current"),
        ("level_new", "The new level is not above the sender's", 1, "value"),
    ):
        condition = f"{test} is not None and {test} > sender_level()"
        statement = f"if {condition}: ..."
        yield Sentence(
            numbers_of(f"power_levels.{name}"),
            what,
            (
                _change(DROPPED, "each_property", statement, "if False: ..."),
                _change(
                    INVERTED,
                    "each_property",
                    f"rule[{place}] = (otherwise, REJECT)",
                    f"rule[{place}] = (otherwise, ALLOW)",
                ),
                _change(WIDENED, "each_property", statement, f"if {test} is not None: ..."),
                _change(
                    ALTERED,
                    "each_property",
                    statement,
                    f"if {test} is not None and {test} >= sender_level(): ...",
                    "the same level as the sender's, too",
                ),
            ),
        )


_CURRENT = "[(place, current) for place, current, _ in altered(names) if current is not None]"
_NEW = "[value for _, _, value in altered(names) if value is not None]"


def _entries(kind: str) -> tuple[Change, ...]:
    """Return the changes of what "changed or removed", and "added or changed", mean."""
    if kind == "current":
        return tuple(
            _change(
                ALTERED,
                "current_values",
                _CURRENT,
                "[(place, current) for place, current, value in altered(names)"
                f" if current is not None and value is {test}]",
                f"without {what} ones",
            )
            for test, what in (("None", "changed"), ("not None", "removed"))
        )
    return tuple(
        _change(
            ALTERED,
            "new_values",
            _NEW,
            f"[value for _, current, value in altered(names) if value is not None and current is {test}]",
            f"without {what} ones",
        )
        for test, what in (("None", "changed"), ("not None", "added"))
    )


def _maps() -> Iterator[Sentence]:
    rule = "(lambda: any(c > sender_level() for _, c in current_values(maps)), REJECT)"
    group = f"(otherwise, [{rule}])"

    def without(names: str, source: str, old: str) -> tuple[Change, ...]:
        return tuple(
            _change(
                ALTERED,
                "",
                source,
                source.replace(old, f"{old[:-6]}([one for one in maps if one != '{name}'])"),
                f"without `{name}`",
            )
            for name in names.split()
        )

    quiet = {f"{ALTERED}: without `notifications`": "These versions do not check `notifications`."}
    early = {f"{ALTERED}: without `notifications`": ("auth.v1", "auth.v3")}
    for name, what, inner, call, kind in (
        (
            "events_current",
            "Entries that are changed or removed are checked",
            rule,
            "current_values",
            "current",
        ),
        (
            "events_new",
            "Entries that are added or changed are checked",
            "(lambda: any(value > sender_level() for value in new_values(maps)), REJECT)",
            "new_values",
            "new",
        ),
    ):
        group = f"(otherwise, [{inner}])"
        first = _group(
            f"power_levels.{name}",
            what.replace("Entries", "Entries of `events` and, from version 6 on, `notifications`"),
            group,
            (*without("events notifications", group, f"{call}(maps)"), *_entries(kind)),
        )
        yield Sentence(first.at, first.what, first.changes, quiet, early)
        yield _rule(
            f"power_levels.{name}",
            f"The {kind} level is not above the sender's",
            inner,
        )


def _users() -> Iterator[Sentence]:
    current = """(
        lambda: any(
            current >= sender_level()
            for place, current in current_values(["users"])
            if place != ("users", self.sender)
        ),
        REJECT,
    )"""
    group = f"(otherwise, [{current}])"
    yield _group(
        "power_levels.users_current",
        "Users who are changed or removed are checked, other than the sender",
        group,
        (
            _change(
                ALTERED,
                "",
                'place != ("users", self.sender)',
                "True",
                "the sender, too",
            ),
            *_entries("current"),
        ),
    )
    yield _rule("power_levels.users_current", "The current level is below the sender's", current)
    new = '(lambda: any(value > sender_level() for value in new_values(["users"])), REJECT)'
    yield _group(
        "power_levels.users_new",
        "Users who are added or changed are checked",
        f"(otherwise, [{new}])",
        _entries("new"),
    )
    yield _rule("power_levels.users_new", "The new level is not above the sender's", new)
    yield _rule(
        "power_levels.allowed",
        "Any other power levels are allowed",
        "(otherwise, ALLOW)",
        silent={DROPPED: "The last rule of all allows it, too."},
    )


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for part in (_values, _named, _maps, _users):
        yield from part()
