"""Make a failing case smaller: remove and simplify parts of its spec, as long as it fails in the same way."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

Path = tuple[Any, ...]


def shrink(spec: Any, fails: Callable[[Any], bool], seconds: float = 20.0) -> Any:
    """Return a smaller spec that still fails.

    Args:
        spec: a failing case.
        fails: tells whether a case fails in the same way. A case that is not valid does not.
        seconds: when to stop.
    """
    end = monotonic() + seconds
    again = True
    while again and monotonic() < end:
        again = False
        for path in _paths(spec):
            try:
                node = _at(spec, path)
            except (KeyError, IndexError, TypeError):
                continue  # it went with what was around it
            tried = True
            while tried and monotonic() < end:
                tried = False
                for simpler in _simpler(node):
                    candidate = _replaced(spec, path, simpler)
                    if fails(candidate):
                        spec, node = candidate, simpler
                        tried = again = True
                        break
                    if monotonic() >= end:
                        break
    return spec


def _paths(spec: Any) -> list[Path]:
    """Return the paths of all values, outer ones first."""
    found: list[Path] = [()]
    for path in found:
        node = _at(spec, path)
        if type(node) is dict:
            found += [(*path, key) for key in node]
        elif type(node) is list:
            found += [(*path, index) for index in range(len(node))]
    return found


def _at(spec: Any, path: Path) -> Any:
    for step in path:
        spec = spec[step]
    return spec


def _replaced(spec: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    copied = spec.copy()
    copied[path[0]] = _replaced(spec[path[0]], path[1:], value)
    return copied


def _simpler(node: Any) -> Iterator[Any]:
    """Yield values that are simpler than this one, the simplest first."""
    if type(node) is dict:
        if len(node) == 1:
            ((name, of),) = node.items()
            if name in ("$repeat", "$keys", "$nest", "$join") and type(of) is list and of:
                yield of[-1]
        yield from (dict(items) for items in _without([*node.items()]))
    elif type(node) is list:
        yield from _without(node)
    elif type(node) is str:
        if node:
            yield ""
        yield from ("".join(characters) for characters in _without([*node]))
    elif type(node) is int:
        for smaller in (0, 1, node // 2, node - 1):
            if 0 <= smaller < node:
                yield smaller
    elif node is not None and type(node) is not bool:
        yield 0


def _without(items: list[Any]) -> Iterator[list[Any]]:
    """Yield a list without some of its items: large pieces first."""
    size = len(items)
    while size:
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
        size //= 2
