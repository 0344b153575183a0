"""Text from events, made safe to show on the page and in the picture, and the words about each event."""

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from ...event import Event
from ...types import JsonObject
from ..escaped import json_text
from ..people import action_words, few_words

_LONGEST: Final = 2_000  # longer than any identifier and any reason

# Where a stack of marks may be, which would cover the lines around it.
_MAY_STACK: Final = re.compile("[\u0300-\U0010ffff]{3,}")


_encoded: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def shown(text: object) -> str:
    """Return a text from an event, safe to show in one line.

    >>> shown("a\\u202eb"), shown("plain")
    ('a\\\\u202eb', 'plain')
    """
    if type(text) is str and text.isascii() and text.isprintable() and len(text) <= _LONGEST:
        return text
    return few_words(text, _LONGEST)


def words_of(events: Iterable[Event]) -> list[str]:
    """Return what each event does, in a few words."""
    return [action_words(event) for event in events]


def pdu_text(pdu: JsonObject) -> str:
    """Return a PDU as JSON in one line that shows what is in it: the same JSON value, with escapes.

    >>> print(pdu_text({"type": "a\\u202eb"}))
    {"type":"a\\u202eb"}
    """
    text = _encoded(pdu)
    if text.isascii() and "\x7f" not in text:
        return text
    return _MAY_STACK.sub(_unstacked, json_text(text))


def _unstacked(found: re.Match[str]) -> str:
    marks, made = 0, []
    for character in found[0]:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        made.append(json.dumps(character)[1:-1] if marks > 2 else character)
    return "".join(made)
