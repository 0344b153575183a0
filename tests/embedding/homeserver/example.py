"""The example server as a process of its own, driven by its control API."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .link import ROOT, HttpError, Json, free_port, http, quote
from .sides import Facts, StateKey

START_SECONDS = 30
STOP_SECONDS = 10
MODULE = ("-m", "homeserver")


class Example:
    """The process. As a context manager it stops it.

    Args:
        name: the server name.
        database: the file of its database. A server that starts again finds there what it had stored.
        module: what Python runs, with its own arguments in front of those of the server.

    Attributes:
        peers: the address of each other server, by name.
        base: its own address. It is the same after a restart.
    """

    def __init__(self, name: str, database: Path, module: Sequence[str] = MODULE) -> None:
        self.name = name
        self.database = database
        self.module = module
        self.peers: dict[str, str] = {}
        self._port = free_port()
        self.base = f"http://127.0.0.1:{self._port}"
        self._log = database.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, wait: bool = True) -> None:
        """Start the process, and wait until it answers."""
        arguments = ["--name", self.name, "--port", str(self._port), "--database", str(self.database)]
        for name, address in self.peers.items():
            arguments += ["--peer", f"{name}={address}"]
        paths = [ROOT / "docs", ROOT / "src", ROOT]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.module, *arguments],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if wait and not self.answers():
            raise AssertionError(f"the server does not answer:\n{self.log_tail()}")

    def answers(self) -> bool:
        """Wait until the process answers. Return False if it has ended, or does not answer in time."""
        process = self.process
        deadline = time.monotonic() + START_SECONDS
        while process is not None and process.poll() is None and time.monotonic() < deadline:
            try:
                http("GET", f"{self.base}/_matrix/key/v2/server")
            except OSError:
                time.sleep(0.05)
            else:
                return True
        return False

    def stop(self) -> None:
        """Stop the process, and kill it if it does not stop in time."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process, as `kill -9` does."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines that it printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def ask(self, path: str, **query: str) -> Any:
        """GET something from the control API."""
        parameters = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        return http("GET", f"{self.base}/local/{path}?{parameters}")

    def tell(self, path: str, **content: Any) -> Json:
        """POST something to the control API."""
        return http("POST", f"{self.base}/local/{path}", content)

    def facts(self, room_id: str) -> Facts:
        """Return what it has of a room."""
        events = self.ask("events", room_id=room_id)["events"]
        state = self.ask("state", room_id=room_id)["state"]
        return Facts(
            pdus={event["event_id"]: event["pdu"] for event in events},
            state={(kind, state_key): event_id for kind, state_key, event_id in state},
            extremities=frozenset(self.ask("extremities", room_id=room_id)["event_ids"]),
            rejected=frozenset(event["event_id"] for event in events if event["rejected"]),
            soft_failed=frozenset(event["event_id"] for event in events if event["soft_failed"]),
            outliers=frozenset(event["event_id"] for event in events if event["outlier"]),
            in_order=True,
        )


class ExampleSide:
    """The example server in a room that it shares with a Synapse: a `Side`."""

    def __init__(self, server: Example) -> None:
        self.name = server.name
        self.users: list[str] = []
        self._server = server
        self._known: dict[str, Json] = {}

    def register(self, localparts: list[str]) -> None:
        self.users = [f"@{localpart}:{self.name}" for localpart in localparts]

    def make_room(self, user: str, version: str, levels: Json) -> str:
        room_id: str = self._server.tell("make_room", user=user, version=version)["room_id"]
        self.send(room_id, user, "m.room.power_levels", levels, "")
        return room_id

    def join(self, room_id: str, user: str, via: str | None = None) -> None:
        self._server.tell("join", room_id=room_id, user=user, **({} if via is None else {"via": via}))

    def member(self, room_id: str, user: str, target: str, action: str) -> None:
        if action in ("invite", "kick"):
            self._server.tell(action, room_id=room_id, user=user, target=target)
            return
        if action == "unban" and not self._is_banned(room_id, target):
            # A leave of somebody who is not banned would be a kick, or a leave of nobody.
            raise HttpError(403, {"error": "not banned"}, "unban")
        membership = "ban" if action == "ban" else "leave"
        self.send(room_id, user, "m.room.member", {"membership": membership}, target)

    def _is_banned(self, room_id: str, user: str) -> bool:
        return self.contents(room_id).get(("m.room.member", user), {}).get("membership") == "ban"

    def send(self, room_id: str, user: str, kind: str, content: Json, state_key: str | None = None) -> str:
        more = {} if state_key is None else {"state_key": state_key}
        sent = self._server.tell("send", room_id=room_id, user=user, type=kind, content=content, **more)
        event_id: str = sent["event_id"]
        return event_id

    def redact(self, room_id: str, user: str, event_id: str) -> str:
        redaction_id: str = self._server.tell("redact", room_id=room_id, user=user, event_id=event_id)[
            "event_id"
        ]
        return redaction_id

    def contents(self, room_id: str) -> Mapping[StateKey, Json]:
        state = self._server.ask("state", room_id=room_id)["state"]
        if any(event_id not in self._known for _, _, event_id in state):
            events = self._server.ask("events", room_id=room_id)["events"]
            self._known |= {event["event_id"]: event["pdu"]["content"] for event in events}
        return {(kind, state_key): self._known[event_id] for kind, state_key, event_id in state}

    def facts(self, room_id: str) -> Facts:
        return self._server.facts(room_id)

    def has(self, room_id: str, event_id: str) -> bool:
        events = self._server.ask("events", room_id=room_id)["events"]
        return any(event["event_id"] == event_id for event in events)

    def log_tail(self) -> str:
        return self._server.log_tail()
