"""How values and bytes are spoiled. Each function returns a spec (`fuzz.specs`)."""

import copy
import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

import generator
from strategies import CONTENT_KEYS, EVENT_TYPES

from .specs import expand, is_directive, of_bytes

CONTROLS: Final = "\x1b]0;t\x07\u202e\u200b\x9b2J\r\x00"
"""What must never reach a terminal as it is."""

_WORDS: Final = (
    "",
    "m.room.create",
    "m.room.member",
    "m.room.power_levels",
    "m.room.redaction",
    "m.room.third_party_invite",
    "@a:x.org",
    "!r:x.org",
    "$e:x.org",
    "x.org",
    "ed25519:1",
    "join",
    "ban",
    "knock_restricted",
    "100",
    "-0",
    "1e400",
    "\ud800",
    "é\u0301\U0010ffff",
    CONTROLS,
)
_KEYS: Final = (
    *("event_id", "room_id", "type", "state_key", "sender", "content", "depth", "hashes", "signatures"),
    *("unsigned", "prev_events", "auth_events", "redacts", "origin_server_ts", "sha256", "pdus", "pdu"),
    *("event", "json", "state", "events", "auth_chain", "format", "room_version", "keys", "verify_keys"),
    *CONTENT_KEYS,
    CONTROLS,
)
# Sizes beside limits of the package: levels, entries, digits, identifiers, events.
_SIZES: Final = (2, 10, 11, 20, 21, 126, 127, 128, 129, 255, 256, 300)
_LARGE: Final = (1000, 1001, 4300, 5000, 20_000, 65_536)


def _size(rng: Random, large: float = 0.08) -> int:
    return rng.choice(_LARGE if rng.random() < large else _SIZES)


def any_value(rng: Random) -> Any:
    """Draw the spec of a JSON value: a plain one, or one beside a limit."""
    match rng.randrange(13):
        case 12:
            return rng.choice(["", "@", "$", "!"]) + CONTROLS + rng.choice(["", ":x.org"])
        case 0:
            return {"$nest": [_size(rng, 0.05), rng.choice([None, "a", "content"]), rng.choice([0, {}])]}
        case 1:
            return {"$repeat": [_size(rng), rng.choice(["a", "\x1b", "é", "😀", "\ud800"])]}
        case 2:
            return {"$repeat": [_size(rng), rng.choice([0, ["$a"], [], {}, ["$a", {}]])]}
        case 3:
            return {"$keys": [_size(rng), rng.choice([0, "x", {}, {"ed25519:1": 0}])]}
        case 4:
            return {
                "$int": hex(
                    rng.choice([1, -1]) * (1 << rng.choice([52, 53, 62, 63, 64, 1024, 14_300, 20_000]))
                )
            }
        case 5 | 6:
            return rng.choice(_WORDS)
        case 7:
            return rng.choice(
                [None, True, False, 0, -1, 1.5, -0.0, 1e308, float("inf"), float("nan"), [], {}]
            )
        case 8:
            return rng.choice(EVENT_TYPES)
        case _:
            return generator.json_value(rng, lenient=True)


def _is_plain(value: Any) -> bool:
    return type(value) in (dict, list) and bool(value) and not is_directive(value)


def mutated(rng: Random, value: Any, donors: Sequence[Any] = (), times: int = 3) -> Any:
    """Return a copy of a JSON value in which a few values are replaced, removed, moved or added."""
    root = [copy.deepcopy(value)]
    for _ in range(rng.randint(1, times)):
        owner: Any = root
        while True:
            names = list(owner) if type(owner) is dict else list(range(len(owner)))
            deeper = [name for name in names if _is_plain(owner[name])]
            if not deeper or (owner is not root and rng.random() < 0.35):
                break
            owner = owner[rng.choice(deeper)]
        action = rng.randrange(7)
        if not names or action == 0:
            if type(owner) is dict:
                owner[rng.choice(_KEYS)] = any_value(rng)
            elif owner is not root:
                owner.insert(rng.randint(0, len(owner)), any_value(rng))
        elif action == 1 and owner is not root:
            del owner[rng.choice(names)]
        elif action == 2:
            owner[rng.choice(names)] = copy.deepcopy(owner[rng.choice(names)])
        elif action == 3 and donors:
            owner[rng.choice(names)] = copy.deepcopy(rng.choice(donors))
        else:
            owner[rng.choice(names)] = any_value(rng)
    return root[0]


