"""Leave a server's answers for the tests of the readers: `python vectors/recorder/answers.py`.

It starts Synapse on the loopback interface, with a made-up second server behind a gate, and asks it for all
that people have files of: over federation, over the client-server API, and over the admin API. It writes the
answers, and the requests that the server sent, to tests/data/answers.json. It needs requirements.txt and is
run by hand, not in CI.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from database import settings
from homeserver import Homeserver, HttpError, Json, User, quote
from network import Gate
from record import events
from remote import REMOTE_NAME, Draft, Remote, RemoteRoom
from scenario_database import wait_for

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
# Of room version 12 only the answers that may differ are kept.
VERSIONS = ("11", "12")
DIFFER = (
    "make_join",
    "send_join, version 2",
    "sync, federation format",
    "admin fetch_event",
    "send_knock",
    "invite",
)
YAN, ZOE, WES, XAN, VAL = (f"@{name}:{REMOTE_NAME}" for name in ("yan", "zoe", "wes", "xan", "val"))


class Catcher(Gate):
    """A gate with no server behind it: it keeps what it is sent.

    Attributes:
        sent: the bodies of requests, by the name of the endpoint.
        open: while it is clear, transactions wait for their answer.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("", folder)
        self.sent: dict[str, list[Json]] = {"send": [], "invite": []}
        self.open = threading.Event()
        self.open.set()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Keep a request, and return the status and body of the answer to it."""
        endpoint = urlsplit(path).path.split("/")[4]
        self.sent.setdefault(endpoint, []).append(json.loads(body) if body else {})
        if endpoint != "send":
            return 404, b'{"errcode": "M_NOT_FOUND", "error": "The gate has nothing"}'
        self.open.wait()
        return 200, b'{"pdus": {}}'


class Recording:
    """The answers of one server about its rooms.

    Attributes:
        answers: by room version and name, each with the request and the body of the answer. If the server
            sent the request, the body is that of the request.
        unexpected: what did not go as expected.
    """

    def __init__(self, server: Homeserver, catcher: Catcher, remote: Remote, alice: User) -> None:
        self.answers: Json = {}
        self.unexpected: list[str] = []
        self._server = server
        self._catcher = catcher
        self._remote = remote
        self._alice = alice

    def play(self, version: str) -> str:
        """Play a room, keep the answers about it, and return its ID."""
        alice, remote = self._alice, self._remote
        room_id: str = alice.call(
            "POST",
            "/createRoom",
            {"preset": "public_chat", "room_version": version, "name": "Made-up room"},
        )["room_id"]
        room = RemoteRoom(remote, self._server, room_id, version)
        self._version = version
        self._join(room, YAN, "v2", "send_join, version 2")
        self._join(room, ZOE, "v1", "send_join, version 1")
        self._join(room, WES, "v2", "send_join, omitting members", "?omit_members=true")
        levels = alice.get_state(room_id, "m.room.power_levels")
        levels["users"] |= {YAN: 50, ZOE: 50}
        alice.state(room_id, "m.room.power_levels", levels)
        first = alice.say(room_id, 'One | two, "three"\n\\ four é')
        for sender in (YAN, ZOE):
            room.send(Draft(sender, "m.room.topic", {"topic": sender}, ""), [first])
        rejected = room.send(Draft(WES, "m.room.topic", {"topic": "No"}, ""), [first], expect="rejected")
        self._rejected(rejected)
        last = alice.say(room_id, "Merge")
        self._federation(room_id, first, last)
        self._client(room_id, first)
        self._knock(room)
        self._sent(room_id)
        self.unexpected += room.unexpected
        return room_id

    def _keep(self, name: str, method: str, path: str, body: Any) -> None:
        if self._version == "11" or name in DIFFER:
            self.answers[f"v{self._version} {name}"] = {"request": f"{method} {path}", "body": body}

    def _ask(self, name: str, path: str) -> Json:
        answer = self._remote.call("GET", path)
        self._keep(name, "GET", f"/_matrix/federation{path}", answer)
        return answer

    def _join(self, room: RemoteRoom, user_id: str, api: str, name: str, query: str = "") -> None:
        where = f"{quote(room.room_id)}/{quote(user_id)}"
        path = f"/v1/make_join/{where}?ver={room.version.identifier}"
        template = self._remote.call("GET", path)
        if name == "send_join, version 2":
            self._keep("make_join", "GET", f"/_matrix/federation{path}", template)
        event_id, pdu = self._remote.sign(room, template["event"])
        path = f"/{api}/send_join/{quote(room.room_id)}/{quote(event_id)}{query}"
        self._keep(name, "PUT", f"/_matrix/federation{path}", self._remote.call("PUT", path, pdu))

    def _federation(self, room_id: str, first: str, last: str) -> None:
        at = f"{quote(room_id)}?event_id={quote(last)}"
        self._ask("event", f"/v1/event/{quote(first)}")
        self._ask("state", f"/v1/state/{at}")
        self._ask("state_ids", f"/v1/state_ids/{at}")
        self._ask("event_auth", f"/v1/event_auth/{quote(room_id)}/{quote(first)}")
        self._ask("backfill", f"/v1/backfill/{quote(room_id)}?v={quote(last)}&limit=5")
        path = f"/v1/get_missing_events/{quote(room_id)}"
        wanted = {"earliest_events": [first], "latest_events": [last], "limit": 10, "min_depth": 0}
        self._keep(
            "get_missing_events",
            "POST",
            f"/_matrix/federation{path}",
            self._remote.call("POST", path, wanted),
        )
        try:
            self._remote.call("GET", "/v1/event/" + quote("$" + "a" * 43))
        except HttpError as error:
            # It is a string, not an object.
            self._keep("event, unknown", "GET", "/_matrix/federation/v1/event/$aaa…", error.body["error"])
        try:
            self._remote.call("GET", f"/v1/state/{quote('!unknown:hs.example')}?event_id={quote(last)}")
        except HttpError as error:
            self._keep("state, unknown room", "GET", "/_matrix/federation/v1/state/!unknown…", error.body)

    def _rejected(self, event_id: str) -> None:
        """Ask for a rejected event: federation has it, and the admin API does not."""
        self._ask("event, rejected", f"/v1/event/{quote(event_id)}")
        path = f"/_synapse/admin/v1/fetch_event/{quote(event_id)}"
        try:
            self._alice.admin("GET", path)
        except HttpError as error:
            self._keep("admin fetch_event, rejected", "GET", path, error.body)

    def _client(self, room_id: str, event_id: str) -> None:
        room, event = quote(room_id), quote(event_id)
        wanted = {"event_format": "federation", "room": {"rooms": [room_id], "timeline": {"limit": 4}}}
        plain = {"account_data": {"types": []}, "room": {"rooms": [room_id], "timeline": {"limit": 4}}}
        for name, path in {
            "sync, federation format": f"/sync?{urlencode({'filter': json.dumps(wanted)})}",
            "sync, client format": f"/sync?{urlencode({'filter': json.dumps(plain)})}",
            "messages": f"/rooms/{room}/messages?dir=b&limit=3",
            "context": f"/rooms/{room}/context/{event}?limit=2",
            "room event": f"/rooms/{room}/event/{event}",
            "room state": f"/rooms/{room}/state",
            "members": f"/rooms/{room}/members",
        }.items():
            self._keep(name, "GET", f"/_matrix/client/v3{path}", self._alice.call("GET", path))
        for name, path in {
            "admin fetch_event": f"/_synapse/admin/v1/fetch_event/{event}",
            "admin room state": f"/_synapse/admin/v1/rooms/{room}/state",
            "admin rooms": "/_synapse/admin/v1/rooms",
            "admin room": f"/_synapse/admin/v1/rooms/{room}",
            "admin members": f"/_synapse/admin/v1/rooms/{room}/members",
            "admin messages": f"/_synapse/admin/v1/rooms/{room}/messages?dir=b&limit=2",
            "admin context": f"/_synapse/admin/v1/rooms/{room}/context/{event}?limit=1",
            "admin extremities": f"/_synapse/admin/v1/rooms/{room}/forward_extremities",
        }.items():
            self._keep(name, "GET", path, self._alice.admin("GET", path))

    def _knock(self, room: RemoteRoom) -> None:
        self._alice.state(room.room_id, "m.room.join_rules", {"join_rule": "knock"})
        where = f"{quote(room.room_id)}/{quote(XAN)}"
        path = f"/v1/make_knock/{where}?ver={room.version.identifier}"
        template = self._remote.call("GET", path)
        self._keep("make_knock", "GET", f"/_matrix/federation{path}", template)
        event_id, pdu = self._remote.sign(room, template["event"])
        path = f"/v1/send_knock/{quote(room.room_id)}/{quote(event_id)}"
        self._keep("send_knock", "PUT", f"/_matrix/federation{path}", self._remote.call("PUT", path, pdu))
        where = f"{quote(room.room_id)}/{quote(WES)}"
        path = f"/v1/make_leave/{where}"
        self._keep("make_leave", "GET", f"/_matrix/federation{path}", self._remote.call("GET", path))

    def _sent(self, room_id: str) -> None:
        """Keep the requests that the server sends: an invite, and a transaction of two rooms."""
        sent = self._catcher.sent
        sent["invite"].clear()
        try:
            self._alice.room(room_id, "invite", user_id=VAL)
        except HttpError as error:
            print(f"the invite, as expected: {error}")
        self._keep("invite", "PUT", "/_matrix/federation/v2/invite/…", sent["invite"][0])

    def transaction(self, room_ids: list[str]) -> None:
        """Keep a transaction with events of several rooms."""
        sent, alice = self._catcher.sent, self._alice
        wait_for("the earlier transactions", lambda: bool(sent["send"]), 5)
        self._catcher.open.clear()
        count = len(sent["send"])
        alice.say(room_ids[0], "Held up")
        wait_for("the first transaction", lambda: len(sent["send"]) > count)
        for room_id in room_ids:
            alice.say(room_id, "Queued")
        self._catcher.open.set()

        def both() -> bool:
            return any(len({pdu.get("room_id") for pdu in one["pdus"]}) > 1 for one in sent["send"])

        wait_for("a transaction of two rooms", both)
        found = next(one for one in sent["send"] if len({pdu.get("room_id") for pdu in one["pdus"]}) > 1)
        self._version = "11"
        self._keep("send", "PUT", "/_matrix/federation/v1/send/…", found)
        transaction = {"origin": REMOTE_NAME, "origin_server_ts": 1, "pdus": found["pdus"][:1]}
        path = "/v1/send/made-up"
        self._keep(
            "response to send",
            "PUT",
            f"/_matrix/federation{path}",
            self._remote.call("PUT", path, transaction),
        )

    def export(self, room_id: str) -> None:
        """Keep the file that Synapse's command `export-data` writes for a room. It is not JSON Lines."""
        command = [sys.executable, "-m", "synapse.app.admin_cmd", "-c", "homeserver.yaml"]
        command += ["export-data", self._alice.id, "--output-directory", "export"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent)}
        subprocess.run(command, cwd=self._server.dir, env=environment, check=True, capture_output=True)
        text = (self._server.dir / "export" / "rooms" / room_id / "events").read_text(encoding="utf-8")
        self._keep("export-data", "RUN", " ".join(command[2:]), text)


