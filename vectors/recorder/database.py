"""Leave the databases of a made-up homeserver for the tests: `python vectors/recorder/database.py`.

It starts two Synapses on the loopback interface and plays scenario_database.py. It asks the first server what
it believes about each room, stops it, and writes its database, without accounts and devices, to tests/data,
and the answers to a file of JSON beside it. This takes about half a minute for each KIND of database:

    sqlite          homeserver.db.xz and homeserver.json
    sqlite-apart    the state groups in a database of their own: homeserver-sqlite-apart.db.xz,
                    homeserver-sqlite-apart-state.db.xz and homeserver-sqlite-apart.json
    postgres        a dump by pg_dump: homeserver-postgres.sql.xz and homeserver-postgres.json
    postgres-apart  as sqlite-apart, in PostgreSQL. The tests make it anew and keep no files of it.

It needs requirements.txt, and PostgreSQL's programs for the last two; it starts a private server of its own.
Room and event IDs are new on each run: docs/sources.md names some of those in homeserver.db.
"""

import argparse
import json
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
    play_odd,
    play_others,
    play_partial,
    play_purged,
)
from stores import Store, made
from unpaddedbase64 import encode_base64

THERE_NAME = "far.example"
DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
# SQLite and PostgreSQL, each with the state groups in the same database or apart in another.
KINDS = ("sqlite", "sqlite-apart", "postgres", "postgres-apart")
COMMITTED = KINDS[:3]
LOCAL_VERSIONS = (1, 6, 10, 11, 12)
ODD_VERSIONS = (5, 11)
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
    for number in ODD_VERSIONS:
        play_odd(world, number)


def record(kind: str, folder: Path) -> list[str]:
    """Play the rooms, write the files of a kind, and return what did not go as the scenario expects."""
    with ExitStack() as stack:
        here = Homeserver()
        there = Homeserver(THERE_NAME, "a_far1")
        stack.callback(here.stop)
        stack.callback(there.stop)
        here.stores = stack.enter_context(made(kind, here.dir))
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
        stem = "homeserver" if kind == "sqlite" else f"homeserver-{kind}"
        with (folder / f"{stem}.json").open("w", encoding="utf-8", newline="\n") as out:
            json.dump(document, out, ensure_ascii=False, indent=1)
            out.write("\n")
        clean(here.stores)
        for store, part in zip(here.stores, ("", "-state"), strict=False):
            (folder / f"{stem}{part}{store.suffix}").write_bytes(store.pack())
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


def clean(stores: list[Store]) -> None:
    """Delete accounts, devices and whatever does not belong to the rooms. The server is stopped."""
    tables = [store.tables() for store in stores]
    if unknown := KEPT.difference(*tables):
        raise SystemExit(f"Synapse has no such tables: {', '.join(sorted(unknown))}")
    for store, names in zip(stores, tables, strict=True):
        store.empty([name for name in names if name not in KEPT])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)} (default: {', '.join(COMMITTED)})"
    )
    parser.add_argument("--out", type=Path, default=DATA, help="folder for the files (default: tests/data)")
    arguments = parser.parse_args()
    if unknown := set(arguments.kinds).difference(KINDS):
        parser.error(f"unknown kind: {', '.join(sorted(unknown))}")
    notes = [
        f"{kind}: {note}" for kind in arguments.kinds or COMMITTED for note in record(kind, arguments.out)
    ]
    for note in notes:
        print(f"not as expected: {note}", file=sys.stderr)
    return 1 if notes else 0


if __name__ == "__main__":
    raise SystemExit(main())
