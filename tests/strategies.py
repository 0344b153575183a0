"""Hypothesis strategies for JSON values, Python values, and events of every room version.

Events drawn here are in the format of their room version, with any content. `mutated` breaks them, and
`hostile_json` draws values that no event may hold.
"""

import copy
import decimal
import json
import math
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from roomver.versions import UNSTABLE_ROOM_VERSIONS, get_room_version

VERSIONS = [str(n) for n in range(1, 13)]
CHOSEN_ID_VERSIONS = ["1", "2"]
HASH_ID_VERSIONS = VERSIONS[2:]
LENIENT_VERSIONS = VERSIONS[:5]
STRICT_VERSIONS = VERSIONS[5:]
UNSTABLE_VERSIONS = list(UNSTABLE_ROOM_VERSIONS)
# Synapse has all unstable versions but this.
PEER_VERSIONS = [*VERSIONS, *(version for version in UNSTABLE_VERSIONS if version != "org.matrix.msc2870")]
OWNED_KEY_VERSIONS = ["org.matrix.msc3757.10", "org.matrix.msc3757.11"]
RELATION_VERSION = "org.matrix.msc3389.10"
ACL_VERSION = "org.matrix.msc2870"


def number_of(version: str) -> int:
    """Return the number of a stable version, or of the one that an unstable version is based on."""
    return int(get_room_version(version).based_on or version)


JsonObject = dict[str, Any]

# Numbers of examples, for the profiles in conftest.py: more for hostile input, and for what is close to it;
# fewer where an example checks many rooms.
hostile = settings(max_examples=settings().max_examples * 10)
often = settings(max_examples=settings().max_examples * 2)
seldom = settings(max_examples=settings().max_examples * 2 // 5)

# Code points on which encoders and sorters differ: the ends of the ranges of escapes, planes and surrogates,
# a separator that JavaScript escapes, a combining pair, one beyond the BMP.
_EDGE_CHARACTERS = (
    '\x00\x07\b\t\n\x0b\f\r\x1f "\\/\x7f\x80é\u0301\u2028\ud7ff\ue000\ufb33\ufeff\uffff😀\U0010ffff'
)
_edges = st.text(st.sampled_from(_EDGE_CHARACTERS), max_size=6)

text = st.one_of(
    st.sampled_from(["", "a", "signed", "membership", "@a:x.org", "m.room.create", "signatures", "unsigned"]),
    st.text(max_size=8),
    _edges,
)
keys = st.one_of(
    st.sampled_from(["a", "b", "users", "signatures", "unsigned", "hashes", "age_ts", "signed", "content"]),
    st.text(max_size=5),
    _edges,
)

small_integers = st.integers(-(2**53) + 1, 2**53 - 1)
edge_integers = st.sampled_from([0, 1, -1, 50, 100, 2**31, 2**53 - 1, -(2**53) + 1])
big_integers = st.one_of(
    st.sampled_from([2**53, -(2**53), 2**63 - 1, 2**63, -(2**63), 2**64, 2**70, -(10**40), 10**200]),
    st.integers(),
)
floats = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -0.9, 50.57, 1e10, 1e16, 1e-7, 1e22, 5e-324, 1.7976931348623157e308]),
    st.floats(allow_nan=False, allow_infinity=False),
)
_strict_leaves = st.one_of(st.none(), st.booleans(), edge_integers, small_integers, text)
_lenient_leaves = st.one_of(_strict_leaves, big_integers, floats)

# Values that json.loads gives but no event may hold.
_bad_leaves = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, "\ud800", "a\udfffb", "\ud83d"]),
    big_integers,
    floats,
)


def _nested(leaves: st.SearchStrategy[Any], names: st.SearchStrategy[str] = keys) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    )


strict_json = _nested(_strict_leaves)
"""Values that have strict canonical JSON."""

lenient_json = _nested(_lenient_leaves)
"""Values that an event of versions 1 to 5 may hold, with floats and integers of any size."""


def _deep(levels: int) -> Any:
    value: Any = 0
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


