"""Answers do not depend on how deep the caller is.

Python's parser and encoder of JSON recurse in C and share the limit of recursion with their caller.
"""

import inspect
import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from roomver import NotCanonical, check_event, compute_event_id, encode_canonical, parse_event, redact
from roomver.canonical import MAX_DEPTH, parse_json

T = TypeVar("T")


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


VALUE = nested(MAX_DEPTH)
PDU = {
    **{"type": "m.room.member", "state_key": "@a:b", "sender": "@a:b", "room_id": "!a:b", "depth": 1},
    **{"origin_server_ts": 1, "prev_events": [], "auth_events": [], "hashes": {"sha256": "A" * 43}},
    "content": {"membership": nested(MAX_DEPTH - 2)},
}


TEXT = json.dumps(PDU)


def below(depth: int, call: Callable[[], T]) -> T:
    return call() if not depth else below(depth - 1, call)


def near_the_limit(left: int, call: Callable[[], T]) -> T:
    """Call a function with so much of the stack left."""
    return below(sys.getrecursionlimit() - len(inspect.stack(0)) - left, call)


@pytest.mark.parametrize("left", [140, 100, 70])
@pytest.mark.parametrize(
    "call",
    [
        lambda: redact(PDU, "11"),
        lambda: compute_event_id(PDU, "11"),
        lambda: check_event(PDU, "11", keys=None),
        lambda: parse_event(TEXT, "11"),
        lambda: encode_canonical(VALUE),
    ],
    ids=["redact", "event ID", "check", "parse event", "encode"],
)
def test_an_event_of_many_levels_is_answered_alike(call: Callable[[], Any], left: int) -> None:
    expected = call()
    found = near_the_limit(left, call)
    assert str(found) == str(expected)


@pytest.mark.parametrize("left", [140, 100, 70])
def test_text_is_parsed_alike(left: int) -> None:
    text, too_deep = json.dumps(VALUE), "[" * 100_000

    def refusal() -> NotCanonical:
        with pytest.raises(NotCanonical) as caught:
            parse_json(too_deep)
        return caught.value

    assert near_the_limit(left, lambda: encode_canonical(parse_json(text))) == encode_canonical(VALUE)
    assert near_the_limit(left, refusal) == refusal()
