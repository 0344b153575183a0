"""``roomver record``: write a room to a file that can be handed over."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import IO, BinaryIO, cast

import click

from ..anonymous import Changes, anonymise, compare
from ..entry import Entry
from ..errors import SHOWN, RoomverError, counted, listed
from ..findings import EventCheck
from ..gathering import Gathered, gather_events
from ..keys import KeyRing
from ..readers import InputError, Room, read_room
from ..readers.several import other_room
from ..recording import Recording, agreed_beliefs, entries_once, read_states_of, recording_lines
from ..room_check import Beliefs, RoomCheck, check_room
from ..types import EventId, JsonObject
from ..versions import RoomVersion
from .common import (
    add_room_keys,
    also_option,
    display_name,
    example,
    keys_option,
    read_key_files,
)
from .escaped import printable
from .heard import say
from .loading import tell_notes
from .merged import contradiction_lines, differences_data, tell_contradictions, tell_other_rooms
from .progress import room_progress, work_progress
from .sources import Choice, opened_room, room_option, source_argument
from .version_options import room_version_option
from .written import written


@click.command(
    short_help="Write a room to a recording, also an anonymous one.",
    epilog=example(
        "roomver record homeserver.db --room '!roomid' -o room.jsonl\n"
        "roomver record room.jsonl --anonymise -o -"
    ),
)
@source_argument("source")
@click.option("-o", "--output", metavar="FILE", required=True, help="Where to write; - is standard output.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@room_version_option("The room version, if the source does not give it.", required=False)
@also_option()
@room_option()
@keys_option()
@click.option(
    "--unsigned", is_flag=True, help="Do not check signatures: for made-up events, which have none."
)
@click.option(
    "--anonymise",
    "anonymised",
    is_flag=True,
    help="Replace users, servers, contents and IDs by made-up ones, to hand over a room without handing over"
    " people.",
)
def record(  # noqa: PLR0913, PLR0917 - one for each option
    source: str,
    output: str,
    force: bool,
    version: RoomVersion | None,
    more_files: tuple[str, ...],
    choice: Choice,
    key_files: tuple[str, ...],
    unsigned: bool,
    anonymised: bool,
) -> None:
    """Write a room to a file of the project's recording format, so that it can be handed over.

    SOURCE is anything that `roomver check` reads. The recording has the same events in the same order, each
    once, the keys, what the server decided, and the states that the server had where events are missing. So
    `check` says the same about the recording as about the source. What several sources contradict each other
    on is named on standard error and in the recording's header, and is unknown in the recording.

    With --anonymise the room has other users, servers, texts, types and IDs, and the same graph: an operator
    can hand over a room without handing over people. Memberships, power levels, join rules, depths and the
    order of times are kept; all other numbers become 0. Each event is hashed and signed anew by made-up keys.
    A hash or a signature that was wrong stays wrong, and what was missing stays missing. Both rooms are
    checked: events that are decided differently, and states that differ, are named on standard error. That
    can happen where event IDs break a tie.

    The file is written in one step: it is complete or not there. SOURCE is never changed.

    Exit code: 0 written, 1 written but the anonymised room is decided differently, 2 usage error, unreadable
    source, or FILE cannot be written.
    """
    if unsigned and key_files:
        raise click.UsageError("--unsigned cannot be combined with --keys")
    given = None if unsigned else read_key_files(key_files)
    name = display_name(source)
    notes: list[str] = []
    kept = True
    try:
        # A file of keys may be SERVER=FILE.
        inputs = [source, *more_files, *key_files, *(name.partition("=")[2] for name in key_files)]
        with written(output, [name for name in inputs if name], force=force) as out:
            with opened_room([source, *more_files], version, choice) as room:
                keys = add_room_keys(given, room.keys)
                recording, found = _read(room, keys, choice, [source, *more_files], whole=anonymised)
            if found is None:
                with work_progress("writing"):
                    number = _write(recording, out, notes)
            else:
                kept, number = _write_anonymised(recording, found, out, notes, unsigned=unsigned)
    except InputError:
        raise
    except RoomverError as error:
        raise InputError(name, str(error)) from None
    for note in notes:
        say(printable(f"roomver: {name}: {note}"))
    where = "" if output == "-" else f" to {display_name(output)}"
    say(f"roomver: {counted(number, 'event', 'events')} written{where}")
    if not kept:
        raise click.exceptions.Exit(1)


def _write(recording: Recording, out: IO[bytes], notes: list[str]) -> int:
    """Write a recording. Return the number of its events."""
    left_out: list[Entry] = []
    number = -1  # the first line is the header
    for line in recording_lines(recording, left_out):
        out.write(line)
        number += 1
    if left_out:
        what = counted(len(left_out), "entry", "entries")
        notes.append(f"{what} cannot be read or written as JSON; the recording has null there")
    return number - len(left_out)


def _read(
    room: Room, keys: KeyRing | None, choice: Choice, files: Sequence[str], *, whole: bool
) -> tuple[Recording, RoomCheck | None]:
    """Read a room into a recording of it, and check it if that is asked for.

    Raises:
        InputError: if it is not the room that was asked for.
        NotAState: if a state of the source is not one.
    """
    tell_notes(room)
    beliefs = room.beliefs or Beliefs()
    checked: list[tuple[Entry, EventCheck]] = []
    found = None
    # Of several sources, the events may contradict a current state that is given.
    if whole or len(room.origins) > 1:
        with room_progress(files, room) as shown:
            found = check_room(
                shown.entries,
                room.version,
                keys=keys,
                beliefs=beliefs,
                origins=room.origins,
                room_id=room.wanted,
                on_check=lambda entry, check: checked.append((entry, check)),
                progress=shown.replay,
            )
        gathered = found.gathered
    else:
        with room_progress(files, room) as shown:
            gathered = gather_events(
                shown.entries,
                room.version,
                keys=keys,
                origins=room.origins,
                room_id=room.wanted,
                on_check=lambda entry, check: checked.append((entry, check)),
            )
    tell_other_rooms(gathered)
    tell_contradictions(gathered, files, choice)
    for line in contradiction_lines(gathered):
        say(f"roomver: {line}")
    room_id = gathered.room_id if gathered.events else room.room_id
    wanted = choice.room_id(room)
    if wanted is not None and room_id is not None and room_id != wanted:
        raise InputError(display_name(files[0]), other_room(room_id, wanted))
    agreed = agreed_beliefs(gathered.narrowed(beliefs), gathered)
    unspoken: set[EventId] = set()
    if room.beliefs is not None:
        unspoken = {e for e, place in gathered.places.items() if not agreed.speak_of(place, e)}
    if ids := {event_id for one in gathered.find_lost(gathered.events, 1) for event_id in one.event_ids}:
        # What other sources have lost may be newer than the state that the first one lists.
        agreed = replace(agreed, state=None, extremities=(agreed.extremities or frozenset()) | ids)
    recording = Recording(
        room.version,
        entries_once(checked, gathered),
        room_id,
        room.keys if keys is None else keys,
        agreed,
        frozenset(unspoken),
        read_states_of(gathered),
        _fields(room, gathered),
    )
    return recording, found if whole else None


def _write_anonymised(
    recording: Recording, old: RoomCheck, out: IO[bytes], notes: list[str], *, unsigned: bool
) -> tuple[bool, int]:
    """Write an anonymised room, and read it again.

    Returns:
        Whether it is decided as the room was, and the number of its events.
    """
    with work_progress("anonymising"):
        made = anonymise(recording)
    if made.left_out:
        what = counted(made.left_out, "entry is", "entries are")
        notes.append(f"{what} left out: malformed, or too large when it is anonymised")
    number = _write(made.recording, out, notes)
    out.seek(0)
    room = read_room(cast(BinaryIO, out), "the anonymised room", made.recording.version)
    keys = None if unsigned else room.keys
    with room_progress(["-"], room, "the anonymised room") as shown:
        new = check_room(
            shown.entries,
            room.version,
            keys=keys,
            beliefs=room.beliefs,
            origins=room.origins,
            room_id=room.wanted,
            progress=shown.replay,
        )
    out.seek(0, os.SEEK_END)
    with work_progress("comparing"):
        changes = compare(old, new, made.names)
    notes += _change_lines(changes)
    return changes.none, number


def _change_lines(changes: Changes) -> Iterator[str]:
    """Say what new event IDs changed, in the names of the anonymised room."""
    if not changes.compared_all:
        yield "the states before the last merges are not compared: there are too many"
    if changes.none:
        return
    yield "the anonymised room differs: event IDs break ties, and they are new"
    if changes.events:
        yield f"{counted(len(changes.events), 'event is', 'events are')} decided differently:"
        for event_id, (was, now) in islice(changes.events.items(), SHOWN):
            yield f"  {event_id}: was {was}, is {now}"
    if changes.extremities:
        yield f"forward extremities of one room only: {listed(changes.extremities)}"
    if changes.current_known:
        yield "the current state is known in one room only"
    if changes.keys:
        yield f"{counted(len(changes.keys), 'key has', 'keys have')} another event in the current state:"
        for kind, state_key in changes.keys[:SHOWN]:
            yield f"  {kind} {state_key}"
    if changes.merges:
        yield f"{counted(len(changes.merges), 'merge has', 'merges have')} another state, before:"
        yield f"  {listed(changes.merges)}"


def _fields(room: Room, gathered: Gathered) -> JsonObject:
    """Return the other fields of the header: the software of the server, the redactions it applied, and where
    the sources contradict each other."""
    fields: JsonObject = {"server": room.database} if room.database else {}
    if room.header is not None:
        kept = ("server", "redacted_by", "contradictions")
        fields = {name: room.header.fields[name] for name in kept if name in room.header.fields}
    if not gathered.in_order:
        fields["in_order"] = False
    if found := differences_data(gathered.contradictions):
        earlier = fields.get("contradictions")
        fields["contradictions"] = [*(earlier if type(earlier) is list else []), *found]
    return fields
