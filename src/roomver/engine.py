"""The optional JSON engine: orjson parses and encodes, where its answer is certain to be the same.

`roomver.canonical` asks it first, and does the work itself where this module does not answer. It is used if
orjson is installed (``pip install "roomver[fast]"``).

*Parsing.* orjson differs from Python's parser in what it refuses (lone surrogates, infinite numbers, ``NaN``,
deep nesting) and reads integers beyond 64 bits as floats. A text that it refuses is parsed again the plain
way, which decides and says what is wrong. Texts with long numbers or many brackets do not come here.

*Encoding.* Only for values that `roomver.canonical.scan` has accepted in strict mode. They have no floats, no
large integers, no lone surrogates, no types other than those of JSON, and are not nested deeply. For these,
both write the same bytes: no white space, keys sorted by code point, which is the order of their UTF-8 bytes,
and the same escapes.
"""

from types import ModuleType
from typing import Final, cast

from .types import JsonValue

__all__ = ["UNSURE", "encode_strict", "name", "parse"]

orjson: ModuleType | None
try:
    import orjson
except ImportError:
    orjson = None

UNSURE: Final = object()
"""What `parse` returns if the plain way must decide."""

# orjson gives up at 1,024 levels and Python at a number that depends on the caller. Fewer brackets than this
# cannot reach either.
_BRACKETS: Final = 500

# An integer of 64 bits has at most 20 digits, and every one of up to 18 digits fits.
_LONG: Final = b"0" * 19
_DIGITS_AS_ZEROS: Final = bytes(
    ord("0") if chr(code).isdecimal() and code < 128 else code for code in range(256)
)


def name() -> str:
    """Return the name of the engine: ``orjson`` or ``json``."""
    return "json" if orjson is None else "orjson"


def parse(text: bytes) -> JsonValue:
    """Return the value of JSON text, or `UNSURE` if it is not certain that Python's parser gives the same."""
    if orjson is None or text.count(b"[") + text.count(b"{") > _BRACKETS:
        return cast(JsonValue, UNSURE)
    if _LONG in text.translate(_DIGITS_AS_ZEROS):
        return cast(JsonValue, UNSURE)
    try:
        return cast(JsonValue, orjson.loads(text))
    except ValueError:
        return cast(JsonValue, UNSURE)


def encode_strict(value: JsonValue) -> bytes | None:
    """Return the canonical JSON of a value that was scanned in strict mode; None without orjson."""
    return None if orjson is None else cast(bytes, orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
