"""The sentences of the auth events selection, and of what levels may be written as."""

from collections.abc import Iterator
from typing import Final

from .notes import CREATE, changed, idle
from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence

_LEVELS = "levels.v1"
_BEGINS = "It only introduces what follows."
_EXPLAINS = "It explains, and asks nothing more."
_SENDS = "It is about making events. A receiver takes both."


def _selection() -> Iterator[Sentence]:
    text = "selection"

    def change(how: str, old: str, new: str, detail: str = "") -> Change:
        return changed(how, "selected", old, new, detail)

    yield Sentence({text: "1"}, "Auth events permit the event", idle=_BEGINS)
    yield Sentence(
        {text: "2"},
        "A create event has no auth events",
        (change(DROPPED, 'if event["type"] == "m.room.create": ...', "if False: ..."),),
    )
    yield Sentence(
        {text: "3"},
        "Up to version 11 the create event is picked",
        (
            change(DROPPED, CREATE, "if False: ..."),
            change(WIDENED, CREATE, "if True: ...", "in version 12, too"),
        ),
    )
    first = 'keys = [("m.room.power_levels", ""), ("m.room.member", event["sender"])]'
    yield Sentence(
        {text: "4"},
        "The power levels are picked",
        (change(DROPPED, first, 'keys = [("m.room.member", event["sender"])]'),),
    )
    yield Sentence(
        {text: "5"},
        "The sender's membership is picked",
        (change(DROPPED, first, 'keys = [("m.room.power_levels", "")]'),),
    )
    member = 'if event["type"] == "m.room.member": ...'
    yield Sentence(
        {text: "6"},
        "More is picked for member events",
        (
            change(DROPPED, member, "if False: ..."),
            change(WIDENED, member, "if True: ...", "for all events"),
        ),
    )
    target = 'keys.append(("m.room.member", event["state_key"]))'
    yield Sentence({text: "7"}, "The target's membership is picked", (change(DROPPED, target, "pass"),))
    rules = 'if content.get("membership") in ("join", "invite", "knock"): ...'
    yield Sentence(
        {text: "8"},
        "For joins, invites and knocks the join rules are picked",
        (
            *(
                change(
                    DROPPED,
                    rules,
                    f'if content.get("membership") in {[one for one in _MEMBERSHIPS if one != name]}: ...',
                    f"not for {name}s",
                )
                for name in _MEMBERSHIPS
            ),
            *(
                change(
                    WIDENED,
                    rules,
                    f'if content.get("membership") in {(*_MEMBERSHIPS, name)!r}: ...',
                    f"for {name}s, too",
                )
                for name in ("leave", "ban")
            ),
        ),
    )
    third = 'if content.get("membership") == "invite" and "third_party_invite" in content: ...'
    token = "if isinstance(token, str): ..."
    yield Sentence(
        {text: "9"},
        "For a third-party invite the event of its token is picked",
        (
            change(DROPPED, third, "if False: ..."),
            change(WIDENED, third, 'if "third_party_invite" in content: ...', "for any membership"),
            change(
                ALTERED,
                token,
                "token = event['state_key']\nif isinstance(token, str): ...",
                "that of the target",
            ),
        ),
    )
    authoriser = """(
        content.get("membership") == "join"
        and version >= 8
        and isinstance(content.get("join_authorised_via_users_server"), str)
    )"""
    text_of = 'isinstance(content.get("join_authorised_via_users_server"), str)'
    yield Sentence(
        {text: "10"},
        "For a restricted join the authorising user's membership is picked",
        (
            change(DROPPED, authoriser, "False"),
            change(
                WIDENED, authoriser, f'content.get("membership") == "join" and {text_of}', "in all versions"
            ),
            change(WIDENED, authoriser, f"version >= 8 and {text_of}", "for any membership"),
        ),
    )


_DIGITS: Final = "if text == '' or any(d not in '0123456789' for d in text)"
_MEMBERSHIPS: Final = ("join", "invite", "knock")


