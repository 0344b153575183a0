"""Cases as JSON. Large and odd values are described, not written out, so that every case is short text.

An object whose only key is one of these stands for a value:

- ``{"$bytes": text}``: bytes, one for each character up to U+00FF;
- ``{"$join": [part, …]}``: parts one after another, all of them text or all bytes;
- ``{"$repeat": [n, part]}``: a text or bytes n times, or else an array that has the part n times;
- ``{"$keys": [n, value]}``: an object with n keys, each with the value;
- ``{"$nest": [n, key, value]}``: a value in n arrays, or if the key is text in n objects with that key;
- ``{"$int": text}``: an integer in hexadecimal, of any length;
- ``{"$json": value}``: the bytes of a value's JSON text.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

_MOST: Final = 3_000_000  # items, characters or levels of one value


def expand(spec: Any) -> Any:
    """Return the value that a spec stands for. A value that is repeated is shared, not copied."""
    if type(spec) is list:
        return [expand(item) for item in spec]
    if type(spec) is not dict:
        return spec
    if len(spec) == 1:
        (name, of) = next(iter(spec.items()))
        make = _DIRECTIVES.get(name)
        if make is not None:
            return make(of)
    return {key: expand(item) for key, item in spec.items()}


def is_directive(spec: Any) -> bool:
    """Tell whether a spec is an object that stands for another value."""
    return type(spec) is dict and len(spec) == 1 and next(iter(spec)) in _DIRECTIVES


def _join(parts: list[Any]) -> Any:
    expanded = [expand(part) for part in parts]
    return (b"" if any(type(part) is bytes for part in expanded) else "").join(expanded)


def _repeat(of: list[Any]) -> Any:
    number, part = min(of[0], _MOST), expand(of[1])
    return part * number if type(part) in (str, bytes) else [part] * number


def _keys(of: list[Any]) -> Any:
    return dict.fromkeys(map(str, range(min(of[0], _MOST))), expand(of[1]))


def _nest(of: list[Any]) -> Any:
    number, key, inner = of
    value = expand(inner)
    for _ in range(min(number, _MOST)):
        value = [value] if key is None else {key: value}
    return value


_DIRECTIVES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "$bytes": lambda text: text.encode("latin-1"),
    "$join": _join,
    "$repeat": _repeat,
    "$keys": _keys,
    "$nest": _nest,
    "$int": lambda text: int(text, 16),
    "$json": lambda value: json.dumps(expand(value)).encode(),
}


def of_bytes(data: bytes) -> Any:
    """Return the spec of bytes."""
    return {"$bytes": data.decode("latin-1")}


def grows(spec: Any) -> bool:
    """Tell whether a spec has repetitions."""
    if type(spec) is dict:
        return "$repeat" in spec or "$keys" in spec or any(map(grows, spec.values()))
    return type(spec) is list and any(map(grows, spec))


def scaled(spec: Any, factor: float) -> Any:
    """Return a spec in which every repetition is `factor` times as long."""
    if type(spec) is list:
        return [scaled(item, factor) for item in spec]
    if type(spec) is not dict:
        return spec
    if len(spec) == 1:
        ((name, of),) = spec.items()
        if name in ("$repeat", "$keys"):
            return {name: [int(of[0] * factor), scaled(of[1], factor)]}
    return {key: scaled(item, factor) for key, item in spec.items()}


def size_of(spec: Any) -> int:
    """Return about how large a value is: the number of its values, characters and bytes."""
    if type(spec) is list:
        return 1 + sum(map(size_of, spec))
    if type(spec) is str:
        return 1 + len(spec)
    if type(spec) is not dict:
        return 1
    if len(spec) == 1:
        ((name, of),) = spec.items()
        if name in ("$repeat", "$keys"):
            number: int = min(of[0], _MOST)
            return number * size_of(of[1])
        if name == "$nest":
            levels: int = min(of[0], _MOST)
            return levels + size_of(of[2])
    return 1 + sum(len(key) + size_of(item) for key, item in spec.items())
