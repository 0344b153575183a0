"""Parse JSON text, and encode JSON values as canonical JSON.

There are two modes. The *strict* mode (room version 6 and later) refuses floats and integers outside
±(2^53 - 1). The *lenient* mode (room versions 1 to 5) accepts both. Both modes refuse what is not JSON
(``NaN``, lone surrogates, UTF-16, a byte order mark), nesting deeper than 128 levels, which other
servers cannot read, and Python values without a JSON type.

This module deals with text and JSON values only. It does not know what an event is.

Parsing, scanning and encoding share limits, errors and tuning, so this module has more than 400 lines.

Source: https://spec.matrix.org/latest/appendices/#canonical-json
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from math import isfinite
from typing import Any, Final, TypeVar, cast

from canonicaljson import encode_canonical_json

from . import engine
from .errors import NotCanonical
from .types import JsonObject, JsonValue

__all__ = ["MAX_DEPTH", "MAX_INTEGER", "encode_canonical", "parse_json"]

_A = TypeVar("_A")
_R = TypeVar("_R")

MAX_DEPTH: Final = 128
"""How many levels of arrays and objects may be nested. The specification sets no limit. The parsers of other
servers have limits near this one, so a deeper event cannot federate."""

MAX_INTEGER: Final = 2**53 - 1
"""The maximum magnitude of an integer in strict canonical JSON."""

# CPython refuses to convert longer integers from and to decimal text: that algorithm is quadratic.
_MAX_DIGITS = 4300
_MAX_MAGNITUDE = 10**_MAX_DIGITS - 1

# Unlike text, a Python value can contain itself, or the same list or string many times. These limits bound
# the work on such a value. No document that a server would accept comes near them.
_MAX_CONTAINERS = 5_000_000
_MAX_VALUES = 20_000_000
_MAX_SIZE = 2**32  # of the bound that `scan` returns, which is up to six times the length

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Refused:
    """A placeholder in a parsed value for something in the text that is not JSON."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def join_path(path: str, key: str | int) -> str:
    """Append an object's key or an array's index to a path.

    >>> join_path(join_path("content", "users"), "@a:x")
    'content.users["@a:x"]'
    >>> join_path("prev_events", 3)
    'prev_events[3]'
    """
    if type(key) is int:
        return f"{path}[{key}]"
    if type(key) is str and _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    # ASCII escapes, because the key may hold a lone surrogate, which cannot be printed.
    return f"{path}[{shorten(key)}]"


