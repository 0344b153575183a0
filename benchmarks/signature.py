"""How long does the check of an event's signatures take, beside libsodium's verification of the same bytes
alone, and beside Synapse's check?

Events and keys are already parsed, with one signature per event. The time beyond libsodium's goes into
redaction, canonical JSON and finding the required signatures.
"""

import json
from collections.abc import Iterator
from functools import partial

import roomver

from . import synapse
from .measure import Contender, Goal, Row
from .run import Run
from .signed import KEY_ID, PARTS, VERIFY, VERSION, each, signed_events

OURS = "roomver"
THEIRS = "Synapse"

GOALS: list[Goal] = []


def ask(run: Run) -> Iterator[Row]:
    """Verify the same signatures with each contender."""
    count = run.count(20_000)
    version = roomver.get_room_version(VERSION)
    events, keys = signed_events(count)
    parsed = [json.loads(event.text) for event in events]

    ring = roomver.KeyRing.of(keys)

    def ours() -> int:
        return sum(roomver.verify_signatures(pdu, ring, version).valid for pdu in parsed)

    contenders = [Contender(OURS, ours), Contender(VERIFY, partial(each, events, PARTS[VERIFY]))]
    if synapse.installed():
        from signedjson.key import decode_verify_key_bytes  # noqa: PLC0415 - only for the peer
        from signedjson.sign import verify_signed_json  # noqa: PLC0415

        prune = synapse.module("events.utils").prune_event
        made = list(map(synapse.parser(VERSION), parsed))
        ready = {server: decode_verify_key_bytes(KEY_ID, by_id[KEY_ID].key) for server, by_id in keys.items()}

        def theirs() -> int:
            for event in made:
                server = event.sender.partition(":")[2]
                # Raises if the signature is invalid.
                verify_signed_json(prune(event).get_pdu_json(), server, ready[server])
            return len(made)

        contenders.append(Contender(THEIRS, theirs))
    row = run.compare("signatures", contenders, units=count, note=f"{count} events; seconds per event")
    if not synapse.installed():
        row.skipped[THEIRS] = synapse.HOW_TO_INSTALL
    yield row
