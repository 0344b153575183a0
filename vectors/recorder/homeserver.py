"""Run a temporary Synapse on the loopback interface and use its client API."""

import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

from signedjson.key import decode_signing_key_base64, encode_verify_key_base64, get_verify_key
from signedjson.sign import sign_json
from stores import Sqlite, Store, database_settings
from unpaddedbase64 import encode_base64

SERVER_NAME = "hs.example"
REGISTRATION_SECRET = "made-up-for-the-recording"
START_SECONDS = 90
STOP_SECONDS = 20
REQUEST_SECONDS = 60
DAY_MS = 24 * 60 * 60 * 1000

Json = dict[str, Any]


class HttpError(Exception):
    """A response with a status other than 200."""

    def __init__(self, status: int, body: Json, what: str) -> None:
        super().__init__(f"{what}: {status} {body.get('errcode')}: {body.get('error')}")
        self.status = status
        self.body = body


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return int(time.time() * 1000)


def made_up_key(server_name: str, version: str) -> Any:
    """Return a made-up signing key that is the same on each run."""
    seed = hashlib.sha256(f"roomver recorder: {server_name}".encode()).digest()
    return decode_signing_key_base64("ed25519", version, encode_base64(seed))


def http(method: str, url: str, content: Json | None = None, authorization: str | None = None) -> Json:
    """Send a request and return its JSON response.

    Raises:
        HttpError: The status is not 200.
    """
    request = urllib.request.Request(url, method=method)
    if content is not None:
        request.data = json.dumps(content).encode()
        request.add_header("Content-Type", "application/json")
    if authorization is not None:
        request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
            body: Json = json.load(answer)
            return body
    except urllib.error.HTTPError as error:
        raw = error.read()
        try:
            found = json.loads(raw)
        except ValueError:
            found = raw.decode(errors="replace")[:200]
        body = found if isinstance(found, dict) else {"error": found}
        raise HttpError(error.code, body, f"{method} {urllib.parse.urlsplit(url).path}") from None


