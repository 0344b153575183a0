"""Canonical JSON by its grammar, written without a JSON library.

Source: https://spec.matrix.org/latest/appendices/#canonical-json and, for the names of the functions,
its section "Grammar".
"""

import math
from typing import Any

LEVELS = 128
"""The deepest nesting of arrays and objects. The specification has no limit; the library has this one."""

LONGEST = 4300
"""The digits of the longest integer. This limit is the library's too, and comes from CPython."""


def value(v: Any) -> str:
    """value = false / null / true / object / array / number / string"""
    if v is False:
        return "false"
    if v is None:
        return "null"
    if v is True:
        return "true"
    if isinstance(v, dict):
        return object_(v)
    if isinstance(v, list):
        return array(v)
    if isinstance(v, int | float):
        return number(v)
    assert isinstance(v, str)
    return string(v)


def object_(v: dict[str, Any]) -> str:
    """object = "{" [ member *( "," member ) ] "}", sorted by Unicode code point"""
    in_order = sorted(v, key=lambda name: [ord(c) for c in name])
    return "{" + ",".join(member(name, v[name]) for name in in_order) + "}"


def member(name: str, v: Any) -> str:
    """member = string ":" value"""
    return string(name) + ":" + value(v)


def array(v: list[Any]) -> str:
    """array = "[" [ value *( "," value ) ] "]" """
    return "[" + ",".join(value(item) for item in v) + "]"


def number(v: int | float) -> str:
    """number = [ "-" ] int, and for room versions 1 to 5 a float as Python prints it

    The grammar has no floats. For those versions it only says that servers should handle other numbers "where
    possible". Events of such rooms are signed over the bytes that Synapse writes.
    """
    if isinstance(v, float):
        return repr(v)
    return "-" + int_(-v) if v < 0 else int_(v)


def int_(v: int) -> str:
    """int = %x30 / ( %x31-39 *DIGIT ), without leading zeros"""
    digits = ""
    while v >= 10:
        v, digit = divmod(v, 10)
        digits = "0123456789"[digit] + digits
    return "0123456789"[v] + digits


def string(v: str) -> str:
    """string = DQUOTE *char DQUOTE"""
    return '"' + "".join(char(c) for c in v) + '"'


ESCAPED = {
    0x08: "b",
    0x09: "t",
    0x0A: "n",
    0x0C: "f",
    0x0D: "r",
    0x22: '"',
    0x5C: "\\",
}


def char(c: str) -> str:
    """char = unescaped / "\\" escaped, where unescaped = %x20-21 / %x23-5B / %x5D-10FFFF"""
    code = ord(c)
    if code in ESCAPED:
        return "\\" + ESCAPED[code]
    if code < 0x10:
        return "\\u000" + "0123456789abcdef"[code]
    if code < 0x20:
        return "\\u001" + "0123456789abcdef"[code - 0x10]
    return c


def canonical_json(v: Any) -> bytes:
    """ "the shortest UTF-8 JSON encoding with dictionary keys lexicographically sorted" """
    return value(v).encode("utf-8")


def has_canonical_form(v: Any, *, strict: bool, level: int = 1) -> bool:
    """Tell whether a value may be in an event, with one reason for a refusal per line."""
    if type(v) is dict or type(v) is list:
        if level > LEVELS:
            return False
        if type(v) is dict and not all(
            type(name) is str and has_canonical_form(name, strict=strict) for name in v
        ):
            return False
        inside = list(v.values()) if type(v) is dict else v
        return all(has_canonical_form(item, strict=strict, level=level + 1) for item in inside)
    if type(v) is str:
        return not any(0xD800 <= ord(c) <= 0xDFFF for c in v)
    if type(v) is int:
        # "integers in the range [-(2**53)+1, (2**53)-1]"
        return -(2**53) + 1 <= v <= 2**53 - 1 if strict else abs(v) < 10**LONGEST
    if type(v) is float:
        # "Float values are not permitted by this encoding."
        return not strict and math.isfinite(v)
    return v is None or v is True or v is False
