"""Sources on a file system that is mounted read-only: they are read, and their bytes stay as they are."""

import gzip
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import synapse_db

VERSION = Path(__file__).parents[1] / "vectors" / "rooms" / "v11.jsonl"

# Run in a mount namespace of its own, so that the mount is gone when it ends, whatever happens.
IN_NAMESPACE = """
import hashlib, json, os, pathlib, subprocess, sys
source, target, commands = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
folder = pathlib.Path(target)

def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True)

mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", target)
subprocess.run(["cp", "-r", source + "/.", target], check=True)
mount("-o", "remount,ro", target)
try:
    (folder / "new").write_bytes(b"")
except OSError as error:
    refused = error.strerror
else:
    refused = ""

from click.testing import CliRunner
from roomver.cli import main
os.chdir(target)
results = []
for command in commands:
    result = CliRunner().invoke(main, command)
    other = result.exception if not isinstance(result.exception, SystemExit) else None
    results.append([result.exit_code, result.output if other is None else repr(other)])
found = {
    path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(folder.rglob("*"))
}
print(json.dumps({"refused": refused, "results": results, "found": found}))
"""


def can_mount() -> bool:
    """Tell whether this user may make a mount namespace and mount something in it."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return False
    tried = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        check=False,
        capture_output=True,
    )
    return tried.returncode == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a source of each kind that is opened in a way of its own."""
    found = tmp_path_factory.mktemp("sources")
    database = synapse_db.unpacked(found / "homeserver.db")
    logged = shutil.copyfile(database, found / "wal.db")
    connection = sqlite3.connect(logged)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    shutil.copyfile(VERSION, found / "room.jsonl")
    (found / "room.jsonl.gz").write_bytes(gzip.compress(VERSION.read_bytes()))
    return found


def commands(room_id: str) -> Sequence[list[str]]:
    """Return commands, each of which reads a source to its end."""
    room = ["--room", room_id]
    return [
        ["rooms", "homeserver.db"],
        *([command, "homeserver.db", *room] for command in ("check", "state", "resolve")),
        ["rooms", "wal.db", "--immutable"],
        ["check", "wal.db", *room, "--immutable"],
        ["record", "homeserver.db", *room, "-o", "-"],
        ["check", "room.jsonl"],
        ["check", "room.jsonl", "--also", "room.jsonl.gz"],
        ["state", "room.jsonl.gz"],
    ]


def test_sources_on_a_read_only_file_system_are_read_and_stay_as_they_are(
    folder: Path, tmp_path: Path
) -> None:
    if not can_mount():
        pytest.skip("this user may not mount a file system in a namespace of its own")
    connection = sqlite3.connect(folder / "homeserver.db")
    sql = "SELECT room_id FROM events GROUP BY room_id ORDER BY count(*) LIMIT 1"
    ((room_id,),) = connection.execute(sql)
    connection.close()
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    code = [sys.executable, "-c", IN_NAMESPACE, str(folder), str(tmp_path), json.dumps(commands(room_id))]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", *code], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["refused"] == "Read-only file system"
    ran = zip(commands(room_id), found["results"], strict=True)
    # The recorded room has state resets that nobody meant.
    wrong = [
        (command, text)
        for command, (code, text) in ran
        if code != int(command[:2] == ["check", "room.jsonl"])
    ]
    assert wrong == []
    assert found["found"] == before
