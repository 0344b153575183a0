"""Target: files, in every form that a reader knows."""

import io
from random import Random
from typing import Any

from builder import VERSIONS

from roomver import RoomverError, check_room, get_room_version
from roomver.canonical import parse_json
from roomver.readers import InputError, read_event, read_keys, read_room, read_state_ids, rooms_in
from roomver.readers.suite import _read_cases
from roomver.suite.document import run_case

from . import corpus
from .mutations import mutated, mutated_bytes, mutated_lines
from .promises import answer, in_case, promised, version_in
from .specs import of_bytes


def draw_file(rng: Random) -> Any:
    """Draw a file of any form, spoiled."""
    version, data = corpus.file_of_a_room(rng)
    if rng.random() < 0.1:
        data = corpus.vector_file(rng)
    file = of_bytes(data)
    if rng.random() < 0.5:
        file = mutated_bytes(rng, data, [corpus.other_file(rng)])
    elif rng.random() < 0.9:
        file = mutated_lines(rng, data)
    if rng.random() < 0.15:
        value = answer(lambda: parse_json(data, strict=False))
        if not isinstance(value, RoomverError):
            file = {"$json": mutated(rng, value)}
    return {"version": rng.choice([version, version, None, rng.choice(VERSIONS)]), "file": file}


def run_file(case: Any) -> None:
    """Read a file with every reader, and check what is read as a room."""
    version = None if case.get("version") is None else get_room_version(version_in(case))
    data = in_case(case, "file", bytes)

    def read() -> Any:
        room = read_room(io.BytesIO(data), "fuzz", version)
        entries = list(room.entries)
        for entry in entries:
            str(entry.place)
        return room.version, entries

    found = answer(read)
    for one in (
        found,
        answer(lambda: read_event(io.BytesIO(data), "fuzz", version)),
        answer(lambda: read_event(io.BytesIO(data), "fuzz", version, draft=True)),
        answer(lambda: read_state_ids(io.BytesIO(data), "fuzz")),
        answer(lambda: rooms_in([(io.BytesIO(data), "fuzz")])),
        answer(lambda: list(read_room(io.BytesIO(data), "fuzz", version, "!room:a.example").entries)),
        answer(lambda: read_keys(data, "fuzz")),
    ):
        promised(isinstance(one, InputError) or not isinstance(one, RoomverError), "a reader names the input")
    vectors = answer(lambda: _read_cases("fuzz", data, required=True))
    if not isinstance(vectors, RoomverError):
        for vector in vectors:
            promised(not run_case(vector).reason.startswith("raised"), "an operation raises only its errors")
    if not isinstance(found, RoomverError):
        again = answer(read)
        promised(
            not isinstance(again, RoomverError) and len(again[1]) == len(found[1]), "reading is repeatable"
        )
        taken = answer(lambda: check_room(found[1], found[0], unhashed=True))
        if not isinstance(taken, RoomverError):
            read_once = taken.summary.events + taken.gathered.repeated
            promised(read_once == len(found[1]), "each entry is taken once, or repeats an event")
        checked = answer(lambda: check_room(found[1], found[0]))
        if not isinstance(checked, RoomverError):
            read_once = checked.summary.events + checked.gathered.repeated
            promised(read_once == len(found[1]), "each entry is counted once, or repeats an event")
