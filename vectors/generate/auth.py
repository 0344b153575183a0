"""The authorisation rules: cases of the operations ``auth``, ``auth_types`` and ``redaction_applies``."""

import re
from collections.abc import Iterator
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
from .auth_cases import Book, EventsFile, Made
from .suite import File
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


# What most cases go through does not change between the room versions, and signed events take room. So the
# sets of these files are whole in some versions, and in the others cut to what each rule needs.
_SOME = frozenset({"1", "9", "12"})
WHOLE = {
    "join": frozenset({"1", "7", "8", "10", "12"}),
    "invite_leave_ban": _SOME,
    "knock_restricted": frozenset({"7", "8", "10", "12"}),
    "third_party": _SOME,
    "levels": _SOME,
    "power_levels": _SOME,
    "power_level_values": frozenset({"1", "5", "6", "9", "10", "12"}),
}
# Never cut: what differs between versions that share a list of rules, and what implementations got wrong.
KEPT = re.compile(
    r"""\.knock$ | creators\. | restricted\.creator | alike | notifications | authoriser$ | join\.first
    | v\d+\.(no_power_levels | creator | spelling | redaction)\.
    | join\.(public | invite | private | knock | restricted | knock_restricted)\.\w+$
    | restricted\.authoriser\.(joined | left | invited | banned | absent | no_key)$ | restricted\.level\.\w+$
    | leave\.self\. | kick\.none$ | kick\.rank\.(below | equal) | unban\.
    | ban\.(self | none)$ | invite\.(join | ban)$
    | third_party\.(public_keys\.second | any_with_any | more_fields | added_field | mxid$)
    | third_party\.(token_unknown | other_sender | banned | not_signed | sender_left)
    | third_party_invite\.(events | at)$ | state_key\.(other | no_user_id)$
    | power_levels\.events\.(remove | untouched | add)
    | power_levels\.(users\.(own | change | add)\. | named\.added_or_removed)
    | power_levels\.(first | values\.(users_null | users_list | user_id_word | user_id_no_server | \w+_null)$)
    """,
    re.VERBOSE,
)


@cache
def made() -> tuple[Made, ...]:
    """Return every case."""
    found: list[Made] = []
    for part, _ in PARTS:
        for version in ALL:
            book = Book(part.FILE, version)
            part.cases(book)
            found += book.made if version in WHOLE.get(part.FILE, ALL) else _cut(book.made)
    return tuple(found)


def _cut(cases: list[Made]) -> list[Made]:
    """Return, of one version's cases, the first for each rule and verdict, with their twins, and those that
    are never cut."""
    by_name = {case.name: case for case in cases}
    kept: set[str] = set()
    seen: set[tuple[str, str]] = set()
    for case in cases:
        key = (case.sense, str(case.expected))
        if key not in seen or KEPT.search(case.name) or case.disputed:
            seen.add(key)
            kept.add(case.name)
    kept |= {by_name[name].twin for name in kept if by_name[name].twin}
    return [case for case in cases if case.name in kept]


def files() -> Iterator[File]:
    """Yield the vector files."""
    for part, title in PARTS:
        yield _file(f"auth/{part.FILE}", title, [case for case in made() if case.file == part.FILE])
    fractions = [case for case in made() if _has_fraction(case.input)]
    title = "Power levels with fractions, which versions 1 to 5 admit"
    yield EventsFile("auth/power_level_numbers.json", title, [case.document() for case in fractions])
    disputed = [case.document() for case in made() if case.disputed]
    yield EventsFile("disputed/auth.json", "Authorisation rules where implementations differ", disputed)


def _file(path: str, title: str, cases: list[Made]) -> EventsFile:
    documents = [case.document() for case in cases if not case.disputed and not _has_fraction(case.input)]
    return EventsFile(f"{path}.json", title, documents)


def _has_fraction(value: Any) -> bool:
    """Tell whether there is a number that not every JSON parser reads: such cases lie apart."""
    if isinstance(value, dict):
        return any(map(_has_fraction, value.values()))
    return any(map(_has_fraction, value)) if isinstance(value, list) else isinstance(value, float)