def shorten(value: object, limit: int = 80) -> str:
    """Describe a value for a message, in one short line of printable text."""
    if type(value) is str:
        text = json.dumps(value[: limit + 1])
    elif type(value) is int and not -_MAX_MAGNITUDE <= value <= _MAX_MAGNITUDE:
        return f"an integer of {value.bit_length()} bits"
    elif type(value) is dict:
        return "an object" if value else "{}"
    elif type(value) is list:
        return "an array" if value else "[]"
    elif value is None or type(value) in (bool, int, float):
        text = json.dumps(value)
    elif type(value) is _Refused:
        return value.reason
    else:
        return f"a Python {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def scan(value: object, *, strict: bool) -> int:  # noqa: PLR0912 - one visit per value, without calls
    """Check that a value can be encoded as canonical JSON, and return an upper bound on its length in bytes.

    Raises:
        NotCanonical: with the path to the first value that cannot be encoded as canonical JSON.

    Cost: one visit to each value, no encoding.
    """
    # "Numbers in the JSON must be integers in the range [-(2**53)+1, (2**53)-1], represented without
    # exponents or decimal places, and negative zero -0 MUST NOT appear."
    #
    # Python parses -0 as the integer 0, so a value never holds it: like Synapse and ruma, this reads -0 as 0
    # (gomatrixserverlib refuses it from version 6 on). -0.0 is a float: strict refuses it, lenient keeps it.
    #
    # This runs on every event, so it only finds out *whether* something is wrong; `_locate` walks
    # again to say where. It goes level by level: that tracks the depth for free, without recursion.
    # A code point takes at most six bytes: the longest escape is \u00xx, the longest UTF-8 sequence
    # has four.
    size = 0
    depth = 0
    containers = count = 0
    level = [value] if type(value) is dict or type(value) is list else [[value]]
    while level:
        depth += 1
        containers += len(level)
        if containers > _MAX_CONTAINERS:
            raise _too_many(f"{_MAX_CONTAINERS} arrays and objects")
        if depth > MAX_DEPTH:
            raise _locate(value, strict)
        below: list[Any] = []
        values: Any
        for node in level:
            if type(node) is dict:
                for key in node:
                    if type(key) is not str:
                        raise _locate(value, strict)
                # Join all keys: that is one call into C instead of two for each key.
                keys = "".join(node)
                if not (keys.isascii() or _encodes(keys)):
                    raise _locate(value, strict)
                size += 6 * len(keys) + 4 * len(node)
                values = node.values()
            else:
                values = node
            count += len(values)
            if count > _MAX_VALUES:
                raise _too_many(f"{_MAX_VALUES} values")
            size += len(values) + 2
            for item in values:
                kind = type(item)
                if kind is str:
                    size += 6 * len(item) + 2
                    if not item.isascii():
                        if size > _MAX_SIZE:
                            raise _too_many(f"{_MAX_SIZE} bytes")
                        if not _encodes(item):
                            raise _locate(value, strict)
                elif kind is dict or kind is list:
                    below.append(item)
                elif kind is int:
                    if not -MAX_INTEGER <= item <= MAX_INTEGER:
                        if strict or not -_MAX_MAGNITUDE <= item <= _MAX_MAGNITUDE:
                            raise _locate(value, strict)
                        size += item.bit_length() // 3
                    size += 20
                elif item is None or kind is bool:
                    size += 5
                elif kind is float and not strict and isfinite(item):
                    size += 25
                else:
                    raise _locate(value, strict)
        level = below
    if size > _MAX_SIZE:
        raise _too_many(f"{_MAX_SIZE} bytes")
    return size


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_many(what: str) -> NotCanonical:
    return NotCanonical("", f"more than {what}")


def _locate(value: object, strict: bool) -> NotCanonical:
    """Return the error for the first value, in document order, that `scan` refuses."""
    # A path is a linked pair (parent, key). Only the reported one is turned into text.
    root: tuple[Any, ...] = ()
    stack: list[tuple[Iterator[tuple[object, object]], tuple[Any, ...]]] = [(iter([((), value)]), root)]
    items = 0
    while stack:
        entry = next(stack[-1][0], None)
        if entry is None:
            stack.pop()
            continue
        key, node = entry
        path = (stack[-1][1], key) if len(stack) > 1 else root
        reason = _refusal(node, strict)
        # A long string costs as much as many short values.
        items += 1 if type(node) is not str else 1 + len(node) // 64
        if reason is None and (type(node) is dict or type(node) is list) and len(stack) > MAX_DEPTH:
            reason = f"nested deeper than {MAX_DEPTH} levels"
        if items > _MAX_VALUES:
            return _too_many(
                f"{_MAX_VALUES} values"
            )  # the refused value comes later than this in document order
        if reason is not None:
            return NotCanonical(_path_text(path), reason)
        if type(node) is dict:
            for name in node:
                if type(name) is not str:
                    kind = f"a Python {type(name).__name__}"
                    return NotCanonical(_path_text(path), f"an object key must be a string, not {kind}")
                if not _encodes(name):
                    return NotCanonical(_path_text((path, name)), "the key holds a lone surrogate")
            stack.append((iter(node.items()), path))
        elif type(node) is list:
            stack.append((iter(enumerate(node)), path))
    raise AssertionError("scan refused a value that _locate accepts")  # pragma: no cover


def _path_text(path: tuple[Any, ...]) -> str:
    keys = []
    while path:
        path, key = path
        keys.append(key)
    text = ""
    for key in reversed(keys):
        text = join_path(text, key)
    return text


