"""Reading, checking and replaying a room, for the commands that look at more than one event."""

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, cast

import click

from ..entry import NO_SOURCE, Entry, Place
from ..errors import SHOWN, MissingEvents, RoomverError, UnknownState, counted
from ..event import Event
from ..findings import EventCheck, FindingKind, Summary
from ..gathering import Gathered, gather_events
from ..keys import KeyRing
from ..readers import InputError, Room, fit_entry
from ..room_check import Beliefs, RoomCheck, check_room
from ..versions import RoomVersion
from .cache import Kept, question, read_kept, uncollected, write_kept
from .common import add_room_keys, display_name, joint_name
from .escaped import printable
from .heard import OfAnswer, after_answer, hearing, tell
from .loaded import ADDED, LoadedRoom
from .merged import tell_contradictions, tell_other_rooms
from .processes import checkers
from .progress import room_progress, work_progress
from .sources import ANY_ROOM, Choice, check_is_room, opened_room, stamp_sources
from .unknown_checks import doubt_lines, signature_notes

_UNSIGNED: Final = frozenset({FindingKind.SIGNATURE, FindingKind.SIGNATURE_MISSING})


@after_answer()
def load_room(  # noqa: PLR0913 - the last two are options by keyword
    file: str,
    version: RoomVersion | None,
    keys: KeyRing | None,
    more_files: Sequence[str] = (),
    added: Entry | None = None,
    *,
    as_recorded: bool = False,
    algorithm: str | None = None,
    unhashed: bool = False,
    choice: Choice = ANY_ROOM,
    brief: bool = False,
    cache: Path | None = None,
) -> LoadedRoom:
    """Read, check and replay a room. What was left out or not checked is said after the answer.

    Args:
        file: to read; ``-`` is standard input. It may also be a database.
        version: the room version, if the file does not give it.
        keys: in addition to those in the files; None to skip signatures.
        more_files: with more events of the room.
        added: an event to judge as the last one of the room.
        as_recorded: accept and reject events as the header says.
        algorithm: to resolve states with instead of the room version's.
        unhashed: take the events and their IDs as given.
        choice: which room to read, and how to read a database.
        brief: do not say which signatures were not checked.
        cache: a file to start from, if it holds the same room, and to keep the room in.

    Raises:
        InputError: if a file cannot be read as a room, if it is another room, or if no event of it is usable.
    """
    load = partial(
        _load_room,
        file,
        version,
        keys,
        more_files,
        added,
        as_recorded=as_recorded,
        algorithm=algorithm,
        unhashed=unhashed,
        choice=choice,
        brief=brief,
    )
    if cache is None:
        with uncollected():
            return load()
    if added is not None:
        raise click.UsageError("--cache keeps a room, not one with another event: leave it out")
    names = [file, *more_files]
    stamps = stamp_sources(names, choice)
    asked = question(
        names,
        stamps,
        version=pickle.dumps(version),
        keys=pickle.dumps(keys),
        as_recorded=as_recorded,
        algorithm=algorithm,
        unhashed=unhashed,
        # A database finds the room by an event. The stamp has it.
        choice=choice._replace(event_id=None),
        brief=brief,
    )
    with work_progress("reading the cache"):
        kept = read_kept(cache, asked)
    if kept is not None and cast(LoadedRoom, kept.room).names(choice.event_id):
        for line in kept.heard:
            tell(line)
        return cast(LoadedRoom, kept.room)
    with uncollected(), hearing() as heard:
        room = load()
    # What was read may be newer than the stamps, and a later call may find the sources as they were.
    if kept is None and room.names(choice.event_id) and stamp_sources(names, choice) == stamps:
        with work_progress("writing the cache"):
            write_kept(cache, asked, Kept(room, heard))
    return room


def _load_room(  # noqa: PLR0913 - one for each option
    file: str,
    version: RoomVersion | None,
    keys: KeyRing | None,
    more_files: Sequence[str],
    added: Entry | None,
    *,
    as_recorded: bool,
    algorithm: str | None,
    unhashed: bool,
    choice: Choice,
    brief: bool,
) -> LoadedRoom:
    """Read, check and replay a room. Arguments are those of `load_room`."""
    files = [file, *more_files]
    with opened_room(files, version, choice) as room, room_progress(files, room) as shown:
        tell_notes(room)
        entries = shown.entries
        last: Entry | None = None
        if added is not None:
            # The ID that the file gives is compared where the event is read.
            pdu = fit_entry(added, room.version).pdu
            last = Entry(Place(None, "", ADDED), None, pdu, source=NO_SOURCE)
            entries = chain(entries, (last,))
        checks: list[EventCheck] = []

        unsigned: list[tuple[Event, EventCheck]] = []

        def keep_check(entry: Entry, check: EventCheck) -> None:
            if entry is last:
                checks.append(check)
            if check.event is not None and any(one.kind in _UNSIGNED for one in check.findings):
                unsigned.append((check.event, check))

        name = display_name(file)
        all_keys = add_room_keys(keys, room.keys)
        beliefs = recorded_beliefs(room, name, as_recorded=as_recorded)
        found = checked_room(
            room,
            entries,
            files,
            keys=all_keys,
            beliefs=beliefs,
            as_recorded=as_recorded,
            algorithm=algorithm,
            unhashed=unhashed,
            choice=choice,
            on_check=keep_check,
            progress=shown.replay,
        )
    _tell_of_dropped(name, found.gathered, found.summary, None if unhashed else all_keys)
    tell_other_rooms(found.gathered)
    tell_contradictions(found.gathered, [file, *more_files], choice)
    if not unhashed and not brief:
        _tell_of_signatures(name, found.summary, all_keys)
    beliefs = beliefs and found.gathered.narrowed(beliefs)
    return LoadedRoom(
        file=name,
        found=found,
        added=checks[0] if checks else None,
        beliefs=beliefs,
        of_database=room.database != "",
        lacked=room.lacked,
        keys=None if unhashed else all_keys,
        unsigned=unsigned,
        recorded_in="" if beliefs is None else room.name,
    )


