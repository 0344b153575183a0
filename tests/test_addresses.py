"""Addresses of databases: what is shown of them is never a secret."""

import sqlite3
import sys
from pathlib import Path
from time import process_time

import pytest
from command_line import run
from hypothesis import given, settings
from hypothesis import strategies as st

from roomver.readers.addresses import as_conninfo, hide_in, is_address, shown

psycopg = pytest.importorskip("psycopg", reason="psycopg, the extra `postgres`, is not installed")

# The part "cret" is in no other word of a message.
PASSWORDS = (
    *("s3cret/pw", "s3@cret", "s3?cret", "s3'cret", "s3 cret", "s3%cret", "s3&cret", "s3#cret", "s3:cret"),
    *("1/cret", "1/2?cret", "1@2/cret", "1@2?user=cret", "s3\\cret", 's3"cret', "s3=cret", "[cret", "cret]"),
    *("s3%40cret", "s3%2Fcret", "s3\ncret", "cret,1", "1,2/cret", "host=cret", "//cret", "@cret", "cret@"),
)
PLACES = (
    "postgresql://u:{}@h.invalid/db",
    "postgresql://u:{}@h.invalid:5432,i.invalid:5433/db",
    "postgresql://u%3A{}@h.invalid/db",
    "postgresql://:{}@h.invalid",
    "postgresql:///db?password={}&host=/nowhere",
    "postgresql:///db?host=/nowhere&sslpassword={}",
    "postgresql://u@/db?host=/nowhere&PASSWORD={}",
    "postgresql:///db?host=/nowhere&passfile=/{}",
    "postgresql:///db?host=/nowhere&options={}",
    "postgresql:///db?service=nothing&pass%77ord={}",
    "postgresql:///postgresql%3A%2F%2Fu%3A{}%40h.invalid%2Fdb?host=/nowhere",
    "postgres://u:{}@/db?host=/nowhere",
    "POSTGRES://u:{}@h.invalid/db",
    "PostgreSQL://u:{}@h.invalid/db",
    "postgresql+psycopg://u:{}@h.invalid/db",
    "postgresql+asyncpg://u:{}@h.invalid/db",
    "postgresql:/u:{}@h.invalid/db",
    "jdbc:postgresql://h.invalid/db?user=u&password={}",
    "mysql://u:{}@h.invalid/db",
    "https://u:{}@h.invalid/db?access_token={}",
    "host=h.invalid password='{}' dbname=d",
    "host=h.invalid password={} dbname=d",
    "host = h.invalid PASSWORD = {}",
    "password={}",
    "sslpassword='{}",
    "dbname=postgresql://u:{}@h.invalid/db",
    "host=u:{}@h.invalid dbname=db",
    # Misspelt.
    "postgresql:u:{}@h.invalid/db",
    "postgresql//u:{}@h.invalid/db",
    "postgresql: //u:{}@h.invalid/db",
    "postgresql;//u:{}@h.invalid/db",
    "postgresql\N{FULLWIDTH COLON}//u:{}@h.invalid/db",
    "postgresql:\\\\u:{}@h.invalid/db",
    "Postgres u:{}@h.invalid/db",
    "PGPASSWORD={} host=h.invalid dbname=d",
    "PGPASSWORD={} postgresql://h.invalid/db",
    "POSTGRES_PASSWORD='{}' host=h.invalid",
    "pass={} host=h.invalid dbname=d",
)


@pytest.mark.parametrize("password", PASSWORDS)
def test_no_spelling_of_a_password_is_shown(password: str) -> None:
    for number, place in enumerate(PLACES, PASSWORDS.index(password)):
        address = place.format(*[password] * place.count("{}"))
        assert "cret" not in shown(address), address
        assert "cret" not in shown(f"x={address}"), address
        calls = [
            ["check", address],
            ["rooms", address],
            ["rooms", address, address],
            [address],
            ["check", "x", address, "--json"],
            ["check", f"--keys=x={address}", "x"],
            ["check", "x", "--keys", address],
            ["check", "x", f"--room-version={address}"],
            ["record", "x", "-o", address],
        ]
        # Each address in one call, and each call with many addresses.
        call = calls[number % len(calls)]
        result = run(*call)
        assert result.exit_code == 2
        assert "cret" not in result.output + result.stderr, call


