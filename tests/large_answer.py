"""A response to /send_join of any size, and the memory that reading it takes.

    PYTHONPATH=src:tests python tests/large_answer.py answer.json 500   # a file of about 500 MB
    PYTHONPATH=src:tests python tests/large_answer.py answer.json       # measure its reading

The members have correct content hashes and made-up signatures, and their prev events are missing, as in the
state of a large room. The measuring process does nothing else.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha512
from pathlib import Path
from typing import Any

from builder import ALICE, Room
from unpaddedbase64 import encode_base64

from roomver.hashing import content_digest

_MEGABYTE = 10**6

PROGRAMS = ("drop", "keep", "check")


def _random_text(number: int, size: int) -> str:
    """Return the base64 of up to 64 bytes that look random, and are the same in every run."""
    return encode_base64(sha512(str(number).encode()).digest()[:size], urlsafe=size == 32)


def members(built: Room, size: int) -> Iterator[str]:
    """Yield join events of a room as JSON, of about this many bytes together."""
    auth = [built.state[key].event_id for key in (("m.room.create", ""), ("m.room.join_rules", ""))]
    auth.append(built.state["m.room.power_levels", ""].event_id)
    number = 0
    while size > 0:
        user = f"@user{number}:server{number % 997}.example"
        pdu: dict[str, Any] = {
            "auth_events": auth,
            "content": {
                "membership": "join",
                "displayname": f"User {number}",
                "avatar_url": f"mxc://x/{user}",
            },
            "depth": 10,
            "origin_server_ts": 1_700_000_000_000 + number,
            "prev_events": [f"${_random_text(number, 32)}"],
            "room_id": built.room_id,
            "sender": user,
            "state_key": user,
            "type": "m.room.member",
        }
        pdu["hashes"] = {"sha256": encode_base64(content_digest(pdu))}
        pdu["signatures"] = {user.partition(":")[2]: {"ed25519:1": _random_text(number, 64)}}
        pdu["unsigned"] = {"age": 1_000_000 + number}
        text = json.dumps(pdu)
        size -= len(text)
        number += 1
        yield text


def write(path: Path, size: int, *, lines: bool = False) -> None:
    """Write a response to /send_join, version 2, of about this many bytes; or its events as JSON Lines."""
    built = Room("11")
    built.join(ALICE)
    built.power({"users": {ALICE: 100}})
    built.join_rule("public")
    first = [json.dumps(event.pdu) for event in built.state.values()]
    join = json.dumps(built.make_member("@late:b.example", "join").pdu)
    with path.open("w", encoding="utf-8") as file:
        if lines:
            file.writelines(text + "\n" for text in (*first, *members(built, size), join))
            return
        file.write('{"origin": "a.example", "event": ' + join + ', "auth_chain": [' + ", ".join(first) + "]")
        file.write(', "state": [' + ", ".join(first))
        for text in members(built, size):
            file.write(", " + text)
        file.write('], "members_omitted": false}')


def measure(path: Path, program: str) -> int:
    """Return the peak of memory, in bytes, of a process that reads a file.

    Args:
        path: of the file.
        program: whether it is to ``drop`` its events, ``keep`` them, or ``check`` them as a room.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(path), program], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def _read(path: str, program: str) -> int:
    from roomver.gathering import gather_events  # noqa: PLC0415 - the process that writes does not need it
    from roomver.readers import read_room  # noqa: PLC0415
    from roomver.room_check import check_room  # noqa: PLC0415

    with open(path, "rb") as stream:
        room = read_room(stream, path)
        if program == "check":
            assert check_room(room.entries, room.version).ok is False  # the current state is unknown
        elif program == "keep":
            gathered = gather_events(room.entries, room.version, keys=None)
            assert not gathered.dropped
        else:
            assert sum(1 for _ in room.entries) > 0
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike ru_maxrss, this does not count the process that started this one.
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _main(file: str, what: str = "") -> None:
    if what in PROGRAMS:
        print(_read(file, what))
    elif what:
        write(Path(file), int(what) * _MEGABYTE)
    else:
        size = Path(file).stat().st_size
        for program in PROGRAMS:
            peak = measure(Path(file), program)
            print(f"{program}: {peak / _MEGABYTE:,.0f} MB for a file of {size / _MEGABYTE:,.0f} MB")


if __name__ == "__main__":
    _main(*sys.argv[1:])
