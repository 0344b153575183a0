"""A private PostgreSQL server, which listens on a socket in a folder of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any


def find_program(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs. Debian does not put them into PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name) or next((str(one / name) for one in folders if (one / name).exists()), None)


def is_installed() -> bool:
    """Tell whether PostgreSQL's programs are here."""
    return None not in map(find_program, ("initdb", "postgres", "psql"))


@contextmanager
def started() -> Iterator[str]:
    """Start a server, and yield the address of an empty database. It ends with the context."""
    initdb, postgres = find_program("initdb"), find_program("postgres")
    assert initdb is not None
    assert postgres is not None
    folder = Path(mkdtemp(prefix="roomver-pg-"))
    options: dict[str, Any] = {
        "cwd": folder,
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.STDOUT,
    }
    if os.geteuid() == 0:
        # PostgreSQL refuses the superuser.
        shutil.chown(folder, 65534, 65534)
        options |= {"user": 65534, "group": 65534, "extra_groups": []}
    process = None
    try:
        data = folder / "data"
        make = [initdb, "-D", str(data), "-U", "roomver", "-A", "trust", "-E", "UTF8"]
        subprocess.run([*make, "--no-sync", "--locale=C"], check=True, **options)
        serve = [postgres, "-D", str(data), "-k", str(folder), "-c", "listen_addresses=", "-F"]
        process = subprocess.Popen(serve, **options)
        found = f"postgresql://roomver@/postgres?host={folder}"
        connected(found, process).close()
        yield found
    finally:
        if process is not None:
            process.terminate()
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def connected(address: str, process: "subprocess.Popen[bytes]") -> Any:
    import psycopg  # noqa: PLC0415 - an extra

    for _ in range(300):
        try:
            return psycopg.connect(address, connect_timeout=1)
        except psycopg.OperationalError:
            if process.poll() is not None:
                break
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
    raise AssertionError("PostgreSQL did not start")


def restored(server: str, name: str, dump: Path) -> str:
    """Make a database of a server from a dump in SQL, and return its address."""
    psql = find_program("psql")
    assert psql is not None
    address = server.replace("/postgres?", f"/{name}?")
    command = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.devnull]
    # As Synapse demands it.
    made = f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    for arguments in (["-c", made, server], ["-f", str(dump), address]):
        subprocess.run([*command, *arguments], check=True)
    return address


def copied(server: str, name: str, other: str) -> str:
    """Make a copy of a database of a server to which nobody is connected, and return its address."""
    import psycopg  # noqa: PLC0415 - an extra

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{other}"')
    return server.replace("/postgres?", f"/{name}?")
