"""The authorisation rules: cases of the operations ``auth``, ``auth_types`` and ``redaction_applies``."""

from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from . import (
    auth_authoriser,
    auth_citing,
    auth_citing_content,
    auth_create,
    auth_join,
    auth_knock,
    auth_last_resort,
    auth_leave,
    auth_levels,
    auth_member_levels,
    auth_parts,
    auth_power_levels,
    auth_power_values,
    auth_redaction,
    auth_selection,
    auth_third_party,
)
from .auth_cases import Book, Made
from .suite import EventsFile, File, Moved
from .versions import ALL

PARTS: tuple[tuple[ModuleType, str], ...] = (
    (auth_create, "Create events, m.federate and aliases events"),
    (auth_citing, "An event's auth events and room ID, and the state that the event is checked against"),
    (
        auth_citing_content,
        "Events that cite what the selection picks only for events with another membership or type",
    ),
    (auth_join, "Joins, join rules, and malformed or unknown memberships"),
    (auth_leave, "Invites, leaves, kicks, bans and unbans"),
    (auth_knock, "Knocks and restricted joins"),
    (auth_third_party, "Third-party invites: m.room.third_party_invite events and the invites that use them"),
    (auth_levels, "Required power levels, the sender's membership, and state keys that start with @"),
    (auth_last_resort, "Rules that end a branch, where the rules after the branch would allow the event"),
    (auth_member_levels, "Member events, to which the required levels of event types do not apply"),
    (auth_power_levels, "Changes to power levels"),
    (auth_power_values, "Valid and invalid values in power levels"),
    (auth_redaction, "Redactions: whether the event is allowed, and whether it applies"),
    (auth_selection, "Auth events selection: which state events an event may cite"),
    (auth_parts, "Levels as text and with an exponent, and the second of two additional creators"),
    (auth_authoriser, "The signature of the authorising user's server on a restricted join"),
)


@cache
def books() -> tuple[Book, ...]:
    """Return the books of all parts, one per part and room version, with their cases written."""
    found = []
    for part, _ in PARTS:
        of_part = [Book(part.FILE, version) for version in ALL]
        for book in of_part:
            part.cases(book)
        check_versions(of_part)
        found += of_part
    return tuple(found)


def check_versions(of_part: Sequence[Book]) -> None:
    """Check that each case of a part is written in all the versions that it is for.

    Raises:
        ValueError: A case names a version in which no code builds it.
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
    """Return every case, in order."""
    found = tuple(case for book in books() for case in book.made)
    check_twins(found)
    return found


def check_twins(found: Sequence[Made]) -> None:
    """Check that the twin of each case is written.

    Raises:
        ValueError: A twin is missing.
    """
    names = {case.name for case in found}
    for case in found:
        if case.twin and case.twin not in names:
            raise ValueError(f"{case.name} needs its twin, and {case.twin} is not written")


_NUMBERS = "auth/power_level_numbers.json"
_REASON = "not every JSON parser can read its numbers"


def files() -> Iterator[File]:
    """Yield the vector files."""
    for part, title in PARTS:
        of_part = [case for case in made() if case.file == part.FILE]
        file = _file(
            f"auth/{part.FILE}.json", title, [one for one in of_part if not _has_fraction(one.input)]
        )
        file.moved += [Moved(one.name, _NUMBERS, _REASON) for one in of_part if _has_fraction(one.input)]
        file.left_out += [name for book in books() if book.file == part.FILE for name in book.left_out]
        yield file
    fractions = [case for case in made() if _has_fraction(case.input)]
    yield _file(_NUMBERS, "Power levels with fractions, which versions 1 to 5 allow", fractions)


def _file(path: str, title: str, cases: list[Made]) -> EventsFile:
    file = EventsFile(path, title)
    for case in cases:
        if case.disputed is None:
            file.cases.append(case.document())
        else:
            file.disputed.append((case.document(), case.disputed))
    return file


def _has_fraction(value: Any) -> bool:
    """Tell whether a value holds a fraction. Not every JSON parser reads these, so such cases lie apart."""
    if isinstance(value, dict):
        return any(map(_has_fraction, value.values()))
    return any(map(_has_fraction, value)) if isinstance(value, list) else isinstance(value, float)
