"""The JSON engine: with orjson and without it, every text and every value gives the same answer.

`python tests/test_engine.py 1000000` compares that many made-up texts, in a few minutes.
"""

import json
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomver import engine
from roomver.canonical import encode_scanned, load_json, scan
from roomver.check import check_event
from roomver.errors import NotCanonical

if engine.orjson() is None:
    pytest.skip("orjson is not installed, or too old", allow_module_level=True)

# Each is near a border between what the two parsers do alike and what they do not.
PIECES = (
    *("0", "-0", "-0.0", "1.0", "1e16", "1E400", "-1e400", "1e-400", "01", "1.", ".5", "+1", "1e5", "NaN"),
    *(str(sign * (2**power + more)) for sign in (1, -1) for power in (53, 63, 64) for more in (-1, 0, 1)),
    *("9" * 18, "9" * 19, "9" * 4300, "1" + "0" * 4300, "Infinity", "-Infinity", "9007199254740993.0"),
    *('"\\ud800"', '"\\ud83d\\ude00"', '"\\udc00\\ud800"', '"\\u0000"', '"\x7f"', '"\x1f"', '"\\x"', '"a'),
    *(
        '"\u2028"',
        '"😀"',
        '"\ufeff"',
        "\ufeff",
        '"\\/"',
        '"/"',
        '"\\b\\f\\n\\r\\t\\u001f"',
        "'a'",
        '"é"',
        '"e\u0301"',
    ),
    *(
        '{"a":1,"b":2,"a":3}',
        '{"a":{},"a":[]}',
        '{"b":1,"a":2}',
        '{"\\ud800":1}',
        '{"":1}',
        '{"é":1,"z":2,"😀":3,"\uffff":4}',
    ),
    *(
        "[1,]",
        "[,]",
        "{,}",
        '{"a"}',
        "{1:2}",
        "[1 2]",
        "[] []",
        "null",
        "true",
        "nul",
        "",
        " ",
        "\t\r\n",
        "\x0b",
        "\x0c",
    ),
    *(
        "[" * 127 + "]" * 127,
        "[" * 300 + "]" * 300,
        "[" * 700 + "]" * 700,
        "[" * 3000,
        '{"a":' * 260 + "1" + "}" * 260,
    ),
    *(
        "//x\n1",
        "/**/1",
        "1;",
        '"\\u12"',
        '"\\u00e9"',
        "1e",
        "1e+",
        "-",
        "--1",
        "0x10",
        "1_000",
        "\u00a01",
        "[1,\n2]",
    ),
)


@contextmanager
def plain() -> Iterator[None]:
    """Do without orjson."""
    held, engine.orjson = engine.orjson, lambda: None  # type: ignore[assignment]
    try:
        yield
    finally:
        engine.orjson = held


def exact(value: object) -> object:
    """Return something that is equal only for values of the same types, in the same order."""
    if isinstance(value, dict):
        return ["object", *([exact(k), exact(v)] for k, v in value.items())]
    if isinstance(value, list):
        return ["array", *map(exact, value)]
    if isinstance(value, float):
        return ["float", struct.pack("d", value)]
    if type(value) in (str, int, bool) or value is None:
        return [type(value).__name__, value]
    return ["refused", vars_of(value)]


def vars_of(value: object) -> object:
    return getattr(value, "reason", value)


def answer(call: Callable[[], object]) -> object:
    try:
        return exact(call())
    except NotCanonical as error:
        return ["error", error.path, error.reason]


def same(text: bytes) -> None:
    """Compare a text, and what is made of it, with orjson and without it."""
    fast = answer(lambda: load_json(text))
    with plain():
        slow = answer(lambda: load_json(text))
    assert fast == slow, text
    try:
        value = load_json(text)
        scan(value, strict=True)
    except (NotCanonical, RecursionError):
        return
    assert encode_scanned(value, strict=True) == encode_scanned(value), text


