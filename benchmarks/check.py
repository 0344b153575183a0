"""How many events per second are checked for format, ID, content hash and one signature, from text, and how
much of the time is libsodium's verification, SHA-256, JSON parsing and canonical bytes, measured alone?

*Whole / parts* shows what the library adds to the work that no implementation can avoid.
"""

import json
from collections.abc import Iterator
from functools import partial

import roomver
from roomver.canonical import load_json
from roomver.check import check_events

from . import synapse
from .measure import Contender, Goal, Row
from .run import Run
from .signed import (
    CANONICAL,
    KEY_ID,
    PARTS,
    VERSION,
    Keys,
    Signed,
    each,
    fast_parts,
    signed_events,
    without_orjson,
)

WHOLE = "roomver"
THEIRS = "Synapse"

GOALS = [Goal(subject, "whole / parts", "x", at_most=1.3) for subject in ("checked events", "with orjson")]


def ask(run: Run) -> Iterator[Row]:
    """Measure whole checks and the parts alone, in turns."""
    count = run.count(20_000)
    version = roomver.get_room_version(VERSION)
    events, keys = signed_events(count)

    ring = roomver.KeyRing.of(keys)

    def whole() -> int:
        pdus = ((load_json(event.text.encode()), event.event_id) for event in events)
        return sum(check.ok for check in check_events(pdus, version, keys=ring))

    def plain() -> int:
        with without_orjson():
            return whole()

    contenders: list[Contender[int]] = [Contender(WHOLE, plain)]
    contenders += [Contender(name, partial(each, events, part)) for name, part in PARTS.items()]
    if synapse.installed():
        contenders.append(Contender(THEIRS, partial(_by_synapse, events, keys)))
    row = run.compare(
        "checked events",
        contenders,
        units=count,
        note=f"{count} events with one signature each; seconds per event",
    )
    if not synapse.installed():
        row.skipped[THEIRS] = synapse.HOW_TO_INSTALL
    row.figures["events per second"] = 1 / row.times[WHOLE].median
    beside_parts(row, WHOLE)
    yield row
    if (parts := fast_parts()) is None:
        return
    contenders = [Contender(WHOLE, whole)]
    contenders += [Contender(name, partial(each, events, part)) for name, part in parts.items()]
    row = run.compare("with orjson", contenders, units=count, note="the same, with orjson on both sides")
    row.figures["events per second"] = 1 / row.times[WHOLE].median
    beside_parts(row, WHOLE)
    yield row


def beside_parts(row: Row, whole: str) -> None:
    """Add the ratios of the whole to the sum of its parts to the figures of a row."""
    alone = {name: row.times[name].median for name in PARTS}
    seconds, parts = row.times[whole].median, sum(alone.values())
    row.figures["whole / parts"] = seconds / parts
    row.figures["whole / parts without canonical bytes"] = seconds / (parts - alone[CANONICAL])


def _by_synapse(events: list[Signed], keys: Keys) -> int:
    """Run the same checks with Synapse's own functions, as its federation code calls them."""
    from signedjson.key import decode_verify_key_bytes  # noqa: PLC0415 - only for the peer
    from signedjson.sign import verify_signed_json  # noqa: PLC0415

    make = synapse.parser(VERSION)
    check_hash = synapse.module("crypto.event_signing").check_event_content_hash
    prune = synapse.module("events.utils").prune_event
    ready = {server: decode_verify_key_bytes(KEY_ID, by_id[KEY_ID].key) for server, by_id in keys.items()}
    good = 0
    for event in events:
        parsed = make(json.loads(event.text))
        server = parsed.sender.partition(":")[2]
        verify_signed_json(prune(parsed).get_pdu_json(), server, ready[server])
        good += parsed.event_id == event.event_id and check_hash(parsed)
    return good
