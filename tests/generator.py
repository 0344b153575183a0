"""Random events from a seed, for tests that need thousands of them and for which hypothesis is too slow.

The same seed gives the same event on every machine. `pdu` draws an event in the format of its room version,
with any JSON as content. `mutate` breaks it somewhere.
"""

import copy
import math
from random import Random
from typing import Any

from strategies import (
    ACL_VERSION,
    CONTENT_KEYS,
    EVENT_TYPES,
    LENIENT_VERSIONS,
    RELATION_VERSION,
    STRAY_KEYS,
    JsonObject,
    number_of,
)

_CHARACTERS = (
    'ab09_.-@:$!# "\\/\b\t\n\x00\x1f\x7f\x80éü\u0301\u2028\ud7ff\ue000\ufb33\ufeff\uffff😀\U0010ffff'
)
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SERVERS = ["a", "x.org", "x.org:8448", "[::1]:80", "1.2.3.4"]
_LOCALPARTS = ["a", "b", "alice", "", "ü \n", "A=/+", "😀"]
_KEY_IDS = ["ed25519:1", "ed25519:auto", "ed25519:policy_server", "rot13:1", ""]
_WORDS = ["", "a", "join", "invite", "ban", "public", "@a:x.org", "m.room.create", "50", "$a:x"]
_NAMES = [
    "a",
    "b",
    "signed",
    "users",
    "@a:x.org",
    "signatures",
    "unsigned",
    "hashes",
    "age_ts",
    "content",
    "",
]
_INTEGERS = [0, 1, -1, 50, 100, 2**31, 2**53 - 1, -(2**53) + 1]
_BIG_INTEGERS = [2**53, -(2**53), 2**63, -(2**63), 2**64, 2**70, -(10**40), 10**200]
_FLOATS = [
    0.0,
    -0.0,
    1.0,
    -0.9,
    50.57,
    1e10,
    1e15,
    1e16,
    1e-4,
    1e-5,
    1e-7,
    1e22,
    5e-324,
    1.7976931348623157e308,
]
_BAD = [math.nan, math.inf, -math.inf, "\ud800", "a\udfffb", {"\ud800": 1}, 1.5, 2**53, 2**63, -(2**70)]


