"""The optional JSON engine: orjson parses and encodes, where its answer is certain to be the same.

`roomver.canonical` asks it first, and does the work itself where this module does not answer. It is used if
orjson is installed (the extra ``fast``).

*Parsing.* orjson differs from Python's parser in what it refuses (lone surrogates, infinite numbers, ``NaN``,
deep nesting) and reads integers beyond 64 bits as floats. A text that it refuses is parsed again by
Python's parser, which decides and says what is wrong. Texts with long numbers or many brackets always go to
Python's parser.

*Encoding.* Only for values that `roomver.canonical.scan` has accepted in strict mode. They have no floats, no
large integers, no lone surrogates, no types other than those of JSON, and are not nested deeply. For these,
both write the same bytes: no white space, keys sorted by code point, which is the order of their UTF-8 bytes,
and the same escapes.
"""

import re
from functools import cache
from importlib import import_module
from typing import Any, Final, cast

from .types import JsonValue

__all__ = ["UNSURE", "encode_strict", "parse"]

_OLDEST: Final = (3, 10)

UNSURE: Final = object()
"""What `parse` returns if Python's parser must decide."""

# orjson gives up at 1,024 levels and Python at a number that depends on the caller. Fewer brackets than this
# cannot reach either.
_BRACKETS: Final = 500

# An integer of 64 bits has at most 20 digits, and every one of up to 18 digits fits.
_LONG: Final = b"0" * 19
_DIGITS_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")


@cache
def orjson() -> Any:
    """Return the module; None if it is not installed, or is older than those that were compared.

    It is imported when it is needed: that takes as long as to check some hundred events.
    """
    try:
        module = import_module("orjson")
    except ImportError:
        return None
    found = re.match(r"(\d+)\.(\d+)", module.__version__)
    return module if found and (int(found[1]), int(found[2])) >= _OLDEST else None


def parse(text: bytes) -> JsonValue:
    """Return the value of JSON text, or `UNSURE` if it is not certain that Python's parser gives the same."""
    engine = orjson()
    if (
        engine is None
        or text.count(b"[") + text.count(b"{") > _BRACKETS
        or _LONG in text.translate(_DIGITS_AS_ZEROS)
    ):
        return cast(JsonValue, UNSURE)
    try:
        return cast(JsonValue, engine.loads(text))
    except ValueError:
        return cast(JsonValue, UNSURE)


def encode_strict(value: object) -> bytes | None:
    """Return the canonical JSON of a value that was scanned in strict mode; None without orjson."""
    engine = orjson()
    return None if engine is None else cast(bytes, engine.dumps(value, option=engine.OPT_SORT_KEYS))