def _refusal(value: object, strict: bool) -> str | None:
    """Return why a value itself cannot be encoded, without looking inside it; None if it can be."""
    kind = type(value)
    if kind is str:
        return None if _encodes(cast(str, value)) else "the string holds a lone surrogate"
    if kind is int:
        number = cast(int, value)
        if not -_MAX_MAGNITUDE <= number <= _MAX_MAGNITUDE:
            return f"an integer of more than {_MAX_DIGITS} digits"
        if strict and not -MAX_INTEGER <= number <= MAX_INTEGER:
            return f"the integer {shorten(number)} is outside ±(2^53 - 1)"
        return None
    if kind is float:
        # Infinity is also what 1e400 is as a binary64. In versions 1 to 5 the specification rejects power
        # levels with such a number, and does not say how the number is written in canonical JSON. Servers
        # differ. So nothing defines the event's hash, what its signatures cover and, from version 3 on, its
        # ID. Here, as in Synapse, the event is malformed: it is dropped, and no rule ever allows it.
        if not isfinite(cast(float, value)):
            return f"{value} is not a JSON number"
        return f"the number {shorten(value)} is a float" if strict else None
    if kind is _Refused:
        return cast(_Refused, value).reason
    if value is None or kind in (bool, dict, list):
        return None
    return f"a Python {kind.__name__} is not a JSON value"


def plain_object(value: object) -> JsonObject | None:
    """Return a mapping as a dict that is not yet scanned; None for anything else.

    A dict is returned as it is. Another mapping is copied, so that what is checked later is what is
    used later.
    """
    if type(value) is dict:
        return value
    return dict(value) if isinstance(value, Mapping) else None


def scanned_object(value: object, *, strict: bool) -> JsonObject:
    """Return a mapping as a dict that can be encoded as canonical JSON.

    Raises:
        NotCanonical: if it is not a mapping, or cannot be encoded as canonical JSON.
    """
    plain = plain_object(value)
    if plain is None:
        raise NotCanonical("", f"expected a JSON object, found {shorten(value)}")
    scan(plain, strict=strict)
    return plain


def encode_scanned(value: object, *, strict: bool = False) -> bytes:
    """Return the canonical JSON of a value that `scan` has accepted, in UTF-8.

    Args:
        value: the value.
        strict: whether it was accepted in strict mode. Then it may be encoded faster.

    Raises:
        NotCanonical: if `scan` has not seen the value, as in an `Event.trusted`, and would not accept it.
    """
    if strict and (encoded := engine.encode_strict(value)) is not None:
        return encoded
    try:
        try:
            return encode_canonical_json(value)
        except RecursionError:
            return _on_fresh_stack(encode_canonical_json, value)
    except (RecursionError, TypeError, ValueError):
        scan(value, strict=False)
        raise  # pragma: no cover - the scan has raised


