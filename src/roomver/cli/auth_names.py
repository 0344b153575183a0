"""What each argument of ``roomver auth`` is: the source, its room, or the event."""

from collections.abc import Sequence
from pathlib import Path

import click

from ..readers import is_database
from .guidance import kind_of_id, wrong_room_id
from .sources import is_alias, may_be_a_name


def event_of(names: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the arguments before EVENT, and EVENT; None if only a source and its room are given.

    EVENT comes last, but a room ID may follow an event ID.
    """
    *before, event = names
    if is_database(event):
        return [*names], None
    if before and kind_of_id(event) == "a room ID" and not Path(event).exists():
        if kind_of_id(before[-1]) == "an event ID" and not Path(before[-1]).exists():
            return [*before[:-1], event], before[-1]
        if is_database(before[-1]):
            return [*names], None
    return before, event


def room_of(rooms: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the source and the room among the values of ``--room`` and the arguments before EVENT."""
    ids = [one for one in rooms if one.startswith("!") or (is_alias(one) and not Path(one).exists())]
    sources = [one for one in rooms if one not in ids]
    if len(sources) > 1 and not ids and any(map(is_database, sources)):
        ids = [one for one in sources if may_be_a_name(one)]
        sources = [one for one in sources if one not in ids]
    for one in sources:
        # A file may have any name.
        if (len(sources) > 1 or kind_of_id(one)) and not is_database(one) and not Path(one).exists():
            raise click.UsageError(wrong_room_id(one))
    if len(ids) > 1 or len(sources) > 1 or (ids and not sources):
        raise click.UsageError("give --room once for the file or database, and once for a room ID")
    return sources[0] if sources else None, ids[0] if ids else None
