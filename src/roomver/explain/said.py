"""Sentences as data: words of ours, and between them the events, users and values that they name.

A renderer shows each part in its own way: a terminal as sender, action, short ID and time, a page as a link.
Only the words are ours. Everything else may come from a hostile server, and stays apart until it is shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from string import Formatter
from typing import TypeAlias, cast

from ..canonical import shorten
from ..types import EventId, JsonObject, JsonValue, StateKey, UserId

__all__ = [
    "Part",
    "PartKind",
    "Said",
    "entry",
    "event",
    "finding",
    "joined",
    "said",
    "said_data",
    "user",
    "value",
]


class PartKind(Enum):
    """What a part of a sentence is."""

    WORDS = "words"
    """Words of ours."""
    EVENT = "event"
    """An event, by its ID. It may be missing from the room."""
    USER = "user"
    """A user ID."""
    KEY = "key"
    """A key of the state: an array of a type and a state key."""
    VALUE = "value"
    """A text from an event, or about one."""
    FINDING = "finding"
    """The kind of a finding about an event: it is shown as what follows the words "the event"."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sentence.

    Attributes:
        kind: what it is.
        value: the words, the event ID, the user ID, the key or the text.
    """

    kind: PartKind
    value: JsonValue

    def to_dict(self) -> JsonObject:
        """Return the part as a JSON object with one key, its kind."""
        return {self.kind.value: self.value}


Said: TypeAlias = tuple[Part, ...]
"""A sentence, or a part of one."""


def event(event_id: EventId) -> Part:
    """Return the part that names an event."""
    return Part(PartKind.EVENT, event_id)


def user(user_id: UserId) -> Part:
    """Return the part that names a user."""
    return Part(PartKind.USER, user_id)


def entry(key: StateKey) -> Part:
    """Return the part that names a key of the state."""
    return Part(PartKind.KEY, [*key])


def value(found: object) -> Part:
    """Return the part that shows a value from an event. What is not a text is described."""
    return Part(PartKind.VALUE, found if type(found) is str else shorten(found))


def finding(kind: str) -> Part:
    """Return the part that says what was found about an event, by the kind of the finding."""
    return Part(PartKind.FINDING, kind)


def said(
    template: str, values: Mapping[str, Said | Part | str] | None = None, **more: Said | Part | str
) -> Said:
    """Return a sentence from a template whose fields are sentences, parts or words of ours.

    Raises:
        KeyError: if a field has no value.

    >>> [part.to_dict() for part in said("{who} was banned", who=user("@a:b"))]
    [{'user': '@a:b'}, {'words': ' was banned'}]
    """
    parts: list[Part] = []
    for words, field, _, _ in Formatter().parse(template):
        found: Said | Part | str = ()
        if field is not None:
            found = more[field] if field in more else (values or {})[field]
        inner = (found,) if isinstance(found, Part) else found
        pieces = (Part(PartKind.WORDS, inner),) if isinstance(inner, str) else inner
        for part in (Part(PartKind.WORDS, words), *pieces):
            if part.kind is PartKind.WORDS and not part.value:
                continue
            if part.kind is PartKind.WORDS and parts and parts[-1].kind is PartKind.WORDS:
                parts[-1] = Part(PartKind.WORDS, f"{parts[-1].value}{part.value}")
            else:
                parts.append(part)
    return tuple(parts)


def joined(sentences: Iterable[Said], between: str = " ") -> Said:
    """Return sentences as one, with words between them."""
    result: Said = ()
    for one in sentences:
        result = said("{before}{between}{one}", before=result, between=between, one=one) if result else one
    return result


def said_data(sentence: Said) -> JsonValue:
    """Return a sentence as JSON: an array of parts."""
    return cast(JsonValue, [part.to_dict() for part in sentence])
