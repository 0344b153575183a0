"""What is mutated: PDUs, rooms, keys and vectors of this repository, and files in every form."""

import bz2
import gzip
import json
import lzma
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from builder import VERSIONS, public_key
from forms import FORMS, pairs, small_room
from random_forks import hostile_fork, likely_fork
from server_answers import answers, text_of

VECTORS = Path(__file__).parents[2] / "vectors"
KEYS = {server: {"ed25519:1": {"key": public_key(server)}} for server in ("a.example", "b.example")}


@cache
def recorded(version: str) -> tuple[Any, list[Any]]:
    """Return the header of a recorded room, and its lines, each with an event ID and a PDU."""
    header, *entries = (VECTORS / "rooms" / f"v{version}.jsonl").read_bytes().splitlines()
    return json.loads(header), [json.loads(entry) for entry in entries]


@cache
def small(version: str) -> Sequence[tuple[str, Any]]:
    """Return the event IDs and PDUs of a small room."""
    return pairs(small_room(version))


@cache
def pdus(version: str) -> Sequence[Any]:
    """Return PDUs of a room version."""
    return [entry["pdu"] for entry in recorded(version)[1]] + [pdu for _, pdu in small(version)]


@cache
def vector_files() -> Sequence[Path]:
    """Return the files of the suite that are not too large to be read for a case."""
    found = sorted(VECTORS.glob("*/*.json"))
    return [path for path in found if path.parent.name in ("base", "disputed", "resolution")]


@cache
def cases(path: Path) -> Sequence[Any]:
    """Return the cases of a vector file."""
    read: list[Any] = json.loads(path.read_bytes())["cases"]
    return read


def resolutions() -> Sequence[Any]:
    """Return cases of state resolution."""
    return cases(VECTORS / "resolution" / "classics.json")


def some_cases(rng: Random, number: int) -> list[Any]:
    """Draw a few cases of one file."""
    listed = cases(rng.choice(vector_files()))
    return [rng.choice(listed) for _ in range(number)]


@cache
def files_of_a_room(version: str) -> dict[str, bytes]:
    """Return a small room in every form of a file that a reader knows."""
    room = [*small(version)]
    found = {name: form(room).encode() for name, form in FORMS.items()}
    all_pdus = [pdu for _, pdu in room]
    answer = {
        "state": all_pdus[:-1],
        "auth_chain": all_pdus[:3],
        "event": all_pdus[-1],
        "origin": "a.example",
    }
    state_ids = {"pdu_ids": [event_id for event_id, _ in room[:-1]], "auth_chain_ids": []}
    header = {"format": "roomver-room/1", "room_version": version, "keys": KEYS}
    documents: dict[str, Any] = {
        "send_join": answer,
        "send_join, members omitted": {**answer, "members_omitted": True, "servers_in_room": ["a.example"]},
        "send_join, version 1": [200, answer],
        "state": {"pdus": all_pdus[:-1], "auth_chain": all_pdus[:3]},
        "state_ids": state_ids,
        "event_auth": {"auth_chain": all_pdus},
        "one event": all_pdus[-1],
        "keys": KEYS,
        "server keys": {"server_keys": [{"server_name": "a.example", "verify_keys": KEYS["a.example"]}]},
        "IDs": state_ids["pdu_ids"],
        "client events": {"chunk": [{"type": "m.room.message", "event_id": "$a", "content": {}}]},
    }
    found |= {name: json.dumps(value).encode() for name, value in documents.items()}
    lines = [header, *({"event_id": event_id, "pdu": pdu} for event_id, pdu in room)]
    found["recording"] = "".join(json.dumps(line) + "\n" for line in lines).encode()
    believed = {"state": state_ids["pdu_ids"], "rejected": [], "soft_failed": [room[-1][0]]}
    found["recording with decisions"] = "".join(
        json.dumps(line) + "\n" for line in [{**header, **believed}, *lines[1:]]
    ).encode()
    found["lines of IDs"] = "".join(f"{event_id}\n" for event_id, _ in room).encode()
    found |= {name: text_of(value) for name, (value, _, _) in answers(version).items()}
    for name, pack in (("gzip", gzip.compress), ("xz", lzma.compress), ("bzip2", bz2.compress)):
        found[f"packed with {name}"] = pack(found["recording"])
    return found


def file_of_a_room(rng: Random) -> tuple[str, bytes]:
    """Draw a room version, and a file with a room of it, in any form."""
    version = rng.choice(VERSIONS)
    files = files_of_a_room(version)
    return version, files[rng.choice(sorted(files))]


def other_file(rng: Random) -> bytes:
    """Draw a file to splice in: another form, of another version."""
    return file_of_a_room(rng)[1]


def vector_file(rng: Random) -> bytes:
    """Draw a small vector document."""
    document = {"format": "roomver-vectors/1", "title": "fuzz", "cases": some_cases(rng, rng.choice([1, 2]))}
    return json.dumps(document).encode()


def results_file(rng: Random) -> bytes:
    """Draw the results of a run."""
    listed = [
        {
            **{key: case[key] for key in ("name", "operation", "room_version")},
            "outcome": rng.choice(["passed", "failed", "unsupported"]),
            "expected": case["expected"],
            "got": {"a": 1},
            "reason": "because",
        }
        for case in some_cases(rng, 3)
    ]
    return json.dumps({"format": "roomver-results/1", "implementation": "x", "cases": listed}).encode()


@cache
def fork(seed: int, version: str, length: int, *, hostile: bool) -> Any:
    """Return the random room of this seed, with states of it to resolve."""
    rng = Random(f"{seed}/{version}")
    return hostile_fork(rng, version, length) if hostile else likely_fork(rng, version, length)
