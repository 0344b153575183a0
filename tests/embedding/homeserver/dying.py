"""The example server, which kills itself: `python -m tests.embedding.homeserver.dying N` and its arguments.

It dies as by `kill -9`, right before its N-th statement that writes to the database: before a transaction
begins, within it, or before it is committed.
"""

import os
import runpy
import signal
import sqlite3
import sys
from typing import Any
from unittest.mock import patch

MODULE = ("-m", "tests.embedding.homeserver.dying")
_WRITES = ("BEGIN", "INSERT", "UPDATE", "DELETE", "COMMIT")


def main() -> None:
    """Run the server until it dies."""
    left = int(sys.argv.pop(1))
    connect = sqlite3.connect

    def count(statement: str) -> None:
        nonlocal left
        left -= statement.lstrip().upper().startswith(_WRITES)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(count)
        return connection

    with patch.object(sqlite3, "connect", traced):
        runpy.run_module("homeserver", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
