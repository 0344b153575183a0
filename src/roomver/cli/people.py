"""Events, users and times as a person knows them: type, sender, time, a few words of content, short ID.

Every text that is returned here is safe on a terminal: it is one line, without control characters and without
stacks of combining marks. What a renderer for another form needs on top, it adds.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from ..event import Event
from ..types import EventId, JsonValue, UserId
from .escaped import printable

_WORDS: Final = 40  # characters of content that are shown
_NAME: Final = 40  # characters of a user ID that are shown
_SHORT: Final = 9  # characters of an event ID that are shown at least, with its "$"
# In UTC. Without a time zone, because formatting takes three times as long with one, and a graph formats tens
# of thousands of times.
_EPOCH: Final = datetime(1970, 1, 1)
_LATEST: Final = 253_402_300_799_999  # the last millisecond of the year 9999
_MEMBERSHIPS: Final = {"join": "join", "leave": "leave", "invite": "invite", "ban": "ban", "knock": "knock"}

# Event type to its name, and the key of the content that says it in words.
_KINDS: Final = {
    "m.room.create": ("creation of the room", ""),
    "m.room.power_levels": ("power levels", ""),
    "m.room.join_rules": ("join rule", "join_rule"),
    "m.room.history_visibility": ("history visibility", "history_visibility"),
    "m.room.guest_access": ("guest access", "guest_access"),
    "m.room.name": ("room name", "name"),
    "m.room.topic": ("topic", "topic"),
    "m.room.avatar": ("room avatar", "url"),
    "m.room.canonical_alias": ("canonical alias", "alias"),
    "m.room.aliases": ("list of aliases", ""),
    "m.room.encryption": ("encryption", "algorithm"),
    "m.room.encrypted": ("encrypted message", ""),
    "m.room.message": ("message", "body"),
    "m.room.redaction": ("redaction", "reason"),
    "m.room.server_acl": ("server ACL", ""),
    "m.room.pinned_events": ("list of pinned events", ""),
    "m.room.third_party_invite": ("third-party invite", "display_name"),
    "m.room.tombstone": ("tombstone", "body"),
    "m.room.policy": ("policy server", "via"),
    "m.reaction": ("reaction", ""),
    "m.sticker": ("sticker", "body"),
    "m.space.child": ("space child", ""),
    "m.space.parent": ("space parent", ""),
}


def few_words(text: object, limit: int = _WORDS) -> str:
    """Return the beginning of a text from an event, safe in one line of a terminal.

    Args:
        text: any JSON value. One that is not a text is described.
        limit: the most characters, before some are escaped.

    >>> few_words("\\u0301" * 3)
    '\\\\u0301\\u0301\\\\u0301'
    """
    return printable(text, limit)


def _beginning(text: str) -> str:
    """Return the first words of a text from an event. A word is cut only if it is very long.

    >>> _beginning("It is long, and it goes on and on without an end")
    'It is long, and it goes on and on…'
    """
    if len(text) <= _WORDS:
        return few_words(text)
    end = text.rfind(" ", _WORDS // 2, _WORDS)
    return few_words(text) if end < 0 else f"{few_words(text[:end].rstrip())}…"


def user_text(user: UserId) -> str:
    """Return a user ID, shortened in the middle of a long one.

    >>> user_text("@alice:example.org")
    '@alice:example.org'
    """
    if len(user) > _NAME:
        user = f"{user[: _NAME // 2]}…{user[-_NAME // 2 + 1 :]}"
    return few_words(user, _NAME)


def time_text(milliseconds: JsonValue) -> str:
    """Return an event's ``origin_server_ts`` as date and time in UTC. The sender's server chose it.

    >>> time_text(1700000000000), time_text(-1)
    ('2023-11-14 22:13:20Z', '-1 ms')
    """
    if type(milliseconds) is not int or not 0 <= milliseconds <= _LATEST:
        return f"{printable(milliseconds)} ms"
    return (_EPOCH + timedelta(0, milliseconds // 1000)).isoformat(" ") + "Z"


def short_id(event_id: EventId) -> str:
    """Return the beginning of an event ID. Commands take it, if no other event ID of the room begins so.

    >>> short_id("$ukjkRFPBKqnBs2U3wYDe2_XCvlHmgmmfJ3jhSwbOXyg"), short_id("$1:a.example")
    ('$ukjkRFPB', '$1:a.example')
    """
    return few_words(event_id if len(event_id) <= 16 else event_id[:_SHORT], 16)


class ShortIds:
    """Event IDs, shortened so that each is still unique among those of a room.

    >>> ShortIds(["$abcdefghij" + "k" * 33, "$abcdefghiz" + "k" * 33])("$abcdefghij" + "k" * 33)
    '$abcdefghij'
    """

    def __init__(self, event_ids: Iterable[EventId]) -> None:
        known = list(event_ids)
        self._length: dict[EventId, int] = {}
        begins = [one[:_SHORT] for one in known]
        if len(set(begins)) == len(known):
            return  # in most rooms, so that few IDs are sorted
        times = Counter(begins)
        alike = sorted(one for one, begin in zip(known, begins, strict=True) if times[begin] > 1)
        for one, other in pairwise(alike):
            if one[:_SHORT] == other[:_SHORT]:
                same = _shared(one, other)
                for event_id in (one, other):
                    self._length[event_id] = max(self._length.get(event_id, 0), same + 1)

    def __call__(self, event_id: EventId) -> str:
        """Return the short form of an event ID."""
        length = self._length.get(event_id)
        return short_id(event_id) if length is None else few_words(event_id[:length], length)


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts share at the beginning."""
    number = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        number += 1
    return number