def _on_fresh_stack(call: Callable[[_A], _R], argument: _A) -> _R:
    """Call a function in a thread.

    Python's parser and encoder recurse, and share one limit with the caller: below a deep caller they fail on
    a value of fewer than `MAX_DEPTH` levels. A thread has a stack of its own.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, argument).result()


def encode_canonical(value: object, *, strict: bool = True) -> bytes:
    """Encode a value as canonical JSON, in UTF-8.

    Source: https://spec.matrix.org/latest/appendices/#canonical-json

    Args:
        value: a JSON value made of dicts with string keys, lists, strings, integers, floats, booleans
            and None. These exact types are required: a subclass could be encoded differently from
            what was checked. Copy another mapping into a dict first.
        strict: refuse floats and integers outside ±(2^53 - 1), as room versions 6 and later do.
            Otherwise floats are written the way Python writes them. The event IDs and signatures of
            versions 1 to 5 cover that form.

    Raises:
        NotCanonical: with the path to the value that cannot be encoded as canonical JSON.

    Cost: a few passes over the value, and a sort of each object's keys.

    >>> encode_canonical({"b": 1, "a": ["é", None, True]})
    b'{"a":["\\xc3\\xa9",null,true],"b":1}'
    >>> encode_canonical({"content": {"users": {"@a:x": 1.5}}})
    Traceback (most recent call last):
    roomver.errors.NotCanonical: content.users["@a:x"]: the number 1.5 is a float
    """
    scan(value, strict=strict)
    return encode_scanned(value)


def load_json(text: str | bytes, *, unique_keys: bool = False, integral_floats: bool = False) -> JsonValue:
    """Parse JSON text into a value that is not yet scanned.

    A literal that Python's parser accepts but JSON forbids (``NaN``) becomes a value that `scan` refuses
    with its path. The arguments are those of `parse_json`.

    Raises:
        NotCanonical: if the text is not JSON, with line and column.
    """
    if isinstance(text, bytes):
        if not unique_keys and not integral_floats and (value := engine.parse(text)) is not engine.UNSURE:
            return value
        # json.loads would also accept UTF-16 and UTF-32.
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotCanonical("", f"not UTF-8: {error.reason} at byte {error.start}") from None
    elif type(text) is not str:
        raise NotCanonical("", f"JSON text must be str or bytes, not {type(text).__name__}")
    if text.startswith("\ufeff"):
        raise NotCanonical("", "the text begins with a byte order mark")
    hooks: dict[str, Callable[..., object]] = {"parse_constant": _refuse_constant}
    if unique_keys:
        hooks["object_pairs_hook"] = _refuse_duplicates
    if integral_floats:
        hooks["parse_float"] = _parse_integral
    # json.loads makes a new decoder for a call with hooks, which takes half as long as parsing an event.
    decoder = _DECODER if len(hooks) == 1 else json.JSONDecoder(**hooks)  # type: ignore[arg-type]
    try:
        return _decode(decoder, text)
    except ValueError:
        # An integer is too long for int(). The text behind it may still be broken or too deep.
        hooks["parse_int"] = _parse_int
        return _decode(json.JSONDecoder(**hooks), text)  # type: ignore[arg-type]


def _decode(decoder: json.JSONDecoder, text: str) -> JsonValue:
    """Parse text.

    Raises:
        NotCanonical: if it is not JSON, or is nested too deep for the parser.
        ValueError: if an integer is too long for int().
    """
    try:
        try:
            return cast(JsonValue, decoder.decode(text))
        except RecursionError:
            return cast(JsonValue, _on_fresh_stack(decoder.decode, text))
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" starting at")
        message = f"not JSON: {what} at line {error.lineno}, column {error.colno}"
        raise NotCanonical("", message) from None
    except RecursionError:
        raise NotCanonical("", f"nested deeper than {MAX_DEPTH} levels") from None


def parse_json(
    text: str | bytes,
    *,
    strict: bool = True,
    unique_keys: bool = False,
    integral_floats: bool = False,
) -> JsonValue:
    """Parse JSON text into a value that can be encoded as canonical JSON.

    Args:
        text: the text, in UTF-8 if it is bytes, without a byte order mark.
        strict: as in `encode_canonical`.
        unique_keys: refuse an object in which a key occurs twice. Otherwise the last value wins, as in
            Synapse and most parsers. The specification does not say.
        integral_floats: read ``1e10`` and ``1.0`` as integers, as an example in the specification's
            appendix does. Servers refuse them in events, so do not use this for events.

    Raises:
        NotCanonical: with the path to the first value that cannot be encoded as canonical JSON, or with line
            and column if the text is not JSON.

    >>> parse_json('{"a": 1, "a": -0}')
    {'a': 0}
    >>> parse_json('{"a": [1, NaN]}')
    Traceback (most recent call last):
    roomver.errors.NotCanonical: a[1]: NaN is not a JSON number
    """
    value = load_json(text, unique_keys=unique_keys, integral_floats=integral_floats)
    scan(value, strict=strict)
    return value


def _refuse_constant(name: str) -> _Refused:
    return _Refused(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        result[key] = _Refused("the key occurs twice") if key in result else value
    return result


def _parse_int(digits: str) -> int | _Refused:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        return _Refused(f"an integer of more than {_MAX_DIGITS} digits")
    return int(digits)


def _parse_integral(digits: str) -> int | float:
    number = float(digits)
    if not isfinite(number) or not number.is_integer():
        return number
    if number == 0:
        # Zero, or too small for a double. Decimal cannot decide this: it refuses exponents of 19 digits.
        return number if digits.lower().partition("e")[0].strip("-0.") else 0
    # Decimal is exact: the double nearest to 9007199254740993.0 is a different integer.
    exact = Decimal(digits)
    return int(exact) if exact == exact.to_integral_value() else number
