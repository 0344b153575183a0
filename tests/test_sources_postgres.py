"""Synapse's database in PostgreSQL: a private server with a dump of what a real Synapse wrote there."""

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import homeservers
import postgres_server
import pytest
from command_line import run
from postgres_server import copied, find_program, restored
from test_sources_document import COMMANDS

from roomver.readers import InputError, database, open_synapse, read_room

psycopg = pytest.importorskip("psycopg", reason="psycopg, the extra `postgres`, is not installed")


DUMP = homeservers.packed(homeservers.POSTGRES)[0]
FACTS = homeservers.facts_of(homeservers.POSTGRES)
ROOMS: dict[str, Any] = FACTS["rooms"]
IDS = {room["name"]: room_id for room_id, room in ROOMS.items()}
ODD = IDS["odd-v5"]


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return homeservers.unpacked(DUMP, tmp_path_factory.mktemp("dump"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if not postgres_server.is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres_server.started() as found:
        yield found


@pytest.fixture(scope="module")
def address(server: str, dump: Path) -> str:
    """The database that is not changed."""
    return restored(server, "homeserver", dump)


@pytest.fixture(scope="module")
def pristine(server: str, dump: Path) -> str:
    """The name of a database that no test uses."""
    restored(server, "pristine", dump)
    return "pristine"


@pytest.fixture
def own(server: str, pristine: str, request: pytest.FixtureRequest) -> str:
    """A database that the test may change."""
    return copied(server, request.node.name.partition("[")[0][:60], pristine)


def test_the_transaction_only_reads_and_sees_one_moment(own: str) -> None:
    address = own
    source = open_synapse(address)
    before = source.list_rooms()
    with psycopg.connect(address) as other:
        other.execute("INSERT INTO rooms (room_id, room_version) VALUES ('!new:x', '11')")
    assert source.list_rooms() == before
    with pytest.raises(InputError, match="syntax error"):
        list(source._database.rows("DELETE FROM rooms"))
    source.close()
    source = open_synapse(address)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        source._database._connection.execute("DELETE FROM rooms")  # type: ignore[attr-defined]  # not of the protocol
    source.close()


def test_ids_are_values_and_never_sql(address: str) -> None:
    for room_id in ("!' OR 1=1 --", '!"; DROP TABLE rooms; --', "!%s", "!\0", "!\udcff", "!?"):
        result = run("check", address, "--room", room_id)
        assert result.exit_code == 2
        assert "it has no room" in result.stderr
    assert len(json.loads(run("rooms", address, "--json").stdout)) == len(ROOMS)


_READ_MANY = """
import sys
from roomver.readers.database import open_database
rows = open_database(sys.argv[1]).rows("SELECT i, repeat('x', 1000) FROM generate_series(1, 300000) i")
number = sum(1 for _ in rows)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(number, peak)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak memory is read from /proc")
def test_rows_do_not_come_all_at_once(address: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _READ_MANY, address], check=True, capture_output=True, text=True
    )
    number, peak = map(int, done.stdout.split())
    assert number == 300_000
    assert peak < 150_000  # kB, of rows with 300 MB


def test_a_database_of_another_kind_is_refused(server: str) -> None:
    address = server
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE DATABASE other")
        connection.execute("CREATE DATABASE strange")
    result = run("rooms", address.replace("/postgres?", "/other?"))
    assert (result.exit_code, "not one of Synapse" in result.stderr) == (2, True)
    with psycopg.connect(address.replace("/postgres?", "/strange?")) as connection:
        connection.execute("CREATE VIEW rooms AS SELECT 1 AS room_id, 2 AS room_version")
        connection.execute("CREATE TABLE schema_version (version text)")
        connection.execute("CREATE TABLE rejections (event_id text)")
    result = run("rooms", address.replace("/postgres?", "/strange?"))
    assert (result.exit_code, "schema has version None" in result.stderr) == (2, True)


def test_a_view_in_place_of_a_table_is_refused(own: str) -> None:
    views = own
    assert run("rooms", views).exit_code == 0
    for kind in ("VIEW", "MATERIALIZED VIEW"):
        with psycopg.connect(views) as connection:
            connection.execute("ALTER TABLE rooms RENAME TO others")
            connection.execute(f"CREATE {kind} rooms AS SELECT * FROM others")
        result = run("rooms", views)
        assert (result.exit_code, "not as expected: rooms" in result.stderr) == (2, True)
        with psycopg.connect(views) as connection:
            connection.execute(f"DROP {kind} rooms")
            connection.execute("ALTER TABLE others RENAME TO rooms")
    with psycopg.connect(views) as connection:
        connection.execute("ALTER TABLE rooms RENAME TO others")
        connection.execute("CREATE TABLE rooms (LIKE others) PARTITION BY LIST (room_id)")
        connection.execute("CREATE TABLE part PARTITION OF rooms DEFAULT")
        connection.execute("INSERT INTO rooms SELECT * FROM others")
    assert run("rooms", views).exit_code == 0


def checked(address: str, name: str = "late-v10") -> dict[str, Any]:
    (report,) = json.loads(run("check", address, "--room", IDS[name], "--json").stdout)["files"]
    return {key: report[key] for key in ("events", "summary", "room", "server")}


def test_what_is_written_during_the_reading_is_not_seen(
    address: str, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each query, another session changes what the query reads."""
    expected = checked(address)
    room_id, rows = IDS["late-v10"], database._Postgres.rows
    sql = (
        "DELETE FROM event_json WHERE event_id IN"
        " (SELECT event_id FROM event_json WHERE room_id = %s LIMIT 1)",
        "UPDATE events SET rejection_reason = 'x', outlier = NOT outlier WHERE room_id = %s",
        "DELETE FROM event_forward_extremities WHERE room_id = %s",
        "UPDATE current_state_events SET event_id = 'x' || event_id WHERE room_id = %s",
        "UPDATE state_groups_state SET type = 'x' || type WHERE room_id = %s",
    )
    written = 0
    with psycopg.connect(own, autocommit=True) as writer:

        def rows_while_written(self: Any, query: str, *values: object) -> Any:
            nonlocal written
            if "pg_attribute" not in query:  # the schema is read first
                writer.execute(sql[written % len(sql)], (room_id,))
                written += 1
            return rows(self, query, *values)

        monkeypatch.setattr(database._Postgres, "rows", rows_while_written)
        assert checked(own) == expected
        monkeypatch.undo()
    assert written > 20
    assert run("check", own, "--room", room_id).exit_code != 0


def test_a_role_that_may_only_select_is_enough(address: str, own: str) -> None:
    reader = own.replace("roomver@", "reader@")
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    result = run("rooms", reader)
    sentence = "permission denied for table schema_version: the role needs SELECT on Synapse's tables"
    assert (result.exit_code, result.stderr.count("\n"), sentence in result.stderr) == (2, 1, True)
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    assert checked(reader) == checked(address)
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    result = run("rooms", reader)
    sentence = "its tables are in the schema 'public', which the role may not use: GRANT USAGE ON SCHEMA"
    assert (result.exit_code, result.stderr.count("\n"), sentence in result.stderr) == (2, 1, True)


def test_tables_in_another_schema_are_found_by_the_search_path(address: str, own: str) -> None:
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute('ALTER SCHEMA public RENAME TO "Synapse"')
    result = run("rooms", own)
    sentence = (
        "its tables are in the schema 'Synapse', which is not in the search_path: add"
        " options=-csearch_path%3D%22Synapse%22 to the address"
    )
    assert (result.exit_code, result.stderr.count("\n"), sentence in result.stderr) == (2, 1, True)
    assert checked(f"{own}&options=-csearch_path%3D%22Synapse%22") == checked(address)
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute(
            "ALTER ROLE roomver IN DATABASE "
            f'"{own.partition("@/")[2].partition("?")[0]}" SET search_path = "Synapse"'
        )
    assert checked(own) == checked(address)


def test_a_timeout_of_the_server_is_one_sentence(own: str) -> None:
    limited = f"{own}&options=-cstatement_timeout%3D200"
    with psycopg.connect(own) as writer:
        writer.execute("LOCK TABLE event_json")  # another session waits for it
        result = run("check", limited, "--room", ODD)
    sentence = (
        "canceling statement due to statement timeout: add options=-cstatement_timeout%3D0 to the address"
    )
    assert (result.exit_code, result.stderr.count("\n"), sentence in result.stderr) == (2, 1, True)
    assert run("check", limited, "--room", ODD).exit_code == 0


def test_a_connection_that_the_server_ends_is_one_sentence(own: str) -> None:
    source = open_synapse(own)
    with psycopg.connect(own, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'roomver' AND datname = current_database()"
        )
    with pytest.raises(InputError, match="cannot be read: terminating connection due to administrator"):
        source.list_rooms()
    source.close()


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", "\udcff", "a b", "h:99999999"])
def test_a_host_that_cannot_be_one_is_an_error(host: str) -> None:
    for command in ("rooms", "check"):
        result = run(command, f"postgresql://me:secret@{host}/db")
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "cannot be read" in result.stderr or "malformed address" in result.stderr
        assert "secret" not in result.stderr


def test_what_the_connection_cannot_encode_is_an_error(address: str) -> None:
    result = run("check", f"{address}&client_encoding=latin1", "--room", "!€:x")
    assert (result.exit_code, "cannot be read" in result.stderr) == (2, True)


def test_a_server_that_does_not_answer_is_one_sentence_without_a_password(tmp_path: Path) -> None:
    for address in (
        f"postgresql://me:secret@/db?host={tmp_path}",
        f"postgresql:///db?host={tmp_path}&password=secret&user=me",
        "postgresql://me:secret@[::1/db",
        "postgresql://?nonsense=1",
    ):
        for command in ("rooms", "check", "state"):
            result = run(command, address)
            assert result.exit_code == 2
            assert result.stderr.count("\n") == 1
            assert "cannot be read" in result.stderr or "malformed address" in result.stderr
            assert "secret" not in result.stderr


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    result = run("check", "postgresql://me:secret@host/synapse", "--room", "!a:b")
    assert result.exit_code == 2
    reason = "reading PostgreSQL needs psycopg: run pip install '.[postgres]' in the checkout of roomver"
    assert result.stderr == f"roomver: postgresql://me@host/synapse: {reason}\n"


def test_both_databases_are_one_room(address: str, own: str) -> None:
    room_id = IDS["local-v11"]
    for first, other in ((own, address), (address, own)):
        result = run("check", first, "--room", room_id, "--also", other, "--json")
        (report,) = json.loads(result.stdout)["files"]
        assert result.exit_code == 0
        assert (report["sources"]["contradictions"], report["sources"]["differences"]) == ([], [])
        parts = report["sources"]["parts"]
        assert parts[0]["events"] == parts[0]["added"] == parts[1]["repeated"] == 40
        assert [part["added"] for part in parts[1:]] == [0]
        assert [part["name"] for part in parts] == [first, other]


# What PostgreSQL's own client prints. The forms that tests/forms.py makes up are checked against these.

_PDU = "SELECT json FROM event_json WHERE room_id = ROOM ORDER BY event_id"
_BOTH = "SELECT event_id, json FROM event_json WHERE room_id = ROOM ORDER BY event_id"
_ALL = "SELECT * FROM event_json WHERE room_id = ROOM ORDER BY event_id"
_ROWS = f"SELECT row_to_json(x) FROM ({_ALL}) x"

# By name: psql's options, what it runs, and whether the rows give event IDs.
PRINTED: dict[str, tuple[str, str, bool]] = {
    "aligned": ("", _BOTH, True),
    "aligned, one column": ("", _PDU, False),
    "aligned, all columns": ("", _ALL, True),
    "aligned, no footer": ("-P footer=off", _BOTH, True),
    "-t": ("-t", _BOTH, True),
    "-t, one column": ("-t", _PDU, False),
    "-At": ("-At", _PDU, False),
    "-At, two columns": ("-At", _BOTH, True),
    "-At, all columns": ("-At", _ALL, True),
    "-A": ("-A", _BOTH, True),
    "-A, one column": ("-A", _PDU, False),
    "--csv": ("--csv", _BOTH, True),
    "--csv, all columns": ("--csv", _ALL, True),
    "--csv -t": ("--csv -t", _BOTH, True),
    "COPY": ("", f"COPY ({_BOTH}) TO STDOUT", True),
    "COPY, one column": ("", f"COPY ({_PDU}) TO STDOUT", False),
    "COPY, all columns": ("", f"COPY ({_ALL}) TO STDOUT", True),
    "COPY, CSV": ("", f"COPY ({_BOTH}) TO STDOUT WITH (FORMAT csv)", True),
    "COPY, CSV with a heading": ("", f"COPY ({_BOTH}) TO STDOUT WITH (FORMAT csv, HEADER)", True),
    "row_to_json": ("-At", _ROWS, True),
    "row_to_json, aligned": ("", _ROWS, True),
    "row_to_json, COPY": ("", f"COPY ({_ROWS}) TO STDOUT", True),
    "json_agg": ("-At", f"SELECT json_agg(x) FROM ({_ALL}) x", True),
}
TOLD = {
    "expanded": "-x",
    "a border": "-P border=2",
    "HTML": "-H",
}


def printed(address: str, options: str, query: str, room_id: str) -> bytes:
    """Return what psql prints. Its language is C, and its output is not a terminal."""
    psql = find_program("psql")
    if psql is None:
        pytest.skip("psql is not installed: apt-get install postgresql-client")
    sql = query.replace("ROOM", f"'{room_id}'")
    command = [psql, "-X", address, *options.split(), "-c", sql]
    result = subprocess.run(
        command, check=False, capture_output=True, env={"PATH": "", "LC_ALL": "C.UTF-8"}, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def rows(address: str) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """A room with odd values, and its events by ID."""
    with psycopg.connect(address) as connection:
        found = connection.execute(
            "SELECT event_id, json FROM event_json WHERE room_id = %s ORDER BY event_id", (ODD,)
        ).fetchall()
    return ODD, [(event_id, json.loads(text)) for event_id, text in found]


@pytest.mark.parametrize("how", PRINTED)
def test_what_psql_prints_is_read(how: str, address: str, rows: Any) -> None:
    options, query, with_ids = PRINTED[how]
    room_id, expected = rows
    data = printed(address, options, query, room_id)
    entries = list(read_room(io.BytesIO(data), "printed").entries)
    assert [entry.error for entry in entries] == [None] * len(expected)
    assert [entry.pdu for entry in entries] == [pdu for _, pdu in expected]
    assert [entry.claimed_id for entry in entries] == [
        event_id if with_ids else None for event_id, _ in expected
    ]


def test_what_the_manual_of_tardis_exports_is_read(address: str, rows: Any) -> None:
    """Its query fails on an event with ``\\u0000``, which PostgreSQL's type jsonb cannot hold."""
    room_id, expected = rows
    query = (
        "SELECT jsonb_insert(json::jsonb, '{event_id}', ('\"' || event_id || '\"')::jsonb) FROM event_json"
        r" WHERE room_id = ROOM AND strpos(json, '\u0000') = 0 ORDER BY event_id"
    )
    held = [(event_id, pdu) for event_id, pdu in expected if r"\u0000" not in json.dumps(pdu)]
    assert 0 < len(held) < len(expected)
    entries = read_room(io.BytesIO(printed(address, "-t", query, room_id)), "the-file.ndjson").entries
    assert [(entry.claimed_id, entry.pdu) for entry in entries] == held


@pytest.mark.parametrize("how", TOLD)
def test_what_psql_prints_and_cannot_be_read_back_is_told(how: str, address: str, rows: Any) -> None:
    data = printed(address, TOLD[how], _BOTH, rows[0])
    told = (
        "this is a table in HTML" if how == "HTML" else "it looks like a table whose rows cannot be read back"
    )
    with pytest.raises(InputError, match=told):
        read_room(io.BytesIO(data), "printed")


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if one.startswith("psql ") and "roomserver" not in one]
)
def test_what_the_manual_has_psql_export_is_read(command: str, address: str, rows: Any) -> None:
    room_id, expected = rows
    *options, query = shlex.split(command.partition(" > ")[0])[1:]
    assert options.pop() == "-c"
    data = printed(address, " ".join(options), query.replace("'!…'", "ROOM"), room_id)
    found = [entry.pdu for entry in read_room(io.BytesIO(data), "export").entries]
    assert sorted(map(json.dumps, found)) == sorted(json.dumps(pdu) for _, pdu in expected)


SECRET = "s3cretpw"


def secret_addresses(address: str) -> list[tuple[str, str]]:
    """Return addresses with a password, each with what calls show of it."""
    folder = address.partition("host=")[2]
    return [
        (f"postgresql://roomver:{SECRET}@/homeserver?host={folder}", address),
        (
            f"postgresql:///homeserver?host={folder}&password={SECRET}&user=roomver",
            f"postgresql:///homeserver?host={folder}&user=roomver",
        ),
        (
            f"postgresql:///homeserver?user=roomver&host={folder}&%70assword={SECRET}",
            f"postgresql:///homeserver?user=roomver&host={folder}",
        ),
        (
            f"POSTGRES://roomver:{SECRET}@/homeserver?host={folder}&sslpassword={SECRET}",
            address,
        ),
        (f"postgresql+psycopg://roomver:{SECRET}%40%2F@/homeserver?host={folder}", address),
        (f"postgresql://roomver:{SECRET}?#@/homeserver?host={folder}", address),
        (
            f"host={folder} password='{SECRET} \\' b' dbname=homeserver user=roomver",
            f"host={folder} dbname=homeserver user=roomver",
        ),
        (
            f"postgresql://roomver:{SECRET}@/homeserver?host={folder},/nowhere&port=5432,1&passfile=/{SECRET}",
            f"postgresql://roomver@/homeserver?host={folder},/nowhere&port=5432,1",
        ),
    ]


@pytest.mark.parametrize("form", range(8))
def test_no_command_prints_a_password(address: str, tmp_path: Path, form: int) -> None:
    given, shown = secret_addresses(address)[form]
    room_id, file = IDS["local-v11"], str(tmp_path / "room.jsonl")
    assert run("record", address, "--room", room_id, "-o", file).exit_code == 0
    of_room = ("--room", room_id)
    end = json.loads(run("state", address, *of_room, "--json").stdout)[0]["event_id"]
    new, keys = str(tmp_path / "new.jsonl"), ("--keys", f"x={given}")
    calls = [
        ["check", given, *of_room],
        ["check", given, *of_room, "--json"],
        ["check", file, *of_room, "--also", given],
        ["check", file, *of_room, "--also", given, "--json"],
        ["check", given],
        ["check", given, "--json"],
        ["check", given, *of_room, *keys],
        ["check", given, given, *of_room],
        ["rooms", given],
        ["rooms", given, "--json"],
        ["rooms", given, given],
        ["rooms", given.replace("/homeserver", "/nothing")],
        ["rooms", given.replace("dbname=homeserver", "dbname=nothing")],
        ["state", given, *of_room],
        ["state", given, *of_room, "--at", "$nope"],
        ["state", given, *of_room, "--at", given],
        ["resolve", given, *of_room, "--json"],
        ["resolve", given],
        ["auth", "--room", given, *of_room, end],
        ["auth", "--room", given, *of_room, end, "--json"],
        ["auth", "--room", given, "--room", given, end],
        ["auth", "--state", given, file],
        ["auth", "--room", file, *of_room, given],
        ["check", given, "--room", given],
        ["check", given, "--room-version", given],
        ["check", given, f"--nothing={given}"],
        ["check", given, f"--room-version={given}"],
        ["nothing", given],
        ["record", given, *of_room, "-o", new],
        ["record", given, *of_room, "-o", given],
        ["record", given, "-o", "-"],
        ["verify", "--room-version", "11", "--keys", given, given],
        ["event-id", "--room-version", "11", given],
        ["sign", "--room-version", "11", "--server", given, "--seed-file", given, file],
        ["sign", "--room-version", "11", "--server", "x", "--seed-file", given, file],
        ["vectors", "run", given],
        [given],
    ]
    results = [run(*call) for call in calls]
    for call, result in zip(calls, results, strict=True):
        assert result.output + result.stderr or call[-1] == new, call  # `record` prints nothing
        assert SECRET not in result.output + result.stderr, call
    assert results[0].exit_code == 0
    assert f"roomver explain '{shown}' --room" in results[0].stdout
    assert f"--also '{shown}'" in results[2].stdout
    assert SECRET not in Path(new).read_text()


# A kept replay


_CHANGES = {
    "other metadata": "UPDATE event_json SET internal_metadata = '{\"soft_failed\": true}'"
    " WHERE room_id = %s",
    "JSON of the same length": "UPDATE event_json SET json = replace(json, 'm.room.topic', 'm.room.tobic')"
    " WHERE room_id = %s",
    "the same JSON": "UPDATE event_json SET json = json WHERE room_id = %s",
    "a key of the same name": "UPDATE server_signature_keys SET verify_key = 'x'::bytea WHERE %s <> ''",
    "another line of groups": "UPDATE state_group_edges SET prev_state_group = prev_state_group"
    " WHERE state_group IN (SELECT id FROM state_groups WHERE room_id = %s)",
    "another current state": "UPDATE current_state_events SET event_id = event_id WHERE room_id = %s",
    "another place of an event": "UPDATE events SET topological_ordering = topological_ordering"
    " WHERE room_id = %s",
    "an event without JSON": "DELETE FROM event_json WHERE room_id = %s",
}


def test_the_stamp_of_a_room_differs_after_any_change_of_its_rows(own: str) -> None:
    room_id = next(one for one, room in FACTS["rooms"].items() if room["name"] == "local-v11")

    def stamp() -> list[object]:
        source = open_synapse(own)
        try:
            return source.stamp(room_id)
        finally:
            source.close()

    missed = []
    for name, change in _CHANGES.items():
        before = stamp()
        assert stamp() == before
        with psycopg.connect(own, autocommit=True) as connection:
            assert connection.execute(change, (room_id,)).rowcount > 0, name
        if stamp() == before:
            missed.append(name)
    assert missed == []


def test_the_stamp_of_a_database_that_was_made_anew_differs(server: str, own: str, dump: Path) -> None:
    """The rows may be the same, but whether they are is not known."""
    room_id = next(iter(FACTS["rooms"]))
    stamps = []
    for _ in range(2):
        source = open_synapse(own)
        stamps.append(source.stamp(room_id))
        source.close()
        name = own.partition("?")[0].rpartition("/")[2]
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}"')
        restored(server, name, dump)
    assert stamps[0] != stamps[1]


def test_a_kept_room_is_read_again_when_a_row_changes(own: str, tmp_path: Path) -> None:
    room_id = next(one for one, room in FACTS["rooms"].items() if room["name"] == "local-v11")
    cache = tmp_path / "kept"
    plain = run("state", own, room_id)
    made = run("state", own, room_id, "--cache", str(cache))
    before = cache.read_bytes()
    used = run("state", own, room_id, "--cache", str(cache))
    assert cache.read_bytes() == before
    assert (made.output, used.output) == (plain.output, plain.output)
    change = "UPDATE event_json SET internal_metadata = '{\"soft_failed\": true}'"
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute(f"{change} WHERE room_id = %s", (room_id,))
    run("state", own, room_id, "--cache", str(cache))
    assert cache.read_bytes() != before
