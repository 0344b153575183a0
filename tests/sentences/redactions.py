"""The sentences of the redaction sections, and of the handling of redactions."""

from collections.abc import Iterator, Mapping
from typing import Final

from reference import redaction as reference

from .records import ALTERED, DROPPED, INVERTED, WIDENED, Change, Sentence, altered

_BEGINS = "It only introduces what follows."
_CLIENTS = "It is about what clients are sent."

PAGES: Final[Mapping[str, str]] = {
    "redaction.v1": "PAGE_1",
    "redaction.v6": "PAGE_6",
    "redaction.v8": "PAGE_8",
    "redaction.v9": "PAGE_9",
    "redaction.v11": "PAGE_11",
}
"""The tables of the reference, by text."""

_STRIPPED = "result = {key: value for key, value in event.items() if key in keys}"
_CONTENT = "stripped = {key: value for key, value in content.items() if key in allowed}"
_INVITE = (
    'if version in ("11", "12") and result["type"] == "m.room.member"'
    ' and "third_party_invite" in content: ...'
)
_SAYS_LIST = "The list says so."
_NOTES: Final[Mapping[str, Mapping[str, str]]] = {
    "redaction.v6": {"1": "Nothing of aliases is kept", "2": "The other lines are as before"},
    "redaction.v8": {
        "1": "Join rules keep `allow`",
        "2": "Version 9 keeps more",
        "3": "The algorithm follows",
    },
    "redaction.v9": {"1": "Member events keep the authorising user", "2": "The algorithm follows"},
    "redaction.v11": {
        "1": "Three keys are no longer kept",
        "2": "A create event keeps its content",
        "3": "A redaction keeps `redacts`",
        "4": "Power levels keep `invite`",
        "5": "The algorithm follows",
    },
}


def _redact(how: str, scope: str, old: str, new: str, detail: str = "") -> Change:
    return Change(how, "redaction.py", scope, old, new, detail)


def _algorithm(text: str, page: str) -> Iterator[Sentence]:
    """Yield the sentences of one page."""
    keys, types = getattr(reference, page)
    first = len(_NOTES.get(text, {})) + 1
    for identifier, what in _NOTES.get(text, {}).items():
        yield Sentence({text: identifier}, what, idle=_SAYS_LIST)
    yield Sentence(
        {text: str(first)},
        "Other top-level keys are removed",
        (
            _redact(DROPPED, "redact", _STRIPPED, "result = dict(event)"),
            _redact(
                INVERTED,
                "redact",
                _STRIPPED,
                "result = {key: value for key, value in event.items()"
                " if key in ('type', 'content') or key not in keys}",
            ),
        ),
    )
    yield Sentence(
        {text: str(first + 1)},
        "Other keys of the content are removed",
        (
            _redact(DROPPED, "redact", _CONTENT, "stripped = dict(content)"),
            _redact(
                INVERTED,
                "redact",
                _CONTENT,
                "stripped = {key: value for key, value in content.items() if key not in allowed}",
            ),
            _redact(
                ALTERED,
                "redact",
                "allowed = types.get(result['type'], [])",
                "allowed = types.get(result['type'], list(content))",
                "only of the types that are listed",
            ),
        ),
    )
    for key in keys:
        yield Sentence(
            {text: key},
            f"`{key}` is kept",
            (_without(key),),
        )
    for kind, allowed in types.items():
        yield from _of_type(text, page, kind, allowed)


def _without(key: str) -> Change:
    # The algorithm needs the type and the content, so these two are removed at its end.
    if key in ("type", "content"):
        new = f"result['content'] = stripped\ndel result['{key}']"
        return _redact(DROPPED, "redact", "result['content'] = stripped", new)
    return _redact(DROPPED, "redact", _STRIPPED, f"{_STRIPPED[:-1]} and key != '{key}'}}")