hostile_json = st.one_of(
    _nested(_lenient_leaves | _bad_leaves, keys | st.sampled_from(["\ud800", "\udc00a", "event_id"])),
    st.integers(100, 300).map(_deep),
)
"""Any value that ``json.loads`` can give, with NaN, lone surrogates and deep nesting."""


class OddInt(int):
    """An integer that prints as something else."""

    def __repr__(self) -> str:
        return "7"


class OddStr(str):
    """A string that sorts as something else."""

    def __lt__(self, other: str) -> bool:
        return not str.__lt__(self, other)


class OddDict(dict[str, Any]):
    """An object that iterates as something else."""

    def __iter__(self) -> Any:
        return iter(["nothing"])


class OddList(list[Any]):
    """An array that is longer than it iterates."""

    def __len__(self) -> int:
        return 99


def _endless() -> Any:
    value: list[Any] = []
    value.append({"again": value})
    return value


_foreign = st.one_of(
    st.binary(max_size=3),
    st.just(()),
    st.tuples(st.integers(), text),
    st.sampled_from(
        [
            frozenset(),
            {1},
            decimal.Decimal(1),
            1j,
            object(),
            int,
            len,
            OddInt(5),
            OddStr("a"),
            OddDict({"a": 1}),
            OddList([1]),
            bytearray(b"a"),
            range(2),
            _endless(),
        ]
    ),
)
python_values = st.recursive(
    _lenient_leaves | _bad_leaves | _foreign,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
        | st.dictionaries(st.one_of(keys, st.integers(), st.none(), st.booleans()), inner, max_size=2)
        | st.tuples(inner)
        | st.dictionaries(keys.map(OddStr), inner, max_size=2)
    ),
    max_leaves=6,
)
"""Python values of any kind: JSON, values that look like JSON, and others."""

# Every event type that a rule, redaction or helper names, and a few others.
EVENT_TYPES = [
    "m.room.create",
    "m.room.member",
    "m.room.power_levels",
    "m.room.join_rules",
    "m.room.aliases",
    "m.room.history_visibility",
    "m.room.redaction",
    "m.room.third_party_invite",
    "m.room.server_acl",
    "m.room.encrypted",
    "m.room.tombstone",
    "m.room.topic",
    "m.room.message",
    "X",
    "",
]
# Every content key that redaction keeps in some version, and others that it never keeps.
CONTENT_KEYS = [
    "membership",
    "join_authorised_via_users_server",
    "third_party_invite",
    "creator",
    "room_version",
    "predecessor",
    "additional_creators",
    "join_rule",
    "allow",
    "ban",
    "events",
    "events_default",
    "invite",
    "kick",
    "notifications",
    "redact",
    "state_default",
    "users",
    "users_default",
    "aliases",
    "history_visibility",
    "redacts",
    "reason",
    "body",
    "displayname",
]
# Top-level keys that no event format requires, but that some version keeps or some server strips.
STRAY_KEYS = [
    "origin",
    "membership",
    "prev_state",
    "redacts",
    "age_ts",
    "outlier",
    "destinations",
    "age",
    "é",
]

servers = st.sampled_from(["a", "x.org", "x.org:8448", "[::1]:80", "1.2.3.4"])
_localparts = st.one_of(st.sampled_from(["a", "b", "", "ü \n"]), st.text(max_size=4)).map(
    lambda s: s.replace(":", "").replace("\0", "")
)
user_ids = st.builds("@{}:{}".format, _localparts, servers)
domain_room_ids = st.builds("!{}:{}".format, _localparts, servers)
chosen_event_ids = st.builds("${}:{}".format, _localparts, servers)
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
digests = st.text(st.sampled_from(_BASE64), min_size=42, max_size=42).map(lambda s: s + "A")
hash_event_ids = digests.map("${}".format)
key_ids = st.sampled_from(["ed25519:1", "ed25519:auto", "ed25519:policy_server", "rot13:1", ""])
signatures = st.dictionaries(servers, st.dictionaries(key_ids, digests, max_size=2), max_size=2)