def text(rng: Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(_WORDS)
    return "".join(rng.choice(_CHARACTERS) for _ in range(rng.randrange(6)))


def json_value(rng: Random, lenient: bool, depth: int = 0) -> Any:
    """Draw a JSON value, up to four levels deep."""
    kind = rng.randrange(9 if depth < 3 else 7)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind <= 2:
        return rng.choice(_INTEGERS) if rng.random() < 0.7 else rng.randint(-(2**53) + 1, 2**53 - 1)
    if kind == 3 and lenient:
        if rng.random() < 0.3:
            return rng.choice(_BIG_INTEGERS)
        return (
            rng.choice(_FLOATS) if rng.random() < 0.6 else rng.uniform(-1, 1) * 10.0 ** rng.randint(-320, 300)
        )
    if kind <= 6:
        return text(rng)
    if kind == 7:
        return [json_value(rng, lenient, depth + 1) for _ in range(rng.randrange(4))]
    return {_name(rng): json_value(rng, lenient, depth + 1) for _ in range(rng.randrange(4))}


def _name(rng: Random) -> str:
    return rng.choice(_NAMES) if rng.random() < 0.6 else text(rng)


def _identifier(rng: Random, sigil: str) -> str:
    return f"{sigil}{rng.choice(_LOCALPARTS)}{rng.randrange(10)}:{rng.choice(_SERVERS)}"


def digest(rng: Random) -> str:
    """Draw 32 bytes in unpadded base64."""
    return "".join(rng.choice(_BASE64) for _ in range(42)) + "A"


def _content(rng: Random, lenient: bool) -> JsonObject:
    content = {}
    for _ in range(rng.randrange(7)):
        name = rng.choice(CONTENT_KEYS) if rng.random() < 0.85 else _name(rng)
        content[name] = json_value(rng, lenient)
    if "third_party_invite" in content and rng.random() < 0.6:
        names = rng.sample(["signed", "display_name", "x"], rng.randrange(4))
        content["third_party_invite"] = {name: json_value(rng, lenient) for name in names}
    return content


def pdu(rng: Random, version: str) -> JsonObject:
    """Draw a PDU in the format of the room version."""
    lenient = version in LENIENT_VERSIONS
    chosen = version in ("1", "2")

    def references(most: int) -> list[Any]:
        if not chosen:
            return ["$" + digest(rng) for _ in range(rng.randrange(most))]
        hashes = {"sha256": digest(rng)} if rng.random() < 0.7 else {}
        return [[_identifier(rng, "$"), dict(hashes)] for _ in range(rng.randrange(most))]

    result: JsonObject = {
        "type": rng.choice(EVENT_TYPES) if rng.random() < 0.95 else text(rng),
        "content": _content(rng, lenient),
        "sender": _identifier(rng, "@"),
        "depth": rng.choice([0, 1, 2**53 - 1, rng.randrange(2**53)]),
        "origin_server_ts": rng.choice([0, 1700000000000, rng.randrange(2**53), -rng.randrange(2**53)]),
        "prev_events": references(4),
        "auth_events": references(5),
        "hashes": {"sha256": digest(rng)},
    }
    if rng.random() < 0.1:
        result["hashes"]["md5"] = text(rng)
    if rng.random() < 0.6:
        result["state_key"] = "" if rng.random() < 0.5 else text(rng)
    if rng.random() < 0.6:
        result["signatures"] = {
            server: {key_id: digest(rng) for key_id in rng.sample(_KEY_IDS, rng.randrange(3))}
            for server in rng.sample(_SERVERS, rng.randrange(3))
        }
    if rng.random() < 0.5:
        result["unsigned"] = {_name(rng): json_value(rng, lenient) for _ in range(rng.randrange(3))}
    if chosen:
        result["event_id"] = _identifier(rng, "$")
    if number_of(version) != 12:
        result["room_id"] = _identifier(rng, "!")
    elif result["type"] != "m.room.create" or result.get("state_key") != "":
        result["room_id"] = "!" + digest(rng)
    for key in STRAY_KEYS:
        if rng.random() < 0.08:
            result[key] = json_value(rng, lenient)
    if rng.random() < 0.1:
        result[text(rng) + "?"] = json_value(rng, lenient)
    if version == RELATION_VERSION and rng.random() < 0.5:
        names = rng.sample(["rel_type", "event_id", "key", "m.in_reply_to"], rng.randrange(5))
        relation = {name: json_value(rng, lenient) for name in names}
        result["content"]["m.relates_to"] = relation if rng.random() < 0.8 else json_value(rng, lenient)
    if version == ACL_VERSION and rng.random() < 0.3:
        result["type"] = "m.room.server_acl"
        names = rng.sample(["allow", "deny", "allow_ip_literals", "x"], rng.randrange(5))
        result["content"].update({name: json_value(rng, lenient) for name in names})
    # In random order, on which nothing may depend.
    keys = list(result)
    rng.shuffle(keys)
    return {key: result[key] for key in keys}


def hostile_value(rng: Random) -> Any:
    """Draw a JSON value. About a third are values that ``json.loads`` gives but no event may hold."""
    if rng.random() < 0.3:
        return copy.deepcopy(rng.choice(_BAD))
    if rng.random() < 0.03:
        value: Any = 0
        for level in range(rng.randrange(100, 300)):
            value = [value] if level % 2 else {"a": value}
        return value
    return json_value(rng, lenient=True)


def mutate(rng: Random, event: JsonObject) -> JsonObject:
    """Return a copy in which one to three values are replaced by anything, removed, or added."""
    result = copy.deepcopy(event)
    for _ in range(rng.randint(1, 3)):
        owner: Any = result
        while True:
            names = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
            deeper = [name for name in names if isinstance(owner[name], dict | list) and owner[name]]
            if not deeper or rng.random() < 0.5:
                break
            owner = owner[rng.choice(deeper)]
        action = rng.choice(["set", "set", "delete", "add"])
        if action == "add" or not names:
            if isinstance(owner, dict):
                owner[rng.choice(["event_id", "room_id", "state_key", "unsigned", _name(rng)])] = (
                    hostile_value(rng)
                )
            else:
                owner.append(hostile_value(rng))
        elif action == "delete":
            del owner[rng.choice(names)]
        else:
            owner[rng.choice(names)] = hostile_value(rng)
    return result
