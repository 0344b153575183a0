"""The authorisation rules: cases of the operations ``auth``, ``auth_types`` and ``redaction_applies``."""

from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from . import (
    auth_authoriser,
    auth_citing,
    auth_create,
    auth_join,
    auth_knock,
    auth_leave,
    auth_levels,
    auth_power_levels,
    auth_power_values,
    auth_redaction,
    auth_selection,
    auth_third_party,
)
from .auth_cases import Book, Made
from .suite import EventsFile, File
from .versions import ALL

PARTS: tuple[tuple[ModuleType, str], ...] = (
    (auth_create, "Create events, rooms closed to federation, aliases"),
    (auth_citing, "An event's own auth events and room ID, and the state that it is judged by"),
    (auth_join, "Joins, the join rules, and memberships that are none"),
    (auth_leave, "Invites, leaving, kicks, bans and the lifting of bans"),
    (auth_knock, "Knocks and restricted joins"),
    (auth_third_party, "Third-party invites and the events that offer them"),
    (auth_levels, "The level that an event type requires, the sender in the room, state keys with an @"),
    (auth_power_levels, "Changes of power levels"),
    (auth_power_values, "What may stand in power levels"),
    (auth_redaction, "Redactions: whether one is allowed, and whether it is to be applied"),
    (auth_selection, "Which state an event may cite as its auth events"),
    (auth_authoriser, "The signature of the authorising user's server on a restricted join"),
)


@cache
def books() -> tuple[Book, ...]:
    """Return the written books: for each part, one per room version."""
    found = []
    for part, _ in PARTS:
        of_part = [Book(part.FILE, version) for version in ALL]
        for book in of_part:
            part.cases(book)
        _check(of_part)
        found += of_part
    return tuple(found)


def _check(of_part: Sequence[Book]) -> None:
    """Hold a part to what its cases say: the versions that get them, and that each twin is written.

    Raises:
        ValueError: a case is for a version in which it is never built, or its twin is missing.
    """
    stated: dict[str, set[str]] = {}
    for book in of_part:
        for label, versions in book.stated.items():
            stated.setdefault(label, set()).update(versions)
    for book in of_part:
        for label in stated.keys() - book.written():
            if book.version in stated[label]:
                raise ValueError(f"{label} is for room version {book.version}, and nothing builds it there")


@cache
def made() -> tuple[Made, ...]:
    """Return every case.

    Raises:
        ValueError: the twin of a case is not written.
    """
    found = tuple(case for book in books() for case in book.made)
    names = {case.name for case in found}
    for case in found:
        if case.twin and case.twin not in names:
            raise ValueError(f"{case.name} needs its twin: write {case.twin} in that room version, too")
    return found


def files() -> Iterator[File]:
    """Yield the vector files."""
    for part, title in PARTS:
        of_part = [case for case in made() if case.file == part.FILE and not _has_fraction(case.input)]
        yield _file(f"auth/{part.FILE}.json", title, of_part)
    fractions = [case for case in made() if _has_fraction(case.input)]
    title = "Power levels with fractions, which versions 1 to 5 admit"
    yield _file("auth/power_level_numbers.json", title, fractions)


def _file(path: str, title: str, cases: list[Made]) -> EventsFile:
    file = EventsFile(path, title)
    for case in cases:
        if case.disputed is None:
            file.cases.append(case.document())
        else:
            file.disputed.append((case.document(), case.disputed))
    return file


def _has_fraction(value: Any) -> bool:
    """Tell whether there is a number that not every JSON parser reads: such cases lie apart."""
    if isinstance(value, dict):
        return any(map(_has_fraction, value.values()))
    return any(map(_has_fraction, value)) if isinstance(value, list) else isinstance(value, float)
