"""Targets, and how to tell that a promise of the package is broken.

Running a case raises `Invalid` if the case is malformed, as only a shrunk case can be. Any other exception
is a failure.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from builder import VERSIONS

from roomver import RoomverError


class Invalid(Exception):
    """The case is not a case of its target."""


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    Attributes:
        name: for ``--only``.
        draw: draws the spec of a case.
        run: runs a case, and raises if a promise is broken.
        slowness: how many times as long a case may take.
    """

    name: str
    draw: Callable[[Random], Any]
    run: Callable[[Any], None]
    slowness: float = 1.0


def promised(condition: bool, promise: str) -> None:
    """Raise if a promise is broken."""
    if not condition:
        raise AssertionError(promise)


def answer(call: Callable[[], Any]) -> Any:
    """Return what a function returns, or the `RoomverError` that it raises, which can be shown."""
    try:
        return call()
    except RoomverError as error:
        promised(bool(str(error)), "an error says what is wrong")
        return error


def in_case(case: Any, key: str, kind: type) -> Any:
    """Return a part of a case."""
    if type(case) is not dict or type(case.get(key)) is not kind:
        raise Invalid(key)
    return case[key]


def version_in(case: Any) -> str:
    """Return the room version of a case."""
    version: str = in_case(case, "version", str)
    if version not in VERSIONS:
        raise Invalid("version")
    return version


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal. NaN equals NaN here."""
    return one == other or json.dumps(one) == json.dumps(other)