def _levels() -> Iterator[Sentence]:
    yield from idle(
        _LEVELS,
        {
            "1": ("Events may have old formats", _BEGINS),
            "2": ("These formats follow", _BEGINS),
            "3": ("They are kept for old events", _EXPLAINS),
            "4": ("Servers do not send them", _SENDS),
            "5": ("Some formats end", _BEGINS),
            "strings.3": ("An example", _EXPLAINS),
            "strings.4": ("The format of a string follows", _BEGINS),
            "floats.1": ("What a float means follows", _BEGINS),
            "floats.5": ("An example", _EXPLAINS),
            "floats.6": ("An example", _EXPLAINS),
            "integers.1": ("Other versions allow strings", _EXPLAINS),
            "integers.3": ("The rules reject them", "Rules 9.1 to 9.3 say so."),
        },
    )

    def change(how: str, old: str, new: str, detail: str = "", scope: str = "level") -> Change:
        return changed(how, scope, old, new, detail)

    string = "if isinstance(value, str) and version <= 9: ..."
    yield Sentence(
        {_LEVELS: "strings.1"},
        "Levels may be strings",
        (change(DROPPED, string, "if False: ..."),),
    )
    entry = "level(entries.get(key), self.version) if isinstance(entries, dict) else None"
    yield Sentence(
        {_LEVELS: "strings.2"},
        "So may levels of events, notifications and users",
        (
            change(
                DROPPED,
                entry,
                "level(entries.get(key), max(self.version, 10)) if isinstance(entries, dict) else None",
                "they count as absent",
                "Rules.entry",
            ),
            change(
                DROPPED,
                "all(level(value, v) is not None for value in new[name].values())",
                "all(level(value, max(v, 10)) is not None for value in new[name].values())",
                "they are rejected",
                "Rules.power_levels_rules.has_an_invalid_map",
            ),
        ),
    )
    digits = """if text == "" or any(digit not in "0123456789" for digit in text): ..."""
    yield Sentence(
        {_LEVELS: "strings.5"},
        "The string is an integer in decimal, and may begin with zeros",
        (
            change(
                INVERTED,
                digits,
                f"{_DIGITS} or text != '0' and text[0] == '0': ...",
                "it may not begin with zeros",
            ),
            change(
                WIDENED,
                digits,
                f"text = text.partition('.')[0]\n{_DIGITS}: ...",
                "it may have a fraction",
            ),
            change(
                WIDENED,
                digits,
                f"text = text.replace('_', '')\n{_DIGITS}: ...",
                "it may have underscores",
            ),
            change(WIDENED, digits, "if not text.isdecimal(): ...", "it may have other digits"),
            change(
                WIDENED,
                digits,
                "if text[:2] == '0x':\n    return sign * int(text, 16)\n"
                "if text == '' or any(d not in '0123456789' for d in text): ...",
                "it may be hexadecimal",
            ),
        ),
    )
    sign = 'if text[:1] in ("+", "-"): ...'
    yield Sentence(
        {_LEVELS: "strings.6"},
        "One sign may stand before it",
        (
            change(DROPPED, sign, "if text[:1] == '+': ...", "no minus"),
            change(DROPPED, sign, "if text[:1] == '-': ...", "no plus"),
            change(ALTERED, "sign = -1 if text[0] == '-' else 1", "sign = 1", "a minus means nothing"),
            change(WIDENED, "text = text[1:]", "text = text.lstrip('+-')", "more than one"),
            change(WIDENED, "text = text[1:]", "text = text[1:].lstrip()", "and white space after it"),
        ),
    )
    strip = "text = value.strip()"
    yield Sentence(
        {_LEVELS: "strings.7"},
        "White space may stand around it",
        (
            change(DROPPED, strip, "text = value.rstrip()", "none before it"),
            change(DROPPED, strip, "text = value.lstrip()", "none after it"),
            change(ALTERED, strip, "text = value.strip(' ')", "only spaces"),
            change(WIDENED, strip, "text = ''.join(value.split())", "and within it"),
        ),
    )
    whole = "return int(value)"
    yield Sentence(
        {_LEVELS: "floats.2"},
        "The exponent of a float counts",
        (change(DROPPED, whole, "return int(repr(value).partition('e')[0].partition('.')[0])"),),
    )
    yield Sentence(
        {_LEVELS: "floats.3"},
        "A float is cut off at its point",
        (
            change(DROPPED, whole, "return value", "the fraction counts"),
            change(ALTERED, whole, "return int(value // 1)", "it is rounded down"),
            change(ALTERED, whole, "return round(value)", "it is rounded"),
            change(
                ALTERED,
                "if isinstance(value, float) and version <= 5 and abs(value) < INFINITE: ...",
                "if False: ...",
                "it is invalid",
            ),
        ),
    )
    yield Sentence(
        {_LEVELS: "floats.4"},
        "A value beyond binary64 is rejected",
        (
            change(
                DROPPED,
                "if isinstance(value, float) and version <= 5 and abs(value) < INFINITE: ...",
                "if isinstance(value, float) and version <= 5:\n"
                "    return int(value) if abs(value) < INFINITE else 2**53",
            ),
        ),
    )
    yield Sentence(
        {_LEVELS: "floats.7"},
        "Events may have floats",
        (
            Change(
                DROPPED,
                "event_format.py",
                "is_valid",
                'strict = version not in ("1", "2", "3", "4", "5")',
                "strict = True",
            ),
        ),
    )
    yield Sentence(
        {_LEVELS: "integers.2"},
        "In version 10 levels are not strings",
        (change(DROPPED, string, "if isinstance(value, str) and version <= 10: ..."),),
    )


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for part in (_selection, _levels):
        yield from part()