@settings(max_examples=300)
@given(
    st.text("abs3:/@?#&=%,.[] '\\", max_size=12), st.sampled_from(PLACES), st.text("1:/@?#&=%,", max_size=4)
)
def test_a_password_of_any_characters_is_not_shown(before: str, place: str, after: str) -> None:
    address = place.format(*[f"{before}zzz{after}"] * place.count("{}"))
    # What a person takes for a parameter of its own, such as "&user=", is one.
    if "&" not in before and "=" not in before and " " not in before and "'" not in before:
        assert "zzz" not in shown(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql:///other?user=u&password=x", "postgresql:///other?user=u"),
        ("postgresql://u:x@h:5432/d?sslmode=require", "postgresql://u@h:5432/d?sslmode=require"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://@/d?host=/tmp/a-b.c", "postgresql://@/d?host=/tmp/a-b.c"),
        ("postgresql://h:5432/d", "postgresql://h:5432/d"),
        ("postgresql://h,i:1/d", "postgresql://h,i:1/d"),
        ("postgresql://[::1]:5432/d", "postgresql://[::1]:5432/d"),
        ("postgresql://%2Ftmp/d", "postgresql://%2Ftmp/d"),
        ("postgresql://h:5432/d?user=a%40b", "postgresql://h:5432/d?user=a%40b"),
        ("postgresql:///d?sslpassword=x", "postgresql:///d"),
        ("postgresql://?service=synapse&passfile=/x", "postgresql://?service=synapse"),
        ("postgresql+psycopg2://u:x@h/d", "postgresql://u@h/d"),
        ("postgres://a:b@c:5/d?e=f", "postgresql://a@c:5/d"),
        ("postgresql://[", "postgresql://…"),
        ("postgresql://u:1/2@h/d", "postgresql://…"),
        ("host=h password = 'x \\' y' user=u", "host=h user=u"),
        ("dbname=d", "dbname=d"),
        ("room.jsonl", "room.jsonl"),
        ("a=b.jsonl", "a=b.jsonl"),
        ("user=b.jsonl", "user=b.jsonl"),
        ("x=postgresql://u:x@h/d", "x=postgresql://u@h/d"),
        ("postgresql:u:x@h/d", "…"),
        ("PGPASSWORD=x host=h dbname=d", "host=h dbname=d"),
        ("/var/lib/postgresql/a@b.db", "/var/lib/postgresql/a@b.db"),
        ("@postgres:hs.example", "@postgres:hs.example"),
        ("https://matrix.org/a/b?access_token=x", "https://matrix.org/a/b"),
    ],
)
def test_what_is_certainly_not_secret_is_shown(address: str, expected: str) -> None:
    assert shown(address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("POSTGRES://u@h/d", "postgresql://u@h/d"),
        ("postgresql+psycopg://u@h/d", "postgresql://u@h/d"),
        ("host=h dbname=d", "host=h dbname=d"),
        ("service=x", "service=x"),
        ("postgresql://u:a@b@h/d", None),
    ],
)
def test_an_address_is_passed_on_as_libpq_takes_it(address: str, expected: str | None) -> None:
    assert is_address(address)
    assert as_conninfo(address) == expected


def test_a_file_is_not_an_address(tmp_path: Path) -> None:
    for name in (
        "postgresql:/x",
        "room.jsonl",
        "user=x",
        "a=b",
        "https://h/x",
        "sqlite:///x",
        "$x=y",
        "",
        "host=",
    ):
        assert is_address(name) is (name == "host="), name
    path = tmp_path / "password=x.jsonl"
    path.write_text("{")
    assert run("check", str(path)).exit_code == 2


def test_an_argument_is_hidden_in_each_form_that_a_message_quotes() -> None:
    address = "postgresql://u:it's zzz\\@h/d"
    for text in (address, repr(address), str(Path(address)), f"'--x={address}' is wrong"):
        assert "zzz" not in hide_in(text, ["check", f"--x={address}", address])
    assert (
        hide_in("postgresql://u@h: the user @a:b", ["postgresql://u:p@h"])
        == "postgresql://u@h: the user @a:b"
    )


@pytest.mark.parametrize(
    "repeated",
    [
        "a",
        " ",
        "=",
        "x=",
        "//",
        "a.",
        "host=x ",
        "host=x'",
        "password",
        "pass=x ",
        "postgres+",
        "x://",
        "x@:",
    ],
)
def test_the_cost_of_hiding_is_linear_in_the_argument(repeated: str) -> None:
    """It was cubic: `host=x ` 2,000 times took 9 seconds."""
    argument = "x" + repeated * (64_000 // len(repeated))
    began = process_time()
    hide_in(f"error: {argument}", [argument])
    assert process_time() - began < 10  # quadratic cost is minutes


def test_an_error_that_quotes_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(conninfo: str, **_: object) -> None:
        raise psycopg.OperationalError(f'bad value "s3cret" in "{conninfo}"')

    monkeypatch.setattr(psycopg, "connect", refuse)
    result = run("rooms", "postgresql://u:s3cret@h/d")
    assert result.stderr == (
        "roomver: postgresql://u@h/d: the database cannot be read: the reason quotes a part of the address"
        " that may be secret; psql prints it\n"
    )


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    result = run("check", "host=h password=zzz", "--room", "!a:b")
    reason = "reading PostgreSQL needs psycopg: run pip install '.[postgres]' in the checkout of roomver"
    assert (result.exit_code, result.stderr) == (2, f"roomver: host=h: {reason}\n")


def test_a_path_of_an_sqlite_file_is_shown_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a=b c.db"
    sqlite3.connect(path).close()
    assert shown(str(path)) == str(path)