def checked_room(
    room: Room, entries: Iterable[Entry], files: Sequence[str], *, choice: Choice, **options: Any
) -> RoomCheck:
    """Check and replay a room that was opened.

    Args:
        room: the room.
        entries: its entries, and perhaps more.
        files: the names of its sources.
        choice: which room was asked for.
        options: those of `roomver.room_check.check_room`.

    Raises:
        InputError: naming the sources, if the room cannot be replayed or is another one.
    """
    try:
        with checkers() as executor:
            found = check_room(
                entries,
                room.version,
                origins=room.origins,
                room_id=room.wanted,
                executor=executor,
                **options,
            )
    except (InputError, MissingEvents, UnknownState):
        raise
    except RoomverError as error:
        raise InputError(joint_name(files[0], files[1:]), str(error)) from None
    check_is_room(display_name(files[0]), found, choice.room_id(room))
    return found


def tell_notes(room: Room) -> None:
    """Say on standard error what the reader did not read."""
    for note in room.notes:
        tell(printable(f"roomver: {note}"))


def recorded_beliefs(room: Room, name: str, *, as_recorded: bool) -> Beliefs | None:
    """Return what the source says that its server decided; None if it does not say.

    Raises:
        InputError: if the decisions are to be followed and the file does not have them.
    """
    beliefs = room.beliefs
    if beliefs is not None:
        beliefs = replace(beliefs, others=beliefs.others | {ADDED})
    if as_recorded and (beliefs is None or beliefs.rejected is None):
        reason = "there is no header that says"
        if beliefs is not None:
            reason = 'the header has no field "rejected", which says'
        raise InputError(name, f"{reason} which events were rejected, so --as-recorded has nothing to follow")
    return beliefs


@after_answer()
def load_events(
    file: str, version: RoomVersion | None, keys: KeyRing | None, more_files: Sequence[str] = ()
) -> tuple[Gathered, KeyRing | None]:
    """Read the events of a file and others, each checked by itself. Arguments are those of `load_room`.

    Returns:
        The events, and the keys joined with those in the files.

    Raises:
        InputError: if a file cannot be read as events, or none of them is usable.
    """
    with opened_room([file, *more_files], version, may_mix=True) as room:
        if any(part.database for part in room.parts):
            raise InputError(display_name(file), "a database is not one state: judge the event with --room")
        all_keys = add_room_keys(keys, room.keys)
        tell_notes(room)
        gathered = gather_events(
            room.entries,
            room.version,
            keys=all_keys,
            origins=room.origins,
            room_id=room.wanted,
        )
    name = display_name(file)
    summary, whole = Summary(), Summary()
    for check in gathered.checks.values():
        summary.add(check)
    for one in (gathered.summary, summary):
        whole.merge(one)
    _tell_of_dropped(name, gathered, whole, all_keys)
    tell_other_rooms(gathered)
    tell_contradictions(gathered, [file, *more_files], ANY_ROOM)
    _tell_of_signatures(name, summary, all_keys)
    return gathered, all_keys


def _tell_of_dropped(name: str, gathered: Gathered, summary: Summary, keys: KeyRing | None) -> None:
    for line in doubt_lines(summary, keys):
        tell(f"roomver: {name}: {line}")
    if not gathered.events:
        first = ""
        if gathered.first_dropped is not None:
            place, finding = gathered.first_dropped
            first = f" ({place}: {finding.reasons[0]})"
        raise InputError(name, f"it has no usable event{first}")
    if gathered.dropped:
        events = counted(gathered.dropped, "event is", "events are")
        tell(f"roomver: {name}: {events} left out: see `roomver check`")
        for event_id, finding in islice(gathered.left_out.items(), SHOWN):
            place = gathered.left_out_at[event_id]
            tell(printable(f"  {event_id}: {finding.reasons[0]} ({place})"))
        if len(gathered.left_out) > SHOWN:
            tell(f"  and {len(gathered.left_out) - SHOWN:,} more")


def _tell_of_signatures(name: str, summary: Summary, keys: KeyRing | None) -> None:
    for line in signature_notes(summary, keys):
        tell(OfAnswer(line if line.startswith(" ") else f"roomver: {name}: {line}"))
