"""Record the suite's rooms from a real homeserver: `python vectors/recorder/record.py`.

It starts Synapse on the loopback interface and plays the scenario of scenario.py in one room of each room
version. Then it stops the server and writes each room, with the server's verdicts on it, to
vectors/rooms/v<version>.jsonl. It needs requirements.txt and is run by hand, not in CI.
"""

import argparse
import json
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from homeserver import SERVER_NAME, Homeserver, Json
from remote import REMOTE_NAME, Remote
from scenario import play
from scene import LOCALPARTS, Scene
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.events import make_event_from_dict

FORMAT = "roomver-room/1"
VERSIONS = [str(number) for number in range(1, 13)]
ROOMS = Path(__file__).resolve().parent.parent / "rooms"


def line(document: Json) -> str:
    """Return a document as a line of a recording."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def ids(server: Homeserver, sql: str, room_id: str) -> list[str]:
    """Return the event IDs that a query finds for a room, sorted."""
    return sorted(row[0] for row in server.query(sql, room_id))


def redacted_by(scene: Scene) -> dict[str, list[str]]:
    """Return the redactions that the server applies, by the redacted event. The server must be running."""
    rows = scene.server.query(
        "SELECT DISTINCT r.redacts FROM redactions r JOIN events e ON e.event_id = r.event_id"
        " JOIN events t ON t.event_id = r.redacts WHERE e.room_id = ?",
        scene.room_id,
    )
    found = {}
    for (target,) in sorted(rows):
        redaction = scene.alice.redacted_by(scene.room_id, target)
        if redaction is not None:
            found[target] = [redaction]
    return found


def events(server: Homeserver, room_id: str, version: str) -> list[Json]:
    """Return all events of a room, in the server's order and in the form that federation uses."""
    rows = server.query(
        "SELECT j.event_id, j.json FROM event_json j JOIN events e ON e.event_id = j.event_id"
        " WHERE e.room_id = ? ORDER BY e.stream_ordering",
        room_id,
    )
    found = []
    for event_id, stored in rows:
        pdu = make_event_from_dict(json.loads(stored), KNOWN_ROOM_VERSIONS[version]).get_pdu_json()
        found.append({"event_id": event_id, "pdu": pdu})
    return found


def recording(server: Homeserver, scene: Scene, keys: Json, redactions: Json) -> list[Json]:
    """Return the documents of a room's file, the header first."""
    room_id, version = scene.room_id, str(scene.number)
    of_room = "WHERE e.room_id = ?"
    header = {
        "format": FORMAT,
        "room_version": version,
        "room_id": room_id,
        "server": f"matrix-synapse {installed_version('matrix-synapse')}",
        "keys": keys,
        "forward_extremities": ids(
            server, "SELECT event_id FROM event_forward_extremities WHERE room_id = ?", room_id
        ),
        "state": ids(server, "SELECT event_id FROM current_state_events WHERE room_id = ?", room_id),
        "rejected": ids(
            server,
            f"SELECT r.event_id FROM rejections r JOIN events e ON e.event_id = r.event_id {of_room}",
            room_id,
        ),
        "soft_failed": ids(
            server,
            "SELECT j.event_id FROM event_json j JOIN events e ON e.event_id = j.event_id"
            f" {of_room} AND instr(j.internal_metadata, '\"soft_failed\":true')",
            room_id,
        ),
        "redacted_by": redactions,
    }
    return [header, *events(server, room_id, version)]


def record(versions: list[str], out: Path) -> list[str]:
    """Play and write the rooms, and return what did not go as the scenario expects."""
    recordings: dict[str, list[Json]] = {}
    notes: list[str] = []
    with Homeserver() as server:
        users = {name: server.register(name) for name in LOCALPARTS}
        remote = Remote(server)
        keys = {SERVER_NAME: server.published_keys(), REMOTE_NAME: remote.published_keys()}
        for version in versions:
            scene = Scene(server, users, remote, int(version))
            play(scene)
            documents = recordings[version] = recording(server, scene, keys, redacted_by(scene))
            for refusal in scene.refused:
                print(f"refused by the server: {refusal}")
            notes += scene.far.unexpected
            print(f"v{version}: {summary(documents)}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    for version, documents in recordings.items():
        (out / f"v{version}.jsonl").write_text("".join(map(line, documents)), encoding="utf-8", newline="\n")
    return notes


def summary(documents: list[Json]) -> str:
    """Describe a recording in one line."""
    header: dict[str, Any] = documents[0]
    counts = (f"{len(header[key])} {key}" for key in ("rejected", "soft_failed", "state", "redacted_by"))
    return (
        f"{len(documents) - 1} events, {', '.join(counts)}, {len(header['forward_extremities'])} extremities"
    )


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] + ".")
    parser.add_argument("versions", nargs="*", help="room versions to record (default: 1 to 12)")
    parser.add_argument(
        "--out", type=Path, default=ROOMS, help="folder for the recordings (default: vectors/rooms)"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.versions) - set(VERSIONS):
        parser.error(f"no such room version: {', '.join(sorted(unknown))}")
    notes = record(arguments.versions or VERSIONS, arguments.out)
    for note in notes:
        print(f"not as expected: {note}", file=sys.stderr)
    return 1 if notes else 0


if __name__ == "__main__":
    raise SystemExit(main())