def made_up(random: Random) -> bytes:
    """Return a text that is often JSON."""

    def value(depth: int) -> str:
        choice = random.random()
        if depth == 0 or choice < 0.5:
            return random.choice(PIECES)
        white = random.choice(("", "", "", " ", "\n"))
        if choice < 0.7:
            return "[" + ",".join(white + value(depth - 1) for _ in range(random.randrange(4))) + white + "]"
        keys = [
            random.choice(('"a"', '"b"', '"é"', '"\\u0061"', '"sender"', '""'))
            for _ in range(random.randrange(4))
        ]
        return "{" + ",".join(f"{white}{key}{white}:{white}{value(depth - 1)}" for key in keys) + "}"

    text = bytearray(value(random.randrange(4)).encode("utf-8", "surrogatepass"))
    if random.random() < 0.3 and text:
        for _ in range(random.randrange(1, 4)):
            text[random.randrange(len(text))] = random.choice(
                (random.randrange(256), *b'0123456789.eE-+[]{}",:\\u')
            )
    return bytes(text)


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece[:12].encode("unicode_escape").decode())
@pytest.mark.parametrize("around", ["{}", " {} ", "[{}]", '{{"a":{}}}', '[1,{},"x"]'])
def test_each_piece_alone_and_inside_others(piece: str, around: str) -> None:
    same(around.format(piece).encode("utf-8", "surrogatepass"))


def test_made_up_texts() -> None:
    random = Random(1)
    for _ in range(20_000):
        same(made_up(random))


@given(st.integers(0, 2**32))
@settings(deadline=None)
def test_other_made_up_texts(seed: int) -> None:
    same(made_up(Random(seed)))


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=30,
)


@given(json_values)
@settings(deadline=None)
def test_values_that_are_scanned_have_the_same_bytes(value: Any) -> None:
    scan(value, strict=True)
    assert encode_scanned(value, strict=True) == encode_scanned(value)
    same(json.dumps(value).encode())


@pytest.mark.parametrize(("version", "used"), [("3.9.15", False), ("3.10.0", True), ("4.0.0", True)])
def test_an_older_orjson_is_not_used(version: str, used: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orjson", SimpleNamespace(__version__=version))
    assert (engine.orjson.__wrapped__() is not None) == used


def test_orjson_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def loads(text: bytes) -> object:
        asked.append(text)
        return json.loads(text)

    def dumps(value: object, option: int) -> bytes:
        asked.append(b"dumps")
        return b"{}"

    fake = SimpleNamespace(loads=loads, dumps=dumps, OPT_SORT_KEYS=1)
    monkeypatch.setattr(engine, "orjson", lambda: fake)
    assert load_json(b'{"a": 1}') == {"a": 1}
    assert encode_scanned({"a": 1}, strict=True) == b"{}"
    assert asked == [b'{"a": 1}', b"dumps"]


@pytest.mark.parametrize("version", ["1", "5"])
def test_the_first_versions_are_encoded_the_plain_way(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They allow floats, and the two write these differently."""
    monkeypatch.setattr(engine, "encode_strict", lambda value: pytest.fail("not for a lenient version"))
    check_event(
        {
            **{"type": "x", "sender": "@a:x", "room_id": "!r:x", "event_id": "$e:x", "content": {"x": 1e16}},
            **{
                "depth": 1,
                "origin_server_ts": 1,
                "prev_events": [],
                "auth_events": [],
                "hashes": {"sha256": ""},
            },
        }
        if version == "1"
        else {
            **{
                "type": "x",
                "sender": "@a:x",
                "room_id": "!r:x",
                "content": {"x": 1e16},
                "hashes": {"sha256": ""},
            },
            **{"depth": 1, "origin_server_ts": 1, "prev_events": [], "auth_events": []},
        },
        version,
    )


if __name__ == "__main__":
    source = Random()
    for _ in range(int(sys.argv[1])):
        same(made_up(source))
    release = engine.orjson().__version__
    print(f"{int(sys.argv[1]):,} texts: the same answers with orjson {release} and without it")