def _of_type(text: str, page: str, kind: str, allowed: list[str] | str) -> Iterator[Sentence]:
    if allowed == reference.ALL:
        yield Sentence(
            {text: kind},
            f"All content of `{kind}` is kept",
            (_redact(DROPPED, page, f'"{kind}": ALL', f'"{kind}": []'),),
        )
        return
    old = f'"{kind}": {list(allowed)!r}'
    changes = [
        _redact(DROPPED, page, old, f'"{kind}": {[one for one in allowed if one != key]!r}', f"`{key}`")
        for key in allowed
    ]
    changes.append(_redact(DROPPED, page, old, f'"not {kind}": []', "all"))
    changes.append(_redact(WIDENED, page, old, f'"{kind}": ALL', "all keys are kept"))
    yield Sentence({text: kind}, f"Of `{kind}` is kept: {', '.join(allowed)}", tuple(changes))
    if text == "redaction.v11" and kind == "m.room.member":
        identifier = str(len(_NOTES[text]) + 3)
        invite = "stripped['third_party_invite']['signed'] = invite['signed']"
        yield Sentence(
            {text: identifier},
            "Of `third_party_invite` in a member event `signed` is kept",
            (
                _redact(DROPPED, "redact", _INVITE, "if False: ..."),
                _redact(ALTERED, "redact", invite, "pass", "an empty object is kept"),
                _redact(
                    WIDENED,
                    "redact",
                    invite,
                    "stripped['third_party_invite'] = invite",
                    "the whole object is kept",
                ),
                _redact(
                    WIDENED,
                    "redact",
                    _INVITE,
                    'if version in ("11", "12") and "third_party_invite" in content: ...',
                    "in events of any type",
                ),
            ),
        )


_LEVEL = 'rules.power_level(redaction["sender"]) >= rules.named("redact")'
_DOMAIN = 'domain(redaction["sender"]) == domain(event["sender"])'


def _handle(how: str, old: str, new: str, detail: str = "", scope: str = "applies") -> Change:
    return Change(how, "handling.py", scope, old, new, detail)


def _handling() -> Iterator[Sentence]:
    text = "handling.v3"
    yield Sentence({text: "1"}, "Versions 1 and 2 have rules for it", idle=_BEGINS)
    yield Sentence(
        {text: "2"},
        "From version 3 on, no authorisation rule is about redactions",
        (
            Change(
                INVERTED,
                "auth.py",
                "Rules.state_rules",
                'only(v <= 2, (lambda: kind == "m.room.redaction", self.redaction_rules()))',
                'only(True, (lambda: kind == "m.room.redaction", self.redaction_rules()))',
            ),
        ),
    )
    yield Sentence({text: "3"}, "Clients wait for both events", idle=_CLIENTS)
    yield Sentence(
        {text: "4"},
        "One of the two conditions is enough",
        (
            _handle(ALTERED, f"{_LEVEL} or {_DOMAIN}", f"{_LEVEL} and {_DOMAIN}", "both are needed"),
            _handle(INVERTED, f"{_LEVEL} or {_DOMAIN}", f"not ({_LEVEL} or {_DOMAIN})"),
            _handle(WIDENED, f"{_LEVEL} or {_DOMAIN}", "True", "none is needed"),
        ),
    )
    for number, what, condition in (
        ("5", "The sender of the redaction has the redact level", _LEVEL),
        ("6", "Both senders are of one server", _DOMAIN),
    ):
        yield Sentence(
            {text: number},
            what,
            (
                _handle(DROPPED, condition, "False"),
                _handle(INVERTED, condition, f"not ({condition})"),
                _handle(WIDENED, condition, "True"),
                *altered("handling.py", "applies", condition),
            ),
        )
    yield Sentence(
        {text: "7"},
        "The level for the type of the redacted event does not matter",
        (
            _handle(
                INVERTED,
                _LEVEL,
                f"{_LEVEL} and"
                ' rules.power_level(redaction["sender"]) >= (rules.entry("events", event["type"]) or 0)',
            ),
        ),
    )
    yield Sentence({text: "8"}, "Clients get the redaction", idle=_CLIENTS)
    yield Sentence({text: "9"}, "A server waits for the other event", idle=_CLIENTS)


def sentences() -> Iterator[Sentence]:
    """Yield the sentences."""
    for text, page in PAGES.items():
        yield from _algorithm(text, page)
    yield from _handling()