_TOKENS: Final = (
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"\r\n", b"\t", b"|", b" ", b"\x00", b"\x1b"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\xc2\x9b", b"\\u0000", b"\\ud800"),
    *(b"NaN", b"Infinity", b"-0", b"1e400", b"1E+", b"0.1", b"null", b"true", b"\\N", b"\\.", b"\\101"),
    *(b"(6 rows)", b"----+----", b"event_id|json", b'""', b"$a", b"\x1f\x8b\x08\x00", b'{"a":', b"[[]]"),
    *(b'{"pdus":[', b'{"event":', b'{"format":"roomver-room/1"}', b'{"format":"roomver-vectors/1"}'),
    *(b'"room_version":"12"', b'"type":"m.room.create"', b'"state_key":""', b"SQLite format 3\x00"),
)


def mutated_bytes(rng: Random, data: bytes, donors: Sequence[bytes] = (), times: int = 4) -> Any:
    """Return bytes in which pieces are removed, repeated, replaced, or inserted."""
    pieces: list[Any] = [data]
    for _ in range(rng.randint(1, times)):
        at = rng.randrange(len(pieces))
        piece = pieces[at]
        if type(piece) is not bytes:
            continue
        start = rng.randint(0, len(piece))
        end = min(len(piece), start + rng.choice([0, 0, 1, 1, 3, 10, 100, 1000, 10**6]))
        middle: Any
        match rng.randrange(9):
            case 0:
                middle = b""
            case 1:
                middle = piece[start:end] * rng.choice([2, 3])
            case 2:
                part = piece[start:end][:200] or rng.choice(_TOKENS)
                middle = {"$repeat": [_size(rng), of_bytes(part)]}
            case 3:
                middle = {"$repeat": [_size(rng), of_bytes(rng.choice(_TOKENS))]}
            case 4 if donors:
                donor = rng.choice(donors)
                cut = rng.randint(0, len(donor))
                middle = donor[cut : cut + rng.choice([10, 1000, 10**6])]
            case 5:
                middle = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 5)))
            case _:
                middle = rng.choice(_TOKENS)
        pieces[at : at + 1] = [piece[:start], middle, piece[end:]]
    parts = [of_bytes(piece) if type(piece) is bytes else piece for piece in pieces if piece != b""]
    return {"$join": parts} if len(parts) != 1 else parts[0]


def mutated_lines(rng: Random, data: bytes) -> Any:
    """Return lines of JSON of which a few are mutated as values; other bytes are mutated as bytes."""
    lines = data.splitlines(keepends=True)
    try:
        values = {rng.randrange(len(lines)): None for _ in range(rng.randint(1, 3))}
        values = {number: mutated(rng, json.loads(lines[number])) for number in values}
    except ValueError:
        return mutated_bytes(rng, data)
    newline = of_bytes(b"\n")
    parts = [
        [{"$json": values[n]}, newline] if n in values else [of_bytes(line)] for n, line in enumerate(lines)
    ]
    return {"$join": [piece for part in parts for piece in part]}


def _written(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of the bytes and JSON texts in the spec of a case."""
    if type(value) is dict and len(value) == 1 and next(iter(value)) in ("$bytes", "$json"):
        yield path
    elif type(value) in (dict, list):
        for name, item in value.items() if type(value) is dict else enumerate(value):
            yield from _written(item, (*path, name))


def varied(rng: Random, case: Any, drawn: Any) -> Any:
    """Return a case that is changed a little.

    Args:
        rng: draws what changes.
        case: the spec of a case, an object.
        drawn: another case of the same target. Taking some of its parts never gives an invalid case.
    """
    case = copy.deepcopy(case)
    paths = list(_written(case))
    if paths and rng.random() < 0.7:
        *way, last = rng.choice(paths)
        owner = case
        for step in way:
            owner = owner[step]
        ((name, of),) = owner[last].items()
        if name == "$json":
            owner[last] = {"$json": mutated(rng, of, times=2) if _is_plain(of) else any_value(rng)}
        else:
            data = expand(owner[last])
            owner[last] = (
                mutated_lines(rng, data) if rng.random() < 0.4 else mutated_bytes(rng, data, times=2)
            )
        return case
    plain = [name for name, value in case.items() if _is_plain(value)]
    # A case of two parts says little by taking one from another.
    if plain and rng.random() < (0.6 if len(case) > 3 else 0.9):
        name = rng.choice(plain)
        return {**case, name: mutated(rng, case[name], times=2)}
    names = [name for name in drawn if rng.random() < 0.25] or [rng.choice([*drawn])]
    return {**case, **{name: drawn[name] for name in names}}