def _third_party_invites(json_values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return json_values | st.dictionaries(st.sampled_from(["signed", "display_name"]), json_values, max_size=2)


@st.composite
def contents(draw: st.DrawFn, json_values: st.SearchStrategy[Any]) -> JsonObject:
    """Draw any content, with known keys in the wrong places and values of the wrong types."""
    content: JsonObject = draw(st.dictionaries(st.sampled_from(CONTENT_KEYS) | keys, json_values, max_size=6))
    if "third_party_invite" in content:
        content["third_party_invite"] = draw(_third_party_invites(json_values))
    return content


@st.composite
def pdus(draw: st.DrawFn, version: str) -> JsonObject:
    """Draw a PDU in the format of the room version."""
    json_values = lenient_json if version in LENIENT_VERSIONS else strict_json
    kind = draw(st.sampled_from(EVENT_TYPES) | text)
    references: st.SearchStrategy[Any]
    if version in CHOSEN_ID_VERSIONS:
        references = st.builds(
            lambda ref, hashes: [ref, hashes],
            chosen_event_ids,
            digests.map(lambda d: {"sha256": d}) | st.just({}),
        )
    else:
        references = hash_event_ids
    max_depth = 2**63 - 1 if version in LENIENT_VERSIONS else 2**53 - 1
    pdu: JsonObject = {
        "type": kind,
        "content": draw(contents(json_values)),
        "sender": draw(user_ids),
        "depth": draw(st.sampled_from([0, 1, max_depth]) | st.integers(0, max_depth)),
        "origin_server_ts": draw(st.sampled_from([0, 1700000000000]) | small_integers),
        "prev_events": draw(st.lists(references, max_size=2)),
        "auth_events": draw(st.lists(references, max_size=3)),
        "hashes": draw(st.fixed_dictionaries({"sha256": digests}, optional={"md5": text})),
    }
    if draw(st.booleans()):
        pdu["state_key"] = draw(st.just("") | user_ids | text)
    if draw(st.booleans()):
        pdu["signatures"] = draw(signatures)
    if draw(st.booleans()):
        pdu["unsigned"] = draw(st.dictionaries(keys, json_values, max_size=2))
    if version in CHOSEN_ID_VERSIONS:
        pdu["event_id"] = draw(chosen_event_ids)
    if number_of(version) != 12:
        pdu["room_id"] = draw(domain_room_ids)
    elif kind != "m.room.create" or pdu.get("state_key") != "":
        pdu["room_id"] = "!" + draw(digests)
    pdu.update(draw(st.dictionaries(st.sampled_from(STRAY_KEYS), json_values, max_size=2)))
    return pdu


versions = st.sampled_from(VERSIONS)
versions_and_pdus = versions.flatmap(lambda version: st.tuples(st.just(version), pdus(version)))
"""``(version, PDU)`` for every room version."""


@st.composite
def mutated(draw: st.DrawFn, pdu: JsonObject) -> JsonObject:
    """Draw a copy of a PDU in which one to three values are replaced by anything, removed, or added."""
    result = copy.deepcopy(pdu)
    for _ in range(draw(st.integers(1, 3))):
        owner: Any = result
        while True:
            names = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
            deeper = [n for n in names if isinstance(owner[n], dict | list) and owner[n]]
            if not deeper or draw(st.booleans()):
                break
            owner = owner[draw(st.sampled_from(deeper))]
        action = draw(st.sampled_from(["set", "set", "delete", "add"]))
        if action == "add" or not names:
            if isinstance(owner, dict):
                owner[draw(keys | st.sampled_from(["event_id", "room_id", "state_key", "unsigned"]))] = draw(
                    hostile_json
                )
            else:
                owner.append(draw(hostile_json))
        elif action == "delete":
            del owner[draw(st.sampled_from(names))]
        else:
            owner[draw(st.sampled_from(names))] = draw(hostile_json)
    return result


def as_text(value: Any) -> str:
    """Return a value as JSON text of Python's encoder, with ``NaN`` and escaped surrogates."""
    return json.dumps(value)
