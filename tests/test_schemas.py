"""What the commands print as JSON follows the schemas in `docs/schemas`; each command has one.

`test_cli_why`, `test_graph_forms`, `test_report` and the tests of `all_rooms` look at the schemas of the
commands that explain a room. Here are the others.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from command_line import CASES, run
from homeservers import unpacked_sqlite

from roomver.cli import main

pytest.importorskip("jsonschema")

from schemas import SCHEMAS, validator

ROOMS = sorted((Path(__file__).parents[1] / "vectors" / "rooms").glob("*.jsonl"))
FILES = sorted(path for path in CASES.iterdir() if ".keys." not in path.name)
HERE = ("auth", "check", "hash", "resolve", "rooms", "rules", "state", "vectors-coverage", "versions")


def look(value: Any, where: str) -> None:
    """Check that objects are closed and that every field is described."""
    if isinstance(value, dict):
        if value.get("type") == "object" and "properties" in value:
            assert value["additionalProperties"] is False, where
            for name, inner in value["properties"].items():
                assert "description" in inner or "$ref" in inner or "oneOf" in inner, f"{where}.{name}"
        for name, inner in value.items():
            look(inner, f"{where}.{name}")
    elif isinstance(value, list):
        for inner in value:
            look(inner, where)


@pytest.mark.parametrize("name", HERE)
def test_a_schema_is_closed_and_described(name: str) -> None:
    schema: Any = validator(name).schema
    look(schema, name)
    assert schema["title"] == f"roomver {name.replace('-', ' ')} --json"


def printed(*arguments: str) -> Any:
    """Return the JSON that a command prints, or None if it prints none."""
    result = run(*arguments)
    assert result.exit_code in (0, 1, 2, 3), result.output
    return json.loads(result.stdout) if result.stdout else None


def follows(name: str, value: Any) -> bool:
    """Check a value, if there is one."""
    if value is not None:
        validator(name).validate(value)
    return value is not None


@cache
def room_ids(database: str) -> list[str]:
    return [room["room_id"] for room in printed("rooms", database, "--json")]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(unpacked_sqlite(tmp_path_factory.mktemp("schemas")))


@pytest.mark.parametrize("file", [*ROOMS, *FILES], ids=lambda path: path.name)
def test_the_rooms_of_a_file(file: Path) -> None:
    keys = file.with_name(f"{file.name.partition('.')[0]}.keys.json")
    known = ("--keys", str(keys)) if keys.exists() else ("--unsigned",)
    assert follows("check", printed("check", str(file), *known, "--json"))
    follows("rooms", printed("rooms", str(file), "--json"))
    follows("state", printed("state", str(file), "--unsigned", "--json"))
    follows("resolve", printed("resolve", str(file), "--unsigned", "--trace", "--json"))
    for one in printed("check", str(file), *known, "--json")["files"][0].get("events", [])[:6]:
        if one["event_id"] is not None:
            follows("auth", printed("auth", "--room", str(file), *known, one["event_id"], "--json"))


def test_the_rooms_of_a_database(database: str) -> None:
    assert follows("rooms", printed("rooms", database, "--json"))
    read = dict.fromkeys(("check", "state", "resolve"), 0)
    for room_id in room_ids(database):
        for name in read:
            read[name] += follows(name, printed(name, database, room_id, "--json"))
    assert min(read.values()) > 8


def test_several_sources_that_contradict_each_other(tmp_path: Path) -> None:
    header, _, events = ROOMS[2].read_text("utf-8").partition("\n")
    other = json.loads(header)
    del other["rejected"][0]
    other["keys"]["hs.example"]["ed25519:a_hs01"]["key"] = "A" * 43
    copy = tmp_path / "copy.jsonl"
    copy.write_text(f"{json.dumps(other)}\n{events}", "utf-8")
    found = printed("check", str(ROOMS[2]), "--also", str(copy), "--json")
    assert {one["kind"] for one in found["files"][0]["sources"]["contradictions"]} == {"key", "rejected"}
    assert follows("check", found)


@pytest.mark.parametrize("file", ROOMS[::3], ids=lambda path: path.name)
def test_every_tenth_event_of_a_recording(file: Path) -> None:
    for line in file.read_text("utf-8").split("\n")[1:-1:10]:
        assert follows("auth", printed("auth", "--room", str(file), json.loads(line)["event_id"], "--json"))


def test_a_draft() -> None:
    draft = (str(CASES / "p_whatif_event.json"), "--state", str(CASES / "p_whatif_state.json"))
    assert follows("auth", printed("auth", *draft, "--json"))


def test_why_an_entry_has_its_event() -> None:
    at = (str(ROOMS[2]), "--at", "$f-O1KOsZIrI")
    found = printed("resolve", *at, "--why", "m.room.member", "@wes:remote.example", "--json")
    assert found["why"]["candidates"]
    assert follows("resolve", found)


@pytest.mark.parametrize(
    "arguments",
    [
        ("rules",),
        *(("rules", "--room-version", version) for version in ("1", "11", "12", "org.matrix.msc3757.11")),
        ("versions",),
        ("vectors", "coverage"),
    ],
)
def test_tables(arguments: tuple[str, ...]) -> None:
    words = [word for word in arguments if word.isalpha()]
    assert follows("-".join(words), printed(*arguments, "--json"))


def test_hashes(tmp_path: Path) -> None:
    for room in ROOMS:
        header, *lines = map(json.loads, room.read_text("utf-8").split("\n")[:9])
        for line in lines:
            file = tmp_path / "event.json"
            file.write_text(json.dumps(line["pdu"]))
            assert follows(
                "hash", printed("hash", "--room-version", header["room_version"], str(file), "--json")
            )


def test_every_command_that_prints_json_has_a_schema() -> None:
    commands_with_json = {
        "-".join(path) for path, command in walk() if any("--json" in one.opts for one in command.params)
    }
    # The results of a run, a report of them, and a case have schemas beside the vectors.
    assert commands_with_json - {"vectors-report", "vectors-run", "vectors-show"} == {
        path.name.removesuffix(".schema.json") for path in SCHEMAS.iterdir()
    } - {"check-rooms", "check-rooms-line"}


def walk(
    group: click.Group = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield all commands with their names."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))
        else:
            yield (*path, name), command
