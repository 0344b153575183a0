"""How long do canonical JSON, a content hash and an event ID take, beside the `canonicaljson` package and
Synapse's functions?

Each contender gets the same events as dicts. If a function of Synapse needs parsed events, they are parsed
before the clock starts.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from canonicaljson import encode_canonical_json
from unpaddedbase64 import encode_base64

import roomver
from roomver.hashing import compute_content_hash

from . import synapse
from .measure import Contender, Goal, Row
from .run import Run
from .shapes import pdus

VERSION = "11"
OURS = "roomver"
PACKAGE = "canonicaljson"
THEIRS = "Synapse"

GOALS: list[Goal] = []

Function = Callable[[Any], Any]


def ask(run: Run) -> Iterator[Row]:
    """Encode and hash the same events with each contender."""
    given = pdus(VERSION, run.count(50_000))
    version = roomver.get_room_version(VERSION)
    yield _row(
        run, "canonical JSON", given, roomver.encode_canonical, {PACKAGE: (encode_canonical_json, given)}
    )
    hashes: dict[str, tuple[Function, Sequence[Any]]] = {}
    ids: dict[str, tuple[Function, Sequence[Any]]] = {}
    if synapse.installed():
        signing = synapse.module("crypto.event_signing")
        make = synapse.parser(VERSION)
        hashes[THEIRS] = lambda pdu: encode_base64(signing.compute_content_hash(pdu, sha256)[1]), given
        reference = signing.compute_event_reference_hash
        ids[THEIRS] = (
            lambda event: "$" + encode_base64(reference(event)[1], urlsafe=True),
            list(map(make, given)),
        )
    for subject, ours, theirs in (
        ("content hashes", partial(compute_content_hash, version=version), hashes),
        ("event IDs", partial(roomver.compute_event_id, version=version), ids),
    ):
        row = _row(run, subject, given, ours, theirs)
        if not theirs:
            row.skipped[THEIRS] = synapse.HOW_TO_INSTALL
        yield row


def _row(
    run: Run,
    subject: str,
    given: Sequence[Any],
    ours: Function,
    others: dict[str, tuple[Function, Sequence[Any]]],
) -> Row:
    contenders = [Contender(OURS, partial(_all, ours, given))]
    contenders += [Contender(name, partial(_all, *other)) for name, other in others.items()]
    note = f"{len(given)} events; seconds per event"
    return run.compare(subject, contenders, units=len(given), note=note)


def _all(function: Function, items: Sequence[Any]) -> int:
    # A hash over the results shows that they are the same, without storing them.
    seen = 0
    for item in items:
        seen ^= hash(function(item))
    return seen