def action_words(event: Event, *, noun: bool = False) -> str:
    """Say in a few words what an event does, without its sender.

    Args:
        event: the event.
        noun: whether a verb in the singular follows, so that the words must not be a plural.

    >>> from roomver import parse_event
    >>> pdu = {"type": "m.room.topic", "state_key": "", "sender": "@a:b", "room_id": "!r:b", "depth": 1,
    ...        "origin_server_ts": 1, "hashes": {"sha256": "A" * 43}, "prev_events": [], "auth_events": [],
    ...        "content": {"topic": "Hello"}}
    >>> action_words(parse_event(pdu, "11"))
    'topic "Hello"'
    """
    if event.type == "m.room.member" and event.state_key is not None:
        return _member_words(event)
    known = _KINDS.get(event.type)
    if known is None:
        key = "" if not event.state_key else f' for "{few_words(event.state_key)}"'
        return f"{few_words(event.type)}{key}"
    name, words = known
    if noun and event.type == "m.room.power_levels":
        name = "power levels event"
    value = event.content.get(words) if words else None
    said = f' "{_beginning(value)}"' if type(value) is str else ""
    if event.type == "m.room.redaction" and event.redacts is not None:
        said = f" of {short_id(event.redacts)}{said}"
    key = "" if not event.state_key else f' for "{few_words(event.state_key)}"'
    return f"{name}{key}{said}"


def _member_words(event: Event) -> str:
    membership = event.content.get("membership")
    target = event.state_key or ""
    word = _MEMBERSHIPS.get(membership) if type(membership) is str else None
    if word is None:
        return f"membership {few_words(membership)} of {user_text(target)}"
    if target == event.sender:
        return word
    return f"{'removal' if word == 'leave' else word} of {user_text(target)}"


def event_words(event: Event, short: ShortIds | None = None) -> str:
    """Return an event as a person knows it: sender, action, short ID and time.

    >>> from roomver import parse_event
    >>> pdu = {"type": "m.room.topic", "state_key": "", "sender": "@a:b", "room_id": "!r:b", "depth": 1,
    ...        "origin_server_ts": 1, "hashes": {"sha256": "A" * 43}, "prev_events": [], "auth_events": [],
    ...        "content": {"topic": "Hello"}}
    >>> event_words(parse_event(pdu, "11"))
    '@a:b\\'s topic "Hello" ($I5hLmE-c, 1970-01-01 00:00:00Z)'
    """
    called = (short or short_id)(event.event_id)
    did = action_words(event, noun=True)
    return f"{user_text(event.sender)}'s {did} ({called}, {time_text(event.origin_server_ts)})"