def quote(part: str) -> str:
    """Encode a path segment."""
    return urllib.parse.quote(part, safe="")


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Homeserver:
    """A Synapse with its own temporary directory. As a context manager it stops and removes both.

    Args:
        name: the server name.
        key_version: the version part of its key ID.
        extra: settings that replace those of `config`.

    Attributes:
        stores: its databases: one, or the main one and that of the states. By default, one in SQLite.
    """

    def __init__(
        self, name: str = SERVER_NAME, key_version: str = "a_hs01", extra: Json | None = None
    ) -> None:
        self.name = name
        self.extra = extra or {}
        self.key = made_up_key(name, key_version)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.dir = Path(tempfile.mkdtemp(prefix="roomver-recorder-"))
        self.stores: list[Store] = [Sqlite(self.dir / "homeserver.db")]
        self.log_path = self.dir / "homeserver.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._write_config()
            with self.log_path.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "synapse.app.homeserver", "-c", "homeserver.yaml"],
                    cwd=self.dir,
                    env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the process and remove its directory."""
        self.stop_process()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop_process(self) -> None:
        """Stop the process. Kill it if it does not stop in time."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log_tail(self, lines: int = 25) -> str:
        """Return the last lines of the server's log."""
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def _wait_until_up(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise SystemExit(f"Synapse ended with {self._process.returncode}:\n{self.log_tail()}")
            try:
                http("GET", f"{self.base}/_matrix/client/versions")
            except (HttpError, OSError):
                time.sleep(0.25)
            else:
                return
        raise SystemExit(f"Synapse did not answer within {START_SECONDS} s:\n{self.log_tail()}")

    def _write_config(self) -> None:
        key = self.key
        (self.dir / "signing.key").write_text(f"{key.alg} {key.version} {encode_base64(key.encode())}\n")
        # JSON is valid YAML.
        (self.dir / "homeserver.yaml").write_text(
            json.dumps(
                config(self.name, self.dir, self.port) | database_settings(self.stores) | self.extra, indent=1
            )
        )
        (self.dir / "log.yaml").write_text(json.dumps(LOG_CONFIG))

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the server's main database. The server may be running."""
        return self.stores[0].query(sql, *values)

    def trust(self, server_name: str, key: Any, valid_until_ts: int) -> None:
        """Put another server's key into the key store, so that Synapse does not request it."""
        verify = get_verify_key(key)
        key_id = f"{verify.alg}:{verify.version}"
        document = sign_json(
            {
                "server_name": server_name,
                "valid_until_ts": valid_until_ts,
                "verify_keys": {key_id: {"key": encode_verify_key_base64(verify)}},
                "old_verify_keys": {},
            },
            server_name,
            key,
        )
        row = (server_name, key_id, server_name, now_ms(), valid_until_ts)
        for table, column, value in (
            ("server_keys_json", "key_json", json.dumps(document).encode()),
            ("server_signature_keys", "verify_key", verify.encode()),
        ):
            self.stores[0].execute(
                f"INSERT INTO {table} (server_name, key_id, from_server, ts_added_ms, ts_valid_until_ms,"
                f" {column}) VALUES (?, ?, ?, ?, ?, ?)",
                *row,
                value,
            )

    def published_keys(self) -> Json:
        """Return the server's own keys, in the form of a recording's header."""
        answer = http("GET", f"{self.base}/_matrix/key/v2/server")
        until = answer["valid_until_ts"]
        return {
            key_id: {"key": value["key"], "valid_until_ts": until}
            for key_id, value in answer["verify_keys"].items()
        }

    def register(self, localpart: str, *, admin: bool = False) -> "User":
        """Register a user with the shared secret."""
        url = f"{self.base}/_synapse/admin/v1/register"
        nonce = http("GET", url)["nonce"]
        password = f"password-of-{localpart}"
        text = "\0".join((nonce, localpart, password, "admin" if admin else "notadmin"))
        mac = hmac.new(REGISTRATION_SECRET.encode(), text.encode(), hashlib.sha1).hexdigest()
        answer = http(
            "POST",
            url,
            {"nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac},
        )
        return User(self, answer["user_id"], answer["access_token"])


class User:
    """A user of the homeserver, who acts through the client API."""

    def __init__(self, server: Homeserver, user_id: str, token: str) -> None:
        self.id = user_id
        self._base = server.base
        self._token = token
        self._transactions = 0

    def call(self, method: str, path: str, content: Json | None = None) -> Json:
        """Send a request below `/_matrix/client/v3`."""
        if content is None and method != "GET":
            content = {}
        return http(method, f"{self._base}/_matrix/client/v3{path}", content, f"Bearer {self._token}")

    def admin(self, method: str, path: str, content: Json | None = None) -> Json:
        """Send a request to the admin API."""
        return http(method, f"{self._base}{path}", content, f"Bearer {self._token}")

    def _transaction(self) -> str:
        self._transactions += 1
        return f"t{self._transactions}"

    def room(self, room_id: str, action: str, **content: Any) -> None:
        """POST an action on a room: join, leave, invite, kick, ban, unban, ..."""
        self.call("POST", f"/rooms/{quote(room_id)}/{action}", content)

    def knock(self, room_id: str, reason: str) -> None:
        """Knock on a room."""
        self.call("POST", f"/knock/{quote(room_id)}", {"reason": reason})

    def get_state(self, room_id: str, kind: str, state_key: str = "") -> Json:
        """Return the content of a state event."""
        return self.call("GET", f"/rooms/{quote(room_id)}/state/{quote(kind)}/{quote(state_key)}")

    def state(self, room_id: str, kind: str, content: Json, state_key: str = "") -> str:
        """Send a state event."""
        path = f"/rooms/{quote(room_id)}/state/{quote(kind)}/{quote(state_key)}"
        event_id: str = self.call("PUT", path, content)["event_id"]
        return event_id

    def send(self, room_id: str, content: Json, kind: str = "m.room.message") -> str:
        """Send an event that is not a state event."""
        path = f"/rooms/{quote(room_id)}/send/{quote(kind)}/{self._transaction()}"
        event_id: str = self.call("PUT", path, content)["event_id"]
        return event_id

    def say(self, room_id: str, body: str) -> str:
        """Send a text message."""
        return self.send(room_id, {"msgtype": "m.text", "body": body})

    def redact(self, room_id: str, event_id: str, reason: str | None = None) -> str:
        """Redact an event."""
        path = f"/rooms/{quote(room_id)}/redact/{quote(event_id)}/{self._transaction()}"
        content = {} if reason is None else {"reason": reason}
        redaction_id: str = self.call("PUT", path, content)["event_id"]
        return redaction_id

    def redacted_by(self, room_id: str, event_id: str) -> str | None:
        """Return the ID of the redaction, if the server serves the event redacted."""
        event = self.call("GET", f"/rooms/{quote(room_id)}/event/{quote(event_id)}")
        because = event.get("unsigned", {}).get("redacted_because")
        return None if because is None else because["event_id"]


LOG_CONFIG: Json = {
    "version": 1,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"level": "WARNING", "handlers": ["console"]},
    "disable_existing_loggers": False,
}

_FREE = {"per_second": 100_000, "burst_count": 100_000}


def config(name: str, directory: Path, port: int) -> Json:
    """Return the configuration: loopback only, no rate limits, no other servers."""
    return {
        "server_name": name,
        "pid_file": str(directory / "homeserver.pid"),
        "listeners": [
            {
                "port": port,
                "bind_addresses": ["127.0.0.1"],
                "type": "http",
                "tls": False,
                "x_forwarded": False,
                "resources": [{"names": ["client", "federation"], "compress": False}],
            }
        ],
        "log_config": str(directory / "log.yaml"),
        "media_store_path": str(directory / "media"),
        "signing_key_path": str(directory / "signing.key"),
        "registration_shared_secret": REGISTRATION_SECRET,
        "macaroon_secret_key": "made-up",
        "form_secret": "made-up",
        "report_stats": False,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "presence": {"enabled": False},
        "user_directory": {"enabled": False},
        "url_preview_enabled": False,
        "limit_profile_requests_to_users_who_share_rooms": False,
        "bcrypt_rounds": 4,
        # Every outgoing request fails at once.
        "ip_range_blacklist": ["0.0.0.0/0", "::/0"],
        "federation": {"client_timeout": "1s", "max_short_retries": 0, "max_long_retries": 0},
        "rc_federation": {"window_size": 1, "sleep_limit": 9999, "sleep_delay": 0, "reject_limit": 9999},
        "rc_message": _FREE,
        "rc_registration": _FREE,
        "rc_login": {"address": _FREE, "account": _FREE, "failed_attempts": _FREE},
        "rc_joins": {"local": _FREE, "remote": _FREE},
        "rc_joins_per_room": _FREE,
        "rc_invites": {"per_room": _FREE, "per_user": _FREE, "per_issuer": _FREE},
        "rc_third_party_invite": _FREE,
        "rc_room_creation": _FREE,
        "rc_admin_redaction": _FREE,
    }
