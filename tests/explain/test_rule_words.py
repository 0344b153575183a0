"""Each rule says in words why it decided."""

from collections.abc import Iterator
from typing import Any

import pytest
from builder import ALICE, BOB, Room

from roomver import Event, check_auth
from roomver.auth import state_of_auth_events
from roomver.event import find_defects
from roomver.explain.rule_words import SENTENCES, fields_of, rule_said
from roomver.explain.said import PartKind, Said, event, joined, said, user, value
from roomver.readers.suite import load_suite
from roomver.rules import RULES, Decision, Verdict
from roomver.suite.inputs import read_events, read_rejected
from roomver.types import StateMap
from roomver.versions import get_room_version

# The first is applied where signatures are checked. The others are of a version that is not stable.
_ELSEWHERE = {"member.authoriser_signature"}
_UNSTABLE = {f"state_key.{name}" for name in ("of_no_user", "suffix", "owner", "length")}


def decisions() -> set[tuple[str, bool]]:
    """The decisions that rules can make."""
    return {
        (rule.name, allowed)
        for rule in RULES.values()
        for allowed in (True, False)
        if rule.decision in (Decision.EITHER, Decision.ALLOW if allowed else Decision.REJECT)
    }


def test_every_rule_has_a_sentence_for_what_it_decides() -> None:
    assert {*SENTENCES} == decisions()


def judged_events() -> Iterator[tuple[str, Event, Verdict, StateMap[Event]]]:
    """Yield the events of the vectors for the rules, each with its verdict and what the rules read."""
    for case in load_suite():
        given = case.input
        if case.operation != "auth":
            continue
        version = get_room_version(case.room_version)
        named: Any = given
        pdu = named["events"].get(named["event"])
        if pdu is None or find_defects(pdu, version):
            continue
        events = read_events(given, version)
        one = events[named["event"]]
        if not all(cited in events for cited in one.auth_parents):
            continue
        state: StateMap[Event]
        if "state" in given:
            held = [events[event_id] for event_id in named["state"]]
            state = {(other.type, other.state_key or ""): other for other in held}
            verdict = check_auth(one, state, events, rejected=read_rejected(given))
        else:
            state = {} if one.type == "m.room.create" else state_of_auth_events(one, events)
            verdict = check_auth(one, None, events, rejected=read_rejected(given))
        yield case.name, one, verdict, state


@pytest.fixture(scope="module")
def judged() -> list[tuple[str, Event, Verdict, StateMap[Event]]]:
    return list(judged_events())


def words(sentence: Said) -> str:
    return "".join(str(part.value) for part in sentence)


def test_the_sentence_of_each_vector_has_all_that_it_names(
    judged: list[tuple[str, Event, Verdict, StateMap[Event]]],
) -> None:
    said_by: dict[tuple[str, bool], str] = {}
    for name, one, verdict, state in judged:
        key = (verdict.rule.name, verdict.allowed)
        # This raises where a field has no value: no event falls back on the bare sense of the rule.
        filled = said(SENTENCES[key], fields_of(one, verdict, state))
        assert rule_said(one, verdict, state) == filled, name
        said_by.setdefault(key, words(filled))
    assert {key for key in decisions() if key not in said_by} == {
        (name, False) for name in _ELSEWHERE | _UNSTABLE
    }
    assert all("{" not in text for text in said_by.values())


def test_the_levels_and_members_of_a_sentence_are_those_of_the_state(
    judged: list[tuple[str, Event, Verdict, StateMap[Event]]],
) -> None:
    levels = members = 0
    for name, one, verdict, state in judged:
        named = {part.value for part in rule_said(one, verdict, state) if part.kind is PartKind.EVENT}
        if verdict.rule.name == "required_level":
            levels += 1
            held = state.get(("m.room.power_levels", ""))
            text = words(rule_said(one, verdict, state))
            assert f"level {verdict.detail['required_level']} (" in text, name
            assert held is None or held.event_id in named, name
        if verdict.rule.name == "sender.not_joined":
            members += 1
            member = state.get(("m.room.member", one.sender))
            assert named == ({member.event_id} if member is not None else set()), name
    assert levels > 20
    assert members > 20


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("@:_x", "its state key @:_x begins with @, but not with a user ID"),
        (f"{ALICE}_{'x' * 300}", "in its state key, 301 bytes follow the user ID, and at most 256 may"),
        (
            f"{ALICE}_x",
            f"its state key belongs to {ALICE}, and only a user with a higher level may set it:"
            f" {BOB} had level 50 (set by LEVELS), and {ALICE} had level 100 (set by LEVELS)",
        ),
        ("x" * 300, "its state key has 300 bytes, and at most 255 are allowed"),
    ],
)
def test_the_rules_on_owned_state_keys(key: str, text: str) -> None:
    room = Room("org.matrix.msc3757.10", signed=False)
    room.join(ALICE)
    levels = room.power({"users": {ALICE: 100, BOB: 50}})
    room.join_rule("public")
    room.join(BOB)
    one = room.add("m.room.x", BOB, {}, state_key=key)
    verdict = room.against_state(one)
    assert verdict.rule.name in _UNSTABLE
    state = {key: other for key, other in room.state.items() if other is not one}
    assert words(rule_said(one, verdict, state)).replace(levels.event_id, "LEVELS") == text


def test_words_of_ours_and_values_of_others_stay_apart() -> None:
    sentence = said("{a} {b}: {c}", a=user("@{x}:b"), b=event("$e"), c=value("{why}"))
    assert [part.to_dict() for part in sentence] == [
        {"user": "@{x}:b"},
        {"words": " "},
        {"event": "$e"},
        {"words": ": "},
        {"value": "{why}"},
    ]
    assert joined([sentence, sentence], " - ")[5].value == " - "
    assert [part.value for part in said("{a}{a}", a="x")] == ["xx"]
    with pytest.raises(KeyError):
        said("{a}")
