"""How long does `roomver check` take as a process, from a file of signed events to its output, beside
libsodium's verification, SHA-256, JSON parsing and canonical bytes, measured alone?

The time includes the start of Python and the imports. The parts run in this process, without either. Each
event is checked by itself (`--alone`), with its signatures.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from unpaddedbase64 import encode_base64

from .check import beside_parts
from .measure import Contender, Goal, Row
from .run import ROOT, Run
from .signed import PARTS, VERSION, Keys, Signed, each, signed_events

WHOLE = "roomver check"

GOALS = [Goal("file of events", "whole / parts without canonical bytes", "x", at_most=1.3)]


def ask(run: Run) -> Iterator[Row]:
    """Measure the check of a file and the parts alone, in turns."""
    count = run.count(20_000)
    events, keys = signed_events(count)
    file = run.folder / f"signed-{count}.jsonl"
    run.folder.mkdir(parents=True, exist_ok=True)
    _write(file, events, keys)
    contenders = [Contender(WHOLE, partial(_check, file))]
    contenders += [Contender(name, partial(each, events, part)) for name, part in PARTS.items()]
    row = run.compare(
        "file of events",
        contenders,
        units=count,
        # The CPU time of this process does not include other processes.
        clock="wall",
        note=f"{count} events with one signature each; seconds per event",
    )
    row.figures["events per second"] = 1 / row.times[WHOLE].median
    beside_parts(row, WHOLE)
    yield row


def _write(file: Path, events: Sequence[Signed], keys: Keys) -> None:
    header = {
        "format": "roomver-room/1",
        "room_version": VERSION,
        "keys": {
            server: {key_id: {"key": encode_base64(key.key)} for key_id, key in by_id.items()}
            for server, by_id in keys.items()
        },
    }
    with file.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(header) + "\n")
        for event in events:
            stream.write(f'{{"event_id":"{event.event_id}","pdu":{event.text}}}\n')


def _check(file: Path) -> int:
    """Return the number of events with valid signatures."""
    command = [sys.executable, "-m", "roomver", "check", "--alone", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    good: int = json.loads(done.stdout)["files"][0]["summary"]["signatures"]["valid"]
    return good
