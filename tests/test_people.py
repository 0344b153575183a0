"""Events as a person knows them: safe in one line, and short."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomver.cli.people import ShortIds, action_words, event_words, few_words, short_id, time_text, user_text
from roomver.event import Event

MEMBER = {
    "type": "m.room.member",
    "room_id": "!r:a",
    "depth": 1,
    "origin_server_ts": 0,
    "hashes": {},
    "prev_events": [],
    "auth_events": [],
}


def event(**changes: object) -> Event:
    pdu = {**MEMBER, "sender": "@alice:a", "content": {}, **changes}
    return Event.trusted(pdu, "11", "$0123456789abcdefg")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state_key": "@alice:a", "content": {"membership": "join"}}, "join"),
        ({"state_key": "@bob:b", "content": {"membership": "ban"}}, "ban of @bob:b"),
        ({"state_key": "@bob:b", "content": {"membership": "leave"}}, "removal of @bob:b"),
        ({"state_key": "@bob:b", "content": {"membership": 7}}, "membership 7 of @bob:b"),
        ({"state_key": "@bob:b", "content": {"membership": "x\n"}}, "membership x\\u000a of @bob:b"),
        ({"type": "m.room.topic", "state_key": "", "content": {"topic": "Tea"}}, 'topic "Tea"'),
        ({"type": "m.room.topic", "state_key": "", "content": {"topic": ["Tea"]}}, "topic"),
        ({"type": "m.room.message", "content": {"body": "x" * 99}}, f'message "{"x" * 39}…"'),
        ({"type": "m.room.redaction", "redacts": "$abcdefghijklmnop" + "q" * 27}, "redaction of $abcdefgh"),
        ({"type": "org.example.x", "state_key": "k"}, 'org.example.x for "k"'),
        ({"type": "org.example.x"}, "org.example.x"),
    ],
)
def test_what_an_event_does_is_said_in_a_few_words(changes: dict[str, object], words: str) -> None:
    redacts = changes.get("redacts")
    if redacts is not None:
        changes = {**changes, "content": {"redacts": redacts}}
    assert action_words(event(**changes)) == words


@given(st.text(), st.integers(1, 50))
def test_words_of_hostile_text_are_one_printable_line_without_stacked_marks(text: str, limit: int) -> None:
    words = few_words(text, limit)
    assert words.isprintable()
    stacked = 0
    for character in words:
        stacked = stacked + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        assert stacked <= 2
    assert len(words) <= 10 * limit


@given(st.lists(st.text("ab", max_size=12).map("$012345678".__add__), min_size=1, unique=True))
def test_short_ids_are_unique_prefixes(event_ids: list[str]) -> None:
    short = ShortIds(event_ids)
    for one in event_ids:
        called = short(one)
        assert one.startswith(called)
        others = [other for other in event_ids if other.startswith(called) and other != one]
        assert not others or called == one


def test_short_ids_of_senders_have_no_stacks_of_marks() -> None:
    marks = "$a" + "\u0301" * 20
    for event_id in (event_ids := [f"{marks}:a.example", f"{marks}:b.example"]):
        assert "\u0301" * 3 not in ShortIds(event_ids)(event_id)


@pytest.mark.parametrize("value", [-1, 2**60, None, "x", 1.5, True, []])
def test_a_time_that_is_not_one_is_still_shown(value: object) -> None:
    assert time_text(value).endswith(" ms")  # type: ignore[arg-type]


def test_a_long_user_id_keeps_both_ends() -> None:
    text = user_text("@" + "a" * 200 + ":example.org")
    assert text.startswith("@aaaa")
    assert text.endswith("example.org")
    assert len(text) == 40


def test_an_event_has_its_sender_id_and_time() -> None:
    said = event_words(event(state_key="@bob:b", content={"membership": "ban"}))
    assert said == "@alice:a's ban of @bob:b ($01234567, 1970-01-01 00:00:00Z)"
    assert short_id("$short") == "$short"
