"""How long does it take to parse an event, beside Synapse's `make_event_from_dict` on the same events?

Both parse dicts and both parse text, with and without computing the event ID. Times are seconds per event.
Synapse's parser is written in Rust and reads text, so it gets a dict by way of text.

How long does `Event.trusted` take, beside `parse_event`, for each type of event?
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import roomver

from . import synapse
from .measure import Contender, Goal, Row
from .run import Run
from .shapes import pdus

VERSION = "11"
OURS = "roomver"
THEIRS = "Synapse"
TRUSTED = "Event.trusted"
CHECKED = "parse_event"
TYPES = (
    "m.room.message",
    "m.room.member",
    "m.reaction",
    "m.room.redaction",
    "m.room.power_levels",
    "m.room.topic",
)

GOALS = [
    Goal("dicts", f"{THEIRS} / {OURS}", "x", at_least=1),
    Goal("dicts, event IDs asked", f"{THEIRS} / {OURS}", "x", at_least=1),
    *(Goal(f"trusted {kind}", f"{CHECKED} / {TRUSTED}", "x", at_least=5) for kind in TYPES),
]


def ask(run: Run) -> Iterator[Row]:
    """Parse the same events with each contender."""
    count = run.count(300_000)
    given = pdus(VERSION, count)
    texts = [json.dumps(pdu, ensure_ascii=False, separators=(",", ":")) for pdu in given]
    version = roomver.get_room_version(VERSION)

    def ours(pdu: Any) -> roomver.Event:
        return roomver.parse_event(pdu, version)

    theirs = synapse.parser(VERSION) if synapse.installed() else None
    theirs_text = (lambda text: theirs(json.loads(text))) if theirs is not None else None
    for subject, items, make, peer in (
        ("dicts", given, partial(roomver.parse_event, version=version), theirs),
        ("texts", texts, ours, theirs_text),
    ):
        for asked in (False, True):
            each = _parse_and_ask if asked else _parse
            contenders = [Contender(OURS, partial(each, items, make))]
            if peer is not None:
                contenders.append(Contender(THEIRS, partial(each, items, peer)))
            row = run.compare(
                f"{subject}, event IDs asked" if asked else subject,
                contenders,
                units=count,
                note=f"{count} events",
            )
            if peer is None:
                row.skipped[THEIRS] = synapse.HOW_TO_INSTALL
            yield row
    for kind in TYPES:
        # As a store has them: with their IDs.
        stored = [(pdu, roomver.compute_event_id(pdu, version)) for pdu in given if pdu["type"] == kind]
        stored = stored[: run.count(3_000)]
        yield run.compare(
            f"trusted {kind}",
            [
                Contender(TRUSTED, partial(_each_trusted, stored, version)),
                Contender(CHECKED, partial(_each_checked, stored, version)),
            ],
            units=max(1, len(stored)),
            note=f"{len(stored)} events",
        )


def _each_trusted(stored: Sequence[tuple[Any, str]], version: roomver.RoomVersion) -> int:
    for pdu, event_id in stored:
        roomver.Event.trusted(pdu, version, event_id)
    return len(stored)


def _each_checked(stored: Sequence[tuple[Any, str]], version: roomver.RoomVersion) -> int:
    for pdu, event_id in stored:
        roomver.parse_event(pdu, version, event_id=event_id)
    return len(stored)


def _parse(items: Sequence[Any], make: Callable[[Any], Any]) -> int:
    for item in items:
        make(item)
    return len(items)


def _parse_and_ask(items: Sequence[Any], make: Callable[[Any], Any]) -> int:
    # A hash over the IDs shows that they are the same, without storing them.
    seen = 0
    for item in items:
        seen ^= hash(make(item).event_id)
    return seen
