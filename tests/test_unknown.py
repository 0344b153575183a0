"""What is unknown in a state, as a store keeps it: `Unknown.to_dict` and `Unknown.from_dict`."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomver import NotCanonical
from roomver.errors import Lack
from roomver.state import Unknown

KEYS = st.frozensets(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=3)
UNKNOWNS = st.builds(
    Unknown,
    st.text(max_size=5),
    st.none() | st.frozensets(st.text(max_size=3), max_size=3),
    KEYS,
    lack=st.sampled_from(Lack),
    absent=KEYS,
)
FIELDS = ("reason", "types", "keys", "absent", "lack")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.sampled_from([one.value for one in Lack]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=8,
)


@given(UNKNOWNS)
def test_what_is_unknown_is_read_as_it_was_written(unknown: Unknown) -> None:
    stored = json.loads(json.dumps(unknown.to_dict()))
    again = Unknown.from_dict(stored)
    assert again == unknown
    assert again is not unknown
    assert again.to_dict() == stored


@given(VALUES | st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_any_value_is_read_in_whole_or_refused(value: Any) -> None:
    try:
        found = Unknown.from_dict(value, path="stored").to_dict()
    except NotCanonical:
        return
    assert found["reason"] == value["reason"]
    for name in ("keys", "absent"):
        assert found.get(name, []) == sorted(map(list, {*map(tuple, value.get(name, []))}))
    types = value.get("types", [])
    assert found["types"] == (None if types is None else sorted({*types}))
    assert found.get("lack", Lack.STATE.value) == value.get("lack", Lack.STATE.value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (None, ""),
        ({}, "reason"),
        ({"reason": "x", "types": {}}, "types"),
        ({"reason": "x", "types": ["a", 1]}, "types[1]"),
        ({"reason": "x", "keys": None}, "keys"),
        ({"reason": "x", "keys": [["a"]]}, "keys[0]"),
        ({"reason": "x", "absent": [["a", "b"], ["a", None]]}, "absent[1]"),
        ({"reason": "x", "lack": "luck"}, "lack"),
    ],
)
def test_the_place_of_what_cannot_be_read(value: Any, path: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        Unknown.from_dict(value)
    assert caught.value.path == path