def record(folder: Path) -> list[str]:
    """Play the rooms, write the file, and return what did not go as expected."""
    server = Homeserver()
    catcher = Catcher(server.dir)
    server.extra = settings({REMOTE_NAME: catcher})
    with catcher, server:
        remote = Remote(server)
        alice = server.register("alice", admin=True)
        recording = Recording(server, catcher, remote, alice)
        try:
            rooms = {version: recording.play(version) for version in VERSIONS}
            recording.transaction(list(rooms.values()))
            recording.export(rooms["11"])
        except BaseException:
            print(server.log_tail(60), file=sys.stderr)
            raise
        document: Json = {
            "server": f"matrix-synapse {installed_version('matrix-synapse')}",
            "rooms": {
                room_id: {"version": version, "events": events(server, room_id, version)}
                for version, room_id in rooms.items()
            },
            "answers": recording.answers,
        }
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'"server":{written(document["server"])}']
    for part in ("rooms", "answers"):
        members = (f"{written(key)}:{written(value)}" for key, value in document[part].items())
        lines.append(f'"{part}":{{\n' + ",\n".join(members) + "\n}")
    text = "{" + ",\n".join(lines) + "}\n"
    assert json.loads(text) == document
    (folder / "answers.json").write_text(text, encoding="utf-8", newline="\n")
    return recording.unexpected


def written(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] + ".")
    parser.add_argument("--out", type=Path, default=DATA, help="folder for the file (default: tests/data)")
    notes = record(parser.parse_args().out)
    for note in notes:
        print(f"not as expected: {note}", file=sys.stderr)
    return 1 if notes else 0


if __name__ == "__main__":
    raise SystemExit(main())
