"""Leave the database of a made-up homeserver for the tests: `python vectors/recorder/database.py`.

It starts two Synapses on the loopback interface and plays scenario_database.py. It asks the first server what
it believes about each room, stops it, and writes its SQLite database, without accounts and devices, to
tests/data/homeserver.db.xz, and the answers to tests/data/homeserver.json. It needs requirements.txt and is
run by hand, not in CI.
"""

import argparse
import json
import lzma
import sqlite3
import sys
from contextlib import ExitStack
from importlib.metadata import version as installed_version
from pathlib import Path

from homeserver import SERVER_NAME, Homeserver, Json, http
from network import Gate
from probe import PATH
from remote import REMOTE_NAME, Remote
from scenario_database import (
    HERE_LOCALPARTS,
    THERE_LOCALPARTS,
    World,
    play_late,
    play_local,
    play_others,
    play_partial,
    play_purged,
)
from unpaddedbase64 import encode_base64

THERE_NAME = "far.example"
DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
LOCAL_VERSIONS = (1, 6, 10, 11, 12)
LATE_VERSIONS = (1, 10)
FINISHED_VERSION = 12
PARTIAL_VERSION = 11

# The tables whose rows are kept. All others keep their schema.
KEPT = frozenset([
    "applied_schema_deltas", "current_state_delta_stream", "current_state_events", "event_auth",
    "event_auth_chain_links", "event_auth_chain_to_calculate", "event_auth_chains",
    "event_backward_extremities", "event_edges", "event_failed_pull_attempts",
    "event_forward_extremities", "event_json", "event_push_summary_stream_ordering", "event_relations",
    "event_to_state_groups", "events", "federation_inbound_events_staging", "local_current_membership",
    "partial_state_events", "partial_state_rooms", "partial_state_rooms_servers", "redactions",
    "rejections", "room_alias_servers", "room_aliases", "room_depth", "room_memberships", "rooms",
    "schema_compat_version", "schema_version", "server_keys_json", "server_signature_keys",
    "state_events", "state_group_edges", "state_groups", "state_groups_pending_deletion",
    "state_groups_persisting", "state_groups_state", "stream_ordering_to_exterm", "stream_positions",
    "threads", "timeline_gaps", "un_partial_stated_event_stream", "un_partial_stated_room_stream",
])  # fmt: skip
# What event_json.internal_metadata says about the device that sent an event.
DEVICE_KEYS = ("device_id", "token_id", "txn_id", "delay_id")


def settings(gates: dict[str, Gate]) -> Json:
    """Return the settings by which the two servers reach each other and nothing else."""
    ports = {name: f"127.0.0.1:{gate.port}" for name, gate in gates.items()}
    return {
        "ip_range_whitelist": ["127.0.0.0/8"],
        "federation_verify_certificates": False,
        "federation": {"client_timeout": "90s", "max_short_retries": 0, "max_long_retries": 0},
        "modules": [{"module": "probe.Probe", "config": ports}],
    }


def play(world: World) -> None:
    """Play all rooms."""
    for number in LATE_VERSIONS:
        play_late(world, number)
    play_others(world)
    play_partial(world, FINISHED_VERSION, finish=True)
    play_partial(world, PARTIAL_VERSION, finish=False)
    play_purged(world)
    for number in LOCAL_VERSIONS:
        play_local(world, number)


def record(folder: Path) -> list[str]:
    """Play the rooms, write the two files, and return what did not go as the scenario expects."""
    with ExitStack() as stack:
        here = Homeserver()
        there = Homeserver(THERE_NAME, "a_far1")
        stack.callback(here.stop)
        stack.callback(there.stop)
        gate_here = stack.enter_context(Gate(here.base, here.dir))
        gate_there = stack.enter_context(Gate(there.base, there.dir))
        gate_there.signer = (SERVER_NAME, THERE_NAME, here.key)
        here.extra = there.extra = settings({SERVER_NAME: gate_here, THERE_NAME: gate_there})
        stack.enter_context(here)
        stack.enter_context(there)
        remote, remote_there = Remote(here), Remote(there)
        users = {name: here.register(name, admin=name == "alice") for name in HERE_LOCALPARTS}
        users |= {name: there.register(name) for name in THERE_LOCALPARTS}
        world = World(here, there, gate_here, gate_there, remote, remote_there, users)
        try:
            play(world)
        except BaseException:
            print(f"here:\n{here.log_tail(60)}\nthere:\n{there.log_tail()}", file=sys.stderr)
            raise
        document: Json = {
            "server": f"matrix-synapse {installed_version('matrix-synapse')}",
            "server_name": SERVER_NAME,
            "signing_key": f"{here.key.alg} {here.key.version} {encode_base64(here.key.encode())}",
            "key_answer": http("GET", f"{here.base}/_matrix/key/v2/server"),
            "keys": {
                SERVER_NAME: here.published_keys(),
                THERE_NAME: there.published_keys(),
                REMOTE_NAME: remote.published_keys(),
            },
            "rooms": facts(world),
        }
        here.stop_process()
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "homeserver.json").open("w", encoding="utf-8", newline="\n") as out:
            json.dump(document, out, ensure_ascii=False, indent=1)
            out.write("\n")
        clean(here.db_path)
        (folder / "homeserver.db.xz").write_bytes(lzma.compress(here.db_path.read_bytes(), preset=9))
        for room in document["rooms"].values():
            print(summary(room))
        return world.unexpected


def summary(room: Json) -> str:
    """Describe the facts of a room in one line."""
    keys = ("events", "outliers", "rejected", "soft_failed", "partial_state_events", "missing_prev_events")
    return f"{room['name']}: " + ", ".join(f"{len(room[key])} {key}" for key in keys)


def facts(world: World) -> Json:
    """Return what the server says about each room. States are numbered, as most are those of many events."""
    rooms: Json = http("GET", f"{world.here.base}{PATH}")
    for room_id, room in rooms.items():
        place = {event_id: number for number, event_id in enumerate(room["events"])}
        numbers: dict[tuple[int, ...], int] = {}
        room["state_after"] = {
            event_id: numbers.setdefault(tuple(sorted(place[e] for e in state)), len(numbers))
            for event_id, state in room.pop("states").items()
        }
        room["states"] = [" ".join(map(str, state)) for state in numbers]
        rooms[room_id] = {"name": world.names.get(room_id)} | room
    return rooms


def clean(path: Path) -> None:
    """Delete accounts, devices and whatever does not belong to the rooms from a stopped server's database."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if unknown := KEPT.difference(tables):
            raise SystemExit(f"Synapse has no such tables: {', '.join(sorted(unknown))}")
        searches = ("event_search_", "user_directory_search_", "sqlite_")  # SQLite's own
        for table in tables:
            if table not in KEPT and not table.startswith(searches):
                db.execute(f"DELETE FROM {table}")
        for event_id, stored in db.execute("SELECT event_id, internal_metadata FROM event_json").fetchall():
            metadata = {key: value for key, value in json.loads(stored).items() if key not in DEVICE_KEYS}
            db.execute(
                "UPDATE event_json SET internal_metadata = ? WHERE event_id = ?",
                (json.dumps(metadata, separators=(",", ":")), event_id),
            )
    db.close()
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("VACUUM")
    db.close()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] + ".")
    parser.add_argument("--out", type=Path, default=DATA, help="folder for the files (default: tests/data)")
    arguments = parser.parse_args()
    notes = record(arguments.out)
    for note in notes:
        print(f"not as expected: {note}", file=sys.stderr)
    return 1 if notes else 0


if __name__ == "__main__":
    raise SystemExit(main())
