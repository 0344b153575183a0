"""The commands of the documentation that fetch with curl and pick with jq, against a server that answers."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import synapse_db
from builder import key_of, public_key
from command_line import run
from documented_calls import shell_lines
from test_recorded_answers import RECORDED
from test_sources_document import shape

from roomver import sign_json

ROOT = Path(__file__).parents[1]
TOKEN, HEADER = "a-token", 'X-Matrix origin="hs.example"'

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None, reason="curl is not installed"
)


def lines(document: str, program: str) -> list[str]:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return [line for line in shell_lines(text) if line.startswith(program)]


def published_keys() -> Any:
    key = {"server_name": "hs.example", "valid_until_ts": 2**50, "old_verify_keys": {}}
    key["verify_keys"] = {"ed25519:1": {"key": public_key("hs.example")}}
    return {"server_keys": [sign_json(key, "hs.example", key_of("hs.example"))]}


def recorded(path: str) -> Any:
    """Return what a homeserver answered to a request of this shape; None if none was recorded."""
    if path == "/_matrix/key/v2/query/hs.example":
        return published_keys()
    want = "federation" if "sync" in path else ""
    for name, one in RECORDED["answers"].items():
        asked = one["request"].partition(" ")[2]
        odd = "unknown" in name or "rejected" in name
        if name.startswith("v11") and shape(asked) == shape(path) and want in name and not odd:
            return one["body"]
    return None


class Answers(BaseHTTPRequestHandler):
    """Answers as a homeserver does; what needs authorisation is refused without it."""

    def do_GET(self) -> None:
        found = recorded(self.path)
        given = self.headers.get("Authorization")
        wanted = {"key": None, "federation": HEADER}.get(self.path.split("/")[2], f"Bearer {TOKEN}")
        if found is None or given != wanted:
            self.send_error(404 if found is None else 401)
            return
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetched(command: str, address: str, folder: Path) -> Any:
    """Run a command of the documentation against the server, and return what it wrote."""
    command = command.replace("https://SERVER", address).replace("curl ", "curl --fail -sS ", 1)
    environment = {"TOKEN": TOKEN, "HEADER": HEADER, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (command, done.stderr)
    name = re.search(r"-o (\S+)", command)
    assert name is not None
    return json.loads((folder / name[1]).read_bytes())


@pytest.mark.parametrize("command", lines("sources.md", "curl "))
def test_what_curl_fetches_is_read(command: str, address: str, tmp_path: Path) -> None:
    body = fetched(command, address, tmp_path)
    recording = str(ROOT / "vectors" / "rooms" / "v11.jsonl")
    if "keys.json" in command:
        assert body == published_keys()
        done = run("check", recording, "--keys", str(tmp_path / "keys.json"))
        assert done.exit_code != 2, done.output
    elif "event.json" in command:
        done = run("event-id", "--room-version", "11", str(tmp_path / "event.json"))
        assert (done.exit_code, done.stdout.strip()) == (0, body["event"]["event_id"])
    else:
        file = "sync.json" if "sync.json" in command else "state.json"
        done = run("check", str(tmp_path / file), "--room-version", "11", "--unsigned")
        assert done.exit_code in (0, 1, 3), done.output


def test_a_request_without_authorisation_is_refused(address: str, tmp_path: Path) -> None:
    (command,) = [one for one in lines("sources.md", "curl ") if "fetch_event" in one]
    with pytest.raises(AssertionError, match="401"):
        fetched(re.sub(r'-H "[^"]*" ', "", command), address, tmp_path)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_what_jq_picks_from_the_results_of_all_rooms(tmp_path: Path) -> None:
    database, results = synapse_db.unpacked(tmp_path / "homeserver.db"), tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "roomver", "check", "--rooms", str(database), "-o", str(results)]
    assert subprocess.run(command, capture_output=True, check=False).returncode in (0, 1, 3)
    rooms = [json.loads(line) for line in results.read_text().splitlines()[1:]]
    picked = {}
    for line in (*lines("all-rooms.md", "jq "), *lines("operators.md", "jq ")):
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
        picked[line] = done.stdout.splitlines()
    with_findings, with_resets, with_unintended = picked.values()
    assert with_findings == [one["command"] for one in rooms if one["status"] == "findings"]
    assert with_resets == [f"{one['resets']}\t{one['room_id']}" for one in rooms if one["resets"]]
    assert with_unintended == [one["command"] for one in rooms if one["resets_unintended"]]
    assert with_resets
