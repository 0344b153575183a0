"""The example server, watched at each statement that writes to its database.

`python -m tests.embedding.homeserver.dying N` and the arguments of the server: it dies as by `kill -9`, right
before its N-th such statement: before a transaction begins, within it, or before it is committed.

`python -m tests.embedding.homeserver.dying FOLDER` and these arguments: it lives. Before each such statement
it copies the files of its database, which are what `kill -9` would leave at that point.
"""

import hashlib
import json
import os
import runpy
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

MODULE = ("-m", "tests.embedding.homeserver.dying")
COPIES = "copies.jsonl"
# SQLite makes the third file of a database in this mode anew.
ENDS = ("", "-wal")
_WRITES = ("BEGIN", "INSERT", "UPDATE", "DELETE", "COMMIT")


class _Death:
    """Kills the process."""

    def __init__(self, left: int) -> None:
        self._left = left

    def __call__(self, statement: str) -> None:
        self._left -= 1
        if self._left == 0:
            os.write(2, f"dies before {statement}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


class _Copies:
    """Copies the database into numbered folders, unless its files are as they were at the last copy.

    `COPIES` has a line for each statement: the time, the statement, and the number of the copy.
    """

    def __init__(self, folder: Path, database: Path) -> None:
        self._folder, self._database = folder, database
        self._number, self._seen = 0, b""

    def __call__(self, statement: str) -> None:
        now = time.monotonic_ns()
        files = [Path(f"{self._database}{end}") for end in ENDS]
        content = [file.read_bytes() if file.exists() else b"" for file in files]
        seen = b"".join(hashlib.sha256(part).digest() for part in content)
        if seen != self._seen:
            self._seen, self._number = seen, self._number + 1
            into = self._folder / str(self._number)
            into.mkdir()
            for file in files:
                if file.exists():
                    shutil.copy(file, into)
        with (self._folder / COPIES).open("a") as out:
            print(json.dumps([now, statement, self._number]), file=out)


def main() -> None:
    """Run the server."""
    how = sys.argv.pop(1)
    database = Path(sys.argv[sys.argv.index("--database") + 1])
    watch: Callable[[str], None] = _Death(int(how)) if how.isdigit() else _Copies(Path(how), database)
    connect = sqlite3.connect

    def seen(statement: str) -> None:
        if statement.lstrip().upper().startswith(_WRITES):
            watch(statement)

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(seen)
        return connection

    with patch.object(sqlite3, "connect", traced):
        runpy.run_module("homeserver", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
